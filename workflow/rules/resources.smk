# Resources of jobs, for clusters and `--resources mem_mb=...`: more than was measured (docs/howto/slurm.md), as a
# constant plus slopes for each million epochs and each 1,000 sources.


def growing(amount, slope, size):
    """Return a resource that grows linearly with the size of a job, and doubles with each new attempt."""

    def resource(wildcards, attempt):
        return ceil(2 ** (attempt - 1) * (amount + slope * size(wildcards)))

    return resource


# What a source costs beside its epochs, as a number of epochs.
EPOCHS_PER_SOURCE = 20
# Epochs of an analysis, with copies. At worst a source has a single lightcurve, and each injection copies all of its
# epochs. A copied epoch takes a third of the memory of another.
INJECTIONS = PLAN.config["simulator"]["num_injections"]
WITH_COPIES = 1 + INJECTIONS / 3


def epochs(wildcards, most=inf, copies=1):
    """Return the epochs of the project in a job's bin, at most those that are in memory at a time [millions].

    Manifests count them, each as so many `copies`; before the download there are none. In memory are `most` or, if
    that is more, those of an average source. Each source of a survey counts as `EPOCHS_PER_SOURCE` more.
    """
    surveys = [wildcards.obs] if "obs" in wildcards.keys() else PLAN.observatories
    files = (manifest_file(PLAN.folder, obs, wildcards.bin) for obs in surveys)
    found = [header["counts"] for file in files if (header := find_header(file))]
    n_sources = sum(sum(counts.values()) - counts["epochs"] for counts in found)
    n_epochs = copies * sum(counts["epochs"] for counts in found)
    held = min(n_epochs, max(most, n_epochs * len(found) / max(n_sources, 1)))
    return (held + EPOCHS_PER_SOURCE * n_sources) / 1e6


def reduced_epochs(wildcards):
    """Return how many epochs a reduction holds in memory [millions]; all if calibrators compare all sources."""
    whole = PLAN.reduce_options(wildcards.obs)["calibrators"]
    return epochs(wildcards, inf if whole else BLOCK_EPOCHS)


def analyzed_epochs(wildcards):
    """Return how many epochs an analysis holds in memory [millions]; all if it saves lightcurves."""
    return epochs(wildcards, inf if PLAN.saved else BLOCK_EPOCHS, WITH_COPIES)


# Periods take up to a second per lightcurve, all other steps together a few milliseconds.
ANALYZE_MINUTES = (300 if PLAN.config["periods"]["ranges"] else 5) + 0.1 * INJECTIONS


def thousands(_):
    """Return the number of sources of the project [1,000]; 0 as long as there is no catalog."""
    return PLAN.catalog.n_sources / 1000 if PLAN.has_catalog else 0


def project_thousands(_):
    """Return the number of sources that set the memory of jobs of the project [1,000].

    They hold a little of each source, and all tables of one or two bins: a source of the largest bin counts 14 times.
    """
    if not PLAN.has_catalog:
        return 0
    largest = max(
        (stop - start for start, stop, _ in PLAN.catalog.bins.values()), default=0
    )
    return (PLAN.catalog.n_sources + 14 * largest) / 1000


PROJECT_JOB = dict(
    mem_mb=growing(1000, 5, project_thousands), runtime=growing(10, 0.05, thousands)
)


def of_all_bins(what):
    """Return the message of a job of the whole project, in place of a list of the files of all bins."""
    return f"{{rule}} of all bins: {what} ({{resources.mem_mb}} MB, {{resources.runtime}} min)"
