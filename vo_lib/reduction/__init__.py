"""The parts of `vo_lib.reduce`: calibration, combination, and files of lightcurves."""

__all__ = []
