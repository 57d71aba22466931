"""What Snakemake keeps of the jobs that it ran: their parameters, inputs and code.

Files below ``.snakemake`` of the data root, which are only read. A job that Snakemake never ran has no record. Others
than the owner and the group of a record may not read it, whatever the umask, which is a `UserError`.
"""

import ast
import json
import os
from base64 import urlsafe_b64encode
from functools import cache
from pathlib import Path

from vo_lib.errors import UserError

__all__ = ["Records"]

# Versions of the format from which on a record tells of code, inputs and parameters.
SINCE = {"code": 3, "input": 4, "params": 6}


class Records:
    """The records of a data root.

    Parameters
    ----------
    data_root : str or Path
        The data root.
    """

    def __init__(self, data_root):
        self.folder = Path(data_root) / ".snakemake"
        self.read = cache(self._read)

    def _read(self, file):
        """Record of the job that made a file (relative to the data root) as a dict, or None."""
        try:
            record = json.loads(self._path("metadata", file).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except PermissionError:
            raise UserError(
                f"{self.folder}: its notes on {file} may not be read by you; Snakemake lets only their owner and group "
                f"read them"
            ) from None
        version = record.get("record_format_version") or 0
        return record | {name: None for name, since in SINCE.items() if version < since}

    def is_incomplete(self, file):
        """Whether the job that makes a file was started and has not ended, as after a kill."""
        return self._path("incomplete", file).exists()

    @property
    def is_locked(self):
        """Whether a run holds its lock, or was killed and left it."""
        locks = self.folder / "locks"
        return locks.exists() and any(locks.iterdir())

    def _path(self, kind, file):
        """Path of a record: its name is that of the file in base64, in pieces where it is too long for a name."""
        folder = self.folder / kind
        longest = (os.pathconf(folder, "PC_NAME_MAX") if folder.exists() else 255) - 1
        text = urlsafe_b64encode(file.encode()).decode()
        *pieces, last = (text[start : start + longest] for start in range(0, len(text), longest))
        return folder.joinpath(*(f"@{piece}" for piece in pieces), last)

    def params(self, file):
        """Parameters of the job that made a file, as texts, or None."""
        record = self.read(file)
        found = record["params"] if record else None
        return None if found is None else [ast.literal_eval(text) for text in found]

    def had(self, file, params):
        """Whether the job that made a file had these parameters alone; None where that is not on record."""
        found = self.params(file)
        return None if found is None else set(found) == {params}

    def checksums(self, file):
        """SHA-256 of the inputs of the job that made a file, as far as Snakemake keeps them: dict by input."""
        record = self.read(file) or {}
        return {name: text.removeprefix("sha256:") for name, text in (record.get("input_checksums") or {}).items()}
