"""How much noise neighbouring templates of a scan have in common.

With weights w of the epochs that add up to 1, the scores of templates with the profiles f and g correlate by

    (sum w f g - sum w f sum w g) / (e_f e_g)    where    e_f^2 = sum w f^2 - (sum w f)^2

since each is compared with the weighted mean. The scan has the sums of one profile: sum w f, called `whole`, and
sum w f^2, called `square`. What both templates see of the cells of their peaks is known, and each is 1 in its own. The
rest of sum w f g is taken to be

    alike sqrt(rest of sum w f^2) sqrt(rest of sum w g^2)

where `alike`, which is 1 for equal profiles, has the value of an endless series of even epochs. Templates of two or
three epochs are thus compared exactly, and so are those of dense epochs.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from vo_lib.search.template_bank import CELLS, ratio_of
from vo_lib.search.template_scan import make_matrices
from vo_lib.segments import range_rows, segment_index, starts_from_counts

__all__ = ["Overlaps", "follow", "make_tables"]

# Cells on each side of one that stand for an endless series, and positions of a cell within one of the next width.
_ENDLESS, _PLACES = 64, 128
# Least divisor for weights, as a fraction of the total of the lightcurve.
_LEAST = 1e-30


@dataclass(frozen=True)
class Overlaps:
    """Correlations of the templates of one width with neighbouring ones.

    Parameters
    ----------
    beside : ndarray of float32, shape (n_kernels, n)
        Correlation of each template with that of the cell before it.
    one_sided : ndarray of float32, shape (n_kernels, n)
        1 if all that a template sees beside its cell is on one side of it, 0 if as much is on both.
    starts : ndarray of int64, shape (n,)
        For each cell, the first of the narrower templates that peak in it; the others follow, up to the next cell.
    narrower, narrower_beside : ndarray of float32, shape (n_kernels, n_narrower)
        Correlations of each of these with the template of the cell, and with the narrower one before it.
    """

    beside: np.ndarray
    one_sided: np.ndarray
    starts: np.ndarray
    narrower: np.ndarray
    narrower_beside: np.ndarray


@dataclass(frozen=True)
class _Tables:
    """Tables of what templates have in common.

    Parameters
    ----------
    steps : ndarray of float32, shape (3, n_kernels, n_steps)
        See `_of_steps`.
    widths : ndarray of float32, shape (n_kernels, 1)
        See `_of_widths`.
    nearest : ndarray of float32, shape (n_kernels, 1)
        The most that a template sees of a cell next to its own.
    """

    steps: np.ndarray
    widths: np.ndarray
    nearest: np.ndarray


@cache
def make_tables(kernels, overlap):
    """Make the tables for `follow`.

    Parameters
    ----------
    kernels : tuple of vo_lib.search.template_bank.Kernel
        Shapes.
    overlap : float
        Correlation of Gaussians of neighbouring widths.

    Returns
    -------
    _Tables
    """
    cells, far = [kernel.in_cells for kernel in kernels], int(make_matrices(kernels, overlap).far)
    steps = np.stack([_of_steps(kernel, far) for kernel in cells], axis=1)
    widths = np.array([[_of_widths(kernel, ratio_of(overlap))] for kernel in cells])
    nearest = np.array([[_nearest(kernel)] for kernel in cells])
    return _Tables(*(values.astype(np.float32) for values in (steps, widths, nearest)))


def _nearest(kernel):
    """Return what `_Tables.nearest` has of a kernel."""
    return max(kernel(1 / CELLS), kernel(-1 / CELLS))


def _of_steps(kernel, far):
    """Compare templates that peak in cells 0, 1, 2, ... steps apart, shape (3, far + 1).

    The rows are what the later one sees of the cell of the earlier one, what the earlier one sees of the cell of the
    later one, and how alike the rest of them is for cells of equal weight at every such step.
    """
    result, cells = np.zeros((3, far + 1)), np.delete(np.arange(-_ENDLESS, _ENDLESS + 1), [_ENDLESS - 1, _ENDLESS])
    for step in range(1, far):
        distance = step / CELLS
        later, earlier = kernel(cells * distance), kernel((cells + 1) * distance)
        size = math.sqrt((later @ later) * (earlier @ earlier))
        result[:, step] = kernel(-distance), kernel(distance), later @ earlier / size if size else 0.0
    return result


def _of_widths(kernel, ratio):
    """Compute how alike the rest of templates of neighbouring widths is in an endless series of even epochs.

    The narrower cells are anywhere in the wider ones. Where widths are so far apart that a wider cell covers nearly all
    of a narrower template, nothing is left to be alike, and the result is 0.
    """
    cells, begin = np.arange(-_ENDLESS, _ENDLESS + 1), 0.5 - ratio * np.arange(_PLACES)[:, None] / _PLACES
    place = np.floor((cells + 0.5 - begin) / ratio)
    narrow, wide, own = kernel(cells / CELLS), kernel(place / CELLS), np.count_nonzero(place == 0, axis=1)
    seen, square = _inside(1.0, narrow.sum(), own - 1.0, _nearest(kernel))
    size = np.sqrt(np.maximum(narrow @ narrow - 1 - square, 0.0) * (np.square(wide).sum(axis=1) - own))
    alike, most = np.mean(wide @ narrow - 1 - seen), np.mean(size)
    return min(alike / most, 1.0) if alike > 0 < most else 0.0


def _inside(weight, whole, others, nearest):
    """Sum the profile and its square over the other epochs of the wider cell, given their total weight.

    A template sees the same fraction of each: that of the nearest cell or, if less, all that it sees beside its own.
    """
    seen = np.minimum(whole - weight, nearest * others)
    return seen, seen * seen / np.maximum(others, _LEAST)


def follow(every, epochs, weight, tables):
    """Compare the templates of each width with those beside them and with the narrower ones of the same epochs.

    Parameters
    ----------
    every : sequence of vo_lib.search.template_scan.Scores
        Scores of increasing widths, for the same lightcurves.
    epochs : ndarray of int64
        Epochs of these lightcurves, in order.
    weight : ndarray of float32, shape (n_epochs,)
        Weight of each epoch, see `vo_lib.search.template_cells.Cells`.
    tables : _Tables
        See `make_tables`.

    Yields
    ------
    scores : Scores
        Scores of each width.
    overlaps : Overlaps
        The narrower templates are those of the last width at which there was one, initially single epochs.
    """
    # Of the last template at each epoch: the weight of its cell, its sums, and its correlation with the one beside it.
    # Where cells are merged, the first epoch stands for all of them.
    weight = weight.copy()
    whole, square = np.tile(weight, (2, len(tables.widths), 1))
    narrower_beside = np.zeros_like(whole)
    for scores in every:
        first = scores.cells.first
        begin, end = np.searchsorted(epochs, [first, scores.cells.end])
        starts = starts_from_counts(end - begin)
        inside = range_rows(begin, starts)
        these = epochs.take(inside)
        beside, one_sided = _beside(scores, tables.steps)
        last = (values.take(these, axis=-1) for values in (weight, whole, square))
        narrower = _narrower(scores, segment_index(starts), *last, one_sided, tables)
        yield scores, Overlaps(beside, one_sided, starts[:-1], narrower, narrower_beside.take(these, axis=1))
        weight[first] = scores.cells.weight
        for kernel, seen in enumerate(scores.seen):
            for values, now in ((whole[kernel], scores.whole[kernel]), (square[kernel], scores.square[kernel])):
                values[first] = np.where(seen, now, values.take(first))
            narrower_beside[kernel][first] = beside[kernel]
        epochs = np.delete(epochs, np.delete(inside, starts[:-1]))


def _beside(scores, steps):
    """Correlate each template with that of the cell before it; also return `one_sided`.

    A template that is not `seen` counts as that of a single epoch, which sees no other cell.
    """
    weight, seen = scores.cells.weight, scores.seen
    whole, square = np.where(seen, scores.whole, weight), np.where(seen, scores.square, weight)
    error, rest = _error(whole, square), square - weight
    last_weight, *last = (np.roll(values, 1, axis=-1) for values in (weight, whole, error, rest))
    # What the later template sees of the cell before, and the earlier one of the cell after.
    before, after, alike = steps.take(scores.steps.astype(np.intp), axis=2)
    before *= seen
    after *= np.roll(seen, 1, axis=1)
    earlier, later = last_weight * before * before, weight * after * after
    one_sided = _one_sided(rest, earlier, np.roll(later, -1, axis=1))
    last[-1] -= later
    return _correlate(last_weight * before + weight * after, alike, (whole, error, rest - earlier), last), one_sided


def _one_sided(rest, earlier, later):
    """Compute `Overlaps.one_sided` from the sums of squares of what templates see of the cells before and after."""
    part = earlier - later
    part /= np.maximum(np.maximum(rest, _LEAST), np.maximum(earlier, later))
    return np.square(part)


def _narrower(scores, cell, weight, whole, square, one_sided, tables):
    """Correlate templates of the given weights and sums with the wider templates of their cells."""
    others = np.maximum(scores.cells.weight.take(cell) - weight, 0.0)
    seen, seen_square = _inside(weight, whole, others, tables.nearest)
    # All that is on one side is in effect one other cell, of which both templates see some.
    alike = tables.widths + (1 - tables.widths) * one_sided
    wider = scores.whole, _error(scores.whole, scores.square), scores.square - scores.cells.weight
    alike, *wider = (values.take(cell, axis=1) for values in (alike, *wider))
    narrower = whole, _error(whole, square), square - weight - seen_square
    return _correlate(weight + seen, alike, narrower, wider)


def _correlate(known, alike, one, other):
    """Correlate templates, given the known part of sum w f g, and of each template whole, error and rest of square."""
    (whole, error, rest), (other_whole, other_error, other_rest) = one, other
    common = known + alike * np.sqrt(np.maximum(rest, 0.0) * np.maximum(other_rest, 0.0))
    return (common - whole * other_whole) / (error * other_error)


def _error(whole, square):
    """Return the square root of the variance of what a template sees."""
    return np.sqrt(np.maximum(square - whole * whole, _LEAST))
