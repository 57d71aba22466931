"""What is behind `vo_lib.simulator`: where events are put, their light, and what the search recovers."""

__all__ = []
