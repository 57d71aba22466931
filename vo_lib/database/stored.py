"""Rows that stand for epochs in a file, which are read on demand."""

import sqlalchemy as sa
from sqlalchemy import orm

from vo_lib.errors import UserError

__all__ = ["Stored"]


class Stored:
    """Mixin for rows with ``filename`` and ``key``, whose file is opened at the first use of ``data``.

    Attributes
    ----------
    data_root : Path or None
        Folder that ``filename`` is relative to; rows get it from their session.
    """

    data_root = None
    _dataset = None

    @property
    def dataset(self):
        """The epochs as an object that reads them on demand, see `vo_lib.dataset`."""
        if self._dataset is None:
            rows = [row for row in self._beside() if row.filename == self.filename and row._dataset is None]
            path, keys = self._path(), [row.key for row in rows]
            made = self._kind().together(path, keys, provenance=getattr(self, "provenance_id", None))
            for row, dataset in zip(rows, made, strict=True):
                row._dataset = dataset
        return self._dataset

    def _beside(self):
        """Rows to read together with this one, including itself."""
        return [self]

    def _path(self):
        """Path of the file."""
        session = orm.object_session(self)
        root = self.data_root or (session and session.info.get("data_root"))
        if root is None:
            raise UserError(f"{self!r} does not know where {self.filename} is; open it with vo_lib.Session")
        return root / self.filename

    @property
    def data(self):
        """Epochs as a structured array, shape (n_epochs,); ``data["mag"]`` is a column.

        Raises `StaleProductError` if the file has another provenance than the row.
        """
        return self.dataset.data

    @property
    def filekey(self):
        """Key of the epochs in the file."""
        return self.key

    def get_fullname(self):
        """Return the path of the file as a str."""
        return str(self._path())

    def plot(self, ax=None, **options):
        """Plot the epochs and return the axes, see `vo_lib.dataset`."""
        return self.dataset.plot(ax, **options)


@sa.event.listens_for(Stored, "load", propagate=True)
def _remember(row, context):
    """Keep the data root, so that a row can find its file after its session has ended."""
    row.data_root = context.session.info.get("data_root")
