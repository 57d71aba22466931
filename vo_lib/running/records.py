"""Read Snakemake's records of the jobs that it ran: their parameters, inputs and code.

The records are files below ``.snakemake`` in the data root. A job that Snakemake never ran has none. Only the owner and
the group of a record may read it, whatever the umask; for others there is a `UserError`.
"""

import ast
import json
import os
from base64 import urlsafe_b64encode
from functools import cache
from pathlib import Path

from vo_lib.errors import UserError

__all__ = ["Records"]

# First version of the format in which a record has code, inputs and parameters that can be compared.
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
        """Return the record of the job that made a file (relative to the data root) as a dict, or None."""
        try:
            record = json.loads(self._path("metadata", file).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        except PermissionError:
            raise UserError(
                f"{self.folder}: you may not read the record of {file}; Snakemake lets only its owner and group read it"
            ) from None
        version = record.get("record_format_version") or 0
        return record | {name: None for name, since in SINCE.items() if version < since}

    def is_incomplete(self, file):
        """Return whether the job that makes a file was started but did not end, as after a kill."""
        return self._path("incomplete", file).exists()

    @property
    def is_locked(self):
        """Whether Snakemake's lock is held by a run, or was left by one that was killed."""
        locks = self.folder / "locks"
        return locks.exists() and any(locks.iterdir())

    def _path(self, kind, file):
        """Path of a record: the name of the file in base64, split if it is too long for a file name."""
        folder = self.folder / kind
        longest = (os.pathconf(folder, "PC_NAME_MAX") if folder.exists() else 255) - 1
        text = urlsafe_b64encode(file.encode()).decode()
        *pieces, last = (text[start : start + longest] for start in range(0, len(text), longest))
        return folder.joinpath(*(f"@{piece}" for piece in pieces), last)

    def params(self, file):
        """Return the parameters of the job that made a file, a list of texts, or None without a record."""
        record = self.read(file)
        found = record["params"] if record else None
        return None if found is None else [ast.literal_eval(text) for text in found]

    def had(self, file, params):
        """Return whether `params` was the only parameter of the job that made a file; None without a record."""
        found = self.params(file)
        return None if found is None else set(found) == {params}

    def checksums(self, file):
        """Return the SHA-256 of the inputs of the job that made a file, as far as recorded: dict by input."""
        record = self.read(file) or {}
        return {name: text.removeprefix("sha256:") for name, text in (record.get("input_checksums") or {}).items()}
