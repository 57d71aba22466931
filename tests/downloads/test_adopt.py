"""Orphan recovery: sources of forgotten files become answers, and nobody is asked for them again."""

import hashlib
import json
import re
import shutil

import h5py
import numpy as np
import pytest
from foreign_files import as_columns, write_appendable_frame, write_columns, write_compound, write_fixed_frame
from servers.irsa import IrsaServer, synthetic_answer
from servers.tap import read_cone
from workspace import Workspace

from vo_lib.dataset import RawPhotometry
from vo_lib.downloads import adopt as module
from vo_lib.downloads.adopt import ADOPTED, AMBIGUOUS, THERE, UNUSABLE, adopt
from vo_lib.downloads.matching import by_attribute, by_key, by_position, by_regex
from vo_lib.errors import ConfigError
from vo_lib.observatories.answers import read_csv_answer
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.observatories.ztf import VirtualZTF
from vo_lib.plan import read_plan
from vo_lib.planning.estimate import estimate
from vo_lib.raw import Answer, read_index, write_raw

PLACES = {"WD 1": (10.0, 20.0), "WD 2": (10.5, -3.0), "a/b": (200.0, 0.0)}


@pytest.fixture
def workspace(tmp_path):
    """A project of ZTF with three sources in two bins, whose archive notes what it is asked."""
    made = Workspace(tmp_path)
    made.catalog.write_text("name,ra,dec\n" + "".join(f"{name},{ra},{dec}\n" for name, (ra, dec) in PLACES.items()))
    with IrsaServer(synthetic_answer(*PLACES["WD 1"], objects=(("zg", 4),))) as server:
        made.config["observatories"] = {"ztf": server.parameters | {"retries": 0}}
        made.server = server
        yield made


@pytest.fixture
def demo(tmp_path):
    """A project of the demo survey with the same sources."""
    made = Workspace(tmp_path)
    made.catalog.write_text("name,ra,dec\n" + "".join(f"{name},{ra},{dec}\n" for name, (ra, dec) in PLACES.items()))
    return made


def planned(workspace):
    """Plan of a workspace as it is now."""
    workspace.save()
    return read_plan(workspace.config_file)


def epochs(name, n=5):
    """Epochs of ZTF of a source, as they would be sent; invented."""
    text = synthetic_answer(*PLACES[name], seed=len(name), objects=(("zg", n), ("zr", 2)))
    return read_csv_answer(text, VirtualZTF.columns)


def answers():
    """Epochs of ZTF of all sources."""
    return {name: epochs(name, n=4 + number) for number, name in enumerate(PLACES)}


def outcomes(found):
    """Outcome of each key."""
    return {each.key: each.outcome for each in found}


def stored(workspace, name, bin_name="RA010", obs="ZTF"):
    """What the raw archive has of a source."""
    plan = planned(workspace)
    return RawPhotometry.of(plan.data_root / plan.raw_file(obs, bin_name), name)


def files(folder):
    """Digest of all files below a folder."""
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


# What is adopted, and that nobody is asked for it


def test_the_next_run_asks_for_nothing_that_was_adopted(workspace, tmp_path, capsys):
    write_compound(tmp_path / "old.h5", {"WD 1": epochs("WD 1"), "WD 2": epochs("WD 2"), "a%2Fb": epochs("a/b")})
    assert workspace.vo("adopt", tmp_path / "old.h5", "--observatory", "ztf", "--by", "key") == 0
    assert (
        capsys.readouterr().out.splitlines()[-1] == "3 adopted, 0 already there, 0 no source, 0 ambiguous, 0 unusable"
    )
    run = workspace.run("--until", "reduce")
    assert run.status == 0, run.output
    assert workspace.server.requests == []
    assert run.jobs == {"download": 2, "reduce": 2}
    lines = workspace.product("manifests/ZTF_photometry_RA010.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["counts"] == {"ok": 2, "empty": 0, "failed": 0, "epochs": 14}
    with h5py.File(workspace.product("ZTF_photometry_RA010_reduced.h5")) as file:
        assert file["index"]["n_epochs"].sum() + file["left_out"]["n_epochs"].sum() == 14
    assert workspace.plan("--until", "reduce").jobs == {}


def test_only_what_was_not_adopted_is_asked_for(workspace, tmp_path):
    write_compound(tmp_path / "old.h5", {"WD 2": epochs("WD 2")})
    adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", by_key())
    assert estimate(planned(workspace))[0].n_asked == 2
    assert workspace.run("--until", "download").status == 0
    places = [read_cone(request["QUERY"])[2:4] for request in workspace.server.requests if "QUERY" in request]
    assert sorted(places) == [PLACES["WD 1"], PLACES["a/b"]]


def test_epochs_are_kept_as_they_are_with_where_they_are_from(workspace, tmp_path):
    write_compound(tmp_path / "old.h5", {"lc/WD 1": epochs("WD 1")})
    (found,) = adopt(planned(workspace), [tmp_path / "old.h5"], "ZTF", by_key())
    assert (found.outcome, found.name) == (ADOPTED, "WD 1")
    dataset = stored(workspace, "WD 1")
    assert dataset.data.tobytes() == epochs("WD 1").tobytes()
    assert dataset.data.dtype == epochs("WD 1").dtype
    assert dataset.units["mjd"] == "d"
    metadata = dataset.altdata
    assert metadata["row"]["ra"] == 10.0
    origin = metadata["altdata"]["adopted"]
    assert (origin["file"], origin["key"]) == (str(tmp_path / "old.h5"), "lc/WD 1")
    assert origin["time"].startswith("20")
    assert (metadata["status"], metadata["release"], metadata["fetched"]) == ("ok", "ztf_dr24", "")


@pytest.mark.parametrize("write", [write_fixed_frame, write_appendable_frame])
def test_frames_of_pandas_are_adopted(workspace, tmp_path, write):
    for name in PLACES:
        write(tmp_path / "old.h5", f"lc/{name.replace('/', '%2F')}", as_columns(epochs(name)))
    found = adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", by_key())
    assert [each.outcome for each in found] == [ADOPTED] * 3
    data, expected = stored(workspace, "a/b", "RA200").data, epochs("a/b")
    assert all(data[name].tobytes() == expected[name].tobytes() for name in expected.dtype.names)


def test_groups_of_columns_are_adopted_by_an_attribute(workspace, tmp_path):
    for number, name in enumerate(PLACES):
        write_columns(tmp_path / "old.h5", f"group {number}", as_columns(epochs(name)), star=name)
    found = adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", by_attribute("star"))
    assert [each.name for each in found] == list(PLACES)
    data = stored(workspace, "WD 1").data
    assert data["oid"].tolist() == epochs("WD 1")["oid"].tolist()


def test_sources_are_adopted_by_a_pattern_with_other_names_of_columns(workspace, tmp_path, capsys):
    data = epochs("WD 2")
    theirs = {"time" if name == "mjd" else name: values for name, values in as_columns(data).items()}
    write_columns(tmp_path / "old.h5", "field 7/lc_WD 2_v3", theirs | {"extra": np.arange(len(data))})
    words = ("adopt", tmp_path / "old.h5", "--observatory", "ztf", "--by", "regex", "lc_(?P<name>.+)_v3")
    assert workspace.vo(*words) == 1
    assert "unusable" in capsys.readouterr().out
    assert workspace.vo(*words, "--columns", "mjd=time") == 0
    kept = stored(workspace, "WD 2").data
    assert kept["mjd"].tolist() == data["mjd"].tolist()
    assert kept["extra"].tolist() == list(range(len(data)))


def test_sources_are_adopted_by_their_place(workspace, tmp_path):
    tables = {f"x{number}": data for number, data in enumerate(answers().values())}
    write_compound(tmp_path / "old.h5", tables)
    found = adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", by_position(2.0))
    assert [(each.key, each.name) for each in found] == [("x0", "WD 1"), ("x1", "WD 2"), ("x2", "a/b")]


def test_keys_may_have_a_prefix_and_a_suffix(workspace, tmp_path):
    write_compound(tmp_path / "old.h5", {"lc_WD 1.dat": epochs("WD 1"), "WD 2": epochs("WD 2")})
    words = ("--by", "key", "--prefix", "lc_", "--suffix", ".dat")
    assert workspace.vo("adopt", tmp_path / "old.h5", "--observatory", "ztf", *words) == 1
    assert stored(workspace, "WD 1").data.shape == (7,)


def test_numbers_of_64_bits_are_not_changed(workspace, tmp_path):
    data = epochs("WD 1")
    data["oid"] = 2**62 + 1
    write_compound(tmp_path / "old.h5", {"WD 1": data})
    through_float = as_columns(data) | {"oid": data["oid"].astype(float)}
    write_columns(tmp_path / "float.h5", "WD 2", through_float)
    found = adopt(planned(workspace), [tmp_path / "old.h5", tmp_path / "float.h5"], "ztf", by_key())
    assert [each.outcome for each in found] == [ADOPTED, UNUSABLE]
    assert "'oid' of type float64 cannot be int64" in found[1].reason
    assert set(stored(workspace, "WD 1").data["oid"].tolist()) == {2**62 + 1}


# Raw archives of other data roots


@pytest.fixture
def other(demo, tmp_path):
    """Raw archives of another data root, of the demo survey, in which one source has no data."""
    folder = tmp_path / "other"
    folder.mkdir()
    made = demo.beside(folder).set("data_root", str(folder / "data")).set("project", "other")
    made.data_root = folder / "data"
    made.set("observatories.demo", {"hole_ra_deg": 200, "hole_dec_deg": 0})
    run = made.run("--until", "download")
    assert run.status == 0, run.output
    demo.set("observatories.demo", {"hole_ra_deg": 200, "hole_dec_deg": 0})
    made.files = sorted((made.data_root / "DEMO").glob("*.h5"))
    return made


def test_archives_of_another_data_root_are_adopted_as_they_are(demo, other):
    before = files(other.data_root)
    found = adopt(planned(demo), other.files, "demo", by_key())
    assert outcomes(found) == dict.fromkeys(("WD 1", "WD 2", "a%2Fb"), ADOPTED)
    assert files(other.data_root) == before
    for name, bin_name in (("WD 1", "RA010"), ("a/b", "RA200")):
        mine, theirs = (stored(each, name, bin_name, "DEMO") for each in (demo, other))
        assert mine.data.tobytes() == theirs.data.tobytes()
        same = ("status", "digest", "parameters", "release", "fetched", "ra", "dec")
        assert [mine.row[key] for key in same] == [theirs.row[key] for key in same]
        assert mine.altdata["altdata"]["simulated"] is True
        assert mine.altdata["altdata"]["adopted"]["file"] == str(theirs.filename)
    assert stored(demo, "a/b", "RA200", "DEMO").row["status"] == "empty"
    assert estimate(planned(demo))[0].n_asked == 0


def test_answers_by_other_parameters_are_not_passed_off_as_those_of_the_project(demo, other):
    demo.set("observatories.demo.seed", 7)
    found = adopt(planned(demo), other.files, "demo", by_key())
    assert {each.outcome for each in found} == {UNUSABLE}
    assert "was fetched from DEMO with other parameters, or from another release" in found[0].reason
    assert not (demo.data_root / "DEMO").exists()
    demo.set("download.on_change", "keep")
    assert {each.outcome for each in adopt(planned(demo), other.files, "demo", by_key())} == {ADOPTED}
    assert stored(demo, "WD 1", obs="DEMO").row["parameters"] == stored(other, "WD 1", obs="DEMO").row["parameters"]
    assert estimate(planned(demo))[0].n_asked == 0


def test_a_name_that_was_another_place_is_not_adopted(demo, other):
    demo.catalog.write_text(demo.catalog.read_text().replace("WD 1,10.0,20.0", "WD 1,10.0,20.001"))
    found = adopt(planned(demo), other.files, "demo", by_key())
    assert outcomes(found) == {"WD 1": UNUSABLE, "WD 2": ADOPTED, "a%2Fb": ADOPTED}
    assert found[0].reason == "was fetched for a position 3.6 arcsec from that of 'WD 1' in the catalog"


def test_an_archive_whose_epochs_changed_is_damaged(demo, other):
    with h5py.File(other.files[0], "r+") as file:
        rows = file["WD 1"][:]
        rows["mag"][0] += 1
        file["WD 1"][:] = rows
    assert outcomes(adopt(planned(demo), other.files, "demo", by_key()))["WD 1"] == UNUSABLE


def test_a_download_that_failed_elsewhere_is_no_answer(demo, other):
    file = next(path for path in other.files if "WD 1" in read_index(path))
    asked = read_index(file)["WD 1"]["parameters"]
    row = {"name": "WD 1", "ra": 10.0, "dec": 20.0}
    failed = Answer(row, "failed", np.zeros(0, [("mag", "f8")]), parameters=asked, reason="HTTP 503")
    write_raw(file, [failed], columns=VirtualDemo.columns)
    (found,) = [each for each in adopt(planned(demo), other.files, "demo", by_key()) if each.key == "WD 1"]
    assert (found.outcome, found.reason) == (UNUSABLE, "its download failed")


def test_an_archive_of_another_survey_is_refused(workspace, other):
    workspace.config["observatories"] = {"ztf": None}
    found = adopt(planned(workspace), other.files, "ztf", by_key())
    assert {each.outcome for each in found} == {UNUSABLE}


@pytest.fixture(scope="module")
def lost(tmp_path_factory):
    """A project that was run, whose folder and database were then deleted, and that was run again."""
    made = Workspace(tmp_path_factory.mktemp("lost"))
    made.catalog.write_text("name,ra,dec\na,10.0,20.0\nb,200.0,0.0\n")
    with IrsaServer(synthetic_answer(10.0, 20.0, objects=(("zg", 40),))) as server:
        made.config["observatories"] = {"ztf": server.parameters}
        first = made.run()
        assert first.status == 0, first.output
        made.n_first = len(server.requests)
        made.rows_first = json.loads(made.product("database.json").read_text())["rows"]
        shutil.rmtree(made.product(""))
        shutil.rmtree(made.data_root / "database")
        made.second = made.run()
        made.n_second = len(server.requests) - made.n_first
    return made


def test_a_project_whose_folder_and_database_are_gone_is_made_again_without_a_request(lost):
    assert lost.second.status == 0, lost.second.output
    assert (lost.n_first > 0, lost.n_second) == (True, 0)
    assert lost.second.jobs["download"] == 2
    assert json.loads(lost.product("database.json").read_text())["rows"] == lost.rows_first


# What is not adopted


def test_an_answer_that_is_there_is_kept_unless_told(workspace, tmp_path):
    write_compound(tmp_path / "old.h5", {"WD 1": epochs("WD 1", n=3)})
    write_compound(tmp_path / "new.h5", {"WD 1": epochs("WD 1", n=9)})
    plan = planned(workspace)
    adopt(plan, [tmp_path / "old.h5"], "ztf", by_key())
    before = files(plan.data_root)
    (found,) = adopt(plan, [tmp_path / "new.h5"], "ztf", by_key())
    assert found.outcome == THERE
    assert files(plan.data_root) == before
    assert workspace.vo("adopt", tmp_path / "new.h5", "--observatory", "ztf", "--by", "key") == 0
    assert workspace.vo("adopt", tmp_path / "new.h5", "--observatory", "ztf", "--by", "key", "--replace") == 0
    assert len(stored(workspace, "WD 1").data) == 11


def test_other_sources_of_an_archive_stay(workspace, tmp_path):
    write_compound(tmp_path / "one.h5", {"WD 1": epochs("WD 1")})
    write_compound(tmp_path / "two.h5", {"WD 2": epochs("WD 2")})
    plan = planned(workspace)
    for file in ("one.h5", "two.h5"):
        adopt(plan, [tmp_path / file], "ztf", by_key())
    assert sorted(read_index(plan.data_root / plan.raw_file("ZTF", "RA010"))) == ["WD 1", "WD 2"]
    assert stored(workspace, "WD 1").data.tobytes() == epochs("WD 1").tobytes()


def test_a_failed_download_is_no_answer(workspace, tmp_path):
    workspace.config["observatories"]["ztf"] |= {"url": "http://127.0.0.1:1/x", "tap_url": "http://127.0.0.1:1/x"}
    assert workspace.run("--until", "download").status != 0
    assert stored(workspace, "WD 1").row["status"] == "failed"
    write_compound(tmp_path / "old.h5", {"WD 1": epochs("WD 1")})
    (found,) = adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", by_key())
    assert found.outcome == ADOPTED
    assert stored(workspace, "WD 1").row["status"] == "ok"


def test_two_tables_of_one_source_are_ambiguous_unless_they_are_the_same(workspace, tmp_path):
    twice = {"g/WD 1": epochs("WD 1", n=3), "r/WD 1": epochs("WD 1", n=8)}
    write_compound(tmp_path / "a.h5", twice | {"WD 2": epochs("WD 2")})
    write_compound(tmp_path / "b.h5", {"WD 2": epochs("WD 2"), "a%2Fb": epochs("a/b")})
    found = adopt(planned(workspace), [tmp_path / "a.h5", tmp_path / "b.h5"], "ztf", by_key())
    assert [(each.key, each.outcome) for each in found] == [
        ("WD 2", ADOPTED),
        ("g/WD 1", AMBIGUOUS),
        ("r/WD 1", AMBIGUOUS),
        ("WD 2", THERE),
        ("a%2Fb", ADOPTED),
    ]
    assert "has different epochs of 'WD 1' than" in found[1].reason
    plan = planned(workspace)
    assert sorted(read_index(plan.data_root / plan.raw_file("ZTF", "RA010"))) == ["WD 2"]


def test_columns_that_are_a_group_and_a_compound_dataset_too_are_ambiguous(workspace, tmp_path, capsys):
    write_columns(tmp_path / "a.h5", "WD 1", as_columns(epochs("WD 1")))
    write_compound(tmp_path / "a.h5", {"WD 1/table": epochs("WD 1", n=3), "WD 2": epochs("WD 2")})
    assert workspace.vo("adopt", tmp_path / "a.h5", "--observatory", "ztf", "--by", "key") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 adopted, 0 already there, 0 no source, 2 ambiguous, 0 unusable"
    for key, other in (("WD 1", "WD 1/table"), ("WD 1/table", "WD 1")):
        reason = f"a.h5: {key}: has columns of the same names as {other}, one being a group of columns and the other a"
        assert sum(line.startswith("ambiguous") and reason in line for line in lines) == 1


def test_a_dataset_of_several_dimensions_is_not_said_to_have_no_rows(workspace, tmp_path):
    write_compound(tmp_path / "a.h5", {"WD 1": epochs("WD 1").reshape(1, -1)})
    (found,) = adopt(planned(workspace), [tmp_path / "a.h5"], "ztf", by_key())
    assert (found.outcome, found.reason) == ("unusable", "has no columns of single values")


def test_what_is_not_adopted_is_listed_in_a_line_each_and_the_rest_is_adopted(workspace, tmp_path, capsys):
    write_compound(tmp_path / "good.h5", {"WD 1": epochs("WD 1"), "WD 9": epochs("WD 1")})
    write_compound(tmp_path / "bad.h5", {"WD 2": epochs("WD 2")[["oid", "mjd"]], "a%2Fb": epochs("a/b")[:0]})
    (tmp_path / "alien.h5").write_text("not\nHDF5")
    shutil.copy(tmp_path / "good.h5", tmp_path / "cut.h5")
    with open(tmp_path / "cut.h5", "r+b") as file:
        file.truncate((tmp_path / "good.h5").stat().st_size // 2)
    with h5py.File(tmp_path / "nothing.h5", "w") as file:
        file["number"] = 3
    names = ["good.h5", "bad.h5", "alien.h5", "cut.h5", "gone.h5", "nothing.h5"]
    before = files(tmp_path)
    status = workspace.vo("adopt", *(tmp_path / name for name in names), "--observatory", "ztf", "--by", "key")
    out, err = capsys.readouterr()
    assert (status, err) == (1, "")
    lines = out.splitlines()
    assert lines[-1] == "1 adopted, 0 already there, 1 no source, 0 ambiguous, 6 unusable"
    assert len(lines) == 9
    expected = {
        "good.h5: WD 1: 'WD 1'": "adopted",
        "good.h5: WD 9: the catalog has no source with this key": "no source",
        "bad.h5: WD 2: has no column 'expid' (it has oid, mjd); use --columns expid=THEIRS": "unusable",
        "bad.h5: a%2Fb: has no rows, which does not prove that the survey has no data": "unusable",
        "alien.h5: not a readable HDF5 file": "unusable",
        "cut.h5: not a readable HDF5 file": "unusable",
        "gone.h5: not a readable HDF5 file": "unusable",
        "nothing.h5: has no table of a source": "unusable",
    }
    for text, outcome in expected.items():
        assert any(f"{tmp_path}/{text}" in line and line.startswith(outcome) for line in lines), text
    assert {path: digest for path, digest in files(tmp_path).items() if path in before and path.suffix == ".h5"} == {
        path: digest for path, digest in before.items() if path.suffix == ".h5"
    }


def test_links_to_other_files_are_not_followed(workspace, tmp_path):
    write_compound(tmp_path / "good.h5", {"WD 1": epochs("WD 1")})
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file["WD 2"] = h5py.ExternalLink(tmp_path / "good.h5", "WD 1")
    bad, good = adopt(planned(workspace), [tmp_path / "bad.h5", tmp_path / "good.h5"], "ztf", by_key())
    assert (bad.outcome, bad.file.name) == (UNUSABLE, "bad.h5")
    assert "'WD 2' is a link to another file, which is not followed" in bad.reason
    assert good.outcome == ADOPTED


def test_files_that_are_not_there_are_told_in_one_line(workspace, tmp_path, capsys):
    gone = str(tmp_path / "gone.h5")
    assert workspace.vo("adopt", gone, "--observatory", "ztf", "--by", "key") == 1
    assert capsys.readouterr().err == f"vo adopt: {gone}: no such file; give HDF5 files to adopt sources from\n"


def test_a_file_that_is_not_there_does_not_stop_those_after_it(workspace, tmp_path):
    write_compound(tmp_path / "good.h5", {"WD 1": epochs("WD 1")})
    gone, good = adopt(planned(workspace), [tmp_path / "gone.h5", tmp_path / "good.h5"], "ztf", by_key())
    assert (gone.outcome, gone.file.name, good.outcome) == (UNUSABLE, "gone.h5", ADOPTED)


def test_a_file_that_is_named_twice_is_read_once(workspace, tmp_path):
    write_compound(tmp_path / "good.h5", {"WD 1": epochs("WD 1")})
    (found,) = adopt(planned(workspace), [tmp_path / "good.h5"] * 2, "ztf", by_key())
    assert found.outcome == ADOPTED


def test_outcomes_as_json_are_an_object_for_each_table(workspace, tmp_path, capsys):
    write_compound(tmp_path / "good.h5", {"WD 1": epochs("WD 1"), "WD 9": epochs("WD 1")})
    assert workspace.vo("adopt", tmp_path / "good.h5", "--observatory", "ztf", "--by", "key", "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [(each["key"], each["outcome"], each["name"]) for each in found] == [
        ("WD 1", "adopted", "WD 1"),
        ("WD 9", "no source", ""),
    ]


@pytest.mark.parametrize("match", [by_key(), by_regex("(?P<name>.+)")])
def test_a_table_of_another_place_is_not_taken_for_a_source_by_its_name(workspace, tmp_path, match):
    write_compound(tmp_path / "old.h5", {"WD 1": epochs("WD 2"), "WD 2": epochs("WD 2")})
    found = adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", match)
    assert outcomes(found) == {"WD 1": UNUSABLE, "WD 2": ADOPTED}
    assert re.fullmatch(r"has epochs \d+\.\d arcsec from 'WD 1' in the catalog", found[0].reason)
    assert 0 < stored(workspace, "WD 2").altdata["altdata"]["adopted"]["separation_arcsec"] < 0.5


@pytest.mark.parametrize(
    ("columns", "what"), [(["ra"], "position"), (["ra", "dec"], "position"), (["mjd"], "time"), (["mag"], "flux")]
)
@pytest.mark.parametrize("match", [by_key(), by_regex("(?P<name>WD 1)")])
def test_a_table_without_positions_times_or_magnitudes_is_not_adopted(workspace, tmp_path, match, columns, what):
    data = epochs("WD 1")
    for name in columns:
        data[name] = np.nan
    write_compound(tmp_path / "nan.h5", {"WD 1": data})
    (found,) = adopt(planned(workspace), [tmp_path / "nan.h5"], "ztf", match)
    assert (found.outcome, found.file, found.key) == (UNUSABLE, tmp_path / "nan.h5", "WD 1")
    assert found.reason.startswith(f"has 7 epochs, but none with a {what};")
    assert not list(tmp_path.rglob("ZTF_photometry*.h5"))


def test_epochs_without_a_value_are_adopted_beside_good_ones(workspace, tmp_path):
    data = epochs("WD 1")
    data["ra"][0] = data["mag"][1] = data["mjd"][2] = np.nan
    write_compound(tmp_path / "some.h5", {"WD 1": data})
    assert [each.outcome for each in adopt(planned(workspace), [tmp_path / "some.h5"], "ztf", by_key())] == [ADOPTED]


def test_a_filter_that_the_survey_has_not_makes_a_table_unusable(workspace, tmp_path):
    data = epochs("WD 1")
    data["filtercode"][0] = b"zq"
    write_compound(tmp_path / "old.h5", {"WD 1": data})
    (found,) = adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", by_key())
    assert (found.outcome, "'zq' is not known" in found.reason) == (UNUSABLE, True)


def test_text_that_is_not_utf_8_makes_a_table_unusable(workspace, tmp_path):
    data = epochs("WD 1")
    data["filtercode"][0] = b"\xff"
    write_compound(tmp_path / "old.h5", {"WD 1": data})
    (found,) = adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", by_key())
    assert (found.outcome, "has values that ZTF does not send" in found.reason) == (UNUSABLE, True)


def test_a_damaged_raw_archive_is_left_alone_and_named(workspace, tmp_path):
    plan = planned(workspace)
    path = plan.data_root / plan.raw_file("ZTF", "RA010")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")
    write_compound(tmp_path / "old.h5", {"WD 1": epochs("WD 1"), "a%2Fb": epochs("a/b")})
    found = adopt(plan, [tmp_path / "old.h5"], "ztf", by_key())
    assert outcomes(found) == {"WD 1": UNUSABLE, "a%2Fb": ADOPTED}
    assert str(path) in found[0].reason
    assert path.read_bytes() == b"damaged"


def test_an_adoption_that_breaks_leaves_the_archive_as_it_was(workspace, tmp_path, monkeypatch):
    write_compound(tmp_path / "old.h5", {"WD 1": epochs("WD 1")})
    write_compound(tmp_path / "new.h5", {"WD 1": epochs("WD 1", n=9), "WD 2": epochs("WD 2")})
    plan = planned(workspace)
    adopt(plan, [tmp_path / "old.h5"], "ztf", by_key())
    before = files(plan.data_root)
    read = module._Adoption._answers

    def read_one(self, wanted):
        yield next(read(self, wanted))
        raise OSError("the disk is gone")

    monkeypatch.setattr(module._Adoption, "_answers", read_one)
    with pytest.raises(OSError, match="the disk is gone"):
        adopt(plan, [tmp_path / "new.h5"], "ztf", by_key(), replace_known=True)
    assert files(plan.data_root) == before


def test_bins_of_another_width_are_refused(workspace, tmp_path):
    write_compound(tmp_path / "old.h5", {"WD 1": epochs("WD 1")})
    adopt(planned(workspace), [tmp_path / "old.h5"], "ztf", by_key())
    with pytest.raises(ConfigError, match=r"bins.width_deg is 5 but .*bins.json says 1"):
        adopt(planned(workspace.set("bins.width_deg", 5)), [tmp_path / "old.h5"], "ztf", by_key())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--by", "name"], "--by name is not known; known are key, attribute, regex, position"),
        (["--by", "attribute"], "--by attribute takes one argument, got 0"),
        (["--by", "key", "x.h5"], "--by key takes no argument (files go before it), got 1"),
        (["--by", "regex", "("], "'(' is not a regular expression"),
        (["--by", "position", "--radius-arcsec", "-1"], "radius must be a positive number of arcsec, got -1"),
        (["--by", "position", "--radius-arcsec", "nan"], "radius must be a positive number of arcsec, got nan"),
        (["--by", "key", "--observatory", "gaia"], "observatory 'gaia' is not in the configuration"),
    ],
)
def test_a_command_that_cannot_be_is_refused_in_one_line(workspace, tmp_path, capsys, words, message):
    status = workspace.vo("adopt", tmp_path / "x.h5", "--observatory", "ztf", *words)
    out, err = capsys.readouterr()
    assert (status, out) == (1, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_types_of_another_machine_become_those_that_the_survey_sends(demo, tmp_path):
    data, _ = VirtualDemo().fetch_data_from_observatory({"name": "WD 1", "ra": 10.0, "dec": 20.0})
    columns = {name: values.astype(values.dtype.newbyteorder(">")) for name, values in as_columns(data).items()}
    write_columns(tmp_path / "old.h5", "WD 1", columns)
    (found,) = adopt(planned(demo), [tmp_path / "old.h5"], "demo", by_regex("(?P<name>.+)"))
    assert found.outcome == ADOPTED
    kept = stored(demo, "WD 1", obs="DEMO").data
    assert all(kept[name].tobytes() == data[name].tobytes() for name in data.dtype.names)


def test_an_archive_that_was_adopted_from_can_be_adopted_again(workspace, tmp_path):
    write_compound(tmp_path / "old.h5", {"WD 1": epochs("WD 1"), "a%2Fb": epochs("a/b")})
    plan = planned(workspace)
    adopt(plan, [tmp_path / "old.h5"], "ztf", by_key())
    second = planned(workspace.set("data_root", str(tmp_path / "second")))
    archives = sorted((plan.data_root / "ZTF").rglob("*.h5"))
    assert {each.outcome for each in adopt(second, archives, "ztf", by_key())} == {ADOPTED}
    assert {each.outcome for each in adopt(second, archives, "ztf", by_key())} == {THERE}
