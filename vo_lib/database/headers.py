"""Tables in which your own programs record exposures and the files made from them; a sync leaves them alone.

Names, columns and functions are those of the pipeline for lightcurves of HST COS and STIS. Each function writes with a
single statement, so that programs running at the same time never insert a row twice.
"""

import datetime
import os
from contextlib import nullcontext
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column, relationship

from vo_lib.database import columns
from vo_lib.database.columns import Base, natural_key
from vo_lib.database.session import get_session
from vo_lib.errors import UserError, hint

__all__ = [
    "BadFile",
    "Metadata",
    "Outputs",
    "Stats",
    "insert_or_update",
    "update_bad_data_table",
    "update_metadata_table",
    "update_outputs_table",
    "update_stats_table",
]


def _optional(comment, kind=sa.Text):
    """Declare a column that may be NULL."""
    return mapped_column(kind, nullable=True, comment=comment)


class Metadata(Base):
    """One exposure: the location of its file and values of its header."""

    __tablename__ = "metadata"
    __table_args__ = (sa.UniqueConstraint("filename"),)

    id: Mapped[int] = columns.number()
    filename: Mapped[str] = columns.text("name of the file")
    path: Mapped[str | None] = _optional("folder of the file")
    ingest_date: Mapped[datetime.date | None] = _optional("day on which it was taken in", sa.Date)
    telescop: Mapped[str | None] = _optional("telescope")
    instrume: Mapped[str | None] = _optional("instrument")
    targname: Mapped[str | None] = _optional("name of the target")
    cal_ver: Mapped[str | None] = _optional("version of the calibration")
    obstype: Mapped[str | None] = _optional("type of observation: imaging or spectroscopic")
    cenwave: Mapped[int | None] = _optional("central wavelength [Angstrom]", sa.BigInteger)
    aperture: Mapped[str | None] = _optional("aperture")
    detector: Mapped[str | None] = _optional("detector")
    opt_elem: Mapped[str | None] = _optional("optical element")
    fppos: Mapped[int | None] = _optional("position of the grating, 1 to 4", sa.BigInteger)
    header: Mapped[dict | None] = _optional("other values of the header, by keyword", JSONB)

    outputs: Mapped["Outputs | None"] = relationship(back_populates="exposure", passive_deletes=True)


class Outputs(Base):
    """The files made from one exposure."""

    __tablename__ = "outputs"
    __table_args__ = (sa.UniqueConstraint("metadata_id"),)

    id: Mapped[int] = columns.number()
    metadata_id: Mapped[int] = columns.parent("metadata", "its exposure")
    individual_path: Mapped[str | None] = _optional("folder of the lightcurve of the exposure")
    individual_filename: Mapped[str | None] = _optional("name of its file")
    composite_path: Mapped[str | None] = _optional("folder of the lightcurve of all exposures of the kind")
    composite_filename: Mapped[str | None] = _optional("name of its file")

    exposure: Mapped[Metadata] = relationship(back_populates="outputs")


class BadFile(Base):
    """A file that cannot be used, with the reason."""

    __tablename__ = "bad_files"
    __table_args__ = (sa.UniqueConstraint("filename"),)

    id: Mapped[int] = columns.number()
    filename: Mapped[str] = columns.text("name of the file")
    ingest_date: Mapped[datetime.date | None] = _optional("day on which it was looked at", sa.Date)
    reason: Mapped[str] = columns.text("why it cannot be used, such as: Short Exposure")


class Stats(Base):
    """Statistics of one lightcurve in a file."""

    __tablename__ = "stats"
    __table_args__ = (sa.UniqueConstraint("lightcurve_path", "lightcurve_filename"),)

    id: Mapped[int] = columns.number()
    lightcurve_path: Mapped[str] = columns.text("folder of the lightcurve")
    lightcurve_filename: Mapped[str] = columns.text("name of its file")
    total: Mapped[float | None] = columns.real("sum of counts")
    mean: Mapped[float | None] = columns.real("mean of counts")
    mu: Mapped[float | None] = columns.real("square root of the mean, the scatter of Poisson noise")
    stdev: Mapped[float | None] = columns.real("standard deviation of counts")
    poisson_factor: Mapped[float | None] = columns.real("standard deviation over that of Poisson noise")
    pearson_r: Mapped[float | None] = columns.real("correlation of counts with time (Pearson)")
    pearson_p: Mapped[float | None] = columns.real("probability of such a correlation by chance")
    periodogram: Mapped[bool | None] = _optional("whether its periodogram has a peak of interest", sa.Boolean)
    deliver: Mapped[bool | None] = _optional("whether it is to be published", sa.Boolean)


_TABLES = {model.__tablename__: model for model in (Metadata, Outputs, BadFile, Stats)}


def insert_or_update(table, data, id_num="", *, session=None):
    """Insert a row, or update the existing one, with one statement, and commit.

    Parameters
    ----------
    table : type or str
        Class of the table, or its name.
    data : dict
        Values by column; an update leaves other columns unchanged.
    id_num : int or str, optional
        Id of the row to update. By default the row is identified by its natural key, and inserted if it does not exist.
    session : sqlalchemy.orm.Session, optional
        Session to use; by default a new one with the database of the configuration.

    Returns
    -------
    int
        Id of the row.

    Raises
    ------
    UserError
        If the table or a column is unknown, or there is no row with that id.
    """
    model = _model(table)
    known = model.__table__.columns.keys()
    if unknown := [name for name in data if name not in known]:
        raise UserError(f"{model.__tablename__} has no column '{unknown[0]}'; {hint(unknown[0], known)}")
    query = _changed(model, data, id_num) if id_num not in ("", None) else _put(model, data)
    with get_session() if session is None else nullcontext(session) as opened:
        number = opened.scalar(query)
        if number is None:
            raise UserError(f"{model.__tablename__} has no row of number {id_num}; leave it out to insert one")
        opened.commit()
    return number


def _model(table):
    """Return the class of a table."""
    if not isinstance(table, str):
        return table
    if table not in _TABLES:
        raise UserError(f"'{table}' is not a table of files; {hint(table, _TABLES)}")
    return _TABLES[table]


def _changed(model, data, number):
    """Return the statement that updates the row with an id."""
    values = data | {"modified_at": sa.func.now()}
    return sa.update(model).where(model.id == int(number)).values(values).returning(model.id)


def _put(model, data):
    """Return the statement that inserts a row, or updates the one with its natural key."""
    keys = natural_key(model)
    statement = insert(model).values(data)
    values = {name: statement.excluded[name] for name in data if name not in keys} | {"modified_at": sa.func.now()}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=values).returning(model.id)


def update_bad_data_table(filename, reason, *, session=None):
    """Record that a file cannot be used, and why; see `insert_or_update`."""
    row = {"filename": Path(filename).name, "reason": reason, "ingest_date": _today()}
    return insert_or_update(BadFile, row, session=session)


def update_metadata_table(metadata_dict, *, session=None):
    """Insert or update an exposure, identified by its ``filename``; see `insert_or_update`."""
    return insert_or_update(Metadata, {"ingest_date": _today()} | metadata_dict, session=session)


def update_outputs_table(metadata_dict, outputs_dict, *, session=None):
    """Insert or update the files made from an exposure.

    Parameters
    ----------
    metadata_dict : dict
        Metadata of the exposure; only its ``filename`` is used.
    outputs_dict : dict
        Values by column of `Outputs`.
    session : sqlalchemy.orm.Session, optional
        See `insert_or_update`.

    Returns
    -------
    int
        Id of the row.

    Raises
    ------
    UserError
        If the exposure is not in the table ``metadata``.
    """
    with get_session() if session is None else nullcontext(session) as opened:
        query = sa.select(Metadata.id).where(Metadata.filename == metadata_dict["filename"])
        number = opened.scalar(query)
        if number is None:
            raise UserError(
                f"{metadata_dict['filename']} is not in the table metadata; call update_metadata_table first"
            )
        return insert_or_update(Outputs, outputs_dict | {"metadata_id": number}, session=opened)


def update_stats_table(stats_dict, dataset, *, session=None):
    """Insert or update statistics of the lightcurve in the file `dataset`; see `insert_or_update`."""
    path, name = os.path.split(dataset)
    row = {"lightcurve_path": path, "lightcurve_filename": name}
    return insert_or_update(Stats, stats_dict | row, session=session)


def _today():
    """Return the current date, UTC."""
    return datetime.datetime.now(datetime.UTC).date()
