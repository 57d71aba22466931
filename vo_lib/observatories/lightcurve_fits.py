"""Read lightcurve files of Kepler, K2 and TESS; reject incomplete files and those of another target."""

import io

import numpy as np

from vo_lib.errors import ServiceError, UserError
from vo_lib.observatories.answer_text import shorten

__all__ = ["read_lightcurve"]

BLOCK = 2880
# Values for missing keywords, by the kind of their type.
_MISSING = {"f": np.nan, "i": -1, "S": b""}
ALL_ONES = 2**32 - 1


def read_lightcurve(body, survey, expected):
    """Parse a lightcurve file into a structured array.

    Parameters
    ----------
    body : bytes
        The file.
    survey : LightcurveFileObservatory
        Survey of the file, which declares the columns, the keywords and the zero point of times.
    expected : dict of str to int
        Required values of keywords.

    Returns
    -------
    ndarray, shape (n_epochs,)
        The columns as sent, then the keywords, repeated in every row; zero rows for an empty table.

    Raises
    ------
    ServiceError
        If it is not a complete FITS file, is damaged, lacks a column or keyword, or has another target or time system.
    """
    from astropy.io import fits

    _check_body(body)
    try:
        _check_length(body, fits.Header)
        with fits.open(io.BytesIO(body), memmap=False) as parts:
            table = parts["LIGHTCURVE"]
            _check_sum(body, table)
            headers = (table.header, parts[0].header)
            _check_meaning(headers, survey, expected)
            return _fill(table, headers, survey)
    except UserError:
        raise
    except Exception as error:  # astropy raises anything for a damaged file
        raise ServiceError(f"the FITS file cannot be read ({shorten(str(error))})") from error


def _check_body(body):
    """Raise unless a body begins like a FITS file and consists of whole blocks."""
    if not body:
        raise ServiceError("the answer is empty and not a FITS file")
    if not body.startswith(b"SIMPLE  ="):
        raise ServiceError(f"the answer is not a FITS file; it begins '{shorten(body[:200].decode(errors='replace'))}'")
    if len(body) % BLOCK:
        raise ServiceError(f"the FITS file has {len(body)} bytes, not a multiple of {BLOCK}; it was cut off")


def _check_length(body, header_class):
    """Raise unless a file has all its HDUs, each as long as its header declares."""
    file, end, promised = io.BytesIO(body), 0, []
    while end < len(body):
        file.seek(end)
        header = header_class.fromfile(file)
        end = file.tell() + header.data_size_padded
        promised.append(header.get("NEXTEND", 0))
    if end > len(body) or len(promised) <= promised[0]:
        raise ServiceError(
            f"the FITS file has {len(body)} bytes in {len(promised)} parts, its headers declare {end} bytes in "
            f"{1 + promised[0]} parts; it was cut off"
        )


def _check_sum(body, table):
    """Raise if the CHECKSUM of the table, where it has one, does not match its bytes.

    If it matches, the ones' complement sum of all 32-bit words of header and data has all bits set. astropy instead
    compares with the checksum of what it would write itself, which may differ from what was written.
    """
    place = table.fileinfo()
    words = np.frombuffer(body[place["hdrLoc"] : place["datLoc"] + place["datSpan"]], ">u4")
    if table.header.get("CHECKSUM", "").strip("0 ") and int(words.sum(dtype=np.uint64)) % ALL_ONES:
        raise ServiceError("the table of the FITS file is damaged: it does not match its CHECKSUM")


def _keyword(headers, name):
    """Value of a keyword in the first header that has one, or None."""
    values = (header.get(name) for header in headers)
    # An undefined value has a type of its own in astropy.
    return next((value for value in values if isinstance(value, (bool, int, float, str))), None)


def _check_meaning(headers, survey, expected):
    """Raise if a file is of another target or its time system is not the survey's."""
    for name, value in expected.items():
        if (found := _keyword(headers, name)) != value:
            raise ServiceError(f"the FITS file is of {name} {found}, but {value} was requested")
    zero = (_keyword(headers, "BJDREFI") or 0) + (_keyword(headers, "BJDREFF") or 0.0)
    rule = {"TIMESYS": "TDB", "TIMEREF": "SOLARSYSTEM", "TIMEPIXR": 0.5}
    found = {name: _keyword(headers, name) for name in rule}
    if zero != survey.time.zero_jd or any(found[name] not in (value, None) for name, value in rule.items()):
        raise ServiceError(f"the FITS file has other times than {survey.name} (zero {zero}, {found})")


def _fill(table, headers, survey):
    """Structured array of the columns and keywords of a file."""
    names = [name for name in survey.columns if name not in survey.keywords]
    if missing := [name for name in names if name not in table.columns.names]:
        raise ServiceError(f"the FITS file has no column '{missing[0]}'; the survey may have changed its format")
    # The file's own, narrower types in native byte order.
    kinds = [(name, table.columns.dtype[name].newbyteorder("=")) for name in names]
    # Checked before rows are allocated: for zero-width columns, which take no bytes, a header may declare any number.
    if arrays := [name for name, kind in kinds if kind.shape]:
        raise ServiceError(f"the FITS file has no single values in column '{arrays[0]}'; the survey may have changed")
    data = np.empty(len(table.data), kinds + [(name, kind) for name, (kind, _, _) in survey.keywords.items()])
    for name in names:
        data[name] = table.data[name]
    for name, (kind, _, _) in survey.keywords.items():
        value = _keyword(headers, name)
        if value is None and name not in survey.optional:
            raise ServiceError(f"the FITS file has no keyword '{name}'; the survey may have changed its format")
        data[name] = _MISSING[kind[0]] if value is None else value
    return data
