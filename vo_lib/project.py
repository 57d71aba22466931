"""Use of a project from Python: its configuration, runs of the workflow, and results.

For example::

    project = Project(name="flares", obs_names=["demo"], catalog_kwargs={"file": "stars.csv"},
                      analysis_kwargs={"snr_threshold": 8.5})
    project.run(cores=2)
    detections = project.get_detections()

It does nothing that the workflow does not: a run writes the configuration and calls Snakemake with it.
"""

import copy
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from vo_lib import hdf5, paths
from vo_lib.access import DataStore
from vo_lib.config import public, read_config, to_yaml
from vo_lib.counts.histogram_axes import HISTOGRAMS
from vo_lib.counts.histogram_files import read_histograms
from vo_lib.errors import ConfigError, UserError, hint
from vo_lib.files import write_text
from vo_lib.plan import Plan, read_schema
from vo_lib.planning.config_styles import RENAMED, merge, only_surveys, translate
from vo_lib.planning.settings import Settings
from vo_lib.planning.survey_sections import add_plugins
from vo_lib.provenance import PACKAGE_ROOT, canonical_json
from vo_lib.stages import forward_kwargs
from vo_lib.tables import concatenate_tables

__all__ = ["LOOK", "Project"]

# Default of `cfg_file`: the file with the project's name, if it exists.
LOOK = "look for it"


class Project:
    """A project of the workflow.

    Parameters
    ----------
    name : str, optional
        Name of the project; by default the one in the configuration file.
    cfg_file : str, Path or None, optional
        Configuration file, as a path or as a file name in the folder ``config``. By default ``config/<name>.yaml`` if
        it exists; without a name, the file named by ``$VO_CONFIG``, else ``config/config.yaml``. None reads no file.
    cfg_key : str, optional
        Section of the file that holds the keywords of the project, if the file has one.
    root : str or Path, optional
        Folder of the workflow, which relative paths refer to.
    **words
        Configuration keys, and the keywords of `vo_lib.planning.config_styles`: ``description``, ``version_control`` or
        ``vc``, ``obs_names``, ``obs_kwargs``, ``analysis_kwargs``, ``catalog_kwargs``, ``ZTF={...}``, ``finder={...}``,
        ``data_root``. They take precedence over the file.

    Attributes
    ----------
    config : dict
        Settings from the file and the keywords, under the keys of the schema.
    pars : Settings
        The configuration as attributes, including defaults. Setting one, such as ``pars.finder.snr_threshold = 7``,
        takes effect at once or raises an error.

    Raises
    ------
    ConfigError
        If the file does not exist or the configuration is invalid.
    """

    def __init__(self, name=None, *, cfg_file=LOOK, cfg_key="project", root=PACKAGE_ROOT, **words):
        self.root = Path(root)
        self._schema = read_schema(self.root)
        words = words if name is None else {"name": name} | words
        file = _config_file(cfg_file, name, self.root)
        stored = {} if file is None else self._layer(read_config(file), cfg_key)
        if "obs_names" in words:
            stored = only_surveys(stored, words["obs_names"])
        self.config = merge(stored, self._layer(words))
        self._plans = {}
        self.plan  # noqa: B018 - a configuration that cannot be used is an error now and not later

    def __repr__(self):
        return f"<Project {self.plan.config['project']} in {self.folder}>"

    def _layer(self, words, cfg_key="project"):
        """Translate settings from the file or the keywords to the keys of the schema."""
        config = translate(_plain(words), cfg_key)
        return forward_kwargs(config, add_plugins(self._schema, config))

    def _set(self, path, value):
        """Change a key of the configuration; restore the old value if the new one is invalid."""
        change = _plain(value, ".".join(("configuration", *path)))
        for key in reversed(path):
            change = {key: change}
        before, self.config = self.config, merge(self.config, change)
        try:
            self.plan  # noqa: B018
        except UserError:
            self.config = before
            raise

    @property
    def pars(self):
        """The configuration as attributes."""
        return Settings(lambda: self.plan.config, self._set, short=RENAMED)

    @property
    def plan(self):
        """What the current configuration asks for, as a `vo_lib.plan.Plan`."""
        key = canonical_json(self.config)
        if key not in self._plans:
            self._plans = {key: Plan(copy.deepcopy(self.config), self._schema, self.root)}
        return self._plans[key]

    @property
    def name(self):
        """Name of the project."""
        return self.plan.config["project"]

    @property
    def folder(self):
        """Folder of the project's products."""
        return self.plan.data_root / self.plan.folder

    def write_config(self):
        """Write the configuration with all defaults and without secrets, for ``snakemake --configfile``.

        Returns
        -------
        Path
            ``project.yaml`` in the project's folder; not touched if its content is unchanged.
        """
        config = public(self.plan.config, self.plan.schema) | {"data_root": str(self.plan.data_root)}
        path, text = self.folder / "project.yaml", to_yaml(config)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
        return path

    def run(self, *targets, cores=1):
        """Run the pending jobs of the workflow; its messages appear on stderr.

        Parameters
        ----------
        *targets : str
            What to make, and options of Snakemake such as ``--dry-run``; by default everything.
        cores : int, optional
            Number of cores that jobs may use at the same time.

        Returns
        -------
        bool
            Whether there was anything to do.

        Raises
        ------
        UserError
            If a job failed; the messages say why. Finished products are kept, and the next run continues from there.
        """
        file = self.write_config()
        command = [sys.executable, "-m", "snakemake", *targets, "--cores", str(cores), "--configfile", str(file)]
        environment = os.environ | {"VO_DATABASE_URL": self.plan.database_url or ""}
        status, idle = _call(command, self.root, environment)
        if status:
            logs = self.folder / "logs"
            raise UserError(f"{self.name}: the run ended with status {status}; its messages and {logs} say why")
        return not idle

    def status(self):
        """Report for each expected job whether its product is done, and if not, why.

        Returns
        -------
        pandas.DataFrame
            See `vo_lib.status.project_status`.
        """
        import pandas as pd

        from vo_lib.status import project_status

        return pd.DataFrame(project_status(self.plan))

    def session(self):
        """Open a session of the project's database, see `vo_lib.database.session.Session`."""
        from vo_lib.database.session import Session

        return Session(url=self.plan.database_url, data_root=self.plan.data_root)

    @property
    def sources(self):
        """Sources by bin and name: a sequence of `vo_lib.access.DataStore` that can also be indexed by name."""
        return _Sources(self.plan)

    @property
    def histograms(self):
        """Histograms by name, see `vo_lib.histograms.Histogram`; raises `StaleProductError` if provenances differ."""
        wanted = self.plan.provenance("analyze").id
        files = {name: self.plan.data_root / paths.histograms_file(self.plan.folder, name) for name in HISTOGRAMS}
        return {name: read_histograms(file, provenance=wanted)[name] for name, file in files.items()}

    def get_table(self, name):
        """Read a table of the analysis for all bins.

        Parameters
        ----------
        name : str
            ``detections``, ``events``, ``injections``, ``properties``, ``series``, ``filters``, ...

        Returns
        -------
        pandas.DataFrame
            Rows by bin and source.

        Raises
        ------
        UserError
            If a product is missing or has no such table.
        StaleProductError
            If it was made with different code or another configuration.
        """
        import pandas as pd

        wanted, parts, n_series = self.plan.provenance("analyze").id, [], 0
        for bin_name in self.plan.bins:
            path = self.plan.data_root / paths.analysis_file(self.plan.folder, bin_name)
            with hdf5.open_file(path, provenance=wanted) as file, hdf5.reading(file):
                if name not in list(file) or not file[name].dtype.names:
                    known = [key for key in file if file[key].dtype.names]
                    raise UserError(f"{path}: has no table '{name}'; {hint(name, known)}")
                parts.append(hdf5.read_table(file, name))
                if name == "flagged":  # its row numbers refer to the table series of all bins
                    parts[-1]["series"] += n_series
                    n_series += len(file["series"])
        return pd.DataFrame(concatenate_tables(parts))

    def get_detections(self, *, simulated=False):
        """Read the real detections, with `simulated` those of injected events, highest score first; see `get_table`."""
        found = self.get_table("detections")
        found = found[found["simulated"] == int(simulated)]
        return found.sort_values(["score", "source", "peak_mjd"], ascending=[False, True, True], ignore_index=True)

    def get_properties(self):
        """Read the summary of each source, see `get_table`."""
        return self.get_table("properties")


class _Sources(Sequence):
    """Sources of a plan, by number or name, each looked up on access."""

    def __init__(self, plan):
        self._plan = plan

    def __repr__(self):
        return f"<{len(self)} sources of {self._plan.folder}>"

    def __len__(self):
        return self._plan.catalog.n_sources

    def __getitem__(self, which):
        """Return a source by name or number, or a list of sources by slice."""
        if isinstance(which, str):
            return DataStore(which, self._plan)
        if isinstance(which, slice):
            return [DataStore(name, self._plan) for name in self._names(which)]
        if not (names := self._names(slice(which, which + 1 or None))):
            raise IndexError(f"there are {len(self)} sources, none with the number {which}")
        return DataStore(names[0], self._plan)

    def __contains__(self, name):
        return name in self._names(slice(None))

    def __iter__(self):
        return (DataStore(name, self._plan) for name in self._names(slice(None)))

    def _names(self, part):
        """Names of a slice of the sources."""
        with hdf5.open_file(self._plan.catalog.path) as file:
            return [name.decode() for name in file["rows"]["name"][part].tolist()]


def _plain(value, where="configuration"):
    """Convert a configuration to JSON values: paths to text, tuples and sets to lists, numpy values to Python's."""
    if isinstance(value, dict):
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, where) for item in value]
    if type(value).__module__ == "numpy":
        value = value.tolist()
    if isinstance(value, Path):
        return str(value)
    try:
        canonical_json(value)
    except (TypeError, ValueError):
        of = f"a {type(value).__name__}" if not isinstance(value, float) else value
        raise ConfigError(f"{where} must be of text, finite numbers, lists and dicts, got {of}; convert it") from None
    return value


def _config_file(cfg_file, name, root):
    """Path of the configuration file, or None."""
    if cfg_file is None or cfg_file is False:
        return None
    if cfg_file != LOOK:
        found = [path for path in (Path(cfg_file).expanduser(), root / "config" / cfg_file) if path.is_file()]
        if not found:
            raise ConfigError(f"{cfg_file}: no such configuration here or in {root / 'config'}; correct cfg_file")
        return found[0]
    if name is None:
        return Path(os.environ.get("VO_CONFIG") or root / "config" / "config.yaml")
    own = root / "config" / f"{name}.yaml"
    return own if own.is_file() else None


def _call(command, folder, environment):
    """Run a program and forward its output to stderr; return its status and whether there was nothing to do."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and Snakemake
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        idle = False
        try:
            for line in process.stdout:
                idle = idle or "Nothing to be done" in line
                sys.stderr.write(line)
        except KeyboardInterrupt:
            # Snakemake stops its jobs and removes unfinished files.
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    return process.returncode, idle
