"""Edges of the bins of an axis, from its setting in the configuration."""

import numpy as np

__all__ = ["make_edges"]

MAX_BINS = 100_000
FORMS = (
    "[least, greatest, width] with a whole number of bins, {edges: [...]} or {log: [least, greatest, number of bins]}"
    f", at most {MAX_BINS:,} bins"
)


def make_edges(name, setting):
    """Make the edges of the bins of an axis.

    Parameters
    ----------
    name : str
        Key of the configuration, for error messages.
    setting : sequence of float or dict
        ``(least, greatest, width)`` for bins of equal width, ``{"edges": [...]}``, or
        ``{"log": (least, greatest, number)}`` for bins of equal width in the logarithm.

    Returns
    -------
    ndarray of float, shape (n_bins + 1,)
        Increasing; those of equal width are rounded to the floats that decimal literals stand for.

    Raises
    ------
    ValueError
        If the setting has another form.
    """
    make = _log if isinstance(setting, dict) and "log" in setting else _edges if isinstance(setting, dict) else _equal
    edges = make(setting)
    of_bins = edges is not None and 2 <= len(edges) <= MAX_BINS + 1
    if not (of_bins and np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        raise ValueError(f"{name} must be {FORMS}, got {setting}")
    return edges


def _equal(setting):
    """Make the edges of bins of equal width; None if their number is not whole."""
    least, greatest, step = setting
    # In this order, max of 0 and NaN is 0.
    number = round(min(max(0, (greatest - least) / step), MAX_BINS + 1)) if step > 0 else 0
    if not 1 <= number <= MAX_BINS or abs(least + number * step - greatest) > 1e-6 * step:
        return None
    return np.round(np.linspace(least, greatest, number + 1), 9)


def _log(setting):
    """Make edges that are evenly spaced in the logarithm; None if the setting is invalid."""
    least, greatest, number = setting["log"]
    if not (0 < least < greatest < np.inf and 1 <= number <= MAX_BINS and float(number).is_integer()):
        return None
    # Twelve digits are the same on every machine, whatever the last digit of its logarithm.
    return np.array([float(f"{edge:.12g}") for edge in np.geomspace(least, greatest, int(number) + 1).tolist()])


def _edges(setting):
    """Return edges as they are given."""
    return np.array(setting["edges"], float)
