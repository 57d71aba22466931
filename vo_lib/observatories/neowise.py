"""NEOWISE: single exposures of the reactivation mission in W1 and W2, from IRSA.

Service
    One synchronous TAP query of ``neowiser_p1bs_psd`` per source, without a login; it takes one or two
    minutes. Errors arrive with status 200. The table lists detections that are not assigned to objects.
    The query is therefore for a circle around the position in the middle of the mission, widened by the
    proper motion, and only detections near the source at their own time are kept; ``altdata`` has the
    number of the others.
Limits
    All sky, 2013-12-13 to 2024-08-01, about twelve exposures every half year; W1 8-15.5, W2 7-14 mag
    (Vega). The archive has one row for both bands, also if a source is detected in only one of them. An
    epoch of a lightcurve is a measurement in one filter, so the raw table has one row per band, with the
    columns ``w1mpro`` and ``w2mpro`` as ``mpro`` and so on; columns of the exposure are in both rows. A
    pause of 250 days starts a new lightcurve.
Times
    ``mjd`` is UTC at the spacecraft, documented as the middle of the exposure of 7.7 s. It is late by
    1.57 s before MJD 57196.47882488 and by 0.57 s since, both to within 0.25 s, which `standardise`
    corrects: Explanatory Supplement, section I.2.c.iii.1. The spacecraft is 0.02 light seconds from the
    geocentre.
Fluxes
    Magnitudes from profile fits, Vega, converted to AB by adding 2.699 (W1) and 3.339 (W2), which is valid
    for sources with the spectrum of Vega. Where ``sigmpro`` is null, ``mpro`` is a limit and the epoch has no
    magnitude. The raw ``flux`` is in counts on the scale of its exposure, which the table does not have.
    Magnitudes are not compared with the catalog's, which are at other wavelengths, unless ``catalog.mags``
    has a column for neowise or ``mag_range`` is set in the survey's own ``reduce``.
Quality
    Bit 0: ``qual_frame`` is 0. Bit 1: ``qi_fact`` is 0. Bit 2: ``saa_sep`` is not above 0; 5 would be
    stricter. Bit 3: ``moon_masked`` in the band. Bit 4: an artefact by ``cc_flags`` of the band (capital
    letter); bit 5: possibly contaminated by one (small letter). Bit 6: blended (``nb`` above 1 or ``na``
    above 0). Bit 7: saturated (``sat`` above 0, or brighter than 8 in W1 and 7 in W2). Bit 8: a limit. A
    missing value counts as bad. All bits are bad.
Tried
    A genuine error report of IRSA is read; the detections are invented, from a local stand-in, as no genuine
    ones were available. The archive itself was not queried.
Reference
    Mainzer et al. 2014, ApJ 792, 30; NEOWISE Explanatory Supplement, section II.3;
    offsets: Jarrett et al. 2011, ApJ 735, 112, and WISE All-Sky Explanatory Supplement, section IV.4.h.
    Acknowledge NEOWISE, JPL/Caltech, NASA, and IRSA.
"""

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from vo_lib.observatories.answers import read_cone_answer
from vo_lib.observatories.bands import split_bands
from vo_lib.observatories.cat_row import cone_radius_deg, position_at
from vo_lib.observatories.epoch_columns import add_columns, flag_bits, label_filters
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url
from vo_lib.observatories.parameters import check_range
from vo_lib.observatories.tap import cone_query
from vo_lib.positions import offsets
from vo_lib.times import MJD_J2000, TimeSystem

__all__ = ["VirtualNEOWISE"]

TABLE = "neowiser_p1bs_psd"
# Year of the queried positions, the middle of the mission, and how far from it the epochs are.
MIDDLE_YEAR, HALF_SPAN_YEARS = 2019.3, 5.4

FILTERS = {"W1": "neowise-w1", "W2": "neowise-w2"}
AB_MINUS_VEGA = {"W1": 2.699, "W2": 3.339}
SATURATED_MAG = {"W1": 8.0, "W2": 7.0}
EXPTIME_S = 7.7
# When the delay of the times changed, and the delays before and after [s].
DELAY_CHANGE_MJD, DELAYS_S = 57196.47882488, (1.57, 0.57)

SHARED = {
    "source_id": ("S16", "", "detection: exposure and number"),
    "ra": ("f8", "deg", "right ascension measured in this exposure, ICRS"),
    "dec": ("f8", "deg", "declination measured in this exposure, ICRS"),
    "mjd": ("f8", "d", "modified Julian date in the middle of the exposure, UTC, late by 1.57 or 0.57 s"),
    "qual_frame": ("f8", "", "quality of the exposure: 0, 5 or 10"),
    "qi_fact": ("f8", "", "sharpness of the exposure: 0, 0.5 or 1"),
    "saa_sep": ("f8", "deg", "distance from the South Atlantic Anomaly, negative inside"),
    "moon_masked": ("S4", "", "1 for each band that moonlight spoils"),
    "cc_flags": ("S4", "", "artefact at the source for each band, 0 for none"),
    "nb": ("f8", "", "sources fitted together"),
    "na": ("f8", "", "1 if split into several sources"),
    "allwise_cntr": ("S20", "", "number of the nearest source of AllWISE, or nothing"),
}
PER_BAND = {
    "mpro": ("f8", "mag", "magnitude from a profile fit, Vega; a limit without sigmpro"),
    "sigmpro": ("f8", "mag", "error of mpro; none for a limit"),
    "flux": ("f8", "", "flux from the profile fit, in counts"),
    "sigflux": ("f8", "", "error of flux, in counts"),
    "rchi2": ("f8", "", "reduced chi squared of the fit"),
    "sat": ("f8", "", "fraction of saturated pixels"),
}
BANDS = {band: {name: f"{band.lower()}{name}" for name in PER_BAND} for band in FILTERS}
SENT = SHARED | {own[name]: PER_BAND[name] for own in BANDS.values() for name in PER_BAND}
COLUMNS = (
    {"band": ("S2", "", "W1 or W2")}
    | SHARED
    | PER_BAND
    | {"separation": ("f8", "arcsec", "distance from the source where it was then")}
)


class VirtualNEOWISE(NetworkObservatory):
    """Single exposures of NEOWISE; the module's docstring describes them.

    Parameters
    ----------
    **parameters
        Fields of `VirtualNEOWISE.Parameters`.
    """

    name = "NEOWISE"
    service = "irsa"
    raw_schema = 1
    time = TimeSystem("utc", "observatory", "mid", 2400000.5)
    site = None
    filters = tuple(FILTERS.values())
    bad_flag_mask = 511
    gap_days = 250.0
    # Catalog magnitudes in other filters are not comparable with infrared ones.
    usual_options = MappingProxyType({"mag_range": None})
    columns = COLUMNS
    requests_per_source = (1, 1)
    # Measured by users of IRSA in 2026.
    seconds_per_request = (75, 95)
    # Twelve exposures in two bands every half year from December 2013 to July 2024.
    epochs_per_source = 12 * 2 * 21

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """Parameters of the requests for NEOWISE.

        Parameters
        ----------
        url : str
            URL for synchronous TAP queries.
        radius_arcsec : float
            Maximum distance of a detection from the position of the source at that time [arcsec].
        timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.network.NetworkParameters`.
        """

        url: str = "https://irsa.ipac.caltech.edu/TAP/sync"
        radius_arcsec: float = 3.0

        def __post_init__(self):
            NetworkParameters.__post_init__(self)
            check_url(self.url)
            check_range(self, "radius_arcsec", 0.1, 60)

    def fetch_data_from_observatory(self, cat_row):
        """Fetch all detections near the source's path; see the base class."""
        *place, radius_deg = self._circle(cat_row)
        form = cone_query(TABLE, SENT, *place, radius_deg)
        read = partial(read_cone_answer, columns=SENT, ra=place[0], dec=place[1], radius_deg=radius_deg)
        sent = self._client.post(self.pars.url, form, read=read)
        sent = add_columns(sent, separation=_separation(sent, cat_row))
        near = sent["separation"] <= self.pars.radius_arcsec
        data = split_bands(sent[near], COLUMNS, BANDS)
        return data, {"url": self.pars.url, "query": form, "n_beyond_radius": int((~near).sum())}

    def _circle(self, cat_row):
        """Centre and radius [degrees] of a circle that contains the source's path during the mission."""
        ra, dec = position_at(cat_row, MIDDLE_YEAR)
        return ra, dec, cone_radius_deg(cat_row, self.pars.radius_arcsec, HALF_SPAN_YEARS)

    def standardise(self, data, altdata):
        """Return the common columns of NEOWISE detections, as one series; see the base class."""
        is_limit = ~np.isfinite(data["sigmpro"])
        return {
            "time": data["mjd"] - np.where(data["mjd"] < DELAY_CHANGE_MJD, *DELAYS_S) / 86400,
            "exptime": np.full(len(data), EXPTIME_S),
            "ra": data["ra"].astype(np.float64),
            "dec": data["dec"].astype(np.float64),
            "mag": np.where(is_limit, np.nan, data["mpro"] + _by_band(data, AB_MINUS_VEGA)),
            "magerr": data["sigmpro"].astype(np.float64),
            "flag": _flag(data, is_limit),
            "filter": label_filters(data["band"], FILTERS),
            "series": np.full(len(data), "single"),
        }


def _separation(sent, cat_row):
    """Distance of each detection from the source at the time of the detection [arcsec]."""
    ra, dec = position_at(cat_row, 2000 + (sent["mjd"] - MJD_J2000) / 365.25)
    return np.hypot(*offsets(sent["ra"], sent["dec"], ra, dec))


def _by_band(data, values):
    """Value for the band of each row."""
    return np.select([data["band"] == band.encode() for band in values], list(values.values()), np.nan)


def _character(data, name):
    """Character for the row's band in a text with one character per band; empty if the text is too short."""
    width = max(len(FILTERS), data.dtype[name].itemsize)
    characters = data[name].astype(f"S{width}").view("S1").reshape(len(data), width)
    return np.where(data["band"] == b"W1", characters[:, 0], characters[:, 1])


def _flag(data, is_limit):
    """Quality bits, lowest first; a missing value counts as bad."""
    artefact = _character(data, "cc_flags")
    bits = (
        ~(data["qual_frame"] > 0),
        ~(data["qi_fact"] > 0),
        ~(data["saa_sep"] > 0),
        _character(data, "moon_masked") != b"0",
        np.char.isupper(artefact),
        (artefact != b"0") & ~np.char.isupper(artefact),
        ~((data["nb"] <= 1) & (data["na"] <= 0)),
        ~(data["sat"] <= 0) | (data["mpro"] < _by_band(data, SATURATED_MAG)),
        is_limit,
    )
    return flag_bits({1 << place: found for place, found in enumerate(bits)})
