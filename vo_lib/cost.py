"""What a run costs beside the waiting for archives: processor time, wall time, memory and disk, by its sizes.

Each amount is a sum over what there is of it: the tables have the part of each file of a survey and bin, bin, source,
lightcurve and epoch, and of the run itself, fitted to measured runs by ``python benchmarks/scale.py``, which prints
this table.
"""

from dataclasses import dataclass

from vo_lib.blocks import BLOCK_EPOCHS

__all__ = ["DISK", "MEMORY", "PARTS", "PER_BIN", "SECONDS", "SNAKEMAKE", "Sizes", "amount", "wall_time"]

PARTS = ("run", "file", "bin", "source", "lightcurve", "epoch")
PER_BIN = ("download", "reduce", "analyze")
ONE_AFTER_THE_OTHER, TOGETHER = ("merge_histograms", "merge_tables", "rates"), ("report", "pages", "sync_database")
# Processor time of the jobs of a rule [s].
SECONDS = {
    "download": (0, 0.064, 0, 0.00308, 0, 1.91e-06),
    "reduce": (0, 0.0915, 0, 0.000329, 9.68e-05, 7.29e-07),
    "analyze": (0, 0, 0.166, 0.000264, 0, 3.68e-06),
    "merge_histograms": (0.0867, 0, 0.0229, 1.58e-05, 0, 0),
    "merge_tables": (0.0294, 0, 0.00173, 0.000103, 0, 0),
    "rates": (0.206, 0, 0.00234, 1.54e-05, 2.44e-05, 0),
    "report": (4.12, 0, 0.0115, 0.000356, 0, 0),
    "pages": (0.182, 0, 0.00123, 0, 0, 0),
    "sync_database": (0.919, 0, 0.00905, 0.000146, 1.37e-05, 0),
}
# Memory of the job of a bin, by the sizes of that [MB].
MEMORY = {
    "download": (60.5, 0, 0, 0.0107, 0.000236, 0.000108),
    "reduce": (60.6, 0, 0, 0, 0.0121, 0.000337),
    "analyze": (70.7, 0, 0, 0, 0, 0.000509),
}
# Disk [MB].
DISK = {
    "raw": (0.00116, 0, 0.00812, 0.000811, 1.34e-05, 7.28e-05),
    "reduced": (0, 0, 0.0131, 5.94e-05, 0.000537, 7.99e-05),
    "analysis": (0, 0, 0.0521, 0.00167, 0.00031, 2.99e-07),
    "histograms": (0, 0, 0.086, 0, 0, 7.41e-22),
    "database": (40.1, 0, 0, 0.00423, 0.00234, 0),
    "logs and manifests": (0.0214, 0, 0.0158, 0.000301, 1.04e-06, 2.6e-08),
}
# Start of Snakemake and of the database, and processor time that Snakemake and the client of a job take beside it, from
# the same runs; and the least time between two jobs, from 28 s for 1,081 empty ones [s].
SNAKEMAKE = {"start": 5.77, "beside": 0.17, "job": 0.026}


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
