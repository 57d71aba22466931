"""Fit offsets between nodes (readouts, series) that measured the same unknown levels (sources, nights).

A measurement of level l by node k is ``value = level_l + offset_k + noise``. Nodes that share a level are linked. What
can be determined are differences between offsets of nodes that are linked, directly or indirectly, and so form a
connected component of the graph. One node of each component is its reference, with offset 0.

**Least squares.** With weights w of the measurements, let ``W_l`` be the sum of the weights of level l and ``m_l`` the
weighted mean of its values. Chi-square, the sum of ``w (value - level - offset)^2``, is least for given offsets if each
level is the weighted mean of ``value - offset``. With these levels inserted, its derivatives with respect to the
offsets are zero where ``A offset = b``, with

    A_jk = [j = k] (sum of w by node j) - (sum over levels l of w_lj w_lk / W_l)
    b_j  = sum of w (value - m_l) by node j

where ``w_lj`` is the weight of the measurement of level l by node j. The unknowns are the few nodes and not the many
levels. Rows of A add up to zero, as a constant added to all offsets of a component changes no residual. Without the row
and column of each reference, A consists of one regular block per component. The inverse is the covariance of the
offsets if the weights are inverse squared errors.

**Robustness.** Three things keep outliers and wrong errors from deciding the result:

- Huber's weights (Huber 1964, doi:10.1214/aoms/1177703732): from 1.345 standard deviations on, the pull of a residual
  on the offsets no longer grows with it. Weights and offsets follow each other until the offsets stay. A second fit
  starts from there, in which the pull decreases again from 4 standard deviations on, so that far outliers have none:
  with Huber's weights alone, many on one side would shift an offset by more than its error. From any other start the
  second fit might end at outliers.
- An excess scatter, one number per component, is added to all errors in quadrature: the robust scatter of the residuals
  beyond the errors. Without it, errors that are too small would turn most measurements into outliers. It never grows
  from one round to the next, so that it settles, and the offsets with it.
- The first fit has equal weights. A flare that one node alone saw is bright and has the smallest errors, so a first fit
  weighted by these would follow it.

**Errors.** With the errors s, excess scatter included, the covariance is (Huber & Ronchetti 2009, Robust Statistics,
section 7.6)

    A(kept / s^2)^-1  (sum of pull^2) / (degrees of freedom) / (mean slope)^2

where A(w) is the matrix above for the weights w. The pull is ``w s residual`` with the weights w of the fit, and its
slope, the derivative by ``residual / s``, is 1 up to 1.345 standard deviations and then 0. Beyond 4 measurements are
not kept: they have no pull, however small their errors, no slope that counts, and no degree of freedom. The mean is
that of the component, because a node with few measurements may by chance have none with a slope of 1. A contains the
levels, so an outlier also takes away what the other measurement of its level would have told.
"""

from dataclasses import dataclass

import numpy as np

from vo_lib.segments import (
    ROBUST_SCALE,
    range_rows,
    rank_within,
    run_starts,
    segment_index,
    segment_mean,
    segment_median,
    segment_sum,
    spread,
    starts_from_counts,
    starts_from_mask,
)

__all__ = ["Offsets", "fit_offsets"]

# Where the pull of a residual stops growing [standard deviations]; 95 % efficient for Gaussian noise.
_HUBER = 1.345
# Where the pull of a residual starts to decrease in the second fit [standard deviations].
_REACH = 4.0
# Outliers keep this fraction of their weight, so that a node with no other measurements still has an offset.
_LEAST_WEIGHT = 0.01
# Rounds of each of the two fits; the few that have not converged by then, mostly with many outliers, count as they are.
_MAX_ROUNDS = 50
# Smallest error that is used [mag], as equations whose weights differ by 16 digits cannot be solved.
_LEAST_ERROR = 1e-6
# Offsets have converged when none changes by more than this fraction of its error.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Offsets:
    """Offsets of nodes.

    Parameters
    ----------
    offset, error : ndarray of float, shape (n_nodes,)
        Offset from the reference of the node's component, and its error, in the unit of the values; both are 0 for the
        reference and NaN for a node without links. Errors are scaled up if the residuals scatter more than the errors
        of the values predict.
    component : ndarray of int64, shape (n_nodes,)
        Connected component of the graph: the number of its first node.
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
        The reference of a component is its most important node, of equal ones the first; by default, the node with the
        most links.

    Returns
    -------
    Offsets
        Without measurements no nodes are linked.
    """
    rows = np.flatnonzero(np.isfinite(value) & np.isfinite(error) & (error > 0))
    _, level, counts = np.unique(level[rows], return_inverse=True, return_counts=True)
    # A level that one node alone measured says nothing about offsets.
    shared = counts[level] > 1
    rows, level = rows[shared], level[shared]
    component = _components(level, node[rows], n_nodes)
    order = np.lexsort((level, component[node[rows]]))
    rows, level = rows[order], level[order]
    n_links = np.bincount(node[rows], minlength=n_nodes)
    graph = _Graph(level, node[rows], value[rows], component, n_links if importance is None else importance)
    offset, sigma = _fit_robustly(graph, np.fmax(error[rows], _LEAST_ERROR))
    alone = n_links == 0
    return Offsets(np.where(alone, np.nan, offset), np.where(alone, np.nan, sigma), component, n_links)


def _components(level, node, n_nodes):
    """First node of the component of each node: the least label goes from nodes to their levels and back."""
    label = np.arange(n_nodes)
    while True:
        least = np.full(level.max(initial=-1) + 1, n_nodes)
        np.minimum.at(least, level, label[node])
        new = label.copy()
        np.minimum.at(new, node, least[level])
        # A label is itself a node, whose own label may be smaller already.
        new = new[new]
        if (new == label).all():
            return label
        label = new


class _Graph:
    """Measurements of levels by nodes, with the normal equations of each component.

    Parameters
    ----------
    level, node : ndarray of int64, shape (n,)
        Level and node of each measurement, sorted by component and level; each level has two measurements or more.
    value : ndarray of float, shape (n,)
        Measurements.
    component : ndarray of int64, shape (n_nodes,)
        See `Offsets`.
    importance : ndarray, shape (n_nodes,)
        The most important node of each component is the reference.

    Attributes
    ----------
    level : ndarray of int64, shape (n,)
        Level of each measurement, numbered 0, 1, 2, ... in increasing order.
    starts : ndarray of int64, shape (n_components + 1,)
        Offsets of the measurements of each component; a node without links is a component without measurements.
    size : ndarray of int64, shape (n_components,)
        Number of nodes of each component.
    component : ndarray of int64, shape (n_nodes,)
        Number of the component of each node, in the order of `starts`.
    """

    def __init__(self, level, node, value, component, importance):
        _, self.component, self.size = np.unique(component, return_inverse=True, return_counts=True)
        self.node, self.value = node, value
        self.starts = starts_from_counts(np.bincount(self.component[node], minlength=len(self.size)))
        first = run_starts(level)
        self.level, level_starts = np.cumsum(first) - 1, starts_from_mask(first)
        # Rows of the block of each component: its nodes, of which the first is the reference.
        nodes, row = np.lexsort((-importance, component)), rank_within(component, -importance) - 1
        # All pairs of measurements of a level, each with itself too, and the entry of the flattened blocks they add to.
        pairs = starts_from_counts(np.diff(level_starts)[self.level])
        self.one, self.other = segment_index(pairs), range_rows(level_starts[self.level], pairs)
        blocks = starts_from_counts(self.size**2)
        owner = self.component[node[self.one]]
        self.entry = blocks[owner] + row[node[self.one]] * self.size[owner] + row[node[self.other]]
        self.n_entries = blocks[-1]
        # Entries and nodes of all blocks of one size, without the row and column of the reference.
        self.alike = []
        for size in np.unique(self.size[self.size > 1]).tolist():
            entries = np.flatnonzero(spread(self.size, blocks) == size).reshape(-1, size, size)[:, 1:, 1:]
            members = nodes[self.size[self.component[nodes]] == size].reshape(-1, size)[:, 1:]
            self.alike.append((entries, members))

    def solve(self, weight):
        """Solve the normal equations.

        Parameters
        ----------
        weight : ndarray of float, shape (n,)
            Weights of the measurements.

        Returns
        -------
        offset, sigma : ndarray of float, shape (n_nodes,)
            Offsets and their errors if the weights are inverse squared errors; 0 for references.
        residual : ndarray of float, shape (n,)
            Measurements minus offset and level.
        """
        total, n_nodes = np.bincount(self.level, weight), len(self.component)
        one, other = weight[self.one], weight[self.other]
        terms = np.where(self.one == self.other, one, 0.0) - one * other / total[self.level[self.one]]
        matrix = np.bincount(self.entry, terms, minlength=self.n_entries)
        right = np.bincount(self.node, weight * self._less_level_mean(self.value, weight), minlength=n_nodes)
        offset, variance = np.zeros((2, n_nodes))
        for entries, nodes in self.alike:
            covariance = np.linalg.inv(matrix[entries])
            offset[nodes] = np.einsum("cij,cj->ci", covariance, right[nodes])
            variance[nodes] = np.einsum("cii->ci", covariance)
        return offset, np.sqrt(variance), self._less_level_mean(self.value - offset[self.node], weight)

    def _less_level_mean(self, values, weight):
        """Values minus the weighted mean of their level."""
        return values - (np.bincount(self.level, weight * values) / np.bincount(self.level, weight))[self.level]


def _fit_robustly(graph, error):
    """Fit with Huber's weights, then with less weight of outliers; return the offsets and their errors."""
    weight, excess = np.ones(len(error)), np.inf
    offset, _, residual = graph.solve(weight)
    for reach in (np.inf, _REACH):
        for _ in range(_MAX_ROUNDS):
            excess = np.minimum(excess, _excess(graph, error, weight, residual))
            scale = np.sqrt(error**2 + spread(excess, graph.starts))
            before, weight = offset, _robust_weights(residual / scale, reach) / scale**2
            offset, sigma, residual = graph.solve(weight)
            if (np.abs(offset - before) <= _TOLERANCE * sigma).all():
                break
    return offset, _errors(graph, error, scale, residual, weight)


def _errors(graph, error, scale, residual, weight):
    """Compute the errors of the offsets from the residuals of the fit with `weight`, and the errors with scatter."""
    slope, kept = (np.where(np.abs(residual) < k * scale, 1.0, _LEAST_WEIGHT) for k in (_HUBER, _REACH))
    # Degrees of freedom as for measurements with the weights `kept`.
    shares = kept * (1 - kept / np.bincount(graph.level, kept)[graph.level])
    freedom = np.maximum(segment_sum(shares, graph.starts) - (graph.size - 1), 1)
    variance = segment_sum((weight * residual * scale) ** 2, graph.starts) / freedom
    mean_slope = segment_mean(slope, graph.starts) / segment_mean(kept, graph.starts)
    _, sigma, _ = graph.solve(kept / scale**2)
    # Few residuals may agree by chance, so no error is smaller than the errors of the values predict.
    _, least, _ = graph.solve(error**-2.0)
    return np.fmax(least, sigma * (np.sqrt(variance) / mean_slope)[graph.component])


def _excess(graph, error, weight, residual):
    """Compute the squared scatter beyond the errors of each component from the residuals of the fit with `weight`.

    The variance of a residual about the mean of its level is smaller than that of the measurement by the factor
    ``1 - w / W``. Squared residuals divided by it, times ``1.4826^2``, have the variance as their median if they are
    Gaussian.
    """
    total = np.bincount(graph.level, weight)[graph.level]
    # The floor of 1e-12 only keeps zeros out of the denominator.
    square = residual**2 / np.maximum(1 - weight / total, 1e-12)
    return np.fmax(0.0, segment_median(ROBUST_SCALE**2 * square - error**2, graph.starts))


def _robust_weights(residual, reach):
    """Huber's weights of residuals in standard deviations; from `reach` on they fall with the fifth power."""
    # The floor of 1e-9 only keeps zeros out of the denominators.
    size = np.maximum(np.abs(residual), 1e-9)
    return np.minimum(1.0, _HUBER / size) * np.maximum(np.minimum(1.0, reach / size) ** 4, _LEAST_WEIGHT)
