"""The analysis of a bin: quality, detections, injections, properties and histograms."""

from dataclasses import replace
from typing import ClassVar

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.bin_result import TABLES, BinResult
from vo_lib.checks.series_table import series_table
from vo_lib.contracts import call
from vo_lib.counts.epoch_counts import count_coverage, count_scores
from vo_lib.counts.histogram_axes import make_histograms
from vo_lib.event_simulator import check_injection
from vo_lib.injection.efficiency import count_injections
from vo_lib.injection.light import seen_snr
from vo_lib.injection.recovery import overlapping, recover
from vo_lib.labels import match_names
from vo_lib.measures.own_columns import check_columns, measure_sources
from vo_lib.periods.periodic import search_periods
from vo_lib.profiles import PROFILES
from vo_lib.properties import summarise
from vo_lib.quality import QUALITY_BITS, flagged_epochs
from vo_lib.quality_checker import check_assessment
from vo_lib.search.detrend import detrend, signal_loss
from vo_lib.search.events import merge_detections
from vo_lib.segments import range_rows, segment_max, starts_from_counts
from vo_lib.stages import make_stage
from vo_lib.tables import take_rows

__all__ = ["Analysis"]

# Proper motions of the sources [mas/yr], in the table of a batch only while it is analysed.
_MOTION = ("pmra", "pmdec")


class Analysis:
    """Analysis of all lightcurves of a bin; a subclass overrides `per_source` or `analyze_photometry`.

    Parameters
    ----------
    quality, finder, simulator : dict, optional
        Options of `vo_lib.quality_checker.QualityChecker`, `vo_lib.finder.Finder` and
        `vo_lib.event_simulator.Simulator`, or of the classes named by their keys ``class``. Flagged epochs that are
        removed are still counted, but they are not searched and not in statistics and histograms.
    periods, properties : dict, optional
        Keyword arguments of `vo_lib.periods.periodic.search_periods` and `vo_lib.properties.summarise`.
    histograms : dict, optional
        Keyword arguments of `vo_lib.counts.histogram_axes.make_histograms`; the labels default to those of the batch.
    detrend : dict, optional
        Keyword arguments of `vo_lib.search.detrend.detrend`, applied before the search; no detrending by default.
    seed : int, optional
        Seed of the project.

    Attributes
    ----------
    columns : dict of str to tuple
        Type (``f8``, ``i8`` or ``U1``), unit and meaning of each value that `per_source` returns. A class attribute,
        since the columns must be known before a run.
    """

    columns: ClassVar[dict] = {}

    def __init__(
        self,
        *,
        quality=None,
        finder=None,
        simulator=None,
        periods=None,
        properties=None,
        histograms=None,
        detrend=None,
        seed=0,
    ):
        self.periods, self.properties, self.histograms = periods or {}, properties or {}, histograms or {}
        self.seed, self.detrend = seed, detrend or {"method": None}
        self._flat(LightcurveBatch.empty(), np.zeros(0, np.int64))
        self.quality, self.finder = make_stage("quality", quality), make_stage("finder", finder)
        self.simulator = make_stage("simulator", simulator)

    def __init_subclass__(cls):
        """Refuse columns that the properties cannot have, and a `per_source` without columns."""
        super().__init_subclass__()
        check_columns(cls.columns)
        if cls.per_source is not Analysis.per_source and not cls.columns:
            raise ValueError("per_source needs columns, which name what it returns: {name: (type, unit, meaning)}")

    def analyze_photometry(self, sources, batch):
        """Analyse the lightcurves of a bin or, in a large bin, of a block of its sources (`vo_lib.reduction.blocks`).

        Parameters
        ----------
        sources : dict of str to ndarray, each of shape (n_sources,)
            name, ra, dec [degrees] and mag (NaN if unknown) of every source of the bin; pmra and pmdec
            [mas/yr] where known.
        batch : LightcurveBatch
            Their lightcurves from all observatories; not changed.

        Returns
        -------
        BinResult
            Simulated detections follow the real ones; only those near their injected event are listed.
            Every source has one row of properties, even without data.
        """
        batch = _with_motion(batch, sources)
        assessment = self._assess(batch)
        qflag = assessment.qflag
        flat = self._flat(batch, qflag)
        real = self._search(flat, assessment)
        real.detections["event"], events = merge_detections(real.detections, gap_days=self.finder.event_gap_days)
        simulated, found, recovery = self._recover((batch, flat), assessment, real)
        extra = measure_sources(self, sources, batch.with_columns(qflag=qflag, snr=real.snr))
        periods = search_periods(batch, qflag == 0, seed=self.seed, **self.periods)
        summary = summarise(sources, batch, qflag, real, periods=periods, own=extra, **self.properties)
        tables = {
            "detections": _all_detections(real, found, recovery["injections"]),
            "events": events,
            "injections": recovery["injections"],
            "properties": summary.properties | extra,
            "filters": summary.filters,
            "periods": periods,
            "series": series_table(batch, qflag, real, summary.series),
            "quality_bits": self.quality.bit_table(assessment),
            "flagged": flagged_epochs(qflag, batch.starts),
            "bad_data": assessment.bad_data,
            "signal_loss": recovery["signal_loss"],
        }
        counted = _count(sources, batch, assessment, real, tables["injections"], _labels(batch) | self.histograms)
        return BinResult(
            tables,
            list(counted.values()),
            TABLES | {"properties": summary.columns | self.columns},
            processed=_searched(flat, qflag, real),
            simulated=simulated,
        )

    def per_source(self, source, lightcurves):
        """Measure additional properties of a source: override this, and describe the values in `columns`.

        Parameters
        ----------
        source : dict
            Its row of the catalog.
        lightcurves : list of pandas.DataFrame
            Its lightcurves, see `vo_lib.reduction.frames.lightcurve_frames`, with the columns ``qflag`` and ``snr``;
            empty for a source without data.

        Returns
        -------
        dict
            A value for each of `columns`, which become columns of the properties.
        """
        raise NotImplementedError(f"{type(self).__name__} has columns, so it must override per_source()")

    def _assess(self, batch, inherited=None):
        """Run the quality checks."""
        return check_assessment(self.quality, batch, call(self.quality, "assess", batch, inherited=inherited))

    def _recover(self, searched, assessment, real):
        """Inject events and search for them: return the copies as searched, the finding and the tables.

        `searched` is the batch with and without trends.
        """
        batch, flat = searched
        answer = call(self.simulator, "inject", batch, assessment.qflag, seed=self.seed, real=real)
        injected, truth = check_injection(self.simulator, batch, answer)
        again = self._judge_again(injected, assessment, batch)
        good, copies = again.qflag == 0, self._flat(injected, again.qflag)
        found, seen = self._search(copies, again), seen_snr(injected, truth["amplitude"], good)
        tables = {
            "injections": recover(truth, injected.table["original"], real=real, found=found, seen=seen),
            "signal_loss": signal_loss((batch, injected), (flat, copies), good, truth),
        }
        return _searched(copies, again.qflag, found), found, tables

    def _judge_again(self, injected, assessment, batch):
        """Assess copies with injected events anew or, at the level ``processed``, as their originals."""
        inherited = assessment.take(batch.epochs_of(injected.table["original"])[0])
        return inherited if self.simulator.level == "processed" else self._assess(injected, inherited)

    def _flat(self, batch, qflag):
        """Return the lightcurves detrended as configured."""
        return detrend(batch, qflag == 0, **self.detrend)

    def _search(self, batch, assessment):
        """Search the kept epochs; the others have NaN as S/N and noise, but epoch numbers of detections count them."""
        # Detrending may leave no flux in epochs near an edge.
        lost = np.isnan(batch.columns["flux"])
        qflag = assessment.qflag | np.where(lost, QUALITY_BITS["bad_value"], 0)
        finding = _search(self.finder, batch, qflag, assessment.kept)
        finding.detections["offset"] = _greatest(batch, finding, assessment.distance)
        return finding


def _labels(batch):
    """Return default labels of the axes; histograms add up only with those of batches that have the same labels."""
    names = {"filters": batch.table["filter"], "surveys": batch.table["obs"]}
    return {key: np.unique(labels).tolist() or ["none"] for key, labels in names.items()} | {"kinds": list(PROFILES)}


def _count(sources, batch, assessment, finding, injections, options):
    """Fill the histograms."""
    histograms = make_histograms(**options)
    mag, kept = sources["mag"][match_names(sources["name"], batch.table["source"])], assessment.kept
    left = batch if kept.all() else batch.keep(kept)
    measured = (values[kept] for values in (assessment.qflag, assessment.distance, finding.snr))
    count_scores(histograms, left, mag, *measured)
    count_coverage(histograms, batch, mag, assessment.qflag)
    count_injections(histograms, injections, sources["mag"][match_names(sources["name"], injections["source"])])
    return histograms


def _with_motion(batch, sources):
    """Add the proper motions of the sources to the table of a batch [mas/yr], NaN if unknown."""
    owner = match_names(sources["name"], batch.table["source"])
    unknown = np.full(len(sources["name"]), np.nan)
    motion = {name: sources.get(name, unknown)[owner] for name in _MOTION}
    return replace(batch, table=batch.table | motion)


def _searched(batch, qflag, finding):
    """Return the lightcurves as searched, with quality flags and S/N and without proper motions."""
    table = {name: values for name, values in batch.table.items() if name not in _MOTION}
    return replace(batch.with_columns(qflag=qflag, snr=finding.snr), table=table)


def _search(finder, batch, qflag, kept):
    """Search the kept epochs, and number the epochs of detections as in the whole lightcurves."""
    if kept.all():
        return finder.find(batch, qflag)
    left = batch.keep(kept)
    finding = finder.find(left, qflag[kept])
    rows, where, table = np.flatnonzero(kept), finding.lightcurve, finding.detections
    whole = {
        name: rows[left.starts[where] + table[name]] - batch.starts[where]
        for name in ("first_epoch", "last_epoch", "peak_epoch")
    }
    begin, end = (whole[name] - table[name] for name in ("first_epoch", "last_epoch"))
    whole["n_flagged"] = table["n_flagged"] + end - begin
    values = {name: np.full(batch.n_epochs, np.nan) for name in ("snr", "dmag", "noise")}
    for name, column in values.items():
        column[kept] = getattr(finding, name)
    return replace(finding, detections=table | whole, **values)


def _greatest(batch, finding, values):
    """Return the greatest value between the first and last epoch of each detection, NaN if there is none."""
    first, last = (finding.detections[name] for name in ("first_epoch", "last_epoch"))
    starts = starts_from_counts(last - first + 1)
    rows = range_rows(batch.starts[finding.lightcurve] + first, starts)
    return segment_max(values[rows], starts)


def _all_detections(real, found, truth):
    """Return the real detections followed by those near an injected event, marked as simulated."""
    rows = np.flatnonzero(overlapping(truth, found))
    simulated = take_rows(found.detections, rows)
    simulated["simulated"] = np.ones(len(rows), np.int64)
    simulated["injection"] = truth["injection"][found.lightcurve[rows]]
    return {name: np.concatenate([values, simulated[name]]) for name, values in real.detections.items()}
