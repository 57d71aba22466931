"""Measure the steps of a reduction on one core: conversion of times, reduction of a bin, calibrators, detrending.

Run it from the project's folder in the activated environment, on an otherwise idle machine:

    OMP_NUM_THREADS=1 python benchmarks/reduce.py

Figures are the best of several runs, in million epochs per second; astropy's light travel time is given for comparison.
"""

import time
import warnings
from itertools import product

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.combine import combine
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.reduce import reduce_bin
from vo_lib.search import detrend as detrending
from vo_lib.search.detrend import detrend
from vo_lib.times import TimeSystem, standard_times

N_SOURCES, N_EPOCHS = 1000, 300
N_TIMES, N_DENSE = 1_000_000, 18_000
PALOMAR = (-116.8650, 33.3563, 1712.0)
SYSTEMS = {
    "MJD (UTC), start of the exposure, at Palomar": (TimeSystem("utc", "observatory", "start", 2400000.5), PALOMAR),
    "BJD (TDB) - 2457000, middle, at the geocentre": (TimeSystem("tdb", "barycentre", "mid", 2457000.0), None),
    "HJD (TAI), middle, at Palomar": (TimeSystem("tai", "heliocentre", "mid", 0.0), PALOMAR),
}


def measure(label, function, n_epochs, repeats=5):
    """Time a function, and print a line of the table."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    print(f"{label:58s} {n_epochs / min(times) / 1e6:8.3f} M epochs/s")


def random_epochs(n_epochs, seed=1):
    """Return random times in 1990-2040 [MJD], and right ascensions and declinations over the sky [degrees]."""
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(47892, 66154, n_epochs),
        rng.uniform(0, 360, n_epochs),
        np.degrees(np.arcsin(rng.uniform(-1, 1, n_epochs))),
    )


def conversions():
    """Measure the speed of `standard_times`, and of astropy for its barycentric part."""
    mjd, ra, dec = random_epochs(N_TIMES)
    for label, (system, site) in SYSTEMS.items():
        sent = mjd + (2400000.5 - system.zero_jd)
        options = {"exptime": 30.0, "ra": ra, "dec": dec, "site": site}
        measure(
            label, lambda system=system, sent=sent, options=options: standard_times(sent, system, **options), N_TIMES
        )
    few = min(N_TIMES, 20_000)
    measure("astropy: light_travel_time", lambda: barycentric(mjd[:few], ra[:few], dec[:few]), few, repeats=2)


def barycentric(mjd, ra, dec):
    """Compute barycentric times with astropy and its built-in ephemeris [MJD, TDB]."""
    from astropy.coordinates import EarthLocation, SkyCoord, solar_system_ephemeris
    from astropy.time import Time
    from astropy.utils import iers

    iers.conf.auto_download, iers.conf.auto_max_age, iers.conf.iers_degraded_accuracy = False, None, "ignore"
    with solar_system_ephemeris.set("builtin"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        place = EarthLocation.from_geodetic(*PALOMAR)
        moment = Time(mjd, format="mjd", scale="utc", location=place)
        return (moment.tdb + moment.light_travel_time(SkyCoord(ra, dec, unit="deg"))).mjd


def raw_bin():
    """Return a bin of the simulated survey: survey, sources, raw epochs, and number of epochs of each source."""
    survey = VirtualDemo(epochs_per_filter=N_EPOCHS // 3)
    rng = np.random.default_rng(2)
    sources = {
        "name": np.array([f"star {number}" for number in range(N_SOURCES)]),
        "ra": 10 + rng.random(N_SOURCES),
        "dec": rng.uniform(-30, 60, N_SOURCES),
        "mag": rng.uniform(15, 18, N_SOURCES),
    }
    rows = [{name: values[number].item() for name, values in sources.items()} for number in range(N_SOURCES)]
    answers = [survey.fetch_data_from_observatory(row)[0] for row in rows]
    return survey, sources, np.concatenate(answers), [len(data) for data in answers]


def reductions():
    """Measure the speed of `reduce_bin` alone and with a calibrator, and of the optional steps that follow it."""
    survey, sources, data, counts = raw_bin()
    offsets = ["vo_lib.calibrators:readout_offsets"]
    measure("reduce a bin of the demo", lambda: reduce_bin(sources, data, counts, survey), len(data))
    measure(
        "the same with readout_offsets",
        lambda: reduce_bin(sources, data, counts, survey, calibrators=offsets),
        len(data),
    )
    batch = reduce_bin(sources, data, counts, survey).batch
    good = np.ones(batch.n_epochs, bool)
    measure("combine by filter", lambda: combine(batch, good), batch.n_epochs)
    trends(batch, good)


def trends(batch, good):
    """Measure the speed of `detrend` with windows of different lengths."""
    for method in ("median", "biweight"):
        for days in (3.0, 30.0):
            label = f"detrend, {method} over {days:g} days"
            measure(label, lambda m=method, d=days: detrend(batch, good, method=m, window_days=d), batch.n_epochs, 2)


def dense_trends():
    """Compare CPU time and trend of a dense lightcurve (an epoch every two minutes) with one window for each epoch."""
    rng, mjd = np.random.default_rng(3), 58000 + np.arange(N_DENSE) * 120 / 86400
    flux = 1000 + 50 * np.sin(mjd / 2) + rng.normal(0, 10, N_DENSE)
    columns = {"mjd": mjd, "flux": flux, "fluxerr": np.full(N_DENSE, 10.0)}
    batch, good = LightcurveBatch(columns, np.array([0, N_DENSE]), {}), np.ones(N_DENSE, bool)
    print("\n| location | window [d] | epochs in it | s | each epoch by itself [s] | ratio | difference / error, rms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for method, days in product(("biweight", "median"), (0.3, 1.0, 3.0, 10.0)):
        found = {}
        for few in (detrending._FEW, np.inf):
            detrending._FEW, keep = few, detrending._FEW
            begin = time.process_time()
            trend = detrend(batch, good, method=method, window_days=days).columns["trend"]
            found[few], detrending._FEW = (time.process_time() - begin, trend), keep
        (quick, some), (slow, each) = found.values()
        rms = np.sqrt(np.mean(np.square(some - each))) / 10
        cells = [method, days, round(days * 720), f"{quick:.2f}", f"{slow:.2f}", f"{slow / quick:.0f}", f"{rms:.4f}"]
        print(f"| {' | '.join(map(str, cells))} |")


def main():
    """Print the tables."""
    conversions()
    reductions()
    dense_trends()


if __name__ == "__main__":
    main()
