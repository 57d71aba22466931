"""List the files that the rows of a project come from, with their state on disk."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib import paths
from vo_lib.database.columns import Base
from vo_lib.downloads.manifest import read_header

__all__ = ["DiskFile", "bin_files", "column_names", "file_table", "files_state", "hash_files", "histogram_files"]


@dataclass(frozen=True)
class DiskFile:
    """State of a file at one moment.

    Parameters
    ----------
    path : str
        Path below the data root.
    kind : str
        One of `vo_lib.database.records.FILE_KINDS`.
    size, mtime_ns : int
        Size [byte] and modification time [ns since 1970]; -1 if the file does not exist.
    obs, bin : str, optional
        Observatory and bin; empty for a file that covers all.
    raw_file : str, optional
        Path of the raw file that a manifest is of; empty for other kinds.
    """

    path: str
    kind: str
    size: int
    mtime_ns: int
    obs: str = ""
    bin: str = ""
    raw_file: str = ""

    @classmethod
    def look(cls, root, path, kind, **of):
        """Determine the state of a file below a data root."""
        try:
            found = (Path(root) / path).stat()
        except FileNotFoundError:
            return cls(path, kind, -1, -1, **of)
        return cls(path, kind, found.st_size, found.st_mtime_ns, **of)


def bin_files(root, folder, bin_name, observatories):
    """List the files that the rows of a bin come from.

    Parameters
    ----------
    root, folder, bin_name, observatories
        See `vo_lib.database.products.read_bin`.

    Returns
    -------
    list of DiskFile
        Manifest, raw and reduced file of each observatory, then the analysis file, whether they exist or not; a raw
        file only if the manifest names one.
    """
    found = []
    for obs in observatories:
        manifest = paths.manifest_file(folder, obs, bin_name)
        raw = (read_header(Path(root) / manifest) or {}).get("raw_file", "")
        found.append(DiskFile.look(root, manifest, "manifest", obs=obs, bin=bin_name, raw_file=raw))
        named = {"raw": raw, "reduced": paths.reduced_file(folder, obs, bin_name)}
        found += [DiskFile.look(root, path, kind, obs=obs, bin=bin_name) for kind, path in named.items() if path]
    return [*found, DiskFile.look(root, paths.analysis_file(folder, bin_name), "analysis", bin=bin_name)]


def histogram_files(root, folder, names):
    """List the files of a project's histograms."""
    return [DiskFile.look(root, paths.histograms_file(folder, name), "histograms") for name in names]


def files_state(files, *others):
    """Return the SHA-256 of sizes and modification times of files, and of other JSON values that rows depend on."""
    described = [[file.path, file.size, file.mtime_ns] for file in files]
    return hashlib.sha256(json.dumps([described, others, column_names()]).encode()).hexdigest()


def column_names():
    """Return the lists of column names of all tables, by table."""
    return {table.name: table.columns.keys() for table in Base.metadata.sorted_tables}


def hash_files(root, files, known):
    """Compute the SHA-256 of the files that exist.

    Parameters
    ----------
    root : str or Path
        The data root.
    files : list of DiskFile
        Files to hash.
    known : dict of str to tuple
        Size, modification time and SHA-256 by path; files that still match are not read again.

    Returns
    -------
    dict of str to str
        Hexadecimal digits by path.
    """
    return {file.path: _digest_of(root, file, known) for file in files if file.size >= 0}


def _digest_of(root, file, known):
    """Return the SHA-256 of a file, which is read only if it has changed."""
    *state, digest = known.get(file.path, (None, None, None))
    if state == [file.size, file.mtime_ns]:
        return digest
    with open(Path(root) / file.path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def file_table(files, digests, *, project_id, made_by):
    """Build the rows of the files that exist.

    Parameters
    ----------
    files : list of DiskFile
        Files to describe.
    digests : dict of str to str
        SHA-256 by path; a file without one has no row.
    project_id : int
        Id of the project; raw files belong to none.
    made_by : dict of str to str
        Provenance of the products by path.

    Returns
    -------
    dict of str to ndarray, each of shape (n_files,)
    """
    there = [file for file in files if file.path in digests]
    texts = {name: [getattr(file, name) for file in there] for name in ("path", "kind", "obs", "raw_file", "bin")}
    texts["sha256"] = [digests[file.path] for file in there]
    numbers = {name: [getattr(file, name) for file in there] for name in ("size", "mtime_ns")}
    others = {
        "project_id": [None if file.kind == "raw" else project_id for file in there],
        "provenance_id": [made_by.get(file.path) for file in there],
    }
    return {
        name: np.array(values, dtype=kind)
        for kind, columns in ((str, texts), (np.int64, numbers), (object, others))
        for name, values in columns.items()
    }
