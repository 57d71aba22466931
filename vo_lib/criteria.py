"""Criteria and orders for finding sources, lightcurves and detections, see `vo_lib.database.find`."""

__all__ = ["CRITERIA", "ORDERS"]

# Criterion -> what it means.
CRITERIA = {
    "name": "name of the source; without an exact match, any part of a name, ignoring case",
    "ra": "right ascension of the centre of a cone, with dec and radius_arcsec [degrees, or sexagesimal hours]",
    "dec": "declination of the centre of the cone [degrees, or sexagesimal]",
    "radius_arcsec": "radius of the cone, including its edge [arcsec]",
    "ra_range": "from west to east, across 0 if the first is larger [degrees]",
    "dec_range": "from south to north [degrees]",
    "mag_range": "magnitude of sources in the catalog, median of lightcurves, peak of detections [mag]",
    "mjd_range": "the time span overlaps this range [d, MJD UTC]",
    "filter": "filter, such as ztf-r, or several; a source matches if it has a lightcurve in one of them",
    "obs": "name of a survey, or several; a source matches if it has a lightcurve from one of them",
    "snr_min": "minimum S/N: |S/N| of the best epoch of sources, largest S/N of lightcurves, |S/N| of detections",
    "n_good_min": "minimum number of unflagged epochs of a source or lightcurve",
    "n_detections_min": "minimum number of real detections of the source",
}
# Order -> whether it is descending; it sorts by the values that the criteria compare.
ORDERS = {"name": False, "brightest": False, "earliest": False, "latest": True, "best": True}
