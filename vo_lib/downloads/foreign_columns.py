"""Conversion of columns of any type to the table that a survey would have sent."""

from collections import Counter

import numpy as np

from vo_lib.errors import UserError
from vo_lib.numbers import COARSEST_DAYS, single_step, to_floats, to_ints

__all__ = ["to_answer"]


def to_answer(columns, declared, renamed):
    """Make the table of an answer from the columns of another program.

    Parameters
    ----------
    columns : dict of str to ndarray, each of shape (n_rows,)
        Numbers, bytes or objects.
    declared : dict of str to tuple
        Type, unit and description of each required column, see `VirtualObservatory`.
    renamed : dict of str to str
        Name in `columns` of each renamed column, by its name in `declared`.

    Returns
    -------
    data : ndarray, shape (n_rows,)
        Structured array. Declared columns have their declared types, text wider where necessary; others keep theirs.
    left_out : list of str
        Undeclared columns that hold neither numbers nor text.

    Raises
    ------
    UserError
        If a column is missing or used twice, a value does not fit the declared type, or times in days are coarse
        because they are in single precision. Floats too large to be distinct integers do not become integers, so that
        no 64-bit identifier changes.
    """
    _check_used_once(columns, declared, renamed)
    named = _rename(columns, renamed)
    for name in declared:
        if name not in named:
            raise UserError(f"has no column '{name}' (it has {', '.join(columns)}); use --columns {name}=THEIRS")
    plain = {name: _plain(values) for name, values in named.items()}
    arrays = {name: _declared(name, plain[name], *declared[name][:2]) for name in declared}
    others = {name: _bool_as_number(values) for name, values in plain.items() if name not in declared}
    arrays |= {name: values for name, values in others.items() if values.dtype.kind in "iufS"}
    order = [name for name in named if name in arrays]
    data = np.empty(len(arrays[order[0]]), [(name, arrays[name].dtype.str) for name in order])
    for name in order:
        data[name] = arrays[name]
    return data, [name for name in named if name not in arrays]


def _check_used_once(columns, declared, renamed):
    """Check that no column stands for two columns of the survey, whether renamed or not."""
    used = {name: name for name in declared if name in columns} | renamed
    for theirs, n_times in Counter(used.values()).items():
        if n_times > 1:
            ours = " and ".join(name for name, column in used.items() if column == theirs)
            raise UserError(f"column '{theirs}' is used for both {ours}; name another one with --columns")


def _rename(columns, renamed):
    """Columns by the names of the survey."""
    for ours, theirs in renamed.items():
        if theirs not in columns:
            raise UserError(f"has no column '{theirs}' for {ours} (it has {', '.join(columns)})")
        if ours in columns and ours not in renamed.values():
            raise UserError(f"has a column '{ours}' besides '{theirs}', which --columns gives the same name")
    others = {name: values for name, values in columns.items() if name not in renamed.values()}
    return others | {ours: columns[theirs] for ours, theirs in renamed.items()}


def _plain(values):
    """Column with numbers in native byte order and text as UTF-8; others unchanged."""
    if values.dtype.kind == "O":
        return _from_objects(values.tolist())
    if values.dtype.kind == "U":
        return np.char.encode(values, "utf-8")
    return np.ascontiguousarray(values, values.dtype.newbyteorder("="))


def _bool_as_number(values):
    """Column with 1 for true and 0 for false; others unchanged."""
    return values.astype("i1") if values.dtype.kind == "b" else values


def _from_objects(items):
    """Array of integers, floats or text if all items are of that kind, else of objects; missing text is empty."""
    kinds = {type(item) for item in items}
    if kinds == {int} and all(-(2**63) <= item < 2**63 for item in items):
        return np.array(items, np.int64)
    if kinds == {float}:
        return np.array(items, np.float64)
    missing = [item is None or (isinstance(item, float) and item != item) for item in items]  # NaN differs from itself
    texts = [b"" if gone else item for item, gone in zip(items, missing, strict=True)]
    texts = [item.encode() if isinstance(item, str) else item for item in texts]
    return np.array(texts, "S" if all(isinstance(item, bytes) for item in texts) else object)


def _declared(name, values, kind, unit):
    """Column in its declared type."""
    kind = np.dtype(kind)
    if unit == "d" and values.dtype in (np.float16, np.float32) and (step := single_step(values)) > COARSEST_DAYS:
        raise UserError(f"column '{name}' is in single precision, which resolves such times only to {step:.2g} days")
    convert = {"i": _to_whole, "f": _to_float, "S": _to_text}[kind.kind]
    try:
        return convert(values, kind)
    except (ValueError, OverflowError) as error:
        raise UserError(f"column '{name}' of type {values.dtype} cannot be {kind}: {error}") from None


def _to_whole(values, kind):
    """Integers; from floats only below the limit up to which they represent every integer."""
    values = _bool_as_number(values)
    if values.dtype.kind == "f":
        exact = 2.0 ** (np.finfo(values.dtype).nmant + 1)
        if not (np.isfinite(values) & (np.abs(values) < exact) & (values == np.trunc(values))).all():
            raise ValueError("it has floats that are not whole numbers or too large to be exact")
    elif values.dtype.kind == "S":
        values = to_ints([text.decode() for text in values.tolist()])
    elif values.dtype.kind not in "iu":
        raise ValueError("it holds neither numbers nor text")
    if values.dtype == np.uint64 and (values > np.iinfo(np.int64).max).any():
        raise ValueError("it has numbers that need more than 63 bits")
    return values.astype(kind)


def _to_float(values, kind):
    """Floats, NaN for empty text."""
    values = _bool_as_number(values)
    if values.dtype.kind == "S":
        return to_floats([text.decode() or "nan" for text in values.tolist()]).astype(kind)
    if values.dtype.kind not in "iuf":
        raise ValueError("it holds neither numbers nor text")
    return values.astype(kind)


def _to_text(values, kind):
    """Text: integers in decimal digits, booleans as ``true`` and ``false``."""
    if values.dtype.kind == "b":
        values = np.where(values, b"true", b"false")
    if values.dtype.kind in "iu":
        values = values.astype("S")
    if values.dtype.kind != "S":
        raise ValueError("it holds neither text nor whole numbers")
    return values.astype(f"S{max(kind.itemsize, values.dtype.itemsize)}")
