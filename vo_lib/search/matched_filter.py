"""Search for events of known shapes and any width, with irregular sampling and gaps.

A template with a given peak time is fitted to a lightcurve by least squares, with a free amplitude and a constant
baseline. In Gaussian noise the amplitude over its error, the score, is a Gaussian of unit variance whatever the
sampling. Templates peak at the epochs; where several epochs are within a quarter of a template's width, they are
merged first, so that a template costs the same at any cadence. Single epochs are templates too.
"""

import numpy as np

from vo_lib.profiles import PROFILES
from vo_lib.search.candidates import complete, no_candidates
from vo_lib.search.false_alarms import TrialCounter, levels_of, thresholds
from vo_lib.search.template_bank import CELLS, CUT, make_kernels, make_widths
from vo_lib.search.template_cells import make_blocks
from vo_lib.search.template_choice import confirm, fitting
from vo_lib.search.template_fits import SINGLE
from vo_lib.search.template_overlaps import follow, make_tables
from vo_lib.search.template_parts import without_parts
from vo_lib.search.template_scan import compare, make_matrices
from vo_lib.tables import concatenate_tables, take_rows

__all__ = ["METHOD", "Bank", "search_templates"]

METHOD = "matched_filter"


def search_templates(
    batch,
    searched,
    snr,
    noise,
    *,
    shapes=("flare", "gaussian", "dip"),
    width_min_days=0.01,
    width_max_days=30.0,
    overlap=0.9,
    false_alarms=1e-4,
):
    """Detect events with template scores that noise rarely reaches.

    Parameters
    ----------
    batch : LightcurveBatch
        With the columns mjd and flux, in order of time.
    searched : ndarray of bool, shape (n_epochs,)
        Epochs to search.
    snr, noise : ndarray of float, shape (n_epochs,)
        Signed (flux - median) / noise, and the noise [uJy]. Where the noise is greater than the errors of the
        flux, there are fewer false alarms than promised.
    shapes : sequence of str, optional
        Events to look for, from `vo_lib.profiles.PROFILES`.
    width_min_days, width_max_days : float, optional
        Range of their full widths at half maximum [days].
    overlap : float, optional
        Correlation of templates of neighbouring widths; see `vo_lib.search.template_bank.make_widths`.
    false_alarms : float, optional
        Expected fraction of lightcurves of Gaussian noise that have a detection.

    Returns
    -------
    dict of str to ndarray
        Candidates, see `vo_lib.search.candidates`; those of one lightcurve and sign share no epochs.
    """
    kernels, widths = make_kernels(tuple(shapes)), make_widths(width_min_days, width_max_days, overlap)
    bank = Bank(kernels, overlap, false_alarms)
    found = [no_candidates()]
    for block in make_blocks(batch, searched, snr, noise):
        candidates = _Scan(block, bank, widths).search()
        if candidates is not None:
            confirmed = confirm(block.batch, fitting(block.batch, complete(candidates, METHOD)))
            found.append(block.of_batch(without_parts(block.batch, confirmed)))
    return concatenate_tables(found)


class Bank:
    """Kernels, how alike they are, and the false-alarm probability that thresholds are for.

    Parameters
    ----------
    kernels : tuple of vo_lib.search.template_bank.Kernel
        Shapes.
    overlap : float
        Correlation of templates of neighbouring widths.
    false_alarms : float
        Expected fraction of lightcurves of Gaussian noise that have a detection.
    """

    def __init__(self, kernels, overlap, false_alarms):
        self.kernels, self.matrices = kernels, make_matrices(kernels, overlap)
        self.tables = make_tables(kernels, overlap)
        self.levels, self.false_alarms = levels_of(false_alarms), false_alarms
        self.counter = TrialCounter(kernels, overlap, self.levels)
        self.n_signs = len({sign for kernel in kernels for sign in kernel.kinds})

    def thresholds(self, trials):
        """Return the thresholds of lightcurves for their trials, see `vo_lib.search.false_alarms.thresholds`."""
        return thresholds(trials, self.levels, self.false_alarms)


class _Scan:
    """Comparison of a block with all templates: those that may pass a threshold, and the trials of its lightcurves."""

    def __init__(self, block, bank, widths):
        self.block, self.bank = block, bank
        # At smaller widths all epochs are too far apart to share a template, with a cell to spare for cell edges.
        self.widths = widths[widths > block.closest() * CELLS / (bank.matrices.near + 1)].tolist()
        # Each epoch on its own is a trial for each sign that kernels have.
        self.trials = np.tile(bank.n_signs * np.diff(block.starts).astype(float), (2, 1))
        self.least = bank.thresholds(self.trials)
        self.templates = []

    @property
    def floor(self):
        """Least score that can pass a threshold."""
        return self.least.min()

    def search(self):
        """Return columns of candidates: templates of any width that pass their lightcurve's threshold; None without.

        A threshold is at least that for single epochs, so trials are counted only where a template passes that.
        """
        block, cells, floor = self.block, self.block.cells(), self.floor
        single = block.single_scores()
        self._keep(0.0, block.lightcurve, block.time, single, np.flatnonzero(np.abs(single) >= floor))
        every = []
        for width in self.widths:
            cells, scores = compare(cells, width, self.bank.matrices)
            if scores is None:
                continue
            every.append(scores)
            if len(high := scores.high(floor)):
                self._keep(width, scores.cells.lightcurve, scores.cells.time, scores.score.ravel(), high)
        chosen = np.zeros(len(self.least), bool)
        chosen[np.concatenate([table["lightcurve"] for table in self.templates])] = True
        if not chosen.any():
            return None
        self._count(chosen, every)
        return self._candidates(np.maximum(self.bank.thresholds(self.trials), self.least))

    def _count(self, chosen, every):
        """Add the trials of the templates of the chosen lightcurves to those of single epochs."""
        rows = (np.flatnonzero(chosen[scores.cells.lightcurve]) for scores in every)
        theirs = [scores.take(of_them) for scores, of_them in zip(every, rows, strict=True) if len(of_them)]
        cells = self.block.cells()
        epochs = np.flatnonzero(chosen[cells.lightcurve])
        for scores, overlaps in follow(theirs, epochs, cells.weight, self.bank.tables):
            edges = np.searchsorted(scores.cells.lightcurve, np.arange(len(chosen) + 1))
            filled = np.flatnonzero(edges[1:] > edges[:-1])
            trials = self.bank.counter.count(scores, overlaps)
            self.trials[:, filled] += np.add.reduceat(trials, edges[filled], axis=1)

    def _keep(self, width, lightcurve, time, scores, high):
        """Keep those of the high templates whose score is no less than those of their neighbours in time."""
        number = len(time)
        kernel, place = np.divmod(high, number)
        top, height = np.ones(len(high), bool), np.abs(scores[high])
        for beside in (np.maximum(place - 1, 0), np.minimum(place + 1, number - 1)):
            lower = height >= np.abs(scores[kernel * number + beside])
            top &= lower | (lightcurve[place] != lightcurve[beside])
        high, kernel, place = high[top], kernel[top] if width else np.full(top.sum(), -1), place[top]
        widths = np.full(len(high), width or np.nan)
        table = {"kernel": kernel, "width": widths, "lightcurve": lightcurve[place], "time": time[place]}
        self.templates.append(table | {"score": scores[high].astype(float)})

    def _candidates(self, limits):
        """Return columns of candidates for the templates that pass the threshold of their lightcurve."""
        kernel, width, lightcurve, time, score = concatenate_tables(self.templates).values()
        sign, limit = np.where(score > 0, 1, -1), limits[lightcurve]
        template = self._names(kernel, sign)
        high = np.flatnonzero((np.abs(score) >= limit) & (template != "none"))
        table = {
            "lightcurve": lightcurve,
            "sign": sign,
            "score": np.abs(score),
            "threshold": limit,
            "template": template,
            "width": width,
            "peak_time": time + self.block.zero[lightcurve],
        }
        table = take_rows(table, high)
        return table | self._extent(table, time[high])

    def _names(self, kernel, sign):
        """Name the event that each template stands for: a shape, `SINGLE`, or ``none`` if it is not searched for."""
        names = np.full((len(self.bank.kernels) + 1, 2), "none", dtype=object)
        for place, each in enumerate(self.bank.kernels):
            for of_sign, name in each.kinds.items():
                names[place, (of_sign + 1) // 2], names[-1, (of_sign + 1) // 2] = name, SINGLE
        return names.astype(str)[kernel, (sign + 1) // 2]

    def _extent(self, table, time):
        """Return the extent and peak epoch of each candidate: where its template exceeds the noise or `CUT`."""
        block, lightcurve, width = self.block, table["lightcurve"], np.nan_to_num(table["width"])
        before, after = _reaches(table["template"], np.minimum(0.95 * CUT, 1 / table["score"]))
        # Complex numbers are in the order of their real parts, here the lightcurves, then of their imaginary parts.
        times, centre = block.lightcurve + 1j * block.time, lightcurve + 1j * time
        right = np.minimum(np.searchsorted(times, centre), block.starts[lightcurve + 1] - 1)
        left = np.maximum(right - 1, block.starts[lightcurve])
        peak = np.where(time - block.time[left] < block.time[right] - time, left, right)
        first = np.minimum(np.searchsorted(times, centre - 1j * before * width), peak)
        last = np.maximum(np.searchsorted(times, centre + 1j * after * width, side="right") - 1, peak)
        rows = {"first": block.rows[first], "last": block.rows[last], "peak": block.rows[peak]}
        return rows | {"n_epochs": last - first + 1}


def _reaches(template, fraction):
    """Return how far before and after the peak a template falls to a fraction of it [width]; 0 for single epochs."""
    before, after = np.zeros((2, len(template)))
    for name in np.unique(template[template != SINGLE]).tolist():
        of_name = template == name
        before[of_name], after[of_name] = PROFILES[name].reach(fraction[of_name])
    return before, after
