"""Baseline."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

__all__ = ["upgrade"]

revision = "0001"
down_revision = None

VIEWS = {}


def upgrade():
    """Baseline."""
    op.create_table(
        "projects",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("name", sa.Text(), nullable=False, comment="name in the configuration"),
        sa.Column("folder", sa.Text(), nullable=False, comment="folder of its products below the data root"),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
        sa.UniqueConstraint("folder", name=op.f("uq_projects_folder")),
    )
    op.create_table(
        "provenances",
        sa.Column("id", sa.Text(), nullable=False, comment="20 hexadecimal digits of its SHA-256"),
        sa.Column("process", sa.Text(), nullable=False, comment="name of the rule"),
        sa.Column("parameters", postgresql.JSONB(), nullable=False, comment="critical parameters"),
        sa.Column("code", sa.Text(), nullable=False, comment="fingerprint of the code, or number of a format"),
        sa.Column(
            "upstreams", postgresql.JSONB(), nullable=False, comment="identifiers of the provenances of its input"
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provenances")),
    )
    op.create_table(
        "raw_photometry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("obs", sa.Text(), nullable=False, comment="observatory"),
        sa.Column("source_name", sa.Text(), nullable=False, comment="name of the source in the catalog"),
        sa.Column("status", sa.Text(), nullable=False, comment="outcome of the download: ok, empty or failed"),
        sa.Column("n_rows", sa.BigInteger(), nullable=False, comment="number of epochs as they were sent"),
        sa.Column("digest", sa.Text(), nullable=False, comment="digest of the epochs"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why the download failed; empty where it did not"),
        sa.Column("filename", sa.Text(), nullable=False, comment="raw file"),
        sa.Column("key", sa.Text(), nullable=False, comment="key of the epochs in the file"),
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
        sa.PrimaryKeyConstraint("id", name=op.f("pk_raw_photometry")),
        sa.UniqueConstraint("obs", "source_name", name=op.f("uq_raw_photometry_obs_source_name")),
    )
    op.create_index(op.f("ix_raw_photometry_source_name"), "raw_photometry", ["source_name"], unique=False)
    op.create_table(
        "bins",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("bin", sa.Text(), nullable=False, comment="name of the bin"),
        sa.Column(
            "digest",
            sa.Text(),
            nullable=False,
            comment="SHA-256 of the tables of its products and of the columns of the database",
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
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_bins_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bins")),
        sa.UniqueConstraint("project_id", "bin", name=op.f("uq_bins_project_id_bin")),
    )
    op.create_table(
        "histograms",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance of the product"),
        sa.Column("name", sa.Text(), nullable=False, comment="name of the histogram"),
        sa.Column("filename", sa.Text(), nullable=False, comment="file of the counts"),
        sa.Column("axes", postgresql.JSONB(), nullable=False, comment="name, unit, edges or labels of each axis"),
        sa.Column("total", sa.BigInteger(), nullable=False, comment="sum of all counts"),
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
            ["project_id"], ["projects.id"], name=op.f("fk_histograms_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_histograms_provenance_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_histograms")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_histograms_project_id_name")),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("name", sa.Text(), nullable=False, comment="name in the catalog"),
        sa.Column("bin", sa.Text(), nullable=False, comment="bin of right ascension, the unit of files"),
        sa.Column("ra", sa.Double(), nullable=True, comment="right ascension at epoch [deg, ICRS]"),
        sa.Column("dec", sa.Double(), nullable=True, comment="declination at epoch [deg, ICRS]"),
        sa.Column(
            "pmra", sa.Double(), nullable=True, comment="proper motion in right ascension times cos(dec) [mas/yr]"
        ),
        sa.Column("pmdec", sa.Double(), nullable=True, comment="proper motion in declination [mas/yr]"),
        sa.Column("parallax", sa.Double(), nullable=True, comment="parallax [mas]"),
        sa.Column("epoch", sa.Double(), nullable=True, comment="epoch of the position [Julian year]"),
        sa.Column("mag", sa.Double(), nullable=True, comment="catalog magnitude [mag]"),
        sa.Column("mag_err", sa.Double(), nullable=True, comment="error of the catalog magnitude [mag]"),
        sa.Column(
            "mag_filter", sa.Text(), nullable=False, comment="filter of the catalog magnitude; empty where not known"
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
            ["project_id"], ["projects.id"], name=op.f("fk_sources_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_sources_project_id_name")),
    )
    op.create_index(op.f("ix_sources_name"), "sources", ["name"], unique=False)
    op.create_index(op.f("ix_sources_project_id_bin"), "sources", ["project_id", "bin"], unique=False)
    op.create_table(
        "lightcurves",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="its source"),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance of the product"),
        sa.Column("obs", sa.Text(), nullable=False, comment="observatory"),
        sa.Column("key", sa.Text(), nullable=False, comment="key in the file"),
        sa.Column("filename", sa.Text(), nullable=False, comment="file of the lightcurve"),
        sa.Column("level", sa.Text(), nullable=False, comment="what was done to it: reduced"),
        sa.Column("filter", sa.Text(), nullable=False, comment="filter, with the survey: ztf-r"),
        sa.Column("series", sa.Text(), nullable=False, comment="object or readout channel of the survey"),
        sa.Column(
            "number",
            sa.BigInteger(),
            nullable=False,
            comment="number among the lightcurves of this source and observatory, from 1",
        ),
        sa.Column(
            "count",
            sa.BigInteger(),
            nullable=False,
            comment="how many lightcurves of this source and observatory there are",
        ),
        sa.Column("n_epochs", sa.BigInteger(), nullable=False, comment="number of epochs"),
        sa.Column("n_good", sa.BigInteger(), nullable=False, comment="number of epochs without flags"),
        sa.Column("mjd_first", sa.Double(), nullable=True, comment="first epoch [d, MJD UTC]"),
        sa.Column("mjd_last", sa.Double(), nullable=True, comment="last epoch [d, MJD UTC]"),
        sa.Column("exptime", sa.Double(), nullable=True, comment="exposure time [s]"),
        sa.Column("cadence", sa.Double(), nullable=True, comment="median time from epoch to epoch [d]"),
        sa.Column("is_uniform", sa.Boolean(), nullable=False, comment="whether the epochs are evenly spaced"),
        sa.Column("flux_mean", sa.Double(), nullable=True, comment="mean flux [uJy]"),
        sa.Column("flux_median", sa.Double(), nullable=True, comment="median flux [uJy]"),
        sa.Column("flux_rms", sa.Double(), nullable=True, comment="standard deviation of the flux [uJy]"),
        sa.Column("flux_rms_robust", sa.Double(), nullable=True, comment="robust scatter of the flux [uJy]"),
        sa.Column("flux_min", sa.Double(), nullable=True, comment="lowest flux [uJy]"),
        sa.Column("flux_max", sa.Double(), nullable=True, comment="highest flux [uJy]"),
        sa.Column("mag_median", sa.Double(), nullable=True, comment="median magnitude [mag, AB]"),
        sa.Column("snr_min", sa.Double(), nullable=True, comment="lowest flux over its error"),
        sa.Column("snr_median", sa.Double(), nullable=True, comment="median flux over its error"),
        sa.Column("snr_max", sa.Double(), nullable=True, comment="highest flux over its error"),
        sa.Column("dmag_min", sa.Double(), nullable=True, comment="lowest magnitude minus the median [mag]"),
        sa.Column("dmag_median", sa.Double(), nullable=True, comment="median of magnitude minus its median [mag]"),
        sa.Column("dmag_max", sa.Double(), nullable=True, comment="highest magnitude minus the median [mag]"),
        sa.Column("zp", sa.Double(), nullable=True, comment="zero point of the fluxes [mag, AB]"),
        sa.Column("digest", sa.Text(), nullable=False, comment="digest of the epochs"),
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
            ["project_id"], ["projects.id"], name=op.f("fk_lightcurves_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_lightcurves_provenance_id")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_lightcurves_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lightcurves")),
        sa.UniqueConstraint("project_id", "obs", "key", name=op.f("uq_lightcurves_project_id_obs_key")),
    )
    op.create_index(op.f("ix_lightcurves_source_id"), "lightcurves", ["source_id"], unique=False)
    op.create_table(
        "properties",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="its source"),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance of the product"),
        sa.Column(
            "interest",
            sa.Text(),
            nullable=False,
            comment="interesting or boring by the cuts of the project; null without good epochs",
        ),
        sa.Column("n_lightcurves", sa.BigInteger(), nullable=False, comment="number of lightcurves"),
        sa.Column("n_epochs", sa.BigInteger(), nullable=False, comment="number of epochs"),
        sa.Column("n_good", sa.BigInteger(), nullable=False, comment="number of epochs without flags"),
        sa.Column("mjd_first", sa.Double(), nullable=True, comment="first epoch [d, MJD UTC]"),
        sa.Column("mjd_last", sa.Double(), nullable=True, comment="last epoch [d, MJD UTC]"),
        sa.Column("n_detections", sa.BigInteger(), nullable=False, comment="number of real detections"),
        sa.Column("best_snr", sa.Double(), nullable=True, comment="greatest absolute signal to noise of a good epoch"),
        sa.Column(
            "filter", sa.Text(), nullable=False, comment="filter that the statistics are of; empty without good epochs"
        ),
        sa.Column(
            "filter_n_good", sa.BigInteger(), nullable=False, comment="number of epochs without flags in that filter"
        ),
        sa.Column(
            "colors",
            postgresql.JSONB(),
            nullable=False,
            comment="colours and their errors [mag, AB], by name: color_ztf_g_ztf_r, ..._err",
        ),
        sa.Column(
            "extra",
            postgresql.JSONB(),
            nullable=False,
            comment="what an analysis of one's own measured, by name of its columns",
        ),
        sa.Column("duration", sa.Double(), nullable=True, comment="time from the first to the last epoch [d]"),
        sa.Column("cadence", sa.Double(), nullable=True, comment="median time from epoch to epoch [d]"),
        sa.Column("longest_gap", sa.Double(), nullable=True, comment="longest time from epoch to epoch [d]"),
        sa.Column("flux_mean", sa.Double(), nullable=True, comment="mean flux [uJy]"),
        sa.Column(
            "flux_weighted_mean",
            sa.Double(),
            nullable=True,
            comment="mean flux, weighted by the inverse squares of the errors [uJy]",
        ),
        sa.Column(
            "flux_weighted_mean_err",
            sa.Double(),
            nullable=True,
            comment="error of flux_weighted_mean from the errors alone [uJy]",
        ),
        sa.Column("flux_median", sa.Double(), nullable=True, comment="median flux [uJy]"),
        sa.Column(
            "flux_median_err",
            sa.Double(),
            nullable=True,
            comment="error of flux_median, sqrt(pi / 2) times robust scatter or median error, the greater, over sqrt(n) [uJy]",
        ),
        sa.Column("mag_median", sa.Double(), nullable=True, comment="magnitude (AB) of the median flux [mag]"),
        sa.Column("mag_median_err", sa.Double(), nullable=True, comment="error of mag_median [mag]"),
        sa.Column("error_median", sa.Double(), nullable=True, comment="median error of the flux [uJy]"),
        sa.Column("snr_median", sa.Double(), nullable=True, comment="median of flux over error"),
        sa.Column(
            "flux_rms", sa.Double(), nullable=True, comment="standard deviation of the flux (divisor n - 1) [uJy]"
        ),
        sa.Column(
            "flux_rms_robust",
            sa.Double(),
            nullable=True,
            comment="1.4826 times the median absolute deviation of the flux [uJy]",
        ),
        sa.Column(
            "flux_amplitude", sa.Double(), nullable=True, comment="half the difference of greatest and least flux [uJy]"
        ),
        sa.Column("flux_p05", sa.Double(), nullable=True, comment="flux that 5 % of the epochs are below [uJy]"),
        sa.Column("flux_p25", sa.Double(), nullable=True, comment="flux that 25 % of the epochs are below [uJy]"),
        sa.Column("flux_p75", sa.Double(), nullable=True, comment="flux that 75 % of the epochs are below [uJy]"),
        sa.Column("flux_p95", sa.Double(), nullable=True, comment="flux that 95 % of the epochs are below [uJy]"),
        sa.Column("flux_iqr", sa.Double(), nullable=True, comment="difference of flux_p75 and flux_p25 [uJy]"),
        sa.Column(
            "mag_amplitude",
            sa.Double(),
            nullable=True,
            comment="half the difference of the magnitudes of flux_p05 and flux_p95 [mag]",
        ),
        sa.Column(
            "relative_width",
            sa.Double(),
            nullable=True,
            comment="difference of flux_p95 and flux_p05 over the median flux",
        ),
        sa.Column(
            "width_ratio_20",
            sa.Double(),
            nullable=True,
            comment="width of the middle 20 % of the fluxes over that of the middle 90 %; 0.154 for a Gaussian",
        ),
        sa.Column(
            "width_ratio_50",
            sa.Double(),
            nullable=True,
            comment="width of the middle 50 % of the fluxes over that of the middle 90 %; 0.410 for a Gaussian",
        ),
        sa.Column(
            "width_ratio_80",
            sa.Double(),
            nullable=True,
            comment="width of the middle 80 % of the fluxes over that of the middle 90 %; 0.779 for a Gaussian",
        ),
        sa.Column(
            "skewness",
            sa.Double(),
            nullable=True,
            comment="skewness G1 of the flux; positive where the tail is to the bright side",
        ),
        sa.Column("kurtosis", sa.Double(), nullable=True, comment="excess kurtosis G2 of the flux; 0 for a Gaussian"),
        sa.Column("skewness_robust", sa.Double(), nullable=True, comment="skewness from quartiles, -1 to 1"),
        sa.Column(
            "kurtosis_robust", sa.Double(), nullable=True, comment="kurtosis from octiles, less 1.233; 0 for a Gaussian"
        ),
        sa.Column(
            "beyond_1std",
            sa.Double(),
            nullable=True,
            comment="fraction of the epochs beyond one standard deviation from the mean; 0.317 for a Gaussian",
        ),
        sa.Column("chi2", sa.Double(), nullable=True, comment="chi-square of a constant flux, about the weighted mean"),
        sa.Column("chi2_reduced", sa.Double(), nullable=True, comment="chi-square of a constant flux over n - 1"),
        sa.Column(
            "roms",
            sa.Double(),
            nullable=True,
            comment="robust median statistic, sum of |flux - median| / error over n - 1; 0.8 for noise",
        ),
        sa.Column(
            "poisson_factor",
            sa.Double(),
            nullable=True,
            comment="standard deviation over root mean square error; 1 for noise",
        ),
        sa.Column(
            "excess_variance",
            sa.Double(),
            nullable=True,
            comment="variance less mean squared error, over the squared mean flux; negative values are noise",
        ),
        sa.Column(
            "excess_variance_err",
            sa.Double(),
            nullable=True,
            comment="error of excess_variance from the errors of the fluxes, eq. 11 of the reference",
        ),
        sa.Column(
            "rms_excess",
            sa.Double(),
            nullable=True,
            comment="robust scatter beyond the median error over the median flux, if that is positive",
        ),
        sa.Column(
            "von_neumann",
            sa.Double(),
            nullable=True,
            comment="mean squared step from epoch to epoch over the variance; 2 for white noise, less if smooth",
        ),
        sa.Column(
            "von_neumann_irregular",
            sa.Double(),
            nullable=True,
            comment="mean squared slope times the squared mean step in time over the variance, eta^e; equal times are left out",
        ),
        sa.Column(
            "stetson_j",
            sa.Double(),
            nullable=True,
            comment="index J of epochs paired within a day; 0 for noise in pairs, positive if both deviate alike",
        ),
        sa.Column(
            "stetson_k",
            sa.Double(),
            nullable=True,
            comment="index K, mean over root mean square of |residual|; 0.798 for a Gaussian, 0.9 for a sine",
        ),
        sa.Column("stetson_l", sa.Double(), nullable=True, comment="index L, J times K over 0.798"),
        sa.Column(
            "cusum",
            sa.Double(),
            nullable=True,
            comment="range of the cumulative sum of flux - mean, over n standard deviations",
        ),
        sa.Column("max_slope", sa.Double(), nullable=True, comment="greatest |slope| from epoch to epoch [uJy/d]"),
        sa.Column(
            "trend", sa.Double(), nullable=True, comment="slope of the straight line of least chi-square [uJy/d]"
        ),
        sa.Column("trend_err", sa.Double(), nullable=True, comment="error of trend from the errors alone [uJy/d]"),
        sa.Column("pearson_r", sa.Double(), nullable=True, comment="correlation of flux and time"),
        sa.Column("pearson_p", sa.Double(), nullable=True, comment="probability of as strong a correlation by chance"),
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
            ["project_id"], ["projects.id"], name=op.f("fk_properties_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_properties_provenance_id")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_properties_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_properties")),
        sa.UniqueConstraint("project_id", "source_id", name=op.f("uq_properties_project_id_source_id")),
    )
    op.create_index(op.f("ix_properties_source_id"), "properties", ["source_id"], unique=False)
    op.create_table(
        "bad_data",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="its source"),
        sa.Column("lightcurve_id", sa.BigInteger(), nullable=False, comment="its lightcurve, which names file and key"),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance of the product"),
        sa.Column("obs", sa.Text(), nullable=False, comment="observatory"),
        sa.Column("check", sa.Text(), nullable=False, comment="name of the check"),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it failed: a short name, then numbers"),
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
            ["lightcurve_id"], ["lightcurves.id"], name=op.f("fk_bad_data_lightcurve_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_bad_data_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_bad_data_provenance_id")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_bad_data_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bad_data")),
        sa.UniqueConstraint("lightcurve_id", "check", name=op.f("uq_bad_data_lightcurve_id_check")),
    )
    op.create_index(op.f("ix_bad_data_project_id"), "bad_data", ["project_id"], unique=False)
    op.create_index(op.f("ix_bad_data_source_id"), "bad_data", ["source_id"], unique=False)
    op.create_table(
        "detections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="its source"),
        sa.Column("lightcurve_id", sa.BigInteger(), nullable=False, comment="its lightcurve, which names file and key"),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance of the product"),
        sa.Column("simulated", sa.Boolean(), nullable=False, comment="whether its lightcurve has an injected signal"),
        sa.Column("obs", sa.Text(), nullable=False, comment="observatory"),
        sa.Column("filter", sa.Text(), nullable=False, comment="filter of the lightcurve"),
        sa.Column("series", sa.Text(), nullable=False, comment="object or readout channel of the survey"),
        sa.Column(
            "number",
            sa.BigInteger(),
            nullable=False,
            comment="number of the detection in its lightcurve, from 1 in order of time",
        ),
        sa.Column("method", sa.Text(), nullable=False, comment="how it was found"),
        sa.Column("template", sa.Text(), nullable=False, comment="shape that fits best; empty without one"),
        sa.Column(
            "injection", sa.BigInteger(), nullable=False, comment="number of the injection of the source, 0 if real"
        ),
        sa.Column(
            "event",
            sa.BigInteger(),
            nullable=False,
            comment="number of the source's event that it is part of, see the table events; 0 if simulated",
        ),
        sa.Column("sign", sa.BigInteger(), nullable=False, comment="+1 brighter, -1 fainter than usual"),
        sa.Column("snr", sa.Double(), nullable=True, comment="signed (flux - median) / noise of the epoch of the peak"),
        sa.Column("score", sa.Double(), nullable=True, comment="what is compared with the threshold"),
        sa.Column("threshold", sa.Double(), nullable=True, comment="least score of a detection"),
        sa.Column(
            "peak_mjd",
            sa.Double(),
            nullable=True,
            comment="time of the peak (UTC, mid-exposure), of the template where there is one [d]",
        ),
        sa.Column("start_mjd", sa.Double(), nullable=True, comment="time of the first epoch [d]"),
        sa.Column("end_mjd", sa.Double(), nullable=True, comment="time of the last epoch [d]"),
        sa.Column(
            "duration",
            sa.Double(),
            nullable=True,
            comment="from the beginning of the first to the end of the last exposure [d]",
        ),
        sa.Column("width", sa.Double(), nullable=True, comment="full width at half maximum of the template [d]"),
        sa.Column(
            "amplitude",
            sa.Double(),
            nullable=True,
            comment="flux of the peak less the median, of the template where there is one [uJy]",
        ),
        sa.Column("amplitude_err", sa.Double(), nullable=True, comment="its error [uJy]"),
        sa.Column(
            "fluence",
            sa.Double(),
            nullable=True,
            comment="flux less the median, integrated over the unflagged epochs [uJy d]",
        ),
        sa.Column(
            "first_epoch", sa.BigInteger(), nullable=False, comment="row of the first epoch in the lightcurve, from 0"
        ),
        sa.Column("last_epoch", sa.BigInteger(), nullable=False, comment="row of the last epoch, included"),
        sa.Column("peak_epoch", sa.BigInteger(), nullable=False, comment="row of the peak"),
        sa.Column("n_epochs", sa.BigInteger(), nullable=False, comment="epochs of the detection that were searched"),
        sa.Column(
            "n_flagged", sa.BigInteger(), nullable=False, comment="flagged epochs from its first to its last epoch"
        ),
        sa.Column(
            "offset",
            sa.Double(),
            nullable=True,
            comment="greatest offset of its epochs from the median position in units of the scatter",
        ),
        sa.Column("peak_mag", sa.Double(), nullable=True, comment="magnitude at the peak (AB) [mag]"),
        sa.Column(
            "dmag",
            sa.Double(),
            nullable=True,
            comment="magnitude at the peak minus the median, negative if brighter [mag]",
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
            ["lightcurve_id"], ["lightcurves.id"], name=op.f("fk_detections_lightcurve_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_detections_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_detections_provenance_id")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_detections_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detections")),
        sa.UniqueConstraint(
            "lightcurve_id",
            "simulated",
            "injection",
            "number",
            name=op.f("uq_detections_lightcurve_id_simulated_injection_number"),
        ),
    )
    op.create_index(op.f("ix_detections_project_id"), "detections", ["project_id"], unique=False)
    op.create_index(op.f("ix_detections_source_id"), "detections", ["source_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="its source"),
        sa.Column("lightcurve_id", sa.BigInteger(), nullable=False, comment="lightcurve of its strongest detection"),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance of the product"),
        sa.Column(
            "event",
            sa.BigInteger(),
            nullable=False,
            comment="number of the event of the source, from 1 in order of time",
        ),
        sa.Column("sign", sa.BigInteger(), nullable=False, comment="+1 brighter, -1 fainter than usual"),
        sa.Column("n_detections", sa.BigInteger(), nullable=False, comment="detections that are parts of it"),
        sa.Column("surveys", sa.Text(), nullable=False, comment="observatories that saw it"),
        sa.Column("filters", sa.Text(), nullable=False, comment="filters in which it was seen"),
        sa.Column("snr", sa.Double(), nullable=True, comment="root of the sum of the squares of the S/N of its parts"),
        sa.Column("score", sa.Double(), nullable=True, comment="greatest score of its parts"),
        sa.Column(
            "peak_mjd", sa.Double(), nullable=True, comment="time of the peak of the part with the greatest score [d]"
        ),
        sa.Column("start_mjd", sa.Double(), nullable=True, comment="time of the first epoch [d]"),
        sa.Column("end_mjd", sa.Double(), nullable=True, comment="time of the last epoch [d]"),
        sa.Column("obs", sa.Text(), nullable=False, comment="observatory of the part with the greatest score"),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="number of that part in its lightcurve"),
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
            ["lightcurve_id"], ["lightcurves.id"], name=op.f("fk_events_lightcurve_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_events_project_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_events_provenance_id")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_events_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("source_id", "event", name=op.f("uq_events_source_id_event")),
    )
    op.create_index(op.f("ix_events_lightcurve_id"), "events", ["lightcurve_id"], unique=False)
    op.create_index(op.f("ix_events_project_id"), "events", ["project_id"], unique=False)
    op.create_table(
        "injections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False, comment="number of the row"),
        sa.Column("project_id", sa.BigInteger(), nullable=False, comment="its project"),
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="its source"),
        sa.Column("lightcurve_id", sa.BigInteger(), nullable=False, comment="its lightcurve"),
        sa.Column("provenance_id", sa.Text(), nullable=False, comment="provenance of the product"),
        sa.Column("recovered", sa.Boolean(), nullable=False, comment="whether it was found"),
        sa.Column("obs", sa.Text(), nullable=False, comment="observatory"),
        sa.Column("filter", sa.Text(), nullable=False, comment="filter of the lightcurve"),
        sa.Column(
            "injection", sa.BigInteger(), nullable=False, comment="number of the injection of the source, from 1"
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="shape of the event"),
        sa.Column("peak_mjd", sa.Double(), nullable=True, comment="time of the peak (UTC) [d]"),
        sa.Column("width", sa.Double(), nullable=True, comment="full width at half maximum [d]"),
        sa.Column("amplitude", sa.Double(), nullable=True, comment="flux added at the peak, negative for a dip [uJy]"),
        sa.Column(
            "expected_snr",
            sa.Double(),
            nullable=True,
            comment="amplitude over the noise at the peak, without photon noise of the event",
        ),
        sa.Column(
            "snr", sa.Double(), nullable=True, comment="S/N of the best detection that is due to the event, NaN if none"
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
            ["lightcurve_id"], ["lightcurves.id"], name=op.f("fk_injections_lightcurve_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_injections_project_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["provenance_id"], ["provenances.id"], name=op.f("fk_injections_provenance_id")),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name=op.f("fk_injections_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_injections")),
        sa.UniqueConstraint("lightcurve_id", "injection", name=op.f("uq_injections_lightcurve_id_injection")),
    )
    op.create_index(op.f("ix_injections_project_id"), "injections", ["project_id"], unique=False)
    op.create_index(op.f("ix_injections_source_id"), "injections", ["source_id"], unique=False)
    op.execute(
        "ALTER TABLE properties ADD CONSTRAINT ck_properties_interest CHECK ((interest = ANY (ARRAY['interesting'::text, 'boring'::text, 'null'::text])))"
    )
    op.execute(
        "ALTER TABLE raw_photometry ADD CONSTRAINT ck_raw_photometry_status CHECK ((status = ANY (ARRAY['ok'::text, 'empty'::text, 'failed'::text])))"
    )
