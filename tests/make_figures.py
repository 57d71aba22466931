"""Data of figures for tests, and what was drawn of them."""

import numpy as np

PNG = b"\x89PNG\r\n\x1a\n"


def lightcurve(n=40, **changes):
    random = np.random.default_rng(1)
    flux = random.normal(1000.0, 10.0, n)
    columns = {"mjd": 58000.0 + np.arange(n), "flux": flux, "fluxerr": np.full(n, 10.0)}
    columns |= {"mag": 23.9 - 2.5 * np.log10(flux), "magerr": np.full(n, 0.011)}
    return columns | {"obs": np.array("ZTF"), "filter": np.array("ztf-g")} | changes


def labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def points(ax):
    """Points of all error bars of axes by label: (x, y)."""
    return {bars.get_label(): bars.lines[0].get_data() for bars in ax.containers}
