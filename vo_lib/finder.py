"""Search a bin for events with one or more methods, and make the table of detections."""

from dataclasses import dataclass

import numpy as np

from vo_lib.batch import LightcurveBatch
from vo_lib.contracts import call
from vo_lib.peak import METHOD as PEAK
from vo_lib.peak import levels, search_peaks
from vo_lib.photometry import mag_from_flux
from vo_lib.reduction.frames import lightcurve_frames
from vo_lib.search.candidates import DEFAULTS, complete, no_candidates, strongest
from vo_lib.search.contract import check_candidates, check_detections, check_rows
from vo_lib.search.matched_filter import METHOD as MATCHED_FILTER
from vo_lib.search.matched_filter import search_templates
from vo_lib.search.noise import MIN_EPOCHS, baseline, check_noise, signal_to_noise
from vo_lib.segments import (
    range_rows,
    rank_within,
    segment_count,
    segment_steps,
    segment_sum,
    spread,
    starts_from_counts,
)
from vo_lib.tables import concatenate_tables

__all__ = ["DETECTION_COLUMNS", "Finder", "Finding"]

DAY_S = 86400.0
# Columns of the table of detections: (type, unit, meaning).
DETECTION_COLUMNS = {
    "source": ("U1", "", "name in the catalog"),
    "obs": ("U1", "", "observatory"),
    "lightcurve": ("U1", "", "key of the lightcurve in the reduced file"),
    "filter": ("U1", "", "filter of the lightcurve"),
    "series": ("U1", "", "object or readout channel of the survey"),
    "number": ("i8", "", "number of the detection in its lightcurve, from 1 in order of time"),
    "method": ("U4", "", "how it was found"),
    "template": ("U1", "", "shape that fits best, epoch for a single one; empty without templates"),
    "simulated": ("i8", "", "1 where the lightcurve has an injected event"),
    "injection": ("i8", "", "number of the injection of the source, 0 if real"),
    "event": ("i8", "", "number of the source's event that it is part of, see the table events; 0 if simulated"),
    "sign": ("i8", "", "+1 brighter, -1 fainter than usual"),
    "snr": ("f8", "", "signed (flux - median) / noise of the epoch of the peak"),
    "score": ("f8", "", "what is compared with the threshold"),
    "threshold": ("f8", "", "least score of a detection"),
    "peak_mjd": ("f8", "d", "time of the peak (UTC, mid-exposure), of the template where there is one"),
    "start_mjd": ("f8", "d", "time of the first epoch"),
    "end_mjd": ("f8", "d", "time of the last epoch"),
    "duration": ("f8", "d", "from the beginning of the first to the end of the last exposure"),
    "width": ("f8", "d", "full width at half maximum of the template"),
    "amplitude": ("f8", "uJy", "flux of the peak less the median, of the template where there is one"),
    "amplitude_err": ("f8", "uJy", "its error"),
    "fluence": ("f8", "uJy d", "flux less the median, integrated over the unflagged epochs"),
    "first_epoch": ("i8", "", "row of the first epoch in the lightcurve, from 0"),
    "last_epoch": ("i8", "", "row of the last epoch, included"),
    "peak_epoch": ("i8", "", "row of the peak"),
    "n_epochs": ("i8", "", "epochs of the detection that were searched"),
    "n_flagged": ("i8", "", "flagged epochs from its first to its last epoch"),
    "offset": ("f8", "", "greatest offset of its epochs from the median position in units of the scatter"),
    "peak_mag": ("f8", "mag", "magnitude at the peak (AB)"),
    "dmag": ("f8", "mag", "magnitude at the peak minus the median, negative if brighter"),
}


@dataclass(frozen=True)
class Finding:
    """Result of a search in a batch.

    Parameters
    ----------
    snr, dmag, noise : ndarray of float, shape (n_epochs,)
        Signed (flux - median) / noise, magnitude minus median magnitude [mag], noise [uJy];
        also for flagged epochs, NaN where they cannot be computed.
    detections : dict of str to ndarray, each of shape (n_detections,)
        `DETECTION_COLUMNS`, ordered by lightcurve and time.
    lightcurve : ndarray of int64, shape (n_detections,)
        Row of the lightcurve in the batch for each detection.
    """

    snr: np.ndarray
    dmag: np.ndarray
    noise: np.ndarray
    detections: dict
    lightcurve: np.ndarray


class Finder:
    """Search for events; a subclass overrides `search` or `per_lightcurve` and inherits the rest.

    It may also override `make_detections`, which gets the table of all detections.

    Parameters
    ----------
    methods : sequence of str, optional
        Search methods out of ``Finder.METHODS``. Coincident detections of several methods become one, that with the
        greatest ratio of score to threshold.
    snr_threshold, sideband : float or pair of float, optional
        Options of the method peak, see `vo_lib.peak.levels`.
    max_gap_days, min_epochs : float, int, optional
        Options of the method peak, see `vo_lib.peak.search_peaks`.
    noise, noise_days : str, float, optional
        See `vo_lib.search.noise.signal_to_noise`.
    mask_flagged : bool, optional
        Whether to exclude flagged epochs from the search.
    max_detections : int, optional
        Maximum number of detections per lightcurve, of which the strongest are kept; 0 keeps all.
    event_gap_days : float, optional
        Greatest gap between detections of a source in different lightcurves that are one event [days].
    matched_filter : dict, optional
        Options of the method matched_filter, see `vo_lib.search.matched_filter.search_templates`.
    """

    METHODS = (PEAK, MATCHED_FILTER)

    def __init__(
        self,
        *,
        methods=(PEAK, MATCHED_FILTER),
        snr_threshold=5.0,
        sideband=None,
        max_gap_days=1.0,
        min_epochs=1,
        noise="greater",
        noise_days=30.0,
        mask_flagged=True,
        max_detections=0,
        event_gap_days=1.0,
        matched_filter=None,
    ):
        if unknown := sorted(set(methods) - set(self.METHODS)):
            raise ValueError(f"methods must be of {', '.join(self.METHODS)}, got {', '.join(unknown)}")
        levels(snr_threshold, sideband)
        check_noise(noise, noise_days)
        self.matched_filter = matched_filter or {}
        search_templates(LightcurveBatch.empty(), np.zeros(0, bool), *np.zeros((2, 0)), **self.matched_filter)
        self.methods, self.mask_flagged, self.max_detections = tuple(methods), mask_flagged, max_detections
        self.event_gap_days = event_gap_days
        self.noise = {"noise": noise, "noise_days": noise_days}
        self.peak = {
            "snr_threshold": snr_threshold,
            "sideband": sideband,
            "max_gap_days": max_gap_days,
            "min_epochs": min_epochs,
        }

    def find(self, batch, qflag):
        """Find the events of a batch.

        Parameters
        ----------
        batch : LightcurveBatch
            Lightcurves with the standard columns, in order of time; not changed.
        qflag : ndarray of int64, shape (n_epochs,)
            0 for good epochs, see `vo_lib.quality`.

        Returns
        -------
        Finding
            There are no detections in lightcurves with fewer than 3 unflagged epochs, or at epochs without noise.
        """
        good = np.asarray(qflag) == 0
        median, rms = baseline(batch, good)
        snr, noise = signal_to_noise(batch, good, median=median, rms=rms, **self.noise)
        # The magnitude of the median flux, since a median of magnitudes, which omits negative fluxes, is too bright.
        dmag = batch.columns["mag"] - spread(mag_from_flux(median, rms)[0], batch.starts)
        usable = segment_count(good, batch.starts) >= MIN_EPOCHS
        searched = (good if self.mask_flagged else np.isfinite(snr)) & spread(usable, batch.starts)
        found = check_candidates(self, batch, call(self, "search", batch, searched, snr, noise))
        found = strongest(found, max_detections=self.max_detections)
        excess = batch.columns["flux"] - spread(median, batch.starts)
        values = {"snr": snr, "dmag": dmag, "excess": excess, "noise": noise}
        table = _table(batch, good, searched, found, values)
        made = call(self, "make_detections", {name: values.copy() for name, values in table.items()})
        return Finding(snr, dmag, noise, check_detections(self, table, made), found["lightcurve"])

    def search(self, batch, searched, snr, noise):
        """Find candidates in a batch: override this for a method that searches a whole batch.

        Parameters
        ----------
        batch : LightcurveBatch
            Lightcurves.
        searched : ndarray of bool, shape (n_epochs,)
            Epochs to search.
        snr, noise : ndarray of float, shape (n_epochs,)
            Signed S/N, and the noise that it refers to [uJy].

        Returns
        -------
        dict of str to ndarray
            Candidates, see `vo_lib.search.candidates`.
        """
        if type(self).per_lightcurve is not Finder.per_lightcurve:
            return self._one_by_one(batch, searched, snr, noise)
        parts = [complete(getattr(self, f"_{name}")(batch, searched, snr, noise), name) for name in self.methods]
        return concatenate_tables([no_candidates(), *parts])

    def per_lightcurve(self, frame):
        """Find candidates in one lightcurve: override this for a method that searches one at a time.

        Parameters
        ----------
        frame : pandas.DataFrame
            The searched epochs of a lightcurve, with the standard columns, ``snr`` and ``noise``. Its
            index numbers the epochs of the lightcurve from 0, and ``attrs`` has the lightcurve's row of the table.

        Returns
        -------
        list of dict
            For each detection ``first_epoch``, ``last_epoch`` and ``peak_epoch``, which are labels of the frame's
            index; ``score`` and ``threshold``; and optionally ``sign`` (by default that of the S/N at the peak) and
            other columns of `vo_lib.search.candidates.CANDIDATE_COLUMNS`.
        """
        raise NotImplementedError(f"{type(self).__name__} must override search() or per_lightcurve()")

    def make_detections(self, table):
        """Change the table of detections: override this to set values yourself, such as another amplitude.

        Parameters
        ----------
        table : dict of str to ndarray, each of shape (n_detections,)
            A copy of `DETECTION_COLUMNS`. Whether a detection is simulated, its event and its offset are not known yet.

        Returns
        -------
        dict of str to ndarray, each of shape (n_detections,)
            The same columns and rows. Values may change, except those that identify the lightcurve and the epochs.
        """
        return table

    def _peak(self, batch, searched, snr, _):
        """Find candidates with the method peak."""
        return search_peaks(batch, searched, snr, **self.peak)

    def _matched_filter(self, batch, searched, snr, noise):
        """Find candidates with the method matched_filter."""
        return search_templates(batch, searched, snr, noise, **self.matched_filter)

    def _one_by_one(self, batch, searched, snr, noise):
        """Find candidates by calling `per_lightcurve` for each lightcurve."""
        rows = []
        for index, frame in lightcurve_frames(batch.with_columns(snr=snr, noise=noise), searched):
            answer = call(self, "per_lightcurve", frame, where=f"lightcurve {frame.attrs['key']}")
            rows += [_candidate(found, frame, index, batch.starts[index]) for found in check_rows(self, frame, answer)]
        if not rows:
            return no_candidates()
        names, default = dict.fromkeys(name for row in rows for name in row), DEFAULTS | {"method": type(self).__name__}
        table = {name: [row.get(name, default.get(name)) for row in rows] for name in names}
        return complete(table, default["method"])


def _candidate(found, frame, index, start):
    """Make a candidate from a detection returned by `per_lightcurve`."""
    first, last, peak = (found[f"{name}_epoch"] for name in ("first", "last", "peak"))
    rest = {name: value for name, value in found.items() if not name.endswith("_epoch")}
    sign = -1 if frame["snr"].get(peak, 1.0) < 0 else 1
    counted = {"n_epochs": int(frame.index.to_series().between(first, last).sum()), "sign": sign}
    return {"lightcurve": index, "first": start + first, "last": start + last, "peak": start + peak} | counted | rest


def _table(batch, good, searched, found, values):
    """Make the table of detections."""
    first, last, peak, where = (found[name] for name in ("first", "last", "peak", "lightcurve"))
    offset, mjd, fitted = batch.starts[where], batch.columns["mjd"], np.isfinite(found["amplitude"])
    exptime = np.nan_to_num(batch.columns["exptime"]) / DAY_S
    names = {
        name: batch.table["key" if name == "lightcurve" else name][where]
        for name in ("source", "obs", "lightcurve", "filter", "series")
    }
    zero = np.zeros(len(peak), np.int64)
    table = names | {name: found[name] for name in ("method", "template", "sign", "score", "threshold", "n_epochs")}
    table |= {
        "number": rank_within(where, first),
        "simulated": zero,
        "injection": zero,
        "event": zero,
        "snr": values["snr"][peak],
        "peak_mjd": np.where(np.isfinite(found["peak_time"]), found["peak_time"], mjd[peak]),
        "start_mjd": mjd[first],
        "end_mjd": mjd[last],
        "duration": mjd[last] - mjd[first] + (exptime[first] + exptime[last]) / 2,
        "width": found["width"],
        "amplitude": np.where(fitted, found["amplitude"], values["excess"][peak]),
        "amplitude_err": np.where(fitted, found["amplitude_err"], values["noise"][peak]),
        "first_epoch": first - offset,
        "last_epoch": last - offset,
        "peak_epoch": peak - offset,
        "offset": np.full(len(peak), np.nan),
        "peak_mag": batch.columns["mag"][peak],
        "dmag": values["dmag"][peak],
    }
    table |= _over_epochs(first, last, mjd=mjd, exptime=exptime, excess=values["excess"], good=good, searched=searched)
    return {name: table[name] for name in DETECTION_COLUMNS}


def _over_epochs(first, last, *, mjd, exptime, excess, good, searched):
    """Compute what is summed over the epochs of each detection: its fluence and its number of flagged epochs.

    The fluence is the trapezoidal integral over the searched epochs, plus half an exposure at either end.
    """
    starts = starts_from_counts(last - first + 1)
    rows = range_rows(first, starts)
    flagged = segment_sum(~good[rows], starts)
    used = searched[rows] & np.isfinite(excess[rows])
    rows, starts = rows[used], starts_from_counts(segment_sum(used, starts))
    flux, steps = excess[rows], segment_steps(mjd[rows], starts)
    before = flux - segment_steps(flux, starts) / 2
    ends = segment_sum(np.where(_is_end(starts), flux * exptime[rows], 0.0), starts) / 2
    single = np.diff(starts) == 1
    fluence = segment_sum(before * steps, starts) + np.where(single, 2 * ends, ends)
    return {"n_flagged": flagged, "fluence": fluence}


def _is_end(starts):
    """Return a mask of the first and the last value of each segment."""
    mask = np.zeros(starts[-1], bool)
    filled = starts[1:] > starts[:-1]
    mask[starts[:-1][filled]] = mask[starts[1:][filled] - 1] = True
    return mask
