"""Reduction of bins with known answers, and of a genuine answer of ZTF."""

from pathlib import Path
from statistics import NormalDist

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import EarthLocation, SkyCoord, solar_system_ephemeris
from astropy.time import Time
from make_epochs import DTYPE, MagnitudeSurvey, PlainSurvey, make_epochs, make_sources

from vo_lib import reduce
from vo_lib.combine import combine
from vo_lib.errors import ServiceError
from vo_lib.observatories.ztf import VirtualZTF
from vo_lib.quality import QUALITY_BITS, assess
from vo_lib.reduce import reduce_bin
from vo_lib.reduction.standard_columns import standard_columns
from vo_lib.search.detrend import detrend
from vo_lib.times import TimeSystem, standard_times

ARCSEC = 1 / 3600
GENUINE_ANSWER = Path(__file__).resolve().parents[2] / "shared/data/ztf/irsa_lightcurve_WD_ra000.csv"


def _reduce(data, counts=None, sources=None, survey=None, **options):
    """Reduce epochs of one source at RA 10, Dec 20, unless others are given."""
    sources = make_sources() if sources is None else sources
    return reduce_bin(sources, data, [len(data)] if counts is None else counts, survey or PlainSurvey(), **options)


def _left_out(reduction):
    """Rows of the table of what is left out, as tuples."""
    return list(zip(*(values.tolist() for values in reduction.left_out.values()), strict=True))


# Splitting and numbering


def test_known_bin():
    """Two filters, two series in one of them, a pause in one series; a source without data; and another."""
    first = [
        make_epochs([58300.0, 58301.0], filter="plain-r", series="7"),
        make_epochs([58000.0, 58010.0, 58100.0], filter="plain-g", series="9"),
        make_epochs([58005.0], filter="plain-g", series="10"),
    ]
    data = np.concatenate([*first, make_epochs([58000.0], series="1")])
    reduction = _reduce(data, [6, 0, 1], make_sources(["A", "B", "C"], status=["ok", "empty", "ok"]))
    table = reduction.batch.table
    assert table["key"].tolist() == [
        *(f"A_reduction_{number:02d}_of_04" for number in (1, 2, 3, 4)),
        "C_reduction_01_of_01",
    ]
    assert table["filter"].tolist() == ["plain-g", "plain-g", "plain-g", "plain-r", "plain-g"]
    assert table["series"].tolist() == ["10", "9", "9", "7", "1"]
    assert table["number"].tolist() == [1, 2, 3, 4, 1]
    assert table["count"].tolist() == [4, 4, 4, 4, 1]
    assert table["n_epochs"].tolist() == [1, 2, 1, 2, 1]
    assert table["obs"].tolist() == ["PLAIN"] * 5
    np.testing.assert_array_equal(reduction.batch.columns["mjd"], [58005, 58000, 58010, 58100, 58300, 58301, 58000])
    assert {name: values.tolist() for name, values in reduction.sources.items()} == {
        "source": ["A", "B", "C"],
        "status": ["ok", "empty", "ok"],
        "n_raw": [6, 0, 1],
        "n_kept": [6, 0, 1],
        "n_left_out": [0, 0, 0],
        "n_lightcurves": [4, 0, 1],
    }
    assert _left_out(reduction) == []


@pytest.mark.parametrize(("gap", "lengths"), [(10.0, [3]), (9.99, [1, 1, 1]), (15.0, [3]), (1e9, [3])])
def test_only_a_longer_pause_splits(gap, lengths):
    assert _reduce(make_epochs([58000.0, 58010.0, 58020.0]), gap_days=gap).batch.counts.tolist() == lengths


def test_the_pause_is_that_of_the_survey_unless_another_is_asked_for():
    class Sparse(PlainSurvey):
        gap_days = 400.0

    data = make_epochs(58000 + 300.0 * np.arange(3))
    assert _reduce(data).batch.counts.tolist() == [1, 1, 1]
    assert _reduce(data, survey=Sparse()).batch.counts.tolist() == [3]
    assert _reduce(data, survey=Sparse(), gap_days=200).batch.counts.tolist() == [1, 1, 1]


def test_a_pause_is_one_within_the_series():
    """Two series take turns every 30 days: each pauses for 60, both together never do."""
    data = make_epochs(58000 + 30.0 * np.arange(6), series=np.array(["1", "2"] * 3))
    assert _reduce(data, gap_days=40).batch.counts.tolist() == [1] * 6
    assert _reduce(data, gap_days=60).batch.counts.tolist() == [3, 3]


def test_same_series_in_two_filters_is_two_lightcurves():
    data = make_epochs([58000.0, 58000.1, 58000.2], filter=np.array(["b", "a", "b"]), series="5")
    assert _reduce(data).batch.table["filter"].tolist() == ["a", "b"]


def test_order_of_the_epochs_does_not_matter():
    rng = np.random.default_rng(2)
    counts = [100, 1, 300]
    data = make_epochs(58000 + rng.permutation(401) * 0.7, flux=rng.normal(50, 1, 401), flag=rng.integers(0, 8, 401))
    data["filter"], data["series"] = rng.choice(["g", "r"], 401), rng.choice(["1", "22", "3"], 401)
    data["time"][::17] = np.nan
    starts = np.cumsum([0, *counts])
    shuffled = np.concatenate([start + rng.permutation(count) for start, count in zip(starts, counts, strict=False)])
    sources = make_sources(["A", "B", "C"])
    one, other = (_reduce(rows, counts, sources, drop_bad=True) for rows in (data, data[shuffled]))
    for name, values in one.batch.columns.items():
        np.testing.assert_array_equal(other.batch.columns[name], values)
    for name, values in one.batch.table.items():
        np.testing.assert_array_equal(other.batch.table[name], values)
    assert _left_out(one) == _left_out(other)
    steps = np.diff(one.batch.columns["mjd"])
    assert (steps[np.diff(one.batch.lightcurve_index) == 0] > 0).all()


def test_a_source_with_a_filter_that_is_not_known_is_named():
    data = np.zeros(3, VirtualZTF().dtype)
    data["filtercode"] = [b"zg", b"zq", b"zr"]
    with pytest.raises(ServiceError, match=r"^WD 3: filter code 'zq' is not known \(known are zg, zr, zi\)$"):
        reduce_bin(make_sources(["WD 1", "WD 2", "WD 3", "WD 4"]), data, [1, 0, 1, 1], VirtualZTF())


def test_sources_do_not_influence_each_other():
    rng = np.random.default_rng(3)
    data = make_epochs(58000 + 500 * rng.random(60), flux=rng.normal(50, 1, 60), series=rng.choice(["1", "2"], 60))
    sources = make_sources(["A", "B", "C"], ra=10.0)
    together = _reduce(data, [20, 30, 10], sources).batch
    alone = _reduce(data[20:50], sources=make_sources(["B"])).batch
    chosen = together.select(together.table["source"] == "B")
    assert chosen.table["key"].tolist() == alone.table["key"].tolist()
    np.testing.assert_array_equal(chosen.columns["flux"], alone.columns["flux"])


def test_many_lightcurves_have_wider_numbers():
    batch = _reduce(make_epochs(58000 + 50.0 * np.arange(101))).batch
    assert batch.table["key"][[0, -1]].tolist() == ["A_reduction_001_of_101", "A_reduction_101_of_101"]


# Empty bins and single epochs


@pytest.mark.parametrize("data", [np.zeros(0, DTYPE), np.zeros(0)])
def test_bin_without_epochs(data):
    reduction = _reduce(data, [0, 0], make_sources(["A", "B"], status=["empty", "failed"]))
    assert (reduction.batch.n_lightcurves, reduction.batch.n_epochs) == (0, 0)
    assert reduction.sources["status"].tolist() == ["empty", "failed"]
    assert reduction.sources["n_lightcurves"].tolist() == [0, 0]
    assert reduction.left_out["n_epochs"].shape == (0,)


def test_bin_without_sources():
    reduction = _reduce(np.zeros(0, DTYPE), [], make_sources([]))
    assert reduction.batch.n_lightcurves == len(reduction.sources["source"]) == 0


def test_single_epoch():
    reduction = _reduce(make_epochs([58000.0]))
    assert reduction.batch.table["key"].tolist() == ["A_reduction_01_of_01"]
    assert reduction.batch.table["n_good"].tolist() == [1]


def test_everything_rejected():
    reduction = _reduce(make_epochs([58000.0, 58001.0], ra=11.0))
    assert reduction.batch.n_lightcurves == 0
    assert _left_out(reduction) == [("A", "1", "far", 2)]
    assert reduction.sources["n_left_out"].tolist() == [2]


# Rejection


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 51.4), (359.99999, 0.0), (10.0, 89.9999), (123.0, 90.0), (0.0, -90.0)])
@pytest.mark.parametrize(("distance", "kept"), [(2.9, 8), (3.1, 0)])
def test_radius_holds_everywhere_on_the_sky(ra, dec, distance, kept):
    angles = 40 + np.arange(8.0)
    there = SkyCoord(ra, dec, unit="deg").directional_offset_by(angles * u.deg, distance * u.arcsec)
    data = make_epochs(58000.0 + np.arange(8), ra=there.ra.deg, dec=there.dec.deg)
    reduction = _reduce(data, sources=make_sources(ra=ra, dec=dec))
    assert reduction.batch.n_epochs == kept


def test_median_position_decides():
    ra = 10 + ARCSEC * np.array([0.0, 0.1, -0.1, 50.0, -2000.0])
    assert _reduce(make_epochs(58000.0 + np.arange(5), ra=ra)).batch.n_epochs == 5


def test_only_the_series_that_is_far_goes():
    data = make_epochs(58000.0 + np.arange(4), series=np.array(["1", "2"] * 2), dec=20 + ARCSEC * np.array([0, 4] * 2))
    reduction = _reduce(data)
    assert reduction.batch.table["series"].tolist() == ["1"]
    assert _left_out(reduction) == [("A", "2", "far", 2)]
    assert _reduce(data, radius_arcsec=5).batch.n_epochs == 4
    assert _reduce(data, radius_arcsec=None).batch.n_epochs == 4


def test_antipode_is_far():
    assert _reduce(make_epochs([58000.0], ra=190.0, dec=-20.0)).batch.n_epochs == 0


def test_missing_positions_are_no_reason():
    assert _reduce(make_epochs([58000.0, 58001.0], ra=np.nan, dec=np.nan)).batch.n_epochs == 2


@pytest.mark.parametrize(("ra", "dec"), [(10.0, 20.0), (0.0005, -45.0), (77.0, 89.999)])
@pytest.mark.parametrize("epoch", [2016.0, 1991.25])
def test_fast_star_is_found_where_it_is(ra, dec, epoch):
    """A star with 10 arcsec per year, against the motion that astropy computes."""
    time = Time(58200 + 365 * np.arange(6.0), format="mjd")
    motion = {"pm_ra_cosdec": 6 * u.arcsec / u.yr, "pm_dec": 8 * u.arcsec / u.yr}
    star = SkyCoord(ra * u.deg, dec * u.deg, obstime=Time(epoch, format="jyear"), distance=10 * u.pc, **motion)
    there = star.apply_space_motion(time)
    data = make_epochs(time.mjd, ra=there.ra.deg, dec=there.dec.deg)
    row = {"ra": ra, "dec": dec, "epoch": epoch}
    moving, still = make_sources(pmra=6000.0, pmdec=8000.0, **row), make_sources(**row)
    assert _reduce(data, sources=moving, radius_arcsec=0.1, gap_days=400).batch.counts.tolist() == [6]
    assert _reduce(data, sources=still).batch.n_epochs == 0


@pytest.mark.parametrize("epoch", [{"epoch": np.nan}, {}])
def test_a_fast_star_without_an_epoch_is_of_2016(epoch):
    """Three years before it was 30 arcsec to the north."""
    mjd = 57388.5 - 3 * 365.25
    sources = make_sources(pmra=0.0, pmdec=-10_000.0, **epoch)
    assert _reduce(make_epochs([mjd], dec=20.0 + 30 * ARCSEC), sources=sources, radius_arcsec=0.1).batch.n_epochs == 1


def test_a_fast_star_is_where_it_is_whatever_day_the_survey_counts_from():
    class Julian(PlainSurvey):
        time = TimeSystem("utc", "observatory", "mid", 0.0)

    sources = make_sources(pmra=5000.0, pmdec=-8000.0, epoch=2000.0)
    there = {"ra": 10.0 + 20 * 5 * ARCSEC / np.cos(np.radians(20)), "dec": 20.0 - 20 * 8 * ARCSEC}
    mjd = 51544.5 + 20 * 365.25
    expected = _reduce(make_epochs([mjd], **there), sources=sources, radius_arcsec=0.1).batch
    found = _reduce(make_epochs([mjd + 2400000.5], **there), sources=sources, radius_arcsec=0.1, survey=Julian()).batch
    np.testing.assert_allclose(found.columns["bmjd_tdb"], expected.columns["bmjd_tdb"], rtol=0, atol=1e-4 / 86400)
    assert found.n_epochs == expected.n_epochs == 1


@pytest.mark.parametrize(("sent", "expected"), [({}, "1"), ({"readout": "q3"}, "q3")])
def test_readouts_are_the_series_unless_a_survey_tells_them(sent, expected):
    _, labels = standard_columns(make_sources(), np.array([2]), make_epochs([58000.0, 58001.0]), PlainSurvey(), sent)
    assert labels["readout"].tolist() == [expected] * 2
    assert labels["series"].tolist() == ["1"] * 2


def test_light_time_is_that_of_the_moved_star():
    """Ten arcsec per year for a century are 0.5 s of light time."""
    sources = make_sources(ra=90.0, dec=0.0, pmdec=10000.0, epoch=1920.0)
    mjd = Time(2020.0, format="jyear").mjd
    there = {"ra": 90.0, "dec": np.degrees(np.arctan(np.radians(1000 * ARCSEC)))}
    batch = _reduce(make_epochs([mjd], **there), sources=sources).batch
    expected = standard_times([mjd], PlainSurvey.time, exptime=30.0, **there)[1]
    np.testing.assert_allclose(batch.columns["bmjd_tdb"], expected, rtol=0, atol=1e-5 / 86400)


@pytest.mark.parametrize(
    ("mag", "reason"), [(19.64, None), (19.66, "bright"), (18.16, None), (18.14, "faint"), (np.nan, None)]
)
def test_median_magnitude_must_be_near_that_of_the_catalog(mag, reason):
    """A flux of 100 uJy is 18.9 mag."""
    sources = make_sources(mag=mag)
    reduction = _reduce(make_epochs([58000.0, 58001.0, 58002.0], flux=[100.0, 100.0, 9000.0]), sources=sources)
    assert reduction.batch.n_lightcurves == (reason is None)
    assert _left_out(reduction) == ([] if reason is None else [("A", "1", reason, 3)])
    assert _reduce(make_epochs([58000.0]), sources=sources, mag_range=None).batch.n_epochs == 1


@pytest.mark.parametrize(
    ("mag", "reason"), [(19.39, None), (19.41, "bright"), (16.91, None), (16.89, "faint"), (np.nan, None)]
)
def test_magnitudes_may_differ_by_another_amount_to_each_side(mag, reason):
    """A flux of 100 uJy is 18.9 mag; the survey's object may be 0.5 mag brighter or 2 mag fainter."""
    for limits in ((0.5, 2.0), [0.5, 2]):
        reduction = _reduce(make_epochs([58000.0]), sources=make_sources(mag=mag), mag_range=limits)
        assert _left_out(reduction) == ([] if reason is None else [("A", "1", reason, 1)])


def test_each_series_is_compared_with_the_catalog_by_itself():
    """Of three neighbours of 18.9, 16.4 and 21.4 mag, the source is the first."""
    data = make_epochs(58000.0 + np.arange(3), series=["1", "2", "3"], flux=[100.0, 1000.0, 10.0])
    reduction = _reduce(data, sources=make_sources(mag=18.9), mag_range=(1, 1))
    assert reduction.batch.table["series"].tolist() == ["1"]
    assert _left_out(reduction) == [("A", "2", "bright", 1), ("A", "3", "faint", 1)]
    assert reduction.sources["n_left_out"].tolist() == [2]


def test_a_source_fainter_than_the_noise_is_no_brighter_neighbour():
    """Of 10 uJy, 21.4 mag, with noise of 30 uJy; its epochs above zero alone would be 20.5 mag."""
    flux = 10.0 + 30.0 * np.array([NormalDist().inv_cdf((i + 0.5) / 99) for i in range(99)])
    data = make_epochs(58000.0 + np.arange(99), flux=flux, fluxerr=30.0)
    assert 21.4 - np.median(23.9 - 2.5 * np.log10(flux[flux > 0])) > 0.75
    assert _left_out(_reduce(data, sources=make_sources(mag=21.4))) == []
    assert _left_out(_reduce(data, sources=make_sources(mag=20.6))) == [("A", "1", "faint", 99)]


def test_without_magnitudes_there_is_no_cut():
    assert _reduce(make_epochs([58000.0], flux=-5.0), sources=make_sources(mag=10.0)).batch.n_epochs == 1


def test_changes_of_flux_are_not_compared_with_the_magnitude_of_the_catalog():
    class Changes(PlainSurvey):
        measures_change = True

    data, sources = make_epochs([58000.0], flux=1000.0), make_sources(mag=20.0)
    assert _left_out(_reduce(data, sources=sources, survey=Changes())) == []
    assert _left_out(_reduce(data, sources=sources)) == [("A", "1", "bright", 1)]


def test_epochs_without_a_time_at_the_barycentre_are_left_out():
    reduction = _reduce(make_epochs([58000.0]), sources=make_sources(ra=np.nan))
    assert _left_out(reduction) == [("A", "1", "nan_time", 1)]


@pytest.mark.parametrize("time", [np.nan, np.inf, -999.0])
def test_epoch_without_a_usable_time_is_left_out(time):
    reduction = _reduce(make_epochs([58000.0, time, 58001.0]))
    assert reduction.batch.counts.tolist() == [2]
    assert _left_out(reduction) == [("A", "1", "nan_time", 1)]


def test_bad_flags_are_kept_unless_dropped():
    data = make_epochs(58000.0 + np.arange(8), flag=np.arange(8))
    kept, dropped = _reduce(data), _reduce(data, drop_bad=True)
    assert (kept.batch.n_epochs, kept.batch.table["n_good"].tolist()) == (8, [2])
    assert dropped.batch.columns["flag"].tolist() == [0, 1]
    assert _left_out(dropped) == [("A", "1", "bad_flag", 6)]


def test_dropped_epochs_have_no_say_in_the_medians():
    data = make_epochs([58000.0, 58001.0, 58002.0], flag=[0, 2, 2], ra=[10.0, 11.0, 11.0])
    assert _left_out(_reduce(data, drop_bad=True)) == [("A", "1", "bad_flag", 2)]
    assert _left_out(_reduce(data)) == [("A", "1", "far", 3)]


def test_every_epoch_has_one_reason_and_the_first_counts():
    data = make_epochs([np.nan, 58001.0, 58002.0], flag=[2, 2, 0], ra=11.0, flux=1.0)
    reduction = _reduce(data, sources=make_sources(mag=10.0), drop_bad=True)
    assert _left_out(reduction) == [("A", "1", "nan_time", 1), ("A", "1", "bad_flag", 1), ("A", "1", "far", 1)]


def test_left_out_is_counted_by_source_and_series():
    data = make_epochs(np.full(6, np.nan), series=["2", "1", "1", "1", "2", "2"], filter=["g", "r", "g", "r", "r", "r"])
    reduction = _reduce(data, [4, 2], make_sources(["B", "A"]))
    assert _left_out(reduction) == [("B", "1", "nan_time", 3), ("B", "2", "nan_time", 1), ("A", "2", "nan_time", 2)]


def test_lost_epochs_are_noticed(monkeypatch):
    nothing = reduce_bin(make_sources(), make_epochs([]), [0], PlainSurvey()).left_out
    monkeypatch.setattr(reduce, "_left_out", lambda *_: nothing)
    with pytest.raises(RuntimeError, match="A: 2 raw epochs became 1 reduced and 0 left out"):
        _reduce(make_epochs([58000.0, np.nan]))


# Columns


def test_flux_gives_magnitude():
    columns = _reduce(make_epochs([58000.0, 58001.0], flux=[100.0, -3.0], fluxerr=1.0)).batch.columns
    np.testing.assert_allclose(columns["mag"], [18.9, np.nan])
    np.testing.assert_allclose(columns["magerr"], [0.010857362, np.nan])
    np.testing.assert_array_equal(columns["flux"], [100.0, -3.0])


def test_magnitude_gives_flux():
    data = make_epochs([58000.0, 58001.0], flux=[18.9, np.nan], fluxerr=0.010857362)
    columns = _reduce(data, survey=MagnitudeSurvey()).batch.columns
    np.testing.assert_allclose(columns["flux"], [100.0, np.nan])
    np.testing.assert_allclose(columns["fluxerr"], [1.0, np.nan])
    np.testing.assert_array_equal(columns["mag"], [18.9, np.nan])


def test_infinite_values_are_missing():
    columns = _reduce(make_epochs([58000.0], flux=np.inf, fluxerr=-np.inf, ra=np.inf)).batch.columns
    assert np.isnan([columns[name][0] for name in ("flux", "fluxerr", "mag", "ra")]).all()


def test_a_magnitude_whose_flux_would_be_infinite_is_missing():
    columns = _reduce(make_epochs([58000.0, 58001.0], flux=[18.9, -999.0]), survey=MagnitudeSurvey()).batch.columns
    np.testing.assert_allclose([columns["flux"], columns["mag"]], [[100.0, np.nan], [18.9, np.nan]])


def test_infinite_values_are_flagged_and_counted_and_nothing_later_warns():
    flux = np.where(np.arange(40) < 3, [[np.inf], [-np.inf]], 100.0).T.ravel()
    fluxerr = np.where(np.arange(80) == 50, np.inf, 1.0)
    batch = _reduce(make_epochs(58000 + 0.1 * np.arange(80), flux=flux, fluxerr=fluxerr)).batch
    qflag = assess(batch).qflag
    counts = {name: np.count_nonzero(qflag & QUALITY_BITS[name]) for name in ("bad_value", "bad_error")}
    assert counts == {"bad_value": 6, "bad_error": 1}
    for used in (qflag == 0, np.ones(80, bool)):
        trend = detrend(batch, used).columns["trend"]
        combined = combine(batch, used).batch
        assert np.isfinite(trend).all()
        assert (combined.table["n_epochs"].tolist(), combined.table["n_good"].tolist()) == ([80], [73])


def test_times_follow_the_survey():
    class Late(PlainSurvey):
        time = TimeSystem("tdb", "barycentre", "start", 2457000.0)
        site = (10.0, 20.0, 3000.0)

    columns = _reduce(make_epochs([2000.0], exptime=120.0), survey=Late()).batch.columns
    expected = standard_times([2000.0], Late.time, exptime=120.0, ra=10.0, dec=20.0, site=Late.site)
    np.testing.assert_array_equal([columns["mjd"], columns["bmjd_tdb"]], expected)
    assert columns["bmjd_tdb"][0] == pytest.approx(58999.5 + 60 / 86400, abs=0.01 / 86400)


def test_values_beside_the_table_reach_the_survey():
    altdata = {"series": 17, "filter": "plain-z", "exptime": np.array([5.0, 6.0])}
    batch = _reduce(make_epochs([58000.0, 58001.0]), altdata=altdata).batch
    assert batch.table["series"].tolist() == ["17"]
    assert batch.table["filter"].tolist() == ["plain-z"]
    assert batch.columns["exptime"].tolist() == [5.0, 6.0]


def test_nothing_is_changed():
    data, sources = make_epochs([58001.0, 58000.0]), make_sources(pmra=5.0, mag=19.0)
    before = data.tobytes()
    data.setflags(write=False)
    columns = _reduce(data, sources=sources).batch.columns
    assert data.tobytes() == before
    assert not any(np.shares_memory(values, data) for values in columns.values())


# Wrong input


@pytest.mark.parametrize(
    "options",
    [
        {"gap_days": 0},
        {"radius_arcsec": -1},
        {"mag_range": np.nan},
        {"mag_range": (1, 0)},
        {"mag_range": (1, 2, 3)},
    ],
)
def test_limits_must_be_positive(options):
    with pytest.raises(ValueError, match=f"reduce.{next(iter(options))} must be a positive number"):
        _reduce(make_epochs([58000.0]), **options)


@pytest.mark.parametrize("counts", [[1], [2, 0], []])
def test_counts_must_add_up(counts):
    with pytest.raises(ValueError, match="counts must add up to 2 epochs of 1 sources"):
        _reduce(make_epochs([58000.0, 58001.0]), counts)


def test_survey_must_return_all_columns():
    class Forgetful(PlainSurvey):
        def standardise(self, data, altdata):
            return {"time": data["time"], "flux": data["flux"]}

    class Silent(PlainSurvey):
        def standardise(self, data, altdata):
            return None

    with pytest.raises(ValueError, match=r"PLAIN: standardise\(\) must return exptime, ra, .* series; it returned"):
        _reduce(make_epochs([58000.0]), survey=Forgetful())
    with pytest.raises(ValueError, match=r"PLAIN: standardise\(\) must return a dict of columns, got None"):
        _reduce(make_epochs([58000.0]), survey=Silent())


def test_survey_must_return_a_value_per_epoch():
    with pytest.raises(ValueError, match=r"must return 2 values .* as ra, got an array of shape \(3,\)"):
        _reduce(make_epochs([58000.0, 58001.0]), altdata={"ra": np.zeros(3)})


# A genuine answer


@pytest.fixture(scope="module")
def answer():
    """Answer of IRSA for a white dwarf at RA 0, whose positions lie on both sides of it."""
    if not GENUINE_ANSWER.exists():
        pytest.skip(f"the genuine answer {GENUINE_ANSWER.name} is not beside this project")
    frame = pd.read_csv(GENUINE_ANSWER)
    data = np.zeros(len(frame), VirtualZTF().dtype)
    for name in data.dtype.names:
        data[name] = frame[name]
    return data


def _reduce_answer(data, **options):
    """Reduce the genuine answer; the source has no catalog magnitude."""
    return reduce_bin(make_sources(["WD"], ra=0.0, dec=51.3937), data, [len(data)], VirtualZTF(), **options)


def test_genuine_epochs_are_all_kept(answer):
    batch = _reduce_answer(answer, gap_days=1e4).batch
    assert batch.n_epochs == 1852
    assert sorted(zip(batch.table["filter"].tolist(), batch.counts.tolist(), strict=True)) == [
        ("ztf-g", 344),
        ("ztf-g", 525),
        ("ztf-i", 19),
        ("ztf-r", 433),
        ("ztf-r", 531),
    ]
    assert (batch.columns["flag"] != 0).sum() == 51
    assert (batch.columns["flag"] & 32768 != 0).sum() == 42
    assert batch.table["n_good"].sum() == 1852 - 42


def test_genuine_seasons(answer):
    batch = _reduce_answer(answer).batch
    assert batch.n_lightcurves == 21
    season = np.searchsorted([58240, 58590, 58960, 59325], batch.table["mjd_first"]) - 1
    assert set(season) == {0, 1, 2, 3}
    assert (batch.table["mjd_last"] < np.array([58530, 58910, 59260, 59530])[season]).all()
    assert _reduce_answer(answer, gap_days=300).batch.n_lightcurves == 5


def test_genuine_positions_are_near_ra_0(answer):
    columns = _reduce_answer(answer).batch.columns
    around = np.median((columns["ra"] + 180) % 360 - 180)
    assert abs(around * np.cos(np.radians(51.4))) < 1 * ARCSEC
    assert np.ptp(columns["ra"]) > 359


def test_genuine_times_agree_with_those_of_the_archive(answer):
    """The archive gives heliocentric mid-exposure times, and the starts at the observatory."""
    columns = _reduce_answer(answer, gap_days=1e4).batch.columns
    oid = np.where(answer["filtercode"] == b"zg", 0, np.where(answer["filtercode"] == b"zi", 1, 2))
    rows = answer[np.lexsort((answer["mjd"], answer["oid"].astype(str), oid))]
    np.testing.assert_allclose(columns["mjd"], rows["mjd"] + rows["exptime"] / 172800, rtol=0, atol=1e-6 / 86400)
    with solar_system_ephemeris.set("builtin"):
        palomar = EarthLocation.from_geodetic(*VirtualZTF.site)
        time = Time(columns["mjd"], format="mjd", scale="utc", location=palomar)
        sky = SkyCoord(0.0, 51.3937, unit="deg")
        heliocentric = (time + time.light_travel_time(sky, "heliocentric")).utc.jd
        barycentric = (time.tdb + time.light_travel_time(sky, "barycentric")).mjd
    np.testing.assert_allclose(heliocentric, rows["hjd"], rtol=0, atol=0.1 / 86400)
    np.testing.assert_allclose(columns["bmjd_tdb"], barycentric, rtol=0, atol=2e-4 / 86400)


def test_genuine_bad_epochs_can_be_dropped(answer):
    reduction = _reduce_answer(answer, drop_bad=True)
    assert reduction.batch.n_epochs == 1852 - 42
    assert reduction.left_out["n_epochs"].sum() == 42
    assert set(reduction.left_out["reason"]) == {"bad_flag"}


# Epochs at one time


TWICE = np.array([58000.0, 58001.0, 58001.0, 58001.0, 58002.0])


@pytest.mark.parametrize(
    ("duplicates", "series", "kept", "left_out"),
    [
        ("series", ["1"] * 5, [3], 2),
        ("keep", ["1"] * 5, [5], 0),
        ("series", ["1", "1", "2", "2", "1"], [3, 1], 1),
        ("filter", ["1", "1", "2", "2", "1"], [2, 1], 2),
    ],
)
def test_of_epochs_at_one_time_the_one_of_the_smallest_error_is_kept(duplicates, series, kept, left_out):
    data = make_epochs(TWICE, series=np.array(series), fluxerr=np.array([5.0, 5.0, 3.0, 4.0, 5.0]))
    reduction = _reduce(data, duplicates=duplicates)
    assert reduction.batch.counts.tolist() == kept
    assert sum(n for *_, reason, n in _left_out(reduction) if reason == "duplicate") == left_out
    assert 3.0 in reduction.batch.columns["fluxerr"]


@pytest.mark.parametrize("duplicates", ["series", "filter"])
@pytest.mark.parametrize(
    "worse",
    [
        {"fluxerr": 0.0},
        {"fluxerr": -99.0},
        {"fluxerr": np.nan},
        {"flux": np.nan, "fluxerr": 1.0},
        {"flag": 2, "fluxerr": 1.0},
    ],
    ids=["zero error", "negative error", "no error", "no flux", "bad by the survey's flags"],
)
def test_an_epoch_that_cannot_be_used_stands_for_no_good_one_of_the_same_time(worse, duplicates):
    data = make_epochs([58000.0, 58000.0], fluxerr=5.0)
    for name, value in worse.items():
        data[name][0] = value
    for order in ([0, 1], [1, 0]):
        reduction = _reduce(data[order], duplicates=duplicates)
        kept = {name: reduction.batch.columns[name].tolist() for name in ("flux", "fluxerr", "flag")}
        assert kept == {"flux": [100.0], "fluxerr": [5.0], "flag": [0]}
        assert [row[2:] for row in _left_out(reduction)] == [("duplicate", 1)]


def test_epochs_that_are_left_out_for_another_reason_stand_for_nothing():
    data = make_epochs(TWICE[:3], flag=np.array([0, 0, 2]), fluxerr=np.array([5.0, 5.0, 3.0]))
    reduction = _reduce(data, drop_bad=True)
    assert reduction.batch.columns["fluxerr"].tolist() == [5.0, 5.0]
    assert [row[2:] for row in _left_out(reduction)] == [("bad_flag", 1)]


@pytest.mark.parametrize("duplicates", ["series", "filter", "keep"])
def test_epochs_of_two_sources_at_one_time_are_no_duplicates(duplicates):
    data = make_epochs([58000.0, 58001.0] * 2)
    reduction = _reduce(data, [2, 2], make_sources(["A", "B"]), duplicates=duplicates)
    assert reduction.batch.table["source"].tolist() == ["A", "B"]
    assert reduction.sources["n_kept"].tolist() == [2, 2]


def test_a_rule_for_duplicates_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match="reduce.duplicates must be one of series, filter, keep"):
        _reduce(make_epochs(TWICE), duplicates="best")
