"""Estimate what a run would download, and the time and space that its products need.

For example:

    vo estimate --configfile config/ztf_white_dwarfs.yaml --cores 2

"to ask" is exact: the number of catalog sources that have no data in the raw archive for the same parameters and the
same position. The rest is based on typical values for the survey; "unknown" means that nobody has measured them.

    requests = sources to ask * requests per source
    MB       = sources to ask * kB per source / 1000; kB per source is the size of the raw archive divided by its number
               of sources, or a typical value if it has none, which also counts sources without data as having data
    hours    = rounds * requests per source * seconds per request / parallel jobs / 3600, but at least
               requests / download.per_second / 3600
    rounds   = sources to ask / download.threads, rounded up for each bin, summed over the bins
    parallel jobs = the smallest of: the number of cores, the connections that the archive allows divided by
               download.threads, and the number of bins with sources to ask

The total of the hours assumes one survey after the other; on several cores they overlap.

Below the table are the costs of making all products from the downloaded data, by the model in docs/scale.md: processor
time, wall time without waiting for archives, memory of the largest job of a bin, and disk space, for which raw archives
count with the kB per source. The number of epochs per source is that in the raw archive or a typical value for the
survey; the number of lightcurves is that in the reduced files of the project or, without any, a guess. The model is
fitted to the default analysis; anything else that the configuration asks for is listed, but not counted. If downloads
and missing products need more space than the disk has, the last line says so.
"""

from dataclasses import asdict

from vo_lib.errors import UserError
from vo_lib.planning.disk_space import free_mb, needed_mb
from vo_lib.planning.estimate import compute, estimate, not_counted
from vo_lib.text import count_text, table_lines
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]

# Seconds from which on a duration is given in a unit, seconds of the unit, and its name.
UNITS = ((7200, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))
HEADER = ("survey", "sources", "to ask", "requests", "MB", "hours")


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("--cores", type=int, metavar="N", help="parallel jobs, as for snakemake (default: all cores)")
    add_json(parser)


def run(plan, arguments):
    """Print the estimate of each survey and the total."""
    if arguments.cores is not None and arguments.cores < 1:
        raise UserError(f"--cores must be at least 1, got {arguments.cores}")
    found = estimate(plan, cores=arguments.cores)
    computing = compute(plan, found, cores=arguments.cores)
    more = not_counted(plan)
    values = {"surveys": list(map(asdict, found)), "computing": computing and asdict(computing), "not_counted": more}
    return print_found(arguments, values, _lines(plan, found, computing, more))


def _lines(plan, found, computing, more):
    """Table of the surveys, with remarks, the cost of all products and whether the disk is too small."""
    amounts = ("requests", "mb", "hours")
    rows = [
        (each.name, each.n_sources, each.n_asked, *(_text(getattr(each, name)) for name in amounts)) for each in found
    ]
    n_sources, n_asked = plan.catalog.n_sources, sum(each.n_asked for each in found)
    total = (_total([getattr(each, name) for each in found]) for name in amounts)
    rows.append(("total", n_sources, n_asked, *total))
    yield from (*table_lines(HEADER, rows), "", *(line for each in found for line in _remarks(each)))
    yield from _products(computing, [each.name for each in found if each.epochs_per_source is None])
    if more:
        yield f"not counted: what {', '.join(more)} in the configuration adds"
    needed, free = needed_mb(plan, found, computing), free_mb(plan)
    if needed > free:
        yield f"Not enough disk space: {_text(needed)} MB are needed, {plan.data_root} has only {_text(free)} MB free."


def _text(amount):
    """Number, or range from the least to the most, as text."""
    if amount is None:
        return "unknown"
    numbers = amount if isinstance(amount, tuple) else (amount,)
    return "-".join(dict.fromkeys(f"{n:,.0f}" if n >= 100 or n == int(n) else f"{n:.2g}" for n in numbers))


def _total(amounts):
    """Sum of the known amounts as text, with a remark if others are unknown."""
    known = [amount if isinstance(amount, tuple) else (amount,) for amount in amounts if amount is not None]
    text = _text(tuple(map(sum, zip(*known, strict=True)))) if known else ""
    return " + ".join(filter(None, [text, "unknown" if len(known) < len(amounts) else ""]))


def _products(computing, unmeasured):
    """Lines on the cost of all products; `unmeasured` are the surveys whose number of epochs is unknown."""
    if computing is None:
        yield (
            f"all products: unknown, because the number of epochs per source of {_listed(unmeasured)} has not been "
            f"measured; download a few sources (select.names, snakemake downloaded) to base the estimate on them"
        )
        return
    total, disk = sum(computing.seconds.values()), computing.disk_mb
    most = sorted(computing.seconds, key=computing.seconds.get, reverse=True)[:3]
    shares = ", ".join(f"{rule} {computing.seconds[rule] / total:.0%}" for rule in most)
    yield f"all products: {_duration(total)} of processor time ({shares})"
    on_cores = count_text(computing.cores, "core")
    yield f"wall time: {_duration(3600 * computing.hours)} on {on_cores}, without waiting for archives"
    yield f"memory: up to {_text(computing.memory_mb)} MB for the job of a bin"
    yield f"disk: {', '.join(f'{kind} {_text(mb)} MB' for kind, mb in disk.items())}"


def _duration(seconds):
    """Duration as text, in a suitable unit."""
    size, unit = next((size, unit) for least, size, unit in UNITS if seconds >= least)
    return f"{_text(seconds / size)} {unit}"


def _listed(names):
    """Names joined by commas and "and"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _remarks(found):
    """Lines on the origin of the size of a source, and on changes that may stop the run."""
    if found.kb_per_source and found.n_asked:
        where = f"from {count_text(found.n_stored, 'source')} in the raw archive" if found.n_stored else "typical value"
        yield f"{found.name}: {found.kb_per_source:,.0f} kB per source, {where}"
    if found.n_changed:
        yield (
            f"{found.name}: {count_text(found.n_changed, 'source')} in the raw archive with other parameters or for "
            f"another position; download.on_change decides whether to stop (error), to refetch them or to keep them"
        )


VERB = Verb("estimate", "estimate what a run would download, and its cost", __doc__, add_arguments, run)
