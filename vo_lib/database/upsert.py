"""Put many rows into a table at once: COPY into a staging table, then one statement."""

import io

import sqlalchemy as sa
from psycopg2.sql import SQL, Identifier

from vo_lib.database.columns import natural_key
from vo_lib.errors import UserError

__all__ = ["delete_others", "upsert"]

STAGE = "CREATE TEMP TABLE {stage} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA"
COPY = "COPY {stage} ({columns}) FROM STDIN"
UPSERT = (
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ON CONFLICT ({keys}) DO UPDATE "
    "SET ({values}, modified_at) = ROW({new}, now()) WHERE ({old}) IS DISTINCT FROM ({new})"
)
INSERT = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ON CONFLICT ({keys}) DO NOTHING"
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def upsert(connection, model, table):
    """Put rows into a table; those whose natural key is there change the row where a value differs.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction; the rows stay staged until its end, for `delete_others`.
    model : type
        Class of the table.
    table : dict of str to ndarray, each of shape (n_rows,)
        All columns that the database does not fill in itself; others are left alone. NaN
        becomes NULL, and so does None in an array of objects; JSON comes as text.
    """
    columns = [column.name for column in model.__table__.columns if not (column.identity or column.server_default)]
    if missing := [name for name in columns if name not in table]:
        raise UserError(
            f"no product has the column '{missing[0]}' of {model.__tablename__}; was it made by this workflow?"
        )
    keys = natural_key(model)
    values = [name for name in columns if name not in keys]
    names = {
        "table": Identifier(model.__tablename__),
        "stage": Identifier(f"staged_{model.__tablename__}"),
        "columns": _listed(columns),
        "keys": _listed(keys),
        "values": _listed(values),
        "new": _listed(values, "excluded"),
        "old": _listed(values, model.__tablename__),
    }
    with connection.connection.cursor() as cursor:
        cursor.execute(SQL(STAGE).format(**names))
        cursor.copy_expert(SQL(COPY).format(**names), io.StringIO(_copy_text(table, columns)))
        cursor.execute(SQL(UPSERT if values else INSERT).format(**names))


def delete_others(connection, model, condition, *, returning=None):
    """Delete the rows of a table that fulfil a condition but were not staged by `upsert` in this transaction.

    Parameters
    ----------
    connection, model
        See `upsert`.
    condition : sqlalchemy.ColumnElement
        Which rows may go.
    returning : sqlalchemy.ColumnElement, optional
        What is to be known of those that go; their number without it.

    Returns
    -------
    list
        That of each row that went.
    """
    stage = sa.table(f"staged_{model.__tablename__}", *map(sa.column, natural_key(model)))
    same = [getattr(model, name) == stage.c[name] for name in natural_key(model)]
    gone = sa.delete(model).where(condition, ~sa.exists().select_from(stage).where(*same))
    return list(connection.scalars(gone.returning(model.id if returning is None else returning)))


def _listed(names, table=None):
    """Comma-separated identifiers, of a table where one is named."""
    return SQL(", ").join(Identifier(name) if table is None else Identifier(table, name) for name in names)


def _copy_text(table, columns):
    """Rows in the text format of COPY."""
    cells = [_cells(table[name]) for name in columns]
    return "".join(["\t".join(row) + "\n" for row in zip(*cells, strict=True)])


def _cells(values):
    """Values as COPY wants them: NaN is NULL, text escaped, floats with all their digits."""
    if values.dtype.kind == "f":
        return [r"\N" if value != value else repr(value) for value in values.tolist()]
    if values.dtype.kind == "U":
        return [value.translate(ESCAPES) for value in values.tolist()]
    if values.dtype.kind == "O":
        return [r"\N" if value is None else str(value).translate(ESCAPES) for value in values.tolist()]
    return list(map(str, values.tolist()))
