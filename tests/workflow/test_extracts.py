"""Rows of the products of the demo, as `vo get` and `vo export` give them, are those of the products."""

import json
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from vo_lib import hdf5
from vo_lib.access import DataStore
from vo_lib.errors import CatalogError, StaleProductError, UserError
from vo_lib.export import export
from vo_lib.extract import Wanted, extract
from vo_lib.plan import read_plan
from vo_lib.storage.marks import mark, unmark
from vo_lib.tables import concatenate_tables, read_csv
from vo_lib.times import TimeSystem

SOURCE = "J000347+404202"


@pytest.fixture(scope="module")
def plan(demo):
    """Plan of the demo."""
    demo.save()
    return read_plan(demo.config_file)


def rows(plan, **wanted):
    """All rows of what is wanted."""
    return concatenate_tables(list(extract(plan, Wanted(**wanted)).tables()))


def test_lightcurves_of_a_source_are_those_of_its_store(plan):
    table, store = rows(plan, names=(SOURCE,)), DataStore(SOURCE, plan)
    for lightcurve in store.get_lightcurves():
        own = table["lightcurve"] == lightcurve.filekey
        np.testing.assert_array_equal(table["flux"][own], lightcurve.data["flux"])
        np.testing.assert_array_equal(table["bmjd_tdb"][own], lightcurve.data["bmjd_tdb"])
        np.testing.assert_array_equal(table["qflag"][own], store.get_flags(lightcurve))
        assert set(table["filter"][own].tolist()) == {lightcurve.row["filter"]}
    assert (table["qflag"] != 0).any()
    assert len(table["flux"]) == sum(map(len, store.get_lightcurves()))


def test_raw_epochs_are_what_the_survey_sent(plan):
    table = rows(plan, level="raw", names=(SOURCE,))
    sent = DataStore(SOURCE, plan).get_raw_photometry("demo").data
    for name in sent.dtype.names:
        values = sent[name].astype(str) if sent[name].dtype.kind == "S" else sent[name]
        np.testing.assert_array_equal(table[name], values)


def test_a_column_of_the_survey_does_not_take_the_place_of_the_name_of_the_source(plan, monkeypatch):
    sent = np.array([(1.0, b"SN 1")], [("mjd", "f8"), ("source", "S4")])
    observatory = type(plan.surveys["DEMO"].observatory)
    monkeypatch.setattr(observatory, "columns", {"mjd": ("f8", "d", "time"), "source": ("S4", "", "its own name")})
    monkeypatch.setattr("vo_lib.exports.extract_files.read_epochs", lambda *_: (sent, np.array([1])))
    found = extract(plan, Wanted(level="raw", names=(SOURCE,)))
    assert found.columns["source_sent"] == ("", "its own name")
    (table,) = found.tables()
    assert {name: values.tolist() for name, values in table.items()} == {
        "source": [SOURCE],
        "mjd": [1.0],
        "source_sent": ["SN 1"],
    }


@pytest.mark.parametrize(
    ("level", "system", "expected"),
    [
        ("raw", TimeSystem("utc", "observatory", "start", 0.0), True),
        ("raw", TimeSystem("tdb", "observatory", "start", 0.0), False),
        ("raw", TimeSystem("utc", "geocentre", "mid", 0.0), False),
        ("reduced", TimeSystem("tdb", "barycentre", "mid", 0.0), True),
    ],
)
def test_what_mjd_of_raw_epochs_is_goes_by_the_survey(plan, monkeypatch, level, system, expected):
    monkeypatch.setattr(type(plan.surveys["DEMO"].observatory), "time", system)
    assert extract(plan, Wanted(level=level)).has_our_times == expected


@pytest.mark.parametrize("kind", ["csv", "ecsv", "votable", "fits", "parquet"])
def test_whole_numbers_of_any_type_are_the_same_in_all_formats(plan, tmp_path, monkeypatch, kind):
    """A survey of one's own may send them; FITS has no such types, or with an offset."""
    pytest.importorskip("pyarrow") if kind == "parquet" else None
    types = ("?", "i1", "i2", "i4", "u1", "u2", "u4", "u8")
    sent = {dtype: np.array([1, 0, 1 if dtype == "?" else 100], dtype) for dtype in types}
    columns = {f"x{number}": ("", dtype) for number, dtype in enumerate(sent)}
    table = dict(zip(columns, sent.values(), strict=True)) | {"source": np.array(["a", "b", "c"])}
    monkeypatch.setattr("vo_lib.extract.columns_of", lambda *arguments: {"source": ("", "")} | columns)
    monkeypatch.setattr("vo_lib.extract.read_rows", lambda *arguments: table)
    export(plan, Wanted(level="raw", names=(SOURCE,)), tmp_path / "x", format=kind)
    readers = {"csv": partial(pd.read_csv, comment="#"), "parquet": pd.read_parquet}
    readers["ecsv"] = partial(Table.read, format="ascii.ecsv")
    found = readers.get(kind, partial(Table.read, format=kind))(tmp_path / "x")
    for name in columns:
        np.testing.assert_array_equal(np.asarray(found[name]), table[name].astype(int), err_msg=columns[name][1])


def test_a_whole_number_that_no_other_program_takes_is_told(plan, monkeypatch):
    monkeypatch.setattr("vo_lib.extract.read_rows", lambda *arguments: {"source": np.array(["a"]), "id": big})
    monkeypatch.setattr("vo_lib.extract.columns_of", lambda *arguments: {"source": ("", ""), "id": ("", "")})
    big = np.array([2**63], "u8")
    with pytest.raises(UserError, match="id is 9223372036854775808 in a row"):
        rows(plan, level="raw", names=(SOURCE,))


def test_every_epoch_and_detection_of_the_project_is_there_once(plan):
    kept = 0
    for name in plan.bins:
        with hdf5.open_file(plan.data_root / plan.folder / f"DEMO_photometry_{name}_reduced.h5") as file:
            kept += int(hdf5.read_table(file, "sources")["n_kept"].sum())
    assert len(rows(plan)["mjd"]) == kept
    merged = pd.read_csv(plan.data_root / plan.folder / "detections.csv")
    found = rows(plan, what="detections")
    assert sorted(found["score"].tolist()) == sorted(merged["score"].tolist())
    assert set(found["simulated"].tolist()) == {0}


def test_criteria_choose_rows(plan):
    whole = rows(plan, bins=("RA045",))
    some = rows(plan, bins=("RA045",), filter="demo-r", obs="demo")
    assert set(some["filter"].tolist()) == {"demo-r"}
    assert len(some["mjd"]) == (whole["filter"] == "demo-r").sum()


@pytest.mark.parametrize("name", ["x.csv", "x.ecsv", "x.vot", "x.fits"])
def test_properties_are_read_back_with_their_numbers(plan, tmp_path, name):
    assert export(plan, Wanted("properties"), tmp_path / name) == 100
    readers = {"x.csv": lambda path: Table.read(path, format="ascii.csv", comment="#")}
    found = readers.get(name, Table.read)(tmp_path / name)
    merged = read_csv(plan.data_root / plan.folder / "properties.csv", {"source": ("U1",), "mag_median": ("f8",)})
    np.testing.assert_array_equal(np.asarray(found["source"]).astype(str), merged["source"])
    np.testing.assert_array_equal(np.ma.filled(found["mag_median"], np.nan), merged["mag_median"])


def test_a_project_of_other_code_is_refused_unless_any_will_do(demo, tmp_path):
    changed = demo.beside(tmp_path).set("reduce.gap_days", 60)
    changed.save()
    plan = read_plan(changed.config_file)
    with pytest.raises(StaleProductError, match=r"DEMO_photometry_RA000_reduced.h5: was made with provenance"):
        extract(plan, Wanted())
    found = extract(plan, Wanted(any_provenance=True, bins=("RA000",)))
    assert found.header["tag"] == found.header["configuration"] == ""
    assert found.header["provenance of reduce DEMO"] != plan.provenance("reduce", "DEMO").id
    assert extract(plan, Wanted(level="raw")).header["tag"] == "demo_project"


def test_reduced_files_of_a_newer_format_are_refused(plan, monkeypatch):
    monkeypatch.setattr("vo_lib.reduction.reduced.SCHEMA", 0)
    with pytest.raises(
        UserError, match=r"_reduced\.h5: has format 1, but this version of vo_lib reads formats only up to 0"
    ):
        extract(plan, Wanted(any_provenance=True))


def test_quality_flags_of_another_analysis_are_told_in_the_head(demo, plan, tmp_path):
    changed = demo.beside(tmp_path).set("finder.snr_threshold", 7.25)
    changed.save()
    made_by, plan = plan.provenance("analyze").id, read_plan(changed.config_file)
    header = extract(plan, Wanted(any_provenance=True, bins=("RA000",))).header
    assert header["provenance of reduce DEMO"] == plan.provenance("reduce", "DEMO").id
    assert header["provenance of analyze"] == made_by != plan.provenance("analyze").id
    assert header["tag"] == header["configuration"] == ""
    with pytest.raises(StaleProductError, match=r"RA000_analysis.h5: was made with provenance"):
        extract(plan, Wanted(bins=("RA000",)))


def test_what_is_marked_as_bad_is_a_warning_and_in_the_head(plan, caplog):
    identifier = plan.provenance("reduce", "DEMO").id
    mark(plan.data_root, identifier, "wrong\nzero points")  # in the one line of a head
    try:
        for wanted, text in ((Wanted(), " is bad: wrong zero points"), (Wanted("detections"), f"made of {identifier}")):
            assert text in extract(plan, wanted).header["marked as bad"]
            assert text in caplog.text
    finally:
        unmark(plan.data_root, identifier)
    assert "marked as bad" not in extract(plan, Wanted()).header


def test_what_is_not_there_is_told(plan):
    for wanted, message in (
        (Wanted(bins=("RA46",)), "the project has no bin 'RA46'; did you mean 'RA266'|'RA045'|known are"),
        (Wanted(names=(SOURCE,), bins=("RA045",)), "RA045 has none of the named sources, which are in RA000; leave"),
        (Wanted("detections", obs="demi"), "'demi' is not a survey of the project; did you mean 'DEMO'"),
        (Wanted("properties", obs="demo"), "properties of project .* cannot be selected by survey; leave --obs"),
        (Wanted(obs="demi"), "'demi' is not a survey of the project; did you mean 'DEMO'"),
        (Wanted(filter="demo-t"), "'demo-t' is not a filter of the project; did you mean 'demo-"),
        (Wanted("detections", filter="x"), "'x' is not a filter of the project; known are demo-g"),
        (Wanted(level="raw", filter="demo-g"), "raw lightcurves of project DEMO_PROJECT cannot be selected by filter"),
        (Wanted(level="processed"), "set save_processed: true and run snakemake or Project.run to keep"),
    ):
        with pytest.raises(UserError, match=message):
            extract(plan, wanted)
    with pytest.raises(CatalogError, match="has no source 'J0'"):
        extract(plan, Wanted(names=("J0",)))


def test_nothing_is_written_when_something_cannot_be(plan, demo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    here = demo.beside(tmp_path)
    series = ["x", "--format", "skyportal", "--instrument-id", "1", "--name", SOURCE]
    for words, message in (
        (["x.dat"], "x.dat: no format is known by this suffix"),
        (["x", "--format", "skyportal"], "give its number there with --instrument-id"),
        ([*series, "--filter-name", "demo-g=sdssg", "demo-i=sdssi"], "sncosmo with --filter-name demo-r=BAND"),
        (["x.parquet", "--format", "nested", "--what", "events"], "the format nested is for lightcurves"),
        (["x.csv", "--instrument-id", "1"], "are for the format skyportal; leave them out for csv"),
        (["x.csv", "--filter-name", "demo-g=sdssg"], "are for the format skyportal"),
        (["x.csv", "--what", "events", "--level", "raw"], "events are not raw, because only lightcurves have levels"),
        (["x.csv", "--list", "none.txt"], "none.txt: no such file; --list needs a file with one name per line"),
        (["x.csv", "--list", sys.executable], "not UTF-8 text; convert the file"),
    ):
        assert here.vo("export", *words) == 1
        assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["config.yaml"]


def test_a_folder_is_no_file_to_write(plan, tmp_path):
    with pytest.raises(UserError, match="is not a regular file that could be replaced"):
        export(plan, Wanted("properties"), tmp_path, format="csv")


def test_a_list_of_names_is_exported(demo, tmp_path, capsys):
    (tmp_path / "names.txt").write_text(f"\ufeff{SOURCE}\n\nWD J0000+5123\n", encoding="utf-8")
    words = ["export", tmp_path / "x.csv", "--list", tmp_path / "names.txt", "--json"]
    assert demo.beside(tmp_path).vo(*words) == 0
    found = json.loads(capsys.readouterr().out)
    frame = pd.read_csv(tmp_path / "x.csv", comment="#")
    assert (found["content"], found["rows"]) == ("reduced lightcurves of 2 sources", len(frame))
    assert set(frame["source"]) == {SOURCE, "WD J0000+5123"}


def test_text_and_json_of_a_source_have_the_same_rows(demo, tmp_path, capsys):
    here = demo.beside(tmp_path)
    assert here.vo("get", SOURCE, "--filter", "demo-g", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert here.vo("get", SOURCE, "--filter", "demo-g") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("#")]
    assert len(lines) == len(found) + 1
    assert list(found[0]) == lines[0].split(",")
