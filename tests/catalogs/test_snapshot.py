import json

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from vo_lib.catalogs.columns import COLUMNS
from vo_lib.catalogs.demo import make_test_catalog, write_catalog
from vo_lib.catalogs.snapshot import take_snapshot
from vo_lib.errors import CatalogError

TEXT = """name,ra,dec,pmra,mag,mag_filter
# a comment
a,0.0,89.9,-12.5,15.2,G
b,359.9999,-0.5,,,
"WD J0000+5123, twin",123.4,0,1,2,V
"""


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_text(TEXT)
    return path


def test_a_snapshot_of_a_list_is_made_again_when_the_list_changes(tmp_path):
    entries = [{"name": "a", "ra": 10.5, "dec": 1}, {"name": "b", "ra": "12:00:00", "dec": 2}]
    first = take_snapshot(entries, tmp_path)
    made = first.path.stat().st_mtime_ns
    assert list(first.bins) == ["RA010", "RA180"]
    assert take_snapshot(json.loads(json.dumps(entries)), tmp_path).path.stat().st_mtime_ns == made
    entries[0]["ra"] = 11.5
    assert list(take_snapshot(entries, tmp_path).bins) == ["RA011", "RA180"]


def test_the_same_sources_have_the_same_digests_in_a_file_and_in_a_list(catalog, tmp_path):
    catalog.write_text("name,ra,dec\na,10.5,1\n")
    assert take_snapshot([{"name": "a", "ra": 10.5, "dec": 1}], tmp_path).bins == take_snapshot(catalog, tmp_path).bins


def test_a_selection_leaves_the_other_bins_as_they_are(catalog, tmp_path):
    everything = take_snapshot(catalog, tmp_path)
    part = take_snapshot(catalog, tmp_path, select={"names": ["b", "a"]})
    assert list(part.bins) == ["RA000", "RA359"]
    assert all(part.bins[name][2] == everything.bins[name][2] for name in part.bins)
    assert part.left_out == {"select": 1}
    assert take_snapshot(catalog, tmp_path, select=dict.fromkeys(("start", "stop"))).left_out == {}


def test_a_selection_counts_rows_and_names_of_the_catalog_before_cuts(catalog, tmp_path):
    part = take_snapshot(catalog, tmp_path, select={"start": 1, "names": ["a", "b"]}, cuts=["dec < 50"])
    assert (list(part.bins), part.left_out) == (["RA359"], {"select": 2, "dec < 50": 0})
    with pytest.raises(CatalogError, match=r"no source passes catalog\.cuts, which exclude \{'dec < 50': 1\}"):
        take_snapshot(catalog, tmp_path, select={"names": ["a"]}, cuts=["dec < 50"])


def test_a_source_that_is_not_there_may_be_one_that_was_left_out(catalog, tmp_path):
    part = take_snapshot(catalog, tmp_path, select={"stop": 1})
    for find in (part.find, lambda name: part.find_names([name])):
        with pytest.raises(CatalogError, match="of which select or catalog.cuts leave out 2, has no source"):
            find("nobody")


def test_a_selection_may_name_bins(catalog, tmp_path):
    assert list(take_snapshot(catalog, tmp_path, select={"bins": ["RA120"]}, width_deg=5).bins) == ["RA120"]
    with pytest.raises(CatalogError, match=r"select\.bins: .* the bin 'RA124'; did you mean 'RA12[03]'\?"):
        take_snapshot(catalog, tmp_path, select={"bins": ["RA124"]})


def test_a_snapshot_with_a_flipped_bit_is_made_again(catalog, tmp_path):
    first = take_snapshot(catalog, tmp_path)
    content = bytearray(first.path.read_bytes())
    content[content.index(np.float64(123.4).tobytes()) + 5] ^= 0x10
    first.path.write_bytes(content)
    assert first.rows("RA123")["ra"] != 123.4
    assert take_snapshot(catalog, tmp_path).rows("RA123")["ra"] == 123.4


def test_renamed_sources_are_counted(catalog, tmp_path):
    catalog.write_text("name,ra,dec\na,1,2\na,1,2\n")
    snapshot = take_snapshot(catalog, tmp_path, on_duplicate="suffix")
    assert (snapshot.renamed, snapshot.rows("RA001")["name"].tolist()) == (1, ["a", "a_2"])


def test_sources_are_found_by_name(catalog, tmp_path):
    catalog.write_text(TEXT + "é,50,1,,,\n")
    snapshot = take_snapshot(catalog, tmp_path)
    rows = snapshot.find_names(["b", "é", "a", "b"])
    assert list(rows) == list(COLUMNS)
    assert rows["name"].tolist() == ["b", "é", "a", "b"]
    assert rows["ra"].tolist() == [359.9999, 50.0, 0.0, 359.9999]
    assert snapshot.find_names([])["ra"].shape == (0,)
    with pytest.raises(CatalogError, match=r"no source 'WD J0000\+5124, twin'; did you mean 'WD J0000\+5123, twin'\?"):
        snapshot.find_names(["a", "WD J0000+5124, twin"])


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """Snapshots, by width of the bins, and positions of a synthetic catalog, crowded at RA 0 and at the poles."""
    folder, rng = tmp_path_factory.mktemp("crowd"), np.random.default_rng(5)
    table = make_test_catalog(3000)
    near = slice(10, 310)
    table["ra"][near] = rng.normal(0, 0.01, 300) % 360
    table["dec"][near] = np.repeat([0.0, 89.99, -89.99], 100) + rng.uniform(-0.01, 0.01, 300)
    write_catalog(folder / "catalog.fits", table)
    snapshots = {width: take_snapshot(folder / "catalog.fits", folder, width_deg=width) for width in (0.1, 1, 30, 360)}
    return snapshots, table["name"], SkyCoord(table["ra"], table["dec"], unit="deg")


@pytest.mark.parametrize("width", [0.1, 1, 30, 360])
@pytest.mark.parametrize(
    ("ra", "dec", "radius"),
    [
        (0.0, 0.0, 30),
        (359.9999, 0.001, 60),
        (720.0, -0.005, 60),
        (-0.001, 0.001, 60),
        (37.0, 90.0, 120),
        (200.0, -89.995, 120),
        (0.0, 89.9, 350),
        (180.0, 89.9, 1500),
        (100.0, 45.0, 20000),
        (33.0, -85.0, 80000),
        (10.0, 20.0, 648000),
    ],
)
def test_the_nearest_sources_are_those_of_astropy_everywhere(crowd, width, ra, dec, radius):
    snapshots, names, places = crowd
    found = snapshots[width].nearest(ra, dec, radius)
    separation = SkyCoord(ra % 360, dec, unit="deg").separation(places).to_value(u.arcsec)
    assert 5 < (separation <= radius).sum() == len(found["name"])
    assert set(found["name"]) == set(names[separation <= radius])
    np.testing.assert_allclose(found["separation"], np.sort(separation)[: len(found["name"])], atol=1e-6)


def test_two_sources_at_one_place_are_both_found(crowd):
    found = crowd[0][1].nearest(200.25, -5.5)
    assert sorted(found["name"]) == ["one of a pair", "other of a pair"]
    assert found["separation"].tolist() == [0, 0]


def test_where_no_source_is_nothing_is_found(crowd):
    found = crowd[0][1].nearest(200.25, -5.501)
    assert list(found) == [*COLUMNS, "separation"]
    assert {values.shape for values in found.values()} == {(0,)}


def test_only_the_bins_that_the_circle_touches_are_read(crowd):
    snapshot = crowd[0][1]
    others = {name: limits for name, limits in snapshot.bins.items() if name not in ("RA359", "RA000")}
    broken = type(snapshot)(snapshot.path, snapshot.bins | dict.fromkeys(others, None), 1, {}, 0)
    assert len(broken.nearest(0, 0, 60)["name"]) > 5


@pytest.mark.parametrize(
    ("circle", "error", "message"),
    [
        ((1, 2, None), TypeError, "radius_arcsec must be a number, got None"),
        (("1", 2, 2), TypeError, "ra must be a number, got '1'"),
        ((1, 2, 0), ValueError, "radius_arcsec must be positive, got 0"),
        ((1, 90.1, 2), ValueError, "dec must be between -90 and 90 degrees, got 90.1"),
        ((float("nan"), 2, 2), ValueError, "ra must be finite, got nan"),
    ],
)
def test_what_is_no_circle_is_refused(crowd, circle, error, message):
    with pytest.raises(error, match=message):
        crowd[0][1].nearest(*circle)
