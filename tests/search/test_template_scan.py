"""Sums of the matched filter by products of matrices against sums over epochs."""

import numpy as np
import pytest

from vo_lib.profiles import PROFILES
from vo_lib.search.template_bank import make_kernels
from vo_lib.search.template_cells import Cells
from vo_lib.search.template_scan import compare, make_matrices

SHAPES = ("flare", "gaussian", "dip", "box", "microlens", "eclipse")


def _cells(counts, seed=0, *, step=1.0, pause=None):
    """Lightcurves at irregular times with errors of all sizes, weights that add up to 1 and noise."""
    random, parts = np.random.default_rng(seed), []
    for number, count in enumerate(counts):
        time = np.cumsum(random.exponential(step, count))
        if pause:
            time[count // 2 :] += pause
        weight = random.uniform(0.2, 1.0, count)
        weight /= weight.sum()
        value = random.normal(size=count) / np.sqrt(weight)
        value -= np.sum(weight * value)
        parts.append((np.full(count, number), time - time[0], weight, weight * value))
    lightcurve, time, weight, flux = map(np.concatenate, zip(*parts, strict=True))
    weight, flux = weight.astype(np.float32), flux.astype(np.float32)
    return Cells(lightcurve, time, weight, flux, np.arange(len(time)), np.arange(len(time)) + 1)


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("pause", [None, 1000.0])
def test_scores_are_sums_over_all_epochs(kind, pause):
    kernels, width = make_kernels((kind,)), 12.0
    cells = _cells([80, 1, 60], pause=pause)
    _, scores = compare(cells, width, make_matrices(kernels, 0.95))
    correlations = []
    for index in (0, 2):
        here, these = cells.lightcurve == index, scores.cells.lightcurve == index
        phase = (cells.time[here] - scores.cells.time[these][:, None]) / width
        profile = PROFILES[kind].shape(phase)
        weight, flux = cells.weight[here].astype(float), cells.flux[here].astype(float)
        variance = (profile**2) @ weight - (profile @ weight) ** 2
        expected, seen = profile @ flux / np.sqrt(np.abs(variance)), scores.seen[0][these]
        correlations.append(np.corrcoef(expected[seen], scores.score[0][these][seen])[0, 1])
    # Cells of a quarter of the width, which count most for steep sides, and profiles that are cut where 0.15 is left.
    assert min(correlations) > (0.86 if kind in ("box", "eclipse") else 0.92)


def test_scores_of_noise_have_unit_variance_at_any_sampling():
    kernels = make_kernels(("flare", "gaussian"))
    matrices, scores = make_matrices(kernels, 0.9), []
    for seed in range(40):
        cells = _cells([50] * 20, seed, pause=200.0)
        for width in (1.0, 2.0, 4.0, 8.0, 16.0):
            cells, found = compare(cells, width, matrices)
            scores.append(found.score[found.seen])
    values = np.concatenate(scores)
    assert values.std() == pytest.approx(1, abs=0.01)
    assert np.mean(np.abs(values) > 3) == pytest.approx(0.0027, rel=0.15)


def test_what_is_left_out_leaves_the_others_where_they_are():
    # Pairs, and epochs between them that are too far from each, of two lightcurves; in cells of a day.
    kernels, gap = make_kernels(("gaussian",)), 4
    matrices = make_matrices(kernels, 0.9)
    assert matrices.near < gap < matrices.far
    days = np.cumsum([0, 1, gap, gap, 1, gap, gap, 1])
    time, kept = np.tile(days + 0.5, 2), np.tile([1, 1, 0, 1, 1, 0, 1, 1], 2) > 0
    weight, flux = np.random.default_rng(1).uniform(0.05, 0.1, (2, 16)).astype(np.float32)
    lightcurve, epochs = np.repeat([0, 1], 8), np.arange(17)
    cells, scores = compare(Cells(lightcurve, time, weight, flux, epochs[:-1], epochs[1:]), 4.0, matrices)
    assert len(cells.time) == 16
    np.testing.assert_array_equal(scores.cells.first, np.flatnonzero(kept))
    apart = time[kept] - time[kept][:, None]
    profile = kernels[0].in_cells(apart / 4) * (lightcurve[kept] == lightcurve[kept][:, None])
    for found, expected in (
        (scores.flux, profile @ flux[kept]),
        (scores.whole, profile @ weight[kept]),
        (scores.square, profile**2 @ weight[kept]),
    ):
        np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_high_templates_are_all_those_with_such_a_score():
    _, scores = compare(_cells([50] * 20, pause=200.0), 4.0, make_matrices(make_kernels(("flare", "gaussian")), 0.9))
    for floor in (0.5, 2.0, 3.0, float(np.abs(scores.score).max()), 9.0):
        np.testing.assert_array_equal(scores.high(floor), np.flatnonzero(np.abs(scores.score) >= floor))


def test_lightcurves_do_not_see_each_other():
    kernels = make_kernels(("flare", "gaussian"))
    both, matrices = _cells([40, 70]), make_matrices(kernels, 0.9)
    for index in (0, 1):
        alone = both.take(np.flatnonzero(both.lightcurve == index))
        of_both, of_one = (compare(cells, 5.0, matrices)[1] for cells in (both, alone))
        here = of_both.cells.lightcurve == index
        np.testing.assert_allclose(of_both.score[:, here], of_one.score, atol=2e-5)


def test_epochs_far_from_all_others_are_no_templates():
    kernels = make_kernels(("flare", "gaussian"))
    cells = _cells([30], step=0.01)
    spread = Cells(*(vars(cells) | {"time": np.arange(30) * 50.0}).values())
    after, scores = compare(spread, 1.0, make_matrices(kernels, 0.9))
    assert scores is None
    assert len(after.time) == 30


def test_cells_keep_weight_flux_and_order():
    kernels = make_kernels(("gaussian",))
    cells, matrices = _cells([500, 300], step=0.1), make_matrices(kernels, 0.9)
    merged = cells
    for width in (0.5, 1.0, 2.0, 4.0, 8.0):
        merged, _ = compare(merged, width, matrices)
    assert len(merged.time) < 100
    assert merged.weight.sum() == pytest.approx(2, rel=1e-5)
    assert merged.flux.sum() == pytest.approx(cells.flux.sum(), abs=1e-4)
    assert (np.diff(merged.time)[np.diff(merged.lightcurve) == 0] > 0).all()
    np.testing.assert_array_equal(merged.end, [*merged.first[1:], 800])
