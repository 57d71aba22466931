"""Answers of name services, kept in a text file with one line per name.

The file belongs under version control with the catalogs, so that a name is the same target on every machine and
without a network. You may correct it by hand; a name whose line is removed is looked up again.
"""

import math
import threading
from pathlib import Path

from filelock import FileLock

from vo_lib.errors import CatalogError
from vo_lib.files import write_text
from vo_lib.targets.target import FOUND, MOVING, NOT_FOUND, Target

__all__ = ["COLUMNS", "KEPT", "NameCache"]

COLUMNS = ("name", "canonical", "ra", "dec", "pmra", "pmdec", "aliases", "service", "date", "status")
KEPT = (FOUND, NOT_FOUND, MOVING)

_NUMBERS = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0), "pmra": (-math.inf, math.inf), "pmdec": (-math.inf, math.inf)}


class NameCache:
    """Answers by name, in memory and in a file of tab-separated columns that threads and processes may share.

    Parameters
    ----------
    path : str or Path
        The file; it need not exist. Lines are sorted by name, aliases are separated by ``|``, which occurs in no
        identifier, and unknown values are empty.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._lock = threading.Lock()
        self._new = {}
        self._targets = self._read()

    def get(self, name):
        """Return the `Target` of a name, None if there is no answer for it."""
        return self._targets.get(name)

    def put(self, target):
        """Store a `Target` that is found, not found or moving; raise `ValueError` for any other, which is no answer."""
        if target.status not in KEPT:
            raise ValueError(f"status must be one of {', '.join(KEPT)}, got {target.status}")
        with self._lock:
            self._targets[target.name] = self._new[target.name] = target

    def save(self):
        """Add new answers to the file, which may have changed in the meantime; do nothing without any."""
        with self._lock:
            new, self._new = self._new, {}
        if not new:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name(f".{self.path.name}.lock")):
            targets = self._read() | new
            rows = [COLUMNS, *(_cells(targets[name]) for name in sorted(targets))]
            write_text(self.path, "".join("\t".join(row) + "\n" for row in rows))

    def _read(self):
        """Targets in the file by name."""
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogError(f"{self.path}: cannot be read ({error})") from None
        if tuple(lines[0].split("\t")) != COLUMNS:
            raise CatalogError(f"{self.path}: line 1 must name the columns {', '.join(COLUMNS)}, separated by tabs")
        targets = {}
        for number, line in enumerate(lines[1:], 2):
            if line.strip():
                target = self._target(number, line.split("\t"))
                if target.name in targets:
                    raise self._error(number, f"'{target.name}' is listed twice; remove one of the lines")
                targets[target.name] = target
        return targets

    def _target(self, number, cells):
        """Target of a line."""
        if len(cells) != len(COLUMNS):
            raise self._error(number, f"has {len(cells)} cells instead of {len(COLUMNS)}; correct or remove the line")
        values = dict(zip(COLUMNS, cells, strict=True))
        for column, limits in _NUMBERS.items():
            values[column] = self._number(number, column, values[column], limits)
        values["aliases"] = tuple(filter(None, values["aliases"].split("|")))
        target = Target(**values)
        if target.status not in KEPT:
            raise self._error(number, f"status is '{target.status}', it must be one of {', '.join(KEPT)}")
        if target.status == FOUND and None in (target.ra, target.dec):
            raise self._error(number, f"'{target.name}' is found but has no position; add it or remove the line")
        return target

    def _number(self, number, column, text, limits):
        """Number of a cell, None for an empty one."""
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (limits[0] <= value <= limits[1] and math.isfinite(value)):
            raise self._error(number, f"{column} is '{text}', not a number in its range; correct or remove the line")
        return value

    def _error(self, number, message):
        """Error for a line."""
        return CatalogError(f"{self.path}: line {number}: {message}")


def _cells(target):
    """Cells of a line."""
    values = {column: getattr(target, column) for column in COLUMNS}
    values["aliases"] = "|".join(target.aliases)
    return ["" if value is None else repr(value) if isinstance(value, float) else value for value in values.values()]
