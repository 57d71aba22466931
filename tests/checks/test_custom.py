"""Checks of a user's own: what they may be, and what they become."""

import numpy as np
import pytest
from make_batch import freeze, make_batch

from vo_lib.batch import LightcurveBatch
from vo_lib.checks.custom import run_checks
from vo_lib.errors import ConfigError, PluginError
from vo_lib.quality import QUALITY_BITS, assess, bit_table

CHECKS = """
import numpy as np

def faint(batch):
    return batch.columns["flux"] < 990.0

def third(batch):
    place = np.arange(batch.n_epochs) - np.repeat(batch.starts[:-1], batch.counts)
    return place == 2

def short(batch):
    success = batch.counts >= 10
    return success, np.where(success, "", "Few epochs: below 10")

def nameless(batch):
    return np.zeros(batch.n_lightcurves, bool), ""

def offset(batch):
    return np.zeros(batch.n_epochs, bool)

def exptime(batch):
    return np.ones(batch.n_lightcurves, bool), ""

def numbers(batch):
    return np.zeros(batch.n_epochs)

def wrong_length(batch):
    return np.zeros(batch.n_epochs + 1, bool)

def wrong_pair(batch):
    return np.zeros(batch.n_lightcurves), ""

def nul_in_reasons(batch):
    return np.zeros(batch.n_lightcurves, bool), "a\\0b"


def ragged(batch):
    return np.zeros(batch.n_lightcurves, bool), [["a"], ["b", "c"], []]

def no_text(batch):
    return np.zeros(batch.n_lightcurves, bool), np.array([b"\\xff"] * batch.n_lightcurves)

def wrong_reasons(batch):
    return np.zeros(batch.n_lightcurves, bool), np.array(["a", "b", "c", "d"])

def writes(batch):
    batch.columns["flux"][:] = 0
    return np.zeros(batch.n_epochs, bool)

def lacks(batch):
    return batch.columns["seeing"] > 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Module with checks that can be imported, under a name of its own for each test."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(CHECKS)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_masks_become_bits_by_their_place_in_the_configuration(own):
    checks = [f"{own}:short", f"{own}:third", f"{own}:faint"]
    batch = freeze(make_batch([40, 5]))
    assessment = assess(batch, checks=checks)
    added = {"third": 128, "faint": 256}
    assert assessment.bits == QUALITY_BITS | added
    assert np.flatnonzero(assessment.qflag & 128).tolist() == [2, 42]
    np.testing.assert_array_equal((assessment.qflag & 256) > 0, batch.columns["flux"] < 990)
    table = bit_table(assessment.bits, checks)
    assert table["meaning"].tolist()[-2:] == [f"by {own}:third", f"by {own}:faint"]


def test_verdicts_are_listed_with_those_of_the_other_checks(own):
    assessment = assess(make_batch([40, 1]), checks=[f"{own}:short", f"{own}:nameless"])
    rows = zip(*(assessment.bad_data[name].tolist() for name in ("source", "check", "reason")), strict=True)
    assert list(rows) == [
        ("src0", "nameless", "nameless"),
        ("src1", "not_singular", "Singular event: all 1 epochs at MJD 58000.00000"),
        ("src1", "short", "Few epochs: below 10"),
        ("src1", "nameless", "nameless"),
    ]
    assert not assessment.qflag.any()


def test_epochs_that_one_s_own_check_finds_bad_do_not_widen_the_scatter(own):
    batch = make_batch([100], seed=2)
    flux, dec = batch.columns["flux"].copy(), batch.columns["dec"].copy()
    flux[:40], dec[:40], dec[60] = 0.0, 20.5, 20.001
    spoiled = batch.with_columns(flux=flux, dec=dec)
    assert assess(spoiled, checks=[f"{own}:faint"]).qflag[60] & QUALITY_BITS["offset"]


def test_checks_are_made_on_an_empty_batch_too(own):
    assessment = assess(LightcurveBatch.empty(), checks=[f"{own}:{name}" for name in ("faint", "third", "short")])
    assert assessment.bits.keys() - QUALITY_BITS.keys() == {"faint", "third"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("numbers", "must return a bool for each of 12 epochs, or a pair .*, got float64 of shape"),
        ("wrong_length", r"must return a bool for each of 12 epochs, .*, got bool of shape \(13,\)"),
        ("wrong_pair", "must return a bool and a text for each of 3 lightcurves, got float64"),
        ("wrong_reasons", r"for each of 3 lightcurves, got bool of shape \(3,\) and \(4,\) texts"),
        ("nul_in_reasons", r"must return reasons without NUL or surrogates, got 'a.x00b"),
        ("ragged", r"must return arrays \(setting an array element with a sequence.*\); correct the function"),
        ("no_text", r"must return arrays \('ascii' codec can't decode byte 0xff.*\); correct the function"),
        ("fant", r"has no function 'fant'; did you mean 'faint'\?"),
    ],
)
def test_what_is_no_check_is_refused(own, name, message):
    with pytest.raises(ConfigError, match=message):
        run_checks(make_batch([5, 0, 7]), [f"{own}:{name}"])


@pytest.mark.parametrize(
    ("name", "message"),
    [("writes", "ValueError: assignment destination is read-only"), ("lacks", "KeyError: 'seeing'")],
)
def test_what_a_check_raises_is_one_line_and_it_cannot_write_to_the_lightcurves(own, name, message):
    batch = make_batch([5, 7])
    with pytest.raises(PluginError, match=rf"quality.checks: {own}:{name} raises {message} \(in .*{own}.py line"):
        run_checks(batch, [f"{own}:{name}"])
    assert (batch.columns["flux"] != 0).all()


@pytest.mark.parametrize("names", [["offset"], ["exptime"], ["faint", "faint"]])
def test_two_checks_of_one_name_are_refused(own, names):
    with pytest.raises(ConfigError, match=f"{own}:{names[-1]} has the name of another check, '{names[-1]}'; rename"):
        assess(make_batch([5]), checks=[f"{own}:{name}" for name in names])
