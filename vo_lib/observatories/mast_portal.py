"""Client of the portal of MAST, the Mikulski Archive for Space Telescopes: queries in JSON, files by URI.

A query is a POST of ``request={"service": ..., "params": ...}``. While the portal works on a query, it answers
``EXECUTING`` and expects the same query again; long answers come in pages. Errors arrive with the HTTP status 200.
Nothing here needs a login. No rate limit is published; the archive prefers one request at a time.

Reference: https://mast.stsci.edu/api/v0/ (services and their parameters).
"""

import json
import math
import re
import time
from dataclasses import dataclass
from functools import partial

from vo_lib.errors import ServiceError
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.answers import read_json
from vo_lib.observatories.network import NetworkObservatory, NetworkParameters, check_url

__all__ = ["IDENTIFIER", "NUMBER", "TEXT", "MastObservatory", "MastParameters"]

PAGE_SIZE = 50000
# Kinds of values that a column may have.
NUMBER, TEXT, IDENTIFIER = "a number", "text", "a whole number"
_PAGING = ("pagesFiltered", "rowsFiltered")
_KINDS = {
    NUMBER: lambda value: type(value) in (int, float) and math.isfinite(value),
    TEXT: lambda value: isinstance(value, str),
    IDENTIFIER: lambda value: re.fullmatch("[0-9]{1,18}", str(value)) is not None,
}
# Shortest pause between repetitions of a query that the portal still works on [s].
MIN_WAIT_S = 0.01


@dataclass(frozen=True)
class MastParameters(NetworkParameters):
    """Parameters of the requests to MAST; none of them changes the answers.

    Parameters
    ----------
    url : str
        URL for queries.
    download_url : str
        URL for files.
    timeout_s, retries, retry_wait_s, contact
        See `vo_lib.observatories.network.NetworkParameters`. ``retry_wait_s`` is also the pause between
        repetitions of a query that the portal still works on, and ``timeout_s`` the time limit of a query.
    """

    url: str = "https://mast.stsci.edu/api/v0/invoke"
    download_url: str = "https://mast.stsci.edu/api/v0.1/Download/file"

    def __post_init__(self):
        NetworkParameters.__post_init__(self)
        check_url(self.url)
        check_url(self.download_url)


class MastObservatory(NetworkObservatory):
    """Base class of surveys at MAST; their `Parameters` extend `MastParameters`."""

    Parameters = MastParameters

    def _invoke(self, service, params, columns):
        """All rows of the answer to a query, as dicts; `columns` gives the kinds of values that each may have."""
        rows, page, pages = [], 0, 1
        while page < pages:
            page += 1
            answer = self._page(service, params, page)
            rows += answer["data"]
            paging = answer.get("paging") or {}
            pages = (paging.get("pagesFiltered") or 1) if answer["data"] else 0
        if len(rows) < (paging.get("rowsFiltered") or 0):
            raise ServiceError(
                f"{self.pars.url}: {service} sent {len(rows)} of {paging['rowsFiltered']} rows; run again later"
            )
        for row in rows:
            _check_row(f"{self.pars.url}: {service}", row, columns)
        return rows

    def _page(self, service, params, page):
        """One page of an answer; the query is repeated until the portal has it."""
        request = {"service": service, "params": params, "format": "json", "pagesize": PAGE_SIZE, "page": page}
        form, read = {"request": json.dumps(request)}, partial(_read_answer, service=service)
        deadline = time.monotonic() + self.pars.timeout_s
        while (answer := self._client.post(self.pars.url, form, read=read))["status"] == "EXECUTING":
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{self.pars.url}: {service} was not done after {self.pars.timeout_s:g} s; run again later"
                )
            time.sleep(max(self.pars.retry_wait_s, MIN_WAIT_S))
        return answer

    def _download(self, uri, read):
        """Download a file and return the result of `read` for its bytes."""
        return self._client.get(self.pars.download_url, {"uri": uri}, read=read, binary=True)


def _check_row(where, row, columns):
    """Raise if a row lacks a column or has a value of the wrong kind."""
    for name, kinds in columns.items():
        if name not in row:
            raise ServiceError(f"{where} sent a row without '{name}'; MAST may have changed its format")
        value = row[name]
        if not any(value is None if kind is None else _KINDS[kind](value) for kind in kinds):
            words = " or ".join(str(kind or "null") for kind in kinds)
            raise ServiceError(f"{where} sent {shorten(repr(value), 40)} for {name}, not {words}")


def _read_answer(text, *, service):
    """Answer of the portal as a dict; its status is COMPLETE or EXECUTING."""
    if not text.strip():
        raise ServiceError(f"{service}: the answer is empty")
    answer = read_json(text)
    status = answer.get("status") if isinstance(answer, dict) else None
    if status == "EXECUTING":
        return answer
    if status != "COMPLETE":
        said = answer.get("msg") if isinstance(answer, dict) else ""
        raise ServiceError(f"{service}: the portal says {status}: {shorten(str(said or 'no message'))}")
    if not isinstance(answer.get("data"), list) or not all(isinstance(row, dict) for row in answer["data"]):
        raise ServiceError(f"{service}: the answer has no table of data")
    paging = answer.get("paging") or {}
    if not isinstance(paging, dict) or not all(type(paging.get(name) or 0) is int for name in _PAGING):
        raise ServiceError(f"{service}: instead of the number of its pages the answer has {shorten(repr(paging), 100)}")
    return answer
