"""The PostgreSQL mirror of the products; importing it neither connects nor loads SQLAlchemy.

``models`` defines the tables, ``server`` finds or starts PostgreSQL, ``session`` connects to it, and ``sync`` fills it
from the files, from which everything can be recreated at any time.
"""

__all__ = []
