"""Parameters of a user's lightcurve files, checked: nothing that determines a time or a flux is guessed."""

from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real

from vo_lib.errors import ConfigError
from vo_lib.observatories.file_tables import COLUMNS, UNITS
from vo_lib.observatories.parameters import check_choice, check_range
from vo_lib.reduction.time_spellings import read_spelling
from vo_lib.times import REFERENCES, SCALES, STAMPS

__all__ = ["NAME", "FileParameters"]

# Placeholder in a path for the name of the source.
NAME = "{name}"

_PAIRS = (("mag", "magerr"), ("flux", "fluxerr"))
_TIME_KEYS = {"time_scale": SCALES, "time_reference": REFERENCES, "time_stamp": tuple(STAMPS)}
_FORMATS = (
    "MJD, JD, BJD or HJD, possibly minus a number as in JD - 2457000; BTJD, BKJD, unix, GPS, Julian year, or ISO for "
    "text"
)


@dataclass(frozen=True)
class FileParameters:
    """Location and content of the files.

    Parameters
    ----------
    path : str
        Path of the file of each source, with ``{name}`` for its name, or of one file for all sources.
    columns : dict of str to str
        Names in the file of time, exptime, ra, dec, mag, magerr, flux, fluxerr, filter, flag, series and source.
    units : dict of str to str
        Units of the columns, by the same names; by default, an error has the unit of its value.
    time_format : str
        Format of the times, written like a column header, see `vo_lib.reduction.time_spellings`:
        ``BJD_TDB - 2457000``, ``unix``, ...
    time_scale : str
        Scale of the times, if their format does not imply it: utc, tai, tt, tdb or tcb.
    time_reference : str
        Place that the times refer to, if not implied: observatory, geocentre, heliocentre or barycentre.
    time_stamp : str
        Part of the exposure that the times refer to, if not implied: start, mid or end.
    site : list of float
        Longitude east [degrees], latitude [degrees] and height [m] of the observatory; None for the geocentre.
    exptime_s : float
        Exposure time if there is no column [s].
    filter : str
        Filter if there is no column.
    filters : dict of str to str
        Filter name of each code in the file.
    mag_offset_ab : float or dict of str to float
        Offset to add to magnitudes to obtain AB [mag], for all filters or by filter name.
    bad_flag_mask : int
        Bits of the flag that make an epoch bad; -1 for any.
    """

    path: str = ""
    columns: dict = field(default_factory=dict)
    units: dict = field(default_factory=dict)
    time_format: str | None = None
    time_scale: str | None = None
    time_reference: str | None = None
    time_stamp: str | None = None
    site: list | tuple | None = None
    exptime_s: float | None = None
    filter: str | None = None
    filters: dict = field(default_factory=dict)
    mag_offset_ab: float | dict = 0.0
    bad_flag_mask: int = -1

    def __post_init__(self):
        self._check_columns()
        self._check_units()
        self._check_times()
        self._check_exposure()
        self._check_filters()
        self._check_site()

    @cached_property
    def time(self):
        """Time system of the times, a `TimeSystem`."""
        beside = {name.removeprefix("time_"): getattr(self, name) for name in _TIME_KEYS}
        return read_spelling(self.time_format).system(**beside)

    @cached_property
    def time_unit(self):
        """Unit of the times unless the file or ``units`` gives another; empty for dates as text."""
        return read_spelling(self.time_format).unit

    def _check_columns(self):
        """Check that there are a time, one pair of value and error, and one way to tell the sources apart."""
        _check_names("columns", self.columns, (*COLUMNS, "source"))
        if "time" not in self.columns:
            raise ConfigError("columns.time must name the column of the file with the times")
        pairs = [pair for pair in _PAIRS if not self.columns.keys().isdisjoint(pair)]
        if len(pairs) != 1 or not self.columns.keys() >= set(pairs[0]):
            raise ConfigError("columns must name exactly one complete pair, mag and magerr or flux and fluxerr")
        if ("ra" in self.columns) != ("dec" in self.columns):
            raise ConfigError("columns must name both ra and dec or neither")
        if self.path and (NAME in self.path) == ("source" in self.columns):
            raise ConfigError(
                f"path must contain {NAME} if each source has a file of its own, or columns.source must name the "
                f"column with the names of the sources if all are in one file; set exactly one of them"
            )

    def _check_units(self):
        """Check that units are known and belong to named columns."""
        _check_names("units", self.units, [name for name in self.columns if name in UNITS])
        for name, unit in self.units.items():
            if unit not in UNITS[name]:
                raise ConfigError(f"units.{name} must be one of {', '.join(UNITS[name])}, got '{unit}'")

    def _check_times(self):
        """Check that the time system is completely and consistently specified."""
        if self.time_format is None:
            raise ConfigError(f"time_format must say how times are written ({_FORMATS})")
        for name, known in _TIME_KEYS.items():
            if getattr(self, name) is not None:
                check_choice(self, name, known)
        try:
            self.time  # noqa: B018 - raises if something is missing
        except ValueError as error:
            raise ConfigError(f"time_format: {error}") from None
        if not self.time_unit and "time" in self.units:
            raise ConfigError("units.time must not be set, because time_format is a date as text, which has no unit")

    def _check_exposure(self):
        """Check that exposure times have one origin, and exist if they are needed."""
        if "exptime" in self.columns and self.exptime_s is not None:
            raise ConfigError("exptime_s and columns.exptime are both set; keep one of them")
        if self.exptime_s is not None:
            check_range(self, "exptime_s", 0, 1e9)
        elif "exptime" not in self.columns and self.time.stamp != "mid":
            raise ConfigError(
                f"exptime_s or columns.exptime must be set, because times are of the {self.time.stamp} of an exposure"
            )

    def _check_filters(self):
        """Check that each filter has a name and, where needed, an offset to AB."""
        if ("filter" in self.columns) != bool(self.filters) or bool(self.filter) == bool(self.filters):
            raise ConfigError(
                "set either filter, if there is only one, or columns.filter and filters, a name for each code"
            )
        if isinstance(self.mag_offset_ab, dict):
            names = {self.filter} if self.filter else set(self.filters.values())
            if missing := sorted(names - self.mag_offset_ab.keys()):
                raise ConfigError(f"mag_offset_ab has no offset for the filter '{missing[0]}'; add it")
        if self.mag_offset_ab and "mag" not in self.columns:
            raise ConfigError("mag_offset_ab is for magnitudes, but columns names fluxes; remove it")

    def _check_site(self):
        """Check that the site is a place on Earth."""
        if self.site is not None:
            limits = ((-180, 360), (-90, 90), (-500, 10000))
            good = (
                isinstance(self.site, list | tuple)
                and len(self.site) == 3
                and all(isinstance(value, Real) for value in self.site)
                and all(low <= value <= high for value, (low, high) in zip(self.site, limits, strict=True))
            )
            if not good:
                raise ConfigError(f"site must be [longitude east, latitude, height in m], got {self.site!r}")


def _check_names(key, mapping, known):
    """Raise `ConfigError` if a mapping has an unknown key."""
    if unknown := [name for name in mapping if name not in known]:
        raise ConfigError(f"{key}.{unknown[0]} is not known; known are {', '.join(known) or 'none'}")
