import json
from contextlib import nullcontext
from multiprocessing import Pipe, get_context
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from astropy import units as u
from astropy.coordinates import SkyCoord
from database.products import PROVENANCES, sync_arguments, write_bin

from vo_lib.cli import make_parser
from vo_lib.criteria import CRITERIA
from vo_lib.database.find import find_detections, find_lightcurves, find_sources
from vo_lib.database.models import Lightcurve, Project, Provenance, ProvenanceTag, Source
from vo_lib.database.session import Session
from vo_lib.database.sync import sync_project
from vo_lib.database.tags import mark_bad
from vo_lib.errors import UserError
from vo_lib.verbs.find import VERB

CENTRES = [(0.0, 0.0), (359.9999, 45.0), (12.3, 90.0), (200.0, -90.0), (180.0, 89.9), (77.0, -60.0)]


@pytest.fixture(scope="module")
def data_root(shared_engine, tmp_path_factory):
    """Data root of a project in the database with a source that has no detection."""
    folder = tmp_path_factory.mktemp("data_root")
    write_bin(folder, ["a", "b"], detected=["a"])
    sync_project(shared_engine, folder, "DEMO", **sync_arguments())
    return folder


@pytest.fixture
def synced(shared_engine, data_root):
    """A session on the project; what it changes is rolled back."""
    with Session(shared_engine, data_root=data_root) as session:
        yield session


@pytest.mark.parametrize("radius_deg", [0.1, 3.0, 40.0, 120.0])
def test_a_cone_has_the_sources_that_astropy_finds_everywhere(session, radius_deg):
    rng = np.random.default_rng(5)
    ra = np.concatenate([rng.uniform(0, 360, 600), rng.uniform(0, 0.2, 30), rng.uniform(359.8, 360, 30)])
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, 660)))
    for centre, (ra0, dec0) in enumerate(CENTRES):
        ra[centre * 100 : centre * 100 + 60] = (ra0 + rng.normal(0, 2, 60)) % 360
        dec[centre * 100 : centre * 100 + 60] = np.clip(dec0 + rng.normal(0, 0.2, 60), -90, 90)
    rows = [
        Source(name=f"{number:03d}", bin="RA000", ra=place[0], dec=place[1], mag_filter="")
        for number, place in enumerate(zip(ra.tolist(), dec.tolist(), strict=True))
    ]
    session.add(Project(name="sky", folder="SKY", sources=rows))
    session.flush()
    sky = SkyCoord(ra * u.deg, dec * u.deg)
    for ra0, dec0 in CENTRES:
        near = sky.separation(SkyCoord(ra0 * u.deg, dec0 * u.deg)).deg <= radius_deg
        found = find_sources(session, project="sky", ra=ra0, dec=dec0, radius_arcsec=3600 * radius_deg)
        assert [int(row.name) for row in found] == np.flatnonzero(near).tolist()
    session.rollback()


def test_a_whole_name_goes_before_a_part_of_one(session):
    rows = [Source(name=name, bin="RA000", ra=1.0, dec=2.0, mag_filter="") for name in ("WD1", "WD10", "a%c", "abc")]
    session.add(Project(name="sky", folder="SKY", sources=rows))
    session.flush()

    def found(name, **more):
        return [row.name for row in find_sources(session, project="sky", name=name, **more)]

    assert found("WD1") == ["WD1"]
    assert found("wd1") == found("WD") == ["WD1", "WD10"]
    assert found("%") == ["a%c"]
    assert found("abc", dec_range=(5, 6)) == []
    session.rollback()


def names(found):
    return [getattr(row, "source", row).name for row in found]


# A value that the first source fulfils, and one that none does.
BOTH = {
    "name": ("A", "%"),
    "ra_range": ((359, 1), (1, 359)),
    "dec_range": ((-2, -1), (-1, 2)),
    "mag_range": ((7, 15), (30, 31)),
    "mjd_range": ((1, 12), (20, 30)),
    "filter": ("demo-g", "demo-r"),
    "obs": ("demo", "ZTF"),
    "snr_min": (1.25, 50),
    "n_good_min": (3, 4),
    "n_detections_min": (1, 2),
}


@pytest.mark.parametrize("find", [find_sources, find_lightcurves, find_detections])
@pytest.mark.parametrize("criterion", BOTH)
def test_each_criterion_lets_through_and_keeps_away(synced, find, criterion):
    through, away = BOTH[criterion]
    assert "a" in names(find(synced, project="demo", **{criterion: through}))
    assert find(synced, project="DEMO", **{criterion: away}) == []


def test_a_range_may_be_open_and_names_several(synced):
    for find in (find_sources, find_lightcurves, find_detections):
        for criterion in ("dec_range", "mag_range", "mjd_range"):
            (low, high), (past, _) = BOTH[criterion]
            for within, n_found in (((low, None), 1), ((None, high), 1), ((past + 100, None), 0)):
                assert names(find(synced, project="demo", name="a", **{criterion: within})) == ["a"] * n_found
        for criterion, several in (("filter", ["demo-r", "demo-g"]), ("obs", ("ztf", "demo"))):
            assert "a" in names(find(synced, project="demo", **{criterion: several}))


def test_numbers_may_be_those_of_numpy(synced):
    numbers = {"n_good_min": np.int64(3), "snr_min": np.float32(1.25), "max_number": np.int64(1)}
    ranges = {"mag_range": np.array([7, 15]), "ra_range": np.array([359, 1]), "filter": np.str_("demo-g")}
    cone = {"ra": np.float64(0.5), "dec": np.float32(0), "radius_arcsec": np.int32(36000)}
    for find in (find_sources, find_lightcurves, find_detections):
        assert names(find(synced, project="demo", **numbers, **ranges, **cone)) == ["a"]


def test_each_criterion_is_tested():
    assert {*BOTH, "ra", "dec", "radius_arcsec"} == set(CRITERIA)


def test_what_is_not_known_fulfils_no_criterion_and_is_last(synced):
    first = synced.query(Source).filter_by(name="a").one()
    first.mag = None
    synced.flush()
    assert names(find_sources(synced, project="demo", mag_range=(-100, 100))) == ["b"]
    assert names(find_sources(synced, project="demo", order="brightest")) == ["b", "a"]
    assert names(find_sources(synced, project="demo", max_number=1)) == ["a"]


def test_simulated_detections_are_found_only_when_asked_for(synced):
    (real,) = find_detections(synced, project="demo")
    (simulated,) = find_detections(synced, project="demo", simulated=True)
    assert (real.simulated, simulated.simulated) == (False, True)


def test_rows_are_within_the_tag_and_the_provenances_that_are_named(synced):
    assert names(find_lightcurves(synced, tag="default")) == ["a", "b"]
    assert names(find_detections(synced, project="demo", tag="demo")) == ["a"]
    assert names(find_lightcurves(synced, provenance_ids="reduced0")) == ["a", "b"]
    assert names(find_sources(synced, provenance_ids=["analysed0"])) == ["a", "b"]
    assert find_lightcurves(synced, provenance_ids=["analysed0"]) == []
    assert names(find_detections(synced, provenance_ids=synced.get(Provenance, "analysed0"))) == ["a"]
    synced.execute(sa.update(Lightcurve).where(Lightcurve.key.startswith("a")).values(provenance_id="analysed0"))
    synced.execute(sa.delete(ProvenanceTag).where(ProvenanceTag.process == "analyze"))
    assert names(find_lightcurves(synced, tag="default")) == ["b"]
    assert find_detections(synced, tag="default") == []
    synced.rollback()


@pytest.mark.parametrize("made", [np.array, pd.Series, set, iter, dict.fromkeys])
def test_several_provenances_may_be_in_anything_that_lists_them(synced, made):
    assert names(find_lightcurves(synced, provenance_ids=made(["analysed0", "reduced0"]))) == ["a", "b"]


def test_what_is_marked_as_bad_is_found_only_when_asked_for(synced):
    mark_bad(synced, "analysed0", "wrong threshold")
    assert find_detections(synced, project="demo") == find_sources(synced, project="demo") == []
    assert names(find_lightcurves(synced, project="demo")) == ["a", "b"]
    assert names(find_detections(synced, project="demo", include_bad=True)) == ["a"]
    mark_bad(synced, "analysed0", None)
    assert names(find_detections(synced, project="demo")) == ["a"]


def test_coordinates_may_be_sexagesimal(synced):
    found = find_sources(synced, project="demo", ra="00:00:00", dec="-01:30:00", radius_arcsec=1)
    assert names(found) == ["a"]


def test_quantities_are_taken_in_their_units(synced):
    source = find_sources(synced, project="demo")[0]
    place = {"ra": (source.ra * u.deg).to(u.hourangle), "dec": (source.dec * u.deg).to(u.rad)}
    near = find_sources(synced, project="demo", **place, radius_arcsec=0.01 * u.arcmin)
    assert names(near) == names(find_sources(synced, project="demo", ra_range=[0, 359] * u.deg))[:1]
    with pytest.raises(UserError, match="ra must be in units of deg, got <Quantity 3. m>"):
        find_sources(synced, project="demo", ra=3 * u.m, dec=0, radius_arcsec=1)


def test_results_become_a_frame(synced):
    frame = find_lightcurves(synced, project="demo").to_frame()
    assert frame["source"].tolist() == ["a", "b"]
    assert frame["n_epochs"].tolist() == [3, 3]
    assert frame.equals(find_lightcurves(synced, project="demo")[:].to_frame())
    nothing = find_lightcurves(synced, project="demo", snr_min=1e9).to_frame()
    assert (len(nothing), list(nothing)) == (0, list(frame))


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ({"snr_mim": 3}, "'snr_mim' is not a criterion; did you mean 'snr_min'"),
        ({"project": "dema"}, "project 'dema' is not in the database"),
        ({"ra": 3}, "a cone needs ra, dec and radius_arcsec, got ra alone"),
        ({"ra": 3, "dec": 91, "radius_arcsec": 1}, "dec=91, radius_arcsec=1 is not on the sky"),
        ({"mag_range": "16"}, "mag_range must be a pair of numbers, got '16'"),
        ({"ra_range": "16"}, "ra_range must be a pair of numbers, got '16'"),
        ({"mag_range": 3}, "mag_range must be a pair of numbers, got 3"),
        ({"mag_range": (3, 2)}, r"mag_range must be \[least, greatest\]"),
        ({"order": "nmae"}, "'nmae' is not an order; did you mean 'name'"),
        ({"max_number": 0}, "max_number must be at least 1"),
        ({"project": None}, "give a project, a tag such as 'default', or provenance_ids"),
        ({"provenance_ids": ["reduced0", "reduced9"]}, "provenance 'reduced9' is not in the database; vo tags lists"),
        ({"filter": ["demo-g", 2]}, r"filter must be a name or a list of names, got \['demo-g', 2\]"),
        ({"mjd_range": (None, None)}, "mjd_range is open at both ends"),
        ({"ra": 400, "dec": 0, "radius_arcsec": 1}, "the cone ra=400, dec=0, radius_arcsec=1 is not on the sky"),
        ({"snr_min": 10**400}, "snr_min must be a number, got 1000"),
        ({"snr_min": "high"}, "snr_min must be a number, got 'high'"),
        ({"n_good_min": np.nan}, "n_good_min must be finite"),
        ({"ra": 3, "dec": 0, "radius_arcsec": "wide"}, "radius_arcsec must be a number, got 'wide'"),
        ({"name": 3}, "name must be text, got 3"),
        ({"max_number": 1.5}, "max_number must be at least 1 and a whole number, got 1.5"),
        ({"max_number": 10**30}, "max_number must be at least 1 and a whole number"),
        ({"tag": "defautl"}, "tag 'defautl' is not in the database; did you mean 'default'"),
    ],
)
def test_what_cannot_be_asked_is_told(synced, criteria, message):
    with pytest.raises(UserError, match=message):
        find_sources(synced, **{"project": "demo"} | criteria)


def test_a_filter_or_survey_that_no_lightcurve_has_is_told(synced, caplog):
    assert find_detections(synced, project="demo", filter=["demo_g", "demo-g"], n_good_min=99) == []
    assert find_sources(synced, project="demo", obs="demoo") == []
    told = [
        "no lightcurve of project 'demo' has the filter 'demo_g'; did you mean",
        "no lightcurve of project 'demo' has the obs 'DEMOO'; did you mean 'DEMO'?",
    ]
    assert len(caplog.messages) == 2
    assert all(message.startswith(start) for message, start in zip(caplog.messages, told, strict=True))


def test_a_filter_that_only_another_project_has_is_told(synced, caplog):
    synced.add(Project(folder="OTHER", name="other"))
    synced.flush()
    assert find_lightcurves(synced, project="other", filter="demo-g") == []
    assert find_lightcurves(synced, tag="default", filter="demo-g", snr_min=1e9) == []
    assert [message.partition(";")[0] for message in caplog.messages] == [
        "no lightcurve of project 'other' has the filter 'demo-g'"
    ]
    synced.rollback()


def test_a_tag_of_other_projects_alone_is_told(synced, caplog):
    synced.add(Project(folder="OTHER", name="other"))
    synced.flush()
    assert find_sources(synced, project="other", tag="default") == []
    assert find_sources(synced, project="demo", tag="default", snr_min=1e9) == []
    assert caplog.messages == ["tag 'default' has no results of project 'other'; vo tags lists what it stands for"]
    synced.rollback()


def asked(session, question):
    """What a question asks the database, statement by statement."""
    statements = []

    def keep(connection, cursor, statement, parameters, context, many):
        statements.append(cursor.mogrify(statement, parameters).decode())

    sa.event.listen(session.bind, "before_cursor_execute", keep)
    question()
    sa.event.remove(session.bind, "before_cursor_execute", keep)
    return statements


def test_the_best_real_detections_come_from_their_index_in_order(synced):
    *_, query = asked(synced, lambda: find_detections(synced, project="demo", order="best", max_number=100))
    synced.execute(sa.text("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"))
    synced.execute(sa.text("SET LOCAL enable_sort = off; SET LOCAL enable_hashjoin = off"))
    plan = "\n".join(synced.connection().exec_driver_sql("EXPLAIN " + query.replace("%", "%%")).scalars())
    synced.rollback()
    assert "Index Scan using ix_detections_real_snr" in plan
    assert "Presorted Key: (abs(detections.snr))" in plan
    assert plan.count("Sort Key") == 1


def test_names_of_sources_and_keys_of_lightcurves_come_with_what_was_found(synced):
    synced.expunge_all()
    for find in (find_lightcurves, find_detections):
        found = find(synced, project="demo")
        assert asked(synced, lambda found=found: [(row.source.name, *found.to_frame().columns) for row in found]) == []
    assert asked(synced, lambda: [row.lightcurve.key for row in found]) == []


def test_an_empty_database_is_told(empty_engine):
    with (
        Session(empty_engine) as session,
        pytest.raises(UserError, match="the database has no tables yet; run snakemake or Project.run to fill it"),
    ):
        find_sources(session, project="demo")


def test_the_command_finds_by_the_same_criteria(synced, monkeypatch, capsys):
    plan = SimpleNamespace(database_url=None, data_root=None, folder="DEMO", provenances=PROVENANCES)
    monkeypatch.setattr("vo_lib.database.existing.existing_session", lambda plan: nullcontext(synced))
    for words, n_found in ((["--ra-range", "359", "1", "--json"], 2), (["--snr-min", "100", "--json"], 0)):
        arguments = make_parser().parse_args(["find", "lightcurves", *words])
        assert arguments.verb.run(plan, arguments) == 0
        rows = json.loads(capsys.readouterr().out)
        assert [row["source"] for row in rows] == ["a", "b"][:n_found]
    assert VERB.run(plan, make_parser().parse_args(["find", "detections"])) == 0
    assert "1 detection of project DEMO" in capsys.readouterr().out


def test_the_command_makes_no_server_to_look_into(tmp_path):
    plan = SimpleNamespace(database_url=None, data_root=tmp_path, folder="DEMO")
    with pytest.raises(UserError, match="the database has no tables yet; run snakemake or Project.run to fill it"):
        VERB.run(plan, make_parser().parse_args(["find", "sources"]))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "warning"), [(1, "there are more; --max-number sets how many are shown"), (2, "")])
def test_the_command_says_when_there_are_more(synced, monkeypatch, capsys, number, warning):
    plan = SimpleNamespace(database_url=None, data_root=None, folder="DEMO", provenances=PROVENANCES)
    monkeypatch.setattr("vo_lib.database.existing.existing_session", lambda plan: nullcontext(synced))
    assert VERB.run(plan, make_parser().parse_args(["find", "sources", "--max-number", str(number), "--json"])) == 0
    shown = capsys.readouterr()
    assert [row["name"] for row in json.loads(shown.out)] == ["a", "b"][:number]
    assert shown.err.strip() == (f"vo find: {warning}" if warning else "")


def test_the_command_says_when_rows_are_of_another_configuration(synced, monkeypatch, capsys):
    plan = SimpleNamespace(database_url=None, data_root=None, folder="DEMO", provenances=[{"id": "reduced0"}])
    monkeypatch.setattr("vo_lib.database.existing.existing_session", lambda plan: nullcontext(synced))
    assert VERB.run(plan, make_parser().parse_args(["find", "sources", "--snr-min", "1e9"])) == 0
    assert capsys.readouterr().err == (
        "vo find: some rows come from another configuration or other code; see vo status\n"
    )


@pytest.mark.parametrize(
    ("marked", "told"),
    [("other", ""), ("analysed0", "vo find: results of provenances marked as bad are left out; see --include-bad\n")],
)
def test_the_command_says_when_rows_of_its_project_are_left_out(synced, monkeypatch, capsys, marked, told):
    plan = SimpleNamespace(database_url=None, data_root=None, folder="DEMO", provenances=PROVENANCES)
    monkeypatch.setattr("vo_lib.database.existing.existing_session", lambda plan: nullcontext(synced))
    synced.add(Provenance(id="other", process="analyze", parameters={}, code=""))
    synced.flush()
    synced.execute(sa.update(Provenance).where(Provenance.id == marked).values(is_bad=True))
    assert VERB.run(plan, make_parser().parse_args(["find", "sources"])) == 0
    assert capsys.readouterr().err == told
    synced.rollback()


def test_one_source_is_two_questions(synced):
    assert len(asked(synced, lambda: find_sources(synced, project="demo", name="a"))) == 2


def test_a_database_that_was_emptied_in_between_is_told(synced):
    find_sources(synced, project="demo", name="a")
    synced.rollback()
    with synced.get_bind().begin() as connection:
        connection.execute(sa.text("ALTER TABLE projects RENAME TO elsewhere"))
    try:
        for criteria in ({"project": "demo"}, {"project": "demo", "tag": "default"}):
            with pytest.raises(UserError, match="the database has no tables yet"):
                find_sources(synced, **criteria)
    finally:
        synced.rollback()
        with synced.get_bind().begin() as connection:
            connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO projects"))
    assert names(find_sources(synced, project="demo", name="a")) == ["a"]


def test_a_forked_process_has_connections_of_its_own(synced):
    """As with multiprocessing in a notebook that has asked the database before."""
    question = sa.text("SELECT pg_backend_pid()")
    with synced.bind.connect() as connection:
        ours = connection.scalar(question)

    def ask(sender):
        with synced.bind.connect() as connection:
            sender.send(connection.scalar(question))

    fork, (receiver, sender) = get_context("fork"), Pipe(duplex=False)
    process = fork.Process(target=ask, args=[sender])
    process.start()
    theirs = receiver.recv()
    process.join()
    with synced.bind.connect() as connection:
        assert connection.scalar(question) == ours != theirs
