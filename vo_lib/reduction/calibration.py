"""Apply calibrators: functions that correct the epochs of a bin before they become lightcurves.

``reduce.calibrators`` lists them as ``module:function``, alone or with keyword arguments::

    reduce:
      calibrators:
        - extensions.extinction:dust
        - {function: "vo_lib.calibrators:readout_offsets", kwargs: {reference: readouts}}

A calibrator is a pure function ``f(columns, labels, sources, **kwargs)`` of

- ``columns``: the standard columns (`vo_lib.batch.COLUMNS`), read-only arrays of shape (n_epochs,);
- ``labels``: read-only arrays of shape (n_epochs,): ``filter``, ``series`` and ``readout`` (text), ``source`` (row in
  ``sources``) and ``bad`` (True for epochs with bad flags of the survey);
- ``sources``: the rows of the catalog, read-only arrays of shape (n_sources,).

It returns a dict of the columns that it changed, or a pair of that and the zero points that it measured: a table with
all columns of `ZERO_POINTS` except ``calibrator``. It must not change times. It is also called for a bin without
epochs.
"""

import numpy as np

from vo_lib.batch import COLUMNS
from vo_lib.contracts import frozen, raised
from vo_lib.errors import ConfigError, UserError
from vo_lib.labels import label_codes
from vo_lib.photometry import finite, flux_from_mag, mag_from_flux
from vo_lib.plugins import function_files, load_function
from vo_lib.tables import concatenate_tables, empty_table

__all__ = ["ZERO_POINTS", "calibrate", "calibrator_files", "expect_filters"]

# Columns of the table of measured zero points: (type, unit, meaning).
ZERO_POINTS = {
    "calibrator": ("U1", "", "function that measured it"),
    "filter": ("U1", "", "filter"),
    "readout": ("U1", "", "readout of the survey; empty for all of the filter"),
    "offset": ("f8", "mag", "zero point less the survey's: what was added to magnitudes; NaN if not known"),
    "offset_err": ("f8", "mag", "its error"),
    "n_sources": ("i8", "", "sources that it was measured with"),
}
_COLOR_TERM = "vo_lib.calibrators:color_term"
_FIXED = ("mjd", "bmjd_tdb")
_PAIRS = (("flux", "fluxerr", mag_from_flux, ("mag", "magerr")), ("mag", "magerr", flux_from_mag, ("flux", "fluxerr")))


def _parse(calibrator):
    """Path of the function and keyword arguments of an entry of the configuration."""
    if isinstance(calibrator, str):
        return calibrator, {}
    return calibrator["function"], calibrator.get("kwargs", {})


def calibrator_files(calibrators, root):
    """Return the files of calibrators.

    Parameters
    ----------
    calibrators : sequence of str or dict
        See the module's docstring.
    root : str or Path
        Folder that holds ``vo_lib``.

    Returns
    -------
    list of Path
        In alphabetical order; relative to `root` if they are below it.

    Raises
    ------
    ConfigError
        If a function cannot be loaded.
    """
    return function_files([_parse(calibrator)[0] for calibrator in calibrators], "reduce.calibrators", root)


def expect_filters(calibrators, filters):
    """Check that surveys have the filters in the arguments of ``color_term``, which sees only those in a bin.

    Parameters
    ----------
    calibrators : sequence of str or dict
        See the module's docstring.
    filters : sequence of str
        Filters of all surveys to which the calibrators are applied.

    Raises
    ------
    ConfigError
        If a filter in ``slopes`` or ``color`` is not one of these.
    """
    for path, kwargs in map(_parse, calibrators):
        lists = {"slopes": (dict, kwargs.get("slopes")), "color": (list, kwargs.get("color"))}
        for key, (kind, named) in lists.items() if path == _COLOR_TERM else ():
            if isinstance(named, kind) and (unknown := [name for name in named if name not in filters]):
                raise ConfigError(
                    f"reduce.calibrators: {path}: {key}: no survey has a filter '{unknown[0]}'; it can be one of "
                    f"{', '.join(filters)}"
                )


def calibrate(columns, labels, sources, calibrators):
    """Apply calibrators one after the other, each to the result of the one before.

    Parameters
    ----------
    columns : dict of str to ndarray, each of shape (n_epochs,)
        Standard columns; not modified.
    labels : dict of str to ndarray, each of shape (n_epochs,)
        See the module's docstring; integer series and readouts are converted to text.
    sources : dict of str to ndarray, each of shape (n_sources,)
        Rows of the catalog.
    calibrators : sequence of str or dict
        See the module's docstring; may be empty.

    Returns
    -------
    columns : dict of str to ndarray
        Calibrated columns. Where fluxes were changed, magnitudes follow; where magnitudes were, fluxes do.
    zero_points : dict of str to ndarray
        Table with the columns of `ZERO_POINTS`.

    Raises
    ------
    ConfigError
        If a function cannot be loaded, fails or returns something else.
    """
    tables = [empty_table(ZERO_POINTS)]
    if calibrators:
        labels = labels | {name: _texts(labels[name]) for name in ("series", "readout")}
    for calibrator in calibrators:
        path, kwargs = _parse(calibrator)
        changed, measured = _call(path, kwargs, _frozen(columns), _frozen(labels), _frozen(sources))
        try:
            with np.errstate(invalid="raise"):  # for NaN in a column of integers
                changed = _checked(path, changed, len(columns["mjd"]))
                tables += [] if measured is None else [_checked_table(path, measured)]
        except (TypeError, ValueError, ArithmeticError) as error:
            raise ConfigError(
                f"reduce.calibrators: {path} returned values that cannot be used ({error}); correct the function"
            ) from error
        columns = columns | _with_pair(changed)
    return columns, concatenate_tables(tables)


def _texts(labels):
    """Convert labels to text."""
    texts, code = label_codes(labels)
    return texts[code]


def _frozen(arrays):
    """Return read-only views."""
    return {name: frozen(np.asarray(values)) for name, values in arrays.items()}


def _call(path, kwargs, columns, labels, sources):
    """Call a calibrator; return the columns that it changed, and the zero points that it measured or None."""
    function = load_function(path, "reduce.calibrators")
    try:
        answer = function(columns, labels, sources, **kwargs)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"reduce.calibrators: {path} {raised(error)}; correct it or its kwargs") from error
    pair = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
    if not all(isinstance(part, dict) for part in pair if part is not None) or pair[0] is None:
        raise ConfigError(
            f"reduce.calibrators: {path} must return a dict of columns, or a pair of it and a table of zero points, "
            f"got {type(answer).__name__}; correct the function"
        )
    return pair


def _checked(path, changed, n_epochs):
    """Check the columns that a calibrator returned, and convert them to the standard types, with NaN for infinities."""
    known = [name for name in COLUMNS if name not in _FIXED]
    columns = {}
    for name, values in changed.items():
        values = np.asarray(values)
        if name not in known or values.shape != (n_epochs,) or values.dtype.kind not in "biuf":
            raise ConfigError(
                f"reduce.calibrators: {path} returned '{name}' of shape {values.shape}; it must return some of "
                f"{', '.join(known)} with {n_epochs} numbers each; correct the function"
            )
        values = values.astype(COLUMNS[name])
        columns[name] = finite(values) if values.dtype.kind == "f" else values
    return columns


def _with_pair(changed):
    """Add magnitudes to changed fluxes, or fluxes to changed magnitudes, unless the calibrator returned both."""
    for value, error, *_ in _PAIRS:
        if (value in changed) != (error in changed):
            raise ConfigError(f"reduce.calibrators: {value} and {error} must be changed together; return both")
    for value, error, convert, pair in _PAIRS:
        if value in changed and changed.keys().isdisjoint(pair):
            return changed | dict(zip(pair, convert(changed[value], changed[error]), strict=True))
    return changed


def _checked_table(path, measured):
    """Check the table of zero points that a calibrator returned, and add the calibrator's name."""
    names = [name for name in ZERO_POINTS if name != "calibrator"]
    rows = {name: np.asarray(measured[name]) for name in names if name in measured}
    sizes = {values.shape for values in rows.values()}
    if set(measured) != set(names) or len(sizes) != 1 or len(next(iter(sizes))) != 1:
        raise ConfigError(
            f"reduce.calibrators: {path} returned zero points with {', '.join(map(str, measured))}; it must return "
            f"{', '.join(names)} of the same length; correct the function"
        )
    count = next(iter(sizes))[0]
    table = {"calibrator": np.full(count, path), **rows}
    kinds = {"U1": str, "f8": float, "i8": np.int64}
    return {name: table[name].astype(kinds[kind]) for name, (kind, _, _) in ZERO_POINTS.items()}
