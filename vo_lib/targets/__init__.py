"""Names of targets: which target a name is."""

__all__ = []
