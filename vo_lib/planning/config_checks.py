"""Check a configuration against its schema and against rules that a schema cannot express; errors take one line.

`check_size` comes before defaults are filled in, and `check_values` after: it applies the schema, then checks each
value by itself, then values that must be consistent, and reports the first error.
"""

import math
import re
from contextlib import suppress

import yaml

from vo_lib.counts.edges import make_edges
from vo_lib.errors import ConfigError, hint
from vo_lib.peak import levels
from vo_lib.periods.frequencies import check_ranges
from vo_lib.text import is_storable

__all__ = ["check_size", "check_values", "is_whole", "keys_named"]

# Keys of the section catalog that say where the sources come from.
CATALOG_ORIGINS = ("file", "sources", "default", "query", "class")
# Histogram axes of quantities that are always positive.
POSITIVE_AXES = ("histograms.expected_snr_range", "histograms.width_range")
# Well above what a list of many thousand sources needs.
MAX_VALUES, MAX_DEPTH = 1_000_000, 100
# Python writes no integer of more than 4,300 digits, so no message could have it.
MAX_BITS = 10_000


def check_values(config, schema):
    """Check a configuration that has all keys of the schema.

    Parameters
    ----------
    config : dict
        Configuration with the defaults filled in.
    schema : dict
        See `vo_lib.config.load_schema`.

    Raises
    ------
    ConfigError
        For the first unknown key (naming the nearest known one), missing key or unusable value.
    """
    errors = sorted(_errors(config, schema), key=lambda error: (len(error.path), str(error.path)))
    if errors:
        raise ConfigError(_explain(errors[0], schema))
    for key, value in _leaves(config):
        if problem := _problem_of(value):
            raise ConfigError(f"configuration: {_with_entries(key)} {problem}")
    _check_relations(config)


def check_size(config):
    """Raise `ConfigError` for huge integers, and if YAML aliases expand to too many values or to an endless loop."""
    level, number, depth = [config], 0, 0
    while level:
        number, depth = number + len(level), depth + 1
        if number > MAX_VALUES or depth > MAX_DEPTH:
            raise ConfigError(
                f"configuration: has more than {MAX_VALUES:,} values or {MAX_DEPTH} sections inside one another; "
                f"look for aliases (*) that repeat too much"
            )
        if any(isinstance(value, int) and value.bit_length() > MAX_BITS for value in level):
            raise ConfigError(f"configuration: has an integer of more than {MAX_BITS:,} bits; write a smaller number")
        level = [item for value in level for item in _items(value)]


def _items(value):
    """Return the items of a section or a list; other values have none."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _errors(config, schema):
    """Return the errors that the schema finds."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: is_whole(value))
    return extend(Draft202012Validator, {"pattern": _match_whole}, type_checker=types)(schema).iter_errors(config)


def is_whole(value):
    """Return whether a value is an integer, or a float that represents one exactly."""
    return type(value) is int or (isinstance(value, float) and value.is_integer() and abs(value) < 2**53)


def _match_whole(_, pattern, value, __):
    """Match a pattern against the whole text; Python's ``$`` also matches before a final newline."""
    from jsonschema import ValidationError

    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _explain(error, schema):
    """Describe a schema violation in one line: the key, what is wrong, what is allowed."""
    key = _with_entries(".".join(str(part) for part in error.absolute_path)) or "the configuration"
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        name = next(name for name in error.instance if name not in known)
        prefix = f"{key}." if error.absolute_path else ""
        return f"configuration: {prefix}{name} is not a known key; {hint(name, known, keys_named(schema, name))}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"configuration: {key} needs the key '{missing}'"
    if "propertyNames" in error.absolute_schema_path:
        if isinstance(error.instance, str):
            return f"configuration: {key}: the name {error.instance!r} must consist of letters, digits, _, ., + and -"
        return f"configuration: {key}: the name {error.instance!r} must be a text; put it in quotes"
    if error.validator == "type":
        kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        wanted = " or ".join(
            "nothing (null)" if kind == "null" else f"a{'n' if kind[0] in 'aio' else ''} {kind}" for kind in kinds
        )
        return f"configuration: {key} must be {wanted}, got {error.instance!r}{_number_hint(error.instance, kinds)}"
    if error.validator == "maxLength":
        return f"configuration: {key} has {len(error.instance):,} characters; the limit is {error.validator_value:,}"
    if error.validator == "minProperties":
        return f"configuration: {key} must name at least one, for example 'demo:'"
    if error.validator == "pattern" and (meaning := error.schema.get("description")):
        return f"configuration: {key}: {error.message} ({meaning.rstrip('.')})"
    return f"configuration: {key}: {error.message}"


def _number_hint(value, kinds):
    """Say how to write a number that YAML reads as text, such as 1e-4."""
    if isinstance(value, str) and {"number", "integer"} & set(kinds):
        with suppress(ValueError, OverflowError):
            number = float(value)
            whole = int(number) == number and abs(number) < 1e15
            return f", which is text in YAML; write {yaml.safe_dump(int(number) if whole else number).split()[0]}"
    return ""


def keys_named(schema, name):
    """Return the dotted keys that end in a name: ``finder.snr_threshold`` for ``snr_threshold``.

    Keys of surveys are left out.

    Parameters
    ----------
    schema : dict
        See `vo_lib.config.load_schema`.
    name : str
        Last component of the keys.

    Returns
    -------
    list of str
    """
    found = []
    for key, part in schema.get("properties", {}).items():
        if key == name:
            found.append(key)
        if key != "observatories":
            found += [f"{key}.{below}" for below in keys_named(part, name)]
    return found


def _problem_of(value):
    """Return why files, messages or the database cannot hold a single value, or an empty text."""
    if not isinstance(value, str | int | float | None):
        return f"must be a text, a number, true, false or null, got {value!r:.60}; put a date in quotes"
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number, got {value}"
    if isinstance(value, int) and abs(value) >= 2**63:
        return f"must be between -2^63 and 2^63, got {value!r:.30}"
    if isinstance(value, str) and not is_storable(value):
        return "contains NUL or an incomplete character"
    return ""


def _check_relations(config):
    """Check values that must be consistent with others."""
    _check_catalog(config["catalog"])
    simulator, finder = config["simulator"], config["finder"]
    for least, most in (("snr_min", "snr_max"), ("width_min_days", "width_max_days")):
        if simulator[least] > simulator[most]:
            raise ConfigError(f"configuration: simulator.{least} must not be greater than simulator.{most}")
    try:
        levels(finder["snr_threshold"], finder["sideband"])
    except ValueError:
        raise ConfigError("configuration: finder.sideband must not be greater than finder.snr_threshold") from None
    check_ranges(config["periods"]["ranges"])
    for name, setting in config["histograms"].items():
        if name.endswith("_range"):
            _check_axis(f"histograms.{name}", setting)


def _check_catalog(section):
    """Check that exactly one key says where the sources come from."""
    given = [key for key in CATALOG_ORIGINS if section[key]]
    if len(given) != 1:
        *most, last = CATALOG_ORIGINS
        raise ConfigError(
            f"configuration: catalog needs exactly one of {', '.join(most)} and {last}, "
            f"got {' and '.join(given) or 'none of them'}"
        )


def _check_axis(key, setting):
    """Check that a histogram axis has valid edges, all positive where limits are interpolated logarithmically."""
    try:
        edges = make_edges(key, setting)
    except ValueError as error:
        raise ConfigError(f"configuration: {error}") from None
    if key in POSITIVE_AXES and edges[0] <= 0:
        raise ConfigError(f"configuration: {key} must start above 0, got {setting}")


def _with_entries(key):
    """Number the list entries in a dotted key from one: ``catalog.sources entry 3.ra``."""
    return re.sub(r"\.([0-9]+)", lambda place: f" entry {int(place[1]) + 1}", key)


def _leaves(value, key=""):
    """Yield every value of a configuration with its dotted key; a name that is not text is an error."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            if isinstance(value, dict) and not isinstance(name, str):
                where = _with_entries(key) or "the configuration"
                raise ConfigError(f"configuration: {where}: the name {name!r} must be a text; put it in quotes")
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value
