"""Results of a project, gathered from its products for the report page and its figures."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from vo_lib import hdf5, paths
from vo_lib.completeness import event_dmag
from vo_lib.counts.histogram_axes import HISTOGRAMS
from vo_lib.counts.histogram_files import read_histograms
from vo_lib.downloads.manifest import read_header, read_manifest
from vo_lib.errors import UserError
from vo_lib.rates import RATE_COLUMNS
from vo_lib.reduction.reduced import open_reduced
from vo_lib.search.events import best_first
from vo_lib.storage.seal import check_seal
from vo_lib.tables import concatenate_tables, read_csv, take_rows

__all__ = ["STATUSES", "Event", "Results", "best_events", "read_results", "recovery"]

STATUSES = ("ok", "empty", "failed")
# Tables of an analysis file with the results of the quality checks.
QUALITY_TABLES = ("series", "quality_bits", "flagged", "bad_data")
# Edges of the S/N ranges in which injections are counted.
SNR_EDGES = (0.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, np.inf)


@dataclass(frozen=True)
class Results:
    """Contents of the products of a project that its report page shows.

    Parameters
    ----------
    outcomes : list of dict
        A row per bin and observatory: ``bin``, ``obs``, numbers of sources ``ok``, ``empty`` and ``failed``,
        ``lightcurves``, numbers of epochs ``n_raw``, ``n_kept``, ``n_left_out`` and ``n_flagged``, ``detections``.
    left_out : Counter
        Number of epochs left out by (observatory, reason).
    flagged : Counter
        Number of flagged epochs by (observatory, meaning of the bit); an epoch can have several flags.
    bad_data : Counter
        Number of lightcurves that failed a check as a whole, by (observatory, reason without its numbers).
    failures : list of tuple
        Source, observatory, bin and reason of each failed download.
    properties, injections, signal_loss : dict of str to ndarray
        Tables of all bins, in the order of bins; properties with a column ``bin``, injections with ``dmag``, see
        `vo_lib.completeness.event_dmag`.
    histograms : dict of str to Histogram
        Merged histograms of the project by name.
    rates : dict of str to ndarray
        Table of rates.
    detections : dict of str to ndarray
        Real detections of all bins, best first, with a column ``bin``.
    """

    outcomes: list = field(default_factory=list)
    left_out: Counter = field(default_factory=Counter)
    flagged: Counter = field(default_factory=Counter)
    bad_data: Counter = field(default_factory=Counter)
    failures: list = field(default_factory=list)
    properties: dict = field(default_factory=dict)
    detections: dict = field(default_factory=dict)
    injections: dict = field(default_factory=dict)
    histograms: dict = field(default_factory=dict)
    rates: dict = field(default_factory=dict)
    signal_loss: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """A detection with its lightcurve, ready to be plotted.

    Parameters
    ----------
    detection : dict
        Row of the table of detections.
    columns : dict of str to ndarray, each of shape (n_epochs,)
        Lightcurve of the detection, with the scalars ``obs`` and ``filter``.
    flagged : ndarray of bool, shape (n_epochs,)
        Epochs that did not pass the quality checks.
    position : tuple of float
        Right ascension and declination of the source [degrees, ICRS].
    """

    detection: dict
    columns: dict
    flagged: np.ndarray
    position: tuple

    @property
    def value(self):
        """Column to plot: ``mag``, or ``flux`` if an epoch of the event has no magnitude."""
        event = slice(self.detection["first_epoch"], self.detection["last_epoch"] + 1)
        return "mag" if np.isfinite(self.columns["mag"][event]).all() else "flux"


def read_results(project, bins, observatories, *, provenance=None):
    """Read the tables of all bins of a project, without any lightcurves.

    Parameters
    ----------
    project : str
        Folder of the project, relative to the data root.
    bins, observatories : sequence of str
        Names of the bins and observatories.
    provenance : str, optional
        Identifier of the provenance that the analysis files and histograms must have.

    Returns
    -------
    Results

    Raises
    ------
    UserError
        If a product is missing or unreadable.
    """
    results = Results()
    parts = {"properties": [], "detections": [], "injections": [], "signal_loss": []}
    for name in bins:
        with hdf5.open_file(paths.analysis_file(project, name), provenance=provenance) as file:
            tables = {key: hdf5.read_table(file, key) for key in (*parts, *QUALITY_TABLES)}
        tables["detections"] = _real(tables["detections"], name)
        tables["injections"]["dmag"] = event_dmag(tables["injections"], tables["series"])
        tables["properties"]["bin"] = np.full(len(tables["properties"]["source"]), name)
        for key, part in parts.items():
            part.append(tables[key])
        for obs in observatories:
            _add_survey(results, project, name, obs, tables)
    for key, part in parts.items():
        getattr(results, key).update(concatenate_tables(part))
    results.detections.update(best_first(results.detections))
    for name in HISTOGRAMS:
        path = paths.histograms_file(project, name)
        results.histograms[name] = read_histograms(path, provenance=provenance)[name]
    results.rates.update(read_csv(paths.rates_file(project), RATE_COLUMNS))
    return results


def _real(detections, bin_name):
    """Detections that are not due to injected events, with a column for their bin."""
    real = detections["simulated"] == 0
    return take_rows(detections, real) | {"bin": np.full(real.sum(), bin_name)}


def _add_survey(results, project, bin_name, obs, tables):
    """Add the outcomes of the sources and epochs of one bin and survey."""
    manifest = paths.manifest_file(project, obs, bin_name)
    header = read_header(manifest)
    if header is None:
        raise UserError(f"{manifest}: no such manifest; run snakemake or Project.run to download this bin")
    with open_reduced(paths.reduced_file(project, obs, bin_name)) as file:
        sources, left_out = hdf5.read_table(file, "sources"), hdf5.read_table(file, "left_out")
    series = tables["series"]["obs"] == obs
    epochs = {name: int(sources[name].sum()) for name in ("n_raw", "n_kept", "n_left_out")}
    row = {"bin": bin_name, "obs": obs} | {status: header["counts"][status] for status in STATUSES} | epochs
    row["lightcurves"] = int(sources["n_lightcurves"].sum())
    row["n_flagged"] = int(tables["series"]["n_flagged"][series].sum())
    row["detections"] = int((tables["detections"]["obs"] == obs).sum())
    results.outcomes.append(row)
    for reason, count in zip(left_out["reason"].tolist(), left_out["n_epochs"].tolist(), strict=True):
        results.left_out[obs, reason] += count
    _count_flags(results, obs, series, tables)
    if row["failed"]:
        results.failures.extend(_failures(manifest, obs, bin_name))


def _count_flags(results, obs, series, tables):
    """Add the numbers of epochs of a survey with each bit, and of its lightcurves that failed each check."""
    flagged, bits = tables["flagged"], tables["quality_bits"]
    qflag = flagged["qflag"][series[flagged["series"]]]
    for bit, meaning in zip(bits["bit"].tolist(), bits["meaning"].tolist(), strict=True):
        results.flagged[obs, meaning] += int(np.count_nonzero(qflag & bit))
    for reason in tables["bad_data"]["reason"][tables["bad_data"]["obs"] == obs].tolist():
        results.bad_data[obs, reason.partition(":")[0]] += 1


def _failures(manifest, obs, bin_name):
    """Sources of a manifest whose download failed."""
    _, sources = read_manifest(manifest)
    rows = zip(*(sources[name].tolist() for name in ("name", "status", "reason")), strict=True)
    return [(name, obs, bin_name, reason) for name, status, reason in rows if status == "failed"]


def best_events(project, results, number):
    """Read the lightcurves of the best detections.

    Parameters
    ----------
    project : str
        Folder of the project, relative to the data root.
    results : Results
        See `read_results`.
    number : int
        Maximum number of events.

    Returns
    -------
    list of Event
        Best first.
    """
    count = min(number, len(results.detections.get("score", ())))
    rows = [{name: values[place].item() for name, values in results.detections.items()} for place in range(count)]
    return [_read_event(project, row, results.properties) for row in rows]


def _read_event(project, detection, properties):
    """Read the lightcurve of a detection and its flagged epochs."""
    obs, key = detection["obs"], detection["lightcurve"]
    path = paths.reduced_file(project, obs, detection["bin"])
    with open_reduced(path) as file:
        check_seal(path)
        columns = hdf5.read_table(file, key)
    with hdf5.open_file(paths.analysis_file(project, detection["bin"])) as file:
        series, flagged = (hdf5.read_table(file, name) for name in ("series", "flagged"))
    row = np.flatnonzero((series["lightcurve"] == key) & (series["obs"] == obs))[0]
    bad = np.zeros(len(columns["mjd"]), bool)
    bad[flagged["epoch"][flagged["series"] == row]] = True
    source = np.flatnonzero(properties["source"] == detection["source"])[0]
    position = (properties["ra"][source].item(), properties["dec"][source].item())
    labelled = columns | {"obs": np.array(obs), "filter": np.array(detection["filter"])}
    return Event(detection, labelled, bad, position)


def recovery(injections):
    """Count injected and recovered events by their expected S/N.

    Parameters
    ----------
    injections : dict of str to ndarray, each of shape (n_injections,)
        Columns ``expected_snr``, of either sign, and ``recovered``.

    Returns
    -------
    list of tuple
        Lower edge, upper edge, number injected and number recovered for each range of absolute S/N with injections; a
        range includes its lower edge. Injections without an expected S/N come last, with NaN for both edges.
    """
    if not injections:
        return []
    snr, found = np.abs(injections["expected_snr"]), injections["recovered"] == 1
    ranges = [(low, high, (snr >= low) & (snr < high)) for low, high in pairwise(SNR_EDGES)]
    ranges.append((np.nan, np.nan, ~np.isfinite(snr)))
    return [(low, high, int(mask.sum()), int((mask & found).sum())) for low, high, mask in ranges if mask.any()]
