"""Flux and magnitude: closed forms, inverses, and values without a magnitude."""

import astropy.units as u
import numpy as np
import pytest

from vo_lib.observatories import gaia, neowise
from vo_lib.observatories.tess import VirtualTESS
from vo_lib.photometry import AB_ZERO_POINT_UJY, asinh_mag, flux_from_mag, mag_from_flux


@pytest.mark.parametrize(("mag", "flux"), [(23.9, 1.0), (21.4, 10.0), (8.9, 1e6), (26.4, 0.1)])
def test_known_fluxes(mag, flux):
    assert flux_from_mag(mag, 0.0)[0] == pytest.approx(flux, rel=1e-12)
    assert mag_from_flux(flux, 0.0)[0] == pytest.approx(mag, rel=1e-12)


def test_agrees_with_the_ab_magnitude_of_astropy():
    mag = np.linspace(5, 28, 24)
    flux, _ = flux_from_mag(mag, 0.1)
    np.testing.assert_allclose((flux * u.uJy).to_value(u.ABmag), mag, atol=1e-3)


def test_error_is_the_slope():
    """One percent of flux is 0.0108574 mag."""
    mag, magerr = mag_from_flux([100.0], [1.0])
    np.testing.assert_allclose(magerr, 0.01085736, rtol=1e-6)
    brighter = mag_from_flux([100.0 + 1e-4], [1.0])[0]
    np.testing.assert_allclose((mag - brighter) / 1e-4, magerr, rtol=1e-5)


def test_there_and_back():
    rng = np.random.default_rng(1)
    mag, magerr = rng.uniform(-2, 30, 1000), rng.uniform(1e-3, 1, 1000)
    back, backerr = mag_from_flux(*flux_from_mag(mag, magerr))
    np.testing.assert_allclose(back, mag, rtol=0, atol=1e-12)
    np.testing.assert_allclose(backerr, magerr, rtol=1e-12)


@pytest.mark.parametrize("flux", [0.0, -5.0, np.nan, np.inf, -np.inf])
def test_flux_without_a_magnitude(flux):
    assert np.isnan(mag_from_flux(np.array([flux]), np.array([1.0]))).all()


def test_missing_error_leaves_the_value():
    assert flux_from_mag(23.9, np.nan)[0] == 1.0
    assert np.isnan(flux_from_mag(23.9, np.nan)[1])
    assert np.isnan(mag_from_flux(1.0, np.nan)[1])


def test_extreme_magnitudes_warn_of_nothing():
    flux, fluxerr = flux_from_mag([np.inf, -np.inf, np.nan, -999.0], [0.1, 0.1, 0.1, np.inf])
    np.testing.assert_array_equal(flux, [0.0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(fluxerr, [0.0, np.nan, np.nan, np.nan])


def test_no_values():
    assert [values.shape for values in (*flux_from_mag([], []), *mag_from_flux([], []))] == [(0,)] * 4


def test_zero_point():
    assert AB_ZERO_POINT_UJY == 23.9


def test_asinh_magnitudes_of_bright_sources_are_those_of_pogson():
    flux = np.array([10.0, 100.0, 1e6])
    difference = asinh_mag(flux, 1.0, 1.0)[0] - mag_from_flux(flux, 1.0)[0]
    np.testing.assert_allclose(difference, [-0.0027, -2.7e-5, 0], atol=1e-4)


def test_asinh_magnitudes_of_faint_sources_are_those_of_the_definition():
    """Lupton et al. 1999 in the form of SDSS: m = -2.5/ln(10) [asinh((f/f0)/(2b)) + ln(b)]."""
    flux, softening = np.array([-30.0, -1.0, 0.0, 0.5, 20.0]), 4.0
    zero = 10 ** (0.4 * AB_ZERO_POINT_UJY)
    b = softening / 2 / zero
    expected = -2.5 / np.log(10) * (np.arcsinh(flux / zero / (2 * b)) + np.log(b))
    mag, magerr = asinh_mag(flux, 2.0, softening)
    np.testing.assert_allclose(mag, expected, rtol=1e-12)
    slope = (asinh_mag(flux - 1e-5, 0, softening)[0] - asinh_mag(flux + 1e-5, 0, softening)[0]) / 2e-5
    np.testing.assert_allclose(magerr, 2.0 * slope, rtol=1e-6)
    assert (np.diff(mag) < 0).all()


def test_asinh_magnitudes_need_a_flux_and_a_softening():
    mag, magerr = asinh_mag([1.0, np.nan, 1.0, np.inf], [np.nan, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0])
    assert np.isnan(mag).tolist() == [False, True, True, True]
    assert np.isnan(magerr).all()
    assert asinh_mag([], [], 1.0)[0].shape == (0,)


# Vega systems: what surveys add to magnitudes, and the flux density of magnitude 0 [Jy] that others measured.


@pytest.mark.parametrize(
    ("added", "zero_flux", "tolerance"),
    [
        (neowise.AB_MINUS_VEGA["W1"], 309.540, 0.03),  # Jarrett et al. 2011, doi:10.1088/0004-637X/735/2/112
        (neowise.AB_MINUS_VEGA["W2"], 171.787, 0.03),
        (VirtualTESS().ab_offset, 2416.0, 0.001),  # Cousins I: Bessell 1979, doi:10.1086/130542
        (gaia.AB_ZERO_POINTS["gaia-g"] - 25.6873668671, 3228.75, 0.03),  # SVO Filter Profile Service
        (gaia.AB_ZERO_POINTS["gaia-rp"] - 24.7478955012, 2554.95, 0.03),
    ],
)
def test_what_makes_a_vega_magnitude_ab_follows_from_the_flux_of_magnitude_zero(added, zero_flux, tolerance):
    assert added == pytest.approx((zero_flux * u.Jy).to_value(u.ABmag), abs=tolerance)
