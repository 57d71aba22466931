"""What a person sees in a browser: pages of sources, parts of the report."""

__all__ = []
