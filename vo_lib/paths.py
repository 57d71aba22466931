"""Names of files and of the keys in them, defined here and nowhere else.

All file names are relative to the data root. The functions take either real
names or Snakemake wildcards such as ``{obs}``, so rules and library agree.
"""

import hashlib
import re
from functools import lru_cache
from urllib.parse import quote, unquote

__all__ = [
    "PLOTS",
    "RESERVED_KEYS",
    "analysis_file",
    "bin_histograms_file",
    "combined_file",
    "decode_key",
    "encode_key",
    "failures_file",
    "histograms_file",
    "lightcurve_key",
    "manifest_file",
    "outage_folder",
    "pace_file",
    "page_file",
    "processed_file",
    "project_folder",
    "rates_file",
    "raw_file",
    "reduced_file",
    "simulated_file",
    "simulated_key",
    "verdicts_file",
]

LONGEST_PAGE = 180  # file names are limited to 255 bytes
# Figures of a project, files in ``plots`` in its folder.
PLOTS = (
    "sky",
    "sky_coverage",
    "downloads",
    "coverage",
    "filters",
    "exposure",
    "scores",
    "detections",
    "efficiency",
    "completeness",
    "rates",
)

RESERVED_KEYS = frozenset({"columns", "index", "left_out", "metadata", "sources", "zero_points"})


def project_folder(name, digest=None):
    """Return the folder of a project: its name in capitals, followed by the hash of the configuration if given."""
    return name.upper() if digest is None else f"{name.upper()}_{digest}"


def raw_file(obs, bin_name, release=""):
    """Return the raw archive of an observatory and bin, which all projects share; each release has its own folder."""
    folder = re.sub("[^a-z0-9.]+", "_", release.lower())
    return f"{obs}/{folder}/{obs}_photometry_{bin_name}.h5" if folder else f"{obs}/{obs}_photometry_{bin_name}.h5"


def manifest_file(project, obs, bin_name):
    """Return the manifest, which lists the sources of a project in one raw archive with their status."""
    return f"{project}/manifests/{obs}_photometry_{bin_name}.jsonl"


def outage_folder():
    """Return the folder that records unreachable surveys (`vo_lib.downloads.outage`), next to Snakemake's records."""
    return ".snakemake/outages"


def pace_file(service):
    """Return the file with the time of the last request to an archive, see `vo_lib.observatories.pace`."""
    return f".snakemake/pace/{service}"


def failures_file(project, obs, bin_name):
    """Return the file of the sources of a survey and bin that the latest download failed to get; absent if none."""
    return f"{project}/failures/{obs}_{bin_name}.json"


def reduced_file(project, obs, bin_name):
    """Return the file of reduced lightcurves of an observatory and bin."""
    return f"{project}/{obs}_photometry_{bin_name}_reduced.h5"


def processed_file(project, obs, bin_name):
    """Return the file of lightcurves of an observatory and bin with quality flags and S/N."""
    return f"{project}/{obs}_photometry_{bin_name}_processed.h5"


def simulated_file(project, obs, bin_name):
    """Return the file of copies of lightcurves of an observatory and bin with injected events."""
    return f"{project}/{obs}_photometry_{bin_name}_simulated.h5"


def combined_file(project, bin_name):
    """Return the file of combined lightcurves of a bin, all observatories together."""
    return f"{project}/{bin_name}_combined.h5"


def analysis_file(project, bin_name):
    """Return the file with the tables of a bin: properties, filters, series, detections, injections and more."""
    return f"{project}/{bin_name}_analysis.h5"


def bin_histograms_file(project, bin_name):
    """Return the file of the histograms of a bin."""
    return f"{project}/{bin_name}_histograms.nc"


def histograms_file(project, name):
    """Return the file of a histogram of the whole project."""
    return f"{project}/histograms_{name}.nc"


def rates_file(project):
    """Return the file of the event rates of the whole project."""
    return f"{project}/rates.csv"


def verdicts_file(project):
    """Return the file of all verdicts on the detections of a project that were read in."""
    return f"{project}/verdicts.csv"


def page_file(project, bin_name, name):
    """Return the page of a source, named after the source; a very long name is cut and completed by a hash."""
    key = encode_key(name)
    if len(key) > LONGEST_PAGE:
        key = f"{key[:LONGEST_PAGE]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return f"{project}/pages/{bin_name}/{key}.html"


@lru_cache(4096)
def encode_key(name):
    """Return the key of a source in an HDF5 file: its name, percent-encoded where HDF5 or this format requires it.

    Spaces and printable ASCII characters are kept, except ``/`` and ``%``. These, control characters and
    non-ASCII characters are encoded. Reserved names and names that consist of dots are encoded entirely.
    """
    key = quote(name, safe=" !\"#$&'()*+,:;<=>?@[\\]^`{|}~")
    if name in RESERVED_KEYS or not name.strip("."):
        key = "".join(f"%{byte:02X}" for byte in name.encode())
    return key


def decode_key(key):
    """Return the name of a source from its key; inverse of `encode_key`."""
    return unquote(key)


def lightcurve_key(name, number, count, kind="reduction"):
    """Return the key of a lightcurve, ``<name>_<kind>_01_of_03``, numbered from 1."""
    return f"{encode_key(name)}_{kind}_{_numbered(number, count)}"


def simulated_key(key, number, count):
    """Return the key of a copy with an injected event, such as ``…_processed_01_of_03_simulated_01_of_02``."""
    return f"{key}_simulated_{_numbered(number, count)}"


def _numbered(number, count):
    """Number and count, padded to the same width of at least two digits."""
    width = max(2, len(str(count)))
    return f"{number:0{width}d}_of_{count:0{width}d}"
