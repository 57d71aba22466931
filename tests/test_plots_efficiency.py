"""Pictures of efficiency and coverage: what is drawn where, not how it looks."""

import numpy as np
import pytest
from make_figures import labels

from vo_lib.canvas import draw_png
from vo_lib.counts.histogram_axes import make_histograms
from vo_lib.injection.efficiency import project
from vo_lib.plots import plot_completeness, plot_coverage, plot_efficiency
from vo_lib.plots.efficiency import _groups


def _injections(number, seed=1, widest=100):
    rng, histograms = np.random.default_rng(seed), make_histograms()
    snr, width = (
        np.exp(rng.uniform(np.log(2), np.log(32), number)),
        np.exp(rng.uniform(np.log(0.01), np.log(widest), number)),
    )
    found = rng.random(number) < np.clip(snr / 20, 0, 1)
    rest = {"mag": np.full(number, 15.0), "filter": "none", "kind": "none"}
    histograms["injected"].fill(expected_snr=snr, width=width, **rest)
    rest["mag"] = rest["mag"][found]
    histograms["recovered"].fill(expected_snr=snr[found], width=width[found], **rest)
    return histograms["injected"], histograms["recovered"]


@pytest.mark.parametrize(("number", "curves"), [(0, 0), (1, 1), (100, 1), (400, 2), (5000, 4)])
def test_there_are_as_many_curves_as_there_are_events_for(number, curves):
    ax = plot_efficiency(*_injections(number))
    assert len(ax.containers) == curves
    if curves == 1:
        assert labels(ax)[0] == ("1 event" if number == 1 else f"{number} events")


def test_curves_show_the_efficiency_within_its_interval():
    ax = plot_efficiency(*_injections(20_000))
    assert labels(ax) == ["0.24–2.4 h", "2.4–24 h", "1–10 d", "10–100 d"]
    for container in ax.containers:
        x, y = container[0].get_data()
        assert len(x) == 16
        np.testing.assert_allclose(y, 100 * np.clip(x / 20, 0, 1), atol=12)


@pytest.mark.parametrize(
    ("counts", "least", "most", "expected"),
    [
        ([0, 0], 10, 4, []),
        ([5, 0, 0], 10, 4, [(0, 1)]),
        ([10, 10, 10, 10], 10, 4, [(0, 1), (1, 2), (2, 3), (3, 4)]),
        ([10, 10, 10, 10], 10, 2, [(0, 2), (2, 4)]),
        ([0, 40, 0, 1, 0], 10, 4, [(1, 2), (3, 4)]),
    ],
)
def test_bins_are_grouped_by_their_counts(counts, least, most, expected):
    groups = _groups(np.array(counts), least, most)
    assert [(group.start, group.stop) for group in groups] == expected


def test_coverage_shows_good_and_flagged_epochs():
    coverage = make_histograms()["coverage"]
    rest = {"filter": "none", "survey": "none"}
    coverage.fill(quality=[0, 0, 0, 1, 0], mag=[15.2, 15.2, 18.0, 15.2, np.nan], **rest)
    ax = plot_coverage(coverage)
    assert labels(ax) == ["flagged (1)", "good (4)"]
    assert "epochs off the axis or without a magnitude: 1" in ax.get_xlabel()
    total, good = (patch.get_data().values for patch in ax.patches)
    assert (total.sum(), good.sum()) == (4, 3)
    assert ax.get_xlim() == (14.5, 19)


def test_pictures_can_be_drawn_with_and_without_data():
    for number in (0, 500):
        assert len(draw_png(lambda number=number: plot_efficiency(*_injections(number)).figure)) > 5000
    assert len(draw_png(lambda: plot_coverage(make_histograms()["coverage"]).figure)) > 5000


def _map(ax):
    """Cells of a map by row and column, NaN where there is none, and their edges."""
    (mesh,) = [part for part in ax.collections if hasattr(part, "get_coordinates")]
    cells = np.ma.filled(mesh.get_array(), np.nan)
    return cells, mesh.get_coordinates()[0, :, 0], mesh.get_coordinates()[:, 0, 1]


def test_a_map_shows_the_recovered_part_of_each_cell():
    injected, recovered = _injections(20_000)
    cells, snr, width = _map(plot_completeness(injected, recovered))
    assert cells.shape == (8, 16)
    middle = np.sqrt(snr[1:] * snr[:-1])
    np.testing.assert_allclose(np.nanmean(cells, axis=0), 100 * np.clip(middle / 20, 0, 1), atol=6)
    np.testing.assert_allclose((width[0], width[-1]), (0.01, 100))


def test_contours_are_where_the_efficiency_is():
    ax = plot_completeness(*_injections(50_000))
    (lines,) = [part for part in ax.collections if hasattr(part, "levels")]
    half, high = (np.concatenate([path.vertices for path in [path]])[:, 0] for path in lines.get_paths())
    np.testing.assert_allclose((np.median(half), np.median(high)), (10, 18), rtol=0.05)
    assert labels(ax) == ["50 %", "90 %"]


def test_contours_end_where_no_events_were_injected():
    ax = plot_completeness(*_injections(50_000, widest=10))
    (lines,) = [part for part in ax.collections if hasattr(part, "levels")]
    assert max(path.vertices[:, 1].max() for path in lines.get_paths()) < 10


@pytest.mark.parametrize(("part", "named"), [(0.0, []), (0.8, ["50 %"])])
def test_contours_that_are_not_reached_are_not_named(part, named):
    injected, recovered = _injections(50_000)
    recovered.counts[...] = part * recovered.counts
    ax = plot_completeness(injected, recovered)
    assert (labels(ax) if ax.get_legend() else []) == named


def test_cells_of_few_events_are_joined_and_no_event_is_lost():
    injected, recovered = _injections(100)
    cells = _map(plot_completeness(injected, recovered))[0]
    assert cells.shape == (4, 4)
    trials = [
        project(part, "width", "expected_snr")[1:-2, 1:-2].reshape(4, 2, 4, 4).sum(axis=(1, 3))
        for part in (injected, recovered)
    ]
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(cells, 100 * trials[1] / trials[0])


def test_a_map_by_magnitude_has_cells_where_there_are_sources():
    cells, _, mag = _map(plot_completeness(*_injections(2000), y="mag"))
    assert mag[np.flatnonzero(np.isfinite(cells).any(axis=1))].tolist() == [15.0]


def test_a_map_without_events_says_so():
    ax = plot_completeness(*_injections(0))
    assert [text.get_text() for text in ax.texts] == ["no injected events"]
    assert np.isnan(_map(ax)[0]).all()
