"""Storage of products: flat reads, lookup, seals, permissions, fingerprints and provenance."""

__all__ = []
