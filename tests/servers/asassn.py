"""A local archive that answers like ASAS-SN Sky Patrol 2: targets and lightcurves, in genuine parquet.

Targets and measurements are invented; the numbers of targets are beyond what a float can hold, and
images are number 999999. pyarrow is needed to answer, not to import this.
"""

import json
import re
from base64 import b64decode
from urllib.parse import unquote

import numpy as np

from servers.scripted import ScriptedServer
from servers.tap import inside

__all__ = ["UNAVAILABLE", "AsassnServer", "synthetic_target", "to_parquet"]

UNAVAILABLE = '{"error": "lightcurve servers temporarily unavailable"}'
FIRST_ID = 2**60 + 1
# First and last Julian date of V and g.
SPANS = {"V": (2457000.0, 2458300.0), "g": (2458100.0, 2460000.0)}
_CONE = re.compile(r"/lookup_cone/radius([\d.]+)_ra([\d.]+)_dec(-?[\d.]+)")
_BLOCK = re.compile(r"/get_block/query_hash-(.*)-block_idx-(\d+)-catalog-(\w+)", re.DOTALL)


def synthetic_target(ra=0.0, dec=51.3937, *, number=0, seed=0, counts=None, mjy=3.631):
    """Make a target and its lightcurve, columns of a table each; by default in cameras be (V) and bF (g).

    The first epoch of each camera is a non-detection, the second from a bad image; the error is 1 % of the
    mean flux. Epochs are in no order.
    """
    rng = np.random.default_rng(seed)
    camera = np.repeat(*zip(*(counts or {"be": 20, "bF": 40}).items(), strict=True))
    low, high = np.array([SPANS["V" if name[1] in "abcdefgh" else "g"] for name in camera.tolist()]).reshape(-1, 2).T
    place = np.array([np.count_nonzero(camera[:i] == name) for i, name in enumerate(camera)], dtype=int)
    flux, limit = (
        np.where(place == 0, 0.03, 1 + 0.01 * rng.standard_normal(len(camera))) * mjy,
        16.4 - 2.5 * np.log10(5 * 0.01 * mjy),
    )
    epochs = {
        "asas_sn_id": np.full(len(camera), FIRST_ID + number),
        "jd": rng.uniform(low, high),
        "flux": flux,
        "flux_err": np.full(len(camera), 0.01 * mjy),
        "mag": np.where(place == 0, limit, 16.4 - 2.5 * np.log10(flux)),
        "mag_err": np.where(place == 0, 99.99, 0.0109),
        "limit": np.full(len(camera), limit),
        "fwhm": np.full(len(camera), 1.44),
        "image_id": [f"{name}999999" for name in camera],
        "camera": camera.tolist(),
        "quality": np.where(place == 1, "B", "G").tolist(),
    }
    target = {"asas_sn_id": FIRST_ID + number, "ra_deg": ra, "dec_deg": dec, "catalog_sources": ["stellar_main", "tic"]}
    return target, epochs


def to_parquet(columns):
    """Bytes of a parquet file with some columns, a dict or an Arrow table."""
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


class AsassnServer(ScriptedServer):
    """The server of targets and of lightcurves; kinds of requests are "servers", "cone" and "block".

    Parameters
    ----------
    targets : sequence of tuple, optional
        Targets and their epochs, see `synthetic_target`.
    servers : object, optional
        What it says of the lightcurve servers; by default that it is the only one.
    ready : dict of str to list, optional
        Numbers of targets of each question whose lightcurves were made ready; another server's to be one
        of its lightcurve servers.
    **options
        See `ScriptedServer`; more behaviours are "unavailable", "cut_inside", "float_id", "float_time",
        "other_target" and "no_rows".
    """

    def __init__(self, targets=None, *, servers=None, ready=None, **options):
        super().__init__(**options)
        self.targets = [synthetic_target()] if targets is None else list(targets)
        self.servers, self.ready = servers, {} if ready is None else ready

    @property
    def name(self):
        """Host and port, as in its list of lightcurve servers."""
        return self.url.removeprefix("http://")

    def kind(self, request):
        return {"lookup_cone": "cone", "get_block": "block"}.get(request.path.split("/")[1], "servers")

    def answer(self, request):
        """Status and body of a proper answer."""
        if request.kind == "cone":
            return self._find(request)
        if request.kind == "block":
            return self._block(unquote(request.path))
        if request.path != "/get_block_servers":
            return 404, "Not Found"
        return 200, [self.name] if self.servers is None else self.servers

    def _find(self, request):
        """Targets in a circle; their lightcurves are made ready under the text of the question."""
        found = _CONE.fullmatch(request.path)
        asked = json.loads(request.body) if request.headers["Content-Type"] == "application/json" else {}
        if not found or asked.get("catalog") != "master_list" or asked.get("format") != "arrow":
            return 500, "Internal Server Error"
        radius, ra, dec = map(float, found.groups())
        places = [(target["ra_deg"], target["dec_deg"]) for target, _ in self.targets]
        near, _ = inside(*np.reshape(places, (-1, 2)).T, centre=(ra, dec), radius_deg=radius)
        rows = [target for (target, _), is_near in zip(self.targets, near, strict=True) if is_near]
        if asked["download"]:
            question = "conectr-{}_conera-{}_conedec-{}|catalog-master_list|cols-".format(*found.groups())
            self.ready[question + "/".join(asked["cols"])] = [row["asas_sn_id"] for row in rows]
        return 200, to_parquet({name: [row[name] for row in rows] for name in asked["cols"]})

    def _block(self, path):
        """Lightcurves of a question."""
        code, number, catalog = _BLOCK.fullmatch(path).groups()
        numbers = self.ready.get(b64decode(code).decode())
        if numbers is None or number != "0" or catalog != "master_list":
            return 404, '{"error": "no such block"}'
        parts = [epochs for target, epochs in self.targets if target["asas_sn_id"] in numbers]
        return 200, to_parquet({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})

    def spoil(self, how, status, body):
        if how == "unavailable":
            return 200, UNAVAILABLE
        if how in ("truncated", "cut_inside"):
            return status, body[: len(body) // 2 if how == "cut_inside" else -10]
        if how in ("missing_column", "float_id", "float_time", "other_target", "no_rows"):
            return status, to_parquet(_change(how, _read(body)))
        return super().spoil(how, status, "")


def _read(body):
    """Arrow table of a parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    return parquet.read_table(pa.BufferReader(body))


def _change(how, table):
    """Table that is not what it should be."""
    import pyarrow as pa

    if how == "missing_column":
        return table.drop_columns([table.column_names[2]])
    if how == "no_rows":
        return table.slice(0, 0)
    name = "jd" if how == "float_time" else "asas_sn_id"
    values = {
        "float_id": lambda column: column.cast("float64", safe=False),
        "float_time": lambda column: column.cast("float32"),
        "other_target": lambda column: pa.array(column.to_numpy() + 1),
    }[how](table[name])
    return table.set_column(table.column_names.index(name), name, values)
