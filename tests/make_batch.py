"""Lightcurves for tests: white noise about a constant, with whatever is to be put in."""

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.segments import starts_from_counts


def make_batch(
    counts, *, seed=0, flux=1000.0, fluxerr=10.0, cadence=0.5, ra=10.0, dec=20.0, sources=None, filters=("demo-g",)
):
    """Make one lightcurve for each number of epochs, each of its own source unless `sources` names them."""
    random, starts = np.random.default_rng(seed), starts_from_counts(counts)
    n_epochs, n_lightcurves = int(starts[-1]), len(counts)
    values = random.normal(flux, fluxerr, n_epochs)
    mjd = 58000.0 + cadence * (np.arange(n_epochs) - np.repeat(starts[:-1], counts))
    scatter = random.normal(0.0, 2e-5, (2, n_epochs))
    columns = {
        "mjd": mjd,
        "bmjd_tdb": mjd + 0.001,
        "flux": values,
        "fluxerr": np.full(n_epochs, fluxerr),
        "mag": 23.9 - 2.5 * np.log10(np.where(values > 0, values, np.nan)),
        "magerr": np.full(n_epochs, fluxerr / flux * 1.0857),
        "exptime": np.full(n_epochs, 30.0),
        "ra": (ra + scatter[0] / np.cos(np.radians(dec))) % 360,
        "dec": dec + scatter[1],
        "flag": np.zeros(n_epochs, np.int64),
    }
    names = np.array([f"src{index}" for index in range(n_lightcurves)] if sources is None else sources, dtype="U16")
    table = {
        "key": np.array([f"{name}_reduction_{index}" for index, name in enumerate(names)], dtype="U40"),
        "source": names,
        "obs": np.full(n_lightcurves, "DEMO"),
        "filter": np.resize(np.array(filters), n_lightcurves),
        "series": np.full(n_lightcurves, "1"),
        "number": np.ones(n_lightcurves, np.int64),
        "count": np.ones(n_lightcurves, np.int64),
    }
    return LightcurveBatch(columns, starts, table)


def put(batch, lightcurve, epochs, **values):
    """Make a batch with some values of one lightcurve replaced; magnitudes follow the flux."""
    columns = {}
    for name, value in values.items():
        columns[name] = batch.columns[name].copy()
        columns[name][batch.starts[lightcurve] + np.asarray(epochs)] = value
    if "flux" in columns:
        flux = columns["flux"]
        columns["mag"] = 23.9 - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))
    return batch.with_columns(**columns)


def fingerprint(batch):
    """Everything in a batch as bytes, to see that nothing changed."""
    arrays = [*batch.columns.items(), *batch.table.items(), ("starts", batch.starts)]
    return [(name, values.tobytes()) for name, values in arrays]


def freeze(batch):
    """Make the arrays of a batch read-only, so that writing to them raises."""
    for values in (*batch.columns.values(), *batch.table.values(), batch.starts):
        values.setflags(write=False)
    return batch


def sources_of(batch, *extra):
    """Catalog rows of all sources of a batch, and of some without data."""
    names = [*dict.fromkeys(batch.table["source"].tolist()), *extra]
    number = len(names)
    return {
        "name": np.array(names, dtype="U16"),
        "ra": np.linspace(10, 10.5, number),
        "dec": np.linspace(-5, 5, number),
        "mag": np.where(np.arange(number) % 2, np.nan, 16.2),
    }
