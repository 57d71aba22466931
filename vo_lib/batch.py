"""All lightcurves of a bin as flat columns, on which every algorithm works."""

from dataclasses import dataclass, replace

import numpy as np

from vo_lib.segments import check_starts, range_rows, segment_index, segment_sum, starts_from_counts
from vo_lib.tables import concatenate_tables, count_rows, take_rows

__all__ = ["COLUMNS", "TABLE", "LightcurveBatch"]

# Standard columns of a reduced lightcurve, in the order of the files, and their types.
COLUMNS = {
    "mjd": "f8",
    "bmjd_tdb": "f8",
    "flux": "f8",
    "fluxerr": "f8",
    "mag": "f8",
    "magerr": "f8",
    "exptime": "f8",
    "ra": "f8",
    "dec": "f8",
    "flag": "i8",
}
# Values that every lightcurve has, and their types.
TABLE = {"key": "U1", "source": "U1", "obs": "U1", "filter": "U1", "series": "U1", "number": "i8", "count": "i8"}


@dataclass(frozen=True)
class LightcurveBatch:
    """Lightcurves stored one after the other, with one array per column.

    Parameters
    ----------
    columns : dict of str to ndarray, each of shape (n_epochs,)
        Values per epoch, see `COLUMNS`; lightcurve ``i`` is the slice ``starts[i]:starts[i + 1]``.
    starts : ndarray of int64, shape (n_lightcurves + 1,)
        Offsets from 0 to n_epochs; two equal neighbours mean a lightcurve without epochs.
    table : dict of str to ndarray, each of shape (n_lightcurves,)
        Values per lightcurve, at least those of `TABLE`.

    Raises
    ------
    ValueError
        If the offsets are not valid, or an array does not have the length that they imply.
    """

    columns: dict
    starts: np.ndarray
    table: dict

    def __post_init__(self):
        check_starts(self.starts, self.n_epochs)
        for kind, arrays, size in (("column", self.columns, self.n_epochs), ("table", self.table, self.n_lightcurves)):
            for name, values in arrays.items():
                if np.shape(values) != (size,):
                    raise ValueError(f"{kind} '{name}' must have shape ({size},), got {np.shape(values)}")

    def __repr__(self):
        return f"<LightcurveBatch of {self.n_lightcurves} lightcurves, {self.n_epochs} epochs>"

    @property
    def n_lightcurves(self):
        """Number of lightcurves, including those without epochs."""
        return len(self.starts) - 1

    @property
    def n_epochs(self):
        """Total number of epochs."""
        return count_rows(self.columns) if self.columns else int(self.starts[-1])

    @property
    def counts(self):
        """Number of epochs of each lightcurve: int64, shape (n_lightcurves,)."""
        return np.diff(self.starts)

    @property
    def lightcurve_index(self):
        """Lightcurve of each epoch: int64, shape (n_epochs,)."""
        return segment_index(self.starts)

    def lightcurve(self, index):
        """Return the columns of one lightcurve as a dict of views."""
        span = slice(int(self.starts[index]), int(self.starts[index + 1]))
        return take_rows(self.columns, span)

    def names(self, wanted):
        """Return columns of the table under the names that other tables have, where the key is ``lightcurve``."""
        return {name: self.table["key" if name == "lightcurve" else name] for name in wanted}

    def epochs_of(self, lightcurves):
        """Return the rows of the epochs of some lightcurves, in the order given and with repeats.

        Parameters
        ----------
        lightcurves : array_like of bool, shape (n_lightcurves,), or of int
            Mask or indices.

        Returns
        -------
        rows : ndarray of int64
            Rows of the columns of this batch.
        starts : ndarray of int64, shape (n_selected + 1,)
            Offsets of the selected lightcurves within `rows`.
        """
        chosen = self._indices(lightcurves)
        starts = starts_from_counts(self.counts[chosen])
        return range_rows(self.starts[:-1][chosen], starts), starts

    def select(self, lightcurves, *, columns=None):
        """Make a batch of some lightcurves.

        Parameters
        ----------
        lightcurves : array_like of bool, shape (n_lightcurves,), or of int
            Mask, or indices in the wanted order, repeats allowed.
        columns : sequence of str, optional
            Columns to keep; all by default.

        Returns
        -------
        LightcurveBatch
            Its arrays are copies.
        """
        rows, starts = self.epochs_of(lightcurves)
        chosen = self._indices(lightcurves)
        names = self.columns if columns is None else columns
        return LightcurveBatch(
            columns={name: self.columns[name][rows] for name in names},
            starts=starts,
            table=take_rows(self.table, chosen),
        )

    def keep(self, epochs):
        """Make a batch of the same lightcurves with some of their epochs.

        Parameters
        ----------
        epochs : ndarray of bool, shape (n_epochs,)
            Epochs to keep.

        Returns
        -------
        LightcurveBatch
            Its columns and offsets are new; the table is shared.
        """
        columns = take_rows(self.columns, epochs)
        return replace(self, columns=columns, starts=starts_from_counts(segment_sum(epochs, self.starts)))

    def with_columns(self, **columns):
        """Make a batch with columns added or replaced; the others are shared, not copied."""
        return replace(self, columns={**self.columns, **columns})

    def _indices(self, lightcurves):
        """Turn a mask or indices into checked indices."""
        chosen = np.asarray(lightcurves)
        if chosen.dtype.kind == "b":
            if chosen.shape != (self.n_lightcurves,):
                raise ValueError(f"a mask must have shape ({self.n_lightcurves},), got {chosen.shape}")
            return np.flatnonzero(chosen)
        return chosen.astype(np.int64)

    @classmethod
    def empty(cls):
        """Make a batch without lightcurves, with the standard columns and table."""
        columns = {name: np.zeros(0, kind) for name, kind in COLUMNS.items()}
        return cls(columns, np.zeros(1, np.int64), {name: np.zeros(0, kind) for name, kind in TABLE.items()})

    @classmethod
    def concatenate(cls, batches):
        """Join batches one after the other.

        Parameters
        ----------
        batches : iterable of LightcurveBatch
            Batches with the same columns and table entries; without any the result is `empty`.

        Returns
        -------
        LightcurveBatch
            Columns in the order of the first batch.

        Raises
        ------
        ValueError
            If the columns or table entries of a batch differ from those of the first.
        """
        batches = list(batches)
        if not batches:
            return cls.empty()
        first = batches[0]
        for batch in batches[1:]:
            different = (first.columns.keys() ^ batch.columns.keys()) | (first.table.keys() ^ batch.table.keys())
            if different:
                raise ValueError(f"batches to join must have the same columns; only some have {sorted(different)}")
        return cls(
            columns=concatenate_tables([batch.columns for batch in batches]),
            starts=starts_from_counts(np.concatenate([batch.counts for batch in batches])),
            table=concatenate_tables([batch.table for batch in batches]),
        )
