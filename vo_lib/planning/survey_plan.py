"""A survey of a configuration: its class, and what each of its parameters affects.

A section ``observatories.<name>`` configures the survey of that name that comes with the project, or a plug-in: with
``class: module:Class``, that class, for example from a module in ``extensions/``. The schema declares the parameters
of the former; the ``Parameters`` of a plug-in declare its own.
"""

import copy
import difflib
import re
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path

from vo_lib.errors import ConfigError
from vo_lib.observatories import OBSERVATORIES
from vo_lib.plugins import load_class, module_file

__all__ = ["SurveyPlan", "add_plugins", "filters_of", "find_survey", "spread_common"]

JSON_TYPES = {int: "integer", float: "number", str: "string", bool: "boolean", dict: "object", list: "array"}


@dataclass(frozen=True)
class SurveyPlan:
    """A survey with its parameters.

    Parameters
    ----------
    name : str
        Name of the survey in capitals.
    class_path : str
        Its class as ``module:Class``.
    answer : dict
        Parameters that affect the answers of the archive.
    made : dict
        Parameters that affect how the answers are reduced.
    asked : dict
        Parameters that affect how the archive is queried, but no result.
    """

    name: str
    class_path: str
    answer: dict
    made: dict
    asked: dict

    @classmethod
    def of(cls, name, section, schema, root):
        """Sort the parameters of a complete section as its schema says; a relative ``path`` starts from `root`."""
        kinds = {"answer": {}, "made": {}, "asked": {}}
        parts = schema["properties"]["observatories"]["properties"][name]["properties"]
        for key, value in section.items():
            if key not in ("class", "reduce"):
                if key == "path" and value:
                    value = str(Path(root).absolute() / Path(value).expanduser())
                kind = "answer" if parts[key].get("x-critical", True) else "asked"
                kinds["made" if parts[key].get("x-stage") == "reduce" else kind][key] = value
        return cls(name.upper(), section.get("class") or OBSERVATORIES[name.upper()], **kinds)

    @cached_property
    def observatory(self):
        """Instance of the class of the survey.

        Raises
        ------
        ConfigError
            If the class rejects its parameters, or lacks an attribute that every survey must have.
        """
        where = f"observatories.{self.name.lower()}: '{self.class_path}'"
        try:
            survey = load_class(self.class_path)(**self.answer, **self.made, **self.asked)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where} cannot be used: {error}") from error
        for name, (is_right, wanted) in _SAID.items():
            if not is_right(value := getattr(survey, name)):
                raise ConfigError(f"{where} must have {name}, {wanted}; it has {value!r}")
        return survey

    def module(self, root):
        """Return the file of the class, relative to `root` if it is below it."""
        return module_file(type(self.observatory), root)


def _are_columns(columns):
    """Whether the columns of a survey are declared so that its answers can be stored."""
    return bool(columns) and all(
        isinstance(described, tuple | list) and len(described) == 3 and re.fullmatch(r"i8|f8|S\d+", str(described[0]))
        for described in columns.values()
    )


def _is_site(site):
    """Whether a site is on the Earth; None, the geocentre, is valid too."""
    limits = ((-180, 360), (-90, 90), (-500, 1e9))
    return site is None or (
        len(site) == 3 and all(low <= value <= high for value, (low, high) in zip(site, limits, strict=True))
    )


def _are_filters(filters):
    """Whether filters are one or more distinct names without blanks, which would split a list of names."""
    are_names = isinstance(filters, tuple | list) and all(isinstance(name, str) for name in filters)
    return are_names and len({*filters}) == len(filters) > 0 and all(re.fullmatch(r"\S+", name) for name in filters)


# Attributes that every survey must have: a function that tells whether the value is valid, and what it must be.
_SAID = {
    "columns": (_are_columns, "a dict of (i8, f8 or S with a width, unit, meaning) by the name of a column"),
    "time": (lambda time: type(time).__name__ == "TimeSystem", "a vo_lib.times.TimeSystem"),
    "site": (_is_site, "(longitude east, latitude, height in m) or None"),
    "filters": (_are_filters, "a tuple of names without blanks, each once, such as ('mine-g', 'mine-r')"),
}


def find_survey(surveys, name):
    """Find a survey of a configuration.

    Parameters
    ----------
    surveys : dict of str to SurveyPlan
        Surveys by name, see `vo_lib.plan.Plan`.
    name : str
        Name of the survey, in any case.

    Returns
    -------
    SurveyPlan

    Raises
    ------
    ConfigError
        If the configuration does not have it; the message says how to add it, or suggests the nearest name.
    """
    if name.upper() in surveys:
        return surveys[name.upper()]
    near = difflib.get_close_matches(name.upper(), {*surveys, *OBSERVATORIES}, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0].lower()}'?" if near else "check how it is written"
    if name.upper() in OBSERVATORIES:
        hint = f"add it with --config observatories.{name.lower()}="
    known = ", ".join(surveys).lower()
    raise ConfigError(f"observatory '{name}' is not in the configuration, which has {known}; {hint}")


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
        schema["properties"]["observatories"]["properties"][name] = _section(name, _plugin(name, path), schema)
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
    known = schema["properties"]["observatories"]["properties"]
    spread = {}
    for name, section in sections.items():
        parts = known.get(name, {}).get("properties", {})
        fitting = {key: value for key, value in common.items() if key in parts and key != "class"}
        spread[name] = fitting | section if isinstance(section, dict) else fitting or section
    del spread["common"]
    if unknown := [key for key in common if not any(key in (section or ()) for section in spread.values())]:
        raise ConfigError(
            f"configuration: observatories.common.{unknown[0]} is not a parameter of any survey of the project"
        )
    return config | {"observatories": spread}


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


def _section(name, plugin, schema):
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


def filters_of(surveys):
    """Return the names of the filters of each survey.

    Parameters
    ----------
    surveys : dict of str to SurveyPlan
        Surveys by name.

    Returns
    -------
    dict of str to sequence of str

    Raises
    ------
    ConfigError
        If two surveys have a filter of the same name, as their results could not be told apart.
    """
    filters = {name: survey.observatory.filters for name, survey in surveys.items()}
    owner = {}
    for name, of_survey in filters.items():
        for each in of_survey:
            if owner.setdefault(each, name) != name:
                raise ConfigError(
                    f"configuration: observatories: {owner[each]} and {name} both have a filter '{each}'; "
                    f"rename those of one of them, for example to '{name.lower()}-{each}'"
                )
    return filters
