import logging

import hash_seeds
import pytest
from servers.sesame import SesameServer, mast_row, star

from vo_lib.downloads.fetching import NOT_ASKED
from vo_lib.errors import CatalogError, ServiceError, UserError
from vo_lib.observatories.http import HttpClient
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.targets.cache import NameCache
from vo_lib.targets.names import CACHE, TABLE, Resolver
from vo_lib.targets.resolvers import MastResolver, Sesame
from vo_lib.targets.target import AMBIGUOUS, FOUND, MOVING, NOT_FOUND, UNRESOLVED

STARS = {
    "Sk 70": star("AzV 148", 13.4270833, -72.7066667, aliases=["Sk 70", "2MASS J00534249-7242235"], pm=(0.9, -1.2)),
    "AZV148": star("AzV 148", 13.4270833, -72.7066667, aliases=["Sk 70"]),
    "NGC 4258": star("NGC 4258", 184.73, 47.31),
}
ROWS = [mast_row("TIC 7", 10.5, 20.5, resolver="TIC"), mast_row("NGC 4258", 184.74008, 47.30372)]
DOWN = {kind: ["503"] * 99 for kind in ("cds", "cfa", "mast")}
SESAME_DOWN = {kind: ["503"] * 99 for kind in ("cds", "cfa")}


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "names.tsv"


@pytest.fixture
def online(cache):
    """Make a resolver that asks local services, for as long as the test lasts."""
    servers = []

    def make(behaviour=None, **options):
        server = SesameServer(STARS, ROWS, behaviour=behaviour).__enter__()
        servers.append(server)
        client = HttpClient(retries=0, retry_wait_s=0.01, timeout_s=60)
        services = (Sesame(client, server.sesame_urls), MastResolver(client, server.mast_url))
        table = PACKAGE_ROOT / TABLE
        return Resolver(table, cache, offline=False, services=services, per_second=0, **options), server

    yield make
    for server in servers:
        server.__exit__()


def asked(server):
    return [request.kind for request in server.requests]


def offline(cache, **options):
    return Resolver(PACKAGE_ROOT / TABLE, cache, **options)


# The order


def test_the_local_table_comes_first_and_nobody_is_asked(online):
    resolver, server = online(known=["Sk 70"])
    assert resolver.get_targname("AZV-148") == "AZV148"
    assert resolver.get_targname("saturn 1") == "SATURN"
    assert resolver.get_targname("1507476-162738") == "1507476-162738"
    assert asked(server) == []


def test_a_known_name_of_the_target_is_used_as_it_is_spelled_there(online):
    assert online(known=["2MASS J00534249-7242235", "NGC 1"])[0].get_targname("Sk 70") == "2MASS J00534249-7242235"
    assert online(known=["AZV-148"])[0].get_targname("Sk 70") == "AZV-148"


def test_of_several_known_names_the_first_in_the_alphabet_is_used(online):
    known = {"Sk 70", "AzV 148", "AZV-148", "2MASS J00534249-7242235"}
    assert online(known=known)[0].get_targname("Sk 70") == "2MASS J00534249-7242235"
    assert online(known=known - {"2MASS J00534249-7242235"})[0].get_targname("Sk 70") == "AZV-148"


def test_else_a_name_stays_as_it_was_given(online):
    resolver, _ = online(known=["M 31"])
    assert resolver.get_targname("Sk 70") == "Sk 70"
    assert resolver.get_targname("  Xyzzy-1 ") == "  Xyzzy-1 "


def test_names_do_not_depend_on_the_order_of_sets():
    code = """
import tempfile
from pathlib import Path
from vo_lib.targets.cache import NameCache
from vo_lib.targets.names import Resolver
from vo_lib.targets.target import Target
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "names.tsv"
    cache = NameCache(path)
    names = [f"N {number}" for number in range(50)]
    cache.put(Target("x", "found", "N 7", 1.0, 2.0, aliases=tuple(names)))
    cache.save()
    resolver = Resolver(cache=path, known={name.replace(" ", "") for name in names[20:]})
    print(resolver.get_targname("x"), resolver.look_up("x"), path.read_text())
"""
    assert len(hash_seeds.outputs(code)) == 1


def test_all_names_of_a_target(online):
    resolver, _ = online()
    assert resolver.resolve("Sk 70") == {"AzV 148", "Sk 70", "2MASS J00534249-7242235"}
    assert resolver.resolve("AZV-148") == {"AzV 148", "Sk 70"}
    assert resolver.resolve("Xyzzy") == set()
    assert resolver.resolve("SATURN1") == set()


# Services


def test_mast_is_asked_for_what_the_cds_does_not_know(online, cache):
    resolver, server = online()
    target = resolver.look_up("TIC 7")
    assert (target.status, target.service, target.ra) == (FOUND, "MAST (TIC)", 10.5)
    assert asked(server) == ["cds", "mast"]
    assert NameCache(cache).get("TIC 7") == target


def test_mast_is_asked_for_a_position_that_the_cds_knows_roughly(online):
    assert online(DOWN | {"cds": []})[0].look_up("NGC 4258").status == AMBIGUOUS
    assert online()[0].look_up("NGC 4258").service == "MAST (SIMBAD)"


def test_what_mast_says_while_the_cds_is_down_is_used_but_not_kept(online, cache, caplog):
    resolver, server = online(SESAME_DOWN)
    assert resolver.look_up("TIC 7").status == FOUND
    assert "is used but not kept, because CDS Sesame: http" in caplog.text
    assert asked(server) == ["cds", "cfa", "mast"]
    assert not cache.exists()


def test_a_name_that_all_services_answer_for_is_not_found_and_not_asked_for_again(online, cache):
    resolver, server = online()
    target = resolver.look_up("Xyzzy")
    assert (target.status, target.service) == (NOT_FOUND, "CDS Sesame and MAST")
    assert asked(server) == ["cds", "mast"]
    assert resolver.look_up("Xyzzy") == target
    assert offline(cache).look_up("Xyzzy") == target
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "behaviour", [DOWN, SESAME_DOWN, {"mast": ["503"] * 99}, {"cds": ["doctype"] * 9, "cfa": ["html"] * 9}]
)
def test_a_failure_is_not_not_found_and_never_kept(online, cache, behaviour):
    resolver, _ = online(behaviour)
    for method in (resolver.look_up, resolver.resolve, resolver.get_targname, resolver.locate):
        with pytest.raises(ServiceError, match="(CDS Sesame|MAST): http.*run again later|HTTP status 503"):
            method("Xyzzy")
    assert not cache.exists()
    assert online()[0].look_up("Xyzzy").status == NOT_FOUND


def test_services_that_are_down_are_not_asked_for_ever(online):
    resolver, server = online(DOWN)
    targets = list(resolver.look_up_all(["a", "b", "SATURN", "c", "d", "e"]))
    assert [target.status for target in targets] == [UNRESOLVED] * 2 + [MOVING] + [UNRESOLVED] * 3
    assert targets[0].problem.startswith("could not be resolved: CDS Sesame: http")
    assert targets[-1].problem == f"could not be resolved: {NOT_ASKED}"
    assert len(server.requests) == 9
    with pytest.raises(ServiceError, match="HTTP status 503"):
        resolver.look_up("f")


def test_services_that_fail_now_and_then_are_asked_on(online):
    resolver, _ = online({kind: ["503", "503", "ok"] * 9 for kind in ("cds", "cfa", "mast")})
    targets = list(resolver.look_up_all([f"x{number}" for number in range(9)]))
    assert not any(NOT_ASKED in target.reason for target in targets)
    assert {target.status for target in targets} == {UNRESOLVED, NOT_FOUND}


# The cache


def test_offline_nobody_is_asked(online, cache, caplog):
    resolver, server = online(known=["AZV-148"])
    resolver.look_up("Sk 70")
    again = offline(cache, known=["AZV-148"])
    assert again.look_up("Sk 70") == resolver.look_up("Sk 70")
    assert again.get_targname("Sk 70") == "AZV-148"
    assert len(server.requests) == 1
    caplog.clear()
    assert again.get_targname("Xyzzy") == "Xyzzy"
    assert again.look_up("Xyzzy").status == UNRESOLVED
    assert again.resolve("Xyzzy") == set()
    assert f"'Xyzzy' is not in {cache}; resolve it online" in caplog.text


def test_offline_is_the_default(monkeypatch, tmp_path):
    monkeypatch.chdir(PACKAGE_ROOT)
    resolver = Resolver(cache=tmp_path / "names.tsv")
    assert resolver.offline
    assert resolver.get_targname("Xyzzy") == "Xyzzy"
    assert CACHE.as_posix() == "catalogs/names.tsv"


def test_many_answers_are_kept_though_the_last_question_fails(online, cache):
    resolver, _ = online()

    def names():
        yield from (f"x{number}" for number in range(60))
        assert len(cache.read_text().splitlines()) == 51
        raise RuntimeError("the end")

    with pytest.raises(RuntimeError, match="the end"):
        list(resolver.look_up_all(names()))
    assert len(cache.read_text().splitlines()) == 61


def test_the_day_and_the_service_of_an_answer_are_kept(online, cache):
    online()[0].look_up("Sk 70")
    line = cache.read_text().splitlines()[1].split("\t")
    assert line[:6] == ["Sk 70", "AzV 148", "13.4270833", "-72.7066667", "0.9", "-1.2"]
    assert line[7] == "CDS Sesame (Simbad)"
    assert line[8].startswith("20")
    assert line[8].count("-") == 2


# Positions


def test_a_target_is_located(online):
    target = online()[0].locate("Sk 70")
    assert (target.ra, target.dec, target.pmra, target.pmdec) == (13.4270833, -72.7066667, 0.9, -1.2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SATURN1", "'SATURN1' is a moving target and has no fixed position"),
        ("Xyzzy", "'Xyzzy' is not known to CDS Sesame and MAST; check its spelling or give its position"),
    ],
)
def test_a_target_without_a_position_cannot_be_located(online, name, message):
    with pytest.raises(CatalogError, match=message):
        online()[0].locate(name)


@pytest.mark.parametrize("name", ["", "  ", "{}"])
def test_an_empty_name_is_refused(online, name):
    with pytest.raises(UserError, match="the name of a target is empty"):
        online()[0].get_targname(name)


def test_requests_are_paced(online, monkeypatch):
    resolver, _ = online()
    turns = []
    monkeypatch.setattr(resolver._pace, "wait", lambda: turns.append(1))
    list(resolver.look_up_all(["Sk 70", "SATURN", "Sk 70", "Xyzzy"]))
    assert len(turns) == 2


def test_answers_are_logged(online, caplog):
    with caplog.at_level(logging.INFO, "vo_lib"):
        online()[0].look_up("Sk 70")
    assert "Sk 70: found by CDS Sesame (Simbad) as AzV 148" in caplog.text
