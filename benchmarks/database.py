"""Measure the database: the speed of a sync, the time of a sync with nothing new, and common queries.

Run it from the project's folder in the activated environment:

    python benchmarks/database.py [--scale 1.0]

The sync is that of a synthetic project of 360 bins with 100,000 sources. Each has ten lightcurves, as in a survey of
several seasons and filters, two detections, an injection, an event and properties. The queries are on 1,000,000
sources, 5,000,000 lightcurves and 1,000,000 detections, half of them simulated, which the database itself generates.
`--scale` multiplies all numbers except that of bins. Both use the embedded server. The table has the median time of
warm queries as seen by a client, and the fastest, which is more reliable on a busy machine. For the first sync, it also
has the processor times of client and server.
"""

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import sqlalchemy as sa

ROOT = Path(__file__).resolve().parent.parent
# In place of this folder, as this file has the same name as a package of the tests.
sys.path[:1] = [str(ROOT), str(ROOT / "tests")]

from database.products import sync_arguments, write_bin  # noqa: E402

from vo_lib import hdf5, paths  # noqa: E402
from vo_lib.database import models  # noqa: E402
from vo_lib.database.find import find_detections, find_sources  # noqa: E402
from vo_lib.database.schema import upgrade  # noqa: E402
from vo_lib.database.server import connect_url  # noqa: E402
from vo_lib.database.session import Session, make_engine  # noqa: E402
from vo_lib.database.sync import sync_project  # noqa: E402

BINS = 360
REPEATS = 25
FILLERS = {sa.Text: "''", sa.BigInteger: "0", sa.Boolean: "false", sa.JSON: "'{}'", sa.Double: "random()"}


def add_lightcurves(path, number):
    """Repeat each lightcurve in the index of a reduced file `number` times, under new keys."""
    with hdf5.open_file(path) as file:
        index = hdf5.read_table(file, "index")
    table = {name: np.tile(values, number) for name, values in index.items()}
    again = np.repeat(np.arange(number), len(index["key"]))
    table["key"] = np.where(again == 0, table["key"], np.char.add(table["key"], again.astype(str)))
    with hdf5.Writer(path, base=path) as writer:
        writer.write_table("index", table)


def server_seconds(root):
    """Return the processor time of the embedded server and its children since its start [s]."""
    server = psutil.Process(int((root / "database/postgres/postmaster.pid").read_text(encoding="utf-8").split()[0]))
    times = [process.cpu_times() for process in (server, *server.children())]
    return sum(time.user + time.system + time.children_user + time.children_system for time in times)


def measure_sync(engine, root, n_sources):
    """Print the speed of a first sync, and the time of a sync with nothing new."""
    names = [f"RA{number:03d}" for number in range(BINS)]
    for number, name in enumerate(names):
        write_bin(root, [f"s{number}_{index}" for index in range(n_sources // BINS)], bin_name=name)
        add_lightcurves(root / paths.reduced_file("DEMO", "DEMO", name), 10)
    arguments = sync_arguments(names)
    start, used = time.perf_counter(), time.process_time()
    rows = sync_project(engine, root, "DEMO", **arguments).rows
    seconds, used = time.perf_counter() - start, time.process_time() - used
    number = rows["lightcurves"] + rows["detections"]
    print(
        f"| first sync: {sum(rows.values()):,} rows, {number:,} of them lightcurves and detections | {seconds:.1f} s |"
    )
    print(f"| &nbsp; processor time of the client | {used:.1f} s |")
    print(f"| &nbsp; processor time of the server | {server_seconds(root):.1f} s |")
    print(f"| lightcurves and detections in a second | {number / seconds:,.0f} |")
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert sync_project(engine, root, "DEMO", **arguments).synced == []
        times.append(time.perf_counter() - start)
    print(f"| sync of {BINS} bins with nothing new | {median(times):.2f} s |")


def fill(connection, model, n_rows, /, **values):
    """Make up rows of a table, with values as SQL of the number i of the row."""
    columns = {
        column.name: values.get(column.name)
        or next(sql for kind, sql in FILLERS.items() if isinstance(column.type, kind))
        for column in model.__table__.columns
        if not (column.identity or column.server_default)
    }
    names = ", ".join(f'"{name}"' for name in columns)
    query = f"INSERT INTO {model.__tablename__} ({names}) SELECT {', '.join(columns.values())}"
    connection.execute(sa.text(f"{query} FROM generate_series(1, {n_rows}) i"))


def make_up(engine, n_sources):
    """Fill the tables with generated rows."""
    upgrade(engine)
    with engine.begin() as connection:
        fill(connection, models.Project, 1, name="'p'", folder="'P'")
        fill(connection, models.Provenance, 1, id="'a'")
        ids = {"project_id": "(SELECT id FROM projects)", "provenance_id": "'a'"}
        first = connection.scalar(sa.text("SELECT nextval('sources_id_seq')"))
        place = {"ra": "360 * random()", "dec": "degrees(asin(2 * random() - 1))"}
        fill(connection, models.Source, n_sources, name="'source' || i", bin="'RA' || i % 360", **place, **ids)
        source, obs = f"{first} + 1 + i % {n_sources}", "'DEMO'"
        curve = {"key": "'key' || i", "obs": obs, "source_id": source, "level": "'reduced'"}
        times = {"mjd_first": "58000 + 2000 * random()", "mjd_last": "60000 + 500 * random()"}
        fill(connection, models.Lightcurve, 5 * n_sources, **curve, **times, **ids)
        found = {"lightcurve_id": "i", "source_id": source, "number": "1", "simulated": "i % 2 = 0", "obs": obs}
        fill(connection, models.Detection, n_sources, **found, peak_mjd="58000 + 2500 * random()", **ids)
        fill(connection, models.Properties, n_sources, source_id=f"{first} + i", interest="'boring'", **ids)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))


def questions(random, n_sources):
    """Return queries of a session by their description, with a new random position, name and time in each call."""
    source, curve, found = models.Source, models.Lightcurve, models.Detection
    ra, dec, mjd = (float(random.uniform(*limits)) for limits in ((5, 355), (-60, 60), (58000, 60500)))
    name = f"source{random.integers(1, n_sources)}"
    night = sa.select(found.id).where(found.peak_mjd.between(mjd, mjd + 0.01))
    place = {"project": "p", "ra": ra, "dec": dec}
    queries = {
        "source by name": sa.select(source).where(source.name == name),
        "lightcurves by the name of their source": sa.select(curve.key).join(source).where(source.name == name),
        "summary of a source by name": sa.text(f"SELECT * FROM source_summary WHERE name = '{name}'"),
        "100 real detections of the best score": sa.text("SELECT * FROM detections_real ORDER BY score DESC LIMIT 100"),
        "detections of a quarter of an hour": night,
    }
    return {
        "`find_sources`, cone of 10 arcsec": lambda session: find_sources(session, radius_arcsec=10, **place),
        "`find_sources`, cone of 1 degree": lambda session: find_sources(session, radius_arcsec=3600, **place),
        "`find_detections`, 100 best": lambda session: find_detections(session, project="p", max_number=100),
        "`find_sources`, name": lambda session: find_sources(session, project="p", name=name),
        "`find_sources`, part of a name": lambda session: find_sources(session, project="p", name=name[1:]),
    } | {asked: partial(_execute, query) for asked, query in queries.items()}


def _execute(query, session):
    """Return all rows of a query."""
    return session.execute(query).all()


def measure_queries(engine, n_sources):
    """Print how long each query takes."""
    random, times = np.random.default_rng(1), {}
    with Session(engine) as session:
        for _ in range(REPEATS):
            for name, ask in questions(random, n_sources).items():
                session.expunge_all()
                start = time.perf_counter()
                ask(session)
                times.setdefault(name, []).append(time.perf_counter() - start)
    for name, seconds in times.items():
        print(f"| {name} | {1000 * median(seconds):.1f} ms, fastest {1000 * min(seconds):.1f} ms |")


def main():
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, metavar="X", help="size of the tables (default: 1)")
    parser.add_argument("--only", choices=("sync", "queries"), help="measure one of the two")
    arguments = parser.parse_args()
    print("| | |\n| --- | --- |")
    for part, number, measure in (("sync", 100_000, _sync), ("queries", 1_000_000, _queries)):
        if arguments.only in (None, part):
            with tempfile.TemporaryDirectory() as folder, connect_url(data_root=folder) as url:
                engine = make_engine(url)
                measure(engine, Path(folder), round(number * arguments.scale))
                engine.dispose()


def _sync(engine, root, n_sources):
    measure_sync(engine, root, n_sources)


def _queries(engine, _, n_sources):
    start = time.perf_counter()
    make_up(engine, n_sources)
    print(
        f"| making up {n_sources:,} sources and {5 * n_sources:,} lightcurves | {time.perf_counter() - start:.0f} s |"
    )
    measure_queries(engine, n_sources)


if __name__ == "__main__":
    main()
