"""The parts of `vo_lib.quality`: checks of epochs and of lightcurves."""

__all__ = []
