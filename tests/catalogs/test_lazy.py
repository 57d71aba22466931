import numpy as np
import pytest
from servers.gaia import synthetic_table
from servers.tap import AsyncTap
from servers.warwick import FileServer, synthetic_white_dwarfs

from vo_lib.catalogs.lazy import Catalog
from vo_lib.errors import ConfigError, ServiceError

PACKED = synthetic_white_dwarfs(20)


def white_dwarfs(server, folder, **options):
    return Catalog(default="WD", url=server.url, min_rows=1, folder=folder, retry_wait_s=0.01, **options)


def test_a_default_catalog_is_downloaded_when_it_is_needed_and_not_again(tmp_path):
    with FileServer(PACKED) as server:
        catalog = white_dwarfs(server, tmp_path)
        assert server.requests == []
        table = catalog.load()
        assert len(table["name"]) == 20
        assert catalog.load() is table
        again = white_dwarfs(server, tmp_path).load()
    assert len(server.requests) == 1
    assert all(np.array_equal(again[name], table[name], equal_nan=table[name].dtype.kind == "f") for name in table)


def test_a_catalog_is_read_or_downloaded_again_when_that_is_wanted(tmp_path):
    with FileServer(PACKED) as server:
        catalog = white_dwarfs(server, tmp_path)
        first = catalog.load()
        assert catalog.load(force_reload=True) is not first
        assert len(server.requests) == 1
        server.body = synthetic_white_dwarfs(30)
        assert len(catalog.load(force_reload=True)["name"]) == 20
        assert len(catalog.load(force_redownload=True)["name"]) == 30
    assert len(server.requests) == 2


def test_a_catalog_that_cannot_be_downloaded_again_is_still_there(tmp_path):
    with FileServer(PACKED) as server:
        catalog = white_dwarfs(server, tmp_path, retries=0)
        catalog.load()
        server.behaviour = ["404"]
        with pytest.raises(ServiceError, match="404"):
            catalog.load(force_redownload=True)
        assert len(catalog.load(force_reload=True)["name"]) == 20


@pytest.mark.parametrize("damage", ["cut", "lost", "undescribed"])
def test_a_catalog_that_is_not_there_whole_is_downloaded_again(tmp_path, damage):
    with FileServer(PACKED) as server:
        path = white_dwarfs(server, tmp_path).path
        white_dwarfs(server, tmp_path).load()
        if damage == "cut":
            path.write_bytes(path.read_bytes()[:-10])
        else:
            (path if damage == "lost" else path.with_name(f"{path.name}.json")).unlink()
        assert len(white_dwarfs(server, tmp_path).load()["name"]) == 20
    assert len(server.requests) == 2


def test_cuts_and_columns_are_obeyed(tmp_path):
    with FileServer(PACKED) as server:
        whole = white_dwarfs(server, tmp_path).load()
        some = white_dwarfs(server, tmp_path, cuts=["Pwd > 0.75"], columns={"name": "source_id"}).load()
    assert 0 < len(some["name"]) < len(whole["name"])
    assert all(int(name) > 2**62 for name in some["name"])


def test_a_query_is_asked_once(tmp_path):
    with AsyncTap(synthetic_table(), phases=["COMPLETED"]) as archive:
        for _ in range(2):
            catalog = Catalog(query="SELECT * FROM gaiadr3.gaia_source", query_url=archive.url, folder=tmp_path)
            assert len(catalog.load()["name"]) == 5
    assert len(archive.queries) == 1


def test_a_file_of_the_user_is_read(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("name,ra,dec\na,1,2\n")
    catalog = Catalog(path)
    assert catalog.load()["ra"].tolist() == [1.0]
    path.write_text("name,ra,dec\na,3,2\n")
    assert catalog.load()["ra"].tolist() == [1.0]
    assert catalog.load(force_reload=True)["ra"].tolist() == [3.0]


def test_fetched_catalogs_are_in_the_data_root_of_the_workflow(monkeypatch, tmp_path):
    monkeypatch.setenv("VO_DATA", str(tmp_path))
    assert Catalog(default="wd").path == tmp_path / "catalogs" / "gentile_fusillo_2021.fits"


@pytest.mark.parametrize("origins", [{}, {"file": "x.csv", "default": "WD"}, {"default": "WD", "query": "SELECT"}])
def test_a_catalog_has_one_origin(origins):
    with pytest.raises(ConfigError, match="exactly one of file, default and query"):
        Catalog(**origins)


@pytest.mark.parametrize(("name", "value"), [("min_rows", 5), ("url", "http://x"), ("folder", "y")])
def test_options_of_fetching_are_refused_for_a_file_of_the_user(name, value):
    with pytest.raises(ConfigError, match=rf"x\.csv: a file of your own is not fetched, so {name} has no meaning"):
        Catalog("x.csv", **{name: value})


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="Catalog has no option 'colums'"):
        Catalog("x.csv", colums={})
