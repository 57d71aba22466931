"""Bring the rows of one bin in step with its products, in one transaction."""

import json
from contextlib import contextmanager

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import aliased

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
from vo_lib.database.products import fill, length
from vo_lib.database.upsert import delete_others, encode, upsert
from vo_lib.errors import UserError

__all__ = [
    "BIN_MODELS",
    "check_count",
    "count_rows",
    "encode_bin",
    "put_bin",
    "put_files",
    "put_synced",
    "remove_other_bins",
]

# A name that stands for places this far apart stands for two objects [arcsec], as in vo_lib.download.
SAME_OBJECT_ARCSEC = 10.0

# Rows of a project in its bins, parents first.
BIN_MODELS = (Source, Lightcurve, BadData, Detection, Event, Injection, Properties)

# Numbers of the sources and lightcurves of a bin by their names, for `upsert`.
BIN_SOURCES = """\
CREATE TEMP TABLE IF NOT EXISTS bin_sources (id bigint, name text) ON COMMIT DELETE ROWS;
INSERT INTO bin_sources SELECT id, name FROM sources WHERE project_id = :project_id AND bin = :bin
"""
BIN_LIGHTCURVES = """\
CREATE TEMP TABLE IF NOT EXISTS bin_lightcurves (id bigint, obs text, key text) ON COMMIT DELETE ROWS;
INSERT INTO bin_lightcurves SELECT id, obs, key FROM lightcurves WHERE source_id IN (SELECT id FROM bin_sources)
"""


def remove_other_bins(connection, project_id, bins):
    """Delete all of the bins that the project no longer has.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    project_id : int
        Number of the project.
    bins : list of str
        Bins that it has.

    Returns
    -------
    list of str
        Names of those that it had beside them.
    """
    sources = sa.delete(Source).where(Source.project_id == project_id, Source.bin.not_in(bins))
    _remove_unclaimed(connection, list(connection.scalars(sources.returning(Source.name))))
    connection.execute(sa.delete(File).where(File.project_id == project_id, File.bin.not_in([*bins, ""])))
    gone = sa.delete(SyncedBin).where(SyncedBin.project_id == project_id, SyncedBin.bin.not_in(bins))
    return sorted(connection.scalars(gone.returning(SyncedBin.bin)))


def _remove_unclaimed(connection, names):
    """Delete raw photometry of those sources that no project has any more, and what is known of its files."""
    claimed = sa.exists().where(Source.name == RawPhotometry.source_name)
    raw = sa.delete(RawPhotometry).where(RawPhotometry.source_name.in_(names), ~claimed)
    files = set(connection.scalars(raw.returning(RawPhotometry.filename))) if names else set()
    used = sa.exists().where(RawPhotometry.filename == File.path)
    if files:
        connection.execute(sa.delete(File).where(File.path.in_(files), ~used))


def put_files(connection, condition, table):
    """Replace the rows of those files that fulfil a condition."""
    upsert(connection, File, encode(File, table))
    delete_others(connection, File, condition)


def put_synced(connection, project_id, bin_name, products, state):
    """Note that the products of a bin are in the database, as they are on disk."""
    row = {"project_id": project_id, "bin": bin_name, "digest": products.digest, "state": state}
    row["n_rows"] = json.dumps(count_rows(products))
    upsert(connection, SyncedBin, encode(SyncedBin, {name: np.array([value]) for name, value in row.items()}))


def count_rows(products):
    """Number of rows of the products of a bin by table."""
    return {name: length(table) for name, table in products.tables.items()}


def encode_bin(project_id, products):
    """Encode the rows of a bin for `put_bin`.

    Parameters
    ----------
    project_id : int
        Number of the project.
    products : BinProducts
        What its products say.

    Returns
    -------
    dict of type to bytes
        By the class of the table, see `vo_lib.database.upsert.encode`.
    """
    tables = {name: table | {"project_id": fill(table, project_id)} for name, table in products.tables.items()}
    return {model: encode(model, tables[model.__tablename__]) for model in (RawPhotometry, *BIN_MODELS)}


def put_bin(connection, project_id, bin_name, encoded, n_rows):
    """Replace the rows of a bin.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    project_id : int
        Number of the project.
    bin_name : str
        Name of the bin.
    encoded : dict of type to bytes
        What `encode_bin` gives.
    n_rows : dict of str to int
        Number of rows by table.

    Raises
    ------
    UserError
        If a name is that of another source of another project.
    RuntimeError
        If the rows do not add up, as where one refers to a source or lightcurve that the bin does not have.
    """
    in_bin = sa.select(Source.id).where(Source.project_id == project_id, Source.bin == bin_name)
    upsert(connection, Source, encoded[Source])
    _remove_unclaimed(connection, delete_others(connection, Source, Source.id.in_(in_bin), returning=Source.name))
    _check_names(connection, project_id, bin_name)
    upsert(connection, RawPhotometry, encoded[RawPhotometry])
    with _known_parents(connection):
        connection.execute(sa.text(BIN_SOURCES), {"project_id": project_id, "bin": bin_name})
        for model in BIN_MODELS[1:]:
            upsert(connection, model, encoded[model])
            if model is Lightcurve:
                connection.execute(sa.text(BIN_LIGHTCURVES))
    for model, found in _count_bin(connection, in_bin).items():
        expected = n_rows[model.__tablename__]
        if found > expected:
            found -= len(delete_others(connection, model, model.source_id.in_(in_bin)))
        check_count(f"bin {bin_name}, {model.__tablename__}", found, expected)


@contextmanager
def _known_parents(connection):
    """Spare PostgreSQL the search for the parents of each row, by which it was put in, where the account may do so.

    Until the transaction ends, no other one can take parents away.
    """
    setting = (
        "SELECT set_config('session_replication_role', :role, true) WHERE CAST(current_setting('is_superuser') AS bool)"
    )
    connection.execute(sa.text("LOCK TABLE sources, lightcurves IN SHARE ROW EXCLUSIVE MODE"))
    connection.execute(sa.text(setting), {"role": "replica"})
    yield
    connection.execute(sa.text(setting), {"role": "origin"})


def _check_names(connection, project_id, bin_name):
    """A name stands for one place in all projects, for raw photometry is stored by name."""
    other, name_of = aliased(Source), sa.select(Project.name).where(Project.id == project_id).scalar_subquery()
    versions = sa.select(Project.id).where(Project.name == name_of)
    same_name = sa.and_(other.name == Source.name, other.project_id.not_in(versions), other.bin != Source.bin)
    query = (
        sa.select(Source.name, Source.ra, Source.dec, other.ra, other.dec, other.bin)
        .join(other, same_name)
        .where(Source.project_id == project_id, Source.bin == bin_name)
    )
    for name, ra, dec, other_ra, other_dec, other_bin in connection.execute(query):
        step = np.hypot(((ra - other_ra + 180) % 360 - 180) * np.cos(np.radians(dec)), dec - other_dec) * 3600
        if step > SAME_OBJECT_ARCSEC:
            raise UserError(
                f"the source '{name}' at RA {ra:.5f} Dec {dec:.5f} is at RA {other_ra:.5f} Dec {other_dec:.5f} "
                f"(bin {other_bin}) in another project of this database; rename one of them"
            )


def _count_bin(connection, in_bin):
    """Number of rows of a bin by table."""
    numbers = {model: Source.id if model is Source else model.source_id for model in BIN_MODELS}
    counts = (sa.select(sa.func.count()).where(number.in_(in_bin)).scalar_subquery() for number in numbers.values())
    return dict(zip(BIN_MODELS, connection.execute(sa.select(*counts)).one(), strict=True))


def check_count(what, found, expected):
    """Nothing is lost and nothing is made up on the way."""
    if found != expected:
        raise RuntimeError(f"{what}: {found} rows in the database, but {expected} in the products; run again")
