"""Columns that a catalog of sources has, with their units."""

__all__ = ["COLUMNS", "DEFAULT_EPOCH", "MAG_OF", "NEEDED", "TEXTS", "UNITS"]

# Unit of each column of numbers.
UNITS = {
    "ra": "deg",
    "dec": "deg",
    "pmra": "mas/yr",
    "pmdec": "mas/yr",
    "parallax": "mas",
    "epoch": "yr",
    "mag": "mag",
    "mag_err": "mag",
}
COLUMNS = ("name", *UNITS, "mag_filter")
TEXTS = frozenset(COLUMNS) - UNITS.keys()
NEEDED = ("name", "ra", "dec")

DEFAULT_EPOCH = 2016.0  # Gaia DR3, Gaia Collaboration 2023, A&A 674, A1

# Prefix of columns with the magnitude for one survey; the survey's name in lower case follows.
MAG_OF = "mag_of_"
