"""The analysis of one bin with each choice of lightcurves that are kept."""

import json
from functools import partial
from pathlib import Path

import analyze
import pytest

from vo_lib import paths
from vo_lib.bin_result import concatenate_results as concatenate
from vo_lib.catalogs.columns import COLUMNS
from vo_lib.config import load_schema
from vo_lib.downloads.manifest import write_manifest
from vo_lib.errors import StaleProductError
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.plan import Plan
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.reduction.blocks import source_blocks
from vo_lib.reduction.reduced import write_reduced

ROW = dict.fromkeys(COLUMNS) | {"name": "star", "ra": 45.3, "dec": 10.0, "mag": 15.0}
ANSWER = {"status": "ok", "digest": "", "reason": ""}
KINDS = {"processed": paths.processed_file, "simulated": paths.simulated_file}


@pytest.fixture
def parameters(tmp_path, monkeypatch):
    """Parameters of the analysis of one bin, whose reduced file and manifest are in the working folder."""
    (tmp_path / "catalog.csv").write_text("name,ra,dec,mag\nstar,45.3,10,15\n")
    config = {"project": "x", "data_root": str(tmp_path), "catalog": {"file": str(tmp_path / "catalog.csv")}}
    schema = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
    plan = Plan(config | {"observatories": {"demo": None}}, schema, PACKAGE_ROOT)
    made = json.loads(plan.parameters("analyze", bin="RA045"))
    monkeypatch.chdir(tmp_path)
    survey = VirtualDemo()
    data, altdata = survey.fetch_data_from_observatory(ROW)
    reduction = survey.reduce(ROW, data, altdata)
    write_reduced(paths.reduced_file("X", "DEMO", "RA045"), [reduction], {"provenance": made["observatories"]["DEMO"]})
    write_manifest(paths.manifest_file("X", "DEMO", "RA045"), {"generation": 1}, [ROW | ANSWER | {"n_rows": len(data)}])
    return made


@pytest.mark.parametrize("kinds", [(), ("processed",), ("simulated",), ("processed", "simulated")])
def test_what_is_kept_is_what_was_asked_for(parameters, kinds):
    saved = [KINDS[kind]("X", "DEMO", "RA045") for kind in kinds]
    made = [paths.analysis_file("X", "RA045"), paths.bin_histograms_file("X", "RA045")]
    analyze.main("X", made[0], made[1], saved, params=parameters)
    found = {name("X", "DEMO", "RA045") for name in KINDS.values() if Path(name("X", "DEMO", "RA045")).exists()}
    assert found == set(saved)
    assert all(Path(path).exists() for path in made)


@pytest.mark.parametrize(("edge_days", "is_told"), [(0.0, False), (1.0, False), (1e5, True)])
def test_that_nothing_is_left_to_search_is_told(parameters, caplog, edge_days, is_told):
    parameters["provenance"]["parameters"]["detrend"] |= {"method": "median", "gap_days": 100, "edge_days": edge_days}
    made = [paths.analysis_file("X", "RA045"), paths.bin_histograms_file("X", "RA045")]
    analyze.main("X", *made, [], params=parameters)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    line = "no epoch of demo-g, demo-r, demo-i was searched: all are nearer than detrend.edge_days (100000 d)"
    assert [text.partition(" to a pause or an end")[0] for text in told] == ([line] if is_told else [])


def test_a_reduced_file_of_other_answers_than_the_manifest_has_is_stale(parameters):
    rows = [{"name": name} | ANSWER | {"n_rows": 700} for name in ("star", "new")]
    write_manifest(paths.manifest_file("X", "DEMO", "RA045"), {"generation": 2}, [ROW | row for row in rows])
    made = [paths.analysis_file("X", "RA045"), paths.bin_histograms_file("X", "RA045")]
    with pytest.raises(StaleProductError, match=r"was made of \d+ epochs, but .*jsonl has 1400; run") as error:
        analyze.main("X", *made, [], params=parameters)
    assert error.value.path == paths.reduced_file("X", "DEMO", "RA045")
    assert not any(Path(path).exists() for path in made)


@pytest.mark.parametrize(("num_injections", "n_blocks"), [(0, 1), (100, 4)])
def test_copies_with_injected_events_count_as_epochs_of_a_block(parameters, monkeypatch, num_injections, n_blocks):
    survey, names = VirtualDemo(), ["a", "b", "c", "d"]
    answers = [survey.fetch_data_from_observatory(ROW | {"name": name}) for name in names]
    reductions = [survey.reduce(ROW | {"name": name}, *answer) for name, answer in zip(names, answers, strict=True)]
    rows = [ROW | ANSWER | {"name": name, "n_rows": len(data)} for name, (data, _) in zip(names, answers, strict=True)]
    provenance = {"provenance": parameters["observatories"]["DEMO"]}
    write_reduced(paths.reduced_file("X", "DEMO", "RA045"), reductions, provenance)
    write_manifest(paths.manifest_file("X", "DEMO", "RA045"), {"generation": 1}, rows)
    parameters["provenance"]["parameters"]["simulator"]["num_injections"] = num_injections
    monkeypatch.setattr(analyze, "source_blocks", partial(source_blocks, most=5000))
    joined = []
    monkeypatch.setattr(analyze, "concatenate_results", lambda blocks: joined.extend(blocks) or concatenate(blocks))
    made = [paths.analysis_file("X", "RA045"), paths.bin_histograms_file("X", "RA045")]
    analyze.main("X", *made, [], params=parameters)
    assert len(joined) == n_blocks
