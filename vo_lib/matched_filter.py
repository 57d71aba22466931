"""Search for events of known shapes and any width, with irregular sampling and gaps.

A template that peaks at a time is compared with a lightcurve by the least chi-square of its amplitude and of a constant
baseline. For Gaussian noise the amplitude over its error, the score, is a Gaussian of unit variance whatever the
sampling. Templates peak at the epochs; where several epochs are within a quarter of a template's width, they are
put together first, so that a template costs the same for any cadence. Single epochs are templates too.
"""

import numpy as np

from vo_lib.candidates import complete, concatenate, strongest
from vo_lib.false_alarms import FreshParts, thresholds
from vo_lib.profiles import PROFILES
from vo_lib.segments import segment_index, segment_sum, spread
from vo_lib.template_bank import CELLS, CUT, STEPS, make_kernels, make_widths
from vo_lib.template_fits import OUTLIER_SNR, SINGLE, baseline_of, confirm, fit

__all__ = ["METHOD", "search_templates"]

METHOD = "matched_filter"
# Templates whose scores from cells are this part of the threshold are computed again epoch by epoch.
_NEARLY = 0.95
# Epochs in a block of lightcurves, whose arrays stay in the cache of the processor.
_BLOCK = 1 << 14


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
    """Detect events that a template fits so well as noise rarely does.

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
        Events to look for, of `vo_lib.profiles.PROFILES`.
    width_min_days, width_max_days : float, optional
        Range of their full widths at half maximum [days].
    overlap : float, optional
        Correlation of templates of neighbouring widths; see `vo_lib.template_bank.make_widths`.
    false_alarms : float, optional
        Expected share of the lightcurves of Gaussian noise with a detection.

    Returns
    -------
    dict of str to ndarray
        Candidates, see `vo_lib.candidates`, of which none shares epochs with another of its lightcurve and sign.
    """
    kernels, widths = make_kernels(tuple(shapes)), make_widths(width_min_days, width_max_days, overlap)
    parts = FreshParts(kernels, overlap)
    rows = np.flatnonzero(searched & np.isfinite(snr) & (noise > 0))
    starts = np.searchsorted(rows, batch.starts)
    floor = _NEARLY * thresholds(np.ones((len(parts.levels), 1)), false_alarms)[0]
    epochs, everywhere = (batch, searched, snr, noise), np.ones(batch.n_epochs, bool)
    found = [complete(dict.fromkeys(_COLUMNS, ()), METHOD)]
    for begin, end in _blocks(starts):
        span = slice(starts[begin], starts[end])
        block = _Block(batch, rows[span], starts[begin : end + 1] - starts[begin], snr, noise, begin)
        scan = _Scan(block, kernels, parts, floor)
        for width in widths.tolist():
            scan.compare(width)
        candidates = complete(scan.candidates(thresholds(scan.trials, false_alarms)), METHOD)
        found.append(fit(epochs, candidates, everywhere))
    return confirm(epochs, strongest(concatenate(found)))


_COLUMNS = ("lightcurve", "first", "last", "peak", "sign", "score", "threshold", "n_epochs")


def _blocks(starts):
    """First lightcurve and the one after the last of blocks of about `_BLOCK` epochs."""
    edges = np.searchsorted(starts, np.arange(0, starts[-1], _BLOCK), side="right") - 1
    edges = np.unique(np.append(edges, len(starts) - 1))
    return zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)


class _Block:
    """Searched epochs of some lightcurves, with the time since the first epoch of each."""

    def __init__(self, batch, rows, starts, snr, noise, number):
        self.rows, self.starts, self.number = rows, starts, number
        self.lightcurve = segment_index(starts)
        self.weight = 1 / np.square(noise[rows])
        self.total = segment_sum(self.weight, starts)
        self.excess = snr[rows] * noise[rows]
        self.excess -= spread(baseline_of(self.excess, self.weight, np.abs(snr[rows]) < OUTLIER_SNR, starts), starts)
        mjd = batch.columns["mjd"][rows]
        self.zero = np.append(mjd, 0.0)[np.where(starts[1:] > starts[:-1], starts[:-1], len(mjd))]
        self.time = mjd - spread(self.zero, starts)

    def cells(self, width):
        """First epoch, number of epochs, lightcurve, time, weight and weighted flux of each cell."""
        place = np.floor(self.time * (CELLS / width))
        begins = np.ones(len(place), bool)
        begins[1:] = (place[1:] != place[:-1]) | (self.lightcurve[1:] != self.lightcurve[:-1])
        first = np.flatnonzero(begins)
        number = np.diff(np.append(first, len(place)))
        columns = self.time, self.weight, self.weight * self.excess
        if len(first) < len(place):
            weight = np.add.reduceat(self.weight, first)
            time = np.add.reduceat(self.weight * self.time, first) / weight
            columns = time, weight, np.add.reduceat(columns[2], first)
        return first, number, self.lightcurve[first], *columns


class _Scan:
    """Comparison of a block with templates: the trials of each lightcurve, and what may pass a threshold."""

    def __init__(self, block, kernels, parts, floor):
        self.block, self.kernels, self.parts, self.floor = block, kernels, parts, floor
        self.trials = np.zeros((len(parts.levels), len(block.starts) - 1))
        self.templates = []
        self._single_epochs()

    def _single_epochs(self):
        """Each epoch by itself, of any sign that a kernel has."""
        block, signs = self.block, {sign for kernel in self.kernels for sign in kernel.kinds}
        self.trials += len(signs) * np.diff(block.starts)
        sums = block.weight * block.excess, block.weight, block.weight
        self._keep(-1, 0.0, block.lightcurve, block.time, _scores(*sums, block.total[block.lightcurve])[0])

    def compare(self, width):
        """Compare all templates of a width that several epochs see."""
        first, number, lightcurve, time, weight, flux = self.block.cells(width)
        steps = np.full(len(time) + 1, np.inf)
        steps[1:-1] = np.where(lightcurve[1:] == lightcurve[:-1], np.diff(time), np.inf)
        longest = width * max(max(kernel.reach) for kernel in self.kernels)
        if not len(first) or (len(first) == len(self.block.time) and steps.min() >= longest):
            return
        sums = _correlate(self.kernels, width, lightcurve, time, weight, flux)
        for place, kernel in enumerate(self.kernels):
            before, after = (reach * width for reach in kernel.reach)
            score, usable = _scores(*sums[place], self.block.total[lightcurve])
            seen = usable & ((number > 1) | (steps[:-1] < before) | (steps[1:] < after))
            where = np.flatnonzero(seen)
            lag = np.where(np.append(False, seen[:-1]), steps[:-1], np.inf)[where] * (STEPS / width)
            own = np.sqrt(weight[where] / sums[place][2][where])
            self._count(lightcurve[where], self.parts.of(place, lag, own))
            self._keep(place, width, lightcurve[where], time[where], score[where])

    def _count(self, lightcurve, parts):
        """Add the parts of templates that begin an excursion to the trials of their lightcurves, which are in order."""
        first = np.flatnonzero(np.append(True, lightcurve[1:] != lightcurve[:-1])[: len(lightcurve)])
        if len(first):
            self.trials[:, lightcurve[first]] += np.add.reduceat(parts, first, axis=1)

    def _keep(self, kernel, width, lightcurve, time, score):
        """Keep the templates whose scores may pass a threshold and are no less than those beside them."""
        height = np.abs(score)
        top = np.ones(len(height), bool)
        same = lightcurve[1:] == lightcurve[:-1]
        top[1:] &= ~same | (height[1:] >= height[:-1])
        top[:-1] &= ~same | (height[:-1] >= height[1:])
        high = np.flatnonzero(top & (height >= self.floor))
        kind = np.full(len(high), kernel), np.full(len(high), width)
        self.templates.append((*kind, lightcurve[high], time[high], score[high]))

    def candidates(self, limits):
        """Columns of candidates of the templates that pass the threshold of their lightcurve."""
        kernel, width, lightcurve, time, score = map(np.concatenate, zip(*self.templates, strict=True))
        sign, limit = np.where(score > 0, 1, -1), limits[lightcurve]
        template = self._names(kernel, sign)
        high = np.flatnonzero((np.abs(score) >= _NEARLY * limit) & (template != "none"))
        table = {
            "lightcurve": lightcurve + self.block.number,
            "sign": sign,
            "score": np.abs(score),
            "threshold": limit,
            "template": template,
            "width": np.where(width > 0, width, np.nan),
            "peak_time": time + self.block.zero[lightcurve],
        }
        table = {name: values[high] for name, values in table.items()}
        return table | self._extent(table, time[high])

    def _names(self, kernel, sign):
        """Name of the event that each template is, `SINGLE`, or ``none`` where none is looked for."""
        names = np.full((len(self.kernels) + 1, 2), "none", dtype=object)
        for place, each in enumerate(self.kernels):
            for of_sign, name in each.kinds.items():
                names[place, (of_sign + 1) // 2], names[-1, (of_sign + 1) // 2] = name, SINGLE
        return names.astype(str)[kernel, (sign + 1) // 2]

    def _extent(self, table, time):
        """First, last and peak epoch of each candidate: where its template is more than the noise or `CUT`."""
        block, width = self.block, np.nan_to_num(table["width"])
        lightcurve = table["lightcurve"] - block.number
        # Shifted times of one lightcurve after the other, to look all up at once.
        shift = np.arange(len(block.zero)) * (2 * block.time.max(initial=0.0) + 100 * width.max(initial=0.0) + 1.0)
        times, centre = block.time + spread(shift, block.starts), time + shift[lightcurve]
        before, after = _reaches(table["template"], np.minimum(0.95 * CUT, 1 / table["score"]))
        place = np.clip(np.searchsorted(times, centre), 1, max(len(times) - 1, 1))
        peak = place - self._is_left(place, time, lightcurve)
        first = np.minimum(np.searchsorted(times, centre - before * width), peak)
        last = np.maximum(np.searchsorted(times, centre + after * width, side="right") - 1, peak)
        first = np.maximum(first, block.starts[lightcurve])
        last = np.minimum(last, block.starts[lightcurve + 1] - 1)
        rows = {"first": block.rows[first], "last": block.rows[last], "peak": block.rows[peak]}
        return rows | {"n_epochs": last - first + 1}

    def _is_left(self, place, time, lightcurve):
        """Whether the epoch before a place is nearer to a time than that at the place; the times are not shifted."""
        block, right = self.block, np.minimum(place, len(self.block.time) - 1)
        left_of_it = block.lightcurve[place - 1] == lightcurve
        nearer = time - block.time[place - 1] < block.time[right] - time
        return left_of_it & (nearer | (block.lightcurve[right] != lightcurve) | (place > right))


def _scores(product, profile, square, total):
    """Amplitude over its error, and whether the baseline leaves a template at least half of its weight."""
    variance = square - profile * profile / total
    usable = variance > square / 2
    return np.divide(product, np.sqrt(np.abs(variance)), out=np.zeros(len(product)), where=usable), usable


def _reaches(template, fraction):
    """How far before and after the peak a fraction of it is left [width]; 0 for single epochs."""
    before, after = np.zeros((2, len(template)))
    for name in np.unique(template[template != SINGLE]).tolist():
        of_name = template == name
        before[of_name], after[of_name] = PROFILES[name].reach(fraction[of_name])
    return before, after


def _correlate(kernels, width, lightcurve, time, weight, flux):
    """Sums of weight times profile times flux, profile, and profile squared, of each kernel at each cell."""
    sums = [[flux.copy(), weight.copy(), weight.copy()] for _ in kernels]
    beyond = max(max(len(kernel.before), len(kernel.after)) for kernel in kernels)
    for lag in range(1, len(time)):
        step = (time[lag:] - time[:-lag]) * (STEPS / width) + 0.5
        step[lightcurve[lag:] != lightcurve[:-lag]] = beyond
        near = np.flatnonzero(step < beyond)
        if not len(near):
            break
        early, late = slice(None, -lag), slice(lag, None)
        if 2 * len(near) < len(step):
            early, late, step = near, near + lag, step[near]
        index, least = np.minimum(step, beyond).astype(np.int64), step.min()
        for kernel, each in zip(kernels, sums, strict=True):
            for table, centre, other in ((kernel.after, early, late), (kernel.before, late, early)):
                if least < len(table) - 1:
                    _add(each, table.take(index, mode="clip"), centre, weight[other], flux[other])
    return sums


def _add(sums, value, centre, weight, flux):
    """Add what one cell gives to the sums of another, whose template has a value there."""
    part = value * weight
    sums[0][centre] += value * flux
    sums[1][centre] += part
    sums[2][centre] += value * part
