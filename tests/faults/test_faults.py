"""After anything that goes wrong the plain command makes what an undisturbed run makes."""

import os

import faults
import hammer
import pytest
from content import differences

root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes disks")


@pytest.mark.parametrize(
    ("trial", "choices"),
    [
        ("killed", {"victim": "snakemake", "rule": "analyze"}),
        ("damaged", {"damage": "foreign", "product": "manifest"}),
        pytest.param("disk_full", {}, marks=root),
        ("late", {"wait": "short"}),
        ("answers", {"survey": "ztf", "how": "stall"}),
        ("answers", {"survey": "tess", "how": "half"}),
        ("catalog", {"damage": "truncated", "kind": "fits"}),
        ("config", {"damage": "truncated"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value.values()).replace(" ", "-"),
)
def test_after_the_fault_nothing_is_lost_and_all_is_as_in_an_undisturbed_run(shared, trial, choices):
    other, missing, _ = shared.run(trial, 0, **choices)
    assert (other, missing) == ([], [])


def test_a_campaign_that_is_stopped_prints_its_table(monkeypatch, capsys):
    class Stopped:
        def __init__(self, _):
            self.outcomes = [([], [], []), (["a.h5"], ["sources"], [])]

        def run(self, *_, **__):
            if not self.outcomes:
                raise KeyboardInterrupt
            return self.outcomes.pop(0)

    monkeypatch.setattr(faults, "Trials", Stopped)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["faults.py", "--kinds", "late"])
    faults.main()
    said = capsys.readouterr().out
    assert "   1 late" in said
    assert "| 2 | 1 | 1 |" in said


def test_eight_processes_on_one_data_root_see_no_error_and_lose_nothing(shared):
    made = shared.fresh("hammer")
    done = hammer.hammer(made, 3)
    assert all(status == 0 for _, status, _ in done), hammer.summary(done)
    assert differences(made.data_root, shared.content) == []
