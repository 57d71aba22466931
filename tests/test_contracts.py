"""Answers of classes of one's own that cannot be used: one line with class, method, lightcurve and what it was."""

import numpy as np
import pandas as pd
import pytest
from make_batch import fingerprint, make_batch, put, sources_of

from vo_lib.analysis import Analysis
from vo_lib.bin_result import BinResult, check_result
from vo_lib.contracts import call
from vo_lib.errors import ConfigError, PluginError
from vo_lib.event_simulator import Simulator
from vo_lib.finder import Finder
from vo_lib.profiles import PROFILES, Profile, add_profiles
from vo_lib.quality import QUALITY_BITS
from vo_lib.quality_checker import QualityChecker

FOUND = {"first_epoch": 3, "peak_epoch": 4, "last_epoch": 5, "score": 6.0, "threshold": 5.0}
COLUMNS = {"slope": ("f8", "mag / d", "a slope"), "kind": ("U1", "", "a word"), "n": ("i8", "", "a number")}
VALUES = {"slope": 0.5, "kind": "x", "n": 3}


def own(base, columns=None, **methods):
    """Class of a user's own whose methods return what is given, or call it."""
    answers = {
        name: answer if callable(answer) else lambda self, *_, _answer=answer, **__: _answer
        for name, answer in methods.items()
    }
    extra = {} if columns is None else {"columns": columns}
    return type("Own", (base,), {"__module__": "mine"} | answers | extra)


def find(finder, batch=None):
    """Search a small batch."""
    batch = batch or make_batch([20, 20])
    return finder.find(batch, np.zeros(batch.n_epochs, np.int64)).detections


def search(**changes):
    """Answer of a search with a candidate in the second lightcurve."""
    candidate = {"lightcurve": 1, "first": 22, "peak": 23, "last": 24, "sign": 1, "score": 7.0, "threshold": 5.0}
    return {name: [value] for name, value in (candidate | {"n_epochs": 3} | changes).items()}


# Finder


def test_a_search_by_lightcurve_becomes_detections():
    found = find(own(Finder, per_lightcurve=lambda self, frame: [FOUND] if frame.attrs["source"] == "src1" else [])())
    assert found["lightcurve"].tolist() == ["src1_reduction_1"]
    assert (found["first_epoch"][0], found["peak_epoch"][0], found["n_epochs"][0]) == (3, 4, 3)
    assert found["method"].tolist() == ["Own"]


def test_the_sign_of_a_detection_is_that_of_its_peak_unless_it_is_given():
    batch = put(make_batch([20, 20]), 0, [4], flux=500.0)
    batch = put(batch, 1, [4], flux=1500.0)
    found = find(own(Finder, per_lightcurve=[FOUND])(), batch)
    assert (found["sign"].tolist(), np.sign(found["snr"]).tolist()) == ([-1, 1], [-1, 1])
    assert find(own(Finder, per_lightcurve=[FOUND | {"sign": 1}])(), batch)["sign"].tolist() == [1, 1]


def test_rows_may_have_columns_that_others_lack():
    rows = [FOUND, {**FOUND, "first_epoch": 9, "peak_epoch": 9, "last_epoch": 9, "width": 2.0, "method": "mine"}]
    found = find(own(Finder, per_lightcurve=rows)())
    assert (found["width"].tolist()[1], found["method"].tolist()[:2]) == (2.0, ["Own", "mine"])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"must return a list of dicts, got None; correct the class"),
        ([1], r"must return a list of dicts, got \[1\]"),
        ([{"score": 1}], "must return dicts with first_epoch, .* got a dict with score"),
        ([{**FOUND, "colour": 1}], "otherwise only columns of vo_lib.search.candidates, got a dict with .*colour"),
        ([{**FOUND, "last_epoch": 99}], r"in order and in the frame's index, got \[3, 4, 99\]"),
        ([{**FOUND, "first_epoch": 5}], r"in order and in the frame's index, got \[5, 4, 5\]"),
        ([{**FOUND, "peak_epoch": [4]}], r"must return peak_epoch as a whole number of 64 bits, got \[4\]"),
        ([{**FOUND, "peak_epoch": 4.0}], "must return peak_epoch as a whole number of 64 bits, got 4.0"),
        ([{**FOUND, "score": "high"}], "must return score as a number, got 'high'"),
        ([{**FOUND, "threshold": None}], "must return threshold as a number, got None"),
        ([{**FOUND, "width": np.ones(1)}], r"must return width as a number, got float64 of shape \(1,\)"),
        ([{**FOUND, "sign": 0.5}], "must return sign as a whole number of 64 bits, got 0.5"),
        ([{**FOUND, "template": 3}], "must return template as text without NUL or surrogates, got 3"),
        ([{**FOUND, "score": np.nan}], "must return a finite score, got nan"),
        ([{**FOUND, "score": 4.5}], "must return a score that reaches its threshold, got score 4.5 and threshold 5.0"),
    ],
)
def test_a_search_by_lightcurve_must_give_detections(answer, message):
    with pytest.raises(PluginError, match=r"mine:Own.per_lightcurve\(\) for lightcurve src0_reduction_0 .*" + message):
        find(own(Finder, per_lightcurve=answer)())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1], r"search\(\) must return a dict of candidates, got \[1\]"),
        ({"score": [1.0]}, r"search\(\): candidates of 'Own' lack lightcurve, first"),
        (search() | {"score": [7.0, 8.0]}, r"'Own' must have 1 numbers as score, got \[7.0, 8.0\]"),
        (
            {name: 2 * values for name, values in search().items()} | {"score": [7.0]},
            "'Own' must have 2 numbers as score",
        ),
        (search(first=22.5), r"'Own' must have 1 whole numbers as first, got \[22.5\]"),
        (search(width="wide"), r"'Own' must have 1 numbers as width, got \['wide'\]"),
        (search() | {"width": [[1], [2, 3]]}, r"'Own' must have 1 numbers as width, got \[\[1\], \[2, 3\]\]"),
        (search(template="a\0b"), r"search\(\) must return template as text without NUL or surrogates, got"),
        (search(lightcurve=2), r"search\(\) must return lightcurves from 0 to 1, got 2"),
        (search(last=40), r"for lightcurve src1_reduction_1 must return first, peak and last in order .* last 40"),
        (search(first=19), "lightcurve src1_reduction_1 .* got first 19"),
        (search(score=np.nan), "src1_reduction_1 must return a finite score, got .*score nan"),
        (search(threshold=0.0), "must return a finite threshold above 0"),
        (search(sign=0), "must return a sign of 1 or -1"),
        (search(score=4.5), "src1_reduction_1 must return a score that reaches its threshold, got .* score 4.5, thre"),
    ],
)
def test_a_search_of_a_batch_must_give_candidates_of_it(answer, message):
    with pytest.raises(PluginError, match=f"mine:Own.*{message}"):
        find(own(Finder, search=answer)())


def test_detections_may_be_changed():
    batch = put(make_batch([50]), 0, [20], flux=2000.0)
    doubled = own(Finder, make_detections=lambda self, table: table | {"amplitude": 2 * table["amplitude"]})
    np.testing.assert_allclose(find(doubled(), batch)["amplitude"], 2 * find(Finder(), batch)["amplitude"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: None, "must return a dict of the columns source, obs"),
        (
            lambda table: {name: values[:0] for name, values in table.items()},
            r"of shape \(1,\) as column source, got .*\(0,\)",
        ),
        (lambda table: table | {"score": np.array(["high"])}, "must return float of shape .* as column score, got <U4"),
        (
            lambda table: table | {"peak_epoch": np.array([3])},
            "for lightcurve src0_reduction_0 must return peak_epoch 20",
        ),
        (
            lambda table: table | {"score": np.array([4.5])},
            r"src0_reduction_0 must return a score that reaches its threshold, got score 4\.5 and threshold",
        ),
    ],
)
def test_changed_detections_must_be_of_the_same_epochs(change, message):
    batch = put(make_batch([50]), 0, [20], flux=2000.0)
    with pytest.raises(PluginError, match=message):
        find(own(Finder, make_detections=lambda self, table: change(table))(), batch)


# Quality


def test_a_check_by_lightcurve_has_a_bit_of_its_own_after_those_of_functions(monkeypatch, tmp_path):
    (tmp_path / "functions.py").write_text("def dark(batch):\n    return batch.columns['flux'] < 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    checker = own(QualityChecker, per_lightcurve=lambda self, frame: frame.index == 2)(checks=["functions:dark"])
    assessment = checker.assess(make_batch([5, 0, 4]))
    assert assessment.bits == QUALITY_BITS | {"dark": 64, "Own": 128}
    assert np.flatnonzero(assessment.qflag & 128).tolist() == [2, 7]
    table = checker.bit_table(assessment)
    assert dict(zip(table["name"], table["meaning"], strict=True))["Own"] == "by mine:Own"


def test_a_mask_with_an_index_goes_by_its_labels():
    checker = own(QualityChecker, per_lightcurve=lambda self, frame: frame.index[::-1] == 0)
    assert np.flatnonzero(checker().assess(make_batch([4])).qflag).tolist() == [3]
    sort = own(QualityChecker, per_lightcurve=lambda self, frame: frame["mjd"].sort_values(ascending=False) > 58001)
    batch = make_batch([4])
    late = np.flatnonzero(batch.columns["mjd"] > 58001)
    assert np.flatnonzero(sort().assess(batch).qflag).tolist() == late.tolist()


def test_a_check_with_the_name_of_another_is_refused():
    with pytest.raises(ConfigError, match="mine:offset has the name of another check, 'offset'; rename it"):
        type("offset", (QualityChecker,), {"__module__": "mine"})()


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (np.zeros(5), "float64 of shape"),
        (np.zeros(4, bool), r"bool of shape \(4,\)"),
        (True, r"bool of shape \(\)"),
        ([[True], [True, False]], r"object of shape \(2,\)"),
    ],
)
def test_a_check_by_lightcurve_must_give_a_mask(answer, got):
    checker = own(QualityChecker, per_lightcurve=answer)()
    message = (
        rf"Own.per_lightcurve\(\) for lightcurve src0_reduction_0 must return a bool for each of 5 epochs, got {got}"
    )
    with pytest.raises(PluginError, match=message):
        checker.assess(make_batch([5]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: None, "must return a vo_lib.quality.Assessment, got None"),
        (
            lambda found: vars(found)["qflag"].fill(512) or found,
            "lightcurve src0_reduction_0 must return only bits that it names",
        ),
        (
            lambda found: type(found)(**vars(found) | {"qflag": found.qflag[1:]}),
            r"qflag as int64 of shape \(40,\), got int64 of shape \(39,\)",
        ),
    ],
)
def test_a_check_of_a_batch_must_give_flags_of_its_epochs(change, message):
    checker = own(QualityChecker, assess=lambda self, batch, inherited=None: change(QualityChecker.assess(self, batch)))
    analysis, batch = Analysis(), make_batch([20, 20])
    analysis.quality = checker()
    with pytest.raises(PluginError, match=message):
        analysis.analyze_photometry(sources_of(batch), batch)


# Simulator


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda injected, truth: injected, "must return a pair of LightcurveBatch and truth, got"),
        (
            lambda injected, truth: (injected, {}),
            "must return a dict of the columns source, obs, .*, got a dict with nothing",
        ),
        (lambda injected, truth: (injected, truth | {"width": truth["width"][1:]}), r"of shape \(2,\) as column width"),
        (lambda injected, truth: (injected, truth | {"width": [1, [2, 3]]}), "as column width, got object of shape"),
        (
            lambda injected, truth: (injected.with_columns(extra=injected.columns["mjd"]), truth),
            "must return the columns mjd",
        ),
        (
            lambda injected, truth: (injected.table["original"].fill(7) or injected, truth),
            "for lightcurve src0_reduction_0 must return copies with all epochs of the original, got 20 epochs of l",
        ),
        (
            lambda injected, truth: (injected, {name: values[::-1] for name, values in truth.items()}),
            "must return truth in the order of the lightcurves, source src0, got src1",
        ),
        (lambda injected, truth: (injected, truth | {"kind": np.array(["nova", "box"])}), "kinds of .*, got nova"),
    ],
)
def test_injected_lightcurves_must_be_copies_with_a_truth(change, message):
    simulator = own(Simulator, inject=lambda self, *of, **seed: change(*Simulator.inject(self, *of, **seed)))
    analysis, batch = Analysis(), make_batch([20, 20])
    analysis.simulator = simulator()
    with pytest.raises(PluginError, match=r"Own.inject\(\) .*" + message):
        analysis.analyze_photometry(sources_of(batch), batch)


def _humped(x):
    """A Gaussian and a lower, wide one long after it."""
    gaussian = PROFILES["gaussian"].shape
    return gaussian(x) + 0.4 * gaussian((x - 8) / 3)


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        ("flare", PROFILES["box"], "'flare' has the name of a built-in one"),
        ("mine", np.exp, "'mine' is a ufunc, not a vo_lib.profiles.Profile"),
        ("mine", Profile(PROFILES["box"].shape, sign=-2), "'mine' has the sign -2, which must be 1 or -1"),
        ("mine", Profile(lambda x: 1.0 if abs(x) < 0.5 else 0.0), "'mine' raises ValueError for an array of times"),
        ("mine", Profile(lambda x: 2.0), "does not give a value for each time"),
        ("mine", Profile(lambda x: 2 * np.exp(-np.abs(x))), "must be finite and 1 at its peak, it is 2.0"),
        ("mine", Profile(lambda x: 0.9 * np.exp(-np.abs(x))), "must be finite and 1 at its peak, it is 0.9"),
        ("mine", Profile(lambda x: np.where(x < -1, np.nan, np.exp(-np.abs(x)))), "must be finite and 1 at its peak"),
        ("mine", Profile(lambda x: np.exp(-np.abs(x))), "has a full width at half maximum of 1.38., not 1"),
        ("mine", Profile(lambda x: PROFILES["gaussian"].shape(x / 1.05)), "has a full width at half maximum of 1.05"),
        ("mine", Profile(_humped), "rises away from its peak"),
        ("mine", Profile(lambda x: _humped(-x)), "rises away from its peak"),
        (
            "mine",
            Profile(lambda x: np.where(np.abs(x - 3) < 1, 1.0, PROFILES["box"].shape(x))),
            "rises away from its peak",
        ),
    ],
)
def test_a_profile_must_have_a_peak_and_a_width_of_1(kind, shape, message):
    before = dict(PROFILES)
    with pytest.raises(ValueError, match=message):
        add_profiles({kind: shape})
    assert before == PROFILES


# Analysis


def test_values_of_sources_are_columns_of_the_properties_that_conditions_know():
    batch = make_batch([20, 20])
    analysis = own(Analysis, COLUMNS, per_source=VALUES)(properties={"interesting": ["slope > 0 and kind == 'x'"]})
    result = check_result(analysis, sources_of(batch), analysis.analyze_photometry(sources_of(batch), batch))
    properties = result.tables["properties"]
    assert (properties["slope"].tolist(), properties["kind"].tolist(), properties["n"].tolist()) == (
        [0.5] * 2,
        ["x"] * 2,
        [3] * 2,
    )
    assert properties["interest"].tolist() == ["interesting"] * 2
    assert result.columns["properties"]["slope"] == COLUMNS["slope"]


def test_each_source_is_measured_by_its_own_row_and_lightcurves():
    def per_source(self, source, lightcurves):
        return {"who": source["name"], "where": source["ra"], "n": sum(map(len, lightcurves))}

    columns = {"who": ("U1", "", "name"), "where": ("f8", "deg", "place"), "n": ("i8", "", "epochs")}
    batch = make_batch([20, 30, 10, 5], sources=["b", "a", "c", "a"])
    sources = sources_of(batch, "Dark")
    analysis = own(Analysis, columns, per_source=per_source)()
    properties = analysis.analyze_photometry(sources, batch).tables["properties"]
    assert properties["source"].tolist() == properties["who"].tolist() == ["b", "a", "c", "Dark"]
    np.testing.assert_array_equal(properties["where"], sources["ra"])
    assert properties["n"].tolist() == [20, 35, 10, 0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (3, "must return a dict of slope, kind, n, got 3"),
        ({"slope": 1.0}, "must return a dict of slope, kind, n, got a dict with slope"),
        (VALUES | {"slope": "steep"}, "must return slope as a number, got 'steep'"),
        (VALUES | {"slope": 10**400}, "must return slope as a number, got a int"),
        (VALUES | {"n": 1.5}, "must return n as a whole number of 64 bits, got 1.5"),
        (VALUES | {"n": 2**63}, "must return n as a whole number of 64 bits, got 9223372036854775808"),
        (VALUES | {"kind": pd.Series([1])}, "must return kind as text without NUL or surrogates, got"),
        (VALUES | {"kind": "a\0b"}, r"must return kind as text without NUL or surrogates, got 'a.x00b'"),
        (VALUES | {"kind": "a\ud800"}, r"must return kind as text without NUL or surrogates, got 'a.ud800'"),
    ],
)
def test_a_source_must_have_a_value_for_each_column(answer, message):
    batch = make_batch([20])
    with pytest.raises(PluginError, match=r"mine:Own.per_source\(\) for source src0 " + message):
        own(Analysis, COLUMNS, per_source=answer)().analyze_photometry(sources_of(batch), batch)


@pytest.mark.parametrize("values", [VALUES | {"slope": np.float32(np.inf), "n": np.int8(3)}, VALUES | {"slope": True}])
def test_numbers_of_any_type_and_infinity_are_values(values):
    batch = make_batch([20])
    result = own(Analysis, COLUMNS, per_source=values)().analyze_photometry(sources_of(batch), batch)
    assert result.tables["properties"]["slope"].tolist() == [float(values["slope"])]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["slope"], r"columns must be a dict of .type, unit, meaning. by name, got \['slope'\]"),
        ({3: ("f8", "", "x")}, "'3' must be a new name for a column of the properties"),
        ({"n_epochs": ("i8", "", "x")}, "'n_epochs' must be a new name for a column of the properties"),
        ({"a": ("f8", None, "x")}, r"a must be .f8, i8 or U1, unit, meaning., got .'f8', None, 'x'."),
        ({"a": "f8"}, "a must be .*, got 'f8'"),
    ],
)
def test_columns_that_the_properties_cannot_have_are_refused_with_the_class(columns, message):
    with pytest.raises((TypeError, ValueError), match=message):
        own(Analysis, columns)


def test_an_analysis_of_a_bin_must_have_all_tables_and_sources():
    batch = make_batch([20])
    sources, plugin = sources_of(batch, "dark"), own(Analysis)()
    result = plugin.analyze_photometry(sources, batch)
    assert check_result(plugin, sources, result) is result
    with pytest.raises(PluginError, match="must return a BinResult with the tables detections, events.*, got NoneType"):
        check_result(plugin, sources, None)
    more = BinResult(result.tables | {"mine": {"x": np.zeros(1)}}, result.histograms, result.columns)
    with pytest.raises(PluginError, match="a BinResult with the columns of each table, got none of the table mine"):
        check_result(plugin, sources, more)
    fewer = BinResult(result.tables, result.histograms[1:], result.columns)
    with pytest.raises(PluginError, match="with the histograms all_scores, .*, got none named all_scores"):
        check_result(plugin, sources, fewer)
    result.tables["properties"] = {name: values[:1] for name, values in result.tables["properties"].items()}
    with pytest.raises(PluginError, match=r"for the table properties must return str of shape \(2,\) as column source"):
        check_result(plugin, sources, result)


def test_an_analysis_of_a_bin_may_have_no_lightcurves_and_no_losses_unless_they_are_to_be_saved():
    batch = make_batch([20])
    sources, plugin = sources_of(batch), own(Analysis)()
    full = plugin.analyze_photometry(sources, batch)
    tables = {name: table for name, table in full.tables.items() if name != "signal_loss"}
    columns = {name: table for name, table in full.columns.items() if name != "signal_loss"}
    result = BinResult(tables, full.histograms, columns)
    checked = check_result(plugin, sources, result)
    assert checked.tables.keys() == full.tables.keys() == checked.columns.keys()
    assert len(checked.tables["signal_loss"]["ratio"]) == 0
    assert "signal_loss" not in result.tables
    assert check_result(plugin, sources, full, saved=("processed", "simulated")) is full
    message = "must return a BinResult with a LightcurveBatch as simulated, for save_simulated is true, got None"
    with pytest.raises(PluginError, match=message):
        check_result(plugin, sources, result, saved=("simulated",))


def test_what_a_class_raises_is_one_line_with_its_place():
    class Own:
        def rows(self):
            return 1 / 0

    with pytest.raises(
        PluginError, match=r"Own.rows\(\) for it raises ZeroDivisionError: .* \(in .*test_contracts.py line"
    ):
        call(Own(), "rows", where="it")


def test_the_place_of_an_error_within_a_library_is_the_line_that_called_it():
    class Own:
        def rows(self):
            return pd.DataFrame()["nothing"]

    with pytest.raises(PluginError, match=r"raises KeyError: 'nothing' \(in .*test_contracts.py line \d+\)"):
        call(Own(), "rows")


@pytest.mark.parametrize("name", ["columns", "table", "starts", "searched", "snr"])
def test_a_search_cannot_write_to_what_it_is_given(name):
    def write(self, batch, searched, snr, noise):
        places = {"columns": batch.columns["flux"], "table": batch.table["number"], "starts": batch.starts}
        (places | {"searched": searched, "snr": snr})[name][:] = 0
        return search()

    batch = make_batch([20, 20])
    before = fingerprint(batch)
    with pytest.raises(PluginError, match=r"Own.search\(\) raises ValueError: assignment destination is read-only"):
        find(own(Finder, search=write)(), batch)
    assert fingerprint(batch) == before
