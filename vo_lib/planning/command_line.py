"""Values of ``--config`` on the command line of Snakemake, and the command that repeats a run.

Snakemake reads a nested value such as ``reduce={gap_days: 60}`` as text throughout. Here such a text becomes what the
schema asks for, so that it means the same as in a file. Texts in a file stay text.
"""

import json
import re
import shlex
from collections.abc import Mapping

__all__ = ["mark_texts", "settle_texts", "snakemake_command"]

# How JSON writes a number; 007 and 12:34:56 are none.
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "~": None, "": None}
_KINDS = {bool: ("boolean",), int: ("integer", "number"), float: ("number",), type(None): ("null",)}


class _Text(str):
    """A text from the command line, which may stand for a number, a truth value or nothing."""

    __slots__ = ()


def mark_texts(config, changes):
    """Tell the texts of a configuration that come from the command line from those of a file.

    Parameters
    ----------
    config : dict
        A configuration with the changes in it; it is not changed.
    changes : dict
        What ``--config`` gave; empty without it.

    Returns
    -------
    dict
        The same, for `settle_texts`.
    """
    if isinstance(changes, str):
        return _Text(changes)
    if isinstance(changes, list):
        return [mark_texts(item, item) for item in changes]
    if isinstance(changes, Mapping) and isinstance(config, dict):
        return config | {name: mark_texts(config[name], change) for name, change in changes.items() if name in config}
    return config


def settle_texts(config, schema):
    """Make numbers, truth values and nulls of the texts of `mark_texts` where the schema has a place for them.

    Parameters
    ----------
    config : dict
        See `mark_texts`; it is not changed.
    schema : dict
        See `vo_lib.config.load_schema`.

    Returns
    -------
    dict
        Where the schema says nothing, as of the options of a class of one's own, a text that looks like a number is
        one. What does not fit stays text, so that the check of the configuration names it.
    """
    if isinstance(config, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        return {name: settle_texts(value, known.get(name, others)) for name, value in config.items()}
    if isinstance(config, list):
        return [settle_texts(item, schema.get("items", {})) for item in config]
    return _settle(config, schema) if isinstance(config, _Text) else config


def _settle(text, part):
    """What one text stands for."""
    kinds = part.get("type", ["object"] if "properties" in part else list(sum(_KINDS.values(), ())))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if text in part.get("enum", ()) or (text == "" and "string" in kinds):
        return str(text)
    value = _WORDS[text] if text in _WORDS else _number(text)
    is_section = value is None and "object" in kinds and "properties" in part
    return value if is_section or set(_KINDS.get(type(value), ())) & set(kinds) else str(text)


def _number(text):
    """Whole number if it is written as one, float of any other number, and the text of what is none."""
    if not _NUMBER.fullmatch(text):
        return str(text)
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def snakemake_command(configfiles, changes, schema):
    """Give the call of Snakemake that has the configuration of this one.

    Parameters
    ----------
    configfiles : sequence of str or Path
        What ``--configfile`` gave.
    changes : dict
        What ``--config`` gave.
    schema : dict
        See `vo_lib.config.load_schema`; secret keys are left out.

    Returns
    -------
    str
        For a shell in the project's folder, on all cores.
    """
    words = ["snakemake", "--cores", "all"]
    words += ["--configfile", *map(str, configfiles)] if configfiles else []
    changes = _without_secrets(changes, schema)
    words += ["--config", *(f"{key}={_written(value)}" for key, value in changes.items())] if changes else []
    return shlex.join(words)


def _without_secrets(changes, schema):
    """Changes without the keys that are never written anywhere."""
    if not isinstance(changes, Mapping):
        return changes
    parts = {name: schema.get("properties", {}).get(name, {}) for name in changes}
    if isinstance(changes.get("project"), Mapping):  # all words of a project, see `vo_lib.planning.config_styles`
        parts["project"] = schema
    return {
        name: _without_secrets(value, parts[name])
        for name, value in changes.items()
        if not parts[name].get("x-secret", False)
    }


def _written(value):
    """A value as ``--config`` takes it."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
