"""What differs between two JSON values, key by key."""

import json

__all__ = ["difference_text", "differences", "flatten"]

LONGEST = 60
_NONE = object()


def flatten(value, key=""):
    """Give the parts of a JSON value by their keys with dots; a value that is no dict, or an empty one, is one part."""
    if not (isinstance(value, dict) and value):
        return {key: value}
    parts = (flatten(below, f"{key}.{name}" if key else name) for name, below in value.items())
    return {name: part for found in parts for name, part in found.items()}


def differences(old, new, key=""):
    """List the keys at which two JSON values differ.

    Parameters
    ----------
    old, new : dict, list, str, number or None
        JSON values; dicts are compared key by key, all else as a whole.
    key : str, optional
        Key that both stand under.

    Returns
    -------
    list of tuple
        Key with dots, old and new value; a value that is not there is an empty text. In the order of the keys, empty
        for equal values.
    """
    before, after = flatten(old, key), flatten(new, key)
    changed = [name for name in sorted({*before, *after}) if before.get(name, _NONE) != after.get(name, _NONE)]
    return [(name, before.get(name, ""), after.get(name, "")) for name in changed]


def difference_text(key, old, new):
    """Words for one difference: ``reduce.gap_days: 40 -> 60``."""
    return f"{key}: {_shorten(old)} -> {_shorten(new)}"


def _shorten(value):
    """A JSON value in a few characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
