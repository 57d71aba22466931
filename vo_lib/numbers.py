"""Numbers from texts of tables, where ``1_2`` is a name or an error; Python itself takes it for 12."""

import numpy as np

__all__ = ["to_float", "to_floats", "to_ints"]


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
