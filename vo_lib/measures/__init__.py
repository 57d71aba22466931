"""Implementation of `vo_lib.statistics` and `vo_lib.properties`: measures of lightcurves, filters and sources."""

__all__ = []
