"""Names of files and of the keys inside them: the one place that knows both.

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

LONGEST_PAGE = 180  # a file's name has 255 bytes
# Figures of a project, files below ``plots`` of its folder.
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
    """Folder of a project: its name in capitals, with the config's hash under version control."""
    return name.upper() if digest is None else f"{name.upper()}_{digest}"


def raw_file(obs, bin_name, release=""):
    """Raw archive of one observatory and bin, shared by all projects; each data release has a folder of its own."""
    folder = re.sub("[^a-z0-9.]+", "_", release.lower())
    return f"{obs}/{folder}/{obs}_photometry_{bin_name}.h5" if folder else f"{obs}/{obs}_photometry_{bin_name}.h5"


def manifest_file(project, obs, bin_name):
    """What a project has of one raw archive: its sources with their status."""
    return f"{project}/manifests/{obs}_photometry_{bin_name}.jsonl"


def outage_folder():
    """Files of surveys that cannot be reached, see `vo_lib.downloads.outage`; beside the records of Snakemake."""
    return ".snakemake/outages"


def pace_file(service):
    """When an archive was last asked by any project, see `vo_lib.downloads.pace`; beside the records of Snakemake."""
    return f".snakemake/pace/{service}"


def failures_file(project, obs, bin_name):
    """Sources of one survey and bin that the latest download could not get; absent when there are none."""
    return f"{project}/failures/{obs}_{bin_name}.json"


def reduced_file(project, obs, bin_name):
    """Reduced lightcurves of one observatory and bin."""
    return f"{project}/{obs}_photometry_{bin_name}_reduced.h5"


def processed_file(project, obs, bin_name):
    """Lightcurves of one observatory and bin with quality flags and S/N."""
    return f"{project}/{obs}_photometry_{bin_name}_processed.h5"


def simulated_file(project, obs, bin_name):
    """Copies of lightcurves of one observatory and bin with injected events."""
    return f"{project}/{obs}_photometry_{bin_name}_simulated.h5"


def combined_file(project, bin_name):
    """Combined lightcurves of one bin, all observatories together."""
    return f"{project}/{bin_name}_combined.h5"


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


def verdicts_file(project):
    """Verdicts of persons on the detections of a project, as they were read in."""
    return f"{project}/verdicts.csv"


def page_file(project, bin_name, name):
    """Page of a source, by its name in the catalog; a very long one is cut and has a hash."""
    key = encode_key(name)
    if len(key) > LONGEST_PAGE:
        key = f"{key[:LONGEST_PAGE]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return f"{project}/pages/{bin_name}/{key}.html"


@lru_cache(4096)
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


def lightcurve_key(name, number, count, kind="reduction"):
    """Key of a lightcurve: ``<name>_reduction_01_of_03``, counted from 1; or of another kind, as ``combined``."""
    return f"{encode_key(name)}_{kind}_{_numbered(number, count)}"


def simulated_key(key, number, count):
    """Key of a copy of a processed lightcurve with an injected event: ``…_processed_01_of_03_simulated_01_of_02``."""
    return f"{key}_simulated_{_numbered(number, count)}"


def _numbered(number, count):
    """Number and count with as many digits, two at least."""
    width = max(2, len(str(count)))
    return f"{number:0{width}d}_of_{count:0{width}d}"
