"""What every survey has to say of itself, and what several of them need.

A survey is a subclass of `VirtualObservatory` in a module of its own. It can be used alone::

    survey = VirtualZTF(radius_arcsec=1.5)
    data, altdata = survey.fetch_data_from_observatory({"name": "GD153", "ra": 194.26, "dec": 22.03})

Retries of failed sources, files, logs and bins belong to the caller.
"""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from types import MappingProxyType, NoneType, UnionType
from typing import get_args

import numpy as np

from vo_lib.astrometry import propagate
from vo_lib.catalog import DEFAULT_EPOCH
from vo_lib.downloads.pace import Pace
from vo_lib.errors import ConfigError, ServiceError, hint
from vo_lib.labels import distinct

__all__ = [
    "DATA_TYPES",
    "REDUCER_NAMES",
    "VirtualObservatory",
    "add_columns",
    "check_choice",
    "check_data_type",
    "check_range",
    "flag_bits",
    "label_filters",
    "motion_arcsec",
    "number_of",
    "position_at",
    "proper_motion",
]

# Types of data and their other names.
DATA_TYPES = {
    "photometry": ("photometry", "phot", "lightcurve", "lightcurves", "lc", "lcs"),
    "spectra": ("spectra", "spectrum", "spec", "sed"),
    "images": ("images", "image", "img"),
    "cutouts": ("cutouts", "cutout", "thumbnails", "thumb"),
}

# Short names of options of the reduction.
REDUCER_NAMES = {"gap": "gap_days", "radius": "radius_arcsec"}

log = logging.getLogger("vo_lib")

# Types of parameters that are checked; a list in a configuration may stand for a tuple.
_CHECKED = frozenset({int, float, str, bool, dict, NoneType})


class VirtualObservatory(ABC):
    """One survey: how to ask for a source, and what the answer means.

    Parameters
    ----------
    name : str, optional
        Its name, as in `name`; another one is an error.
    reducer : dict, optional
        Options of `reduce`, which go before its defaults; ``gap`` and ``radius`` may stand for ``gap_days`` and
        ``radius_arcsec``. The workflow takes those of the configuration and does not look at them.
    credentials : dict, optional
        Has no effect, which the log says: secrets come from the environment, see the attribute of this name.
    **parameters
        Fields of `Parameters`; each has a default.

    Attributes
    ----------
    pars : Parameters
        The parameters; they cannot be changed, so threads may share an observatory. Any of the attributes below may
        be a property that follows them.
    reducer : dict
        Options of `reduce`; it may be set anew.
    name : str
        Name of the survey in capitals, as in names of files.
    raw_schema : int
        Number of the format of the raw data; a higher one makes the workflow fetch them again.
    columns : dict of str to tuple
        Type (``i8``, ``f8`` or ``S`` with a width), unit and description of each column that an
        answer must have.
    time : TimeSystem
        What the time of an epoch means.
    site : tuple of float or None
        Longitude east [degrees], latitude [degrees] and height [m], or None for the geocentre.
    filters : tuple of str
        All filters by their names in lightcurves, such as ``ztf-g``.
    bad_flag_mask : int
        Bits of the survey's flag that make an epoch unusable; -1 for any bit.
    flag_presets : dict of str to int
        Names that its users have for other choices of such bits, see `flag_mask`.
    saturation_mag : dict of str to float
        Limit by filter; brighter epochs are saturated [mag, AB]. A filter without one has no limit.
    gap_days : float
        Pause that starts a new lightcurve unless the configuration says otherwise [days].
    usual_options : dict
        Options of the reduction that are usual for it, where its own section of the configuration does not say
        otherwise. A limit on magnitudes among them does not hold where ``catalog.mags`` has a column for the survey.
    measures_change : bool
        Whether its fluxes are changes since a reference image: their magnitudes are not compared with the catalog's.
    asked_by : tuple of str
        Parameters that decide how the archive is asked and change no answer.
    made_by : tuple of str
        Parameters that decide what `standardise` makes of the answers, and not the answers.
    service : str
        Archive that answers; surveys of one archive share its connections. Without one nobody is asked.
    max_connections : int
        Connections to the archive at a time, over all jobs of a run, unless the user allows another number.
    pace : vo_lib.downloads.pace.Pace
        Turns of its requests, by default at any time; the caller may give another before the survey is first asked.
    credentials : tuple of str
        Environment variables of the secrets that it needs, see `vo_lib.observatories.credentials`.
    requests_per_source, seconds_per_request : tuple of float or None
        The least and the most that a source usually takes, for estimates; None where nobody has measured it.
    epochs_per_source : float or None
        Usual number of epochs of a source that has data, likewise.

    Raises
    ------
    ConfigError
        For a parameter that is not known, or a value of a wrong type or out of range.
    """

    name = ""
    raw_schema = 1
    columns = MappingProxyType({})
    time = None
    site = None
    filters = ()
    bad_flag_mask = -1
    flag_presets = MappingProxyType({})
    saturation_mag = MappingProxyType({})
    gap_days = 40.0
    usual_options = MappingProxyType({})
    measures_change = False
    asked_by = ()
    made_by = ()
    service = ""
    max_connections = 4
    pace = Pace()
    credentials = ()
    requests_per_source = None
    seconds_per_request = None
    epochs_per_source = None

    @dataclass(frozen=True)
    class Parameters:
        """A survey without parameters."""

    def __init__(self, *, name=None, reducer=None, credentials=None, **parameters):
        if name is not None and name.upper() != self.name:
            raise ConfigError(f"{self.name}: name must be {self.name}, got {name!r}")
        if credentials:
            log.warning("%s: %s", self.name, _where_secrets_are(self.credentials))
        self.pars = _make_parameters(self.Parameters, parameters, self.name)
        self.reducer = {**self.usual_options, **(reducer or {})}

    def __repr__(self):
        pars = (f"{field.name}={getattr(self.pars, field.name)!r}" for field in fields(self.pars))
        return f"{type(self).__name__}({', '.join(pars)})"

    @property
    def release(self):
        """Data release that is asked, or an empty text where a survey has only one; a change of it asks anew."""
        return getattr(self.pars, "release", "")

    def flag_mask(self, choice):
        """Bits of the survey's flag that make an epoch bad, by name.

        Parameters
        ----------
        choice : str or int
            A name of `flag_presets`, ``default`` (`bad_flag_mask`), ``none``, ``any``, or the bits.

        Returns
        -------
        int

        Raises
        ------
        ConfigError
            For a name that is not known.
        """
        presets = {"none": 0, "any": -1, "default": self.bad_flag_mask, **self.flag_presets}
        if isinstance(choice, str) and choice not in presets:
            raise ConfigError(f"{self.name}: '{choice}' names no bad flags; {hint(choice, presets)}")
        return presets.get(choice, choice)

    @property
    def kb_per_source(self):
        """Usual size of the epochs of a source in the raw archive [kB], or None where nobody knows."""
        return None if self.epochs_per_source is None else self.epochs_per_source * self.dtype.itemsize / 1000

    @property
    def dtype(self):
        """Compound type of an answer that has the columns of `columns` and no others."""
        return np.dtype([(name, kind) for name, (kind, _, _) in self.columns.items()])

    def empty_table(self):
        """Answer without epochs: the survey has no data of the source."""
        return np.zeros(0, self.dtype)

    @abstractmethod
    def fetch_data_from_observatory(self, cat_row):
        """Ask the survey for one source.

        Each request waits for its turn, ``self.pace.wait()``; the client of `vo_lib.observatories.network` does.

        Parameters
        ----------
        cat_row : dict
            Row of the catalog: name, ra, dec [degrees], pmra, pmdec [mas/yr], epoch [yr], mag and
            so on; all but the first three may be None, NaN or missing.

        Returns
        -------
        data : ndarray, shape (n_epochs,)
            Structured array with the columns as the survey sent them; zero rows if it has none.
        altdata : dict
            What came beside the table and what was asked, JSON values.

        Raises
        ------
        ServiceError
            If there is no usable answer. That a source has no data is not an error.
        """

    def download_from_observatory(self, cat_row):
        """Ask the survey for one source, by the name that earlier systems gave the method."""
        return self.fetch_data_from_observatory(cat_row)

    @abstractmethod
    def standardise(self, data, altdata):
        """Express a survey's own columns as those that all surveys have.

        Each epoch is treated by itself, so `data` may hold the epochs of one source or of many.

        Parameters
        ----------
        data : ndarray, shape (n_epochs,)
            Structured array with the columns of `columns`; it is not changed.
        altdata : dict
            As from `fetch_data_from_observatory`; values may also be arrays per epoch.

        Returns
        -------
        dict of str to ndarray, each of shape (n_epochs,)
            time (see the attribute ``time``) [days], exptime [s], ra, dec [degrees, ICRS],
            flag (int64), filter (text), series (text or int64), and either mag with magerr [AB] or flux with
            fluxerr [uJy]. A series is what the survey calls one object or readout. Where it is the object,
            readout (text) may tell the field, detector or channel, of which calibrators take the zero point.
        """

    def reduce(self, cat_row, data=None, altdata=None, *, data_type="photometry", **options):
        """Turn what was fetched of one source into lightcurves.

        Parameters
        ----------
        cat_row : dict or vo_lib.dataset.RawPhotometry
            Row of the catalog, see `fetch_data_from_observatory`; or raw photometry, which knows its row, its epochs
            and what came beside them.
        data : ndarray, shape (n_epochs,), optional
            Its epochs as the survey sent them; not with raw photometry.
        altdata : dict, optional
            What came beside the table.
        data_type : str, optional
            ``photometry`` or one of its other names in `DATA_TYPES`.
        **options
            See `vo_lib.reduce.reduce_bin`: ``gap_days``, ``radius_arcsec``, ``mag_range``, ...; they go before those
            of the attribute ``reducer``.

        Returns
        -------
        vo_lib.reduce.Reduction or list of vo_lib.dataset.Lightcurve
            The lightcurves and what was left out; of raw photometry a list of the lightcurves.

        Raises
        ------
        ValueError
            For a type of data that is not known or has no reduction.
        """
        check_data_type(data_type)
        if data is None:
            return cat_row.reduced_by(self, **options)
        options = {REDUCER_NAMES.get(key, key): value for key, value in (self.reducer | options).items()}
        numbers = ("ra", "dec", "pmra", "pmdec", "epoch", "mag")
        source = {name: np.array([cat_row.get(name)], dtype=float) for name in numbers}
        source |= {"name": np.array([cat_row["name"]]), "status": np.array(["ok" if len(data) else "empty"])}
        return self.reduce_photometry(source, data, [len(data)], altdata=altdata, **options)

    def reduce_photometry(self, sources, data, counts, *, altdata=None, **options):
        """Turn the epochs of sources of a bin into lightcurves: override this where the usual way does not serve.

        Large bins come in blocks of their sources, see `vo_lib.reduction.blocks`.

        Parameters
        ----------
        sources, data, counts, altdata, **options
            See `vo_lib.reduce.reduce_bin`, which is the usual way.

        Returns
        -------
        vo_lib.reduce.Reduction
            The lightcurves and what was left out, each epoch in one of them.
        """
        from vo_lib.reduce import reduce_bin

        return reduce_bin(sources, data, counts, self, altdata=altdata, **options)


def _where_secrets_are(names):
    """What is said to somebody who gives credentials."""
    if not names:
        return "credentials were given, but it is asked without any"
    return f"credentials are not used; set {' and '.join(names)} in the environment"


def check_data_type(name):
    """Raise `ValueError` unless a type of data, by any of its names, can be reduced."""
    found = next((kind for kind, names in DATA_TYPES.items() if str(name).lower() in names), None)
    if found is None:
        raise ValueError(f"data_type '{name}' is not known; known are {', '.join(DATA_TYPES)}")
    if found != "photometry":
        raise ValueError(f"data_type '{name}' has no reduction; only photometry has")


def _make_parameters(kind, given, survey):
    """Frozen parameters from keyword arguments, types checked."""
    known = {field.name: field.type for field in fields(kind)}
    for name in given:
        if name not in known:
            raise ConfigError(f"{survey}: '{name}' is not a parameter; {hint(name, known)}")
    try:
        return kind(**{name: _convert(name, value, known[name]) for name, value in given.items()})
    except ConfigError as error:
        raise ConfigError(f"{survey}: {error}") from None


def _convert(name, value, kind):
    """Value of a parameter; a whole number will do for a float, None for one that may be, nothing else is converted."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if float in kinds and type(value) is int:
        return float(value)
    checked = _CHECKED.issuperset(kinds)
    if checked and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        names = " or ".join(kind.__name__ for kind in kinds if kind is not NoneType)
        raise ConfigError(f"{name} must be of type {names}, got {value!r}")
    return value


def check_choice(parameters, name, known):
    """Raise `ConfigError` when a parameter is none of those that are known."""
    value = getattr(parameters, name)
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(known)}, got '{value}'")


def check_range(parameters, name, low, high):
    """Raise `ConfigError` when a parameter is not between two limits, both allowed."""
    value = getattr(parameters, name)
    if not low <= value <= high:
        raise ConfigError(f"{name} must be between {low:g} and {high:g}, got {value:g}")


def number_of(cat_row, name):
    """Number in a row of a catalog, None where it is missing, None or NaN, as a frame of pandas has it."""
    value = cat_row.get(name)
    return None if value is None or np.isnan(value) else value


def proper_motion(cat_row):
    """Proper motion of a source to the east and to the north [mas/yr]; a missing one is zero."""
    return number_of(cat_row, "pmra") or 0.0, number_of(cat_row, "pmdec") or 0.0


def motion_arcsec(cat_row, years):
    """How far a source moves in some years [arcsec]."""
    return np.hypot(*proper_motion(cat_row)) / 1000 * years


def position_at(cat_row, year):
    """Position of a source at some time by its proper motion; a missing one is zero.

    Parameters
    ----------
    cat_row : dict
        Row of the catalog; a missing epoch is that of Gaia DR3.
    year : float or ndarray
        Julian year.

    Returns
    -------
    ra, dec : float or ndarray
        Position [degrees].
    """
    epoch = number_of(cat_row, "epoch")
    motion = {name: number_of(cat_row, name) or 0.0 for name in ("pmra", "pmdec", "parallax")}
    start = DEFAULT_EPOCH if epoch is None else epoch
    ra, dec = propagate(cat_row["ra"], cat_row["dec"], epoch=start, to_epoch=year, **motion)
    return ra[()], dec[()]


def label_filters(codes, names):
    """Turn a survey's filter codes into names of filters.

    Parameters
    ----------
    codes : ndarray of bytes, shape (n_epochs,)
        Codes as they were sent.
    names : dict of str to str
        Name of the filter of each code.

    Returns
    -------
    ndarray of str, shape (n_epochs,)

    Raises
    ------
    ServiceError
        For a code without a name: the survey has a filter that its module does not know.
    """
    unique, which = distinct(codes)
    found = np.char.decode(unique, "utf-8").tolist()
    if unknown := [code for code in found if code not in names]:
        raise ServiceError(f"filter code '{unknown[0]}' is not known (known are {', '.join(names)})")
    labels = np.array([names[code] for code in found], dtype=f"U{max(map(len, names.values()))}")
    return labels[which]


def flag_bits(bits):
    """Flag of each epoch from the mask of the epochs that have a bit, for each bit: int64, shape (n_epochs,)."""
    return sum(np.where(found, bit, 0) for bit, found in bits.items()).astype(np.int64)


def add_columns(data, **columns):
    """Table of an answer with more columns of numbers, each a value for all rows or one for each."""
    full = np.empty(len(data), [*data.dtype.descr, *((name, "f8") for name in columns)])
    for name in data.dtype.names:
        full[name] = data[name]
    for name, values in columns.items():
        full[name] = values
    return full
