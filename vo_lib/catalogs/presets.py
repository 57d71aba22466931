"""Predefined catalogs, which a configuration names by ``catalog.default``."""

import re
from dataclasses import dataclass

from vo_lib.errors import ConfigError

__all__ = ["GAIA_EPOCHS", "PRESETS", "Preset", "find_preset"]

# Epochs of the positions of Gaia's releases: Gaia Collaboration 2016, A&A 595, A2; 2018, A&A 616, A1; 2021, 2023.
GAIA_EPOCHS = {"dr1": 2015.0, "dr2": 2015.5, "edr3": 2016.0, "dr3": 2016.0}


@dataclass(frozen=True)
class Preset:
    """A predefined catalog.

    Parameters
    ----------
    file : str
        Name of its file, decompressed.
    url : str
        Its address.
    aliases : tuple of str
        Other names for it, in lower case with blanks.
    epoch : float
        Epoch of its positions [Julian year].
    needed : tuple of str
        Required columns of `vo_lib.catalogs.columns.COLUMNS`.
    rows, min_rows : int
        Expected number of rows, and the minimum to accept.
    citation : str
        References to cite.
    """

    file: str
    url: str
    aliases: tuple
    epoch: float
    needed: tuple
    rows: int
    min_rows: int
    citation: str


PRESETS = {
    "gentile_fusillo_2021": Preset(
        file="gentile_fusillo_2021.fits",
        url="https://warwick.ac.uk/fac/sci/physics/research/astro/research/catalogues/gaiaedr3_wd_main.fits.gz",
        aliases=("wd", "wds", "white dwarf", "white dwarfs"),
        epoch=GAIA_EPOCHS["edr3"],
        needed=("name", "ra", "dec", "pmra", "pmdec", "parallax", "mag"),
        rows=1_280_266,  # reported by users of the file, not confirmed; any other number is a warning
        min_rows=1_000_000,
        citation=(
            "Gentile Fusillo et al. 2021, MNRAS 508, 3877, doi:10.1093/mnras/stab2672; "
            "ESA/Gaia/DPAC; Gaia Collaboration 2021, A&A 649, A1"
        ),
    )
}


def find_preset(name):
    """Return the key in `PRESETS` for any name of a catalog, in any case; raise `ConfigError` for an unknown one."""
    plain = re.sub(r"[\s_-]+", " ", name.strip().lower())
    for key, preset in PRESETS.items():
        if plain in (*preset.aliases, key.replace("_", " ")):
            return key
    known = ", ".join(preset.aliases[0].upper() for preset in PRESETS.values())
    raise ConfigError(f"configuration: catalog.default is '{name}'; known are {known}")
