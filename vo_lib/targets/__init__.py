"""Resolution of the names of targets."""

__all__ = []
