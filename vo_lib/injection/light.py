"""The light of injected events in their lightcurves, and how well each of them is seen."""

import numpy as np

from vo_lib.injection.placement import smearing_days
from vo_lib.photometry import mag_from_flux
from vo_lib.profiles import PROFILES
from vo_lib.randoms import normals
from vo_lib.segments import segment_max, segment_of, spread

__all__ = ["add_light", "seen_snr"]

# Below this flux over error of an epoch, the noise is assumed to come from the sky and not from the source.
_SOURCE_LIMITED = 10.0


def add_light(copies, truth, median, stream):
    """Add events to flux, and their photon noise to flux and fluxerr.

    The variance of a Poisson process is proportional to the flux: without the sky, an event as
    bright as the source doubles it. For sources fainter than `_SOURCE_LIMITED` errors the noise
    is assumed to come from the sky, so that an event adds no more to it than at that limit.

    Parameters
    ----------
    copies : LightcurveBatch
        The lightcurve of each event; not changed.
    truth : dict of str to ndarray, each of shape (n_injections,)
        Kind, peak_mjd [d], width [d] and amplitude [uJy] of each event.
    median : ndarray of float, shape (n_injections,)
        Median flux of each lightcurve [uJy].
    stream : ndarray of uint64, shape (n_injections,)
        Start of each event's stream of random numbers.

    Returns
    -------
    LightcurveBatch
        With changed flux, fluxerr, mag and magerr, and the additional column ``light``, the mean flux of the
        event during the exposure [uJy].
    """
    added = _light(copies, truth)
    hit = np.flatnonzero(added)
    event = segment_of(hit, copies.starts)
    flux, fluxerr = copies.columns["flux"].copy(), copies.columns["fluxerr"].copy()
    error = np.where(fluxerr[hit] > 0, fluxerr[hit], 0.0)
    level = np.fmax(median[event], _SOURCE_LIMITED * error)
    share = np.divide(np.maximum(added[hit], 0), level, out=np.zeros(len(hit)), where=level > 0)
    extra = error * np.sqrt(share)
    flux[hit] += added[hit] + extra * normals(stream[event], hit - copies.starts[event])
    fluxerr[hit] = np.where(extra > 0, np.hypot(error, extra), fluxerr[hit])
    mag, magerr = mag_from_flux(flux, fluxerr)
    return copies.with_columns(flux=flux, fluxerr=fluxerr, mag=mag, magerr=magerr, light=added)


def _light(copies, truth):
    """Compute the mean flux of the event in each exposure [uJy], exactly 0 below 1e-9 of the peak or without a time."""
    starts = copies.starts
    width = spread(truth["width"], starts)
    phase = (copies.columns["mjd"] - spread(truth["peak_mjd"], starts)) / width
    length = smearing_days(copies.columns["exptime"] / 86400, width) / width
    names, kind = np.unique(truth["kind"], return_inverse=True)
    kind = np.where(np.isfinite(phase), spread(kind, starts), -1)
    shape = np.zeros(len(phase))
    for code, name in enumerate(names.tolist()):
        rows = np.flatnonzero(kind == code)
        smeared = length[rows] > 0
        rows, long = rows[~smeared], rows[smeared]
        shape[rows] = PROFILES[name].shape(phase[rows])
        shape[long] = PROFILES[name].mean(phase[long], length[long])
    shape[shape < 1e-9] = 0.0
    return shape * spread(truth["amplitude"], starts)


def seen_snr(injected, amplitude, good):
    """Compute the expected S/N of each event at the good epoch that sees it best.

    Parameters
    ----------
    injected : LightcurveBatch
        See `vo_lib.simulator.inject`.
    amplitude : ndarray of float, shape (n_injections,)
        Flux of the events at their peaks, of which only the sign is used.
    good : ndarray of bool, shape (n_epochs,)
        Epochs that are searched.

    Returns
    -------
    ndarray of float, shape (n_injections,)
        With the sign of the event; the noise includes its photon noise. NaN without good epochs.
    """
    noise = np.fmax(injected.columns["fluxerr"], spread(injected.table["rms"], injected.starts))
    snr = np.divide(np.abs(injected.columns["light"]), noise, out=np.full(len(noise), np.nan), where=good & (noise > 0))
    return np.sign(amplitude) * segment_max(snr, injected.starts)
