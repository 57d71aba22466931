"""What is behind `vo_lib.histograms` and `vo_lib.rates`: axes, counts, intervals."""

__all__ = []
