"""Write products of a project to files for other programs."""

from functools import partial
from pathlib import Path

import numpy as np

from vo_lib.errors import UserError, hint
from vo_lib.exports.binary import write_fits, write_nested, write_parquet
from vo_lib.exports.skyportal import series_file, series_filter, series_metadata, split_series, write_series
from vo_lib.exports.text import write_csv, write_ecsv, write_votable
from vo_lib.extract import extract
from vo_lib.files import replacing

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
    plan : vo_lib.plan.Plan
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
    if kind in ("nested", "skyportal") and (wanted.what, wanted.level == "raw") != ("lightcurves", False):
        raise UserError(f"the format {kind} is for lightcurves that are reduced or processed; choose another format")
    if kind == "skyportal" and instrument_id is None:
        raise UserError("SkyPortal must know the instrument; give its number there with --instrument-id")
    if kind != "skyportal" and (instrument_id is not None or filter_names):
        raise UserError(f"--instrument-id and --filter-name are for the format skyportal; leave them out for {kind}")
    counted = _Counted(extract(plan, wanted))
    if kind == "skyportal":
        about = {"instrument_id": instrument_id, "filter_names": filter_names or {}, "header": counted.header}
        for name in {name for table in counted.tables() for name in np.unique(table["filter"]).tolist()}:
            series_filter(name, about["filter_names"])  # all have names, or nothing is written
        return sum(map(partial(_write_series, Path(path), about), _lightcurves(counted)))
    with replacing(path) as part:
        _WRITERS[kind](part, counted)
    return counted.n_rows


class _Counted:
    """An extract that counts the rows of its latest reading."""

    def __init__(self, extracted):
        self.columns, self.header, self.has_our_times = extracted.columns, extracted.header, extracted.has_our_times
        self._tables, self.n_rows = extracted.tables, 0

    def tables(self):
        """Yield the tables and count their rows, see `vo_lib.extract.Extract`."""
        self.n_rows = 0
        for table in self._tables():
            self.n_rows += len(table["source"])
            yield table


def _lightcurves(extracted):
    """Return an iterator over all lightcurves."""
    return (epochs for table in extracted.tables() if len(table["source"]) for epochs in split_series(table))


def _write_series(folder, about, epochs):
    """Write one file for SkyPortal; return 1, the number of files."""
    metadata = series_metadata(epochs, **about)
    with replacing(series_file(folder, epochs), tidy=False) as part:
        write_series(part, epochs, metadata)
    return 1
