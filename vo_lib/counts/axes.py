"""Axes of histograms, and which bin a value belongs to.

Bins are half-open, ``edges[i] <= value < edges[i + 1]``, including the last one: a value equal
to the last edge counts as over. Values are compared as 64-bit floats with the edges as they are
stored, so ``0.3`` is below an edge of ``3 * 0.1``; edges made by division
(``np.arange(-200, 201) / 10``) equal the floats that the decimal literals stand for.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

__all__ = ["BLOCK", "OTHER", "Axis", "check_name"]

OTHER = "other"
# Units that xarray decodes to time spans (xarray.coding.times); numbers with such a unit would not stay numbers.
TIME_WORDS = frozenset(["days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"])
# Values processed at a time: few enough for the arrays of a step to stay in the processor's cache.
BLOCK = 2**14


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a histogram, either numeric with edges or of text with labels.

    Parameters
    ----------
    name : str
        A Python identifier; values are passed to `Histogram.fill` under this name.
    edges : array_like of float, shape (n_bins + 1,), optional
        Edges of the bins [unit], finite and increasing; copied.
    labels : sequence of str, optional
        The texts that have their own bin, all different and none of them ``other``.
    unit : str, optional
        Unit of the edges; not one that xarray would decode to a time span or date.
    description : str, optional
        What the values are.

    Raises
    ------
    ValueError
        If the name, edges or labels are invalid, or not exactly one of edges and labels is given.
    """

    name: str
    edges: np.ndarray | None = None
    labels: tuple | None = None
    unit: str = field(default="", kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self):
        check_name("axis", self.name)
        if (self.edges is None) == (self.labels is None):
            raise ValueError(f"axis '{self.name}' needs either edges or labels")
        if self.labels is None:
            object.__setattr__(self, "edges", _checked_edges(self.name, self.edges))
        else:
            object.__setattr__(self, "labels", _checked_labels(self.name, self.labels))
        if " since " in self.unit or self.unit in TIME_WORDS:
            raise ValueError(f"axis '{self.name}': unit '{self.unit}' would be read as a time by xarray; use d, h or s")

    def __eq__(self, other):
        return isinstance(other, Axis) and self.difference(other) is None

    def __hash__(self):
        return hash((self.name, self.size, self.labels))

    @property
    def size(self):
        """Number of bins, including those for under, over and NaN, or for other labels."""
        return len(self.edges) + 2 if self.labels is None else len(self.labels) + 1

    @property
    def coordinates(self):
        """Coordinate of each bin: -inf, centres, inf and NaN (float64), or labels and ``other`` (dtype ``U``)."""
        if self.labels is not None:
            return np.array([*self.labels, OTHER])
        # Halves first: the sum of two very large edges would be infinite.
        return np.concatenate([[-np.inf], self.edges[:-1] / 2 + self.edges[1:] / 2, [np.inf, np.nan]])

    def difference(self, other):
        """Return the name of the first property in which two axes differ, or None if they are equal."""
        for key in ("name", "unit", "description", "labels"):
            if getattr(self, key) != getattr(other, key):
                return key
        return None if self.labels is not None or np.array_equal(self.edges, other.edges) else "edges"

    def index(self, values):
        """Return the position of values along this axis.

        Parameters
        ----------
        values : array_like
            As for `Histogram.fill`.

        Returns
        -------
        ndarray of int64, same shape as `values`
            From 0 to ``size - 1``: under, bins, over, NaN; or labels, other.

        Raises
        ------
        TypeError, ValueError
            As for `Histogram.fill`.
        """
        return self._index(self._prepared(values))

    def _prepared(self, values):
        """Check values and return real numbers, or codes of labels; masked ones become NaN or other."""
        mask = values.mask if isinstance(values, np.ma.MaskedArray) else np.ma.nomask
        values = np.asarray(values)
        if self.labels is None:
            if values.dtype.kind not in "biuf":
                raise TypeError(f"axis '{self.name}' takes real numbers, got values of type {values.dtype}")
            return values if mask is np.ma.nomask else np.where(mask, np.nan, values)
        codes = values if values.dtype.kind in "biu" else self._codes(values)
        codes = codes if mask is np.ma.nomask else np.where(mask, -1, codes.astype(np.intp))
        if codes.size and not (codes.min() >= -1 and codes.max() < len(self.labels)):
            raise ValueError(
                f"axis '{self.name}' takes codes from 0 to {len(self.labels) - 1}, or -1 for '{OTHER}', "
                f"got {codes.min()} to {codes.max()}"
            )
        return codes

    def _codes(self, texts):
        """Look up texts among the labels, each run of equal neighbours once."""
        if texts.size and texts.dtype.kind not in "OTU":
            raise TypeError(f"axis '{self.name}' takes text or integer codes, got values of type {texts.dtype}")
        flat = texts.reshape(-1)
        starts = np.flatnonzero(np.append(True, flat[1:] != flat[:-1])[: len(flat)])
        known = {label: code for code, label in enumerate(self.labels)}
        codes = np.array([known.get(text, -1) for text in flat[starts].tolist()], dtype=np.intp)
        return np.repeat(codes, np.diff(starts, append=len(flat))).reshape(texts.shape)

    @cached_property
    def _scale(self):
        """Bins per unit if the edges are evenly spaced to within a quarter of a bin, else None."""
        with np.errstate(over="ignore", invalid="ignore"):
            steps = len(self.edges) - 1
            scale = steps / (self.edges[-1] - self.edges[0])
            guess = (self.edges - self.edges[0]) * scale
            # Edges too close together or too far apart for a float give NaN, which is not less.
            equal = np.abs(guess - np.arange(steps + 1)).max() < 0.25
        return scale if equal else None

    @cached_property
    def _limits(self):
        """Lower and upper edge of each position except NaN; the last one has no upper edge."""
        return np.concatenate([[-np.inf], self.edges]), np.concatenate([self.edges, [np.nan]])

    def _index(self, values):
        """Return the position of prepared values along this axis."""
        if self.labels is not None:
            place = values.astype(np.intp)
            return np.where(place < 0, len(self.labels), place)
        values = values.astype(np.float64, copy=False)
        place = np.searchsorted(self.edges, values, side="right") if self._scale is None else self._equal_width(values)
        return place + np.isnan(values)

    def _equal_width(self, values):
        """Do ``np.searchsorted(edges, values, side="right")`` by a guess, corrected by one bin where it is wrong."""
        lower, upper = self._limits
        with np.errstate(over="ignore", invalid="ignore"):
            guess = (values - self.edges[0]) * self._scale
        # Unlike minimum and maximum, fmin and fmax ignore NaN, which thus ends up at the last position.
        place = np.floor(np.fmax(np.fmin(guess, len(self.edges) - 1), -1)).astype(np.intp) + 1
        place += values >= upper.take(place, mode="clip")
        place -= values < lower.take(place, mode="clip")
        return place


def check_name(kind, name):
    """Raise `ValueError` for a name that cannot be both an argument and a variable in a file."""
    if not (isinstance(name, str) and name.isidentifier() and name.isascii()):
        raise ValueError(f"the name of the {kind} must be of ASCII letters, digits and '_', got {name!r}")


def _checked_edges(name, edges):
    """Copy edges to a read-only array if they are valid."""
    edges = np.array(edges, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not (np.isfinite(edges).all() and (edges[1:] > edges[:-1]).all()):
        raise ValueError(f"axis '{name}' needs two or more finite, increasing edges, got {edges.tolist()}")
    edges.flags.writeable = False
    return edges


def _checked_labels(name, labels):
    """Copy labels to a tuple if they are valid; netCDF ends a text at its first NUL."""
    wrong = isinstance(labels, str) or not all(isinstance(label, str) and "\0" not in label for label in labels)
    labels = () if wrong else tuple(str(label) for label in labels)
    if not labels or len(set(labels) | {OTHER}) != len(labels) + 1:
        raise ValueError(f"axis '{name}' needs one or more different texts as labels, none of them '{OTHER}'")
    return labels
