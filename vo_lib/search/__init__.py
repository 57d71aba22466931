"""What is behind `vo_lib.finder`: noise, trends, the matched filter, and which detections are one event."""

__all__ = []
