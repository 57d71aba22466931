"""Tables written in all formats that are read."""

import gzip

import numpy as np
import pytest

__all__ = ["FORMATS", "write"]

FORMATS = ["csv", "csv.gz", "ecsv", "fits", "fits.gz", "tabledata", "binary2", "votable.gz", "hdf5", "parquet"]


def write(table, folder, kind, target="catalog.txt"):
    """Write a table in one of the formats, under a name that does not tell which."""
    name, _, packed = kind.partition(".")
    plain = folder / f"{name}.plain"
    if name == "csv":
        table.write(plain, format="ascii.csv")
    elif name == "ecsv":
        table.write(plain, format="ascii.ecsv")
    elif name == "hdf5":
        table.write(plain, format="hdf5", path="catalogs/mine", serialize_meta=True)
    elif name == "parquet":
        pytest.importorskip("pyarrow")
        write_parquet(table, plain)
    elif name == "fits":
        table.write(plain, format="fits")
    else:
        table.write(plain, format="votable", tabledata_format="tabledata" if name == "votable" else name)
    target = folder / target
    target.write_bytes(gzip.compress(plain.read_bytes()) if packed else plain.read_bytes())
    plain.unlink()
    return target


def write_parquet(table, path):
    """Parquet with nulls, and units in the metadata of the columns."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {np.dtype("f4"): pa.float32()}
    arrays = [pa.array(np.ma.asarray(column).tolist(), kinds.get(column.dtype)) for column in table.itercols()]
    fields = [
        pa.field(column.name, array.type, metadata={"unit": str(column.unit)} if column.unit else None)
        for column, array in zip(table.itercols(), arrays, strict=True)
    ]
    parquet.write_table(pa.table(arrays, schema=pa.schema(fields)), path)
