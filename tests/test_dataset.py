import numpy as np
import pytest

from vo_lib import hdf5
from vo_lib.dataset import Dataset, Lightcurve, RawPhotometry
from vo_lib.errors import UserError
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
