"""Combined lightcurves: known offsets come back, nothing is lost, and what is not linked stays by itself."""

import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch

from vo_lib.batch import LightcurveBatch
from vo_lib.combine import OFFSET_COLUMNS, _expected, combine
from vo_lib.reduction.relative_offsets import Offsets

# Lightcurves of two sources: (source, survey, filter, series, first night, number of nights, what is added [mag]).
LIGHTCURVES = [
    ("b", "ZTF", "ztf-g", "7", 0, 60, 0.0),
    ("b", "ZTF", "ztf-g", "8", 30, 40, 0.3),
    ("b", "ZTF", "ztf-g", "8", 130, 30, 0.3),
    ("b", "ZTF", "ztf-g", "9", 500, 20, 0.8),
    ("b", "ZTF", "ztf-r", "5", 0, 30, 0.0),
    ("a", "ZTF", "ztf-g", "3", 0, 30, 0.0),
    ("b", "PS", "ps-g", "1", 40, 50, -0.5),
]


def lightcurves(*, flux=1000.0, relative=0.02, seed=0, rows=LIGHTCURVES):
    """Batch with a slow variation that all series of a source and filter see."""
    rng = np.random.default_rng(seed)
    counts = [row[5] for row in rows]
    batch = make_batch(counts, sources=[row[0] for row in rows])
    mjd = np.concatenate([58000 + row[4] + np.arange(row[5]) + rng.uniform(0.1, 0.9, row[5]) for row in rows])
    offset = np.repeat([row[6] for row in rows], counts)
    true = flux * (1 + 0.3 * np.sin(mjd / 40)) * 10 ** (-0.4 * offset)
    error = relative * true
    values = true + rng.normal(0, error)
    table = batch.table | {
        name: np.array([row[place] for row in rows]) for name, place in (("obs", 1), ("filter", 2), ("series", 3))
    }
    mag = 23.9 - 2.5 * np.log10(np.where(values > 0, values, np.nan))
    columns = batch.columns | {"mjd": mjd, "flux": values, "fluxerr": error, "mag": mag}
    return LightcurveBatch(columns, batch.starts, table)


def everything(batch):
    """Mask of all epochs."""
    return np.ones(batch.n_epochs, bool)


def offsets_of(combination):
    """Offset, error and key by source and series."""
    table = combination.offsets
    keys = zip(table["source"].tolist(), table["series"].tolist(), strict=True)
    rows = zip(*(table[name].tolist() for name in ("offset", "offset_err", "combined")), strict=True)
    return dict(zip(keys, rows, strict=True))


def test_series_of_a_filter_are_joined_where_they_overlap():
    combination = combine(freeze(lightcurves()), np.ones(260, bool))
    table = combination.batch.table
    assert table["key"].tolist() == [*(f"b_combined_0{n}_of_04" for n in (1, 2, 3, 4)), "a_combined_01_of_01"]
    assert table["filter"].tolist() == ["ps-g", "ztf-g", "ztf-g", "ztf-r", "ztf-g"]
    assert table["series"].tolist() == ["1", "2", "1", "1", "1"]
    assert table["n_epochs"].tolist() == combination.batch.counts.tolist() == [50, 130, 20, 30, 30]
    offsets = offsets_of(combination)
    # Series 8 has most epochs.
    assert offsets["b", "8"] == (0.0, 0.0, "b_combined_02_of_04")
    assert offsets["b", "7"][0] == pytest.approx(-0.3, abs=4 * offsets["b", "7"][1])
    assert 0.002 < offsets["b", "7"][1] < 0.01
    assert np.isnan(offsets["b", "9"][:2]).all()
    assert list(combination.offsets) == list(OFFSET_COLUMNS)


def test_surveys_are_joined_by_band():
    combination = combine(lightcurves(), np.ones(260, bool), by="band")
    table, offsets = combination.batch.table, offsets_of(combination)
    assert table["filter"].tolist() == ["g", "g", "r", "g"]
    assert table["obs"].tolist() == ["PS+ZTF", "ZTF", "ZTF", "ZTF"]
    assert table["series"].tolist() == ["3", "1", "1", "1"]
    for name, expected in (("1", -0.8), ("7", -0.3), ("8", 0.0)):
        assert offsets["b", name][0] == pytest.approx(expected, abs=4 * offsets["b", name][1])


@pytest.mark.parametrize(("by", "surveys"), [("filter", ["PS", "ZTF"]), ("band", ["PS+ZTF"])])
def test_filters_of_one_name_of_two_surveys_are_joined_as_a_band_alone(by, surveys):
    rows = [("b", "ZTF", "g", "1", 0, 60, 0.0), ("b", "PS", "g", "1", 10, 50, 0.3)]
    batch = lightcurves(rows=rows)
    assert sorted(combine(batch, everything(batch), by=by).batch.table["obs"].tolist()) == surveys


def test_known_offsets_come_back_within_their_errors():
    pulls = []
    for seed in range(100):
        offsets = offsets_of(combine(lightcurves(seed=seed), np.ones(260, bool), by="band"))
        pulls += [
            (offsets["b", "7"][0] + 0.3) / offsets["b", "7"][1],
            (offsets["b", "1"][0] + 0.8) / offsets["b", "1"][1],
        ]
    assert abs(np.mean(pulls)) < 0.35
    assert 0.8 < np.std(pulls) < 1.2


def test_offsets_of_faint_series_are_not_biased():
    """At an S/N of 6 magnitudes of noisy fluxes, chosen and weighted by them, would be 0.07 mag too bright, 3 sigma."""
    rng, n_sources, n_nights = np.random.default_rng(4), 50, 100
    batch = make_batch([n_nights] * 2 * n_sources, sources=np.repeat([f"s{n}" for n in range(n_sources)], 2))
    error = np.repeat(np.tile([20.0, 1000.0 / 6], n_sources), n_nights)
    mjd = np.tile(58000.5 + np.arange(n_nights), 2 * n_sources)
    batch.table["series"] = np.tile(["1", "2"], n_sources)
    batch = batch.with_columns(mjd=mjd, flux=rng.normal(1000.0, error), fluxerr=error)
    offsets = combine(batch, everything(batch)).offsets
    pulls = offsets["offset"][1::2] / offsets["offset_err"][1::2]
    assert abs(pulls.mean()) < 4 / np.sqrt(n_sources)
    assert 0.8 < pulls.std() < 1.2


@pytest.mark.parametrize(("n_nights", "most"), [(1, 1.3), (2, 1.2), (10, 1.2)])
def test_variability_within_few_cells_is_in_the_errors(n_nights, most):
    """Pulsators of 0.3 mag, ten epochs of each series a night: of errors of single epochs alone pulls would be 17."""
    rng, n_sources, n_epochs = np.random.default_rng(5), 300, 10 * n_nights
    batch = make_batch([n_epochs] * 2 * n_sources, sources=np.repeat([f"s{n}" for n in range(n_sources)], 2))
    batch.table["series"] = np.tile(["1", "2"], n_sources)
    night = np.tile(np.repeat(np.arange(n_nights), 10), 2 * n_sources)
    mjd = 58000 + night + rng.uniform(0.2, 0.5, batch.n_epochs)
    phase = np.repeat(rng.uniform(0, 1, n_sources), 2 * n_epochs)
    flux = rng.normal(1000 * (1 + 0.3 * np.sin(2 * np.pi * (mjd / 0.5 + phase))), 10.0)
    batch = batch.with_columns(mjd=mjd, flux=flux, fluxerr=np.full(batch.n_epochs, 10.0))
    offsets = combine(batch, everything(batch)).offsets
    pulls = offsets["offset"][1::2] / offsets["offset_err"][1::2]
    assert abs(pulls.mean()) < 4 / np.sqrt(n_sources)
    assert 0.7 < pulls.std() < most


def test_the_flux_that_is_expected_in_a_cell_is_that_of_least_chi_square():
    """Three linked series with known offsets in the first cell, two of them in the second; the last is not linked."""
    offset = np.array([0.0, 0.7, -0.4, np.nan])
    fit = Offsets(offset, np.zeros(4), np.array([0, 0, 0, 3]), np.array([2, 2, 1, 0]))
    level, node = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 2, 3, 1, 0])
    flux, error = np.array([90.0, 60.0, 170.0, 50.0, 40.0, 99.0]), np.array([10.0, 3.0, 25.0, 1.0, 2.0, 30.0])
    found = _expected(fit, level, node, flux, error)
    for rows in ([0, 1, 2], [4, 5]):
        part = 10 ** (-0.4 * offset[node[rows]])
        (height,), *_ = np.linalg.lstsq((part / error[rows])[:, None], flux[rows] / error[rows], rcond=None)
        np.testing.assert_allclose(found[rows], part * height, rtol=1e-12)
    assert np.isnan(found[3])


def test_combined_lightcurves_lie_on_one_curve_and_keep_their_signal_to_noise():
    batch = lightcurves()
    combined = combine(batch, everything(batch), by="band").batch
    columns = combined.lightcurve(0)
    assert (np.diff(columns["mjd"]) >= 0).all()
    expected = 1000 * (1 + 0.3 * np.sin(columns["mjd"] / 40)) * 10 ** (-0.4 * 0.3)
    pulls = (columns["flux"] - expected) / columns["fluxerr"]
    assert abs(pulls.mean()) < 0.3
    assert 0.9 < pulls.std() < 1.1
    np.testing.assert_allclose(columns["mag"], 23.9 - 2.5 * np.log10(columns["flux"]), rtol=1e-12)
    together = [np.sort(b.columns["flux"] / b.columns["fluxerr"]) for b in (batch, combined)]
    np.testing.assert_allclose(*together, rtol=1e-12)


def test_every_epoch_is_in_one_combined_lightcurve():
    batch = lightcurves().with_columns(number=np.arange(260))
    combined = combine(batch, everything(batch)).batch
    assert sorted(combined.columns["number"].tolist()) == list(range(260))
    owner = np.repeat(combined.table["source"], combined.counts)
    np.testing.assert_array_equal(owner, np.repeat(batch.table["source"], batch.counts)[combined.columns["number"]])


def test_bad_epochs_are_joined_but_do_not_count():
    batch = lightcurves()
    flux, good = batch.columns["flux"].copy(), everything(batch)
    flux[60:100:2], good[60:100:2] = 1e6, False
    spoiled = combine(batch.with_columns(flux=flux), good)
    assert spoiled.batch.n_epochs == 260
    assert spoiled.batch.table["n_good"].sum() == good.sum() == 240
    assert offsets_of(spoiled)["b", "7"][0] == pytest.approx(-0.3, abs=0.05)


def test_flares_that_one_series_alone_saw_do_not_move_the_offset():
    """Six of sixty nights thirty times as bright, for a few minutes, so that the other series saw nothing of them."""
    rng, mjd, error = np.random.default_rng(2), 58000.5 + np.arange(60), 10.0
    flux = np.stack([np.full(60, 1000.0), np.full(60, 1000 * 10 ** (-0.4 * 0.3))])
    flux[0, rng.choice(60, 6, replace=False)] *= 30
    batch = make_batch([60, 60], sources=["a", "a"])
    batch.table["series"] = np.array(["1", "2"])
    batch = batch.with_columns(
        mjd=np.tile(mjd, 2), flux=rng.normal(flux, error).ravel(), fluxerr=np.full(120, error), mag=np.full(120, np.nan)
    )
    offset, error, _ = offsets_of(combine(batch, everything(batch)))["a", "2"]
    assert offset == pytest.approx(0.3, abs=3 * error)
    assert error < 0.03


@pytest.mark.parametrize("fluxerr", [np.nan, np.inf, 0.0, -1.0])
def test_epochs_without_a_positive_error_are_not_counted_as_good(fluxerr):
    batch = lightcurves()
    errors = batch.columns["fluxerr"].copy()
    errors[:3] = fluxerr
    assert combine(batch.with_columns(fluxerr=errors), everything(batch)).batch.table["n_good"].sum() == 257


def test_faint_cells_do_not_link():
    batch = lightcurves(relative=0.5)
    assert np.isnan(offsets_of(combine(batch, everything(batch)))["b", "7"][0])


def test_sources_and_their_order_do_not_matter():
    batch = lightcurves()
    order = np.array([5, 4, 6, 0, 3, 2, 1])
    one, other = (offsets_of(combine(b, everything(b), by="band")) for b in (batch, batch.select(order)))
    for key, (offset, error, _) in one.items():
        np.testing.assert_allclose(other[key][:2], (offset, error), rtol=1e-9, atol=1e-12)


def test_nothing_is_changed():
    batch = lightcurves()
    before = fingerprint(batch)
    combine(batch, everything(batch))
    assert fingerprint(batch) == before


def test_no_lightcurves():
    combination = combine(LightcurveBatch.empty(), np.zeros(0, bool))
    assert combination.batch.n_lightcurves == combination.batch.n_epochs == 0
    assert combination.offsets["offset"].shape == (0,)


def test_lightcurves_without_epochs_have_combined_ones_without():
    table = combine(make_batch([0, 3, 0], sources=["a", "a", "b"]), np.ones(3, bool)).batch.table
    assert table["n_epochs"].tolist() == [3, 0]
    np.testing.assert_array_equal(table["mjd_first"], [58000.0, np.nan])
    assert combine(make_batch([0, 0]), np.ones(0, bool)).batch.counts.tolist() == [0, 0]


@pytest.mark.parametrize("options", [{"by": "color"}, {"cell_days": 0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="by must be filter or band and cell_days positive"):
        combine(LightcurveBatch.empty(), np.zeros(0, bool), **options)
