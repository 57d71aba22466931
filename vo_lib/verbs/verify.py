"""Read raw archives and products, and check that they are what was written.

For example:

    vo verify
    vo verify --put-aside
    vo verify --database --json

Each raw answer and each lightcurve is compared with its digest in the index of its file, raw answers with those of the
project's manifests too. Archives and products have the digest of all their bytes at their end or in the log of the job
that made them; with --database they are compared with those of the latest sync, too.

A damaged file is named with what to do. The status is 1 if there is one. Nothing is changed, but with --put-aside such
a file gets another name, and the next run makes it again. A raw archive that is whole, but has other answers than the
manifest, stays: the next run makes the manifest again. A file whose digest is lost with the log of its job is named,
too.
"""

from dataclasses import asdict

from vo_lib.errors import UserError
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, print_json
from vo_lib.verify import put_damaged_aside, verify

__all__ = ["VERB"]

MAX_LISTED = 6  # files that were not compared


def add_arguments(parser):
    """Arguments of the verb."""
    parser.add_argument("--database", action="store_true", help="compare with the digests of the latest sync, too")
    parser.add_argument("--put-aside", action="store_true", help="rename what is damaged, for the next run to make it")
    add_json(parser)


def run(plan, arguments):
    """Print what is damaged, and how much was read."""
    report = verify(plan, digests=_stored(plan) if arguments.database else None)
    aside = put_damaged_aside(plan, report) if arguments.put_aside else {}
    for each in report.problems:
        if each["file"] in aside:
            each["remedy"] = f"it is now {aside[each['file']].name}; run snakemake, which makes it again"
    if arguments.json:
        print_json(asdict(report))
    else:
        for each in report.problems:
            key = f" '{each['key']}'" if each["key"] else ""
            print(f"{each['file']}{key}: {each['problem']}; {each['remedy']}")
        if report.unknown:
            listed = ", ".join(report.unknown[:MAX_LISTED]) + (" ..." if len(report.unknown) > MAX_LISTED else "")
            print(f"not compared, since the logs of their jobs are not whole; delete to have them made again: {listed}")
        read = f"{count_text(report.n_files, 'file')}, {count_text(report.n_datasets, 'answer or lightcurve')}"
        read = read.replace("answer or lightcurves", "answers and lightcurves")
        print(f"{read}, {report.n_bytes / 1e6:.1f} MB read: {count_text(len(report.problems), 'problem')}")
    return int(bool(report.problems))


def _stored(plan):
    """Size, time of change and SHA-256 of files by path, from the database."""
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
