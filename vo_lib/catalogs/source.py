"""What a reader of a table is asked for: the file, the columns, and which of several tables."""

import gzip
import logging
from dataclasses import dataclass, field
from pathlib import Path

from vo_lib.errors import CatalogError

__all__ = ["Source", "most_bytes"]

# Tables, and columns of each, that a message lists.
MAX_LISTED = 6
FREE_BYTES, MAX_RATIO = 1 << 28, 100

log = logging.getLogger("vo_lib")


def most_bytes(path):
    """Bytes that a packed file may unpack to: as many as are no harm, and more if that is not too many times its size.

    Text of catalogs is packed to a tenth, a bomb to a thousandth.
    """
    return max(FREE_BYTES, MAX_RATIO * Path(path).stat().st_size)


class _Unpacked(gzip.GzipFile):
    """Bytes of a packed file, up to a number that is believed."""

    def __init__(self, path):
        super().__init__(path)
        self._most = most_bytes(path)

    def read(self, size=-1):
        """Bytes from where the last ones ended."""
        return self._checked(super().read(size))

    def read1(self, size=-1):
        """As `read`, in pieces."""
        return self._checked(super().read1(size))

    def readline(self, size=-1):
        """A line."""
        return self._checked(super().readline(size))

    def _checked(self, data):
        """Raise once there are too many."""
        if self.tell() > self._most:
            raise CatalogError(
                f"{self.name}: unpacks to more than {self._most:,} bytes, which no catalog does; unpack it if it is one"
            )
        return data


@dataclass
class Source:
    """What a reader is asked for, and what it finds out.

    Parameters
    ----------
    path : Path
        The file.
    packed : bool
        Whether it is packed by gzip.
    wanted : dict of str to str
        Name in the file of each wanted column by its name here.
    texts : set of str
        Columns that are text whatever they hold.
    others : bool
        Whether all other columns are wanted too, by their names in the file.
    required : tuple of str
        Columns, by their names in the file, that its table must have.
    table : str or int or None
        Table to read, by its name or its number counted from one; None for the one with the columns.
    encoding : str
        Encoding of text, without its byte order mark.
    separator : str
        Separator of cells of text; the reader fills it in.
    header : list of str
        Names of all columns of the file; the reader fills it in.
    units : dict of str to str
        Units of columns by their name in the file, where it says; the reader fills it in.
    fk4 : set of str
        Columns, by their names in the file, that it says are of the frame FK4; the reader fills it in.
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
        """Open the file for its bytes, unpacked."""
        return _Unpacked(self.path) if self.packed else open(self.path, "rb")

    def find(self, header):
        """Keep the header and give the place in it of each wanted column that is there."""
        self.header = list(header)
        if self.others:
            self.wanted = {column: column for column in (*self.wanted.values(), *self.header)}
        for column in self.wanted.values():
            if (n_columns := self.header.count(column)) > 1:
                raise CatalogError(f"{self.path}: has {n_columns} columns '{column}'; rename all but one")
        return {name: self.header.index(column) for name, column in self.wanted.items() if column in self.header}

    def choose(self, tables):
        """Give the place of the table to read among those of the file.

        Parameters
        ----------
        tables : list of tuple
            Name, empty without one, and names of the columns of each.

        Returns
        -------
        int
            Without `table`: the only one that has the needed columns, else the one with most of the wanted columns,
            the larger and then the first of several.

        Raises
        ------
        CatalogError
            If several have all needed columns, or the file does not have the one that is named.
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
        """Place of the table that is asked for."""
        names = [name.strip("/") for name, _ in tables]
        wanted = str(self.table).strip("/")
        if wanted in names:
            return names.index(wanted)
        if wanted.isdigit() and 1 <= int(wanted) <= len(tables):
            return int(wanted) - 1
        known = _listed(tables, range(len(tables)))
        raise CatalogError(f"{self.path}: has no table '{self.table}', see catalog.table; it has {known}")

    def mask_of(self, column):
        """Give the column in which astropy keeps the mask of another where a format has no masks, None without one."""
        mask = f"{column}.mask"
        return mask if mask in self.header else None

    def needed(self, where):
        """Give the columns of the file that those of `find` are made of, each once: themselves and their masks."""
        columns = [self.wanted[name] for name in where]
        return list(dict.fromkeys(filter(None, [*columns, *map(self.mask_of, columns)])))


def _listed(tables, places):
    """Some tables with their numbers, names and first columns, for messages."""
    listed = []
    for place in places[:MAX_LISTED]:
        name, header = tables[place]
        columns = ", ".join(header[:MAX_LISTED]) + (", ..." if len(header) > MAX_LISTED else "")
        listed.append(f"{place + 1}{f' {name!r}' if name else ''} ({columns})")
    return "; ".join(listed) + (f"; and {len(places) - MAX_LISTED} more" if len(places) > MAX_LISTED else "")
