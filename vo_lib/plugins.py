"""Loading of user-defined classes and functions that the configuration names."""

import importlib
import inspect
import sys
from pathlib import Path

from vo_lib.errors import ConfigError, hint, own_place

__all__ = ["function_files", "load_class", "load_function", "module_file"]


def load_class(path, key=""):
    """Load a class by name.

    Parameters
    ----------
    path : str
        ``module:Class``, with any importable module.
    key : str, optional
        Configuration key that contains the name, for messages.

    Returns
    -------
    type

    Raises
    ------
    ConfigError
        If the name has another form, or the module cannot be imported or has no such class.
    """
    return _load(path, key, "class", inspect.isclass)


def load_function(path, key=""):
    """Load a function by name, as ``module:function``; see `load_class`."""
    return _load(path, key, "function", inspect.isfunction)


def _load(path, key, kind, is_kind):
    """Load an object by name and check that it is of the right kind."""
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
        raise ConfigError(f"{where}'{path}': {module_name} fails when it is imported ({reason}); correct it") from error
    found = getattr(module, name, None)
    if not is_kind(found):
        own = [value for value in vars(module).values() if is_kind(value) and value.__module__ == module_name]
        known = [value.__name__ for value in own if not value.__name__.startswith("_")]
        raise ConfigError(f"{where}'{path}': {module_name} has no {kind} '{name}'; {hint(name, known)}")
    return found


def function_files(paths, key, root):
    """List the files of functions: the module that each is loaded from, and the one that defines it if different.

    Parameters
    ----------
    paths : iterable of str
        Functions as ``module:function``; a decorated one belongs to its own file, not to that of its decorator.
    key : str
        Configuration key that contains them, for messages.
    root : str or Path
        Folder that holds ``vo_lib``.

    Returns
    -------
    list of Path
        Sorted, without duplicates; relative to `root` if inside it.

    Raises
    ------
    ConfigError
        If a function cannot be loaded.
    """
    functions = {path: inspect.unwrap(load_function(path, key)) for path in paths}
    places = [place for path, found in functions.items() for place in (found, sys.modules[path.partition(":")[0]])]
    return sorted({module_file(place, root) for place in places})


def module_file(found, root):
    """Return the file of a class, function or module, relative to `root` if inside it."""
    path, root = Path(inspect.getfile(found)).resolve(), Path(root).resolve()
    return path.relative_to(root) if path.is_relative_to(root) else path
