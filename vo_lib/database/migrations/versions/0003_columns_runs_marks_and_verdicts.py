"""Columns of injections, of periods and of runs; marks of provenances; verdicts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

__all__ = ["upgrade"]

revision = "0003"
down_revision = "0002"

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
    "detections_vetted": """
CREATE VIEW detections_vetted AS
SELECT d.id AS detection_id, d.project_id, s.name AS source, d.obs, d.filter, d.series, d.method, d.sign, d.snr,
    d.score, d.peak_mjd, l.key AS lightcurve, l.filename, v.verdict, v.note, v.who, v.decided_at
FROM detections d JOIN sources s ON s.id = d.source_id JOIN lightcurves l ON l.id = d.lightcurve_id
    JOIN verdicts v ON v.project_id = d.project_id AND v.source_name = s.name
        AND v.obs = d.obs AND v.filter = d.filter AND v.series = d.series
        AND v.peak_mjd BETWEEN LEAST(d.start_mjd, d.peak_mjd) - 1e-5 AND GREATEST(d.end_mjd, d.peak_mjd) + 1e-5
WHERE NOT d.simulated
""",
}


def upgrade():
    """Columns of injections, of periods and of runs; marks of provenances; verdicts."""
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
    op.create_table(
        "verdicts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("source_name", sa.Text(), nullable=False, comment="name of the source in the catalog"),
        sa.Column(
            "detection", sa.Text(), nullable=False, comment="key of the detection; empty for the source as a whole"
        ),
        sa.Column("obs", sa.Text(), nullable=False, comment="observatory; empty for the source as a whole"),
        sa.Column("filter", sa.Text(), nullable=False, comment="filter; empty for the source as a whole"),
        sa.Column("series", sa.Text(), nullable=False, comment="object or readout channel of the survey; may be empty"),
        sa.Column(
            "peak_mjd",
            sa.Double(),
            nullable=True,
            comment="peak of the detection [d, MJD UTC]; NULL for the source as a whole",
        ),
        sa.Column("verdict", sa.Text(), nullable=False, comment="real, artefact or unsure"),
        sa.Column("note", sa.Text(), nullable=False, comment="what the person wrote; may be empty"),
        sa.Column("who", sa.Text(), nullable=False, comment="name of the person; may be empty"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False, comment="when the person said so"),
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
            ["project_id"], ["projects.id"], name=op.f("fk_verdicts_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
        sa.UniqueConstraint(
            "project_id",
            "source_name",
            "detection",
            "who",
            name=op.f("uq_verdicts_project_id_source_name_detection_who"),
        ),
    )
    op.create_index(op.f("ix_verdicts_source_name"), "verdicts", ["source_name"], unique=False)
    op.alter_column(
        "detections",
        "template",
        existing_type=sa.TEXT(),
        comment="shape that fits best, epoch for a single one; empty without templates",
        existing_comment="shape that fits best; empty without one",
        existing_nullable=False,
    )
    op.add_column(
        "injections",
        sa.Column(
            "observable_days",
            sa.Double(),
            nullable=True,
            comment="length of the peak times at which an epoch could see the event [d]",
        ),
    )
    op.add_column(
        "injections",
        sa.Column(
            "exposure_days",
            sa.Double(),
            nullable=True,
            comment="peak times that the injection stands for, of all lightcurves and all of its kind [d]",
        ),
    )
    op.add_column(
        "injections",
        sa.Column(
            "seen_snr",
            sa.Double(),
            nullable=True,
            comment="greatest expected S/N of a good epoch, with photon noise of the event",
        ),
    )
    op.add_column(
        "injections",
        sa.Column(
            "match",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="number of that detection in the copy of the lightcurve, 0 if none",
        ),
    )
    op.alter_column("injections", "match", existing_type=sa.BigInteger(), server_default=None, existing_nullable=False)
    op.add_column(
        "injections",
        sa.Column(
            "n_found",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="separate detections that are due to the event",
        ),
    )
    op.alter_column(
        "injections", "n_found", existing_type=sa.BigInteger(), server_default=None, existing_nullable=False
    )
    op.add_column(
        "injections",
        sa.Column(
            "reason",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="recovered, or why it was not: merged, wrong sign, flagged, not seen, below threshold",
        ),
    )
    op.alter_column("injections", "reason", existing_type=sa.Text(), server_default=None, existing_nullable=False)
    op.alter_column(
        "injections",
        "expected_snr",
        existing_type=sa.DOUBLE_PRECISION(precision=53),
        comment="amplitude over the median noise, without photon noise of the event",
        existing_comment="amplitude over the noise at the peak, without photon noise of the event",
        existing_nullable=True,
    )
    op.add_column(
        "properties",
        sa.Column(
            "periodogram",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="1 if power and false-alarm probability pass the limits of the configuration",
        ),
    )
    op.alter_column(
        "properties", "periodogram", existing_type=sa.Boolean(), server_default=None, existing_nullable=False
    )
    op.add_column(
        "properties", sa.Column("best_period", sa.Double(), nullable=True, comment="period of the best sinusoid [d]")
    )
    op.add_column(
        "properties",
        sa.Column("best_period_err", sa.Double(), nullable=True, comment="its error if it is the right peak [d]"),
    )
    op.add_column(
        "properties",
        sa.Column("best_period_power", sa.Double(), nullable=True, comment="share of chi-square that it takes away"),
    )
    op.add_column(
        "properties",
        sa.Column(
            "best_period_fap",
            sa.Double(),
            nullable=True,
            comment="probability that noise has as high a peak in all ranges",
        ),
    )
    op.add_column(
        "properties",
        sa.Column(
            "best_period_alias",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="line of the sampling that the best period, or one that fits nearly as well, is due to",
        ),
    )
    op.alter_column(
        "properties", "best_period_alias", existing_type=sa.Text(), server_default=None, existing_nullable=False
    )
    op.add_column(
        "properties",
        sa.Column(
            "best_period_filter",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="filter of the periods; empty for all together and where nothing was searched",
        ),
    )
    op.alter_column(
        "properties", "best_period_filter", existing_type=sa.Text(), server_default=None, existing_nullable=False
    )
    op.add_column(
        "properties",
        sa.Column("bls_period", sa.Double(), nullable=True, comment="period of the best box-shaped dip [d]"),
    )
    op.add_column(
        "properties", sa.Column("bls_duration", sa.Double(), nullable=True, comment="duration of the dip [d]")
    )
    op.add_column("properties", sa.Column("bls_depth", sa.Double(), nullable=True, comment="depth of the dip [uJy]"))
    op.add_column("properties", sa.Column("bls_snr", sa.Double(), nullable=True, comment="depth over its error"))
    op.add_column(
        "properties",
        sa.Column("bls_fap", sa.Double(), nullable=True, comment="probability that noise has such a dip in all ranges"),
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
    op.add_column(
        "runs",
        sa.Column("version", sa.Text(), server_default=sa.text("''"), nullable=False, comment="version of vo_lib"),
    )
    op.alter_column("runs", "version", existing_type=sa.Text(), server_default=None, existing_nullable=False)
    op.add_column("runs", sa.Column("host", sa.Text(), server_default=sa.text("''"), nullable=False, comment="machine"))
    op.alter_column("runs", "host", existing_type=sa.Text(), server_default=None, existing_nullable=False)
    op.drop_column("runs", "io_in")
    op.drop_column("runs", "max_pss")
    op.drop_column("runs", "max_vms")
    op.drop_column("runs", "mean_load")
    op.drop_column("runs", "max_uss")
    op.drop_column("runs", "io_out")
    op.execute(
        "ALTER TABLE verdicts ADD CONSTRAINT ck_verdicts_verdict CHECK ((verdict = ANY (ARRAY['real'::text, 'artefact'::text, 'unsure'::text])))"
    )
    op.execute(VIEWS["source_summary"])
    op.execute(VIEWS["detections_real"])
    op.execute(VIEWS["what_is_bad"])
    op.execute(VIEWS["detections_vetted"])
