"""Detection of the format of a catalog file, from its first bytes and not from its name."""

import codecs
import gzip
import re
import zlib

from vo_lib.errors import CatalogError

__all__ = ["find_kind"]

_MAGIC = {b"SIMPLE  =": "FITS", b"\x89HDF\r\n\x1a\n": "HDF5", b"PAR1": "parquet"}
_ECSV = re.compile(rb"^# %ECSV ", re.MULTILINE)
# First bytes of files compressed by other programs than gzip.
_PACKERS = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x1f\x9d": "compress",
}
# Byte order marks, the longer ones first.
_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}
_MARKS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Other kinds of text; a name may begin with a bracket.
_NO_TABLES = {"HTML or XML": rb"<", "JSON": rb"\{|\[\s*[\[{\"]", "PDF": rb"%PDF"}
_KNOWN = "known are CSV, ECSV, FITS, VOTable, HDF5 and parquet"


def find_kind(path):
    """Return the format, compression and encoding of a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    kind : str
        ``CSV``, ``ECSV``, ``FITS``, ``HDF5``, ``VOTable`` or ``parquet``; CSV if it looks like no other.
    packed : bool
        Whether it is compressed with gzip.
    encoding : str
        Encoding of its text, from the byte order mark; UTF-8 without one.

    Raises
    ------
    CatalogError
        If the file is missing, cannot be read or is not a table.
    """
    packed, start = _read_start(path)
    if packer := next((packer for magic, packer in _PACKERS.items() if start.startswith(magic)), ""):
        raise CatalogError(f"{path}: is packed by {packer}; unpack it first; {_KNOWN}")
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), "")
    encoding = next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8-sig")
    if not kind:
        if encoding != "utf-8-sig":
            start = start[: len(start) // 4 * 4].decode(encoding, errors="replace").encode()
        kind = _kind_of_text(path, start)
    if packed and kind in ("HDF5", "parquet"):
        raise CatalogError(f"{path}: is {kind} packed by gzip; unpack it with gunzip first")
    return kind, packed, encoding


def _read_start(path):
    """Whether a file is compressed, and its first bytes, decompressed."""
    try:
        with open(path, "rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else open(path, "rb") as file:
            return packed, file.read(4096)
    except FileNotFoundError:
        raise CatalogError(f"{path}: no such catalog; check catalog.file in the configuration") from None
    except (OSError, EOFError, zlib.error) as error:
        raise CatalogError(f"{path}: cannot be read ({error})") from None


def _kind_of_text(path, start):
    """VOTable, ECSV or CSV, from the first bytes in UTF-8."""
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if text.startswith(b"<") and b"VOTABLE" in start:
        return "VOTable"
    if text.startswith(b"#") and _ECSV.search(text):
        return "ECSV"
    if other := next((other for other, form in _NO_TABLES.items() if re.match(form, text)), None):
        raise CatalogError(f"{path}: is not a catalog or another table but {other}; {_KNOWN}")
    if b"\0" in start:
        for order, zeros in (("BE", start[:200:2]), ("LE", start[1:200:2])):
            if not zeros.strip(b"\0"):
                raise CatalogError(
                    f"{path}: is UTF-16 without a byte order mark; convert it with: "
                    f"iconv -f UTF-16{order} -t UTF-8 '{path}' > new.csv"
                )
        raise CatalogError(f"{path}: is not a table; {_KNOWN}")
    return "CSV"
