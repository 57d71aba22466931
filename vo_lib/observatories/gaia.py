"""Gaia DR3: photometry of each transit in G, BP and RP from ESA's archive.

Service
    Two requests per source, without a login. A TAP query of ``gaia_source`` finds the object nearest to
    the position in 2016.0; the DataLink service returns its epoch photometry. A source without an object,
    or whose ``has_epoch_photometry`` is false, is empty. It is polite to request one source at a time; the
    archive is sometimes closed for days.
Limits
    Epochs were published for 11.7 million sources, most of them variable, between July 2014 and May
    2017. Since 2025 the archive sends one row per transit; before, it sent one row per transit and band.
    The raw table always has the latter form, with the same values; a band with neither a time nor a
    flux has no row. ``ra``, ``dec``, ``pmra`` and ``pmdec`` are those of ``gaia_source``. Transits are
    weeks to months apart, so a pause of 400 days starts a new lightcurve.
    The archive's name for the form of the answer changes between its versions, and each version rejects
    the other's name. After ``data_structure``, the known names are tried, and the accepted one is kept
    for the rest of a bin. Each bin begins with ``data_structure``, so set it to the accepted name if the
    log reports retries.
Times
    Barycentric Julian date in TCB minus 2455197.5; for G, the mean of about nine CCDs crossed within
    44 s. Gaia itself is up to 6 light seconds from the geocentre, to which ``mjd`` refers.
Fluxes
    Electrons per second, converted to microjansky with the AB zero points of the release; an AB
    magnitude is the archive's Vega magnitude plus 0.1137 (G), 0.0154 (BP) or 0.3561 (RP). Errors are
    as sent; for bright sources in G they lack a floor of about 3 mmag.
Quality
    Bit 0: rejected by the photometric processing. Bit 1: rejected by the variability processing.
    Bits 8 and up: ``other_flags`` shifted by 8, which say which CCDs were left out; they are no reason
    to reject an epoch. A flag without a value is not set.
Tried
    A genuine answer of DR2 is read, in the form with a row per transit and band; the newer form and the
    query of ``gaia_source`` are those of a local stand-in. The archive itself was not queried.
Reference
    Gaia Collaboration 2016, A&A 595, A1; 2023, A&A 674, A1; Eyer et al. 2023, A&A 674, A13; Riello et
    al. 2021, A&A 649, A3, doi:10.1051/0004-6361/202039587. Acknowledge ESA/Gaia/DPAC.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.observatories.cat_row import number_of, position_at
from vo_lib.observatories.epoch_columns import label_filters
from vo_lib.observatories.gaia_answers import LONG, MATCH, is_true, read_epochs, read_match
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url
from vo_lib.observatories.parameters import check_choice, check_range
from vo_lib.photometry import AB_ZERO_POINT_UJY
from vo_lib.positions import displace
from vo_lib.times import TimeSystem

__all__ = ["VirtualGaia"]

# Epoch of the positions of Gaia DR3, and the zero point of its times [yr].
CATALOG_YEAR, ZERO_YEAR = 2016.0, 2010.0
TABLES = {"Gaia DR3": "gaiadr3.gaia_source"}

FILTERS = {"G": "gaia-g", "BP": "gaia-bp", "RP": "gaia-rp"}
# AB zero points of Gaia (E)DR3 [mag for 1 electron per second]: Gaia EDR3 documentation, section
# 5.4.1; Riello et al. 2021. Those of the Vega system are 25.6873668671, 25.3385422158 and 24.7478955012.
AB_ZERO_POINTS = {"gaia-g": 25.8010446445, "gaia-bp": 25.3539555559, "gaia-rp": 25.1039837393}
# A star needs 4.42 s to cross a CCD, and crosses nine for G: Gaia Collaboration 2016. Fewer for bright stars.
EXPTIME_S = {"gaia-g": 39.8, "gaia-bp": 4.42, "gaia-rp": 4.42}
OTHER_FLAGS_SHIFT = 8

# Names of the form with one table per source, before and since the archive of DR4, and the message that rejects a name.
STRUCTURES = ("INDIVIDUAL", "DATAMODEL_STANDARD")
REFUSED = "Invalid Data Structure"

COLUMNS = LONG | {name: MATCH[name] for name in ("ra", "dec", "pmra", "pmdec")}


class VirtualGaia(NetworkObservatory):
    """Epoch photometry of Gaia DR3; the module's docstring describes it.

    Parameters
    ----------
    **parameters
        Fields of `VirtualGaia.Parameters`.
    """

    name = "GAIA"
    service = "esac"
    max_connections = 1
    raw_schema = 1
    time = TimeSystem("tcb", "barycentre", "mid", 2455197.5)
    site = None
    filters = tuple(FILTERS.values())
    bad_flag_mask = 3
    gap_days = 400.0
    columns = COLUMNS
    # The second fetches the epochs, if the object has any.
    requests_per_source = (1, 2)
    # Name of the answer's form that the archive accepted last; empty before the first answer.
    _structure = ""

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """Parameters of the requests to Gaia's archive.

        Parameters
        ----------
        url : str
            URL for synchronous TAP queries.
        data_url : str
            URL of the DataLink service.
        release : str
            Data release; the zero points are those of Gaia DR3.
        radius_arcsec : float
            Radius around the position in 2016.0 within which the nearest object is taken [arcsec].
        data_structure : str
            The archive's name for an answer with one table per source; if it rejects the name, other
            names are tried.
        timeout_s, retries, retry_wait_s, contact
            See `vo_lib.observatories.network.NetworkParameters`.
        """

        url: str = "https://gea.esac.esa.int/tap-server/tap/sync"
        data_url: str = "https://gea.esac.esa.int/data-server/data"
        release: str = "Gaia DR3"
        radius_arcsec: float = 2.0
        data_structure: str = "INDIVIDUAL"

        def __post_init__(self):
            NetworkParameters.__post_init__(self)
            check_url(self.url)
            check_url(self.data_url)
            check_choice(self, "release", TABLES)
            check_range(self, "radius_arcsec", 0.1, 60)

    def fetch_data_from_observatory(self, cat_row):
        """Find the nearest object of Gaia and fetch its epochs; see the base class."""
        found, asked = self._find(cat_row)
        if not len(found):
            return self.empty_table(), asked | {"note": f"no object within {self.pars.radius_arcsec:g} arcsec"}
        best = found[np.argmin(found["dist"])]
        asked["match"] = _describe(best, cat_row, len(found))
        if best["has_epoch_photometry"].lower() != b"true":
            return self.empty_table(), asked | {"note": "the object has no epoch photometry"}
        epochs, query = self._fetch_epochs(best["source_id"])
        return _with_position(epochs, best), asked | {"data_url": self.pars.data_url, "data_query": query}

    @cached_property
    def _hasty_client(self):
        """As the usual one, but without a retry."""
        from vo_lib.observatories.http import HttpClient

        return HttpClient(**self._client_options | {"retries": 0})

    def _ask(self, query, read):
        """Epochs by a query; until the archive has accepted a name, at first without retries.

        It refuses a name with status 500, which by all retries takes 14 s and more, in each process.
        """
        options = {"read": read, "binary": True}
        if not self._structure:
            try:
                return self._hasty_client.get(self.pars.data_url, query, **options)
            except ServiceError as error:
                if REFUSED in str(error) or not self.pars.retries:
                    raise
        return self._client.get(self.pars.data_url, query, **options)

    def _fetch_epochs(self, source_id):
        """Epochs of an object, and the query."""
        read = partial(read_epochs, source_id=source_id)
        for name in dict.fromkeys((self._structure or self.pars.data_structure, *STRUCTURES)):
            query = {
                "RETRIEVAL_TYPE": "EPOCH_PHOTOMETRY",
                "ID": f"{self.pars.release} {source_id}",
                "RELEASE": self.pars.release,
                "DATA_STRUCTURE": name,
                "FORMAT": "csv",
                "VALID_DATA": "false",
            }
            try:
                epochs = self._ask(query, read)
            except ServiceError as error:
                if REFUSED not in str(error):
                    raise
                refusal = error
            else:
                self._structure = name
                return epochs, query
        raise refusal

    def _find(self, cat_row):
        """Objects inside the circle, and the query."""
        ra, dec = position_at(cat_row, CATALOG_YEAR)
        place = f"{round(ra, 8) % 360:.8f}, {dec:.8f}"
        columns = ", ".join(name for name in MATCH if name != "dist")
        adql = (
            f"SELECT {columns}, DISTANCE(POINT('ICRS', ra, dec), POINT('ICRS', {place})) AS dist "  # noqa: S608 - numbers
            f"FROM {TABLES[self.pars.release]} WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), "
            f"CIRCLE('ICRS', {place}, {self.pars.radius_arcsec / 3600:.8f})) ORDER BY dist ASC"
        )
        form = {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv", "QUERY": adql}
        found = self._client.post(self.pars.url, form, read=read_match)
        return found, {"url": self.pars.url, "query": form}

    def standardise(self, data, altdata):
        """Return the common columns of Gaia's transits, with one series per object; see the base class."""
        filters = label_filters(data["band"], FILTERS)
        zero_point = _by_filter(filters, AB_ZERO_POINTS)
        to_ujy = 10 ** (0.4 * (AB_ZERO_POINT_UJY - zero_point))
        years = np.nan_to_num(data["time"] / 365.25 + ZERO_YEAR - CATALOG_YEAR)
        east, north = (np.nan_to_num(data[name]) / 1000 * years for name in ("pmra", "pmdec"))
        ra, dec = displace(data["ra"], data["dec"], east=east, north=north)
        rejected = [is_true(data[f"rejected_by_{who}"]).astype(np.int64) for who in ("photometry", "variability")]
        return {
            "time": data["time"].astype(np.float64),
            "exptime": _by_filter(filters, EXPTIME_S),
            "ra": ra,
            "dec": dec,
            "flux": data["flux"] * to_ujy,
            "fluxerr": data["flux_error"] * to_ujy,
            "flag": rejected[0] | rejected[1] << 1 | data["other_flags"].astype(np.int64) << OTHER_FLAGS_SHIFT,
            "filter": filters,
            "series": data["source_id"].astype(np.int64),
        }


def _by_filter(filters, values):
    """Value of the filter of each epoch."""
    return np.select([filters == name for name in values], list(values.values()), np.nan)


def _describe(best, cat_row, n_objects):
    """Description of the match of object and source as JSON, with the 64-bit number as text."""
    match = {
        "source_id": str(best["source_id"]),
        "separation_arcsec": round(float(best["dist"]) * 3600, 6),
        "n_in_circle": n_objects,
    }
    if np.isfinite(mag := float(best["phot_g_mean_mag"])):
        match["phot_g_mean_mag"] = mag
        if (own := number_of(cat_row, "mag")) is not None:
            match["mag_difference"] = round(mag - own, 6)
    return match


def _with_position(epochs, best):
    """Epochs with the position and proper motion of their object."""
    kinds = [(name, epochs.dtype[name] if name in LONG else kind) for name, (kind, _, _) in COLUMNS.items()]
    data = np.empty(len(epochs), kinds)
    for name in COLUMNS:
        data[name] = epochs[name] if name in LONG else best[name]
    return data
