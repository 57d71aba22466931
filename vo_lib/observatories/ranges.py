"""Answers that go on where a connection broke, by byte ranges (RFC 9110, sections 13.1.5 and 14).

Bytes that came are kept together with what tells that the rest belongs to them: a strong ETag, or else the time of
the last change. The rest is asked for under the condition that this is still true (``If-Range``), so a server whose
file has changed sends the new one whole, and so does one that knows no ranges. Without such a validator, and for
answers that were packed for their way, nothing is continued.
"""

import io
import json
import os
import re
import time
from pathlib import Path

from vo_lib.errors import ServiceError

__all__ = ["MAX_FILE_BYTES", "FilePart", "Part"]

# A file with more is not believed, nor one that unpacks to more; the largest catalog here has 2 GB.
MAX_FILE_BYTES = 1 << 34
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
# Of a block that a broken connection cut nothing is kept.
_BLOCK_BYTES = 1 << 13
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class Part:
    """What has come of an answer, in memory.

    Attributes
    ----------
    stream : file object
        The bytes so far.
    validator : str
        What the server must confirm before bytes are added; empty if it cannot.
    length : int or None
        Number of bytes of the whole answer, where the server says.
    """

    max_bytes = 1 << 30  # far more than any answer about one source

    def __init__(self):
        self.stream, self.validator, self.length = io.BytesIO(), "", None

    @property
    def size(self):
        """Number of bytes so far."""
        return self.stream.seek(0, io.SEEK_END)

    @property
    def is_whole(self):
        """Whether nothing is to be asked for any more."""
        return self.length is not None and self.size == self.length > 0

    @property
    def headers(self):
        """Headers of a request for the rest; none where all has to be asked for."""
        if not (self.validator and self.size):
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self.validator, "Accept-Encoding": "identity"}

    def receive(self, response, patience_s):
        """Take the body of a response, the rest or all of it, until it is whole.

        Parameters
        ----------
        response : requests.Response
            Of status 206 or 416 only if `headers` were sent; its body is not read yet.
        patience_s : float
            Longest time in which 8 kB come, but for the last of them.

        Raises
        ------
        ServiceError
            If the body is shorter than announced, or not the rest; then all has to be asked for. Also if it is larger
            than any that is believed, or comes too slowly; what came so far is kept.
        requests.RequestException
            If the connection breaks; what came is kept.
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
                raise ServiceError(f"the answer has more than {self.max_bytes:,} bytes, unpacked; it is not believed")
            self.stream.write(block)
            begin, is_late = time.monotonic(), time.monotonic() - begin > patience_s
        if self.length is not None and self.size != self.length:
            raise ServiceError(f"the answer is not complete ({self.size} of {self.length} bytes)")

    def begin(self, validator="", length=None):
        """Forget all bytes."""
        self.stream.seek(0)
        self.stream.truncate()
        self.validator, self.length = validator, length

    def _check_rest(self, response):
        """Forget all bytes unless those of the response follow on them."""
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        follows = found and response.status_code == PARTIAL_CONTENT and int(found[1]) == self.size
        same = _describe(response)[0] in ("", self.validator) and not _is_packed(response)
        if not (follows and same) or (self.length is not None and found[2] not in ("*", str(self.length))):
            self.begin()
            raise ServiceError("the server did not send the rest that it was asked for")


class FilePart(Part):
    """What has come of a file, on disk until it is whole; use it as a context manager.

    Parameters
    ----------
    path : str or Path
        The file. While it comes it is ``<path>.part``, and what validates it is ``<path>.part.json``.
    url : str
        Where it comes from, without secrets; a part from elsewhere is not continued.
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
        """Forget all bytes, those on disk first."""
        super().begin(validator, length)
        about = {"url": self.url, "validator": validator, "length": length}
        self._about.write_text(json.dumps(about), encoding="utf-8")

    def finish(self):
        """Put the file in its place."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.path.replace(self.target)
        self._about.unlink(missing_ok=True)


def _describe(response):
    """Validator of a response, empty where it cannot be continued, and its length, None where that is not known."""
    headers = response.headers
    if _is_packed(response):
        return "", None
    tag, length = headers.get("ETag", ""), headers.get("Content-Length", "")
    validator = tag if tag.startswith('"') else headers.get("Last-Modified", "")
    if headers.get("Accept-Ranges") == "none":
        validator = ""
    return validator, int(length) if length.isdecimal() else None


def _is_packed(response):
    """Whether the bytes of a response are not those of what was asked for."""
    return response.headers.get("Content-Encoding", "identity") != "identity"
