import json

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st

from vo_lib.bins import Bins, check_width, claim_width
from vo_lib.errors import ConfigError


@pytest.mark.parametrize(
    ("width", "ra", "name"),
    [
        (1, 0.0, "RA000"),
        (1, 359.9999, "RA359"),
        (1, 360.0, "RA000"),
        (1, 123.1, "RA123"),
        (1, 123.999999999, "RA123"),
        (1, np.nextafter(124.0, 0), "RA123"),
        (1, -0.5, "RA359"),
        (1, -1e-20, "RA000"),
        (5, 7.0, "RA005"),
        (5, 15.0, "RA015"),
        (0.5, 123.7, "RA123.50"),
        (0.1, 0.3, "RA000.30"),
        (0.1, 0.7, "RA000.70"),
        (0.125, 1.2, "RA001.125"),
    ],
)
def test_a_source_is_in_the_bin_of_its_lower_edge(width, ra, name):
    bins = Bins(width)
    assert bins.name(int(bins.index(ra))) == name


@pytest.mark.parametrize("width", [0, -1, 7, 361, 0.3, 1.5, 1e-5, float("nan")])
def test_a_width_that_leaves_a_part_of_the_sky_is_refused(width):
    with pytest.raises(ConfigError, match=r"bins\.width_deg must be whole degrees"):
        Bins(width)


@given(st.floats(0, 360, exclude_max=True), st.sampled_from([0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15]))
def test_every_source_is_in_one_of_the_bins_and_not_below_its_edge(ra, width):
    bins = Bins(width)
    index = int(bins.index(ra))
    assert 0 <= index < bins.number
    assert -1e-9 <= ra - index * width < width + 1e-9


@pytest.mark.parametrize("width", [0.05, 0.1, 0.25, 0.5, 1, 2, 5])
def test_an_edge_belongs_to_the_bin_that_it_names(width):
    bins = Bins(width)
    edges = np.array([float(bins.name(index)[2:]) for index in range(bins.number)])
    assert np.array_equal(bins.index(edges), np.arange(bins.number))
    assert len({bins.name(index) for index in range(bins.number)}) == bins.number


@settings(deadline=None)
@given(
    st.floats(-720, 720),
    st.floats(-90, 90),
    st.floats(1e-6, 100),
    st.floats(0, 1),
    st.floats(0, 360),
    st.sampled_from([0.1, 1, 30, 360]),
)
def test_no_bin_with_a_place_inside_a_circle_is_missed(ra, dec, radius, part, angle, width):
    bins = Bins(width)
    there = SkyCoord(ra, dec, unit="deg").directional_offset_by(angle * u.deg, part * radius * u.deg)
    around = bins.around(ra, dec, radius)
    assert len(set(around.tolist())) == len(around) <= bins.number
    assert int(bins.index(there.ra.deg)) in around


@pytest.mark.parametrize(
    ("circle", "expected"),
    [
        ((10.5, 0, 0.4), [10]),
        ((10.5, 0, 0.6), [9, 10, 11]),
        ((10.5, 60, 0.4), [9, 10, 11]),
        ((0.0, 0, 0.1), [359, 0]),
        ((359.95, 0, 0.1), [359, 0]),
    ],
)
def test_a_circle_touches_few_bins(circle, expected):
    assert Bins(1).around(*circle).tolist() == expected


def test_a_circle_with_a_pole_touches_all_bins():
    assert Bins(5).around(10, -89.9, 0.1).tolist() == list(range(72))


def test_a_data_root_has_one_width(tmp_path):
    claim_width(tmp_path / "new", 1)
    claim_width(tmp_path / "new", 1)
    assert json.loads((tmp_path / "new" / "bins.json").read_text()) == {"width_deg": 1}
    with pytest.raises(ConfigError, match=r"bins\.width_deg is 5 but .*bins\.json says 1"):
        claim_width(tmp_path / "new", 5)


def test_checking_the_width_writes_nothing(tmp_path):
    check_width(tmp_path / "none", 1)
    assert list(tmp_path.iterdir()) == []
