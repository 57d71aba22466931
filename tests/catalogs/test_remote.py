import subprocess
import sys

import pytest

from vo_lib.catalogs.presets import PRESETS, find_preset
from vo_lib.catalogs.remote import (
    GAIA_TAP,
    OPTIONS,
    citation,
    read_description,
    reading_options,
    remote_catalog,
)
from vo_lib.config import complete, load_schema
from vo_lib.errors import CatalogError, ConfigError
from vo_lib.fetch_catalog import fetch_catalog
from vo_lib.provenance import PACKAGE_ROOT, canonical_json

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
ADQL = "SELECT * FROM gaiadr3.gaia_source WHERE parallax > 100"
WHITE_DWARFS = {"kind": "default", "name": "gentile_fusillo_2021"}


def query(adql=ADQL, **section):
    return remote_catalog({"query": adql} | section)


@pytest.mark.parametrize("name", ["WD", "wd", "wds", "WDs", "white dwarf", "White_Dwarfs", "white-dwarfs", " WD "])
def test_white_dwarfs_have_several_names(name):
    assert find_preset(name) == "gentile_fusillo_2021"


def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match=r"catalog\.default is 'giants'; known are WD"):
        remote_catalog({"default": "giants"})


def test_the_catalog_of_white_dwarfs_is_described_without_a_network():
    catalog = remote_catalog({"default": "WD", "cuts": ["Pwd > 0.75"]})
    assert catalog.name == "gentile_fusillo_2021.fits"
    assert catalog.spec == WHITE_DWARFS
    assert "2021, MNRAS 508, 3877" in citation(catalog.spec)
    assert PRESETS["gentile_fusillo_2021"].url.startswith("https://warwick.ac.uk/")


def test_columns_of_the_white_dwarfs_are_found_and_positions_are_of_2016_0():
    header = ["WDJ_name", "source_id", "ra", "dec", "parallax", "pmra", "pmdec", "phot_g_mean_mag", "Pwd"]
    assert reading_options(header, WHITE_DWARFS) == {
        "columns": {
            "name": "WDJ_name", "ra": "ra", "dec": "dec", "pmra": "pmra", "pmdec": "pmdec", "parallax": "parallax",
            "mag": "phot_g_mean_mag",
        },
        "fill": {"epoch": 2016.0, "mag_filter": "Gaia G (Vega)"},
    }  # fmt: skip
    assert reading_options([*header, "phot_g_mean_mag_error"], WHITE_DWARFS)["columns"]["mag_err"]


def test_columns_are_found_whatever_their_case_and_the_users_choice_goes_first():
    header = ["SOURCE_ID", "DESIGNATION", "RA", "Dec", "REF_EPOCH"]
    columns = {"name": "DESIGNATION", "ra": "RA", "dec": "Dec", "epoch": "REF_EPOCH"}
    assert reading_options(header, query().spec) == {"columns": columns, "fill": {}}
    chosen = reading_options(header, query().spec, {"name": "SOURCE_ID"})
    assert chosen["columns"] == columns | {"name": "SOURCE_ID"}


@pytest.mark.parametrize(
    ("table", "epoch"), [("gaiadr1", 2015.0), ("gaiadr2", 2015.5), ("gaiaedr3", 2016.0), ("GAIADR3", 2016.0)]
)
def test_positions_without_an_epoch_have_that_of_the_release(table, epoch):
    spec = query(f"SELECT ra FROM {table}.gaia_source AS one JOIN {table}.more USING (source_id)").spec
    assert reading_options(["ra"], spec)["fill"] == {"epoch": epoch}


@pytest.mark.parametrize(
    "adql",
    [
        "SELECT ra FROM ppmxl",
        "SELECT ra FROM gaiadr1.tmass_original_valid",
        "SELECT ra FROM gaiadr9.gaia_source",
        "SELECT a.ra FROM gaiadr2.gaia_source AS a JOIN gaiadr3.gaia_source AS b USING (ra)",
    ],
)
def test_an_epoch_is_never_guessed(adql):
    with pytest.raises(CatalogError, match=r"catalog\.query: the answer has no epoch .*; select ref_epoch or "):
        reading_options(["ra"], query(adql).spec)
    assert reading_options(["ra", "epoch"], query(adql).spec)["fill"] == {}


def test_another_query_or_archive_has_another_file():
    first, again, other = query(), query(f"\n{ADQL}\n"), query(ADQL.replace("100", "99"))
    elsewhere = query(query_url="https://tap.example.org/async")
    assert first == again
    assert len({first.name, other.name, elsewhere.name}) == 3
    assert first.name.startswith("query_")
    assert first.name.endswith(".vot")
    assert first.spec == {"kind": "query", "query": ADQL, "url": GAIA_TAP}
    assert "ESA/Gaia/DPAC" in citation(first.spec)
    assert citation(query("SELECT * FROM ppmxl").spec) == ""


def test_how_a_catalog_is_asked_for_is_not_what_it_is():
    section = {"timeout_s": 1, "retries": 9, "min_rows": 7, "query_timeout_s": 5, "columns": {"name": "source_id"}}
    assert query(**section).spec == query().spec
    assert query(**section).name == query().name
    assert query(**section).options == section
    assert canonical_json(query(**section).options)


def test_a_file_of_the_user_is_not_fetched():
    assert remote_catalog({"file": "x.csv", "default": None, "query": None}) is None


def test_keys_and_defaults_are_those_of_the_schema():
    parts = SCHEMA["properties"]["catalog"]["properties"]
    for name in OPTIONS:
        assert parts[name]["x-critical"] is False
    assert parts["query_url"]["default"] == GAIA_TAP
    assert parts["query_timeout_s"]["default"] == fetch_catalog.__kwdefaults__["query_timeout_s"]
    assert f"{PRESETS['gentile_fusillo_2021'].min_rows} for WD" in parts["min_rows"]["description"]
    config = complete({"project": "x", "catalog": {"default": "WD"}, "observatories": {"demo": None}}, SCHEMA)
    assert remote_catalog(config["catalog"]).spec == WHITE_DWARFS


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_description_that_is_gone_or_damaged_says_what_to_do(tmp_path, text):
    if text is not None:
        (tmp_path / "x.vot.json").write_text(text)
    with pytest.raises(CatalogError, match=r"x\.vot\.json: cannot be read .*; remove the catalog, it will be fetched"):
        read_description(tmp_path / "x.vot")
    assert not query().is_at(tmp_path / "x.vot")


def test_nothing_heavy_is_imported():
    code = "import sys, vo_lib.catalogs.remote, vo_lib.fetch_catalog, vo_lib.catalogs.lazy; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE_ROOT)
    assert not {"requests", "astropy", "pandas", "jsonschema"} & set(done.stdout.split())
