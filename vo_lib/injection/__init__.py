"""Implementation of `vo_lib.simulator`: where events are placed, their light, and what the search recovers."""

__all__ = []
