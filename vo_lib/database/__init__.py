"""The mirror of the products in PostgreSQL; importing it connects to nothing and loads no SQLAlchemy.

``models`` are the tables, ``server`` finds or starts PostgreSQL, ``session`` opens it and
``sync`` fills it from the files, from which all of it can be made again at any time.
"""

__all__ = []
