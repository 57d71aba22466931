"""Queries for services of the IVOA's Table Access Protocol (TAP)."""

__all__ = ["cone_query"]


def cone_query(table, columns, ra, dec, radius_deg):
    """Return the form of a synchronous TAP query for all rows of a table inside a circle, with the answer in CSV.

    Parameters
    ----------
    table : str
        Name of the table; its columns ``ra`` and ``dec`` hold the positions.
    columns : iterable of str
        Names of the columns to select.
    ra, dec : float
        Centre of the circle [degrees, ICRS].
    radius_deg : float
        Radius of the circle [degrees].

    Returns
    -------
    dict of str to str
        Parameters of the request; the right ascension in the query is below 360.
    """
    adql = (
        f"SELECT {', '.join(columns)} FROM {table} WHERE CONTAINS(POINT('ICRS', ra, dec), "  # noqa: S608 - numbers
        f"CIRCLE('ICRS', {round(ra, 7) % 360:.7f}, {dec:.7f}, {radius_deg:.7f})) = 1"
    )
    return {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv", "QUERY": adql}
