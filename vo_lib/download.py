"""Download: ask an observatory for the sources of a bin that the raw archive lacks."""

import logging
from datetime import UTC, datetime

import numpy as np
from filelock import FileLock
from tqdm import tqdm

from vo_lib.errors import ServiceError, UserError
from vo_lib.provenance import short_digest
from vo_lib.raw import EMPTY, FAILED, OK, Answer, Spool, read_index, write_raw

__all__ = ["download_bin"]

# A name that stands for places this far apart stands for two objects [arcsec].
SAME_PLACE_ARCSEC = 10.0

log = logging.getLogger("vo_lib")


def download_bin(observatory, rows, path, *, parameters, on_change="error", label=""):
    """Bring a raw archive to hold an answer for each source.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey to ask; one request after the other.
    rows : list of dict
        Catalog rows of the sources wanted.
    path : Path
        The raw file, shared by all projects: other sources in it stay. One process at a time
        works on it, others wait.
    parameters : dict
        What decides the answer: the critical parameters, ``release`` and the raw schema number.
    on_change : {"error", "refetch", "keep"}
        What to do with sources that are there by other parameters.
    label : str, optional
        Name of the bin for the progress bar.

    Returns
    -------
    list of dict
        Index row of each source in the order of `rows`; ``status`` is ok, empty or failed.

    Raises
    ------
    UserError
        For sources of other parameters under ``on_change="error"``, and for a name that the
        archive has at another place.
    """
    digest = short_digest(parameters)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        index = read_index(path)
        _check_places(path, index, rows)
        todo = _pending(path, index, rows, digest, on_change)
        spool = Spool(path.with_name(f".{path.name}.spool"))
        failed = _ask(observatory, todo, spool, parameters, label)
        names = [row["name"] for row in todo]
        if new := [name for name in names if name not in failed or name not in index]:
            index = write_raw(path, (spool.get(name) for name in new), columns=observatory.columns)
        spool.clear()
    return [index[row["name"]] | failed.get(row["name"], {}) for row in rows]


def _check_places(path, index, rows):
    """Raise where a name is in the archive for another object."""
    for row in rows:
        if known := index.get(row["name"]):
            dra = (known["ra"] - row["ra"] + 180) % 360 - 180
            step = np.hypot(dra * np.cos(np.radians(row["dec"])), known["dec"] - row["dec"]) * 3600
            if step > SAME_PLACE_ARCSEC:
                raise UserError(
                    f"{path}: holds '{row['name']}' at RA {known['ra']:.5f} Dec {known['dec']:.5f}, the catalog has it "
                    f"{step:.0f} arcsec away at RA {row['ra']:.5f} Dec {row['dec']:.5f}; rename one of them"
                )


def _pending(path, index, rows, digest, on_change):
    """Rows to ask for: those not there, those that failed, and those of other parameters by choice."""
    missing, changed = [], []
    for row in rows:
        known = index.get(row["name"])
        if known is None or known["status"] == FAILED:
            missing.append(row)
        elif known["parameters"] != digest:
            changed.append(row)
    if changed and on_change == "error":
        raise UserError(
            f"{path}: {len(changed)} of {len(rows)} sources were fetched with other parameters or of another release "
            f"than the configuration asks for (the first is '{changed[0]['name']}'); set download.on_change to "
            f"'refetch' to ask for them again or to 'keep' to use what is there"
        )
    return missing + changed if on_change == "refetch" else missing


def _ask(observatory, rows, spool, parameters, label):
    """Put an answer for each row into the spool before the next is asked for; return what failed and why."""
    counts, failed = {OK: 0, EMPTY: 0, FAILED: 0}, {}
    with tqdm(total=len(rows), desc=label, unit="source", disable=None, leave=False, mininterval=0.5) as bar:
        for row in rows:
            answer = _from_spool(spool, row, parameters)
            if answer is None:
                answer = _fetch(observatory, row, parameters)
                spool.put(answer)
            if answer.status == FAILED:
                failed[answer.name] = {"status": FAILED, "reason": answer.reason}
            counts[answer.status] += 1
            log.info(
                "%s %s: %s, %d rows%s",
                label,
                answer.name,
                answer.status,
                len(answer.data),
                answer.reason and f" ({answer.reason})",
            )
            bar.set_postfix(counts, refresh=False)
            bar.update()
    log.info("%s: %d sources asked for: %s", label, len(rows), counts)
    return failed


def _from_spool(spool, row, parameters):
    """The answer that an interrupted job left, if it is one and for the same row and parameters."""
    answer = spool.get(row["name"])
    if answer is None or answer.status == FAILED:
        return None
    return answer if answer.parameters == short_digest(parameters) and answer.row == row else None


def _fetch(observatory, row, parameters):
    """Ask the survey for one source; a service that gives no answer makes a failed one."""
    reason, altdata, status = "", {}, FAILED
    data = observatory.empty_table()
    try:
        data, altdata = observatory.fetch_data_from_observatory(row)
        status = OK if len(data) else EMPTY
    except ServiceError as error:
        reason = str(error)
        log.warning("%s: %s", row["name"], reason)
    return Answer(
        row=row,
        status=status,
        data=data,
        altdata=altdata,
        parameters=short_digest(parameters),
        release=parameters["release"],
        fetched=datetime.now(UTC).isoformat(timespec="seconds"),
        reason=reason,
    )
