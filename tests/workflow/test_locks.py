"""A disk that refuses locks of files, as some network disks do."""

import shutil
import subprocess

import pytest
from workspace import Workspace

SOURCE = "#include <errno.h>\nint flock(int file, int operation) { errno = ENOLCK; return -1; }\n"


@pytest.fixture
def without_locks(tmp_path):
    """Environment of programs that cannot lock files."""
    if not (compiler := shutil.which("cc")):
        pytest.skip("needs a C compiler, cc")
    (tmp_path / "locks.c").write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "locks.so", "locks.c"], cwd=tmp_path, check=True)
    return {"LD_PRELOAD": str(tmp_path / "locks.so")}


def test_what_is_downloaded_is_reduced_and_analysed_without_locks(tmp_path, without_locks):
    workspace = Workspace(tmp_path).set("catalog.file", "catalogs/demo.csv").set("select.bins", ["RA045"])
    refused = workspace.run("downloaded", environment=without_locks)
    assert refused.status == 1
    assert any("RA045.h5: cannot be locked (No locks available)" in line for line in refused.errors)
    assert workspace.run("downloaded").status == 0
    done = workspace.run("DEMO_PROJECT/histograms_coverage.nc", environment=without_locks)
    assert done.status == 0, done.output
