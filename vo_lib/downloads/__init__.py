"""What is behind `vo_lib.download`: answers on their way to raw archives, manifests, and data that users bring."""

__all__ = []
