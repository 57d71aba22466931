"""Tables, relationships and queries."""

import subprocess
import sys

import pytest
import sqlalchemy as sa
from database.products import sync_arguments, write_bin
from sqlalchemy.orm import aliased, joinedload, selectinload

from vo_lib.database.models import Base, Detection, Lightcurve, Project, RawPhotometry, Source
from vo_lib.database.sync import sync_project
from vo_lib.search.detections import DETECTION_COLUMNS
from vo_lib.statistics import STATISTICS


def _sync(engine, root, folder, *observatories):
    """Store a project with the source s."""
    write_bin(root, ["s"], folder=folder, observatories=observatories)
    sync_project(engine, root, folder, **sync_arguments(project=folder.lower(), observatories=observatories))


@pytest.fixture
def two_projects(engine, tmp_path):
    """Projects A and B, both with the source s, which two observatories saw."""
    for folder in ("A", "B"):
        _sync(engine, tmp_path, folder, "DEMO", "ZTF")


def test_import_is_light():
    code = "import sys, vo_lib, vo_lib.database; sys.exit('sqlalchemy' in sys.modules or 'psycopg2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_columns_are_described():
    columns = [column for table in Base.metadata.sorted_tables for column in table.columns]
    assert [str(column) for column in columns if not column.comment] == []


def test_names_of_constraints_fit_and_are_fixed():
    constraints = [key for table in Base.metadata.sorted_tables for key in table.constraints]
    assert all(key.name and len(key.name) <= 63 for key in constraints)


def test_tables_are_as_declared(engine):
    columns = sa.inspect(engine).get_columns("detections")
    names = [column["name"] for column in columns]
    assert names == Detection.__table__.columns.keys()
    assert set(DETECTION_COLUMNS) - set(names) == {"source", "lightcurve"}  # they are source_id and lightcurve_id
    assert {column["name"]: column["comment"] for column in columns}["score"] == "what is compared with the threshold"


def test_every_statistic_is_a_column_with_its_unit(engine):
    comments = {column["name"]: column["comment"] for column in sa.inspect(engine).get_columns("properties")}
    for name, statistic in STATISTICS.items():
        assert comments[name] == statistic.description + (f" [{statistic.unit}]" if statistic.unit else "")


@pytest.mark.usefixtures("two_projects")
def test_relationships_of_a_source(session):
    source = session.scalars(sa.select(Source).join(Project).where(Project.name == "b", Source.name == "s")).one()
    assert [raw.obs for raw in source.raw_photometry] == ["DEMO", "ZTF"]
    assert [(curve.obs, curve.level) for curve in source.lightcurves] == [("DEMO", "reduced"), ("ZTF", "reduced")]
    assert [event.simulated for event in source.detections] == [False, True]
    assert source.properties.source is source
    assert source.lightcurves[0].detections == source.detections
    assert source.detections[0].lightcurve.source is source


@pytest.mark.usefixtures("two_projects")
def test_a_lightcurve_newer_than_the_loaded_ones_of_its_source_has_its_epochs(session, tmp_path):
    session.info["data_root"] = tmp_path
    mine, other = session.scalars(sa.select(Source).order_by(Source.id))
    is_late = sa.and_(Lightcurve.project_id == mine.project_id, Lightcurve.obs == "ZTF")
    session.execute(sa.update(Lightcurve).where(is_late).values(source_id=other.id))
    assert [curve.obs for curve in mine.lightcurves] == ["DEMO"]
    session.execute(sa.update(Lightcurve).where(is_late).values(source_id=mine.id))
    late = session.scalars(sa.select(Lightcurve).where(is_late)).one()
    assert late.source is mine
    assert late.dataset.filekey == late.key


@pytest.mark.usefixtures("two_projects")
def test_raw_photometry_is_found_by_name_and_by_the_number_of_each_source(session):
    sources = session.scalars(sa.select(Source).order_by(Source.id)).all()
    by_name = session.scalars(sa.select(RawPhotometry).where(RawPhotometry.source_name == "s")).all()
    assert len(sources) == len(by_name) == 2
    for source in sources:
        query = sa.select(RawPhotometry).where(RawPhotometry.source_id == source.id).order_by(RawPhotometry.id)
        assert session.scalars(query).all() == by_name
    assert by_name[0].source_id == sources[0].id
    assert by_name[0].sources == sources
    assert session.scalars(sa.select(RawPhotometry.source_id)).all() == [sources[0].id] * 2
    twice = sa.select(RawPhotometry.obs, RawPhotometry.source_id).order_by(RawPhotometry.source_id, RawPhotometry.obs)
    assert session.execute(twice).all() == [("DEMO", sources[0].id), ("ZTF", sources[0].id)]
    other = aliased(RawPhotometry)
    assert (
        session.scalars(sa.select(other.source_id).where(other.source_id == sources[1].id)).all() == [sources[0].id] * 2
    )
    assert session.scalars(sa.select(RawPhotometry).where(RawPhotometry.source_id.in_([-1]))).all() == []


def test_a_source_has_the_raw_photometry_of_the_surveys_of_its_project(engine, session, tmp_path):
    _sync(engine, tmp_path, "A", "DEMO")
    _sync(engine, tmp_path, "B", "DEMO", "ZTF")
    of_demo, of_both = sources = session.scalars(sa.select(Source).order_by(Source.id)).all()
    demo, ztf = session.scalars(sa.select(RawPhotometry).order_by(RawPhotometry.obs)).all()
    assert (of_demo.raw_photometry, of_both.raw_photometry) == ([demo], [demo, ztf])
    assert (demo.sources, ztf.sources, ztf.source_id) == (sources, [of_both], of_both.id)
    for load in (joinedload, selectinload):
        query = sa.select(Source).options(load(Source.raw_photometry)).execution_options(populate_existing=True)
        loaded = session.scalars(query.order_by(Source.id)).unique().all()
        assert [source.raw_photometry for source in loaded] == [[demo], [demo, ztf]]
    pairs = sa.select(RawPhotometry.obs, Source.id).join(Source, RawPhotometry.source_id == Source.id)
    assert sorted(map(tuple, session.execute(pairs))) == sorted(
        [("DEMO", of_demo.id), ("DEMO", of_both.id), ("ZTF", of_both.id)]
    )
    assert session.scalars(sa.select(Source).where(Source.raw_photometry.any(obs="ZTF"))).all() == [of_both]


@pytest.mark.usefixtures("two_projects")
def test_deleting_a_project_deletes_what_is_its_own(session):
    session.execute(sa.delete(Project).where(Project.name == "a"))
    assert session.scalars(sa.select(Lightcurve.filename.distinct()).order_by(Lightcurve.filename)).all() == [
        "B/DEMO_photometry_RA000_reduced.h5",
        "B/ZTF_photometry_RA000_reduced.h5",
    ]
    assert session.scalar(sa.select(sa.func.count(RawPhotometry.id))) == 2


def test_repr_shows_the_natural_key():
    assert repr(Source(project_id=3, name="s", ra=1.0)) == "Source(project_id=3, name='s')"
