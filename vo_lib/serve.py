"""A read-only web server for the pages of a data root, which only answers browsers on the same machine.

It serves the reports and pages of all projects of the data root, makes pages of sources of one project on request, and
searches its database by name and cone.
"""

import re
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from urllib.parse import parse_qs, quote, unquote, urlsplit

from vo_lib.errors import CatalogError, UserError
from vo_lib.pages.page import policy, read_static
from vo_lib.pages.serve_pages import error_page, home_page, list_projects, search_page
from vo_lib.pages.vetting import address_from, project_links, project_page
from vo_lib.pages.vetting_page import PROGRAMS
from vo_lib.paths import decode_key, page_file
from vo_lib.report import PROGRAMS as REPORT_PROGRAMS

__all__ = ["PageServer"]

# Files of a project that are served: its report, the files it links to, and the pages and plots.
SHOWN = re.compile(
    r"report\.html|report_tables\.js|(detections|events|properties|rates)\.csv|histograms_\w+\.nc|00_config_\w+\.yaml"
    r"|pages/index\.html|pages/RA[\d.]+/[^/]+\.html|plots/(\w+/)*\w+\.(png|svg|pdf)"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".yaml": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".pdf": "application/pdf",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ALLOWED = policy(
    [read_static(name) for name in dict.fromkeys((*PROGRAMS, *REPORT_PROGRAMS))], sources=("'self'",), forms="'self'"
)


class PageServer(ThreadingHTTPServer):
    """Server for the data root of a project.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project whose pages are made and whose database is searched.
    port : int, optional
        Port on 127.0.0.1; 0 for any free one.
    session : sqlalchemy.orm.Session, optional
        Database session for searches; without it, searching is disabled.
    """

    daemon_threads = True

    def __init__(self, plan, port=0, session=None):
        super().__init__(("127.0.0.1", port), _Handler)
        self.plan, self.session, self.lock = plan, session, Lock()

    def handle_error(self, request, client_address):
        """Ignore errors of a request, such as a connection that the browser closed."""

    @property
    def url(self):
        """Address of the home page."""
        return f"http://127.0.0.1:{self.server_port}/"

    @cached_property
    def hosts(self):
        """Accepted values of the header ``Host``."""
        return {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    @cached_property
    def links(self):
        """Links to the pages before and after each page of the project, computed on the first request for a page."""
        return project_links(self.plan)


class _Handler(BaseHTTPRequestHandler):
    """Handler of a request."""

    server_version, sys_version = "vo", ""
    timeout = 30

    def do_GET(self):
        """Answer a request for a page or file."""
        self._answer(body=True)

    def do_HEAD(self):
        """Answer with the headers only."""
        self._answer(body=False)

    def log_message(self, *words):
        """Log nothing, since the server has a single user."""

    def _answer(self, *, body):
        """Find the requested content and send it."""
        try:
            status, kind, content, more = self._find()
        except UserError as error:
            status, kind, content, more = _page(HTTPStatus.NOT_FOUND, error_page(str(error)))
        except (OSError, ValueError):  # names that are too long or contain NUL, and invalid addresses
            status, kind, content, more = _page(HTTPStatus.NOT_FOUND, error_page("There is nothing at that address."))
        except Exception as error:
            text = f"This page cannot be made ({type(error).__name__}: {error})."
            status, kind, content, more = _page(HTTPStatus.INTERNAL_SERVER_ERROR, error_page(text))
        self.send_response(status)
        headers = HEADERS | more | {"Content-Type": kind, "Content-Length": str(len(content))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", f"{ALLOWED}; frame-ancestors 'none'")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _find(self):
        """Status, content type, content and further headers of the response."""
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            return _page(HTTPStatus.FORBIDDEN, error_page("This server only answers requests to 127.0.0.1."))
        split = urlsplit(self.path)
        path, query = unquote(split.path), {name: values[-1] for name, values in parse_qs(split.query).items()}
        with self.server.lock:
            return self._look_up(path.removeprefix("/"), query)

    def _look_up(self, path, query):
        """Response to a request for a path with query parameters."""
        plan = self.server.plan
        if path == "":
            return _page(HTTPStatus.OK, home_page(plan, list_projects(plan.data_root)))
        if path == "search":
            return _page(HTTPStatus.OK, search_page(plan, self.server.session, query))
        project, _, rest = path.partition("/")
        if project == plan.folder and rest == "page" and "name" in query:
            bin_name = plan.catalog.find(query["name"])[1]
            return _redirect(address_from(f"/{quote(project)}/pages/", bin_name, query["name"]))
        is_known = project in list_projects(plan.data_root)
        if is_known and not rest:
            return _redirect(f"/{quote(project)}/report.html")
        if is_known and SHOWN.fullmatch(rest):
            made = project == plan.folder and self._make(rest)
            return _page(HTTPStatus.OK, made) if made else _file(plan.data_root / project, rest)
        return _page(HTTPStatus.NOT_FOUND, error_page(f"There is nothing at /{path}."))

    def _make(self, rest):
        """Make the page of a source from the project's current products; None if the path is not that of a source."""
        plan = self.server.plan
        folder, _, key = rest.removesuffix(".html").rpartition("/")
        if folder.count("/") != 1:
            return None
        name = decode_key(key)
        try:
            bin_name = plan.catalog.find(name)[1]
        except CatalogError:
            return None
        if page_file("", bin_name, name) != f"/{rest}":
            return None
        return project_page(plan, name, links=self.server.links, any_provenance=True)


def _page(status, text):
    """Response with an HTML page."""
    return status, "text/html; charset=utf-8", text.encode(), {}


def _redirect(address):
    """Response that redirects to another address on this server."""
    return HTTPStatus.FOUND, "text/plain; charset=utf-8", b"", {"Location": address}


def _file(folder, name):
    """Response with a file in a folder; symbolic links that lead out of the folder are not followed."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return _page(HTTPStatus.NOT_FOUND, error_page(f"There is no {name} yet; run snakemake to make it."))
    kind = TYPES.get(path.suffix, "application/octet-stream")
    return HTTPStatus.OK, kind, path.read_bytes(), {}
