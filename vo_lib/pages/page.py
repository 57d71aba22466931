"""Self-contained HTML pages: elements with escaped text, tables, figures and styles.

Text on a page comes from catalogs and archives, so everything but `Html` is escaped, and the Content-Security-Policy of
the page lets the browser run only the page's own scripts: inline ones by their SHA-256, and files beside the page.
"""

import base64
import hashlib
import html
import json
import struct
from datetime import datetime, timedelta
from functools import cache
from math import isfinite
from pathlib import Path

__all__ = [
    "LONGEST_TABLE",
    "Html",
    "cut_caption",
    "date_text",
    "element",
    "figure",
    "notice",
    "page",
    "policy",
    "read_static",
    "section",
    "static_digest",
    "table",
]

VOID = frozenset({"img", "meta"})
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action {forms}"
LONGEST_TABLE = 200  # rows that are shown of a table that is also elsewhere
STATIC = Path(__file__).parent / "static"


class Html(str):
    """HTML, which is not escaped again."""

    __slots__ = ()


def element(tag, *content, **attributes):
    """Make an HTML element.

    Parameters
    ----------
    tag : str
        Name of the element.
    *content : object
        Content: `Html` is inserted as it is, everything else as escaped text; None is skipped.
    **attributes : str or None
        Attributes, with escaped values. In a name, ``_`` stands for ``-``, except at the end, where it is dropped
        (``class_``). None omits the attribute.

    Returns
    -------
    Html
    """
    words = [
        f'{name.strip("_").replace("_", "-")}="{_escape(value)}"'
        for name, value in attributes.items()
        if value is not None
    ]
    opening = f"<{' '.join([tag, *words])}>"
    if tag in VOID:
        return Html(opening)
    return Html(f"{opening}{''.join(_escape(part) for part in content if part is not None)}</{tag}>")


def _escape(value):
    """Escape text unless it is `Html`; quotes are escaped too, so that the result can be used in attributes."""
    return value if isinstance(value, Html) else html.escape(str(value))


def date_text(mjd):
    """Format a modified Julian date [d] as date and time (UTC), or as a dash if it is not finite."""
    return f"{datetime(1858, 11, 17) + timedelta(days=mjd):%Y-%m-%d %H:%M} UTC" if isfinite(mjd) else "–"


def notice(text):
    """Make a highlighted paragraph, used where something is missing."""
    return element("p", text, class_="notice")


def section(title, *content, identifier):
    """Make a section with a heading and an identifier that links can target."""
    heading = element("h2", title, id=f"{identifier}-title")
    return element("section", heading, *content, id=identifier, aria_labelledby=f"{identifier}-title")


def table(columns, rows, *, caption):
    """Make a table that scrolls on its own if it does not fit the page.

    Parameters
    ----------
    columns : dict of str to str
        Title and format of each column: a number format (``",d"``), for right-aligned cells, ``""`` for text, or
        ``"long"`` for text that wraps.
    rows : iterable of sequences
        Cells; None and NaN are shown as a dash.
    caption : str
        What the table shows.

    Returns
    -------
    Html
    """
    formats = list(columns.values())
    head = element("tr", *(element("th", name, scope="col", class_=_class(form)) for name, form in columns.items()))
    body = (_row(row, formats) for row in rows)
    whole = element(
        "table", element("caption", element("span", caption)), element("thead", head), element("tbody", *body)
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def cut_caption(caption, number):
    """Return a caption with the number of rows, and how many are shown if the table is long."""
    return f"{caption}: the first {LONGEST_TABLE} of {number:,}" if number > LONGEST_TABLE else f"{caption}: {number:,}"


def _class(form):
    """CSS class of the cells of a column."""
    return {"": None, "long": "long"}.get(form, "number")


def _row(row, formats):
    """Row of a table; its first cell is its header."""
    cells = zip(row, formats, ["th", *["td"] * (len(formats) - 1)], strict=True)
    return Html(f"<tr>{''.join(_cell(_text(cell, form), form, tag) for cell, form, tag in cells)}</tr>")


def _cell(text, form, tag):
    """Cell of a table; not made by `element`, which is slower, since pages have tens of thousands of them."""
    return f"{_opening(form, tag)}{_escape(text)}</{tag}>"


@cache
def _opening(form, tag):
    """Opening tag of the cells of a column."""
    empty = element(tag, scope="row" if tag == "th" else None, class_=_class(form))
    return empty.removesuffix(f"</{tag}>")


def _text(cell, form):
    """Cell of a table as text."""
    if cell is None or cell != cell:
        return "–"
    return cell if form in ("", "long") else format(cell, form)


def figure(png, *, alt, caption):
    """Make a figure; in dark mode its brightness is inverted.

    Parameters
    ----------
    png : bytes
        The image.
    alt : str
        Alternative text: what the image shows, for those who do not see it.
    caption : str or Html
        Text below the image.
    """
    width, height = struct.unpack(">II", png[16:24])
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    image = element("img", src=source, alt=alt, width=width, height=height)
    return element("figure", image, element("figcaption", caption))


@cache
def read_static(name):
    """Read a file of the folder ``static`` as `Html`."""
    return Html((STATIC / name).read_text(encoding="utf-8"))


def static_digest():
    """Compute the SHA-256 of the names and contents of all files in the folder ``static``."""
    found = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def policy(programs, *, sources, forms):
    """Make the Content-Security-Policy of a page.

    Parameters
    ----------
    programs : sequence of str
        Text of each inline script that may run.
    sources : sequence of str
        Sources that other scripts may be loaded from.
    forms : str
        Targets that forms may be sent to.

    Returns
    -------
    str
    """
    sums = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in programs]
    allowed = [*sources, *(f"'sha256-{value}'" for value in sums)]
    return POLICY.format(forms=forms) + (f"; script-src {' '.join(allowed)}" if allowed else "")


def _embed(data):
    """Embed JSON in an element that is not run, escaped so that no text can close the element."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return element("script", Html(text), type="application/json", id="data")


def page(title, *, header, content, footer, style="", programs=(), data=None, beside=(), forms="'none'"):
    """Make a complete page.

    Parameters
    ----------
    title : str
        Title of the document.
    header, content : sequence of Html
        Elements of the header, and sections.
    footer : Html
        Content of the footer.
    style : str, optional
        CSS in addition to that of all pages.
    programs : sequence of Html, optional
        Inline scripts, see `read_static`; they run after the rest of the page is parsed.
    data : object, optional
        JSON value that the scripts find in the element with the identifier ``data``.
    beside : sequence of str, optional
        Script files beside the page, which run before the inline scripts.
    forms : str, optional
        Targets that forms may be sent to; default none.

    Returns
    -------
    str
        HTML that needs neither the network nor any file except those of `beside`.
    """
    rules = policy(programs, sources=("'self'", "file:") if beside else (), forms=forms)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=rules),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(read_static("page.css") + style)),
    )
    scripts = [
        None if data is None else _embed(data),
        *(element("script", src=name) for name in beside),
        *(element("script", Html(text)) for text in programs),
    ]
    parts = element("header", *header), element("main", *content), element("footer", footer)
    return "<!DOCTYPE html>\n" + element("html", head, element("body", *parts, *scripts), lang="en") + "\n"
