"""Reader of VOTables, and of the units in those that are embedded in other files."""

import io
import logging
import re

import numpy as np

from vo_lib.errors import CatalogError

__all__ = ["embedded_units", "read_votable"]

log = logging.getLogger("vo_lib")

_BLOCK_BYTES = 1 << 25
_TABLE_TAG = re.compile(rb"<(?:\w+:)?TABLE[\s>]")


def read_votable(source):
    """Read the wanted columns of a table of a VOTable.

    Parameters
    ----------
    source : Source
        The file; its header, units and frame are set.

    Yields
    ------
    tuple
        Name, values, and mask of the rows without a value, for each column that exists.
    """
    from astropy.io.votable.table import parse

    tables = _find_tables(source)
    chosen = source.choose([(name, [_field_name(field) for field in fields]) for name, fields in tables])
    fields = tables[chosen][1]
    where = source.find(list(map(_field_name, fields)))
    source.units = _field_units(fields)
    if not where:
        return
    # The parser looks for the columns in every table, even in those that it skips.
    places = sorted(set(where.values())) if len(tables) == 1 else list(range(len(fields)))
    options = {"columns": places} if len(tables) == 1 else {}
    votable = parse(str(source.path), table_number=chosen, verify="ignore", **options)
    _check_status(source, votable)
    source.fk4 = _fk4_fields(votable, fields)
    found = votable.get_first_table().array
    for name, place in where.items():
        values = found[found.dtype.names[places.index(place)]]
        yield name, values.data, np.ma.getmaskarray(values)


def _check_status(source, votable):
    """Raise CatalogError for the answer to a failed query, and warn about an incomplete one."""
    said = {info.value.upper() for info in votable.iter_info() if info.name == "QUERY_STATUS" and info.value}
    if "ERROR" in said:
        raise CatalogError(f"{source.path}: is the result of a failed query (QUERY_STATUS is ERROR); repeat the query")
    if "OVERFLOW" in said:
        log.warning(
            "%s: contains only the first rows of the query result, because the archive truncated it (QUERY_STATUS is "
            "OVERFLOW)",
            source.path,
        )


def _fk4_fields(votable, fields):
    """Names of the fields in the frame FK4, by the system that they refer to, or else the only one of the file."""
    said = {each.ID: f"{each.system} {each.equinox}".upper() for each in votable.iter_coosys()}
    is_fk4 = {name: "FK4" in text or " B" in text for name, text in said.items()}
    usual = len(is_fk4) == 1 and any(is_fk4.values())
    return {_field_name(field) for field in fields if is_fk4.get(field.get("ref"), usual)}


def _field_units(fields):
    """Units of the fields that have one, by name."""
    return {_field_name(field): field["unit"] for field in fields if field.get("unit")}


def _refuse_entities(source, text):
    """Raise CatalogError for XML that defines entities, which could expand without limit."""
    if b"<!ENTITY" in text:
        raise CatalogError(f"{source.path}: defines entities, which no VOTable needs; write them out")


def _field_name(field):
    """Name of a column, from the attributes of its field."""
    return field.get("name") or field.get("ID", "")


def _find_tables(source):
    """Name of each table and attributes of its fields; the last table is read only up to its data."""
    from astropy.utils.xml.iterparser import get_xml_iterator

    n_tables, tables = _count_tables(source), []
    with source.open() as file, get_xml_iterator(file) as events:
        for start, tag, attributes, _ in events:
            if start and tag == "TABLE":
                tables.append((attributes.get("name") or attributes.get("ID", ""), []))
            elif start and tag == "FIELD" and tables:
                tables[-1][1].append(dict(attributes))
            elif start and tag == "STREAM" and "href" in attributes:
                raise CatalogError(
                    f"{source.path}: has its data at {attributes['href'][:200]}, which are not read; "
                    f"save the table together with its data"
                )
            elif tag in ("TABLEDATA", "STREAM", "TABLE") and tables and len(tables) == n_tables:
                break
    return tables or [("", [])]


def _count_tables(source):
    """Number of tables of a VOTable, checked to be complete: the parser would accept a truncated file."""
    n_tables, tail = 0, b""
    with source.open() as file:
        while block := file.read(_BLOCK_BYTES):
            seen = tail + block
            _refuse_entities(source, seen)
            n_tables += len(_TABLE_TAG.findall(seen)) - len(_TABLE_TAG.findall(tail))
            tail = seen[-1000:]
    if not re.search(rb"</(\w+:)?VOTABLE\s*>", tail):
        raise CatalogError(f"{source.path}: is truncated, its last tag is missing; copy it again")
    return n_tables


def embedded_units(source, text):
    """Return the units in a VOTable without data, as TOPCAT and astropy embed it in parquet.

    Parameters
    ----------
    source : Source
        The parquet file, for messages.
    text : bytes
        The VOTable.

    Returns
    -------
    dict of str to str
        Units by column, for those that have one.
    """
    from astropy.utils.xml.iterparser import get_xml_iterator

    _refuse_entities(source, text)
    with get_xml_iterator(io.BytesIO(text)) as events:
        return _field_units(attributes for start, tag, attributes, _ in events if start and tag == "FIELD")
