"""Columns of injections, of periods and of runs."""

import sqlalchemy as sa
from alembic import op

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
""",
}


def upgrade():
    """Columns of injections, of periods and of runs."""
    op.execute("DROP VIEW source_summary")
    op.execute("DROP VIEW detections_real")
    op.execute("DROP VIEW what_is_bad")
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
        "runs",
        sa.Column("version", sa.Text(), server_default=sa.text("''"), nullable=False, comment="version of vo_lib"),
    )
    op.alter_column("runs", "version", existing_type=sa.Text(), server_default=None, existing_nullable=False)
    op.add_column("runs", sa.Column("host", sa.Text(), server_default=sa.text("''"), nullable=False, comment="machine"))
    op.alter_column("runs", "host", existing_type=sa.Text(), server_default=None, existing_nullable=False)
    op.drop_column("runs", "max_pss")
    op.drop_column("runs", "max_uss")
    op.drop_column("runs", "io_out")
    op.drop_column("runs", "max_vms")
    op.drop_column("runs", "io_in")
    op.drop_column("runs", "mean_load")
    op.execute(VIEWS["source_summary"])
    op.execute(VIEWS["detections_real"])
    op.execute(VIEWS["what_is_bad"])
