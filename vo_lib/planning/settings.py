"""A configuration as attributes: ``pars.finder.snr_threshold = 7``."""

from vo_lib.errors import ConfigError, hint

__all__ = ["Settings"]


class Settings:
    """A section of a configuration whose keys are attributes.

    Parameters
    ----------
    read : callable
        ``read()`` returns the current section as a dict.
    write : callable
        ``write(path, value)`` sets a key of the section; the path is the tuple of names that leads to it.
    name : str, optional
        Name of the section in messages.
    short : dict of str to str, optional
        Full names of keys by their short names.
    """

    def __init__(self, read, write, name="pars", short=None):
        vars(self).update(_read=read, _write=write, _name=name, _short=short or {})

    def __getattr__(self, key):
        """Return the value of a key; `Settings` if it is a section."""
        key = self._checked(key)
        value = self._read()[key]
        if not isinstance(value, dict):
            return value
        return Settings(
            lambda: self._read()[key],
            lambda path, new: self._write((key, *path), new),
            f"{self._name}.{key}",
        )

    def __setattr__(self, key, value):
        """Set an existing key; the new value is checked at once."""
        self._write((self._checked(key),), value)

    def _checked(self, key):
        """Return the full name of an existing key."""
        if key.startswith("_"):
            raise AttributeError(key)
        key = self._short.get(key, key)
        if key not in self._read():
            raise ConfigError(f"{self._name} has no key '{key}'; {hint(key, list(self._read()))}")
        return key

    def __dir__(self):
        return sorted(self._read())

    def __repr__(self):
        return f"{self._name}: {self._read()}"
