"""What differs between two JSON values, key by key."""

import json

__all__ = ["difference_text", "differences"]

LONGEST = 60
_NONE = object()


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
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [] if old == new else [(key, "" if old is _NONE else old, "" if new is _NONE else new)]
    found = []
    for name in sorted({*old, *new}):
        below = f"{key}.{name}" if key else name
        found += differences(old.get(name, _NONE), new.get(name, _NONE), below)
    return found


def difference_text(key, old, new):
    """Words for one difference: ``reduce.gap_days: 40 -> 60``."""
    return f"{key}: {_shorten(old)} -> {_shorten(new)}"


def _shorten(value):
    """A JSON value in a few characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
