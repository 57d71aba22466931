"""Read raw archives and products, and check that they are what was written.

For example:

    vo verify
    vo verify --database --json

Each raw answer and each lightcurve is compared with its digest in the index of its file, raw answers with those of the
project's manifests too. Other products have the digest that the next job read them with, which is noted up to 1 MB;
with --database all have those of the latest sync. Tables that have neither are read all the same, and named.

A damaged file is named with what to do. The status is 1 if there is one. Nothing is changed.
"""

import sys
from dataclasses import asdict

from vo_lib.errors import UserError
from vo_lib.summary import count_text
from vo_lib.verbs import Verb, add_json, print_json
from vo_lib.verify import verify

__all__ = ["VERB"]


def add_arguments(parser):
    """Arguments of the verb."""
    parser.add_argument("--database", action="store_true", help="compare with the digests of the latest sync, too")
    add_json(parser)


def run(plan, arguments):
    """Print what is damaged, and how much was read."""
    report = verify(plan, digests=_stored(plan) if arguments.database else None)
    if arguments.json:
        print_json(asdict(report))
    else:
        for each in report.problems:
            key = f" '{each['key']}'" if each["key"] else ""
            print(f"{each['file']}{key}: {each['problem']}; {each['remedy']}")
        read = f"{count_text(report.n_files, 'file')}, {count_text(report.n_datasets, 'answer or lightcurve')}"
        read = read.replace("answer or lightcurves", "answers and lightcurves")
        print(f"{read}, {report.n_bytes / 1e6:.1f} MB read: {count_text(len(report.problems), 'problem')}")
    if without := report.without_digest:
        more = "" if arguments.database else "; --database has those of the latest sync"
        what = f"{count_text(len(without), 'file')} without a digest to compare with, such as {without[0]}{more}"
        print(f"vo verify: {what}", file=sys.stderr)
    return int(bool(report.problems))


def _stored(plan):
    """Size, time of change and SHA-256 of files by path, from the database."""
    import sqlalchemy as sa

    from vo_lib.database.existing import existing_session
    from vo_lib.database.records import File

    query = sa.select(File.path, File.size, File.mtime_ns, File.sha256)
    with existing_session(plan) as session:
        if session is None:
            raise UserError("there is no database yet, which has the digests of files; run snakemake to make it")
        return {path: tuple(state) for path, *state in session.execute(query)}


VERB = Verb("verify", "check the digests of archives and products", __doc__, add_arguments, run)
