"""Views: the questions that are asked most, as tables to read."""

__all__ = ["VIEWS"]

VIEWS = {}
