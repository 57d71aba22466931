"""Catalogs from local servers: those of Warwick and of the Gaia archive, with invented stars."""

import gzip
import hashlib
import json
import re
import time
from datetime import UTC, datetime

import fetch_catalog as script
import numpy as np
import pytest
from servers.gaia import GENUINE_TABLE, synthetic_table
from servers.tap import AsyncTap
from servers.warwick import FileServer, synthetic_white_dwarfs

from vo_lib import fetch_catalog as module
from vo_lib.catalog import read_catalog
from vo_lib.catalogs.remote import GAIA_TAP, read_description, remote_catalog, service_of
from vo_lib.errors import CatalogError, ServiceError
from vo_lib.fetch_catalog import fetch_catalog
from vo_lib.observatories.cat_row import position_at
from vo_lib.observatories.gaia import VirtualGaia

ROWS = 50
PACKED = synthetic_white_dwarfs(ROWS)
UNPACKED = gzip.decompress(PACKED)
ADQL = "SELECT * FROM gaiadr3.gaia_source WHERE parallax > 100"
FAST = {"retry_wait_s": 0.01, "timeout_s": 60}


def fetch_white_dwarfs(server, folder, **options):
    """Fetch the catalog of white dwarfs; gives its file and description."""
    catalog = remote_catalog({"default": "WD", "url": server.url, "min_rows": 1} | FAST | options)
    about = fetch_catalog(catalog.spec, folder / catalog.name, **catalog.options)
    return folder / catalog.name, about


def gaia(table, **options):
    """An archive that answers at once."""
    return AsyncTap(table, phases=["COMPLETED"], **options)


def fetch_query(archive, folder, adql=ADQL, **options):
    """Ask for a catalog; gives its file, description, and its sources."""
    catalog = remote_catalog({"query": adql, "query_url": archive.url} | FAST | options)
    path = folder / catalog.name
    about = fetch_catalog(catalog.spec, path, **catalog.options)
    return path, about, read_catalog(path, **catalog.reading(path))


# The catalog of white dwarfs


def test_the_white_dwarfs_are_kept_unpacked_with_what_they_are(tmp_path):
    with FileServer(PACKED) as server:
        path, about = fetch_white_dwarfs(server, tmp_path / "a" / "b")
    assert path.read_bytes() == UNPACKED
    assert about == read_description(path)
    assert about["catalog"] == {"kind": "default", "name": "gentile_fusillo_2021"}
    assert (about["rows"], about["size"], about["url"]) == (ROWS, len(UNPACKED), server.url)
    assert about["sha256"] == hashlib.sha256(UNPACKED).hexdigest()
    assert "Gentile Fusillo" in about["citation"]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(about["date"])).total_seconds()) < 60
    names = sorted(path.name for path in path.parent.iterdir() if not path.name.endswith(".lock"))
    assert names == [path.name, f"{path.name}.json"]


def test_the_white_dwarfs_are_read_with_their_epoch_and_proper_motions(tmp_path):
    with FileServer(PACKED) as server:
        path, _ = fetch_white_dwarfs(server, tmp_path)
    table = read_catalog(path, **remote_catalog({"default": "WD"}).reading(path))
    assert len(table["name"]) == ROWS
    assert all(name.startswith("WDJ") for name in table["name"])
    assert set(table["epoch"]) == {2016.0}
    assert set(table["mag_filter"]) == {"Gaia G (Vega)"}
    assert np.isnan(table["mag_err"]).all()
    assert not np.array_equal(table["pmra"], table["pmdec"])
    assert (
        read_catalog(path, cuts=["Pwd > 0.75"], **remote_catalog({"default": "WD"}).reading(path))["name"].size < ROWS
    )


@pytest.mark.parametrize("trouble", ["503", "500", "reset", "html", "empty", "drop:1000", "end:1000", "wrong"])
def test_trouble_that_passes_is_waited_for(tmp_path, trouble):
    with FileServer(PACKED, behaviour=[trouble]) as server:
        path, _ = fetch_white_dwarfs(server, tmp_path)
    assert path.read_bytes() == UNPACKED
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("404", "HTTP status 404 Not Found"),
        ("500", "HTTP status 500"),
        ("html", "the answer is not a file but a page: IRSA is down for maintenance"),
        ("empty", "the file is neither FITS nor VOTable|the file is damaged"),
        ("end:1000", r"the file cannot be unpacked \(Compressed file ended before the end-of-stream marker"),
        ("wrong", "the file is damaged: is not a table"),
        ("drop:0", "the answer is not complete"),
    ],
)
def test_trouble_that_stays_leaves_the_old_catalog(tmp_path, trouble, message):
    old = tmp_path / "gentile_fusillo_2021.fits"
    old.write_bytes(b"old")
    with (
        FileServer(PACKED, behaviour=[trouble] * 20) as server,
        pytest.raises(ServiceError, match=rf"gaiaedr3_wd_main\.fits\.gz: {message}") as error,
    ):
        fetch_white_dwarfs(server, tmp_path, retries=1)
    assert "\n" not in str(error.value)
    assert ".part" not in str(error.value)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {old.name, f".{old.name}.lock"}
    assert old.read_bytes() == b"old"


def test_a_transfer_that_broke_goes_on_in_the_next_run(tmp_path):
    with FileServer(synthetic_white_dwarfs(500), behaviour=["drop:16384"]) as server:
        with pytest.raises(ServiceError, match="not complete"):
            fetch_white_dwarfs(server, tmp_path, retries=0)
        _, about = fetch_white_dwarfs(server, tmp_path, retries=0)
    assert about["rows"] == 500
    assert server.ranges == [None, "bytes=16384-"]


def test_a_server_that_unpacks_on_its_own_gives_the_same_catalog(tmp_path):
    with FileServer(UNPACKED) as server:
        path, _ = fetch_white_dwarfs(server, tmp_path)
    assert path.read_bytes() == UNPACKED


@pytest.mark.parametrize("column", ["WDJ_name", "dec", "pmra", "phot_g_mean_mag"])
def test_a_catalog_without_a_column_that_it_should_have_is_refused(tmp_path, column):
    body = synthetic_white_dwarfs(5, without=[column, "source_id"])
    with (
        FileServer(body) as server,
        pytest.raises(CatalogError, match=r"gz: there is no column for the \w+ of a"),
    ):
        fetch_white_dwarfs(server, tmp_path)
    assert len(server.requests) == 1
    assert [path.name for path in tmp_path.iterdir()] == [".gentile_fusillo_2021.fits.lock"]


def test_a_catalog_with_far_too_few_rows_is_refused_and_another_number_is_a_warning(tmp_path, caplog):
    with FileServer(PACKED) as server:
        with pytest.raises(CatalogError, match=r"50 rows, fewer than 1000000; set catalog\.min_rows if that is right"):
            fetch_white_dwarfs(server, tmp_path, min_rows=None)
        fetch_white_dwarfs(server, tmp_path, min_rows=50)
    assert "the catalog has 50 rows, 1280266 were expected" in caplog.text


@pytest.mark.parametrize("cut", [10, 2880, 5760 + 400])
def test_a_catalog_that_was_cut_before_it_was_packed_is_refused(tmp_path, cut):
    with FileServer(gzip.compress(UNPACKED[:-cut])) as server, pytest.raises(ServiceError, match="is damaged|neither"):
        fetch_white_dwarfs(server, tmp_path, retries=0)


def test_a_file_that_unpacks_to_more_than_the_disk_should_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 10**6)
    with (
        FileServer(gzip.compress(bytes(10**8))) as server,
        pytest.raises(ServiceError, match="the file has more than 1000000 bytes, unpacked; it is not a catalog"),
    ):
        fetch_white_dwarfs(server, tmp_path, retries=0)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


# Queries


@pytest.mark.parametrize("form", ["binary2", "binary", "tabledata"])
def test_a_query_is_pinned_with_its_text_and_rows(tmp_path, form):
    with gaia(synthetic_table(form=form)) as archive:
        path, about, table = fetch_query(archive, tmp_path)
    assert archive.queries == [ADQL]
    assert about == read_description(path)
    assert about["catalog"] == {"kind": "query", "query": ADQL, "url": archive.url}
    assert (about["rows"], about["url"]) == (5, archive.url)
    assert about["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "ESA/Gaia/DPAC" in about["citation"]
    assert table["name"].tolist() == [f"Gaia DR3 {2**62 + 1 + i}" for i in range(5)]
    assert np.isnan(table["pmra"]).tolist() == [False, True, False, False, False]


def test_identifiers_of_64_bits_are_names_with_all_their_digits(tmp_path):
    with gaia(synthetic_table()) as archive:
        _, _, chosen = fetch_query(archive, tmp_path, columns={"name": "SOURCE_ID"})
    with gaia(synthetic_table(without=["DESIGNATION"])) as archive:
        _, _, found = fetch_query(archive, tmp_path)
    assert chosen["name"].tolist() == found["name"].tolist() == [str(2**62 + 1 + i) for i in range(5)]


def test_positions_of_a_query_move_from_the_epoch_that_it_has(tmp_path):
    star = {"ra": [10.0], "dec": [0.0], "pmra": [3600.0], "pmdec": [-1800.0], "ref_epoch": [2015.5]}
    with gaia(synthetic_table(1, **star)) as archive:
        _, _, table = fetch_query(archive, tmp_path)
    row = {name: values[0].item() for name, values in table.items()}
    np.testing.assert_allclose(position_at(row, 2016.5), (10.001, -0.0005), rtol=0, atol=1e-9)


def test_a_release_without_a_column_for_its_epoch_has_its_own(tmp_path):
    with gaia(synthetic_table(without=["ref_epoch"])) as archive:
        _, _, table = fetch_query(archive, tmp_path, ADQL.replace("gaiadr3", "gaiadr2"))
        assert set(table["epoch"]) == {2015.5}
        with pytest.raises(CatalogError, match=r"async: catalog\.query: the answer has no epoch of the positions"):
            fetch_query(archive, tmp_path, "SELECT * FROM ppmxl")


def test_an_answer_that_the_archive_cut_off_is_refused(tmp_path):
    with (
        gaia(synthetic_table(status="OVERFLOW")) as archive,
        pytest.raises(CatalogError, match=r"the archive cut the answer off \(QUERY_STATUS is OVERFLOW\)"),
    ):
        fetch_query(archive, tmp_path)
    assert archive.jobs == {}
    assert not list(tmp_path.glob("query_*"))


def test_an_error_report_in_place_of_the_table_is_an_error(tmp_path):
    with (
        gaia(b"", behaviour=["ok"] * 2 + ["votable_error"] * 9) as archive,
        pytest.raises(ServiceError, match="the answer is an error report: ORA-24459"),
    ):
        fetch_query(archive, tmp_path, retries=1)
    assert not list(tmp_path.glob("query_*"))


def test_a_query_without_rows_is_an_error(tmp_path):
    with (
        gaia(re.sub(rb"<TR>.*</TR>", b"", synthetic_table(form="tabledata"), flags=re.DOTALL)) as archive,
        pytest.raises(CatalogError, match=r"there are 0 rows, fewer than 1; ask for more in catalog\.query"),
    ):
        fetch_query(archive, tmp_path)


@pytest.mark.parametrize(("column", "name"), [("dec", "dec"), ("ra", "ra")])
def test_a_query_without_positions_is_an_error(tmp_path, column, name):
    with (
        gaia(synthetic_table(without=[column])) as archive,
        pytest.raises(CatalogError, match=rf"no column for the {name} of a source \(there are SOURCE_ID, DESIG"),
    ):
        fetch_query(archive, tmp_path)


def test_a_wrong_query_is_an_error_with_what_the_archive_says(tmp_path):
    with (
        AsyncTap(phases=["ERROR"], message="Unknown column parallaxe") as archive,
        pytest.raises(ServiceError, match="the query ended with ERROR: Unknown column parallaxe"),
    ):
        fetch_query(archive, tmp_path)


def test_a_table_that_was_cut_is_asked_for_again(tmp_path):
    whole = synthetic_table()

    class Cutting(AsyncTap):
        def _result(self, job):
            self.table, table = whole, self.table
            return 200, table

    with Cutting(whole[: len(whole) // 2], phases=["COMPLETED"]) as archive:
        assert fetch_query(archive, tmp_path)[1]["rows"] == 5


def test_a_genuine_answer_of_the_archive_is_a_catalog(tmp_path):
    if not GENUINE_TABLE.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    with gaia(GENUINE_TABLE.read_bytes()) as archive:
        _, about, table = fetch_query(archive, tmp_path)
    assert about["rows"] == 2
    assert table["name"].tolist() == ["Gaia DR3 4583627001381815936", "Gaia DR3 5348723816842275584"]
    assert table["epoch"].tolist() == [2016.0, 2016.0]


# The script


def test_the_script_makes_the_catalog(tmp_path):
    catalog = remote_catalog({"default": "WD", "min_rows": 1} | FAST)
    with FileServer(PACKED) as server:
        options = {"per_second": 0, "catalog": catalog.options | {"url": server.url}}
        script.main(str(tmp_path / catalog.name), params=json.loads(json.dumps(catalog.spec)), options=options)
    assert catalog.is_at(tmp_path / catalog.name)


class Timed(AsyncTap):
    """An archive that notes when it is asked."""

    times = ()

    def next_behaviour(self, request):
        self.times = (*self.times, time.monotonic())
        return super().next_behaviour(request)


@pytest.mark.parametrize("trouble", [[], ["503", "ok", "reset"]])
def test_requests_for_a_catalog_take_turns_retries_included(tmp_path, monkeypatch, trouble):
    monkeypatch.chdir(tmp_path)
    with Timed(synthetic_table(), phases=["COMPLETED"], behaviour=trouble) as archive:
        catalog = remote_catalog({"query": ADQL, "query_url": archive.url} | FAST)
        options, begin = {"per_second": 8, "catalog": catalog.options}, time.monotonic()
        script.main(f"catalogs/{catalog.name}", params=catalog.spec, options=options)
    assert len(archive.times) >= 4 + len(trouble) // 2
    # A request comes after its turn: however slow the machine is, none comes before its time.
    assert all(at - begin >= turn / 8 for turn, at in enumerate(archive.times))
    (turns,) = (tmp_path / ".snakemake" / "pace").iterdir()
    assert turns.name == archive.root.removeprefix("http://")


def test_the_gaia_archive_has_the_name_that_the_survey_has_for_it():
    assert service_of({"kind": "query", "url": GAIA_TAP}) == VirtualGaia.service
    assert service_of({"kind": "query", "url": "https://tapvizier.cds.unistra.fr/async"}) == "tapvizier.cds.unistra.fr"
    assert service_of({"kind": "default", "name": "gentile_fusillo_2021"}) == "warwick.ac.uk"
    assert service_of({"kind": "default", "name": "gentile_fusillo_2021"}, "http://mirror:80/x") == "mirror:80"
