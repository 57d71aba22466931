"""Convert the raw epochs of a bin from the columns of a survey to the standard columns."""

import numpy as np

from vo_lib.catalogs.columns import DEFAULT_EPOCH
from vo_lib.errors import ServiceError
from vo_lib.photometry import finite, flux_from_mag, mag_from_flux
from vo_lib.positions import offsets
from vo_lib.times import MJD_J2000, MJD_ZERO_JD, standard_times

__all__ = ["catalog_column", "standard_columns"]

# Columns that a survey's ``standardise`` returns: numbers, the measured pair, and labels (text or integers).
_NUMBERS = ("time", "exptime", "ra", "dec", "flag")
_PAIR = ("mag", "magerr")
_LABELS = ("filter", "series", "readout")


def catalog_column(sources, name):
    """Return a column of the catalog as floats of shape (n_sources,), NaN where it has no value."""
    return np.asarray(sources.get(name, np.full(len(sources["name"]), np.nan)), float)


def standard_columns(sources, counts, data, observatory, altdata):
    """Convert the raw epochs of a bin to the columns that all surveys have in common.

    Parameters
    ----------
    sources : dict of str to ndarray, each of shape (n_sources,)
        Catalog rows, see `vo_lib.reduce.reduce_bin`.
    counts : ndarray of int64, shape (n_sources,)
        Number of epochs of each source.
    data : ndarray, shape (n_epochs,)
        Raw epochs, source by source.
    observatory : VirtualObservatory
        The survey.
    altdata : dict
        Metadata that came with the table.

    Returns
    -------
    columns : dict of str to ndarray, each of shape (n_epochs,)
        `vo_lib.batch.COLUMNS` in the order of the raw epochs, and the offset ``east`` and ``north`` from the source
        at that time [arcsec].
    labels : dict of str to ndarray, each of shape (n_epochs,)
        ``filter``, ``series`` and ``readout``.

    Raises
    ------
    ValueError
        If the survey's ``standardise`` does not return the required columns.
    ServiceError
        If the survey's ``standardise`` rejects epochs; the message names their source.
    """
    try:
        common = _standardise(data, altdata, observatory)
    except ServiceError as error:
        raise ServiceError(f"{_first_refused(sources, counts, data, observatory, altdata)}: {error}") from None
    ra, dec = (np.repeat(catalog_column(sources, name), counts) for name in ("ra", "dec"))
    moved = _motions(sources, counts, common["time"] + (observatory.time.zero_jd - MJD_ZERO_JD))
    exposures = {"exptime": common["exptime"], "site": observatory.site}
    mjd, bmjd_tdb = standard_times(common["time"], observatory.time, ra=ra, dec=dec, moved=moved, **exposures)
    if "flux" in common:
        flux, fluxerr = common["flux"], common["fluxerr"]
        mag, magerr = mag_from_flux(flux, fluxerr)
    else:
        mag, magerr = common["mag"], common["magerr"]
        flux, fluxerr = flux_from_mag(mag, magerr)
        mag, magerr = (np.where(np.isnan(flux), np.nan, values) for values in (mag, magerr))
    columns = {"mjd": mjd, "bmjd_tdb": bmjd_tdb, "flux": flux, "fluxerr": fluxerr, "mag": mag, "magerr": magerr}
    columns |= {name: common[name] for name in ("exptime", "ra", "dec")} | {"flag": common["flag"].astype(np.int64)}
    for name, offset, motion in zip(
        ("east", "north"), offsets(common["ra"], common["dec"], ra, dec), moved, strict=True
    ):
        columns[name] = offset - motion
    return columns, {name: common[name] for name in _LABELS}


def _standardise(data, altdata, observatory):
    """Columns that a survey's ``standardise`` returns, with one value per epoch and NaN where it is not finite."""
    common = observatory.standardise(data, altdata) if len(data) else dict.fromkeys((*_NUMBERS, *_PAIR, *_LABELS), 0)
    if not isinstance(common, dict):
        raise ValueError(f"{observatory.name}: standardise() must return a dict of columns, got {common!r:.60}")
    # Whichever of flux and magnitude was measured; the flux if the survey returns both.
    pair = ("flux", "fluxerr") if "flux" in common else _PAIR
    # A survey whose series are not its readouts returns both.
    common = {"readout": common.get("series")} | common
    if missing := [name for name in (*_NUMBERS, *pair, *_LABELS) if name not in common]:
        raise ValueError(
            f"{observatory.name}: standardise() must return {', '.join(missing)}; it returned {list(common)}"
        )
    common = {name: common[name] for name in (*_NUMBERS, *pair, *_LABELS)}
    for name, values in common.items():
        try:
            common[name] = np.broadcast_to(values, len(data))
        except ValueError:
            raise ValueError(
                f"{observatory.name}: standardise() must return {len(data)} values for as many epochs as {name}, got "
                f"an array of shape {np.shape(values)}"
            ) from None
    for name in (*_NUMBERS[:-1], *pair):
        common[name] = finite(common[name])
    return common


def _first_refused(sources, counts, data, observatory, altdata):
    """Name of the first source whose epochs a survey's ``standardise`` rejects."""
    for name, epochs in zip(sources["name"].tolist(), np.split(data, np.cumsum(counts)[:-1]), strict=True):
        try:
            observatory.standardise(epochs, altdata)
        except ServiceError:
            return name
    return observatory.name


def _motions(sources, counts, mjd):
    """Proper motion since the catalog's epoch, east and north, at each epoch [arcsec]; 0.0 if no source moves."""
    motion = np.nan_to_num([catalog_column(sources, "pmra"), catalog_column(sources, "pmdec")]) / 1000
    if not motion.any():
        return 0.0, 0.0
    epoch = np.nan_to_num(catalog_column(sources, "epoch"), nan=DEFAULT_EPOCH)
    years = 2000.0 + (mjd - MJD_J2000) / 365.25 - np.repeat(epoch, counts)
    return tuple(np.repeat(axis, counts) * years for axis in motion)
