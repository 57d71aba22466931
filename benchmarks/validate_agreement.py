"""Compare times, fluxes and quality flags with astropy and lightkurve on the same data.

    pip install lightkurve
    python benchmarks/validate_agreement.py FOLDER

The folder has ``tess/tess_TIC55652896_s0001_lc.fits``, the lightcurve of TOI-216 in sector 1 from MAST.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from vo_lib.observatories.lightcurve_fits import read_lightcurve
from vo_lib.observatories.tess import VirtualTESS
from vo_lib.reduce import reduce_bin
from vo_lib.times import TimeSystem, standard_times

TESS_FILE = "tess/tess_TIC55652896_s0001_lc.fits"
PALOMAR = (-116.8650, 33.3563, 1712.0)
PRESETS = ("none", "default", "hard", "hardest")


def compare_astropy(number=20_000):
    """Compute the greatest difference of times from astropy, for 1990 to 2040 and the whole sky [ms]."""
    from astropy import units as u
    from astropy.coordinates import EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    # Use the tables that come with astropy, without network access; UT1 affects microseconds only.
    iers.conf.auto_download, iers.conf.auto_max_age, iers.conf.iers_degraded_accuracy = False, None, "ignore"
    random = np.random.default_rng(1)
    mjd = np.sort(random.uniform(47892.0, 66154.0, number))
    ra, dec = random.uniform(0, 360, number), np.degrees(np.arcsin(random.uniform(-1, 1, number)))
    ours = standard_times(
        mjd,
        TimeSystem("utc", "observatory", "mid", 2400000.5),
        exptime=np.full(number, 30.0),
        ra=ra,
        dec=dec,
        site=PALOMAR,
    )[1]
    site = EarthLocation.from_geodetic(PALOMAR[0] * u.deg, PALOMAR[1] * u.deg, PALOMAR[2] * u.m)
    times = Time(mjd, format="mjd", scale="utc", location=site)
    light = times.light_travel_time(SkyCoord(ra * u.deg, dec * u.deg), ephemeris="builtin")
    theirs = (times.tdb + light).mjd
    return f"BJD_TDB of {number:,} times and places, greatest difference", np.abs(ours - theirs).max() * 86400e3, "ms"


def compare_lightkurve(path):
    """Compare used epochs, times and fluxes with lightkurve, for each preset of quality flags."""
    import lightkurve

    for preset in PRESETS:
        survey = VirtualTESS(quality=preset)
        data = read_lightcurve(path.read_bytes(), survey, {"TICID": 55652896, "SECTOR": 1})
        source = {"name": np.array(["TOI-216"]), "ra": np.array([73.980231]), "dec": np.array([-63.260063])}
        columns = reduce_bin(source, data, [len(data)], survey).batch.columns
        good = ((columns["flag"] & survey.bad_flag_mask) == 0) & np.isfinite(columns["flux"])
        theirs = lightkurve.read(str(path), quality_bitmask=preset)
        flux = np.ma.filled(np.ma.asarray(theirs.flux.value, float), np.nan)
        finite = np.isfinite(flux)
        ours = {name: values[good] for name, values in columns.items()}
        yield f"quality {preset}: epochs, ours less theirs", good.sum() - finite.sum(), ""
        yield (
            f"quality {preset}: times, greatest difference",
            np.abs(ours["bmjd_tdb"] - 56999.5 - theirs.time.value[finite]).max() * 86400e3,
            "ms",
        )
        ratio = ours["flux"] / flux[finite]
        yield f"quality {preset}: flux, spread of the ratio", np.ptp(ratio) / ratio.mean(), ""


def main():
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    warnings.simplefilter("ignore")
    parts = {"astropy": [compare_astropy()], "lightkurve": compare_lightkurve(folder / TESS_FILE)}
    print("| against | what | value | unit |\n| --- | --- | --- | --- |")
    for package, rows in parts.items():
        for what, value, unit in rows:
            print(f"| {package} | {what} | {value:.3g} | {unit} |")


if __name__ == "__main__":
    main()
