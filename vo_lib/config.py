"""Configuration: checked against the schema, completed with its defaults, hashed.

The schema (JSON Schema 2020-12) is the one home of names, types, defaults, units and help. Beside
the standard keywords it has ``x-critical: false`` for keys that change no result, with ``x-reruns`` where
some stages run again all the same, ``x-stage: reduce`` for keys of a survey that decide what is made of its
answers and not the answers, and ``x-secret: true`` for values that are never written anywhere.
"""

import copy
import hashlib
import math
import os
import re
from contextlib import suppress
from pathlib import Path

import yaml

from vo_lib.counts.edges import make_edges
from vo_lib.errors import ConfigError, hint, plain
from vo_lib.peak import levels
from vo_lib.periods.frequencies import check_ranges
from vo_lib.planning.config_styles import merge
from vo_lib.planning.repeated_keys import refuse_repeated_keys
from vo_lib.provenance import canonical_json
from vo_lib.text import is_storable

__all__ = [
    "complete",
    "config_digest",
    "critical",
    "data_root",
    "keys_named",
    "load_schema",
    "public",
    "read_config",
    "to_yaml",
]

# Keys of catalog that say where the sources come from.
CATALOG_ORIGINS = ("file", "sources", "default", "query", "class")
# Axes of what is only above 0.
OF_INJECTED = ("histograms.expected_snr_range", "histograms.width_range")
# More than a list of many thousand sources has.
MAX_VALUES, MAX_DEPTH = 1_000_000, 100
MAX_CHARACTERS = 1 << 26  # of a file


def load_schema(path):
    """Read the configuration schema from a YAML file."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C: 0.02 s instead of 0.13 s at each start
    return yaml.load(Path(path).read_text(encoding="utf-8"), loader)  # noqa: S506 - both are safe


def read_config(path, changes=()):
    """Read a configuration file and change some of its keys, as ``--configfile`` and ``--config`` of Snakemake do.

    Parameters
    ----------
    path : str or Path
        The YAML file.
    changes : sequence of str, optional
        ``KEY=VALUE``; dots in the key lead into sections (``reduce.gap_days=60``), the value is YAML, and nothing
        (``observatories.ztf=``) stands for null. A section that is given is merged into that of the file.

    Returns
    -------
    dict
        What the user wrote, see `complete`.

    Raises
    ------
    ConfigError
        For a file that cannot be read, is no mapping or has a key twice, and for a change of another form.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(MAX_CHARACTERS)
        if len(text) == MAX_CHARACTERS:
            raise ConfigError(f"{path}: has {MAX_CHARACTERS:,} characters or more; put sources into a catalog file")
        config = yaml.safe_load(text)
        refuse_repeated_keys(path, text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such configuration; name another one with --configfile") from None
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path}: is not a readable YAML file ({' '.join(str(error).split())})") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path}: must have keys at its top level, such as 'project: my_project'")
    for text in changes:
        config = merge(config, _parse_change(text))
    return config


def _parse_change(text):
    """Nested dict of one ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(f"'{text}' is not KEY=VALUE such as reduce.gap_days=60; other arguments go before --config")
    change = _parse_value(key, value)
    for name in reversed(key.split(".")):
        change = {name: change}
    return change


def _parse_value(key, text):
    """Value of a change; numbers as Snakemake reads them, which takes 1e5 for one, all else as YAML."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    try:
        return yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{key}: '{text}' is not YAML ({' '.join(str(error).split())})") from None


def complete(config, schema):
    """Check a configuration and fill in what it leaves out.

    Parameters
    ----------
    config : dict
        As read from YAML; it is not changed. An empty section (``demo:``) stands for its defaults.
    schema : dict
        See `load_schema`.

    Returns
    -------
    dict
        A new configuration that holds every key of the schema.

    Raises
    ------
    ConfigError
        For the first unknown key (naming the nearest known one), missing key or unusable value.
    """
    _check_size(config)
    config = _fill(copy.deepcopy(config), schema)
    errors = sorted(_errors(config, schema), key=lambda error: (len(error.path), str(error.path)))
    if errors:
        raise ConfigError(_explain(errors[0], schema))
    _check_relations(config)
    return _plain_numbers(config)


def _errors(config, schema):
    """What the schema has against a configuration."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    types = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
    return extend(Draft202012Validator, {"pattern": _match_whole}, type_checker=types)(schema).iter_errors(config)


def _is_integer(_, value):
    """A whole number, which `_plain_numbers` writes as one."""
    return isinstance(value, int | float) and type(_plain_numbers(value)) is int


def _match_whole(_, pattern, value, __):
    """A pattern is that of the whole text; for Python ``$`` is also before a last end of line."""
    from jsonschema import ValidationError

    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _check_size(config):
    """A few aliases of YAML can stand for more values than any memory holds, or for one that is inside itself."""
    level, number, depth = [config], 0, 0
    while level:
        number, depth = number + len(level), depth + 1
        if number > MAX_VALUES or depth > MAX_DEPTH:
            raise ConfigError(
                f"configuration: has more than {MAX_VALUES:,} values or {MAX_DEPTH} sections inside one another; "
                f"look for aliases (*) that repeat too much"
            )
        level = [item for value in level for item in _items(value)]


def _items(value):
    """What is in a section or a list, and nothing of other values."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _check_catalog(section):
    """Exactly one key says where the sources come from."""
    given = [key for key in CATALOG_ORIGINS if section[key]]
    if len(given) != 1:
        *most, last = CATALOG_ORIGINS
        raise ConfigError(
            f"configuration: catalog needs exactly one of {', '.join(most)} and {last}, "
            f"got {' and '.join(given) or 'none of them'}"
        )


def _check_relations(config):
    """What the schema cannot say: what values can be at all, and some must fit each other."""
    for key, value in _leaves(config):
        if not isinstance(value, str | int | float | None):
            what = f"must be a text, a number, true, false or null, got {value!r:.60}"
            raise ConfigError(f"configuration: {_with_entries(key)} {what}; put a date in quotes")
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"configuration: {_with_entries(key)} must be a finite number, got {value}")
        if isinstance(value, int) and abs(value) >= 2**63:
            raise ConfigError(f"configuration: {_with_entries(key)} must be between -2^63 and 2^63, got {value!r:.30}")
        if isinstance(value, str) and not is_storable(value):
            raise ConfigError(f"configuration: {_with_entries(key)} has NUL or half a character, which no name has")
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


def _check_axis(key, setting):
    """An axis of a histogram has edges, positive ones where limits are interpolated in the logarithm."""
    try:
        edges = make_edges(key, setting)
    except ValueError as error:
        raise ConfigError(f"configuration: {error}") from None
    if key in OF_INJECTED and edges[0] <= 0:
        raise ConfigError(f"configuration: {key} must begin above 0, as no event is weaker or shorter, got {setting}")


def _with_entries(key):
    """A key with dots in which what stands in a list is counted from one: ``catalog.sources entry 3.ra``."""
    return re.sub(r"\.([0-9]+)", lambda place: f" entry {int(place[1]) + 1}", key)


def _leaves(value, key=""):
    """Every single value of a configuration with its key, whose parts are texts."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, item in items:
            if isinstance(value, dict) and not isinstance(name, str):
                where = _with_entries(key) or "the configuration"
                raise ConfigError(f"configuration: {where}: the name {name!r} must be a text; put it in quotes")
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    else:
        yield key, value


def _plain_numbers(value):
    """Write 40.0 as 40, so that it makes no difference to the jobs which of them stands in the file.

    Those that a float need not have exactly stay as they are.
    """
    if isinstance(value, dict):
        return {name: _plain_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _fill(value, schema):
    """Put the defaults of a schema into a value; observatories that are not named stay away."""
    if "properties" not in schema:
        return value
    if value is None:
        value = {}
    if not isinstance(value, dict):
        return value
    for name, part in schema["properties"].items():
        if name in value:
            value[name] = _fill(value[name], part)
        elif "default" in part:
            value[name] = _fill(copy.deepcopy(part["default"]), part)
    return value


def keys_named(schema, name):
    """Keys with dots that end in a name: ``finder.snr_threshold`` for ``snr_threshold``; those of surveys are left out.

    Parameters
    ----------
    schema : dict
        See `load_schema`.
    name : str
        Last part of the keys.

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


def _explain(error, schema):
    """One line for a schema violation: the key, what is wrong, what is allowed."""
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
            return f"configuration: {key}: the name {error.instance!r} must be of letters, digits, _, ., + and -"
        return f"configuration: {key}: the name {error.instance!r} must be a text; put it in quotes"
    if error.validator == "type":
        kinds = error.validator_value if isinstance(error.validator_value, list) else [error.validator_value]
        wanted = " or ".join(
            "nothing (null)" if kind == "null" else f"a{'n' if kind[0] in 'aio' else ''} {kind}" for kind in kinds
        )
        return f"configuration: {key} must be {wanted}, got {error.instance!r}{_number_hint(error.instance, kinds)}"
    if error.validator == "maxLength":
        return f"configuration: {key} has {len(error.instance):,} characters, at most {error.validator_value:,} can be"
    if error.validator == "minProperties":
        return f"configuration: {key} must name at least one, for example 'demo:'"
    return f"configuration: {key}: {error.message}"


def _number_hint(value, kinds):
    """What to do with a text that looks like a number where one is wanted; to YAML 1e-4 is a text."""
    if isinstance(value, str) and {"number", "integer"} & set(kinds):
        with suppress(ValueError, OverflowError):
            number = float(value)
            whole = int(number) == number and abs(number) < 1e15
            return f", which is text in YAML; write {yaml.safe_dump(int(number) if whole else number).split()[0]}"
    return ""


def critical(config, schema):
    """The part of a complete configuration that can change a result."""
    return _select(config, schema, lambda part: part.get("x-critical", True) and not part.get("x-secret", False))


def public(config, schema):
    """A complete configuration without its secrets."""
    return _select(config, schema, lambda part: not part.get("x-secret", False))


def _select(value, schema, keep):
    """Copy of a configuration with the keys whose schema passes `keep`."""
    if not isinstance(value, dict) or "properties" not in schema:
        return copy.deepcopy(value)
    parts = schema["properties"]
    return {
        name: _select(item, parts[name], keep) for name, item in value.items() if name in parts and keep(parts[name])
    }


def config_digest(config, schema, code=()):
    """MD5 as in ``00_config_<md5>.yaml``.

    Parameters
    ----------
    config : dict
        Complete configuration, of which the critical part counts, in any order of keys.
    schema : dict
        See `load_schema`.
    code : sequence, optional
        Fingerprints of the code of the stages, JSON values.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    identity = canonical_json([critical(config, schema), list(code)])
    return hashlib.md5(identity.encode(), usedforsecurity=False).hexdigest()


def to_yaml(config):
    """YAML text of a configuration with sorted keys."""
    return yaml.safe_dump(config, sort_keys=True, allow_unicode=True)


def data_root(config, root):
    """Folder of all products: ``data_root``, else ``$VO_DATA``, else ``results``, as an absolute path.

    Parameters
    ----------
    config : dict
        Complete configuration.
    root : str or Path
        Folder that relative paths start from.

    Returns
    -------
    Path

    Raises
    ------
    ConfigError
        For a path with braces or control characters: Snakemake takes braces for wildcards and would not find its locks.

    Notes
    -----
    ``$RETRIEVER_DATA``, the name that an earlier system used, is read when ``$VO_DATA`` is not set.
    """
    chosen = config["data_root"] or os.environ.get("VO_DATA") or os.environ.get("RETRIEVER_DATA") or "results"
    path = (Path(root) / Path(chosen).expanduser()).absolute()
    if any(mark in str(path) for mark in "{}") or str(path) != plain(str(path)):
        raise ConfigError(f"data_root: {path} has a brace or a control character, which Snakemake does not take")
    return path
