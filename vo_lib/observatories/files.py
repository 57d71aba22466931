"""Your own lightcurves, from files on disk.

Files
    CSV, ECSV, FITS, VOTable (each optionally gzipped), HDF5 or parquet, recognised by their content. Use either
    a file per source, ``path: lightcurves/{name}.csv``, or one table with a column for the name of the source,
    ``path: all.ecsv`` and ``columns: {source: star_id}``. A source without a file or rows has no data. Names are
    case-sensitive on every disk; accented letters may be in composed or decomposed Unicode. For example::

        files:
          path: lightcurves/{name}.csv
          columns: {time: BJD, flux: flux, fluxerr: err, filter: band, flag: quality}
          units: {flux: mJy}
          time_format: bjd-2457000
          time_scale: tdb
          time_reference: barycentre
          time_stamp: mid
          filters: {g: g, "2": r}

    The raw archive has all columns of the file as they are, with numbers as float64 (as text where float64 would
    change large integers), beside the columns that lightcurves are made from (``vo_time``, ``vo_flux`` and so on) in
    fixed units. Columns that hold arrays or have no name, like the index of pandas, are skipped; the metadata lists
    them, and the units of the file.
Limits
    Lightcurves are made only from the columns that ``columns`` names. Two rows that have a time and are identical in
    all columns, a value that cannot be read, and a filter without a name are errors that say where they are.
Times
    Nothing is guessed: ``time_format`` must say what a time is, as the header of a column does
    (`vo_lib.reduction.time_spellings`), and ``time_scale``, ``time_reference`` and ``time_stamp`` what it leaves
    open. Dates as text become MJD; all other times keep their numbers. ``unix`` time does not count leap seconds, so
    its scale is UTC.
Fluxes
    AB magnitudes, or magnitudes of another system with ``mag_offset_ab``; or fluxes, with one maggie as magnitude 0
    (AB). A unit in the file is used. It is an error if ``units`` contradicts it, or if neither gives the unit of a
    flux.
Quality
    The bits of the column ``flag``, 0 without one; ``bad_flag_mask`` says which of them are bad.
Changes
    Names, sizes and modification times of all files form the data release, so after any change of them the files are
    read again, into a raw archive of its own. After a change of ``columns``, ``units``, ``time_format`` or
    ``time_scale``, run once with ``download.on_change: refetch``.
Tried
    Each format as written by astropy, h5py, pandas and by hand.
"""

import glob
import os
import threading
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

import numpy as np

from vo_lib.errors import CatalogError, ConfigError, ServiceError
from vo_lib.observatories.base import VirtualObservatory
from vo_lib.observatories.cat_row import position_at
from vo_lib.observatories.epoch_columns import label_filters
from vo_lib.observatories.file_parameters import NAME, FileParameters
from vo_lib.observatories.file_tables import COLUMNS, PREFIX, read_table
from vo_lib.provenance import short_digest
from vo_lib.times import MJD_J2000, MJD_ZERO_JD

__all__ = ["VirtualFiles"]

# Range of `vo_lib.times`, the years 1900 to 2099 [MJD].
FIRST_MJD, LAST_MJD = 15021.0, 88067.0


class VirtualFiles(VirtualObservatory):
    """Lightcurves in a user's files; the module's docstring describes them.

    Parameters
    ----------
    **parameters
        Fields of `vo_lib.observatories.file_parameters.FileParameters`.
    """

    name = "FILES"
    # There are no requests.
    requests_per_source = seconds_per_request = (0, 0)
    raw_schema = 1

    Parameters = FileParameters

    asked_by = ("path",)
    made_by = (
        "time_reference",
        "time_stamp",
        "site",
        "exptime_s",
        "filter",
        "filters",
        "mag_offset_ab",
        "bad_flag_mask",
    )

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self._lock = threading.Lock()
        self._path = str(Path(self.pars.path).expanduser()) if self.pars.path else ""
        self._files = self._find_files() if self._path else {}
        self._release = self._digest_files()

    @property
    def columns(self):
        """Columns derived from those of the file, in the units of lightcurves."""
        made = {PREFIX + name: COLUMNS[name] for name in COLUMNS if name in {*self.pars.columns, "ra", "dec"}}
        if PREFIX + "time" in made:
            kind, unit, text = made[PREFIX + "time"]
            made[PREFIX + "time"] = (kind, unit, f"{text}, less JD {self.time.zero_jd:.12g}")
        return made

    @property
    def time(self):
        """Time system of the times, set by the parameters."""
        return self.pars.time

    @property
    def site(self):
        """Place of the observatory, set by the parameters."""
        return None if self.pars.site is None else tuple(self.pars.site)

    @property
    def filters(self):
        """Names of all filters, set by the parameters."""
        return tuple(dict.fromkeys(self._filter_names.values()))

    @property
    def bad_flag_mask(self):
        """Bits that make an epoch bad, set by the parameters."""
        return self.pars.bad_flag_mask

    @property
    def release(self):
        """Digest of the names, sizes and modification times of all files."""
        return self._release

    def _find_files(self):
        """Paths of the existing files as spelled on disk, by their paths in composed Unicode (NFC)."""
        found = glob.glob(glob.escape(self._path).replace(NAME, "*"), include_hidden=True)  # noqa: PTH207
        return {normalize("NFC", path): path for path in sorted(found)}

    def _digest_files(self):
        """Digest for `release`, empty without a path; raise `ConfigError` if there are no files."""
        if not self._path:
            return ""
        start, *_ = self._path.partition(NAME)
        files = sorted(filter(os.path.isfile, self._files.values()))
        if not files and (lost := next(filter(_is_lost, self._files.values()), None)):
            raise ConfigError(f"{self.name}: {_lost(lost)}")
        if not files:
            raise ConfigError(f"{self.name}: there is no file {self._path}; correct path")
        states = ((file.removeprefix(start), Path(file).stat()) for file in files)
        return short_digest([[name, state.st_size, state.st_mtime_ns] for name, state in states])

    @cached_property
    def _filter_names(self):
        """Filter name of each code; the code is empty if the file has no column."""
        names = {"": self.pars.filter} if self.pars.filter else self.pars.filters
        return {code: f"{self.name.lower()}-{name}" for code, name in names.items()}

    def fetch_data_from_observatory(self, cat_row):
        """Read the rows of one source; see the base class.

        If the file of all sources cannot be read, raises `ConfigError`, as no source could then be answered.
        """
        if not self._path:
            raise ConfigError(f"{self.name}: path must be set, for example to lightcurves/{NAME}.csv")
        name, shared = cat_row["name"], "source" in self.pars.columns
        path = self._path if shared else _path_of(self._path, name)
        if not shared:
            # On a case-insensitive disk, opening the path could give the file of another source.
            if (found := self._files.get(normalize("NFC", path))) is None:
                return self.empty_table(), {"file": path, "note": "no such file"}
            path = found
        if _is_lost(path):
            raise ServiceError(_lost(path))
        try:
            with self._lock:
                table = self._all if shared else self._read(path)
            rows = table.rows_of(name)
            if not len(rows):
                return self.empty_table(), {"file": path, "note": "no rows"}
            mjd = self._checked_mjd(table, rows)
            self._check_filters(table, rows)
            return table.epochs(rows, **self._positions(cat_row, mjd)), {"file": path} | table.notes
        except CatalogError as error:
            raise ServiceError(str(error)) from None

    @cached_property
    def _all(self):
        """The file of all sources, read once."""
        try:
            return self._read(self._path)
        except CatalogError as error:
            raise ConfigError(str(error)) from None

    def _read(self, path):
        """Content of a file; call it from one thread at a time, as the readers may not be thread-safe."""
        pars = self.pars
        return read_table(path, pars.columns, units=pars.units, time_unit=pars.time_unit, time_scale=pars.time.scale)

    def _checked_mjd(self, table, rows):
        """Approximate MJD of each row; raise if one is far off, which means that the time format is wrong."""
        mjd = table.made[PREFIX + "time"][rows] + (self.time.zero_jd - MJD_ZERO_JD)
        if (far := (mjd < FIRST_MJD) | (mjd > LAST_MJD)).any():
            raise CatalogError(
                f"{table.found.place(rows[far][0])}: the time is MJD {mjd[far][0]:g}, which is not from 1900 to 2099; "
                f"check time_format ({self.pars.time_format}) and units.time"
            )
        return mjd

    def _check_filters(self, table, rows):
        """Raise if a filter code has no name."""
        if "filter" in self.pars.columns:
            codes = table.made[PREFIX + "filter"][rows]
            if (unknown := ~np.isin(codes, list(self._filter_names))).any():
                where, code = table.found.place(rows[unknown][0]), codes[unknown][0]
                raise CatalogError(f"{where}: filter '{code}' has no name; give it one in filters")

    def _positions(self, cat_row, mjd):
        """Position of the source at each epoch if the file has none; at 2000.0 for an epoch without a time."""
        if "ra" in self.pars.columns:
            return {}
        places = position_at(cat_row, 2000.0 + np.nan_to_num(mjd - MJD_J2000) / 365.25)
        return dict(zip((PREFIX + "ra", PREFIX + "dec"), places, strict=True))

    def standardise(self, data, altdata):
        """Return the common columns, as set by the parameters; see the base class."""
        pars, n_epochs = self.pars, len(data)
        standard = {
            "exptime": np.full(n_epochs, np.nan if pars.exptime_s is None else pars.exptime_s),
            "flag": np.zeros(n_epochs, np.int64),
            "filter": np.zeros(n_epochs, "S1"),
            "series": np.full(n_epochs, "1"),
        }
        standard |= {name: data[PREFIX + name].copy() for name in COLUMNS if PREFIX + name in self.columns}
        standard["filter"] = label_filters(standard["filter"], self._filter_names)
        if "series" in pars.columns:
            standard["series"] = _decode(standard["series"])
        if "mag" in standard:
            standard["mag"] += self._offsets(standard["filter"])
        return standard

    def _offsets(self, filters):
        """Offset to add to the magnitude of each epoch [mag]."""
        offset = self.pars.mag_offset_ab
        if not isinstance(offset, dict):
            return offset
        names, which = np.unique(filters, return_inverse=True)
        prefix = f"{self.name.lower()}-"
        return np.array([offset[name.removeprefix(prefix)] for name in names.tolist()], float)[which]


def _is_lost(path):
    """Whether it is a symbolic link to nothing."""
    return os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114 - paths here are texts


def _lost(path):
    """What is said of a symbolic link to nothing."""
    return f"{path}: is a symbolic link to {Path(path).readlink()}, which does not exist; correct or remove the link"


def _path_of(pattern, name):
    """Path of the file of a source, whose name must not lead to another folder."""
    if "/" in name or "\0" in name or name in ("", ".", ".."):
        raise ServiceError(f"'{name}' cannot be the name of a file; rename the source or use one file for all")
    return pattern.replace(NAME, name)


def _decode(values):
    """Decode UTF-8 text, each distinct value once, which is faster for many epochs of few objects."""
    unique, which = np.unique(values, return_inverse=True)
    return np.char.decode(unique, "utf-8")[which]
