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
from vo_lib.database.upsert import delete_others, upsert
from vo_lib.errors import UserError

__all__ = ["BIN_MODELS", "check_count", "count_rows", "put_bin", "put_files", "put_synced", "remove_other_bins"]

# A name that stands for places this far apart stands for two objects [arcsec], as in vo_lib.download.
SAME_OBJECT_ARCSEC = 10.0

# Rows of a project in its bins, parents first.
BIN_MODELS = (Source, Lightcurve, BadData, Detection, Event, Injection, Properties)


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
    upsert(connection, File, table)
    delete_others(connection, File, condition)


def put_synced(connection, project_id, bin_name, products, state):
    """Note that the products of a bin are in the database, as they are on disk."""
    row = {"project_id": project_id, "bin": bin_name, "digest": products.digest, "state": state}
    row["n_rows"] = json.dumps(count_rows(products))
    upsert(connection, SyncedBin, {name: np.array([value]) for name, value in row.items()})


def count_rows(products):
    """Number of rows of the products of a bin by table."""
    return {name: length(table) for name, table in products.tables.items()}


def put_bin(connection, project_id, bin_name, products):
    """Replace the rows of a bin.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction.
    project_id : int
        Number of the project.
    bin_name : str
        Name of the bin.
    products : BinProducts
        What its products say.

    Raises
    ------
    UserError
        If a name is that of another source of another project.
    RuntimeError
        If the rows do not add up.
    """
    tables = {name: table | {"project_id": fill(table, project_id)} for name, table in products.tables.items()}
    in_bin = sa.select(Source.id).where(Source.project_id == project_id, Source.bin == bin_name)
    upsert(connection, Source, tables["sources"])
    _remove_unclaimed(connection, delete_others(connection, Source, Source.id.in_(in_bin), returning=Source.name))
    _check_names(connection, project_id, bin_name)
    upsert(connection, RawPhotometry, tables["raw_photometry"])
    parents = {"source": _numbers(connection, in_bin, Source.name)}
    with _known_parents(connection):
        for model in BIN_MODELS[1:]:
            upsert(connection, model, _with_parents(tables[model.__tablename__], parents))
            if model is Lightcurve:
                of_bin = sa.select(Lightcurve.id).where(Lightcurve.source_id.in_(in_bin))
                parents["lightcurve"] = _numbers(connection, of_bin, Lightcurve.obs, Lightcurve.key)
    for model in BIN_MODELS[1:]:
        delete_others(connection, model, model.source_id.in_(in_bin))
    _check_bin(connection, in_bin, bin_name, tables)


@contextmanager
def _known_parents(connection):
    """Spare PostgreSQL the search for the parents of each row, which were looked up, where the account may do so."""
    setting = (
        "SELECT set_config('session_replication_role', :role, true) WHERE CAST(current_setting('is_superuser') AS bool)"
    )
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


def _check_bin(connection, in_bin, bin_name, tables):
    """As many rows as the products have, in each table."""
    numbers = {model: Source.id if model is Source else model.source_id for model in BIN_MODELS}
    counts = (sa.select(sa.func.count()).where(number.in_(in_bin)).scalar_subquery() for number in numbers.values())
    for model, found in zip(BIN_MODELS, connection.execute(sa.select(*counts)).one(), strict=True):
        name = model.__tablename__
        check_count(f"bin {bin_name}, {name}", found, length(tables[name]))


def _numbers(connection, query, *columns):
    """Number of each row of a query by the texts that name it; the rows cannot go before the transaction ends."""
    query = query.add_columns(*columns).with_for_update(key_share=True, read=True)
    return {tuple(key): number for number, *key in connection.execute(query).tuples()}


def _with_parents(table, parents):
    """Table in which sources and lightcurves are referred to by number."""
    named_by = {"source": ("source",), "lightcurve": ("obs", "lightcurve")}
    numbers = {}
    for name in parents.keys() & table.keys():
        keys = zip(*(table[column].tolist() for column in named_by[name]), strict=True)
        try:
            numbers[f"{name}_id"] = np.array([parents[name][key] for key in keys], dtype=np.int64)
        except KeyError as error:
            raise RuntimeError(f"a row refers to the {name} {error}, which its bin does not have") from None
    return table | numbers


def check_count(what, found, expected):
    """Nothing is lost and nothing is made up on the way."""
    if found != expected:
        raise RuntimeError(f"{what}: {found} rows in the database, but {expected} in the products; run again")
