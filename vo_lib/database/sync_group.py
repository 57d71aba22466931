"""Update the rows of a group of bins to match their products, in one transaction."""

from contextlib import contextmanager

import numpy as np
import sqlalchemy as sa

from vo_lib.database.models import (
    BadData,
    Detection,
    Event,
    File,
    Injection,
    Lightcurve,
    Project,
    Properties,
    RawPhotometry,
    Source,
    SyncedBin,
)
from vo_lib.database.schema import one_at_a_time
from vo_lib.database.upsert import delete_others, upsert
from vo_lib.errors import UserError
from vo_lib.positions import SAME_OBJECT_ARCSEC

__all__ = [
    "BIN_MODELS",
    "check_count",
    "put_files",
    "put_group",
    "remove_other_bins",
    "remove_other_surveys",
    "remove_project",
]

# Tables with the rows of bins, parents first.
BIN_MODELS = (Source, Lightcurve, BadData, Detection, Event, Injection, Properties)

# Sources and lightcurves of the bins being stored, with the ids by which other rows refer to them. All these statements
# are fast even while PostgreSQL has no statistics of a growing table.
BIN_SOURCES = """\
CREATE TEMP TABLE bin_sources (id bigint, name text, bin text, ra float8, dec float8) ON COMMIT DROP;
INSERT INTO bin_sources SELECT id, name, bin, ra, dec FROM sources WHERE project_id = :project_id AND bin = ANY(:bins)
"""
BIN_LIGHTCURVES = """\
CREATE TEMP TABLE bin_lightcurves (id bigint, obs text, key text) ON COMMIT DROP;
INSERT INTO bin_lightcurves SELECT found.* FROM bin_sources
CROSS JOIN LATERAL (SELECT id, obs, key FROM lightcurves WHERE source_id = bin_sources.id OFFSET 0) AS found
"""
# Names with raw photometry in several files of one survey, some of which perhaps no project has any more.
SEVERAL_RAW_FILES = """\
SELECT name FROM bin_sources
WHERE (SELECT count(*) > count(DISTINCT obs) FROM raw_photometry WHERE source_name = bin_sources.name)
"""
SAME_NAMES = """\
SELECT here.name, here.ra, here.dec, other.ra, other.dec, other.bin
FROM bin_sources here JOIN sources other ON other.name = here.name AND other.bin <> here.bin
WHERE other.project_id IN (SELECT id FROM projects WHERE name <> (SELECT name FROM projects WHERE id = :id))
"""
COUNT = """\
SELECT bin, sum((SELECT count(*) FROM {table} WHERE {number} = bin_sources.id))::bigint FROM bin_sources GROUP BY bin
"""


def remove_other_bins(connection, project_id, bins):
    """Delete the rows of bins that the project no longer has.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    project_id : int
        Id of the project.
    bins : list of str
        Bins of the project.

    Returns
    -------
    list of str
        Names of the deleted bins, sorted.
    """
    sources = sa.delete(Source).where(Source.project_id == project_id, Source.bin.not_in(bins))
    _remove_unclaimed(connection, list(connection.scalars(sources.returning(Source.name))))
    connection.execute(sa.delete(File).where(File.project_id == project_id, File.bin.not_in([*bins, ""])))
    gone = sa.delete(SyncedBin).where(SyncedBin.project_id == project_id, SyncedBin.bin.not_in(bins))
    return sorted(connection.scalars(gone.returning(SyncedBin.bin)))


def remove_other_surveys(connection, project_id, observatories):
    """Delete raw photometry of surveys that the project no longer has, unless another project needs it.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    project_id : int
        Id of the project.
    observatories : list of str
        Surveys of the project.
    """
    others = sa.and_(File.project_id == project_id, File.kind == "manifest", File.obs.not_in(observatories))
    if connection.execute(sa.delete(File).where(others)).rowcount:
        _remove_unclaimed(connection)


def remove_project(connection, folder):
    """Delete all rows of a project, and raw photometry that no other project needs.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    folder : str
        Folder of the project below the data root.
    """
    one_at_a_time(connection)
    connection.execute(sa.delete(Project).where(Project.folder == folder))
    _remove_unclaimed(connection)


def _remove_unclaimed(connection, names=None):
    """Delete raw photometry that no project has any more, of the named or all sources, and rows of unused raw files."""
    of_names = sa.true() if names is None else RawPhotometry.source_name.in_(names)
    raw = sa.delete(RawPhotometry).where(of_names, ~RawPhotometry.sources.any())
    files = set(connection.scalars(raw.returning(RawPhotometry.filename)))
    used = sa.exists().where(RawPhotometry.filename == File.path)
    if files:
        connection.execute(sa.delete(File).where(File.path.in_(files), ~used))


def put_group(connection, project_id, group):
    """Store a group of bins: their products, files and state.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    project_id : int
        Id of the project.
    group : vo_lib.database.groups.Group
        The bins, with their encoded rows.

    Raises
    ------
    UserError
        If another project uses the name of a source for another object.
    RuntimeError
        If the rows do not add up, for example because one refers to a source or lightcurve that its bin lacks.
    """
    of_bins = sa.and_(File.project_id == project_id, File.bin.in_(group.opened))
    put_files(connection, sa.or_(of_bins, File.path.in_(group.files)), group.encoded[File])
    if group.changed:
        _put_products(connection, project_id, group)
    upsert(connection, SyncedBin, group.encoded[SyncedBin])


def put_files(connection, condition, rows):
    """Replace the rows of the files that satisfy a condition by rows from `encode`."""
    upsert(connection, File, rows)
    delete_others(connection, File, condition)


def _put_products(connection, project_id, group):
    """Replace the rows of the changed bins of a group."""
    in_bins = sa.and_(Source.project_id == project_id, Source.bin.in_(group.changed))
    upsert(connection, Source, group.encoded[Source])
    gone = delete_others(connection, Source, in_bins, returning=Source.name)
    bins = {"project_id": project_id, "bins": group.changed}
    connection.execute(sa.text(BIN_SOURCES), bins)
    _check_names(connection, project_id)
    upsert(connection, RawPhotometry, group.encoded[RawPhotometry])
    _remove_unclaimed(connection, [*gone, *connection.scalars(sa.text(SEVERAL_RAW_FILES))])
    with _known_parents(connection):
        for model in BIN_MODELS[1:]:
            upsert(connection, model, group.encoded[model])
            if model is Lightcurve:
                connection.execute(sa.text(BIN_LIGHTCURVES))
    for model in BIN_MODELS:
        _check_bins(connection, model, {name: group.n_rows[name][model.__tablename__] for name in group.changed})


@contextmanager
def _known_parents(connection):
    """Skip foreign-key checks if the account is privileged to; the ids of the parents have just been looked up.

    A lock keeps other transactions from deleting parents until this one ends.
    """
    setting = (
        "SELECT set_config('session_replication_role', :role, true) WHERE CAST(current_setting('is_superuser') AS bool)"
    )
    connection.execute(sa.text("LOCK TABLE sources, lightcurves IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(sa.text(setting), {"role": "replica"})
    yield
    connection.execute(sa.text(setting), {"role": "origin"})


def _check_names(connection, project_id):
    """Check that a name has one position in all projects, because raw photometry is stored by name."""
    for name, ra, dec, other_ra, other_dec, other_bin in connection.execute(sa.text(SAME_NAMES), {"id": project_id}):
        step = np.hypot(((ra - other_ra + 180) % 360 - 180) * np.cos(np.radians(dec)), dec - other_dec) * 3600
        if step > SAME_OBJECT_ARCSEC:
            raise UserError(
                f"the source '{name}' at RA {ra:.5f} Dec {dec:.5f} is at RA {other_ra:.5f} Dec {other_dec:.5f} "
                f"(bin {other_bin}) in another project of this database; rename one of them"
            )


def _check_bins(connection, model, expected):
    """Delete rows that the products no longer have, and check that each bin has as many rows as they."""
    count = sa.text(COUNT.format(table=model.__tablename__, number="id" if model is Source else "source_id"))
    found = dict(connection.execute(count).all())
    more = [name for name, number in expected.items() if found.get(name, 0) > number]
    if more:
        of_bins = sa.select(sa.text("id FROM bin_sources")).where(sa.column("bin").in_(more))
        delete_others(connection, model, model.source_id.in_(of_bins))
        found = dict(connection.execute(count).all())
    for name, number in expected.items():
        check_count(f"bin {name}, {model.__tablename__}", found.get(name, 0), number)


def check_count(what, found, expected):
    """Check that no row was lost or made up; `RuntimeError` if a number differs from the products."""
    if found != expected:
        raise RuntimeError(f"{what}: {found} rows in the database, but {expected} in the products; run again")
