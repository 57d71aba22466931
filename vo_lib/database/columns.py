"""Base class of the tables, and functions that declare their columns."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "Base",
    "choice",
    "count",
    "described",
    "flag",
    "natural_key",
    "number",
    "parent",
    "provenance",
    "real",
    "text",
]

# Predictable names of constraints and indexes, so that migrations can refer to them.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base class of all tables, with naming conventions and the times when a row was made and last changed."""

    metadata = sa.MetaData(naming_convention=NAMES)

    created_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now(), comment="when the row was made", sort_order=98
    )
    modified_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), server_default=sa.func.now(), comment="when a value last changed", sort_order=99
    )

    def __repr__(self):
        """Show class and natural key."""
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in natural_key(self))})"


def natural_key(model):
    """Return the names of the columns that identify a row: the unique constraint, or else the primary key."""
    constraints = model.__table__.constraints
    unique = [key for key in constraints if isinstance(key, sa.UniqueConstraint)]
    return tuple((unique or [model.__table__.primary_key])[0].columns.keys())


def number():
    """Declare the primary key, an identity column."""
    return mapped_column(sa.BigInteger, sa.Identity(), primary_key=True, comment="number of the row")


def parent(table, comment, *, index=False, nullable=False):
    """Declare a foreign key to a parent row, whose deletion cascades to this one."""
    key = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return mapped_column(sa.BigInteger, key, nullable=nullable, index=index, comment=comment)


def provenance(comment="provenance of the product", *, index=False, nullable=False):
    """Declare a foreign key to a provenance."""
    return mapped_column(sa.Text, sa.ForeignKey("provenances.id"), nullable=nullable, index=index, comment=comment)


def text(comment):
    """Declare text of any length, never NULL but possibly empty."""
    return mapped_column(sa.Text, nullable=False, comment=comment)


def choice(name, values, comment):
    """Declare text that is one of a few words, checked by a constraint."""
    listed = ", ".join(f"'{value}'" for value in values)
    return mapped_column(
        sa.Text, sa.CheckConstraint(f"{name} IN ({listed})", name=name), nullable=False, comment=comment
    )


def count(comment):
    """Declare a 64-bit integer, never NULL."""
    return mapped_column(sa.BigInteger, nullable=False, comment=comment)


def flag(comment):
    """Declare a boolean, never NULL."""
    return mapped_column(sa.Boolean, nullable=False, comment=comment)


def real(comment):
    """Declare a double-precision number, NULL where undefined."""
    return mapped_column(sa.Double, nullable=True, comment=comment)


def described(registry, *, without=()):
    """Create a mixin class with a column for each column of a product's table.

    Parameters
    ----------
    registry : dict of str to tuple
        Type (``U...``, ``i8`` or ``f8``), unit and meaning of each column of the product.
    without : sequence of str, optional
        Columns to leave out, because the model declares them itself.

    Returns
    -------
    type
        Class with the columns in the order of the registry.
    """
    make = {"U": text, "i": count, "f": real}
    kept = {name: column for name, column in registry.items() if name not in without}
    made = {
        name: make[kind[0]](f"{meaning} [{unit}]" if unit else meaning) for name, (kind, unit, meaning) in kept.items()
    }
    return type("Described", (), made)
