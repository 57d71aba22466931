"""The plan of a run: its bins, surveys and the parameters of each stage, from the configuration alone.

The workflow makes one when it starts, a dry-run too, so it reads little (the bins of the catalog
and the headers of the manifests) and imports nothing heavy.
"""

import atexit
import os
import shlex
import shutil
import sys
import tempfile
import time
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from vo_lib import paths
from vo_lib.bins import check_width
from vo_lib.catalogs.remote import FOLDER, remote_catalog
from vo_lib.catalogs.snapshot import take_snapshot
from vo_lib.checks.plan import check_files, resolve_quality
from vo_lib.config import complete, config_digest, critical, data_root, load_schema, read_config
from vo_lib.counts.histogram_axes import check_size, make_histograms
from vo_lib.downloads.manifest import find_header
from vo_lib.errors import ConfigError, UserError, hint
from vo_lib.measures.colors import color_columns, color_pairs
from vo_lib.observatories import OBSERVATORIES
from vo_lib.observatories.credentials import read_secret
from vo_lib.planning.command_line import mark_texts, settle_texts, snakemake_command
from vo_lib.planning.config_styles import translate
from vo_lib.planning.job_parameters import PROJECT_TABLES, job_parameters
from vo_lib.planning.stage_provenances import stage_provenance
from vo_lib.planning.survey_plan import SurveyPlan, add_plugins, filters_of, spread_common
from vo_lib.properties import PROPERTY_COLUMNS, check_options
from vo_lib.provenance import PACKAGE_ROOT, canonical_json
from vo_lib.rates import check_classes, unknown_noise
from vo_lib.reduction.calibration import calibrator_files, expect_filters
from vo_lib.stages import forward_kwargs, make_analysis, stage_class
from vo_lib.storage.permissions import is_own_group, set_permissions

__all__ = ["Plan", "read_plan"]

# Bytes that parameters may have: a system takes 131,072 for the command of a job, of which they are the most.
MOST_BYTES = 120_000
# Lists of the configuration that can be so long, and what to do.
LISTS = {
    "catalog.sources": "put them into a file and name it in catalog.file",
    "select.names": "put these rows of the catalog into a file and name it in catalog.file",
    "bins": "set bins.width_deg to more",
}
# Keys of catalog that say how it is read.
READING = ("columns", "mags", "table", "missing_values", "frame", "cuts", "on_duplicate")


def _check_project_name(name, surveys):
    """A project's folder is beside those of the observatories and of the database."""
    if name.upper() in {*OBSERVATORIES, *surveys, "DATABASE"}:
        raise ConfigError(
            f"configuration: project must not be '{name}': {name.upper()} is a folder of the data root for all "
            f"projects; choose another name, for example '{name}_project'"
        )


class Plan:
    """What a configuration asks for.

    Parameters
    ----------
    config : dict
        The configuration as the user wrote it.
    schema : dict
        See `vo_lib.config.load_schema`.
    root : str or Path
        Folder that relative paths of the configuration start from; it holds ``scripts``.
    changes : dict, optional
        What of it comes from ``--config`` of Snakemake, with text for nested numbers.

    Raises
    ------
    UserError
        When configuration, catalog or data root cannot be used.
    """

    def __init__(self, config, schema, root, changes=None):
        self.started, self.stopped = time.time(), False
        self._snapshots, self._provenances = {}, {}
        self.root = Path(root)
        config = translate(mark_texts(config, changes or {}))
        self.schema = add_plugins(schema, config)
        self.command = snakemake_command((), changes or {}, self.schema)
        config = spread_common(config, self.schema)
        self.config = complete(settle_texts(forward_kwargs(config, self.schema), self.schema), self.schema)
        self.data_root = data_root(self.config, root)
        plans = [SurveyPlan.of(name, part, self.schema, root) for name, part in self.config["observatories"].items()]
        self.surveys = {survey.name: survey for survey in plans}
        _check_project_name(self.config["project"], self.surveys)
        for survey in self.config["catalog"]["mags"]:
            if survey.upper() not in self.surveys:
                raise ConfigError(
                    f"configuration: catalog.mags.{survey} is of no survey of the project; name one of "
                    f"{', '.join(self.config['observatories'])}"
                )
        self.observatories = list(self.surveys)
        own = stage_class("analysis", self.config["analysis"]["class"]).columns
        check_options(self._filters, own=own, **self.config["properties"])
        columns = PROPERTY_COLUMNS | color_columns(self._colors) | own
        check_classes(self.config["rates"]["classes"], columns)

    @property
    def warnings(self):
        """Lines on settings that are allowed but leave something unknown or undone."""
        lines, group = [], self.config["permissions"]["group"]
        if group is not None and not is_own_group(group):
            lines.append(
                f"configuration: permissions.group '{group}' is no group of yours on this host, so files keep their "
                "group; ask the administrator for it, or name another one"
            )
        if not self.config["rates"]["false_alarms"] and (reason := unknown_noise(self.config["finder"])):
            lines.append(
                f"configuration: {reason}, so the false detections in rates.csv are unknown and not taken off; measure "
                "them (docs/rates.md) and set rates.false_alarms"
            )
        return lines

    def set_permissions(self):
        """Give files that this process and its jobs write below the data root the group and modes wanted."""
        section = self.config["permissions"]
        known = section["group"] is not None and is_own_group(section["group"])
        set_permissions(self.data_root, section | ({} if known else {"group": None}))

    @cached_property
    def remote_catalog(self):
        """What to fetch for a catalog that is not a file of the user's, else None."""
        return remote_catalog(self.config["catalog"], root=self.root)

    @property
    def catalog_file(self):
        """Path of the catalog."""
        if self.remote_catalog:
            return str(self.data_root / FOLDER / self.remote_catalog.name)
        return str(self.root / Path(self.config["catalog"]["file"]).expanduser())

    @property
    def has_catalog(self):
        """Whether the catalog need not be fetched first."""
        return not self.remote_catalog or self.remote_catalog.is_at(self.catalog_file)

    @property
    def catalog(self):
        """Snapshot of the catalog as it was when it was first needed, or last fetched."""
        fetched = Path(self.catalog_file).stat().st_mtime_ns if self.remote_catalog and self.has_catalog else None
        if fetched not in self._snapshots:
            self._snapshots[fetched] = self._find_catalog()
        return self._snapshots[fetched]

    def _find_catalog(self):
        """Snapshot below the data root; for who may only read there, one that is gone when this process ends."""
        try:
            return self.take_catalog(self.data_root / ".snakemake" / "catalogs")
        except ConfigError:
            if not self.data_root.exists() or os.access(self.data_root, os.W_OK):
                raise
            folder = tempfile.mkdtemp(prefix="vo-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            return self.take_catalog(folder)

    def take_catalog(self, folder):
        """Snapshot of the catalog as it is, in a folder: Snakemake's below the data root, or any other."""
        if not self.has_catalog:
            raise ConfigError(f"{self.catalog_file}: the catalog was not fetched yet; start the workflow to fetch it")
        options = {name: self.config["catalog"][name] for name in READING}
        options |= {"select": self.config["select"], "width_deg": self.config["bins"]["width_deg"]}
        if self.remote_catalog:
            options |= self.remote_catalog.reading(self.catalog_file)
        try:
            return take_snapshot(self.config["catalog"]["sources"] or self.catalog_file, folder, **options)
        except OSError as error:
            raise ConfigError(
                f"{folder}: cannot be written to ({error}); mend that or choose another data_root"
            ) from None

    @property
    def bins(self):
        """Names of the bins with sources, in the order of right ascension."""
        return list(self.catalog.bins)

    @cached_property
    def digest(self):
        """Hash of the critical configuration and of the code of all stages, see `vo_lib.config.config_digest`."""
        # Sorted, for surveys in another order are the same configuration.
        code = sorted([row["process"], row["code"]] for row in self.provenances)
        return config_digest(self.config, self.schema, code)

    @cached_property
    def folder(self):
        """Folder of the project's products below the data root."""
        return paths.project_folder(self.config["project"], self.digest if self.config["version_control"] else None)

    @cached_property
    def config_file(self):
        """Where the final configuration is kept."""
        return f"{self.folder}/00_config_{self.digest}.yaml"

    @cached_property
    def critical(self):
        """What of the configuration can change a result."""
        return critical(self.config, self.schema)

    def raw_file(self, obs, bin_name):
        """Raw archive of a survey and bin, relative to the data root."""
        return paths.raw_file(obs, bin_name, self.surveys[obs].observatory.release)

    def reduce_options(self, obs):
        """Parameters of the reduction of one survey: its own section before what is usual for it and that for all."""
        usual, name = dict(self.surveys[obs].observatory.usual_options), obs.lower()
        if name in map(str.lower, self.config["catalog"]["mags"]):
            usual.pop("mag_range", None)
        return self.critical["reduce"] | usual | self.critical["observatories"][name].get("reduce", {})

    def provenance(self, process, obs=None):
        """Provenance of a stage: ``download`` and ``reduce`` of one survey, others of the project."""
        if (process, obs) not in self._provenances:
            self._provenances[process, obs] = stage_provenance(self, process, obs)
        return self._provenances[process, obs]

    @cached_property
    def provenances(self):
        """Rows of all provenances of the project, upstream first."""
        per_survey = [self.provenance(process, obs) for process in ("download", "reduce") for obs in self.observatories]
        optional = ["combine"] if "combined" in self.per_bin else []
        project = [self.provenance(process) for process in ("analyze", *optional, "merge_histograms", *PROJECT_TABLES)]
        return [provenance.as_row() for provenance in (*per_survey, *project)]

    def parameters(self, process, obs=None, bin=None, **_):  # noqa: A002 - the name of the wildcard
        """Canonical JSON of all that decides the result of a job.

        Parameters
        ----------
        process : str
            Name of the rule.
        obs, bin : str, optional
            Wildcards of the job, where its rule has them.

        Raises
        ------
        UserError
            If the project has no such bin.
        """
        if bin is not None and bin not in self.catalog.bins:
            raise UserError(f"the project has no bin '{bin}'; {hint(bin, self.bins)}")
        return canonical_json(job_parameters(self, process, obs, bin))

    @cached_property
    def of_surveys(self):
        """What an analysis must know of the surveys, see `vo_lib.stages.make_analysis`."""
        return {"quality": self._quality(), "labels": self._labels, "colors": self._colors}

    def make_analysis(self, **sections):
        """Make the object that analyses a bin, with some sections of the configuration in place of the project's."""
        return make_analysis(self.critical | sections, **self.of_surveys)

    @property
    def page_options(self):
        """What the page of each source needs beside its products: how to compute periodograms, None where not."""
        periods = self.critical["periods"]
        wanted = periods["ranges"] and {"lomb_scargle", "multiband"} & set(periods["methods"])
        names = ("ranges", "oversampling", "max_frequencies")
        return {"periods": {name: periods[name] for name in names} if wanted else None}

    @property
    def _filters(self):
        """Names of each survey's filters."""
        return filters_of(self.surveys)

    @property
    def _colors(self):
        """Pairs of filters whose colours are wanted."""
        return color_pairs(self._filters, self.config["properties"]["colors"])

    @property
    def _labels(self):
        """Labels of the axes of histograms."""
        filters = [name for names in self._filters.values() for name in names]
        return {"filters": filters, "surveys": self.observatories, "kinds": self.config["simulator"]["kinds"]}

    def _check_histograms(self):
        """Raise ConfigError for histograms that are larger than allowed."""
        options = dict(self.config["histograms"])
        max_mb = options.pop("max_mb")
        check_size(make_histograms(**options, **self._labels), max_mb=max_mb)

    def _check_combined(self):
        """Raise ConfigError for fluxes that are to be brought to one zero point and have a zero of their own."""
        changes = [name for name, survey in self.surveys.items() if survey.observatory.measures_change]
        if self.config["combine"]["by"] and changes:
            raise ConfigError(
                f"configuration: combine.by is set, but fluxes of {changes[0]} are changes since a reference image, "
                f"whose zero no zero point mends; ask for total fluxes (vo help observatories.{changes[0].lower()}) or "
                "leave them to another project"
            )

    def _check_calibrators(self, obs):
        """Raise ConfigError for functions that cannot be loaded, and filters that none of their surveys has."""
        calibrators, shared = self.reduce_options(obs)["calibrators"], self.critical["reduce"]["calibrators"]
        calibrator_files(calibrators, self.root)
        surveys = self.observatories if calibrators == shared else [obs]
        expect_filters(calibrators, [name for survey in surveys for name in self._filters[survey]])

    def _check_commands(self):
        """Raise ConfigError for a list that is too long for the command of the report, which has all of them."""
        if len(shlex.quote(self.parameters("report"))) <= MOST_BYTES:
            return
        known = (self.config["catalog"]["sources"], self.config["select"]["names"], self.bins)
        lists = dict(zip(LISTS, known, strict=True))
        name = max(lists, key=lambda key: len(canonical_json(lists[key])))
        raise ConfigError(
            f"configuration: {name}: {len(lists[name]):,} are more than the command of a job can have; {LISTS[name]}"
        )

    def _quality(self):
        """What the section quality means for the surveys."""
        surveys = {name: survey.observatory for name, survey in self.surveys.items()}
        return resolve_quality(self.config["quality"], surveys)

    @property
    def database(self):
        """Host and name of the database, without user and password, or ``embedded``."""
        url = urlsplit(self.database_url or "")
        return f"{url.hostname or ''}:{url.port or 5432}{url.path}" if self.database_url else "embedded"

    @property
    def database_url(self):
        """URL of the database, which may hold a password, or None for the embedded server."""
        return self.config["database"]["url"] or os.environ.get("VO_DATABASE_URL")

    @cached_property
    def limits(self):
        """Connections to each archive at a time, over all jobs of a run; the workflow puts in what the user allows."""
        surveys = [survey.observatory for survey in self.surveys.values()]
        return {survey.service: survey.max_connections for survey in surveys if survey.service}

    @property
    def saved(self):
        """Kinds of lightcurves that the analysis keeps: processed, simulated, both or none."""
        return [kind for kind in ("processed", "simulated") if self.config[f"save_{kind}"]]

    @property
    def per_bin(self):
        """Names of the products of each bin that the configuration asks for, those of each survey first."""
        optional = ["combined"] if self.config["combine"]["by"] else []
        return ["manifests", "reduced", "analysis", "bin_histograms", *self.saved, *optional]

    def connections(self, obs):
        """Connections that a download job of a survey has at a time."""
        threads = self.config["download"]["threads"]
        return min(threads, max(1, self.limits.get(self.surveys[obs].observatory.service, threads)))

    def options(self):
        """JSON of what decides how the archives are asked, not what they answer; in no job's parameters."""
        surveys = {name: survey.made | survey.asked for name, survey in self.surveys.items()}
        catalog = self.remote_catalog.options if self.remote_catalog else {}
        threads = {name: self.connections(name) for name in self.surveys}
        how = self.config["download"] | {"width_deg": self.config["bins"]["width_deg"]}
        return canonical_json(how | {"surveys": surveys, "threads": threads, "catalog": catalog})

    def check(self):
        """Raise `UserError` when data root, catalog, checks or manifests cannot be used; no product is written."""
        check_files(self.config["quality"]["checks"], self.root)
        self.make_analysis()
        for obs in self.observatories:
            self._check_calibrators(obs)
        self._check_histograms()
        self._check_combined()
        check_width(self.data_root, self.config["bins"]["width_deg"])
        folder = self.data_root
        while not folder.exists():
            folder = folder.parent
        if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
            raise ConfigError(
                f"data_root {self.data_root}: {folder} is not a folder that can be written to; "
                f"choose another data_root or change its permissions"
            )
        bins = self.bins if self.has_catalog else [""]
        for name, survey in self.surveys.items():
            needed = survey.observatory.credentials
            files = (self.data_root / paths.manifest_file(self.folder, name, bin_name) for bin_name in bins)
            if needed and None in list(map(find_header, files)):
                for secret in needed:
                    read_secret(secret)
        if self.has_catalog:
            self._check_commands()
        if self.has_catalog and self.config["download"]["on_change"] == "refetch":
            from vo_lib.downloads.replaced import check_replaced

            check_replaced(self)


def read_plan(configfile=None, changes=(), *, root=PACKAGE_ROOT):
    """Make the plan that the workflow would make of a configuration file.

    Parameters
    ----------
    configfile : str or Path, optional
        The file; without it that of ``$VO_CONFIG``, else ``config/config.yaml`` of the project's folder.
    changes : sequence of str, optional
        ``KEY=VALUE``, see `vo_lib.config.read_config`.
    root : str or Path, optional
        The project's folder, with the schema, and where modules of plug-ins are looked for.

    Returns
    -------
    Plan

    Raises
    ------
    UserError
        When the configuration cannot be used.
    """
    root = Path(root)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    schema = load_schema(root / "workflow" / "schemas" / "config.schema.yaml")
    file = configfile or os.environ.get("VO_CONFIG") or root / "config" / "config.yaml"
    return Plan(read_config(file, changes), schema, root)
