"""Readers of the formats of catalogs: each gives the wanted columns as they are in the file.

A reader fills in the header and the units of its `Source` and yields (name, values, missing): an array of any
type, and a mask of the rows without a value or None. It raises whatever its library raises.
"""

import gzip
import re
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from vo_lib.catalog_text import read_csv, read_ecsv, yaml_header, yaml_units
from vo_lib.errors import CatalogError

__all__ = ["READERS", "Source"]

_BLOCK_BYTES = 1 << 25
_META = "__table_column_meta__"


@dataclass
class Source:
    """What a reader is asked for, and what it finds out.

    Parameters
    ----------
    path : Path
        The file.
    packed : bool
        Whether it is packed by gzip.
    wanted : dict of str to str
        Name in the file of each wanted column by its name here.
    texts : set of str
        Columns that are text whatever they hold.
    others : bool
        Whether all other columns are wanted too, by their names in the file.
    header : list of str
        Names of all columns of the file; the reader fills it in.
    units : dict of str to str
        Units of columns by their name in the file, where it says; the reader fills it in.
    """

    path: Path
    packed: bool
    wanted: dict
    texts: set
    others: bool = False
    header: list = field(default_factory=list)
    units: dict = field(default_factory=dict)

    def open(self):
        """Open the file for its bytes, unpacked."""
        return gzip.open(self.path) if self.packed else open(self.path, "rb")

    def find(self, header):
        """Keep the header and give the place in it of each wanted column that is there."""
        self.header = list(header)
        if self.others:
            self.wanted = {column: column for column in (*self.wanted.values(), *self.header)}
        for column in self.wanted.values():
            if (n_columns := self.header.count(column)) > 1:
                raise CatalogError(f"{self.path}: has {n_columns} columns '{column}'; rename all but one")
        return {name: self.header.index(column) for name, column in self.wanted.items() if column in self.header}

    def mask_of(self, column):
        """Give the column in which astropy keeps the mask of another where a format has no masks, None without one."""
        mask = f"{column}.mask"
        return mask if mask in self.header else None

    def needed(self, where):
        """Give the columns of the file that those of `find` are made of, each once: themselves and their masks."""
        columns = [self.wanted[name] for name in where]
        return list(dict.fromkeys(filter(None, [*columns, *map(self.mask_of, columns)])))


def _read_fits(source):
    """Columns of the first table of a FITS file."""
    from astropy.io import fits

    with fits.open(source.path, memmap=False) as hdus:
        hdu = next((hdu for hdu in hdus if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))), None)
        if hdu is None:
            raise CatalogError(f"{source.path}: is FITS without a table")
        columns = {name: hdu.columns[place] for name, place in source.find(hdu.columns.names).items()}
        source.units = {column.name: column.unit for column in hdu.columns if column.unit}
        if isinstance(hdu, fits.TableHDU):
            return [(name, hdu.data[column.name], None) for name, column in columns.items()]
        raw = _fits_rows(source, hdu, columns)
    return ((name, *_fits_column(column, raw.pop(name))) for name, column in columns.items())


def _fits_rows(source, hdu, columns):
    """Wanted columns of a binary table as they are stored, from one pass over the file."""
    width, n_rows, layout = hdu.header["NAXIS1"], hdu.header["NAXIS2"], hdu.columns.dtype
    fields = [layout.fields[column.name][:2] for column in columns.values()]
    formats = [kind.newbyteorder(">") for kind, _ in fields]
    offsets = [offset for _, offset in fields]
    dtype = np.dtype({"names": list(columns), "formats": formats, "offsets": offsets, "itemsize": width})
    raw = {name: np.empty(n_rows, dtype[name].newbyteorder("=")) for name in columns}
    step = max(_BLOCK_BYTES // max(width, 1), 1)
    with source.open() as file:
        file.seek(hdu.fileinfo()["datLoc"])
        for start in range(0, n_rows, step):
            size = min(step, n_rows - start)
            data = file.read(size * width)
            if len(data) < size * width:
                raise CatalogError(
                    f"{source.path}: is cut short, not all of its {n_rows} rows are there; copy it again"
                )
            rows = np.frombuffer(data, dtype)
            for name, values in raw.items():
                values[start : start + size] = rows[name]
    return raw


def _fits_column(column, raw):
    """Values of a column with its scale and zero applied, whole numbers exactly, and a mask of its nulls."""
    if column.format.endswith("L"):
        codes = raw.view(np.uint8)
        return codes == ord("T"), (codes != ord("T")) & (codes != ord("F"))
    missing = raw == column.null if raw.dtype.kind in "iu" and isinstance(column.null, int) else None
    scale, zero = column.bscale or 1, column.bzero or 0
    if raw.dtype.kind not in "iuf" or (scale, zero) == (1, 0):
        return raw, missing
    if raw.dtype.kind == "f" or scale != 1 or not float(zero).is_integer():
        return raw * float(scale) + float(zero), missing
    if zero == 2**63:
        return raw.astype(np.int64).view(np.uint64) ^ np.uint64(2**63), missing
    return raw.astype(np.int64) + int(zero), missing


def _read_votable(source):
    """Columns of the first table of a VOTable."""
    from astropy.io.votable.table import parse

    if not _ends_with_tag(source):
        raise CatalogError(f"{source.path}: is cut short, its last tag is missing; copy it again")
    fields = _votable_fields(source)
    where = source.find([attributes.get("name") or attributes.get("ID", "") for attributes in fields])
    source.units = {
        name: attributes["unit"]
        for name, attributes in zip(source.header, fields, strict=True)
        if attributes.get("unit")
    }
    if not where:
        return
    places = sorted(set(where.values()))
    table = parse(str(source.path), columns=places, table_number=0, verify="ignore").get_first_table().array
    for name, place in where.items():
        values = table[table.dtype.names[places.index(place)]]
        yield name, values.data, np.ma.getmaskarray(values)


def _votable_fields(source):
    """Attributes of the fields of the first table."""
    from astropy.utils.xml.iterparser import get_xml_iterator

    fields = []
    with source.open() as file, get_xml_iterator(file) as events:
        for start, tag, attributes, _ in events:
            if start and tag == "FIELD":
                fields.append(dict(attributes))
            elif tag in ("DATA", "TABLE") and fields:
                break
    return fields


def _ends_with_tag(source):
    """Whether a VOTable is whole; the parser would take what there is of it for all."""
    end = b""
    with source.open() as file:
        while block := file.read(_BLOCK_BYTES):
            end = (end + block)[-1000:]
    return re.search(rb"</(\w+:)?VOTABLE\s*>", end) is not None


def _read_hdf5(source):
    """Columns of the table of an HDF5 file, a compound dataset or a group of datasets, with most wanted columns."""
    with h5py.File(source.path, "r", locking=False) as file:
        items = [file]
        file.visititems(lambda _, item: items.append(item))
        columns = set(source.wanted.values())
        item = max(items, key=lambda item: (len(columns & set(_hdf5_header(item))), len(_hdf5_header(item))))
        where = source.find(_hdf5_header(item))
        source.units = _hdf5_units(item)
        needed = source.needed(where)
        table = item if isinstance(item, h5py.Group) else item.fields(needed)[:] if needed else {}
        for name in where:
            column, mask = source.wanted[name], source.mask_of(source.wanted[name])
            yield name, table[column][:], table[mask][:].astype(bool) if mask else None


def _hdf5_header(item):
    """Names of columns of a compound dataset or of a group of datasets."""
    if isinstance(item, h5py.Group):
        return [name for name, part in item.items() if _is_hdf5_column(name, part)]
    return list(item.dtype.names or ()) if item.ndim == 1 else []


def _is_hdf5_column(name, item):
    """Whether a member of a group is a column."""
    return isinstance(item, h5py.Dataset) and item.ndim == 1 and item.dtype.names is None and _META not in name


def _hdf5_units(item):
    """Units that astropy keeps beside a dataset, or those in the attributes of the columns of a group."""
    if isinstance(item, h5py.Dataset):
        meta = item.file.get(f"{item.name}.{_META}")
        return {} if meta is None else yaml_units(yaml_header([line.decode() for line in meta[:].tolist()]))
    attributes = {name: item[name].attrs for name in _hdf5_header(item)}
    units = {name: attribute.get("unit", attribute.get("units", "")) for name, attribute in attributes.items()}
    return {name: unit.decode() if isinstance(unit, bytes) else str(unit) for name, unit in units.items()}


def _read_parquet(source):
    """Columns of a parquet file."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise CatalogError(
            f"{source.path}: reading parquet needs pyarrow; install it with: pip install 'vo-lib[parquet]'"
        ) from None

    with parquet.ParquetFile(source.path) as file:
        schema = file.schema_arrow
        where = source.find(schema.names)
        source.units = _parquet_units(schema)
        table = file.read(columns=source.needed(where))
    for name in where:
        column, mask = table[source.wanted[name]], source.mask_of(source.wanted[name])
        missing = column.is_null().to_numpy()
        if mask:
            missing = missing | table[mask].to_numpy().astype(bool)
        if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
            yield name, column.fill_null(pa.scalar(0).cast(column.type)).to_numpy(), missing
        elif pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
            yield name, column.cast("float64").to_numpy(), missing
        elif pa.types.is_nested(column.type):
            yield name, np.empty((len(column), 0)), None
        else:
            yield name, column.cast("string").fill_null("").to_numpy(), missing


def _parquet_units(schema):
    """Units that astropy keeps in the metadata, or those in the metadata of each column."""
    metadata = schema.metadata or {}
    if text := metadata.get(b"table_meta_yaml"):
        return yaml_units(yaml_header(text.decode().splitlines()))
    return {column.name: unit.decode() for column in schema if (unit := (column.metadata or {}).get(b"unit"))}


READERS = {
    "CSV": read_csv,
    "ECSV": read_ecsv,
    "FITS": _read_fits,
    "HDF5": _read_hdf5,
    "VOTable": _read_votable,
    "parquet": _read_parquet,
}
