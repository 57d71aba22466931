"""Survey photometry from a catalog of sources to lightcurves, detections and rates.

Importing this package connects to nothing, starts nothing and imports neither
Snakemake nor SQLAlchemy; each module is imported where it is needed.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
