"""Download: ask an observatory for the sources of a bin that the raw archive lacks."""

import logging
from datetime import UTC, datetime

import numpy as np
from filelock import FileLock

from vo_lib.catalog import DEFAULT_EPOCH
from vo_lib.errors import UserError
from vo_lib.fetching import NOT_ASKED, fetch_all
from vo_lib.observatories.base import position_at
from vo_lib.provenance import short_digest
from vo_lib.raw import FAILED, Spool, read_index, write_raw

__all__ = ["download_bin"]

# A name that stands for places this far apart stands for two objects [arcsec].
SAME_OBJECT_ARCSEC = 10.0
# Within this distance an answer for one place is one for the other [arcsec].
SAME_PLACE_ARCSEC = 0.5

log = logging.getLogger("vo_lib")


def download_bin(observatory, rows, path, *, parameters, on_change="error", label="", **limits):
    """Bring a raw archive to hold an answer for each source.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey to ask.
    rows : list of dict
        Catalog rows of the sources wanted.
    path : Path
        The raw file, shared by all projects: other sources in it stay. One process at a time
        works on it, others wait.
    parameters : dict
        What decides the answer: the critical parameters, ``release`` and the raw schema number.
    on_change : {"error", "refetch", "keep"}
        What to do with sources that are there by other parameters or for another position.
    label : str, optional
        Name of the bin for the log and the progress bar.
    **limits
        ``threads``, ``per_second`` and ``max_consecutive``, see `vo_lib.fetching.fetch_all`.

    Returns
    -------
    list of dict
        Index row of each source in the order of `rows`; ``status`` is ok, empty or failed. A source
        whose new answer failed is failed, though the archive still has an older answer.

    Raises
    ------
    UserError
        For sources of other parameters under ``on_change="error"``, and for a name that the
        archive has at another place.
    """
    digest = short_digest(parameters)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        index = _readable_index(path)
        moved = _check_places(path, index, rows)
        todo = _pending(path, index, rows, digest, moved, on_change)
        spool = Spool(path.with_name(f".{path.name}.spool"))
        failed = fetch_all(observatory, todo, spool, parameters, label=label, **limits)
        # What failed takes the place of nothing, and what was not asked for has no answer at all.
        new = [
            row["name"]
            for row in todo
            if row["name"] not in failed or (row["name"] not in index and failed[row["name"]] != NOT_ASKED)
        ]
        if new:
            index = write_raw(path, (spool.get(name) for name in new), columns=observatory.columns)
        spool.clear()
    return [_outcome(row, index, failed) for row in rows]


def _readable_index(path):
    """Index of the raw file; a damaged file is put aside, and its sources are asked for again."""
    try:
        return read_index(path)
    except UserError as error:
        aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        path.rename(aside)
        log.warning("%s; it is kept as %s, and its sources are asked for again", error, aside)
        return {}


def _outcome(row, index, failed):
    """Index row of a source after the download."""
    if row["name"] in failed:
        return {"name": row["name"], "status": FAILED, "n_rows": 0, "digest": "", "reason": failed[row["name"]]}
    return index[row["name"]]


def _check_places(path, index, rows):
    """Names of the sources that moved since they were fetched; raise where a name is another object."""
    moved = set()
    for row in rows:
        if known := index.get(row["name"]):
            ra, dec = position_at(row, DEFAULT_EPOCH)
            dra = (known["ra"] - ra + 180) % 360 - 180
            step = np.hypot(dra * np.cos(np.radians(dec)), known["dec"] - dec) * 3600
            if step > SAME_OBJECT_ARCSEC:
                raise UserError(
                    f"{path}: holds '{row['name']}' at RA {known['ra']:.5f} Dec {known['dec']:.5f}, the catalog has it "
                    f"{step:.0f} arcsec away at RA {ra:.5f} Dec {dec:.5f}; rename one of them"
                )
            if step > SAME_PLACE_ARCSEC:
                moved.add(row["name"])
    return moved


def _pending(path, index, rows, digest, moved, on_change):
    """Rows to ask for: those not there, those that failed, and those that changed by choice."""
    missing, changed = [], []
    for row in rows:
        known = index.get(row["name"])
        if known is None or known["status"] == FAILED:
            missing.append(row)
        elif known["parameters"] != digest or row["name"] in moved:
            changed.append(row)
    if changed and on_change == "error":
        raise UserError(
            f"{path}: {len(changed)} of {len(rows)} sources were fetched with other parameters, of another release "
            f"or for another position than asked for now (the first is '{changed[0]['name']}'); set "
            f"download.on_change to 'refetch' to ask for them again or to 'keep' to use what is there"
        )
    return missing + changed if on_change == "refetch" else missing
