"""Values of ``--config`` on Snakemake's command line, and the command that repeats a run.

Snakemake reads all values inside a nested one such as ``reduce={gap_days: 60}`` as text. Here they are converted to the
types that the schema declares, so that they mean the same as in a file. Text in a file stays text.
"""

import json
import re
import shlex
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["mark_texts", "settle_texts", "snakemake_command"]

# A number as JSON writes it; 007 and 12:34:56 are not numbers.
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "~": None, "": None}
_KINDS = {bool: ("boolean",), int: ("integer", "number"), float: ("number",), type(None): ("null",)}


class _Text(str):
    """Text from the command line, which may stand for a number, a boolean or null."""

    __slots__ = ()


def mark_texts(config, changes):
    """Mark the text values of a configuration that come from the command line rather than from a file.

    Parameters
    ----------
    config : dict
        A configuration that includes the changes; not modified.
    changes : dict
        Values of ``--config``; empty without it.

    Returns
    -------
    dict
        The same configuration, for `settle_texts`.
    """
    if isinstance(changes, str):
        return _Text(changes)
    if isinstance(changes, list):
        return [mark_texts(item, item) for item in changes]
    if isinstance(changes, Mapping) and isinstance(config, dict):
        return config | {name: mark_texts(config[name], change) for name, change in changes.items() if name in config}
    return config


def settle_texts(config, schema):
    """Convert the texts marked by `mark_texts` to numbers, booleans and nulls where the schema allows these.

    Parameters
    ----------
    config : dict
        See `mark_texts`; not modified.
    schema : dict
        See `vo_lib.config.load_schema`.

    Returns
    -------
    dict
        Where the schema declares no type, as for the options of a plug-in class, a text that looks like a number
        becomes one. A value that does not fit stays text, so that the check of the configuration reports it.
    """
    if isinstance(config, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        others = others if isinstance(others, dict) else {}
        return {name: settle_texts(value, known.get(name, others)) for name, value in config.items()}
    if isinstance(config, list):
        return [settle_texts(item, schema.get("items", {})) for item in config]
    return _settle(config, schema) if isinstance(config, _Text) else config


def _settle(text, part):
    """Value that one text stands for."""
    kinds = part.get("type", ["object"] if "properties" in part else list(sum(_KINDS.values(), ())))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if text in part.get("enum", ()) or (text == "" and "string" in kinds):
        return str(text)
    value = _WORDS[text] if text in _WORDS else _number(text)
    is_section = value is None and "object" in kinds and "properties" in part
    return value if is_section or set(_KINDS.get(type(value), ())) & set(kinds) else str(text)


def _number(text):
    """Return an int for a text written as one, a float for any other number, and all else as text."""
    if not _NUMBER.fullmatch(text):
        return str(text)
    with suppress(ValueError):  # also for an integer with more digits than Python reads
        return int(text)
    return float(text)


def snakemake_command(configfiles, changes, schema):
    """Return the Snakemake command with the same configuration as this run.

    Parameters
    ----------
    configfiles : sequence of str or Path
        Values of ``--configfile``.
    changes : dict
        Values of ``--config``.
    schema : dict
        See `vo_lib.config.load_schema`; keys that it marks as secret are left out.

    Returns
    -------
    str
        A shell command for the folder of the workflow, using all cores.
    """
    words = ["snakemake", "--cores", "all"]
    words += ["--configfile", *map(str, configfiles)] if configfiles else []
    changes = _without_secrets(changes, schema)
    words += ["--config", *(f"{key}={_written(value)}" for key, value in changes.items())] if changes else []
    return shlex.join(words)


def _without_secrets(changes, schema):
    """Return changes without secret keys, which are never written anywhere."""
    if not isinstance(changes, Mapping):
        return changes
    parts = {name: schema.get("properties", {}).get(name, {}) for name in changes}
    if isinstance(changes.get("project"), Mapping):  # it may hold any key, see `vo_lib.planning.config_styles`
        parts["project"] = schema
    return {
        name: _without_secrets(value, parts[name])
        for name, value in changes.items()
        if not parts[name].get("x-secret", False)
    }


def _written(value):
    """Return a value as ``--config`` takes it."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
