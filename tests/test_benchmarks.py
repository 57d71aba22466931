"""Benchmarks can be loaded, and those of the analysis run at a small size."""

import importlib.util
import re

import numpy as np
import pytest

from vo_lib.provenance import PACKAGE_ROOT

FILES = sorted((PACKAGE_ROOT / "benchmarks").glob("*.py"))


def load(path):
    """Module of a file."""
    spec = importlib.util.spec_from_file_location(f"benchmark_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_benchmark_says_how_it_is_run(path):
    assert f"python benchmarks/{path.name}" in load(path).__doc__


SMALL = {
    "reduce": {"N_SOURCES": 20, "N_TIMES": 2000, "N_DENSE": 1500},
    "validate_noise": {"EPOCHS": 20},
    "validate_trials": {"SAMPLINGS": {"few": (lambda random: np.cumsum(random.uniform(1, 9, 15)), 10)}},
}


@pytest.mark.parametrize(("name", "number"), [("reduce", 35), ("validate_noise", 32), ("validate_trials", 4)])
def test_a_benchmark_prints_its_numbers(monkeypatch, capsys, name, number):
    module = load(PACKAGE_ROOT / "benchmarks" / f"{name}.py")
    for key, value in SMALL[name].items():
        monkeypatch.setattr(module, key, value)
    monkeypatch.setattr("sys.argv", [name] if name == "reduce" else [name, "--quick"])
    module.main()
    printed = capsys.readouterr().out
    assert "nan" not in printed
    assert len(re.findall(r"\d\.\d{2,}", printed)) == number


def test_the_steps_of_a_bin_add_up_to_the_whole(monkeypatch):
    module = load(PACKAGE_ROOT / "benchmarks" / "bin.py")
    for name, function in module.STEPS.values():
        monkeypatch.setattr(f"{name}.{function}", getattr(importlib.import_module(name), function))
    monkeypatch.setattr(module, "REPEATS", 1)
    times, limits, alone, _, n_epochs = module.measure("40x60", module.Clock(), ["peak", "matched_filter"])
    assert n_epochs == 2400
    assert min(alone) > 0
    assert sum(seconds for step, seconds in times.items() if step != "all") == pytest.approx(times["all"])
    assert times["quality"] > 0 < times["matched filter"]
    assert limits.keys() == times.keys()


def test_events_of_the_matched_filter_s_benchmark_have_the_strength_asked_for():
    module = load(PACKAGE_ROOT / "benchmarks" / "validate_matched_filter.py")
    (batch, snr, noise), scale, _ = module.with_events("gaussian", 12.0, 1, number=60)
    found = module.search(batch, snr, noise)
    assert len(np.unique(found["lightcurve"])) == 60
    assert np.median(found["score"]) == pytest.approx(12, abs=0.8)
    assert np.median(found["amplitude"] / scale[found["lightcurve"]]) == pytest.approx(1, abs=0.1)
