"""Parse answers of Gaia's archive: matches from TAP, and epochs from DataLink in both their forms."""

import io
import zipfile
import zlib

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.observatories.answers import read_csv_answer
from vo_lib.observatories.bands import split_bands

__all__ = ["LONG", "MATCH", "is_true", "read_epochs", "read_match"]

# More than a hundred times the size of the longest series in the wide form.
MAX_BYTES = 1 << 28

_WORDS = (b"true", b"false", b"")

MATCH = {
    "source_id": ("i8", "", "object"),
    "ra": ("f8", "deg", "right ascension in 2016.0"),
    "dec": ("f8", "deg", "declination in 2016.0"),
    "pmra": ("f8", "mas/yr", "proper motion in right ascension times cos(dec)"),
    "pmdec": ("f8", "mas/yr", "proper motion in declination"),
    "phot_g_mean_mag": ("f8", "mag", "mean G, Vega"),
    "has_epoch_photometry": ("S5", "", "whether there are epochs"),
    "dist": ("f8", "deg", "distance from the position asked for"),
}

LONG = {
    "solution_id": ("i8", "", "version of the processing"),
    "source_id": ("i8", "", "object of Gaia DR3"),
    "transit_id": ("i8", "", "passage over the focal plane"),
    "band": ("S2", "", "G, BP or RP"),
    "time": ("f8", "d", "barycentric Julian date in TCB minus 2455197.5"),
    "mag": ("f8", "mag", "magnitude, Vega"),
    "flux": ("f8", "electron/s", "flux"),
    "flux_error": ("f8", "electron/s", "error of flux"),
    "flux_over_error": ("f8", "", "flux divided by its error"),
    "rejected_by_photometry": ("S5", "", "true or false: rejected by the photometric processing"),
    "rejected_by_variability": ("S5", "", "true or false: rejected by the variability processing"),
    "other_flags": ("i8", "", "bits of the processing; see the data model of the release"),
}

# Columns of the wide form that exist for each band, by their names in the long form.
_MEASURED = {"flux": "flux", "flux_error": "flux_error", "flux_over_error": "flux_over_error", "mag": "mag"}
_BANDS = {
    band: {name: f"{prefix}_{wide}" for name, wide in _MEASURED.items()}
    | {
        "time": f"{code}_{time}",
        "rejected_by_variability": f"variability_flag_{code}_reject",
        "other_flags": f"{code}_other_flags",
    }
    for band, code, prefix, time in (
        ("G", "g", "g_transit", "transit_time"),
        ("BP", "bp", "bp", "obs_time"),
        ("RP", "rp", "rp", "obs_time"),
    )
}
_WIDE = {own.get(name, name): entry for own in _BANDS.values() for name, entry in LONG.items() if name != "band"}


def is_true(words):
    """Return a mask of the flags that are set; an empty flag is not.

    Parameters
    ----------
    words : ndarray of bytes
        Flags as sent, or as 1 and 0, which other sources of the data use.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    ServiceError
        If a flag is any other word.
    """
    words = np.char.lower(words)
    if (unknown := ~np.isin(words, (*_WORDS, b"1", b"0"))).any():
        raise ServiceError(f"a flag of Gaia is '{words[unknown][0].decode(errors='replace')}', neither true nor false")
    return (words == b"true") | (words == b"1")


def _lower_header(text):
    """Text of a table with its header in lower case; the case differs between versions of the archive."""
    header, newline, rows = text.partition("\n")
    return header.lower() + newline + rows


def _check_words(table):
    """Return a table; raise unless its flags are true, false or empty."""
    for name in table.dtype.names:
        if "reject" in name or name == "has_epoch_photometry":
            words = np.char.lower(table[name])
            if not np.isin(words, _WORDS).all():
                raise ServiceError(f"the answer has '{words[~np.isin(words, _WORDS)][0].decode()}' for {name}")
    return table


def read_match(text):
    """Parse the objects of a TAP answer.

    Parameters
    ----------
    text : str
        Body of the answer.

    Returns
    -------
    ndarray, shape (n_objects,)
        Structured array with the columns of `MATCH`; zero rows if there is no object.

    Raises
    ------
    ServiceError
        If the answer is not such a table.
    """
    return _check_words(read_csv_answer(_lower_header(text), MATCH))


def read_epochs(body, *, source_id):
    """Parse the epochs of one source from a DataLink answer.

    Parameters
    ----------
    body : bytes
        Body of the answer: a table with a row per transit or per transit and band, optionally in a
        zip archive.
    source_id : int
        The requested source.

    Returns
    -------
    ndarray, shape (n_epochs,)
        Structured array with the columns of `LONG`. In the form with a row per transit, a band with
        neither a time nor a flux was not measured and gets no row.

    Raises
    ------
    ServiceError
        If the answer is not such a table, is a damaged archive, or has epochs of another source.
    """
    text = _lower_header(_unpack(body))
    wide = "g_transit_time" in text.partition("\n")[0]
    table = _check_words(read_csv_answer(text, _WIDE if wide else LONG))
    if (table["source_id"] != source_id).any():
        raise ServiceError(f"the answer has epochs of another source than {source_id}")
    if not wide:
        return table
    data = split_bands(table, LONG, _BANDS)
    return data[np.isfinite(data["time"]) | np.isfinite(data["flux"])]


def _unpack(body):
    """Text of an answer, which may be a zip archive with one table."""
    try:
        if not body.startswith(b"PK"):
            return body.decode()
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
            if len(names) != 1:
                raise ServiceError(f"the answer is a zip archive with {len(names)} tables instead of one")
            with archive.open(names[0]) as file:
                text = file.read(MAX_BYTES + 1)
            if len(text) > MAX_BYTES:
                raise ServiceError(f"the answer unpacks to more than {MAX_BYTES:,} bytes and is rejected")
            return text.decode()
    except UnicodeDecodeError as error:
        raise ServiceError(f"the answer is not UTF-8 text ({error})") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise ServiceError(f"the answer is a zip archive that is damaged ({error})") from None
