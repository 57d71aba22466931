"""Histograms that count every value and add up exactly.

In addition to its bins, a numeric axis counts values below, above and NaN, and a label
axis values with another label, so the sum of the counts is the number of values filled.
"""

import math

import numpy as np

from vo_lib.counts.axes import BLOCK, check_name

__all__ = ["Histogram", "merge", "size_estimate_mb"]


class Histogram:
    """Counts of values along one or more axes.

    Parameters
    ----------
    name : str
        A Python identifier; the name of the variable in a file.
    axes : sequence of Axis
        At least one, with different names.
    description : str, optional
        What is counted.
    counts : ndarray of uint64, optional
        Initial counts, not copied; zero by default.
    unit : str, optional
        Unit of the counts, ``"1"`` for numbers.

    Attributes
    ----------
    counts : ndarray of uint64, shape (axes[0].size, axes[1].size, ...)
        Along a numeric axis: under, bins, over, NaN; along a label axis: labels, other.

    Raises
    ------
    ValueError
        If a name is invalid or used twice, there is no axis, or the counts have the wrong shape or type.
    """

    def __init__(self, name, axes, description="", *, counts=None, unit="1"):
        check_name("histogram", name)
        self.name, self.axes, self.description, self.unit = name, tuple(axes), description, unit
        names = [axis.name for axis in self.axes]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"histogram '{name}' needs one or more axes of different names, got {names}")
        shape = tuple(axis.size for axis in self.axes)
        self.counts = np.zeros(shape, np.uint64) if counts is None else np.ascontiguousarray(counts)
        if self.counts.shape != shape or self.counts.dtype != np.uint64:
            raise ValueError(
                f"histogram '{name}' needs counts of uint64 and shape {shape}, "
                f"got {self.counts.dtype} and {self.counts.shape}"
            )

    def __repr__(self):
        return f"<Histogram {self.name}({', '.join(axis.name for axis in self.axes)}), total {self.total()}>"

    def __eq__(self, other):
        return (
            isinstance(other, Histogram)
            and self._labels == other._labels
            and self.axes == other.axes
            and np.array_equal(self.counts, other.counts)
        )

    __hash__ = None

    @property
    def _labels(self):
        """What is counted; histograms that differ in it cannot be added."""
        return self.name, self.description, self.unit

    def fill(self, weights=None, /, **values):
        """Count values; each one, whatever it is, adds 1 or its weight to exactly one bin.

        Parameters
        ----------
        weights : ndarray of unsigned integers, optional
            What each value adds, broadcast with the values.
        **values : array_like
            One argument for each axis, by its name; they are broadcast together, so a scalar
            applies to all. A numeric axis takes real numbers [unit of the axis], a label axis
            text or, much faster unless equal texts are adjacent, integer codes into its
            labels with -1 for ``other``. Masked values count as NaN or ``other``.

        Raises
        ------
        TypeError
            If an axis has no values, values have no axis, or values or weights have the wrong type.
        ValueError
            If a code is not that of a label, or the shapes do not broadcast. After any error the counts are unchanged.
        """
        weights, *columns = self._columns(np.uint64(1) if weights is None else weights, values)
        cells = self.counts.reshape(-1)
        lengths = [len(weights), *map(len, columns)]
        for start in range(0, max(lengths), BLOCK):
            part = slice(start, start + BLOCK)
            place = 0
            for axis, column in zip(self.axes, columns, strict=True):
                place = place * axis.size + axis._index(column if len(column) == 1 else column[part])
            added = weights[0] if len(weights) == 1 else weights[part]
            np.add.at(cells, place if len(weights) == 1 else np.broadcast_to(place, added.shape), added)

    def _columns(self, weights, values):
        """Return the checked arguments of `fill` as flat arrays, all of the same length or of length 1."""
        if wrong := values.keys() ^ {axis.name for axis in self.axes}:
            names = ", ".join(axis.name for axis in self.axes)
            raise TypeError(f"histogram '{self.name}' takes values of {names}; missing or unknown: {sorted(wrong)}")
        try:
            columns = [_checked_weights(weights), *(axis._prepared(values[axis.name]) for axis in self.axes)]
            shape = np.broadcast_shapes(*(column.shape for column in columns))
        except (TypeError, ValueError) as error:
            raise type(error)(f"histogram '{self.name}': {error}") from None
        return [
            column.reshape(-1) if column.size == 1 else np.broadcast_to(column, shape).reshape(-1) for column in columns
        ]

    def total(self):
        """Return the number of values counted, inside and outside of the bins: int."""
        return int(self.counts.sum())

    def copy(self):
        """Make a histogram with the same axes and a copy of the counts."""
        return Histogram(self.name, self.axes, self.description, counts=self.counts.copy(), unit=self.unit)

    def __iadd__(self, other):
        if not isinstance(other, Histogram):
            return NotImplemented
        self._check_same(other)
        self.counts += other.counts
        return self

    def __add__(self, other):
        if not isinstance(other, Histogram):
            return NotImplemented
        total = self.copy()
        total += other
        return total

    def _check_same(self, other):
        """Raise `ValueError` unless two histograms count the same thing on the same axes."""
        if self._labels != other._labels:
            raise ValueError(
                f"histograms '{self.name}' and '{other.name}' cannot be added: name, description or unit differ"
            )
        names, others = ([axis.name for axis in histogram.axes] for histogram in (self, other))
        if names != others:
            raise ValueError(f"histogram '{self.name}' has the axes {names} here and {others} there; make one again")
        for axis, second in zip(self.axes, other.axes, strict=True):
            if what := axis.difference(second):
                raise ValueError(
                    f"histogram '{self.name}': axis '{axis.name}' differs in its {what}, so the counts cannot be "
                    f"added; make both with the same settings"
                )


def _checked_weights(weights):
    """Return weights as 64-bit unsigned integers, which add up exactly."""
    weights = np.asarray(weights)
    if weights.dtype.kind != "u":
        raise TypeError(f"weights must be unsigned integers, got values of type {weights.dtype}")
    return weights.astype(np.uint64, copy=False)


def merge(histogram_dicts):
    """Add up histograms of the same name.

    Parameters
    ----------
    histogram_dicts : iterable of dict of str to Histogram
        Dicts with the same names, for example one for each bin of the sky; consumed one by one, not changed.

    Returns
    -------
    dict of str to Histogram
        The sums, in the order of the first dict; empty without input.

    Raises
    ------
    ValueError
        If a dict lacks a histogram that another has, or the axes of two histograms differ.
    """
    merged = {}
    for number, histograms in enumerate(histogram_dicts, start=1):
        if number == 1:
            merged = {name: histogram.copy() for name, histogram in histograms.items()}
            continue
        if odd := merged.keys() ^ histograms.keys():
            raise ValueError(f"histogram '{min(odd)}' is not in both input 1 and input {number}; make them again")
        for name, histogram in histograms.items():
            merged[name] += histogram
    return merged


def size_estimate_mb(axes):
    """Return the memory of a histogram with these axes, also its maximum size in a file [10^6 bytes]: float."""
    return math.prod(axis.size for axis in axes) * np.dtype(np.uint64).itemsize / 1e6
