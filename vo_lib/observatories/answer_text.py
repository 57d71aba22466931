"""What an answer says that is no table: its text, or the message in a page or error report, on one line."""

import html
import re

from vo_lib.errors import ServiceError

__all__ = ["check_body", "describe_markup", "shorten"]

_INFO = re.compile(r"<(?:\w+:)?INFO\b([^>]*?)(?:/>|>(.*?)</(?:\w+:)?INFO>)", re.DOTALL | re.IGNORECASE)
_VALUE = re.compile(r"\bvalue\s*=\s*[\"']([^\"']*)[\"']", re.IGNORECASE)
# The message on an error page of ESA's archives.
_MESSAGE = re.compile(r"<li><b>Message:\s*</b>(.*?)(?:</li>|$)", re.DOTALL)
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)


def shorten(text, length=200):
    """Collapse a text to one line of limited length."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 3] + "..."


def check_body(text):
    """Raise `ServiceError`, with a summary of the content, if a body is empty, XML or HTML.

    Parameters
    ----------
    text : str
        The body, or its beginning.
    """
    start = text[:2000].lstrip()
    if not start:
        raise ServiceError("the answer is empty; a table would have at least a header")
    if start.startswith("<"):
        raise ServiceError(f"the answer is not a table but {describe_markup(text)}")


def describe_markup(text):
    """Summarise an answer in XML or HTML.

    Parameters
    ----------
    text : str
        The answer, or its beginning.

    Returns
    -------
    str
        ``an error report: ...`` or ``a page: ...`` with the message or title, on one line of limited length.
    """
    for attributes, content in _INFO.findall(text):
        if "QUERY_STATUS" in attributes and "ERROR" in attributes:
            return f"an error report: {shorten(html.unescape(content)) or 'without a message'}"
    for attributes, _ in _INFO.findall(text):
        if re.search(r"name\s*=\s*[\"']error[\"']", attributes, re.IGNORECASE) and (value := _VALUE.search(attributes)):
            return f"an error report: {shorten(html.unescape(value[1]))}"
    if message := _MESSAGE.search(text):
        return f"an error report: {shorten(html.unescape(message[1]))}"
    title = _TITLE.search(text)
    return f"a page: {shorten(html.unescape(title[1] if title else text))}"
