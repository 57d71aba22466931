"""Measure false alarms for each definition of the noise of an epoch, where the scatter of a lightcurve changes slowly.

    python benchmarks/validate_noise.py [--quick]

The data are Gaussian noise whose standard deviation varies by a factor of two about its geometric mean with a period of
200 d. The errors follow it, or are constant at its rms. Everything is seeded.
"""

import argparse
import math

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.search.matched_filter import search_templates
from vo_lib.search.noise import NOISES, baseline, signal_to_noise
from vo_lib.segments import starts_from_counts

EPOCHS, PERIOD, THRESHOLD, PROMISED = 300, 200.0, 4.0, 0.01


def make_noise(number, step, known, seed):
    """Return lightcurves with a mean interval between epochs of `step` [d], and errors that are known or constant."""
    random = np.random.default_rng(seed)
    mjd = np.cumsum(random.uniform(0.5, 1.5, (number, EPOCHS)) * step, axis=1)
    phase = 2 * math.pi * (mjd / PERIOD + random.uniform(size=(number, 1)))
    # Between a half and twice the geometric mean.
    deviation = 10 * 2 ** np.sin(phase)
    error = deviation if known else np.full_like(deviation, math.sqrt(np.mean(deviation**2)))
    columns = {"mjd": mjd, "flux": 1000 + deviation * random.normal(size=mjd.shape), "fluxerr": error}
    counts = np.full(number, EPOCHS)
    return LightcurveBatch({name: values.ravel() for name, values in columns.items()}, starts_from_counts(counts), {})


def rows(number):
    """Yield rows of the number of epochs and lightcurves that pass, relative to those expected."""
    at_once = min(number, 2000)
    for step in (1.0, 3.0):
        for known in (True, False):
            for noise in NOISES:
                high = passed = 0
                for seed in range(number // at_once):
                    batch = make_noise(at_once, step, known, seed)
                    good = np.ones(batch.n_epochs, bool)
                    median, rms = baseline(batch, good)
                    measured = signal_to_noise(batch, good, median=median, rms=rms, noise=noise)
                    high += np.count_nonzero(np.abs(measured[0]) >= THRESHOLD)
                    passed += len(
                        np.unique(search_templates(batch, good, *measured, false_alarms=PROMISED)["lightcurve"])
                    )
                expected = number * EPOCHS * math.erfc(THRESHOLD / math.sqrt(2))
                yield step, "known" if known else "mean", noise, high / expected, passed / (PROMISED * number)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the lightcurves")
    number = 2000 if parser.parse_args().quick else 6000
    print(
        "| days between epochs | errors | `noise` | epochs at S/N 4 | lightcurves, matched filter |\n|" + " --- |" * 5
    )
    for step, known, noise, high, passed in rows(number):
        print(f"| {step:g} | {known} | {noise} | {high:.2f} | {passed:.2f} |", flush=True)


if __name__ == "__main__":
    main()
