"""Read verdicts exported by pages into the database, or print the known ones.

For example:

    vo verdicts ~/Downloads/DEMO_PROJECT_marks.csv
    vo verdicts > all.csv

All verdicts that were read are kept in verdicts.csv in the project's folder, and the table verdicts of the database
mirrors it; for each person and detection the latest verdict counts. Without a file, the verdicts are printed as CSV. To
withdraw one, delete its line in verdicts.csv and read any file.
"""

from collections import Counter
from pathlib import Path

from filelock import FileLock

from vo_lib.errors import CatalogError, UserError
from vo_lib.paths import verdicts_file
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, print_found, print_json
from vo_lib.verdicts import VERDICTS, merge_verdicts, read_verdicts, write_verdicts

__all__ = ["VERB"]


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="CSV that a page exported")
    add_json(parser)


def run(plan, arguments):
    """Read files in, or print the known verdicts."""
    record = plan.data_root / verdicts_file(plan.folder)
    if not arguments.files:
        known = _known(plan, record)
        if not known:
            raise UserError(f"{record}: no verdicts yet; export them on a page and pass that file to vo verdicts")
        if arguments.json:
            print_json(known)
        else:
            print(record.read_text(encoding="utf-8"), end="")
        return 0
    new = [row for path in arguments.files for row in _known_sources(plan, path)]
    known, merged = _record(plan, record, new)
    astray = _fill(plan)
    changed = sum(row not in known for row in merged)
    counts = Counter(row["verdict"] for row in merged)
    numbers = {"verdicts": len(merged), "changed": changed, "astray": astray}
    told = ", ".join(f"{counts[name]:,} {name}" for name in VERDICTS)
    lines = [f"{count_text(len(merged), 'verdict')} ({told}), {changed:,} of them new or changed"]
    if astray:
        lines.append(f"{count_text(astray, 'verdict')} on detections that are not in the database")
    return print_found(arguments, numbers | {name: counts[name] for name in VERDICTS}, lines)


def _known(plan, record):
    """Verdicts that were read in before."""
    return read_verdicts(record, project=plan.folder) if record.exists() else []


def _record(plan, record, new):
    """Merge verdicts into the file of record, under a lock; return its old and new verdicts."""
    record.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(record.with_name(f".{record.name}.lock")):
        known = _known(plan, record)
        merged = merge_verdicts(known, new)
        write_verdicts(record, merged)
    return known, merged


def _known_sources(plan, path):
    """Verdicts in a file; raise UserError if one is on a source that is not in the catalog."""
    rows = read_verdicts(Path(path), project=plan.folder)
    for name in {row["source"] for row in rows}:
        try:
            plan.catalog.find(name)
        except CatalogError as error:
            raise UserError(f"{path}: {error}") from None
    return rows


def _fill(plan):
    """Update the database; return the number of verdicts on detections that it does not have."""
    from vo_lib.database.find import project_id
    from vo_lib.database.schema import upgrade
    from vo_lib.database.session import open_session
    from vo_lib.database.verdicts import count_astray, put_verdicts

    with open_session(plan.database_url, data_root=plan.data_root) as session:
        upgrade(session.get_bind())
        number = project_id(session, plan.folder)
        put_verdicts(session.connection(), number, plan.data_root, plan.folder)
        session.commit()
        return count_astray(session.connection(), number)


VERB = Verb("verdicts", "read verdicts exported by pages into the database", __doc__, add_arguments, run)
