"""Verification that raw archives and products are unchanged since they were written, by reading all of them.

The digest of each raw answer and each lightcurve is in the index of its file; that of a raw answer is also in the
project's manifest. HDF5 and netCDF files end with their digest (`vo_lib.storage.seal`); digests of the other files of a
job are in its log. The database has the digests of the latest sync.
"""

import hashlib
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from vo_lib import hdf5, paths
from vo_lib.counts.histogram_files import read_metadata
from vo_lib.downloads.manifest import read_manifest
from vo_lib.errors import DamagedProductError, NewerFormatError, UnreadableError, UserError
from vo_lib.files import logged_digests, put_aside
from vo_lib.planning.jobs import expected_jobs
from vo_lib.raw import FAILED, data_digest, open_raw
from vo_lib.reduction.blocks import source_blocks
from vo_lib.storage.flat_rows import read_flat
from vo_lib.storage.seal import SEALED, check_seal
from vo_lib.tables import take_rows

__all__ = ["Report", "put_damaged_aside", "verify"]

REMAKE = "delete it and run snakemake to make it again"
REFETCH = "delete it and run snakemake to fetch its sources again"
# For an intact raw archive whose answers differ from those that the project knows: they come from vo adopt, or from a
# project that shares the archive.
RENEW = "run snakemake to fetch what is missing and make the manifest again"
# For a file that may be intact, for example on a network disk that is not available.
SEE = "check its disk and permissions; if that does not help, delete it and run snakemake"
# Remedies for files that stay.
KEPT = (RENEW, SEE, NewerFormatError.remedy)
OWN_DIGEST = (*SEALED, ".jsonl")


@dataclass
class Report:
    """Result of a verification.

    Parameters
    ----------
    n_files, n_datasets, n_bytes : int
        Number of files that were read, of answers and lightcurves in them, and of bytes.
    problems : list of dict
        ``file`` (relative to the data root), ``key`` in the file or empty, ``problem`` and ``remedy``.
    unknown : list of str
        Files that were read but not compared, because no digest of them is known.
    """

    n_files: int = 0
    n_datasets: int = 0
    n_bytes: int = 0
    problems: list = field(default_factory=list)
    unknown: list = field(default_factory=list)

    def add(self, file, problem, remedy, key=""):
        """Add a problem, unless it is the same as the previous one."""
        found = {"file": str(file), "key": key, "problem": problem, "remedy": remedy}
        if self.problems[-1:] != [found]:
            self.problems.append(found)

    def add_error(self, file, error, remedy):
        """Add the problem that an error on reading a file indicates."""
        if isinstance(error, OSError) and error.errno:
            error = UnreadableError(file, error)
        if isinstance(error, UnreadableError):
            remedy = SEE
        elif isinstance(error, NewerFormatError):
            remedy = error.remedy
        self.add(file, getattr(error, "problem", f"cannot be read ({' '.join(str(error).split())})"), remedy)


def verify(plan, *, digests=None):
    """Read raw archives and products of a project and compare them with their digests.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    digests : dict of str to tuple, optional
        Size [bytes], modification time [ns since 1970] and SHA-256 of files from the database, by path relative to the
        data root; not used for files that have been modified since.

    Returns
    -------
    Report
        A missing product is not a problem, see `vo_lib.status`; a missing raw archive is if there is a manifest for it.
    """
    report = Report()
    for obs, bin_name in product(plan.observatories, plan.bins):
        _check_raw(plan, obs, bin_name, report)
    for job in expected_jobs(plan):
        # Read just before the files, because a run may be making them again at the same time.
        known = _logged_digests(plan, job)
        for file in dict.fromkeys([*job.outputs, *known]):
            path = plan.data_root / file
            if path.exists():
                _check_product(path, file, report)
                _check_digest(path, file, known.get(file), (digests or {}).get(file), report)
    return report


def put_damaged_aside(plan, report):
    """Set damaged files of a report aside, so that the next run makes or fetches them again.

    An intact raw archive stays, even if its answers differ from those in the manifest, and so do files of a newer
    format and files that the system cannot read.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    report : Report
        Result of `verify`.

    Returns
    -------
    dict of str to Path
        New path of each file, by its old path relative to the data root.
    """
    files = dict.fromkeys(each["file"] for each in report.problems if each["remedy"] not in KEPT)
    return {file: put_aside(plan.data_root / file) for file in files if (plan.data_root / file).exists()}


def _read(report, path, file, read, remedy):
    """Count a file and read it; if that fails, add a problem and return None."""
    report.n_files += 1
    report.n_bytes += path.stat().st_size
    try:
        return read(path)
    except (UserError, OSError, ValueError, KeyError, RuntimeError) as error:
        report.add_error(file, error, remedy)
    return None


def _check_seal(path, file, report, remedy, **older):
    """Check a file against the digest at its end."""
    try:
        check_seal(path, **older)
    except (DamagedProductError, OSError) as error:
        report.add_error(file, error, remedy)


def _compare(report, file, digests, remedy):
    """Count datasets of a file, and compare their digests in the index with those of their epochs."""
    for key, wanted, digest in digests:
        report.n_datasets += 1
        if digest != wanted:
            report.add(file, "its epochs do not match their digest in the index", remedy, key)


def _check_raw(plan, obs, bin_name, report):
    """Compare the answers of a raw archive with its index and with the project's manifest."""
    manifest = paths.manifest_file(plan.folder, obs, bin_name)
    if not (plan.data_root / manifest).exists():
        return
    file = plan.raw_file(obs, bin_name)
    path = plan.data_root / file
    if not path.exists():
        report.add(file, "is not there", "run snakemake to fetch its sources again")
        return
    _check_seal(path, file, report, REFETCH, older=True)
    if (answers := _read(report, path, file, _raw_digests, REFETCH)) is None:
        return
    _compare(report, file, answers.values(), REFETCH)
    if (listed := _read(report, plan.data_root / manifest, manifest, read_manifest, REMAKE)) is None:
        return
    _, sources = listed
    for name, status, digest in zip(*(sources[name].tolist() for name in ("name", "status", "digest")), strict=True):
        if status != FAILED and answers.get(name, (None, None))[1] != digest:
            report.add(file, f"its answer for '{name}' does not match the digest in the manifest", RENEW, name)


def _raw_digests(path):
    """Key, digest in the index and digest of the epochs of each source in a raw archive, by name."""
    with open_raw(path) as file:
        index = hdf5.read_table(file, "index")
        rows = zip(*(index[name].tolist() for name in ("name", "key", "digest")), strict=True)
        return {name: (key, digest, data_digest(hdf5.read_rows(file, [key])[0])) for name, key, digest in rows}


def _check_product(path, file, report):
    """Read a product, and compare it and its lightcurves with the digests in the file."""
    if path.suffix == ".h5":
        _check_seal(path, file, report, REMAKE)
        _compare(report, file, _read(report, path, file, _lightcurve_digests, REMAKE) or [], REMAKE)
    else:
        readers = {".nc": read_metadata, ".jsonl": read_manifest}
        _read(report, path, file, readers.get(path.suffix, Path.read_bytes), REMAKE)


def _lightcurve_digests(path):
    """Key, digest in the index and digest of the epochs of each lightcurve of a file; the seal covers the rest.

    A million epochs are in memory at a time. Text datasets are not read, because HDF5 searches for their end forever if
    they are overwritten with zeros.
    """
    with hdf5.open_file(path) as file:
        index = hdf5.read_table(file, "index") if "index" in file else {"key": np.array([])}
        blocks = source_blocks(index["n_epochs"]) if len(index["key"]) else []
        return [row for block in blocks for row in _digests_of_rows(file, take_rows(index, block))]


def _digests_of_rows(file, index):
    """Key, digest in the index and digest of the epochs of the lightcurves in some rows of the index."""
    keys, stops = index["key"].tolist(), np.cumsum(index["n_epochs"])
    rows = read_flat(file, keys, index["n_epochs"], file[keys[0]].dtype, index.get("place"))
    spans = zip((stops - index["n_epochs"]).tolist(), stops.tolist(), strict=True)
    found = [hashlib.sha256(rows[slice(*span)]).hexdigest()[:16] for span in spans]
    return zip(keys, index["digest"].tolist(), found, strict=True)


def _logged_digests(plan, job):
    """SHA-256 of the files without a seal that a job made, from its log, by path."""
    log = plan.data_root / job.log_file(plan.folder)
    found = logged_digests(log.read_text(encoding="utf-8", errors="replace")) if log.exists() else {}
    return {file: digest for file, digest in found.items() if not file.endswith(SEALED)}


def _check_digest(path, file, recorded, stored, report):
    """Compare a file with its digest when it was synced or made."""
    state = path.stat()
    if stored is not None and tuple(stored[:2]) == (state.st_size, state.st_mtime_ns):
        recorded = stored[2]
    if recorded is None:
        report.unknown += [] if file.endswith(OWN_DIGEST) else [file]
        return
    try:
        with open(path, "rb") as content:
            if hashlib.file_digest(content, "sha256").hexdigest() != recorded:
                report.add(file, "has changed since it was made", REMAKE)
    except OSError as error:
        report.add_error(file, error, REMAKE)
