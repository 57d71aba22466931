import pytest
from hypothesis import settings

# The same examples in each run: a test that fails does so again.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def _no_proxy():
    """Local archives are asked without the proxy that a network may have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield
