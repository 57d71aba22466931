"""The plan of a run: its bins, its surveys and the parameters of each stage, from the configuration alone.

The workflow makes one at each start, also for a dry-run, so it reads little (the bins of the catalog and the headers
of the manifests) and imports nothing heavy.

A plan is made in this order, for each step needs the one before:

1. The words of the specification become keys of the schema (`vo_lib.planning.config_styles`).
2. The schema gets the sections of surveys that are plug-ins, and ``observatories.common`` is spread to all surveys
   (`vo_lib.planning.survey_sections`).
3. Keys of other sections leave ``analysis.kwargs`` (`vo_lib.stages.forward_kwargs`).
4. Texts of the command line become numbers where the schema has these (`vo_lib.planning.command_line`).
5. Defaults are filled in, and all values checked (`vo_lib.config.complete`).
6. Each survey gets its class and parameters (`vo_lib.planning.survey_plan`), and sections are checked against the
   surveys (`vo_lib.planning.plan_checks.check_sections`).

All else is found when it is first asked for: the catalog and its bins, then provenances and parameters of jobs.
"""

import atexit
import os
import shutil
import sys
import tempfile
from functools import cached_property
from pathlib import Path

from vo_lib import paths
from vo_lib.catalogs.remote import FOLDER, remote_catalog
from vo_lib.catalogs.snapshot import take_snapshot
from vo_lib.config import complete, config_digest, critical, data_root, load_schema, read_config
from vo_lib.database.place import EMBEDDED, database_place
from vo_lib.errors import ConfigError, UserError, hint
from vo_lib.measures.colors import color_pairs
from vo_lib.planning.command_line import mark_texts, settle_texts, snakemake_command
from vo_lib.planning.config_styles import translate
from vo_lib.planning.job_parameters import PROJECT_TABLES, job_parameters
from vo_lib.planning.plan_checks import check_sections
from vo_lib.planning.quality_section import resolve_quality
from vo_lib.planning.stage_provenances import stage_provenance
from vo_lib.planning.survey_plan import SurveyPlan, filters_of
from vo_lib.planning.survey_sections import add_plugins, spread_common
from vo_lib.provenance import PACKAGE_ROOT, canonical_json
from vo_lib.stages import forward_kwargs, make_analysis
from vo_lib.storage.permissions import is_own_group, set_permissions

__all__ = ["Plan", "read_keys", "read_plan", "read_schema"]

# Keys of the section catalog that say how it is read.
READING = ("columns", "mags", "table", "missing_values", "frame", "cuts", "on_duplicate")


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
        The part of it that comes from Snakemake's ``--config``, in which nested numbers are text.
    configfiles : sequence of str or Path, optional
        The files that it comes from, for `command`.

    Attributes
    ----------
    config : dict
        The complete configuration.
    schema : dict
        The schema with the sections of plug-ins.
    data_root : Path
        Folder of all products.
    surveys : dict of str to SurveyPlan
        The surveys by name in capitals.
    observatories : list of str
        Their names.
    command : str
        The Snakemake command that repeats the run.
    old_logs : dict of Path to tuple
        Logs that the run found at its start, see `vo_lib.planning.summary.begin`.
    stopped : bool
        Whether a person stopped the run, see `vo_lib.running.messages.note_stop`.

    Raises
    ------
    UserError
        If the configuration, the catalog or the data root cannot be used.
    """

    def __init__(self, config, schema, root, *, changes=None, configfiles=()):
        self.old_logs, self.stopped = {}, False
        self.root, changes = Path(root), changes or {}
        config = translate(mark_texts(config, changes))
        self.schema = add_plugins(schema, config)
        config = spread_common(config, self.schema)
        config = forward_kwargs(config, self.schema)
        config = settle_texts(config, self.schema)
        self.config = complete(config, self.schema)
        self.command = snakemake_command(configfiles, changes, self.schema)
        self.data_root = data_root(self.config, root)
        surveys = [SurveyPlan.of(name, part, self.schema, root) for name, part in self.config["observatories"].items()]
        self.surveys = {survey.name: survey for survey in surveys}
        self.observatories = list(self.surveys)
        self._snapshots, self._provenances = {}, {}
        check_sections(self)

    def set_permissions(self):
        """Set group and modes of the files that this process and its jobs write below the data root."""
        section = self.config["permissions"]
        known = section["group"] is not None and is_own_group(section["group"])
        set_permissions(self.data_root, section | ({} if known else {"group": None}))

    @cached_property
    def remote_catalog(self):
        """The catalog to fetch, or None if it is a file of the user's."""
        return remote_catalog(self.config["catalog"], root=self.root)

    @property
    def catalog_file(self):
        """Path of the catalog."""
        if self.remote_catalog:
            return str(self.data_root / FOLDER / self.remote_catalog.name)
        return str(self.root / Path(self.config["catalog"]["file"]).expanduser())

    @property
    def has_catalog(self):
        """Whether the catalog is there, or must be fetched first."""
        return not self.remote_catalog or self.remote_catalog.is_at(self.catalog_file)

    @property
    def catalog(self):
        """Snapshot of the catalog as of its first use, or as last fetched."""
        # A run may fetch the catalog anew; a file of the user's is taken once.
        version = Path(self.catalog_file).stat().st_mtime_ns if self.remote_catalog and self.has_catalog else None
        if version not in self._snapshots:
            self._snapshots[version] = self._find_catalog()
        return self._snapshots[version]

    def _find_catalog(self):
        """Take the snapshot below the data root; if that is read-only, in a folder removed when this process ends."""
        try:
            return self.take_catalog(self.data_root / ".snakemake" / "catalogs")
        except ConfigError:
            if not self.data_root.exists() or os.access(self.data_root, os.W_OK):
                raise
            folder = tempfile.mkdtemp(prefix="vo-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
            return self.take_catalog(folder)

    def take_catalog(self, folder):
        """Take a snapshot of the catalog as it is now, kept in a folder."""
        if not self.has_catalog:
            raise ConfigError(
                f"{self.catalog_file}: the catalog has not been fetched yet; run snakemake or Project.run to fetch it"
            )
        options = {name: self.config["catalog"][name] for name in READING}
        options |= {"select": self.config["select"], "width_deg": self.config["bins"]["width_deg"]}
        if self.remote_catalog:
            options |= self.remote_catalog.reading(self.catalog_file)
        try:
            return take_snapshot(self.config["catalog"]["sources"] or self.catalog_file, folder, **options)
        except OSError as error:
            raise ConfigError(f"{folder}: is not writable ({error}); fix that or choose another data_root") from None

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
        """The part of the configuration that can change a result."""
        return critical(self.config, self.schema)

    def raw_file(self, obs, bin_name):
        """Raw archive of a survey and bin, relative to the data root."""
        return paths.raw_file(obs, bin_name, self.surveys[obs].observatory.release)

    def reduce_options(self, obs):
        """Return the reduction options of a survey: its own section before its usual options and the common section."""
        usual, name = dict(self.surveys[obs].observatory.usual_options), obs.lower()
        if name in map(str.lower, self.config["catalog"]["mags"]):  # magnitudes in its own filters are comparable
            usual.pop("mag_range", None)
        return self.critical["reduce"] | usual | self.critical["observatories"][name].get("reduce", {})

    def provenance(self, process, obs=None):
        """Return the provenance of a stage; only ``download`` and ``reduce`` have one for each survey."""
        if (process, obs) not in self._provenances:
            self._provenances[process, obs] = stage_provenance(self, process, obs)
        return self._provenances[process, obs]

    @cached_property
    def provenances(self):
        """Rows of all provenances of the project, upstream ones first."""
        per_survey = [self.provenance(process, obs) for process in ("download", "reduce") for obs in self.observatories]
        optional = ["combine"] if "combined" in self.per_bin else []
        project = [self.provenance(process) for process in ("analyze", *optional, "merge_histograms", *PROJECT_TABLES)]
        return [provenance.as_row() for provenance in (*per_survey, *project)]

    def parameters(self, process, obs=None, bin=None, **_):  # noqa: A002 - the name of the wildcard
        """Return everything that decides the result of a job, as canonical JSON.

        Parameters
        ----------
        process : str
            Name of the rule.
        obs, bin : str, optional
            Wildcards of the job, if its rule has them.

        Raises
        ------
        UserError
            If the project has no such bin.
        """
        if bin is not None and bin not in self.catalog.bins:
            raise UserError(f"the project has no bin '{bin}'; {hint(bin, self.bins)}")
        return canonical_json(job_parameters(self, process, obs, bin))

    @cached_property
    def survey_options(self):
        """Options of an analysis that the surveys decide, see `vo_lib.stages.make_analysis`."""
        surveys = {name: survey.observatory for name, survey in self.surveys.items()}
        quality = resolve_quality(self.config["quality"], surveys)
        return {"quality": quality, "labels": self.labels, "colors": self.colors}

    def make_analysis(self, **sections):
        """Make the object that analyses a bin; sections given here replace those of the configuration."""
        return make_analysis(self.critical | sections, **self.survey_options)

    @property
    def page_options(self):
        """Options of the pages of sources: how to compute periodograms, or None without them."""
        periods = self.critical["periods"]
        wanted = periods["ranges"] and {"lomb_scargle", "multiband"} & set(periods["methods"])
        names = ("ranges", "oversampling", "max_frequencies")
        return {"periods": {name: periods[name] for name in names} if wanted else None}

    @property
    def filters(self):
        """Names of the filters of each survey, a dict."""
        return filters_of(self.surveys)

    @property
    def colors(self):
        """Pairs of filters of which to compute colours."""
        return color_pairs(self.filters, self.config["properties"]["colors"])

    @property
    def labels(self):
        """Labels of the axes of histograms, a dict of lists."""
        filters = [name for names in self.filters.values() for name in names]
        return {"filters": filters, "surveys": self.observatories, "kinds": self.config["simulator"]["kinds"]}

    @property
    def database(self):
        """Where the database is, see `vo_lib.database.place.database_place`."""
        return database_place(self.database_url or EMBEDDED)

    @property
    def database_url(self):
        """URL of the database, which may hold a password, or None for the embedded server."""
        return self.config["database"]["url"] or os.environ.get("VO_DATABASE_URL")

    @cached_property
    def limits(self):
        """Simultaneous connections per archive, over all jobs of a run; resources of the workflow override them."""
        surveys = [survey.observatory for survey in self.surveys.values()]
        return {survey.service: survey.max_connections for survey in surveys if survey.service}

    @property
    def saved(self):
        """Kinds of lightcurves that the analysis saves: processed, simulated, both or none."""
        return [kind for kind in ("processed", "simulated") if self.config[f"save_{kind}"]]

    @property
    def per_bin(self):
        """Names of the products of each bin in this configuration, those of each survey first."""
        optional = ["combined"] if self.config["combine"]["by"] else []
        return ["manifests", "reduced", "analysis", "bin_histograms", *self.saved, *optional]

    def connections(self, obs):
        """Return the number of simultaneous connections of a download job of a survey."""
        threads = self.config["download"]["threads"]
        return min(threads, max(1, self.limits.get(self.surveys[obs].observatory.service, threads)))

    def options(self):
        """Return how the archives are asked, which does not change what they answer, as JSON; no parameter of a job."""
        surveys = {name: survey.made | survey.asked for name, survey in self.surveys.items()}
        catalog = self.remote_catalog.options if self.remote_catalog else {}
        threads = {name: self.connections(name) for name in self.surveys}
        how = self.config["download"] | {"width_deg": self.config["bins"]["width_deg"]}
        return canonical_json(how | {"surveys": surveys, "threads": threads, "catalog": catalog})


def read_plan(configfile=None, changes=(), *, root=PACKAGE_ROOT):
    """Make the plan of a configuration file, as the workflow does.

    Parameters
    ----------
    configfile : str or Path, optional
        The file; by default that of ``$VO_CONFIG``, else ``config/config.yaml`` in the project's folder.
    changes : sequence of str, optional
        ``KEY=VALUE``, see `vo_lib.config.read_config`.
    root : str or Path, optional
        The project's folder, which has the schema, and in which plug-in modules are found.

    Returns
    -------
    Plan

    Raises
    ------
    UserError
        If the configuration cannot be used.
    """
    return Plan(*_read(configfile, changes, root), root)


def read_keys(configfile, changes):
    """Read the schema of a configuration, which may have wrong keys and values.

    Parameters
    ----------
    configfile, changes
        See `read_plan`.

    Returns
    -------
    dict
        The schema, with a section for each survey that is a plug-in.

    Raises
    ------
    UserError
        If the configuration cannot be read or translated, or the class of a survey cannot be used.
    """
    config, schema = _read(configfile, changes, PACKAGE_ROOT)
    return add_plugins(schema, translate(config))


def read_schema(root):
    """Read the schema in the project's folder, and let plug-in modules of that folder be found."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return load_schema(Path(root) / "workflow" / "schemas" / "config.schema.yaml")


def _read(configfile, changes, root):
    """Read a configuration and the schema."""
    schema = read_schema(root)
    file = configfile or os.environ.get("VO_CONFIG") or Path(root) / "config" / "config.yaml"
    return read_config(file, changes), schema
