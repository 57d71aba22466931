"""A configuration as attributes: ``pars.finder.snr_threshold = 7``."""

from vo_lib.errors import ConfigError, hint

__all__ = ["Settings"]


class Settings:
    """A section of a configuration whose keys are attributes.

    Parameters
    ----------
    read : callable
        ``read()`` gives the section as it is now, a dict.
    write : callable
        ``write(path, value)`` sets a key of it, given by the names that lead there.
    name : str, optional
        What it is called in messages.
    short : dict of str to str, optional
        Other names of keys.
    """

    def __init__(self, read, write, name="pars", short=None):
        vars(self).update(_read=read, _write=write, _name=name, _short=short or {})

    def __getattr__(self, key):
        """Value of a key; of a section its settings."""
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
        """Change a key that there is; its value is checked at once."""
        self._write((self._checked(key),), value)

    def _checked(self, key):
        """Full name of a key that there is."""
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
