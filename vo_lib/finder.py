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
from vo_lib.search.detections import detection_table
from vo_lib.search.matched_filter import METHOD as MATCHED_FILTER
from vo_lib.search.matched_filter import search_templates
from vo_lib.search.noise import MIN_EPOCHS, baseline, check_noise, signal_to_noise
from vo_lib.segments import segment_count, spread
from vo_lib.tables import concatenate_tables

__all__ = ["Finder", "Finding"]


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
        table = detection_table(batch, good, searched, found, values)
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
