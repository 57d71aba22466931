"""Read a configuration, fill in its defaults and hash it.

The schema (JSON Schema 2020-12) is the one home of names, types, defaults, units and help. Beside the standard
keywords it has ``x-critical: false`` for keys that change no result, with ``x-reruns`` if some stages rerun
nevertheless; ``x-stage: reduce`` for keys of a survey that affect the reduction but not the answers of the archive;
and ``x-secret: true`` for values that are never written anywhere.
"""

import copy
import hashlib
import os
from contextlib import suppress
from pathlib import Path

import yaml

from vo_lib.errors import ConfigError, plain
from vo_lib.planning.config_checks import check_size, check_values, is_whole
from vo_lib.planning.config_styles import merge
from vo_lib.planning.repeated_keys import refuse_repeated_keys
from vo_lib.provenance import canonical_json

__all__ = [
    "complete",
    "config_digest",
    "critical",
    "data_root",
    "load_schema",
    "public",
    "read_config",
    "to_yaml",
]

# More than a list of many thousand sources has.
MAX_CHARACTERS = 1 << 26  # of a file


def load_schema(path):
    """Read the configuration schema from a YAML file; raises `ConfigError` if vo_lib is installed without it."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C: 0.02 s instead of 0.13 s at each start
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), loader)  # noqa: S506 - both are safe
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file; projects need a clone of vo_lib, installed by pip install --editable"
        ) from None


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
    """Return the nested dict that one ``KEY=VALUE`` stands for."""
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(f"'{text}' is not KEY=VALUE such as reduce.gap_days=60; other arguments go before --config")
    change = _parse_value(key, value)
    for name in reversed(key.split(".")):
        change = {name: change}
    return change


def _parse_value(key, text):
    """Parse a value: a number as Snakemake reads it (``1e5`` is one), anything else as YAML."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    try:
        return yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{key}: '{text}' is not YAML ({' '.join(str(error).split())})") from None


def complete(config, schema):
    """Fill in the defaults of a configuration and check it.

    Parameters
    ----------
    config : dict
        As read from YAML; not modified. An empty section (``demo:``) stands for its defaults.
    schema : dict
        See `load_schema`.

    Returns
    -------
    dict
        A new configuration with every key of the schema.

    Raises
    ------
    ConfigError
        For the first unknown key (naming the nearest known one), missing key or unusable value.
    """
    check_size(config)
    config = _fill(copy.deepcopy(config), schema)
    check_values(config, schema)
    return _plain_numbers(config)


def _plain_numbers(value):
    """Turn whole floats into integers, so that 40.0 and 40 in the file give the same jobs."""
    if isinstance(value, dict):
        return {name: _plain_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    return int(value) if is_whole(value) else value


def _fill(value, schema):
    """Fill in the defaults of a schema; observatories that are not named are not added."""
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


def critical(config, schema):
    """Return the part of a complete configuration that can change a result."""
    return _select(config, schema, lambda part: part.get("x-critical", True) and not part.get("x-secret", False))


def public(config, schema):
    """Return a complete configuration without its secrets."""
    return _select(config, schema, lambda part: not part.get("x-secret", False))


def _select(value, schema, keep):
    """Copy the keys of a configuration whose schema passes `keep`."""
    if not isinstance(value, dict) or "properties" not in schema:
        return copy.deepcopy(value)
    parts = schema["properties"]
    return {
        name: _select(item, parts[name], keep) for name, item in value.items() if name in parts and keep(parts[name])
    }


def config_digest(config, schema, code=()):
    """Return the MD5 digest in the name ``00_config_<md5>.yaml``.

    Parameters
    ----------
    config : dict
        Complete configuration. Only its critical part counts, in any order of keys.
    schema : dict
        See `load_schema`.
    code : sequence, optional
        Code fingerprints of the stages, JSON values.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    identity = canonical_json([critical(config, schema), list(code)])
    return hashlib.md5(identity.encode(), usedforsecurity=False).hexdigest()


def to_yaml(config):
    """Return a configuration as YAML text with sorted keys."""
    return yaml.safe_dump(config, sort_keys=True, allow_unicode=True)


def data_root(config, root):
    """Return the absolute path of the folder of all products: ``data_root``, ``$VO_DATA`` or ``results``.

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
        For a path or `root` with braces, which Snakemake takes for wildcards so that it loses its locks; for a path
        with control characters, or with others that are unknown in this locale.

    Notes
    -----
    ``$RETRIEVER_DATA``, the name that an earlier system used, is read when ``$VO_DATA`` is not set.
    """
    chosen = config["data_root"] or os.environ.get("VO_DATA") or os.environ.get("RETRIEVER_DATA") or "results"
    path = (Path(root) / Path(chosen).expanduser()).absolute()
    if any(mark in str(root) for mark in "{}"):
        raise ConfigError(f"{root}: the folder of the workflow contains a brace, a wildcard for Snakemake; rename it")
    if any(mark in str(path) for mark in "{}") or str(path) != plain(str(path)):
        raise ConfigError(
            f"data_root: {path} contains a brace, a control character or one that is unknown in this locale, which "
            "Snakemake cannot handle; choose another folder or a UTF-8 locale"
        )
    return path
