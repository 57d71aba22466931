"""Periodograms and periodic dips."""

__all__ = []
