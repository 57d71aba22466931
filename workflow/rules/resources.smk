# Resources of jobs, for clusters and `--resources mem_mb=...`: at least twice what was measured (docs/howto/slurm.md),
# as a constant plus a slope for each MB of raw archives or each 1,000 sources.


def growing(amount, slope, size):
    """Return a resource that grows linearly with the size of a job, and doubles with each new attempt."""

    def resource(wildcards, attempt):
        return ceil(2 ** (attempt - 1) * (amount + slope * size(wildcards)))

    return resource


def raw_mb(wildcards):
    """Return the size of the raw archives of a job's bin [MB]; 0 as long as they do not exist."""
    surveys = [wildcards.obs] if "obs" in wildcards.keys() else PLAN.observatories
    files = (PLAN.data_root / PLAN.raw_file(obs, wildcards.bin) for obs in surveys)
    return sum(file.stat().st_size for file in files if file.exists()) / 1e6


# Part of the raw archives that a reduction or an analysis holds at a time, see vo_lib/reduction/blocks.py [MB].
BLOCK_MB = 150


def reduce_mb(wildcards):
    """Return how much of the raw archive a reduction holds in memory [MB]; all if calibrators compare all sources."""
    whole = PLAN.reduce_options(wildcards.obs)["calibrators"]
    return raw_mb(wildcards) if whole else min(raw_mb(wildcards), BLOCK_MB)


def analyze_mb(wildcards):
    """Return how much of the raw archives an analysis holds in memory [MB]; all if it saves lightcurves."""
    return raw_mb(wildcards) if PLAN.saved else min(raw_mb(wildcards), BLOCK_MB)


def thousands(_):
    """Return the number of sources of the project [1,000]; 0 as long as there is no catalog."""
    return PLAN.catalog.n_sources / 1000 if PLAN.has_catalog else 0


# Periods take up to a second per lightcurve, all other steps together a few milliseconds.
ANALYZE_MINUTES = 3 if PLAN.config["periods"]["ranges"] else 0.05

PROJECT_JOB = dict(
    mem_mb=growing(1000, 5, thousands), runtime=growing(10, 0.05, thousands)
)


def of_all_bins(what):
    """Return the message of a job of the whole project, in place of a list of the files of all bins."""
    return f"{{rule}} of all bins: {what} ({{resources.mem_mb}} MB, {{resources.runtime}} min)"
