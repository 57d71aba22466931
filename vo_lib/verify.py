"""Check that raw archives and products are what was written, by reading all of them.

Each raw answer and each lightcurve has its digest in the index of its file, and that of a raw answer is in the
project's manifest too. Other products have the SHA-256 that Snakemake noted when the next job read them, or that the
sync left in the database.
"""

import hashlib
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from vo_lib import hdf5, paths
from vo_lib.errors import UserError
from vo_lib.histogram_files import read_metadata
from vo_lib.jobs import expected_jobs
from vo_lib.manifest import read_header, read_manifest
from vo_lib.raw import FAILED, data_digest
from vo_lib.records import Records

__all__ = ["Report", "verify"]

REMAKE = "delete it and run snakemake, which makes it again"
REFETCH = "delete it and run snakemake, which fetches its sources again"


@dataclass
class Report:
    """What was checked and what is wrong.

    Parameters
    ----------
    n_files, n_datasets, n_bytes : int
        Files, and answers and lightcurves in them, that were read; bytes of the files.
    problems : list of dict
        ``file`` (relative to the data root), ``key`` in it or empty, ``problem`` and ``remedy``.
    without_digest : list of str
        Tables and histograms that were read, but have no digest to be compared with.
    """

    n_files: int = 0
    n_datasets: int = 0
    n_bytes: int = 0
    problems: list = field(default_factory=list)
    without_digest: list = field(default_factory=list)

    def add(self, file, problem, remedy, key=""):
        """Add a problem."""
        self.problems.append({"file": str(file), "key": key, "problem": problem, "remedy": remedy})


def verify(plan, *, digests=None):
    """Read raw archives and products of a project and compare them with their digests.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    digests : dict of str to tuple, optional
        Size [byte], time of change [ns since 1970] and SHA-256 of files by path below the data root, as the database
        has them; a file that was changed since is not compared.

    Returns
    -------
    Report
        Products that are not there are none of its problems, see `vo_lib.status`; a raw archive is, for it has been
        there.
    """
    report = Report()
    for obs, bin_name in product(plan.observatories, plan.bins):
        _check_raw(plan, obs, bin_name, report)
    jobs = expected_jobs(plan)
    known = _recorded_digests(plan, jobs)
    for file in dict.fromkeys(file for job in jobs for file in job.outputs):
        path = plan.data_root / file
        if path.exists():
            has_own = _check_product(path, file, report)
            has_one = _check_digest(path, file, known.get(file), (digests or {}).get(file), report)
            if path.suffix in READERS and not (has_own or has_one):
                report.without_digest.append(file)
    return report


def _read(report, path, file, read, remedy):
    """Count a file and read it; None, and a problem, where that cannot be done."""
    report.n_files += 1
    report.n_bytes += path.stat().st_size
    try:
        return read(path)
    except (UserError, OSError, ValueError, KeyError, RuntimeError) as error:
        report.add(file, f"cannot be read ({' '.join(str(error).split())})", remedy)
        return None


def _check_raw(plan, obs, bin_name, report):
    """Compare the answers of a raw archive with its index and with the project's manifest."""
    manifest = paths.manifest_file(plan.folder, obs, bin_name)
    if not (plan.data_root / manifest).exists():
        return
    file = plan.raw_file(obs, bin_name)
    path = plan.data_root / file
    if not path.exists():
        report.add(file, "is not there", "run snakemake, which fetches its sources again")
        return
    if (found := _read(report, path, file, _raw_digests, REFETCH)) is None:
        return
    for key, wanted, digest in found.values():
        report.n_datasets += 1
        if digest != wanted:
            report.add(file, "its epochs are not those that the index has the digest of", REFETCH, key)
    _, sources = _read(report, plan.data_root / manifest, manifest, read_manifest, REMAKE) or ({}, {})
    columns = (sources[name].tolist() for name in ("name", "status", "digest")) if sources else ((), (), ())
    for name, status, digest in zip(*columns, strict=True):
        if status != FAILED and found.get(name, (None, None))[1] != digest:
            report.add(file, f"has not the answer for '{name}' that the manifest has the digest of", REFETCH, name)


def _raw_digests(path):
    """Key, digest in the index and digest of the epochs of each source of a raw archive."""
    with hdf5.open_file(path) as file:
        index = hdf5.read_table(file, "index")
        rows = zip(*(index[name].tolist() for name in ("name", "key", "digest")), strict=True)
        return {name: (key, digest, data_digest(file[key][:])) for name, key, digest in rows}


def _check_product(path, file, report):
    """Read a product, and compare lightcurves with their digests; gives whether it has some."""
    found = _read(report, path, file, READERS.get(path.suffix, lambda path: path.read_bytes()), REMAKE)
    lightcurves = found if path.suffix == ".h5" and found else []
    for key, wanted, digest in lightcurves:
        report.n_datasets += 1
        if digest != wanted:
            report.add(file, "its epochs are not those that the index has the digest of", REMAKE, key)
    return bool(lightcurves)


def _read_tables(path):
    """Read all tables of a file; gives key, digest in the index and digest of the epochs of its lightcurves."""
    with hdf5.open_file(path) as file:
        index = hdf5.read_table(file, "index") if "index" in file else {}
        keys = index["key"].tolist() if index else []
        for key in set(file).difference(keys):
            file[key][()]
        if not keys:
            return []
        rows = hdf5.read_flat(file, keys, index["n_epochs"], file[keys[0]].dtype)
    stops = np.cumsum(index["n_epochs"])
    spans = zip(keys, index["digest"].tolist(), (stops - index["n_epochs"]).tolist(), stops.tolist(), strict=True)
    return [(key, digest, hashlib.sha256(rows[start:stop]).hexdigest()[:16]) for key, digest, start, stop in spans]


READERS = {".h5": _read_tables, ".nc": read_metadata, ".jsonl": read_header}


def _recorded_digests(plan, jobs):
    """SHA-256 of products as the next job read them, unless they were made again since: dict by path."""
    records, found = Records(plan.data_root), {}
    for job in jobs:
        read = records.read(job.outputs[0]) or {}
        for file, digest in records.checksums(job.outputs[0]).items():
            made = records.read(file) or {}
            if made.get("endtime", 0) <= read.get("starttime", 0):
                found[file] = digest
    return found


def _check_digest(path, file, recorded, stored, report):
    """Compare a file with what it was when it was read by the next job, or synced; gives whether that is known."""
    state = path.stat()
    if stored is not None and tuple(stored[:2]) == (state.st_size, state.st_mtime_ns):
        recorded = stored[2]
    if recorded is None:
        return False
    with open(path, "rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != recorded:
            report.add(file, "is not what it was when it was made", REMAKE)
    return True
