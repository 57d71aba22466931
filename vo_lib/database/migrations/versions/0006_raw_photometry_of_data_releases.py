"""Raw photometry of data releases."""

import sqlalchemy as sa
from alembic import op

__all__ = ["upgrade"]

revision = "0006"
down_revision = "0005"

VIEWS = {
    "source_summary": """
CREATE VIEW source_summary AS
SELECT p.name AS project, p.folder, s.id AS source_id, s.name, s.bin, s.ra, s.dec, s.mag, s.mag_filter,
    q.interest, q.n_lightcurves, q.n_epochs, q.n_good, q.mjd_first, q.mjd_last, q.best_snr, q.filter,
    q.n_detections,
    (SELECT count(*) FROM bad_data b WHERE b.source_id = s.id) AS n_bad_data,
    (SELECT count(*) FROM raw_photometry r, files f
        WHERE r.status = 'failed' AND r.source_name = s.name AND r.filename = f.raw_file
        AND f.project_id = s.project_id AND f.bin = s.bin) AS n_failed
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
FROM raw_photometry r, files f, sources s JOIN projects p ON p.id = s.project_id
WHERE r.status = 'failed' AND r.source_name = s.name AND r.filename = f.raw_file
        AND f.project_id = s.project_id AND f.bin = s.bin
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

# The raw file of a manifest is that of most of its sources until the next sync reads the manifest.
RAW_FILES = """\
UPDATE files SET raw_file = found.filename FROM (
    SELECT s.project_id, s.bin, r.obs, mode() WITHIN GROUP (ORDER BY r.filename) AS filename
    FROM sources s JOIN raw_photometry r ON r.source_name = s.name GROUP BY s.project_id, s.bin, r.obs
) AS found
WHERE kind = 'manifest' AND files.project_id = found.project_id AND files.bin = found.bin AND files.obs = found.obs
"""
UNUSED = """\
DELETE FROM files
WHERE kind = 'raw' AND NOT EXISTS (SELECT FROM raw_photometry WHERE raw_photometry.filename = files.path)
"""


def upgrade():
    """Raw photometry of data releases."""
    op.execute("DROP VIEW source_summary")
    op.execute("DROP VIEW detections_real")
    op.execute("DROP VIEW what_is_bad")
    op.execute("DROP VIEW detections_vetted")
    op.add_column(
        "files",
        sa.Column(
            "raw_file",
            sa.Text(),
            server_default=sa.text("''"),
            nullable=False,
            comment="path of the raw file that a manifest is of; empty for other kinds",
        ),
    )
    op.alter_column("files", "raw_file", existing_type=sa.Text(), server_default=None, existing_nullable=False)
    op.drop_index(op.f("ix_raw_photometry_source_name"), table_name="raw_photometry")
    op.drop_constraint(op.f("uq_raw_photometry_obs_source_name"), "raw_photometry", type_="unique")
    op.create_unique_constraint(
        op.f("uq_raw_photometry_source_name_filename"), "raw_photometry", ["source_name", "filename"]
    )
    op.create_index(
        "ix_raw_photometry_failed",
        "raw_photometry",
        ["source_name"],
        unique=False,
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.execute(RAW_FILES)
    op.execute(UNUSED)
    op.execute(VIEWS["source_summary"])
    op.execute(VIEWS["detections_real"])
    op.execute(VIEWS["what_is_bad"])
    op.execute(VIEWS["detections_vetted"])
