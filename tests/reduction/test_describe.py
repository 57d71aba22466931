"""Statistics of lightcurves against plain numpy, one lightcurve at a time."""

from itertools import pairwise

import numpy as np
import pytest

from vo_lib.photometry import mag_from_flux
from vo_lib.reduction.describe import STATISTICS, describe


def _columns(mjd, flux, fluxerr, flag=0):
    """Columns that the statistics look at."""
    flux, fluxerr = np.asarray(flux, float), np.broadcast_to(np.asarray(fluxerr, float), len(flux))
    mag, magerr = mag_from_flux(flux, fluxerr)
    flag, exptime = np.broadcast_to(flag, len(flux)), np.full(len(flux), 30.0)
    return {
        "mjd": np.asarray(mjd),
        "flux": flux,
        "fluxerr": fluxerr,
        "mag": mag,
        "magerr": magerr,
        "exptime": exptime,
        "flag": flag,
    }


def _one(*args, mask=-1, **options):
    """Statistics of a single lightcurve as a dict of numbers."""
    columns = _columns(*args, **options)
    table = describe(columns, np.array([0, len(columns["mjd"])]), bad_flag_mask=mask)
    return {name: values[0] for name, values in table.items()}


def test_many_lightcurves_agree_with_numpy():
    rng = np.random.default_rng(1)
    starts = np.append(0, np.cumsum(rng.integers(1, 40, 50)))
    flux = rng.normal(20, 15, starts[-1])
    flux[rng.random(len(flux)) < 0.1] = np.nan
    flux[starts[:-1]] = 25.0
    columns = _columns(np.cumsum(rng.uniform(0, 1, len(flux))), flux, rng.uniform(1, 5, len(flux)))
    columns["exptime"] = rng.uniform(10, 90, len(flux))
    table = describe(columns, starts, bad_flag_mask=0)
    for row, (start, stop) in enumerate(pairwise(starts)):
        part = {name: values[start:stop] for name, values in columns.items()}
        flux, snr, mag = part["flux"], part["flux"] / part["fluxerr"], part["mag"]
        dmag = mag - np.nanmedian(mag)
        expected = {"n_epochs": stop - start, "n_good": np.isfinite(flux).sum(), "flux_mean": np.nanmean(flux)}
        expected |= {"flux_median": np.nanmedian(flux), "flux_min": np.nanmin(flux), "flux_max": np.nanmax(flux)}
        expected |= {"flux_rms_robust": 1.482602218505602 * np.nanmedian(np.abs(flux - np.nanmedian(flux)))}
        expected |= {"exptime": np.median(part["exptime"]), "cadence": np.nan}
        if len(flux) > 1:
            expected["cadence"] = np.median(np.diff(part["mjd"]))
        expected |= {"snr_min": np.nanmin(snr), "snr_median": np.nanmedian(snr), "snr_max": np.nanmax(snr)}
        expected |= {"mag_median": np.nanmedian(mag), "dmag_min": np.nanmin(dmag), "dmag_max": np.nanmax(dmag)}
        expected |= {"mjd_first": part["mjd"].min(), "mjd_last": part["mjd"].max(), "dmag_median": 0.0, "zp": 23.9}
        expected |= {"exptime": np.median(part["exptime"])}
        if expected["n_good"] > 1:
            expected["flux_rms"] = np.nanstd(flux, ddof=1)
        if stop - start > 1:
            expected["cadence"] = np.median(np.diff(part["mjd"]))
        for name, value in expected.items():
            np.testing.assert_allclose(table[name][row], value, rtol=1e-9, err_msg=name)


def test_all_columns_are_there_in_order():
    assert list(_one([1.0], [5.0], 1.0)) == list(STATISTICS)


def test_single_epoch():
    row = _one([58000.0], [100.0], 2.0)
    assert (row["n_epochs"], row["n_good"], row["mjd_first"], row["mjd_last"]) == (1, 1, 58000.0, 58000.0)
    assert (row["flux_median"], row["snr_max"], row["flux_rms_robust"], row["is_uniform"]) == (100.0, 50.0, 0.0, 0)
    assert np.isnan([row["cadence"], row["flux_rms"]]).all()


def test_only_epochs_with_flux_error_and_good_flag_are_good():
    row = _one(
        np.arange(6.0), [1, np.nan, 1, 1, 1, 1], [1, 1, 0, np.nan, -1, 1], flag=np.array([0, 0, 0, 0, 0, 4]), mask=4
    )
    assert (row["n_epochs"], row["n_good"]) == (6, 1)


def test_infinite_values_are_missing_ones():
    flux, fluxerr = [1.0, np.inf, 3.0, 5.0], [1.0, 1.0, 1.0, np.inf]
    infinite = _one(np.arange(4.0), flux, fluxerr, mask=0)
    missing = _one(np.arange(4.0), np.nan_to_num(flux, posinf=np.nan), np.nan_to_num(fluxerr, posinf=np.nan), mask=0)
    assert infinite == pytest.approx(missing, nan_ok=True)
    assert (infinite["n_good"], infinite["flux_max"], infinite["snr_min"]) == (2, 5.0, 1.0)


def test_flag_outside_the_mask_is_good():
    assert _one(np.arange(3.0), [1, 1, 1], 1, flag=np.array([1, 0, 4]), mask=4)["n_good"] == 2
    assert _one(np.arange(3.0), [1, 1, 1], 1, flag=np.array([1, 0, 4]), mask=-1)["n_good"] == 1


def test_sampling_is_uniform_to_one_percent():
    even = np.arange(10.0)
    assert (_one(even, even + 1, 1)["cadence"], _one(even, even + 1, 1)["is_uniform"]) == (1.0, 1)
    for shift, uniform in ((0.009, 1), (-0.009, 1), (0.011, 0), (-0.011, 0)):
        late = even.copy()
        late[-1] += shift
        assert _one(late, even + 1, 1)["is_uniform"] == uniform
    assert _one(even[:2], [1, 1], 1)["is_uniform"] == 0
    assert _one(np.zeros(4), np.ones(4), 1)["is_uniform"] == 0


def test_without_positive_flux_there_are_no_magnitudes():
    row = _one(np.arange(3.0), [-1.0, -2.0, 0.0], 1)
    assert (row["flux_median"], row["n_good"]) == (-1.0, 3)
    assert np.isnan([row[name] for name in ("mag_median", "dmag_min", "dmag_median", "dmag_max")]).all()


def test_no_values_at_all_are_nan():
    row = _one(np.arange(2.0), [np.nan, np.nan], np.nan)
    assert row["n_good"] == 0
    assert np.isnan([row[name] for name in STATISTICS if name.startswith(("flux", "snr", "dmag"))]).all()


def test_no_lightcurves():
    table = describe(_columns(np.zeros(0), [], []), np.zeros(1, np.int64), bad_flag_mask=-1)
    assert {values.shape for values in table.values()} == {(0,)}
