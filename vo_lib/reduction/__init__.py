"""What is behind `vo_lib.reduce`: calibration, combination, files of lightcurves."""

__all__ = []
