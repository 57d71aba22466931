"""Offsets between nodes (readouts, series) that measured the same unknown levels (sources, nights).

Each measurement is ``level + offset of its node + noise``. Nodes that share a level are linked, and only offsets
between nodes that are linked, directly or not, can be known. The levels are eliminated, so that the normal equations
have one unknown for each node but one of each set of linked nodes: weighted least squares on the graph, made robust by
Huber's weights (Huber 1964, doi:10.1214/aoms/1177703732) and by a scatter that is added to all errors of a set.
"""

from dataclasses import dataclass

import numpy as np

from vo_lib.segments import ROBUST_SCALE, segment_median, spread, starts_from_counts

__all__ = ["Offsets", "fit_offsets"]

# Residuals of more standard deviations than this count by their sign alone; 95 % efficient on Gaussian noise.
_HUBER = 1.345
_MAX_ROUNDS = 50
# Errors count as this at least [mag], for equations with weights that differ by 16 digits have no solution.
_LEAST_ERROR = 1e-6
# Offsets have converged when no one moves by more than this part of its error.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Offsets:
    """Offsets of nodes.

    Parameters
    ----------
    offset, error : ndarray of float, shape (n_nodes,)
        Offset from the reference of the node's set, in the unit of the values, which has 0 and 0; NaN for a node
        without links. Errors grow where the scatter of the residuals is more than their errors say.
    component : ndarray of int64, shape (n_nodes,)
        Set of linked nodes: the number of its first node.
    n_links : ndarray of int64, shape (n_nodes,)
        Measurements of levels that other nodes measured too.
    """

    offset: np.ndarray
    error: np.ndarray
    component: np.ndarray
    n_links: np.ndarray


def fit_offsets(level, node, value, error, *, n_nodes, importance=None):
    """Fit the offsets of nodes that measured the same levels.

    Parameters
    ----------
    level, node : ndarray of int64, shape (n,)
        What was measured and by which node, from 0; each pair once.
    value, error : ndarray of float, shape (n,)
        Measurements and their errors; those that are not finite or without a positive error are left out.
    n_nodes : int
        Number of nodes.
    importance : ndarray of float, shape (n_nodes,), optional
        The reference of a set of linked nodes is the most important one, the first of those that are equal;
        without it that with most links.

    Returns
    -------
    Offsets
        Without measurements all nodes are alone.
    """
    used = np.isfinite(value) & np.isfinite(error) & (error > 0)
    level, node, value, error = (array[used] for array in (level, node, value, np.fmax(error, _LEAST_ERROR)))
    order = np.argsort(level, kind="stable")
    level = np.unique(level[order], return_inverse=True)[1]
    linked = np.bincount(level)[level] > 1
    rows = order[linked]
    level, node = np.unique(level[linked], return_inverse=True)[1], node[rows]
    n_links = np.bincount(node, minlength=n_nodes)
    component = _components(level, node, n_nodes)
    graph = _Graph(level, node, component, n_links if importance is None else np.where(n_links, importance, -1))
    offset, cost = graph.fit(value[rows], error[rows])
    alone = n_links == 0
    return Offsets(np.where(alone, np.nan, offset), np.where(alone, np.nan, cost), component, n_links)


def _components(level, node, n_nodes):
    """First node of the set that each node is linked to; levels are sorted, each with two measurements or more."""
    label, starts = np.arange(n_nodes), _starts(level)
    while len(level):
        least = spread(np.minimum.reduceat(label[node], starts[:-1]), starts)
        new = label.copy()
        np.minimum.at(new, node, least)
        # A label is itself a node, whose label may be less already.
        new = new[new]
        if (new == label).all():
            break
        label = new
    return label


def _starts(sorted_codes):
    """Offsets of runs of codes 0, 1, 2, ... in order."""
    return starts_from_counts(np.bincount(sorted_codes))


class _Graph:
    """Normal equations of the nodes, a block for each set of linked ones.

    Parameters
    ----------
    level, node : ndarray of int64, shape (n,)
        Levels 0, 1, 2, ... in order, and nodes.
    component : ndarray of int64, shape (n_nodes,)
        See `Offsets`.
    importance : ndarray of float, shape (n_nodes,)
        The most important node of each set is the reference.
    """

    def __init__(self, level, node, component, importance):
        self.level, self.node, self.starts = level, node, _starts(level)
        order = np.lexsort((np.arange(len(component)), -importance, component))
        sets, first, size = np.unique(component[order], return_index=True, return_counts=True)
        self.set_of = np.searchsorted(sets, component)
        place = np.empty(len(component), np.int64)
        place[order] = np.arange(len(component)) - np.repeat(first, size)
        # Row of a node in its block; -1 of a reference, which is no unknown.
        self.row, self.size = place - 1, size - 1
        # Set of each measurement, and measurements by set.
        self.owner = self.set_of[node]
        self.by_set = np.argsort(self.owner, kind="stable")
        self.set_starts = starts_from_counts(np.bincount(self.owner, minlength=len(sets)))
        self.blocks = starts_from_counts(self.size**2)
        self.unknowns = starts_from_counts(self.size)
        counts = np.diff(self.starts)[level]
        one = np.repeat(np.arange(len(level)), counts)
        other = np.arange(len(one)) - np.repeat(starts_from_counts(counts)[:-1], counts) + self.starts[level][one]
        self._pairs = one, other

    def fit(self, value, error):
        """Offsets and their errors of all nodes: 0 of references and of nodes without links."""
        # Equal weights are the start: what one node alone saw and was bright, such as a flare, has the least errors.
        weight = np.ones(len(value))
        offset = self._solve(value, weight)[0]
        for _ in range(_MAX_ROUNDS):
            before, weight = offset, self._weights(value, error, weight, offset)
            offset, cost = self._solve(value, weight)
            if (np.abs(offset - before) <= _TOLERANCE * cost).all():
                break
        least = self._solve(value, error**-2.0)[1]
        return offset, np.fmax(least, cost * self._excess(value, weight, offset))

    def _weights(self, value, error, weight, offset):
        """Huber's weights of the residuals from an offset, given those that it was fitted with.

        A scatter beyond the errors, the same for all measurements of a set, is added to them in squares. The square of
        a residual, over what the mean of its level leaves of it, has that median less the square of its error.
        """
        residual = self._residual(value, weight, offset)
        total = np.bincount(self.level, weight)[self.level]
        square = residual**2 / np.maximum(1 - weight / total, 1e-12)
        excess = ROBUST_SCALE**2 * square - error**2
        scatter = np.fmax(0.0, segment_median(excess[self.by_set], self.set_starts))[self.owner]
        spread_error = np.sqrt(error**2 + scatter)
        return np.minimum(1.0, _HUBER * spread_error / np.maximum(np.abs(residual), 1e-9 * error)) / spread_error**2

    def _residual(self, value, weight, offset):
        """Measurement less offset less level, which is the weighted mean of what is left."""
        rest = value - offset[self.node]
        return rest - (np.bincount(self.level, weight * rest) / np.bincount(self.level, weight))[self.level]

    def _excess(self, value, weight, offset):
        """By how much residuals are greater than their weights say, of the set of each node."""
        owner, n_sets = self.owner, len(self.size)
        square = weight * self._residual(value, weight, offset) ** 2
        n_levels = np.bincount(owner[self.starts[:-1]], minlength=n_sets)
        freedom = np.bincount(owner, minlength=n_sets) - n_levels - self.size
        chi2 = np.bincount(owner, square, minlength=n_sets)
        return np.sqrt(chi2 / np.maximum(freedom, 1))[self.set_of]

    def _solve(self, value, weight):
        """Offsets and errors of all nodes for given weights."""
        total = np.bincount(self.level, weight)
        mean = np.bincount(self.level, weight * value) / total
        matrix = self._matrix(weight, total)
        right = self._gather(self.node, weight * (value - mean[self.level]))
        offset, variance = np.zeros((2, len(right)))
        for size in np.unique(self.size[self.size > 0]).tolist():
            sets = np.flatnonzero(self.size == size)
            covariance = np.linalg.inv(matrix[self.blocks[sets][:, None] + np.arange(size**2)].reshape(-1, size, size))
            rows = self.unknowns[sets][:, None] + np.arange(size)
            offset[rows] = np.einsum("sij,sj->si", covariance, right[rows])
            variance[rows] = np.einsum("sii->si", covariance)
        place = self.unknowns[self.set_of] + self.row
        free = self.row >= 0
        all_nodes = np.zeros((2, len(free)))
        all_nodes[:, free] = offset[place[free]], np.sqrt(variance[place[free]])
        return all_nodes

    def _gather(self, node, values):
        """Sum of values for each unknown."""
        free = self.row[node] >= 0
        place = (self.unknowns[self.set_of] + self.row)[node[free]]
        return np.bincount(place, values[free], minlength=self.unknowns[-1])

    def _matrix(self, weight, total):
        """Blocks of the normal matrix after elimination of the levels, one after the other, flat."""
        one, other = self._pairs
        shared = np.where(one == other, weight[one], 0.0) - weight[one] * weight[other] / total[self.level[one]]
        row, column = self.row[self.node[one]], self.row[self.node[other]]
        owner = self.set_of[self.node[one]]
        place = self.blocks[owner] + row * self.size[owner] + column
        free = (row >= 0) & (column >= 0)
        return np.bincount(place[free], shared[free], minlength=self.blocks[-1])
