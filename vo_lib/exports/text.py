"""Write tables as text, in CSV, ECSV or VOTable, bin by bin."""

import csv
import io
import math
import re
from xml.sax.saxutils import escape  # it writes XML  # nosec B406

__all__ = ["write_csv", "write_ecsv", "write_votable"]

# Characters that XML 1.0 does not allow (section 2.2).
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# End of the head in a document by astropy.
_END_OF_HEAD = "<TABLEDATA>"


def write_csv(file, extract):
    """Write CSV with a header of comment lines; a missing number is ``nan``.

    Parameters
    ----------
    file : text file
        Open for writing.
    extract : vo_lib.extract.Extract
        Data to write. pandas reads the file with ``comment="#"``, astropy with ``format="ascii.csv", comment="#"``.
    """
    for name, text in extract.header.items():
        file.write(f"# {name}: {text}\n")
    for name, (unit, text) in extract.columns.items():
        file.write(f"# column {name} [{unit or '-'}]: {text}\n")
    file.write(",".join(extract.columns) + "\n")
    _write_rows(file, extract)


def _rows(table):
    """Iterate over the rows of a table as tuples of Python objects."""
    return zip(*(values.tolist() for values in table.values()), strict=True)


def _write_rows(file, extract):
    """Write all rows, with text quoted, so that empty text is not taken for missing nor ``#`` for a comment."""
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    for table in extract.tables():
        writer.writerows(_rows(table))


def write_ecsv(file, extract):
    """Write ECSV, astropy's text format that keeps units and types; see `write_csv` for the parameters."""
    head = io.StringIO()
    _empty_table(extract).write(head, format="ascii.ecsv", delimiter=",")
    file.write(head.getvalue())
    _write_rows(file, extract)


def _empty_table(extract):
    """Return an astropy table with columns, units, types and metadata, but without rows."""
    from astropy.table import Column, Table

    first = next(iter(extract.tables()))
    made = Table(meta=dict(extract.header))
    for name, (unit, text) in extract.columns.items():
        kind = first[name].dtype
        made[name] = Column([], dtype=str if kind.kind == "U" else kind, unit=unit or None, description=text)
    return made


def write_votable(file, extract):
    """Write a VOTable with the time systems of its columns; see `write_csv` for the parameters."""
    head, tail = _votable_frame(extract)
    file.write(head)
    for table in extract.tables():
        for row in _rows(table):
            cells = "".join(f"<TD>{escape(_cell(cell))}</TD>" for cell in row)
            file.write(f"<TR>{cells}</TR>\n")
    file.write(tail)


def _cell(value):
    """Format a value for VOTable; characters that XML does not allow become the replacement character U+FFFD."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(value) if isinstance(value, float) else _NO_XML.sub("\ufffd", str(value))


def _votable_frame(extract):
    """Return the parts of the document before and after the rows, as written by astropy."""
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Info

    document = from_table(_empty_table(extract))
    document.version = "1.4"
    resource, table = document.resources[0], document.get_first_table()
    named = {name.replace(" ", "_"): text for name, text in extract.header.items()}
    resource.infos.extend(Info(ID=name, name=name, value=text) for name, text in named.items())
    for field in table.fields:
        if field.datatype in ("char", "unicodeChar"):
            field.datatype, field.arraysize = "unicodeChar", "*"
    if extract.has_our_times:
        _add_times(resource, table)
    text = io.BytesIO()
    document.to_xml(text, tabledata_format="tabledata")
    return _split(text.getvalue().decode())


def _split(text):
    """Split a document without rows into head and tail."""
    if _END_OF_HEAD not in text:
        end = text.index("</TABLE>")
        return f"{text[:end]}<DATA>\n{_END_OF_HEAD}\n", f"</TABLEDATA>\n</DATA>\n{text[end:]}"
    end = text.index(_END_OF_HEAD) + len(_END_OF_HEAD)
    return f"{text[:end]}\n", text[end:].lstrip("\n")


def _add_times(resource, table):
    """Declare the time systems of the columns of lightcurves."""
    from astropy.io.votable.tree import TimeSys

    systems = {"mjd": ("utc_mjd", "UTC", "TOPOCENTER"), "bmjd_tdb": ("bmjd_tdb_time", "TDB", "BARYCENTER")}
    for field in table.fields:
        if field.name in systems:
            name, scale, place = systems[field.name]
            about = {"timeorigin": "MJD-origin", "timescale": scale, "refposition": place}
            system = TimeSys(ID=name, **about, config={"version_1_4_or_later": True})
            resource.time_systems.append(system)
            field.ref = name
