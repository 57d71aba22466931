import subprocess

import pytest
from workspace import Workspace


def _small(folder):
    """A workspace with a catalog of three sources in two bins."""
    made = Workspace(folder)
    made.catalog.write_text("name,ra,dec,mag\na,10.2,20,15\nb,10.7,-5,16\nc,200.5,1,17\n")
    return made


@pytest.fixture
def workspace(tmp_path):
    """A small workspace."""
    return _small(tmp_path)


@pytest.fixture(scope="session")
def _run_once(tmp_path_factory):
    """A small workspace that was run."""
    made = _small(tmp_path_factory.mktemp("run_once"))
    run = made.run()
    assert run.status == 0, run.output
    return made


@pytest.fixture
def finished(_run_once, tmp_path):
    """A small workspace with a copy of what a run made, its database included."""
    made = _run_once.beside(tmp_path)
    made.data_root = tmp_path / "data"
    subprocess.run(["cp", "-a", _run_once.data_root, made.data_root], check=True)
    return made.set("data_root", str(made.data_root))


@pytest.fixture
def fresh_demo(demo, tmp_path):
    """A workspace on the data root and catalog of the demo, for dry-runs after a change of either."""
    text = demo.catalog.read_text()
    yield demo.beside(tmp_path)
    demo.catalog.write_text(text)
