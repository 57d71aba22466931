"""Verdicts on detections: the CSV file that pages export, and the file that keeps all verdicts of a project.

The browser keeps marks until they are exported. ``verdicts.csv`` in the project's folder has all verdicts that were
read in, and the database table ``verdicts`` mirrors it.
"""

import csv
import io
import re
from datetime import datetime
from pathlib import Path

from vo_lib.errors import UserError
from vo_lib.files import write_text

__all__ = ["VERDICTS", "VERDICT_COLUMNS", "merge_verdicts", "parse_detection", "read_verdicts", "write_verdicts"]

VERDICTS = ("real", "artefact", "unsure")
# Columns of the file and their meanings.
VERDICT_COLUMNS = {
    "project": "folder of the project",
    "source": "name in the catalog",
    "detection": "survey, filter, series if any, and peak [MJD]; empty for the source as a whole",
    "verdict": "real, artefact or unsure",
    "note": "any text",
    "who": "name of the person; may be empty",
    "when": "time of the verdict, ISO 8601 with its time zone",
}
# Maximum total length of source, detection and person [bytes]: PostgreSQL allows at most 2704 in an index.
MOST_KEY_BYTES = 2000
DETECTION = re.compile(r"(?P<obs>\S+) (?P<filter>\S+)(?: (?P<series>.+))? (?P<peak_mjd>-?\d+\.\d{5})")


def read_verdicts(path, *, project):
    """Read a file of verdicts.

    Parameters
    ----------
    path : str or Path
        CSV with the columns of `VERDICT_COLUMNS` in any order.
    project : str
        Folder of the project that all rows must belong to.

    Returns
    -------
    list of dict
        Rows as text, in the order of the file; empty if the file has only a header.

    Raises
    ------
    UserError
        If the file is missing or not a file of verdicts, or a row belongs to another project or is invalid.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; export the marks on a page of the project") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not text in UTF-8; export the marks again") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if missing := [name for name in VERDICT_COLUMNS if name not in (reader.fieldnames or ())]:
            raise UserError(f"{path}: has no column '{missing[0]}'; it needs {', '.join(VERDICT_COLUMNS)}")
        return [_check(row, f"{path} line {reader.line_num}", project) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path}: is not CSV ({error}); export the marks again") from None


def _check(row, place, project):
    """Check a row and return its columns as text; raise `UserError` if it is invalid."""
    found = {name: row[name] or "" for name in VERDICT_COLUMNS}
    if None in row or None in row.values():
        raise UserError(f"{place}: has a different number of cells than the header; correct or remove the line")
    if "\0" in "".join(found.values()):
        raise UserError(f"{place}: has a NUL character, which the database cannot keep; remove it")
    if len((found["source"] + found["detection"] + found["who"]).encode()) > MOST_KEY_BYTES:
        raise UserError(f"{place}: source, detection and who have more than {MOST_KEY_BYTES} bytes; shorten who")
    if found["project"] != project:
        raise UserError(f"{place}: is of project '{found['project']}', not {project}; choose its configuration")
    if found["verdict"] not in VERDICTS:
        raise UserError(f"{place}: verdict must be {', '.join(VERDICTS)}, got '{found['verdict']}'")
    if not found["source"]:
        raise UserError(f"{place}: names no source")
    if found["detection"]:
        parse_detection(found["detection"], place)
    _time(found["when"], place)
    return found


def _time(text, place="verdict"):
    """Parse the time of a verdict, which must have a time zone."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise UserError(f"{place}: when must be a time with its time zone, such as 2026-01-31T12:00:00Z, got '{text}'")
    return time


def parse_detection(key, place="verdict"):
    """Parse the key of a detection into survey, filter, series and peak.

    Parameters
    ----------
    key : str
        See `vo_lib.pages.vetting_data.detection_key`.
    place : str, optional
        Where the key comes from, for the message.

    Returns
    -------
    dict
        ``obs``, ``filter``, ``series`` (empty without one) and ``peak_mjd`` [d].

    Raises
    ------
    UserError
        If the text is not such a key.
    """
    if not (found := DETECTION.fullmatch(key)):
        raise UserError(f"{place}: '{key}' is not a detection; it must be like 'ZTF ztf-r 58025.12346'")
    return found.groupdict("") | {"peak_mjd": float(found["peak_mjd"])}


def merge_verdicts(known, new):
    """Merge verdicts, keeping the latest of each person on each detection.

    Parameters
    ----------
    known, new : list of dict
        See `read_verdicts`.

    Returns
    -------
    list of dict
        Verdicts sorted by source, detection and person.
    """
    kept = {}
    for row in sorted([*known, *new], key=lambda row: _time(row["when"])):
        kept[row["source"], row["detection"], row["who"]] = row
    return [kept[key] for key in sorted(kept)]


def write_verdicts(path, rows):
    """Write a file of verdicts in one step, see `read_verdicts`."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(VERDICT_COLUMNS))
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
