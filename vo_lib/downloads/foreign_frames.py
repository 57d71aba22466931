"""Frames that pandas put into an HDFStore, read with h5py alone.

Both formats are known, ``fixed`` and ``table``. PyTables, which pandas writes with, keeps names of columns and
the text of fixed frames as pickles. They are read without running any of their code: arrays of numpy
become lists, and anything else than those, lists, text and numbers is refused.
"""

import io
import pickle  # its class here finds no other class and calls nothing  # nosec B403

import numpy as np

from vo_lib.errors import UserError

__all__ = ["categories", "read_frame"]

# Where numpy has had the function that a pickled array begins with.
_RECONSTRUCT = frozenset({("numpy._core.multiarray", "_reconstruct"), ("numpy.core.multiarray", "_reconstruct")})
_DTYPE, _NDARRAY = ("numpy", "dtype"), ("numpy", "ndarray")


def read_frame(group):
    """Read the columns of a frame.

    Parameters
    ----------
    group : h5py.Group
        Group of the frame, with the attribute ``pandas_type``.

    Returns
    -------
    dict of str to ndarray
        Columns, and ``index`` unless it counts the rows. Text is bytes or objects.

    Raises
    ------
    UserError
        For another thing than a frame, and for columns of categories or objects that are not text or numbers.
    """
    kind = _text(group.attrs["pandas_type"])
    readers = {"frame": _read_fixed, "frame_table": _read_appendable}
    if kind not in readers:
        raise UserError(f"is a '{kind}' of pandas; only frames can be read")
    index, columns = readers[kind](group)
    counts = index is not None and index.dtype.kind in "iu" and np.array_equal(index, np.arange(len(index)))
    return ({} if index is None or counts else {"index": index}) | columns


def _read_fixed(group):
    """Index and columns of a frame in the format ``fixed``, which has a block for each type."""
    columns = {}
    for number in range(int(group.attrs["nblocks"])):
        names = [_text(name) for name in group[f"block{number}_items"][:]]
        values = _read_values(group[f"block{number}_values"], len(names))
        columns |= dict(zip(names, values, strict=True))
    return (_read_values(group["axis1"], 1)[0] if "axis1" in group else None), columns


def _read_values(dataset, n_columns):
    """Arrays of a block, one for each column."""
    if "shape" in dataset.attrs:  # of a block without rows, for which one value stands
        return [np.zeros(0)] * n_columns
    values = _read_pickle(dataset[0].tobytes()) if dataset.dtype.kind == "O" else dataset[:]
    if not isinstance(values, np.ndarray):
        raise UserError("has a column that is not text or numbers")
    return list(values.reshape(-1, n_columns).T)


def _read_appendable(group):
    """Index and columns of a frame in the format ``table``, which has a block of columns in a field of a compound."""
    rows, attributes = group["table"][:], group["table"].attrs
    missing, columns = _text(group.attrs.get("nan_rep", b"nan")).encode(), {}
    of_categories = categories(group["table"])
    for field in rows.dtype.names[1:]:
        names = _read_pickle(bytes(attributes[f"{field}_kind"]))
        if field in of_categories:
            raise UserError(f"has a column of categories of pandas, {names[0]}; write it as text: astype(str)")
        values = rows[field].reshape(len(rows), -1)
        if values.dtype.kind == "S":
            values = np.where(values == missing, b"", values)
        columns |= dict(zip(names, values.T, strict=True))
    return rows[rows.dtype.names[0]], columns


def categories(table):
    """Fields of a frame's compound dataset that are numbers of categories, which are elsewhere in the file."""
    return [name for name in table.dtype.names if _text(table.attrs.get(f"{name}_meta", b"")) == "category"]


def _text(value):
    """Text of an attribute or a name."""
    return value.decode() if isinstance(value, bytes) else str(value)


class _Stub:
    """What stands for an object of numpy in a pickle: keeps its state and does nothing."""

    state = ()

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Reads lists, text and numbers, and arrays of them as `_Stub`."""

    def find_class(self, module, name):
        """Give the stub for the three names that an array needs; nothing else is ever imported or called."""
        if (module, name) in {*_RECONSTRUCT, _DTYPE, _NDARRAY}:
            return _Stub
        raise UserError(f"has a column of {module}.{name}, which is not read from files that others made")


def _read_pickle(data):
    """Value of a pickle: a list, or an array of objects for a pickled one."""
    try:
        value = _Unpickler(io.BytesIO(data), encoding="utf-8").load()
        return _array_of(*value.state) if isinstance(value, _Stub) else value
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(f"has a column that is not text or numbers ({error})") from None


def _array_of(_version, shape, _dtype, _is_fortran, items):
    """Array of objects from the state of a pickled one; its items are in C order, whatever the layout in memory."""
    if not isinstance(items, list):
        raise UserError("has a column that is not text or numbers")
    values = np.empty(len(items), dtype=object)
    values[:] = items
    return values.reshape(shape)
