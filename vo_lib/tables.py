"""Tables in memory, dicts of equally long arrays, and the structured arrays that files hold.

In memory text is ``str`` (dtype ``U``); in a structured array it is UTF-8 in bytes (dtype ``S``).
"""

import numpy as np

__all__ = ["decode_table", "encode_table"]


def _stored(values):
    """An array as it is stored: text as UTF-8 of the needed width, ``bool`` as ``int8``."""
    if values.dtype.kind == "b":
        return values.astype("i1")
    if values.dtype.kind != "U":
        return values
    try:
        return values.astype(f"S{max(np.strings.str_len(values).max(initial=1), 1)}")  # quick, for ASCII alone
    except UnicodeEncodeError:
        return np.char.encode(values, "utf-8")


def encode_table(table):
    """Turn a dict of arrays into one structured array.

    Parameters
    ----------
    table : dict of str to ndarray, each of shape (n_rows,)
        Columns; text of dtype ``U`` becomes UTF-8 bytes, ``bool`` becomes ``int8``.

    Returns
    -------
    ndarray, shape (n_rows,)
        Structured array with the fields in the order of the dict.
    """
    columns = {name: _stored(np.asarray(values)) for name, values in table.items()}
    dtype = [(name, values.dtype) for name, values in columns.items()]
    rows = np.empty(len(next(iter(columns.values()))) if columns else 0, dtype)
    for name, values in columns.items():
        rows[name] = values
    return rows


def decode_table(rows):
    """Turn a structured array into a dict of arrays, text as ``str``; inverse of `encode_table`."""
    return {name: _loaded(rows[name]) for name in rows.dtype.names}


def _loaded(values):
    """An array in memory, text as ``str``; inverse of `_stored` but for ``bool``."""
    if values.dtype.kind != "S":
        return np.ascontiguousarray(values)
    try:
        return values.astype(str)  # quick, for ASCII alone
    except UnicodeDecodeError:
        return np.char.decode(values, "utf-8")
