"""Implementation of `vo_lib.finder`: noise, trends, the matched filter, and merging of detections into events."""

__all__ = []
