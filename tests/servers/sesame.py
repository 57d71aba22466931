"""Local name resolvers: Sesame at its two addresses and that of MAST; objects and answers are synthetic.

Where a test brings the genuine answer of MAST, its rows are what this archive knows.
"""

from urllib.parse import unquote_plus
from xml.sax.saxutils import escape

from servers.scripted import ScriptedServer

__all__ = ["MAST_TROUBLE", "SESAME_TROUBLE", "SesameServer", "mast_row", "star"]

PATHS = {"/cgi-bin/nph-sesame": "cds", "/viz-bin/nph-sesame": "cfa", "/Santa-war/query": "mast"}
# Ten entities of ten of the one before: a megabyte of memory for each line more.
_ENTITIES = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "x" * 10}">' for i in range(8))
DOCTYPE = f'<?xml version="1.0"?>\n<!DOCTYPE Sesame [{_ENTITIES}]>\n<Sesame><Target><name>&e7;</name></Target></Sesame>'


def star(name, ra, dec, *, aliases=(), pm=None, resolver="Sc=Simbad (CDS, via client/server)"):
    """Answer of Sesame about an object, without its frame."""
    motion = ""
    if pm:
        motion = (
            f"  <pm>\n    <v>{(pm[0] ** 2 + pm[1] ** 2) ** 0.5:.3f}</v><e>0.1</e><q>A</q><r>2020yCat.1350....0G</r>\n"
            f"    <pmRA>{pm[0]}</pmRA><epmRA>0.1</epmRA>\n    <pmDE>{pm[1]}</pmDE><epmDE>0.1</epmDE>\n  </pm>\n"
        )
    others = "".join(f"  <alias>{escape(alias)}</alias>\n" for alias in aliases)
    return (
        f'<Resolver name="{resolver}"><!-- delay: 2ms [1] -->\n  <INFO>from cache</INFO>\n  <otype>*</otype>\n'
        f"  <jradeg>{ra}</jradeg>\n  <jdedeg>{dec}</jdedeg>\n{motion}"
        f"  <oname>{escape(name)}</oname>\n{others}</Resolver>\n"
    )


def mast_row(name, ra, dec, *, resolver="SIMBAD", canonical=None):
    """Row of an answer of MAST about a name."""
    row = {"searchString": name.lower(), "resolver": resolver, "cached": True, "resolverTime": 290}
    return row | {"searchRadius": -1.0, "canonicalName": canonical or name, "ra": ra, "decl": dec, "objectType": "*"}


def _frame(name, content):
    """Answer of Sesame as it comes."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Sesame xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        f'<Target option="SNV">\n<name>{escape(name)}</name>\n<!-- Q24770845 #1 -->\n{content}</Target>\n</Sesame>\n'
        "<!-- - ====Done (2026-Nov-01,21:35:26z)==== -->\n"
    )


SESAME_TROUBLE = {
    "doctype": DOCTYPE,
    "nothing": _frame("x", ""),
    "error": _frame("x", "<Resolver><ERROR>no connection to Simbad</ERROR></Resolver><INFO>Nothing found</INFO>"),
    "no_number": _frame("x", star("x", "north", 2.5)),
    "half": _frame("x", "<Resolver><jradeg>1.5</jradeg></Resolver>"),
    "off_sky": _frame("x", star("x", 360.5, 2.5)),
    "other": '<VOTABLE version="1.4"></VOTABLE>',
    "two": _frame("x", star("x", 1.5001, 2.5001) + "</Target><Target>" + star("y", 1.5001, 2.5001)),
}
MAST_TROUBLE = {
    "nothing": {"status": ""},
    "error": {"resolvedCoordinate": [], "status": "SIMBAD is down"},
    "no_number": {"resolvedCoordinate": [mast_row("x", "1.5", 2.5)]},
    "half": {"resolvedCoordinate": [{"searchString": "x", "ra": 1.5}]},
    "off_sky": {"resolvedCoordinate": [mast_row("x", 1.5, 92.5)]},
    "other": {"resolvedCoordinate": [mast_row("something else", 1.5, 2.5)]},
}


class SesameServer(ScriptedServer):
    """The services; see `servers.scripted.ScriptedServer` for how they misbehave.

    Parameters
    ----------
    stars : dict of str to str, optional
        What Sesame knows by name, see `star`.
    rows : sequence of dict, optional
        What MAST knows, see `mast_row`.
    **options
        See `ScriptedServer`; kinds are "cds", "cfa" and "mast", and there is the trouble of `SESAME_TROUBLE` and
        `MAST_TROUBLE`, which are answers about "x".
    """

    def __init__(self, stars=None, rows=(), **options):
        super().__init__(**options)
        self.stars, self.rows = stars or {}, rows

    @property
    def sesame_urls(self):
        """Addresses of Sesame."""
        return [self.url + path for path, kind in PATHS.items() if kind != "mast"]

    @property
    def mast_url(self):
        """Address of the resolver of MAST."""
        return self.url + "/Santa-war/query"

    def kind(self, request):
        """Which of the services a request is for."""
        return PATHS[request.path.removesuffix("/-oxpI/SNV")]

    def answer(self, request):
        """Status and body of a proper answer."""
        if request.kind == "mast":
            asked = {"outputFormat": "json", "resolveAll": "True"}
            if request.query != asked | {"name": request.query.get("name")}:
                return 400, "the request is not understood"
            rows = [row for row in self.rows if row["searchString"] == request.query["name"].lower()]
            return 200, {"resolvedCoordinate": rows, "status": ""}
        name = unquote_plus(request.encoded)
        return 200, _frame(name, self.stars.get(name, "<INFO>*** Nothing found *** </INFO>\n"))

    def spoil(self, how, status, body):
        """Body of an answer with the status 200 that is not what it should be."""
        if how in ("html", "empty"):
            return super().spoil(how, status, body)
        if how == "truncated":
            return status, body[: len(body) * 2 // 3]
        return status, (MAST_TROUBLE if body.startswith("{") else SESAME_TROUBLE)[how]
