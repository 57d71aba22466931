"""Tables of the database, which mirror the products of each project.

Every row has a natural key (its unique constraint), by which a sync finds it again, so the ``id`` stays the same as
long as the row exists. File names are relative to the data root. Missing and undefined numbers are NULL.
"""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.hybrid import Comparator, hybrid_property
from sqlalchemy.orm import Mapped, aliased, foreign, mapped_column, relationship, remote

from vo_lib.database import columns
from vo_lib.database.columns import Base
from vo_lib.database.headers import BadFile, Metadata, Outputs, Stats
from vo_lib.database.records import (
    Catalog,
    File,
    Provenance,
    ProvenanceTag,
    ProvenanceUpstream,
    Run,
    SyncedBin,
    Verdict,
)
from vo_lib.database.stored import Stored
from vo_lib.errors import UserError
from vo_lib.measures.filters import STATISTIC_COLUMNS
from vo_lib.periods.periodic import PERIOD_PROPERTIES
from vo_lib.properties import INTERESTS
from vo_lib.search.detections import DETECTION_COLUMNS
from vo_lib.search.events import EVENT_COLUMNS
from vo_lib.simulator import INJECTION_COLUMNS

__all__ = [
    "BadData",
    "BadFile",
    "Base",
    "Catalog",
    "Detection",
    "Event",
    "File",
    "Histogram",
    "Injection",
    "Lightcurve",
    "Metadata",
    "Outputs",
    "Project",
    "Properties",
    "Provenance",
    "ProvenanceTag",
    "ProvenanceUpstream",
    "RawPhotometry",
    "Run",
    "Source",
    "Stats",
    "SyncedBin",
    "Verdict",
]


class Project(Base):
    """One project, or one version of it under version control."""

    __tablename__ = "projects"
    __table_args__ = (sa.UniqueConstraint("folder"),)

    id: Mapped[int] = columns.number()
    name: Mapped[str] = columns.text("name in the configuration")
    folder: Mapped[str] = columns.text("folder of its products below the data root")

    sources: Mapped[list["Source"]] = relationship(back_populates="project", passive_deletes=True)
    catalog: Mapped[Catalog | None] = relationship(passive_deletes=True)
    runs: Mapped[list[Run]] = relationship(passive_deletes=True, order_by=(Run.rule, Run.job))


class Source(Base):
    """One source of a project, with its values in the catalog."""

    __tablename__ = "sources"
    __table_args__ = (
        sa.UniqueConstraint("project_id", "name"),
        sa.Index(None, "project_id", "bin"),
        sa.Index(None, "dec", "ra"),
    )

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project")
    name: Mapped[str] = mapped_column(sa.Text, nullable=False, index=True, comment="name in the catalog")
    bin: Mapped[str] = columns.text("bin of right ascension, the unit of files")
    ra: Mapped[float] = columns.real("right ascension at epoch [deg, ICRS]")
    dec: Mapped[float] = columns.real("declination at epoch [deg, ICRS]")
    pmra: Mapped[float | None] = columns.real("proper motion in right ascension times cos(dec) [mas/yr]")
    pmdec: Mapped[float | None] = columns.real("proper motion in declination [mas/yr]")
    parallax: Mapped[float | None] = columns.real("parallax [mas]")
    epoch: Mapped[float | None] = columns.real("epoch of the position [Julian year]")
    mag: Mapped[float | None] = columns.real("catalog magnitude [mag]")
    mag_err: Mapped[float | None] = columns.real("error of the catalog magnitude [mag]")
    mag_filter: Mapped[str] = columns.text("filter of the catalog magnitude; empty where not known")

    project: Mapped[Project] = relationship(back_populates="sources")
    lightcurves: Mapped[list["Lightcurve"]] = relationship(
        back_populates="source", passive_deletes=True, order_by="Lightcurve.obs, Lightcurve.key"
    )
    detections: Mapped[list["Detection"]] = relationship(
        back_populates="source", passive_deletes=True, order_by="Detection.id"
    )
    events: Mapped[list["Event"]] = relationship(back_populates="source", passive_deletes=True, order_by="Event.event")
    properties: Mapped["Properties | None"] = relationship(back_populates="source", passive_deletes=True)
    raw_photometry: Mapped[list["RawPhotometry"]] = relationship(
        back_populates="sources",
        primaryjoin=lambda: sa.and_(Source.name == remote(foreign(RawPhotometry.source_name)), _has_manifest()),
        order_by="RawPhotometry.obs",
        viewonly=True,
    )


def _has_manifest():
    """Return the condition that the project of a source has a manifest of the raw file for the bin of the source."""
    of_bin = sa.and_(File.project_id == Source.project_id, File.bin == Source.bin)
    return sa.exists().where(of_bin, File.raw_file == RawPhotometry.filename).correlate_except(File)


class _OfSource(Comparator):
    """Compare with the id of each of its sources, because projects share raw photometry; select that of the oldest."""

    def __clause_element__(self):
        source = aliased(Source)
        oldest = sa.select(sa.func.min(source.id)).where(self.expression.sources.of_type(source))
        # The condition puts the table into the query even if nothing else of it is selected.
        of_row = (self.expression.id.is_not(None), oldest.correlate_except(source).scalar_subquery())
        return sa.case(of_row).label("source_id")

    def operate(self, operation, *other, **options):
        source = aliased(Source)
        return self.expression.sources.of_type(source).any(operation(source.id, *other, **options))


class RawPhotometry(Stored, Base):
    """Raw photometry of one source in a raw file, of one survey and data release, shared by projects that have both."""

    __tablename__ = "raw_photometry"
    __table_args__ = (
        sa.UniqueConstraint("source_name", "filename"),
        sa.Index("ix_raw_photometry_failed", "source_name", postgresql_where=sa.text("status = 'failed'")),
    )

    id: Mapped[int] = columns.number()
    obs: Mapped[str] = columns.text("observatory")
    source_name: Mapped[str] = columns.text("name of the source in the catalog")
    status: Mapped[str] = columns.choice(
        "status", ("ok", "empty", "failed"), "outcome of the download: ok, empty or failed"
    )
    n_rows: Mapped[int] = columns.count("number of epochs as they were sent")
    digest: Mapped[str] = columns.text("digest of the epochs")
    reason: Mapped[str] = columns.text("why the download failed; empty where it did not")
    filename: Mapped[str] = columns.text("raw file")
    key: Mapped[str] = columns.text("key of the epochs in the file")

    sources: Mapped[list[Source]] = relationship(
        back_populates="raw_photometry",
        primaryjoin=lambda: sa.and_(foreign(RawPhotometry.source_name) == remote(Source.name), _has_manifest()),
        order_by="Source.id",
        uselist=True,
        viewonly=True,
    )

    @hybrid_property
    def source_id(self):
        """Id of its source: the oldest if several projects share the row, None if there is none.

        In a query it is that of the oldest too, but compares equal to the id of each of these sources.
        """
        return self.sources[0].id if self.sources else None

    @source_id.inplace.comparator
    @classmethod
    def _source_id(cls):
        return _OfSource(cls)

    def _kind(self):
        """Class of its epochs."""
        from vo_lib.dataset import RawPhotometry as Epochs

        return Epochs

    def reduced_by(self, observatory, **options):
        """Reduce the epochs to lightcurves, see `vo_lib.dataset.RawPhotometry.reduced_by`."""
        return self.dataset.reduced_by(observatory, **options)


class Lightcurve(Stored, Base):
    """One reduced lightcurve, with statistics of all its epochs from the index of its file."""

    __tablename__ = "lightcurves"
    __table_args__ = (sa.UniqueConstraint("project_id", "obs", "key"), sa.Index(None, "mjd_first", "mjd_last"))

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project")
    source_id: Mapped[int] = columns.parent("sources", "its source", index=True)
    provenance_id: Mapped[str] = columns.provenance()
    obs: Mapped[str] = columns.text("observatory")
    key: Mapped[str] = columns.text("key in the file")
    filename: Mapped[str] = columns.text("file of the lightcurve")
    level: Mapped[str] = columns.text("what was done to it: reduced")
    filter: Mapped[str] = columns.text("filter, with the survey: ztf-r")
    series: Mapped[str] = columns.text("object or readout channel of the survey")
    number: Mapped[int] = columns.count("number among the lightcurves of this source and observatory, from 1")
    count: Mapped[int] = columns.count("how many lightcurves of this source and observatory there are")
    n_epochs: Mapped[int] = columns.count("number of epochs")
    n_good: Mapped[int] = columns.count("number of epochs without flags")
    mjd_first: Mapped[float | None] = columns.real("first epoch [d, MJD UTC]")
    mjd_last: Mapped[float | None] = columns.real("last epoch [d, MJD UTC]")
    exptime: Mapped[float | None] = columns.real("exposure time [s]")
    cadence: Mapped[float | None] = columns.real("median time from epoch to epoch [d]")
    is_uniform: Mapped[bool] = columns.flag("whether the epochs are evenly spaced")
    flux_mean: Mapped[float | None] = columns.real("mean flux [uJy]")
    flux_median: Mapped[float | None] = columns.real("median flux [uJy]")
    flux_rms: Mapped[float | None] = columns.real("standard deviation of the flux [uJy]")
    flux_rms_robust: Mapped[float | None] = columns.real("robust scatter of the flux [uJy]")
    flux_min: Mapped[float | None] = columns.real("lowest flux [uJy]")
    flux_max: Mapped[float | None] = columns.real("highest flux [uJy]")
    mag_median: Mapped[float | None] = columns.real("median magnitude [mag, AB]")
    snr_min: Mapped[float | None] = columns.real("lowest flux over its error")
    snr_median: Mapped[float | None] = columns.real("median flux over its error")
    snr_max: Mapped[float | None] = columns.real("highest flux over its error")
    dmag_min: Mapped[float | None] = columns.real("lowest magnitude minus the median [mag]")
    dmag_median: Mapped[float | None] = columns.real("median of magnitude minus its median [mag]")
    dmag_max: Mapped[float | None] = columns.real("highest magnitude minus the median [mag]")
    zp: Mapped[float | None] = columns.real("zero point of the fluxes [mag, AB]")
    digest: Mapped[str] = columns.text("digest of the epochs")

    source: Mapped[Source] = relationship(back_populates="lightcurves")
    detections: Mapped[list["Detection"]] = relationship(
        back_populates="lightcurve", passive_deletes=True, order_by="Detection.id"
    )
    bad_data: Mapped[list["BadData"]] = relationship(
        back_populates="lightcurve", passive_deletes=True, order_by="BadData.id"
    )

    def _kind(self):
        """Class of its epochs."""
        from vo_lib.dataset import Lightcurve as Epochs

        return Epochs

    @property
    def mjds(self):
        """Times of the epochs, MJD in UTC at mid-exposure [days]."""
        return self.dataset.mjds

    @property
    def times(self):
        """Times of the epochs as ``datetime64``, UTC at mid-exposure."""
        return self.dataset.times

    def _beside(self):
        """Lightcurves of its source that were loaded with it."""
        source = vars(self).get("source")
        loaded = vars(source).get("lightcurves", []) if source else []
        return loaded if self in loaded else [self]  # those of the source may have been loaded before this one was made


class BadData(Base):
    """One check that a whole lightcurve failed; the lightcurve is searched nevertheless."""

    __tablename__ = "bad_data"
    __table_args__ = (sa.UniqueConstraint("lightcurve_id", "check"),)

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project", index=True)
    source_id: Mapped[int] = columns.parent("sources", "its source", index=True)
    lightcurve_id: Mapped[int] = columns.parent("lightcurves", "its lightcurve, which names file and key")
    provenance_id: Mapped[str] = columns.provenance()
    obs: Mapped[str] = columns.text("observatory")
    check: Mapped[str] = columns.text("name of the check")
    reason: Mapped[str] = columns.text("why it failed: a short name, then numbers")

    source: Mapped[Source] = relationship()
    lightcurve: Mapped[Lightcurve] = relationship(back_populates="bad_data")


class Detection(columns.described(DETECTION_COLUMNS, without=("source", "lightcurve", "simulated")), Base):
    """One detection in a lightcurve, real or in a copy with an injected event."""

    __tablename__ = "detections"
    __table_args__ = (
        sa.UniqueConstraint("lightcurve_id", "simulated", "injection", "number"),
        sa.Index("ix_detections_real_score", "score", postgresql_where=sa.text("NOT simulated")),
        sa.Index(
            "ix_detections_real_snr", sa.text("abs(snr) DESC NULLS LAST"), postgresql_where=sa.text("NOT simulated")
        ),
        sa.Index(None, "peak_mjd"),
    )

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project", index=True)
    source_id: Mapped[int] = columns.parent("sources", "its source", index=True)
    lightcurve_id: Mapped[int] = columns.parent("lightcurves", "its lightcurve, which names file and key")
    provenance_id: Mapped[str] = columns.provenance()
    simulated: Mapped[bool] = columns.flag("whether its lightcurve has an injected signal")

    source: Mapped[Source] = relationship(back_populates="detections")
    lightcurve: Mapped[Lightcurve] = relationship(back_populates="detections")

    @property
    def data(self):
        """Its epochs, a part of its lightcurve: a structured array, shape (last_epoch - first_epoch + 1,).

        A simulated detection has none, and raises a `UserError`: it was made in a copy of the lightcurve.
        """
        return self._columns()[self.first_epoch : self.last_epoch + 1]

    def _columns(self):
        """Epochs of its lightcurve."""
        if self.simulated:
            raise UserError(f"{self!r} is simulated; DataStore.get_simulated_lightcurves has the copies that were kept")
        return self.lightcurve.data

    def plot(self, ax=None, **options):
        """Plot the detection in its lightcurve and return the axes, see `vo_lib.plots.plot_detection`."""
        from vo_lib.plots import plot_detection

        epochs = self._columns()
        columns = {name: epochs[name] for name in epochs.dtype.names} | {"obs": self.obs, "filter": self.filter}
        row = {column.key: getattr(self, column.key) for column in sa.inspect(type(self)).column_attrs}
        return plot_detection(columns, row, ax, **options)


class Event(columns.described(EVENT_COLUMNS, without=("source", "lightcurve")), Base):
    """One event: real detections of a source at one time, in one or several lightcurves."""

    __tablename__ = "events"
    __table_args__ = (sa.UniqueConstraint("source_id", "event"),)

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project", index=True)
    source_id: Mapped[int] = columns.parent("sources", "its source")
    lightcurve_id: Mapped[int] = columns.parent("lightcurves", "lightcurve of its strongest detection", index=True)
    provenance_id: Mapped[str] = columns.provenance()

    source: Mapped[Source] = relationship(back_populates="events")
    lightcurve: Mapped[Lightcurve] = relationship()


class Injection(columns.described(INJECTION_COLUMNS, without=("source", "lightcurve", "recovered")), Base):
    """One event injected into a copy of a lightcurve, and whether it was recovered."""

    __tablename__ = "injections"
    __table_args__ = (sa.UniqueConstraint("lightcurve_id", "injection"),)

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project", index=True)
    source_id: Mapped[int] = columns.parent("sources", "its source", index=True)
    lightcurve_id: Mapped[int] = columns.parent("lightcurves", "its lightcurve")
    provenance_id: Mapped[str] = columns.provenance()
    recovered: Mapped[bool] = columns.flag("whether it was found")

    source: Mapped[Source] = relationship()
    lightcurve: Mapped[Lightcurve] = relationship()


class Properties(
    columns.described(STATISTIC_COLUMNS), columns.described(PERIOD_PROPERTIES, without=("periodogram",)), Base
):
    """Summary of all lightcurves of a source; every analysed source has one."""

    __tablename__ = "properties"
    __table_args__ = (sa.UniqueConstraint("project_id", "source_id"),)

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project")
    source_id: Mapped[int] = columns.parent("sources", "its source", index=True)
    provenance_id: Mapped[str] = columns.provenance()
    interest: Mapped[str] = columns.choice(
        "interest", INTERESTS, "interesting or boring by the cuts of the project; null without good epochs"
    )
    n_lightcurves: Mapped[int] = columns.count("number of lightcurves")
    n_epochs: Mapped[int] = columns.count("number of epochs")
    n_good: Mapped[int] = columns.count("number of epochs without flags")
    mjd_first: Mapped[float | None] = columns.real("first epoch [d, MJD UTC]")
    mjd_last: Mapped[float | None] = columns.real("last epoch [d, MJD UTC]")
    n_detections: Mapped[int] = columns.count("number of real detections")
    best_snr: Mapped[float | None] = columns.real("greatest absolute signal to noise of a good epoch")
    filter: Mapped[str] = columns.text("filter that the statistics are of; empty without good epochs")
    filter_n_good: Mapped[int] = columns.count("number of epochs without flags in that filter")
    periodogram: Mapped[bool] = columns.flag(PERIOD_PROPERTIES["periodogram"][2])
    colors: Mapped[dict] = mapped_column(
        JSONB, nullable=False, comment="colours and their errors [mag, AB], by name: color_ztf_g_ztf_r, ..._err"
    )
    extra: Mapped[dict] = mapped_column(
        JSONB, nullable=False, comment="what an analysis of one's own measured, by name of its columns"
    )

    source: Mapped[Source] = relationship(back_populates="properties")


class Histogram(Base):
    """One histogram of a whole project."""

    __tablename__ = "histograms"
    __table_args__ = (sa.UniqueConstraint("project_id", "name"),)

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project")
    provenance_id: Mapped[str] = columns.provenance()
    name: Mapped[str] = columns.text("name of the histogram")
    filename: Mapped[str] = columns.text("file of the counts")
    axes: Mapped[list] = mapped_column(JSONB, nullable=False, comment="name, unit, edges or labels of each axis")
    total: Mapped[int] = columns.count("sum of all counts")
