"""Which sources have pages, in which order they are looked at, and the files of the pages."""

from pathlib import Path
from urllib.parse import quote

import numpy as np

from vo_lib.files import write_text
from vo_lib.page import element, page, table
from vo_lib.paths import page_file
from vo_lib.source_products import read_sources
from vo_lib.vetting_page import make_vetting_page

__all__ = ["address_from", "make_pages", "neighbours", "rank_sources", "write_pages"]


def rank_sources(properties, detections):
    """Sources in the order in which they should be looked at.

    Parameters
    ----------
    properties : dict of str to ndarray, each of shape (n_sources,)
        ``source`` and ``interest``.
    detections : dict of str to ndarray, each of shape (n_detections,)
        ``source`` and ``score`` of the real ones.

    Returns
    -------
    list of str
        Those with detections, by falling score of their best one, then by name; after them those that are interesting
        for another reason, by name. Empty without any.
    """
    names, where = np.unique(detections["source"], return_inverse=True)
    best = np.full(len(names), -np.inf)
    np.maximum.at(best, where, detections["score"])
    found = names[np.argsort(-best, kind="stable")].tolist()
    interesting = properties["source"][properties["interest"] == "interesting"].tolist()
    known = set(found)
    return found + sorted(name for name in interesting if name not in known)


def neighbours(ranked, bins):
    """Names and addresses of the pages before and after each page.

    Parameters
    ----------
    ranked : sequence of str
        Sources with pages, in their order.
    bins : dict of str to str
        Bin of each source.

    Returns
    -------
    dict of str to dict
        By source ``before`` and ``after``, a pair of name and address as seen from another page, or None at the ends.
    """
    links = [(name, address_from("../", bins[name], name)) for name in ranked]
    before, after = [None, *links[:-1]], [*links[1:], None]
    return {
        name: {"before": earlier, "after": later} for name, earlier, later in zip(ranked, before, after, strict=True)
    }


def address_from(start, bin_name, name):
    """Address of the page of a source below the folder of pages, which ``start`` leads to."""
    return start + quote(page_file("", bin_name, name).removeprefix("/pages/"))


def make_pages(project, bin_name, names, links, *, observatories, folder, provenance=None, **options):
    """Make the pages of some sources of a bin.

    Parameters
    ----------
    project : str or Path
        Folder of the project, from here.
    bin_name : str
        The bin.
    names : sequence of str
        Sources of that bin.
    links : dict of str to dict
        See `neighbours`; sources that are not in it have none.
    observatories, provenance
        See `vo_lib.source_products.read_sources`.
    folder : str
        Folder of the project below the data root, as pages name it.
    **options
        ``periods``, see `vo_lib.vetting_page.make_vetting_page`.

    Yields
    ------
    tuple of str
        Name and HTML of each source, in the order of `names`.
    """
    for source in read_sources(project, bin_name, observatories, names, provenance=provenance):
        yield source.name, make_vetting_page(source, project=folder, **links.get(source.name, {}), **options)


def write_pages(project, properties, detections, *, max_pages, **options):
    """Write the pages of the best sources of a project and a list of them, and remove all others.

    Parameters
    ----------
    project : str
        Folder of the project, relative to the data root.
    properties, detections : dict of str to ndarray
        Tables of all bins with ``source`` and ``bin``, see `rank_sources`.
    max_pages : int
        How many sources have pages at most.
    **options
        See `make_pages`.

    Returns
    -------
    list of str
        Sources with pages, best first.
    """
    ranked = rank_sources(properties, detections)
    shown = ranked[:max_pages]
    bins = dict(zip(properties["source"].tolist(), properties["bin"].tolist(), strict=True))
    links = neighbours(shown, bins)
    for bin_name in sorted({bins[name] for name in shown}):
        names = [name for name in shown if bins[name] == bin_name]
        for name, text in make_pages(project, bin_name, names, links, folder=project, **options):
            write_text(page_file(project, bin_name, name), text)
    _remove_others(Path(project) / "pages", {Path(page_file(project, bins[name], name)) for name in shown})
    write_text(Path(project) / "pages" / "index.html", _list(project, shown, bins, len(ranked)))
    return shown


def _remove_others(folder, kept):
    """Remove pages that are no longer among those of the project, and bins without any."""
    for path in folder.glob("*/*.html"):
        if path not in kept:
            path.unlink()
    for path in folder.glob("*/"):
        if not any(path.iterdir()):
            path.rmdir()


def _list(project, shown, bins, number):
    """Page with links to all others."""
    rows = [
        (place + 1, element("a", name, href=address_from("", bins[name], name))) for place, name in enumerate(shown)
    ]
    caption = f"Sources to look at, best first: {len(shown):,} of {number:,}"
    more = element(
        "p", "Others are made by ", element("code", "vo page NAME"), " or seen by ", element("code", "vo serve")
    )
    return page(
        f"{project}: pages",
        header=element("h1", f"Pages of {project}"),
        content=[
            element("p", element("a", "Report", href="../report.html")),
            table({"Rank": ",d", "Source": ""}, rows, caption=caption),
            more,
        ],
        footer=element("p", "Marks are kept in the browser; each page exports those of the project.", class_="soft"),
    )


def project_page(plan, name, *, links=None, any_provenance=False):
    """Make the page of one source of a project.

    Parameters
    ----------
    plan : vo_lib.plan.Plan
        The project.
    name : str
        Name of the source in the catalog.
    links : dict of str to dict, optional
        See `neighbours`.
    any_provenance : bool, optional
        Whether products of other code and configurations are shown too.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    CatalogError
        If the catalog has no source of that name.
    UserError
        If a product is missing, or of another provenance.
    """
    bin_name = plan.catalog.find(name)[1]
    provenance = None if any_provenance else plan.provenance("analyze").id
    options = plan.page_options | {"observatories": plan.observatories, "provenance": provenance}
    folder = plan.data_root / plan.folder
    return next(make_pages(folder, bin_name, [name], links or {}, folder=plan.folder, **options))[1]
