"""Tables in HDF5 files of other programs, one per source.

Three layouts are supported: a compound dataset, a group of one-dimensional datasets of equal length, and a pandas
DataFrame (see `vo_lib.downloads.foreign_frames`); in addition, the raw archives of this project. Files are opened
read-only.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import h5py
import numpy as np
from h5py import h5t

from vo_lib import hdf5
from vo_lib.downloads.foreign_frames import read_frame
from vo_lib.errors import UserError
from vo_lib.tables import table_rows

__all__ = ["ARCHIVE", "ForeignTable", "find_tables", "open_foreign", "read_columns", "read_epochs"]

ARCHIVE, COMPOUND, COLUMNS, FRAME = "archive", "compound", "columns", "frame"
# Exceptions of h5py for files that are damaged or have content that it does not support.
DAMAGE = (KeyError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class ForeignTable:
    """Location and layout of a table in a file.

    Parameters
    ----------
    file : Path
        The file.
    key : str
        Path in the file without a leading slash; empty for the root group.
    layout : str
        ``archive``, ``compound``, ``columns`` or ``frame``.
    attributes : dict of str to str
        Its HDF5 attributes that are text or single integers.
    entry : dict
        Row of the index of a raw archive, with ``altdata``; empty for other layouts.
    double : str
        Key of another table that has columns of the same names: of the group of columns that holds this compound
        dataset, or of the compound dataset in this group; empty without one.
    """

    file: Path
    key: str
    layout: str
    attributes: dict = field(default_factory=dict)
    entry: dict = field(default_factory=dict)
    double: str = ""


def open_foreign(path):
    """Open an HDF5 file for reading; raise `UserError` if that fails."""
    try:
        return h5py.File(path, "r", locking=False)
    except OSError as error:
        raise UserError(f"not a readable HDF5 file ({error})") from None


def find_tables(file):
    """List the tables of an open file.

    Parameters
    ----------
    file : h5py.File
        The file.

    Returns
    -------
    list of ForeignTable
        In the order of keys; soft and external links are not followed. Empty without tables.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    path = Path(file.filename)
    try:
        if _is_archive(file):
            return [ForeignTable(path, entry["key"], ARCHIVE, entry=entry) for entry in _read_entries(file)]
        layouts = _find_layouts(file)
        doubles = _find_doubles(file, layouts)
        return [
            ForeignTable(path, key, layout, _attributes(file[key or "/"]), double=doubles.get(key, ""))
            for key, layout in layouts.items()
        ]
    except DAMAGE as error:
        raise UserError(f"cannot be read ({error})") from None


def _is_archive(file):
    """Return whether a file is a raw archive of this project."""
    index = file.get("index")
    names = set(index.dtype.names or ()) if isinstance(index, h5py.Dataset) else set()
    return names >= {"key", "name", "digest", "parameters"} and "metadata" in file


def _read_entries(file):
    """Rows of the index of a raw archive, each with its ``altdata``."""
    rows, metadata = table_rows(hdf5.read_table(file, "index")), file["metadata"].asstr()[:].tolist()
    return [row | {"altdata": json.loads(text)["altdata"]} for row, text in zip(rows, metadata, strict=True)]


def _find_layouts(file):
    """Layout of each table of a file by key; the parts of a DataFrame are not tables of their own."""
    layouts = {"": layout} if (layout := _layout(file)) else {}

    def visit(key, item):
        inside = any(layouts.get(str(parent)) == FRAME for parent in PurePosixPath(key).parents)
        if not inside and (layout := _layout(item)):
            layouts[key] = layout

    file.visititems(visit)
    return layouts


def _find_doubles(file, layouts):
    """Pairs of a group of columns and a compound dataset in it that share column names, by either key."""
    pairs = {}
    for key in (key for key, layout in layouts.items() if layout == COMPOUND):
        group = key.rpartition("/")[0]
        fields = file[key].id.get_type()
        names = [fields.get_member_name(number).decode() for number in range(fields.get_nmembers())]
        if layouts.get(group) == COLUMNS and any(_is_column(file[group or "/"].get(name)) for name in names):
            pairs |= {key: group or "/", group: key}
    return pairs


def _layout(item):
    """Layout of a table, None for anything else."""
    if isinstance(item, h5py.Dataset):
        return COMPOUND if _is_compound(item) else None
    if "pandas_type" in item.attrs:
        return FRAME
    return COLUMNS if isinstance(item, h5py.Group) and any(map(_is_column, item.values())) else None


def _is_compound(dataset):
    """Return whether a dataset has fields, even if numpy does not support its type."""
    return isinstance(dataset.id.get_type(), h5t.TypeCompoundID)


def _is_column(item):
    """Return whether a member of a group is a column."""
    return isinstance(item, h5py.Dataset) and item.ndim == 1 and not _is_compound(item)


def _attributes(item):
    """Attributes that can be names of sources, as text."""
    texts = {}
    for name in item.attrs:
        value = np.asarray(item.attrs[name])
        if value.size == 1 and value.dtype.kind in "SUOiu":
            one = value.reshape(-1)[0]
            texts[name] = one.decode(errors="replace") if isinstance(one, bytes) else str(one)
    return texts


def read_columns(file, table):
    """Read the columns of a table of an open file.

    Parameters
    ----------
    file : h5py.File
        The file.
    table : ForeignTable
        A table of this file.

    Returns
    -------
    columns : dict of str to ndarray, each of shape (n_rows,)
        Numbers, bytes or objects, in the order of the file.
    left_out : list of str
        Columns of other shapes.

    Raises
    ------
    UserError
        If the table cannot be read or its columns differ in length.
    """
    item = file[table.key or "/"]
    try:
        if table.layout == FRAME:
            columns = read_frame(item)
        elif table.layout == COLUMNS:
            columns = {name: part[:] for name, part in item.items() if _is_column(part)}
        else:
            rows = item[:]
            columns = {name: rows[name] for name in rows.dtype.names}
    except DAMAGE as error:
        raise UserError(f"cannot be read ({error})") from None
    flat = {name: values for name, values in columns.items() if values.ndim == 1}
    lengths = {len(values): name for name, values in flat.items()}
    if len(lengths) > 1:
        listed = " and ".join(f"'{name}' {length}" for length, name in sorted(lengths.items())[:2])
        raise UserError(f"has columns of different lengths: {listed}")
    return flat, [name for name in columns if name not in flat]


def read_epochs(file, key):
    """Return the epochs of a source, as sent, from an open raw archive of this project, as a structured array."""
    try:
        rows = file[key][:]
        # The types that h5py gives to text include its encoding, which is not part of the epochs.
        return rows.astype([(name, rows.dtype[name].str) for name in rows.dtype.names])
    except DAMAGE as error:
        raise UserError(f"cannot be read ({error})") from None
