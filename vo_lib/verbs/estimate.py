"""Say what a run would ask the archives for, and what its products cost.

For example:

    vo estimate --configfile config/ztf_white_dwarfs.yaml --cores 2

"to ask" is exact: sources of the catalog without an answer in the raw archive by the same parameters and for the
same position. The rest comes from what a source of the survey usually takes; "unknown" is what nobody has measured.

    requests = sources to ask * requests of a source
    MB       = sources to ask * kB of a source / 1000, which is the size of the raw archive over the sources in it where
               it has some; a source without data counts like one with data otherwise
    hours    = rounds * requests of a source * seconds of a request / jobs at a time / 3600, and not less than
               requests / download.per_second / 3600
    rounds   = sources to ask / download.threads, rounded up in each bin, summed over the bins
    jobs at a time = the cores, or the connections that an archive allows over download.threads, or the bins with
               sources to ask, whichever is least

The total of the hours is for one survey after the other; on more cores they overlap.

Below the table is what it costs to make all products anew from the answers, by the model of docs/scale.md: processor
time, wall time without waiting for archives, memory of the greatest job of a bin, and disk space, of which raw archives
have the kB of a source for each. Epochs are those of a source in the raw archive, or what the survey usually has; how
many lightcurves they are is a guess. The model is fitted to the default analysis; what a configuration asks for beyond
it is named, and not counted. Where answers to come and products that are not there yet need more space than the disk
has, the last line says so.
"""

from dataclasses import asdict

from vo_lib.errors import UserError
from vo_lib.planning.estimate import compute, estimate, free_mb, needed_mb, not_counted
from vo_lib.text import count_text, table_lines
from vo_lib.verbs import Verb, add_json, print_json

__all__ = ["VERB"]

# From how many seconds on a time is in a unit.
UNITS = ((7200, 3600, "hours"), (120, 60, "minutes"), (0, 1, "seconds"))
HEADER = ("survey", "sources", "to ask", "requests", "MB", "hours")


def add_arguments(parser):
    """Arguments of the verb."""
    parser.add_argument("--cores", type=int, metavar="N", help="jobs at a time, as for snakemake (default: all cores)")
    add_json(parser)


def run(plan, arguments):
    """Print the estimate of each survey and the total."""
    if arguments.cores is not None and arguments.cores < 1:
        raise UserError(f"--cores must be at least 1, got {arguments.cores}")
    found = estimate(plan, cores=arguments.cores)
    computing = compute(plan, found, cores=arguments.cores)
    more = not_counted(plan)
    if arguments.json:
        values = {"surveys": list(map(asdict, found)), "computing": computing and asdict(computing)}
        print_json(values | {"not_counted": more})
        return 0
    rows = [_row(each.name, each.n_sources, each.n_asked, each.requests, each.mb, each.hours) for each in found]
    n_sources, n_asked = plan.catalog.n_sources, sum(each.n_asked for each in found)
    total = (_total([getattr(each, name) for each in found]) for name in ("requests", "mb", "hours"))
    rows.append(("total", n_sources, n_asked, *total))
    print("\n".join([*table_lines(HEADER, rows), "", *(line for each in found for line in _remarks(each))]))
    print("\n".join(_products(computing, [each.name for each in found if each.epochs_per_source is None])))
    if more:
        print(f"not counted: what {', '.join(more)} of the configuration asks for beside that")
    needed, free = needed_mb(plan, found, computing), free_mb(plan)
    if needed > free:
        print(f"Not enough disk space: {_text(needed)} MB are needed, {plan.data_root} has {_text(free)} MB free.")
    return 0


def _row(name, n_sources, n_asked, *amounts):
    """Row of the table for one survey."""
    return (name, n_sources, n_asked, *map(_text, amounts))


def _text(amount):
    """A number, or the least and the most."""
    if amount is None:
        return "unknown"
    numbers = amount if isinstance(amount, tuple) else (amount,)
    return "-".join(dict.fromkeys(f"{n:,.0f}" if n >= 100 or n == int(n) else f"{n:.2g}" for n in numbers))


def _total(amounts):
    """Sum of what is known, and that more is to come."""
    known = [amount if isinstance(amount, tuple) else (amount,) for amount in amounts if amount is not None]
    text = _text(tuple(map(sum, zip(*known, strict=True)))) if known else ""
    return " + ".join(filter(None, [text, "unknown" if len(known) < len(amounts) else ""]))


def _products(computing, unmeasured):
    """Lines on what all products cost; names of the surveys whose epochs nobody has counted."""
    if computing is None:
        yield (
            f"all products: unknown, for nobody has measured how many epochs a source of {_listed(unmeasured)} "
            f"has; download some (select.names, snakemake downloaded), then those are what all are taken to be"
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
    """A time in the unit that suits it."""
    size, unit = next((size, unit) for least, size, unit in UNITS if seconds >= least)
    return f"{_text(seconds / size)} {unit}"


def _listed(names):
    """Names as a sentence has them."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _remarks(found):
    """Lines on where the size is from and on what would stop the run."""
    if found.kb_per_source and found.n_asked:
        where = f"as {count_text(found.n_stored, 'source')} in the raw archive" if found.n_stored else "the usual"
        yield f"{found.name}: {found.kb_per_source:,.0f} kB a source, {where}"
    if found.n_changed:
        yield (
            f"{found.name}: {count_text(found.n_changed, 'source')} in the raw archive by other parameters or for "
            f"another position; download.on_change says whether to stop (error), to refetch them or to keep them"
        )


VERB = Verb("estimate", "say what a run would ask the archives for", __doc__, add_arguments, run)
