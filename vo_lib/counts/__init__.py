"""Implementation of `vo_lib.histograms` and `vo_lib.rates`: axes, counts and intervals."""

__all__ = []
