"""Fit offsets between nodes (readouts, series) that measured the same unknown levels (sources, nights).

Each measurement is ``level + offset of its node + noise``. Nodes that share a level are linked, and only offsets
between nodes that are linked, directly or indirectly, can be determined. The levels are eliminated, so that the normal
equations have one unknown per node, except for the reference of each set of linked nodes. This is weighted least
squares on a graph, made robust by Huber's weights (Huber 1964, doi:10.1214/aoms/1177703732) and by an excess scatter
that is added to all errors of a set.
"""

from dataclasses import dataclass

import numpy as np

from vo_lib.segments import ROBUST_SCALE, segment_median, spread, starts_from_counts

__all__ = ["Offsets", "fit_offsets"]

# Larger residuals [standard deviations] count by their sign only; 95 % efficient for Gaussian noise.
_HUBER = 1.345
_MAX_ROUNDS = 50
# Smallest error that is used [mag], as equations whose weights differ by 16 digits cannot be solved.
_LEAST_ERROR = 1e-6
# Offsets have converged when none changes by more than this fraction of its error.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Offsets:
    """Offsets of nodes.

    Parameters
    ----------
    offset, error : ndarray of float, shape (n_nodes,)
        Offset from the reference of the node's set, and its error, in the unit of the values; both are 0 for the
        reference and NaN for a node without links. Errors are scaled up if the residuals scatter more than the errors
        of the values predict.
    component : ndarray of int64, shape (n_nodes,)
        Set of linked nodes: the number of its first node.
    n_links : ndarray of int64, shape (n_nodes,)
        Number of measurements of levels that other nodes measured too.
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
        Level and node of each measurement, from 0; each pair at most once.
    value, error : ndarray of float, shape (n,)
        Measurements and their errors; those that are not finite or have no positive error are ignored.
    n_nodes : int
        Number of nodes.
    importance : ndarray of float, shape (n_nodes,), optional
        The reference of a set of linked nodes is the most important one, of equal ones the first; by default, the node
        with the most links.

    Returns
    -------
    Offsets
        Without measurements no nodes are linked.
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
    """First node of the set of each node; levels are sorted and each has at least two measurements."""
    label, starts = np.arange(n_nodes), _starts(level)
    while len(level):
        least = spread(np.minimum.reduceat(label[node], starts[:-1]), starts)
        new = label.copy()
        np.minimum.at(new, node, least)
        # A label is itself a node, whose own label may be smaller already.
        new = new[new]
        if (new == label).all():
            break
        label = new
    return label


def _starts(sorted_codes):
    """Start of each run of the sorted codes 0, 1, 2, ..., and the end."""
    return starts_from_counts(np.bincount(sorted_codes))


class _Graph:
    """Normal equations of the nodes, with a block for each set of linked nodes.

    Parameters
    ----------
    level, node : ndarray of int64, shape (n,)
        Level and node of each measurement; the levels are 0, 1, 2, ... in increasing order.
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
        # Row of each node in its block; -1 for a reference, which is not an unknown.
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
        """Fit the offsets of all nodes and their errors: 0 for references and for nodes without links."""
        # Start with equal weights: what a single node saw bright, such as a flare, has the smallest errors.
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
        """Compute Huber's weights of the residuals of a fit that was made with the weights `weight`.

        An excess scatter, the same for all measurements of a set, is added to the errors in quadrature. Its square is
        the median over the set of the scaled squared residuals, corrected for the freedom that the fitted mean of
        their level takes, less the squared errors.
        """
        residual = self._residual(value, weight, offset)
        total = np.bincount(self.level, weight)[self.level]
        square = residual**2 / np.maximum(1 - weight / total, 1e-12)
        excess = ROBUST_SCALE**2 * square - error**2
        scatter = np.fmax(0.0, segment_median(excess[self.by_set], self.set_starts))[self.owner]
        spread_error = np.sqrt(error**2 + scatter)
        return np.minimum(1.0, _HUBER * spread_error / np.maximum(np.abs(residual), 1e-9 * error)) / spread_error**2

    def _residual(self, value, weight, offset):
        """Measurement minus offset minus level, which is the weighted mean of measurement minus offset."""
        rest = value - offset[self.node]
        return rest - (np.bincount(self.level, weight * rest) / np.bincount(self.level, weight))[self.level]

    def _excess(self, value, weight, offset):
        """Square root of the reduced chi squared of the set of each node."""
        owner, n_sets = self.owner, len(self.size)
        square = weight * self._residual(value, weight, offset) ** 2
        n_levels = np.bincount(owner[self.starts[:-1]], minlength=n_sets)
        freedom = np.bincount(owner, minlength=n_sets) - n_levels - self.size
        chi2 = np.bincount(owner, square, minlength=n_sets)
        return np.sqrt(chi2 / np.maximum(freedom, 1))[self.set_of]

    def _solve(self, value, weight):
        """Solve for the offsets and errors of all nodes, given the weights."""
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
        """Sum values over the measurements of each unknown."""
        free = self.row[node] >= 0
        place = (self.unknowns[self.set_of] + self.row)[node[free]]
        return np.bincount(place, values[free], minlength=self.unknowns[-1])

    def _matrix(self, weight, total):
        """Blocks of the normal matrix after elimination of the levels, flattened and concatenated."""
        one, other = self._pairs
        shared = np.where(one == other, weight[one], 0.0) - weight[one] * weight[other] / total[self.level[one]]
        row, column = self.row[self.node[one]], self.row[self.node[other]]
        owner = self.set_of[self.node[one]]
        place = self.blocks[owner] + row * self.size[owner] + column
        free = (row >= 0) & (column >= 0)
        return np.bincount(place[free], shared[free], minlength=self.blocks[-1])
