"""Bring the rows of a project in step with its products.

Each group of bins is one transaction: their tables go with COPY into staging tables, from there with one
statement each over the rows that are there (same natural key, same number), and rows of the bins
that the products no longer have are deleted. So a sync can be killed at any moment and run again
at any time. A bin whose files have the sizes and times that they had is not opened; one whose
tables are as they were is left alone.
"""

import json
import logging
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from vo_lib.database.groups import SyncedProject, read_groups
from vo_lib.database.inventory import file_table, hash_files, histogram_files
from vo_lib.database.models import (
    Catalog,
    File,
    Histogram,
    Project,
    Provenance,
    ProvenanceTag,
    ProvenanceUpstream,
    RawPhotometry,
    Run,
    Source,
    SyncedBin,
)
from vo_lib.database.products import fill, read_histogram_table
from vo_lib.database.schema import one_at_a_time, upgrade
from vo_lib.database.sync_group import (
    BIN_MODELS,
    check_count,
    put_files,
    put_group,
    remove_other_bins,
    remove_other_surveys,
)
from vo_lib.database.tags import put_marks
from vo_lib.database.upsert import delete_others, encode, upsert
from vo_lib.database.verdicts import put_verdicts
from vo_lib.running.runs import read_runs

__all__ = ["SyncResult", "sync_project"]

DEFAULT_TAG = "default"

# Of the transaction of a group: what is staged is sorted in memory, and the commit of `_sync_whole` waits for all.
SETTINGS = (
    "SET LOCAL work_mem = '64MB'; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off; "
    "SET LOCAL synchronous_commit = off"
)

log = logging.getLogger("vo_lib")


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


def sync_project(
    engine, data_root, folder, *, project, bins, observatories, histograms, provenances, catalog=None, code=""
):
    """Bring the rows of a project in step with its products.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database; its tables are brought to the newest revision.
    data_root, folder : str or Path
        The data root, and the folder of the project below it.
    project : str
        Name of the project.
    bins, observatories, histograms : list of str
        All that the project has; rows of other bins and histograms are removed.
    provenances : list of dict
        ``id``, ``process``, ``parameters``, ``code`` and ``upstreams`` of all its products.
    catalog : dict, optional
        ``name``, ``n_sources``, ``n_renamed`` and ``left_out`` of the catalog, see `vo_lib.catalogs.snapshot.Snapshot`;
        without it nothing is said of the catalog.
    code : str, optional
        Fingerprint of the code of the sync: other code opens all bins again.

    Returns
    -------
    SyncResult

    Raises
    ------
    UserError
        If a product is missing, is not readable or has another provenance, or if the database is of another version.
    RuntimeError
        If the rows do not add up; the bin at hand is then as it was before.
    """
    upgrade(engine)
    with engine.begin() as connection:
        one_at_a_time(connection)
        project_id = _put_project(connection, project, folder, provenances)
        put_marks(connection, data_root)
        _put_catalog(connection, project_id, catalog)
        removed = remove_other_bins(connection, project_id, bins)
        remove_other_surveys(connection, project_id, observatories)
    known = {row["id"] for row in provenances}
    shared = SyncedProject(project_id, Path(data_root), str(folder), observatories, known, code)
    stored, known_files = _stored_bins(engine, project_id), _known_files(engine, project_id)
    totals, synced = Counter(), []
    for group in read_groups(shared, bins, stored, known_files):
        _put(engine, project_id, group)
        synced += group.changed
        for n_rows in group.n_rows.values():
            totals.update(n_rows)
    _sync_whole(engine, shared, histograms, known_files)
    rows = _count_rows(engine, project_id, observatories)
    _check_totals(engine, project_id, rows, totals, catalog)
    return SyncResult(rows, synced, sorted(set(bins) - set(synced), key=bins.index), removed)


def _put_project(connection, project, folder, provenances):
    """Row of the project, by its folder, and of what made its products; gives the project's number."""
    made_by = {name: [row[name] for row in provenances] for name in ("id", "process", "code")}
    made_by["parameters"] = [json.dumps(row["parameters"], sort_keys=True) for row in provenances]
    _put_texts(connection, Provenance, made_by)
    links = [(row["id"], upstream) for row in provenances for upstream in row["upstreams"]]
    _put_texts(
        connection,
        ProvenanceUpstream,
        dict(zip(("provenance_id", "upstream_id"), _columns(links, 2), strict=True)),
    )
    _put_tags(connection, dict.fromkeys([project, DEFAULT_TAG]), provenances)
    _put_texts(connection, Project, {"name": [project], "folder": [str(folder)]})
    return connection.scalar(sa.select(Project.id).where(Project.folder == str(folder)))


def _put_tags(connection, tags, provenances):
    """Let tags stand for these provenances and no others."""
    named = [(row["process"], row["parameters"].get("observatory", ""), row["id"]) for row in provenances]
    rows = [(tag, *row) for tag in tags for row in named]
    _put_texts(
        connection, ProvenanceTag, dict(zip(("tag", "process", "obs", "provenance_id"), _columns(rows, 4), strict=True))
    )
    delete_others(connection, ProvenanceTag, ProvenanceTag.tag.in_(tags))


def _columns(rows, width):
    """Columns of a list of rows, also of an empty one."""
    return zip(*rows, strict=True) if rows else [()] * width


def _put_texts(connection, model, cells):
    """Put rows of texts into a table."""
    table = {name: np.array(values, dtype=str) for name, values in cells.items()}
    upsert(connection, model, encode(model, table))


def _put_catalog(connection, project_id, catalog):
    """Row of the project's catalog, where it is known."""
    if catalog is None:
        return
    counts = {"n_sources": catalog["n_sources"], "n_renamed": catalog["n_renamed"]}
    counts["n_rows"] = catalog["n_sources"] + sum(catalog["left_out"].values())
    row = counts | {"project_id": project_id, "name": catalog["name"], "left_out": json.dumps(catalog["left_out"])}
    upsert(connection, Catalog, encode(Catalog, {name: np.array([value]) for name, value in row.items()}))


def _stored_bins(engine, project_id):
    """What is known of each bin that is in the database."""
    with engine.connect() as connection:
        query = sa.select(SyncedBin.bin, SyncedBin.state, SyncedBin.digest, SyncedBin.n_rows)
        return {row.bin: row for row in connection.execute(query.where(SyncedBin.project_id == project_id))}


def _known_files(engine, project_id):
    """Size, time of change and SHA-256 by path of the files of a project and of all raw files."""
    with engine.connect() as connection:
        query = sa.select(File.path, File.size, File.mtime_ns, File.sha256)
        found = connection.execute(query.where(sa.or_(File.project_id == project_id, File.project_id.is_(None))))
        return {path: tuple(rest) for path, *rest in found}


def _put(engine, project_id, group):
    """Bring the rows of a group of bins in step."""
    if not group.opened:
        return
    with engine.begin() as connection:
        connection.execute(sa.text(SETTINGS))
        one_at_a_time(connection)
        put_group(connection, project_id, group)
    for name in group.changed:
        log.info("%s: %s", name, ", ".join(f"{count} {table}" for table, count in group.n_rows[name].items()))


def _sync_whole(engine, project, histograms, known_files):
    """Replace the rows that are of no bin: histograms, their files, runs of jobs, verdicts, and raw files that went."""
    table = read_histogram_table(project.root, project.folder, histograms, project.provenances)
    files = histogram_files(project.root, project.folder, histograms)
    digests = hash_files(project.root, files, known_files)
    made_by = dict(zip(table["filename"].tolist(), table["provenance_id"].tolist(), strict=True))
    runs = read_runs(project.root / project.folder)
    gone = [path for path in known_files if not (project.root / path).exists()]
    with engine.begin() as connection:
        one_at_a_time(connection)
        connection.execute(sa.delete(File).where(File.kind == "raw", File.path.in_(gone)))
        for model, rows in ((Histogram, table), (Run, runs)):
            upsert(connection, model, encode(model, rows | {"project_id": fill(rows, project.id)}))
            delete_others(connection, model, model.project_id == project.id)
        condition = sa.and_(File.project_id == project.id, File.kind == "histograms")
        put_files(
            connection, condition, encode(File, file_table(files, digests, project_id=project.id, made_by=made_by))
        )
        put_verdicts(connection, project.id, project.root, project.folder)


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


def _check_totals(engine, project_id, rows, totals, catalog):
    """As many rows as the catalog and the products of all bins have; where not, all are read in anew next time."""
    if catalog is not None:
        check_count("sources of the catalog", totals["sources"], catalog["n_sources"])
    if any(rows[name] != expected for name, expected in totals.items()):
        with engine.begin() as connection:
            connection.execute(sa.delete(SyncedBin).where(SyncedBin.project_id == project_id))
    for name, expected in totals.items():
        check_count(name, rows[name], expected)
        log.info("%s: %d rows in the products of all bins and in the database", name, expected)
