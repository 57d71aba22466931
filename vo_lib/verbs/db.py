"""Inspect the database of a project, start and stop its server, back it up, and grant others read access.

For example:

    vo db status
    vo db shell --command "SELECT source, score, peak_mjd FROM detections_real ORDER BY score DESC LIMIT 5"
    vo db backup database.dump

The database is the one at database.url or $VO_DATABASE_URL, otherwise the project's own PostgreSQL below the data root.
The latter runs only while it is in use; `start` keeps it running for other programs, and `url` tells where it is. The
database mirrors the files: `reset` and `restore` also remove receipts, so that the next run of snakemake updates it.
"""

import signal
from contextlib import contextmanager
from functools import partial

from vo_lib.errors import UserError
from vo_lib.text import count_text, table_lines
from vo_lib.verbs import Verb, add_json, make_action, print_found

__all__ = ["VERB"]


def _file(parser):
    """Add the file of a backup."""
    parser.add_argument("file", metavar="FILE", help="file of the backup")
    add_json(parser)


def _file_and_yes(parser):
    """Add the file of a backup and ``--yes``."""
    parser.add_argument("file", metavar="FILE", help="file of the backup")
    _yes(parser)


def _yes(parser):
    """Add ``--yes``, without which no rows are lost."""
    parser.add_argument("--yes", action="store_true", help="do it; without this, only say what would be lost")
    add_json(parser)


def _role(parser):
    """Add the role that is to read."""
    parser.add_argument("role", metavar="ROLE", help="PostgreSQL role; it is created if it does not exist")
    add_json(parser)


def _command(parser):
    """Add the options of psql."""
    parser.add_argument("-c", "--command", metavar="SQL", help="run this SQL and exit, instead of opening a prompt")
    parser.add_argument("--csv", action="store_true", help="print tables as CSV")


def status(plan, arguments):
    """Print what is in the database and whether its server runs."""
    from vo_lib.database.admin import describe

    found = {"database": plan.database, "server": None} | _own_state(plan)
    if found["server"] is None or found["server"]["exists"]:
        with _open(plan) as engine:
            found |= describe(engine)
    return print_found(arguments, found, _status_lines(found))


def _own_state(plan):
    """State of the project's own server; empty if the database is on another one."""
    from vo_lib.database.server import server_state

    return {} if plan.database_url else {"server": server_state(plan.data_root)}


def _status_lines(found):
    """Lines on the state of a database."""
    yield f"database  {found['database']}"
    if server := found["server"]:
        runs = "runs until vo db stop" if server["stays"] else "runs while it is in use"
        state = (runs if server["runs"] else "not running") if server["exists"] else "not created yet"
        yield f"server    {state}, {server['folder']}"
    if "version" in found:
        of = "none" if found["revision"] is None else found["revision"]
        yield f"content   PostgreSQL {found['version']}, {found['size_mb']} MB, schema revision {of}"
        if found["revision"] not in (None, found["newest"]):
            yield f"the schema is outdated; the next run of snakemake upgrades it to revision {found['newest']}"
            return
        rows = [(row["folder"], row["bins"], row["sources"], row["changed"] or "") for row in found["projects"]]
        yield from table_lines(("project", "bins", "sources", "last change"), rows) if rows else ["no projects"]


def start(plan, arguments):
    """Start the project's own server, and print its URL."""
    from vo_lib.database.server import start_server

    _check_own(plan, "start")
    start_server(plan.data_root)
    return show_url(plan, arguments)


def stop(plan, arguments):
    """Stop the project's own server."""
    from vo_lib.database.server import stop_server

    _check_own(plan, "stop")
    state = stop_server(plan.data_root)
    text = "the server is in use and stops when its last user disconnects" if state["runs"] else "stopped"
    return print_found(arguments, state, [text])


def _check_own(plan, verb):
    """Check that the server is the project's own."""
    if plan.database_url:
        raise UserError(f"the database is {plan.database}, not the project's own; {verb} it with its own tools")


def show_url(plan, arguments):
    """Print the URL for other programs, without the password."""
    from vo_lib.database.server import server_state
    from vo_lib.database.url import redact

    if plan.database_url:
        return print_found(arguments, {"url": redact(plan.database_url)}, [redact(plan.database_url)])
    state = server_state(plan.data_root)
    if not (state["runs"] and state["stays"]):
        raise UserError("the project's own server has no URL for other programs yet; run vo db start first")
    if state["url"] is None:
        raise UserError(f"the path {state['folder']} is too long for a socket; use vo db shell, or a shorter data_root")
    return print_found(arguments, {"url": state["url"]}, [state["url"]])


def shell(plan, arguments):
    """Open psql, or run one command in it."""
    from vo_lib.database.admin import run_program

    options = [f"--command={arguments.command}"] if arguments.command else []
    options += ["--csv"] if arguments.csv else []
    with _open(plan) as engine, _patience():
        return run_program("psql", engine.url, "--set=ON_ERROR_STOP=1", *options, quiet=False)


@contextmanager
def _patience():
    """Ignore Ctrl-C, so that psql can use it to end a query."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def backup(plan, arguments):
    """Write a backup."""
    import sqlalchemy as sa

    from vo_lib.database.admin import back_up
    from vo_lib.database.schema import NO_TABLES

    with _open(plan) as engine:
        if not sa.inspect(engine).has_table("projects"):
            raise UserError(NO_TABLES)
        back_up(engine.url, arguments.file)
    return print_found(arguments, {"file": arguments.file}, [arguments.file])


def put_back(plan, arguments):
    """Replace the content of the database by a backup."""
    from vo_lib.database.admin import restore

    return _replace(plan, arguments, lambda engine: restore(engine, arguments.file), make=arguments.yes)


def begin_anew(plan, arguments):
    """Drop all tables."""
    from vo_lib.database.admin import reset

    return _replace(plan, arguments, reset)


def _replace(plan, arguments, change, *, make=False):
    """Change a database if that is confirmed, and remove the receipts of its old content."""
    from vo_lib.database.admin import drop_receipts

    with _open(plan, make=make) as engine:
        if not arguments.yes:
            text = f"this would drop the rows of all projects in {plan.database}; add --yes to do it"
            return print_found(arguments, {"done": False, "receipts": []}, [text])
        # Receipts go first: after a change that fails or is killed, none may list rows that are gone.
        gone = [str(path) for path in drop_receipts(plan.data_root, plan.database)]
        change(engine)
    text = f"done; {count_text(len(gone), 'receipt')} removed; the next run of snakemake syncs their projects"
    return print_found(arguments, {"done": True, "receipts": gone}, [text])


def grant(plan, arguments):
    """Let a role read the database."""
    from vo_lib.database.admin import grant_reading

    with _open(plan) as engine:
        grant_reading(engine.url, arguments.role)
    text = f"{arguments.role} has read-only access to all tables and views"
    return print_found(arguments, {"role": arguments.role}, [text])


def _open(plan, *, make=False):
    """Context manager with the engine of the project's database."""
    from vo_lib.database.session import open_engine

    return open_engine(plan.database_url, data_root=plan.data_root, make=make)


_action = partial(make_action, "db")

ACTIONS = (
    _action("status", "show what the database holds and if its server is running", "status --json", add_json, status),
    _action("start", "start the project's own server and keep it running", "start", add_json, start),
    _action("stop", "stop the project's own server", "stop", add_json, stop),
    _action("url", "print the URL for other programs, without the password", "url", add_json, show_url),
    _action("shell", "open psql, or run SQL in it", 'shell -c "SELECT count(*) FROM sources"', _command, shell),
    _action("backup", "write all tables to a file", "backup database.dump", _file, backup),
    _action("restore", "replace the contents by a backup", "restore database.dump", _file_and_yes, put_back),
    _action("reset", "drop all tables", "reset --yes", _yes, begin_anew),
    _action("grant", "give a role read access to all tables", "grant astronomer", _role, grant),
)

VERB = Verb("db", "inspect the database, run its server, back it up", __doc__, verbs=ACTIONS)
