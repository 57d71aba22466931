"""Cost model of a run, waiting for archives excluded: processor time, wall time, memory and disk by its sizes.

Each amount is linear in the sizes of the run. The tables hold the coefficients: the cost of the run itself and of each
file of a survey and bin, bin, source, lightcurve and epoch. ``python benchmarks/scale.py fit`` fits them to measured
runs and prints these tables.
"""

import math
from dataclasses import dataclass, replace

from vo_lib.reduction.blocks import BLOCK_EPOCHS

__all__ = [
    "DISK",
    "MEMORY",
    "PARTS",
    "PER_BIN",
    "SECONDS",
    "SNAKEMAKE",
    "Sizes",
    "amount",
    "disk",
    "hdf5_cache",
    "memory",
    "wall_time",
]

PARTS = ("run", "file", "bin", "source", "lightcurve", "epoch")
PER_BIN = ("download", "reduce", "analyze")
ONE_AFTER_THE_OTHER, TOGETHER = ("merge_histograms", "merge_tables", "rates"), ("report", "pages", "sync_database")
# Processor time of the jobs of a rule [s].
SECONDS = {
    "download": (0, 0.0354, 0, 0.000848, 0, 1.14e-06),
    "reduce": (0, 0.0473, 0, 0.0001, 2.43e-05, 7.45e-07),
    "analyze": (0, 0, 0.0715, 0.000157, 3.37e-06, 2.54e-06),
    "merge_histograms": (0.0429, 0, 0.0101, 8.08e-06, 0, 0),
    "merge_tables": (0.0146, 0, 0.000902, 3.23e-05, 4.74e-06, 0),
    "rates": (0.121, 0, 0.00065, 2.68e-05, 5.44e-06, 0),
    "report": (1.47, 0, 0.0033, 8.78e-05, 0, 0),
    "pages": (0.0913, 0, 0.000884, 0, 0, 0),
    "sync_database": (0.488, 0, 0.00263, 3.34e-05, 9.35e-06, 0),
}
# Memory of the job of a bin, by what it has of the bin in memory, without HDF5's own [MB].
MEMORY = {
    "download": (90.8, 0, 0, 0.00305, 0.00044, 1.52e-05),
    "reduce": (88.3, 0, 0, 0.00101, 0, 0.000349),
    "analyze": (103, 0, 0, 0, 0.00238, 0.000255),
}
# HDF5 keeps what describes the lightcurves that it writes: of each, and at most [MB].
HDF5_CACHE = (0.0105, 64.0)
# Disk [MB].
DISK = {
    "raw": (0.00113, 0, 0.00812, 0.000814, 1.31e-05, 7.28e-05),
    "reduced": (0, 0, 0.011, 3.25e-05, 0.000693, 8.01e-05),
    "analysis": (0, 0, 0.0521, 0.00168, 0.00031, 2.98e-07),
    "histograms": (0, 0, 0.086, 0, 0, 7.41e-22),
    "database": (25.1, 0, 0.00212, 0.00181, 0.000634, 1.72e-07),
    "log of the database": (14.5, 0, 0, 0.00351, 0.00128, 0),
    "logs and manifests": (0.0214, 0, 0.0158, 0.000301, 1.04e-06, 2.6e-08),
}
# Upper limits [MB]: PostgreSQL keeps 1 GB of its log (max_wal_size).
MOST_DISK = {"log of the database": 1024.0}
# From the same runs, the start of Snakemake and of the database, and the processor time of Snakemake and of the client
# for each job; and the shortest time between two jobs, from 28 s for 1,081 empty ones [s].
SNAKEMAKE = {"start": 2.27, "beside": 0.0369, "job": 0.026}


@dataclass(frozen=True)
class Sizes:
    """Sizes on which the cost of a run depends.

    Parameters
    ----------
    files, bins, sources, lightcurves, epochs : float
        Number of pairs of survey and bin, of bins, and of sources, lightcurves and epochs summed over all surveys: a
        source in two surveys counts twice.
    """

    files: float
    bins: float
    sources: float
    lightcurves: float
    epochs: float

    @property
    def parts(self):
        """Sizes in the order of `PARTS`, 1 for the run."""
        return (1.0, self.files, self.bins, self.sources, self.lightcurves, self.epochs)

    @property
    def n_jobs(self):
        """Number of Snakemake jobs: two for each file, one for each bin, and those of the project."""
        return 2 * self.files + self.bins + len(ONE_AFTER_THE_OTHER) + len(TOGETHER)

    def per_bin(self):
        """Return the sizes of one bin, if all bins are alike."""
        return Sizes(*(value / self.bins for value in (self.files, self.bins, *self.parts[3:])))

    def of_job(self, rule):
        """Return the sizes of what a job has in memory of one bin: the tables of all, and the epochs of a block.

        Only a download has all epochs; see `vo_lib.reduction.blocks`.
        """
        return self if rule == "download" else replace(self, epochs=min(self.epochs, BLOCK_EPOCHS))


def amount(coefficients, sizes):
    """Compute a cost from its coefficients.

    Parameters
    ----------
    coefficients : sequence of float
        Cost per unit of each of `PARTS`.
    sizes : Sizes
        Number of units of each.

    Returns
    -------
    float
        In the unit of the coefficients.
    """
    return sum(cost * number for cost, number in zip(coefficients, sizes.parts, strict=True))


def hdf5_cache(rule, sizes):
    """Return the memory that HDF5 takes to write the lightcurves of one bin [MB]; 0 in all jobs but a reduction."""
    each, most = HDF5_CACHE
    return min(each * sizes.lightcurves, most) if rule == "reduce" else 0.0


def memory(sizes):
    """Return the memory of the job of each rule for one bin [MB]: a dict with the keys of `MEMORY`."""
    return {rule: amount(values, sizes.of_job(rule)) + hdf5_cache(rule, sizes) for rule, values in MEMORY.items()}


def disk(sizes):
    """Return the disk space of each kind of file [MB]: a dict with the keys of `DISK`."""
    return {kind: min(amount(values, sizes), MOST_DISK.get(kind, math.inf)) for kind, values in DISK.items()}


def wall_time(seconds, sizes, cores):
    """Estimate the wall time of a run, without waiting for archives.

    Jobs of bins share the cores; then histograms and tables are merged and rates measured, one job after the other;
    then report, pages and database are made at the same time. Snakemake starts jobs one by one.

    Parameters
    ----------
    seconds : dict of str to float
        Processor time of the jobs of each rule [s].
    sizes : Sizes
        Sizes of the run.
    cores : int
        Cores of the run.

    Returns
    -------
    float
        Wall time [s].
    """
    shared = sum(seconds[rule] for rule in PER_BIN) + SNAKEMAKE["beside"] * sizes.n_jobs
    jobs = max(shared / cores, SNAKEMAKE["job"] * sizes.n_jobs)
    last = [seconds[rule] for rule in TOGETHER]
    return (
        SNAKEMAKE["start"]
        + jobs
        + sum(seconds[rule] for rule in ONE_AFTER_THE_OTHER)
        + max(max(last), sum(last) / cores)
    )
