"""What earlier versions wrote is read, migrated or made again, and nothing is downloaded again for it."""

import csv
import json
import tarfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from make_state import FORMATS, answers, make_workspace, run_python

from vo_lib import hdf5
from vo_lib.catalogs.snapshot import Snapshot
from vo_lib.counts.histogram_files import read_histograms
from vo_lib.database.schema import newest_revision, stored_revision
from vo_lib.database.session import open_session
from vo_lib.downloads.manifest import read_manifest
from vo_lib.errors import DamagedProductError
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.raw import read_epochs, read_index
from vo_lib.reduction.reduced import read_reduced

STATES = sorted(path.name.removesuffix(".tar.xz") for path in Path(__file__).parent.glob("*.tar.xz"))
RAW = "ZTF/ztf_dr24/ZTF_photometry_RA000.h5"


@pytest.fixture(params=STATES)
def old(request, tmp_path):
    """The small project as an earlier version left it."""
    made = make_workspace(tmp_path)
    with tarfile.open(Path(__file__).with_name(f"{request.param}.tar.xz")) as archive:
        # Python 3.11.4 has the filter, 3.14 wants it.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(made.data_root)
    made.formats = json.loads((made.data_root / "formats.json").read_text())
    made.catalog.write_text("name,ra,dec\na,0.1,51.3937\nb,0.2,51.3937\nnothing,0.3,-20\n")
    return made


def test_each_format_of_now_has_a_state_for_the_time_when_it_is_an_old_one():
    kept = [json.loads(_member(name, "./formats.json")) for name in STATES]
    for name, number in json.loads(run_python(PACKAGE_ROOT, "-c", FORMATS)).items():
        assert number in [formats[name] for formats in kept], (
            f"format {number} of {name} is new: python tests/upgrade/make_state.py {name}_{number}"
        )


def _member(state, name):
    with tarfile.open(Path(__file__).with_name(f"{state}.tar.xz")) as archive:
        return archive.extractfile(name).read()


def test_the_states_are_small():
    assert sum(path.stat().st_size for path in Path(__file__).parent.glob("*.tar.xz")) < 400_000


def test_archive_and_manifest_of_an_earlier_version_are_read(old):
    header, sources = read_manifest(old.product("manifests/ZTF_photometry_RA000.jsonl"))
    assert header["schema"] == old.formats["manifest"]
    assert sources["status"].tolist() == ["ok", "ok", "empty"]
    assert list(read_index(old.data_root / RAW)) == ["a", "b", "nothing"]
    data, counts = read_epochs(old.data_root / RAW, sources, [("mjd", "f8"), ("mag", "f8")])
    assert counts.tolist() == [21, 21, 0]
    assert len(data) == 42


def test_products_of_an_earlier_version_are_read_or_said_to_be_made_again(old):
    (snapshot,) = (old.data_root / ".snakemake" / "catalogs").glob("*.h5")
    assert Snapshot.open(snapshot).n_sources == 3
    reduced, analysis = old.product("ZTF_photometry_RA000_reduced.h5"), old.product("RA000_analysis.h5")
    assert read_reduced(reduced).n_epochs == 42
    with hdf5.open_file(analysis) as file:
        assert hdf5.read_table(file, "properties")["source"].tolist() == ["a", "b", "nothing"]
    with open(old.product("properties.csv"), newline="") as file:
        assert [row["source"] for row in csv.DictReader(file)] == ["a", "b", "nothing"]
    histograms = old.product("RA000_histograms.nc")
    if old.formats["manifest"] == 1:  # from before files had digests
        again = r"has no digest at its end.*; delete it and run snakemake or Project.run to make it again$"
        with pytest.raises(DamagedProductError, match=again):
            read_histograms(histograms)
    else:
        assert read_histograms(histograms)["coverage"].counts.sum() > 0


def test_after_an_upgrade_archives_are_accepted_without_a_request_and_the_rows_are_migrated(old):
    raw = (old.data_root / RAW).read_bytes()
    with answers() as server:
        for name, address in server.parameters.items():
            old.set(f"observatories.ztf.{name}", address)
        assert old.vo("db", "restore", old.data_root / "database.dump", "--yes") == 0
        run = old.run()
        assert run.status == 0, run.output
        assert server.requests == []
    assert "download" not in run.jobs
    assert {"report", "pages", "sync_database"} <= run.jobs.keys()
    assert (old.data_root / RAW).read_bytes() == raw
    assert old.plan().idle
    assert old.vo("verify") == 0
    with open_session(data_root=old.data_root) as session:
        assert stored_revision(session.connection()) == newest_revision()
        rows = session.execute(sa.text("SELECT status, n_rows FROM raw_photometry ORDER BY n_rows")).all()
    assert [tuple(row) for row in rows] == [("empty", 0), ("ok", 21), ("ok", 21)]
