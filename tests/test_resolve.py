"""The verb ``resolve`` of the command ``vo``."""

import json

import pytest
import yaml
from servers.sesame import SesameServer, star

from vo_lib.cli import main
from vo_lib.observatories.http import HttpClient
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.targets import names
from vo_lib.targets.resolvers import MastResolver, Sesame

GD71 = star("GD 71", 88.115083, 15.887008, aliases=["WD 0549+158"])
STARS = {"GD71": GD71, "WD 0549+158": GD71, "Wolf 1": star("Wolf 1", 10.512345, -3.254321)}


@pytest.fixture
def vo(tmp_path, monkeypatch):
    """The command, with local services and a cache and project of its own."""
    catalog, config = tmp_path / "catalog.csv", tmp_path / "config.yaml"
    catalog.write_text("name,ra,dec\nwd 0549+158,88.115,15.887\n")
    settings = {"project": "test", "catalog": {"file": str(catalog)}, "observatories": {"demo": None}}
    config.write_text(yaml.safe_dump(settings | {"data_root": str(tmp_path / "data")}))
    monkeypatch.setattr("vo_lib.verbs.resolve.CACHE", tmp_path / "names.tsv")
    with SesameServer(STARS) as server:
        client = HttpClient(retries=0, timeout_s=60)
        services = (Sesame(client, server.sesame_urls), MastResolver(client, server.mast_url))
        monkeypatch.setattr(names, "make_services", lambda: services)
        yield lambda *words: (main(["resolve", *map(str, words), "--configfile", str(config)]), len(server.requests))


def test_names_go_under_those_of_the_table_the_catalog_or_as_given(vo, capsys):
    status, asked = vo("GD-71", "Wolf 1")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert status == 0
    assert rows[1] == ["GD-71", "GD71", "88.115083", "+15.887008", "found"]
    assert rows[2] == ["Wolf", "1", "Wolf", "1", "10.512345", "-3.254321", "found"]
    assert asked == 2
    assert vo("GD-71", "Wolf 1") == (0, 2)


def test_names_and_what_became_of_a_list_are_told_as_json(vo, tmp_path, capsys):
    assert vo("GD-71", "SATURN1", "--json")[0] == 1
    found, moving = json.loads(capsys.readouterr().out)
    assert (found["name"], found["goes_under"], round(found["ra"], 6)) == ("GD-71", "GD71", 88.115083)
    assert (moving["goes_under"], moving["ra"], moving["dec"]) == ("SATURN", None, None)
    listed, out = tmp_path / "list.txt", tmp_path / "made.csv"
    listed.write_text("GD-71\nXyzzy\n")
    assert vo("--list", listed, "--out", out, "--offline", "--json")[0] == 1
    assert json.loads(capsys.readouterr().out) == {"file": str(out), "n_sources": 1, "n_left_out": 1}


def test_a_target_goes_under_its_name_in_the_catalog(vo, capsys):
    assert vo("WD 0549+158")[0] == 0
    assert "wd 0549+158" in capsys.readouterr().out


def test_offline_nobody_is_asked_and_moving_targets_have_no_place(vo, capsys):
    assert vo("SATURN1", "Wolf 1", "--offline") == (1, 0)
    out, err = capsys.readouterr()
    assert "SATURN" in out
    assert "'SATURN1' is a moving target" in err
    assert "'Wolf 1' is not in" in err


def test_a_list_becomes_a_catalog_and_what_is_left_out_is_told(vo, tmp_path, capsys):
    listed, out = tmp_path / "list.txt", tmp_path / "made.csv"
    listed.write_text("GD-71\nXyzzy\nWolf 1\n")
    assert vo("--list", listed, "--out", out)[0] == 1
    shown = capsys.readouterr()
    assert f"{out}: 2 sources, 1 name left out" in shown.out
    assert "'Xyzzy' is not known to" in shown.err
    assert out.read_text().splitlines()[0] == "name,ra,dec,pmra,pmdec,epoch"


@pytest.mark.parametrize("words", [(), ("a", "--list", "x", "--out", "y"), ("--list", "x"), ("a", "--out", "y")])
def test_what_to_do_must_be_clear(vo, capsys, words):
    assert vo(*words)[0] == 1
    assert "give either names, or both --list and --out" in capsys.readouterr().err


def test_the_table_and_the_cache_of_the_project_are_there():
    assert (PACKAGE_ROOT / names.TABLE).is_file()
    assert (PACKAGE_ROOT / names.CACHE).is_file()


def test_a_list_that_is_not_there_is_named(vo, tmp_path, capsys):
    assert vo("--list", tmp_path / "none.txt", "--out", tmp_path / "made.csv") == (1, 0)
    shown = capsys.readouterr().err
    assert f"{tmp_path / 'none.txt'}: no such file; check the path given with --list" in shown
    assert "catalog.file" not in shown


@pytest.mark.parametrize("separator", [";", "\t", " "])
def test_a_list_with_other_separators_becomes_a_catalog(vo, tmp_path, separator):
    listed, out = tmp_path / "list.txt", tmp_path / "made.csv"
    listed.write_text('name,ra,dec\nGD-71,"",""\nmine,1,2\n'.replace(",", separator))
    assert vo("--list", listed, "--out", out)[0] == 0
    assert [line.split(",")[0] for line in out.read_text().splitlines()] == ["name", "GD-71", "mine"]
