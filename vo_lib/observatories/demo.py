"""A simulated survey that behaves like a real one, for the demo and for tests; needs no network.

Service
    None: the epochs depend only on the source and the survey's seed, so they are always the same. A
    telescope on an imaginary mountain on the equator, from which both poles are visible, observed the
    sky from March 2018 to March 2021 in three filters.
Limits
    Each source is observed for seven months of the year, on clear nights. Only detections of 5 sigma are
    in the data, so the depth is about 20.8 mag. The survey has a hole without data, by default 0.5
    degrees around RA 123.5 Dec +20.0.
Times
    ``jd_start`` is the Julian date (UTC) at the start of the exposure.
Fluxes
    AB magnitudes with Gaussian noise in flux from photons, sky (seeing and moon) and a floor of 1 %.
Quality
    ``flags``: bit 0 (1) clouds, bit 1 (2) cosmic ray. Some epochs have bad seeing, and some of those
    have a position that is off by one or two arcseconds; neither is flagged.
Truth
    About 9 % of the sources, selected by a hash of their names, are flare stars (5 %), eclipsing (2.5 %)
    or pulsating (1.5 %). `VirtualDemo.truth` says which; only tests should use it.
Tried
    All of it.
"""

import hashlib
import time as clock
from dataclasses import dataclass

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.observatories import demo_sky as sky
from vo_lib.observatories.base import VirtualObservatory
from vo_lib.observatories.cat_row import number_of, position_at
from vo_lib.observatories.demo_events import add_events
from vo_lib.observatories.epoch_columns import label_filters
from vo_lib.observatories.parameters import check_range
from vo_lib.times import MJD_ZERO_JD, TimeSystem

__all__ = ["VirtualDemo"]

MIDDLE_YEAR = 2019.5
FILTERS = {"g": "demo-g", "r": "demo-r", "i": "demo-i"}

COLUMNS = {
    "objid": ("i8", "", "object: one for each star, field and filter"),
    "jd_start": ("f8", "d", "Julian date at the start of the exposure, UTC"),
    "exptime": ("f8", "s", "exposure time"),
    "filtercode": ("S1", "", "g, r or i"),
    "mag": ("f8", "mag", "magnitude, AB"),
    "magerr": ("f8", "mag", "error of mag"),
    "ra": ("f8", "deg", "right ascension measured at this epoch, ICRS"),
    "dec": ("f8", "deg", "declination measured at this epoch, ICRS"),
    "seeing": ("f8", "arcsec", "full width at half maximum of a star"),
    "flags": ("i8", "", "1 clouds, 2 cosmic ray"),
}


class VirtualDemo(VirtualObservatory):
    """The simulated survey; the module's docstring describes it.

    Parameters
    ----------
    **parameters
        Fields of `VirtualDemo.Parameters`.
    """

    name = "DEMO"
    raw_schema = 1
    time = TimeSystem("utc", "observatory", "start", 0.0)
    site = (-78.0, 0.0, 4000.0)
    filters = tuple(FILTERS.values())
    bad_flag_mask = sky.CLOUDS | sky.COSMIC_RAY
    columns = COLUMNS
    requests_per_source = (1, 1)

    @dataclass(frozen=True)
    class Parameters:
        """Properties of the simulated survey and of its archive.

        Parameters
        ----------
        seed : int
            Seed of the simulation; another seed gives another survey of the same sky.
        epochs_per_filter : int
            Mean number of visits of a source in each filter.
        hole_ra_deg, hole_dec_deg, hole_radius_deg : float
            Part of the sky that was not observed [degrees]; 0 as radius for none.
        empty_fraction : float
            Fraction of the sources, chosen at random, without data.
        fail_fraction : float
            Fraction of the sources, chosen at random, for which the archive fails.
        latency_s : float
            Time that each answer takes [s].
        """

        seed: int = 0
        epochs_per_filter: int = 100
        hole_ra_deg: float = 123.5
        hole_dec_deg: float = 20.0
        hole_radius_deg: float = 0.5
        empty_fraction: float = 0.0
        fail_fraction: float = 0.0
        latency_s: float = 0.0

        def __post_init__(self):
            limits = {
                "seed": (0, 2**63 - 1),
                "epochs_per_filter": (1, 100_000),
                "hole_ra_deg": (0, 360),
                "hole_dec_deg": (-90, 90),
                "hole_radius_deg": (0, 180),
                "empty_fraction": (0, 1),
                "fail_fraction": (0, 1),
                "latency_s": (0, 3600),
            }
            for name, (low, high) in limits.items():
                check_range(self, name, low, high)

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self._nights = sky.observe_weather(np.random.default_rng(_hash(self.pars.seed, "weather")))

    @property
    def seconds_per_request(self):
        """Time of an answer [s], set by the parameters."""
        return self.pars.latency_s, self.pars.latency_s

    @property
    def epochs_per_source(self):
        """Number of visits in all filters, set by the parameters."""
        return self.pars.epochs_per_filter * len(FILTERS)

    def fetch_data_from_observatory(self, cat_row):
        """Simulate the epochs of a source, ordered by object and time; see the base class."""
        self.pace.wait()
        clock.sleep(self.pars.latency_s)
        if _chance(self.pars.seed, "fail", cat_row["name"]) < self.pars.fail_fraction:
            raise ServiceError(f"the simulated archive failed for '{cat_row['name']}', as fail_fraction asks")
        if self._is_outside(cat_row):
            return self.empty_table(), {"simulated": True, "note": "the survey has no data there"}
        return self._simulate(cat_row)[0], {"simulated": True, "seed": self.pars.seed}

    def truth(self, cat_row):
        """Return the true events of a source, for tests.

        Parameters
        ----------
        cat_row : dict
            Row of the catalog.

        Returns
        -------
        list of dict
            Events that the survey saw, as from `vo_lib.observatories.demo_events.add_events`, but with
            the name of the filter, and with n_visible_epochs instead of visible: the number of unflagged
            epochs with a change of at least 5 standard deviations. Empty for most sources.
        """
        return [] if self._is_outside(cat_row) else self._simulate(cat_row)[1]

    def standardise(self, data, altdata):
        """Return the common columns, with one series per object; see the base class."""
        columns = {name: data[name].astype(np.float64) for name in ("mag", "magerr", "exptime", "ra", "dec")}
        return columns | {
            "time": data["jd_start"].astype(np.float64),
            "flag": data["flags"].astype(np.int64),
            "filter": label_filters(data["filtercode"], FILTERS),
            "series": data["objid"].astype(np.int64),
        }

    def _is_outside(self, cat_row):
        """Whether the survey has no data of a source, which is in its hole or chosen at random."""
        ra, dec = np.radians(position_at(cat_row, MIDDLE_YEAR))
        hole_ra, hole_dec = np.radians((self.pars.hole_ra_deg, self.pars.hole_dec_deg))
        haversine = np.sin((dec - hole_dec) / 2) ** 2
        haversine += np.cos(dec) * np.cos(hole_dec) * np.sin((ra - hole_ra) / 2) ** 2
        in_hole = np.degrees(2 * np.arcsin(np.sqrt(haversine))) < self.pars.hole_radius_deg
        return bool(in_hole) or _chance(self.pars.seed, "empty", cat_row["name"]) < self.pars.empty_fraction

    def _simulate(self, cat_row):
        """Epochs and true events of a source."""
        rng = np.random.default_rng(_hash(self.pars.seed, "epochs", cat_row["name"]))
        visits = sky.make_visits(rng, cat_row["ra"], self._nights, self.pars.epochs_per_filter)
        quiet = sky.quiet_flux(rng, number_of(cat_row, "mag"), visits)
        scatter = rng.standard_normal((3, len(quiet)))
        visits["calm"] = (visits["flags"] == 0) & ~visits["astray"] & (np.abs(scatter) < 1.5).all(axis=0)
        visits["noise"] = sky.estimate_noise(quiet, visits)
        flux, events = add_events(rng, _chance("event", cat_row["name"]), quiet, visits)
        flux, noise = sky.measure_flux(rng, flux, visits, scatter[0])
        seen = flux > sky.LIMIT_SNR * noise
        for event in events:
            event["filter"] = self.filters[event["filter"]]
            event["n_visible_epochs"] = int((event.pop("visible") & seen).sum())
        data = self._tabulate(cat_row, visits, flux, noise, scatter[1:])
        order = np.flatnonzero(seen)
        return data[order[np.lexsort((data["jd_start"][order], data["objid"][order]))]], events

    def _tabulate(self, cat_row, visits, flux, noise, scatter):
        """Table of all visits, in the columns of the survey."""
        data = np.empty(len(flux), self.dtype)
        star = _hash("star", cat_row["name"]) % 10**8
        data["objid"] = visits["field"] * 10**15 + (visits["filter"] + 1) * 10**14 + star
        data["jd_start"] = visits["mjd"] - sky.EXPTIME_S / 172800 + MJD_ZERO_JD
        data["exptime"] = sky.EXPTIME_S
        data["filtercode"] = np.array(list(FILTERS), "S1")[visits["filter"]]
        # Non-detections have no magnitude and are removed from the table later.
        bright = np.maximum(flux, noise)
        data["mag"] = sky.ZERO_POINT - 2.5 * np.log10(bright)
        data["magerr"] = 2.5 / np.log(10) * noise / bright
        data["ra"], data["dec"] = sky.measure_position(cat_row, visits, bright / noise, scatter)
        data["seeing"], data["flags"] = visits["seeing"], visits["flags"]
        return data


def _hash(*parts):
    """Integer of 63 bits that depends only on the given texts and numbers."""
    text = "\0".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _chance(*parts):
    """Number in [0, 1) that depends only on the given texts and numbers."""
    return _hash(*parts) / 2**63
