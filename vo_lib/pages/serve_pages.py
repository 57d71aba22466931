"""Pages of the server itself: home page, search results and errors."""

from urllib.parse import quote

from vo_lib.errors import UserError
from vo_lib.pages.page import element, notice, page, read_static, section, table

__all__ = ["error_page", "home_page", "list_projects", "search_page"]

MOST_FOUND = 200
CONE = {"ra": "RA", "dec": "Dec", "radius_arcsec": "Radius [arcsec]"}


def list_projects(data_root):
    """List the names of the folders in a data root that have a report, in alphabetical order."""
    return sorted(path.parent.name for path in data_root.glob("*/report.html"))


def home_page(plan, projects):
    """Make the home page: the projects and a search form."""
    links = [
        element(
            "li",
            element("a", name, href=f"/{quote(name)}/report.html"),
            " (this configuration)" if name == plan.folder else None,
        )
        for name in projects
    ]
    found = element("ul", *links) if links else notice("No project has a report yet; run snakemake to make it.")
    return _page(
        "Projects", section("Reports", found, identifier="reports"), section("Search", _form({}), identifier="search")
    )


def search_page(plan, session, query):
    """Make the page of a search for sources by a part of the name or in a cone.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    session : sqlalchemy.orm.Session or None
        The database, if it can be used.
    query : dict of str to str
        ``name``, or ``ra``, ``dec`` and ``radius_arcsec``; empty texts are ignored.

    Returns
    -------
    str
        HTML, which also shows what is wrong with the query.
    """
    given = {name: text.strip() for name, text in query.items() if text.strip()}
    try:
        content = _results(plan, _search(plan, session, given))
    except UserError as error:
        content = notice(str(error))
    return _page("Search", _form(given), section("Sources", content, identifier="sources"))


def _search(plan, session, given):
    """Sources in the database that match the query."""
    from vo_lib.database.find import find_sources

    if session is None:
        raise UserError("no usable database; run snakemake to fill it, then restart vo serve")
    criteria = {name: given[name] for name in CONE if name in given}
    if "radius_arcsec" in criteria:
        try:
            criteria["radius_arcsec"] = float(criteria["radius_arcsec"])
        except ValueError:
            raise UserError(f"the radius must be a number, got '{criteria['radius_arcsec']}'") from None
    if not criteria and "name" not in given:
        raise UserError("give a part of a name, or a position and a radius")
    try:
        return find_sources(session, project=plan.folder, max_number=MOST_FOUND, name=given.get("name"), **criteria)
    finally:
        session.rollback()


def _results(plan, found):
    """Table of sources with links to their pages."""
    start = f"/{quote(plan.folder)}/page?name="
    links = [element("a", row.name, href=start + quote(row.name, safe="")) for row in found]
    rows = [(link, row.ra, row.dec, row.mag) for link, row in zip(links, found, strict=True)]
    caption = f"{len(rows):,} found" + (" (there may be more)" if len(rows) == MOST_FOUND else "")
    return table({"Source": "", "RA [deg]": ".6f", "Dec [deg]": "+.6f", "Magnitude": ".2f"}, rows, caption=caption)


def _form(given):
    """Search form, filled with what was given."""
    fields = {"name": "Part of the name"} | CONE
    inputs = (
        element("label", text, element("input", type="text", name=name, value=given.get(name, "")))
        for name, text in fields.items()
    )
    send = element("button", "Search", type="submit")
    form = element("form", *inputs, send, action="/search", method="get", class_="controls")
    return element("search", form)


def error_page(text):
    """Make a page that shows an error."""
    return _page("Not found", notice(text))


def _page(title, *content):
    """Page of the server itself."""
    return page(
        f"vo serve: {title}",
        header=[element("h1", title), element("p", element("a", "All projects", href="/"))],
        content=content,
        footer=element("p", "This server is read-only and reachable only from this machine.", class_="soft"),
        style=read_static("controls.css"),
        forms="'self'",
    )
