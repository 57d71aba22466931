"""Names of files and of the keys inside them: the one place that knows both.

All file names are relative to the data root. The functions take either real
names or Snakemake wildcards such as ``{obs}``, so rules and library agree.
"""

import re
from urllib.parse import quote, unquote

__all__ = [
    "RESERVED_KEYS",
    "analysis_file",
    "bin_histograms_file",
    "decode_key",
    "encode_key",
    "failures_file",
    "histograms_file",
    "lightcurve_key",
    "manifest_file",
    "project_folder",
    "rates_file",
    "raw_file",
    "reduced_file",
]

RESERVED_KEYS = frozenset({"columns", "index", "left_out", "metadata", "sources"})


def project_folder(name, digest=None):
    """Folder of a project: its name in capitals, with the config's hash under version control."""
    return name.upper() if digest is None else f"{name.upper()}_{digest}"


def raw_file(obs, bin_name, release=""):
    """Raw archive of one observatory and bin, shared by all projects; each data release has a folder of its own."""
    folder = re.sub("[^a-z0-9.]+", "_", release.lower())
    return f"{obs}/{folder}/{obs}_photometry_{bin_name}.h5" if folder else f"{obs}/{obs}_photometry_{bin_name}.h5"


def manifest_file(project, obs, bin_name):
    """What a project has of one raw archive: its sources with their status."""
    return f"{project}/manifests/{obs}_photometry_{bin_name}.jsonl"


def failures_file(project, obs, bin_name):
    """Sources of one survey and bin that the latest download could not get; absent when there are none."""
    return f"{project}/failures/{obs}_{bin_name}.json"


def reduced_file(project, obs, bin_name):
    """Reduced lightcurves of one observatory and bin."""
    return f"{project}/{obs}_photometry_{bin_name}_reduced.h5"


def analysis_file(project, bin_name):
    """Tables of one bin: properties, filters, series, detections, injections."""
    return f"{project}/{bin_name}_analysis.h5"


def bin_histograms_file(project, bin_name):
    """Histograms of one bin."""
    return f"{project}/{bin_name}_histograms.nc"


def histograms_file(project, name):
    """One histogram of the whole project."""
    return f"{project}/histograms_{name}.nc"


def rates_file(project):
    """Rates of events of the whole project."""
    return f"{project}/rates.csv"


def encode_key(name):
    """Key of a source in an HDF5 file: its name, percent-encoded where HDF5 or this format needs it.

    Letters, digits and ``_.-~+ `` and other printable marks stay; ``/``, ``%``, control and
    non-ASCII characters do not. Reserved names and names of only dots are encoded as a whole.
    """
    key = quote(name, safe=" !\"#$&'()*+,:;<=>?@[\\]^`{|}~")
    if name in RESERVED_KEYS or not name.strip("."):
        key = "".join(f"%{byte:02X}" for byte in name.encode())
    return key


def decode_key(key):
    """Name of a source from its key; inverse of `encode_key`."""
    return unquote(key)


def lightcurve_key(name, number, count):
    """Key of a reduced lightcurve: ``<name>_reduction_01_of_03``, counted from 1."""
    width = max(2, len(str(count)))
    return f"{encode_key(name)}_reduction_{number:0{width}d}_of_{count:0{width}d}"
