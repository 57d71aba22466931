"""Client of the servers of ASAS-SN Sky Patrol: the targets in a circle, then their lightcurves.

One server is queried for a circle. It lists the targets and prepares their lightcurves under a key made from the text
of the query. Any of several lightcurve servers, whose names the first one gives, returns them. This protocol is not
documented; it is that of the released client (skypatrol 0.6.21).
"""

import re
from base64 import encodebytes
from functools import cached_property
from urllib.parse import quote, urlsplit

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.answers import read_json
from vo_lib.observatories.http import HttpClient
from vo_lib.observatories.parquet_answers import read_parquet_answer

__all__ = ["MAX_TARGETS", "SkyPatrol", "read_servers"]

CATALOG = "master_list"
TARGETS = {
    "asas_sn_id": ("i8", "", "target"),
    "ra_deg": ("f8", "deg", "right ascension of the target, ICRS"),
    "dec_deg": ("f8", "deg", "declination of the target, ICRS"),
}
ASKED = (*TARGETS, "catalog_sources")
# Targets in one block of lightcurves; only the first block is requested.
MAX_TARGETS = 1000
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?")


class SkyPatrol:
    """The servers of Sky Patrol; threads may share it.

    Parameters
    ----------
    url : str
        URL of the server of targets; the lightcurve servers use the same port.
    retries : int
        How often a query is repeated; all lightcurve servers are tried in up to ``retries + 1`` rounds.
    **client
        See `vo_lib.observatories.http.HttpClient`.
    """

    def __init__(self, url, *, retries, **client):
        self.url, self._rounds = url.rstrip("/"), retries + 1
        self._client = HttpClient(retries=retries, **client)
        # After a failure of a lightcurve server, try the others before that one again.
        self._block_client = HttpClient(retries=0, **client)

    def find(self, ra, dec, radius_deg):
        """Query the targets in a circle.

        Parameters
        ----------
        ra, dec : float
            Centre [degrees].
        radius_deg : float
            Radius [degrees].

        Returns
        -------
        question : str
            Text that identifies the lightcurves of these targets.
        targets : ndarray, shape (n_targets,)
            Structured array with the columns ``asas_sn_id``, ``ra_deg`` and ``dec_deg`` [degrees]
            and ``catalog_sources`` (JSON); zero rows if there is no target.

        Raises
        ------
        ServiceError
            If there is no usable answer, or more targets than `MAX_TARGETS`.
        """
        ra, dec, radius = (_number(value) for value in (round(ra, 7) % 360, dec, radius_deg))
        asked = {"catalog": CATALOG, "cols": list(ASKED), "format": "arrow", "download": True}
        url = f"{self.url}/lookup_cone/radius{radius}_ra{ra}_dec{dec}"
        targets = self._client.post(url, json=asked, read=_read_targets, binary=True)
        return f"conectr-{radius}_conera-{ra}_conedec-{dec}|catalog-{CATALOG}|cols-{'/'.join(ASKED)}", targets

    def fetch_lightcurves(self, question, *, read):
        """Fetch the lightcurves of the targets in a circle.

        Parameters
        ----------
        question : str
            As returned recently by `find`.
        read : callable
            Converts the bytes of an answer to the returned object; raises `ServiceError` if they are
            not a valid answer.

        Returns
        -------
        lightcurves : object
            What `read` returned.
        server : str
            Name of the server that sent them.

        Raises
        ------
        ServiceError
            If no server gave a usable answer in any round.
        """
        path = f"query_hash-{quote(encodebytes(question.encode()), safe='/+=')}-block_idx-0-catalog-{CATALOG}"
        for attempt in range(self._rounds):
            self._client.pause(attempt)
            for server in self._servers:
                try:
                    return self._block_client.get(self._block_url(server, path), read=read, binary=True), server
                except ServiceError as error:
                    problem = error
        raise ServiceError(
            f"none of {len(self._servers)} lightcurve servers answered in {self._rounds} rounds; at last {problem}"
        )

    @cached_property
    def _servers(self):
        """Names of the lightcurve servers, requested once."""
        return self._client.get(f"{self.url}/get_block_servers", read=read_servers)

    def _block_url(self, server, path):
        """URL of a block on a lightcurve server."""
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port and ":" not in server else ""
        return f"{parts.scheme}://{server}{port}/get_block/{path}"


def read_servers(text):
    """Read the names of the lightcurve servers.

    Parameters
    ----------
    text : str
        Body of the answer: a list in JSON.

    Returns
    -------
    list of str
        Host names, each with or without a port; at least one.

    Raises
    ------
    ServiceError
        If the answer is anything else.
    """
    names = read_json(text)
    if not (isinstance(names, list) and names and all(_is_server(name) for name in names)):
        raise ServiceError(f"the answer is not a list of servers in JSON but {shorten(text)!r}")
    return names


def _is_server(name):
    """Whether a value is a host name."""
    return isinstance(name, str) and _SERVER.fullmatch(name) is not None


def _read_targets(body):
    """Table of the targets in a circle."""
    targets = read_parquet_answer(body, TARGETS)
    if len(targets) > MAX_TARGETS:
        raise ServiceError(f"there are {len(targets)} targets, more than {MAX_TARGETS}; set a smaller radius_arcsec")
    return targets


def _number(value):
    """Format a number of degrees as the released client does, but never with an exponent."""
    return np.format_float_positional(round(float(value), 7) + 0.0, trim="0")
