"""Explain a key of the configuration: what it means, its type, limits and default.

For example:

    vo help
    vo help finder
    vo help reduce.gap_days

Without a key, the sections and the keys outside them are listed.
"""

import json

from vo_lib.errors import ConfigError, hint
from vo_lib.plan import read_keys
from vo_lib.planning.config_checks import keys_named
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB", "find_key"]

LIMITS = ("type", "enum", "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "pattern", "default")


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("key", nargs="?", metavar="KEY", help="key with dots, such as reduce.gap_days, or a section")
    add_json(parser)


def find_key(schema, key):
    """Find the part of a schema that describes a key.

    Parameters
    ----------
    schema : dict
        See `vo_lib.config.load_schema`.
    key : str
        Key with dots, such as ``reduce.gap_days``.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        If the key is unknown; the message names the nearest one.
    """
    part = schema
    for name in key.split("."):
        known = part.get("properties", {})
        if name not in known:
            raise ConfigError(f"{key}: '{name}' is not a known key; {hint(name, known, keys_named(schema, name))}")
        part = known[name]
    return part


def run(schema, arguments):
    """Print the help of a key and of the keys below it, or of all keys at the top."""
    part = find_key(schema, arguments.key) if arguments.key else schema
    lines = _lines(arguments.key, part) if arguments.key else _below(part, "")
    return print_found(arguments, {"key": arguments.key} | part, lines)


def _lines(key, part):
    """Lines on a key and on the keys below it."""
    yield f"{key}: {' '.join(part.get('description', '').split())}"
    for name in LIMITS:
        if name in part and not (name == "default" and "properties" in part):
            yield f"  {name}: {json.dumps(part[name])}"
    if not part.get("x-critical", True) or "x-reruns" in part:
        yield f"  changes no result; runs again: {part.get('x-reruns', 'nothing')}"
    yield from _below(part, f"  {key}.")


def _below(part, prefix):
    """Lines on the keys below a key."""
    for name, below in part.get("properties", {}).items():
        yield f"{prefix}{name}: {' '.join(below.get('description', '').split())}"


VERB = Verb("help", "explain a key of the configuration", __doc__, add_arguments, run, read=read_keys)
