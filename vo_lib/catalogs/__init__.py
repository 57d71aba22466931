"""Parts of `vo_lib.catalog`: readers of tables and lists, remote catalogs, selections and snapshots."""

__all__ = []
