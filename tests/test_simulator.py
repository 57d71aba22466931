"""Injected events: their shapes, their numbers, their noise, and what they depend on."""

import math

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put, sources_of
from scipy.stats import kstest, poisson

from vo_lib.analysis import Analysis
from vo_lib.batch import LightcurveBatch
from vo_lib.finder import Finder
from vo_lib.profiles import PROFILES
from vo_lib.search.noise import baseline
from vo_lib.simulator import INJECTION_COLUMNS, inject


def _inject(batch, qflag=None, *, seed=1, **options):
    return inject(batch, np.zeros(batch.n_epochs, np.int64) if qflag is None else qflag, seed=seed, **options)


def test_as_many_events_as_asked_each_in_its_own_copy():
    batch = make_batch([40, 50, 60])
    injected, truth = _inject(batch, num_injections=3)
    assert list(truth) == list(INJECTION_COLUMNS)
    assert len(truth["source"]) == injected.n_lightcurves == 9
    assert truth["injection"].tolist() == [1, 2, 3] * 3
    assert injected.table["original"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert truth["lightcurve"].tolist() == batch.table["key"][injected.table["original"]].tolist()
    assert np.isnan(truth["snr"]).all()
    assert not truth["recovered"].any()
    assert len(np.unique(truth["peak_mjd"])) == 9


@pytest.mark.parametrize("number", [0, 0.0, 2.0])
def test_whole_numbers_are_exact(number):
    assert len(_inject(make_batch([20] * 7), num_injections=number)[1]["source"]) == 7 * number


def _sources_by_number(**options):
    """How many of 4000 sources have 0, 1, ... injections."""
    _, truth = _inject(make_batch([10] * 4000), **options)
    return np.bincount(np.bincount([int(name[3:]) for name in truth["source"]], minlength=4000), minlength=20)


@pytest.mark.parametrize("mean", [0.3, 2.5])
def test_fractions_are_the_mean_of_a_poisson_law(mean):
    number = _sources_by_number(num_injections=mean)
    np.testing.assert_allclose(number, 4000 * poisson.pmf(np.arange(len(number)), mean), atol=5 * math.sqrt(1600))


def test_the_law_of_the_number_is_chosen_whatever_the_number():
    number = _sources_by_number(num_injections=2, number_law="poisson")
    np.testing.assert_allclose(number, 4000 * poisson.pmf(np.arange(len(number)), 2), atol=5 * math.sqrt(1600))
    assert _sources_by_number(num_injections=2, number_law="fixed")[2] == 4000
    assert _sources_by_number(num_injections=2, number_law="fractional")[2] == 4000
    number = _sources_by_number(num_injections=2.25, number_law="fractional")
    assert number[2:4].sum() == 4000
    assert number[3] == pytest.approx(1000, abs=5 * math.sqrt(750))


def test_a_poisson_law_of_a_large_mean_is_one_too():
    _, truth = _inject(make_batch([10] * 30), num_injections=900, number_law="poisson")
    assert len(truth["source"]) == pytest.approx(27_000, abs=5 * math.sqrt(27_000))
    number = np.bincount([int(name[3:]) for name in truth["source"]])
    assert 15 < number.std() < 50


def test_events_of_a_source_are_spread_evenly_over_its_eligible_lightcurves():
    sources = np.repeat([f"s{index}" for index in range(1000)], 4)
    batch = make_batch([30, 9, 200, 10] * 1000, sources=sources)
    _, truth = _inject(batch, num_injections=3)
    original = _inject(batch, num_injections=3)[0].table["original"] % 4
    np.testing.assert_allclose(np.bincount(original, minlength=4), [1000, 0, 1000, 1000], atol=5 * math.sqrt(1000))
    assert len(truth["source"]) == 3000


def test_lightcurves_with_too_few_good_epochs_get_nothing():
    batch = make_batch([30, 30, 5, 0])
    qflag = np.zeros(65, np.int64)
    qflag[:21] = 1
    assert _inject(batch, qflag)[1]["source"].tolist() == ["src1"]
    assert _inject(batch, qflag, min_epochs=9)[1]["source"].tolist() == ["src0", "src1"]


def test_parameters_follow_their_laws():
    batch = make_batch([30] * 3000)
    _, truth = _inject(batch, snr_min=2, snr_max=30, width_min_days=0.01, width_max_days=30)
    assert kstest(np.log(truth["expected_snr"] / 2) / np.log(15), "uniform").pvalue > 0.001
    assert kstest(np.log(truth["width"] / 0.01) / np.log(3000), "uniform").pvalue > 0.001
    assert np.mean(truth["kind"] == "flare") == pytest.approx(0.5, abs=0.05)
    assert set(truth["kind"]) == {
        "flare",
        "gaussian",
    }


def test_power_laws_and_grids_follow_what_is_configured():
    batch = make_batch([30] * 4000)
    options = {"snr_min": 2, "snr_max": 20, "snr_index": -2, "width_min_days": 1, "width_max_days": 3, "width_index": 0}
    _, truth = _inject(batch, **options)
    assert kstest((1 / 2 - 1 / truth["expected_snr"]) / (1 / 2 - 1 / 20), "uniform").pvalue > 0.001
    assert kstest((truth["width"] - 1) / 2, "uniform").pvalue > 0.001
    _, grid = _inject(batch, **options, sampling="grid", snr_steps=3, width_steps=2)
    np.testing.assert_allclose(np.unique(grid["width"]), [1.5, 2.5])
    np.testing.assert_allclose(np.unique(grid["expected_snr"]), 1 / (0.5 - 0.45 * np.array([1, 3, 5]) / 6))
    cells = np.unique(np.stack([grid["expected_snr"], grid["width"], grid["kind"] == "flare"]), axis=1, return_counts=1)
    np.testing.assert_allclose(cells[1], 4000 / 12, atol=5 * math.sqrt(333))


def test_the_injections_of_a_source_go_through_the_grid():
    _, truth = _inject(make_batch([30] * 5), num_injections=12, sampling="grid", snr_steps=3, width_steps=2)
    cells = np.stack([truth["expected_snr"], truth["width"], truth["kind"] == "flare"]).reshape(3, 5, 12)
    assert all(len(np.unique(cells[:, source], axis=1).T) == 12 for source in range(5))


def test_peaks_are_where_a_good_epoch_sees_the_event():
    batch = make_batch([20] * 3000, cadence=1.0)
    qflag = np.tile(np.arange(20) % 2, 3000)
    _, truth = _inject(batch, qflag, kinds=("box",), width_min_days=0.1, width_max_days=0.1)
    epoch = np.rint(truth["peak_mjd"] - 58000).astype(int)
    assert np.abs(truth["peak_mjd"] - 58000 - epoch).max() <= 0.05
    np.testing.assert_allclose(np.bincount(epoch, minlength=20), np.tile([300, 0], 10), atol=5 * math.sqrt(300))
    np.testing.assert_allclose(truth["observable_days"], 10 * 0.1, rtol=2e-3)
    assert (truth["seen_snr"] <= truth["expected_snr"] * (1 + 1e-9)).all()
    assert (truth["seen_snr"] >= 0.98 * truth["expected_snr"] / np.sqrt(1 + truth["amplitude"] / 1000)).all()


@pytest.mark.parametrize(("mean", "law"), [(1, None), (3, None), (0.4, None), (1.6, "fractional"), (3, "poisson")])
def test_exposures_add_up_to_the_observable_time_of_all_lightcurves(mean, law):
    """Boxes of 0.5 days on epochs 0.5 days apart: 20, 15 and 5 days of a source, for each kind."""
    batch = make_batch([40, 30, 10, 5] * 2000, sources=np.repeat([f"s{index}" for index in range(2000)], 4))
    options = {"kinds": ("box", "eclipse"), "width_min_days": 0.5, "width_max_days": 0.5}
    _, truth = _inject(batch, num_injections=mean, number_law=law, **options)
    total = truth["exposure_days"][truth["kind"] == "box"].sum()
    assert total == pytest.approx(2000 * (20 + 15 + 5), rel=0.05 / math.sqrt(mean))


def test_peaks_keep_away_from_real_detections():
    batch = put(make_batch([100] * 300, seed=2), 7, [50, 51, 52], flux=2000.0)
    real = Finder().find(batch, np.zeros(batch.n_epochs, np.int64))
    options = {"num_injections": 40, "kinds": ("box",), "width_min_days": 5, "width_max_days": 5}
    away, anywhere = (_inject(batch, real=real, avoid_real=avoid, **options)[1] for avoid in (True, False))
    distance = [np.abs(truth["peak_mjd"][truth["source"] == "src7"] - 58025.5) for truth in (away, anywhere)]
    assert distance[0].min() > 2.5
    assert distance[1].min() < 2.5
    others = away["source"] != "src7"
    np.testing.assert_array_equal(away["peak_mjd"][others], anywhere["peak_mjd"][others])
    # Peaks may be in 54.5 d; that of the detection, which rates count, is observed too.
    days = [truth["observable_days"][~others].mean() for truth in (away, anywhere)]
    assert days == pytest.approx([54.5, 54.5], abs=0.1)


def test_the_added_flux_is_the_profile_times_amplitude_without_noise():
    batch = make_batch([200], flux=1e9, fluxerr=1e-3, cadence=0.01)
    injected, truth = _inject(
        batch, kinds=("gaussian",), width_min_days=0.2, width_max_days=0.2, snr_min=1e9, snr_max=1e9
    )
    added = injected.columns["flux"] - batch.columns["flux"]
    x = (batch.columns["mjd"] - truth["peak_mjd"][0]) / 0.2
    np.testing.assert_allclose(added, truth["amplitude"][0] * np.exp(-4 * np.log(2) * x**2), atol=0.1)
    np.testing.assert_allclose(truth["amplitude"], 1e9 * 1e-3, rtol=0.3)


def test_amplitudes_are_in_units_of_median_error_or_scatter_of_the_good_epochs_whichever_is_greater():
    """The second lightcurve has errors of 40 for a scatter of 10; bad epochs are of no account for either."""
    batch = make_batch([60, 60], seed=4)
    batch = put(put(batch, 0, np.arange(60), fluxerr=3.0), 1, np.arange(60), fluxerr=np.tile([20.0, 40.0, 60.0], 20))
    batch = put(batch, 0, np.arange(25), flux=9000.0)
    batch = put(batch, 1, np.arange(0, 30, 3), fluxerr=1e4)
    qflag = np.zeros(120, np.int64)
    qflag[:25] = qflag[60:90:3] = 1
    _, truth = _inject(batch, qflag)
    good = batch.columns["flux"][25:60]
    scatter = 1.482602218505602 * np.median(np.abs(good - np.median(good)))
    usual = np.median(batch.columns["fluxerr"][60:][qflag[60:] == 0])
    np.testing.assert_allclose(truth["amplitude"] / truth["expected_snr"], [scatter, usual], rtol=1e-12)


def test_photon_noise_grows_with_the_light():
    batch = make_batch([2] * 20_000, flux=1000.0, fluxerr=10.0, cadence=1e-5)
    options = {"kinds": ("box",), "width_min_days": 1, "width_max_days": 1, "min_epochs": 2}
    injected, truth = _inject(batch, snr_min=100, snr_max=100, **options)
    median, _ = baseline(batch, np.ones(batch.n_epochs, bool))
    brighter = 1 + np.repeat(truth["amplitude"] / median, 2)
    np.testing.assert_allclose(injected.columns["fluxerr"], 10 * np.sqrt(brighter), rtol=1e-12)
    excess = injected.columns["flux"] - batch.columns["flux"] - np.repeat(truth["amplitude"], 2)
    standard = excess / (10 * np.sqrt(brighter - 1))
    assert standard.std() == pytest.approx(1, abs=0.02)
    assert standard.mean() == pytest.approx(0, abs=0.02)
    assert abs(np.corrcoef(standard[::2], standard[1::2])[0, 1]) < 0.03


@pytest.mark.parametrize("flux", [0.5, -5.0])
def test_photon_noise_of_faint_sources_is_bounded(flux):
    """It is that of a source of ten errors, 100 uJy."""
    batch = make_batch([100], flux=flux, fluxerr=10.0)
    width = {"kinds": ("gaussian",), "width_min_days": 5, "width_max_days": 5}
    injected, _ = _inject(batch.with_columns(mag=np.full(100, np.nan)), snr_min=20, snr_max=20, **width)
    assert injected.columns["light"].max() > 150
    np.testing.assert_allclose(
        injected.columns["fluxerr"], 10 * np.sqrt(1 + injected.columns["light"] / 100), rtol=1e-12
    )


def test_the_unit_of_the_flux_does_not_matter():
    """With a power of two as the unit to the last bit."""
    batch = make_batch([40, 60, 80], seed=6)
    small = batch.with_columns(**{name: batch.columns[name] * 2.0**-20 for name in ("flux", "fluxerr")})
    (injected, truth), (scaled, same) = _inject(batch, num_injections=4), _inject(small, num_injections=4)
    for name in ("flux", "fluxerr", "light"):
        np.testing.assert_array_equal(scaled.columns[name] * 2.0**20, injected.columns[name])
    np.testing.assert_array_equal(same["amplitude"] * 2.0**20, truth["amplitude"])
    assert (truth["seen_snr"] > 0).all()
    for name in ("peak_mjd", "seen_snr", "expected_snr", "exposure_days"):
        np.testing.assert_array_equal(same[name], truth[name])


def test_a_dip_takes_light_away_and_adds_no_noise():
    batch = make_batch([100])
    injected, truth = _inject(batch, kinds=("dip",), snr_min=20, snr_max=20)
    assert truth["expected_snr"].tolist() == [-20.0]
    assert truth["amplitude"][0] < 0
    np.testing.assert_array_equal(injected.columns["fluxerr"], batch.columns["fluxerr"])
    assert (injected.columns["flux"] <= batch.columns["flux"]).all()


def test_magnitudes_follow_the_flux_and_other_columns_stay():
    batch = make_batch([100])
    injected, _ = _inject(batch, snr_min=20, snr_max=20)
    flux, fluxerr = injected.columns["flux"], injected.columns["fluxerr"]
    np.testing.assert_allclose(injected.columns["mag"], 23.9 - 2.5 * np.log10(flux), rtol=1e-12)
    np.testing.assert_allclose(injected.columns["magerr"], 2.5 / np.log(10) * fluxerr / flux, rtol=1e-9)
    for name in batch.columns.keys() - {"flux", "fluxerr", "mag", "magerr"}:
        np.testing.assert_array_equal(injected.columns[name], batch.columns[name])


def test_bad_epochs_stay_bad_and_disturb_nothing():
    batch = put(put(make_batch([50]), 0, [5], flux=np.nan), 0, [6, 7], fluxerr=[np.nan, -1.0])
    batch = put(batch, 0, [8], mjd=np.nan)
    qflag = np.zeros(50, np.int64)
    qflag[5:9] = 4
    injected, _ = _inject(batch, qflag, width_min_days=100, width_max_days=100)
    assert np.isnan(injected.columns["flux"][5])
    assert injected.columns["flux"][8] == batch.columns["flux"][8]
    np.testing.assert_array_equal(injected.columns["fluxerr"][[6, 7]], [np.nan, -1.0])
    assert np.isfinite(np.delete(injected.columns["flux"], 5)).all()


def test_events_depend_on_names_and_seed_not_on_order_or_neighbours():
    sources = np.repeat([f"s{index}" for index in range(30)], 3)
    batch = make_batch([40] * 90, sources=sources)
    shuffled = batch.select(np.random.default_rng(1).permutation(90)[:-10])
    here, there = (_events(*_inject(part, num_injections=2)) for part in (batch, shuffled))
    complete = [name for name in np.unique(sources) if np.count_nonzero(shuffled.table["source"] == name) == 3]
    assert len(complete) > 15
    assert all(here[name, number] == there[name, number] for name in complete for number in (1, 2))
    assert _events(*_inject(batch, seed=2)) != _events(*_inject(batch, seed=1)) == _events(*_inject(batch, seed=1))


def _events(injected, truth):
    """Everything about each event, by source and number."""
    rows = zip(*(truth[name].tolist() for name in list(truth)[:10]), strict=True)
    flux = [injected.lightcurve(row)["flux"].tobytes() for row in range(injected.n_lightcurves)]
    return {(row[0], row[4]): (row, light) for row, light in zip(rows, flux, strict=True)}


def test_inputs_stay_as_they_are():
    batch = freeze(make_batch([40, 0, 30]))
    before = fingerprint(batch)
    _inject(batch, num_injections=2)
    assert fingerprint(batch) == before
    assert "original" not in batch.table


def test_an_empty_batch_gives_an_empty_truth():
    injected, truth = _inject(LightcurveBatch.empty(), num_injections=3)
    assert (injected.n_lightcurves, injected.n_epochs) == (0, 0)
    assert {name: len(values) for name, values in truth.items()} == dict.fromkeys(INJECTION_COLUMNS, 0)
    kinds = {name: np.dtype(kind).kind for name, (kind, *_) in INJECTION_COLUMNS.items()}
    assert {name: values.dtype.kind for name, values in truth.items()} == kinds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_injections": -1}, "num_injections must not be negative, got -1"),
        ({"number_law": "even"}, "number_law must be fixed, fractional, poisson or None, got 'even'"),
        ({"number_law": "fixed", "num_injections": 0.5}, "number_law fixed needs a whole num_injections, got 0.5"),
        ({"kinds": ("flare", "bump")}, r"kinds must be some of \['box', 'dip', 'eclipse'"),
        ({"kinds": ()}, "kinds must be some of"),
        ({"snr_min": 0}, "snr_min and snr_max must be positive and in order, got 0 and 30"),
        ({"width_min_days": 50}, "width_min_days and width_max_days must be positive and in order"),
        ({"min_epochs": 0}, "min_epochs must be 1 or more"),
        ({"snr_steps": 0}, "snr_steps must be 1 or more, got 0"),
        ({"width_index": np.inf}, "width_index must be a number, got inf"),
        ({"sampling": "even"}, "sampling must be random or grid, got 'even'"),
        ({"level": "raw"}, "level must be reduced or processed, got 'raw'"),
    ],
)
def test_unusable_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        _inject(make_batch([20]), **options)


@pytest.mark.parametrize("kind", PROFILES)
def test_every_shape_is_injected_and_analysed(kind):
    batch = make_batch([60] * 5, seed=3)
    made = Analysis(simulator={"kinds": [kind], "num_injections": 2}).analyze_photometry(sources_of(batch), batch)
    injections = made.tables["injections"]
    assert injections["kind"].tolist() == [kind] * 10
    assert (np.sign(injections["amplitude"]) == PROFILES[kind].sign).all()
