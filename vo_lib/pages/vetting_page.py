"""The page of one source, on which a person judges its detections: a self-contained HTML file."""

import shlex

from vo_lib import __version__
from vo_lib.catalogs.columns import UNITS
from vo_lib.pages.page import date_text, element, notice, page, read_static, section, table
from vo_lib.pages.vetting_controls import chart_controls, keys_content, verdict_bar
from vo_lib.pages.vetting_data import page_data
from vo_lib.periods.periodic import PERIOD_COLUMNS
from vo_lib.properties import PROPERTY_COLUMNS
from vo_lib.search.detections import DETECTION_COLUMNS
from vo_lib.tables import table_rows
from vo_lib.text import count_text

__all__ = ["PROGRAMS", "make_vetting_page"]

PROGRAMS = ("uPlot.iife.min.js", "marks.js", "chart.js", "vetting.js")
STYLES = ("uPlot.min.css", "controls.css")
# Titles and formats of columns in the table of detections; another table, below it, has all columns.
DETECTIONS = {
    "snr": ("S/N", ".1f"),
    "score": ("Score", ".1f"),
    "threshold": ("Threshold", ".1f"),
    "peak_mjd": ("Peak [MJD]", ".5f"),
    "duration": ("Duration [d]", ".4g"),
    "n_epochs": ("Epochs", ",d"),
    "n_flagged": ("Flagged", ",d"),
    "offset": ("Offset [σ]", ".2f"),
    "peak_mag": ("Peak [mag]", ".3f"),
    "dmag": ("Change [mag]", "+.3f"),
    "method": ("Method", ""),
    "template": ("Template", ""),
}
LIGHTCURVES = {
    "n_epochs": ("Epochs", ",d"),
    "n_good": ("Good", ",d"),
    "mjd_first": ("First [MJD]", ".4f"),
    "mjd_last": ("Last [MJD]", ".4f"),
    "cadence": ("Cadence [d]", ".4g"),
    "mag_median": ("Median [mag]", ".3f"),
    "snr_median": ("Median S/N", ".1f"),
}
CLOSE_UP = (
    "Close-up of the selected detection: rings mark its epochs, shading its time span. The line is the median of its "
    "lightcurve, and the band around it the noise of the epoch at the peak. The dashed line, if any, is the smallest "
    "peak that would be a detection, and the curve is the template."
)
# Links to other services at a position; nothing is loaded until a link is followed.
ELSEWHERE = {
    "Legacy Surveys viewer": "https://www.legacysurvey.org/viewer?ra={ra}&dec={dec}&layer=ls-dr10&zoom=16&mark={ra},{dec}",
    "Pan-STARRS1 cutouts": "https://ps1images.stsci.edu/cgi-bin/ps1cutouts?pos={ra}+{dec}&filter=color",
    "Aladin Lite (DSS2)": "https://aladin.cds.unistra.fr/AladinLite/?target={ra}+{dec}&fov=0.05&survey=P/DSS2/color",
    "SIMBAD": "https://simbad.cds.unistra.fr/simbad/sim-coo?Coord={ra}+{dec}&CooFrame=ICRS&Radius=10&Radius.unit=arcsec",
    "VizieR": "https://vizier.cds.unistra.fr/viz-bin/VizieR-4?-c={ra}+{dec}&-c.rs=5",
    "Transient Name Server": "https://www.wis-tns.org/search?ra={ra}&decl={dec}&radius=10&coords_unit=arcsec",
}


def make_vetting_page(source, *, project, before=None, after=None, periods=None):
    """Make the page of a source.

    Parameters
    ----------
    source : vo_lib.pages.source_products.SourceProducts
        The source.
    project : str
        Folder of the project.
    before, after : tuple of str, optional
        Name and relative URL of the previous and the next page.
    periods : dict, optional
        See `vo_lib.pages.vetting_data.periodogram`; without it no periodogram is drawn.

    Returns
    -------
    str
        HTML.
    """
    data = page_data(source, project=project, periods=periods)
    sections = [
        section("Detections", *_detections(source), identifier="detections"),
        section("Lightcurves", *_charts(source), identifier="lightcurves"),
        section("Periods", *_periods(source, data), identifier="periods"),
        section("Catalog and properties", *_values(source), identifier="properties"),
        section("Elsewhere", _elsewhere(source.catalog), identifier="elsewhere"),
        section("Provenance", *_provenance(source, project), identifier="provenance"),
        section("Keys", *keys_content(), identifier="keys-list"),
    ]
    return page(
        f"{source.name}: {project}",
        header=_header(source, project, before, after),
        content=[*sections, verdict_bar()],
        footer=element("p", f"Made by vo_lib {__version__}. Charts: uPlot, MIT licence.", class_="soft"),
        style="".join(map(read_static, STYLES)),
        programs=[read_static(name) for name in PROGRAMS],
        data=data,
    )


def _header(source, project, before, after):
    """Name and position of the source, and links to other pages."""
    row, found = source.catalog, source.properties
    place = f"RA {row['ra']:.6f}°, Dec {row['dec']:+.6f}° (ICRS), bin {source.bin}"
    counts = ", ".join(count_text(found.get(f"n_{noun}s", 0), noun) for noun in ("epoch", "detection"))
    links = [
        _link(before, "prev", "← Previous"),
        _link(after, "next", "Next →"),
        element("a", f"Report of {project}", href="../../report.html"),
        *(element("a", name, href=f"#{name.lower()}") for name in ("Detections", "Lightcurves", "Periods")),
    ]
    items = (element("li", link) for link in links if link)
    return [
        element("h1", source.name),
        element("p", f"{place}; {counts}; {found.get('interest', '')}", class_="soft"),
        element("nav", element("ul", *items, class_="pager"), aria_label="Pages"),
    ]


def _link(other, rel, text):
    """Link to the page of another source."""
    return element("a", f"{text}: {other[0]}", href=other[1], rel=rel) if other else None


def _detections(source):
    """Table of the detections, each with a button that selects it, and table of all their values."""
    rows = table_rows(source.detections)
    columns = {"Show": "", "Survey": "", "Filter": "", "Change": "", "Mark": "", "Peak (UTC)": ""}
    columns |= dict(DETECTIONS.values())
    cells = [_detection(number, row) for number, row in enumerate(rows)]
    blank = [None if form else "" for _, form in DETECTIONS.values()]
    whole = [_button(len(rows), "whole"), "all", "all", "", _mark(len(rows)), "", *blank]
    if not rows:
        yield notice("No detections in the lightcurves of this source.")
    yield table(columns, [*cells, whole], caption="Real detections in time order, and the source as a whole")
    if rows:
        values = [
            (name, unit, *(_text(row[name]) for row in rows), meaning)
            for name, (_, unit, meaning) in DETECTION_COLUMNS.items()
        ]
        names = {"Column": "", "Unit": ""} | {str(number + 1): "" for number in range(len(rows))} | {"Meaning": "long"}
        whole = table(names, values, caption="All values of the detections")
        yield element("details", element("summary", "All values of the detections"), whole)


def _detection(number, row):
    """Row of a detection."""
    change = "brighter" if row["sign"] > 0 else "fainter"
    names = [_button(number, str(number + 1)), row["obs"], row["filter"], change, _mark(number)]
    return [*names, date_text(row["peak_mjd"]), *(row[name] for name in DETECTIONS)]


def _button(number, text):
    """Button that selects a detection, or the source as a whole."""
    return element("button", text, type="button", data_item=str(number), aria_pressed="false")


def _mark(number):
    """Placeholder for the mark of a detection."""
    return element("span", "–", data_mark=str(number))


def _charts(source):
    """Controls and containers of the charts, and tables of the lightcurves and downloads."""
    if not source.lightcurves:
        yield notice(
            "All epochs of this source were left out of the lightcurves; see below."
            if any(row["left_out"] for row in source.downloads)
            else "No survey of the project has epochs of this source."
        )
        yield _downloads(source)
        return
    yield chart_controls()
    yield _chart("chart", "All lightcurves. Drag to zoom, shift-drag to pan, double-click to show all epochs.")
    if len(source.detections["source"]):
        yield element("h3", "Close-up of the selected detection")
        yield _chart("closeup", CLOSE_UP)
        yield element("output", class_="readout", id="closeup-readout")
        yield element("p", CLOSE_UP, class_="soft")
    yield element("output", class_="readout", id="readout")
    names = [("obs", "Survey"), ("filter", "Filter"), ("series", "Series")]
    columns = dict.fromkeys((title for _, title in names), "") | dict(LIGHTCURVES.values()) | {"Key": ""}
    fields = [name for name, _ in names] + [*LIGHTCURVES, "key"]
    rows = [[lightcurve.row.get(name) for name in fields] for lightcurve in source.lightcurves]
    yield table(columns, rows, caption="Lightcurves of this source, with statistics of all epochs")
    yield _downloads(source)


def _chart(name, text):
    """Container of a chart, with a text for those who do not see it."""
    return element("div", id=name, class_="chart", role="img", aria_label=text)


def _downloads(source):
    """Table of the outcomes of downloads, with the number of rows that are in no lightcurve, by reason."""
    rows = []
    for row in source.downloads:
        left_out = ", ".join(f"{number:,} {reason}" for reason, number in row["left_out"].items())
        rows.append([row["obs"], row["status"], row["n_rows"], left_out or "–", row["reason"]])
    columns = {"Survey": "", "Outcome": "", "Rows": ",d", "Left out of the lightcurves": "long", "Reason": "long"}
    return table(columns, rows, caption="Downloads")


def _periods(source, data):
    """Container of the periodogram, and table of periods."""
    rows = table_rows(source.periods)
    if not rows:
        yield notice("No periods were searched; set periods.ranges in the configuration to enable the search.")
        return
    if found := data["periodogram"]:
        text = (
            f"Periodogram of {found['filter'] or 'all filters together'}, unflagged epochs; each point is the highest "
            "of several neighbours."
        )
        yield _chart("periodogram", text)
        yield element("output", class_="readout", id="period-readout")
        yield element("p", text, class_="soft")
    shown = ("obs", "filter", "status", "n_epochs", "best_period", "best_period_err", "power", "fap")
    shown += ("window_line", "alias", "alias_period", "bls_period", "bls_depth", "bls_snr", "bls_fap")
    columns = {f"{name} [{unit}]" if unit else name: "" for name in shown for unit in (PERIOD_COLUMNS[name][1],)}
    yield table(columns, [[_text(row[name]) for name in shown] for row in rows], caption="Periods by filter")


def _text(value):
    """Value as text, a dash if there is none."""
    if value is None or value != value:
        return "–"
    return f"{value:.8g}" if isinstance(value, float) else str(value)


def _values(source):
    """Tables of the catalog row and of the properties."""
    catalog = [(name, _text(value), UNITS.get(name, "")) for name, value in source.catalog.items()]
    yield table({"Column": "", "Value": "", "Unit": ""}, catalog, caption="Catalog row")
    rows = []
    for name, value in source.properties.items():
        _, unit, meaning = PROPERTY_COLUMNS.get(name, ("", "", ""))
        rows.append((name, _text(value), unit, meaning))
    names = {"Column": "", "Value": "", "Unit": "", "Meaning": "long"}
    yield table(names, rows, caption="Properties, from the unflagged epochs in the given filter")


def _elsewhere(row):
    """Links to other services."""
    place = {"ra": f"{row['ra']:.6f}", "dec": f"{row['dec']:+.6f}".replace("+", "%2B")}
    links = (
        element("li", element("a", name, href=address.format(**place), rel="noreferrer"))
        for name, address in ELSEWHERE.items()
    )
    return element("ul", *links)


def _provenance(source, project):
    """Table of the files that the page is made from, with their provenance, and how to read them."""
    rows = [
        (element("code", f"{project}/{row['file']}"), row["process"], element("code", row["provenance"]), row["code"])
        for row in source.made_by
    ]
    columns = {"File": "", "Process": "", "Provenance": "", "Code": ""}
    yield table(columns, rows, caption="Products used for this page (below the data root), and what made them")
    show = f"DataStore({source.name!r})"
    command = f"vo show {shlex.quote(source.name)}"
    yield element(
        "p", "The same data in Python: ", element("code", show), "; on the command line: ", element("code", command)
    )
