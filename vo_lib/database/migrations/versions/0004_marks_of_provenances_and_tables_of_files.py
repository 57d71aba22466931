"""Marks of provenances and tables of files."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

__all__ = ["upgrade"]

revision = "0004"
down_revision = "0003"

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
UNION ALL
SELECT p.name, NULL, NULL, f.obs, 'provenance', v.process, v.bad_comment, f.path, ''
FROM files f JOIN provenances v ON v.id = f.provenance_id JOIN projects p ON p.id = f.project_id
WHERE v.is_bad
""",
}


def upgrade():
    """Marks of provenances and tables of files."""
    op.execute("DROP VIEW source_summary")
    op.execute("DROP VIEW detections_real")
    op.execute("DROP VIEW what_is_bad")
    op.create_table(
        "bad_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("filename", sa.Text(), nullable=False, comment="name of the file"),
        sa.Column("ingest_date", sa.Date(), nullable=True, comment="day on which it was looked at"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it cannot be used, such as: Short Exposure"),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bad_files")),
        sa.UniqueConstraint("filename", name=op.f("uq_bad_files_filename")),
    )
    op.create_table(
        "metadata",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("filename", sa.Text(), nullable=False, comment="name of the file"),
        sa.Column("path", sa.Text(), nullable=True, comment="folder of the file"),
        sa.Column("ingest_date", sa.Date(), nullable=True, comment="day on which it was taken in"),
        sa.Column("telescop", sa.Text(), nullable=True, comment="telescope"),
        sa.Column("instrume", sa.Text(), nullable=True, comment="instrument"),
        sa.Column("targname", sa.Text(), nullable=True, comment="name of the target"),
        sa.Column("cal_ver", sa.Text(), nullable=True, comment="version of the calibration"),
        sa.Column("obstype", sa.Text(), nullable=True, comment="type of observation: imaging or spectroscopic"),
        sa.Column("cenwave", sa.BigInteger(), nullable=True, comment="central wavelength [Angstrom]"),
        sa.Column("aperture", sa.Text(), nullable=True, comment="aperture"),
        sa.Column("detector", sa.Text(), nullable=True, comment="detector"),
        sa.Column("opt_elem", sa.Text(), nullable=True, comment="optical element"),
        sa.Column("fppos", sa.BigInteger(), nullable=True, comment="position of the grating, 1 to 4"),
        sa.Column("header", postgresql.JSONB(), nullable=True, comment="other values of the header, by keyword"),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metadata")),
        sa.UniqueConstraint("filename", name=op.f("uq_metadata_filename")),
    )
    op.create_table(
        "stats",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("lightcurve_path", sa.Text(), nullable=False, comment="folder of the lightcurve"),
        sa.Column("lightcurve_filename", sa.Text(), nullable=False, comment="name of its file"),
        sa.Column("total", sa.Double(), nullable=True, comment="sum of counts"),
        sa.Column("mean", sa.Double(), nullable=True, comment="mean of counts"),
        sa.Column("mu", sa.Double(), nullable=True, comment="square root of the mean, the scatter of Poisson noise"),
        sa.Column("stdev", sa.Double(), nullable=True, comment="standard deviation of counts"),
        sa.Column(
            "poisson_factor", sa.Double(), nullable=True, comment="standard deviation over that of Poisson noise"
        ),
        sa.Column("pearson_r", sa.Double(), nullable=True, comment="correlation of counts with time (Pearson)"),
        sa.Column("pearson_p", sa.Double(), nullable=True, comment="probability of such a correlation by chance"),
        sa.Column("periodogram", sa.Boolean(), nullable=True, comment="whether its periodogram has a peak of interest"),
        sa.Column("deliver", sa.Boolean(), nullable=True, comment="whether it is to be published"),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stats")),
        sa.UniqueConstraint(
            "lightcurve_path", "lightcurve_filename", name=op.f("uq_stats_lightcurve_path_lightcurve_filename")
        ),
    )
    op.create_table(
        "outputs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("metadata_id", sa.BigInteger(), nullable=False, comment="its exposure"),
        sa.Column("individual_path", sa.Text(), nullable=True, comment="folder of the lightcurve of the exposure"),
        sa.Column("individual_filename", sa.Text(), nullable=True, comment="name of its file"),
        sa.Column(
            "composite_path", sa.Text(), nullable=True, comment="folder of the lightcurve of all exposures of the kind"
        ),
        sa.Column("composite_filename", sa.Text(), nullable=True, comment="name of its file"),
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
            ["metadata_id"], ["metadata.id"], name=op.f("fk_outputs_metadata_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outputs")),
        sa.UniqueConstraint("metadata_id", name=op.f("uq_outputs_metadata_id")),
    )
    op.add_column(
        "provenances",
        sa.Column(
            "is_bad",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="whether it, or what it was made of, was marked",
        ),
    )
    op.add_column(
        "provenances",
        sa.Column(
            "bad_comment",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="what is wrong with what it made; empty where nothing is",
        ),
    )
    op.execute(VIEWS["source_summary"])
    op.execute(VIEWS["detections_real"])
    op.execute(VIEWS["what_is_bad"])
