"""Measure the analysis of one bin on one core, step by step.

    python benchmarks/bin.py [--shape 4000x300 ...] [--methods peak matched_filter]

Each shape is a number of lightcurves times epochs, of white noise in two filters, every three days in seasons of 200
days, or every two minutes where there are more than 10,000 epochs. Printed are, for each step, the median CPU time of
three runs, millions of epochs in a second, and the share of the whole analysis; and the highest memory of the process.
"""

import argparse
import resource
import time
from importlib import import_module
from statistics import median

import numpy as np

from vo_lib.analysis import Analysis
from vo_lib.batch import LightcurveBatch
from vo_lib.photometry import mag_from_flux
from vo_lib.segments import starts_from_counts

SHAPES = ("20000x100", "4000x300", "4000x1000", "400x20000")
REPEATS = 3


def make_bin(number, epochs, seed=0):
    """Catalog and lightcurves of a bin, two for each source."""
    random = np.random.default_rng(seed)
    size, error = number * epochs, 10.0
    steps = 120 / 86400 if epochs > 10_000 else 3.0
    night = steps * (np.arange(epochs) + (0.0 if epochs > 10_000 else 165.0 / 3.0) * (np.arange(epochs) // 67))
    mjd = np.tile(58000.0 + night, number) + random.uniform(0, 0.1 * steps, size)
    flux = random.normal(1000.0, error, size)
    fluxerr = np.full(size, error)
    mag, magerr = mag_from_flux(flux, fluxerr)
    place = random.normal(0.0, 2e-5, (2, size))
    columns = {"mjd": mjd, "bmjd_tdb": mjd, "flux": flux, "fluxerr": fluxerr, "mag": mag, "magerr": magerr}
    columns |= {
        "exptime": np.full(size, 30.0),
        "ra": 45.0 + place[0],
        "dec": place[1],
        "flag": np.zeros(size, np.int64),
    }
    names = np.array([f"source {index // 2}" for index in range(number)])
    table = {
        "key": np.array([f"{name} {index % 2}" for index, name in enumerate(names.tolist())]),
        "source": names,
        "obs": np.full(number, "DEMO"),
        "filter": np.resize(["demo-g", "demo-r"], number),
        "series": np.full(number, "1"),
        "number": 1 + np.arange(number) % 2,
        "count": np.full(number, 2),
    }
    unique = np.unique(names)
    sources = {"name": unique, "ra": np.full(len(unique), 45.0), "dec": np.zeros(len(unique))}
    sources["mag"] = np.full(len(unique), 16.4)
    return sources, LightcurveBatch(columns, starts_from_counts(np.full(number, epochs)), table)


# Functions of the steps, by the module that calls them.
STEPS = {
    "quality": ("vo_lib.quality_checker", "assess"),
    "peak": ("vo_lib.finder", "search_peaks"),
    "matched filter": ("vo_lib.finder", "search_templates"),
    "inject": ("vo_lib.event_simulator", "inject"),
    "recover": ("vo_lib.analysis", "recover"),
    "properties": ("vo_lib.analysis", "summarise"),
    "histograms": ("vo_lib.analysis", "_count"),
}


class Clock:
    """Times of the steps of an analysis, by wrapping their functions."""

    def __init__(self):
        self.times = dict.fromkeys(STEPS, 0.0)
        for step, (module, name) in STEPS.items():
            module = import_module(module)
            setattr(module, name, self._timed(step, getattr(module, name)))

    def _timed(self, name, function):
        def timed(*args, **kwargs):
            begin = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.times[name] += time.process_time() - begin

        return timed

    def take(self):
        """Times since the last call."""
        taken, self.times = self.times, dict.fromkeys(self.times, 0.0)
        return taken


def measure(shape, clock, methods):
    """Median time of each step and of all [s], and the number of epochs."""
    number, epochs = map(int, shape.split("x"))
    sources, batch = make_bin(number, epochs)
    runs = []
    for _ in range(REPEATS):
        begin = time.process_time()
        Analysis(finder={"methods": methods}).analyze_photometry(sources, batch)
        runs.append(clock.take() | {"whole": time.process_time() - begin})
    return {name: median(run[name] for run in runs) for name in runs[0]}, batch.n_epochs


def main():
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", default=SHAPES, metavar="NxM")
    parser.add_argument("--methods", nargs="+", default=["peak", "matched_filter"])
    arguments = parser.parse_args()
    clock = Clock()
    for shape in arguments.shape:
        times, n_epochs = measure(shape, clock, arguments.methods)
        print(f"{shape}, methods {' '.join(arguments.methods)}\n")
        print("| step | s | M epochs/s | share |\n| --- | --- | --- | --- |")
        for name, seconds in times.items():
            if seconds:
                share = seconds / times["whole"]
                print(f"| {name} | {seconds:.2f} | {n_epochs / seconds / 1e6:.1f} | {share:.0%} |")
        print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB\n")


if __name__ == "__main__":
    main()
