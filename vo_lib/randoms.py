"""Random numbers that depend on their purpose, not on the order in which they are drawn.

Every number is a hash of a seed, names and counters, computed for whole arrays at once. A source
therefore gets the same numbers in any bin, order and process.
"""

import numpy as np

__all__ = ["combine", "hash_text", "normals", "stream_of", "uniforms"]

# SplitMix64: Steele, Lea & Flood (2014), doi:10.1145/2660193.2660195; passes BigCrush.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


def _mix(state):
    """One step of SplitMix64, with the intended overflow modulo 2**64."""
    state = state + _STEP
    for shift, factor in _FACTORS:
        state = (state ^ (state >> shift)) * factor
    return state ^ (state >> np.uint64(31))


def hash_text(texts):
    """Hash each text by its characters.

    Parameters
    ----------
    texts : array_like of str, shape (n,)
        Any texts; the width of the array's dtype does not matter.

    Returns
    -------
    ndarray of uint64, shape (n,)
        Equal for equal texts; the chance of a collision among a million different texts is below 1e-7.
    """
    texts = np.ascontiguousarray(texts, dtype=None if len(texts) else "U1")
    if texts.dtype.kind != "U":
        raise TypeError(f"texts must be str, got an array of {texts.dtype}")
    letters = texts.view(np.uint32).reshape(len(texts), texts.itemsize // 4).astype(np.uint64)
    state = np.zeros(len(texts), np.uint64)
    for column in letters.T:
        # Zeros are padding up to the longest text of the array.
        state = np.where(column > 0, _mix(state ^ column), state)
    return state


def combine(*parts):
    """Combine numbers into one hash, which depends on their order.

    Parameters
    ----------
    *parts : int or ndarray of integers
        Seeds, hashes and counters, broadcast against each other.

    Returns
    -------
    ndarray of uint64
        At least one-dimensional.
    """
    state = np.zeros(1, np.uint64)
    for part in parts:
        part = np.uint64(part % 2**64) if isinstance(part, int) else np.asarray(part).astype(np.uint64)
        state = _mix(state ^ part)
    return state


def stream_of(seed, table, number):
    """Return the seed of the random numbers of each copy of a lightcurve: a hash of everything that identifies it.

    Parameters
    ----------
    seed : int
        Seed of the project.
    table : dict of str to ndarray
        With the columns ``source``, ``obs`` and ``key`` of lightcurves.
    number : int or ndarray of integers
        Number of the copy, broadcast against the columns.

    Returns
    -------
    ndarray of uint64
    """
    return combine(seed, *(hash_text(table[name]) for name in ("source", "obs", "key")), number)


def uniforms(*parts):
    """Return random numbers in [0, 1) with 53 bits, one for each combination of `parts`; see `combine`."""
    return (combine(*parts) >> np.uint64(11)) * 2.0**-53


def normals(*parts):
    """Return standard normal random numbers, one for each combination of `parts` (Box & Muller 1958)."""
    radius = np.sqrt(-2 * np.log1p(-uniforms(*parts, 1)))
    return radius * np.cos(2 * np.pi * uniforms(*parts, 2))
