"""What the verbs of the command share."""

from vo_lib.verbs import row_lines


def test_tables_have_digits_that_are_of_use():
    row = {"name": "a", "ra": 359.123456789, "peak_mjd": 58704.319734567, "snr": -72.62104223, "mag": None}
    lines = row_lines([row | {"n": 1234567, "flux": float("nan")}], [*row, "n", "flux"])
    assert lines[1].split() == [
        "a",
        "359.1234568",
        "58704.31973",
        "-72.621",
        "1,234,567",
    ]
