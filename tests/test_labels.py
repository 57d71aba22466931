"""Labels as numbers, against numpy."""

import numpy as np
import pytest

from vo_lib.labels import label_codes


@pytest.mark.parametrize("labels", [["b", "b", "a", "b", "c", "c"], ["x"], [], [3, 3, 12, 3]])
def test_numbers_lead_back_to_the_labels(labels):
    texts, codes = label_codes(np.array(labels))
    assert texts[codes].tolist() == list(map(str, labels))
    assert texts.tolist() == sorted(set(map(str, labels)))


def test_identifiers_become_text_without_loss():
    numbers = np.array([2**63 - 1, -5, 2**63 - 1, 686103400034440])
    texts, codes = label_codes(numbers)
    assert texts[codes].tolist() == ["9223372036854775807", "-5", "9223372036854775807", "686103400034440"]
