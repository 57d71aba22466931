"""Fuzz the readers of answers and catalogs by the coverage of their code, for a fixed number of inputs.

    python tests/fuzz/atheris_readers.py answers -runs=500000
    python tests/fuzz/atheris_readers.py catalogs -runs=20000

Options are those of libFuzzer; ``make fuzz`` calls it. What is neither read nor refused in one line ends the process
with a traceback and the input in a file ``crash-...``: make a test of it.
"""

import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

with atheris.instrument_imports(include=["vo_lib"]):
    from one_line import or_one_line

    from vo_lib.catalog import read_catalog
    from vo_lib.observatories.answers import read_csv_answer, read_json_answer, rows_to_table
    from vo_lib.observatories.gaia_answers import read_epochs
    from vo_lib.observatories.lightcurve_fits import read_lightcurve
    from vo_lib.observatories.parquet_answers import read_parquet_answer
    from vo_lib.observatories.tess import VirtualTESS
    from vo_lib.observatories.ztf_forced_answers import read_jobs, read_result
    from vo_lib.targets.resolvers import _read_mast, _read_sesame

COLUMNS = {"oid": ("i8", "", ""), "mag": ("f8", "mag", ""), "band": ("S2", "", "")}
FOLDER = Path(tempfile.mkdtemp(prefix="vo-fuzz-"))


def _text(body):
    return body.decode(errors="replace")


READERS = (
    lambda body: read_csv_answer(_text(body), COLUMNS),
    lambda body: rows_to_table(read_json_answer(_text(body), "rows")[0], COLUMNS),
    lambda body: read_epochs(body, source_id=1),
    lambda body: read_lightcurve(body, VirtualTESS(), {"TICID": 1}),
    lambda body: read_parquet_answer(body, COLUMNS),
    lambda body: read_jobs(_text(body)),
    lambda body: read_result(_text(body), ra=1.0, dec=2.0),
    lambda body: _read_sesame(_text(body), "x"),
    lambda body: _read_mast(_text(body), "x"),
)


def answers(data):
    """The first byte says which reader gets the others."""
    if data:
        with or_one_line():
            READERS[data[0] % len(READERS)](data[1:])


def catalogs(data):
    """All bytes are a file."""
    path = FOLDER / "catalog"
    path.write_bytes(data)
    with or_one_line():
        read_catalog(path)


def seeds(kind):
    """Folder with inputs to begin with."""
    folder = FOLDER / "seeds"
    folder.mkdir()
    if kind == "catalogs":
        from fuzz.test_catalogs import make_files

        make_files(folder)
        return folder
    texts = (
        b"oid,mag,band\n1,2.5,zg\n",
        b'{"rows": [{"oid": 1, "mag": 2.5, "band": "zg"}]}',
        b"source_id,transit_id,band,time,mag,flux\n1,2,G,3,4,5\n",
        b"SIMPLE  =                    T" + b" " * 2850,
        b"PAR1",
        b"<table><tr><th>reqId</th><th>ra</th></tr><tr><td>1</td></tr></table>",
        b"# x\nindex, field,\n1 2\n",
        b'<Sesame><Target><Resolver name="S=x"><jradeg>1.5</jradeg><jdedeg>2</jdedeg></Resolver></Target></Sesame>',
        b'{"resolvedCoordinate": [{"searchString": "x", "resolver": "s", "ra": 1.5, "decl": 2, "canonicalName": "y"}]}',
    )
    for number, text in enumerate(texts):
        (folder / str(number)).write_bytes(bytes([number]) + text)
    return folder


if __name__ == "__main__":
    kind = sys.argv.pop(1)
    atheris.Setup([sys.argv[0], *sys.argv[1:], str(seeds(kind))], {"answers": answers, "catalogs": catalogs}[kind])
    atheris.Fuzz()
