"""Section of a report on the best detections."""

import numpy as np

from vo_lib.pages.page import LONGEST_TABLE, cut_caption, date_text, element, figure, notice, table
from vo_lib.tables import table_rows, take_rows
from vo_lib.text import count_text

__all__ = ["detections_content"]

# Title and format of the columns of the table of detections.
COLUMNS = {
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


def detections_content(results, events, pictures, *, finder):
    """Make the section on detections: figures of the best ones, and their table."""
    found = results.detections
    number = len(found.get("score", ()))
    if not number:
        yield notice(f"No detections by {_methods(finder)}.")
        return
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
        rows.append([row[name] for name in COLUMNS])
    caption = cut_caption("Detections, best first", len(found["score"]))
    return table(dict(COLUMNS.values()), rows, caption=caption)


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
