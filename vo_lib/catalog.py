"""Read and check catalogs of sources from a file or a list, and select the wanted sources."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vo_lib.astrometry import EQUATORIAL, to_icrs
from vo_lib.bins import Bins
from vo_lib.catalogs.checks import check_values, code_mend, near_pairs, tell_odd_units
from vo_lib.catalogs.columns import COLUMNS, DEFAULT_EPOCH, MAG_OF, NEEDED, TEXTS, UNITS
from vo_lib.catalogs.files import columns_of_list, read_columns
from vo_lib.catalogs.names import unique_names
from vo_lib.catalogs.selection import select_rows
from vo_lib.catalogs.sexagesimal import CoordinateError, parse_dec, parse_ra
from vo_lib.catalogs.values import codes_of
from vo_lib.cuts import Cut, apply_cuts
from vo_lib.errors import CatalogError
from vo_lib.tables import take_rows

__all__ = ["Sources", "read_catalog", "read_sources"]

log = logging.getLogger("vo_lib")

_NO_SOURCES = "holds no sources; a catalog needs a header and at least one row"


@dataclass(frozen=True)
class Sources:
    """The sources of a catalog, and how many of its rows were left out or renamed.

    Parameters
    ----------
    table : dict of str to ndarray, each of shape (n_sources,)
        See `read_catalog`.
    left_out : dict of str to int
        Number of rows that ``select`` and each cut leave out; cuts are named by their text.
    renamed : int
        Number of rows whose name got a suffix because an earlier row has it too.
    """

    table: dict
    left_out: dict
    renamed: int


def read_catalog(catalog, columns=None, **options):
    """Read and check a catalog.

    Parameters
    ----------
    catalog : str, Path or sequence of dict
        A file: CSV, ECSV, FITS, VOTable, HDF5 or parquet, recognised by its content, see `vo_lib.catalogs.files`. Or
        the sources themselves: for each a dict of numbers or text by column name.
    columns : dict of str to str, optional
        Name in the catalog of each column of `vo_lib.catalogs.columns.COLUMNS`, if it differs.
    **options
        See `read_sources`.

    Returns
    -------
    dict of str to ndarray
        The columns of `COLUMNS`, with rows in the order of the catalog: coordinates [degrees, ICRS], proper
        motions [mas/yr, with cos(dec)], parallax [mas], epoch [Julian year], magnitudes; NaN or
        an empty string where there is no value. Coordinates in the catalog may be sexagesimal.

    Raises
    ------
    CatalogError
        If the file or a column is missing, a value is not a number, coordinates are missing or out of range, proper
        motions or magnitudes are impossible, an epoch is not a Julian year, a name is empty, not unique, too long, has
        control characters or is a rounded number, or cuts or the selection leave no source.
    """
    return read_sources(catalog, columns, **options).table


def read_sources(
    catalog,
    columns=None,
    *,
    mags=None,
    table=None,
    missing_values=None,
    frame="icrs",
    cuts=(),
    fill=None,
    on_duplicate="error",
    select=None,
    width_deg=1.0,
):
    """Read and check a catalog, and count the rows that are left out.

    Parameters
    ----------
    catalog, columns
        See `read_catalog`.
    mags : dict of str to str, optional
        Column of the catalog with the magnitude for a survey, by the survey's name in lower case, if it is not
        ``mag``; in the returned table its name is `MAG_OF` followed by the survey's name.
    table : str or int, optional
        Table of the file, by its name or its number counted from one; required if several tables have the columns.
    missing_values : dict of str to list, optional
        Numbers and texts that mean no value, by column of `COLUMNS` or for ``all``; they replace those of
        `vo_lib.catalogs.values.MISSING_VALUES` for the column.
    frame : str, optional
        Frame of coordinates and proper motions, see `vo_lib.astrometry.to_icrs`.
    cuts : sequence of str, optional
        Conditions that a source must satisfy, see `vo_lib.cuts`, on the columns of `COLUMNS` and on any other column
        of the catalog by its name there.
    fill : dict, optional
        Values for columns of `COLUMNS` where the catalog has none; the epoch is 2016.0 unless given here.
    on_duplicate : {"error", "suffix"}, optional
        How to treat duplicate names: refuse them, or append ``_2`` to the second row of a name in the order of the
        catalog, ``_3`` to the third and so on. These remain separate sources, even at the same position.
    select : dict, optional
        Part of the catalog to take, see `vo_lib.catalogs.selection.select_rows`; row numbers and names refer to the
        whole catalog, before cuts and after suffixes.
    width_deg : float, optional
        Width of the bins [degrees] that `select` may name.

    Returns
    -------
    Sources

    Raises
    ------
    CatalogError
        See `read_catalog`.
    """
    found = _find_columns(catalog, columns or {}, mags or {}, cuts, table, missing_values)
    checked, renamed = _checked(found, frame, fill or {}, on_duplicate)
    rows = _selected(checked, select or {}, width_deg)
    others = {name: values[rows] for name, values in found.values.items() if name not in COLUMNS}
    selected = take_rows(checked, rows)
    n_others = len(checked["name"]) - len(selected["name"])
    kept, left_out = _cut(found.source.path, selected, others, cuts)
    _tell_pairs(found.source.path, kept)
    return Sources(kept, ({"select": n_others} if n_others else {}) | left_out, renamed)


def _tell_pairs(path, table):
    """Warn of sources at the same position, since each is downloaded, analysed and counted separately."""
    if len(pairs := near_pairs(table["ra"], table["dec"])):
        first, other = table["name"][pairs[0]]
        more = f" (and {len(pairs) - 1:,} more pairs)" if len(pairs) > 1 else ""
        log.warning(
            "%s: '%s' and '%s' are within 1 arcsec of each other%s; if they are one object leave one out, or its "
            "epochs and events count twice",
            *(path, first, other, more),
        )


def _find_columns(catalog, columns, mags, cuts, table, missing_values):
    """Read the columns needed for the sources and for cuts, with codes for no value blanked."""
    wanted = {name: columns.get(name) or name for name in COLUMNS}
    others = {column: column for text in cuts for column in Cut(text).columns if column not in wanted}
    own_mags = {MAG_OF + survey: column for survey, column in mags.items()}
    others |= own_mags
    options = {"texts": TEXTS, "missing": codes_of(missing_values, wanted | others, own_mags)}
    if isinstance(catalog, (str, Path)):
        units = UNITS | dict.fromkeys(own_mags, "mag")
        found = read_columns(catalog, wanted | others, units=units, needed=NEEDED, table=table, **options)
    else:
        found = columns_of_list(catalog, wanted | others, **options)
    _check_header(found, wanted, columns, mags)
    if found.blanked:
        counts = ", ".join(f"{number} of {name}" for name, number in sorted(found.blanked.items()))
        log.warning("%s: values read as missing because of catalog.missing_values: %s", found.source.path, counts)
    return found


def _checked(found, frame, fill, on_duplicate):
    """Return the columns of `COLUMNS` with checked values, and the number of names that were changed."""
    n_rows = len(found.values["name"])
    if n_rows == 0:
        raise CatalogError(f"{found.source.path}: {_NO_SOURCES}")
    if frame in ("icrs", "fk5") and (column := found.source.wanted["ra"]) in found.source.fk4:
        raise CatalogError(
            f"{found.source.path}: column '{column}' is of the frame FK4, B1950, by its COOSYS, RADESYS or EQUINOX, "
            f"and catalog.frame is {frame}; set catalog.frame to fk4, or name columns of J2000 in catalog.columns"
        )
    own_mags = [name for name in found.values if name.startswith(MAG_OF)]
    table = {name: _column(found, name, n_rows, frame) for name in (*COLUMNS, *own_mags)}
    for name, value in ({"epoch": DEFAULT_EPOCH} | fill).items():
        table[name] = np.where(_is_missing(table[name]), value, table[name])
    table["name"], renamed = unique_names(found, table["name"], on_duplicate)
    check_values(found, table, mags=("mag", *own_mags))
    tell_odd_units(found)
    table["ra"] = np.where(table["ra"] == 360, 0.0, table["ra"])  # the same place; ranges hold only 0
    if frame != "icrs":
        motion = {"pm_lon": table["pmra"], "pm_lat": table["pmdec"]}
        names = ("ra", "dec", "pmra", "pmdec")
        try:
            table |= dict(zip(names, to_icrs(table["ra"], table["dec"], frame, **motion), strict=True))
        except ValueError as error:
            raise CatalogError(f"{found.source.path}: catalog.frame: {error}") from None
    return table, renamed


def _check_header(found, wanted, columns, mags):
    """Check that the catalog has each required column and each that the configuration names."""
    if not found.header:
        raise CatalogError(f"{found.source.path}: {_NO_SOURCES}")
    for name, column in wanted.items():
        if column not in found.header and (name in NEEDED or columns.get(name)):
            raise CatalogError(
                f"{found.source.path}: has no column '{column}' for the {name} of a source "
                f"(it has {', '.join(found.header)}); name the right one in catalog.columns.{name}"
            )
    for survey, column in mags.items():
        if column not in found.header:
            raise CatalogError(
                f"{found.source.path}: has no column '{column}' (it has {', '.join(found.header)}); name the one with "
                f"the magnitude for {survey} in catalog.mags.{survey}"
            )


def _column(found, name, n_rows, frame):
    """Return the values of a column, finite or NaN if numbers; all NaN or empty if the catalog lacks the column."""
    if name not in found.values:
        return np.full(n_rows, "" if name in TEXTS else np.nan)
    values = found.values[name]
    if name in TEXTS:
        return values
    if values.dtype.kind == "U":
        values = _numbers(found, name, frame)
    if (infinite := np.isinf(values)).any():
        raise CatalogError(f"{found.place(infinite.argmax())}: {name} is infinite; leave it empty if it is not known")
    return values


def _is_missing(values):
    """Return a mask of the rows without a value."""
    return values == "" if values.dtype.kind == "U" else np.isnan(values)


def _numbers(found, name, frame):
    """Convert numbers stored as text, as in some FITS files, and sexagesimal equatorial coordinates [degrees]."""
    if name not in ("ra", "dec"):
        try:
            return found.numbers(name)
        except CatalogError as error:
            mend = code_mend("correct it", "mag" if name.startswith(MAG_OF) else name)
            raise CatalogError(f"{error}{mend}") from None
    if frame not in EQUATORIAL:
        return found.numbers(name)
    texts, unit = found.values[name], found.units[name]
    is_plain = np.strings.isdecimal(np.strings.replace(np.strings.lstrip(texts, "+-"), ".", "", 1))
    if unit not in ("", UNITS[name]) and is_plain.any():
        raise CatalogError(
            f"{found.place(is_plain.argmax())}: {name} is '{texts[is_plain][0]}', a plain number among sexagesimal "
            f"ones in a column with the unit '{unit}'; write all in the same format"
        )
    try:
        return (parse_ra if name == "ra" else parse_dec)(texts)
    except CoordinateError as error:
        raise CatalogError(f"{found.place(error.index)}: {error}") from None


def _selected(table, select, width_deg):
    """Return the selected rows as a mask or a slice."""
    if all(condition is None for condition in select.values()):
        return slice(None)
    bins = Bins(width_deg)
    numbers, which = np.unique(bins.index(table["ra"]), return_inverse=True)
    return select_rows(table["name"], np.array([bins.name(number) for number in numbers])[which], **select)


def _cut(path, table, others, cuts):
    """Return the rows that satisfy all cuts, at least one, and how many each cut leaves out."""
    kept, left_out = apply_cuts(cuts, table | others)
    if not kept.any():
        raise CatalogError(f"{path}: no source passes catalog.cuts, which exclude {left_out}")
    return (take_rows(table, kept) if cuts else table), left_out
