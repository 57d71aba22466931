"""Bring the rows of a project in step with its products.

Each bin is one transaction: its tables go with COPY into staging tables, from there with one
statement each over the rows that are there (same natural key, same number), and rows of the bin
that the products no longer have are deleted. So a sync can be killed at any moment and run again
at any time, and a bin whose products are as they were is left alone.
"""

import json
import logging
from collections import Counter
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from vo_lib.database.models import (
    BadData,
    Detection,
    Event,
    Histogram,
    Injection,
    Lightcurve,
    Project,
    Properties,
    Provenance,
    RawPhotometry,
    Source,
    SyncedBin,
)
from vo_lib.database.products import fill, length, read_bin, read_histogram_table
from vo_lib.database.schema import one_at_a_time, upgrade
from vo_lib.database.upsert import delete_others, upsert
from vo_lib.errors import UserError

__all__ = ["SyncResult", "sync_project"]

# A name that stands for places this far apart stands for two objects [arcsec], as in vo_lib.download.
SAME_OBJECT_ARCSEC = 10.0

log = logging.getLogger("vo_lib")

# Rows of a project in its bins, parents first.
BIN_MODELS = (Source, Lightcurve, BadData, Detection, Event, Injection, Properties)


@dataclass(frozen=True)
class SyncResult:
    """What a sync did.

    Parameters
    ----------
    rows : dict of str to int
        Rows of the project in each table.
    synced, skipped, removed : list of str
        Bins that were read in, that were there already, and that the project no longer has.
    """

    rows: dict
    synced: list
    skipped: list
    removed: list


def sync_project(engine, data_root, folder, *, project, bins, observatories, histograms, provenances):
    """Bring the rows of a project in step with its products.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database; missing tables are made.
    data_root, folder : str or Path
        The data root, and the folder of the project below it.
    project : str
        Name of the project.
    bins, observatories, histograms : list of str
        All that the project has; rows of other bins and histograms are removed.
    provenances : list of dict
        ``id``, ``process``, ``parameters``, ``code`` and ``upstreams`` of all its products.

    Returns
    -------
    SyncResult

    Raises
    ------
    UserError
        If a product is missing, is not readable or has another provenance.
    RuntimeError
        If the rows do not add up; the bin at hand is then as it was before.
    """
    known_provenances = {row["id"] for row in provenances}
    upgrade(engine)
    with engine.begin() as connection:
        one_at_a_time(connection)
        project_id = _put_project(connection, project, folder, provenances)
        removed = _remove_other_bins(connection, project_id, bins)
    known, totals, synced, skipped = _known_digests(engine, project_id), Counter(), [], []
    for bin_name in bins:
        products = read_bin(data_root, folder, bin_name, observatories, known_provenances)
        totals.update({name: length(table) for name, table in products.tables.items()})
        if known.get(bin_name) == products.digest:
            skipped.append(bin_name)
            continue
        with engine.begin() as connection:
            one_at_a_time(connection)
            _put_bin(connection, project_id, bin_name, products)
        synced.append(bin_name)
        log.info("%s: %s", bin_name, ", ".join(f"{length(table)} {name}" for name, table in products.tables.items()))
    with engine.begin() as connection:
        one_at_a_time(connection)
        _put_histograms(connection, project_id, read_histogram_table(data_root, folder, histograms, known_provenances))
        _remove_unclaimed_raw(connection)
    rows = _count_rows(engine, project_id, observatories)
    _check_totals(engine, project_id, rows, totals)
    return SyncResult(rows, synced, skipped, removed)


def _put_project(connection, project, folder, provenances):
    """Row of the project, by its folder, and of what made its products; gives the project's number."""
    made_by = {name: [row[name] for row in provenances] for name in ("id", "process", "code")}
    for name in ("parameters", "upstreams"):
        made_by[name] = [json.dumps(row[name], sort_keys=True) for row in provenances]
    upsert(connection, Provenance, {name: np.array(cells, dtype=str) for name, cells in made_by.items()})
    upsert(connection, Project, {"name": np.array([project]), "folder": np.array([str(folder)])})
    return connection.scalar(sa.select(Project.id).where(Project.folder == str(folder)))


def _known_digests(engine, project_id):
    """Digest of each bin that is in the database."""
    with engine.connect() as connection:
        query = sa.select(SyncedBin.bin, SyncedBin.digest).where(SyncedBin.project_id == project_id)
        return dict(connection.execute(query).tuples().all())


def _remove_other_bins(connection, project_id, bins):
    """Delete all of the bins that the project no longer has; gives their names."""
    connection.execute(sa.delete(Source).where(Source.project_id == project_id, Source.bin.not_in(bins)))
    gone = sa.delete(SyncedBin).where(SyncedBin.project_id == project_id, SyncedBin.bin.not_in(bins))
    return sorted(connection.scalars(gone.returning(SyncedBin.bin)))


def _remove_unclaimed_raw(connection):
    """Delete raw photometry of sources that no project has any more."""
    claimed = sa.exists().where(Source.name == RawPhotometry.source_name)
    connection.execute(sa.delete(RawPhotometry).where(~claimed))


def _put_bin(connection, project_id, bin_name, products):
    """Replace the rows of a bin."""
    tables = {name: table | {"project_id": fill(table, project_id)} for name, table in products.tables.items()}
    in_bin = sa.select(Source.id).where(Source.project_id == project_id, Source.bin == bin_name)
    upsert(connection, Source, tables["sources"])
    delete_others(connection, Source, Source.id.in_(in_bin))
    _check_names(connection, project_id, bin_name)
    upsert(connection, RawPhotometry, tables["raw_photometry"])
    parents = {"source": _numbers(connection, in_bin, Source.name)}
    for model in BIN_MODELS[1:]:
        upsert(connection, model, _with_parents(tables[model.__tablename__], parents))
        delete_others(connection, model, model.source_id.in_(in_bin))
        if model is Lightcurve:
            of_bin = sa.select(Lightcurve.id).where(Lightcurve.source_id.in_(in_bin))
            parents["lightcurve"] = _numbers(connection, of_bin, Lightcurve.obs, Lightcurve.key)
    _check_bin(connection, in_bin, bin_name, tables)
    synced = {"project_id": project_id, "bin": bin_name, "digest": products.digest}
    upsert(connection, SyncedBin, {name: np.array([value]) for name, value in synced.items()})


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
    for model in BIN_MODELS:
        number = Source.id if model is Source else model.source_id
        found = connection.scalar(sa.select(sa.func.count()).select_from(model).where(number.in_(in_bin)))
        _check_count(f"bin {bin_name}, {model.__tablename__}", found, length(tables[model.__tablename__]))


def _numbers(connection, query, *columns):
    """Number of each row of a query by the texts that name it."""
    return {tuple(key): number for number, *key in connection.execute(query.add_columns(*columns)).tuples()}


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


def _put_histograms(connection, project_id, table):
    """Replace the rows of the project's histograms."""
    upsert(connection, Histogram, table | {"project_id": fill(table, project_id)})
    delete_others(connection, Histogram, Histogram.project_id == project_id)


def _check_count(what, found, expected):
    """Nothing is lost and nothing is made up on the way."""
    if found != expected:
        raise RuntimeError(f"{what}: {found} rows in the database, but {expected} in the products; run again")


def _count_rows(engine, project_id, observatories):
    """Rows of the project in each table."""
    claimed = sa.exists().where(Source.name == RawPhotometry.source_name, Source.project_id == project_id)
    conditions = {model: model.project_id == project_id for model in (*BIN_MODELS, Histogram)}
    conditions[RawPhotometry] = sa.and_(RawPhotometry.obs.in_(observatories), claimed)
    with engine.connect() as connection:
        return {
            model.__tablename__: connection.scalar(sa.select(sa.func.count()).select_from(model).where(condition))
            for model, condition in conditions.items()
        }


def _check_totals(engine, project_id, rows, totals):
    """As many rows as the products of all bins have; where not, all bins are read in anew next time."""
    if any(rows[name] != expected for name, expected in totals.items()):
        with engine.begin() as connection:
            connection.execute(sa.delete(SyncedBin).where(SyncedBin.project_id == project_id))
    for name, expected in totals.items():
        _check_count(name, rows[name], expected)
