"""Parse survey answers in parquet with declared types, or reject them with the reason."""

import json

import numpy as np

from vo_lib.errors import ConfigError, ServiceError
from vo_lib.observatories.answer_text import check_body, shorten
from vo_lib.observatories.answers import as_bytes
from vo_lib.observatories.ranges import Part
from vo_lib.tables import encode_table

__all__ = ["check_pyarrow", "read_parquet_answer"]

_MAGIC = b"PAR1"
_VALUE_BYTES = 8  # of a value in memory, at least during the conversion


def check_pyarrow(survey):
    """Raise `ConfigError` unless pyarrow, which reads parquet, is installed.

    Parameters
    ----------
    survey : str
        Name of the survey, for the message.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ConfigError(
            f"{survey}: its answers are parquet, which needs pyarrow; install it with: pip install 'vo-lib[parquet]'"
        ) from None


def read_parquet_answer(body, columns):
    """Parse a survey's answer in parquet into a structured array.

    Parameters
    ----------
    body : bytes
        Body of the answer.
    columns : dict of str to tuple
        Type, unit and description of each required column; types are ``i8``, ``f8`` and ``S`` with a
        width, which grows if a text is longer.

    Returns
    -------
    ndarray, shape (n_rows,)
        Columns in the order of the answer. Undeclared columns are included, as int64, float64 or text,
        or as JSON if they hold lists and the like. Zero rows for an empty table. A missing float
        becomes NaN, a missing text becomes empty.

    Raises
    ------
    ServiceError
        If the body is empty, a web page, in another format, truncated or too large when decompressed, lacks a column,
        or has a column of the wrong type. None of these means "no data".

    Notes
    -----
    Integers are never read as floats, and floats are rejected where integers are declared: either would
    corrupt 64-bit identifiers.
    """
    table = _read_table(body)
    names = table.column_names
    if len(set(names)) < len(names):
        raise ServiceError(f"the answer has columns of the same name: {shorten(', '.join(names))}")
    if missing := [name for name in columns if name not in names]:
        raise ServiceError(
            f"the answer has no column '{missing[0]}' (it has {shorten(', '.join(names)) or 'none'}); "
            f"the survey may have changed its format"
        )
    arrays = {
        name: _read_column(name, table[name], np.dtype(columns[name][0]) if name in columns else None) for name in names
    }
    return encode_table(arrays)


def _read_table(body):
    """Arrow table of a complete body."""
    import pyarrow as pa
    from pyarrow import parquet

    if not body.startswith(_MAGIC):
        text = body.decode(errors="replace")
        check_body(text)
        raise ServiceError(f"the answer is not parquet but {shorten(text)!r}")
    try:
        with parquet.ParquetFile(pa.BufferReader(body)) as file:
            _check_size(file.metadata)
            return file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ServiceError(f"the answer is parquet that is cut off or damaged ({shorten(str(error))})") from None


def _check_size(metadata):
    """Raise for a table too large for an answer: a few bytes can encode any number of equal rows."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    n_values = sum(group.column(number).num_values for group in groups for number in range(group.num_columns))
    if max(n_values * _VALUE_BYTES, sum(group.total_byte_size for group in groups)) > Part.max_bytes:
        raise ServiceError(f"the answer has more than {Part.max_bytes:,} bytes when unpacked and is rejected")


def _read_column(name, column, dtype):
    """Column of the declared type, or of its own type if none is declared."""
    try:
        return _read_other(column) if dtype is None else _read_declared(name, column, dtype)
    except UnicodeDecodeError:
        raise ServiceError(f"the answer has text in {name} that is not UTF-8") from None


def _read_declared(name, column, dtype):
    """Column of a declared type."""
    import pyarrow as pa

    try:
        if dtype.kind == "S":
            return as_bytes(column.cast("string").fill_null("").to_pylist(), dtype.itemsize)
        if dtype.kind == "f":
            return column.cast("float64").to_numpy()
        if column.null_count or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
            raise ServiceError(
                f"the answer has {column.null_count} missing values and the type {column.type} for {name}, "
                f"which must be whole numbers without missing values"
            )
        return column.cast("int64").to_numpy()
    except pa.ArrowException as error:
        raise ServiceError(f"the answer has the wrong type {column.type} for {name} ({shorten(str(error))})") from None


def _read_other(column):
    """Undeclared column: as integers, floats or text, the first that holds all values."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        return column.cast("float64").to_numpy()
    try:
        if pa.types.is_integer(column.type) and not column.null_count:
            return column.cast("int64").to_numpy()
    except pa.ArrowInvalid:
        # An integer too long for int64 must not become a float.
        pass
    try:
        return as_bytes(column.cast("string").fill_null("").to_pylist())
    except pa.ArrowNotImplementedError:
        return as_bytes([json.dumps(value, default=str) for value in column.to_pylist()])
