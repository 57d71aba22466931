import pytest

from vo_lib.observatories.tap import cone_query


@pytest.mark.parametrize(
    ("ra", "dec", "place"),
    [(10.5, -20.25, "10.5000000, -20.2500000"), (359.99999999, 90.0, "0.0000000, 90.0000000")],
)
def test_all_rows_inside_a_circle_are_asked_for(ra, dec, place):
    form = cone_query("stars", ("id", "mag"), ra, dec, 1 / 3600)
    assert form.pop("QUERY") == (
        f"SELECT id, mag FROM stars WHERE CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {place}, 0.0002778)) = 1"
    )
    assert form == {"REQUEST": "doQuery", "LANG": "ADQL", "FORMAT": "csv"}
