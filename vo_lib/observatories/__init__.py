"""Surveys by name; the module of one is imported when it is asked for, not before."""

import difflib
import importlib

from vo_lib.errors import ConfigError

__all__ = ["OBSERVATORIES", "get_class", "load_class"]

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
    """Give the class of a survey.

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
        For a name that is not known; the message has the nearest that is.
    """
    if name not in OBSERVATORIES:
        raise ConfigError(f"observatory '{name}' is not known; {_nearest(name.upper(), OBSERVATORIES)}")
    return load_class(OBSERVATORIES[name])


def load_class(path):
    """Give the class that a text names.

    Parameters
    ----------
    path : str
        ``module:Class``, with any module that can be imported.

    Returns
    -------
    type

    Raises
    ------
    ConfigError
        When the text has another form, the module cannot be imported or has no such class.
    """
    module_name, colon, class_name = path.partition(":")
    if not (colon and module_name and class_name):
        raise ConfigError(f"'{path}' does not name a class; write it as module:Class")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ConfigError(f"'{path}': cannot import {module_name} ({error}); check its name and sys.path") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(f"'{path}': {module_name} has no class '{class_name}'; {_nearest(class_name, classes)}")
    return found


def _nearest(name, known):
    """Hint at the known name that is most like the given one."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(sorted(known))}"
