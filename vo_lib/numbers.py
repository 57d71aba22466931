"""Numbers in tables: parsed from text, and in single precision.

Unlike in Python, where ``1_2`` is 12, text with an underscore is not a number.
"""

import numpy as np

__all__ = ["COARSEST_DAYS", "single_step", "to_float", "to_floats", "to_ints"]

# Coarsest step allowed for times in single precision [days].
COARSEST_DAYS = 1e-3


def single_step(values):
    """Return the spacing of single-precision numbers at the largest absolute value; 0 if no value is finite."""
    finite = values[np.isfinite(values)]
    return float(np.spacing(np.float32(np.abs(finite).max()))) if finite.size else 0.0


def to_float(text):
    """Parse a float; raise ValueError if the text is not one."""
    return float(_without_underscore(text))


def to_floats(texts):
    """Parse floats into an array of the same length; raise ValueError if a text is not a float."""
    _without_underscore("".join(texts))
    return np.fromiter(map(float, texts), float, len(texts))


def to_ints(texts, dtype=np.int64):
    """Parse integers into an array; raise ValueError if a text is not one, OverflowError if it does not fit `dtype`."""
    _without_underscore("".join(texts))
    return np.array(list(map(int, texts)), dtype)


def _without_underscore(text):
    """Return the text; raise ValueError if it has an underscore."""
    if "_" in text:
        raise ValueError("no number")
    return text
