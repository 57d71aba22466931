"""Pictures of efficiency and coverage: what is drawn where, not how it looks."""

import numpy as np
import pytest

from vo_lib.canvas import draw_png
from vo_lib.histogram_axes import make_histograms
from vo_lib.plots import plot_coverage, plot_efficiency
from vo_lib.plots.efficiency import _groups


def _injections(number, seed=1):
    rng, histograms = np.random.default_rng(seed), make_histograms()
    snr, width = (
        np.exp(rng.uniform(np.log(2), np.log(32), number)),
        np.exp(rng.uniform(np.log(0.01), np.log(100), number)),
    )
    found = rng.random(number) < np.clip(snr / 20, 0, 1)
    rest = {"mag": np.full(number, 15.0), "filter": "none", "kind": "none"}
    histograms["injected"].fill(expected_snr=snr, width=width, **rest)
    rest["mag"] = rest["mag"][found]
    histograms["recovered"].fill(expected_snr=snr[found], width=width[found], **rest)
    return histograms["injected"], histograms["recovered"]


def _labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize(("number", "curves"), [(0, 0), (1, 1), (100, 1), (400, 2), (5000, 4)])
def test_there_are_as_many_curves_as_there_are_events_for(number, curves):
    ax = plot_efficiency(*_injections(number))
    assert len(ax.containers) == curves
    if curves == 1:
        assert _labels(ax)[0] == f"{number:,} events"


def test_curves_show_the_efficiency_within_its_interval():
    ax = plot_efficiency(*_injections(20_000))
    assert _labels(ax) == ["0.24–2.4 h", "2.4–24 h", "1–10 d", "10–100 d"]
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
    assert _labels(ax) == ["flagged (1)", "good (4)"]
    assert "epochs outside or without a magnitude: 1" in ax.get_xlabel()
    total, good = (patch.get_data().values for patch in ax.patches)
    assert (total.sum(), good.sum()) == (4, 3)
    assert ax.get_xlim() == (14.5, 19)


@pytest.mark.parametrize("style", ["light", "dark"])
def test_pictures_can_be_drawn_with_and_without_data(style):
    for number in (0, 500):
        assert len(draw_png(lambda number=number: plot_efficiency(*_injections(number)).figure, style=style)) > 5000
    assert len(draw_png(lambda: plot_coverage(make_histograms()["coverage"]).figure, style=style)) > 5000
