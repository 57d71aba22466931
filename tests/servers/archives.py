"""Local archives for the contract that all surveys fulfil.

Each entry of `ARCHIVES` is a context manager without arguments that starts a server with synthetic
data of the two sources in `ROWS` and gives the parameters with which the survey asks it.
"""

import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from servers import mast_portal
from servers.alerce import AlerceServer
from servers.alerce import synthetic_detections as synthetic_alerts
from servers.asassn import AsassnServer, synthetic_target
from servers.atlas import TOKEN, AtlasServer, synthetic_result
from servers.files import PARAMETERS, write_lightcurve
from servers.gaia import GaiaArchive, star, synthetic_epochs
from servers.irsa import IrsaServer, synthetic_answer
from servers.lightcurve_files import synthetic_file
from servers.mast_catalogs import PanstarrsServer, synthetic_detections
from servers.neowise import NeowiseArchive
from servers.neowise import synthetic_detections as synthetic_neowise
from servers.zfps import SECRETS, ZfpsServer
from servers.zfps import synthetic_result as synthetic_zfps

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
        yield server.parameters


@contextmanager
def panstarrs():
    """A catalog of Pan-STARRS detections, moved to the years of the other surveys."""
    rows = [
        synthetic_detections(row["ra"], row["dec"], seed=seed, number=seed, first_mjd=58050.0)
        for seed, row in enumerate(ROWS)
    ]
    with PanstarrsServer([*rows[0], *rows[1]]) as server:
        yield {"url": server.url + "/api/v0.1/panstarrs"}


@contextmanager
def gaia():
    """An archive of Gaia's epoch photometry."""
    numbers = (2**62 + 1, 2**62 + 2)
    sources = [star(number, row["ra"], row["dec"]) for number, row in zip(numbers, ROWS, strict=True)]
    with GaiaArchive(sources, {number: synthetic_epochs(number, seed=number) for number in numbers}) as archive:
        yield archive.parameters


@contextmanager
def asassn():
    """The servers of Sky Patrol, which answer in parquet."""
    pytest.importorskip("pyarrow", reason="ASAS-SN sends parquet, which needs pyarrow")
    targets = [synthetic_target(row["ra"], row["dec"], number=seed, seed=seed) for seed, row in enumerate(ROWS)]
    with AsassnServer(targets) as server:
        yield {"url": server.url}


@contextmanager
def neowise():
    """An archive of NEOWISE's single exposures."""
    first, second = (synthetic_neowise(row["ra"], row["dec"], limits=False, seed=i) for i, row in enumerate(ROWS))
    with NeowiseArchive(first + second) as archive:
        yield archive.parameters


@contextmanager
def atlas():
    """A forced photometry server, with a user's token."""
    results = [(row["ra"], row["dec"], synthetic_result(row["ra"], row["dec"])) for row in ROWS]
    with AtlasServer(results) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATLASFORCED_TOKEN", TOKEN)
        yield {"url": server.url + "/forcedphot", "poll_s": 0.01}


@contextmanager
def ztf_forced():
    """The ZTF forced photometry service, with a user's secrets."""
    results = [(row["ra"], row["dec"], synthetic_zfps(row["ra"], row["dec"])) for row in ROWS]
    with ZfpsServer(results) as server, pytest.MonkeyPatch.context() as patch:
        for name, secret in SECRETS.items():
            patch.setenv(name, secret)
        yield {"url": server.url, "poll_s": 0.01}


@contextmanager
def tess():
    """The portal of MAST with two targets of TESS, one of them in two sectors."""
    stars, observations, files = [], [], {}
    for number, (row, sectors) in enumerate(zip(ROWS, ((1, 2), (3,)), strict=True), 101):
        stars.append(mast_portal.star(number, row["ra"], row["dec"]))
        for sector, uri in mast_portal.target_files(number, sectors).items():
            observations.append(mast_portal.observation(uri))
            keywords, time = {"TICID": number, "SECTOR": sector}, 1300 + 27 * sector + np.arange(12) / 720
            files[uri] = synthetic_file(time=time, ra=row["ra"], dec=row["dec"], keywords=keywords)
    with mast_portal.MastServer(stars=stars, observations=observations, files=files) as server:
        yield server.parameters


@contextmanager
def kepler():
    """The portal of MAST with two targets of K2 in its late campaigns."""
    observations, products, files = [], [], {}
    for number, row in enumerate(ROWS, 201):
        name = f"ktwo{number:09d}-c19"
        uri = f"mast:K2/url/missions/k2/lightcurves/c19/{name}_llc.fits"
        place = {"s_ra": row["ra"], "s_dec": row["dec"], "obsid": number, "obs_collection": "K2"}
        observations.append(mast_portal.observation(None, obs_id=f"{name}_lc", **place))
        products.append({"obsID": str(number), "productFilename": f"{name}_llc.fits", "dataURI": uri})
        keywords, time = {"KEPLERID": number, "CAMPAIGN": 19}, 3540 + np.arange(10) / 48
        files[uri] = synthetic_file(time=time, ra=row["ra"], dec=row["dec"], keywords=keywords, kepler=True)
    with mast_portal.MastServer(observations=observations, products=products, files=files) as server:
        yield server.parameters


@contextmanager
def alerce():
    """A broker of alerts."""
    objects = {
        f"ZTF19aaaaaa{letter}": (row["ra"], row["dec"], synthetic_alerts(row["ra"], row["dec"]))
        for letter, row in zip("ab", ROWS, strict=True)
    }
    with AlerceServer(objects) as server:
        yield {"url": server.address}


@contextmanager
def files():
    """A folder with a file of each source."""
    with tempfile.TemporaryDirectory() as folder:
        for seed, row in enumerate(ROWS):
            write_lightcurve(Path(folder) / f"{row['name']}.ecsv", seed=seed, ra=row["ra"], dec=row["dec"])
        yield PARAMETERS | {"path": f"{folder}/{{name}}.ecsv"}


ARCHIVES = {
    "FILES": files,
    "ALERCE": alerce,
    "ASASSN": asassn,
    "ATLAS": atlas,
    "PANSTARRS": panstarrs,
    "GAIA": gaia,
    "NEOWISE": neowise,
    "TESS": tess,
    "KEPLER": kepler,
    "ZTF": ztf,
    "ZTF_FORCED": ztf_forced,
}
