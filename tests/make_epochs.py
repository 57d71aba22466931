"""Raw epochs for tests: a survey whose columns need no conversion, and bins with known answers."""

import numpy as np

from vo_lib.times import TimeSystem

DTYPE = np.dtype(
    [
        ("time", "f8"),
        ("exptime", "f8"),
        ("ra", "f8"),
        ("dec", "f8"),
        ("flag", "i8"),
        ("filter", "U8"),
        ("series", "U8"),
        ("flux", "f8"),
        ("fluxerr", "f8"),
    ]
)


class PlainSurvey:
    """A survey that sends standard columns; bits 2 and 4 of its flag are bad, bit 1 is not."""

    name = "PLAIN"
    time = TimeSystem("utc", "observatory", "mid", 2400000.5)
    site = None
    bad_flag_mask = 6
    gap_days = 40.0
    measures_change = False

    def standardise(self, data, altdata):
        """Columns as they were sent; `altdata` may replace some."""
        return {name: data[name] for name in data.dtype.names} | altdata


class MagnitudeSurvey(PlainSurvey):
    """The same with magnitudes, for which the columns are misused."""

    def standardise(self, data, altdata):
        """Columns as they were sent, flux read as magnitude."""
        common = super().standardise(data, altdata)
        return common | {"mag": common.pop("flux"), "magerr": common.pop("fluxerr")}


def make_epochs(time, **values):
    """Make raw epochs at some times [MJD]; what is not given is quiet and near RA 10, Dec 20."""
    data = np.zeros(len(time), DTYPE)
    defaults = {
        "exptime": 30.0,
        "ra": 10.0,
        "dec": 20.0,
        "filter": "plain-g",
        "series": "1",
        "flux": 100.0,
        "fluxerr": 1.0,
    }
    for name, value in (defaults | values | {"time": time}).items():
        data[name] = value
    return data


def make_sources(names=("A",), **values):
    """Make catalog rows for some names, at RA 10, Dec 20 unless given."""
    return {"name": np.array(names, dtype=str)} | {
        name: np.broadcast_to(value, len(names)) for name, value in ({"ra": 10.0, "dec": 20.0} | values).items()
    }
