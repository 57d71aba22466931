"""Sections of a report on what the search could find: efficiency, coverage and rates."""

from collections import Counter
from itertools import product
from math import isfinite

import numpy as np

from vo_lib.completeness import DMAG_EDGES, WIDTH_EDGES, completeness
from vo_lib.counts.histogram_axes import MILLISECONDS_PER_HOUR
from vo_lib.injection.efficiency import efficiency_limits, project, wilson_interval
from vo_lib.pages.page import element, figure, notice, table
from vo_lib.results import recovery
from vo_lib.search.detrend import loss_by_width
from vo_lib.tables import table_rows
from vo_lib.text import count_text

__all__ = ["coverage_content", "injections_content", "rates_content"]

# Meaning of each reason in the table of injections.
REASONS = {
    "merged": "found, but merged with a real detection",
    "wrong sign": "found, but only with the wrong sign",
    "flagged": "the epochs that cover it best were flagged",
    "not seen": "not covered by any good epoch",
    "below threshold": "too weak at the epochs that cover it",
}


def injections_content(results, pictures):
    """Make the section on injected events: how many were recovered, from which S/N on, and why others were not."""
    rows = recovery(results.injections)
    if not rows:
        yield notice("No events were injected, so it is unknown what the search would miss.")
        return
    yield element(
        "p",
        "Simulated events were added to copies of the lightcurves, which were then searched in the same way. They peak "
        "at any time when a good epoch could cover them, so often between epochs. Their expected signal-to-noise ratio "
        "is the added flux at the peak divided by the median noise.",
    )
    caption = "Recovered fraction of the injected events by signal-to-noise ratio and width. Dashed: 50 and 90 %."
    alt = "Recovered fraction of the injected events, rising with their signal-to-noise ratio."
    yield element("div", figure(pictures["efficiency"], alt=alt, caption=caption), class_="pictures")
    yield table(
        {"Expected S/N": "", "Injected": ",d", "Recovered": ",d", "Fraction": ".1%", "68 % interval": ""},
        [
            (_range(low, high), injected, found, found / injected, _interval(found, injected))
            for low, high, injected, found in rows
        ],
        caption="Injected and recovered events, with binomial intervals (Wilson 1927)",
    )
    yield _limits(results.histograms["injected"], results.histograms["recovered"])
    yield _amplitudes(results.injections)
    yield _reasons(results.injections["reason"])
    yield from _losses(results.signal_loss)


def _range(low, high):
    """Range of numbers as text."""
    if low != low:
        return "unknown"
    return f"{low:g} to {high:g}" if isfinite(high) else f"{low:g} or more"


def _interval(successes, trials):
    """Confidence interval of a probability as text."""
    low, high = wilson_interval(successes, trials)
    return f"{low:.1%} to {high:.1%}"


def _limits(injected, recovered):
    """Table of the S/N from which on 50 % and 90 % of the events of each kind and filter are recovered."""
    axes = {axis.name: axis for axis in injected.axes}
    counts = [project(histogram, "kind", "filter", "expected_snr")[..., 1:-2] for histogram in (injected, recovered)]
    rows = []
    for kind, band in product(range(axes["kind"].size - 1), range(axes["filter"].size - 1)):
        number = int(counts[0][kind, band].sum())
        if number:
            limits = efficiency_limits(axes["expected_snr"].edges, *(part[kind, band] for part in counts))
            names = axes["kind"].labels[kind], axes["filter"].labels[band]
            rows.append([*names, number, *map(_limit, limits)])
    return table(
        {"Event": "", "Filter": "", "Injected": ",d", "50 % from S/N": "", "90 % from S/N": ""},
        rows,
        caption="Expected S/N above which 50 % and 90 % of the events are recovered, with 68 % intervals; 'all' where "
        "even the weakest events reach that fraction, – where none do",
    )


def _limit(limit):
    """Limit and its interval as text; None if there is no limit."""
    value, low, high = limit
    if not isfinite(value):
        return None
    ends = (f"{end:.1f}" if end > 0 else "?" for end in (low, high))
    return f"{value:.1f} ({' to '.join(ends)})" if value else "all"


def _amplitudes(injections):
    """Table of the recovered fraction of the events by amplitude [mag] and width [days]."""
    values = {"dmag": np.abs(injections["dmag"]), "width": injections["width"]}
    cells = completeness(injections["recovered"], values, {"dmag": DMAG_EDGES, "width": WIDTH_EDGES})
    rows = [
        (_range(*dmag), _range(*width), injected, found, part, _interval(found, injected))
        for dmag, width, injected, found, part, *_ in zip(*cells.values(), strict=True)
    ]
    caption = "Injected and recovered events by change of magnitude at the peak and by width"
    if unknown := int(np.isnan(values["dmag"]).sum()):
        caption += f"; excludes {count_text(unknown, 'event')} in lightcurves whose median flux is not positive"
    return table(
        {
            "Amplitude [mag]": "",
            "Width [days]": "",
            "Injected": ",d",
            "Recovered": ",d",
            "Fraction": ".1%",
            "68 % interval": "",
        },
        rows,
        caption=caption,
    )


def _reasons(reasons):
    """Table of the reasons why events were not recovered."""
    counts = Counter(reasons.tolist())
    rows = [(name, text, counts[name], counts[name] / len(reasons)) for name, text in REASONS.items() if counts[name]]
    return table(
        {"Reason": "", "Meaning": "long", "Events": ",d", "Of all": ".1%"},
        rows,
        caption="Reasons why events were not recovered",
    )


def _losses(loss):
    """Table of the S/N that detrending left of injected events, by width; nothing without detrending."""
    if rows := loss_by_width(loss):
        yield table(
            {"Width [days]": "", "Injected": ",d", "Remaining S/N": ".1%"},
            [(_range(low, high), number, ratio) for low, high, number, ratio in rows],
            caption="Median S/N of injected events after detrending, relative to that before",
        )


def coverage_content(results, pictures):
    """Make the section on coverage: epochs and exposure time by survey, filter and quality."""
    epochs, time = (results.histograms[name] for name in ("coverage", "exposure_time"))
    if not epochs.total():
        yield notice("There are no epochs.")
        return
    axes = {axis.name: axis for axis in epochs.axes}
    quality = axes["quality"].coordinates.tolist()
    counts, milliseconds = (project(histogram, "survey", "filter", "quality") for histogram in (epochs, time))
    shown = [place for place in range(1, len(quality)) if counts[..., place].any()]
    rows = []
    for survey, band in product(range(counts.shape[0]), range(counts.shape[1])):
        number = counts[survey, band].astype(int)
        if number.sum():
            names = axes["survey"].coordinates[survey], axes["filter"].coordinates[band]
            exposure = float(milliseconds[survey, band, 0]) / MILLISECONDS_PER_HOUR or None  # no exposure time is known
            good = [int(number[0]), number[0] / number.sum(), exposure]
            rows.append([*names, int(number.sum()), *good, *(int(number[place]) for place in shown)])
    columns = {"Survey": "", "Filter": "", "Epochs": ",d", "Good": ",d", "Fraction": ".1%"}
    columns |= {"Good exposure [h]": ",.1f"}
    caption = "Epochs by the catalog magnitude of their source."
    alt = "Histogram of good and flagged epochs by the catalog magnitude of their source."
    yield element("div", figure(pictures["coverage"], alt=alt, caption=caption), class_="pictures")
    yield table(
        columns | {quality[place].replace("_", " ").capitalize(): ",d" for place in shown},
        rows,
        caption="Epochs by survey, filter and quality; a flagged epoch is counted under the first of its reasons, and "
        "unknown exposure times are not counted",
    )


def rates_content(rates):
    """Make the section on rates of events, or their upper limits."""
    if not len(rates.get("rate", ())) or not np.isfinite(rates["rate"]).any():
        yield notice("Rates are unknown, because no injected event was recovered.")
        return
    yield element(
        "p",
        "Events per source and day, assuming that they are like the injected ones of that kind: detections of its "
        "sign, minus those expected from noise, divided by the time in which such an event would have been found "
        "(observable time times efficiency). Each rate attributes all detections of the sign to its kind. All numbers "
        "are in ",
        element("a", "rates.csv", href="rates.csv"),
        ".",
    )
    columns = {"Class": "", "Survey": "", "Filter": "", "Event": "", "Sources": ",d", "Observable [source d]": ",.0f"}
    columns |= {"Recovered": "", "Efficiency": ".1%", "Detections": ",d", "Other sign": ",d", "From noise": ""}
    columns |= {"Rate [1/d]": ".2e", "68 % interval": "", "95 % limit [1/d]": ".2e"}
    rows = map(_rate, table_rows(rates))
    caption = (
        "Event rates. The intervals include the errors of the counts, the efficiency and the number of detections from "
        "Gaussian noise. Noise that is symmetric but not Gaussian makes about as many detections of the other sign"
    )
    yield table(columns, rows, caption=caption)
    if "unknown" in rates["n_false_from"].tolist():
        yield notice(
            "The number of detections from noise is unknown for this search. None are subtracted, so rates may be too "
            "high, and their intervals start at 0. Measure that number and set rates.false_alarms."
        )


def _rate(row):
    """Row of a rate."""
    names = [row[name] for name in ("class", "obs", "filter", "kind", "n_sources", "source_days")]
    part = row["exposure_days"] / row["source_days"] if row["source_days"] else None
    interval = f"{row['rate_low']:.2e} to {row['rate_high']:.2e}" if isfinite(row["rate"]) else None
    recovered = f"{row['n_recovered']:,} of {row['n_injections']:,}"
    noise = f"{row['n_false']:.2g} ± {row['n_false_err']:.1g}" if isfinite(row["n_false"]) else "unknown"
    found = row["n_detections"], row["n_other_sign"]
    return [*names, recovered, part, *found, noise, row["rate"], interval, row["rate_upper"]]
