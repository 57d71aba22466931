"""Parts of `vo_lib.download`: fetching answers into raw archives, manifests, and adopting data from other files."""

__all__ = []
