"""Read the bins of a project in groups, encoded for the database.

A transaction has a fixed cost of some 50 ms, too much for a bin of few sources. So bins are stored in groups of some
`GROUP_ROWS` rows. A thread reads the next group while the present one is stored.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib.database.inventory import bin_files, file_table, files_state, hash_files
from vo_lib.database.models import RawPhotometry
from vo_lib.database.products import BinProducts, fill, read_bin
from vo_lib.database.records import File, SyncedBin
from vo_lib.database.sync_group import BIN_MODELS
from vo_lib.database.upsert import encode
from vo_lib.tables import count_rows

__all__ = ["Group", "SyncedProject", "read_groups"]

GROUP_ROWS = 20_000  # rows of all tables after which a group is complete


@dataclass(frozen=True)
class SyncedProject:
    """What all bins of a project have in common.

    Parameters
    ----------
    id : int
        Id of its row.
    root : Path
        The data root.
    folder : str
        Folder of the project below the data root.
    observatories : list of str
        All observatories of the project.
    provenances : set of str
        Identifiers that its products may have.
    code : str
        Fingerprint of the code of the sync.
    """

    id: int
    root: Path
    folder: str
    observatories: list
    provenances: set
    code: str


@dataclass(frozen=True)
class _Bin:
    """A bin on disk: its files and their state, and its products if the files have changed."""

    name: str
    n_rows: dict
    state: str = ""
    files: tuple = ()
    digests: dict | None = None
    products: BinProducts | None = None
    changed: bool = False


@dataclass(frozen=True)
class Group:
    """Bins that are stored in one transaction.

    Parameters
    ----------
    n_rows : dict of str to dict
        Number of rows of the products, by bin, in order, and by table.
    opened, changed : list of str
        Bins whose files have changed, and those among them whose rows have changed.
    files : list of str
        Paths of the files of the opened bins.
    encoded : dict of type to bytes
        Rows by model, see `vo_lib.database.upsert.encode`: files and bins of the opened bins, and products of the
        changed ones.
    """

    n_rows: dict
    opened: list
    changed: list
    files: list
    encoded: dict


def read_groups(project, bins, stored, known_files):
    """Read the bins of a project, one group ahead of the caller.

    Parameters
    ----------
    project : SyncedProject
        The project.
    bins : list of str
        Names of the bins.
    stored : dict of str to row
        ``state``, ``digest`` and ``n_rows`` of the bins in the database, by name.
    known_files : dict
        Known digests of files, see `vo_lib.database.inventory.hash_files`.

    Yields
    ------
    Group
        Groups in the order of the bins. If a bin cannot be read, those before it are yielded before the error.
    """
    groups, end = _read_groups(project, bins, stored, known_files), object()
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(next, groups, end)
        while (group := ahead.result()) is not end:
            ahead = pool.submit(next, groups, end)
            yield group


def _read_groups(project, bins, stored, known_files):
    """Read and yield groups one by one; see `read_groups`."""
    group, n_rows = [], 0
    try:
        for name in bins:
            group.append(_look(project, name, stored.get(name), known_files))
            n_rows += sum(group[-1].n_rows.values()) if group[-1].changed else 0
            if n_rows >= GROUP_ROWS:
                yield _encode(project, group)
                group, n_rows = [], 0
    except Exception:
        yield _encode(project, group)
        raise
    yield _encode(project, group)


def _look(project, name, stored, known_files):
    """Check the files of a bin, and read them if they have changed."""
    files = bin_files(project.root, project.folder, name, project.observatories)
    state = files_state(files, sorted(project.provenances), project.code)
    if stored and stored.state == state:
        return _Bin(name, stored.n_rows)
    products = read_bin(project.root, project.folder, name, project.observatories, project.provenances)
    digests = hash_files(project.root, files, known_files)
    n_rows = {table: count_rows(columns) for table, columns in products.tables.items()}
    return _Bin(name, n_rows, state, files, digests, products, not stored or stored.digest != products.digest)


def _encode(project, bins):
    """Encode the rows of bins as a group."""
    opened = [found for found in bins if found.products]
    changed = [found for found in opened if found.changed]
    tables = {
        model: [found.products.tables[model.__tablename__] for found in changed]
        for model in (RawPhotometry, *BIN_MODELS)
    }
    tables[File] = [
        file_table(found.files, found.digests, project_id=project.id, made_by=found.products.made_by)
        for found in opened
    ]
    tables[SyncedBin] = [_synced(found) for found in opened]
    return Group(
        {found.name: found.n_rows for found in bins},
        [found.name for found in opened],
        [found.name for found in changed],
        [file.path for found in opened for file in found.files],
        {
            model: encode(model, *({"project_id": fill(table, project.id)} | table for table in found))
            for model, found in tables.items()
            if found
        },
    )


def _synced(found):
    """Return the row that records the state of a bin."""
    cells = {"bin": found.name, "digest": found.products.digest, "state": found.state}
    cells["n_rows"] = json.dumps(found.n_rows)
    return {name: np.array([value]) for name, value in cells.items()}
