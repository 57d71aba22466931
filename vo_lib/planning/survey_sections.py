"""Prepare the sections of surveys in a configuration as written: plug-ins are declared, and common keys spread.

A section ``observatories.<name>`` configures the survey of that name that comes with the project, or a plug-in: with
``class: module:Class``, that class, for example from a module in ``extensions/``. The schema declares the parameters
of the former; `add_plugins` adds those that the ``Parameters`` of a plug-in declare. Only then is it known which survey
has which key of ``observatories.common``, for `spread_common`.
"""

import copy
from dataclasses import MISSING, fields

from vo_lib.errors import ConfigError
from vo_lib.plugins import load_class

__all__ = ["add_plugins", "spread_common"]

JSON_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", dict: "object", list: "array"}


def add_plugins(schema, config):
    """Add a section to the schema for each survey of a configuration that is a plug-in.

    Parameters
    ----------
    schema : dict
        See `vo_lib.config.load_schema`; not modified.
    config : dict
        The configuration as the user wrote it.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        If a class cannot be imported, is not a survey or has a different name from its section.
    """
    sections = config.get("observatories")
    plugins = {
        name: section["class"]
        for name, section in (sections.items() if isinstance(sections, dict) else ())
        if isinstance(section, dict) and "class" in section
    }
    schema = copy.deepcopy(schema)
    for name, path in plugins.items():
        schema["properties"]["observatories"]["properties"][name] = _section(_plugin(name, path), schema)
    return schema


def spread_common(config, schema):
    """Copy the keys of ``observatories.common`` to each survey that has them.

    Parameters
    ----------
    config : dict
        The configuration as the user wrote it; not modified.
    schema : dict
        See `add_plugins`.

    Returns
    -------
    dict
        Without ``observatories.common``; a survey's own value takes precedence over the common one.

    Raises
    ------
    ConfigError
        If ``observatories.common`` is no section, or has a key that no survey has.
    """
    sections = config.get("observatories")
    if not isinstance(sections, dict) or "common" not in sections:
        return config
    common = {} if sections["common"] is None else sections["common"]
    if not isinstance(common, dict):
        raise ConfigError(f"configuration: observatories.common must be an object, got {common!r:.60}")
    sections = {name: section for name, section in sections.items() if name != "common"}
    known = {name: _parameters(name, schema) for name in sections}
    if unknown := [key for key in common if not any(key in names for names in known.values())]:
        raise ConfigError(
            f"configuration: observatories.common.{unknown[0]} is not a parameter of any survey of the project"
        )
    for name, section in sections.items():
        fitting = {key: value for key, value in common.items() if key in known[name]}
        if fitting and (section is None or isinstance(section, dict)):
            sections[name] = fitting | (section or {})
    return config | {"observatories": sections}


def _parameters(name, schema):
    """Names of the parameters of a survey, none if the schema does not have it."""
    section = schema["properties"]["observatories"]["properties"].get(name, {})
    return section.get("properties", {}).keys() - {"class"}


def _plugin(name, path):
    """Load the class of a plug-in, which must be a survey with the name of its section."""
    from vo_lib.observatories.base import VirtualObservatory

    found = load_class(path, f"observatories.{name}.class")
    if not issubclass(found, VirtualObservatory):
        raise ConfigError(f"observatories.{name}: '{path}' is not a subclass of VirtualObservatory")
    if found.name != name.upper() or name != name.lower():
        raise ConfigError(
            f"observatories.{name}: '{path}' has the name {found.name or '(none)'}; call the section "
            f"'{found.name.lower()}', or give a subclass the name {name.upper()}"
        )
    return found


def _section(plugin, schema):
    """Schema of a plug-in's section, derived from its class."""
    parts = {"class": {"description": "Its class.", "type": "string"}, "reduce": schema["$defs"]["reduce"]}
    for field in fields(plugin.Parameters):
        part = {"type": JSON_TYPES[field.type]} if field.type in JSON_TYPES else {}
        part |= {"x-critical": False} if field.name in plugin.asked_by else {}
        part |= {"x-stage": "reduce"} if field.name in plugin.made_by else {}
        if field.default_factory is not MISSING:
            part["default"] = field.default_factory()
        elif field.default is not MISSING:
            part["default"] = field.default
        parts[field.name] = part
    needed = [name for name, part in parts.items() if name not in ("class", "reduce") and "default" not in part]
    return {"type": "object", "additionalProperties": False, "required": needed, "properties": parts}
