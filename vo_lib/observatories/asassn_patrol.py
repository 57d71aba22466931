"""The conversation with the servers of ASAS-SN Sky Patrol: the targets of a circle, then their lightcurves.

A circle is asked of one server, which lists its targets and has their lightcurves made ready under the
text of the question. They are fetched from any of several lightcurve servers, whose names the first one
gives. Nothing of it is documented; it is what the released client (skypatrol 0.6.21) does.
"""

import re
from base64 import encodebytes
from functools import cached_property
from urllib.parse import quote, urlsplit

import numpy as np

from vo_lib.errors import ServiceError
from vo_lib.observatories.answers import read_json, shorten
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
# Targets in one block of lightcurves; only the first block is asked for.
MAX_TARGETS = 1000
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?")


class SkyPatrol:
    """The servers of Sky Patrol; threads may share it.

    Parameters
    ----------
    url : str
        Address of the server of circles; the lightcurve servers have the same port.
    retries : int
        How often a question is repeated; lightcurve servers are asked in as many rounds and one more.
    **client
        See `vo_lib.observatories.http.HttpClient`.
    """

    def __init__(self, url, *, retries, **client):
        self.url, self._rounds = url.rstrip("/"), retries + 1
        self._client = HttpClient(retries=retries, **client)
        # A lightcurve server that fails is not asked again before the others.
        self._block_client = HttpClient(retries=0, **client)

    def find(self, ra, dec, radius_deg):
        """Ask for the targets in a circle.

        Parameters
        ----------
        ra, dec : float
            Centre [degrees].
        radius_deg : float
            Radius [degrees].

        Returns
        -------
        question : str
            What names the lightcurves of these targets.
        targets : ndarray, shape (n_targets,)
            Structured array with the columns ``asas_sn_id``, ``ra_deg`` and ``dec_deg`` [degrees]
            and, as JSON, ``catalog_sources``; zero rows if there is no target.

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
        """Ask for the lightcurves of the targets of a circle.

        Parameters
        ----------
        question : str
            As given by `find`, not long ago.
        read : callable
            Turns the bytes of an answer into what is returned; raises `ServiceError` for what is
            not a proper one.

        Returns
        -------
        lightcurves : object
            What `read` returned.
        server : str
            Name of the server that they came from.

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
            f"none of {len(self._servers)} lightcurve servers gave an answer in {self._rounds} rounds; "
            f"at last {problem}"
        )

    @cached_property
    def _servers(self):
        """Names of the lightcurve servers, asked for once."""
        return self._client.get(f"{self.url}/get_block_servers", read=read_servers)

    def _block_url(self, server, path):
        """Address of a block on a lightcurve server."""
        parts = urlsplit(self.url)
        port = f":{parts.port}" if parts.port and ":" not in server else ""
        return f"{parts.scheme}://{server}{port}/get_block/{path}"


def read_servers(text):
    """Read the names of the lightcurve servers.

    Parameters
    ----------
    text : str
        Body of an answer: a list in JSON.

    Returns
    -------
    list of str
        Names of hosts, with or without a port; at least one.

    Raises
    ------
    ServiceError
        For anything else.
    """
    names = read_json(text)
    if not (isinstance(names, list) and names and all(_is_server(name) for name in names)):
        raise ServiceError(f"the answer is not a list of servers in JSON but {shorten(text)!r}")
    return names


def _is_server(name):
    """Whether a value is the name of a host."""
    return isinstance(name, str) and _SERVER.fullmatch(name) is not None


def _read_targets(body):
    """Table of the targets in a circle."""
    targets = read_parquet_answer(body, TARGETS)
    if len(targets) > MAX_TARGETS:
        raise ServiceError(f"there are {len(targets)} targets, more than {MAX_TARGETS}; set a smaller radius_arcsec")
    return targets


def _number(value):
    """Write a number of degrees as the released client does, but never with an exponent."""
    return np.format_float_positional(round(float(value), 7) + 0.0, trim="0")
