"""Compare two JSON values key by key."""

import json

__all__ = ["difference_text", "differences", "flatten"]

LONGEST = 60
_NONE = object()


def flatten(value, key=""):
    """Flatten nested dicts into one with dotted keys; an empty dict, or any other value, is kept whole."""
    if not (isinstance(value, dict) and value):
        return {key: value}
    parts = (flatten(below, f"{key}.{name}" if key else name) for name, below in value.items())
    return {name: part for found in parts for name, part in found.items()}


def differences(old, new, key=""):
    """List the keys at which two JSON values differ.

    Parameters
    ----------
    old, new : dict, list, str, number or None
        JSON values; dicts are compared key by key, anything else as a whole.
    key : str, optional
        Dotted key of both values, put before the keys returned.

    Returns
    -------
    list of tuple
        Dotted key, old and new value, sorted by key; a missing value is an empty string. Empty for equal values.
    """
    before, after = flatten(old, key), flatten(new, key)
    changed = [name for name in sorted({*before, *after}) if before.get(name, _NONE) != after.get(name, _NONE)]
    return [(name, before.get(name, ""), after.get(name, "")) for name in changed]


def difference_text(key, old, new):
    """Format one difference, such as ``reduce.gap_days: 40 -> 60``."""
    return f"{key}: {_shorten(old)} -> {_shorten(new)}"


def _shorten(value):
    """Format a JSON value in at most `LONGEST` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
