"""Put many rows into a table at once: COPY into a staging table, then one statement."""

import io
from functools import cache

import numpy as np
import sqlalchemy as sa

from vo_lib.database.columns import natural_key
from vo_lib.errors import UserError

__all__ = ["copy_bytes", "delete_others", "upsert"]

STAGE = "CREATE TEMP TABLE IF NOT EXISTS {stage} ON COMMIT DELETE ROWS AS SELECT {columns} FROM {table} WITH NO DATA"
COPY = "COPY {stage} ({columns}) FROM STDIN (FORMAT binary)"
INSERT = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ON CONFLICT ({keys}) DO NOTHING"
UPSERT = (
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ON CONFLICT ({keys}) DO UPDATE "
    "SET ({values}, modified_at) = ROW({new}, now()) WHERE ({old}) IS DISTINCT FROM ({new})"
)

# First and last bytes of what COPY reads, see "Binary Format" under COPY in the manual of PostgreSQL.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

BLOCK = 10_000  # rows that are put together at a time


def upsert(connection, model, table):
    """Put rows into a table; those whose natural key is there change the row where a value differs.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction; the rows stay staged until its end, for `delete_others`.
    model : type
        Class of the table; once in a transaction.
    table : dict of str to ndarray, each of shape (n_rows,)
        All columns that the database does not fill in itself; others are left alone. NaN
        becomes NULL, and so does None in an array of objects; JSON comes as text.
    """
    columns, stage, copy, insert = _statements(model)
    if missing := [column.name for column in columns if column.name not in table]:
        raise UserError(
            f"no product has the column '{missing[0]}' of {model.__tablename__}; was it made by this workflow?"
        )
    rows = copy_bytes([(column.type, table[column.name]) for column in columns])
    with connection.connection.cursor() as cursor:
        cursor.execute(stage)
        cursor.copy_expert(copy, io.BytesIO(rows))
        cursor.execute(insert)


@cache
def _statements(model):
    """Columns that a sync fills, and how they are staged, copied and inserted."""
    columns = [column for column in model.__table__.columns if not (column.identity or column.server_default)]
    keys = natural_key(model)
    values = [column.name for column in columns if column.name not in keys]
    names = {
        "table": model.__tablename__,
        "stage": f"staged_{model.__tablename__}",
        "columns": _listed([column.name for column in columns]),
        "keys": _listed(keys),
        "values": _listed(values),
        "new": _listed(values, "excluded."),
        "old": _listed(values, f"{model.__tablename__}."),
    }
    return columns, *(text.format(**names) for text in (STAGE, COPY, UPSERT if values else INSERT))


def _listed(names, table=""):
    """Comma-separated identifiers."""
    return ", ".join(f'{table}"{name}"' for name in names)


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


def copy_bytes(columns):
    """Rows in the binary format of COPY.

    Parameters
    ----------
    columns : list of (sqlalchemy.types.TypeEngine, ndarray of shape (n_rows,))
        Type and values of each column.

    Returns
    -------
    bytes
        Each field is its length and its bytes, big end first; that of NULL is -1.
    """
    n_rows = len(columns[0][1])
    blocks = [slice(start, start + BLOCK) for start in range(0, n_rows, BLOCK)]
    return (
        HEADER + b"".join([_row_bytes([(kind, cells[block]) for kind, cells in columns]) for block in blocks]) + TRAILER
    )


def _row_bytes(columns):
    """Rows of a few columns, see `copy_bytes`, each after the number of its fields."""
    n_rows = len(columns[0][1])
    fields = [(_bytes_of(np.full(n_rows, len(columns)), ">i2"), np.ones((n_rows, 2), bool))]
    for kind, values in columns:
        content, lengths, null = _content(kind, values)
        fields.append((_bytes_of(np.where(null, -1, lengths), ">i4"), np.ones((n_rows, 4), bool)))
        fields.append((content, np.arange(content.shape[1]) < np.where(null, 0, lengths)[:, None]))
    used = np.concatenate([mask for _, mask in fields], axis=1)
    return np.concatenate([content for content, _ in fields], axis=1)[used].tobytes()


def _content(kind, values):
    """Bytes of the values of a column, shape (n_rows, longest), how many of them count, and which are NULL."""
    null = np.zeros(len(values), bool)
    if values.dtype.kind == "O":
        null = np.array([value is None for value in values.tolist()], bool)
        values = np.where(null, 0 if isinstance(kind, sa.BigInteger) else "", values)
    if isinstance(kind, sa.Double):
        values, null = values.astype(">f8"), null | np.isnan(values.astype(float))
    elif isinstance(kind, sa.BigInteger):
        values = values.astype(">i8")
    elif isinstance(kind, sa.Boolean):
        values = values.astype(bool)
    else:
        values = _encoded(values.astype(str))
        lengths = np.char.str_len(values)
        if isinstance(kind, sa.JSON):  # its first byte is the version of the format
            values, lengths = np.char.add(b"\x01", values), lengths + 1
        return _bytes_of(values, values.dtype), lengths, null
    return _bytes_of(values, values.dtype), np.full(len(values), values.dtype.itemsize), null


def _encoded(texts):
    """Texts in UTF-8; the quick way for those of ASCII."""
    try:
        return texts.astype("S")
    except UnicodeEncodeError:
        return np.char.encode(texts, "utf-8")


def _bytes_of(values, dtype):
    """Bytes of each value, shape (n_rows, size of a value)."""
    values = np.ascontiguousarray(values, dtype)
    return values.view(np.uint8).reshape(len(values), values.dtype.itemsize)
