"""Completeness by amplitude in magnitudes, width and filter, against counts one by one."""

import numpy as np
import pytest

from vo_lib.completeness import completeness, event_dmag
from vo_lib.injection.efficiency import wilson_interval


def test_amplitudes_are_magnitudes_of_the_peak_less_those_of_the_median():
    series = {"obs": np.array(["A", "B", "A"]), "lightcurve": np.array(["x", "x", "y"])}
    series["flux_median"] = np.array([100.0, 1000.0, -3.0])
    injections = {"obs": np.array(["B", "A", "A", "A", "A"]), "lightcurve": np.array(["x", "x", "x", "x", "y"])}
    injections["amplitude"] = np.array([1000.0, -50.0, -100.0, -120.0, 10.0])
    expected = [-2.5 * np.log10(2), 2.5 * np.log10(2), np.inf, np.inf, np.nan]
    np.testing.assert_allclose(event_dmag(injections, series), expected)


def _events(number=3000):
    rng = np.random.default_rng(8)
    dmag = np.exp(rng.uniform(-4, 1, number))
    dmag[::50] = np.nan
    values = {"dmag": dmag, "width": np.exp(rng.uniform(-3, 3, number)), "filter": rng.choice(["g", "r", "i"], number)}
    return rng.integers(0, 2, number), values


EDGES = {"dmag": (0.0, 0.1, 1.0), "width": (0.1, 1.0, np.inf), "filter": ("r", "g")}


def test_cells_have_the_counts_of_their_events():
    recovered, values = _events()
    table = completeness(recovered, values, EDGES)
    assert len(table["part"]) == 8
    assert table["filter"][:2] == ["r", "g"]
    for row in range(8):
        (low, high), (short, long) = table["dmag"][row], table["width"][row]
        mask = (values["dmag"] >= low) & (values["dmag"] < high) & (values["width"] >= short)
        mask &= (values["width"] < long) & (values["filter"] == table["filter"][row])
        assert (table["injected"][row], table["recovered"][row]) == (mask.sum(), recovered[mask].sum())
        assert (table["low"][row], table["high"][row]) == wilson_interval(recovered[mask].sum(), mask.sum())


def test_counts_of_parts_add_up():
    recovered, values = _events()
    whole = completeness(recovered, values, EDGES)
    halves = [
        completeness(recovered[part], {name: column[part] for name, column in values.items()}, EDGES)
        for part in (slice(0, 1000), slice(1000, None))
    ]
    for name in ("injected", "recovered"):
        assert whole[name] == [sum(pair) for pair in zip(*(half[name] for half in halves), strict=True)]


def test_an_edge_belongs_to_the_range_above_and_cells_without_events_are_no_rows():
    table = completeness(np.array([1, 0]), {"width": np.array([1.0, 9.0])}, {"width": (0.0, 1.0, 2.0, 3.0)})
    assert (table["width"], table["injected"], table["part"]) == ([(1.0, 2.0)], [1], [1.0])
    assert completeness(np.zeros(0), {"width": np.zeros(0)}, {"width": (0.0, 1.0)})["part"] == []


def test_a_cell_in_which_nothing_was_recovered_is_a_row_and_lowers_the_sum():
    table = completeness(np.array([0, 0, 1]), {"width": np.array([0.5, 0.6, 1.5])}, {"width": (0.0, 1.0, 2.0)})
    assert (table["injected"], table["recovered"], table["part"]) == ([2, 1], [0, 1], [0, 1])
    assert table["low"][0] == 0 < table["high"][0] < 1


def test_each_value_needs_edges():
    with pytest.raises(ValueError, match="edges must be given for width, got them for dmag"):
        completeness(np.zeros(1), {"width": np.ones(1)}, {"dmag": (0.0, 1.0)})


def test_dips_of_all_the_light_are_in_the_range_without_end():
    values = {"dmag": np.array([4.0, np.inf, np.nan])}
    assert completeness(np.array([1, 0, 1]), values, {"dmag": (0.0, 3.0, np.inf)})["injected"] == [2]
    assert completeness(np.array([1, 0, 1]), values, {"dmag": (0.0, 3.0, 5.0)})["injected"] == [1]
