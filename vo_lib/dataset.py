"""Epochs of one source or lightcurve as an object that reads its file when they are needed.

A dataset is a file and a key in it. Making one reads nothing, so lists of thousands are
cheap; its epochs are read at the first use of ``data`` and kept until `Dataset.unload`.
"""

import json
from functools import cached_property
from pathlib import Path

from vo_lib import hdf5
from vo_lib.errors import UserError
from vo_lib.paths import encode_key

__all__ = ["Dataset", "Lightcurve", "RawPhotometry"]


class Dataset:
    """One dataset of a product.

    Parameters
    ----------
    filename : str or Path
        The HDF5 file.
    filekey : str
        Its key in the file.
    provenance : str, optional
        Identifier of what the file must have been made by when it is read; by default any will do.
    """

    def __init__(self, filename, filekey, *, provenance=None):
        self.filename, self.filekey, self.provenance = Path(filename), filekey, provenance

    def __repr__(self):
        return f"<{type(self).__name__} {self.filekey} in {self.filename}>"

    def __len__(self):
        return len(self.data)

    @cached_property
    def data(self):
        """Epochs as a structured array, shape (n_epochs,), read at the first use; ``data["mag"]`` is a column."""
        with hdf5.open_file(self.filename, provenance=self.provenance) as file:
            if self.filekey not in file:
                raise UserError(f"{self.filename}: has no dataset '{self.filekey}'; is that the right file for it?")
            return file[self.filekey][:]

    def get_fullname(self):
        """Path of its file, as text."""
        return str(self.filename)

    @property
    def is_empty(self):
        """Whether there are no epochs."""
        return len(self) == 0

    @property
    def is_loaded(self):
        """Whether the epochs are in memory."""
        return "data" in vars(self)

    def unload(self):
        """Forget the epochs; they are read again when needed."""
        vars(self).pop("data", None)

    @cached_property
    def units(self):
        """Unit of each column, an empty text for pure numbers."""
        with hdf5.open_file(self.filename) as file:
            described = hdf5.read_json(file, "columns")
        return {name: column["unit"] for name, column in described.get("columns", described).items()}

    @cached_property
    def row(self):
        """What the index of the file says of it: a dict."""
        with hdf5.open_file(self.filename) as file:
            return _index_row(self.filename, file, self.filekey)[1]

    @classmethod
    def all_in(cls, filename):
        """Return all datasets of a file in the order of its index; reads the index alone."""
        with hdf5.open_file(filename) as file:
            return [cls(filename, key) for key in hdf5.read_table(file, "index")["key"].tolist()]


class RawPhotometry(Dataset):
    """What one survey sent of one source, maybe nothing."""

    @classmethod
    def of(cls, filename, name):
        """Return the dataset of a source, by its name in the catalog, in a raw file."""
        return cls(filename, encode_key(name))

    @cached_property
    def altdata(self):
        """What is known beside the epochs: catalog row, parameters and time of the request, what was sent with them."""
        with hdf5.open_file(self.filename) as file:
            number, _ = _index_row(self.filename, file, self.filekey)
            return json.loads(file["metadata"].asstr()[number])

    def reduce(self, observatory, **options):
        """Turn it into lightcurves; the file has all that is needed.

        Parameters
        ----------
        observatory : VirtualObservatory
            The survey that it is of.
        **options
            See `vo_lib.reduce.reduce_bin`.

        Returns
        -------
        vo_lib.reduce.Reduction
        """
        known = self.altdata
        return observatory.reduce(known["row"], self.data, known["altdata"], **options)


class Lightcurve(Dataset):
    """A reduced lightcurve: one filter, one series of the survey, one season."""

    @property
    def mjds(self):
        """Times of the epochs: MJD, UTC at mid-exposure [days]."""
        return self.data["mjd"]

    def plot(self, ax=None, *, flagged=None, value="mag"):
        """Draw it, see `vo_lib.plots.plot_lightcurve`; gives the axes."""
        from vo_lib.plots import plot_lightcurve

        columns = {name: self.data[name] for name in self.data.dtype.names}
        return plot_lightcurve(
            columns | {name: self.row[name] for name in ("obs", "filter")}, ax, flagged=flagged, value=value
        )


def _index_row(filename, file, key):
    """Number and content of the row of a key in the index."""
    index = hdf5.read_table(file, "index")
    found = (index["key"] == key).nonzero()[0]
    if len(found) != 1:
        raise UserError(f"{filename}: its index has no '{key}'; is that the right file for it?")
    return int(found[0]), {name: values[found[0]].item() for name, values in index.items()}
