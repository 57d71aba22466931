"""Check what user-defined classes return, at the point where they are called.

Any violation becomes a one-line error that names the class, its method, the lightcurve or source, and what it returned.
"""

import json
import numbers
import traceback
from dataclasses import replace
from textwrap import shorten

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.errors import PluginError, UserError, own_place
from vo_lib.observatories.credentials import mask
from vo_lib.text import is_storable

__all__ = [
    "VALUES",
    "ask",
    "call",
    "check_mask",
    "check_table",
    "check_values",
    "class_name",
    "fits",
    "frozen",
    "raised",
    "refuse",
    "said",
    "shown",
]

_FETCH = "fetch_data_from_observatory"

# Names of the kinds of columns, and of values in them.
KINDS = {"f": "float", "i": "int", "U": "str"}
VALUES = {"f": "a number", "i": "a whole number of 64 bits", "U": "text without NUL or surrogates"}

MOST_TOLD = 500  # characters shown of an exception


def class_name(plugin):
    """Return the name of the class of an object as ``module:Class``."""
    return f"{type(plugin).__module__}:{type(plugin).__qualname__}"


def frozen(value):
    """Return read-only views of an array or of the arrays of a batch, and anything else unchanged."""
    if isinstance(value, LightcurveBatch):
        columns, table = ({name: frozen(x) for name, x in arrays.items()} for arrays in (value.columns, value.table))
        return replace(value, columns=columns, starts=frozen(value.starts), table=table)
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
    return value


def raised(error):
    """Describe what user code raised and where: the last frame outside the project and libraries, if there is one."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = own_place(error) or f"in {frame.filename} line {frame.lineno}"
    return f"raises {type(error).__name__}: {shorten(mask(str(error)), MOST_TOLD)} ({place})"


def call(plugin, method, *arguments, where="", **options):
    """Call a method of an object whose class may be user-defined.

    Parameters
    ----------
    plugin : object
        The object.
    method : str
        Name of the method.
    *arguments, **options
        Arguments of the method; a class outside ``vo_lib`` gets read-only views of positional arrays and batches.
    where : str, optional
        What it is called for, such as ``lightcurve a_reduction_01_of_03``.

    Returns
    -------
    object
        What the method returns.

    Raises
    ------
    PluginError
        If the method of a class outside ``vo_lib`` raises anything but a `UserError`; it names the last line of the
        user's code.
    """
    if type(plugin).__module__.startswith("vo_lib."):
        return getattr(plugin, method)(*arguments, **options)
    try:
        return getattr(plugin, method)(*map(frozen, arguments), **options)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{said(plugin, method, where)} {raised(error)}; correct the class") from error


def said(plugin, method, where=""):
    """Name a method call in a message: class, method and what it is called for."""
    return f"{class_name(plugin)}.{method}(){f' for {where}' if where else ''}"


def shown(value):
    """Describe a value in a few words: type and shape of an array, keys of a dict, else the value if it is short."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, dict):
        return f"a dict with {', '.join(map(str, value)) or 'nothing'}"
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"


def refuse(plugin, method, wanted, got, *, where=""):
    """Raise `PluginError` for a method that returned `got` and must return `wanted`."""
    raise PluginError(f"{said(plugin, method, where)} must return {wanted}, got {got}; correct the class")


def ask(observatory, row):
    """Query a survey for one source, and check the answer.

    Parameters
    ----------
    observatory : VirtualObservatory
        The survey.
    row : dict
        The source, a row of the catalog.

    Returns
    -------
    data : ndarray, shape (n_epochs,)
        Epochs; text may have any width, and extra columns are allowed.
    altdata : dict
        Metadata that came with the table, JSON-serialisable.

    Raises
    ------
    ServiceError
        If the survey gives no usable answer.
    PluginError
        If the method returns anything but such a pair, or a class outside ``vo_lib`` raises anything else.
    """
    where = f"'{row['name']}'"
    answer = call(observatory, _FETCH, row, where=where)
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], dict):
        refuse(observatory, _FETCH, "a pair of a table and a dict", shown(answer), where=where)
    _check_answer(observatory, answer[0], where)
    try:
        json.dumps(answer[1])
    except (TypeError, ValueError) as error:
        refuse(observatory, _FETCH, "a dict that can be written as JSON beside the table", str(error), where=where)
    return answer


def _check_answer(observatory, data, where):
    """Raise `PluginError` unless an answer has all columns that its survey declares, with compatible types."""
    names = getattr(getattr(data, "dtype", None), "names", None)
    if names is None or data.ndim != 1:
        refuse(observatory, _FETCH, "a structured array of epochs", shown(data), where=where)
    for name, (declared, _) in observatory.empty_table().dtype.fields.items():
        if name not in names:
            refuse(observatory, _FETCH, f"a column '{name}' ({declared})", f"only {', '.join(names)}", where=where)
        found = data.dtype[name]
        if not (found.kind == declared.kind == "S" or np.can_cast(found, declared)):
            refuse(observatory, _FETCH, f"{declared} in the column '{name}'", found, where=where)


def check_mask(plugin, method, mask, size, *, where):
    """Return a mask of epochs as an array; raise unless it is bool and has a value for each of `size` epochs."""
    found = _as_array(mask)
    if found.dtype != bool or found.shape != (size,):
        refuse(plugin, method, f"a bool for each of {size} epochs", shown(found), where=where)
    return found


def check_table(plugin, method, table, columns, *, n_rows, where=""):
    """Check that a table has exactly the given columns, each of its kind and with a value for each row.

    Parameters
    ----------
    plugin, method, where
        See `call`.
    table : dict of str to array_like
        What the method returned.
    columns : dict of str to tuple
        Type, unit and meaning of each column.
    n_rows : int
        Required number of rows.

    Returns
    -------
    dict of str to ndarray, each of shape (n_rows,)
        The table, in the order and with the numeric types of `columns`.
    """
    if not isinstance(table, dict) or table.keys() != columns.keys():
        refuse(plugin, method, f"a dict of the columns {', '.join(columns)}", shown(table), where=where)
    table = {name: _as_array(table[name]) for name in columns}
    for name, (kind, *_) in columns.items():
        wanted = np.dtype(kind).kind
        allowed = {"f": "fiu", "i": "iu"}.get(wanted, wanted)
        if table[name].dtype.kind not in allowed or table[name].shape != (n_rows,):
            text = f"{KINDS[wanted]} of shape ({n_rows},) as column {name}"
            refuse(plugin, method, text, shown(table[name]), where=where)
    return {
        name: values if values.dtype.kind == "U" else values.astype(columns[name][0]) for name, values in table.items()
    }


def check_values(plugin, method, values, columns, *, where):
    """Check that a row has exactly one value for each column, of its kind.

    Parameters
    ----------
    plugin, method, where
        See `call`.
    values : dict
        What the method returned.
    columns : dict of str to tuple
        Type, unit and meaning of each column.

    Returns
    -------
    dict
        The values, unchanged.
    """
    if not isinstance(values, dict) or values.keys() != columns.keys():
        refuse(plugin, method, f"a dict of {', '.join(columns)}", shown(values), where=where)
    for name, (kind, *_) in columns.items():
        if not fits(values[name], kind):
            refuse(plugin, method, f"{name} as {VALUES[kind[0]]}", shown(values[name]), where=where)
    return values


def fits(value, kind):
    """Return whether a value can be stored in a column.

    Parameters
    ----------
    value : object
        Anything.
    kind : str
        Type of the column: ``f8``, which includes NaN and infinity, ``i8`` or ``U1``, see `VALUES`.

    Returns
    -------
    bool
    """
    if kind.startswith("U"):
        return isinstance(value, str) and is_storable(value)
    try:
        return isinstance(value, numbers.Integral if kind == "i8" else numbers.Real) and np.array(value, kind).ndim == 0
    except OverflowError:
        return False


def _as_array(values):
    """Return values as an array; ragged ones as one of objects."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.empty(len(values), object)
