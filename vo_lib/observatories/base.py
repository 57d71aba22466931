"""Base class of all surveys.

A survey is a subclass of `VirtualObservatory` in a module of its own. It can be used alone::

    survey = VirtualZTF(radius_arcsec=1.5)
    data, altdata = survey.fetch_data_from_observatory({"name": "GD153", "ra": 194.26, "dec": 22.03})

Repeating failed sources, files, logs and bins are the caller's responsibility.
"""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np

from vo_lib.errors import ConfigError, hint
from vo_lib.observatories.cat_row import position_at
from vo_lib.observatories.epoch_columns import label_filters
from vo_lib.observatories.pace import Pace
from vo_lib.observatories.parameters import make_parameters

# The last two are for plug-ins, which import them from here.
__all__ = ["DATA_TYPES", "REDUCER_NAMES", "VirtualObservatory", "check_data_type", "label_filters", "position_at"]

# Types of data and their aliases.
DATA_TYPES = {
    "photometry": ("photometry", "phot", "lightcurve", "lightcurves", "lc", "lcs"),
    "spectra": ("spectra", "spectrum", "spec", "sed"),
    "images": ("images", "image", "img"),
    "cutouts": ("cutouts", "cutout", "thumbnails", "thumb"),
}

# Short names of reduction options.
REDUCER_NAMES = {"gap": "gap_days", "radius": "radius_arcsec"}

log = logging.getLogger("vo_lib")


class VirtualObservatory(ABC):
    """A survey: how to request the data of a source, and how to interpret the answer.

    Parameters
    ----------
    name : str, optional
        Must be the attribute `name`, in any case; any other name is an error.
    reducer : dict, optional
        Options of `reduce` that override its defaults; ``gap`` and ``radius`` are short for ``gap_days`` and
        ``radius_arcsec``. The workflow ignores them and takes the options of the configuration.
    credentials : dict, optional
        Ignored, with a warning in the log: secrets come from the environment, see the attribute of this name.
    **parameters
        Fields of `Parameters`; each has a default.

    Attributes
    ----------
    pars : Parameters
        The parameters. They are immutable, so threads may share an observatory. Each attribute below may be
        a property that depends on them.
    reducer : dict
        Options of `reduce`; may be reassigned.
    name : str
        Name of the survey in capitals, as used in file names.
    raw_schema : int
        Version of the format of the raw data; the workflow fetches them again when it increases.
    columns : dict of str to tuple
        Type (``i8``, ``f8`` or ``S`` with a width), unit and description of each column that an
        answer must have.
    time : TimeSystem
        Scale, reference, stamp and zero point of the times of epochs.
    site : tuple of float or None
        Longitude east [degrees], latitude [degrees] and height [m], or None for the geocentre.
    filters : tuple of str
        All filters by their names in lightcurves, such as ``ztf-g``.
    bad_flag_mask : int
        Bits of the survey's flag that make an epoch unusable; -1 for any bit.
    flag_presets : dict of str to int
        Other common choices of such bits, by name; see `flag_mask`.
    saturation_mag : dict of str to float
        Saturation limit of each filter [mag, AB]: brighter epochs are saturated. A filter without an entry has none.
    gap_days : float
        Pause that starts a new lightcurve unless the configuration sets another [days].
    usual_options : dict
        Options of the reduction that the survey's section of the configuration may override. A limit on
        magnitudes among them is ignored if ``catalog.mags`` names a column for the survey.
    measures_change : bool
        Whether fluxes are differences from a reference image; if so, magnitudes are not compared with the catalog's.
    asked_by : tuple of str
        Parameters that affect how the archive is queried but not what it answers.
    made_by : tuple of str
        Parameters that affect what `standardise` makes of the answers but not the answers themselves.
    service : str
        Archive that is queried; surveys of one archive share its connections. Empty if there is none.
    max_connections : int
        Limit on simultaneous connections to the archive, over all jobs of a run, unless the user sets another.
    pace : vo_lib.observatories.pace.Pace
        Limits the rate of requests, by default not at all; the caller may replace it before the first request.
    credentials : tuple of str
        Environment variables with the secrets that the survey needs, see `vo_lib.observatories.credentials`.
    requests_per_source, seconds_per_request : tuple of float or None
        Usual minimum and maximum, for estimates; None if not measured.
    epochs_per_source : float or None
        Usual number of epochs of a source that has data, for estimates; None if not measured.

    Raises
    ------
    ConfigError
        If a parameter is unknown, or its value has the wrong type or is out of range.
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
        self.pars = make_parameters(self.Parameters, parameters, self.name)
        self.reducer = {**self.usual_options, **(reducer or {})}

    def __repr__(self):
        pars = (f"{field.name}={getattr(self.pars, field.name)!r}" for field in fields(self.pars))
        return f"{type(self).__name__}({', '.join(pars)})"

    @property
    def release(self):
        """Data release that is queried, empty if the survey has only one; after a change the data are fetched again."""
        return getattr(self.pars, "release", "")

    def flag_mask(self, choice):
        """Return the bits of the survey's flag that make an epoch bad.

        Parameters
        ----------
        choice : str or int
            A name in `flag_presets`, ``default`` (for `bad_flag_mask`), ``none``, ``any``, or the bits themselves.

        Returns
        -------
        int
            -1 for any bit.

        Raises
        ------
        ConfigError
            If the name is unknown.
        """
        presets = {"none": 0, "any": -1, "default": self.bad_flag_mask, **self.flag_presets}
        if isinstance(choice, str) and choice not in presets:
            raise ConfigError(f"{self.name}: '{choice}' is not a choice of bad flags; {hint(choice, presets)}")
        return presets.get(choice, choice)

    @property
    def kb_per_source(self):
        """Usual size of the epochs of a source in the raw archive [kB], or None if unknown."""
        return None if self.epochs_per_source is None else self.epochs_per_source * self.dtype.itemsize / 1000

    @property
    def dtype(self):
        """Compound type of an answer with exactly the columns of `columns`."""
        return np.dtype([(name, kind) for name, (kind, _, _) in self.columns.items()])

    def empty_table(self):
        """Return an answer without epochs, for a source of which the survey has no data."""
        return np.zeros(0, self.dtype)

    @abstractmethod
    def fetch_data_from_observatory(self, cat_row):
        """Fetch the survey's data of one source.

        Call ``self.pace.wait()`` before each request; the client of `vo_lib.observatories.network` does so.

        Parameters
        ----------
        cat_row : dict
            Row of the catalog: name, ra, dec [degrees], pmra, pmdec [mas/yr], epoch [yr], mag and
            others; all but the first three may be None, NaN or missing.

        Returns
        -------
        data : ndarray, shape (n_epochs,)
            Structured array with the columns as the survey sent them; zero rows if it has no data.
        altdata : dict
            Metadata, as JSON values: what was requested, and what the archive sent beside the table.

        Raises
        ------
        ServiceError
            If there is no usable answer. It is not an error that a source has no data.
        """

    def download_from_observatory(self, cat_row):
        """Call `fetch_data_from_observatory`; the name of this method in earlier systems."""
        return self.fetch_data_from_observatory(cat_row)

    @abstractmethod
    def standardise(self, data, altdata):
        """Convert a survey's own columns to those that all surveys share.

        Each epoch is converted independently, so `data` may hold the epochs of one source or of many.

        Parameters
        ----------
        data : ndarray, shape (n_epochs,)
            Structured array with the columns of `columns`; it is not modified.
        altdata : dict
            Metadata of `fetch_data_from_observatory`; values may also be arrays with an element per epoch.

        Returns
        -------
        dict of str to ndarray, each of shape (n_epochs,)
            time (see the attribute ``time``) [days], exptime [s], ra, dec [degrees, ICRS],
            flag (int64), filter (text), series (text or int64), and either mag and magerr [AB] or flux and
            fluxerr [uJy]. A series is what the survey calls one object or readout. If it is an object,
            readout (text) may name the field, detector or channel, for calibrators that fit its zero point.
        """

    def reduce(self, cat_row, data=None, altdata=None, *, data_type="photometry", **options):
        """Reduce the data of one source to lightcurves.

        Parameters
        ----------
        cat_row : dict or vo_lib.dataset.RawPhotometry
            Row of the catalog, see `fetch_data_from_observatory`; or raw photometry, which includes the row, the
            epochs and the metadata.
        data : ndarray, shape (n_epochs,), optional
            Epochs as the survey sent them; not with raw photometry.
        altdata : dict, optional
            Metadata that came with the epochs.
        data_type : str, optional
            ``photometry`` or one of its aliases in `DATA_TYPES`.
        **options
            See `vo_lib.reduce.reduce_bin`: ``gap_days``, ``radius_arcsec``, ``mag_range``, ...; they override those
            of the attribute ``reducer``.

        Returns
        -------
        vo_lib.reduce.Reduction or list of vo_lib.dataset.Lightcurve
            The lightcurves and what was left out; for raw photometry, a list of the lightcurves.

        Raises
        ------
        ValueError
            If the type of data is unknown or has no reduction.
        TypeError
            If a row of the catalog comes without its epochs.
        """
        check_data_type(data_type)
        if data is None:
            if not hasattr(cat_row, "reduced_by"):
                raise TypeError("data must be the epochs of the source, as fetch_data_from_observatory returns them")
            return cat_row.reduced_by(self, **options)
        options = {REDUCER_NAMES.get(key, key): value for key, value in (self.reducer | options).items()}
        numbers = ("ra", "dec", "pmra", "pmdec", "epoch", "mag")
        source = {name: np.array([cat_row.get(name)], dtype=float) for name in numbers}
        source |= {"name": np.array([cat_row["name"]]), "status": np.array(["ok" if len(data) else "empty"])}
        return self.reduce_photometry(source, data, [len(data)], altdata=altdata, **options)

    def reduce_photometry(self, sources, data, counts, *, altdata=None, **options):
        """Reduce the epochs of a bin's sources to lightcurves; override this if the default does not fit a survey.

        Large bins are split into blocks of sources, see `vo_lib.reduction.blocks`.

        Parameters
        ----------
        sources, data, counts, altdata, **options
            See `vo_lib.reduce.reduce_bin`, the default.

        Returns
        -------
        vo_lib.reduce.Reduction
            The lightcurves and what was left out; each epoch is in exactly one of the two.
        """
        from vo_lib.reduce import reduce_bin

        return reduce_bin(sources, data, counts, self, altdata=altdata, **options)


def _where_secrets_are(names):
    """Warning to a user who passes credentials as an argument."""
    if not names:
        return "credentials were given, but this survey needs none"
    return f"these credentials are ignored; set {' and '.join(names)} in the environment"


def check_data_type(name):
    """Raise `ValueError` unless a type of data, given by any of its names, can be reduced."""
    found = next((kind for kind, names in DATA_TYPES.items() if str(name).lower() in names), None)
    if found is None:
        raise ValueError(f"data_type '{name}' is not known; known are {', '.join(DATA_TYPES)}")
    if found != "photometry":
        raise ValueError(f"data_type '{name}' has no reduction; only photometry has")
