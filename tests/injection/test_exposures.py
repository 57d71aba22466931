"""Events that are not long beside the exposures: what is added is the mean of their light over each exposure."""

import numpy as np
import pytest
from make_batch import make_batch, sources_of
from make_survey import Survey, rate_of

from vo_lib.injection.placement import SHORT_EXPOSURE
from vo_lib.profiles import PROFILES
from vo_lib.simulator import inject

# Of the long cadence of Kepler [days].
EXPOSURE = 29.4 / 1440
LAWS = {"snr_min": 5.0, "snr_max": 50.0, "width_min_days": 0.2 * EXPOSURE, "width_max_days": 0.3 * EXPOSURE}


def mean_light(kind, mjd, peak, width, exposure):
    """Mean of an event of height 1 over exposures, by many times in each."""
    parts = (np.arange(2000) + 0.5) / 2000 - 0.5
    return np.array([PROFILES[kind].shape((time - peak + exposure * parts) / width).mean() for time in mjd.tolist()])


def exposed(batch, days=EXPOSURE):
    """The batch with exposures that follow each other without a pause."""
    mjd = 58000 + days * (np.arange(batch.n_epochs) - np.repeat(batch.starts[:-1], batch.counts))
    return batch.with_columns(mjd=mjd, bmjd_tdb=mjd, exptime=np.full(batch.n_epochs, 86400 * days))


@pytest.mark.parametrize("kind", list(PROFILES))
@pytest.mark.parametrize("width", [0.05, 0.3, 1.0, 4.0])
def test_the_light_of_an_exposure_is_its_mean(kind, width):
    batch, width = exposed(make_batch([60])), width * EXPOSURE
    options = {"kinds": (kind,), "snr_min": 30, "snr_max": 30, "width_min_days": width, "width_max_days": width}
    injected, truth = inject(batch, np.zeros(60, np.int64), seed=1, **options)
    expected = mean_light(kind, batch.columns["mjd"], truth["peak_mjd"][0], width, EXPOSURE)
    np.testing.assert_allclose(injected.columns["light"] / truth["amplitude"][0], expected, atol=2e-3)


@pytest.mark.parametrize("kind", ["flare", "gaussian", "box", "dip", "eclipse"])
def test_no_light_is_lost_however_short_the_event(kind):
    batch, width = exposed(make_batch([60])), 0.01 * EXPOSURE
    options = {"kinds": (kind,), "snr_min": 30, "snr_max": 30, "width_min_days": width, "width_max_days": width}
    injected, truth = inject(batch, (np.abs(np.arange(60) - 30) > 5).astype(np.int64), seed=1, **options)
    times = np.linspace(-20, 40, 600_001)
    area = np.trapezoid(PROFILES[kind].shape(times), times)
    fluence = injected.columns["light"].sum() * EXPOSURE
    assert fluence == pytest.approx(truth["amplitude"][0] * width * area, rel=1e-3)


@pytest.mark.parametrize("kind", list(PROFILES))
def test_an_exposure_that_is_short_beside_the_event_is_an_instant(kind):
    batch = exposed(make_batch([60]))
    width = EXPOSURE / SHORT_EXPOSURE
    options = {"kinds": (kind,), "snr_min": 30, "snr_max": 30, "width_min_days": width, "width_max_days": width}
    injected, truth = inject(batch, np.zeros(60, np.int64), seed=1, **options)
    shape = PROFILES[kind].shape((batch.columns["mjd"] - truth["peak_mjd"]) / width)
    np.testing.assert_allclose(injected.columns["light"], truth["amplitude"] * shape, atol=1e-6)
    smooth = kind not in {"box", "eclipse"}
    mean = mean_light(kind, batch.columns["mjd"], truth["peak_mjd"][0], width, EXPOSURE)
    assert np.abs(shape - mean).max() < (0.01 if smooth else 0.51)


def test_an_exposure_of_unknown_length_is_an_instant():
    batch = exposed(make_batch([60])).with_columns(exptime=np.full(60, np.nan))
    injected, truth = inject(batch, np.zeros(60, np.int64), seed=1, **LAWS)
    shape = PROFILES["flare" if truth["kind"][0] == "flare" else "gaussian"].shape
    expected = truth["amplitude"] * shape((batch.columns["mjd"] - truth["peak_mjd"]) / truth["width"])
    np.testing.assert_allclose(injected.columns["light"], np.where(expected > 1e-9, expected, 0), atol=1e-6)


def test_peaks_are_in_all_of_an_exposure_and_of_what_it_sees():
    batch = exposed(make_batch([20] * 500)).select(np.arange(500))
    alone = np.zeros(batch.n_epochs, np.int64)
    alone[np.arange(batch.n_epochs) % 20 != 10] = 1
    _, truth = inject(batch, alone, seed=1, kinds=("box",), min_epochs=1, **LAWS)
    far = (truth["peak_mjd"] - (58000 + 10 * EXPOSURE)) / EXPOSURE
    reach = 0.5 + 0.5 * truth["width"] / EXPOSURE
    assert (np.abs(far) <= 1.01 * reach).all()
    assert np.abs(far).max() > 0.6
    np.testing.assert_allclose(truth["observable_days"] / EXPOSURE, 2 * reach, rtol=2e-3)


def test_rates_of_flares_that_are_much_shorter_than_an_exposure_come_back():
    number, rate, rng = 100, 0.2, np.random.default_rng(3)
    batch = exposed(make_batch([1000] * number, seed=4, sources=[f"s{row}" for row in range(number)]))
    error = np.full(batch.n_epochs, 10.0)
    flux = rng.normal(1000.0, error)
    for row in range(number):
        part = slice(*batch.starts[row : row + 2])
        mjd = batch.columns["mjd"][part]
        for peak in rng.uniform(mjd[0], mjd[-1], rng.poisson(rate * (mjd[-1] - mjd[0]))).tolist():
            width = LAWS["width_min_days"] * 1.5 ** rng.random()
            near = np.flatnonzero(np.abs(mjd - peak) < 15 * EXPOSURE)
            height = 10.0 * LAWS["snr_min"] * 10 ** rng.random()
            flux[part.start + near] += height * mean_light("flare", mjd[near], peak, width, EXPOSURE)
    mag, magerr = 23.9 - 2.5 * np.log10(flux), 1.0857 * error / flux
    batch = batch.with_columns(flux=flux, fluxerr=error, mag=mag, magerr=magerr)
    survey = Survey([(sources_of(batch), batch)], rate, {}, 5)
    row = rate_of(survey, num_injections=10, **LAWS)
    assert row["n_detections"] > 100
    assert row["rate"] / rate == pytest.approx(1, abs=0.15)
