"""Catalogs other than the user's own files: predefined ones, queries of an archive, and classes.

What such a catalog is (`RemoteCatalog.spec`) is known without a network, and separate from how it is requested
(`RemoteCatalog.options`). `vo_lib.fetch_catalog` stores it as a file with a description, ``<file>.json``, beside it.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from vo_lib.catalogs.columns import COLUMNS, DEFAULT_EPOCH
from vo_lib.catalogs.presets import GAIA_EPOCHS, PRESETS, find_preset
from vo_lib.contracts import call, refuse, shown
from vo_lib.errors import CatalogError
from vo_lib.files import write_json
from vo_lib.plugins import module_file
from vo_lib.provenance import PACKAGE_ROOT, short_digest
from vo_lib.stages import make_stage
from vo_lib.storage.fingerprint import code_fingerprint

__all__ = [
    "FOLDER",
    "GAIA_TAP",
    "OPTIONS",
    "RemoteCatalog",
    "citation",
    "read_description",
    "reading_options",
    "remote_catalog",
    "service_of",
    "write_description",
]

# Folder of fetched catalogs in the data root.
FOLDER = "catalogs"

GAIA_TAP = "https://gea.esac.esa.int/tap-server/tap/async"
# Hosts of archives that surveys query too, and their names there (``VirtualObservatory.service``).
SERVICES = {"gea.esac.esa.int": "esac"}
GAIA_CITATION = "ESA/Gaia/DPAC; Gaia Collaboration 2016, A&A 595, A1; Gaia Collaboration 2023, A&A 674, A1"
GAIA_MAG, GAIA_FILTER = "phot_g_mean_mag", "Gaia G (Vega)"

# Names of columns in fetched files, preferred first, in any case; other columns have their name in `COLUMNS` only.
NAMES = {
    "name": ("name", "wdj_name", "designation", "source_id"),
    "epoch": ("epoch", "ref_epoch"),
    "mag": ("mag", GAIA_MAG),
    "mag_err": ("mag_err", f"{GAIA_MAG}_error"),
}

# Keys of the configuration that determine how a catalog is requested.
OPTIONS = ("url", "min_rows", "query_timeout_s", "timeout_s", "retries", "retry_wait_s", "contact")


@dataclass(frozen=True)
class RemoteCatalog:
    """A catalog to fetch, as configured.

    Parameters
    ----------
    name : str
        Name of its file, different for each query or class.
    spec : dict
        What it is, as JSON values: ``kind`` ``default`` with ``name``, ``query`` with ``query`` and ``url``, or
        ``class`` with ``class``, ``kwargs``, ``version`` and ``code``, see `vo_lib.source_list.SourceList`.
    options : dict
        How to request it, without effect on its content: keywords of `vo_lib.fetch_catalog.fetch_catalog`.
    """

    name: str
    spec: dict
    options: dict

    def is_at(self, path):
        """Return whether a file is this catalog and complete, according to its description."""
        try:
            about = read_description(path)
            return (about["catalog"], about["size"]) == (self.spec, Path(path).stat().st_size)
        except (CatalogError, KeyError, OSError, TypeError):
            return False

    def reading(self, path):
        """Return keywords for `vo_lib.catalog.read_catalog` to read the fetched file, see `reading_options`."""
        return reading_options(read_description(path)["columns"], self.spec, self.options["columns"])


def remote_catalog(section, *, root=PACKAGE_ROOT):
    """Return the catalog that a configuration wants to fetch, without requesting it.

    Parameters
    ----------
    section : dict
        Section ``catalog`` of the configuration; absent keys have their defaults.
    root : Path, optional
        Folder that holds ``vo_lib``.

    Returns
    -------
    RemoteCatalog or None
        None if the section has another kind of catalog.

    Raises
    ------
    ConfigError
        If the name of a default catalog is unknown, or a class cannot be used.
    """
    options = {name: section[name] for name in OPTIONS if section.get(name) is not None}
    options["columns"] = section.get("columns") or {}
    if section.get("default"):
        key = find_preset(section["default"])
        return RemoteCatalog(PRESETS[key].file, {"kind": "default", "name": key}, options)
    if section.get("query"):
        spec = {"kind": "query", "query": section["query"].strip(), "url": section.get("query_url") or GAIA_TAP}
        return RemoteCatalog(f"query_{short_digest(spec, 10)}.vot", spec, options)
    if section.get("class"):
        spec = _class_spec(section["class"], section.get("kwargs") or {}, root)
        return RemoteCatalog(f"class_{short_digest(spec, 10)}.h5", spec, options)
    return None


def service_of(spec, url=None):
    """Return the name of the archive of a catalog, for the rate limit that it shares with surveys.

    Parameters
    ----------
    spec : dict
        Specification, see `RemoteCatalog`; not of kind ``class``.
    url : str, optional
        Alternative address of a default catalog.

    Returns
    -------
    str
        Its name among surveys, else its host.
    """
    address = spec["url"] if spec["kind"] == "query" else url or PRESETS[spec["name"]].url
    host = urlsplit(address).netloc
    return SERVICES.get(host, host)


def _class_spec(path, kwargs, root):
    """Specification of the catalog of a class, of which only ``version`` is called."""
    plugin = make_stage("catalog", {"class": path, "kwargs": kwargs})
    version = call(plugin, "version")
    if not isinstance(version, str | int | float):
        refuse(plugin, "version", "a text or a number", shown(version))
    code = code_fingerprint(module_file(type(plugin), root), root=root)
    return {"kind": "class", "class": path, "kwargs": kwargs, "version": version, "code": code}


def citation(spec):
    """Return the references to cite for a catalog with a given `RemoteCatalog.spec`; empty if unknown."""
    if spec["kind"] == "default":
        return PRESETS[spec["name"]].citation
    if spec["kind"] == "class":
        return ""
    return GAIA_CITATION if "gaia" in spec["query"].lower() else ""


def _description_file(path):
    """Path of the description of a fetched catalog."""
    path = Path(path)
    return path.with_name(f"{path.name}.json")


def read_description(path):
    """Return the description of a fetched catalog as a dict; raise `CatalogError` if it is missing or damaged."""
    path = _description_file(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CatalogError(f"{path}: cannot be read ({error}); remove the catalog, it will be fetched again") from None


def write_description(path, spec, *, url, rows, columns):
    """Describe a fetched catalog in a file beside it.

    Parameters
    ----------
    path : Path
        The catalog.
    spec : dict
        Its specification, see `RemoteCatalog`.
    url : str
        Where it comes from.
    rows : int
        Number of its rows.
    columns : list of str
        All of its columns.

    Returns
    -------
    dict
        The description: catalog, url, date, rows, size [bytes], sha256, columns, citation.
    """
    with open(path, "rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    about = {"catalog": spec, "url": url, "date": datetime.now(UTC).isoformat(timespec="seconds"), "rows": rows}
    about |= {"size": path.stat().st_size, "sha256": sha256, "columns": columns, "citation": citation(spec)}
    write_json(_description_file(path), about)
    return about


def reading_options(header, spec, columns=None):
    """Return how to read a fetched file.

    Parameters
    ----------
    header : list of str
        Its columns.
    spec : dict
        Specification of the catalog, see `RemoteCatalog`.
    columns : dict of str to str, optional
        Names from the configuration, which take precedence.

    Returns
    -------
    dict
        Keywords ``columns`` and ``fill`` of `vo_lib.catalog.read_catalog`.

    Raises
    ------
    CatalogError
        If the epoch of the positions is unknown.
    """
    known = {column.lower(): column for column in reversed(header)}
    found = {name: [known[other] for other in NAMES.get(name, (name,)) if other in known] for name in COLUMNS}
    columns = {name: names[0] for name, names in found.items() if names} | (columns or {})
    fill = {} if "epoch" in columns else {"epoch": _epoch(spec)}
    if columns.get("mag", "").lower() == GAIA_MAG:
        fill["mag_filter"] = GAIA_FILTER
    return {"columns": columns, "fill": fill}


def _epoch(spec):
    """Epoch of the positions of a catalog without a column of epochs."""
    if spec["kind"] == "default":
        return PRESETS[spec["name"]].epoch
    if spec["kind"] == "class":
        return DEFAULT_EPOCH
    releases = re.findall(r"\bgaia(e?dr\d+)\.gaia_source(?:_lite)?\b", spec["query"].lower())
    epochs = {GAIA_EPOCHS.get(release) for release in releases}
    if len(epochs) != 1 or None in epochs:
        raise CatalogError(
            "catalog.query: the answer has no epoch of the positions; select ref_epoch or '2000.0 AS epoch'"
        )
    return epochs.pop()
