"""A catalog that is read on demand, and fetched first if necessary."""

from pathlib import Path

from vo_lib.catalog import read_catalog
from vo_lib.catalogs.remote import FOLDER, OPTIONS, remote_catalog
from vo_lib.errors import ConfigError

__all__ = ["Catalog"]


class Catalog:
    """A catalog of sources for a notebook: ``Catalog(default="WD").load()``.

    Parameters
    ----------
    file : str or Path, optional
        Your own file.
    default, query : str, optional
        A catalog to fetch: its name, or an ADQL query for the Gaia archive.
    columns, frame, cuts, table, missing_values : optional
        See `vo_lib.catalog.read_sources`.
    folder : str or Path, optional
        Folder of fetched catalogs; by default that of the workflow, ``catalogs`` in the data root. Not for `file`.
    **options
        How to fetch it: other keys of ``catalog`` in the configuration. Not for `file`.

    Raises
    ------
    TypeError
        If an option is unknown.
    ConfigError
        If not exactly one of `file`, `default` and `query` is given, or an option has no meaning for `file`.

    Attributes
    ----------
    path : Path
        The file, which need not exist yet.
    """

    def __init__(
        self,
        file=None,
        *,
        default=None,
        query=None,
        columns=None,
        frame="icrs",
        cuts=(),
        table=None,
        missing_values=None,
        folder=None,
        **options,
    ):
        if unknown := sorted(set(options) - {*OPTIONS, "query_url"}):
            raise TypeError(f"Catalog has no option '{unknown[0]}'")
        if sum(origin is not None for origin in (file, default, query)) != 1:
            raise ConfigError("a catalog needs exactly one of file, default and query")
        if file is not None and (useless := sorted(options | ({} if folder is None else {"folder": folder}))):
            raise ConfigError(
                f"{file}: a file of your own is not fetched, so {useless[0]} has no meaning; leave it out"
            )
        self._remote = remote_catalog({"default": default, "query": query, "columns": columns} | options)
        self.path = Path(file) if self._remote is None else _folder(folder) / self._remote.name
        self._reading = {"columns": columns, "frame": frame, "cuts": cuts}
        self._reading |= {"table": table, "missing_values": missing_values}
        self._data = None

    def __repr__(self):
        return f"<Catalog {self.path}>"

    def load(self, *, force_reload=False, force_redownload=False):
        """Return the sources, from memory if loaded before, else from the file, which is fetched unless it is complete.

        Parameters
        ----------
        force_reload : bool, optional
            Read the file again.
        force_redownload : bool, optional
            Fetch the file again and read it.

        Returns
        -------
        dict of str to ndarray
            See `vo_lib.catalog.read_catalog`.
        """
        if self._data is None or force_reload or force_redownload:
            self._data = read_catalog(self.path, **self._reading | self._fetch(force_redownload))
        return self._data

    def _fetch(self, force):
        """Fetch the file if necessary, and return keywords for reading it."""
        if self._remote is None:
            return {}
        if force or not self._remote.is_at(self.path):
            from vo_lib.fetch_catalog import fetch_catalog

            fetch_catalog(self._remote.spec, self.path, **self._remote.options)
        return self._remote.reading(self.path)


def _folder(folder):
    """Folder for fetched catalogs."""
    if folder is not None:
        return Path(folder)
    from vo_lib.config import data_root

    return data_root({"data_root": None}, Path.cwd()) / FOLDER
