"""Resolve the section ``quality`` of a configuration for the surveys of a project."""

from vo_lib.batch import TABLE
from vo_lib.errors import ConfigError, hint
from vo_lib.observatories.base import VirtualObservatory
from vo_lib.plugins import function_files
from vo_lib.quality import check_names
from vo_lib.reduction.describe import STATISTICS

__all__ = ["custom_check_files", "resolve_quality"]

# Keys of the section whose entries are by survey.
BY_SURVEY = ("bad_flags", "bad_observations", "header_rules")
# Entries of the index of reduced files, for surveys that use the default reduction.
ENTRIES = (*TABLE, *STATISTICS, "digest")


def resolve_quality(section, surveys):
    """Replace names of flag presets by their bits, and fill in the surveys' own defaults.

    Parameters
    ----------
    section : dict
        Section ``quality`` of a complete configuration.
    surveys : dict of str to VirtualObservatory
        Surveys of the project by name in capitals.

    Returns
    -------
    dict
        ``bad_flags``: bits by survey; ``bad_observations`` and ``header_rules`` by survey; ``saturation_mag``: limit by
        filter [mag], by default that of the survey.

    Raises
    ------
    ConfigError
        For a survey or filter that the project does not have, a preset that the survey does not know, or a rule on an
        entry that its lightcurves do not have.
    """
    for key in BY_SURVEY:
        for name in section[key]:
            _check_known(f"{key}.{name}", name, [survey.lower() for survey in surveys], "a survey")
    for name, rules in section["header_rules"].items():
        if type(surveys[name.upper()]).reduce_photometry is VirtualObservatory.reduce_photometry:
            for entry in rules:
                _check_known(f"header_rules.{name}.{entry}", entry, ENTRIES, "an entry of the lightcurves")
    filters = [name for survey in surveys.values() for name in survey.filters]
    for name in section["saturation_mag"]:
        _check_known(f"saturation_mag.{name}", name, filters, "a filter")
    limits = {name: limit for survey in surveys.values() for name, limit in survey.saturation_mag.items()}
    limits |= section["saturation_mag"]
    chosen = section["bad_flags"]
    return {
        "bad_flags": {
            name: survey.flag_mask(chosen.get(name.lower(), survey.bad_flag_mask)) for name, survey in surveys.items()
        },
        "bad_observations": {name.upper(): patterns for name, patterns in section["bad_observations"].items()},
        "header_rules": {name.upper(): rules for name, rules in section["header_rules"].items()},
        "saturation_mag": {name: limit for name, limit in limits.items() if limit is not None},
    }


def _check_known(key, name, known, what):
    """Raise `ConfigError` for a name that the project does not have."""
    if name not in known:
        raise ConfigError(f"configuration: quality.{key} is not {what} of the project; {hint(name, known)}")


def custom_check_files(checks, root):
    """Return the files of custom checks, which have been loaded.

    Parameters
    ----------
    checks : sequence of str
        Checks as ``module:function``.
    root : str or Path
        Folder that holds ``vo_lib``.

    Returns
    -------
    list of Path
        In alphabetical order, each once; relative to `root` if they are below it.

    Raises
    ------
    ConfigError
        If a check cannot be loaded, or has the same name as another.
    """
    check_names(checks)
    return function_files(checks, "quality.checks", root)
