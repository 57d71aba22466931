"""Remove products of the project; without --yes, only list what would be removed.

For example:

    vo clean --level analysis
    vo clean --level analysis --yes
    vo clean --level raw --yes --yes-really

Each level includes the ones before it:

    analysis  everything made from lightcurves: analysis files, histograms, tables, report
    reduced   also lightcurves
    raw       also manifests and raw archives, which must then be downloaded again; needs --yes-really in addition to
              --yes. Archives that another project of the data root uses are kept and listed with that project; so are
              archives that contain data not listed in any manifest, or may contain such data because the manifest or
              the archive is damaged

Two levels are separate:

    left      products of bins and surveys that are no longer part of the project
    db        the rows of the project in the database, and the receipt; the next run syncs them again
"""

from vo_lib.clean import LEVELS, plan_cleaning, remove_files, remove_rows
from vo_lib.errors import UserError
from vo_lib.text import count_text
from vo_lib.verbs import Verb, add_json, print_found

__all__ = ["VERB"]

_NO_MANIFEST = "may contain data that no manifest lists, such as from a failed download; delete it if nobody needs them"


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("--level", choices=LEVELS, required=True, help="what to remove")
    parser.add_argument("--yes", action="store_true", help="remove the files; without this they are only listed")
    parser.add_argument("--yes-really", action="store_true", help="for raw: confirm downloading everything again")
    add_json(parser)


def run(plan, arguments):
    """Print what would be removed, and remove it if that is confirmed."""
    cleaning = plan_cleaning(plan, arguments.level)
    if arguments.yes and arguments.level == "raw" and not arguments.yes_really:
        raise UserError("raw archives would have to be downloaded again; add --yes-really to --yes to remove them")
    found = _described(plan, cleaning, done=arguments.yes)
    if arguments.yes:
        remove_files(cleaning)
        if cleaning.rows:
            remove_rows(plan)
    return print_found(arguments, found, _lines(plan, found, arguments))


def _described(plan, cleaning, *, done):
    """Files to remove and files to keep, for JSON."""
    below = [str(path.relative_to(plan.data_root)) for path in cleaning.files]
    kept = [{"file": str(path.relative_to(plan.data_root)), "projects": users} for path, users in cleaning.kept]
    return {"files": below, "mb": cleaning.n_bytes / 1e6, "kept": kept, "removed": done}


def _lines(plan, found, arguments):
    """Lines on what is removed and what is kept."""
    yield from found["files"]
    for each in found["kept"]:
        others = f"is also used by {', '.join(each['projects'])}" if each["projects"] else _NO_MANIFEST
        yield f"{each['file']} is kept: it {others}"
    if arguments.level == "db":
        what = f"the rows of {plan.folder} in the database {plan.database}"
    else:
        what = f"{count_text(len(found['files']), 'file')}, {found['mb']:.1f} MB"
        if not found["files"]:
            yield f"nothing to remove at level {arguments.level}"
            return
    yes = "--yes --yes-really" if arguments.level == "raw" else "--yes"
    yield f"removed: {what}" if arguments.yes else f"this would remove {what}; add {yes} to do it"


VERB = Verb("clean", "remove products of the project, or list what would be removed", __doc__, add_arguments, run)
