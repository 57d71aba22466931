import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_proxy():
    """Local archives are asked without the proxy that a network may have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield
