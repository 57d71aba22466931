"""A small catalog of invented sources for tests and first steps, with difficult cases on purpose."""

from pathlib import Path

import numpy as np

from vo_lib import hdf5
from vo_lib.catalogs.columns import DEFAULT_EPOCH, UNITS
from vo_lib.files import replacing
from vo_lib.tables import write_csv

__all__ = ["make_test_catalog", "write_catalog"]

# Name, ra, dec [degrees] and values that differ from those of an ordinary star.
_SPECIAL = (
    ("at RA 0", 0.0, 12.5, {}),
    ("before RA 360", 359.9999, -12.5, {}),
    ("at the north pole", 0.0, 90.0, {}),
    ("at the south pole", 180.0, -90.0, {}),
    ("one of a pair", 200.25, -5.5, {}),
    ("other of a pair", 200.25, -5.5, {"mag": 19.0}),
    ("fast star", 269.452, 4.739, {"pmra": -801.6, "pmdec": 10362.4, "parallax": 547.0}),  # as fast as Barnard's star
    ("no data", 123.5, 20.0, {}),  # in the part of the sky that the survey DEMO does not have
    ("position alone", 45.5, 30.0, dict.fromkeys(set(UNITS) - {"ra", "dec", "epoch"}, np.nan) | {"mag_filter": ""}),
    ("comma, blank + sign", 45.75, -30.0, {}),
)


def make_test_catalog(n_random=10, *, seed=0):
    """Make a catalog of sources at special positions and at random ones.

    Parameters
    ----------
    n_random : int, optional
        Number of sources uniformly distributed over the sky, with magnitudes from 15 to 20. They follow sources at
        right ascension 0 and just below 360, at the poles, two at one position, a star of high proper motion, one
        without data in the survey DEMO, one without any optional value and one with a comma in its name.
    seed : int, optional
        Seed of the random numbers.

    Returns
    -------
    dict of str to ndarray
        The columns of `vo_lib.catalog.read_catalog`; identical for identical arguments.
    """
    rng = np.random.default_rng(seed)
    n_sources = len(_SPECIAL) + n_random
    table = {
        "name": np.array([name for name, *_ in _SPECIAL] + [f"random {number}" for number in range(n_random)]),
        "ra": rng.uniform(0, 360, n_sources),
        "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n_sources))),
        "pmra": rng.normal(0, 20, n_sources),
        "pmdec": rng.normal(0, 20, n_sources),
        "parallax": rng.uniform(0.1, 10, n_sources),
        "epoch": np.full(n_sources, DEFAULT_EPOCH),
        "mag": rng.uniform(15, 20, n_sources),
        "mag_err": rng.uniform(0.01, 0.1, n_sources),
        "mag_filter": rng.choice(["R", "I", "V"], n_sources),
    }
    for row, (_, ra, dec, others) in enumerate(_SPECIAL):
        for name, value in {"ra": ra, "dec": dec, **others}.items():
            table[name][row] = value
    return table


def write_catalog(path, table):
    """Write a catalog to a file that the workflow can read.

    Parameters
    ----------
    path : str or Path
        The file, with the extension ``.csv``, ``.fits``, ``.h5`` or ``.hdf5``, which determines its format.
    table : dict of str to ndarray, each of shape (n_sources,)
        See `vo_lib.catalog.read_catalog`.

    Raises
    ------
    ValueError
        For any other extension.
    """
    ending = Path(path).suffix.lower()
    if ending not in _WRITERS:
        raise ValueError(f"{path}: the ending of a catalog must be one of {', '.join(_WRITERS)}")
    _WRITERS[ending](path, table)


def _write_csv(path, table):
    """Write CSV, with empty cells for missing values."""
    write_csv(path, [table])


def _write_fits(path, table):
    """Write a FITS binary table with units."""
    from astropy.table import Table

    with replacing(path) as part:
        units = {name: unit for name, unit in UNITS.items() if name in table}
        Table(table, units=units).write(part, format="fits")


def _write_hdf5(path, table):
    """Write HDF5 with one compound dataset."""
    with hdf5.Writer(path) as writer:
        writer.write_table("catalog", table)


_WRITERS = {".csv": _write_csv, ".fits": _write_fits, ".h5": _write_hdf5, ".hdf5": _write_hdf5}
