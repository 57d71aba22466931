"""Survey photometry from a catalog of sources to lightcurves, detections and rates.

Importing this package opens no connection, starts no process and imports neither
Snakemake nor SQLAlchemy; public names are loaded on first use::

    from vo_lib import Catalog, DataStore, Project, Session, Source, VirtualZTF
"""

from importlib import import_module

__all__ = [
    "Catalog",
    "DataStore",
    "Dataset",
    "Detection",
    "Event",
    "Histogram",
    "Injection",
    "Lightcurve",
    "PhotometricDataset",
    "Project",
    "Properties",
    "Provenance",
    "RawData",
    "RawPhotometry",
    "Session",
    "Source",
    "VirtualASASSN",
    "VirtualATLAS",
    "VirtualDemo",
    "VirtualFiles",
    "VirtualGaia",
    "VirtualKepler",
    "VirtualNEOWISE",
    "VirtualObservatory",
    "VirtualPanSTARRS",
    "VirtualTESS",
    "VirtualZTF",
    "VirtualZTFForced",
    "__version__",
    "find_detections",
    "find_lightcurves",
    "find_sources",
    "get_session",
    "insert_or_update",
    "load_connection",
]

__version__ = "0.1.0"

_MODULES = {
    "access": "DataStore",
    "dataset": "Dataset",
    "database.find": "find_detections find_lightcurves find_sources",
    "database.headers": "insert_or_update",
    "database.models": "Detection Event Histogram Injection Lightcurve Properties RawPhotometry Source",
    "database.session": "Session get_session load_connection",
    "catalogs.lazy": "Catalog",
    "observatories.base": "VirtualObservatory",
    "project": "Project",
    "provenance": "Provenance",
}
_PLACES = {name: (module, name) for module, names in _MODULES.items() for name in names.split()}
# Names from earlier editions of the specification.
_PLACES |= {"RawData": ("database.models", "RawPhotometry"), "PhotometricDataset": ("dataset", "Dataset")}


def __getattr__(name):
    """Load a public name on first use."""
    if name in _PLACES:
        module, attribute = _PLACES[name]
        return getattr(import_module(f"vo_lib.{module}"), attribute)
    if name in __all__:
        from vo_lib.observatories import OBSERVATORIES
        from vo_lib.plugins import load_class

        return load_class(next(path for path in OBSERVATORIES.values() if path.endswith(f":{name}")))
    raise AttributeError(f"module 'vo_lib' has no attribute '{name}'")


def __dir__():
    """List the names that tab completion offers."""
    return sorted({*globals(), *__all__})
