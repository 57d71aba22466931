"""Scores of all templates of a bank on irregular lightcurves, computed by matrix products.

For each width, epochs are sorted into cells of a fraction of that width, long gaps are cut short, and all templates
that peak in a run of cells form one banded matrix, the same for all runs. Its products with the weights w, which add
up to 1, and with the weighted fluxes w y give the sums that the score of a profile f is made of,

    sum w f y / sqrt(sum w f^2 - (sum w f)^2)

The cells of one width are the starting point for the next, greater one, so that each epoch of a dense lightcurve is
processed only a few times.

Sums are in single precision, which is 1e-6 of a score, and their rounding may depend on their place in a product;
detections are measured again in double precision.
"""

import math
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided

from vo_lib.search.template_bank import CELLS, STEPS
from vo_lib.search.template_cells import Cells

__all__ = ["Matrices", "Scores", "compare", "make_matrices"]

# Number of cells whose templates are computed in one product.
_RUN = 16


@dataclass(frozen=True)
class Scores:
    """What the templates of one width see, for those with their peak in an occupied cell.

    Parameters
    ----------
    cells : Cells
        Where the templates peak.
    steps : ndarray of float, shape (n,)
        Distance in cells from the one before; `matrices.far` if no template sees both.
    width : float
        Full width at half maximum.
    matrices : Matrices
        Matrices of the bank.
    flux, whole, square : ndarray of float32, shape (n_kernels, n)
        The sums w f y, w f and w f^2 of the module, for each template.
    """

    cells: Cells
    steps: np.ndarray
    width: float
    matrices: object
    flux: np.ndarray
    whole: np.ndarray
    square: np.ndarray

    @cached_property
    def variance(self):
        """Variance of `flux` in noise, after subtraction of the baseline; shape (n_kernels, n)."""
        return self.square - self.whole * self.whole

    @cached_property
    def seen(self):
        """Whether each template differs from a single epoch and keeps half of its weight beside the baseline."""
        alone = self.cells.weight > self.matrices.alike * self.square
        return (2 * self.variance > self.square) & (self.cells.several | ~alone)

    @cached_property
    def score(self):
        """Amplitude over its error; 0 where a template is not `seen`; float32, shape (n_kernels, n)."""
        # Multiplying by a mask is ten times as fast as assigning by it.
        return self.flux / np.sqrt(np.maximum(self.variance, 0.25 * self.square)) * self.seen

    @cached_property
    def own(self):
        """Correlation of each template with that of its own cell alone; shape (n_kernels, n)."""
        return np.sqrt(self.cells.weight / self.square)

    def take(self, rows):
        """Select the templates that peak in some cells, all of a lightcurve or none."""
        sums = (values.take(rows, axis=1) for values in (self.flux, self.whole, self.square))
        return Scores(self.cells.take(rows), self.steps.take(rows), self.width, self.matrices, *sums)

    def high(self, floor):
        """Find templates whose |score| is at least a floor, which is above 0.

        Parameters
        ----------
        floor : float
            Least |score|.

        Returns
        -------
        ndarray of int64, shape (n_high,)
            Indices into the flattened `score`, in increasing order.
        """
        maybe = np.flatnonzero(self.flux * self.flux >= (0.999 * floor**2) * self.variance)
        return maybe[np.abs(self.score.ravel()[maybe]) >= floor] if len(maybe) else maybe


@dataclass(frozen=True)
class Matrices:
    """Templates that peak in a run of cells, as matrices.

    Parameters
    ----------
    before : int
        Cells that the longest template sees before its peak.
    far, near : float
        Distance in cells from which no template sees two epochs, and up to which two may form a template that differs
        from that of either alone.
    alike : float
        Greatest squared correlation of a template with that of a single epoch.
    profiles : ndarray of float32, shape (n_seen, n_run, n_kernels)
        What the templates that peak in each cell of a run see of the cells before, in and after the run.
    both : ndarray of float32, shape (n_seen, n_run, 2 * n_kernels)
        The profiles, then their squares.
    """

    before: int
    far: float
    near: float
    alike: float
    profiles: np.ndarray
    both: np.ndarray


@cache
def make_matrices(kernels, overlap):
    """Make the matrices of a bank.

    Parameters
    ----------
    kernels : tuple of vo_lib.search.template_bank.Kernel
        Shapes.
    overlap : float
        Correlation up to which two templates count as different.

    Returns
    -------
    Matrices
    """
    before, after = (max(math.ceil(kernel.reach[side] * CELLS) for kernel in kernels) for side in (0, 1))
    after_peak = np.arange(before + _RUN + after)[:, None] - before - np.arange(_RUN)
    profiles = np.stack([kernel.in_cells(after_peak / CELLS) for kernel in kernels], axis=2)
    both = np.concatenate([profiles, np.square(profiles)], axis=2)
    # Two epochs beside that of the peak, seen at this fraction of the peak, make a template just different enough.
    part = math.sqrt((1 / overlap**2 - 1) / 2)
    near = max(np.count_nonzero(side >= part) for kernel in kernels for side in (kernel.before, kernel.after))
    far, near = max(before, after) + 1.0, near * CELLS / STEPS + 0.5
    return Matrices(before, far, near, overlap**2, profiles.astype(np.float32), both.astype(np.float32))


def compare(cells, width, matrices):
    """Compare all templates of a width with the epochs.

    Parameters
    ----------
    cells : Cells
        Epochs, or the cells that the next smaller width returned.
    width : float
        Full width at half maximum.
    matrices : Matrices
        Matrices of the bank.

    Returns
    -------
    cells : Cells
        Cells for the next greater width.
    scores : Scores or None
        None where no template sees several epochs.
    """
    steps = _steps(cells, width, matrices.far)
    first = np.flatnonzero(steps)
    if len(first) < len(steps):
        cells, steps = cells.merge(first), steps.take(first)
    near = steps <= matrices.near
    near[:-1] |= near[1:]
    rows = np.flatnonzero(near | cells.several)
    if not len(rows):
        return cells, None
    if len(rows) < len(steps):
        # Drop cells without a neighbour, but keep the steps across them; steps to another lightcurve stay far.
        seen = cells.take(rows)
        steps = np.minimum(np.diff(np.cumsum(steps).take(rows), prepend=-matrices.far), matrices.far)
    else:
        seen = cells
    return cells, Scores(seen, steps, width, matrices, *_sums(seen, steps, matrices))


def _steps(cells, width, far):
    """Return the distance of each cell from the one before, at most `far`; `far` for the first of a lightcurve."""
    place = np.floor(cells.time * (CELLS / width))
    steps = np.full(len(place), far)
    np.subtract(place[1:], place[:-1], out=steps[1:])
    np.minimum(steps, far, out=steps)
    steps[np.flatnonzero(cells.lightcurve[1:] != cells.lightcurve[:-1]) + 1] = far
    return steps


def _sums(cells, steps, matrices):
    """Compute the sums of `Scores` for templates that peak in occupied cells, given the steps between these."""
    place = (np.cumsum(steps) - matrices.far).astype(np.intp)
    flux = _products(cells.flux, place, matrices.profiles, matrices.before)
    whole, square = np.split(_products(cells.weight, place, matrices.both, matrices.before), 2)
    return flux, whole, square


def _products(values, place, matrix, before):
    """Sum values at places times each of the templates that peak at these places, shape (n_templates, n)."""
    runs, (seen, _, templates) = place[-1] // _RUN + 1, matrix.shape
    dense = np.zeros((runs - 1) * _RUN + seen, np.float32)
    dense[place + before] = values
    windows = np.ascontiguousarray(as_strided(dense, (runs, seen), (_RUN * dense.itemsize, dense.itemsize)))
    # A row for each cell, occupied or not.
    sums = (windows @ matrix.reshape(seen, -1)).reshape(runs * _RUN, templates)
    return np.ascontiguousarray(sums.take(place, axis=0).T)
