import pytest
from workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    """A workspace with a catalog of three sources in two bins."""
    made = Workspace(tmp_path)
    made.catalog.write_text("name,ra,dec,mag\na,10.2,20,15\nb,10.7,-5,16\nc,200.5,1,17\n")
    return made


@pytest.fixture
def fresh_demo(demo, tmp_path):
    """A workspace on the data root and catalog of the demo, for dry-runs after a change of either."""
    text = demo.catalog.read_text()
    yield demo.beside(tmp_path)
    demo.catalog.write_text(text)
