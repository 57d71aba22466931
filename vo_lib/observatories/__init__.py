"""Surveys by name; the module of a survey is imported only when its class is requested."""

from vo_lib.errors import ConfigError, hint
from vo_lib.plugins import load_class

__all__ = ["OBSERVATORIES", "get_class"]

OBSERVATORIES = {
    "ASASSN": "vo_lib.observatories.asassn:VirtualASASSN",
    "ATLAS": "vo_lib.observatories.atlas:VirtualATLAS",
    "DEMO": "vo_lib.observatories.demo:VirtualDemo",
    "FILES": "vo_lib.observatories.files:VirtualFiles",
    "PANSTARRS": "vo_lib.observatories.panstarrs:VirtualPanSTARRS",
    "GAIA": "vo_lib.observatories.gaia:VirtualGaia",
    "NEOWISE": "vo_lib.observatories.neowise:VirtualNEOWISE",
    "TESS": "vo_lib.observatories.tess:VirtualTESS",
    "KEPLER": "vo_lib.observatories.kepler:VirtualKepler",
    "ZTF": "vo_lib.observatories.ztf:VirtualZTF",
    "ZTF_FORCED": "vo_lib.observatories.ztf_forced:VirtualZTFForced",
}


def get_class(name):
    """Return the class of a survey.

    Parameters
    ----------
    name : str
        A key of `OBSERVATORIES`.

    Returns
    -------
    type
        Subclass of `vo_lib.observatories.base.VirtualObservatory`.

    Raises
    ------
    ConfigError
        If the name is not known; the message suggests the nearest known one.
    """
    if name not in OBSERVATORIES:
        raise ConfigError(f"observatory '{name}' is not known; {hint(name.upper(), OBSERVATORIES)}")
    return load_class(OBSERVATORIES[name])
