"""What a close-up of an event shows besides its epochs: flux levels, the best-fitting shape, and the time range."""

import numpy as np

from vo_lib.photometry import flux_from_mag
from vo_lib.profiles import PROFILES

__all__ = ["event_light", "good_median", "has_template", "levels", "surroundings"]

# Shown on either side of an event: at least this many epochs, but no more than this many days.
FEWEST_BESIDE, LONGEST_BESIDE = 8, 60.0
# Widths on either side of its peak within which an event is drawn finely, and the default number of steps.
SHOWN_WIDTHS, SHOWN_STEPS = 4.0, 801
# Relative difference up to which a score equals the S/N of the peak, and two fluxes are equal.
SAME = 1e-6


def has_template(detection):
    """Check whether a detection was found with a template of known shape.

    Parameters
    ----------
    detection : dict
        Row of the table of detections.

    Returns
    -------
    bool
    """
    return detection.get("template") in PROFILES and detection["width"] > 0


def good_median(flux, good):
    """Return the median of the good fluxes.

    Parameters
    ----------
    flux : ndarray of float, shape (n_epochs,)
        Fluxes of a lightcurve.
    good : ndarray of bool, shape (n_epochs,)
        Its unflagged epochs.

    Returns
    -------
    float
        NaN without good fluxes.
    """
    usable = flux[good & np.isfinite(flux)]
    return float(np.median(usable)) if usable.size else np.nan


def levels(flux, good, detection):
    """Compute the flux levels that a detection is compared with.

    Parameters
    ----------
    flux, good
        See `good_median`.
    detection : dict
        Row of the table of detections.

    Returns
    -------
    dict of str to float
        In units of the flux: ``median``; ``noise`` of the epoch of the peak; and ``threshold``, the least flux at the
        peak for which an event of this shape and noise is detected. Values that are not known are NaN; so is the
        threshold where the score is neither that of a template nor the S/N of the peak. Where a trend was subtracted
        before the search, its excess over the median at the peak is added to median and threshold.
    """
    median, snr, score = good_median(flux, good), detection["snr"], detection["score"]
    peak = float(flux[int(detection["peak_epoch"])])
    trend = _trend(peak, detection)
    noise = (peak - trend - median) / snr if snr else np.nan
    median += trend
    # Such a score is the amplitude in units of its noise, so the threshold flux follows by proportion.
    is_amplitude = score > 0 and (detection["template"] or np.isclose(score, abs(snr), rtol=SAME))
    least = detection["amplitude"] * detection["threshold"] / score if is_amplitude else np.nan
    return {"median": median, "noise": noise, "threshold": median + least}


def _trend(flux, detection):
    """Return the trend minus the median at the peak: the flux minus the searched flux, which ``peak_mag`` is of.

    0 where there is no magnitude, since the searched flux is not positive, or where no trend was subtracted.
    """
    trend = flux - float(flux_from_mag(detection.get("peak_mag", np.nan), 0.0)[0])
    return trend if abs(trend) > SAME * abs(flux) else 0.0


def event_light(event, kind, low, high, *, steps=SHOWN_STEPS):
    """Compute the light that an event adds to the median between two times.

    Parameters
    ----------
    event : dict
        ``peak_mjd`` and ``width`` [days], and ``amplitude``.
    kind : str
        Its shape, one of `vo_lib.profiles.PROFILES`.
    low, high : float
        Start and end [days].
    steps : int, optional
        Number of evenly spaced times, and of those around the peak; if odd, the latter include the peak itself.

    Returns
    -------
    mjd, flux : ndarray of float
        Times in increasing order, dense around the peak, and the added light, in units of the amplitude.
    """
    peak, width = event["peak_mjd"], event["width"]
    near = peak + width * np.linspace(-SHOWN_WIDTHS, SHOWN_WIDTHS, steps)
    mjd = np.sort(np.concatenate([np.linspace(low, high, steps), near[(near > low) & (near < high)]]))
    return mjd, event["amplitude"] * PROFILES[kind].shape((mjd - peak) / width)


def surroundings(mjd, detection):
    """Choose the time range to show: an event with some epochs on both sides, but not across a long pause.

    Parameters
    ----------
    mjd : ndarray of float, shape (n_epochs,)
        Epochs of the lightcurve in increasing order [days].
    detection : dict
        Row of the table of detections.

    Returns
    -------
    low, high : float
        Start and end [days].
    """
    first, last = int(detection["first_epoch"]), int(detection["last_epoch"])
    more = max(FEWEST_BESIDE, 2 * (last - first + 1))
    start, stop = max(first - more, 0), min(last + more, len(mjd) - 1)
    low = max(float(mjd[start]), detection["start_mjd"] - LONGEST_BESIDE)
    high = min(float(mjd[stop]), detection["end_mjd"] + LONGEST_BESIDE)
    return low, high
