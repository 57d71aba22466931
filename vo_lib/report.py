"""The report page of a project: its configuration, its results and the best detections."""

import platform
from importlib.metadata import version
from urllib.parse import quote

import numpy as np

from vo_lib import __version__
from vo_lib.config import to_yaml
from vo_lib.pages.page import Html, date_text, element, figure, notice, page, read_static, section, table
from vo_lib.pages.report_rates import coverage_content, injections_content, rates_content
from vo_lib.results import STATUSES
from vo_lib.tables import table_rows, take_rows
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
LONGEST_TABLE = 200
# Meaning of an epoch's noise for each value of ``finder.noise``.
NOISES = {
    "greater": "the larger of the epoch's error and the scatter of its lightcurve",
    "local": "the larger of the epoch's error and the local scatter of its lightcurve",
    "error": "the error of the epoch",
    "scatter": "the scatter of its lightcurve",
}
MOST_BINS_OPEN = 30
PACKAGES = ("numpy", "h5py", "netCDF4", "pyerfa", "matplotlib", "snakemake")
TOTALS = {
    "lightcurves": "Lightcurves",
    "n_raw": "Epochs received",
    "n_left_out": "Epochs left out",
    "n_kept": "Epochs kept",
    "n_flagged": "Epochs flagged",
    "detections": "Detections",
}
# Title and format of the columns of the table of detections.
DETECTION_COLUMNS = {
    "source": ("Source", ""),
    "obs": ("Survey", ""),
    "filter": ("Filter", ""),
    "change": ("Change", ""),
    "snr": ("S/N", ".1f"),
    "score": ("Score", ".1f"),
    "peak_mjd": ("Peak [MJD]", ".5f"),
    "date": ("Peak (date)", ""),
    "n_epochs": ("Epochs", ",d"),
    "peak_mag": ("Peak [mag]", ".3f"),
    "dmag": ("Change [mag]", "+.3f"),
    "lightcurve": ("Lightcurve", ""),
}
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
# Explanations of the reasons for leaving out epochs; those of user-defined classes are shown as they are.
LEFT_OUT = {
    "nan_time": "no time",
    "bad_flag": "flagged as bad by the survey (reduce.drop_bad)",
    "far": "object too far from the source (reduce.radius_arcsec)",
    "bright": "object too bright compared with the catalog (reduce.mag_range)",
    "faint": "object too faint compared with the catalog (reduce.mag_range)",
    "duplicate": "same time as another epoch (reduce.duplicates)",
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
        "outcomes": _outcomes(results, params),
        "sources": _overview(results, pictures, params),
        "detections": _detections(results, events, pictures, params),
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
            "p", f"Made by vo_lib {__version__}. Only the long tables are in a separate file.", class_="soft"
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
    lines = [
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
    return Html("".join(line for line in lines if line))


def _numbers(results):
    """Key numbers of the project."""
    epochs = results.properties.get("n_epochs", np.zeros(0, int))
    recovered = results.injections.get("recovered", np.zeros(0, int))
    found = results.detections.get("source", np.zeros(0, str))
    return [
        ("sources", f"{len(epochs):,}"),
        ("with data", f"{(epochs > 0).sum():,}"),
        ("lightcurves", f"{sum(row['lightcurves'] for row in results.outcomes):,}"),
        ("epochs", f"{sum(row['n_kept'] for row in results.outcomes):,}"),
        ("detections", f"{len(found):,}"),
        ("sources detected", f"{len(np.unique(found)):,}"),
        ("injections found", f"{(recovered == 1).sum():,} / {len(recovered):,}"),
    ]


def _outcomes(results, params):
    """Outcomes of sources and epochs: by survey, by reason and by bin."""
    by_survey = [_sum(results.outcomes, obs) for obs in params["observatories"]]
    columns = {"Survey": ""} | {f"Sources {status}": ",d" for status in STATUSES} | dict.fromkeys(TOTALS.values(), ",d")
    rows = ([row[name] for name in ("obs", *STATUSES, *TOTALS)] for row in by_survey)
    if not sum(row["ok"] for row in by_survey):
        yield notice("No source of this project has data; the tables below show what the surveys returned.")
    yield table(
        columns,
        rows,
        caption="By survey. Sources are ok, empty (the survey has no data) or failed (requested again in the next run)",
    )
    yield _reasons(results, by_survey)
    if results.bad_data:
        yield _bad_data(results.bad_data, by_survey)
    if results.failures:
        yield _failures(results.failures)
    columns = {"Bin": "", **columns}
    rows = ([row[name] for name in ("bin", "obs", *STATUSES, *TOTALS)] for row in results.outcomes)
    bins = table(columns, rows, caption="By bin of right ascension and survey")
    yield element(
        "details",
        element("summary", "Outcomes by bin"),
        bins,
        open="" if len(params["bins"]) <= MOST_BINS_OPEN else None,
    )


def _sum(outcomes, obs):
    """Outcomes of a survey, summed over all bins."""
    rows = [row for row in outcomes if row["obs"] == obs]
    return {"obs": obs} | {name: sum(row[name] for row in rows) for name in (*STATUSES, *TOTALS)}


def _reasons(results, by_survey):
    """Table of the reasons why epochs were left out or flagged."""
    totals = {row["obs"]: row for row in by_survey}
    left_out, flagged = sorted(results.left_out.items()), sorted(results.flagged.items())
    meanings = {reason: f"{reason}: {meaning}" for reason, meaning in LEFT_OUT.items()}
    rows = [
        (obs, "left out", meanings.get(reason, reason), number, totals[obs]["n_raw"])
        for (obs, reason), number in left_out
    ]
    rows += [(obs, "flagged", meaning, number, totals[obs]["n_kept"]) for (obs, meaning), number in flagged]
    return table(
        {"Survey": "", "Epochs": "", "Reason": "long", "Number": ",d", "Of": ",d", "Fraction": ".2%"},
        [(*row, row[-2] / row[-1] if row[-1] else None) for row in rows],
        caption="Epochs left out of the lightcurves, and epochs that were kept but flagged. An epoch can have several "
        "flags",
    )


def _bad_data(bad_data, by_survey):
    """Table of the lightcurves that failed a check as a whole, by reason."""
    totals = {row["obs"]: row["lightcurves"] for row in by_survey}
    counts = [(obs, reason, number, totals[obs]) for (obs, reason), number in sorted(bad_data.items())]
    return table(
        {"Survey": "", "Reason": "long", "Lightcurves": ",d", "Of": ",d", "Fraction": ".2%"},
        [(*row, row[-2] / row[-1]) for row in counts],
        caption="Lightcurves that are suspicious as a whole. They are still searched; the table bad_data in the "
        "analysis files and the database lists them. A lightcurve can be listed for several reasons",
    )


def _failures(failures):
    """Table of the sources that could not be downloaded."""
    return table(
        {"Source": "", "Survey": "", "Bin": "", "Reason": "long"},
        failures[:LONGEST_TABLE],
        caption=_cut("Sources that could not be downloaded", len(failures)),
    )


def _cut(caption, number):
    """Caption with the number of rows, and how many are shown if the table is long."""
    return f"{caption}: the first {LONGEST_TABLE} of {number:,}" if number > LONGEST_TABLE else f"{caption}: {number:,}"


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


def _detections(results, events, pictures, params):
    """Figures of the best detections, and the table of detections."""
    found = results.detections
    number = len(found.get("score", ()))
    if not number:
        yield notice(f"No detections by {_methods(params['config']['finder'])}.")
        return
    finder = params["config"]["finder"]
    text = f"{count_text(number, 'detection')} by {_methods(finder)}."
    hollow = f" Hollow points are flagged epochs{', which are not searched' if finder['mask_flagged'] else ''}."
    yield element("p", text + hollow if events else text)
    cards = (_card(place, event, pictures[f"event {place}"]) for place, event in enumerate(events))
    yield element("div", *cards, class_="pictures")
    yield element("div", _table(found), data_table="detections")
    yield element(
        "p",
        "Names link to pages for ",
        element("a", "vetting", href="pages/index.html"),
        " the detections. ",
        element("button", "Export marks as CSV", type="button", id="export", hidden=""),
    )
    yield element(
        "p", "The complete table with all columns is ", element("a", "detections.csv", href="detections.csv"), "."
    )


def _methods(finder):
    """Search methods and their thresholds."""
    false_alarms = finder["matched_filter"]["false_alarms"]
    known = {
        "peak": f"peak (an epoch with S/N of {_signed(finder['snr_threshold'])} or more)",
        "matched_filter": f"matched filter ({false_alarms:g} false alarms per lightcurve of pure noise)",
    }
    return finder["class"] or " and ".join(known[name] for name in finder["methods"])


def _signed(threshold):
    """Text of a threshold, or of the pair for both signs."""
    return "{:g} (fainter) or {:g} (brighter)".format(*threshold) if np.ndim(threshold) else f"{threshold:g}"


def _table(found):
    """Table of the best detections."""
    rows = []
    for row in table_rows(take_rows(found, slice(LONGEST_TABLE))):
        row |= {"change": _change(row), "date": date_text(row["peak_mjd"])}
        rows.append([row[name] for name in DETECTION_COLUMNS])
    caption = _cut("Detections, best first", len(found["score"]))
    return table(dict(DETECTION_COLUMNS.values()), rows, caption=caption)


def _change(row):
    """Whether the source became brighter or fainter."""
    return "brighter" if row["sign"] > 0 else "fainter"


def _card(place, event, picture):
    """Figure and caption of one of the best detections."""
    row = event.detection
    ra, dec = event.position
    what = f"{_change(row)}, S/N {row['snr']:.1f}, {date_text(row['peak_mjd'])}"
    caption = element(
        "span",
        element("strong", f"{place + 1}. {row['source']}"),
        f" {row['obs']} {row['filter']}: {what}, {count_text(row['n_epochs'], 'epoch')}, RA {ra:.5f}°, Dec {dec:+.5f}°",
    )
    alt = f"Lightcurve of {row['source']} in {row['filter']}, complete and around an event: {what}."
    return figure(picture, alt=alt, caption=caption)


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
