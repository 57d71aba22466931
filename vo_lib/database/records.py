"""Tables on the origin of the rows: catalogs, provenances, files, runs of jobs, synced bins and verdicts."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.orm import Mapped, mapped_column, relationship

from vo_lib.database import columns
from vo_lib.database.columns import Base
from vo_lib.verdicts import VERDICTS

__all__ = [
    "FILE_KINDS",
    "Catalog",
    "File",
    "Provenance",
    "ProvenanceTag",
    "ProvenanceUpstream",
    "Run",
    "SyncedBin",
    "Verdict",
]

FILE_KINDS = ("manifest", "raw", "reduced", "analysis", "histograms")


class Catalog(Base):
    """The catalog of a project: how many of its rows are sources, and why the others are not."""

    __tablename__ = "catalogs"
    __table_args__ = (sa.UniqueConstraint("project_id"),)

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project")
    name: Mapped[str] = columns.text("file name of the catalog")
    n_rows: Mapped[int] = columns.count("rows of the catalog: sources and those left out")
    n_sources: Mapped[int] = columns.count("rows that are sources of the project")
    n_renamed: Mapped[int] = columns.count("rows whose name got a suffix, for another row has it too")
    left_out: Mapped[dict] = mapped_column(
        JSONB, nullable=False, comment="number of rows that are left out, by what leaves them out"
    )


class Provenance(Base):
    """The origin of products: process, critical parameters, code, and the provenances upstream."""

    __tablename__ = "provenances"

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True, comment="20 hexadecimal digits of its SHA-256")
    process: Mapped[str] = columns.text("name of the rule")
    parameters: Mapped[dict] = mapped_column(JSONB, nullable=False, comment="critical parameters")
    code: Mapped[str] = columns.text("fingerprint of the code, or number of a format")
    is_bad: Mapped[bool] = mapped_column(
        sa.Boolean,
        nullable=False,
        server_default=sa.text("false"),
        comment="whether it, or what it was made of, was marked",
    )
    bad_comment: Mapped[str] = mapped_column(
        sa.Text, nullable=False, server_default="", comment="what is wrong with what it made; empty where nothing is"
    )

    upstream_rows: Mapped[list["ProvenanceUpstream"]] = relationship(
        foreign_keys="ProvenanceUpstream.provenance_id", order_by="ProvenanceUpstream.upstream_id", viewonly=True
    )
    upstreams = association_proxy("upstream_rows", "upstream_id")


class ProvenanceUpstream(Base):
    """A link from a provenance to another that made one of its inputs."""

    __tablename__ = "provenance_upstreams"
    __table_args__ = (sa.UniqueConstraint("provenance_id", "upstream_id"),)

    id: Mapped[int] = columns.number()
    provenance_id: Mapped[str] = columns.provenance("provenance downstream")
    upstream_id: Mapped[str] = columns.provenance("provenance upstream", index=True)


class ProvenanceTag(Base):
    """A name for the provenances of all processes: a project's name, or ``default`` for the project synced last."""

    __tablename__ = "provenance_tags"
    __table_args__ = (sa.UniqueConstraint("tag", "process", "obs"),)

    id: Mapped[int] = columns.number()
    tag: Mapped[str] = columns.text("the name")
    process: Mapped[str] = columns.text("name of the rule")
    obs: Mapped[str] = columns.text("observatory; empty for rules that are for all observatories")
    provenance_id: Mapped[str] = columns.provenance("provenance that it stands for", index=True)

    provenance: Mapped[Provenance] = relationship()


class File(Base):
    """One file on disk; rows of lightcurves and raw photometry refer to it by name and to their data by key."""

    __tablename__ = "files"
    __table_args__ = (sa.UniqueConstraint("path"), sa.Index(None, "project_id", "bin"))

    id: Mapped[int] = columns.number()
    project_id: Mapped[int | None] = columns.parent(
        "projects", "its project; NULL for a raw file, which projects share", nullable=True
    )
    provenance_id: Mapped[str | None] = columns.provenance(
        "provenance of the product; NULL for raw files and manifests", nullable=True
    )
    path: Mapped[str] = columns.text("path below the data root")
    kind: Mapped[str] = columns.choice("kind", FILE_KINDS, "what the file is")
    obs: Mapped[str] = columns.text("observatory; empty for a file of all observatories")
    raw_file: Mapped[str] = columns.text("path of the raw file that a manifest is of; empty for other kinds")
    bin: Mapped[str] = columns.text("name of the bin; empty for a file of the whole project")
    size: Mapped[int] = columns.count("size [byte]")
    mtime_ns: Mapped[int] = columns.count("time of its last change [ns since 1970-01-01 UTC]")
    sha256: Mapped[str] = columns.text("SHA-256 of the file")


class Run(Base):
    """The latest completed run of a job, from its log."""

    __tablename__ = "runs"
    __table_args__ = (sa.UniqueConstraint("project_id", "rule", "job"),)

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project")
    rule: Mapped[str] = columns.text("name of the rule")
    job: Mapped[str] = columns.text("values of the wildcards of the job: DEMO_RA045; empty without any")
    version: Mapped[str] = columns.text("version of vo_lib")
    host: Mapped[str] = columns.text("machine")
    s: Mapped[float | None] = columns.real("wall time [s]")
    cpu_time: Mapped[float | None] = columns.real("processor time, user and system [s]")
    max_rss: Mapped[float | None] = columns.real("greatest resident set size [MB]")


class SyncedBin(Base):
    """A bin in the database, with the state of its products on disk; it is read again only if that changes."""

    __tablename__ = "bins"
    __table_args__ = (sa.UniqueConstraint("project_id", "bin"),)

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project")
    bin: Mapped[str] = columns.text("name of the bin")
    digest: Mapped[str] = columns.text("SHA-256 of the tables of its products and of the columns of the database")
    state: Mapped[str] = columns.text("SHA-256 of sizes and times of change of its files, provenances and columns")
    n_rows: Mapped[dict] = mapped_column(JSONB, nullable=False, comment="number of rows of its products, by table")


class Verdict(Base):
    """A person's verdict on a detection or a source, identified by name so that it outlives the rows of products."""

    __tablename__ = "verdicts"
    __table_args__ = (
        sa.UniqueConstraint("project_id", "source_name", "detection", "who"),
        sa.Index(None, "source_name"),
    )

    id: Mapped[int] = columns.number()
    project_id: Mapped[int] = columns.parent("projects", "its project")
    source_name: Mapped[str] = columns.text("name of the source in the catalog")
    detection: Mapped[str] = columns.text("key of the detection; empty for the source as a whole")
    obs: Mapped[str] = columns.text("observatory; empty for the source as a whole")
    filter: Mapped[str] = columns.text("filter; empty for the source as a whole")
    series: Mapped[str] = columns.text("object or readout channel of the survey; may be empty")
    peak_mjd: Mapped[float | None] = columns.real("peak of the detection [d, MJD UTC]; NULL for the source as a whole")
    verdict: Mapped[str] = columns.choice("verdict", VERDICTS, "real, artefact or unsure")
    note: Mapped[str] = columns.text("what the person wrote; may be empty")
    who: Mapped[str] = columns.text("name of the person; may be empty")
    decided_at: Mapped[datetime] = mapped_column(
        sa.DateTime(timezone=True), nullable=False, comment="when the person said so"
    )
