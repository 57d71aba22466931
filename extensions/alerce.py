"""Alerts of ZTF from the broker ALeRCE: an example of a survey of your own.

The broker's objects around the source are queried, then the detections of each. A detection is a difference from a
reference image. If the broker gives no apparent AB magnitude, or 100, which stands for none, the epoch is flagged.
According to ZTF's description, times are MJD (UTC) at the start of a 30 s exposure. Förster et al. 2021, AJ 161, 242.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.observatories.answers import read_json_answer, rows_to_table
from vo_lib.observatories.base import label_filters, position_at
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters
from vo_lib.times import TimeSystem

__all__ = ["VirtualALeRCE"]

OBJECT = {"oid": ("S12", "", "object of the broker")}
DETECTION = {
    "mjd": ("f8", "d", "start of the exposure, UTC"),
    "fid": ("i8", "", "filter: 1 g, 2 r, 3 i"),
    "ra": ("f8", "deg", "right ascension measured at this epoch"),
    "dec": ("f8", "deg", "declination measured at this epoch"),
    "magpsf": ("f8", "mag", "magnitude of the difference, AB"),
    "sigmapsf": ("f8", "mag", "its error"),
    "isdiffpos": ("i8", "", "1: brighter than the reference, -1: fainter"),
    "magpsf_corr": ("f8", "mag", "apparent magnitude, AB; NaN where it is not known, 100 for no flux"),
    "sigmapsf_corr": ("f8", "mag", "its error; 100 for none"),
    "dubious": ("i8", "", "1: the broker does not trust the apparent magnitude"),
}
FILTERS = {"1": "alerce-g", "2": "alerce-r", "3": "alerce-i"}


class VirtualALeRCE(NetworkObservatory):
    """Alerts of ZTF around a source; flag 1: dubious, flag 2: no apparent magnitude or no error of it."""

    name, service = "ALERCE", "alerce"
    time = TimeSystem("utc", "observatory", "start", 2400000.5)
    site = (-116.8650, 33.3563, 1712.0)  # Palomar Observatory
    filters = tuple(FILTERS.values())
    columns = OBJECT | DETECTION

    @dataclass(frozen=True)
    class Parameters(NetworkParameters):
        """Parameters: URL of the broker, and radius around the position in 2021 [arcsec]."""

        url: str = "https://api.alerce.online/ztf/v1"
        radius_arcsec: float = 1.5

    def fetch_data_from_observatory(self, cat_row):
        """Fetch the objects around the source, then the detections of each."""
        ra, dec = position_at(cat_row, 2021.0)
        place = {"ra": f"{round(ra, 7) % 360:.7f}", "dec": f"{dec:.7f}"}
        query = place | {"radius": f"{self.pars.radius_arcsec:g}", "page_size": "100"}
        objects, rest = self._ask("", "items", query)
        if rest.get("has_next"):
            raise ServiceError("more objects than a page has; choose a smaller radius_arcsec")
        names = sorted(set(np.char.decode(rows_to_table(objects, OBJECT)["oid"]).tolist()))
        rows = [row | {"oid": name} for name in names for row in self._ask(f"{name}/lightcurve", "detections")[0]]
        return rows_to_table(rows, self.columns), {"query": query}

    def _ask(self, path, list_name, query=None):
        """List in an answer, and the rest of the answer."""
        read = partial(read_json_answer, list_name=list_name)
        return self._client.get(f"{self.pars.url}/objects/{path}", query, read=read)

    def standardise(self, data, altdata):
        """Return the common columns."""
        mag, magerr = (np.where(data[name] < 100, data[name], np.nan) for name in ("magpsf_corr", "sigmapsf_corr"))
        numbers = {"time": data["mjd"], "ra": data["ra"], "dec": data["dec"], "mag": mag, "magerr": magerr}
        return {name: values.astype(float) for name, values in numbers.items()} | {
            "exptime": np.full(len(data), 30.0),
            "flag": (data["dubious"] != 0) + 2 * np.isnan(mag + magerr),
            "filter": label_filters(data["fid"].astype("S1"), FILTERS),
            "series": np.char.decode(data["oid"]),
        }
