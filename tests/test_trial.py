"""The verb ``try``: parts of an analysis on lightcurves that are there, beside the project's own classes."""

import json

import pytest
from make_batch import make_batch, put
from workspace import Workspace

from vo_lib.catalogs.columns import COLUMNS
from vo_lib.downloads.manifest import write_manifest
from vo_lib.errors import UserError
from vo_lib.paths import manifest_file, reduced_file
from vo_lib.plan import read_plan
from vo_lib.reduce import Reduction
from vo_lib.reduction.reduced import write_reduced
from vo_lib.trial import KINDS, stored_lightcurves, try_part

OWN = {
    "analysis": ("extensions.my_analysis:NewAnalysis", ["num_kernels=3"]),
    "finder": ("extensions.flare_probability:FlareProbability", ["prior=0.01"]),
    "quality": ("extensions.lonely_epochs:LonelyEpochs", []),
    "simulator": ("extensions.sudden_events:SuddenEvents", []),
}


NAMES = {"RA010": ("calm", "dark"), "RA200": ("flare", "steady")}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the lightcurves of three sources, one of which flares, and a source without any."""
    made = Workspace(tmp_path_factory.mktemp("trial"))
    rows = [
        (name, int(bin_name[2:]) + n / 4, 20 * n) for bin_name, names in NAMES.items() for n, name in enumerate(names)
    ]
    made.catalog.write_text("name,ra,dec\n" + "".join(f"{name},{ra},{dec}\n" for name, ra, dec in rows))
    for bin_name, names in NAMES.items():
        described = [dict.fromkeys(COLUMNS) | {"name": name, "ra": ra, "dec": dec} for name, ra, dec in rows]
        found = {"status": "ok", "n_rows": 200, "digest": "", "reason": "", "mag_filter": ""}
        header = {"obs": "DEMO", "bin": bin_name}
        file = made.data_root / manifest_file("DEMO_PROJECT", "DEMO", bin_name)
        write_manifest(file, header, [row | found for row in described if row["name"] in names])
        with_data = [name for name in names if name != "dark"]
        batch = make_batch([200] * len(with_data), sources=with_data, seed=3)
        batch = put(batch, 0, [150], flux=1400.0) if bin_name == "RA200" else batch
        batch.table["n_epochs"] = batch.counts
        names = {"source": batch.table["source"]}
        made_of = Reduction(batch, names, names, names, {})
        write_reduced(made.data_root / reduced_file("DEMO_PROJECT", "DEMO", bin_name), [made_of], {"provenance": "a"})
    made.save()
    return made


def tried(project, capsys, *words):
    """JSON that ``vo try`` prints."""
    assert project.vo("try", *words, "--json") == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", KINDS)
def test_each_part_is_run_beside_the_project_s_own(project, capsys, kind):
    path, kwargs = OWN[kind]
    found = tried(project, capsys, kind, "--class", path, *(["--kwargs", *kwargs] if kwargs else []))
    first, second = found["trials"]
    assert (found["kind"], first["class"]) == (kind, path)
    assert second["class"].startswith("vo_lib.")
    for trial in found["trials"]:
        assert trial["seconds_per_lightcurve"] > 0
        assert all(set(KINDS[kind]) <= row.keys() for row in trial["rows"])
    assert (found["sources"], found["lightcurves"]) == (3, 3)


def test_what_stands_out_is_found_by_both(project, capsys):
    found = tried(project, capsys, "finder", "flare", "--class", OWN["finder"][0])
    assert found["epochs"] == 200
    (own,), (peak,) = (trial["rows"] for trial in found["trials"])
    assert own["score"] > 0.99
    assert peak["score"] > 5
    assert own["peak_mjd"] == peak["peak_mjd"]


def test_columns_of_one_s_own_are_shown(project, capsys):
    found = tried(project, capsys, "analysis", "calm", "dark", "--class", OWN["analysis"][0])
    calm, dark = found["trials"][0]["rows"]
    assert calm["kernel_days"] > 0
    assert dark["kernel_days"] is None
    assert "kernel_days" not in found["trials"][1]["rows"][0]


def test_without_a_class_that_of_the_configuration_is_tried_and_options_of_another_are_none_of_it(project, capsys):
    own = ["--config", f"finder.class={OWN['finder'][0]}", "finder.kwargs.prior=0.02"]
    assert len(tried(project, capsys, "finder", "flare")["trials"]) == 1
    assert len(tried(project, capsys, "finder", "flare", *own)["trials"]) == 2
    assert project.vo("try", "finder", "flare", *own, "--class", "vo_lib.finder:Finder") == 0


def test_a_table_has_the_rows_of_both_classes_together(project, capsys):
    assert project.vo("try", "finder", "flare", "--class", OWN["finder"][0]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 source, 1 lightcurve, 200 epochs"
    assert lines[2].split() == [*KINDS["finder"], "by"]
    assert [line.split()[-1] for line in lines[3:5]] == ["FlareProbability", "Finder"]
    assert lines[6].startswith("extensions.flare_probability:FlareProbability: 1 row, ")
    assert project.vo("try", "finder", "calm") == 0
    assert "nothing found" in capsys.readouterr().out


def test_so_many_sources_as_wanted_are_tried(project):
    plan = read_plan(project.config_file)
    sources, batch = stored_lightcurves(plan, n_sources=2)
    assert len(sources["name"]) == len(set(batch.table["source"])) == 2
    assert [trial.name for trial in try_part(plan, "quality", sources, batch)] == [
        "vo_lib.quality_checker:QualityChecker"
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["finder", "flair"], "the catalog has no source 'flair'; did you mean 'flare'"),
        (["finder", "extensions.my:Own"], "(to try a class, use --class extensions.my:Own)"),
        (["finder", "--sources", "0"], "the number of sources must be at least 1, got 0"),
        (["finder", "dark"], "no lightcurves of dark; run snakemake or Project.run to make them"),
        (["finder", "--class", "extensions.none:Own"], "cannot import extensions.none"),
        (
            ["finder", "--class", OWN["finder"][0], "--kwargs", "prior=2"],
            "rejects its options: prior and probabilities",
        ),
        (["simulator", "--kwargs", "oops"], "'simulator.kwargs.oops' is not KEY=VALUE"),
    ],
)
def test_what_cannot_be_tried_is_told_in_one_line(project, capsys, words, message):
    assert project.vo("try", *words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


RESTLESS = """
from uuid import uuid4
from vo_lib.analysis import Analysis
from vo_lib.finder import Finder

class Drawn(Finder):
    def per_lightcurve(self, frame):
        print("a lightcurve")
        peak = frame["snr"].idxmax()
        places = dict.fromkeys(("first_epoch", "peak_epoch", "last_epoch"), peak)
        return [places | {"score": 5 + uuid4().int / 2**128, "threshold": 5.0}]

class Counted(Analysis):
    columns = {"calls": ("i8", "", "calls")}
    calls = 0
    def per_source(self, source, lightcurves):
        self.calls += 1
        return {"calls": self.calls}
"""


@pytest.mark.parametrize(("kind", "name"), [("finder", "Drawn"), ("analysis", "Counted")])
def test_what_is_not_the_same_again_is_told(project, capsys, tmp_path, monkeypatch, kind, name):
    module = f"restless_{kind}"
    (tmp_path / f"{module}.py").write_text(RESTLESS)
    monkeypatch.syspath_prepend(tmp_path)
    assert project.vo("try", kind, "flare", "--class", f"{module}:{name}", "--json") == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{module}:{name} returns something else when it is called again with the same lightcurves" in printed.err


def test_nothing_can_be_tried_before_a_run(tmp_path):
    fresh = Workspace(tmp_path)
    fresh.catalog.write_text("name,ra,dec\na,10.5,3\n")
    fresh.save()
    with pytest.raises(UserError, match="no lightcurves of any source; run snakemake or Project.run to make them"):
        stored_lightcurves(read_plan(fresh.config_file))
