"""Web pages in one file: elements with escaped text, tables, pictures, and how they look.

Names in a page come from catalogs and archives, so all text is escaped unless it is `Html`, and the page forbids the
browser to load or to run anything but the programs that it was made with, by their sums.
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
    "Html",
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
STATIC = Path(__file__).parent / "static"


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def element(tag, *content, **attributes):
    """Make an element.

    Parameters
    ----------
    tag : str
        Its name.
    *content : object
        What is in it: `Html` as it is, all else as escaped text; None is nothing.
    **attributes : str or None
        Escaped; ``_`` in a name stands for ``-`` and one at its end for nothing (``class_``).
        None leaves the attribute out.

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
    """Text for a page; quotes are escaped too, so it serves within attributes."""
    return value if isinstance(value, Html) else html.escape(str(value))


def date_text(mjd):
    """Date and time (UTC) of a modified Julian date [d] as text, a dash where it is not finite."""
    return f"{datetime(1858, 11, 17) + timedelta(days=mjd):%Y-%m-%d %H:%M} UTC" if isfinite(mjd) else "–"


def notice(text):
    """Make a paragraph that stands out, where something is not there."""
    return element("p", text, class_="notice")


def section(title, *content, identifier):
    """Make a section with its heading, that a link can lead to."""
    heading = element("h2", title, id=f"{identifier}-title")
    return element("section", heading, *content, id=identifier, aria_labelledby=f"{identifier}-title")


def table(columns, rows, *, caption, total=None):
    """Make a table that scrolls by itself where it is larger than the page.

    Parameters
    ----------
    columns : dict of str to str
        Title of each column and how its cells are written: a format of numbers (``",d"``), which
        are aligned at the right, ``""`` for text, or ``"long"`` for text that is broken into lines.
    rows : iterable of sequences
        Cells; None and NaN are a dash.
    caption : str
        What the table shows.
    total : sequence, optional
        Last row, set apart.

    Returns
    -------
    Html
    """
    formats = list(columns.values())
    head = element("tr", *(element("th", name, scope="col", class_=_class(form)) for name, form in columns.items()))
    body = (_row(row, formats) for row in rows)
    foot = None if total is None else element("tfoot", _row(total, formats))
    whole = element(
        "table", element("caption", element("span", caption)), element("thead", head), element("tbody", *body), foot
    )
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _class(form):
    """Class of the cells of a column."""
    return {"": None, "long": "long"}.get(form, "number")


def _row(row, formats):
    """Row of a table; its first cell is its heading."""
    cells = zip(row, formats, ["th", *["td"] * (len(formats) - 1)], strict=True)
    return Html(f"<tr>{''.join(_cell(_text(cell, form), form, tag) for cell, form, tag in cells)}</tr>")


def _cell(text, form, tag):
    """Cell of a table, put together here since pages have ten thousands of them."""
    return f"{_opening(form, tag)}{_escape(text)}</{tag}>"


@cache
def _opening(form, tag):
    """How the cells of a column begin."""
    empty = element(tag, scope="row" if tag == "th" else None, class_=_class(form))
    return empty.removesuffix(f"</{tag}>")


def _text(cell, form):
    """Cell of a table as text."""
    if cell is None or cell != cell:
        return "–"
    return cell if form in ("", "long") else format(cell, form)


def figure(png, *, alt, caption):
    """Make a picture; a page in dark shows it with its brightness inverted.

    Parameters
    ----------
    png : bytes
        The picture.
    alt : str
        What it shows, for those who do not see it.
    caption : str or Html
        Text below it.
    """
    width, height = struct.unpack(">II", png[16:24])
    image = element("img", src=_data_url(png), alt=alt, width=width, height=height)
    return element("figure", image, element("figcaption", caption))


def _data_url(png):
    """Address that holds the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


@cache
def read_static(name):
    """Text of a file that pages bring along."""
    return Html((STATIC / name).read_text(encoding="utf-8"))


def static_digest():
    """SHA-256 of all files that pages bring along, with their names."""
    found = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def policy(programs=(), *, sources=(), forms="'none'"):
    """What a page lets the browser do, as a Content-Security-Policy.

    Parameters
    ----------
    programs : sequence of str
        Texts of the programs in the page, which alone may run.
    sources : sequence of str, optional
        Where else programs may be loaded from.
    forms : str, optional
        Where forms may lead.

    Returns
    -------
    str
    """
    sums = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in programs]
    allowed = [*sources, *(f"'sha256-{value}'" for value in sums)]
    return POLICY.format(forms=forms) + (f"; script-src {' '.join(allowed)}" if allowed else "")


def _embed(data):
    """JSON in an element that is not run; nothing in it can end the element."""
    text = json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return element("script", Html(text), type="application/json", id="data")


def page(title, *, header, content, footer, style="", programs=(), data=None, beside=(), forms="'none'"):
    """Make a whole page.

    Parameters
    ----------
    title : str
        Title of the window.
    header, footer : Html
        First and last part.
    content : sequence of Html
        Sections.
    style : str, optional
        What its look has beside that of all pages.
    programs : sequence of Html, optional
        Programs that run when all else is there, see `read_static`.
    data : object, optional
        JSON values that the programs find in the element ``data``.
    beside : sequence of str, optional
        Programs in files beside the page, which run before the others.
    forms : str, optional
        See `policy`.

    Returns
    -------
    str
        HTML that needs no network, and no other file but those of `beside`.
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
    parts = element("header", header), element("main", *content), element("footer", footer)
    return "<!DOCTYPE html>\n" + element("html", head, element("body", *parts, *scripts), lang="en") + "\n"
