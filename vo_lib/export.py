"""Write products of a project to files for other programs."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from vo_lib.errors import UserError, hint
from vo_lib.exports.binary import write_fits, write_nested, write_parquet
from vo_lib.exports.skyportal import series_file, series_filter, series_metadata, split_series, write_series
from vo_lib.exports.text import write_csv, write_ecsv, write_votable
from vo_lib.extract import extract
from vo_lib.files import replacing
from vo_lib.tables import count_rows

__all__ = ["FORMATS", "export", "guess_format"]


def _as_text(write):
    """Turn a function that writes to a text file into one that writes to a path."""

    def write_path(path, extracted):
        with open(path, "w", encoding="utf-8", newline="") as file:
            write(file, extracted)

    return write_path


_WRITERS = {
    "csv": _as_text(write_csv),
    "ecsv": _as_text(write_ecsv),
    "votable": _as_text(write_votable),
    "fits": write_fits,
    "parquet": write_parquet,
    "nested": write_nested,
}
FORMATS = (*_WRITERS, "skyportal")
_SUFFIXES = {".csv": "csv", ".ecsv": "ecsv", ".vot": "votable", ".xml": "votable", ".fits": "fits", ".fit": "fits"}
_SUFFIXES |= {".parquet": "parquet"}


def guess_format(path):
    """Guess the format of a file from its suffix; `UserError` if the suffix is unknown."""
    suffix = Path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise UserError(f"{path}: no format is known by this suffix; say --format {' or '.join(FORMATS)}")
    return _SUFFIXES[suffix]


def export(plan, wanted, path, *, format=None, instrument_id=None, filter_names=None):  # noqa: A002 - the usual word
    """Write rows of products to a file, atomically; bins are read one at a time.

    Parameters
    ----------
    plan : Plan or Project
        The project.
    wanted : vo_lib.extract.Wanted
        What to write.
    path : str or Path
        The file to create or replace; for ``skyportal`` a folder, which gets a file for each lightcurve.
    format : str, optional
        One of `FORMATS`; by default guessed from the suffix.
    instrument_id : int, optional
        For ``skyportal`` only, see `vo_lib.exports.skyportal.series_metadata`.
    filter_names : dict of str to str, optional
        For ``skyportal`` only, see there.

    Returns
    -------
    int
        Number of rows, or for ``skyportal`` of files. The same products give the same bytes.

    Raises
    ------
    UserError
        If the rows cannot be written in this format, or for the reasons given in `vo_lib.extract.extract`; nothing is
        written then.
    """
    kind = guess_format(path) if format is None else format
    if kind not in FORMATS:
        raise UserError(f"'{kind}' is not a format; {hint(kind, FORMATS)}")
    if kind in ("nested", "skyportal") and (wanted.what != "lightcurves" or wanted.level == "raw"):
        raise UserError(f"the format {kind} is for lightcurves that are reduced or processed; choose another format")
    if kind == "skyportal" and instrument_id is None:
        raise UserError("SkyPortal must know the instrument; give its number there with --instrument-id")
    if kind != "skyportal" and (instrument_id is not None or filter_names):
        raise UserError(f"--instrument-id and --filter-name are for the format skyportal; leave them out for {kind}")
    extracted = extract(plan, wanted)
    if kind == "skyportal":
        return _write_all_series(extracted, Path(path), instrument_id, filter_names or {})
    n_rows = 0

    def counted():
        nonlocal n_rows
        n_rows = 0  # a writer may read the tables twice
        for table in extracted.tables():
            n_rows += count_rows(table)
            yield table

    with replacing(path) as part:
        _WRITERS[kind](part, replace(extracted, tables=counted))
    return n_rows


def _write_all_series(extracted, folder, instrument_id, filter_names):
    """Write a file for each lightcurve; return their number."""
    for name in {name for table in extracted.tables() for name in np.unique(table["filter"]).tolist()}:
        series_filter(name, filter_names)  # all have names, or nothing is written
    about = {"instrument_id": instrument_id, "filter_names": filter_names, "header": extracted.header}
    n_files = 0
    for table in extracted.tables():
        for epochs in split_series(table):
            metadata = series_metadata(epochs, **about)
            with replacing(series_file(folder, epochs), tidy=False) as part:
                write_series(part, epochs, metadata)
            n_files += 1
    return n_files
