"""Remove products of the project, after a list of what would go.

For example:

    vo clean --level analysis
    vo clean --level analysis --yes
    vo clean --level raw --yes --yes-really

Without --yes nothing is removed. Each level removes what the ones before it do:

    analysis  what is made of lightcurves: analysis files, histograms, tables, report
    reduced   and lightcurves
    raw       and manifests and raw archives, which have to be fetched again; needs --yes-really beside --yes. Archives
              that another project of the data root has sources in stay, and are named with it; so do those that
              have answers which no manifest lists, or may have them, for the manifest or the archive is damaged

and apart from these

    left      products that the project no longer has: of bins and surveys that left it
    db        the rows of the project in the database, and the receipt; the next run syncs them again
"""

from vo_lib.clean import LEVELS, plan_cleaning, remove_files, remove_rows
from vo_lib.errors import UserError
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]

_NO_MANIFEST = "may have answers that no manifest lists, as of a download that failed; remove it if nobody needs them"


def add_arguments(parser):
    """Arguments of the verb."""
    parser.add_argument("--level", choices=LEVELS, required=True, help="what to remove")
    parser.add_argument("--yes", action="store_true", help="do it; without this it only says what would go")
    parser.add_argument("--yes-really", action="store_true", help="for raw: yes, fetch all of it again")
    add_json(parser)


def run(plan, arguments):
    """Print what goes, and remove it where that is wanted."""
    cleaning = plan_cleaning(plan, arguments.level)
    if arguments.yes and arguments.level == "raw" and not arguments.yes_really:
        raise UserError("raw archives have to be fetched again; say --yes-really beside --yes to remove them")
    found = _described(plan, cleaning, done=arguments.yes)
    if arguments.yes:
        remove_files(cleaning)
        if cleaning.rows:
            remove_rows(plan)
    return print_found(arguments, found, _lines(plan, found, arguments))


def _described(plan, cleaning, *, done):
    """What goes and what stays."""
    below = [str(path.relative_to(plan.data_root)) for path in cleaning.files]
    kept = [{"file": str(path.relative_to(plan.data_root)), "projects": users} for path, users in cleaning.kept]
    return {"files": below, "mb": cleaning.n_bytes / 1e6, "kept": kept, "removed": done}


def _lines(plan, found, arguments):
    """Text of what goes."""
    yield from found["files"]
    for each in found["kept"]:
        others = f"is of {', '.join(each['projects'])} too" if each["projects"] else _NO_MANIFEST
        yield f"{each['file']} stays: it {others}"
    if arguments.level == "db":
        what = f"the rows of {plan.folder} in the database {plan.database}"
    else:
        what = f"{count_text(len(found['files']), 'file')}, {found['mb']:.1f} MB"
        if not found["files"]:
            yield f"nothing to remove at level {arguments.level}"
            return
    yes = "--yes --yes-really" if arguments.level == "raw" else "--yes"
    yield f"removed: {what}" if arguments.yes else f"this would remove {what}; say {yes} to do it"


VERB = Verb("clean", "remove products of the project, after a list of them", __doc__, add_arguments, run)
