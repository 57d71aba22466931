"""Update the rows of a project to match its products.

1. In one transaction, the project, its provenances, tags, marks and catalog are stored, and the rows of bins and
   surveys that it no longer has are deleted.
2. `vo_lib.database.groups` compares the files of each bin with the state that the database has recorded. It does not
   open those with unchanged sizes and modification times, and reads the others in groups.
3. `vo_lib.database.sync_group` stores each group in one transaction, table by table, parents first, see
   `vo_lib.database.upsert`: rows with the same natural key keep their id, and rows that the products no longer have are
   deleted. A bin whose tables are unchanged gets only the state of its files.
4. In one transaction, histograms, their files, runs and verdicts are replaced.
5. If bins were stored, PostgreSQL samples the tables. Rows are counted and compared with the products.

So a sync can be killed at any moment and run again at any time.
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
from vo_lib.database.schema import one_at_a_time, renew_statistics, upgrade
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

# Settings of the transaction of a group: staged rows are sorted in memory, and a commit does not wait for the disk; the
# commit of `_sync_whole` does, for all groups.
SETTINGS = (
    "SET LOCAL work_mem = '64MB'; SET LOCAL enable_mergejoin = off; SET LOCAL jit = off; "
    "SET LOCAL synchronous_commit = off"
)

log = logging.getLogger("vo_lib")


@dataclass(frozen=True)
class SyncResult:
    """Outcome of a sync.

    Parameters
    ----------
    rows : dict of str to int
        Number of rows of the project in each table.
    synced, skipped, removed : list of str
        Bins that were stored, that were up to date, and that were removed because the project no longer has them.
    """

    rows: dict
    synced: list
    skipped: list
    removed: list


def sync_project(
    engine, data_root, folder, *, project, bins, observatories, histograms, provenances, catalog=None, code=""
):
    """Update the rows of a project to match its products.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        The database; its tables are migrated to the newest revision.
    data_root, folder : str or Path
        The data root, and the folder of the project below it.
    project : str
        Name of the project.
    bins, observatories, histograms : list of str
        All that the project has; rows of others are removed.
    provenances : list of dict
        ``id``, ``process``, ``parameters``, ``code`` and ``upstreams`` of all its products.
    catalog : dict, optional
        ``name``, ``n_sources``, ``n_renamed`` and ``left_out`` of the catalog, see `vo_lib.catalogs.snapshot.Snapshot`.
        By default the row of the catalog is left alone, and the number of sources is not checked.
    code : str, optional
        Fingerprint of the code of the sync; if it has changed, all bins are opened again.

    Returns
    -------
    SyncResult

    Raises
    ------
    UserError
        If a product is missing, unreadable or of another provenance, or the database is of an incompatible version.
    RuntimeError
        If the rows do not add up; a group of bins for which they do not is rolled back.
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
    if synced:
        renew_statistics(engine)
    rows = _count_rows(engine, project_id)
    _check_totals(engine, project_id, rows, totals, catalog)
    return SyncResult(rows, synced, sorted(set(bins) - set(synced), key=bins.index), removed)


def _put_project(connection, project, folder, provenances):
    """Store the project and its provenances and tags; return the project's id."""
    made_by = [
        (row["id"], row["process"], row["code"], json.dumps(row["parameters"], sort_keys=True)) for row in provenances
    ]
    _put_texts(connection, Provenance, ("id", "process", "code", "parameters"), made_by)
    links = [(row["id"], upstream) for row in provenances for upstream in row["upstreams"]]
    _put_texts(connection, ProvenanceUpstream, ("provenance_id", "upstream_id"), links)
    _put_tags(connection, dict.fromkeys([project, DEFAULT_TAG]), provenances)
    _put_texts(connection, Project, ("name", "folder"), [(project, str(folder))])
    return connection.scalar(sa.select(Project.id).where(Project.folder == str(folder)))


def _put_tags(connection, tags, provenances):
    """Make tags stand for these provenances and no others."""
    named = [(row["process"], row["parameters"].get("observatory", ""), row["id"]) for row in provenances]
    rows = [(tag, *row) for tag in tags for row in named]
    _put_texts(connection, ProvenanceTag, ("tag", "process", "obs", "provenance_id"), rows)
    delete_others(connection, ProvenanceTag, ProvenanceTag.tag.in_(tags))


def _put_texts(connection, model, names, rows):
    """Upsert rows of strings, of which there may be none."""
    columns = np.array(rows, dtype=str).reshape(-1, len(names)).T
    upsert(connection, model, encode(model, dict(zip(names, columns, strict=True))))


def _put_catalog(connection, project_id, catalog):
    """Store the row of the project's catalog, if it is known."""
    if catalog is None:
        return
    counts = {"n_sources": catalog["n_sources"], "n_renamed": catalog["n_renamed"]}
    counts["n_rows"] = catalog["n_sources"] + sum(catalog["left_out"].values())
    row = counts | {"project_id": project_id, "name": catalog["name"], "left_out": json.dumps(catalog["left_out"])}
    upsert(connection, Catalog, encode(Catalog, {name: np.array([value]) for name, value in row.items()}))


def _stored_bins(engine, project_id):
    """Read the recorded state of each bin in the database, by name."""
    with engine.connect() as connection:
        query = sa.select(SyncedBin.bin, SyncedBin.state, SyncedBin.digest, SyncedBin.n_rows)
        return {row.bin: row for row in connection.execute(query.where(SyncedBin.project_id == project_id))}


def _known_files(engine, project_id):
    """Read size, modification time and SHA-256 of the files of a project and of all raw files, by path."""
    with engine.connect() as connection:
        query = sa.select(File.path, File.size, File.mtime_ns, File.sha256)
        found = connection.execute(query.where(sa.or_(File.project_id == project_id, File.project_id.is_(None))))
        return {path: tuple(rest) for path, *rest in found}


def _put(engine, project_id, group):
    """Store a group of bins in a transaction, and log the rows of the changed ones."""
    if not group.opened:
        return
    with engine.begin() as connection:
        connection.execute(sa.text(SETTINGS))
        one_at_a_time(connection)
        put_group(connection, project_id, group)
    for name in group.changed:
        log.info("%s: %s", name, ", ".join(f"{count} {table}" for table, count in group.n_rows[name].items()))


def _sync_whole(engine, project, histograms, known_files):
    """Replace the rows outside bins: histograms, their files, runs and verdicts."""
    table = read_histogram_table(project.root, project.folder, histograms, project.provenances)
    files = histogram_files(project.root, project.folder, histograms)
    digests = hash_files(project.root, files, known_files)
    made_by = dict(zip(table["filename"].tolist(), table["provenance_id"].tolist(), strict=True))
    runs = read_runs(project.root / project.folder)
    with engine.begin() as connection:
        one_at_a_time(connection)
        for model, rows in ((Histogram, table), (Run, runs)):
            upsert(connection, model, encode(model, rows | {"project_id": fill(rows, project.id)}))
            delete_others(connection, model, model.project_id == project.id)
        condition = sa.and_(File.project_id == project.id, File.kind == "histograms")
        put_files(
            connection, condition, encode(File, file_table(files, digests, project_id=project.id, made_by=made_by))
        )
        put_verdicts(connection, project.id, project.root, project.folder)


def _count_rows(engine, project_id):
    """Count the rows of the project in each table."""
    conditions = {model: model.project_id == project_id for model in (*BIN_MODELS, Histogram)}
    conditions[RawPhotometry] = RawPhotometry.sources.any(Source.project_id == project_id)
    with engine.connect() as connection:
        return {
            model.__tablename__: connection.scalar(sa.select(sa.func.count()).select_from(model).where(condition))
            for model, condition in conditions.items()
        }


def _check_totals(engine, project_id, rows, totals, catalog):
    """Check the rows against the catalog and the products; on a difference, make the next sync read all bins."""
    if catalog is not None:
        check_count("sources of the catalog", totals["sources"], catalog["n_sources"])
    if any(rows[name] != expected for name, expected in totals.items()):
        with engine.begin() as connection:
            connection.execute(sa.delete(SyncedBin).where(SyncedBin.project_id == project_id))
    for name, expected in totals.items():
        check_count(name, rows[name], expected)
        log.info("%s: %d rows in the products of all bins and in the database", name, expected)
