"""Calibrators: what they get, what they may return, and what becomes of it."""

import numpy as np
import pytest
from make_epochs import MagnitudeSurvey, PlainSurvey, make_epochs, make_sources

from vo_lib.errors import ConfigError
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.reduce import reduce_bin
from vo_lib.reduction.calibration import ZERO_POINTS, calibrator_files

CALIBRATORS = """
import numpy as np

def nothing(columns, labels, sources):
    return {}

def twice(columns, labels, sources, factor=2.0):
    return {"flux": columns["flux"] * factor, "fluxerr": columns["fluxerr"] * factor}

def fainter(columns, labels, sources):
    return {"mag": columns["mag"] + 1.0, "magerr": columns["magerr"]}

def by_label(columns, labels, sources):
    shift = np.where(labels["filter"] == "plain-r", 100.0, 0.0) + sources["mag"][labels["source"]]
    return {"flux": columns["flux"] + shift, "fluxerr": columns["fluxerr"]}

def mark(columns, labels, sources):
    return {"flag": columns["flag"] | np.where(labels["readout"] == "2", 8, 0)}

def measured(columns, labels, sources):
    return {}, {"filter": ["plain-g"], "readout": [""], "offset": [0.1], "offset_err": [0.01], "n_sources": [3]}

def writes(columns, labels, sources):
    columns["flux"] *= 2
    return {}

def number(columns, labels, sources):
    return 3.0

def time(columns, labels, sources):
    return {"mjd": columns["mjd"] + 1}

def short(columns, labels, sources):
    return {"flag": columns["flag"][1:]}

def three(columns, labels, sources):
    return {name: columns[name] for name in ("flux", "fluxerr", "mag")}

def half(columns, labels, sources):
    return {"flux": columns["flux"]}

def table(columns, labels, sources):
    return {}, {"filter": ["g"], "offset": [0.1, 0.2]}

def ragged(columns, labels, sources):
    return {"flux": [1, [2, 3]], "fluxerr": columns["fluxerr"]}

def no_flag(columns, labels, sources):
    return {"flag": columns["flux"] * np.nan}

def uncounted(columns, labels, sources):
    return {}, measured(columns, labels, sources)[1] | {"n_sources": ["three"]}
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Module with calibrators that can be imported, under a name of its own for each test."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(CALIBRATORS)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def reduced(*calibrators, data=None, survey=None, **values):
    """Reduction of two epochs of 100 uJy in g and one in r, or of other data."""
    data = make_epochs([58000.0, 58001.0, 58002.0], filter=["plain-g", "plain-g", "plain-r"]) if data is None else data
    sources = make_sources(mag=np.nan, **values)
    survey = survey or PlainSurvey()
    return reduce_bin(sources, data, [len(data)], survey, calibrators=calibrators, mag_range=None)


def test_without_calibrators_nothing_changes(own):
    plain, same = reduced(), reduced(f"{own}:nothing")
    for name, values in plain.batch.columns.items():
        np.testing.assert_array_equal(same.batch.columns[name], values)
    assert list(plain.zero_points) == list(ZERO_POINTS)
    assert len(plain.zero_points["offset"]) == 0


def test_magnitudes_follow_fluxes_and_fluxes_magnitudes(own):
    columns = reduced(f"{own}:twice").batch.columns
    np.testing.assert_allclose(columns["mag"], 18.9 - 2.5 * np.log10(2))
    columns = reduced(f"{own}:fainter", survey=MagnitudeSurvey(), data=make_epochs([58000.0], flux=18.9)).batch.columns
    np.testing.assert_allclose([columns["mag"][0], columns["flux"][0]], [19.9, 10**1.6])


def test_infinite_answers_are_missing(own):
    columns = reduced({"function": f"{own}:twice", "kwargs": {"factor": np.inf}}).batch.columns
    assert np.isnan([columns[name] for name in ("flux", "fluxerr", "mag", "magerr")]).all()


def test_each_gets_what_those_before_it_made(own):
    chain = [f"{own}:twice", {"function": f"{own}:twice", "kwargs": {"factor": 5.0}}]
    np.testing.assert_allclose(reduced(*chain).batch.columns["flux"], 1000.0)


def test_labels_tell_filter_readout_and_source(own):
    data = make_epochs([58000.0, 58001.0, 58002.0], filter=["plain-g", "plain-r", "plain-g"])
    sources = make_sources(["A", "B"], mag=[7.0, 9.0])
    batch = reduce_bin(sources, data, [2, 1], PlainSurvey(), calibrators=[f"{own}:by_label"], mag_range=None).batch
    assert batch.columns["flux"].tolist() == [107.0, 207.0, 109.0]


def test_flags_may_be_set_and_readouts_are_series_unless_a_survey_tells_them(own):
    class Fields(PlainSurvey):
        def standardise(self, data, altdata):
            return super().standardise(data, altdata) | {"readout": np.where(data["time"] > 58001, "2", "1")}

    data = make_epochs([58000.0, 58001.0, 58002.0], series=["2", "1", "1"])
    assert reduced(f"{own}:mark", data=data).batch.columns["flag"].tolist() == [0, 0, 8]
    assert reduced(f"{own}:mark", data=data, survey=Fields()).batch.columns["flag"].tolist() == [0, 8, 0]


def test_series_that_are_numbers_are_texts_for_calibrators(own):
    class Objects(PlainSurvey):
        def standardise(self, data, altdata):
            standard = super().standardise(data, altdata)
            return standard | {"series": standard["series"].astype(np.int64)}

    data = make_epochs([58000.0, 58001.0, 58002.0], series=["2", "1", "1"])
    assert reduced(f"{own}:mark", data=data, survey=Objects()).batch.columns["flag"].tolist() == [0, 0, 8]


def test_measured_zero_points_are_kept_with_the_name_of_the_calibrator(own):
    table = reduced(f"{own}:measured", f"{own}:measured").zero_points
    assert {name: values.tolist() for name, values in table.items()} == {
        "calibrator": [f"{own}:measured"] * 2,
        "filter": ["plain-g"] * 2,
        "readout": [""] * 2,
        "offset": [0.1] * 2,
        "offset_err": [0.01] * 2,
        "n_sources": [3] * 2,
    }


def test_a_bin_without_epochs_is_calibrated_too(own):
    calibrators = [f"{own}:twice", "vo_lib.calibrators:readout_offsets", "extensions.dust:deredden"]
    calibrators[2] = {"function": calibrators[2], "kwargs": {"reddening_mag": 0.1}}
    assert reduced(*calibrators, data=make_epochs([])).batch.n_lightcurves == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("writes", r"raises ValueError: output array is read-only .in .*\.py line 24.; correct it or its kwargs"),
        ("number", "must return a dict of columns, or a pair of it and a table of zero points, got float"),
        ("time", "returned 'mjd' .*; it must return some of flux, fluxerr, mag,"),
        ("short", r"returned 'flag' of shape \(2,\); it must return .* with 3 numbers each"),
        ("three", "mag and magerr must be changed together; return both"),
        ("half", "flux and fluxerr must be changed together; return both"),
        ("table", "returned zero points with filter, offset; it must return filter, readout, offset, offset_err"),
        ("ragged", r"returned values that cannot be used \(setting an array element with a sequence"),
        ("no_flag", r"returned values that cannot be used \(invalid value encountered in cast\); correct the function"),
        ("uncounted", r"returned values that cannot be used \(invalid literal for int.*'three'"),
        ("nthing", r"has no function 'nthing'; did you mean 'nothing'\?"),
    ],
)
def test_what_is_no_calibrator_is_refused(own, name, message):
    with pytest.raises(ConfigError, match=message):
        reduced(f"{own}:{name}")


def test_wrong_arguments_are_refused(own):
    with pytest.raises(ConfigError, match="twice raises TypeError: .*fctor"):
        reduced({"function": f"{own}:twice", "kwargs": {"fctor": 1}})


def test_files_of_calibrators_are_known():
    chain = ["extensions.dust:deredden", {"function": "vo_lib.calibrators:color_term"}, "extensions.dust:deredden"]
    files = calibrator_files(chain, PACKAGE_ROOT)
    assert [file.as_posix() for file in files] == ["extensions/dust.py", "vo_lib/calibrators.py"]


def test_the_example_takes_off_the_extinction():
    data = make_epochs([58000.0, 58001.0, 58002.0], filter=["plain-g", "plain-r", "plain-z"])
    entry = {"function": "extensions.dust:deredden", "kwargs": {"reddening_mag": 0.1}}
    mags = reduced(entry, data=data).batch.columns["mag"]
    np.testing.assert_allclose(mags, 18.9 - np.array([0.3303, 0.2285, 0.0]))
    np.testing.assert_allclose(reduced("extensions.dust:deredden", data=data, ebv=0.1).batch.columns["mag"], mags)
