"""Show the pages of the data root in a browser on this machine.

For example:

    vo serve
    vo serve --port 9000

The server listens only on 127.0.0.1, changes nothing, and stops with Ctrl-C. Besides the existing reports and pages, it
makes the page of any source of the project on request, and searches the database by name and cone.
"""

import sys
from contextlib import ExitStack

from vo_lib.errors import ServiceError, UserError
from vo_lib.verbs import Verb, add_json, print_json

__all__ = ["VERB"]


def add_arguments(parser):
    """Add the arguments of the verb."""
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="port (default: 8000; 0 for any free port)")
    add_json(parser)


def run(plan, arguments):
    """Serve until the user stops it."""
    from vo_lib.serve import PageServer

    with ExitStack() as stack:
        session = _open_session(plan, stack)
        try:
            server = stack.enter_context(PageServer(plan, arguments.port, session))
        except (OSError, OverflowError) as error:
            raise UserError(f"cannot use port {arguments.port} ({error}); choose another with --port") from None
        if arguments.json:
            print_json({"url": server.url, "data_root": str(plan.data_root)})
        else:
            print(f"Serving {plan.data_root} at {server.url} (stop with Ctrl-C)", flush=True)
        server.serve_forever()
    return 0


def _open_session(plan, stack):
    """Session of the database, which is started if needed; None if there is none yet or it cannot be used."""
    from vo_lib.database.session import open_session

    if not (plan.data_root / plan.folder / "database.json").exists():
        return None
    try:
        return stack.enter_context(open_session(plan.database_url, data_root=plan.data_root))
    except ServiceError as error:
        print(f"vo serve: searches are not available: {error}", file=sys.stderr)
        return None


VERB = Verb("serve", "show the pages in a browser on this machine", __doc__, add_arguments, run)
