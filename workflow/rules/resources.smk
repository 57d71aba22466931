# What jobs need, on clusters and under `--resources mem_mb=...`, with twice as much as was measured at least
# (docs/howto/slurm.md): an amount, and one for each MB of raw archives or each 1,000 sources.


def growing(amount, slope, size):
    """Resource that grows with the size of a job, and is doubled by each new attempt."""

    def resource(wildcards, attempt):
        return ceil(2 ** (attempt - 1) * (amount + slope * size(wildcards)))

    return resource


def raw_mb(wildcards):
    """Size of the raw archives of a job's bin [MB]; 0 before they are there."""
    surveys = [wildcards.obs] if "obs" in wildcards.keys() else PLAN.observatories
    files = (PLAN.data_root / PLAN.raw_file(obs, wildcards.bin) for obs in surveys)
    return sum(file.stat().st_size for file in files if file.exists()) / 1e6


# Reductions and analyses take so much of the raw archives at a time, see vo_lib/reduction/blocks.py [MB].
BLOCK_MB = 150


def reduce_mb(wildcards):
    """Part of the raw archive that a reduction has in memory; all where calibrators compare all sources."""
    whole = PLAN.reduce_options(wildcards.obs)["calibrators"]
    return raw_mb(wildcards) if whole else min(raw_mb(wildcards), BLOCK_MB)


def analyze_mb(wildcards):
    """Part of the raw archives that an analysis has in memory; all where lightcurves are saved as searched."""
    return raw_mb(wildcards) if PLAN.saved else min(raw_mb(wildcards), BLOCK_MB)


def thousands(_):
    """Number of sources of the project [1,000]; 0 before the catalog is there."""
    return PLAN.catalog.n_sources / 1000 if PLAN.has_catalog else 0


# Periods take up to a second for each lightcurve, and all other steps together a few milliseconds.
ANALYZE_MINUTES = 3 if PLAN.config["periods"]["ranges"] else 0.05

PROJECT_JOB = dict(
    mem_mb=growing(1000, 5, thousands), runtime=growing(10, 0.05, thousands)
)


def of_all_bins(what):
    """Message of a job of the project, in place of a list of the files of all its bins."""
    return f"{{rule}} of all bins: {what} ({{resources.mem_mb}} MB, {{resources.runtime}} min)"
