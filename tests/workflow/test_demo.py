"""The demo from its catalog to its report, against the truth that only tests know."""

import csv
import json
import re
import shutil
from collections import Counter

import h5py
import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
import xarray as xr
import yaml
from astropy.table import Table

from vo_lib import hdf5, paths
from vo_lib.catalog import read_catalog
from vo_lib.config import complete, critical, load_schema
from vo_lib.counts.histogram_axes import HISTOGRAMS
from vo_lib.counts.histogram_files import read_histograms
from vo_lib.database.models import Lightcurve
from vo_lib.database.session import open_session
from vo_lib.downloads.manifest import catalog_rows, read_manifest
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.plan import read_plan
from vo_lib.provenance import PACKAGE_ROOT

PROJECT = "DEMO_PROJECT"
# What the database says of a lightcurve, and how it follows from the epochs.
NAMES = ("filename", "key")
SUMMARIES = {
    "n_epochs": len,
    "mjd_first": lambda epochs: epochs["mjd"].min(),
    "mjd_last": lambda epochs: epochs["mjd"].max(),
    "flux_median": lambda epochs: np.nanmedian(epochs["flux"]),
    "flux_min": lambda epochs: np.nanmin(epochs["flux"]),
    "flux_max": lambda epochs: np.nanmax(epochs["flux"]),
    "mag_median": lambda epochs: np.nanmedian(epochs["mag"]),
    "dmag_min": lambda epochs: np.nanmin(epochs["mag"]) - np.nanmedian(epochs["mag"]),
    "dmag_max": lambda epochs: np.nanmax(epochs["mag"]) - np.nanmedian(epochs["mag"]),
}


@pytest.fixture(scope="module")
def truth(demo):
    """Name of each source -> its true events."""
    rows = catalog_rows(read_catalog(demo.catalog))
    return {row["name"]: VirtualDemo().truth(row) for row in rows}


@pytest.fixture(scope="module")
def detections(demo):
    return pd.read_csv(demo.product("detections.csv"))


@pytest.fixture(scope="module")
def manifests(demo):
    return [read_manifest(path)[1] for path in sorted(demo.product("manifests").iterdir())]


def test_the_run_ends_with_a_summary_and_the_files_to_open(demo):
    output = demo.first.output
    assert re.search(r"demo_project: \d+ sources in 10 bins, survey DEMO, products in", output)
    assert re.search(r"survey +sources +ok +empty +failed +epochs", output)
    assert str(demo.product("report.html")) in output


def test_no_line_on_the_terminal_grows_with_the_number_of_bins(demo):
    lines = demo.first.output + demo.plan("--forceall").output
    assert {"RA000", "RA359"} <= set(re.findall(r"RA\d{3}", lines))
    for line in lines.splitlines():
        assert len(set(re.findall(r"RA\d{3}", line))) <= 1, line
    assert re.search(r"^Job \d+: report of all bins: DEMO_PROJECT/report.html", lines, flags=re.MULTILINE)


def test_all_products_are_there(demo):
    names = {path.name for path in demo.product(".").iterdir()}
    assert {"detections.csv", "events.csv", "properties.csv", "rates.csv", "report.html", "database.json"} <= names
    assert {f"histograms_{name}.nc" for name in HISTOGRAMS} <= names
    assert sum(bool(re.fullmatch(r"00_config_[0-9a-f]{32}\.yaml", name)) for name in names) == 1
    for pattern in ("DEMO_photometry_RA*_reduced.h5", "RA*_analysis.h5", "RA*_histograms.nc"):
        assert len(list(demo.product(".").glob(pattern))) == 10
    assert len(list((demo.data_root / "DEMO").glob("DEMO_photometry_RA???.h5"))) == 10
    with open(demo.product("detections.csv"), newline="") as file:
        detected = {row["source"] for row in csv.DictReader(file)}
    assert {path.stem for path in demo.product("pages").glob("RA*/*.html")} >= detected


def test_the_configuration_that_is_kept_makes_the_same_results(demo):
    schema = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
    (file,) = demo.product(".").glob("00_config_*.yaml")
    kept = complete(yaml.safe_load(file.read_text()), schema)
    assert critical(kept, schema) == critical(complete(demo.config, schema), schema)
    assert (
        file.name
        == f"00_config_{read_plan(file).digest}.yaml"
        == f"00_config_{read_plan(demo.config_file).digest}.yaml"
    )


def test_every_source_has_an_outcome_and_properties(demo, truth, manifests):
    status = {name: how for table in manifests for name, how in zip(table["name"], table["status"], strict=True)}
    assert status.keys() == truth.keys()
    assert "failed" not in status.values()
    assert sum(how == "empty" for how in status.values()) >= 1
    properties = pd.read_csv(demo.product("properties.csv"), keep_default_na=True)
    assert sorted(properties["source"]) == sorted(truth)
    covered = properties[properties["filter_n_good"] > 10]
    for name in ("best_snr", "flux_p95", "stetson_j", "trend_err", "color_demo_g_demo_r", "color_demo_g_demo_r_err"):
        assert np.isfinite(covered[name]).all(), name


def test_interest_follows_the_detections_and_is_null_without_data(demo):
    properties = pd.read_csv(demo.product("properties.csv"), keep_default_na=False, na_values=[""])
    expected = np.where(properties["n_detections"] > 0, "interesting", "boring")
    expected = np.where(properties["n_good"] == 0, "null", expected)
    assert properties["interest"].tolist() == expected.tolist()
    assert set(expected) == {"interesting", "boring", "null"}


def test_epochs_are_conserved_from_the_survey_to_the_histograms(demo, manifests):
    kept = 0
    for bin_name in sorted(re.search(r"RA\d{3}", path.name)[0] for path in demo.product("manifests").iterdir()):
        _, sources = read_manifest(demo.data_root / paths.manifest_file(PROJECT, "DEMO", bin_name))
        with hdf5.open_file(demo.data_root / paths.reduced_file(PROJECT, "DEMO", bin_name)) as file:
            index, left_out = hdf5.read_table(file, "index"), hdf5.read_table(file, "left_out")
            assert sources["n_rows"].sum() == index["n_epochs"].sum() + left_out["n_epochs"].sum()
            kept += index["n_epochs"].sum()
    histogram = read_histograms(demo.product("histograms_all_scores.nc"))["all_scores"]
    assert histogram.total() == kept > 10_000


def test_merged_histograms_are_the_sum_of_the_bins(demo):
    for name in HISTOGRAMS:
        merged = read_histograms(demo.product(f"histograms_{name}.nc"))[name]
        parts = [read_histograms(path)[name].counts for path in demo.product(".").glob("RA*_histograms.nc")]
        assert np.array_equal(merged.counts, np.sum(parts, axis=0))


def test_flares_and_eclipses_are_found(detections, truth):
    """Each event of high S/N is found at its time; the kinds are those that single epochs show."""
    events = [
        (name, event) for name, found in truth.items() for event in found if event["kind"] in ("flare", "eclipse")
    ]
    assert {event["kind"] for _, event in events} == {"flare", "eclipse"}
    for name, event in events:
        near = detections[detections["source"] == name]
        sign = 1 if event["kind"] == "flare" else -1
        assert (near["sign"] == sign).any(), (name, event)
        if event["kind"] == "flare":
            width = max(event["width_days"], 0.05)
            assert (
                (near["end_mjd"] > event["peak_mjd"] - width) & (near["start_mjd"] < event["peak_mjd"] + 5 * width)
            ).any()


def test_quiet_stars_give_no_detection_beyond_the_rate_of_the_threshold(demo, detections, truth):
    """At 5 sigma, 6e-7 of the epochs of Gaussian noise are outside: fewer than one in the demo's 30,000."""
    quiet = {name for name, events in truth.items() if not events}
    assert len(quiet) > 70
    assert detections["source"].isin(quiet).sum() <= 1
    assert detections["score"].min() >= 5


def test_injections_of_high_snr_are_recovered(demo):
    tables = []
    for path in demo.product(".").glob("RA*_analysis.h5"):
        with hdf5.open_file(path) as file:
            tables.append(pd.DataFrame(hdf5.read_table(file, "injections")))
    injections = pd.concat(tables)
    strong = injections[injections["seen_snr"] > 9]
    assert len(strong) > 10
    assert strong["recovered"].mean() > 0.9
    assert (injections.loc[injections["recovered"] == 1, "expected_snr"] > 2).all()


def test_rates_are_those_of_the_flares_that_are_there(demo, truth, detections):
    rates = pd.read_csv(demo.product("rates.csv"))
    assert sorted(rates["filter"].unique()) == ["demo-g", "demo-i", "demo-r"]
    assert set(rates["kind"]) == {"flare", "gaussian"}
    assert (rates["n_injections"].groupby(rates["filter"]).sum() > 10).all()
    assert (rates["exposure_days"] < rates["source_days"]).all()
    brighter = (detections["sign"] == 1) & (detections["filter"] == "demo-g")
    assert 0 < rates.loc[rates["filter"] == "demo-g", "n_detections"].iloc[0] <= brighter.sum()
    assert (rates["rate_upper"] > rates["rate"]).all()


def test_files_are_readable_without_us(demo):
    raw = demo.data_root / "DEMO" / "DEMO_photometry_RA000.h5"
    with h5py.File(raw) as file:
        key = file["index"]["key"][0].decode()
        assert len(pd.DataFrame(file[key][:])) == len(Table.read(raw, path=key))
    data = xr.open_dataset(demo.product("histograms_all_scores.nc"))
    assert data["all_scores"].dims[0] == "snr"
    data.close()


def test_the_receipt_agrees_with_the_files(demo, detections):
    receipt = json.loads(demo.product("database.json").read_text())
    with open(demo.product("properties.csv"), newline="") as file:
        sources = len(list(csv.DictReader(file)))
    assert receipt["rows"]["sources"] == receipt["rows"]["properties"] == sources
    assert receipt["rows"]["detections"] >= len(detections)
    counts = Counter()
    for path in demo.product(".").glob("RA*_analysis.h5"):
        with h5py.File(path) as file:
            counts.update({name: len(file[name]) for name in ("detections", "injections", "series")})
    for rows, table in (("detections", "detections"), ("injections", "injections"), ("lightcurves", "series")):
        assert receipt["rows"][rows] == counts[table] > 0


def test_summaries_in_the_database_are_those_of_the_epochs_in_the_files(demo):
    with open_session(data_root=demo.data_root) as session:
        columns = [column for column in Lightcurve.__table__.columns if column.name in (*NAMES, *SUMMARIES)]
        rows = session.execute(sa.select(*columns)).mappings().all()
        sources = session.execute(sa.text("SELECT name, n_epochs, mjd_first, mjd_last FROM source_summary")).all()
    assert len(rows) > 200
    spans = {}
    for row in rows:
        with h5py.File(demo.data_root / row["filename"]) as file:
            epochs = file[row["key"]][:]
        expected = {name: make(epochs) for name, make in SUMMARIES.items()}
        assert {name: row[name] for name in SUMMARIES} == pytest.approx(expected, rel=1e-9, abs=1e-9)
        spans.setdefault(row["key"].rpartition("_reduction_")[0], []).append((len(epochs), *epochs["mjd"][[0, -1]]))
    for name, *found in (source for source in sources if source.n_epochs):
        number, first, last = zip(*spans[name], strict=True)
        assert found == pytest.approx([sum(number), min(first), max(last)])


def test_nothing_is_written_outside_the_data_root(demo):
    assert not (PACKAGE_ROOT / "DEMO").exists()
    assert {path.name for path in demo.folder.iterdir()} == {"data", "catalog.csv", "config.yaml"}


@pytest.mark.parametrize(
    ("product", "rule"),
    [
        ("manifests/DEMO_photometry_RA010.jsonl", "download"),
        ("DEMO_photometry_RA010_reduced.h5", "reduce"),
        ("RA200_analysis.h5", "analyze"),
        ("RA200_histograms.nc", "analyze"),
        ("histograms_all_scores.nc", "merge_histograms"),
        ("properties.csv", "merge_tables"),
        ("rates.csv", "rates"),
        ("report.html", "report"),
        ("report_tables.js", "report"),
        ("pages/index.html", "pages"),
        ("plots/sky.png", "report"),
        ("database.json", "sync_database"),
    ],
)
def test_a_product_that_is_lost_is_made_again(demo, tmp_path, product, rule):
    """On the demo, whose bins have other names, and put back at once."""
    bins = sorted(re.search(r"RA\d{3}", path.name)[0] for path in demo.product("manifests").iterdir())
    path = demo.product(product.replace("RA010", bins[0]).replace("RA200", bins[-1]))
    aside = path.rename(tmp_path / path.name)
    try:
        assert rule in demo.plan().jobs
    finally:
        aside.rename(path)


def test_products_of_another_threshold_are_not_taken_when_snakemake_forgot_what_made_them(finished):
    shutil.rmtree(finished.data_root / ".snakemake")
    run = finished.set("finder.snr_threshold", 3).run()
    assert run.status != 0
    assert "was made with provenance" in run.output
    run = finished.run("--forcerun", "reduce", "analyze")
    assert run.status == 0, run.output
    assert finished.plan().idle


def test_raw_data_that_another_project_fetched_anew_are_not_taken_for_ours(finished, tmp_path):
    other = finished.beside(tmp_path / "other")
    other.folder.mkdir()
    other.set("project", "other").set("observatories.demo", {"seed": 7}).set("download.on_change", "refetch")
    assert other.run("downloaded").status == 0
    run = finished.plan()
    assert run.jobs["download"] == 2
    assert "were downloaded with other parameters" in finished.run().output
    finished.set("download.on_change", "refetch")
    assert finished.run().status == 0
    assert finished.plan().idle


def test_a_raw_archive_that_is_lost_is_fetched_again(finished):
    raw = finished.data_root / "DEMO" / "DEMO_photometry_RA010.h5"
    raw.unlink()
    run = finished.plan()
    assert run.jobs["download"] == 1
    assert finished.run().status == 0
    assert raw.exists()
    assert finished.plan().idle


def test_a_database_that_is_lost_is_made_again(finished, capsys):
    shutil.rmtree(finished.data_root / "database")
    assert finished.plan().jobs == {"sync_database": 1}
    assert finished.vo("status", "--why") == 0
    assert "the database was lost or recreated, or the receipt is damaged" in capsys.readouterr().out
    assert finished.run().status == 0
    assert finished.plan().idle


def test_failed_sources_are_asked_for_again(workspace):
    workspace.set("observatories.demo", {"fail_fraction": 1.0})
    run = workspace.run()
    assert run.status != 0
    assert "2 of 2 sources failed" in run.output
    assert "run again to request the rest" in run.output
    failures = pd.read_csv(workspace.product("failures.csv"))
    assert sorted(failures["source"]) == ["a", "b", "c"]
    run = workspace.set("observatories.demo", {}).run()
    assert run.status == 0, run.output
    assert not workspace.product("failures.csv").exists()
    assert workspace.plan().idle


def test_products_of_a_versioned_project_have_a_folder_for_each_configuration(workspace):
    workspace.set("version_control", True)
    outputs = [workspace.plan().output, workspace.set("finder.snr_threshold", 8).plan().output]
    folders = [set(re.findall(r"DEMO_PROJECT_[0-9a-f]{32}", output)) for output in outputs]
    assert [len(found) for found in folders] == [1, 1]
    assert folders[0] != folders[1]
    assert "DEMO_PROJECT/" not in "".join(outputs)


def test_descriptions_of_columns_do_not_depend_on_how_python_was_started(workspace):
    product = "DEMO_PROJECT/RA010_analysis.h5"
    run = workspace.run(product, environment={"PYTHONOPTIMIZE": "2"})
    assert run.status == 0, run.output
    with h5py.File(workspace.data_root / product) as file:
        columns = json.loads(file["columns"][()])
    assert columns["series"]["cadence"]["description"] == "median time from epoch to epoch"
