"""Labels as numbers, against numpy."""

import numpy as np
import pytest

from vo_lib.labels import label_codes


@pytest.mark.parametrize("labels", [["b", "b", "a", "b", "c", "c"], ["x"], [], [3, 3, 12, 3]])
def test_numbers_lead_back_to_the_labels(labels):
    texts, codes = label_codes(np.array(labels))
    assert texts[codes].tolist() == list(map(str, labels))
    assert texts.tolist() == sorted(set(map(str, labels)))
