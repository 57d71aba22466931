"""Tables of detections and sources, which are too long for the report itself, as a script beside it."""

import json

import numpy as np

from vo_lib.pages.page import date_text
from vo_lib.pages.vetting import address_from, rank_sources
from vo_lib.pages.vetting_data import detection_key
from vo_lib.tables import table_rows

__all__ = ["detection_tables", "make_tables"]

# Title, decimals (None for integers and texts) and meaning of each column.
DETECTIONS = {
    "source": ("Source", None, "name in the catalog"),
    "interest": ("Interest", None, "interesting or boring by properties.interesting; null without good epochs"),
    "obs": ("Survey", None, "survey"),
    "filter": ("Filter", None, "filter"),
    "change": ("Change", None, "whether the source became brighter or fainter"),
    "snr": ("S/N", 1, "signed S/N of the epoch at the peak"),
    "score": ("Score", 1, "value that is compared with the threshold"),
    "peak_mjd": ("Peak [MJD]", 5, "time of the peak, UTC"),
    "date": ("Peak (date)", None, "time of the peak, UTC"),
    "duration": ("Duration [d]", 4, "from the first to the last exposure"),
    "n_epochs": ("Epochs", None, "number of epochs of the detection"),
    "peak_mag": ("Peak [mag]", 3, "magnitude at the peak, AB"),
    "dmag": ("Change [mag]", 3, "magnitude at the peak minus the median"),
    "method": ("Method", None, "search method"),
}
SOURCES = {
    "source": ("Source", None, "name in the catalog"),
    "interest": ("Interest", None, "interesting or boring by properties.interesting; null without good epochs"),
    "ra": ("RA [deg]", 5, "right ascension in the catalog, ICRS"),
    "dec": ("Dec [deg]", 5, "declination in the catalog, ICRS"),
    "mag": ("Catalog [mag]", 2, "magnitude in the catalog"),
    "n_lightcurves": ("Lightcurves", None, "number of lightcurves in all surveys"),
    "n_epochs": ("Epochs", None, "number of epochs in all lightcurves"),
    "n_good": ("Good", None, "number of unflagged epochs"),
    "n_detections": ("Detections", None, "number of real detections"),
    "best_snr": ("Best S/N", 1, "largest |S/N| of an unflagged epoch"),
    "filter": ("Statistics in", None, "filter of the statistics in the following columns"),
    "mag_median": ("Median [mag]", 3, "magnitude of the median flux in that filter"),
    "chi2_reduced": ("χ²/dof", 2, "for a constant flux in that filter"),
    "best_period": ("Period [d]", 6, "period of the best sinusoid"),
    "best_period_fap": ("log FAP", 1, "logarithm of the false-alarm probability of the period"),
}
SIGNED = ("dec", "snr", "dmag")


def make_tables(results, *, project, max_pages):
    """Make the script that contains the tables of a report as data.

    Parameters
    ----------
    results : vo_lib.results.Results
        Tables of the project; columns that they lack are left out.
    project : str
        Folder of the project.
    max_pages : int
        Maximum number of sources with pages, see `vo_lib.pages.vetting.write_pages`.

    Returns
    -------
    str
        JavaScript that assigns JSON to ``window.voReport``.
    """
    properties = results.properties
    bins = dict(zip(properties["source"].tolist(), properties["bin"].tolist(), strict=True))
    shown = rank_sources(properties, results.detections)[:max_pages]
    value = {
        "project": project,
        "pages": {name: address_from("pages/", bins[name], name) for name in shown},
        "tables": detection_tables(results.detections, properties),
    }
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return f"window.voReport={text};\n"


def detection_tables(detections, properties):
    """Make the tables of detections and of sources.

    Parameters
    ----------
    detections, properties : dict of str to ndarray
        Real detections of all bins, best first, and the table of properties with ``interest``.

    Returns
    -------
    dict
        ``detections`` and ``sources``, each a dict with ``caption``, the number of ``rows``, ``columns``, the index
        ``source`` of the column with names, and ``choice``, the name of the column by which a user can select rows;
        ``detections`` also has ``keys``, which name the marks of its rows.
    """
    places = {name: row for row, name in enumerate(properties["source"].tolist())}
    rows = np.array([places[name] for name in detections["source"].tolist()], dtype=np.int64)
    found = detections | {
        "interest": properties["interest"][rows],
        "change": np.where(detections["sign"] > 0, "brighter", "fainter"),
        "date": np.array([date_text(mjd) for mjd in detections["peak_mjd"].tolist()], dtype=str),
    }
    keys = list(map(detection_key, table_rows({name: found[name] for name in ("obs", "filter", "series", "peak_mjd")})))
    sources = dict(properties)
    if "best_period_fap" in sources:
        with np.errstate(divide="ignore"):
            sources["best_period_fap"] = np.log10(sources["best_period_fap"])
    return {
        "detections": _table(found, DETECTIONS, f"Real detections, best first: {len(rows):,}") | {"keys": keys},
        "sources": _table(sources, SOURCES, f"Sources: {len(places):,}"),
    }


def _table(table, columns, caption):
    """Table with its columns, without those of numbers that have no value at all."""
    made = []
    for name, (title, digits, meaning) in columns.items():
        if name in table:
            head = {"name": name, "title": title, "digits": digits, "help": meaning, "signed": name in SIGNED}
            made.append(head | _column(table[name], digits))
    kept = [column for column in made if "words" in column or any(value is not None for value in column["values"])]
    return {"caption": caption, "rows": len(table["source"]), "columns": kept, "source": 0, "choice": "interest"}


def _column(values, digits):
    """Values of a column: numbers, None where not finite, or texts as indices into a sorted list of words."""
    if values.dtype.kind == "U":
        words, codes = np.unique(values, return_inverse=True)
        return {"words": words.tolist(), "codes": codes.tolist()}
    if values.dtype.kind != "f":
        return {"values": values.tolist()}
    rounded = np.round(values, digits).tolist()
    return {"values": [value if np.isfinite(value) else None for value in rounded]}
