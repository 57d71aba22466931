"""Fetch a catalog once: download or query it, check it, and store it as a file with a description of its origin."""

import gzip
import logging
import re
import zlib
from pathlib import Path

from filelock import FileLock

from vo_lib.catalogs.columns import NEEDED, TEXTS
from vo_lib.catalogs.files import read_columns
from vo_lib.catalogs.presets import PRESETS
from vo_lib.catalogs.remote import reading_options, write_description
from vo_lib.errors import CatalogError, ServiceError
from vo_lib.files import replacing
from vo_lib.observatories.answer_text import describe_markup, shorten
from vo_lib.observatories.ranges import MAX_FILE_BYTES

__all__ = ["fetch_catalog"]

log = logging.getLogger("vo_lib")

FITS_BLOCK = 2880

_BLOCK_BYTES = 1 << 20
_STATUS = re.compile(rb"<(?:\w+:)?INFO\b[^>]*\bname\s*=\s*[\"']QUERY_STATUS[\"'][^>]*>", re.IGNORECASE)


def fetch_catalog(spec, target, *, columns=None, url=None, min_rows=None, query_timeout_s=7200.0, **client):
    """Fetch a catalog, check it and store it with a description beside it.

    Parameters
    ----------
    spec : dict
        See `vo_lib.catalogs.remote.RemoteCatalog`.
    target : str or Path
        The file to create, FITS or VOTable, uncompressed; an existing file is kept until the new one is complete and
        checked.
    columns : dict of str to str, optional
        Name in the file of each column of `vo_lib.catalogs.columns.COLUMNS`, if it is not a usual one.
    url : str, optional
        Alternative address of a default catalog, such as a mirror.
    min_rows : int, optional
        Minimum number of rows; by default 1 for a query, and for a default catalog the minimum defined with it.
    query_timeout_s : float, optional
        Maximum duration of a query [s].
    **client
        See `vo_lib.observatories.http.HttpClient`.

    Returns
    -------
    dict
        The description, see `vo_lib.catalogs.remote.write_description`.

    Raises
    ------
    ServiceError
        If the archive gives no usable answer; a partial file is kept for the next attempt.
    CatalogError
        If the answer was truncated by the archive, has too few rows or lacks a column.
    """
    from vo_lib.observatories.addresses import public_url
    from vo_lib.observatories.http import HttpClient
    from vo_lib.observatories.tap_jobs import query_to_file

    target, preset, client = Path(target), PRESETS.get(spec.get("name")), HttpClient(**client)
    address = spec["url"] if preset is None else url or preset.url
    sent = target.with_name(f"{target.name}.download")
    target.parent.mkdir(parents=True, exist_ok=True)

    def check(path):
        _unpack(path, part)
        try:
            return _check(part, spec, columns, min_rows)
        except CatalogError as error:
            raise CatalogError(f"{public_url(address)}: {error}") from None

    with FileLock(target.with_name(f".{target.name}.lock")), replacing(target) as part:
        if preset is None:
            found = query_to_file(client, address, spec["query"], sent, check=check, query_timeout_s=query_timeout_s)
        else:
            found = client.download(address, sent, check=check)
        sent.unlink()
    n_rows, header = found
    return write_description(target, spec, url=public_url(address), rows=n_rows, columns=header)


def _unpack(path, target):
    """Copy a file, uncompressed if it is compressed with gzip."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    size = 0
    try:
        with gzip.open(path) if packed else open(path, "rb") as source, open(target, "wb") as file:
            while block := source.read(_BLOCK_BYTES):
                if (size := size + len(block)) > MAX_FILE_BYTES:
                    raise ServiceError(f"the file has more than {MAX_FILE_BYTES} bytes, unpacked; it is not a catalog")
                file.write(block)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ServiceError(f"the file cannot be unpacked ({error})") from None


def _check(path, spec, columns, min_rows):
    """Number of rows and names of all columns of a fetched catalog, which are checked; errors do not name the file."""
    _check_status(path)
    preset = PRESETS.get(spec.get("name"))
    header = _read(path, {}).header
    names = reading_options(header, spec, columns)["columns"]
    needed = NEEDED if preset is None else preset.needed
    if missing := [name for name in needed if names.get(name) not in header]:
        raise CatalogError(
            f"there is no column for the {missing[0]} of a source (there are {', '.join(header)}); "
            f"{'select it in catalog.query or ' if preset is None else ''}"
            f"name the right one in catalog.columns.{missing[0]}"
        )
    n_rows = len(_read(path, {name: names[name] for name in NEEDED}).values["name"])
    _check_rows(n_rows, preset, min_rows)
    return n_rows, header


def _check_status(path):
    """Raise for a VOTable that reports an error or an overflow, which it may do before or after the table."""
    with open(path, "rb") as file:
        start = file.read(_BLOCK_BYTES)
        file.seek(max(path.stat().st_size - _BLOCK_BYTES, len(start)))
        said = b" ".join(_STATUS.findall(start + file.read())).upper()
    if b"OVERFLOW" in said:
        raise CatalogError("the archive cut the answer off (QUERY_STATUS is OVERFLOW); ask for less in catalog.query")
    if b"ERROR" in said:
        raise ServiceError(f"the answer is {describe_markup(start.decode(errors='replace'))}")


def _read(path, columns):
    """Read columns of a file that must be a complete FITS or VOTable file."""
    try:
        found = read_columns(path, columns, texts=TEXTS)
    except CatalogError as error:
        raise ServiceError(f"the file is damaged: {str(error).replace(f'{path}: ', '')}") from None
    if found.format == "FITS" and path.stat().st_size % FITS_BLOCK:
        raise ServiceError(f"the file is damaged: it has {path.stat().st_size} bytes, not a multiple of {FITS_BLOCK}")
    if found.format not in ("FITS", "VOTable"):
        raise ServiceError(f"the file is neither FITS nor VOTable; it begins '{shorten(', '.join(found.header))}'")
    return found


def _check_rows(n_rows, preset, min_rows):
    """Raise if there are too few rows, warn if a default catalog does not have the expected number."""
    least = min_rows or (1 if preset is None else preset.min_rows)
    if n_rows < least:
        raise CatalogError(
            f"there are {n_rows} rows, fewer than {least}; "
            + ("ask for more in catalog.query" if preset is None else "set catalog.min_rows if that is right")
        )
    if preset is not None and n_rows != preset.rows:
        log.warning("the catalog has %d rows, %d were expected", n_rows, preset.rows)
