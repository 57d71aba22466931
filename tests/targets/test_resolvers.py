import json
import math
import tracemalloc
from pathlib import Path

import pytest
from servers.sesame import MAST_TROUBLE, SESAME_TROUBLE, SesameServer, mast_row, star

from vo_lib.errors import ServiceError
from vo_lib.observatories.http import HttpClient
from vo_lib.targets.resolvers import MAST_URL, SESAME_URLS, MastResolver, Sesame, make_services
from vo_lib.targets.target import AMBIGUOUS, FOUND, NOT_FOUND, Target

GENUINE = Path(__file__).resolve().parents[3] / "shared/data/tess/mast_resolver.json"

STARS = {
    "AZV 148": star(
        "AzV 148", 13.4270833, -72.7066667, aliases=["[M2002] SMC 28153", "AzV 148", "2MASS  J0053 & more"]
    ),
    "x": star("V* x Y", 10.123456, -0.5, pm=(-1.06, 1.627)),
    "PG 1159-035+2": star("{PG} 1159-035", 180.4414, -3.7613, resolver="V=VizieR (local)"),
    "NGC 4258": star("{NGC} 4258", 184.73, 47.31, resolver="V=VizieR (local)"),
}
TROUBLE = ["503", "html", "empty", "truncated", "short", "reset", "slow"]


def client(**options):
    return HttpClient(**{"retries": 0, "retry_wait_s": 0.01, "timeout_s": 60} | options)


class Hasty(HttpClient):
    """A client that waits for the mirror, but not for the first address."""

    def get(self, url, **options):
        self.timeout_s = 60 if "/viz-bin/" in url else 0.3
        return super().get(url, **options)


def ask_sesame(name, server=None, *, by=None, **options):
    with server or SesameServer(STARS, **options) as server:
        return Sesame(by or client(), server.sesame_urls).look_up(name), [request.kind for request in server.requests]


def ask_mast(name, rows, *, by=None, **options):
    with SesameServer(rows=rows, **options) as server:
        return MastResolver(by or client(), server.mast_url).look_up(name)


# Sesame


def test_sesame_gives_position_and_all_names():
    target, asked = ask_sesame("AZV 148")
    aliases = ("2MASS J0053 & more", "[M2002] SMC 28153")
    service = "CDS Sesame (Simbad)"
    assert target == Target("AZV 148", FOUND, "AzV 148", 13.4270833, -72.7066667, None, None, aliases, service)
    assert target.names == {"AzV 148", *aliases}
    assert target.problem == ""
    assert asked == ["cds"]


def test_proper_motion_is_read_where_it_is():
    target = ask_sesame("x")[0]
    assert (target.pmra, target.pmdec) == (-1.06, 1.627)


def test_a_name_with_signs_is_sent_as_it_is():
    target = ask_sesame("PG 1159-035+2")[0]
    assert (target.canonical, target.service) == ("PG 1159-035", "CDS Sesame (VizieR)")


def test_a_name_that_sesame_does_not_know_is_not_found_and_the_mirror_is_not_asked():
    target, asked = ask_sesame("Xyzzy & <1>")
    assert target == Target("Xyzzy & <1>", NOT_FOUND, service="CDS Sesame")
    assert target.names == frozenset()
    assert asked == ["cds"]


@pytest.mark.parametrize("words", ["Zero (0) answers", "*** Nothing found *** ", "No known catalog could be found"])
def test_the_ways_of_saying_that_nothing_is_found(words):
    answer = f"<Resolver name='S=Simbad'><INFO>from cache</INFO><INFO>{words}</INFO></Resolver>"
    assert ask_sesame("y", SesameServer({"y": answer}))[0].status == NOT_FOUND


def test_a_position_to_an_arc_minute_is_none():
    target = ask_sesame("NGC 4258")[0]
    assert target.status == AMBIGUOUS
    assert target.problem == "has a position only to 0.01 degrees in CDS Sesame (VizieR); give its position"


@pytest.mark.parametrize("trouble", [*TROUBLE, *SESAME_TROUBLE])
def test_the_mirror_is_asked_when_the_first_address_fails(trouble):
    by = Hasty(retries=0) if trouble == "slow" else client()
    target, asked = ask_sesame("x", by=by, behaviour={"cds": [trouble]})
    assert target.canonical == "V* x Y"
    assert asked == ["cds", "cfa"]


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("503", "HTTP status 503"),
        ("html", "the answer has 0 targets of Sesame instead of one: <html>"),
        ("empty", "the answer is empty"),
        ("truncated", "the answer is not complete XML"),
        ("short", "the answer is not complete"),
        ("reset", "no connection|the connection broke"),
        ("slow", "no answer in time"),
        ("doctype", "has a document type, which Sesame never sends"),
        ("nothing", "no position and does not say why"),
        ("error", "no position and does not say why: no connection to Simbad"),
        ("no_number", "the answer has 'north' for jradeg, not a number"),
        ("half", "the answer has '' for jdedeg, not a number"),
        ("off_sky", "the position 360.5, 2.5, which is not on the sky"),
        ("other", "the answer has 0 targets of Sesame instead of one"),
        ("two", "the answer has 2 targets of Sesame instead of one"),
    ],
)
def test_trouble_of_sesame_is_never_not_found(trouble, message):
    by = client(timeout_s=0.3) if trouble == "slow" else client()
    with pytest.raises(ServiceError, match=message):
        ask_sesame("x", by=by, behaviour={"cds": [trouble], "cfa": [trouble]})


def test_an_answer_that_cannot_be_used_is_asked_for_again():
    with SesameServer(STARS, behaviour={"cds": ["truncated"]}) as server:
        assert Sesame(client(retries=1), server.sesame_urls).look_up("x").status == FOUND
        assert [request.kind for request in server.requests] == ["cds", "cds"]


def test_entities_are_not_expanded():
    tracemalloc.start()
    with pytest.raises(ServiceError, match="document type"):
        ask_sesame("x", behaviour={"cds": ["doctype"], "cfa": ["doctype"]})
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()


def test_an_address_that_failed_is_the_last_to_be_asked():
    with SesameServer(STARS, behaviour={"cds": ["503"], "cfa": ["ok", "503"]}) as server:
        sesame = Sesame(client(), server.sesame_urls)
        for _ in range(3):
            sesame.look_up("x")
        assert [request.kind for request in server.requests] == ["cds", "cfa", "cfa", "cds", "cds"]


# MAST


def test_mast_gives_a_position_and_names():
    rows = [
        mast_row("TIC 1", 10.5, 20.25, resolver="TIC"),
        mast_row("TIC 1", 10.5001, 20.25, resolver="SIMBAD", canonical="L   98-59"),
        mast_row("TIC 1", 10.5, 20.2501, resolver="NED", canonical="L 98-59"),
        mast_row("TIC 2", 1, 2),
    ]
    target = ask_mast("TIC 1", rows)
    assert target == Target("TIC 1", FOUND, "L 98-59", 10.5001, 20.25, None, None, ("TIC 1",), "MAST (SIMBAD)")
    assert ask_mast("TIC 1", rows[::-1]) == target
    assert ask_mast("tic 2", rows).ra == 1.0


def test_an_empty_list_is_not_found():
    assert ask_mast("x", []) == Target("x", NOT_FOUND, service="MAST")


@pytest.mark.parametrize(("apart", "status"), [(9.9, FOUND), (10.1, AMBIGUOUS)])
def test_positions_that_are_apart_are_ambiguous(apart, status):
    shift = apart / 3600 / math.cos(math.radians(60))
    rows = [mast_row("x", 359.9999, 60.0), mast_row("x", 359.9999 + shift - 360, 60.0, resolver="NED")]
    target = ask_mast("x", rows)
    assert target.status == status
    if status == AMBIGUOUS:
        assert target.problem == "is 10 arcsec away in NED from where it is in MAST (SIMBAD); give its position"


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("503", "HTTP status 503"),
        ("html", "the answer is not JSON but '<html>"),
        ("empty", "the answer is not JSON but 'empty'"),
        ("truncated", "the answer is not JSON but"),
        ("short", "the answer is not complete"),
        ("reset", "no connection|the connection broke"),
        ("slow", "no answer in time"),
        ("nothing", "the answer has no list of coordinates"),
        ("error", "the service says: SIMBAD is down"),
        ("no_number", "a position that is not a number"),
        ("half", "a row without 'resolver'; MAST may have changed its format"),
        ("off_sky", "the position 1.5, 92.5, which is not on the sky"),
        ("other", "the answer is about 'something else' and not about 'x'"),
    ],
)
def test_trouble_of_mast_is_never_not_found(trouble, message):
    assert trouble in [*TROUBLE, *MAST_TROUBLE]
    by = client(timeout_s=0.3) if trouble == "slow" else client()
    with pytest.raises(ServiceError, match=message):
        ask_mast("x", [mast_row("x", 1.5, 2.5)], by=by, behaviour={"mast": [trouble]})


@pytest.mark.parametrize(
    ("name", "canonical", "aliases"),
    [("TIC 307210830", "L 98-59", ("TIC 307210830",)), ("Barnard's star", "NAME Barnard's star", ())],
)
def test_genuine_answers_of_mast(name, canonical, aliases):
    if not GENUINE.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    rows = json.loads(GENUINE.read_text())["resolvedCoordinate"]
    target = ask_mast(name, rows)
    simbad = next(row for row in rows if (row["searchString"], row["resolver"]) == (name.lower(), "SIMBAD"))
    assert (target.ra, target.dec) == (simbad["ra"], simbad["decl"])
    assert (target.canonical, target.aliases) == (canonical, aliases)


def test_a_genuine_nebula_is_in_two_places():
    if not GENUINE.exists():
        pytest.skip("the genuine survey answers are not beside the project")
    target = ask_mast("M8", json.loads(GENUINE.read_text())["resolvedCoordinate"])
    assert target.problem.startswith("is 64 arcsec away in NED from where it is in MAST (SIMBAD)")


def test_the_cds_is_asked_before_mast_and_both_by_https():
    assert [service.title for service in make_services()] == ["CDS Sesame", "MAST"]
    assert all(url.startswith("https://") for url in (*SESAME_URLS, MAST_URL))
