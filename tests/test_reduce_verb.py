"""One source reduced from its raw file alone, by the command and by a survey's own way."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from workspace import Workspace

from vo_lib.dataset import RawPhotometry
from vo_lib.errors import PluginError
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.raw import Answer, write_raw
from vo_lib.reduction.contract import check_reduction

ROW = {"name": "my star", "ra": 45.3, "dec": 10.0, "mag": None}


@pytest.fixture
def project(tmp_path):
    """A project of the demo survey, whose data root has the raw file of one source."""
    made, survey = Workspace(tmp_path), VirtualDemo()
    made.catalog.write_text("name,ra,dec\nother,1,2\n")
    data, altdata = survey.fetch_data_from_observatory(ROW)
    made.raw = made.data_root / "DEMO" / "DEMO_photometry_RA045.h5"
    made.raw.parent.mkdir(parents=True)
    write_raw(made.raw, [Answer(ROW, "ok", data, altdata)], columns=survey.columns)
    made.expected = survey.reduce(ROW, data, altdata)
    return made


def test_a_raw_file_and_a_name_are_enough_to_reduce(project):
    raw = RawPhotometry.of(project.raw, "my star")
    got = raw.reduce(VirtualDemo())
    for name, values in project.expected.batch.columns.items():
        np.testing.assert_array_equal(got.batch.columns[name], values)
    assert got.batch.table["key"].tolist() == project.expected.batch.table["key"].tolist()


def test_the_command_shows_and_writes_the_lightcurves(project, tmp_path, capsys):
    words = ("reduce", "DEMO/DEMO_photometry_RA045.h5", "--key", "my star", "--observatory", "demo")
    assert project.vo(*words, "--output", tmp_path / "reduced.h5") == 0
    out = capsys.readouterr().out
    keys = project.expected.batch.table["key"].tolist()
    with h5py.File(tmp_path / "reduced.h5") as file:
        assert [key.decode() for key in file["index"]["key"]] == keys
        np.testing.assert_array_equal(file[keys[0]]["flux"], project.expected.batch.lightcurve(0)["flux"])
    assert all(key in out for key in keys)
    assert f"{project.expected.batch.n_epochs} in" in out
    assert project.vo(*words, "--json") == 0
    assert [row["key"] for row in json.loads(capsys.readouterr().out)] == keys


def test_what_calibrators_could_not_see_is_told(project, capsys):
    words = ("reduce", project.raw, "--key", "my star", "--observatory", "demo")
    for calibrators in ([], ["vo_lib.calibrators:readout_offsets"]):
        assert project.set("reduce.calibrators", calibrators).vo(*words) == 0
        assert ("calibrators saw only this source" in capsys.readouterr().out) == bool(calibrators)


@pytest.mark.parametrize(
    ("file", "name", "message"),
    [("none.h5", "my star", "none.h5: no such file here or in"), (None, "you", "has no dataset 'you'")],
)
def test_what_is_not_there_is_told_in_one_line(project, capsys, file, name, message):
    assert project.vo("reduce", file or project.raw, "--key", name, "--observatory", "demo") == 1
    assert message in capsys.readouterr().err


def test_epochs_of_another_file_are_not_read(project, tmp_path, capsys):
    with h5py.File(tmp_path / "theirs.h5", "w") as theirs, h5py.File(project.raw) as ours:
        for key in ("index", "metadata", "columns"):
            ours.copy(key, theirs)
        theirs["my star"] = h5py.ExternalLink(str(project.raw), "my star")
    assert project.vo("reduce", tmp_path / "theirs.h5", "--key", "my star", "--observatory", "demo") == 1
    assert "theirs.h5: 'my star' is a link to another file, which is not followed" in capsys.readouterr().err


class Whole(VirtualDemo):
    """A survey that reduces in its own way: no pause splits a lightcurve."""

    def reduce_photometry(self, sources, data, counts, *, altdata=None, **options):
        return super().reduce_photometry(sources, data, counts, altdata=altdata, **options | {"gap_days": 5000})


def test_a_survey_may_override_the_reduction_alone():
    data, altdata = Whole().fetch_data_from_observatory(ROW)
    reduction = Whole().reduce(ROW, data, altdata)
    table, usual = reduction.batch.table, VirtualDemo().reduce(ROW, data, altdata)
    assert reduction.batch.n_lightcurves == len({*zip(table["filter"], table["series"], strict=True)})
    assert reduction.batch.n_lightcurves < usual.batch.n_lightcurves
    assert check_reduction(Whole(), reduction, len(data)) is reduction


def test_a_reduction_that_loses_epochs_is_refused():
    data, altdata = Whole().fetch_data_from_observatory(ROW)
    with pytest.raises(
        PluginError, match=r"Whole\.reduce_photometry\(\) must return each of 9999 epochs once, got \d+ in"
    ):
        check_reduction(Whole(), Whole().reduce(ROW, data, altdata), 9999)
    with pytest.raises(PluginError, match=r"must return a vo_lib\.reduce\.Reduction, got None"):
        check_reduction(Whole(), None, 3)


def test_epochs_that_are_left_out_are_counted_each_and_none_may_be_there_twice():
    data, altdata = Whole().fetch_data_from_observatory(ROW)
    data["jd_start"][:5] = np.nan
    reduction = Whole().reduce(ROW, data, altdata)
    n_left, n_kept = reduction.left_out["n_epochs"].sum(), reduction.batch.n_epochs
    assert (n_left + n_kept, n_left > len(reduction.left_out["n_epochs"])) == (len(data), True)
    assert check_reduction(Whole(), reduction, len(data)) is reduction
    for n_epochs in (len(data) - 1, len(data) + 1):
        with pytest.raises(PluginError, match=f"each of {n_epochs} epochs once, got {n_kept} in .* and {n_left} in"):
            check_reduction(Whole(), reduction, n_epochs)


def test_what_only_looks_like_a_reduction_is_refused():
    data, altdata = Whole().fetch_data_from_observatory(ROW)
    alike = SimpleNamespace(**vars(Whole().reduce(ROW, data, altdata)))
    with pytest.raises(PluginError, match=r"must return a vo_lib\.reduce\.Reduction, got"):
        check_reduction(Whole(), alike, len(data))


def test_a_filter_that_the_survey_does_not_declare_is_refused():
    data, altdata = Whole().fetch_data_from_observatory(ROW)
    undeclared = type("Undeclared", (Whole,), {"filters": ("demo-g", "demo-r")})()
    with pytest.raises(PluginError, match=r"standardise\(\) must return filters .*\(demo-g, demo-r\), got 'demo-i'"):
        check_reduction(undeclared, undeclared.reduce(ROW, data, altdata), len(data))
