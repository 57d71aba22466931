"""Manifests: the outcome for each source of a project in a raw archive, which decides what is pending.

The first line of the file is a header (JSON) that the workflow reads when it starts. One line per source of the
project in the bin follows, in the order of names: its catalog row with status, number of epochs, digest and reason.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from vo_lib.catalogs.columns import COLUMNS, MAG_OF, TEXTS
from vo_lib.errors import DamagedProductError, UnreadableError, UserError
from vo_lib.files import write_text
from vo_lib.provenance import short_digest
from vo_lib.raw import EMPTY, FAILED, OK, read_index
from vo_lib.storage.formats import check_format
from vo_lib.tables import table_rows

__all__ = [
    "catalog_rows",
    "find_header",
    "next_generation",
    "raw_state",
    "read_header",
    "read_manifest",
    "write_manifest",
]

SCHEMA = 2  # the first with digests


def catalog_rows(table, obs=""):
    """Return the rows of a catalog as dicts of JSON values, None where a value is missing.

    Parameters
    ----------
    table : dict of str to ndarray, each of shape (n_rows,)
        See `vo_lib.catalog.read_sources`.
    obs : str, optional
        Survey whose own magnitude becomes ``mag``, if the catalog has one for it.

    Returns
    -------
    list of dict
        Rows without the columns of magnitudes for single surveys.
    """
    own = {"mag": table[MAG_OF + obs.lower()]} if MAG_OF + obs.lower() in table else {}
    table = {name: values for name, values in table.items() if not name.startswith(MAG_OF)} | own
    return [
        {name: None if isinstance(cell, float) and math.isnan(cell) else cell for name, cell in row.items()}
        for row in table_rows(table)
    ]


def write_manifest(path, header, sources):
    """Write a manifest.

    Parameters
    ----------
    path : str or Path
        The file to replace.
    header : dict
        Observatory, bin, generation and parameters of the download, and the names of the sources whose answers to
        another request were ``kept``; counts and digests are added.
    sources : list of dict
        Catalog row of each source with ``status``, ``n_rows``, ``digest`` and ``reason``.
    """
    counts = {status: sum(source["status"] == status for source in sources) for status in (OK, EMPTY, FAILED)}
    counts["epochs"] = sum(source["n_rows"] for source in sources)
    rows = "".join(json.dumps(source, sort_keys=True) + "\n" for source in sources)
    header = header | {"schema": SCHEMA, "counts": counts, "sources": _digest(rows)}
    head = json.dumps(header | {"digest": short_digest(header)}, sort_keys=True)
    write_text(path, f"{head}\n{rows}")


def _digest(text):
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_header(path):
    """Return the header of a manifest, None if there is no manifest."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return _parse_header(path, file.readline())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError(path, error) from None


def find_header(path):
    """Return the header of a manifest, None if it is missing or damaged, since the next run then makes it again."""
    try:
        return read_header(path)
    except DamagedProductError:
        return None


def next_generation(manifest, raw, *, keep=False):
    """Return the generation that the manifest of a bin should have.

    It is one more than that of the manifest if sources failed, if answers to other parameters are no longer to be kept,
    or if the raw archive no longer has what the manifest says. As a parameter of the download, it then makes the
    workflow run that again.

    Parameters
    ----------
    manifest, raw : str or Path
        The files; either may be missing.
    keep : bool, optional
        Whether answers to other parameters are kept.

    Returns
    -------
    int
        The generation; 1 without a manifest, 0 if the manifest is damaged.
    """
    if (header := find_header(manifest)) is None:
        return int(not Path(manifest).exists())
    unwanted = header["counts"][FAILED] > 0 or (header.get("kept") and not keep)
    return header["generation"] + bool(unwanted or not _agrees(manifest, header, raw))


def raw_state(path):
    """Return size and modification time [ns] of a raw archive as a list, None if there is none."""
    path = Path(path)
    return [path.stat().st_size, path.stat().st_mtime_ns] if path.exists() else None


def _agrees(manifest, header, raw):
    """Return whether a raw archive has what a manifest says; it is read only if it has changed since."""
    state = raw_state(raw)
    if state is None or state == header.get("raw"):
        return state is not None
    try:
        index, (_, sources) = read_index(raw), read_manifest(manifest)
    except UserError:
        return False
    names, statuses, digests = (sources[name].tolist() for name in ("name", "status", "digest"))
    return all(
        name in index and (index[name]["status"], index[name]["digest"]) == (status, digest)
        for name, status, digest in zip(names, statuses, digests, strict=True)
    )


def read_manifest(path):
    """Read the header and the sources of a manifest.

    Returns
    -------
    header : dict
    sources : dict of str to ndarray
        Columns of the catalog (NaN where missing) and ``status``, ``n_rows``, ``digest``, ``reason``.
    """
    try:
        head, _, text = Path(path).read_text(encoding="utf-8", errors="replace").partition("\n")
    except FileNotFoundError:
        raise UserError(f"{path}: no such manifest; run snakemake or Project.run to download this bin") from None
    except OSError as error:
        raise UnreadableError(path, error) from None
    header = _parse_header(path, head)
    if header["schema"] >= SCHEMA and header["sources"] != _digest(text):
        raise DamagedProductError(path, "its sources do not match the digest in its first line")
    rows = [_parse(path, line) for line in text.splitlines()]
    kinds = {name: str if name in TEXTS else float for name in COLUMNS}
    kinds |= {"status": str, "n_rows": np.int64, "digest": str, "reason": str}
    return header, {name: np.array([row[name] for row in rows], dtype=kind) for name, kind in kinds.items()}


def _parse_header(path, line):
    """Header of a manifest, checked against its digest."""
    header = _parse(path, line)
    digest = header.pop("digest", None)
    if (digest is not None or header.get("schema") != SCHEMA - 1) and digest != short_digest(header):
        raise DamagedProductError(path, "its first line does not match the digest in it")
    check_format(path, header["schema"], SCHEMA)
    return header


def _parse(path, line):
    """Dict in one line of a manifest."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise DamagedProductError(path, f"is not a manifest ({line[:40]!r}...)")
    return found
