"""Questions to services that speak the Table Access Protocol of the IVOA."""

__all__ = ["cone_query"]


def cone_query(table, columns, ra, dec, radius_deg):
    """Form of a synchronous query for all rows of a table inside a circle, answered in CSV.

    Parameters
    ----------
    table : str
        Name of the table; its positions are ``ra`` and ``dec``.
    columns : iterable of str
        Names of the columns that are sent.
    ra, dec : float
        Centre of the circle [degrees, ICRS].
    radius_deg : float
        Radius of the circle [degrees].

    Returns
    -------
    dict of str to str
        Parameters of the request, right ascension below 360.
    """
    adql = (
        f"SELECT {', '.join(columns)} FROM {table} WHERE CONTAINS(POINT('ICRS', ra, dec), "  # noqa: S608 - numbers
        f"CIRCLE('ICRS', {round(ra, 7) % 360:.7f}, {dec:.7f}, {radius_deg:.7f})) = 1"
    )
    return {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv", "QUERY": adql}
