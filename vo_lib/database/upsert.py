"""Upsert many rows at once: COPY into a staging table, then one statement."""

import io
from functools import cache

import numpy as np
import sqlalchemy as sa

from vo_lib.database.columns import natural_key
from vo_lib.errors import UserError

__all__ = ["copy_bytes", "delete_others", "encode", "upsert"]

# Foreign keys to rows of the same bin -> temporary table with their ids while a bin is stored, and its columns that
# identify a row -> columns of the products.
PARENTS = {
    "source_id": ("bin_sources", {"name": "source"}),
    "lightcurve_id": ("bin_lightcurves", {"obs": "obs", "key": "lightcurve"}),
}

STAGE = "CREATE TEMP TABLE {stage} ON COMMIT DROP AS SELECT {columns}{texts} FROM {table} WITH NO DATA"
COPY = "COPY {stage} ({columns}) FROM STDIN (FORMAT binary)"
INSERT = (
    "INSERT INTO {table} ({filled}) SELECT {selected} FROM {staged} ORDER BY s.ctid ON CONFLICT ({keys}) DO {action}"
)
UPDATE = "UPDATE SET ({values}, modified_at) = ROW({new}, now()) WHERE ({old}) IS DISTINCT FROM ({new})"
NOT_STAGED = "({kept_keys}) NOT IN (SELECT {staged_keys} FROM {staged})"  # no key is NULL

# First and last bytes of the binary format of COPY, see "Binary Format" under COPY in the manual of PostgreSQL.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

BLOCK = 10_000  # rows to encode at a time


def encode(model, *tables):
    """Encode the rows of a table for `upsert`; this may run in another thread.

    Parameters
    ----------
    model : type
        Class of the table.
    *tables : dict of str to ndarray, each of shape (n_rows,)
        The rows, in one or several parts, with all columns that the database does not fill in itself; others are
        ignored. NaN becomes NULL, and so does None in an array of objects; JSON is given as text. Source and lightcurve
        of a row are given by name, see `PARENTS`.

    Returns
    -------
    bytes
        Rows in the binary format of COPY, see `copy_bytes`.
    """
    columns = _staged_columns(model)
    if missing := [name for name in columns for table in tables if name not in table]:
        raise UserError(
            f"no product has the column '{missing[0]}' of {model.__tablename__}; was it made by this workflow?"
        )
    return copy_bytes([(kind, np.concatenate([table[name] for table in tables])) for name, kind in columns.items()])


def upsert(connection, model, rows):
    """Insert rows into a table, or update those with the same natural key if a value differs.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        In a transaction; the rows stay staged until its end, for `delete_others`.
    model : type
        Class of the table; call this only once per table and transaction.
    rows : bytes
        Rows from `encode`. A row whose source or lightcurve is not in the bin is left out, so check their number.
    """
    names = _names(model)
    action = UPDATE.format(**names) if names["values"] else "NOTHING"
    with connection.connection.cursor() as cursor:
        cursor.execute(STAGE.format(**names))
        cursor.copy_expert(COPY.format(stage=names["stage"], columns=_listed(_staged_columns(model))), io.BytesIO(rows))
        cursor.execute(INSERT.format(**names, action=action))


def _filled(model):
    """List the columns of a table that a sync fills."""
    return [column for column in model.__table__.columns if not (column.identity or column.server_default)]


@cache
def _staged_columns(model):
    """Return the types of the staged columns by name; parents are staged by the columns that identify them."""
    staged = {column.name: column.type for column in _filled(model) if column.name not in PARENTS}
    named_by = [by for column in _filled(model) for by in PARENTS.get(column.name, ("", {}))[1].values()]
    return staged | {name: sa.Text() for name in named_by if name not in staged}


@cache
def _names(model):
    """Return the parts of the statements that stage and upsert the rows of a table."""
    table, columns, keys = model.__tablename__, [column.name for column in _filled(model)], natural_key(model)
    own = [name for name in columns if name not in PARENTS]
    values = [name for name in columns if name not in keys]
    joins = [
        f"JOIN {parent} AS {name} ON "
        + " AND ".join(f'{name}."{column}" = s."{by}"' for column, by in named_by.items())
        for name, (parent, named_by) in PARENTS.items()
        if name in columns
    ]
    return {
        "table": table,
        "stage": f"staged_{table}",
        "staged": " ".join([f"staged_{table} AS s", *joins]),
        "columns": _listed(own),
        "filled": _listed(columns),
        "texts": "".join(f", ''::text AS {name}" for name in _staged_columns(model) if name not in own),
        "selected": ", ".join(map(_selected, columns)),
        "keys": _listed(keys),
        "staged_keys": ", ".join(map(_selected, keys)),
        "kept_keys": _listed(keys, f"{table}."),
        "values": _listed(values),
        "new": _listed(values, "excluded."),
        "old": _listed(values, f"{table}."),
    }


def _selected(name):
    """Return the expression for the value of a column: that of the staging table, or the id of the parent."""
    return f"{name}.id" if name in PARENTS else f's."{name}"'


def _listed(names, table=""):
    """Join quoted identifiers with commas."""
    return ", ".join(f'{table}"{name}"' for name in names)


def delete_others(connection, model, condition, *, returning=None):
    """Delete rows of a table that satisfy a condition but were not staged by `upsert` in this transaction.

    Parameters
    ----------
    connection, model
        See `upsert`.
    condition : sqlalchemy.ColumnElement
        Condition on the rows that may be deleted.
    returning : sqlalchemy.ColumnElement, optional
        What to return of each deleted row; by default its id.

    Returns
    -------
    list
        The value of `returning` for each deleted row.
    """
    gone = sa.delete(model).where(condition, sa.text(NOT_STAGED.format(**_names(model))))
    return list(connection.scalars(gone.returning(model.id if returning is None else returning)))


def copy_bytes(columns):
    """Encode rows in the binary format of COPY.

    Parameters
    ----------
    columns : list of (sqlalchemy.types.TypeEngine, ndarray of shape (n_rows,))
        Type and values of each column.

    Returns
    -------
    bytes
        Header, rows and trailer. A field is its length and its bytes, big-endian; the length of NULL is -1.
    """
    n_rows = len(columns[0][1])
    blocks = [slice(start, start + BLOCK) for start in range(0, n_rows, BLOCK)]
    return (
        HEADER + b"".join([_row_bytes([(kind, cells[block]) for kind, cells in columns]) for block in blocks]) + TRAILER
    )


def _row_bytes(columns):
    """Encode rows, each of which begins with its number of fields; see `copy_bytes`."""
    n_rows = len(columns[0][1])
    fields = [(_bytes_of(np.full(n_rows, len(columns)), ">i2"), np.ones((n_rows, 2), bool))]
    for kind, values in columns:
        content, lengths, null = _content(kind, values)
        fields.append((_bytes_of(np.where(null, -1, lengths), ">i4"), np.ones((n_rows, 4), bool)))
        fields.append((content, np.arange(content.shape[1]) < np.where(null, 0, lengths)[:, None]))
    used = np.concatenate([mask for _, mask in fields], axis=1)
    return np.concatenate([content for content, _ in fields], axis=1)[used].tobytes()


def _content(kind, values):
    """Return the bytes of a column, shape (n_rows, longest), their numbers in each row, and which rows are NULL."""
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
    """Encode text as UTF-8, with a fast path for ASCII."""
    try:
        return texts.astype("S")
    except UnicodeEncodeError:
        return np.char.encode(texts, "utf-8")


def _bytes_of(values, dtype):
    """Return the bytes of each value, shape (n_rows, size of a value)."""
    values = np.ascontiguousarray(values, dtype)
    return values.view(np.uint8).reshape(len(values), values.dtype.itemsize)
