import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from make_batch import make_batch
from make_project import N_EPOCHS, make_plan

from vo_lib import hdf5, paths
from vo_lib.access import DataStore
from vo_lib.cli import main
from vo_lib.dataset import Lightcurve
from vo_lib.downloads.manifest import write_manifest
from vo_lib.errors import CatalogError, DamagedProductError, StaleProductError, UserError
from vo_lib.planning import provenance_tree
from vo_lib.reduction.processed import write_batch, write_processed
from vo_lib.reduction.reduced import write_lightcurves
from vo_lib.storage.lookup import find_name, map_table, name_index, rows_of
from vo_lib.storage.marks import mark
from vo_lib.tables import decode_table, encode_table


@pytest.fixture
def plan(tmp_path):
    """A project with products."""
    return make_plan(tmp_path)


def test_products_of_a_source_are_found_by_its_name(plan):
    store = DataStore("flare", plan)
    (lightcurve,) = store.get_lightcurves()
    assert (store.bin, store.row["ra"], lightcurve.row["source"]) == ("RA200", 200.25, "flare")
    assert not lightcurve.is_loaded
    assert lightcurve.data["flux"][150] == 850.0
    assert lightcurve.get_fullname().endswith("DEMO_photometry_RA200_reduced.h5")
    assert store.get_detections()["peak_epoch"].tolist() == [150]
    assert len(store.get_detections(simulated=True)["score"]) <= 1
    assert store.get_properties()["n_epochs"] == N_EPOCHS
    assert store.get_lightcurves("demo", filter="demo-r") == []
    assert len(store.get_lightcurves(filter=["demo-r", "demo-g"])) == 1


def test_flags_are_those_of_the_lightcurve(plan):
    store = DataStore("flagged", plan)
    flags = store.get_flags(store.get_lightcurves()[0])
    assert np.flatnonzero(flags).tolist() == [20]
    other = DataStore("flare", plan)
    assert not other.get_flags(other.get_lightcurves()[0]).any()
    with pytest.raises(UserError, match="has no DEMO lightcurve 'calm_reduction_01_of_01'; flags are those of"):
        other.get_flags(DataStore("calm", plan).get_lightcurves()[0])


def test_flags_are_not_those_of_another_survey_with_the_same_key(plan):
    path = plan.data_root / paths.analysis_file(plan.folder, "RA200")
    with hdf5.Writer(path, base=path) as file:
        series, flagged = (hdf5.read_table(file._file, name) for name in ("series", "flagged"))
        other = {name: values[:1] for name, values in series.items()} | {"obs": np.array(["ZTF"])}
        file.write_table("series", {name: np.append(other[name], values) for name, values in series.items()})
        more = {"series": np.append(0, flagged["series"] + 1), "epoch": np.append(7, flagged["epoch"])}
        file.write_table("flagged", more | {"qflag": np.append(1, flagged["qflag"])})
    store = DataStore("flagged", plan)
    assert np.flatnonzero(store.get_flags(store.get_lightcurves()[0])).tolist() == [20]


def test_flags_of_a_bin_are_read_once_and_again_when_the_file_is_another(plan, monkeypatch):
    store, opened, open_file = DataStore("flagged", plan), [], hdf5.open_file
    lightcurve = store.get_lightcurves()[0]
    monkeypatch.setattr(hdf5, "open_file", lambda *words, **options: opened.append(1) or open_file(*words, **options))
    assert [np.flatnonzero(store.get_flags(lightcurve)).tolist() for _ in range(3)] == [[20]] * 3
    assert len(opened) == 1
    path = plan.data_root / paths.analysis_file(plan.folder, store.bin)
    with hdf5.Writer(path, base=path) as file:
        flagged = decode_table(file._file["flagged"][:])
        file.write_table("flagged", flagged | {"epoch": flagged["epoch"] + 1})
    assert np.flatnonzero(store.get_flags(lightcurve)).tolist() == [21]


def test_a_source_without_data_has_properties_and_nothing_else(plan):
    store = DataStore("dark", plan)
    assert store.get_lightcurves() == []
    assert store.get_properties()["n_epochs"] == 0
    assert len(store.get_detections()["score"]) == 0


def test_a_project_serves_as_well_as_its_plan(plan):
    project = SimpleNamespace(plan=plan)
    assert DataStore("flagged", project).get_properties() == DataStore("flagged", plan).get_properties()


def test_a_store_only_reads(plan):
    before = files_of(plan.data_root)
    for name in ("flagged", "dark"):
        store = DataStore(name, plan)
        store.load_prov_tree()
        for lightcurve in store.get_lightcurves():
            store.get_flags(lightcurve)
            lightcurve.load()
        store.get_properties()
        for table in ("detections", "series"):
            store.get_table(table)
    assert files_of(plan.data_root) == before


def files_of(folder):
    """Content of all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_products_of_another_provenance_are_refused_and_both_are_named(plan):
    store = DataStore("flare", plan)
    tree = store.load_prov_tree("DEMO_")
    assert list(tree) == ["download", "reduce", "analyze"]
    assert len(store.get_lightcurves()) == 1
    path = plan.data_root / paths.reduced_file(plan.folder, "DEMO", "RA200")
    with hdf5.Writer(path, base=path) as file:
        file.write_json("metadata", {"provenance": "older"})
    with pytest.raises(StaleProductError, match=f"with provenance older, not {tree['reduce']['DEMO'].id} as asked"):
        store.get_lightcurves()
    assert len(DataStore("flare", plan).get_lightcurves()) == 1
    manifest = plan.data_root / paths.manifest_file(plan.folder, "DEMO", "RA200")
    write_manifest(manifest, {"provenance": "older"}, [])
    with pytest.raises(StaleProductError, match=f"provenance older, not {tree['download']['DEMO'].id} as asked"):
        store.get_raw_photometry("demo")


def test_a_survey_that_a_tag_of_the_database_lacks_is_named_and_its_products_may_be_any(plan, monkeypatch, caplog):
    tree = {"download": {}, "reduce": {}, "analyze": plan.provenance("analyze")}
    monkeypatch.setattr(provenance_tree, "_tree_of_database", lambda *_: tree)
    store = DataStore("flare", plan)
    assert store.load_prov_tree("before_DEMO") == tree
    assert (
        "tag 'before_DEMO' has no provenance of download DEMO and reduce DEMO; products of any provenance are read"
        in caplog.text
    )
    assert len(store.get_lightcurves()) == 1


def test_lightcurves_of_a_source_are_read_by_opening_their_file_once(plan, monkeypatch):
    path = plan.data_root / paths.reduced_file(plan.folder, "DEMO", "RA200")
    with hdf5.Writer(path, base=path) as file:
        index = hdf5.read_table(file._file, "index")
        file.write_table("index", index | {"source": np.full(len(index["key"]), "flare")})
    opened, lightcurves = [], DataStore("flare", plan).get_lightcurves()
    monkeypatch.setattr(
        hdf5, "open_file", lambda path, read=hdf5.open_file, **how: opened.append(path) or read(path, **how)
    )
    assert len(lightcurves) == 2
    assert [len(lightcurve.data) for lightcurve in lightcurves] == [N_EPOCHS, N_EPOCHS]
    assert opened == [path]
    lightcurves[0].unload()
    assert [len(lightcurve.data) for lightcurve in lightcurves] == [N_EPOCHS, N_EPOCHS]
    assert opened == [path, path]


def test_lightcurves_that_the_analysis_kept_are_found_too(plan):
    batch = make_batch([5, 6], sources=["flare", "lost"])
    columns = {"qflag": np.zeros(11, np.int64), "snr": np.arange(11.0)}
    batch = replace(batch, columns=batch.columns | columns)
    metadata = {"provenance": plan.provenance("analyze").id}
    store = DataStore("flare", plan)
    write_processed(plan.data_root / paths.processed_file(plan.folder, "DEMO", "RA200"), batch, metadata)
    store.load_prov_tree()
    (processed,) = store.get_processed_lightcurves()
    assert processed.data["snr"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(UserError, match=r"RA200_simulated.h5: no such file; run snakemake"):
        store.get_simulated_lightcurves("demo")
    with hdf5.Writer(plan.data_root / paths.combined_file(plan.folder, "RA200")) as writer:
        write_batch(writer, batch, {"provenance": "combined"})
    with pytest.raises(UserError, match="RA200_combined.h5: the tag has no combined lightcurves; set combine.by"):
        store.get_combined_lightcurves()
    assert [len(lightcurve) for lightcurve in DataStore("flare", plan).get_combined_lightcurves()] == [5]


def test_products_of_another_provenance_that_are_read_without_a_tag_are_named_once_in_the_log(plan, caplog):
    store = DataStore("flagged", plan)
    (lightcurve,) = store.get_lightcurves()
    store.get_flags(lightcurve), store.get_properties()
    assert not caplog.records
    path = plan.data_root / paths.processed_file(plan.folder, "DEMO", "RA200")
    write_processed(path, make_batch([5], sources=["flagged"]), {"provenance": "left"})
    assert len(store.get_processed_lightcurves()) == len(store.get_processed_lightcurves()) == 1
    current = plan.provenance("analyze").id
    assert "DEMO_: reading products of provenance left of analyze, made with other code" in caplog.text
    assert current in caplog.text
    path = plan.data_root / paths.analysis_file(plan.folder, "RA200")
    with hdf5.Writer(path, base=path) as file:
        file.write_json("metadata", {"provenance": "older"})
    store.get_flags(lightcurve), store.get_detections()
    assert len(caplog.records) == 2
    assert "provenance older of analyze" in caplog.text


def test_flags_of_a_lightcurve_with_another_number_of_epochs_are_refused(plan):
    store = DataStore("flagged", plan)
    (lightcurve,) = store.get_lightcurves()
    lightcurve.row["n_epochs"] = 10
    with pytest.raises(UserError, match=r"has 200 epochs, not 10: it is of another reduction; run snakemake"):
        store.get_flags(lightcurve)


def test_bad_provenances_are_named_in_the_log(plan, caplog):
    mark(plan.data_root, plan.provenance("download", "DEMO").id, "clouds")
    with caplog.at_level("WARNING", "vo_lib"):
        DataStore("flare", plan).load_prov_tree()
    assert [record.getMessage().split()[0] for record in caplog.records] == ["download", "reduce", "analyze"]
    assert "is bad: made of" in caplog.text


def test_a_lightcurve_is_read_alone_whatever_the_size_of_its_file(plan, monkeypatch):
    read = []
    monkeypatch.setattr(
        hdf5, "read_rows", lambda file, keys, original=hdf5.read_rows: read.append(keys) or original(file, keys)
    )
    monkeypatch.setattr(hdf5, "check_seal", lambda path: pytest.fail(f"{path} is read as a whole"))
    store = DataStore("flare", plan)
    store.load_prov_tree()
    (lightcurve,) = store.get_lightcurves()
    assert read == []
    assert lightcurve.data["flux"][150] == 850.0
    assert read == [[lightcurve.filekey]]


def test_the_index_of_many_lightcurves_is_looked_at_in_place(tmp_path):
    batch = make_batch([3] * 200, sources=[f"s{number}" for number in range(200)])
    with hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write_table("index", write_lightcurves(writer, batch), mapped=True)
        writer.write_table("compressed", batch.table)
    with hdf5.open_file(tmp_path / "x.h5") as file:
        index = map_table(file, "index")
        assert isinstance(index, np.memmap)
        assert rows_of(index, "s7").tolist() == [7]
        np.testing.assert_array_equal(map_table(file, "compressed")["source"], index["source"])


def test_a_lightcurve_that_is_not_what_was_written_is_refused(tmp_path):
    path = tmp_path / "x.h5"
    with hdf5.Writer(path) as writer:
        index = write_lightcurves(writer, make_batch([3, 4]))
        writer.write_table("index", index, mapped=True)
    first, second = Lightcurve.all_in(path)
    assert first.row["digest"] == index["digest"][0]
    assert second.row["digest"] == index["digest"][1]
    with open(path, "rb+") as file:
        file.seek(int(index["place"][1]))
        file.write(b"\xff")
    assert len(first.data) == 3
    with pytest.raises(DamagedProductError, match="does not match its digest; delete it and run snakemake"):
        second.load()


def test_what_is_not_there_is_named_with_the_nearest(plan):
    with pytest.raises(CatalogError, match="the catalog has no source 'flair'; did you mean 'flare'"):
        DataStore("flair", plan)
    with pytest.raises(UserError, match="'g' is not a filter of the project; known are demo-g, demo-r, demo-i"):
        DataStore("flare", plan).get_lightcurves(filter="g")
    store = DataStore("flare", plan)
    with pytest.raises(UserError, match="'DEMA' is not a survey of the project; did you mean 'DEMO'"):
        store.get_lightcurves("DEMA")
    with pytest.raises(UserError, match="no table 'detection' of sources; did you mean 'detections'"):
        store.get_table("detection")
    with pytest.raises(UserError, match="tag 'defualt' is not one of this project; did you mean 'default'"):
        store.load_prov_tree("defualt")


def test_a_name_is_found_through_the_index():
    names = np.array([f"s{number}" for number in range(500)] + ["é/ü", "b"])
    index, rows = encode_table(name_index(names)), encode_table({"name": names})
    assert [find_name(index, rows, name) for name in names.tolist()] == [*range(499), 499, 500, 501]
    assert find_name(index, rows, "s500") is None
    assert find_name(index, rows, "") is None
    assert find_name(index[:0], rows[:0], "b") is None


def test_a_table_is_looked_at_in_place(tmp_path):
    with hdf5.Writer(tmp_path / "x.h5") as writer:
        writer.write_table("a", {"source": np.array(["x", "y", "x"]), "n": np.arange(3)})
        writer.write_table("none", {"source": np.array([], dtype="U1"), "n": np.arange(0)})
    with hdf5.open_file(tmp_path / "x.h5") as file:
        table = map_table(file, "a")
        assert table["n"][rows_of(table, "x")].tolist() == [0, 2]
        assert len(map_table(file, "none")) == 0


def vo(plan, *words):
    """Status of the command on the project."""
    return main([*words, "--configfile", str(plan.data_root.parent / "config.yaml")])


def test_a_source_is_shown_without_the_database(plan, capsys, monkeypatch):
    row = {"mjd_first": np.nan, "mjd_last": 1.5, "mag_median": 15.0, "snr_max": 9.0, "n_good": 199, "series": "1"}
    read = DataStore.get_lightcurves

    def with_statistics(store, *words):
        found = read(store, *words)
        for lightcurve in found:
            lightcurve.row |= row
        return found

    monkeypatch.setattr(DataStore, "get_lightcurves", with_statistics)
    properties = {"source": "flare", "n_lightcurves": 1, "n_epochs": 200, "n_detections": 1, "interest": "boring"}
    monkeypatch.setattr(DataStore, "get_properties", lambda store: properties)
    assert vo(plan, "show", "flare") == 0
    text = capsys.readouterr().out
    assert "flare at RA 200.250000 Dec -10.000000, bin RA200, project DEMO_" in text
    assert "1 lightcurve, 200 epochs, 1 detection, interest: boring" in text
    assert vo(plan, "show", "flare", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["lightcurves"][0]["mjd_first"] is None
    assert [detection["peak_epoch"] for detection in found["detections"]] == [150]
