"""Read DataFrames from an HDFStore of pandas with h5py alone.

Both formats, ``fixed`` and ``table``, are supported. PyTables, with which pandas writes them, pickles the names of
columns, and text in the fixed format. The pickles are read without running any code in them: only arrays of numpy,
lists, text and numbers are accepted.
"""

import io
import pickle  # the subclass below imports and calls nothing from a pickle  # nosec B403

import numpy as np

from vo_lib.errors import UserError

__all__ = ["categories", "read_frame"]

# Locations, in old and new versions of numpy, of the function at the start of a pickled array.
_RECONSTRUCT = frozenset({("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "_reconstruct")})
_DTYPE, _NDARRAY = ("numpy", "dtype"), ("numpy", "ndarray")


def read_frame(group):
    """Read the columns of a DataFrame.

    Parameters
    ----------
    group : h5py.Group
        Its group, with the attribute ``pandas_type``.

    Returns
    -------
    dict of str to ndarray
        Its columns, and ``index`` unless that only counts the rows. Text is bytes or objects.

    Raises
    ------
    UserError
        If the group is not a DataFrame, or has columns of categories or of objects other than text and numbers.
    """
    kind = _text(group.attrs["pandas_type"])
    readers = {"frame": _read_fixed, "frame_table": _read_appendable}
    if kind not in readers:
        raise UserError(f"is a '{kind}' of pandas; only frames can be read")
    index, columns = readers[kind](group)
    counts = index is not None and index.dtype.kind in "iu" and np.array_equal(index, np.arange(len(index)))
    return ({} if index is None or counts else {"index": index}) | columns


def _read_fixed(group):
    """Index and columns of a DataFrame in the format ``fixed``, which has one block per type."""
    columns = {}
    for number in range(int(group.attrs["nblocks"])):
        names = [_text(name) for name in group[f"block{number}_items"][:]]
        values = _read_values(group[f"block{number}_values"], len(names))
        columns |= dict(zip(names, values, strict=True))
    return (_read_values(group["axis1"], 1)[0] if "axis1" in group else None), columns


def _read_values(dataset, n_columns):
    """Arrays of a block, one per column."""
    if "shape" in dataset.attrs:  # a block without rows, stored as one value
        return [np.zeros(0)] * n_columns
    values = _read_pickle(dataset[0].tobytes()) if dataset.dtype.kind == "O" else dataset[:]
    if not isinstance(values, np.ndarray):
        raise UserError("has a column that is not text or numbers")
    return list(values.reshape(-1, n_columns).T)


def _read_appendable(group):
    """Index and columns of a DataFrame in the format ``table``, a compound dataset with one block per field."""
    rows, attributes = group["table"][:], group["table"].attrs
    missing, columns = _text(group.attrs.get("nan_rep", b"nan")).encode(), {}
    of_categories = categories(group["table"])
    for field in rows.dtype.names[1:]:
        names = _read_pickle(bytes(attributes[f"{field}_kind"]))
        if field in of_categories:
            raise UserError(f"has a categorical column of pandas, {names[0]}; write it as text: astype(str)")
        values = rows[field].reshape(len(rows), -1)
        if values.dtype.kind == "S":
            values = np.where(values == missing, b"", values)
        columns |= dict(zip(names, values.T, strict=True))
    return rows[rows.dtype.names[0]], columns


def categories(table):
    """Return the fields of a DataFrame's dataset that are codes of categories, which are stored elsewhere."""
    return [name for name in table.dtype.names if _text(table.attrs.get(f"{name}_meta", b"")) == "category"]


def _text(value):
    """Attribute or name as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


class _Stub:
    """Stand-in for a numpy object in a pickle: keeps its state and does nothing."""

    state = ()

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Unpickler of lists, text and numbers, and of arrays of them as `_Stub`."""

    def find_class(self, module, name):
        """Return the stub for the names that an array needs; anything else is refused, never imported or called."""
        if (module, name) in {*_RECONSTRUCT, _DTYPE, _NDARRAY}:
            return _Stub
        raise UserError(f"has a column of {module}.{name}, which is not read from files of other programs")


def _read_pickle(data):
    """Value of a pickle; a pickled array becomes an array of objects."""
    try:
        value = _Unpickler(io.BytesIO(data), encoding="utf-8").load()
        return _array_of(*value.state) if isinstance(value, _Stub) else value
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"has a column that is not text or numbers ({error})") from None


def _array_of(_version, shape, _dtype, _is_fortran, items):
    """Array of objects from the state of a pickled array, whose items are in C order whatever the memory layout was."""
    if not isinstance(items, list):
        raise UserError("has a column that is not text or numbers")
    values = np.empty(len(items), dtype=object)
    values[:] = items
    return values.reshape(shape)
