"""The report page of a project: its configuration, its results and the best detections."""

import platform
from importlib.metadata import version
from urllib.parse import quote

import numpy as np

from vo_lib import __version__
from vo_lib.config import to_yaml
from vo_lib.pages.page import element, figure, notice, page, read_static, section, table
from vo_lib.pages.report_detections import detections_content
from vo_lib.pages.report_outcomes import outcomes_content
from vo_lib.pages.report_rates import coverage_content, injections_content, rates_content
from vo_lib.text import count_text

__all__ = ["PROGRAMS", "TABLES_FILE", "make_page"]

# Titles of the sections by their identifiers in the page, in order.
SECTIONS = {
    "outcomes": "Outcomes",
    "sources": "Sources and scores",
    "detections": "Detections",
    "injections": "Injected events",
    "coverage": "Coverage",
    "rates": "Rates",
    "files": "Files",
    "run": "Configuration and versions",
}
# Scripts of the page, and the separate file with its long tables.
PROGRAMS = ("marks.js", "tables.js")
TABLES_FILE = "report_tables.js"
# Meaning of an epoch's noise for each value of ``finder.noise``.
NOISES = {
    "greater": "the larger of the epoch's error and the scatter of its lightcurve",
    "local": "the larger of the epoch's error and the local scatter of its lightcurve",
    "error": "the error of the epoch",
    "scatter": "the scatter of its lightcurve",
}
PACKAGES = ("numpy", "h5py", "netCDF4", "pyerfa", "matplotlib", "snakemake")
PRODUCTS = {
    "detections.csv": "real detections, best first",
    "events.csv": "detections of a source at the same time, combined across filters and surveys",
    "properties.csv": "summary of each source",
    "pages/index.html": "pages of the best sources, for vetting",
    "rates.csv": "event rates, with how they were measured",
    "histograms_all_scores.nc": "S/N and magnitude of all epochs (xarray.open_dataset)",
    "histograms_good_scores.nc": "the same for unflagged epochs",
    "histograms_quality_values.nc": "values measured by the quality checks",
    "histograms_coverage.nc": "number of epochs by quality, magnitude, filter and survey",
    "histograms_exposure_time.nc": "exposure time by quality, magnitude, filter and survey",
    "histograms_injected.nc": "injected events by S/N, width, magnitude, filter and kind",
    "histograms_recovered.nc": "the same for recovered events",
}
PATTERNS = {
    "RA…_analysis.h5": "tables of a bin: properties, filters, series, detections, injections, flagged epochs, bad data",
    "…_reduced.h5": "lightcurves of a survey and bin, one table each; 'index' lists them",
    "RA…_histograms.nc": "histograms of a bin",
    "manifests/": "download status of each source",
    "plots/": "the figures of this page",
    "logs/": "log of each job, with the command to repeat it",
    "../<survey>/": "raw archives with the data as the surveys sent them, shared by all projects",
}


def make_page(results, events, pictures, *, params):
    """Make the report page.

    Parameters
    ----------
    results : vo_lib.results.Results
        Tables of the project.
    events : list of vo_lib.results.Event
        Best detections.
    pictures : dict
        Figures, see `vo_lib.pages.pictures.draw_pictures`.
    params : dict
        ``project``, ``bins``, ``observatories``, ``config``, ``config_file``, ``provenances``, ``threshold``.

    Returns
    -------
    str
        HTML that needs no network and no other file, except that of `vo_lib.pages.report_tables.make_tables`, without
        which long tables only show their first rows.
    """
    content = {
        "outcomes": outcomes_content(results, observatories=params["observatories"], bins=params["bins"]),
        "sources": _overview(results, pictures, params),
        "detections": detections_content(results, events, pictures, finder=params["config"]["finder"]),
        "injections": injections_content(results, pictures),
        "coverage": coverage_content(results, pictures),
        "rates": rates_content(results.rates),
        "files": _files(params),
        "run": _run(params),
    }
    return page(
        f"{params['project']}: report",
        header=_header(results, params),
        content=[section(title, *content[name], identifier=name) for name, title in SECTIONS.items()],
        footer=element(
            "p",
            f"Made by vo_lib {__version__}. Long tables are read from {TABLES_FILE} beside this page.",
            class_="soft",
        ),
        style=read_static("controls.css"),
        programs=[read_static(name) for name in PROGRAMS],
        beside=(TABLES_FILE,),
    )


def _header(results, params):
    """Header with title, key numbers and links to the sections."""
    description = params["config"].get("description")
    links = (element("li", element("a", title, href=f"#{name}")) for name, title in SECTIONS.items())
    surveys, numbers = ", ".join(params["observatories"]), _numbers(results)
    return [
        element("h1", params["project"]),
        element("p", description) if description else None,
        element("p", f"{count_text(len(params['bins']), 'bin')} of right ascension; surveys: {surveys}", class_="soft"),
        element(
            "dl",
            *(element("div", element("dt", name), element("dd", text)) for name, text in numbers),
            class_="numbers",
        ),
        element("nav", element("ul", *links), aria_label="Sections"),
    ]


def _numbers(results):
    """Key numbers of the project."""
    epochs = results.properties.get("n_epochs", np.zeros(0, int))
    recovered = results.injections.get("recovered", np.zeros(0, int))
    found = results.detections.get("source", np.zeros(0, str))
    return [
        ("sources", f"{len(epochs):,}"),
        ("with data", f"{(epochs > 0).sum():,}"),
        ("with detections", f"{len(np.unique(found)):,}"),
        ("lightcurves", f"{sum(row['lightcurves'] for row in results.outcomes):,}"),
        ("epochs", f"{sum(row['n_kept'] for row in results.outcomes):,}"),
        ("detections", f"{len(found):,}"),
        ("injections found", f"{(recovered == 1).sum():,} / {len(recovered):,}"),
    ]


def _overview(results, pictures, params):
    """Figures of the sky and of the scores, and placeholder for the table of sources."""
    found = (results.properties["n_detections"] > 0).sum() if results.properties else 0
    sources = count_text(len(results.properties.get("source", ())), "source")
    sky = figure(
        pictures["sky"],
        alt=f"Map of the whole sky with {sources}, {found:,} of them with detections.",
        caption=f"The {sources} of the project. Stars have detections, open circles have no data.",
    )
    scores = figure(
        pictures["scores"],
        alt="Histogram of the signal-to-noise ratios of all unflagged epochs, with the expectation for Gaussian noise.",
        caption="Signal-to-noise ratio, (flux - median) / noise, of all unflagged epochs. The noise is "
        f"{NOISES[params['config']['finder']['noise']]}. Wings beyond the grey line are variability, events or "
        "underestimated noise.",
    )
    yield element("div", sky, scores, class_="pictures")
    yield element("div", notice("The table of all sources needs JavaScript; see properties.csv."), data_table="sources")


def _files(params):
    """Table of the files of the project."""
    config = params["config_file"].rpartition("/")[2]
    links = [
        (element("a", name, href=quote(name)), what)
        for name, what in (PRODUCTS | {config: "the final configuration"}).items()
    ]
    names = [(element("code", name), what) for name, what in PATTERNS.items()]
    yield table(
        {"File": "", "Content": "long"},
        [*links, *names],
        caption="Files next to this page, in the project folder",
    )


def _run(params):
    """Configuration, provenances and software versions."""
    yield element(
        "details", element("summary", "Configuration"), element("pre", to_yaml(params["config"]), tabindex="0")
    )
    rows = [
        (row["process"], row["parameters"].get("observatory"), element("code", row["id"]))
        for row in params["provenances"]
    ]
    yield table(
        {"Process": "", "Survey": "", "Provenance": ""},
        rows,
        caption="Identifiers of the parameters and code of each step",
    )
    versions = [f"{name} {version(name)}" for name in PACKAGES]
    yield element(
        "p", f"vo_lib {__version__}, Python {platform.python_version()}, {', '.join(versions)}", class_="soft"
    )
