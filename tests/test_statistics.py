"""Statistics of lightcurves against numpy and scipy one by one, against light-curve, and in closed form."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from vo_lib import statistics
from vo_lib.measures.sample import PAIR_DAYS
from vo_lib.statistics import COUNT_STATISTICS, STATISTICS, measure, measure_counts

COUNTS = (12, 1, 0, 13, 2, 50, 3, 101, 400, 7)


def _lightcurves(counts=COUNTS, seed=1):
    """Uneven epochs, some of them in pairs, fluxes with a tail, unequal errors."""
    rng = np.random.default_rng(seed)
    starts = np.append(0, np.cumsum(counts))
    time = np.concatenate([np.sort(rng.uniform(58000, 58000 + 2 * n, n)) for n in counts])
    flux = rng.normal(1000, 100, starts[-1]) + rng.exponential(80, starts[-1])
    return time, flux, rng.uniform(50, 150, starts[-1]), starts


def _one(flux, error=1.0, time=None, measure=measure):
    """Statistics of one lightcurve as a dict of numbers."""
    flux = np.asarray(flux, float)
    time = np.arange(len(flux), dtype=float) if time is None else np.asarray(time, float)
    values = measure(time, flux, np.broadcast_to(np.asarray(error, float), flux.shape), np.array([0, len(flux)]))
    return {name: value[0] for name, value in values.items()}


def _stetson_j(time, residual):
    """Stetson's J by its definition: pairs of successive epochs within a day, each epoch used once."""
    terms, index = [], 0
    while index < len(time):
        if index + 1 < len(time) and time[index + 1] - time[index] <= PAIR_DAYS:
            terms.append(residual[index] * residual[index + 1])
            index += 2
        else:
            terms.append(residual[index] ** 2 - 1)
            index += 1
    return np.mean(np.sign(terms) * np.sqrt(np.abs(terms)))


def _plain(time, flux, error):
    """All statistics of one lightcurve in plain numpy and scipy."""
    n, span = len(flux), time[-1] - time[0]
    steps, dt = np.diff(flux), np.diff(time)
    q = {p: np.percentile(flux, p, method="hazen") for p in (5, 10, 12.5, 25, 37.5, 40, 50, 60, 62.5, 75, 87.5, 90, 95)}
    weight, mean, rms = error**-2, flux.mean(), flux.std(ddof=1)
    weighted = np.average(flux, weights=weight)
    residual = (flux - weighted) / error
    mad = scipy.stats.median_abs_deviation(flux, scale="normal")
    noise = np.mean(error**2)
    median_err = np.sqrt(np.pi / 2 / n) * max(mad, np.median(error))
    j, k = _stetson_j(time, residual * np.sqrt(n / (n - 1))), np.mean(np.abs(residual)) / np.sqrt(np.mean(residual**2))
    line, covariance = np.polyfit(time - 58000, flux, 1, w=1 / error, cov="unscaled")
    r, p = scipy.stats.pearsonr(time, flux)
    excess = (rms**2 - noise) / mean**2
    sums = np.cumsum(flux - mean)
    return {
        "duration": span,
        "cadence": np.median(dt),
        "longest_gap": dt.max(),
        "flux_mean": mean,
        "flux_weighted_mean": weighted,
        "flux_weighted_mean_err": weight.sum() ** -0.5,
        "flux_median": np.median(flux),
        "flux_median_err": median_err,
        "mag_median": 23.9 - 2.5 * np.log10(np.median(flux)),
        "mag_median_err": 2.5 / np.log(10) * median_err / np.median(flux),
        "error_median": np.median(error),
        "snr_median": np.median(flux / error),
        "flux_rms": rms,
        "flux_rms_robust": mad,
        "flux_amplitude": np.ptp(flux) / 2,
        **{f"flux_p{p:02d}": q[p] for p in (5, 25, 75, 95)},
        "flux_iqr": q[75] - q[25],
        "mag_amplitude": 1.25 * np.log10(q[95] / q[5]),
        "relative_width": (q[95] - q[5]) / q[50],
        "width_ratio_20": (q[60] - q[40]) / (q[95] - q[5]),
        "width_ratio_50": (q[75] - q[25]) / (q[95] - q[5]),
        "width_ratio_80": (q[90] - q[10]) / (q[95] - q[5]),
        "skewness": scipy.stats.skew(flux, bias=False),
        "kurtosis": scipy.stats.kurtosis(flux, bias=False),
        "skewness_robust": (q[75] + q[25] - 2 * q[50]) / (q[75] - q[25]),
        "kurtosis_robust": ((q[87.5] - q[62.5]) + (q[37.5] - q[12.5])) / (q[75] - q[25])
        - (scipy.stats.norm.ppf(0.875) - scipy.stats.norm.ppf(0.625)) / scipy.stats.norm.ppf(0.75),
        "beyond_1std": np.mean(np.abs(flux - mean) > rms),
        "chi2": np.sum(residual**2),
        "chi2_reduced": np.sum(residual**2) / (n - 1),
        "roms": np.sum(np.abs(flux - np.median(flux)) / error) / (n - 1),
        "poisson_factor": rms / np.sqrt(noise),
        "excess_variance": excess,
        "excess_variance_err": np.hypot(
            np.sqrt(2 / n) * noise / mean**2, np.sqrt(noise / n) * 2 * np.sqrt(max(excess, 0)) / mean
        ),
        "rms_excess": np.sqrt(max(mad**2 - np.median(error) ** 2, 0)) / np.median(flux),
        "von_neumann": np.mean(steps**2) / rms**2,
        "von_neumann_irregular": np.mean((steps / dt) ** 2) * (span / (n - 1)) ** 2 / rms**2,
        "stetson_j": j,
        "stetson_k": k,
        "stetson_l": j * k / np.sqrt(2 / np.pi),
        "cusum": np.ptp(sums) / n / rms,
        "max_slope": np.max(np.abs(steps / dt)),
        "trend": line[0],
        "trend_err": np.sqrt(covariance[0, 0]),
        "pearson_r": r,
        "pearson_p": p,
    }


@pytest.mark.parametrize("block", [1, 100, 1 << 16])
def test_all_statistics_agree_with_numpy_and_scipy(monkeypatch, block):
    monkeypatch.setattr(statistics, "_BLOCK", block)
    time, flux, error, starts = _lightcurves()
    table = measure(time, flux, error, starts)
    assert list(table) == list(STATISTICS)
    for row, (start, stop) in enumerate(pairwise(starts)):
        if stop - start >= 10:
            expected = _plain(time[start:stop], flux[start:stop], error[start:stop])
            assert expected.keys() == table.keys()
            for name, value in expected.items():
                np.testing.assert_allclose(table[name][row], value, rtol=1e-8, err_msg=name)


def test_fewer_epochs_than_the_minimum_are_nan():
    for number in range(12):
        for name, value in _one(np.arange(number) ** 2 + 1.0).items():
            assert np.isfinite(value) == (number >= STATISTICS[name].min_epochs), (name, number)


def test_no_lightcurves_and_empty_ones():
    none = np.zeros(0)
    assert {values.shape for values in measure(none, none, none, np.zeros(1, np.int64)).values()} == {(0,)}
    for values in measure(none, none, none, np.zeros(4, np.int64)).values():
        np.testing.assert_array_equal(values, [np.nan] * 3)


def test_a_constant_flux_has_no_shape_and_raises_nothing():
    row = _one(np.full(30, 0.1), 0.02)
    zero = {"flux_rms", "flux_rms_robust", "flux_amplitude", "flux_iqr", "mag_amplitude", "relative_width", "chi2"}
    zero |= {"chi2_reduced", "beyond_1std", "roms", "poisson_factor", "rms_excess", "max_slope", "trend", "stetson_j"}
    assert {name for name, value in row.items() if value == 0} == zero
    undefined = {"width_ratio_20", "width_ratio_50", "width_ratio_80", "skewness", "kurtosis", "skewness_robust"}
    undefined |= {"kurtosis_robust", "von_neumann", "von_neumann_irregular", "stetson_k", "stetson_l", "cusum"}
    assert {name for name, value in row.items() if np.isnan(value)} == undefined | {"pearson_r", "pearson_p"}
    assert row["flux_mean"] == row["flux_weighted_mean"] == row["flux_p95"] == 0.1
    # Less than no variance adds nothing to its error.
    assert row["excess_variance"] == pytest.approx(-0.04)
    assert row["excess_variance_err"] == pytest.approx(np.sqrt(2 / 30) * 0.04)


def test_missing_errors_only_spoil_what_needs_them():
    flux = np.random.default_rng(3).normal(100, 10, 40)
    row, known = _one(flux, np.nan), _one(flux, 5.0)
    needing = {name for name, value in row.items() if np.isnan(value)}
    assert needing == {"flux_weighted_mean", "flux_weighted_mean_err", "error_median", "snr_median", "chi2"} | {
        *("chi2_reduced", "roms", "poisson_factor", "excess_variance", "excess_variance_err", "rms_excess"),
        *("stetson_j", "stetson_k", "stetson_l", "trend", "trend_err"),
    }
    assert all(row[name] == known[name] for name in known.keys() - needing)
    for bad in (0.0, -1.0):
        assert np.isnan(_one(flux, bad)["chi2"])
    some = _one(flux, np.where(np.arange(40) == 7, np.nan, 5.0))
    assert {name for name, value in some.items() if np.isnan(value)} == needing - {
        *("error_median", "snr_median", "rms_excess"),
    }
    assert (some["error_median"], some["snr_median"]) == (5, np.median(np.delete(flux, 7)) / 5)


def test_negative_fluxes_are_data_without_magnitudes():
    flux = np.random.default_rng(4).normal(-100, 10, 40)
    row, mirrored = _one(flux, 10.0), _one(-flux, 10.0)
    for name in ("flux_median", "flux_weighted_mean", "relative_width", "snr_median", "skewness", "trend"):
        assert row[name] == pytest.approx(-mirrored[name]), name
    undefined = {name for name, value in row.items() if np.isnan(value)}
    assert undefined == {"mag_median", "mag_median_err", "mag_amplitude", "rms_excess"}
    assert row["chi2_reduced"] == pytest.approx(1, abs=0.6)


def test_epochs_at_one_time_have_no_slopes():
    row = _one([1.0, 2.0, 4.0, 3.0], time=np.full(4, 58000.0))
    assert (row["duration"], row["cadence"], row["max_slope"]) == (0, 0, 0)
    assert np.isnan([row[name] for name in ("trend", "trend_err", "pearson_r", "von_neumann_irregular")]).all()
    two = _one([1.0, 5.0, 4.0], time=[0.0, 0.0, 2.0])
    assert two["max_slope"] == 0.5
    assert two["von_neumann_irregular"] == pytest.approx(4 * 0.25 / np.var([1, 5, 4], ddof=1))


def test_huge_numbers_overflow_to_nan():
    row = _one(np.array([1e200, -1e200, 1e200, 3e200, 1e190] * 3))
    assert np.isnan(row["kurtosis"])
    assert row["flux_median"] == 1e200


def test_noise_has_the_values_of_noise():
    number = 200_000
    flux = np.random.default_rng(5).normal(1000, 10, number)
    row = _one(flux, 10.0, np.arange(number) * 0.1)
    expected = {"chi2_reduced": 1, "von_neumann": 2, "stetson_j": 0, "stetson_k": np.sqrt(2 / np.pi), "skewness": 0}
    expected |= {"kurtosis": 0, "skewness_robust": 0, "kurtosis_robust": 0, "beyond_1std": 0.3173, "poisson_factor": 1}
    expected |= {"width_ratio_20": 0.154, "width_ratio_50": 0.410, "width_ratio_80": 0.779, "roms": np.sqrt(2 / np.pi)}
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, abs=0.02), name
    assert abs(row["excess_variance"]) < 5 * row["excess_variance_err"]
    assert abs(row["trend"]) < 5 * row["trend_err"]
    assert row["pearson_p"] > 1e-6


def test_added_variance_and_slope_come_back_within_their_errors():
    rng = np.random.default_rng(6)
    time, starts = np.tile(np.arange(200.0), 500), np.arange(501) * 200
    flux = rng.normal(1000, 10, len(time)) + rng.normal(0, 30, len(time)) + 0.5 * time
    table = measure(time, flux, np.full(len(time), 10.0), starts)
    assert np.mean(table["trend"]) == pytest.approx(0.5, abs=5 * np.std(table["trend"]) / np.sqrt(500))
    # Only the noise of the fluxes is in the error, not that of the sampled variance.
    flat = measure(time, rng.normal(1000, 10, len(time)), np.full(len(time), 10.0), starts)
    assert np.std(flat["trend"] / flat["trend_err"]) == pytest.approx(1, abs=0.16)
    assert np.std(flat["excess_variance"] / flat["excess_variance_err"]) == pytest.approx(1, abs=0.2)
    assert np.mean(flat["pearson_p"] < 0.1) == pytest.approx(0.1, abs=0.07)
    assert np.std(flat["flux_median"]) == pytest.approx(np.mean(flat["flux_median_err"]), rel=0.2)


def test_a_sine_has_its_stetson_k_and_smooth_steps():
    row = _one(np.sin(np.arange(10_000) / 100), 0.001)
    assert row["stetson_k"] == pytest.approx(2 * np.sqrt(2) / np.pi, abs=1e-3)
    assert row["stetson_j"] > 100
    assert row["von_neumann"] < 0.001


def test_stetson_pairs_are_epochs_within_a_day_each_used_once():
    flux, error = np.array([3.0, 5.0, -1.0, 4.0, -7.0, 2.0]), 2.0
    residual = (flux - flux.mean()) / error * np.sqrt(6 / 5)
    for time, pairs in (
        ([0, 0.5, 1.0, 1.5, 2.0, 2.5], [(0, 1), (2, 3), (4, 5)]),
        ([0, 0.5, 1.5, 3.0, 9.0, 10.0], [(0, 1), (2,), (3,), (4, 5)]),
        ([0, 2, 4, 6, 8, 10], [(0,), (1,), (2,), (3,), (4,), (5,)]),
    ):
        terms = [np.prod(residual[list(pair)]) if len(pair) == 2 else residual[pair[0]] ** 2 - 1 for pair in pairs]
        expected = np.mean(np.sign(terms) * np.sqrt(np.abs(terms)))
        assert _one(flux, error, time)["stetson_j"] == pytest.approx(expected)


def test_pairs_end_with_their_lightcurve():
    time, flux, error, starts = np.zeros(4), np.array([1.0, 2.0, 5.0, 3.0]), np.ones(4), np.array([0, 1, 4])
    assert measure(time, flux, error, starts)["stetson_j"][1] == pytest.approx(
        _one(flux[1:], 1.0, time[1:])["stetson_j"]
    )


def test_inputs_stay_as_they_are():
    arrays = _lightcurves()
    before = [values.copy() for values in arrays]
    for values in arrays:
        values.setflags(write=False)
    measure(*arrays)
    np.testing.assert_equal(list(arrays), before)


def test_counts_have_the_statistics_of_earlier_tables():
    counts = np.array([4, 0, 7, 1, 3, 9, 0, 2])
    row = _one(counts, measure=lambda time, flux, _, starts: measure_counts(time, flux, starts))
    r, p = scipy.stats.pearsonr(np.arange(8), counts)
    stdev, mu = counts.std(ddof=1), np.sqrt(counts.mean())
    expected = {"total": 26, "mean": 3.25, "mu": mu, "stdev": stdev, "poisson_factor": stdev / mu}
    assert row == pytest.approx(expected | {"pearson_r": r, "pearson_p": p})
    assert list(row) == list(COUNT_STATISTICS)


def test_one_number_of_events_has_a_total_and_a_mean():
    values = measure_counts(np.zeros(1), np.array([7]), np.array([0, 1]))
    assert (values["total"][0], values["mean"][0], values["mu"][0]) == (7, 7, np.sqrt(7))
    assert {name for name in values if np.isnan(values[name][0])} == values.keys() - {"total", "mean", "mu"}


def test_counts_without_variance_or_events_are_nan_only_where_undefined():
    values = measure_counts(np.arange(8.0), np.array([5, 5, 5, 5, 0, 0, 0, 0]), np.array([0, 4, 8]))
    undefined = {name for name in values if np.isnan(values[name]).any()}
    assert undefined == {"poisson_factor", "pearson_r", "pearson_p"}
    assert values["poisson_factor"][0] == 0
    assert (values["total"].tolist(), values["stdev"].tolist()) == ([20, 0], [0, 0])


def test_poisson_factor_tells_a_variable_source():
    rng = np.random.default_rng(7)
    steady, flaring = rng.poisson(50, 1000), rng.poisson(50 + 40 * (np.arange(1000) % 100 < 10))
    values = measure_counts(np.arange(2000.0), np.concatenate([steady, flaring]), np.array([0, 1000, 2000]))
    assert values["poisson_factor"][0] == pytest.approx(1, abs=0.12)
    assert values["poisson_factor"][1] > 1.2


def test_every_statistic_is_described():
    for name, entry in (STATISTICS | COUNT_STATISTICS).items():
        assert entry.name == name
        assert len(entry.description) > 10 or name == "flux_mean"
        assert "\n" not in entry.description
        assert entry.unit in {"", "d", "uJy", "mag", "uJy/d"}
        assert entry.min_epochs >= 1
        assert not entry.reference or re.search(
            r"\b(19|20)\d\d, (doi:10\.\d{4}/|Elements of Statistics)", entry.reference
        )


def test_the_documentation_has_a_row_for_each_statistic():
    text = (Path(statistics.__file__).parent.parent / "docs" / "statistics.md").read_text(encoding="utf-8")
    for entry in STATISTICS.values():
        text_of = entry.description.replace("|", r"\|")
        row = f"| `{entry.name}` | {entry.unit} | {entry.min_epochs} | {text_of} | {entry.reference} |"
        assert row in text.splitlines(), row


# Feature of the package and its arguments, for each statistic that it has too.
LIGHT_CURVE = {
    "duration": ("Duration",),
    "longest_gap": ("MaximumTimeInterval",),
    "flux_mean": ("Mean",),
    "flux_weighted_mean": ("WeightedMean",),
    "flux_median": ("Median",),
    "flux_rms": ("StandardDeviation",),
    "flux_rms_robust": ("MedianAbsoluteDeviation",),
    "flux_amplitude": ("Amplitude",),
    "flux_iqr": ("InterPercentileRange", 0.25),
    "relative_width": ("PercentDifferenceMagnitudePercentile", 0.05),
    "width_ratio_20": ("MagnitudePercentageRatio", 0.4, 0.05),
    "width_ratio_50": ("MagnitudePercentageRatio", 0.25, 0.05),
    "width_ratio_80": ("MagnitudePercentageRatio", 0.1, 0.05),
    "skewness": ("Skew",),
    "kurtosis": ("Kurtosis",),
    "beyond_1std": ("BeyondNStd", 1.0),
    "chi2_reduced": ("ReducedChi2",),
    "roms": ("Roms",),
    "excess_variance": ("ExcessVariance",),
    "von_neumann": ("Eta",),
    "von_neumann_irregular": ("EtaE",),
    "stetson_k": ("StetsonK",),
    "cusum": ("Cusum",),
    "max_slope": ("MaximumSlope",),
    "trend": ("LinearFit",),
    "trend_err": ("LinearFit",),
}


@pytest.mark.parametrize("name", list(LIGHT_CURVE))
def test_statistics_agree_with_light_curve(name):
    package = pytest.importorskip(
        "light_curve", reason="the package light-curve is not installed, 144 MB (0.13.3 agrees)"
    )
    time, flux, error, starts = _lightcurves((12, 13, 50, 101, 400))
    values = measure(time, flux, error, starts)[name]
    kind, *arguments = LIGHT_CURVE[name]
    feature = getattr(package, kind)(*arguments)
    scale = 1.482602218505602 if name == "flux_rms_robust" else 1.0
    for value, (start, stop) in zip(values, pairwise(starts), strict=True):
        found = feature(time[start:stop], flux[start:stop], error[start:stop])[int(name == "trend_err")]
        # Fractions of quantiles are of single precision there.
        assert value == pytest.approx(scale * found, rel=2e-6)
