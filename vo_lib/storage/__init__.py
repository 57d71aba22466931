"""How products are laid out, sealed, found and known again."""

__all__ = []
