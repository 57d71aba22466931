"""Local archives for the contract that all surveys fulfil.

Each entry of `ARCHIVES` is a context manager without arguments that starts a server with synthetic
data of the two sources in `ROWS` and gives the parameters with which the survey asks it.
"""

from contextlib import contextmanager

from servers.irsa import IrsaServer, synthetic_answer

__all__ = ["ARCHIVES", "ROWS", "no_archive"]

ROWS = ({"name": "a", "ra": 0.0, "dec": 51.3937}, {"name": "b", "ra": 90.0, "dec": 10.0})


@contextmanager
def no_archive():
    """For a survey that asks nobody."""
    yield {}


@contextmanager
def ztf():
    """An archive of ZTF lightcurves."""
    first, second = (
        synthetic_answer(row["ra"], row["dec"], seed=seed, objects=objects)
        for seed, (row, objects) in enumerate(
            zip(ROWS, ((("zg", 20), ("zi", 5)), (("zg", 30), ("zr", 7))), strict=True)
        )
    )
    with IrsaServer(first + second.partition("\n")[2]) as server:
        yield {"url": server.url}


ARCHIVES = {"ZTF": ztf}
