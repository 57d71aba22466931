"""Upsert many rows at once, in three steps.

1. `encode` turns the tables of products into the binary format of COPY, perhaps in another thread.
2. `upsert` loads them by COPY into a staging table, and inserts or updates the rows of the table by one statement.
   Products refer to sources and lightcurves by name, so the statement joins the staged rows with the temporary tables
   of `PARENTS`, which have their ids.
3. `delete_others` deletes rows of the table that were not staged. The end of the transaction drops the staging table.
"""

import io
from functools import cache

import numpy as np
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from vo_lib.database.columns import natural_key
from vo_lib.errors import UserError

__all__ = ["copy_bytes", "delete_others", "encode", "upsert"]

# Foreign keys to rows of the same bin -> column of the products with the name of the row, temporary table with the ids,
# which `vo_lib.database.sync_group` makes, and its columns that identify a row -> columns of the products.
PARENTS = {
    "source_id": ("source", sa.table("bin_sources", sa.column("id"), sa.column("name")), {"name": "source"}),
    "lightcurve_id": (
        "lightcurve",
        sa.table("bin_lightcurves", sa.column("id"), sa.column("obs"), sa.column("key")),
        {"obs": "obs", "key": "lightcurve"},
    ),
}

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
    columns = list(_stage(model).columns)
    if missing := [column.name for column in columns for table in tables if column.name not in table]:
        raise UserError(
            f"no product has the column '{missing[0]}' of {model.__tablename__}; was it made by this workflow?"
        )
    return copy_bytes([(column.type, np.concatenate([table[column.name] for table in tables])) for column in columns])


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
    stage = _stage(model)
    stage.create(connection)
    with connection.connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {stage.name} FROM STDIN (FORMAT binary)", io.BytesIO(rows))
        cursor.execute(_upsert_sql(model))


def _filled(model):
    """List the columns of a table that a sync fills."""
    return [column for column in model.__table__.columns if not (column.identity or column.server_default)]


@cache
def _stage(model):
    """Return the staging table of a table, which has the names of parents in place of their ids."""
    columns = [
        sa.Column(PARENTS[column.name][0], sa.Text) if column.name in PARENTS else sa.Column(column.name, column.type)
        for column in _filled(model)
    ]
    name = f"staged_{model.__tablename__}"
    return sa.Table(name, sa.MetaData(), *columns, prefixes=["TEMPORARY"], postgresql_on_commit="DROP")


def _staged_rows(model, names):
    """Return the query for columns of the staged rows, with ids of parents; a row without its parent is left out."""
    stage = joined = _stage(model)
    found = dict(stage.columns)
    for name in [column.name for column in _filled(model) if column.name in PARENTS]:
        _, parent, named_by = PARENTS[name]
        same = [parent.columns[own] == stage.columns[staged] for own, staged in named_by.items()]
        joined, found[name] = joined.join(parent, sa.and_(*same)), parent.columns.id
    return sa.select(*(found[name] for name in names)).select_from(joined)


@cache
def _upsert_sql(model):
    """Return the SQL that inserts or updates the rows of a table from its staging table, in the order of COPY."""
    names, keys = [column.name for column in _filled(model)], natural_key(model)
    order = sa.literal_column(f"{_stage(model).name}.ctid")
    statement = postgresql.insert(model.__table__).from_select(names, _staged_rows(model, names).order_by(order))
    if values := [name for name in names if name not in keys]:
        old, new = ([columns[name] for name in values] for columns in (model.__table__.columns, statement.excluded))
        statement = statement.on_conflict_do_update(
            index_elements=keys,
            set_=dict(zip(values, new, strict=True)) | {"modified_at": sa.func.now()},
            where=sa.tuple_(*old).is_distinct_from(sa.tuple_(*new)),
        )
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    return str(statement.compile(dialect=postgresql.dialect()))


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
    keys = natural_key(model)
    kept = sa.tuple_(*(model.__table__.columns[name] for name in keys)).in_(_staged_rows(model, keys))
    gone = sa.delete(model).where(condition, ~kept)  # NOT IN is hashed, and no key is NULL
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
