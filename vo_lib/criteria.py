"""By what sources, lightcurves and detections are found, see `vo_lib.database.find`."""

__all__ = ["CRITERIA", "ORDERS"]

# Criterion -> what it means.
CRITERIA = {
    "name": "name of the source; where nothing of that name is found, part of it in small or capital letters",
    "ra": "with dec and radius_arcsec: right ascension of the middle of a cone [degrees, or sexagesimal hours]",
    "dec": "its declination [degrees, or sexagesimal]",
    "radius_arcsec": "its radius, which belongs to it [arcsec]",
    "ra_range": "from west to east, across 0 where the first is the greater one [degrees]",
    "dec_range": "from south to north [degrees]",
    "mag_range": "catalog magnitude of sources, median of lightcurves, peak of detections [mag]",
    "mjd_range": "some time of it is in the range [d, MJD UTC]",
    "filter": "filter, such as ztf-r, or several; a source has a lightcurve in one of them",
    "obs": "survey, by its name, or several; a source has a lightcurve of one of them",
    "snr_min": "least S/N: |S/N| of the best epoch of sources, greatest of lightcurves, |S/N| of detections",
    "n_good_min": "fewest epochs without flags, of a source or of a lightcurve",
    "n_detections_min": "fewest real detections of the source",
}
# Order -> whether the greatest value comes first; the values are those of the criteria.
ORDERS = {"name": False, "brightest": False, "earliest": False, "latest": True, "best": True}
