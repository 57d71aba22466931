"""Every command and snippet of the README works."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vo_lib.provenance import PACKAGE_ROOT

TEXT = (PACKAGE_ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\| [^|]+ \| `([^`]+)`", TEXT, flags=re.MULTILINE)
TRIALS = re.findall(r"^    (vo .+)$", (PACKAGE_ROOT / "docs" / "plugins.md").read_text(), flags=re.MULTILINE)
ACCESS = (PACKAGE_ROOT / "docs" / "access.md").read_text()
PLOTS = (PACKAGE_ROOT / "docs" / "plots.md").read_text()
TRIALS += re.findall(r"^    (vo plot .+)$", PLOTS, flags=re.MULTILINE)
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT + ACCESS + PLOTS, flags=re.DOTALL)
COMMANDS += re.findall(r"`(vo [a-z]+ [^`]+)`", ACCESS)
# They need the network, call this test again, or take long; .ci/run and other tests run what they run.
ELSEWHERE = {
    "snakemake --cores 2 --configfile config/ztf_white_dwarfs.yaml",
    "make lint",
    "python benchmarks/catalog.py",
    "python benchmarks/database.py",
    "python benchmarks/download.py",
    "python benchmarks/faults.py",
    "python benchmarks/start.py",
    "python benchmarks/workflow.py",
    "vo adopt old/DEMO/*.h5 --observatory demo --by key",
    "vo resolve --list names.txt --out catalogs/my_stars.csv",
    "vo serve",
    "vo verdicts DEMO_PROJECT_marks.csv",
}


@pytest.fixture(scope="module")
def clone(demo, tmp_path_factory):
    """A copy of the code that has the products of the demo as its results."""
    folder = tmp_path_factory.mktemp("readme") / "clone"
    ignored = shutil.ignore_patterns(".git", ".venv", "results", "__pycache__", ".snakemake", "*.egg-info")
    shutil.copytree(PACKAGE_ROOT, folder, ignore=ignored)
    shutil.copytree(demo.data_root, folder / "results", ignore=shutil.ignore_patterns("database"))
    # Its database is filled again.
    assert call(["snakemake", "--cores", "2"], folder).returncode == 0
    return folder


def call(command, folder):
    """Run a command as a user in the activated environment."""
    environment = {name: value for name, value in os.environ.items() if name not in ("VO_DATA", "RETRIEVER_DATA")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["PYTHONPATH"] = str(folder)  # so that the command vo is that of the copy, and so are its products
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=600
    )


@pytest.fixture(scope="module")
def database(clone):
    """The rows of the copy, which the database of the demo is not part of."""
    assert call(["snakemake", "--cores", "2"], clone).returncode == 0


def test_the_exceptions_are_in_the_table():
    assert set(COMMANDS) >= ELSEWHERE
    assert len(COMMANDS) > len(ELSEWHERE) + 5


@pytest.mark.parametrize("command", [*(command for command in COMMANDS if command not in ELSEWHERE), *TRIALS])
def test_command(clone, tmp_path, command, request):
    if command.startswith("vo db"):
        request.getfixturevalue("database")
    done = call(shlex.split(command.replace("/path/to/data", str(tmp_path / "data"))), clone)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("snippet", SNIPPETS, ids=["files", "database", "source", "find", "figure", "axes"])
def test_snippet(clone, snippet):
    done = call([sys.executable, "-c", snippet], clone)
    assert done.returncode == 0, done.stderr


def test_make_offers_what_the_readme_says(clone):
    done = call(["make", "help"], clone)
    assert done.returncode == 0
    for name in ("demo", "test", "lint"):
        assert re.search(rf"^{name}\s", done.stdout, flags=re.MULTILINE)


def test_links_of_the_documents_exist():
    for document in [
        PACKAGE_ROOT / "README.md",
        PACKAGE_ROOT / "CONTRIBUTING.md",
        *(PACKAGE_ROOT / "docs").glob("*.md"),
    ]:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
