"""Built-in calibrators: zero points and colour terms that were put in come out, with their errors."""

from statistics import NormalDist

import numpy as np
import pytest
from make_epochs import PlainSurvey, make_epochs, make_sources

from vo_lib.calibrators import color_term
from vo_lib.errors import ConfigError
from vo_lib.photometry import flux_from_mag, mag_from_flux
from vo_lib.reduce import reduce_bin

READOUTS = "vo_lib.calibrators:readout_offsets"
COLORS = "vo_lib.calibrators:color_term"
# What each readout adds to magnitudes; readout 4 has no source in common with another one.
OFFSETS = {"1": 0.0, "2": 0.12, "3": -0.2, "4": 0.5}
N_SOURCES, N_EPOCHS = 30, 12


def make_bin(seed=0, *, varying=(), color=0.0):
    """Epochs of 30 sources in g, of those of even number in r too, with offsets by readout and a colour term."""
    rng = np.random.default_rng(seed)
    mags = rng.uniform(16, 18, N_SOURCES)
    colors = rng.uniform(-0.3, 1.2, N_SOURCES)
    parts = []
    for number in range(N_SOURCES):
        for readout in ("4",) if number == 29 else ("1", "2", "3")[: 1 + number % 3]:
            for name in ("plain-g", "plain-r")[: 1 + (number % 2 == 0)]:
                red = name == "plain-r"
                mag = mags[number] - red * colors[number] + OFFSETS[readout] + color * colors[number] * (not red)
                mag = mag + (0.5 * rng.normal(size=N_EPOCHS) if number in varying else 0.0)
                flux = flux_from_mag(mag, 0.0)[0] * np.ones(N_EPOCHS)
                error = 0.01 * flux
                time = 58000 + 3 * np.arange(N_EPOCHS) + float(readout) / 10
                flux = flux + rng.normal(0, error)
                parts.append((number, make_epochs(time, flux=flux, fluxerr=error, filter=name, series=readout)))
    data = np.concatenate([epochs for _, epochs in parts])
    counts = np.bincount([number for number, epochs in parts for _ in epochs], minlength=N_SOURCES)
    sources = make_sources([f"s{number:02d}" for number in range(N_SOURCES)], mag=mags, g_r=colors)
    return sources, data, counts


def calibrated(function, made, **kwargs):
    """Reduction of a bin with one calibrator."""
    entry = {"function": function, "kwargs": kwargs}
    return reduce_bin(*made, PlainSurvey(), calibrators=[entry], mag_range=None)


def points(reduction, name="plain-g"):
    """Rows of the table of zero points of a filter, by readout."""
    table = reduction.zero_points
    rows = np.flatnonzero(table["filter"] == name)
    return {
        table["readout"][row]: tuple(table[key][row] for key in ("offset", "offset_err", "n_sources")) for row in rows
    }


@pytest.mark.parametrize("reference", ["readouts", "catalog"])
def test_zero_points_come_back_within_their_errors(reference):
    """Over several seeds the pulls have the scatter of a standard normal law."""
    pulls = []
    for seed in range(25):
        measured = points(calibrated(READOUTS, make_bin(seed), reference=reference))
        readouts = ("2", "3") if reference == "readouts" else ("1", "2", "3")
        pulls.extend((measured[name][0] + OFFSETS[name]) / measured[name][1] for name in readouts)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(len(pulls))
    assert 0.75 < np.std(pulls) < 1.3


def test_the_readout_with_most_sources_is_the_reference():
    measured = points(calibrated(READOUTS, make_bin()))
    assert measured["1"][:2] == (0.0, 0.0)
    assert measured["1"][2] == 19
    assert [measured[name][2] for name in ("2", "3")] == [19, 9]


def test_each_filter_has_its_own_zero_points():
    reduction = calibrated(READOUTS, make_bin())
    assert points(reduction, "plain-r")["2"][2] < points(reduction)["2"][2]


def test_lightcurves_of_all_readouts_agree_afterwards():
    made = make_bin()
    before, after = reduce_bin(*made, PlainSurvey(), mag_range=None).batch, calibrated(READOUTS, made).batch
    for batch, least, most in ((before, 0.1, 1), (after, 0, 0.02)):
        table = batch.table
        of = {
            (s, r): m
            for s, f, r, m in zip(*(table[k] for k in ("source", "filter", "series", "mag_median")), strict=True)
            if f == "plain-g"
        }
        difference = np.median([of[s, "3"] - of[s, "1"] for s, r in of if r == "3"])
        assert least <= abs(difference) < most
    np.testing.assert_allclose(
        after.columns["fluxerr"] / after.columns["flux"], before.columns["fluxerr"] / before.columns["flux"], rtol=1e-12
    )
    np.testing.assert_allclose(after.columns["magerr"], before.columns["magerr"], rtol=1e-12)


def test_a_readout_without_sources_in_common_keeps_its_zero_point():
    made = make_bin()
    reduction = calibrated(READOUTS, made)
    assert np.isnan(points(reduction)["4"][:2]).all()
    rows = made[1]["series"] == "4"
    batch = reduction.batch.select(reduction.batch.table["series"] == "4")
    np.testing.assert_array_equal(np.sort(batch.columns["flux"]), np.sort(made[1]["flux"][rows]))


def test_sources_that_vary_are_of_no_account():
    quiet, loud = (points(calibrated(READOUTS, make_bin(3, varying=varying))) for varying in ((), range(2, 20)))
    assert loud["2"][2] < quiet["2"][2]
    assert loud["2"][0] == pytest.approx(-0.12, abs=5 * loud["2"][1])


def test_bad_epochs_and_faint_sources_are_of_no_account():
    sources, data, counts = make_bin()
    data = data.copy()
    data["flag"][data["series"] == "2"] = 2
    data["fluxerr"][data["series"] == "3"] *= 100
    measured = points(calibrated(READOUTS, (sources, data, counts)))
    assert "2" not in measured or np.isnan(measured["2"][0])
    assert np.isnan(measured["3"][0])


def test_a_negative_flux_is_corrected_by_the_same_factor():
    sources, data, counts = make_bin()
    data = data.copy()
    where = np.flatnonzero(data["series"] == "2")[0]
    data["flux"][where] = -50.0
    reduction = calibrated(READOUTS, (sources, data, counts))
    least = reduction.batch.columns["flux"].min()
    assert least == pytest.approx(-50.0 * 10 ** (-0.4 * points(reduction)["2"][0]), rel=1e-12)


@pytest.mark.parametrize("color", ["g_r", ["plain-g", "plain-r"]])
def test_the_color_term_is_taken_off(color):
    """In g each magnitude of colour adds 0.1 mag; a measured colour has that in it too."""
    made = make_bin(color=0.1)
    slope = 0.1 if color == "g_r" else 0.1 / 1.1
    reduction = calibrated(COLORS, made, color=color, slopes={"plain-g": slope}, reference_color=0.0)
    table, sources = reduction.batch.table, made[0]
    first = (table["filter"] == "plain-g") & (table["series"] == "1")
    owner = np.searchsorted(sources["name"], table["source"][first])
    excess = table["mag_median"][first] - sources["mag"][owner]
    known = (owner % 2 == 0) | (color == "g_r")
    np.testing.assert_allclose(excess[known], 0.0, atol=0.03)
    if color != "g_r":
        np.testing.assert_allclose(excess[~known], 0.1 * sources["g_r"][owner][~known], atol=0.02)
    measured = points(reduction)[""]
    assert measured[2] == (30 if color == "g_r" else 15)
    assert points(reduction, "plain-r")[""][0] == 0.0


def test_the_color_of_a_faint_source_is_that_of_its_median_fluxes():
    """Of 100 and 4 uJy with noise of 10 uJy: 3.49 mag; the epochs of the second above zero would make it 2.7 mag."""
    noise = 10.0 * np.array([NormalDist().inv_cdf((i + 0.5) / 99) for i in range(99)])
    times = 58000.0 + np.arange(99)
    parts = [
        make_epochs(times, flux=100.0 + 0 * noise),
        make_epochs(times, filter="plain-r", flux=4.0 + noise, fluxerr=10.0),
    ]
    made = make_sources(["s"]), np.concatenate(parts), [198]
    reduction = calibrated(COLORS, made, color=["plain-r", "plain-g"], slopes={"plain-g": 0.1})
    assert points(reduction, "plain-g")[""][0] == pytest.approx(-0.1 * 2.5 * np.log10(25.0), abs=1e-6)


def test_colors_of_a_survey_without_errors_are_known():
    parts = [make_epochs(58000.0 + np.arange(9), filter=f"plain-{name}", flux=100.0, fluxerr=np.nan) for name in "gr"]
    made = make_sources(["s"]), np.concatenate(parts), [18]
    reduction = calibrated(COLORS, made, color=["plain-g", "plain-r"], slopes={"plain-g": 0.1}, reference_color=1.0)
    assert points(reduction, "plain-g")[""][0] == pytest.approx(0.1)


def test_a_color_that_is_lost_in_noise_is_not_known():
    """The magnitude of a median of nearly zero, and with it the colour, may be anything: it was 0.5 mag off."""
    rng, n_sources, n_epochs = np.random.default_rng(1), 100, 40
    number = np.tile(np.repeat([0, 1], n_epochs), n_sources)
    flux = rng.normal(np.where(number, 100.0, 0.3), 5.0)
    mag, magerr = mag_from_flux(flux, 5.0)
    columns = {"flux": flux, "fluxerr": np.full(len(flux), 5.0), "mag": mag, "magerr": magerr}
    labels = {
        "filter": np.array(["g", "r"])[number],
        "source": np.repeat(np.arange(n_sources), 2 * n_epochs),
        "bad": np.zeros(len(flux), bool),
    }
    made, measured = color_term(
        columns, labels, {"name": np.arange(n_sources)}, color=("g", "r"), slopes={"g": 0.1}, reference_color=0.6
    )
    assert (measured["n_sources"] <= 5).all()
    unchanged = (made["flux"] == columns["flux"]).reshape(n_sources, -1).all(axis=1)
    assert np.count_nonzero(unchanged) >= 95


def test_a_reference_color_is_not_changed():
    made = make_bin()
    made[0]["g_r"] = np.full(N_SOURCES, 0.6)
    plain = reduce_bin(*made, PlainSurvey(), mag_range=None).batch
    same = calibrated(COLORS, made, color="g_r", slopes={"plain-g": 0.3}, reference_color=0.6).batch
    np.testing.assert_array_equal(same.columns["flux"], plain.columns["flux"])


@pytest.mark.parametrize(
    ("function", "kwargs", "message"),
    [
        (READOUTS, {"reference": "gaia"}, "reference must be one of readouts, catalog, got 'gaia'"),
        (COLORS, {"color": "bp_rp", "slopes": {}}, "the catalog has no column 'bp_rp'; it has name, ra"),
    ],
)
def test_wrong_settings_are_refused(function, kwargs, message):
    with pytest.raises(ConfigError, match=message):
        calibrated(function, make_bin(), **kwargs)
