"""Parameters of a survey: made from keywords, with types and limits checked."""

from dataclasses import fields
from types import NoneType, UnionType
from typing import get_args

from vo_lib.errors import ConfigError, hint

__all__ = ["check_choice", "check_range", "make_parameters"]

# Types of parameters that are checked; others are not, as a configuration may have a list for a tuple.
_CHECKED = frozenset({int, float, str, bool, dict, NoneType})


def make_parameters(kind, given, survey):
    """Make the parameters of a survey from keyword arguments.

    Parameters
    ----------
    kind : type
        Frozen dataclass, the `Parameters` of a survey.
    given : dict
        Values by name; the others have their defaults.
    survey : str
        Name of the survey, for messages.

    Returns
    -------
    object
        Of the type `kind`.

    Raises
    ------
    ConfigError
        If a name is not a field of `kind`, or a value has the wrong type or is out of range.
    """
    known = {field.name: field.type for field in fields(kind)}
    for name in given:
        if name not in known:
            raise ConfigError(f"{survey}: '{name}' is not a parameter; {hint(name, known)}")
    try:
        return kind(**{name: _convert(name, value, known[name]) for name, value in given.items()})
    except ConfigError as error:
        raise ConfigError(f"{survey}: {error}") from None


def _convert(name, value, kind):
    """Value of a parameter with its type checked; only an int given for a float is converted."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if float in kinds and type(value) is int:
        return float(value)
    checked = _CHECKED.issuperset(kinds)
    if checked and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        names = " or ".join(kind.__name__ for kind in kinds if kind is not NoneType)
        raise ConfigError(f"{name} must be of type {names}, got {value!r}")
    return value


def check_choice(parameters, name, known):
    """Raise `ConfigError` unless the value of a parameter is one of those known."""
    value = getattr(parameters, name)
    if value not in known:
        raise ConfigError(f"{name} must be one of {', '.join(known)}, got '{value}'")


def check_range(parameters, name, low, high):
    """Raise `ConfigError` unless a parameter is between two limits, inclusive."""
    value = getattr(parameters, name)
    if not low <= value <= high:
        raise ConfigError(f"{name} must be between {low:g} and {high:g}, got {value:g}")
