import shutil
import signal

import pytest
from hypothesis import HealthCheck, settings
from workspace import Workspace

from vo_lib.provenance import PACKAGE_ROOT

# The same examples in each run: a test that fails does so again. `make fuzz` looks for new ones.
# On a busy machine making them takes as long as it takes.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("repeatable")


# A shell ignores some signals for what it runs in the background, and the runs that tests stop would inherit that.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _no_proxy():
    """Local archives are asked without the proxy that a network may have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_newer_tables():
    """Astropy, with which tests compare, requests no newer leap seconds and Earth rotation, however old its tables."""
    from astropy.utils import iers

    with iers.conf.set_temp("auto_download", False), iers.conf.set_temp("auto_max_age", None):
        yield


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo, run once; tests must not change its products."""
    made = Workspace(tmp_path_factory.mktemp("demo"))
    shutil.copy(PACKAGE_ROOT / "catalogs" / "demo.csv", made.catalog)
    made.first = made.run()
    assert made.first.status == 0, made.first.output
    return made
