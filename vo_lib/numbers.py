"""Numbers of tables: from texts, where ``1_2`` is a name or an error, and in single precision.

Python itself takes ``1_2`` for 12.
"""

import numpy as np

__all__ = ["COARSEST_DAYS", "single_step", "to_float", "to_floats", "to_ints"]

# Times in single precision may be as coarse as this [days].
COARSEST_DAYS = 1e-3


def single_step(values):
    """Step between numbers in single precision at the largest of an array; 0 where none is finite."""
    finite = values[np.isfinite(values)]
    return float(np.spacing(np.float32(np.abs(finite).max()))) if finite.size else 0.0


def to_float(text):
    """Float of a text; ValueError where it is none."""
    return float(_without_underscore(text))


def to_floats(texts):
    """Floats of texts: ndarray of the same length; ValueError where one is none."""
    _without_underscore("".join(texts))
    return np.fromiter(map(float, texts), float, len(texts))


def to_ints(texts, dtype=np.int64):
    """Whole numbers of texts: ndarray; ValueError where one is none, OverflowError where one is beyond the type."""
    _without_underscore("".join(texts))
    return np.array(list(map(int, texts)), dtype)


def _without_underscore(text):
    """A text, or ValueError."""
    if "_" in text:
        raise ValueError("no number")
    return text
