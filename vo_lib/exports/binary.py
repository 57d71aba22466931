"""Write tables as FITS and parquet, bin by bin."""

import json

import numpy as np

from vo_lib.errors import UserError
from vo_lib.segments import run_starts, starts_from_mask
from vo_lib.tables import count_rows

__all__ = ["write_fits", "write_nested", "write_parquet"]

BLOCK = 2880  # bytes, FITS standard 4.0, section 3.1
# Columns with one value per lightcurve.
LIGHTCURVE = ("source", "obs", "filter", "lightcurve")


def write_fits(path, extract):
    """Write a FITS file with one binary table.

    The products are read twice: first for the number of rows and the widths of text, then for the rows.

    Parameters
    ----------
    path : str or Path
        File to write.
    extract : vo_lib.extract.Extract
        Data to write.
    """
    from astropy.io import fits

    kind, n_rows = _row_type(extract)
    header = _fits_header(extract, kind, n_rows)
    with open(path, "wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        file.write(header.tostring().encode("ascii"))
        for table in extract.tables():
            file.write(_fits_rows(table, kind).tobytes())
        file.write(b"\0" * (-file.tell() % BLOCK))


def _row_type(extract):
    """Return the type of a row, wide enough for all text, and the number of rows."""
    kinds, n_rows = {}, 0
    for table in extract.tables():
        n_rows += count_rows(table)
        for name, values in table.items():
            kind = np.strings.encode(values, "utf-8").dtype if values.dtype.kind == "U" else values.dtype
            kinds[name] = np.promote_types(kinds.get(name, kind), kind)
    big_endian = [(name, kinds[name].newbyteorder(">")) for name in extract.columns]
    return np.dtype(big_endian), n_rows


def _fits_rows(table, kind):
    """Convert the rows of a table to those of FITS."""
    rows = np.zeros(count_rows(table), kind)
    for name, values in table.items():
        rows[name] = np.strings.encode(values, "utf-8") if values.dtype.kind == "U" else values
    return rows


def _fits_header(extract, kind, n_rows):
    """Return the header of the table."""
    from astropy.io import fits

    header = fits.BinTableHDU(np.zeros(0, kind)).header
    header["NAXIS2"] = n_rows
    for number, (name, (unit, text)) in enumerate(extract.columns.items(), start=1):
        if unit:
            header[f"TUNIT{number}"] = unit
        header[f"TCOMM{number}"] = _ascii(text)
        if name == "bmjd_tdb" and extract.has_our_times:
            header[f"TCTYP{number}"], header[f"TRPOS{number}"] = "TDB", "BARYCENTER"
    # Raw epochs of some surveys only have times of another system, which a comment describes.
    if extract.has_our_times and any("mjd" in name.split("_") for name in extract.columns):
        header["TIMESYS"], header["TREFPOS"], header["TIMEUNIT"] = "UTC", "TOPOCENTER", "d"
    for name, text in extract.header.items():
        header["COMMENT"] = _ascii(f"{name}: {text}")
    return header


def _ascii(text):
    """Escape characters that a FITS header cannot contain."""
    return text.encode("ascii", errors="backslashreplace").decode()


def write_parquet(path, extract):
    """Write a parquet file with one row group per bin; see `write_fits` for the parameters."""
    _write_parquet(path, extract, _flat_batch)


def write_nested(path, extract):
    """Write a parquet file with one row per lightcurve, whose epochs are lists in the column ``lightcurve_data``.

    nested-pandas and lsdb read it as a nested frame; see `write_fits` for the parameters.
    """
    _write_parquet(path, extract, _nested_batch)


def _write_parquet(path, extract, batch_of):
    """Write a parquet file with one row group per table."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise UserError(
            f"{path}: writing parquet needs pyarrow; install it with: pip install 'vo-lib[parquet]'"
        ) from None
    schema = batch_of(arrow, next(iter(extract.tables())), extract).schema
    schema = schema.with_metadata({"header": json.dumps(extract.header, ensure_ascii=False)})
    with parquet.ParquetWriter(path, schema) as writer:
        for table in extract.tables():
            writer.write_batch(batch_of(arrow, table, extract))


def _field(arrow, name, kind, extract):
    """Return the field of a schema for a column, with unit and description."""
    unit, text = extract.columns[name]
    return arrow.field(name, kind, metadata={"unit": unit, "description": text})


def _flat_batch(arrow, table, extract):
    """Convert a table to a record batch, row by row."""
    arrays = {name: arrow.array(values) for name, values in table.items()}
    fields = [_field(arrow, name, values.type, extract) for name, values in arrays.items()]
    return arrow.record_batch(list(arrays.values()), schema=arrow.schema(fields))


def _nested_batch(arrow, table, extract):
    """Convert a table to a record batch with one row per lightcurve, which has lists of its epochs."""
    starts = starts_from_mask(run_starts(table["obs"], table["lightcurve"]))
    offsets = arrow.array(starts.astype(np.int32))
    epochs = [name for name in table if name not in LIGHTCURVE]
    lists = [arrow.ListArray.from_arrays(offsets, arrow.array(table[name])) for name in epochs]
    fields = [_field(arrow, name, values.type, extract) for name, values in zip(epochs, lists, strict=True)]
    labels = [arrow.array(table[name][starts[:-1]].astype(str)) for name in LIGHTCURVE]
    nested = arrow.StructArray.from_arrays(lists, fields=fields)
    heads = [_field(arrow, name, arrow.string(), extract) for name in LIGHTCURVE]
    schema = arrow.schema([*heads, arrow.field("lightcurve_data", nested.type)])
    return arrow.record_batch([*labels, nested], schema=schema)
