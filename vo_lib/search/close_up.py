"""What a close-up of an event shows beside its epochs: levels of light, the shape that fits best, and which times."""

import numpy as np

from vo_lib.photometry import flux_from_mag
from vo_lib.profiles import PROFILES

__all__ = ["event_light", "good_median", "has_template", "levels", "surroundings"]

# Around an event: epochs shown on either side at least, and days at most.
FEWEST_BESIDE, LONGEST_BESIDE = 8, 60.0
# Widths on either side of an event's peak that its light is drawn finely at, and in how many steps by default.
SHOWN_WIDTHS, SHOWN_STEPS = 4.0, 801
# A score that differs less from the S/N of the peak is that S/N, and a flux that differs less is the same.
SAME = 1e-6


def has_template(detection):
    """Whether a detection was found by a shape that is known here.

    Parameters
    ----------
    detection : dict
        Its row of the table of detections.

    Returns
    -------
    bool
    """
    return detection.get("template") in PROFILES and detection["width"] > 0


def good_median(flux, good):
    """Median of the good fluxes.

    Parameters
    ----------
    flux : ndarray of float, shape (n_epochs,)
        Fluxes of a lightcurve.
    good : ndarray of bool, shape (n_epochs,)
        Its unflagged epochs.

    Returns
    -------
    float
        NaN without any.
    """
    usable = flux[good & np.isfinite(flux)]
    return float(np.median(usable)) if usable.size else np.nan


def levels(flux, good, detection):
    """Levels of light that a detection is measured by.

    Parameters
    ----------
    flux, good
        See `good_median`.
    detection : dict
        Its row of the table of detections.

    Returns
    -------
    dict of str to float
        ``median``, and of the epoch of the peak the ``noise``, in units of the flux; ``threshold``, the flux of a peak
        that an event of this shape and noise must have at least. The last is NaN where the score is neither that of
        a template nor the S/N of the peak, and all are where they are not known. Where a trend was taken off before
        the search, median and threshold are raised by what it is more at the peak.
    """
    median, snr, score = good_median(flux, good), detection["snr"], detection["score"]
    peak = float(flux[int(detection["peak_epoch"])])
    trend = _trend(peak, detection)
    noise = (peak - trend - median) / snr if snr else np.nan
    median += trend
    # Such scores are amplitudes in units of their noise, so the threshold follows without it.
    is_amplitude = score > 0 and (detection["template"] or np.isclose(score, abs(snr), rtol=SAME))
    least = detection["amplitude"] * detection["threshold"] / score if is_amplitude else np.nan
    return {"median": median, "noise": noise, "threshold": median + least}


def _trend(flux, detection):
    """Trend at the peak beyond the median: its flux less the searched one, which the magnitude of the row is of.

    0 where that has no magnitude, since it is not above zero, or no trend was taken off.
    """
    trend = flux - float(flux_from_mag(detection.get("peak_mag", np.nan), 0.0)[0])
    return trend if abs(trend) > SAME * abs(flux) else 0.0


def event_light(event, kind, low, high, *, steps=SHOWN_STEPS):
    """Light of an event over the median between two times.

    Parameters
    ----------
    event : dict
        ``peak_mjd`` and ``width`` [days], and ``amplitude``.
    kind : str
        Its shape, of `vo_lib.profiles.PROFILES`.
    low, high : float
        From when until when [days].
    steps : int, optional
        Number of even times, and of those about the peak, which an odd number has among them.

    Returns
    -------
    mjd, flux : ndarray of float
        Times in increasing order, many about the peak, and the light that is added, in units of the amplitude.
    """
    peak, width = event["peak_mjd"], event["width"]
    near = peak + width * np.linspace(-SHOWN_WIDTHS, SHOWN_WIDTHS, steps)
    mjd = np.sort(np.concatenate([np.linspace(low, high, steps), near[(near > low) & (near < high)]]))
    return mjd, event["amplitude"] * PROFILES[kind].shape((mjd - peak) / width)


def surroundings(mjd, detection):
    """Times to show: an event with some epochs on both sides, but not across a long pause.

    Parameters
    ----------
    mjd : ndarray of float, shape (n_epochs,)
        Epochs of the lightcurve in increasing order [days].
    detection : dict
        Its row of the table of detections.

    Returns
    -------
    low, high : float
    """
    first, last = int(detection["first_epoch"]), int(detection["last_epoch"])
    more = max(FEWEST_BESIDE, 2 * (last - first + 1))
    start, stop = max(first - more, 0), min(last + more, len(mjd) - 1)
    low = max(float(mjd[start]), detection["start_mjd"] - LONGEST_BESIDE)
    high = min(float(mjd[stop]), detection["end_mjd"] + LONGEST_BESIDE)
    return low, high
