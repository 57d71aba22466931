"""Rates of events: intervals against closed forms, counts by hand, and a survey whose rate is known."""

import numpy as np
import pytest
import scipy.stats
from make_batch import make_batch, sources_of
from make_survey import finder_section, make_survey, rate_of

from vo_lib.analysis import Analysis
from vo_lib.counts.false_detections import expected_noise, unknown_noise
from vo_lib.counts.rate_intervals import excess_interval, poisson_interval, rate_interval
from vo_lib.errors import ConfigError
from vo_lib.properties import PROPERTY_COLUMNS
from vo_lib.rates import RATE_COLUMNS, TABLES, check_classes, measure_rates
from vo_lib.search.noise_model import false_detections
from vo_lib.tables import concatenate_tables


@pytest.mark.parametrize(
    ("number", "low", "high"),
    [
        (0, 0.0, 1.841),
        (1, 0.173, 3.300),
        (2, 0.708, 4.638),
        (5, 2.840, 8.382),
        (10, 6.891, 14.267),
        (50, 42.954, 58.118),
    ],
)
def test_intervals_of_a_count_are_those_of_gehrels(number, low, high):
    """Gehrels (1986), tables 1 and 2, for one standard deviation."""
    np.testing.assert_allclose(poisson_interval(number), (low, high), atol=2e-3)


def test_intervals_of_a_count_are_quantiles_of_chi_squared():
    number = np.arange(1, 40)
    low, high = poisson_interval(number, 0.05)
    np.testing.assert_allclose(low, scipy.stats.chi2.ppf(0.05, 2 * number) / 2, rtol=1e-9)
    np.testing.assert_allclose(high, scipy.stats.chi2.ppf(0.95, 2 * number + 2) / 2, rtol=1e-9)
    assert poisson_interval(0, 0.05)[1] == pytest.approx(-np.log(0.05), rel=1e-9)


def test_with_many_injections_only_the_count_matters():
    number = np.array([0, 1, 7, 300])
    got = rate_interval(number, 50.0, 50.0**2 / 1e9)
    np.testing.assert_allclose(got, np.array(poisson_interval(number)) / 50, rtol=0.02)


@pytest.mark.parametrize("worth", [1, 5, 40])
@pytest.mark.parametrize("number", [0, 1, 7, 300])
def test_the_interval_of_a_rate_is_that_of_a_part_of_a_binomial_law(number, worth):
    """Of the events and as many equal injections of 12 days as the exposure is worth, the part that are events."""
    part = scipy.stats.binomtest(number, number + worth).proportion_ci(0.9, "exact")
    expected = [share / (1 - share) / 12 for share in (part.low, part.high)]
    np.testing.assert_allclose(rate_interval(number, 12.0 * worth, 144.0 * worth, 0.05), expected, rtol=1e-6)


def test_events_that_are_all_found_in_three_pieces_have_the_interval_of_whole_ones():
    number, days = np.array([0, 1, 7, 300]), np.array([10.0, 20.0, 90.0])
    whole = rate_interval(number, days.sum(), np.square(days).sum())
    pieces = rate_interval(3 * number, 3 * days.sum(), np.square(3 * days).sum(), clump=3.0)
    np.testing.assert_allclose(pieces, whole, rtol=1e-12)


def test_the_interval_of_a_rate_has_both_errors():
    low, high = rate_interval(400, 1000.0, 1000.0**2 / 400)
    assert (high - low) / 2 == pytest.approx(0.4 * np.sqrt(2 / 400), rel=0.05)
    assert np.isnan(rate_interval(3, 0.0, 0.0)).all()


def test_intervals_of_a_rate_hold_the_truth_as_often_as_promised():
    """Rate 0.02 per day, true exposure 250 days, estimated by injections that are worth 10 days each."""
    rng = np.random.default_rng(4)
    number, recovered = rng.poisson(5, 4000), rng.poisson(25, 4000)
    low, high = rate_interval(number, 10.0 * recovered, 100.0 * recovered)
    assert 0.68 < np.mean((low <= 0.02) & (high >= 0.02)) < 0.85
    upper = rate_interval(number, 10.0 * recovered, 100.0 * recovered, 0.05)[1]
    assert 0.95 <= np.mean(upper >= 0.02) < 0.99


def test_events_that_are_found_in_pieces_make_the_interval_wider():
    """Each of 20 events is found 1 to 7 times; the intervals of the rate of events must still hold it."""
    rng = np.random.default_rng(5)
    pieces = rng.integers(1, 8, (600, 200))
    number = np.array([row[:events].sum() for row, events in zip(pieces, rng.poisson(20, 600), strict=True)])
    low, high = rate_interval(number, 4.0, 4.0**2 / 1e4, clump=20 / 4)
    assert np.mean((low <= 20) & (high >= 20)) == pytest.approx(0.72, abs=0.07)
    low, high = rate_interval(number, 4.0, 4.0**2 / 1e4)
    assert np.mean((low <= 20) & (high >= 20)) < 0.5


def test_the_interval_less_noise_holds_the_truth_as_often_as_promised():
    """Counts of mean 6 + 20, of which the 20 are known from a count of as many lightcurves of noise."""
    rng = np.random.default_rng(6)
    number, noise = rng.poisson(26, 4000), rng.poisson(20, 4000)
    interval, rate = poisson_interval(number), number.astype(float)
    low, high = excess_interval(interval, rate, noise, np.sqrt(noise))
    assert np.mean((low <= 6) & (high >= 6)) == pytest.approx(0.7, abs=0.05)
    low, high = excess_interval(interval, rate, noise, np.zeros(4000))
    assert np.mean((low <= 6) & (high >= 6)) < 0.6


def test_for_large_numbers_the_errors_of_signal_and_noise_add_in_quadrature():
    low, high = excess_interval((10_000 - 100.0, 10_000 + 100.0), 10_000.0, 900.0, 240.0)
    np.testing.assert_allclose((low, high), (9100 - 260, 9100 + 260))
    assert excess_interval((2.0, 9.0), 5.0, 0.0, 0.0) == (2, 9)
    assert excess_interval((2.0, 9.0), 5.0, 100.0, 0.0) == (0, 0)


def test_to_take_noise_off_raises_no_end_of_an_interval_however_uncertain_the_noise_is():
    false, false_err = (values.ravel() for values in np.meshgrid([0.0, 0.5, 3.0, 8.0], [0.0, 0.5, 3.0, 20.0]))
    low, high = excess_interval((2.0, 9.0), 5.0, false, false_err)
    assert (low <= 2 + 1e-12).all()
    assert (high <= 9 + 1e-12).all()
    assert (low[false_err == 20] == 0).all()


def test_without_knowledge_of_noise_all_detections_may_be_false():
    low, high = excess_interval((np.array([2.0, np.nan]),) * 2, np.array([5.0, np.nan]), *np.full((2, 2), np.nan))
    np.testing.assert_array_equal(low, [0, np.nan])
    np.testing.assert_array_equal(high, [2, np.nan])


def _tables():
    """Three sources; the third has a lightcurve that is too short, with a detection."""
    text = {
        "source": ["a", "a", "b", "c"], "obs": ["X"] * 4, "filter": ["g", "r", "g", "g"], "lightcurve": list("1234"),
    }  # fmt: skip
    series = {name: np.array(values) for name, values in text.items()}
    series |= {"n_epochs": np.array([100, 100, 100, 12]), "n_flagged": np.array([0, 10, 0, 5])}
    series |= {name: np.full(4, 10.0) for name in ("noise", "error_median")} | {"flux_rms_robust": np.full(4, 9.0)}
    series |= {"flux_rms": np.full(4, 12.0), "poisson_factor": np.full(4, 1.2)}
    series["flux_weighted_mean_err"] = 10.0 / np.sqrt(series["n_epochs"] - series["n_flagged"])
    rows = np.array([0, 0, 0, 2, 3, 1, 0])
    detections = {name: series[name][rows] for name in text}
    detections |= {
        "first_epoch": np.array([5, 7, 40, 3, 2, 8, 60]),
        "last_epoch": np.array([8, 9, 41, 3, 2, 8, 61]),
        "sign": np.array([1, 1, -1, 1, 1, 1, 1]),
        "simulated": np.array([0, 0, 0, 0, 0, 0, 1]),
    }
    rows = np.array([0, 2, 2, 1, 0])
    injections = {name: series[name][rows] for name in text} | {
        "kind": np.array(["flare", "flare", "flare", "flare", "dip"]),
        "exposure_days": np.array([30.0, 40.0, 50.0, 60.0, 70.0]),
        "n_found": np.array([1, 0, 2, 1, 1]),
        "recovered": np.array([1, 0, 1, 1, 1]),
    }
    properties = {"source": np.array(["a", "b", "c"]), "mag": np.array([14.0, 18.0, 15.0])}
    return {"series": series, "detections": detections, "injections": injections, "properties": properties}


def promised(n_epochs, *, threshold=5.0, false_alarms=0.0, **noise):
    """False detections that are promised for lightcurves."""
    noise = {"ratio": 1.0} | noise
    return false_detections(np.array(n_epochs), threshold=threshold, false_alarms=false_alarms, **noise)


def test_rates_are_made_of_what_was_counted():
    table = measure_rates([_tables()], kinds={"flare": 1, "dip": -1})
    assert list(table) == list(RATE_COLUMNS)
    assert {name: values.dtype.kind for name, values in table.items()} == {
        name: np.dtype(kind).kind for name, (kind, *_) in RATE_COLUMNS.items()
    }
    rows = [f"{band} {kind}" for band, kind in zip(table["filter"], table["kind"], strict=True)]
    assert rows == ["g flare", "g dip", "r flare", "r dip"]
    assert table["sign"].tolist() == [1, -1, 1, -1]
    assert table["n_sources"].tolist() == [2, 2, 1, 1]
    # The first two detections share epochs; that in the short lightcurve and the simulated one do not count.
    assert table["n_detections"].tolist() == [2, 1, 1, 0]
    assert table["n_other_sign"].tolist() == [1, 2, 0, 1]
    assert table["n_injections"].tolist() == [3, 1, 1, 0]
    assert table["source_days"].tolist() == [120, 70, 60, 0]
    assert table["exposure_days"].tolist() == [80, 70, 60, 0]
    np.testing.assert_allclose(table["exposure_err"], [np.hypot(30, 50), 70, 60, 0])
    np.testing.assert_allclose(table["per_event"], [130 / 80, 1, 1, np.nan])
    np.testing.assert_allclose(table["n_false"], promised([100, 100, 90, 90]) * [2, 2, 1, 1])
    np.testing.assert_allclose(table["n_false_err"], table["n_false"] / 2)
    np.testing.assert_allclose(table["rate"][:3], [2 / 130, 1 / 70, 1 / 60], rtol=1e-3)
    assert (table["rate_low"][:3] < table["rate"][:3]).all()
    assert (table["rate"][:3] < table["rate_high"][:3]).all()
    assert (table["rate_high"][:3] < table["rate_upper"][:3]).all()
    assert all(np.isnan(table[name][3]) for name in ("rate", "rate_low", "rate_high", "rate_upper"))


def test_a_dip_that_shares_epochs_with_a_flare_is_another_detection():
    tables = _tables()
    tables["detections"]["first_epoch"][2], tables["detections"]["last_epoch"][2] = 8, 10
    table = measure_rates([tables], kinds={"flare": 1, "dip": -1})
    assert table["n_detections"].tolist() == [2, 1, 1, 0]


def test_limits_of_rates_have_the_errors_of_what_was_found():
    """Flares in g were found once in 30 days and twice in 50, by pieces; of dips one was injected and one detected."""
    table = measure_rates([_tables()], kinds={"flare": 1, "dip": -1}, threshold=None)
    flares, dips = (0, 2, 130, 130**2 / (30**2 + 100**2), (30 * 1 + 50 * 4) / 130), (1, 1, 70, 1, 1)
    for row, number, days, worth, clump in (flares, dips):
        law = scipy.stats.betaprime(number / clump + 1, worth, scale=clump * worth / days)
        assert table["rate_upper"][row] == pytest.approx(law.ppf(0.95))
        assert table["rate_high"][row] == pytest.approx(law.ppf(scipy.stats.norm.cdf(1)))
        law = scipy.stats.betaprime(number / clump, worth + 1, scale=clump * worth / days)
        assert table["rate_low"][row] == pytest.approx(law.ppf(scipy.stats.norm.cdf(-1)))


def test_lightcurves_with_as_many_good_epochs_as_are_needed_count():
    for min_epochs, n_sources, n_detections in ((8, 2, 2), (7, 3, 3)):
        table = measure_rates([_tables()], kinds={"flare": 1}, min_epochs=min_epochs)
        assert (table["n_sources"][0], table["n_detections"][0]) == (n_sources, n_detections)


def test_a_source_with_several_lightcurves_is_one_source():
    tables = _tables()
    for name in ("series", "detections"):
        tables[name]["source"] = np.where(tables[name]["source"] == "c", "b", tables[name]["source"])
    table = measure_rates([tables], kinds={"flare": 1}, min_epochs=7)
    assert (table["n_sources"].tolist(), table["n_lightcurves"].tolist()) == ([2, 1], [3, 1])


def test_surveys_whose_filters_and_lightcurves_have_the_same_names_are_told_apart():
    first, second = _tables(), _tables()
    for name in ("series", "detections", "injections"):
        second[name]["obs"] = np.full(len(second[name]["obs"]), "Y")
    second["series"] |= {"flux_rms_robust": np.full(4, 30.0), "n_flagged": np.array([95, 0, 0, 0])}
    second["detections"]["sign"] = -second["detections"]["sign"]
    both = {name: concatenate_tables([first[name], second[name]]) for name in TABLES}
    both["properties"] = first["properties"]
    options = {"kinds": {"flare": 1, "dip": -1}}
    together = measure_rates([both], **options)
    for tables, obs in ((first, "X"), (second, "Y")):
        alone = measure_rates([tables], **options)
        for name, values in alone.items():
            compare = np.testing.assert_allclose if values.dtype.kind == "f" else np.testing.assert_array_equal
            compare(together[name][together["obs"] == obs], values)


def test_classes_divide_the_sources():
    table = measure_rates([_tables()], kinds={"flare": 1}, classes={"bright": "mag < 16", "faint": "mag > 16"})
    assert [*zip(table["class"].tolist(), table["filter"].tolist(), strict=True)] == [
        ("bright", "g"),
        ("bright", "r"),
        ("faint", "g"),
        ("faint", "r"),
    ]
    assert table["n_sources"].tolist() == [1, 1, 1, 0]
    assert table["n_detections"].tolist() == [1, 1, 1, 0]
    assert table["source_days"].tolist() == [30, 60, 90, 0]


def test_one_threshold_may_be_for_each_sign():
    table = measure_rates([_tables()], kinds={"flare": 1, "dip": -1}, threshold=(4.0, np.inf))
    np.testing.assert_allclose(table["n_false"][:2], [0, 2 * promised([100], threshold=4.0)[0]])
    negative = measure_rates([_tables()], kinds={"flare": 1, "dip": -1}, threshold=(-4.0, np.inf))
    np.testing.assert_array_equal(negative["n_false"], table["n_false"])


@pytest.mark.parametrize(
    ("methods", "shapes", "threshold", "number"),
    [
        (["matched_filter"], ["flare"], None, [0.0, 1e-4]),
        (["matched_filter"], ["dip"], None, [1e-4, 0.0]),
        (["matched_filter", "peak"], ["flare", "microlens", "dip"], 5.0, [5e-5, 5e-5]),
        (["peak"], ["flare"], 5.0, [0.0, 0.0]),
    ],
)
def test_what_noise_makes_is_promised_for_the_methods_and_signs_that_are_searched(methods, shapes, threshold, number):
    section = finder_section(methods=methods)
    section["matched_filter"] = section["matched_filter"] | {"shapes": shapes}
    expected = {"threshold": threshold, "false_alarms": number, "false_from": "promised"}
    assert expected_noise(section) == expected
    if threshold is None:
        table = measure_rates([_tables()], kinds={"flare": 1, "dip": -1}, **expected)
        each = [2 * promised([100], threshold=np.inf, false_alarms=alarms)[0] for alarms in (number[1], number[0])]
        np.testing.assert_allclose(table["n_false"][:2], each)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"noise": "scatter"}, "finder.noise scatter"),
        ({"noise": "error"}, "finder.noise error"),
        ({"noise": "local"}, "finder.noise local"),
        ({"min_epochs": 2}, "finder.min_epochs"),
        ({"max_detections": 3}, "finder.max_detections"),
        ({"mask_flagged": False}, "finder.mask_flagged"),
        ({"class": "extensions.flare_probability:FlareProbability"}, "finder.class"),
    ],
)
def test_false_detections_are_unknown_and_not_none_where_nothing_is_promised(options, key):
    section = finder_section(**options)
    assert unknown_noise(section).startswith(key)
    table = measure_rates([_tables()], kinds={"flare": 1}, **expected_noise(section))
    assert np.isnan(table["n_false"]).all()
    assert set(table["n_false_from"]) == {"unknown"}
    np.testing.assert_allclose(table["rate"], [2 / 130, 1 / 60])
    assert table["rate_low"].tolist() == [0, 0]


def test_promised_and_measured_false_detections_are_taken_off():
    assert unknown_noise(finder_section()) == ""
    said = measure_rates([_tables()], kinds={"flare": 1}, **expected_noise(finder_section()))
    np.testing.assert_allclose(said["n_false"], promised([100, 90], false_alarms=5e-5) * [2, 1])
    noise = expected_noise(finder_section(noise="scatter"), measured=[0.25, 0.125])
    measured = measure_rates([_tables()], kinds={"flare": 1}, **noise)
    assert measured["n_false"].tolist() == [0.5, 0.25]
    assert measured["n_false_err"].tolist() == [0.25, 0.125]
    np.testing.assert_allclose(measured["rate"], [1.5 / 130, 0.75 / 60])
    assert (measured["rate_low"] < said["rate_low"]).all()
    np.testing.assert_array_equal(measured["rate_upper"], said["rate_upper"])


def test_measured_false_detections_may_differ_by_sign():
    noise = expected_noise(finder_section(), measured=[[0.5, 0.1], [0.25, 0.125]])
    table = measure_rates([_tables()], kinds={"flare": 1, "dip": -1}, **noise)
    assert table["n_false"].tolist() == [0.5, 1.0, 0.25, 0.5]
    assert table["n_false_err"].tolist() == [0.25, 0.2, 0.125, 0.1]
    many = measure_rates([_tables()], kinds={"flare": 1}, **expected_noise(finder_section(), measured=[5.0, 0.1]))
    assert many["rate"].tolist() == [0, 0]
    with pytest.raises(ConfigError, match=r"rates\.false_alarms must be \[number, error\] for both signs or"):
        expected_noise(finder_section(), measured=[0.5, [0.25, 0.125]])


def test_errors_that_are_too_small_are_told_by_the_scatter_of_a_filter():
    tables = _tables()
    tables["series"]["noise"] = np.array([20.0, 10.5, 20.0, 20.0])
    number = measure_rates([tables], kinds={"flare": 1})["n_false"]
    assert number[0] > 10 * measure_rates([_tables()], kinds={"flare": 1})["n_false"][0]
    assert number[1] == pytest.approx(promised([90], ratio=1.05 * 90 / 88.85)[0])


def test_errors_that_are_little_too_small_are_told_by_the_scatter_of_ten_epochs():
    """Robust scatters of ten epochs are 0.885 of the noise in the middle, here less than errors of 0.9 of the noise."""
    noise = make_batch([10] * 2000)
    batch = noise.with_columns(fluxerr=np.full(noise.n_epochs, 9.0))
    tables = Analysis(simulator={"num_injections": 0}).analyze_photometry(sources_of(batch), batch).tables
    number = measure_rates([tables], kinds={"flare": 1})["n_false"][0]
    assert number == pytest.approx(2000 * promised([10], ratio=1 / 0.9)[0], rel=0.5)


def test_errors_that_are_wrong_for_bright_sources_alone_are_told_by_these():
    quiet = make_batch([30] * 300)
    bright = np.repeat(np.arange(300) % 3 == 0, 30)
    noise = np.where(bright, 60, 10) * (quiet.columns["flux"] - 1000) / 10
    batch = quiet.with_columns(flux=1000 + noise, fluxerr=np.where(bright, 30.0, 10.0))
    tables = Analysis(simulator={"num_injections": 0}).analyze_photometry(sources_of(batch), batch).tables
    number = measure_rates([tables], kinds={"flare": 1})["n_false"][0]
    assert number == pytest.approx(100 * promised([30], ratio=2.0)[0], rel=0.3)


@pytest.mark.parametrize("n_epochs", [30, 120])
def test_trends_that_are_taken_off_are_no_noise(n_epochs):
    quiet = make_batch([n_epochs] * 100, cadence=0.25)
    trend = 40 * np.sin(2 * np.pi * quiet.columns["mjd"] / 30)
    options = {"simulator": {"num_injections": 0, "min_epochs": 5}, "detrend": {"window_days": 3.0}}
    number = []
    for batch in (quiet, quiet.with_columns(flux=quiet.columns["flux"] + trend)):
        tables = Analysis(**options).analyze_photometry(sources_of(batch), batch).tables
        number += measure_rates([tables], kinds={"flare": 1}, min_epochs=5)["n_false"].tolist()
    assert number == pytest.approx(2 * [100 * promised([n_epochs])[0]], rel=0.02)


def test_errors_that_differ_are_told_by_their_means():
    """A standard deviation of 12 and a factor of 1 are errors whose root mean square is 12; the harmonic one is 10."""
    tables = _tables()
    tables["series"] |= {"noise": np.full(4, 20.0), "poisson_factor": np.ones(4)}
    number = measure_rates([tables], kinds={"flare": 1})["n_false"]
    noise = {"ratio": 2 * 90 / 88.85, "spread": np.sqrt(np.log(1.2) / 2)}
    assert number[1] == pytest.approx(promised([90], **noise)[0])
    assert number[1] > 5 * promised([90], ratio=noise["ratio"])[0]


def test_a_class_that_is_no_condition_is_refused():
    check_classes({"bright": "mag < 16 and n_good > 10"}, PROPERTY_COLUMNS)
    with pytest.raises(ConfigError, match=r"rates\.classes\.bright: 'magnitude < 16'"):
        check_classes({"bright": "magnitude < 16"}, PROPERTY_COLUMNS)


def test_without_lightcurves_there_are_no_rates():
    tables = {key: {name: values[:0] for name, values in table.items()} for key, table in _tables().items()}
    table = measure_rates([tables], kinds={"flare": 1})
    assert {name: values.shape for name, values in table.items()} == dict.fromkeys(RATE_COLUMNS, (0,))


def test_the_rate_of_a_survey_with_known_events_comes_back():
    """Five surveys of two bins together are good to 5 %, so that an error of 20 % in the rate cannot pass."""
    ratios, within = [], 0
    for seed in range(5):
        survey = make_survey(seed, n_sources=300, n_bins=2)
        row = rate_of(survey)
        ratios.append(row["rate"] / survey.rate)
        within += row["rate_low"] <= survey.rate <= row["rate_high"]
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)
    assert within >= 2


def test_rates_of_bins_one_by_one_are_those_of_all_together():
    first, second = _tables(), _tables()
    for table in second.values():
        table |= {name: np.strings.add("other ", table[name]) for name in ("source", "lightcurve") if name in table}
    both = {name: concatenate_tables([first[name], second[name]]) for name in TABLES}
    options = {"kinds": {"flare": 1, "dip": -1}, "classes": {"dip": "mag < 16", "flare": "mag > 16"}}
    together, apart = measure_rates([both], **options), measure_rates(iter([first, second]), **options)
    for name, values in together.items():
        compare = np.testing.assert_allclose if values.dtype.kind == "f" else np.testing.assert_array_equal
        compare(apart[name], values)
    assert apart["n_sources"].sum() == 2 * measure_rates([first], **options)["n_sources"].sum() > 0


def test_bins_without_lightcurves_have_no_rates():
    table = measure_rates([], kinds={"flare": 1})
    assert list(table) == list(RATE_COLUMNS)
    assert {len(values) for values in table.values()} == {0}
