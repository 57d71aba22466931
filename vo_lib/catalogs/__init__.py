"""What is behind `vo_lib.catalog`: tables and lists of any kind, remote catalogs, selections, snapshots."""

__all__ = []
