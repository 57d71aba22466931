"""The bins of a project in groups, as they are on disk and ready to be put into the database.

A transaction has a price of its own, some 50 ms, which a bin of few sources should not pay alone. So bins are put
in together, a few tens of thousands of rows at a time. They are read in a thread, a group ahead.
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

GROUP_ROWS = 20_000  # of all tables; a bin of more is a group of its own


@dataclass(frozen=True)
class SyncedProject:
    """What the bins of a project share.

    Parameters
    ----------
    id : int
        Number of its row.
    root : Path
        The data root.
    folder : str
        Its folder below.
    observatories : list of str
        All that it has.
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
    """A bin as it is on disk: its files and their state, and what they say unless they are as they were."""

    name: str
    n_rows: dict
    state: str = ""
    files: tuple = ()
    digests: dict | None = None
    products: BinProducts | None = None
    changed: bool = False


@dataclass(frozen=True)
class Group:
    """Bins that are put in together.

    Parameters
    ----------
    n_rows : dict of str to dict
        Number of rows of the products by table, by the name of the bin; in order.
    opened, changed : list of str
        Bins whose files are not as they were, and those among them whose rows are not.
    files : list of str
        Paths of the files of those that were opened.
    encoded : dict of type to bytes
        Their rows by the class of the table, see `vo_lib.database.upsert.encode`: those of files and bins, and of the
        products where they changed.
    """

    n_rows: dict
    opened: list
    changed: list
    files: list
    encoded: dict


def read_groups(project, bins, stored, known_files):
    """Read the bins of a project, a group ahead of the one that is used.

    Parameters
    ----------
    project : SyncedProject
        The project.
    bins : list of str
        Names of the bins.
    stored : dict of str to row
        ``state``, ``digest`` and ``n_rows`` of those in the database, by name.
    known_files : dict
        See `vo_lib.database.inventory.hash_files`.

    Yields
    ------
    Group
        In the order of the bins. Where one cannot be read, those before it come before the error.
    """
    groups, end = _read_groups(project, bins, stored, known_files), object()
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(next, groups, end)
        while (group := ahead.result()) is not end:
            ahead = pool.submit(next, groups, end)
            yield group


def _read_groups(project, bins, stored, known_files):
    """See `read_groups`."""
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
    """Look at the files of a bin, and read them unless they are as they were."""
    files = bin_files(project.root, project.folder, name, project.observatories)
    state = files_state(files, sorted(project.provenances), project.code)
    if stored and stored.state == state:
        return _Bin(name, stored.n_rows)
    products = read_bin(project.root, project.folder, name, project.observatories, project.provenances)
    digests = hash_files(project.root, files, known_files)
    n_rows = {table: count_rows(columns) for table, columns in products.tables.items()}
    return _Bin(name, n_rows, state, files, digests, products, not stored or stored.digest != products.digest)


def _encode(project, bins):
    """Make a group of bins."""
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
    """Row that says that a bin is in the database as it is on disk."""
    cells = {"bin": found.name, "digest": found.products.digest, "state": found.state}
    cells["n_rows"] = json.dumps(found.n_rows)
    return {name: np.array([value]) for name, value in cells.items()}
