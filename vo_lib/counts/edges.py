"""Edges of the bins of an axis, from what the configuration says of it."""

import numpy as np

__all__ = ["make_edges"]

MAX_BINS = 100_000
FORMS = (
    "[least, greatest, width] with a whole number of bins, {edges: [...]} or {log: [least, greatest, number of bins]}"
    f", at most {MAX_BINS:,} bins"
)


def make_edges(name, setting):
    """Edges of the bins of an axis.

    Parameters
    ----------
    name : str
        Key of the configuration, for messages.
    setting : sequence of float or dict
        ``(least, greatest, width)`` for bins of one width, ``{"edges": [...]}``, or
        ``{"log": (least, greatest, number)}`` for bins of one width in the logarithm.

    Returns
    -------
    ndarray of float, shape (n_bins + 1,)
        Increasing; rounded to the floats that decimal numbers are read as.

    Raises
    ------
    ValueError
        For anything else.
    """
    make = _log if isinstance(setting, dict) and "log" in setting else _edges if isinstance(setting, dict) else _equal
    edges = make(setting)
    if edges is None or len(edges) < 2 or not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        raise ValueError(f"{name} must be {FORMS}, got {setting}")
    return edges


def _equal(setting):
    """Edges of equally wide bins, None if there is no whole number of them."""
    least, greatest, step = setting
    # The greatest of 0 and NaN, in this order, is 0.
    number = round(min(max(0, (greatest - least) / step), MAX_BINS + 1)) if step > 0 else 0
    if not 1 <= number <= MAX_BINS or abs(least + number * step - greatest) > 1e-6 * step:
        return None
    return np.round(np.linspace(least, greatest, number + 1), 9)


def _log(setting):
    """Edges whose logarithms are equally far from each other, None if there are none."""
    least, greatest, number = setting["log"]
    if not (0 < least < greatest and 1 <= number <= MAX_BINS and float(number).is_integer()):
        return None
    # Twelve digits: the same on every machine, whatever its last digit of a logarithm is.
    return np.array([float(f"{edge:.12g}") for edge in np.geomspace(least, greatest, int(number) + 1).tolist()])


def _edges(setting):
    """Edges as they are given."""
    return np.array(setting["edges"], float)
