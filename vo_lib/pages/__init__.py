"""HTML pages: the page of each source, those of the server, and parts of the report."""

__all__ = []
