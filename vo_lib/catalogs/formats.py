"""Readers of the catalog formats; each returns the wanted columns as they are in the file.

A reader sets the header and the units of its `Source` and yields tuples (name, values, missing): the values as an array
of any type, and a mask of the rows without a value, or None. It may raise whatever its library raises.
"""

import h5py
import numpy as np

from vo_lib.catalogs.source import most_bytes
from vo_lib.catalogs.text import read_csv, read_ecsv, yaml_header, yaml_units
from vo_lib.catalogs.votable import embedded_units, read_votable
from vo_lib.downloads.foreign_check import find_problems
from vo_lib.downloads.foreign_frames import categories
from vo_lib.errors import CatalogError

__all__ = ["READERS"]

_BLOCK_BYTES = 1 << 25
_LEAST_CELL_BYTES = 8  # of a number, or of a pointer to text
_META = "__table_column_meta__"


def _read_fits(source):
    """Columns of a table of a FITS file."""
    from astropy.io import fits

    with source.open() as file, fits.open(file, memmap=False) as hdus:  # which leaves open a file that it cannot read
        tables = [hdu for hdu in hdus if isinstance(hdu, (fits.BinTableHDU, fits.TableHDU))]
        if not tables:
            raise CatalogError(f"{source.path}: is FITS without a table")
        hdu = tables[source.choose([(hdu.name, hdu.columns.names) for hdu in tables])]
        columns = {name: hdu.columns[place] for name, place in source.find(hdu.columns.names).items()}
        source.units = {column.name: column.unit for column in hdu.columns if column.unit}
        source.fk4 = set(hdu.columns.names) if _is_fk4(hdu.header) else set()
        if isinstance(hdu, fits.TableHDU):
            return [(name, *_ascii_column(hdu, column)) for name, column in columns.items()]
        raw = _fits_rows(source, hdu, columns)
    return ((name, *_fits_column(column, raw.pop(name))) for name, column in columns.items())


def _is_fk4(header):
    """Return whether a FITS header names FK4, the default before 1984 (Calabretta & Greisen 2002, A&A 395, 1077)."""
    system, equinox = header.get("RADESYS") or header.get("RADECSYS"), header.get("EQUINOX")
    return str(system).upper().startswith("FK4") if system else isinstance(equinox, (int, float)) and equinox < 1984


def _ascii_column(hdu, column):
    """Values of a column of an ASCII table, and a mask of its nulls, which are text and not numbers."""
    if column.null is None:
        return hdu.data[column.name], None
    cells = np.char.strip(hdu.data.view(np.ndarray)[column.name])
    return hdu.data[column.name], cells == str(column.null).strip().encode()


def _fits_rows(source, hdu, columns):
    """Wanted columns of a binary table as stored, read in one pass over the file."""
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
                    f"{source.path}: is truncated, not all of its {n_rows} rows are there; copy it again"
                )
            rows = np.frombuffer(data, dtype)
            for name, values in raw.items():
                values[start : start + size] = rows[name]
    return raw


def _fits_column(column, raw):
    """Values of a column, scaled in double precision, and a mask of its nulls; integers stay exact."""
    if column.format.endswith("L"):
        codes = raw.view(np.uint8)
        return codes == ord("T"), (codes != ord("T")) & (codes != ord("F"))
    missing = raw == column.null if raw.dtype.kind in "iu" and isinstance(column.null, int) else None
    scale, zero = column.bscale or 1, column.bzero or 0
    if raw.dtype.kind not in "iuf" or (scale, zero) == (1, 0):
        return raw, missing
    if raw.dtype.kind == "f" or scale != 1 or not float(zero).is_integer():
        return raw.astype(float) * float(scale) + float(zero), missing
    if zero == 2**63:
        return raw.astype(np.int64).view(np.uint64) ^ np.uint64(2**63), missing
    return raw.astype(np.int64) + int(zero), missing


def _read_hdf5(source):
    """Columns of a table of an HDF5 file: a compound dataset or a group of datasets."""
    if problem := find_problems([source.path]).get(str(source.path)):
        raise CatalogError(f"{source.path}: {problem}")
    with h5py.File(source.path, "r", locking=False) as file:
        items = [file]
        file.visititems(lambda _, item: items.append(item))
        items = [item for item in items if _hdf5_header(item)] or [file]
        item = items[source.choose([(item.name, _hdf5_header(item)) for item in items])]
        _check_frame(source, item)
        where = source.find(_hdf5_header(item))
        source.units = _hdf5_units(item)
        needed = source.needed(where)
        if isinstance(item, h5py.Group):
            _check_lengths(source, {column: len(item[column]) for column in needed})
        table = item if isinstance(item, h5py.Group) else item.fields(needed)[:] if needed else {}
        for name in where:
            column, mask = source.wanted[name], source.mask_of(source.wanted[name])
            yield name, table[column][:], table[mask][:].astype(bool) if mask else None


def _check_frame(source, item):
    """Raise CatalogError for part of a pandas DataFrame that does not have all its columns with their values."""
    if isinstance(item, h5py.Dataset) and "values_block_0" not in item.dtype.names:
        if of_categories := categories(item):
            raise CatalogError(
                f"{source.path}: has a categorical column of pandas, {of_categories[0]}; write it as text"
            )
        return
    while item.name != "/":
        if "pandas_type" in item.attrs:
            raise CatalogError(
                f"{source.path}: {item.name} is a frame of pandas that has no columns of its own in the file; write it "
                f"by to_parquet, to_csv or to_hdf(..., format='table', data_columns=True)"
            )
        item = item.parent


def _check_lengths(source, lengths):
    """Raise CatalogError unless all columns are as long as the first."""
    first = next(iter(lengths), None)
    if other := next((column for column, length in lengths.items() if length != lengths[first]), None):
        raise CatalogError(
            f"{source.path}: columns '{first}' and '{other}' have {lengths[first]} and {lengths[other]} rows; "
            f"make them the same length"
        )


def _hdf5_header(item):
    """Names of the columns of a compound dataset or of a group of datasets."""
    if isinstance(item, h5py.Group):
        return [name for name, part in item.items() if _is_hdf5_column(name, part)]
    return list(item.dtype.names or ()) if item.ndim == 1 else []


def _is_hdf5_column(name, item):
    """Return whether a member of a group is a column."""
    return isinstance(item, h5py.Dataset) and item.ndim == 1 and item.dtype.names is None and _META not in name


def _hdf5_units(item):
    """Units that astropy stores beside a dataset, or those in the attributes of the columns of a group."""
    if isinstance(item, h5py.Dataset):
        meta = item.file.get(f"{item.name}.{_META}")
        return {} if meta is None else yaml_units(yaml_header([line.decode() for line in meta[:].tolist()]))
    attributes = {name: item[name].attrs for name in _hdf5_header(item)}
    units = {name: attribute.get("unit", attribute.get("units", "")) for name, attribute in attributes.items()}
    return {name: unit.decode() if isinstance(unit, bytes) else str(unit) for name, unit in units.items()}


def _read_parquet(source):
    """Columns of a parquet file."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise CatalogError(
            f"{source.path}: reading parquet needs pyarrow; install it with: pip install 'vo-lib[parquet]'"
        ) from None

    with parquet.ParquetFile(source.path) as file:
        schema = file.schema_arrow
        where = source.find(schema.names)
        source.units = _parquet_units(source, schema)
        if file.metadata.num_rows * _LEAST_CELL_BYTES * len(where) > (most := most_bytes(source.path)):
            raise CatalogError(
                f"{source.path}: its columns unpack to more than {most:,} bytes, too large for a catalog; "
                f"write it without compression if it is one"
            )
        table = file.read(columns=source.needed(where))
    for name in where:
        column, mask = table[source.wanted[name]], source.mask_of(source.wanted[name])
        missing = column.is_null().to_numpy()
        if mask:
            missing = missing | table[mask].to_numpy().astype(bool)
        yield name, *_parquet_column(column, missing, as_text=name in source.texts)


def _parquet_column(column, missing, *, as_text):
    """Values of a column by its type, and the mask of its nulls; nested ones have an empty second axis and no mask."""
    import pyarrow as pa

    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        return column.fill_null(pa.scalar(0).cast(column.type)).to_numpy(), missing
    if pa.types.is_floating(column.type):
        return column.to_numpy(), missing
    if pa.types.is_decimal(column.type) and not as_text:
        return column.cast("float64").to_numpy(), missing
    if pa.types.is_nested(column.type):
        return np.empty((len(column), 0)), None
    return column.cast("string").fill_null("").to_numpy(), missing


def _parquet_units(source, schema):
    """Units that astropy or TOPCAT store in the metadata of the file, or those in the metadata of each column."""
    metadata = schema.metadata or {}
    if text := metadata.get(b"table_meta_yaml"):
        return yaml_units(yaml_header(text.decode().splitlines()))
    if text := metadata.get(b"IVOA.VOTable-Parquet.content"):
        return embedded_units(source, text)
    return {column.name: unit.decode() for column in schema if (unit := (column.metadata or {}).get(b"unit"))}


READERS = {
    "CSV": read_csv,
    "ECSV": read_ecsv,
    "FITS": _read_fits,
    "HDF5": _read_hdf5,
    "VOTable": read_votable,
    "parquet": _read_parquet,
}
