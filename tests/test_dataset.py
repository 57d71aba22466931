import copy
import hashlib

import numpy as np
import pytest
from astropy.time import Time
from matplotlib.figure import Figure

from vo_lib import hdf5
from vo_lib.dataset import Dataset, Lightcurve, RawPhotometry
from vo_lib.errors import ConfigError, UserError
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.observatories.ztf import VirtualZTF
from vo_lib.raw import Answer, write_raw

DTYPE = np.dtype([("jd", "f8"), ("band", "S2")])


@pytest.fixture
def raw_file(tmp_path):
    """A raw file with a source of two epochs and one without."""
    path = tmp_path / "DEMO_photometry_RA010.h5"
    data = np.array([(1.0, b"g"), (2.0, b"r")], DTYPE)
    answers = [
        Answer({"name": "a/b", "ra": 10.0, "dec": 0.0}, "ok", data, {"note": "x"}),
        Answer({"name": "none", "ra": 10.5, "dec": 0.0}, "empty", data[:0]),
    ]
    write_raw(path, answers, columns={"jd": ("f8", "d", "time"), "band": ("S2", "", "filter")})
    return path


def test_epochs_are_read_when_they_are_needed(raw_file):
    raw = RawPhotometry.of(raw_file, "a/b")
    assert not raw.is_loaded
    assert raw.data["jd"].tolist() == [1.0, 2.0]
    assert raw.is_loaded
    assert len(raw) == 2
    raw.unload()
    assert not raw.is_loaded
    assert raw.filekey == "a%2Fb"


def test_a_copy_reads_its_epochs_too(raw_file):
    for raw in map(copy.copy, RawPhotometry.together(raw_file, ["a%2Fb", "none"])):
        assert len(raw.data) == raw.row["n_rows"]


def test_a_source_without_data_is_empty_but_there(raw_file):
    raw = RawPhotometry.of(raw_file, "none")
    assert raw.is_empty
    assert raw.row["status"] == "empty"


def test_units_and_what_came_beside_the_data(raw_file):
    raw = RawPhotometry.of(raw_file, "a/b")
    assert raw.units == {"jd": "d", "band": ""}
    assert raw.altdata["altdata"] == {"note": "x"}
    assert raw.altdata["row"]["name"] == "a/b"


def test_listing_a_file_reads_no_epochs(raw_file):
    everything = RawPhotometry.all_in(raw_file)
    assert [raw.filekey for raw in everything] == ["a%2Fb", "none"]
    assert not any(raw.is_loaded for raw in everything)


def test_a_lightcurve_knows_its_times(tmp_path):
    with hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write("a_reduction_01_of_01", np.array([(59000.5,)], [("mjd", "f8")]))
        writer.write_table("index", {"key": np.array(["a_reduction_01_of_01"]), "n_epochs": np.array([1])})
    lightcurve = Lightcurve.all_in(tmp_path / "x.h5")[0]
    assert lightcurve.mjds.tolist() == [59000.5]
    assert lightcurve.row == {"key": "a_reduction_01_of_01", "n_epochs": 1}


def test_a_key_that_is_not_there_is_named(raw_file):
    with pytest.raises(UserError, match="has no dataset 'nobody'"):
        _ = RawPhotometry.of(raw_file, "nobody").data
    with pytest.raises(UserError, match="its index has no 'nobody'"):
        _ = Dataset(raw_file, "nobody").row


def test_a_lightcurve_is_drawn(tmp_path):
    row = (59000.5, 15.0, 0.1)
    with hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write("a_reduction_01_of_01", np.array([row], [("mjd", "f8"), ("mag", "f8"), ("magerr", "f8")]))
        index = {"key": np.array(["a_reduction_01_of_01"]), "obs": np.array(["DEMO"]), "filter": np.array(["demo-g"])}
        writer.write_table("index", index)
    axes = Lightcurve(tmp_path / "x.h5", "a_reduction_01_of_01").plot()
    assert axes.get_legend_handles_labels()[1] == ["DEMO g"]


@pytest.fixture
def reduced(tmp_path):
    """Two lightcurves of a source of the simulated survey, in memory, and its raw photometry."""
    survey = VirtualDemo(reducer={"gap": 5000})
    row = {"name": "a/b", "ra": 200.0, "dec": 30.0, "mag": 16.0, "epoch": 2016.0}
    data, altdata = survey.fetch_data_from_observatory(row)
    path = tmp_path / "DEMO_photometry_RA200.h5"
    write_raw(path, [Answer(row, "ok", data, altdata)], columns=survey.columns)
    raw = RawPhotometry.of(path, "a/b")
    return survey.reduce(raw, data_type="photometry"), raw, survey


def test_raw_photometry_is_reduced_as_by_the_workflow(reduced):
    lightcurves, raw, survey = reduced
    answer = raw.altdata
    batch = survey.reduce(answer["row"], raw.data, answer["altdata"], gap_days=5000).batch
    assert [lightcurve.filekey for lightcurve in lightcurves] == batch.table["key"].tolist()
    assert len(lightcurves) > 1
    for number, lightcurve in enumerate(lightcurves):
        np.testing.assert_array_equal(lightcurve.data["flux"], batch.lightcurve(number)["flux"])
    assert len(survey.reduce(raw, gap_days=40)) > len(lightcurves)


def test_raw_photometry_of_another_survey_is_refused(reduced):
    _, raw, _ = reduced
    with pytest.raises(UserError, match="has no column 'airmass' of ZTF; reduce it with DEMO"):
        VirtualZTF().reduce(raw)


def test_lightcurves_are_saved_and_read_again(reduced, tmp_path):
    lightcurves, *_ = reduced
    assert lightcurves[0].get_fullname() == "DEMO_photometry_RA200_reduced.h5"
    assert (lightcurves[0].units["flux"], lightcurves[0].units["cadence"]) == ("uJy", "d")
    path = tmp_path / "mine.h5"
    for lightcurve in (*lightcurves, lightcurves[0]):
        lightcurve.save(path)
    again = Lightcurve.all_in(path)
    assert sorted(one.filekey for one in again) == sorted(one.filekey for one in lightcurves)
    last = again[-1]
    np.testing.assert_array_equal(last.data["flux"], lightcurves[0].data["flux"])
    assert last.row["n_epochs"] == len(lightcurves[0])
    for one in again:
        assert "place" not in one.row
        assert one.row["digest"] == hashlib.sha256(one.data.tobytes()).hexdigest()[:16]


def test_a_lightcurve_of_a_product_is_saved_without_its_place_there(reduced, tmp_path):
    row = {"key": "a_processed_01_of_01", "n_epochs": len(reduced[0][0])}
    row |= {"digest": hashlib.sha256(reduced[0][0].data.tobytes()).hexdigest()[:16]}
    with hdf5.Writer(tmp_path / "product.h5") as writer:
        place = writer.write(row["key"], reduced[0][0].data)
        writer.write_table("index", {name: np.array([value]) for name, value in (row | {"place": place}).items()})
    (one,) = Lightcurve.all_in(tmp_path / "product.h5")
    one.save(tmp_path / "mine.h5")
    (again,) = Lightcurve.all_in(tmp_path / "mine.h5")
    assert again.row == row
    with pytest.raises(UserError, match="mine.h5: its index has other columns than this lightcurve; save it to ano"):
        reduced[0][0].save(tmp_path / "mine.h5")


def test_a_saved_lightcurve_has_the_units_of_its_epochs_of_its_row_and_of_an_analysis(reduced, tmp_path):
    path = tmp_path / "mine.h5"
    for lightcurve in reduced[0][:2]:
        lightcurve.save(path)
    wanted = {"mjd": "d", "fluxerr": "uJy", "flux_median": "uJy", "flux_raw": "uJy", "trend": "uJy", "snr": ""}
    for one in Lightcurve.all_in(path):
        assert one.units | wanted == one.units
    reduced[0][0].delete_data_from_disk()
    (left,) = Lightcurve.all_in(path)
    assert left.units | wanted == left.units


def test_lightcurves_that_stay_in_a_file_keep_their_epochs_and_rows(reduced, tmp_path):
    lightcurves, path = reduced[0], tmp_path / "mine.h5"
    for lightcurve in lightcurves:
        lightcurve.save(path)
    lightcurves[1].delete_data_from_disk()
    kept = [one for number, one in enumerate(lightcurves) if number != 1]
    again = Lightcurve.all_in(path)
    assert len(kept) > 1
    assert [one.filekey for one in again] == [one.filekey for one in kept]
    for one, was in zip(again, kept, strict=True):
        np.testing.assert_array_equal(one.data["mjd"], was.mjds)
        assert (one.row["filter"], one.row["n_epochs"]) == (was.row["filter"], len(was))


def test_lightcurves_are_taken_out_of_a_file_that_goes_with_the_last(reduced, tmp_path):
    lightcurves, path = reduced[0][:2], tmp_path / "mine.h5"
    for lightcurve in lightcurves:
        lightcurve.save(path)
    size = path.stat().st_size
    lightcurves[0].delete_data_from_disk()
    assert [one.filekey for one in Lightcurve.all_in(path)] == [lightcurves[1].filekey]
    np.testing.assert_array_equal(Lightcurve.all_in(path)[0].load()["mjd"], lightcurves[1].mjds)
    assert path.stat().st_size < size
    with pytest.raises(UserError, match="mine.h5: its index has no 'a%2Fb_reduction_01"):
        lightcurves[0].delete_data_from_disk()
    lightcurves[1].delete_data_from_disk()
    assert not path.exists()


def test_times_are_those_of_astropy(reduced):
    lightcurve = reduced[0][0]
    wanted = Time(lightcurve.mjds, format="mjd", scale="utc").datetime64.astype("datetime64[us]")
    assert np.abs((lightcurve.times - wanted).astype(int)).max() <= 1
    lightcurve.data["mjd"][0] = np.nan
    assert np.isnat(lightcurve.times[0])


def test_products_of_the_workflow_are_not_changed(reduced, tmp_path):
    with hdf5.Writer(tmp_path / "product.h5") as writer:
        writer.write_json("metadata", {"provenance": "x"})
    with pytest.raises(UserError, match="product.h5: is a product of the workflow, which must not be changed"):
        reduced[0][0].save(tmp_path / "product.h5")


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"value": "flux", "time": "date"}, ("date (UTC, mid-exposure)", "flux density (µJy)")),
        ({"period": 2.5, "epoch": 59000.0, "sigma": 3.0, "flagged": "flag"}, ("phase", "magnitude (AB)")),
    ],
)
def test_what_is_drawn_and_where_is_up_to_the_caller(reduced, options, labels):
    lightcurves, raw, _ = reduced
    for one in (lightcurves[0], raw):
        axes = Figure().add_subplot()
        assert one.plot(axes, **options) is axes
        assert axes.get_xlabel().startswith(labels[0])
        assert axes.get_ylabel() == labels[1]


def test_all_epochs_of_raw_photometry_are_drawn(reduced):
    _, raw, survey = reduced
    axes = raw.plot()
    drawn = sum(len(line.get_xdata()) for line in axes.lines)
    assert drawn == np.isfinite(survey.standardise(raw.data, raw.altdata["altdata"])["mag"]).sum()


def test_a_survey_is_told_its_name_and_takes_no_secrets(caplog):
    assert VirtualDemo(name="demo", credentials={"password": "x"}).name == "DEMO"
    assert "DEMO: credentials were given, but this survey needs none" in caplog.text
    with pytest.raises(ConfigError, match="DEMO: name must be DEMO, got 'ZTF'"):
        VirtualDemo(name="ZTF")
