"""Candidates of several methods: which of those that share epochs is kept."""

import numpy as np
import pytest

from vo_lib.search.candidates import CANDIDATE_COLUMNS, complete, strongest
from vo_lib.tables import concatenate_tables


def _candidates(*rows, method="peak"):
    """Candidates of (lightcurve, first, last, sign, score)."""
    names = ("lightcurve", "first", "last", "sign", "score")
    table = dict(zip(names, map(list, zip(*rows, strict=True)) if rows else [[]] * 5, strict=True))
    return complete(
        table | {"peak": table["first"], "threshold": [5.0] * len(rows), "n_epochs": [1] * len(rows)}, method
    )


def _kept(*rows, **options):
    found = strongest(_candidates(*rows), **options)
    return list(zip(found["first"].tolist(), found["last"].tolist(), strict=True))


def test_the_strongest_of_those_that_share_epochs_is_kept():
    assert _kept((0, 10, 20, 1, 6.0), (0, 15, 16, 1, 9.0), (0, 30, 31, 1, 5.5)) == [(15, 16), (30, 31)]


def test_what_only_a_weaker_one_connects_stays_apart():
    rows = (0, 10, 12, 1, 9.0), (0, 11, 31, 1, 6.0), (0, 30, 33, 1, 8.0)
    assert _kept(*rows) == [(10, 12), (30, 33)]


def test_other_signs_and_lightcurves_do_not_compete():
    assert len(_kept((0, 10, 20, 1, 6.0), (0, 10, 20, -1, 9.0), (1, 10, 20, 1, 5.5))) == 3


def test_scores_compete_by_their_thresholds():
    first, second = _candidates((0, 1, 5, 1, 6.0)), _candidates((0, 2, 3, 1, 6.0), method="matched_filter")
    second["threshold"] = np.array([4.0])
    assert strongest(concatenate_tables([first, second]))["method"].tolist() == ["matched_filter"]


def test_of_equal_ones_the_first_is_kept():
    assert _kept((0, 12, 20, 1, 6.0), (0, 10, 15, 1, 6.0)) == [(10, 15)]


def test_only_so_many_of_each_lightcurve_are_kept():
    rows = [(lightcurve, 10 * n, 10 * n + 1, 1, 5.0 + n) for lightcurve in (0, 1) for n in range(4)]
    assert _kept(*rows, max_detections=1) == [(30, 31), (30, 31)]


def test_nothing_is_kept_of_nothing():
    found = strongest(_candidates())
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(CANDIDATE_COLUMNS, 0)


def test_greedy_choice_is_that_of_a_loop():
    random = np.random.default_rng(4)
    first = random.integers(0, 300, 200)
    rows = [
        (
            int(random.integers(3)),
            int(f),
            int(f + random.integers(0, 30)),
            int(random.choice([-1, 1])),
            5 + random.random(),
        )
        for f in first
    ]
    chosen = []
    for row in sorted(rows, key=lambda row: -row[4]):
        if not any(row[0] == o[0] and row[3] == o[3] and row[1] <= o[2] and row[2] >= o[1] for o in chosen):
            chosen.append(row)
    found = strongest(_candidates(*rows))
    keys = ("lightcurve", "first", "last", "sign", "score")
    assert sorted(zip(*(found[key].tolist() for key in keys), strict=True)) == sorted(chosen)


def test_missing_columns_are_named():
    with pytest.raises(ValueError, match="candidates of 'mine' lack sign, n_epochs; they have lightcurve, first"):
        complete({name: [0] for name in ("lightcurve", "first", "last", "peak", "score", "threshold")}, "mine")


@pytest.mark.parametrize("score", [["6.0"], [True], [b"6"], np.array(["6.0"], object)])
def test_texts_are_no_numbers(score):
    with pytest.raises(ValueError, match="candidates of 'mine' must have 1 numbers as score, got "):
        complete(_candidates((0, 1, 2, 1, 6.0)) | {"score": score}, "mine")


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"candidates of 'mine' must have 2 numbers as score, got \[6.0\]"):
        complete(_candidates((0, 1, 2, 1, 6.0), (0, 5, 6, 1, 6.0)) | {"score": [6.0]}, "mine")
