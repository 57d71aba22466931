"""Translate the words of the specification to the keys of the configuration schema.

A configuration may use the keys of the schema, or the arguments that the specification gives to ``Project``::

    project: {name: my_project, obs_names: [demo, ZTF], vc: true}
    analysis: {num_injections: 3, finder_kwargs: {snr_threshold: 7.5}}
    ZTF: {reducer: {gap: 60}}

Both may be mixed. The workflow, the command ``vo`` and `vo_lib.project.Project` all accept them.

`translate` takes one word after another. The translator of a word yields pairs of a path of keys and the value there,
such as ``("analysis", "class"), "mine:Best"``; a word without a translator is a key of the schema already. Each pair is
put into the new configuration, which refuses a second, different value for a key. Finally, surveys that ``obs_names``
does not name are left out.
"""

from collections.abc import Iterable

from vo_lib.errors import ConfigError
from vo_lib.observatories import OBSERVATORIES
from vo_lib.observatories.base import REDUCER_NAMES, check_data_type

__all__ = ["RENAMED", "merge", "only_surveys", "translate"]

# Words of the specification that only have another name in the schema.
RENAMED = {"name": "project", "vc": "version_control"}
# Parts of an analysis, whose class and options are given among its own -> section of the schema.
_PARTS = {"finder": "finder", "quality": "quality", "checker": "quality", "simulator": "simulator"}
# The catalog that the specification calls "test".
TRIAL_CATALOG = "catalogs/demo.csv"


def merge(config, change):
    """Return a configuration with a change applied: sections are merged, all else is replaced."""
    if not isinstance(change, dict):
        return change
    old = config if isinstance(config, dict) else {}
    return old | {name: merge(old.get(name), value) for name, value in change.items()}


def translate(words, cfg_key="project"):
    """Translate a configuration to the keys of the schema.

    Parameters
    ----------
    words : dict
        Configuration in any of the styles above; not modified. Unknown keys are left as they are.
    cfg_key : str, optional
        Section that holds the arguments of the project, if there is one.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        If a key is given twice, or a value cannot be translated.
    """
    words = dict(words)
    if isinstance(words.get(cfg_key), dict):
        of_project = words.pop(cfg_key)
        _refuse_twice(of_project, words)
        words |= of_project
    config = {}
    for word, value in words.items():
        for path, translated in _translate_word(word, value, words):
            _put(config, path, translated, word)
    return only_surveys(config, words["obs_names"]) if "obs_names" in words else config


def only_surveys(config, names):
    """Return a configuration with the sections of the named surveys only, and ``observatories.common``."""
    sections = config.get("observatories")
    if not isinstance(sections, dict):
        return config
    kept = {"common", *(name.lower() for name in _list_names("obs_names", names))}
    return config | {"observatories": {name: section for name, section in sections.items() if name in kept}}


def _list_names(word, value):
    """Return the value of a word as a list of names; a single text is one name."""
    names = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(f"configuration: {word} must be a name or a list of names, got {value!r:.60}")
    return names


def _refuse_twice(first, second, path=()):
    """Check that two sections, both for the same path of keys, have no key in common."""
    if twice := sorted(map(str, first.keys() & second.keys())):
        raise ConfigError(f"configuration: {'.'.join((*path, twice[0]))} is given twice; give it once")


def _put(config, path, value, word):
    """Set a key in nested sections, which are made where missing.

    A section is merged with one that is there, and None changes nothing that is there. Any other value may be set again
    only if it is the same; `word` is what the error names.
    """
    *sections, key = path
    for name in sections:
        config = config.setdefault(name, {})
        if not isinstance(config, dict):
            raise ConfigError(f"configuration: {word} needs {name} to be a section")
    old = config.get(key)
    if isinstance(value, dict) and (old is None or isinstance(old, dict)):
        _refuse_twice(old or {}, value, path)
        config[key] = (old or {}) | value  # a new dict, since the caller's must not change
    elif value is None:
        config.setdefault(key)
    elif old is None or old == value:
        config[key] = value
    else:
        raise ConfigError(f"configuration: {word} sets {'.'.join(path)} again; give it once")


def _translate_word(word, value, words):
    """Yield the pairs of path and value that a word stands for; `words` are all words beside it."""
    if word in _TRANSLATORS:
        yield from _TRANSLATORS[word](value)
    elif word in ("analysis_module", "analysis_class"):
        yield from _class("analysis", "analysis", words)
    elif isinstance(word, str) and word.upper() in OBSERVATORIES:
        yield from _survey(word.lower(), value)
    else:
        yield (RENAMED.get(word, word),), value


def _class(section, part, words):
    """Yield the class of a section as ``module:Class``, from the words ``<part>_module`` and ``<part>_class``."""
    module, name = words.get(f"{part}_module"), words.get(f"{part}_class")
    if not (module and name):
        raise ConfigError(f"configuration: {part}_module and {part}_class belong together; give both")
    yield (section, "class"), f"{module}:{name}"


def _analysis(value):
    """Yield the class and the options of the analysis, and those of its parts."""
    if not isinstance(value, dict) or not value:
        yield ("analysis",), value
        return
    for word, option in value.items():
        part, _, kind = str(word).rpartition("_")
        if word in ("class", "kwargs"):
            yield ("analysis", word), option
        elif part in _PARTS and kind == "kwargs":
            yield (_PARTS[part],), option
        elif part in _PARTS and kind in ("module", "class"):
            yield from _class(_PARTS[part], part, value)
        else:
            yield ("analysis", "kwargs"), {word: option}


def _catalog(value):
    """Yield the options of the catalog."""
    if not isinstance(value, dict) or value.get("default") != "test":
        yield ("catalog",), value
        return
    yield ("catalog",), {key: option for key, option in value.items() if key != "default"}
    yield ("catalog", "file"), TRIAL_CATALOG


def _data_types(value):
    """Check the types of data to download; photometry is the only one, so there is no key for it."""
    for name in _list_names("data_types", value):
        try:
            check_data_type(name)
        except ValueError as error:
            raise ConfigError(f"configuration: data_types: {error}") from None
    return ()


def _obs_names(value):
    """Yield an empty section for each survey to use."""
    for name in _list_names("obs_names", value):
        yield ("observatories", name.lower()), {}


def _obs_kwargs(value):
    """Yield the parameters of all surveys."""
    yield from _survey("common", value)


def _observatories(value):
    """Yield the sections of surveys, which may use words of the specification too."""
    if not isinstance(value, dict) or not value:
        yield ("observatories",), value
        return
    for name, section in value.items():
        yield from _survey(name.lower() if isinstance(name, str) else name, section)


def _survey(name, value):
    """Yield the parameters of a survey, or under ``common`` those of all, whose ``reducer`` is the section reduce."""
    if not isinstance(value, dict):
        yield ("observatories", name), value
        return
    if "credentials" in value:
        raise ConfigError(
            f"configuration: observatories.{name}.credentials: secrets must not be in a configuration; "
            f"docs/observatories.md says where the survey reads them from"
        )
    section = {key: option for key, option in value.items() if key != "reducer"}
    reducer = _full_names(value.get("reducer"))
    if reducer not in (None, {}) and name == "common":
        if not isinstance(reducer, dict):
            raise ConfigError(f"configuration: observatories.common.reducer must be an object, got {reducer!r:.60}")
        yield ("reduce",), reducer
    elif reducer not in (None, {}):
        _put(section, ("reduce",), reducer, f"observatories.{name}.reducer")
    yield ("observatories", name), section


def _reducer(value):
    """Yield the options of the reduction."""
    yield ("reduce",), _full_names(value)


def _full_names(options):
    """Return options of the reduction with full names in place of short ones; the schema refuses other values."""
    if not isinstance(options, dict):
        return options
    return {REDUCER_NAMES.get(key, key): option for key, option in options.items()}


def _verbose(value):
    """Yield the verbosity of a level: quiet for 0, normal for all others."""
    yield ("verbosity",), "normal" if value else "quiet"


_TRANSLATORS = {
    "analysis": _analysis,
    "analysis_kwargs": _analysis,
    "catalog": _catalog,
    "catalog_kwargs": _catalog,
    "data_types": _data_types,
    "obs_kwargs": _obs_kwargs,
    "obs_names": _obs_names,
    "observatories": _observatories,
    "reducer": _reducer,
    "verbose": _verbose,
}
