"""A survey of a complete configuration: its class, and what each of its parameters affects."""

import difflib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from vo_lib.errors import ConfigError
from vo_lib.observatories import OBSERVATORIES
from vo_lib.plugins import load_class, module_file

__all__ = ["SurveyPlan", "filters_of", "find_survey"]


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
        known = schema["properties"]["observatories"]["properties"][name]["properties"]
        parameters = {key: value for key, value in section.items() if key not in ("class", "reduce")}
        if parameters.get("path"):
            parameters["path"] = str(Path(root).absolute() / Path(parameters["path"]).expanduser())
        kinds = {"answer": {}, "made": {}, "asked": {}}
        for key, value in parameters.items():
            kinds[_kind_of(known[key])][key] = value
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
        for name, (is_right, wanted) in _REQUIRED.items():
            if not is_right(value := getattr(survey, name)):
                raise ConfigError(f"{where} must have {name}, {wanted}; it has {value!r}")
        return survey

    def module(self, root):
        """Return the file of the class, relative to `root` if it is below it."""
        return module_file(type(self.observatory), root)


def _kind_of(part):
    """Name of the attribute of `SurveyPlan` for a parameter, by its part of the schema."""
    if part.get("x-stage") == "reduce":
        return "made"
    return "answer" if part.get("x-critical", True) else "asked"


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
_REQUIRED = {
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
