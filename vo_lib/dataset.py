"""Epochs of one source or lightcurve, as an object that reads its file lazily.

A dataset is a file and a key in it. Creating one reads nothing, so lists of thousands are
cheap; its epochs are read on the first use of ``data`` and kept until `Dataset.unload`. Datasets
created together (`Dataset.together`) are read together, since opening a file takes longer than reading it.
"""

import hashlib
import json
from functools import cached_property
from pathlib import Path

import numpy as np

from vo_lib import hdf5
from vo_lib.errors import DamagedProductError, UserError
from vo_lib.observatories import get_class
from vo_lib.paths import encode_key
from vo_lib.raw import open_raw
from vo_lib.reduction.describe import STATISTICS
from vo_lib.reduction.reduced import DESCRIPTIONS, open_lightcurves
from vo_lib.reduction.saved import remove_lightcurve, save_lightcurve
from vo_lib.tables import encode_table, table_rows

__all__ = ["Dataset", "Lightcurve", "RawPhotometry"]

MJD_ZERO = np.datetime64("1858-11-17T00:00:00.000000")


class Dataset:
    """A dataset in a product: a file and a key.

    Parameters
    ----------
    filename : str or Path
        The HDF5 file.
    filekey : str
        Its key in the file.
    provenance : str, optional
        Identifier of the provenance that the file must have when it is read; by default any is accepted.
    """

    _open = staticmethod(hdf5.open_file)

    def __init__(self, filename, filekey, *, provenance=None):
        self.filename, self.filekey, self.provenance = Path(filename), filekey, provenance
        self._together = (self,)

    @classmethod
    def together(cls, filename, filekeys, *, provenance=None):
        """Return datasets of one file, in the order of the keys; the first use of any of them reads all."""
        made = [cls(filename, filekey, provenance=provenance) for filekey in filekeys]
        for dataset in made:
            dataset._together = made
        return made

    def __repr__(self):
        return f"<{type(self).__name__} {self.filekey} in {self.filename}>"

    def __len__(self):
        return len(self.data)

    @cached_property
    def data(self):
        """Epochs as a structured array, shape (n_epochs,), read on first use; ``data["mag"]`` is a column."""
        beside = [dataset for dataset in self._together if dataset is not self and not dataset.is_loaded]
        wanted = [self, *beside]  # a copy of a dataset is not in its own _together
        with self._open(self.filename, provenance=self.provenance, whole=False) as file:
            rows = hdf5.read_rows(file, [dataset.filekey for dataset in wanted])
        for dataset, data in zip(wanted, rows, strict=True):
            dataset._check(data)
            vars(dataset)["data"] = data
        return vars(self)["data"]

    def _check(self, data):
        """Raise `DamagedProductError` if the epochs are known to differ from those that were written."""

    def load(self):
        """Read the epochs now unless they are in memory, and return them."""
        return self.data

    def get_fullname(self):
        """Return the path of the file as text."""
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
        """Drop the epochs from memory; they are read again when needed."""
        vars(self).pop("data", None)

    @cached_property
    def units(self):
        """Unit of each column: a dict; an empty string for pure numbers."""
        with self._open(self.filename) as file:
            described = hdf5.read_json(file, "columns")
        return {name: column["unit"] for name, column in described.get("columns", described).items()}

    @cached_property
    def row(self):
        """Its row in the index of the file: a dict."""
        with self._open(self.filename) as file:
            return _index_row(self.filename, file, self.filekey)[1]

    @classmethod
    def all_in(cls, filename):
        """Return all datasets of a file in the order of its index; only the index is read."""
        with cls._open(filename) as file:
            return [cls(filename, key) for key in hdf5.read_table(file, "index")["key"].tolist()]


class RawPhotometry(Dataset):
    """What one survey sent for one source; it may be empty."""

    @classmethod
    def of(cls, filename, name):
        """Return the dataset of a source in a raw file, by its name in the catalog."""
        return cls(filename, encode_key(name))

    _open = staticmethod(open_raw)

    @cached_property
    def altdata(self):
        """Metadata of the epochs: catalog row, parameters and time of the request, and what the survey sent beside."""
        with self._open(self.filename) as file:
            number, _ = _index_row(self.filename, file, self.filekey)
            return json.loads(file["metadata"].asstr()[number])

    def reduce(self, observatory, **options):
        """Reduce it to lightcurves; the file has all that is needed.

        Parameters
        ----------
        observatory : VirtualObservatory
            The survey that sent it.
        **options
            See `vo_lib.reduce.reduce_bin`.

        Returns
        -------
        vo_lib.reduce.Reduction
        """
        if lacking := sorted(set(observatory.columns) - set(self.data.dtype.names)):
            raise UserError(f"{self!r} has no column '{lacking[0]}' of {observatory.name}; reduce it with {self.obs}")
        known = self.altdata
        return observatory.reduce(known["row"], self.data, known["altdata"], **options)

    @property
    def obs(self):
        """Name of the survey, from the beginning of the file name."""
        return self.filename.name.partition("_photometry_")[0]

    def reduced_by(self, observatory, **options):
        """Reduce it to a list of lightcurves, which are in memory until they are saved.

        Parameters
        ----------
        observatory : vo_lib.observatories.base.VirtualObservatory
            The survey.
        **options
            See `vo_lib.observatories.base.VirtualObservatory.reduce`.

        Returns
        -------
        list of Lightcurve
            Sorted by filter, series and time; empty without usable epochs.
        """
        batch = self.reduce(observatory, **options).batch
        file, rows = f"{self.filename.stem}_reduced.h5", table_rows(batch.table)
        return [Lightcurve.made(file, row, batch.lightcurve(number)) for number, row in enumerate(rows)]

    def plot(self, ax=None, *, observatory=None, **options):
        """Draw all epochs that have a time, including those that the reduction leaves out.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure.
        observatory : vo_lib.observatories.base.VirtualObservatory, optional
            The survey, which interprets the columns; by default the one named by `obs`, with default parameters.
        **options
            Options of `vo_lib.plots.plot_lightcurve`, such as ``value`` and ``time``.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from vo_lib.plots import plot_lightcurve

        observatory = get_class(self.obs)() if observatory is None else observatory
        everything = {"gap_days": np.inf, "radius_arcsec": None, "mag_range": None, "duplicates": "keep"}
        found = self.reduced_by(observatory, **everything)
        names = ("mjd", "bmjd_tdb", "mag", "magerr", "flux", "fluxerr", "flag")
        columns = {name: np.concatenate([np.zeros(0), *(part.data[name] for part in found)]) for name in names}
        for name in ("obs", "filter"):
            columns[name] = np.repeat([part.row[name] for part in found], [len(part) for part in found])
        return plot_lightcurve(columns, ax, **options)


class Lightcurve(Dataset):
    """A lightcurve: one filter, one series of the survey, one season."""

    _open = staticmethod(open_lightcurves)

    @classmethod
    def made(cls, filename, row, columns):
        """Make a lightcurve in memory from its index row and columns; it is written to the file when saved."""
        lightcurve = cls(filename, row["key"])
        lightcurve.row = row
        lightcurve.units = {name: unit for name, (unit, _) in (DESCRIPTIONS | STATISTICS).items()}
        vars(lightcurve)["data"] = encode_table(columns)
        return lightcurve

    def _check(self, data):
        """Compare the epochs with the digest in the index, if its row has been read."""
        wanted = vars(self).get("row", {}).get("digest")
        if wanted is not None and hashlib.sha256(data).hexdigest()[: len(wanted)] != wanted:
            raise DamagedProductError(self.filename, f"'{self.filekey}' does not match its digest")

    @property
    def mjds(self):
        """Times of the epochs: MJD, UTC at mid-exposure [days]."""
        return self.data["mjd"]

    @property
    def times(self):
        """Times of the epochs as ``datetime64``, to the microsecond; NaT where unknown."""
        return MJD_ZERO + np.round(86_400e6 * self.mjds).astype("timedelta64[us]")

    def plot(self, ax=None, **options):
        """Draw the lightcurve.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure.
        **options
            Options of `vo_lib.plots.plot_lightcurve`, such as ``value``, ``time``, ``period`` and ``flagged``.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from vo_lib.plots import plot_lightcurve

        columns = {name: self.data[name] for name in self.data.dtype.names}
        return plot_lightcurve(columns | {name: self.row[name] for name in ("obs", "filter")}, ax, **options)

    def save(self, filename=None):
        """Save it to a file of your own, beside any lightcurves already there; one with the same key is replaced.

        Parameters
        ----------
        filename : str or Path, optional
            The file; by default the attribute `filename`, which for a lightcurve reduced in memory is named after
            survey and bin, in the current folder.

        Raises
        ------
        UserError
            If the file is a product of the workflow.
        """
        path = Path(filename or self.filename)
        save_lightcurve(path, self)
        self.filename = path

    def delete_data_from_disk(self):
        """Remove it from its file, and the file with its last lightcurve; a product of the workflow is an error.

        Epochs in memory are kept.
        """
        remove_lightcurve(self.filename, self.filekey)


def _index_row(filename, file, key):
    """Return the number and the content of the index row of a key."""
    index = hdf5.read_table(file, "index")
    found = (index["key"] == key).nonzero()[0]
    if len(found) != 1:
        raise UserError(f"{filename}: its index has no '{key}'; is that the right file for it?")
    return int(found[0]), {name: values[found[0]].item() for name, values in index.items()}
