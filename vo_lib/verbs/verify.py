"""Check that raw archives and products are still as they were written.

For example:

    vo verify
    vo verify --put-aside
    vo verify --database --json

The data of each source and each lightcurve are compared with their digest in the index of the file, raw data also with
the project's manifests. Archives and products have a digest of all their bytes at their end or in the log of the job
that made them; with --database they are also compared with those of the latest sync.

Damaged files are listed with what to do; the exit status is then 1. Nothing is changed unless --put-aside is given: it
renames damaged files, and the next run makes them again. A raw archive that is intact, but differs from the manifest,
is kept; the next run makes the manifest again. Files whose digest was lost with the log of their job are listed too.
"""

from dataclasses import asdict

from vo_lib.errors import UserError
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, print_found
from vo_lib.verify import put_damaged_aside, verify

__all__ = ["VERB"]

MAX_LISTED = 6  # files that were not compared


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("--database", action="store_true", help="also compare with the digests of the latest sync")
    parser.add_argument(
        "--put-aside", action="store_true", help="rename damaged files, so that the next run makes them again"
    )
    add_json(parser)


def run(plan, arguments):
    """Print what is damaged, and how much was read."""
    report = verify(plan, digests=_stored(plan) if arguments.database else None)
    aside = put_damaged_aside(plan, report) if arguments.put_aside else {}
    for each in report.problems:
        if each["file"] in aside:
            each["remedy"] = f"renamed to {aside[each['file']].name}; run snakemake to make it again"
    print_found(arguments, asdict(report), _lines(report))
    return int(bool(report.problems))


def _lines(report):
    """Line for each problem, and how much was read."""
    for each in report.problems:
        key = f" '{each['key']}'" if each["key"] else ""
        yield f"{each['file']}{key}: {each['problem']}; {each['remedy']}"
    if report.unknown:
        listed = ", ".join(report.unknown[:MAX_LISTED]) + (" ..." if len(report.unknown) > MAX_LISTED else "")
        yield f"not compared (incomplete job logs; delete these files to have them made again): {listed}"
    read = f"{count_text(report.n_files, 'file')}, {count_text(report.n_datasets, 'dataset')}"
    yield f"{read}, {report.n_bytes / 1e6:.1f} MB read: {count_text(len(report.problems), 'problem')}"


def _stored(plan):
    """Size, modification time and SHA-256 of files by path, from the database."""
    import sqlalchemy as sa

    from vo_lib.database.existing import existing_session
    from vo_lib.database.records import File
    from vo_lib.database.schema import NO_TABLES

    query = sa.select(File.path, File.size, File.mtime_ns, File.sha256)
    with existing_session(plan) as session:
        if session is None:
            raise UserError(NO_TABLES)
        return {path: tuple(state) for path, *state in session.execute(query)}


VERB = Verb("verify", "check the digests of archives and products", __doc__, add_arguments, run)
