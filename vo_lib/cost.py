"""What a run costs beside the waiting for archives: processor time, wall time, memory and disk, by its sizes.

Each amount is a sum over what there is of it: the tables have the part of each file of a survey and bin, bin, source,
lightcurve and epoch, and of the run itself, fitted to measured runs by ``python benchmarks/scale.py``, which prints
this table.
"""

import math
from dataclasses import dataclass

from vo_lib.blocks import BLOCK_EPOCHS

__all__ = ["DISK", "MEMORY", "PARTS", "PER_BIN", "SECONDS", "SNAKEMAKE", "Sizes", "amount", "disk", "wall_time"]

PARTS = ("run", "file", "bin", "source", "lightcurve", "epoch")
PER_BIN = ("download", "reduce", "analyze")
ONE_AFTER_THE_OTHER, TOGETHER = ("merge_histograms", "merge_tables", "rates"), ("report", "pages", "sync_database")
# Processor time of the jobs of a rule [s].
SECONDS = {
    "download": (0, 0.0509, 0, 0.00259, 0, 1.7e-06),
    "reduce": (0, 0.0651, 0, 0.000243, 6.01e-05, 1.16e-06),
    "analyze": (0, 0, 0.113, 0.00019, 1.71e-05, 4.92e-06),
    "merge_histograms": (0.0946, 0, 0.0136, 4.04e-08, 7.15e-07, 0),
    "merge_tables": (0.0371, 0, 0.00132, 7.37e-05, 0, 0),
    "rates": (0.16, 0, 0.0011, 2.72e-05, 8.64e-06, 0),
    "report": (3.28, 0, 0, 3.83e-05, 1.81e-05, 0),
    "pages": (0.159, 0, 0.00133, 0, 0, 0),
    "sync_database": (0.878, 0, 0.00242, 4.7e-05, 1.07e-05, 0),
}
# Memory of the job of a bin, by the sizes of that [MB].
MEMORY = {
    "download": (65.8, 0, 0, 0.00972, 0.000151, 9.89e-05),
    "reduce": (66.2, 0, 0, 0, 0.0126, 0.000274),
    "analyze": (75.6, 0, 0, 0, 0, 0.000696),
}
# Disk [MB].
DISK = {
    "raw": (0.00153, 0, 0.00812, 0.000813, 1.27e-05, 7.28e-05),
    "reduced": (0, 0, 0.011, 3.25e-05, 0.000693, 8.01e-05),
    "analysis": (0, 0, 0.0521, 0.00168, 0.00031, 2.98e-07),
    "histograms": (0, 0, 0.086, 0, 0, 7.62e-22),
    "database": (25.1, 0, 0.00212, 0.00181, 0.000634, 1.72e-07),
    "log of the database": (14.5, 0, 0, 0.00351, 0.00128, 0),
    "logs and manifests": (0.0213, 0, 0.0158, 0.000303, 9.45e-07, 2.59e-08),
}
# Most of some of it [MB]: PostgreSQL keeps 1 GB of its log (max_wal_size).
MOST_DISK = {"log of the database": 1024.0}
# Start of Snakemake and of the database, and processor time that Snakemake and the client of a job take beside it, from
# the same runs; and the least time between two jobs, from 28 s for 1,081 empty ones [s].
SNAKEMAKE = {"start": 3.52, "beside": 0.0423, "job": 0.026}


@dataclass(frozen=True)
class Sizes:
    """How much there is of what a run's cost depends on.

    Parameters
    ----------
    files, bins, sources, lightcurves, epochs : float
        Files of a survey and bin, bins, and sources, lightcurves and epochs of all surveys, where a source in two
        surveys counts twice.
    """

    files: float
    bins: float
    sources: float
    lightcurves: float
    epochs: float

    @property
    def parts(self):
        """Amounts in the order of `PARTS`."""
        return (1.0, self.files, self.bins, self.sources, self.lightcurves, self.epochs)

    @property
    def n_jobs(self):
        """Jobs of Snakemake: two of each file, one of each bin, and those of the project."""
        return 2 * self.files + self.bins + len(ONE_AFTER_THE_OTHER) + len(TOGETHER)

    def per_bin(self):
        """Sizes of one bin, if all are alike."""
        return Sizes(*(value / self.bins for value in (self.files, self.bins, *self.parts[3:])))

    def per_block(self):
        """Sizes of a block of the sources of one bin, see `vo_lib.blocks`; a small bin is one."""
        share = min(1.0, BLOCK_EPOCHS / max(self.epochs, 1))
        return Sizes(self.files, self.bins, *(share * value for value in self.parts[3:]))


def amount(coefficients, sizes):
    """Sum of the parts of a cost.

    Parameters
    ----------
    coefficients : sequence of float
        Cost of each of `PARTS`.
    sizes : Sizes
        How much there is of them.

    Returns
    -------
    float
    """
    return sum(cost * number for cost, number in zip(coefficients, sizes.parts, strict=True))


def disk(sizes):
    """Disk of each kind of file [MB]: a dict with the keys of `DISK`."""
    return {kind: min(amount(values, sizes), MOST_DISK.get(kind, math.inf)) for kind, values in DISK.items()}


def wall_time(seconds, sizes, cores):
    """Wall time of a run, without waiting for archives.

    Jobs of bins share the cores, then the tables and histograms are merged one after the other, then report, pages and
    database are made at the same time. Snakemake starts one job after the other meanwhile.

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
        Seconds.
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
