"""Records and views."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

__all__ = ["upgrade"]

revision = "0002"
down_revision = "0001"

VIEWS = {
    "source_summary": """
CREATE VIEW source_summary AS
SELECT p.name AS project, p.folder, s.id AS source_id, s.name, s.bin, s.ra, s.dec, s.mag, s.mag_filter,
    q.interest, q.n_lightcurves, q.n_epochs, q.n_good, q.mjd_first, q.mjd_last, q.best_snr, q.filter,
    q.n_detections,
    (SELECT count(*) FROM bad_data b WHERE b.source_id = s.id) AS n_bad_data,
    (SELECT count(*) FROM raw_photometry r WHERE r.source_name = s.name AND r.status = 'failed') AS n_failed
FROM sources s JOIN projects p ON p.id = s.project_id LEFT JOIN properties q ON q.source_id = s.id
""",
    "detections_real": """
CREATE VIEW detections_real AS
SELECT d.*, p.name AS project, s.name AS source, s.ra, s.dec, l.key AS lightcurve, l.filename
FROM detections d JOIN projects p ON p.id = d.project_id JOIN sources s ON s.id = d.source_id
    JOIN lightcurves l ON l.id = d.lightcurve_id
WHERE NOT d.simulated
""",
    "what_is_bad": """
CREATE VIEW what_is_bad AS
SELECT p.name AS project, s.id AS source_id, s.name AS source, b.obs, 'lightcurve' AS what, b.check, b.reason,
    l.filename, l.key
FROM bad_data b JOIN projects p ON p.id = b.project_id JOIN sources s ON s.id = b.source_id
    JOIN lightcurves l ON l.id = b.lightcurve_id
UNION ALL
SELECT p.name, s.id, s.name, r.obs, 'download', 'status', r.reason, r.filename, r.key
FROM raw_photometry r JOIN sources s ON s.name = r.source_name JOIN projects p ON p.id = s.project_id
WHERE r.status = 'failed'
""",
}


def upgrade():
    """Records and views."""
    op.create_table(
        "catalogs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("name", sa.Text(), nullable=False, comment="file name of the catalog"),
        sa.Column("n_rows", sa.BigInteger(), nullable=False, comment="rows of the catalog: sources and those left out"),
        sa.Column("n_sources", sa.BigInteger(), nullable=False, comment="rows that are sources of the project"),
        sa.Column(
            "n_renamed",
            sa.BigInteger(),
            nullable=False,
            comment="rows whose name got a suffix, for another row has it too",
        ),
        sa.Column(
            "left_out",
            postgresql.JSONB(),
            nullable=False,
            comment="number of rows that are left out, by what leaves them out",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was made",
        ),
        sa.Column(
            "modified_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when a value last changed",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_catalogs_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogs")),
        sa.UniqueConstraint("project_id", name=op.f("uq_catalogs_project_id")),
    )
    op.create_table(
        "files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column(
            "project_id",
            sa.BigInteger(),
            nullable=True,
            comment="its project; NULL for a raw file, which projects share",
        ),
        sa.Column(
            "provenance_id",
            sa.Text(),
            nullable=True,
            comment="provenance of the product; NULL for raw files and manifests",
        ),
        sa.Column("path", sa.Text(), nullable=False, comment="path below the data root"),
        sa.Column("kind", sa.Text(), nullable=False, comment="what the file is"),
        sa.Column("obs", sa.Text(), nullable=False, comment="observatory; empty for a file of all observatories"),
        sa.Column("bin", sa.Text(), nullable=False, comment="name of the bin; empty for a file of the whole project"),
        sa.Column("size", sa.BigInteger(), nullable=False, comment="size [byte]"),
        sa.Column(
            "mtime_ns", sa.BigInteger(), nullable=False, comment="time of its last change [ns since 1970-01-01 UTC]"
        ),
        sa.Column("sha256", sa.Text(), nullable=False, comment="SHA-256 of the file"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was made",
        ),
        sa.Column(
            "modified_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when a value last changed",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_files_project_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_files_provenance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_files")),
        sa.UniqueConstraint("path", name=op.f("uq_files_path")),
    )
    op.create_index(op.f("ix_files_project_id"), "files", ["project_id"], unique=False)
    op.create_table(
        "provenance_tags",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("tag", sa.Text(), nullable=False, comment="the name"),
        sa.Column("process", sa.Text(), nullable=False, comment="name of the rule"),
        sa.Column(
            "obs", sa.Text(), nullable=False, comment="observatory; empty for rules that are for all observatories"
        ),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance that it stands for"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was made",
        ),
        sa.Column(
            "modified_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when a value last changed",
        ),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_provenance_tags_provenance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provenance_tags")),
        sa.UniqueConstraint("tag", "process", "obs", name=op.f("uq_provenance_tags_tag_process_obs")),
    )
    op.create_index(op.f("ix_provenance_tags_provenance_id"), "provenance_tags", ["provenance_id"], unique=False)
    op.create_table(
        "provenance_upstreams",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance downstream"),
        sa.Column("upstream_id", sa.Text(), nullable=False, comment="provenance upstream"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was made",
        ),
        sa.Column(
            "modified_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when a value last changed",
        ),
        sa.ForeignKeyConstraint(
            ["provenance_id"], ["provenances.id"], name=op.f("fk_provenance_upstreams_provenance_id")
        ),
        sa.ForeignKeyConstraint(["upstream_id"], ["provenances.id"], name=op.f("fk_provenance_upstreams_upstream_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provenance_upstreams")),
        sa.UniqueConstraint(
            "provenance_id", "upstream_id", name=op.f("uq_provenance_upstreams_provenance_id_upstream_id")
        ),
    )
    op.create_index(op.f("ix_provenance_upstreams_upstream_id"), "provenance_upstreams", ["upstream_id"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("rule", sa.Text(), nullable=False, comment="name of the rule"),
        sa.Column(
            "job",
            sa.Text(),
            nullable=False,
            comment="values of the wildcards of the job: DEMO_RA045; empty without any",
        ),
        sa.Column("s", sa.Double(), nullable=True, comment="wall time [s]"),
        sa.Column("cpu_time", sa.Double(), nullable=True, comment="processor time, user and system [s]"),
        sa.Column("mean_load", sa.Double(), nullable=True, comment="processor time over wall time [percent]"),
        sa.Column("max_rss", sa.Double(), nullable=True, comment="greatest resident set size [MB]"),
        sa.Column("max_vms", sa.Double(), nullable=True, comment="greatest virtual memory size [MB]"),
        sa.Column("max_uss", sa.Double(), nullable=True, comment="greatest unique set size [MB]"),
        sa.Column("max_pss", sa.Double(), nullable=True, comment="greatest proportional set size [MB]"),
        sa.Column("io_in", sa.Double(), nullable=True, comment="read from disk [MB]"),
        sa.Column("io_out", sa.Double(), nullable=True, comment="written to disk [MB]"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the row was made",
        ),
        sa.Column(
            "modified_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when a value last changed",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_runs_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("project_id", "rule", "job", name=op.f("uq_runs_project_id_rule_job")),
    )
    op.add_column(
        "bins",
        sa.Column(
            "state",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="SHA-256 of sizes and times of change of its files, provenances and columns",
        ),
    )
    op.alter_column("bins", "state", existing_type=sa.Text(), server_default=None, existing_nullable=False)
    op.add_column(
        "bins",
        sa.Column(
            "n_rows",
            postgresql.JSONB(),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="number of rows of its products, by table",
        ),
    )
    op.alter_column("bins", "n_rows", existing_type=postgresql.JSONB(), server_default=None, existing_nullable=False)
    op.create_index(op.f("ix_detections_peak_mjd"), "detections", ["peak_mjd"], unique=False)
    op.create_index(
        "ix_detections_real_score", "detections", ["score"], unique=False, postgresql_where=sa.text("NOT simulated")
    )
    op.create_index(
        "ix_detections_real_snr", "detections", ["snr"], unique=False, postgresql_where=sa.text("NOT simulated")
    )
    op.create_index(op.f("ix_lightcurves_mjd_first_mjd_last"), "lightcurves", ["mjd_first", "mjd_last"], unique=False)
    op.execute("""
        INSERT INTO provenance_upstreams (provenance_id, upstream_id)
        SELECT p.id, upstream FROM provenances p, jsonb_array_elements_text(p.upstreams) upstream
        WHERE upstream IN (SELECT id FROM provenances)
    """)
    op.drop_column("provenances", "upstreams")
    op.create_index(op.f("ix_sources_dec_ra"), "sources", ["dec", "ra"], unique=False)
    op.execute(
        "ALTER TABLE files ADD CONSTRAINT ck_files_kind CHECK ((kind = ANY (ARRAY['manifest'::text, 'raw'::text, 'reduced'::text, 'analysis'::text, 'histograms'::text])))"
    )
    op.execute(VIEWS["source_summary"])
    op.execute(VIEWS["detections_real"])
    op.execute(VIEWS["what_is_bad"])
