"""Correlations of neighbouring templates against the templates themselves."""

import numpy as np
import pytest

from vo_lib.search.template_bank import make_kernels, make_widths
from vo_lib.search.template_cells import Cells
from vo_lib.search.template_overlaps import follow, make_tables
from vo_lib.search.template_scan import compare, make_matrices

KERNELS, OVERLAP = make_kernels(("flare", "gaussian", "dip")), 0.9


def _impulses(time, weight):
    """A lightcurve for each epoch, with S/N 1 there and 0 elsewhere, less the mean."""
    number = len(time)
    flux = np.diag(np.sqrt(weight)) - np.outer(np.sqrt(weight), weight)
    each, first = np.repeat(np.arange(number), number), np.arange(number**2)
    sums = (np.tile(weight, number), flux.ravel())
    return Cells(each, np.tile(time, number), *(values.astype(np.float32) for values in sums), first, first + 1)


def _overlaps(time, weight, widths):
    """Of each width and kernel: what is seen, the templates (n, n_epochs) and correlations of one lightcurve."""
    cells, every, templates = _impulses(time, weight), [], []
    for width in widths:
        cells, scores = compare(cells, width, make_matrices(KERNELS, OVERLAP))
        if scores is not None:
            templates.append([score.reshape(len(time), -1).T for score in scores.score])
            every.append(scores.take(np.flatnonzero(scores.cells.lightcurve == 0)))
    found = follow(every, np.arange(len(time)), weight.astype(np.float32), make_tables(KERNELS, OVERLAP))
    for (scores, overlaps), of_width in zip(found, templates, strict=True):
        for kernel, each in enumerate(of_width):
            yield kernel, scores, overlaps, each


def _irregular(number, step, seed):
    """Times and weights of a lightcurve."""
    random = np.random.default_rng(seed)
    weight = random.uniform(0.2, 1.0, number)
    return np.cumsum(random.uniform(0.3, 1.7, number)) * step, weight / weight.sum()


@pytest.mark.parametrize("distance", [0.3, 1.0, 2.0])
def test_templates_of_two_epochs_overlap_as_they_do(distance):
    # Pairs of epochs far from each other.
    time = (np.arange(10)[:, None] * 1e4 + [0.0, distance]).ravel()
    weight = np.random.default_rng(1).uniform(0.5, 1.0, 20)
    weight, number = weight / weight.sum(), 0
    narrower = {kernel: _single(weight) for kernel in range(2)}
    for kernel, scores, overlaps, templates in _overlaps(time, weight, make_widths(0.1, 10, OVERLAP).tolist()):
        seen, first = scores.seen[kernel], scores.cells.first
        for cell in np.flatnonzero(seen):
            exact = templates[cell] @ narrower[kernel][first[cell]]
            assert overlaps.narrower[kernel][overlaps.starts[cell]] == pytest.approx(exact, abs=0.01)
            if cell and seen[cell - 1] and first[cell] == first[cell - 1] + 1:
                assert overlaps.beside[kernel][cell] == pytest.approx(templates[cell] @ templates[cell - 1], abs=0.01)
                number += 1
        narrower[kernel][first[seen]] = templates[seen]
    assert number > 5


def _single(weight):
    """Templates of single epochs."""
    templates = np.diag(np.sqrt(weight)) - np.outer(weight, np.sqrt(weight))
    return templates / np.sqrt(weight - weight**2)[:, None]


@pytest.mark.parametrize("step", [0.02, 0.3, 1.0])
def test_templates_beside_each_other_overlap_as_they_do_on_average(step):
    exact, found = [], []
    for seed in range(5):
        for kernel, scores, overlaps, templates in _overlaps(*_irregular(80, step, seed), [0.5, 1.0, 2.0, 4.0]):
            both = scores.seen[kernel][1:] & scores.seen[kernel][:-1]
            exact.append(np.sum(templates[1:] * templates[:-1], axis=1)[both])
            found.append(overlaps.beside[kernel][1:][both])
    exact, found = np.concatenate(exact), np.concatenate(found)
    assert np.mean(found) == pytest.approx(np.mean(exact), abs=0.02)
    assert np.std(found - exact) < 0.06


def test_narrower_templates_are_those_put_together():
    time, weight = _irregular(60, 0.1, 3)
    for _, scores, overlaps, _ in _overlaps(time, weight, [0.2, 0.4, 0.8, 1.6]):
        number = np.diff(np.append(overlaps.starts, overlaps.narrower.shape[1]))
        assert (number >= 1).all()
        assert (number <= scores.cells.end - scores.cells.first).all()
        assert (overlaps.narrower <= 1.001).all()


@pytest.mark.parametrize("overlap", [0.9, 0.65, 0.6, 0.58, 0.5, 0.2])
def test_templates_of_neighbouring_widths_are_never_less_alike_than_not_at_all(overlap):
    widths = make_tables(make_kernels(("flare", "gaussian", "box", "microlens", "eclipse")), overlap).widths
    assert ((widths >= 0) & (widths <= 1)).all()
