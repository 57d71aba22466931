"""Labels as numbers, against numpy."""

import numpy as np
import pytest

from vo_lib.labels import label_codes, match_lightcurves, match_names


@pytest.mark.parametrize("labels", [["b", "b", "a", "b", "c", "c"], ["x"], [], [3, 3, 12, 3]])
def test_numbers_lead_back_to_the_labels(labels):
    texts, codes = label_codes(np.array(labels))
    assert texts[codes].tolist() == list(map(str, labels))
    assert texts.tolist() == sorted(set(map(str, labels)))


def test_identifiers_become_text_without_loss():
    numbers = np.array([2**63 - 1, -5, 2**63 - 1, 686103400034440])
    texts, codes = label_codes(numbers)
    assert texts[codes].tolist() == ["9223372036854775807", "-5", "9223372036854775807", "686103400034440"]


def test_names_are_found_in_any_order():
    names = np.array(["b", "a", "ä", "B", "a1"])
    assert match_names(names, np.array(["a1", "b", "B", "ä", "b"])).tolist() == [4, 0, 3, 2, 0]


@pytest.mark.parametrize("names", [[], ["a", "c"]])
def test_a_lightcurve_without_its_source_is_an_error(names):
    with pytest.raises(ValueError, match=f"source 'b' has lightcurves but is not among the {len(names)} sources"):
        match_names(np.array(names, dtype="U1"), np.array(["b"]))


def test_lightcurves_of_one_key_are_told_apart_by_their_survey():
    series = {"obs": np.array(["ZTF", "DEMO", "DEMO"]), "lightcurve": np.array(["a", "b", "a"])}
    table = {"obs": np.array(["DEMO", "ZTF", "DEMO"]), "lightcurve": np.array(["a", "a", "b"])}
    assert match_lightcurves(series, table).tolist() == [2, 0, 1]
