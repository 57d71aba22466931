"""Download: query an observatory for the sources of a bin that the raw archive lacks."""

import json
import logging
from contextlib import contextmanager

import numpy as np
from filelock import FileLock

from vo_lib.downloads.fetching import NOT_ASKED, fetch_all
from vo_lib.downloads.spool import Spool
from vo_lib.errors import DamagedProductError, UserError
from vo_lib.files import FULL, put_aside
from vo_lib.positions import SAME_OBJECT_ARCSEC, offsets
from vo_lib.provenance import short_digest
from vo_lib.raw import EMPTY, FAILED, Answer, positions, read_index, read_metadata, write_raw
from vo_lib.storage.seal import check_seal

__all__ = [
    "SAME_PLACE_ARCSEC",
    "distances",
    "download_bin",
    "lock_raw",
    "request_parameters",
    "split_rows",
]

# An answer for one position also holds for another one within this distance [arcsec].
SAME_PLACE_ARCSEC = 0.5
# Positions are compared at this epoch too, since with another proper motion surveys are queried elsewhere [yr].
LATE_YEAR = 2026.0

LOST = "its answer was removed from the disk before it was stored"

log = logging.getLogger("vo_lib")


def request_parameters(observatory, answer):
    """Return all that determines an answer: the survey's parameters, its data release and its raw schema number."""
    return answer | {"raw_schema": observatory.raw_schema, "release": observatory.release}


@contextmanager
def lock_raw(path):
    """Hold the lock of a raw file, which allows one writer at a time and is reentrant; its folder is created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock := path.with_name(f".{path.name}.lock"), is_singleton=True).acquire()
    except PermissionError:
        raise UserError(
            f"{path}: cannot be locked, because you may not write to its folder or {lock.name}; locks follow the "
            "umask, so everyone who shares a data root needs umask 002"
        ) from None
    except OSError as error:
        if error.errno in FULL:
            raise
        raise UserError(
            f"{path}: cannot be locked ({error.strerror}), and simultaneous downloads would lose data; download "
            "on a host that can lock files on this disk (snakemake downloaded), or set data_root to another disk"
        ) from None
    with held:
        yield


def download_bin(observatory, rows, path, *, parameters, on_change="error", label="", **limits):
    """Make sure that a raw archive holds an answer for each source.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey to query.
    rows : list of dict
        Catalog rows of the wanted sources.
    path : Path
        The raw file, shared by all projects: other sources in it are kept. Only one process at a time
        works on it; others wait.
    parameters : dict
        All that determines an answer, see `request_parameters`.
    on_change : {"error", "refetch", "keep"}
        What to do with sources whose answer is for other parameters or another position.
    label : str, optional
        Name of the bin for the log and the progress bar.
    **limits
        ``threads``, ``max_consecutive_failures`` and ``outage``, see `vo_lib.downloads.fetching.fetch_all`.

    Returns
    -------
    list of dict
        Index row of each source in the order of `rows`; ``status`` is ok, empty or failed. A source whose
        new request failed has status failed, even if the archive still has an older answer. ``kept`` is
        true if the answer in the archive is for other parameters or another position.

    Raises
    ------
    UserError
        If ``on_change="error"`` and answers are for other parameters or another position, or if the
        archive has a name at a distant position.
    """
    digest = short_digest(parameters)
    with lock_raw(path):
        index = _readable_index(path)
        todo = _pending(path, index, rows, digest, on_change)
        spool = Spool(path.with_name(f".{path.name}.answers"))
        failed = fetch_all(observatory, todo, spool, parameters, label=label, **limits)
        # A failure replaces no older answer, and a source that was not requested gets no entry.
        new = [
            row["name"]
            for row in todo
            if row["name"] not in failed or (row["name"] not in index and failed[row["name"]] != NOT_ASKED)
        ]
        new += _left_over(spool, digest, {*index, *(row["name"] for row in todo)})
        if new:
            nothing = observatory.empty_table()
            lost = {row["name"]: Answer(row, FAILED, nothing, reason=LOST) for row in todo if row["name"] not in index}
            index = write_raw(path, _answers(spool, new, lost, failed), columns=observatory.columns)
        spool.clear()
    kept = {row["name"] for row in split_rows(path, index, rows, digest)[1]}
    return [_outcome(row, index, failed) | {"kept": row["name"] in kept} for row in rows]


def _readable_index(path):
    """Read the index of the raw file; a damaged file is put aside, and its sources are fetched again."""
    try:
        if path.exists():
            check_seal(path, older=True)
        return read_index(path)
    except DamagedProductError as error:
        log.warning("%s; kept as %s, and its sources are downloaded again", error.args[0], put_aside(path))
        return {}


def _answers(spool, names, lost, failed):
    """Yield the answers in the spool; one that has been removed since counts as failed."""
    for name in names:
        answer = spool.get(name)
        if answer is None:
            failed.setdefault(name, LOST)
            answer = lost.get(name)
        if answer is not None:
            yield answer


def _left_over(spool, digest, known):
    """Return names of other sources with an answer to the same request, left behind by a killed job."""
    answers = (spool.get(name) for name in spool.names() if name not in known)
    return [answer.name for answer in answers if answer and answer.status != FAILED and answer.parameters == digest]


def _outcome(row, index, failed):
    """Return the index row of a source after the download."""
    if row["name"] in failed:
        return {"name": row["name"], "status": FAILED, "n_rows": 0, "digest": "", "reason": failed[row["name"]]}
    return index[row["name"]]


def distances(places, rows):
    """Compute the distances of catalog rows from positions, both at epoch 2016.0.

    Parameters
    ----------
    places, rows : list of dict
        Positions with ``ra`` and ``dec`` [degrees], and as many catalog rows.

    Returns
    -------
    ndarray of float, shape (n_rows,)
        Distances in the plane tangent to the sky at the row [arcsec], accurate if small.
    """
    known_ra, known_dec = (np.array([place[name] for place in places], dtype=float) for name in ("ra", "dec"))
    return np.hypot(*offsets(known_ra, known_dec, *positions(rows)))


def split_rows(path, index, rows, digest):
    """Find the sources of a bin for which a raw file has no answer, or an answer to another request.

    Parameters
    ----------
    path : Path
        The raw file.
    index : dict of str to dict
        Its index, see `vo_lib.raw.read_index`.
    rows : list of dict
        Catalog rows of the wanted sources.
    digest : str
        Digest of the parameters of the request.

    Returns
    -------
    missing, changed : list of dict
        Rows without a usable answer, or with an empty one that was for another magnitude; and rows whose answer is for
        other parameters or another position or proper motion.

    Raises
    ------
    UserError
        If the file has a name at a distant position.
    """
    here = [row for row in rows if row["name"] in index]
    steps = distances([index[row["name"]] for row in here], here)
    for row, step in zip(here, steps.tolist(), strict=True):
        if step > SAME_OBJECT_ARCSEC:
            known = index[row["name"]]
            raise UserError(
                f"{path}: contains '{row['name']}' at RA {known['ra']:.5f} Dec {known['dec']:.5f}, but the catalog has "
                f"it {step:.0f} arcsec away at RA {row['ra']:.5f} Dec {row['dec']:.5f}; rename one of them or, if the "
                f"position in the catalog was corrected, delete this file, so that its sources are downloaded again"
            )
    moved = {row["name"] for row, step in zip(here, steps, strict=True) if step > SAME_PLACE_ARCSEC}
    asked, now = _asked_otherwise(path, here)
    steps = np.hypot(*offsets(*positions(asked, LATE_YEAR), *positions(now, LATE_YEAR)))
    moved |= {row["name"] for row, step in zip(now, steps, strict=True) if step > SAME_PLACE_ARCSEC}
    # An answer may be empty because the source was too faint to be requested, or no star there was as bright.
    other_mag = {row["name"] for old, row in zip(asked, now, strict=True) if old.get("mag") != row.get("mag")}
    again = {FAILED: index.keys(), EMPTY: other_mag}
    pending = {name for name, known in index.items() if name in again.get(known["status"], ())}
    missing = [row for row in rows if row["name"] not in index or row["name"] in pending]
    answered = (row for row in here if row["name"] not in pending)
    return missing, [row for row in answered if row["name"] in moved or index[row["name"]]["parameters"] != digest]


def _asked_otherwise(path, rows):
    """Return the catalog rows with which answers in a raw file were requested, and the current rows, if they differ."""
    metadata = read_metadata(path) if rows else {}
    now = [row for row in rows if json.dumps(row, sort_keys=True) not in metadata[row["name"]]]
    return [json.loads(metadata[row["name"]])["row"] for row in now], now


def _pending(path, index, rows, digest, on_change):
    """Return the rows to request: those without an answer and, if wanted, those that changed."""
    missing, changed = split_rows(path, index, rows, digest)
    if changed and on_change == "error":
        raise UserError(
            f"{path}: {len(changed)} of {len(rows)} sources were downloaded with other parameters, from another "
            f"release or for another position or proper motion than now requested (the first is "
            f"'{changed[0]['name']}'); set download.on_change to 'refetch' to download them again or to 'keep' to use "
            f"the existing data"
        )
    return missing + changed if on_change == "refetch" else missing
