"""Detrending: against a loop over epochs, the biweight of astropy, and the light of events that it leaves."""

import numpy as np
import pytest
from astropy.stats import biweight_location
from make_batch import fingerprint, freeze, make_batch

from vo_lib.batch import LightcurveBatch
from vo_lib.search.detrend import LOSS_COLUMNS, _locate, detrend, loss_by_width, signal_loss
from vo_lib.simulator import inject


def wavy(counts=(200, 0, 150, 1), *, seed=0, fluxerr=1.0, sources=None):
    """Lightcurves with a slow wave, at irregular times with pauses."""
    batch, rng = make_batch(counts, seed=seed, fluxerr=fluxerr, sources=sources), np.random.default_rng(seed)
    steps = rng.exponential(0.1, batch.n_epochs) + 20 * (rng.random(batch.n_epochs) < 0.02)
    mjd = 58000 + np.cumsum(steps)
    return batch.with_columns(mjd=mjd, flux=batch.columns["flux"] + 100 * np.sin(mjd / 3))


def everything(batch):
    """Mask of all epochs."""
    return np.ones(batch.n_epochs, bool)


def windows(batch, good, window_days, gap_days):
    """Good fluxes in the window of each epoch, by a loop."""
    for start, stop in zip(batch.starts[:-1], batch.starts[1:], strict=True):
        mjd, flux, used = (values[start:stop] for values in (batch.columns["mjd"], batch.columns["flux"], good))
        piece = np.cumsum(np.diff(mjd, prepend=mjd[:1]) > gap_days)
        for row in range(stop - start):
            near = (piece == piece[row]) & (np.abs(mjd - mjd[row]) <= window_days / 2) & used
            yield flux[near]


@pytest.mark.parametrize("method", ["median", "biweight"])
@pytest.mark.parametrize(("window", "gap"), [(2.0, 1.0), (5.0, 0.5), (3.0, 1e9)])
def test_trends_are_those_of_a_loop_over_epochs(method, window, gap):
    batch = wavy()
    good = np.random.default_rng(1).random(batch.n_epochs) > 0.1
    trend = detrend(batch, good, method=method, window_days=window, gap_days=gap).columns["trend"]
    for values, found in zip(windows(batch, good, window, gap), trend, strict=True):
        if len(values) < 5:
            assert np.isnan(found)
        elif method == "median":
            assert found == np.median(values)
        else:
            # The biweight of astropy is one step from a location: none from the one where the steps end.
            assert biweight_location(values, c=5.0, M=found) == pytest.approx(found, abs=2e-5 * np.ptp(values))


def tukey(values, cval=5.0):
    """Location of wotan: the biweight from the median on, in units of the median absolute deviation."""
    center = np.median(values)
    scale = cval * np.median(np.abs(values - center))
    for _ in range(100):
        weight = np.clip(1 - ((values - center) / scale) ** 2, 0, None) ** 2
        center, before = np.average(values, weights=weight), center
        if abs(center - before) < 1e-6:
            break
    return center


@pytest.mark.parametrize(("method", "locate"), [("biweight", tukey), ("median", np.median)])
def test_dense_trends_are_those_of_a_window_for_each_epoch_to_a_hundredth_of_the_errors(method, locate):
    """Some 300 epochs in a window, with a wave of 30 errors, outliers, a step, and pauses in and between windows."""
    batch, rng = make_batch((1000, 600), cadence=0.01), np.random.default_rng(3)
    number = np.arange(batch.n_epochs)
    mjd = batch.columns["mjd"] + np.where(number % 600 > 400, 0.7, 0.0) + number // 600 * 3.0
    flux = batch.columns["flux"] + 300 * np.sin(mjd * 0.7) + 500 * (number > 700) + 3000 * (rng.random(len(mjd)) < 0.03)
    batch, good = batch.with_columns(mjd=mjd, flux=flux), rng.random(len(mjd)) > 0.1
    trend = detrend(batch, good, method=method).columns["trend"]
    expected = np.array([locate(values) for values in windows(batch, good, 3.0, 1.5)])
    away = (trend - expected) / batch.columns["fluxerr"]
    assert np.sqrt(np.mean(away**2)) < 0.01
    assert np.abs(away).max() < 0.2


def test_the_cost_of_dense_trends_grows_with_the_epochs_and_not_with_the_window(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "vo_lib.search.detrend._locate", lambda values, *rest: seen.append(len(values)) or _locate(values, *rest)
    )
    for n_epochs in (5000, 20000):
        batch = make_batch([n_epochs], cadence=15.0 / n_epochs)
        seen.clear()
        detrend(batch, everything(batch))
        assert sum(seen) < 60 * n_epochs


def test_a_biweight_ignores_outliers_that_move_a_mean():
    batch = wavy((400,))
    flux = batch.columns["flux"].copy()
    flux[::10] += 5000
    clean, spoiled = (detrend(b, everything(b)).columns["trend"] for b in (batch, batch.with_columns(flux=flux)))
    np.testing.assert_allclose(spoiled, clean, atol=20)


@pytest.mark.parametrize("method", ["median", "biweight"])
def test_the_wave_goes_and_the_median_stays(method):
    batch = wavy((400,))
    flat = detrend(batch, everything(batch), method=method, window_days=1.0)
    taken = ~np.isnan(flat.columns["trend"])
    assert taken.mean() > 0.9
    assert np.std(flat.columns["flux"][taken]) < 0.1 * np.std(batch.columns["flux"])
    assert np.median(flat.columns["flux"][taken]) == pytest.approx(np.median(batch.columns["flux"]), abs=2)
    np.testing.assert_array_equal(flat.columns["flux_raw"], batch.columns["flux"])
    np.testing.assert_array_equal(flat.columns["fluxerr"], batch.columns["fluxerr"])
    np.testing.assert_allclose(flat.columns["mag"], 23.9 - 2.5 * np.log10(flat.columns["flux"]), rtol=1e-12)


def test_a_short_event_keeps_its_shape():
    batch = make_batch([600], cadence=0.05, fluxerr=1.0)
    event = np.zeros(600)
    event[300:306] = [20, 200, 120, 70, 40, 20]
    lit = batch.with_columns(flux=batch.columns["flux"] + event)
    flat, plain = (detrend(b, everything(b), window_days=3.0).columns["flux"] for b in (lit, batch))
    np.testing.assert_allclose(flat - plain, event, atol=1.0)


def test_windows_do_not_reach_over_pauses():
    """The flux doubles in a pause of 2 days."""
    batch = make_batch([200], cadence=0.1, fluxerr=1.0)
    late = np.arange(200) >= 100
    stepped = batch.with_columns(mjd=batch.columns["mjd"] + 2.0 * late, flux=batch.columns["flux"] * (1 + late))
    trend = detrend(stepped, everything(stepped), window_days=3.0, method="median").columns["trend"]
    np.testing.assert_allclose(trend, 1000 * (1 + late), atol=2)
    blurred = detrend(stepped, everything(stepped), window_days=30.0, gap_days=3.0, method="median").columns["trend"]
    assert blurred[95] == pytest.approx(1500, abs=5)


def test_epochs_near_an_edge_may_be_left_without_flux():
    batch = make_batch([200], cadence=0.1)
    gone = np.isnan(detrend(batch, everything(batch), edge_days=1.45).columns["flux"])
    assert np.flatnonzero(gone).tolist() == [*range(15), *range(185, 200)]


def test_flagged_epochs_are_corrected_but_do_not_count():
    batch = wavy((300,))
    good, flux = everything(batch), batch.columns["flux"].copy()
    good[150], flux[150] = False, np.nan
    good[151], flux[151] = False, 1e9
    columns = detrend(batch.with_columns(flux=flux), good).columns
    assert np.isnan(columns["flux"][150])
    assert columns["flux"][151] == pytest.approx(1e9, rel=1e-3)
    assert np.isfinite(columns["trend"][150:152]).all()


def test_sparse_lightcurves_and_those_without_scatter_stay():
    sparse = make_batch([50], cadence=10.0)
    np.testing.assert_array_equal(detrend(sparse, everything(sparse)).columns["flux"], sparse.columns["flux"])
    constant = make_batch([50], fluxerr=0.0)
    np.testing.assert_array_equal(detrend(constant, everything(constant)).columns["flux"], 1000.0)
    untimed = make_batch([50]).with_columns(mjd=np.full(50, np.nan))
    np.testing.assert_array_equal(detrend(untimed, everything(untimed)).columns["flux"], untimed.columns["flux"])


def test_lightcurves_do_not_influence_each_other_and_nothing_is_changed(monkeypatch):
    monkeypatch.setattr("vo_lib.search.detrend._PAIRS", 500)
    batch = freeze(wavy((200, 0, 300, 7)))
    before = fingerprint(batch)
    together = detrend(batch, everything(batch)).columns["flux"]
    assert fingerprint(batch) == before
    for index in range(4):
        alone = batch.select([index])
        found = detrend(alone, everything(alone)).columns["flux"]
        np.testing.assert_allclose(found, together[batch.starts[index] : batch.starts[index + 1]], rtol=1e-13)


def test_without_a_method_there_is_no_detrending():
    batch = wavy()
    assert detrend(batch, everything(batch), method=None) is batch
    assert losses(batch, 0.2, method=None)["ratio"].shape == (0,)


def test_no_lightcurves():
    assert detrend(LightcurveBatch.empty(), np.zeros(0, bool)).columns["trend"].shape == (0,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "mean"}, "detrend.method must be one of biweight, median, got 'mean'"),
        ({"window_days": 0}, "detrend.window_days must be positive, got 0"),
        ({"gap_days": -1}, "detrend.gap_days must be positive"),
        ({"cval": np.nan}, "detrend.cval must be positive"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        detrend(LightcurveBatch.empty(), np.zeros(0, bool), **options)


# What is lost


def losses(batch, width, *, method="median", **options):
    """Table of losses for events of one width."""
    qflag = np.zeros(batch.n_epochs, np.int64)
    options = {"snr_min": 20, "snr_max": 20, "kinds": ("box",), "num_injections": 3} | options
    injected, truth = inject(batch, qflag, seed=1, width_min_days=width, width_max_days=width, **options)
    raw = batch, injected
    flat = tuple(detrend(each, everything(each), method=method, window_days=3.0) for each in raw)
    return signal_loss(raw, flat, everything(injected), truth)


def test_short_events_lose_nothing_and_long_ones_all():
    """A running median takes half of a window as its own, and forgets less than that."""
    batch = make_batch([600] * 10, cadence=0.05, fluxerr=1.0)
    short, long = (losses(batch, width)["ratio"] for width in (0.2, 10.0))
    assert np.median(short) == pytest.approx(1.0, abs=0.05)
    assert np.median(long) < 0.1


def test_where_the_trend_is_the_noise_detrending_gains():
    table = losses(wavy((600,) * 5), 0.2, snr_min=3, snr_max=3)
    assert np.median(table["ratio"]) > 2
    assert list(table) == list(LOSS_COLUMNS)
    assert len(table["source"]) == 15
    np.testing.assert_allclose(np.median(table["snr_raw"]), 3, atol=1)


def test_losses_are_summed_up_by_width():
    table = {"width": np.array([0.1, 0.2, 0.29, 5.0, 40.0]), "ratio": np.array([0.9, 1.0, 0.6, np.nan, 0.1])}
    assert loss_by_width(table) == [(0.1, 0.3, 3, 0.9), (10.0, np.inf, 1, 0.1)]
    assert loss_by_width({"width": np.zeros(0), "ratio": np.zeros(0)}) == []


def test_without_injections_there_is_no_row():
    assert losses(make_batch([20]), 0.2, num_injections=0)["ratio"].shape == (0,)
