"""Classes and functions of a user's own, by name in the configuration."""

import importlib
import inspect
import sys
from pathlib import Path

from vo_lib.errors import ConfigError, hint, own_place

__all__ = ["function_files", "load_class", "load_function", "module_file"]


def load_class(path, key=""):
    """Give the class that a text names.

    Parameters
    ----------
    path : str
        ``module:Class``, with any module that can be imported.
    key : str, optional
        Key of the configuration that has the text, for messages.

    Returns
    -------
    type

    Raises
    ------
    ConfigError
        When the text has another form, the module cannot be imported or has no such class.
    """
    return _load(path, key, "class", inspect.isclass)


def load_function(path, key=""):
    """Give the function that a text such as ``module:function`` names; see `load_class`."""
    return _load(path, key, "function", inspect.isfunction)


def _load(path, key, kind, is_kind):
    """Give what a text names, which must be of a kind."""
    where, (module_name, colon, name) = f"configuration: {key}: " if key else "", str(path).partition(":")
    if not (colon and module_name and name):
        example = "Class" if kind == "class" else kind
        raise ConfigError(f"{where}'{path}' does not name a {kind}; write it as module:{example}")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        is_there = error.name and not f"{module_name}.".startswith(f"{error.name}.")
        advice = "install or correct what it imports" if is_there else "check its name and sys.path"
        raise ConfigError(f"{where}'{path}': cannot import {module_name} ({error}); {advice}") from error
    except (Exception, SystemExit) as error:
        reason = ", ".join(filter(None, (f"{type(error).__name__}: {error}", own_place(error))))
        raise ConfigError(f"{where}'{path}': {module_name} fails when it is imported ({reason}); mend it") from error
    found = getattr(module, name, None)
    if not is_kind(found):
        own = [value for value in vars(module).values() if is_kind(value) and value.__module__ == module_name]
        known = [value.__name__ for value in own if not value.__name__.startswith("_")]
        raise ConfigError(f"{where}'{path}': {module_name} has no {kind} '{name}'; {hint(name, known)}")
    return found


def function_files(paths, key, root):
    """Files of functions: that in which each is named, and that in which it is written, if it comes from another.

    Parameters
    ----------
    paths : iterable of str
        Functions as ``module:function``; one behind a decorator is not where its decorator is.
    key : str
        Key of the configuration that has them, for messages.
    root : str or Path
        Folder that holds ``vo_lib``.

    Returns
    -------
    list of Path
        In alphabetical order, each once; relative to the folder where they are below it.

    Raises
    ------
    ConfigError
        For a function that cannot be loaded.
    """
    functions = {path: inspect.unwrap(load_function(path, key)) for path in paths}
    places = [place for path, found in functions.items() for place in (found, sys.modules[path.partition(":")[0]])]
    return sorted({module_file(place, root) for place in places})


def module_file(found, root):
    """File of a class, function or module, relative to a folder where it is below it."""
    path, root = Path(inspect.getfile(found)).resolve(), Path(root).resolve()
    return path.relative_to(root) if path.is_relative_to(root) else path
