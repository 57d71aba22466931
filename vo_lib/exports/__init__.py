"""What is behind `vo_lib.export` and `vo_lib.extract`: formats of other programs."""

__all__ = []
