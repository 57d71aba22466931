"""Section of a report on the outcomes of sources and epochs: downloaded, left out, flagged."""

from vo_lib.pages.page import LONGEST_TABLE, cut_caption, element, notice, table
from vo_lib.results import STATUSES

__all__ = ["LEFT_OUT", "outcomes_content"]

MOST_BINS_OPEN = 30
# Numbers of a survey or bin, with their titles.
TOTALS = {
    "lightcurves": "Lightcurves",
    "n_raw": "Epochs received",
    "n_left_out": "Epochs left out",
    "n_kept": "Epochs kept",
    "n_flagged": "Epochs flagged",
    "detections": "Detections",
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


def outcomes_content(results, *, observatories, bins):
    """Make the section on the outcomes of sources and epochs: by survey, by reason and by bin."""
    by_survey = [_sum(results.outcomes, obs) for obs in observatories]
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
    by_bin = table(columns, rows, caption="By bin of right ascension and survey")
    yield element(
        "details",
        element("summary", "Outcomes by bin"),
        by_bin,
        open="" if len(bins) <= MOST_BINS_OPEN else None,
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
        caption=cut_caption("Sources that could not be downloaded", len(failures)),
    )
