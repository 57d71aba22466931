"""Running Snakemake itself, as a user does."""

import copy
import os
import re
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from filelock import FileLock
from warm import WarmSnakemake

from vo_lib.cli import main
from vo_lib.provenance import PACKAGE_ROOT


@dataclass
class Run:
    """Outcome of one call of Snakemake."""

    status: int
    output: str

    @property
    def jobs(self):
        """Number of jobs by rule, without ``all``, from the table of a run or dry-run."""
        _, _, table = self.output.partition("Job stats:\n")
        rows = re.findall(r"^(\w+) +(\d+)$", table.split("\n\n")[0], flags=re.MULTILINE)
        return {name: int(count) for name, count in rows if name not in ("all", "total")}

    @property
    def idle(self):
        """Whether there was nothing to be done."""
        return "Nothing to be done" in self.output

    @property
    def errors(self):
        """Lines that tell the user what is wrong."""
        return [line for line in self.output.splitlines() if re.search("ERROR|Error", line)]


class Workspace:
    """A configuration, a catalog and a data root of their own, in a temporary folder.

    The code is that of the project, or a copy where a test edits it.
    """

    def __init__(self, folder, config="config/config.yaml", root=PACKAGE_ROOT):
        self.folder, self.root = Path(folder), Path(root)
        self.data_root = self.folder / "data"
        self.config_file = self.folder / "config.yaml"
        self.catalog = self.folder / "catalog.csv"
        self.config = yaml.safe_load((PACKAGE_ROOT / config).read_text())
        self.config["data_root"] = str(self.data_root)
        self.config["catalog"]["file"] = str(self.catalog)

    def set(self, key, value):
        """Set a key of the configuration, given with dots."""
        *sections, last = key.split(".")
        section = self.config
        for name in sections:
            if section.get(name) is None:
                section[name] = {}
            section = section[name]
        section[last] = value
        return self

    def beside(self, folder):
        """Another workspace on the same data root and catalog, whose configuration may be changed."""
        other = copy.copy(self)
        other.folder = Path(folder)
        other.config_file = other.folder / "config.yaml"
        other.config = copy.deepcopy(self.config)
        return other

    def save(self):
        """Write the configuration as it is now."""
        self.config_file.write_text(yaml.safe_dump(self.config, sort_keys=False))

    def vo(self, *words):
        """Call the command ``vo`` in this process with the configuration as it is now; gives its status."""
        self.save()
        return main([*map(str, words), "--configfile", str(self.config_file)])

    @contextmanager
    def held_downloads(self, *bins):
        """Let the demo's downloads of some bins wait, so that a run does not end meanwhile."""
        folder = self.data_root / "DEMO"
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            for name in bins:
                stack.enter_context(FileLock(folder / f".DEMO_photometry_{name}.h5.lock"))
            yield

    def start(self, *arguments, environment=None):
        """Start Snakemake with the configuration as it is now, as the first of a group of processes."""
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", *self._arguments(arguments)],
            cwd=self.root,
            env=_variables(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments, environment=None):
        """Call Snakemake with the configuration as it is now, one call at a time.

        Its libraries are loaded already, unless there are variables of the environment, which could be for them.
        """
        if environment is None:
            return Run(*_warm().run(self.root, self._arguments(arguments), _variables()))
        with self.start(*arguments, environment=environment) as process:
            output, _ = process.communicate()
        return Run(process.returncode, output)

    def _arguments(self, arguments):
        """Arguments of Snakemake, among them the configuration as it is now."""
        self.save()
        return list(map(str, ["--configfile", self.config_file, "--cores", "2", *arguments]))

    def plan(self, *arguments):
        """Dry-run with the configuration as it is now."""
        return self.run("--dry-run", *arguments)

    def product(self, name):
        """Path of a product of the project."""
        return self.data_root / self.config["project"].upper() / name


def _variables(environment=None):
    """The environment of a run."""
    return {**os.environ, "VO_DATABASE_URL": "", **(environment or {})}


@cache
def _warm():
    """What the runs of this process begin with."""
    return WarmSnakemake()
