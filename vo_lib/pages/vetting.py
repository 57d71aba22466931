"""Ranking of sources for inspection, links between their pages, and the files of the pages."""

from pathlib import Path
from urllib.parse import quote

import numpy as np

from vo_lib import hdf5
from vo_lib.files import write_text, write_texts
from vo_lib.pages.page import element, page, table
from vo_lib.pages.source_products import read_sources
from vo_lib.pages.vetting_page import make_vetting_page
from vo_lib.paths import analysis_file, page_file
from vo_lib.tables import concatenate_tables

__all__ = [
    "address_from",
    "make_pages",
    "neighbours",
    "project_links",
    "project_page",
    "rank_sources",
    "read_ranking",
    "write_pages",
]

# Tables and columns from which sources are ranked.
RANKED_BY = {"properties": ("source", "interest"), "detections": ("source", "score")}


def rank_sources(properties, detections):
    """Rank sources in the order in which a person should look at them.

    Parameters
    ----------
    properties : dict of str to ndarray, each of shape (n_sources,)
        ``source`` and ``interest``.
    detections : dict of str to ndarray, each of shape (n_detections,)
        ``source`` and ``score`` of real detections.

    Returns
    -------
    list of str
        Sources with detections, by decreasing score of their best one, then by name; after them sources that are
        interesting for another reason, by name. Empty if there are none.
    """
    names, where = np.unique(detections["source"], return_inverse=True)
    best = np.full(len(names), -np.inf)
    np.maximum.at(best, where, detections["score"])
    found = names[np.argsort(-best, kind="stable")].tolist()
    interesting = properties["source"][properties["interest"] == "interesting"].tolist()
    known = set(found)
    return found + sorted(name for name in interesting if name not in known)


def neighbours(ranked, bin_of):
    """Find the previous and the next page of each page.

    Parameters
    ----------
    ranked : sequence of str
        Sources with pages, in order.
    bin_of : dict of str to str
        Bin of each source.

    Returns
    -------
    dict of str to dict
        ``before`` and ``after`` by source: pairs of a name and a URL relative to the source's page, None at the ends.
    """
    links = [(name, address_from("../", bin_of[name], name)) for name in ranked]
    before, after = [None, *links][:-1], [*links, None][1:]
    return {
        name: {"before": earlier, "after": later} for name, earlier, later in zip(ranked, before, after, strict=True)
    }


def address_from(start, bin_name, name):
    """Make the relative URL of the page of a source, where `start` is the way to the folder of pages."""
    return start + quote(page_file("", bin_name, name).removeprefix("/pages/"))


def make_pages(project, bin_name, names, links, *, observatories, folder, provenance=None, **options):
    """Make the pages of sources in one bin.

    Parameters
    ----------
    project : str or Path
        Path of the project's folder.
    bin_name : str
        Name of the bin.
    names : sequence of str
        Sources of that bin.
    links : dict of str to dict
        See `neighbours`; pages of sources that are missing there have no links.
    observatories, provenance
        See `vo_lib.pages.source_products.read_sources`.
    folder : str
        Folder of the project relative to the data root, as named on the pages.
    **options
        ``periods``, see `vo_lib.pages.vetting_page.make_vetting_page`.

    Yields
    ------
    tuple of str
        Name and HTML of each source, in the order of `names`.
    """
    for source in read_sources(project, bin_name, observatories, names, provenance=provenance):
        yield source.name, make_vetting_page(source, project=folder, **links.get(source.name, {}), **options)


def read_ranking(project, bins, *, provenance=None):
    """Read the ranking of a project's sources from the analysis files of its bins.

    Parameters
    ----------
    project : str or Path
        Folder of the project.
    bins : sequence of str
        Its bins.
    provenance : str, optional
        Identifier of the provenance that the analysis files must have.

    Returns
    -------
    ranked : list of str
        See `rank_sources`.
    bin_of : dict of str to str
        Bin of each source of the project.
    """
    parts, bin_of = {name: [] for name in RANKED_BY}, {}
    for bin_name in bins:
        with hdf5.open_file(analysis_file(project, bin_name), provenance=provenance) as file:
            for name, columns in RANKED_BY.items():
                table_ = hdf5.read_table(file, name)
                real = table_.get("simulated", np.zeros(len(table_["source"]))) == 0
                parts[name].append({column: table_[column][real] for column in columns})
        bin_of |= dict.fromkeys(parts["properties"][-1]["source"].tolist(), bin_name)
    return rank_sources(*map(concatenate_tables, parts.values())) if bin_of else [], bin_of


def write_pages(project, ranked, bin_of, *, max_pages, **options):
    """Write the pages of the best sources of a project and an index of them, and remove all other pages.

    Parameters
    ----------
    project : str
        Folder of the project, relative to the data root.
    ranked, bin_of
        See `read_ranking`.
    max_pages : int
        Maximum number of sources with pages.
    **options
        See `make_pages`.

    Returns
    -------
    list of str
        Sources with pages, best first.
    """
    shown = ranked[:max_pages]
    links = neighbours(shown, bin_of)
    for bin_name in sorted({bin_of[name] for name in shown}):
        names = [name for name in shown if bin_of[name] == bin_name]
        pages = make_pages(project, bin_name, names, links, folder=project, **options)
        write_texts((page_file(project, bin_name, name), text) for name, text in pages)
    _remove_others(Path(project) / "pages", {Path(page_file(project, bin_of[name], name)) for name in shown})
    write_text(Path(project) / "pages" / "index.html", _list(project, shown, bin_of, len(ranked)))
    return shown


def _remove_others(folder, kept):
    """Remove pages that are not to be kept, and folders of bins that have none left."""
    for path in folder.glob("*/*.html"):
        if path not in kept:
            path.unlink()
    for path in folder.glob("*/"):
        if not any(path.iterdir()):
            path.rmdir()


def _list(project, shown, bin_of, number):
    """Index page, with links to all others."""
    links = [element("a", name, href=address_from("", bin_of[name], name)) for name in shown]
    caption = f"Sources to inspect, best first: {len(shown):,} of {number:,}"
    made, seen = element("code", "vo page NAME"), element("code", "vo serve")
    more = element("p", "To make the page of another source use ", made, "; ", seen, " shows the pages of all sources.")
    return page(
        f"{project}: pages",
        header=[element("h1", f"Pages of {project}")],
        content=[
            element("p", element("a", "Report", href="../report.html")),
            table({"Rank": ",d", "Source": ""}, enumerate(links, 1), caption=caption),
            more,
        ],
        footer=element(
            "p", "Marks are stored in the browser; each page can export all marks of the project.", class_="soft"
        ),
    )


def project_links(plan, max_pages=None):
    """Find the previous and the next page of each page of a project, in the bins that are analysed.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    max_pages : int, optional
        Maximum number of sources with pages; default all ranked sources.

    Returns
    -------
    dict of str to dict
        See `neighbours`.
    """
    folder = plan.data_root / plan.folder
    ranked, bin_of = read_ranking(folder, [name for name in plan.bins if Path(analysis_file(folder, name)).exists()])
    return neighbours(ranked[:max_pages], bin_of)


def project_page(plan, name, *, links, any_provenance):
    """Make the page of one source of a project.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    name : str
        Name of the source in the catalog.
    links : dict of str to dict
        See `neighbours`.
    any_provenance : bool
        Whether to accept products of other code or another configuration.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    CatalogError
        If the catalog has no source of that name.
    UserError
        If a product is missing or has another provenance.
    """
    bin_name = plan.catalog.find(name)[1]
    provenance = None if any_provenance else plan.provenance("analyze").id
    options = plan.page_options | {"observatories": plan.observatories, "provenance": provenance}
    folder = plan.data_root / plan.folder
    return next(make_pages(folder, bin_name, [name], links, folder=plan.folder, **options))[1]
