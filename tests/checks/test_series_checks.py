"""Checks of whole lightcurves: what each finds, and that all reasons are kept."""

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put

from vo_lib.batch import LightcurveBatch
from vo_lib.checks.series_checks import BAD_DATA_COLUMNS, SERIES_CHECKS, bad_data, judge_series
from vo_lib.errors import ConfigError

SETTINGS = {"min_exptime_s": 1.0, "bad_observations": {"DEMO": ["bad-*"]}}


def _reasons(batch, check, **options):
    """Reason of each lightcurve, which is empty exactly where it succeeds."""
    success, reason = judge_series(batch, **options)[check]
    assert success.tolist() == [text == "" for text in reason.tolist()]
    return reason.tolist()


@pytest.mark.parametrize("check", SERIES_CHECKS.values(), ids=SERIES_CHECKS)
def test_every_check_gives_success_and_a_reason_for_each_lightcurve(check):
    batch = freeze(put(make_batch([30, 0, 1, 2]), 3, [0, 1], mjd=np.nan, flux=np.nan))
    before = fingerprint(batch)
    for part in (batch, LightcurveBatch.empty()):
        success, reason = check(part, SETTINGS)
        assert success.dtype == bool
        assert success.shape == reason.shape == (part.n_lightcurves,)
        np.testing.assert_array_equal(success, reason == "")
    assert fingerprint(batch) == before


def test_a_usual_lightcurve_passes_all_checks():
    assert all(success.all() for success, _ in judge_series(make_batch([30, 200])).values())


def test_lightcurves_without_measurements_have_no_events():
    batch = put(make_batch([3, 0, 3]), 2, [0, 1, 2], flux=[np.nan, np.inf, np.nan])
    empty = "No events: none of {} epochs has a time and a flux"
    assert _reasons(batch, "no_events") == ["", empty.format(0), empty.format(3)]
    assert _reasons(put(batch, 2, [1], flux=-5.0), "no_events")[2] == ""
    timeless = put(make_batch([2, 2]), 1, [0, 1], mjd=[np.nan, np.inf])
    assert _reasons(timeless, "no_events") == ["", empty.format(2)]


def test_epochs_at_one_time_are_singular():
    batch = put(make_batch([3, 1, 2, 0]), 0, [0, 1, 2], mjd=58000.25)
    batch = put(batch, 2, [0, 1], mjd=np.nan)
    singular = ["Singular event: all 3 epochs at MJD 58000.25000", "Singular event: all 1 epochs at MJD 58000.00000"]
    assert _reasons(batch, "not_singular") == [*singular, "", ""]
    assert _reasons(put(batch, 0, [2], mjd=np.inf), "not_singular") == [*singular, "", ""]


def test_counts_are_not_made_anew_for_each_lightcurve(monkeypatch):
    batch, calls, counts = make_batch([1] * 200), [], LightcurveBatch.counts.fget
    monkeypatch.setattr(LightcurveBatch, "counts", property(lambda self: calls.append(self) or counts(self)))
    reasons = _reasons(batch, "not_singular")
    assert all(reason.startswith("Singular event: all 1 epochs") for reason in reasons)
    assert len(calls) < 20


@pytest.mark.parametrize(
    ("mjd", "reason"),
    [
        ([1.0, 2.0, 3.0, 4.0], ""),
        ([1.0, 2.0, 2.0, 4.0], "Non-linear time: 1 of 3 steps are not forward"),
        ([4.0, 3.0, 2.0, 2.0], "Non-linear time: 3 of 3 steps are not forward"),
        ([1.0, np.nan, 3.0, 4.0], ""),
        ([1.0, np.inf, 3.0, 4.0], ""),
        ([3.0, np.nan, 1.0, 4.0], "Non-linear time: 1 of 2 steps are not forward"),
        ([np.nan] * 4, ""),
    ],
)
def test_times_increase(mjd, reason):
    batch = put(make_batch([0, 5, 4, 6]), 2, range(4), mjd=mjd)
    assert _reasons(batch, "linear") == ["", "", reason, ""]


def test_a_single_epoch_at_the_end_of_all_is_not_before_that_of_another_lightcurve():
    assert _reasons(make_batch([3, 1]), "linear") == ["", ""]


@pytest.mark.parametrize(
    ("exptime", "reason"),
    [
        ([0.25, 0.75], "Short Exposure: 1 s in all"),
        ([0.25, 0.76], ""),
        ([0.5, np.nan], "Short Exposure: 0.5 s in all"),
        ([np.nan, np.nan], ""),
        ([0.0, 0.0], "Short Exposure: 0 s in all"),
    ],
)
def test_the_exposure_must_be_greater_than_the_least(exptime, reason):
    batch = put(make_batch([4, 2, 0]), 1, [0, 1], exptime=exptime)
    assert _reasons(batch, "exptime") == ["", reason, ""]


def test_listed_observations_and_programmes_are_bad():
    batch = make_batch([2, 2, 2, 2])
    batch.table.update(series=np.array(["12345/X", "12346/y", "obs7", "obs7"]), obs=np.array(["A", "A", "A", "B"]))
    found = _reasons(batch, "bad_proposal", bad_observations={"A": ["12345/X*", "12346/Y", "obs?"], "C": ["*"]})
    assert found == ["Bad Proposal: 12345/X", "", "Bad Proposal: obs7", ""]
    assert not any(_reasons(batch, "bad_proposal"))


def test_header_rules_look_at_the_lightcurves_of_their_survey():
    batch = make_batch([2, 2, 2])
    batch.table.update(expflag=np.array(["NORMAL", "INTERRUPTED", "INTERRUPTED"]), obs=np.array(["A", "A", "B"]))
    batch.table["mode"] = np.array([3, 2, 3])
    rules = {"A": {"expflag": ["NORMAL"], "mode": [2]}, "B": {"mode": [3, 4]}}
    assert _reasons(batch, "header:expflag", header_rules=rules) == ["", "Bad expflag: INTERRUPTED", ""]
    assert _reasons(batch, "header:mode", header_rules=rules) == ["Bad mode: 3", "", ""]


def test_a_header_rule_on_what_lightcurves_do_not_have_is_an_error_where_they_are_there():
    batch = make_batch([2])
    with pytest.raises(ConfigError, match=r"header_rules: lightcurves have no entry 'filtre'; did you mean 'filter'\?"):
        judge_series(batch, header_rules={"DEMO": {"filtre": ["g"]}})
    assert _reasons(batch, "header:filtre", header_rules={"ZTF": {"filtre": ["g"]}}) == [""]


def test_all_reasons_of_a_lightcurve_are_kept():
    batch = put(make_batch([40, 1, 3]), 1, [0], exptime=0.5, flux=np.nan)
    table = bad_data(batch, judge_series(batch, bad_observations={"DEMO": ["1"]}))
    assert list(table) == list(BAD_DATA_COLUMNS)
    checks = ["bad_proposal", "no_events", "not_singular", "exptime", "bad_proposal", "bad_proposal"]
    assert table["check"].tolist() == checks
    assert table["source"].tolist() == ["src0", *["src1"] * 4, "src2"]
    assert table["lightcurve"].tolist() == ["src0_reduction_0", *["src1_reduction_1"] * 4, "src2_reduction_2"]
    assert table["reason"].tolist()[3] == "Short Exposure: 0.5 s in all"


def test_failures_are_in_the_order_of_lightcurves_then_checks():
    batch = make_batch([1] * 200)
    verdicts = judge_series(batch, min_exptime_s=60.0, bad_observations={"DEMO": ["1"]})
    table = bad_data(batch, verdicts)
    expected = [(key, name) for key in batch.table["key"] for name in ("not_singular", "exptime", "bad_proposal")]
    assert list(zip(table["lightcurve"], table["check"], strict=True)) == expected


def test_without_failures_the_table_is_empty():
    for batch in (make_batch([30]), LightcurveBatch.empty()):
        table = bad_data(batch, judge_series(batch))
        assert {name: (len(values), values.dtype.kind) for name, values in table.items()} == dict.fromkeys(
            BAD_DATA_COLUMNS, (0, "U")
        )
