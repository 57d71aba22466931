"""Services that resolve names of astronomical objects: Sesame of the CDS, and the name resolver of MAST.

Sesame
    Queries Simbad, then NED, then VizieR and returns the answer of the first that knows the object, with all its names.
    Positions are ICRS at epoch and equinox J2000, proper motions in mas/yr with cos(dec). Simbad does not propagate the
    positions of some faint sources from the epoch of measurement, and VizieR may give a position to an arcminute only.
    The CDS and the Center for Astrophysics each run an instance. https://cds.unistra.fr/cgi-bin/Sesame
MAST
    The name resolver of the Mikulski Archive ("Santa") queries Simbad, NED, the TESS Input Catalog and others, which
    may take a name for different objects. It gives no proper motions. https://mastresolver.stsci.edu/Santa-war/

Both answer with HTTP status 200 whatever they find. A message or an empty list means that nothing was found; any other
answer without a position is a `ServiceError`. Neither publishes a rate limit or needs a login.
"""

import math
import re
from functools import partial
from urllib.parse import quote
from xml.etree import ElementTree  # see _parse_xml  # nosec B405

from vo_lib.errors import ServiceError
from vo_lib.observatories.answer_text import shorten
from vo_lib.observatories.answers import read_json
from vo_lib.positions import SAME_OBJECT_ARCSEC, offsets
from vo_lib.targets.target import AMBIGUOUS, FOUND, NOT_FOUND, Target, tidy

__all__ = ["MastResolver", "Sesame", "make_services"]

SESAME_URLS = (
    "https://cds.unistra.fr/cgi-bin/nph-sesame",
    "https://vizier.cfa.harvard.edu/viz-bin/nph-sesame",
)
MAST_URL = "https://mastresolver.stsci.edu/Santa-war/query"

# A position with no more decimals is from VizieR, to an arcminute, too coarse to find a source.
COARSE_DECIMALS = 2

# Whose position is preferred if several resolvers behind MAST agree.
_RANKS = {resolver: rank for rank, resolver in enumerate(("SIMBAD", "SIMBADCFA", "TIC", "NED"))}
_MAST_FIELDS = ("searchString", "resolver", "canonicalName", "ra", "decl")
_NOTHING = re.compile(r"nothing found|zero \(0\) answers|no known catalog|no astronomical object", re.IGNORECASE)
_CACHED = re.compile(r"from cache", re.IGNORECASE)


def make_services(**options):
    """Make the services, in the order in which to query them.

    Parameters
    ----------
    **options
        See `vo_lib.observatories.http.HttpClient`; the default is a timeout of 30 s and one retry, because there
        are other addresses to query.

    Returns
    -------
    tuple
        Objects with a ``title`` and a method ``look_up(name)`` that returns a `Target` or raises `ServiceError`.
    """
    from vo_lib.observatories.http import HttpClient

    client = HttpClient(**{"timeout_s": 30.0, "retries": 1} | options)
    return Sesame(client), MastResolver(client)


class Sesame:
    """Name resolver of the CDS, queried at its address or, if that fails, at its mirror.

    Parameters
    ----------
    client : HttpClient
        Connection to the service.
    urls : sequence of str, optional
        Its addresses; one that fails is moved to the end.
    """

    title = "CDS Sesame"

    def __init__(self, client, urls=SESAME_URLS):
        self._client, self._urls = client, list(urls)

    def look_up(self, name):
        """Look up a name.

        Parameters
        ----------
        name : str
            The name.

        Returns
        -------
        Target
            Found, not found, or ambiguous if the position is good to an arcminute only.

        Raises
        ------
        ServiceError
            If no address gives a usable answer.
        """
        problems = []
        query, read = f"-oxpI/SNV?{quote(name, safe='')}", partial(_read_sesame, name=name)
        for url in tuple(self._urls):
            try:
                return self._client.get(f"{url}/{query}", read=read)
            except ServiceError as error:
                problems.append(str(error))
                self._urls = [other for other in self._urls if other != url] + [url]
        raise ServiceError("; ".join(problems))


def _read_sesame(text, name):
    """Target in an answer in Sesame's XML 4."""
    root = _parse_xml(text)
    targets = root.findall("Target") if root.tag == "Sesame" else []
    if len(targets) != 1:
        raise ServiceError(f"the answer has {len(targets)} targets of Sesame instead of one: {shorten(text)}")
    for resolver in targets[0].iter("Resolver"):
        if resolver.find("jradeg") is not None or resolver.find("jdedeg") is not None:
            return _read_resolver(resolver, name)
    notes = [tidy(note.text or "") for note in targets[0].iter("INFO")]
    errors = [tidy(error.text or "") or "no message" for error in targets[0].iter("ERROR")]
    errors += [note for note in notes if not (_NOTHING.search(note) or _CACHED.search(note))]
    if errors or not any(map(_NOTHING.search, notes)):
        raise ServiceError(f"the answer has no position and does not say why: {shorten('; '.join(errors) or text)}")
    return Target(name, NOT_FOUND, service=Sesame.title)


def _parse_xml(text):
    """Root of an XML document; a document type is refused, because it could define entities without limit."""
    if not text.strip():
        raise ServiceError("the answer is empty")
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise ServiceError(f"the answer is a page or has a document type, which Sesame never sends: {shorten(text)}")
    try:
        # Decoded text cannot switch its encoding, so there is no other way to a document type.
        return ElementTree.fromstring(text)  # noqa: S314  # nosec B314
    except ElementTree.ParseError as error:
        raise ServiceError(f"the answer is not complete XML ({error}): {shorten(text)}") from None


def _read_resolver(resolver, name):
    """Target in the answer of one of Sesame's databases."""
    ra, dec = _number(resolver, "jradeg"), _number(resolver, "jdedeg")
    _check_place(ra, dec)
    motion = [None, None]
    if resolver.find("pm/pmRA") is not None and resolver.find("pm/pmDE") is not None:
        motion = [_number(resolver, "pm/pmRA"), _number(resolver, "pm/pmDE")]
    canonical = tidy(resolver.findtext("oname") or "") or name
    aliases = {tidy(alias.text or "") for alias in resolver.iter("alias")} - {"", canonical}
    # For example "Sc=Simbad (CDS, via client/server)".
    service = f"{Sesame.title} ({resolver.get('name', '').partition('=')[2].partition(' ')[0]})"
    if all(_decimals(resolver.findtext(tag)) <= COARSE_DECIMALS for tag in ("jradeg", "jdedeg")):
        reason = f"has a position only to {10**-COARSE_DECIMALS} degrees in {service}; give its position"
        return Target(name, AMBIGUOUS, service=service, reason=reason)
    return Target(name, FOUND, canonical, ra, dec, *motion, tuple(sorted(aliases)), service)


def _number(element, path):
    """Finite number in a child of an element."""
    text = element.findtext(path) or ""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ServiceError(f"the answer has '{shorten(text, 40)}' for {path}, not a number")
    return number


def _decimals(text):
    """Number of decimals of a text."""
    return len(text.strip().partition(".")[2])


def _check_place(ra, dec):
    """Check that a position is on the sky."""
    if not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):
        raise ServiceError(f"the answer has the position {ra}, {dec}, which is not on the sky")


class MastResolver:
    """Name resolver of MAST.

    Parameters
    ----------
    client : HttpClient
        Connection to the service.
    url : str, optional
        Its address.
    """

    title = "MAST"

    def __init__(self, client, url=MAST_URL):
        self._client, self._url = client, url

    def look_up(self, name):
        """Look up a name.

        Parameters
        ----------
        name : str
            The name.

        Returns
        -------
        Target
            Found, not found, or ambiguous if positions are 10 arcsec or more apart.

        Raises
        ------
        ServiceError
            If the answer is not usable.
        """
        query = {"name": name, "outputFormat": "json", "resolveAll": "True"}
        return self._client.get(self._url, query, read=partial(_read_mast, name=name))


def _read_mast(text, name):
    """Target in an answer of MAST's resolver."""
    rows = sorted(_mast_rows(text, name), key=lambda row: (_RANKS.get(row["resolver"], len(_RANKS)), row["resolver"]))
    if not rows:
        return Target(name, NOT_FOUND, service=MastResolver.title)
    best, service = rows[0], f"{MastResolver.title} ({rows[0]['resolver']})"
    for row in rows:
        apart = math.hypot(*offsets(row["ra"], row["decl"], best["ra"], best["decl"]))
        if apart >= SAME_OBJECT_ARCSEC:
            reason = f"is {apart:.0f} arcsec away in {row['resolver']} from where it is in {service}; give its position"
            return Target(name, AMBIGUOUS, service=service, reason=reason)
    names = [tidy(str(row["canonicalName"])) for row in rows]
    aliases = tuple(sorted({*names} - {"", names[0]}))
    return Target(name, FOUND, names[0] or name, float(best["ra"]), float(best["decl"]), None, None, aliases, service)


def _mast_rows(text, name):
    """Rows of an answer of MAST's resolver, checked to be about the name and to have the needed fields."""
    answer = read_json(text)
    rows = answer.get("resolvedCoordinate") if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ServiceError(f"the answer has no list of coordinates: {shorten(text)}")
    if not rows and answer.get("status"):
        raise ServiceError(f"the service says: {shorten(str(answer['status']))}")
    for row in rows:
        if missing := [field for field in _MAST_FIELDS if field not in row]:
            raise ServiceError(f"the answer has a row without '{missing[0]}'; MAST may have changed its format")
        if str(row["searchString"]).casefold() != name.casefold():
            raise ServiceError(f"the answer is about '{row['searchString']}' and not about '{name}'")
        if not all(type(row[field]) in (int, float) for field in ("ra", "decl")):
            raise ServiceError(f"the answer has a position that is not a number: {shorten(str(row))}")
        _check_place(row["ra"], row["decl"])
    return [row | {"resolver": tidy(str(row["resolver"]))} for row in rows]
