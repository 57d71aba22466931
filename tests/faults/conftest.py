import sys

import pytest

from vo_lib.provenance import PACKAGE_ROOT

sys.path[:0] = [str(PACKAGE_ROOT / folder) for folder in ("benchmarks", "tests/faults")]


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Trials that share an undisturbed run."""
    from faults import Trials

    return Trials(tmp_path_factory.mktemp("faults"))
