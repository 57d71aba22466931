"""Catalogs made by user classes (`vo_lib.source_list.SourceList`), stored as files like fetched catalogs."""

from pathlib import Path

import numpy as np

from vo_lib.catalog import read_catalog
from vo_lib.catalogs.columns import UNITS
from vo_lib.catalogs.remote import reading_options, write_description
from vo_lib.catalogs.units import unit_factor
from vo_lib.catalogs.values import as_numbers
from vo_lib.contracts import call, refuse, said, shown
from vo_lib.errors import CatalogError
from vo_lib.files import replacing
from vo_lib.hdf5 import Writer
from vo_lib.stages import make_stage
from vo_lib.tables import count_rows

__all__ = ["make_catalog"]


def make_catalog(spec, target, *, columns=None, min_rows=None):
    """Make the catalog of a class, check it, and store it with a description beside it.

    Parameters
    ----------
    spec : dict
        Specification of kind ``class``, see `vo_lib.catalogs.remote.RemoteCatalog`.
    target : str or Path
        HDF5 file to write.
    columns : dict of str to str, optional
        Name in its rows of each column of `vo_lib.catalogs.columns.COLUMNS` whose name differs.
    min_rows : int, optional
        Minimum number of rows to accept.

    Returns
    -------
    dict
        The description, see `vo_lib.catalogs.remote.write_description`; its ``url`` is the class.

    Raises
    ------
    PluginError, CatalogError
        If the class does not return a valid catalog.
    """
    plugin, target = make_stage("catalog", {name: spec[name] for name in ("class", "kwargs")}), Path(target)
    table = _as_table(plugin, call(plugin, "rows"))
    n_rows = count_rows(table)
    if n_rows < (min_rows or 1):
        refuse(plugin, "rows", f"at least {min_rows or 1} rows (catalog.min_rows)", str(n_rows))
    with replacing(target) as part:
        with Writer(part) as writer:
            writer.write_table("sources", table)
        try:
            read_catalog(part, **reading_options(list(table), spec, columns))
        except CatalogError as error:
            raise CatalogError(str(error).replace(str(part), said(plugin, "rows"))) from None
    return write_description(target, spec, url=spec["class"], rows=n_rows, columns=list(table))


def _as_table(plugin, rows):
    """Columns of equal length from the return value of a class."""
    if hasattr(rows, "columns") and hasattr(rows, "to_numpy"):
        rows = {str(name): rows[name].to_numpy() for name in rows.columns}
    elif hasattr(rows, "colnames"):
        rows = {name: rows[name] for name in rows.colnames}
    elif isinstance(rows, list | tuple) and all(isinstance(row, dict) for row in rows):
        rows = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    if not isinstance(rows, dict) or not rows:
        refuse(plugin, "rows", "a table, a dict of columns or a list of dicts with sources", shown(rows))
    table = {name: _as_column(plugin, name, values) for name, values in rows.items()}
    first, *others = table
    for name in others:
        if len(table[name]) != len(table[first]):
            refuse(plugin, "rows", f"columns of {len(table[first])} values, as {first} has", shown(table[name]))
    return table


def _as_column(plugin, name, values):
    """Numbers in the unit of the column, NaN where missing, or text."""
    factor = _factor(plugin, name, getattr(values, "unit", None))
    mask = np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else False
    values = np.asarray(values, dtype=None if isinstance(values, np.ndarray) else object)
    if np.any(mask) or values.dtype.kind == "S":
        values = np.where(mask, None, values.astype(object))
    if values.dtype.kind == "O" and values.ndim == 1:
        cells = [cell.decode() if isinstance(cell, bytes) else cell for cell in values.tolist()]
        cells = [None if _is_absent(cell) else cell for cell in cells]
        is_text = any(isinstance(cell, str) for cell in cells)
        absent = "" if is_text else np.nan
        cells = [absent if cell is None else str(cell) if is_text else cell for cell in cells]
        values = np.array(cells, dtype=str if is_text else None)
    if values.dtype.kind not in "fiubU" or values.ndim != 1:
        refuse(plugin, "rows", f"numbers or text as column {name}", shown(values))
    values = values if factor == 1 else as_numbers(values)
    return values if factor == 1 or values.dtype.kind == "U" else values * factor


def _is_absent(cell):
    """Return whether a cell is None, NaN, or NA of pandas, whose comparison with itself has no truth value."""
    try:
        return cell is None or bool(cell != cell)
    except TypeError:
        return True


def _factor(plugin, name, unit):
    """Factor from an astropy unit to the unit of a column of the catalog; 1 without a unit."""
    if unit is None or not str(unit):
        return 1
    wanted = UNITS.get(name)
    try:
        factor = unit_factor(str(unit), wanted) if wanted else None
    except ValueError:
        factor = None
    if factor is None:
        refuse(plugin, "rows", f"{f'numbers in {wanted}' if wanted else 'plain numbers'} as column {name}", str(unit))
    return factor
