"""The parts of an analysis as objects: the project's own classes, or those that a configuration names."""

from vo_lib.errors import ConfigError
from vo_lib.finder import Finder
from vo_lib.plugins import load_class, module_file

__all__ = ["STAGES", "make_stage", "stage_class", "stage_files"]

# Class of each part; one of a user's own is a subclass.
STAGES = {"finder": Finder}
# Keys of a section that say which class it is for.
CLASS_KEYS = ("class", "kwargs")


def stage_class(kind, path=None):
    """Give the class of a part.

    Parameters
    ----------
    kind : str
        Name of the part, of `STAGES`.
    path : str, optional
        ``module:Class``; by default the project's own.

    Returns
    -------
    type
        `STAGES` ``[kind]`` or a subclass of it.

    Raises
    ------
    ConfigError
        When the class cannot be loaded or is no subclass.
    """
    base = STAGES[kind]
    if path is None:
        return base
    found = load_class(path)
    if not issubclass(found, base):
        raise ConfigError(
            f"configuration: {kind}.class: {path} must be a subclass of {base.__module__}.{base.__name__}; "
            f"derive it from that class"
        )
    return found


def make_stage(kind, section=None, **more):
    """Make the object of a part.

    Parameters
    ----------
    kind : str
        Name of the part, of `STAGES`.
    section : dict, optional
        Section of the configuration: options of the class, with ``class`` and ``kwargs`` for one of a user's own.
    **more
        Options that the workflow adds.

    Returns
    -------
    object
        Of the class that the section names.

    Raises
    ------
    ConfigError
        When the class cannot be loaded or refuses its options.
    """
    section = dict(section or {})
    path, kwargs = section.pop("class", None), section.pop("kwargs", None) or {}
    found = stage_class(kind, path)
    if twice := sorted(kwargs.keys() & (section.keys() | more.keys())):
        raise ConfigError(f"configuration: {kind}.kwargs: {', '.join(twice)} is a key of {kind} too; give it once")
    try:
        return found(**section, **kwargs, **more)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"configuration: {kind}: {path or found.__name__} refuses its options: {error}") from error


def stage_files(sections, root):
    """Files of the classes that a configuration names.

    Parameters
    ----------
    sections : dict of str to dict
        Sections of a complete configuration by their names.
    root : str or Path
        Folder that holds ``vo_lib``.

    Returns
    -------
    list of Path
        In alphabetical order, each once; relative to the folder where they are below it.
    """
    named = {kind: sections[kind].get("class") for kind in STAGES}
    return sorted({module_file(stage_class(kind, path), root) for kind, path in named.items() if path})
