"""Resumption of answers after a broken connection, by byte ranges (RFC 9110, sections 13.1.5 and 14).

Bytes that have arrived are kept together with a validator: a strong ETag, or else the time of the last modification.
The rest is requested on the condition that the validator still matches (``If-Range``). A server whose file has
changed, or that does not support ranges, therefore sends the whole file. Answers without a validator and answers with
a content encoding (compressed ones) are not resumed.
"""

import io
import json
import os
import re
import time
from pathlib import Path

from vo_lib.errors import ServiceError

__all__ = ["MAX_FILE_BYTES", "FilePart", "Part"]

# Files that are larger, packed or unpacked, are rejected; the largest catalog in use has 2 GB.
MAX_FILE_BYTES = 1 << 34
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
# A block that is cut off by a broken connection is discarded.
_BLOCK_BYTES = 1 << 13
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Part:
    """The received part of an answer, in memory.

    Attributes
    ----------
    stream : file object
        The bytes received so far.
    validator : str
        What the server must confirm before bytes are appended; empty if it cannot.
    length : int or None
        Number of bytes of the whole answer, if the server gives it.
    """

    max_bytes = 1 << 30  # far more than any answer about one source

    def __init__(self):
        self.stream, self.validator, self.length = io.BytesIO(), "", None

    @property
    def size(self):
        """Number of bytes received so far."""
        return self.stream.seek(0, io.SEEK_END)

    @property
    def is_whole(self):
        """Whether the answer is known to be complete."""
        return self.length is not None and self.size == self.length > 0

    @property
    def headers(self):
        """Headers that request only the rest; empty if the whole answer must be requested."""
        if not (self.validator and self.size):
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self.validator, "Accept-Encoding": "identity"}

    def receive(self, response, patience_s):
        """Receive the body of a response, which is the rest or all of the answer.

        Parameters
        ----------
        response : requests.Response
            Its status is 206 or 416 only if `headers` were sent; its body has not been read.
        patience_s : float
            Longest time allowed for each 8 kB except the last [s].

        Raises
        ------
        ServiceError
            If the body is not the requested rest or exceeds the size limit (then the received bytes are discarded),
            or if its length is not the announced one or it arrives too slowly (then they are kept).
        requests.RequestException
            If the connection breaks; the received bytes are kept.
        """
        if response.status_code in (PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE):
            self._check_rest(response)
        else:
            self.begin(*_describe(response))
        size, begin, is_late = self.size, time.monotonic(), False
        for block in response.iter_content(_BLOCK_BYTES):
            if is_late:
                raise ServiceError(f"the answer comes too slowly (8 kB in more than {patience_s:g} s)")
            if (size := size + len(block)) > self.max_bytes:
                self.begin()
                raise ServiceError(f"the answer has more than {self.max_bytes:,} bytes when unpacked and is rejected")
            self.stream.write(block)
            begin, is_late = time.monotonic(), time.monotonic() - begin > patience_s
        if self.length is not None and self.size != self.length:
            raise ServiceError(f"the answer is not complete ({self.size} of {self.length} bytes)")

    def begin(self, validator="", length=None):
        """Discard all bytes."""
        self.stream.seek(0)
        self.stream.truncate()
        self.validator, self.length = validator, length

    def _check_rest(self, response):
        """Discard all bytes and raise unless the body of the response continues them."""
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        follows = found and response.status_code == PARTIAL_CONTENT and int(found[1]) == self.size
        same = _describe(response)[0] in ("", self.validator) and not _is_packed(response)
        if not (follows and same) or (self.length is not None and found[2] not in ("*", str(self.length))):
            self.begin()
            raise ServiceError("the server did not send the rest that it was asked for")


class FilePart(Part):
    """The received part of a file, on disk until it is complete; use it as a context manager.

    Parameters
    ----------
    path : str or Path
        The complete file. Until then its bytes are in ``<path>.part`` and its validator in ``<path>.part.json``.
    url : str
        Where it comes from, without secrets; a part from another URL is not resumed.
    """

    max_bytes = MAX_FILE_BYTES

    def __init__(self, path, url):
        self.target, self.url = Path(path), url
        self.path = self.target.with_name(f"{self.target.name}.part")
        self._about = self.path.with_name(f"{self.path.name}.json")

    def __enter__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.stream = open(self.path, "r+b" if self.path.exists() else "w+b")
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
            url, self.validator, self.length = (about[name] for name in ("url", "validator", "length"))
        except (OSError, ValueError, KeyError, TypeError):
            url = None
        if url != self.url:
            self.begin()
        return self

    def __exit__(self, *_):
        is_empty = self.size == 0
        self.stream.close()
        if is_empty:
            self.path.unlink(missing_ok=True)
            self._about.unlink(missing_ok=True)

    def begin(self, validator="", length=None):
        """Discard all bytes, then record the new validator and length on disk."""
        super().begin(validator, length)
        about = {"url": self.url, "validator": validator, "length": length}
        self._about.write_text(json.dumps(about), encoding="utf-8")

    def finish(self):
        """Move the complete file to its final path."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.path.replace(self.target)
        self._about.unlink(missing_ok=True)


def _describe(response):
    """Validator of a response, empty if it cannot be resumed, and its length, None if unknown."""
    headers = response.headers
    if _is_packed(response):
        return "", None
    tag, length = headers.get("ETag", ""), headers.get("Content-Length", "")
    validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
    if headers.get("Accept-Ranges") == "none":
        validator = ""
    return validator, int(length) if length.isdecimal() else None


def _is_packed(response):
    """Whether a response has a content encoding, so that its bytes are not those of the file itself."""
    return response.headers.get("Content-Encoding", "identity") != "identity"
