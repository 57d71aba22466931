"""Figures by name, from the products of a small project."""

import argparse

import numpy as np
import pytest
from make_project import N_EPOCHS, make_plan

from vo_lib import hdf5, paths
from vo_lib.access import DataStore
from vo_lib.counts.histogram_files import read_histograms, write_histograms
from vo_lib.errors import CatalogError, StaleProductError, UserError
from vo_lib.figures import PROJECT_FIGURES, draw
from vo_lib.pages import source_figures
from vo_lib.pages.source_figures import SOURCE_FIGURES, _with_trend
from vo_lib.plan import read_plan
from vo_lib.verbs import plot


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Plan of a project that has products."""
    return make_plan(tmp_path_factory.mktemp("figures"))


@pytest.mark.parametrize("what", PROJECT_FIGURES)
def test_each_figure_of_a_project_is_drawn(plan, what):
    figure = draw(plan, what)
    assert figure.axes or figure.subfigs
    assert not [text.get_text() for ax in figure.axes for text in ax.texts]


def _drawn(ax):
    """All times and values of the error bars of axes."""
    return np.concatenate([np.transpose(bars.lines[0].get_data()) for bars in ax.containers])


@pytest.mark.parametrize("value", ["mag", "flux"])
def test_a_lightcurve_is_drawn_with_all_its_epochs_and_flags(plan, value):
    (ax,) = draw(plan, "lightcurve", "flagged", value=value).axes
    data = DataStore("flagged", plan).get_lightcurves()[0].data
    good, flagged = (np.transpose(bars.lines[0].get_data()) for bars in ax.containers)
    np.testing.assert_allclose(good, np.delete(np.transpose([data["mjd"], data[value]]), 20, axis=0))
    np.testing.assert_allclose(flagged, [[data["mjd"][20], data[value][20]]])
    assert ax.figure.get_suptitle() == "flagged"


@pytest.mark.parametrize(("missing", "value"), [(20, "mag"), (21, "flux"), (200, "flux")])
def test_a_source_without_many_magnitudes_is_drawn_in_fluxes(plan, monkeypatch, missing, value):
    columns = source_figures._columns

    def with_fewer(*words):
        found = columns(*words)
        return found | {"mag": np.where(np.arange(N_EPOCHS) < missing, np.nan, found["mag"])}

    monkeypatch.setattr(source_figures, "_columns", with_fewer)
    (ax,) = draw(plan, "lightcurve", "flagged").axes
    assert ax.get_ylabel().startswith({"mag": "magnitude", "flux": "flux"}[value])


def test_a_lightcurve_can_be_folded(plan):
    (ax,) = draw(plan, "lightcurve", "calm", period=3.0).axes
    assert len(_drawn(ax)) == 2 * N_EPOCHS
    assert ax.get_xlabel().startswith("phase for a period of 3 d")


def test_a_detection_is_drawn_with_its_peak(plan):
    whole, near = draw(plan, "detection", "flare", time="date").axes
    (peak,) = DataStore("flare", plan).get_detections()["peak_mjd"]
    assert len(_drawn(whole)) == N_EPOCHS
    low, high = near.get_xlim()
    assert low < peak - 40587 < high
    assert whole.figure.get_suptitle().startswith("flare, S/N -")


def test_a_periodogram_is_drawn_above_the_folded_lightcurve(plan):
    upper, lower = draw(plan, "periodogram", "calm").axes
    assert upper.get_xlabel() == "period (d)"
    best = float(upper.get_legend().get_texts()[0].get_text().split()[1])
    assert float(lower.get_xlabel().split()[5]) == pytest.approx(best, rel=1e-5)
    assert len(_drawn(lower)) == 2 * N_EPOCHS


def test_a_periodogram_has_the_ranges_and_limits_of_the_configuration(plan, monkeypatch):
    def periods(**changes):
        monkeypatch.setitem(plan.config, "periods", settings | changes)

    settings = plan.config["periods"]
    periods(ranges=["short", "2-20 d"])  # of which the epochs resolve the second alone
    upper, _ = draw(plan, "periodogram", "calm").axes
    assert max(upper.lines[0].get_xdata()) == pytest.approx(20)
    periods(ranges=["short"])
    with pytest.raises(UserError, match="calm: its epochs are too far apart for short"):
        draw(plan, "periodogram", "calm")
    periods(ranges=["2-20 d"], max_frequencies=10)
    with pytest.raises(UserError, match="more than periods.max_frequencies 10"):
        draw(plan, "periodogram", "calm")


def test_an_injected_event_is_drawn_from_the_copy_that_has_it(plan, monkeypatch):
    store = DataStore("flare", plan)
    data = store.get_lightcurves()[0].data
    row = {"source": "flare", "obs": "DEMO", "lightcurve": store.get_lightcurves()[0].filekey, "injection": 2}
    row |= {"kind": "gaussian", "peak_mjd": data["mjd"][100], "width": 2.0, "amplitude": 300.0, "expected_snr": 30.0}
    row |= {"recovered": 0, "reason": "merged"}
    table = {name: np.array([value]) for name, value in row.items()}
    monkeypatch.setattr(DataStore, "get_injections", lambda _: table)
    path = plan.data_root / paths.simulated_file(plan.folder, "DEMO", "RA200")
    with pytest.raises(UserError, match=r"were not kept; set save_simulated: true and run snakemake"):
        draw(plan, "injection", "flare", number=2)
    with pytest.raises(UserError, match="flare has no injection 3: it has 1"):
        draw(plan, "injection", "flare", number=3)
    copy = data.copy()
    copy["flux"][100] += 300.0
    with hdf5.Writer(path) as file:
        file.write("copy", copy)
        file.write_table("injections", table | {"key": np.array(["copy"])})
    (ax,) = draw(plan, "injection", "flare", number=2).axes
    drawn = {bars.get_label(): bars.lines[0].get_ydata() for bars in ax.containers}
    np.testing.assert_allclose(drawn["_before"], data["flux"])
    np.testing.assert_allclose(drawn["DEMO g"], copy["flux"])
    assert ax.figure.get_suptitle() == "flare, gaussian of S/N 30.0, not recovered: merged"
    path.unlink()


def test_a_detrended_copy_is_compared_as_it_was_before():
    flux = np.array([100.0, 200.0])
    columns = _with_trend({"flux": flux - 100, "flux_raw": flux, "fluxerr": flux / 10, "mag": flux, "magerr": flux})
    np.testing.assert_allclose(columns["flux"], flux)
    np.testing.assert_allclose(columns["mag"], 23.9 - 2.5 * np.log10(flux))


@pytest.mark.parametrize(
    ("words", "choices", "message"),
    [
        (("skye",), {}, "'skye' is not a figure; did you mean 'sky'"),
        (("lightcurve",), {}, "'lightcurve' is a figure of a source; give its name too"),
        (("sky", "calm"), {}, "'sky' is not a figure of a source; known are lightcurve, detection"),
        (("lightcurve", "dark"), {}, "dark has no lightcurves in DEMO_"),
        (("lightcurve", "calm"), {"filter": "demo-r"}, "demo-r in DEMO_; it has those of DEMO demo-g"),
        (("detection", "calm"), {}, "calm has no detection 1: it has 0"),
        (("detection", "flare"), {"number": 2}, "flare has no detection 2: it has 1"),
    ],
)
def test_what_is_not_there_is_named(plan, words, choices, message):
    with pytest.raises(UserError, match=message):
        draw(plan, *words, **choices)


def test_products_of_another_configuration_are_drawn_only_when_that_is_wanted(plan):
    other = read_plan(plan.data_root.parent / "config.yaml", ["finder.snr_threshold=7"])
    for words in (("sky",), ("detection", "flare")):
        with pytest.raises(StaleProductError, match="was made with provenance"):
            draw(other, *words)
        assert draw(other, *words, any_provenance=True).axes


def test_merged_histograms_of_another_provenance_than_the_analyses_are_refused(tmp_path):
    plan = make_plan(tmp_path)
    path = plan.data_root / paths.histograms_file(plan.folder, "good_scores")
    write_histograms(path, list(read_histograms(path).values()), {"provenance": "older"})
    with pytest.raises(StaleProductError, match="good_scores.nc: was made with provenance older, not"):
        draw(plan, "scores")
    assert draw(plan, "scores", any_provenance=True).axes


def vo_plot(plan, *words):
    """Run the verb."""
    parser = argparse.ArgumentParser()
    plot.VERB.add_arguments(parser)
    return plot.VERB.run(plan, parser.parse_args(words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("calm", "--flux", "--date", "--out", "a.pdf"), "a.pdf: lightcurve of calm\n"),
        (("flare", "--what", "detection"), "flare.png: detection of flare\n"),
        (("calm", "--fold", "2.5", "--out", "c.svg"), "c.svg: lightcurve of calm\n"),
        (("downloads",), "downloads.png: downloads of DEMO_\n"),
        (("rates", "--json"), '{\n "file": "rates.png",\n "figure": "rates",\n "source": null\n}\n'),
    ],
)
def test_the_verb_writes_the_figure_that_is_asked_for(plan, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert vo_plot(plan, *words) == 0
    assert capsys.readouterr().out == said
    (path,) = tmp_path.iterdir()
    assert path.read_bytes()[:5] in (b"%PDF-", b"\x89PNG\r", b"<?xml")


def test_a_name_of_a_figure_is_a_source_where_that_is_said(plan):
    with pytest.raises(CatalogError, match="sky"):
        vo_plot(plan, "sky", "--what", "lightcurve")


def test_a_name_of_no_source_may_be_meant_for_a_figure(plan):
    with pytest.raises(CatalogError, match="no source 'compleness'.*; the project has a figure 'completeness'$"):
        vo_plot(plan, "compleness")


def test_a_picture_has_a_format(plan):
    with pytest.raises(
        UserError, match=r"star.jpg: the suffix must be one of .png, .pdf, .svg; choose such a name with --out"
    ):
        vo_plot(plan, "calm", "--out", "star.jpg")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--dpi", "0"), "--dpi must be from 1 to 2400, got 0"),
        (("--dpi", "100000"), "--dpi must be from 1 to 2400, got 100000"),
        (("--fold", "0"), "--fold must be a positive number of days, got 0"),
        (("--fold", "nan"), "--fold must be a positive number of days, got nan"),
        (("--sigma", "-1"), "--sigma must be a positive number, got -1"),
        (("--number", "2"), "--number does not apply to the figure lightcurve, .* a source: detection, injection"),
        (("--what", "detection", "--filter", "demo-r"), "--filter does not apply to the figure detection"),
        (("--what", "periodogram", "--fold", "2"), "--fold does not apply to the figure periodogram"),
    ],
)
def test_an_option_that_no_figure_heeds_is_refused(plan, words, message):
    with pytest.raises(UserError, match=message):
        vo_plot(plan, "flare", *words)


def test_a_figure_of_the_project_is_of_all_filters(plan):
    with pytest.raises(UserError, match="--filter does not apply to the figure rates"):
        vo_plot(plan, "rates", "--filter", "demo-r")


def test_the_help_names_all_figures():
    assert list(SOURCE_FIGURES) == list(plot.SOURCE_WORDS)
    assert not [name for name in PROJECT_FIGURES if name not in plot.VERB.description]
