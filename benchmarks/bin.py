"""Measure the reduction and the analysis of one bin on one core, step by step, files included.

    python benchmarks/bin.py [--shape 4000x300 ...] [--methods peak matched_filter]

A shape is the number of lightcurves and of epochs of each: white noise in two filters of the simulated survey, with an
epoch every three days in seasons of 200 days, or every two minutes if there are more than 10,000. For each step, the
table has the median processor time of three runs, millions of epochs per second, the share of the total, and the ratio
to a limit that is measured in the same run. For files, the limit is the same number of bytes as one plain dataset,
synchronised to disk when it is written; for all other steps, it is one pass over the time, flux, error, magnitude and
flags of all epochs. Below the table are the speed of quality checks and peak search alone, from lightcurves in memory
to detections; the time to read the lightcurves of one source; and the peak memory of the process beyond that at its
start, also relative to the size of the columns of the bin.
"""

import argparse
import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import resource
import tempfile
import time
from dataclasses import replace
from functools import partial
from importlib import import_module
from multiprocessing import Process
from pathlib import Path
from statistics import median

import h5py
import numpy as np

from vo_lib import hdf5
from vo_lib.analysis import Analysis
from vo_lib.bin_result import concatenate_results, write_analysis
from vo_lib.counts.histogram_files import write_histograms
from vo_lib.finder import Finder
from vo_lib.labels import match_names
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.quality import assess
from vo_lib.raw import OK, Answer, read_blocks, write_raw
from vo_lib.reduction.blocks import BLOCK_EPOCHS, source_blocks
from vo_lib.reduction.reduced import ReducedFile, read_reduced, write_reduced
from vo_lib.storage.lookup import map_table, rows_of
from vo_lib.tables import take_rows

SHAPES = ("20000x100", "4000x300", "4000x1000", "400x20000")
REPEATS = 3
DENSE = 10_000
MAGNITUDE, ERROR = 16.4, 0.01
PASSED = ("mjd", "flux", "fluxerr", "mag", "flag")


def run_apart(function, *arguments):
    """Run a function in a process of its own, so that the memory of the process is that of the function."""
    process = Process(target=function, args=arguments)
    process.start()
    process.join()


def write_bin(folder, number, epochs, seed=0):
    """Write the raw file and the catalog of a bin with `number` lightcurves of `epochs` epochs, two for each source."""
    survey, random = VirtualDemo(), np.random.default_rng(seed)
    steps = 120 / 86400 if epochs > DENSE else 3.0
    gaps = 0.0 if epochs > DENSE else 165.0 * (np.arange(epochs) // 67)
    shape = (number // 2, 2, epochs)
    data = np.zeros(shape, survey.dtype)
    data["objid"] = 10 * np.arange(shape[0])[:, None, None] + np.arange(2)[:, None]
    data["filtercode"] = np.array([b"g", b"r"])[:, None]
    data["jd_start"] = 2458000.5 + steps * np.arange(epochs) + gaps + random.uniform(0, 0.1 * steps, shape)
    data["mag"], data["magerr"] = random.normal(MAGNITUDE, ERROR, shape), ERROR
    data["exptime"], data["seeing"] = 30.0, 1.0
    data["ra"], data["dec"] = 45.0 + random.normal(0, 2e-5, shape), random.normal(0, 2e-5, shape)
    names = [f"source {place}" for place in range(shape[0])]
    rows = ({"name": name, "ra": 45.0, "dec": 0.0, "mag": MAGNITUDE} for name in names)
    answers = [Answer(row, OK, table.ravel()) for row, table in zip(rows, data, strict=True)]
    sources = {"name": np.array(names), "status": np.full(len(names), OK)}
    sources |= {"digest": np.array([answer.digest for answer in answers]), "mag": np.full(len(names), MAGNITUDE)}
    np.savez(folder / "sources.npz", ra=np.full(len(names), 45.0), dec=np.zeros(len(names)), **sources)
    write_raw(folder / "raw.h5", answers, columns=survey.columns)


# Step of an analysis -> module that calls its function, and name of the function.
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
    """Measure the processor time of steps by wrapping their functions; also holds the number of histogram entries."""

    def __init__(self):
        self.times, self.n_values = {}, 0
        for step, (module, name) in STEPS.items():
            module = import_module(module)
            setattr(module, name, self.timed(step, getattr(module, name)))

    def timed(self, step, function):
        """Return a function like this one whose processor time is added to a step."""

        def timed(*args, **kwargs):
            begin = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.times[step] = self.times.get(step, 0.0) + time.process_time() - begin

        return timed

    def take(self):
        """Return the times since the last call, and reset them."""
        taken, self.times = self.times, {}
        return taken


def one_run(folder, sources, clock, methods):
    """Reduce and analyse the bin, block by block as the jobs do; return its reduced file."""
    survey, raw, reduced, analysis = VirtualDemo(), folder / "raw.h5", folder / "reduced.h5", folder / "analysis.h5"
    blocks = read_blocks(raw, sources, survey.dtype)
    reductions = (
        clock.timed("reduce", survey.reduce_photometry)(*block, gap_days=1e4)
        for block in iter(partial(clock.timed("read raw", next), blocks, None), None)
    )
    clock.timed("write reduced", write_reduced)(reduced, reductions, {})
    clock.times["write reduced"] -= clock.times["read raw"] + clock.times["reduce"]
    analyze, results = Analysis(finder={"methods": methods}).analyze_photometry, []
    with ReducedFile(reduced) as file:
        counts = np.zeros(len(sources["name"]), np.int64)
        np.add.at(counts, match_names(sources["name"], file.index["source"]), file.index["n_epochs"])
        for block in source_blocks(counts):
            part = take_rows(sources, block)
            batch = clock.timed("read reduced", file.read)(np.isin(file.index["source"], part["name"]))
            result = clock.timed("analysis", analyze)(part, batch)
            results.append(replace(result, processed=None, simulated=None))
    result = concatenate_results(results)
    clock.n_values = sum(histogram.total() for histogram in result.histograms if histogram.unit == "1")
    clock.timed("write analysis", write_analysis)(analysis, result, {})
    clock.timed("write histograms", write_histograms)(folder / "histograms.nc", result.histograms, {})
    return reduced


def peaks_alone(batch):
    """Measure the speed of quality checks and peak search in one block, by median processor time [epochs/s]."""
    finder, times = Finder(methods=["peak"]), []
    batch = batch.select(batch.starts[1:] <= BLOCK_EPOCHS)
    for _ in range(REPEATS):
        begin = time.process_time()
        finder.find(batch, assess(batch).qflag)
        times.append(time.process_time() - begin)
    return batch.n_epochs / median(times)


def by_name(path, names):
    """Measure the median wall time to find and read the lightcurves of a source in a reduced file, warm [ms]."""
    times = []
    for name in names:
        begin = time.perf_counter()
        with hdf5.open_file(path) as file:
            index = map_table(file, "index")
            hdf5.read_rows(file, [key.decode() for key in index["key"][rows_of(index, name)].tolist()])
        times.append(1000 * (time.perf_counter() - begin))
    return median(times)


def limits(folder, batch):
    """Measure the limits on this machine [s]: by step for reading and writing files, and one pass over columns."""
    columns = [np.ascontiguousarray(batch.columns[name], float) for name in PASSED]
    begin = time.process_time()
    for values in columns:
        values.sum()
    one_pass = time.process_time() - begin
    found = {}
    for what, files in (("raw", ["raw.h5"]), ("reduced", ["reduced.h5"]), ("analysis", ["analysis.h5"])):
        content = np.zeros(sum((folder / file).stat().st_size for file in files), np.uint8)
        begin = time.process_time()
        with h5py.File(folder / "flat.h5", "w") as file:
            file["x"] = content
            file.flush()
            os.fsync(file.id.get_vfd_handle())
        written = time.process_time()
        with h5py.File(folder / "flat.h5") as file:
            file["x"][:]
        found |= {f"write {what}": written - begin, f"read {what}": time.process_time() - written}
    return found, one_pass


def measure(shape, clock, methods):
    """Measure one shape.

    Returned are the median time of each step and of all [s], the limit of each step [s], the pair of `peaks_alone` and
    `by_name`, the memory in units of 1024 bytes, and the number of epochs.
    """
    with tempfile.TemporaryDirectory(prefix="vo-benchmark-") as name:
        folder = Path(name)
        run_apart(write_bin, folder, *map(int, shape.split("x")))
        with np.load(folder / "sources.npz") as file:
            sources = dict(file)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        runs = []
        for _ in range(REPEATS):
            reduced = one_run(folder, sources, clock, methods)
            times = clock.take()
            times["other steps of the analysis"] = 2 * times["analysis"] - sum(
                seconds for step, seconds in times.items() if step in (*STEPS, "analysis")
            )
            runs.append(times | {"all": sum(times[step] for step in times if step in FILES_AND_WHOLE)})
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        batch = read_reduced(reduced)
        files, one_pass = limits(folder, batch)
        alone = peaks_alone(batch), by_name(reduced, sources["name"][:25].tolist())
    times = {step: median(run[step] for run in runs) for step in runs[0] if step != "analysis"}
    return times, {step: files.get(step, one_pass) for step in times}, alone, memory, batch.n_epochs


FILES_AND_WHOLE = (
    "read raw",
    "reduce",
    "write reduced",
    "read reduced",
    "analysis",
    "write analysis",
    "write histograms",
)


def report(shape, methods):
    """Print the table of one shape."""
    clock = Clock()
    times, least, alone, memory, n_epochs = measure(shape, clock, methods)
    print(f"\n{shape}, methods {' '.join(methods)}\n")
    print("| step | s | M epochs/s | share | times its limit |\n| --- | --- | --- | --- | --- |")
    for step, seconds in sorted(times.items(), key=lambda pair: pair[0] == "all"):
        rate, ratio = n_epochs / max(seconds, 1e-9) / 1e6, f"{seconds / least[step]:.0f}" if step != "all" else ""
        print(f"| {step} | {seconds:.2f} | {rate:.3g} | {seconds / times['all']:.0%} | {ratio} |")
    print(f"\nquality and the search for peaks alone: {alone[0] / 1e6:.1f} M epochs/s")
    print(f"histograms: {clock.n_values / times['histograms'] / 1e6:.0f} M values/s")
    print(f"the lightcurves of a source by its name: {alone[1]:.1f} ms")
    print(
        f"memory {memory / 1e6:.2f} GB, {1024 * memory / (80 * n_epochs):.1f} times the columns of the bin", flush=True
    )


def main():
    """Print the figures as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", default=SHAPES, metavar="NxM")
    parser.add_argument("--methods", nargs="+", default=["peak", "matched_filter"])
    arguments = parser.parse_args()
    for shape in arguments.shape:
        run_apart(report, shape, arguments.methods)


if __name__ == "__main__":
    main()
