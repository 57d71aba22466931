"""Source of a table for the readers: the file, the wanted columns, and the choice among several tables."""

import gzip
import logging
from dataclasses import dataclass, field
from pathlib import Path

from vo_lib.errors import CatalogError

__all__ = ["Source", "most_bytes"]

# Number of tables, and of columns of each, that a message lists.
MAX_LISTED = 6
FREE_BYTES, MAX_RATIO = 1 << 28, 100

log = logging.getLogger("vo_lib")


def most_bytes(path):
    """Return the decompressed size to accept for a file [bytes]: a harmless one, or a multiple of its size.

    Text of catalogs compresses to a tenth of its size, a decompression bomb to a thousandth.
    """
    return max(FREE_BYTES, MAX_RATIO * Path(path).stat().st_size)


class _Unpacked(gzip.GzipFile):
    """Compressed file that raises an error beyond an acceptable size."""

    def __init__(self, path):
        super().__init__(path)
        self._most = most_bytes(path)

    def read(self, size=-1):
        """Read bytes."""
        return self._checked(super().read(size))

    def read1(self, size=-1):
        """Read bytes with at most one read of the file."""
        return self._checked(super().read1(size))

    def readline(self, size=-1):
        """Read a line."""
        return self._checked(super().readline(size))

    def _checked(self, data):
        """Return data unless there is too much."""
        if self.tell() > self._most:
            raise CatalogError(
                f"{self.name}: unpacks to more than {self._most:,} bytes, too large for a catalog; unpack it if it is"
            )
        return data


@dataclass
class Source:
    """File and columns to read, with the header and units that the reader finds.

    Parameters
    ----------
    path : Path
        The file.
    packed : bool
        Whether it is compressed with gzip.
    wanted : dict of str to str
        Name in the file of each wanted column, by its name in the result.
    texts : set of str
        Columns that are text whatever they contain.
    others : bool
        Whether all other columns are wanted too, under their names in the file.
    required : tuple of str
        Columns, by their names in the file, that the table must have.
    table : str or int or None
        Table to read, by name or by number from one; None to choose by columns.
    encoding : str
        Encoding of text, without its byte order mark.
    separator : str
        Separator of the cells of text; set by the reader.
    header : list of str
        Names of all columns of the file; set by the reader.
    units : dict of str to str
        Units of columns by their names in the file, where given; set by the reader.
    fk4 : set of str
        Columns, by their names in the file, that are in the frame FK4 according to it; set by the reader.
    """

    path: Path
    packed: bool
    wanted: dict
    texts: set
    others: bool = False
    required: tuple = ()
    table: str | int | None = None
    encoding: str = "utf-8-sig"
    separator: str = ","
    header: list = field(default_factory=list)
    units: dict = field(default_factory=dict)
    fk4: set = field(default_factory=set)

    def open(self):
        """Open the file in binary mode, decompressed."""
        return _Unpacked(self.path) if self.packed else open(self.path, "rb")

    def find(self, header):
        """Store the header and return the index in it of each wanted column that exists."""
        self.header = list(header)
        if self.others:
            self.wanted = {column: column for column in (*self.wanted.values(), *self.header)}
        for column in self.wanted.values():
            if (n_columns := self.header.count(column)) > 1:
                raise CatalogError(f"{self.path}: has {n_columns} columns '{column}'; rename all but one")
        return {name: self.header.index(column) for name, column in self.wanted.items() if column in self.header}

    def choose(self, tables):
        """Return the index of the table to read among those of the file.

        Parameters
        ----------
        tables : list of tuple
            Name (may be empty) and names of the columns of each table.

        Returns
        -------
        int
            Without `table`: the only one with all required columns, else the one with the most wanted columns; of
            several such, the one with the most columns, then the first.

        Raises
        ------
        CatalogError
            If several have all required columns, or the file lacks the named one.
        """
        if self.table is not None:
            return self._named(tables)
        fitting = [place for place, (_, header) in enumerate(tables) if set(self.required) <= set(header)]
        if self.required and len(fitting) > 1:
            raise CatalogError(
                f"{self.path}: has {len(fitting)} tables with the columns {', '.join(self.required)}; name one in "
                f"catalog.table: {_listed(tables, fitting)}"
            )
        wanted = set(self.wanted.values())
        sizes = [(place in fitting, len(wanted & set(header)), len(header)) for place, (_, header) in enumerate(tables)]
        chosen = sizes.index(max(sizes))
        if self.required and sum(size[1] > 0 for size in sizes) > 1:
            log.warning("%s: of its %d tables %s is read", self.path, len(tables), _listed(tables, [chosen]))
        return chosen

    def _named(self, tables):
        """Index of the table with the name or number `table`."""
        names = [name.strip("/") for name, _ in tables]
        wanted = str(self.table).strip("/")
        if wanted in names:
            return names.index(wanted)
        if wanted.isdigit() and 1 <= int(wanted) <= len(tables):
            return int(wanted) - 1
        known = _listed(tables, range(len(tables)))
        raise CatalogError(f"{self.path}: has no table '{self.table}', see catalog.table; it has {known}")

    def mask_of(self, column):
        """Return the column in which astropy stores the mask of another, in formats without masks; None without one."""
        mask = f"{column}.mask"
        return mask if mask in self.header else None

    def needed(self, where):
        """Return the columns of the file to read for those of `find`: each once, with its mask."""
        columns = [self.wanted[name] for name in where]
        return list(dict.fromkeys(filter(None, [*columns, *map(self.mask_of, columns)])))


def _listed(tables, places):
    """List of tables with their numbers, names and first columns, for messages."""
    listed = []
    for place in places[:MAX_LISTED]:
        name, header = tables[place]
        columns = ", ".join(header[:MAX_LISTED]) + (", ..." if len(header) > MAX_LISTED else "")
        listed.append(f"{place + 1}{f' {name!r}' if name else ''} ({columns})")
    return "; ".join(listed) + (f"; and {len(places) - MAX_LISTED} more" if len(places) > MAX_LISTED else "")
