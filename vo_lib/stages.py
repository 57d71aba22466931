"""Objects for the parts of a run, of the built-in classes or of those that a configuration names."""

import inspect
import logging

from vo_lib.errors import ConfigError, UserError
from vo_lib.plugins import load_class, module_file

__all__ = ["STAGES", "forward_kwargs", "make_analysis", "make_stage", "stage_class", "stage_files"]

log = logging.getLogger("vo_lib")

# Built-in class of each part; user-defined classes are subclasses of it.
STAGES = {
    "analysis": "vo_lib.analysis:Analysis",
    "catalog": "vo_lib.source_list:SourceList",
    "finder": "vo_lib.finder:Finder",
    "quality": "vo_lib.quality_checker:QualityChecker",
    "simulator": "vo_lib.event_simulator:Simulator",
}
# Attribute set by the constructor of each base class, which shows whether a user-defined class has called it.
KEPT = {"analysis": "seed", "finder": "event_gap_days", "quality": "checks", "simulator": "level"}
# Keys of a section that select the class and its options.
CLASS_KEYS = ("class", "kwargs")
# Sections whose keys may be given in analysis.kwargs.
FORWARDED = ("finder", "quality", "simulator")


def stage_class(kind, path=None):
    """Load the class of a part.

    Parameters
    ----------
    kind : str
        Name of the part, of `STAGES`.
    path : str, optional
        ``module:Class``; by default the built-in class.

    Returns
    -------
    type
        `STAGES` ``[kind]`` or a subclass of it.

    Raises
    ------
    ConfigError
        If the class cannot be loaded or is not a subclass.
    """
    base = load_class(STAGES[kind])
    found = load_class(path, f"{kind}.class") if path else base
    if not issubclass(found, base):
        raise ConfigError(
            f"configuration: {kind}.class: {path} must be a subclass of {base.__module__}.{base.__name__}; "
            f"derive it from that class"
        )
    own = {name for one in found.__mro__[: found.__mro__.index(base)] for name in vars(one)}
    known = [name for name in vars(base) if not name.startswith("_") and name.islower()]
    if found is not base and own.isdisjoint(known):
        log.warning("%s.class: %s overrides none of %s, so it does the same as the base", kind, path, ", ".join(known))
    return found


def make_stage(kind, section=None, **more):
    """Make the object of a part.

    Parameters
    ----------
    kind : str
        Name of the part, of `STAGES`.
    section : dict, optional
        Section of the configuration: options of the class, with ``class`` and ``kwargs`` for a user-defined class.
    **more
        Options that the workflow adds.

    Returns
    -------
    object
        Instance of the class that the section names.

    Raises
    ------
    ConfigError
        If the class cannot be loaded, refuses its options or does not call the constructor of its base class.
    """
    section = dict(section or {})
    path, kwargs = section.pop("class", None), section.pop("kwargs", None) or {}
    found = stage_class(kind, path)
    if twice := sorted(kwargs.keys() & (section.keys() | more.keys())):
        place = f"{kind}.{twice[0]}" if twice[0] in section else twice[0]
        raise ConfigError(f"configuration: {kind}.kwargs.{twice[0]} cannot be set; set {place} instead")
    try:
        made = found(**section, **kwargs, **more)
    except UserError:
        raise
    except Exception as error:
        reason = error if isinstance(error, TypeError | ValueError) else f"{type(error).__name__}: {error}"
        if any(f"unexpected keyword argument '{name}'" in str(error) for name in (*section, *more)):
            reason = f"{reason}; let its __init__ take **options and call super().__init__"
        raise ConfigError(f"configuration: {kind}: {path or found.__name__} rejects its options: {reason}") from error
    if not hasattr(made, KEPT.get(kind, "__class__")):
        raise ConfigError(
            f"configuration: {kind}: {path} does not create what its base class creates; call super().__init__"
            f"(**options) in its __init__"
        )
    return made


def make_analysis(sections, *, quality, labels, colors):
    """Make the object that analyses a bin.

    Parameters
    ----------
    sections : dict
        Sections of a complete configuration, and its seed.
    quality : dict
        Options that the section ``quality`` implies for the surveys, see
        `vo_lib.planning.quality_section.resolve_quality`.
    labels : dict of str to sequence of str
        Filters, surveys and kinds of events, see `vo_lib.counts.histogram_axes.make_histograms`.
    colors : sequence of pair of str
        Pairs of filters to compute colours for.

    Returns
    -------
    Analysis
    """
    return make_stage(
        "analysis",
        sections["analysis"],
        quality=sections["quality"] | quality,
        finder=sections["finder"],
        simulator=sections["simulator"],
        periods=sections["periods"],
        properties=sections["properties"] | {"colors": colors},
        histograms=sections["histograms"] | labels,
        detrend=sections["detrend"],
        seed=sections["seed"],
    )


def forward_kwargs(config, schema):
    """Move keys of other sections from ``analysis.kwargs`` to these sections.

    Parameters
    ----------
    config : dict
        The configuration as the user wrote it; not changed.
    schema : dict
        See `vo_lib.config.load_schema`.

    Returns
    -------
    dict
        Configuration in which ``analysis.kwargs`` has only the options of the class.

    Raises
    ------
    ConfigError
        If a key belongs to several sections, is also an option of the class, or is also set in its section.
    """
    section = config.get("analysis")
    kwargs = section.get("kwargs") if isinstance(section, dict) else None
    if not isinstance(kwargs, dict):
        return config
    own, config = _own_options(section.get("class")), dict(config)
    left = dict(kwargs)
    for key, value in kwargs.items():
        owners = [kind for kind in FORWARDED if key in schema["properties"][kind]["properties"]]
        if not owners or key in CLASS_KEYS or not isinstance(config.get(owners[0]) or {}, dict):
            continue
        _check_owner(key, owners, own, config)
        config[owners[0]] = (config.get(owners[0]) or {}) | {key: value}
        del left[key]
    return config | {"analysis": section | {"kwargs": left}}


def _own_options(path):
    """Names of the options that a user-defined analysis adds to those of the base class."""
    base = inspect.signature(stage_class("analysis")).parameters
    return inspect.signature(stage_class("analysis", path)).parameters.keys() - base.keys() if path else ()


def _check_owner(key, owners, own, config):
    """Raise `ConfigError` if it is ambiguous what a key of ``analysis.kwargs`` belongs to."""
    name, places = f"configuration: analysis.kwargs.{key}", " and ".join(owners)
    if len(owners) > 1:
        raise ConfigError(f"{name} is a key of {places}; set it there and not in analysis.kwargs")
    if key in own:
        raise ConfigError(
            f"{name} is an option of {config['analysis']['class']} and a key of {places}; rename the option"
        )
    if key in (config.get(owners[0]) or {}):
        raise ConfigError(f"{name} is set as {places}.{key} too; give it once")


def stage_files(sections, root):
    """List the files of the classes that an analysis consists of.

    Parameters
    ----------
    sections : dict of str to dict
        Sections of a complete configuration by name.
    root : str or Path
        Folder that holds ``vo_lib``.

    Returns
    -------
    list of Path
        Sorted, without duplicates; relative to `root` if inside it.
    """
    return sorted(
        {module_file(stage_class(kind, sections[kind].get("class")), root) for kind in ("analysis", *FORWARDED)}
    )
