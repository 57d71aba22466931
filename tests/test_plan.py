import errno
import json
import os
from pathlib import Path

import pytest

from vo_lib.catalogs.snapshot import take_snapshot
from vo_lib.config import critical, load_schema
from vo_lib.downloads.manifest import raw_state, write_manifest
from vo_lib.errors import CatalogError, ConfigError, UserError
from vo_lib.files import write_json
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.paths import manifest_file, raw_file
from vo_lib.plan import Plan
from vo_lib.planning.plan_checks import check_plan, find_warnings
from vo_lib.planning.stage_provenances import ANALYSIS_SECTIONS
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.storage.fingerprint import code_fingerprint

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Plans on a catalog of two sources in two bins, with changes of the configuration."""
    monkeypatch.delenv("VO_DATABASE_URL", raising=False)
    catalog = tmp_path / "catalog.csv"
    catalog.write_text("name,ra,dec\na,10,0\nb,200,5\n")

    def plan(root=PACKAGE_ROOT, **changes):
        config = {"project": "test", "data_root": str(tmp_path / "data"), "catalog": {"file": str(catalog)}}
        return Plan(config | {"observatories": {"demo": None, "ztf": None}} | changes, SCHEMA, root)

    return plan


def parameters(plan, process, *wildcards):
    return json.loads(plan.parameters(process, *wildcards))


def test_bins_and_surveys_come_from_catalog_and_configuration(make):
    plan = make()
    assert (plan.bins, plan.observatories, plan.folder) == (["RA010", "RA200"], ["DEMO", "ZTF"], "TEST")
    assert plan.config_file == f"TEST/00_config_{plan.digest}.yaml"
    other = make(observatories={"ztf": None, "demo": None})
    assert (other.observatories, other.digest) == (["ZTF", "DEMO"], plan.digest)


def test_a_job_of_a_bin_that_the_project_lacks_names_one_that_it_has(make):
    for process in ("download", "reduce", "analyze", "combine"):
        with pytest.raises(UserError, match=r"^the project has no bin 'RA011'; did you mean 'RA010'\?$"):
            make().parameters(process, "DEMO", "RA011")


def test_sources_may_stand_in_the_configuration(make):
    plan = make(catalog={"sources": [{"name": "c", "ra": "01:00:00", "dec": -3}]})
    assert plan.bins == ["RA015"]
    with pytest.raises(CatalogError, match=r"^catalog\.sources: entry 1: dec is 93\.0"):
        check_plan(make(catalog={"sources": [{"name": "c", "ra": 1, "dec": 93}]}))


def test_lists_that_no_command_could_have_are_refused_at_the_start(make, tmp_path):
    sources = [{"name": f"star {number}", "ra": 10 + number / 1e4, "dec": -3} for number in range(4000)]
    with pytest.raises(
        ConfigError, match=r"catalog\.sources: 4,000 are too many .*; put them into a file and name it in"
    ):
        check_plan(make(catalog={"sources": sources}))
    (tmp_path / "many.csv").write_text(
        "".join(["name,ra,dec\n", *(f"star {n},{10 + n / 1e4},-3\n" for n in range(12000))])
    )
    many = {"catalog": {"file": str(tmp_path / "many.csv")}}
    check_plan(make(**many))
    with pytest.raises(ConfigError, match=r"select\.names: 12,000 are too many for the command line of a job; put"):
        check_plan(make(**many, select={"names": [f"star {number}" for number in range(12000)]}))


def test_a_selection_runs_a_part_of_the_catalog_and_leaves_its_bins_as_they_are(make):
    everything, part = make(), make(select={"names": ["b"]})
    assert part.bins == ["RA200"]
    for process in ("download", "reduce", "analyze"):
        assert part.parameters(process, "DEMO", "RA200") == everything.parameters(process, "DEMO", "RA200")
    with pytest.raises(CatalogError, match=r"select\.names: the catalog has no source 'bb'; did you mean 'b'\?"):
        check_plan(make(select={"names": ["bb"]}))


def test_names_that_stand_twice_are_refused_or_renamed_by_choice(make, tmp_path):
    file = tmp_path / "twice.csv"
    file.write_text("name,ra,dec\na,1,2\na,1,2\n")
    with pytest.raises(CatalogError, match=r"'a' on lines 2 and 3; .*catalog\.on_duplicate to 'suffix'"):
        check_plan(make(catalog={"file": str(file)}))
    assert make(catalog={"file": str(file), "on_duplicate": "suffix"}).catalog.n_sources == 2


def test_an_option_of_one_survey_goes_before_that_of_all(make):
    plan = make(reduce={"gap_days": 10}, observatories={"demo": {"reduce": {"gap_days": 60}}, "ztf": {}})
    gaps = [parameters(plan, "reduce", obs, "RA010")["reduce"]["gap_days"] for obs in ("DEMO", "ZTF")]
    assert gaps == [60, 10]


def test_what_changes_no_answer_is_an_option_and_no_parameter(make):
    how = {"url": "http://127.0.0.1:1/x", "timeout_s": 5, "route": "position", "ids_per_request": 7}
    plan = make(observatories={"ztf": how})
    asked = parameters(plan, "download", "ZTF", "RA010")
    assert asked["survey"] == {"faintest_mag": None, "min_dec_deg": -31, "radius_arcsec": 2, "release": "ztf_dr24"}
    assert how.items() <= json.loads(plan.options())["surveys"]["ZTF"].items()


def test_what_changes_only_the_reduction_asks_for_nothing_again(make):
    plain, other = (make(observatories={"tess": {"quality": quality}}) for quality in ("default", "hard"))
    downloads = [plan.parameters("download", "TESS", "RA010") for plan in (plain, other)]
    assert downloads[0] == downloads[1]
    reductions = [parameters(plan, "reduce", "TESS", "RA010") for plan in (plain, other)]
    assert [reduction["survey"]["quality"] for reduction in reductions] == ["default", "hard"]
    assert reductions[0]["provenance"]["id"] != reductions[1]["provenance"]["id"]


def test_provenances_form_a_chain_and_follow_the_configuration(make):
    one, other = make(), make(reduce={"gap_days": 10})
    rows = {(row["process"], row["parameters"].get("observatory")): row for row in one.provenances}
    assert rows["reduce", "ZTF"]["upstreams"] == [rows["download", "ZTF"]["id"]]
    assert rows["analyze", None]["upstreams"] == sorted([rows["reduce", "DEMO"]["id"], rows["reduce", "ZTF"]["id"]])
    assert one.provenance("download", "ZTF") == other.provenance("download", "ZTF")
    assert one.provenance("reduce", "ZTF").id != other.provenance("reduce", "ZTF").id
    assert one.provenance("analyze").id != other.provenance("analyze").id


def test_combined_lightcurves_have_a_provenance_where_there_are_some(make):
    rows = {row["process"]: row for row in make(combine={"by": "filter"}).provenances}
    assert rows["combine"]["upstreams"] == [rows["analyze"]["id"]]
    synced = parameters(make(combine={"by": "filter"}), "sync_database")["provenances"]
    assert "combine" in {row["process"] for row in synced}
    assert "combine" not in {row["process"] for row in make().provenances}


def test_raw_data_of_another_schema_are_another_provenance_of_all_that_is_made_of_them(make, monkeypatch):
    steps = [("download", "DEMO"), ("reduce", "DEMO"), ("analyze", None), ("rates", None), ("reduce", "ZTF")]
    before = [make().provenance(*step).id for step in steps]
    monkeypatch.setattr(VirtualDemo, "raw_schema", 99)
    plan = make()
    assert [plan.provenance(*step).id == old for step, old in zip(steps, before, strict=True)] == [False] * 4 + [True]


@pytest.mark.parametrize(
    "changes",
    [
        {"detrend": {"window_days": 33}},
        {"finder": {"snr_threshold": 7.5}},
        {"histograms": {"mag_range": [13, 23, 0.5]}},
        {"properties": {"colors": []}},
        {"quality": {"action": "remove"}},
        {"simulator": {"num_injections": 3}},
    ],
)
def test_each_section_of_the_analysis_decides_it(make, changes):
    one, other = make(), make(**changes)
    assert one.provenance("analyze").id != other.provenance("analyze").id
    assert one.parameters("analyze", bin="RA010") != other.parameters("analyze", bin="RA010")
    assert one.provenance("reduce", "DEMO") == other.provenance("reduce", "DEMO")


def test_what_decides_rates_alone_is_in_their_provenance(make):
    one, other = make(), make(rates={"false_alarms": [2.0, 0.5]})
    assert one.provenance("rates").id != other.provenance("rates").id
    assert one.provenance("analyze") == other.provenance("analyze")
    assert one.provenance("rates").upstreams == (one.provenance("analyze").id,)


def test_the_seed_decides_the_analysis_and_what_is_made_of_it(make):
    one, other = make(), make(seed=123456)
    assert one.provenance("reduce", "DEMO") == other.provenance("reduce", "DEMO")
    for process in ("analyze", "merge_tables", "rates"):
        assert one.provenance(process).id != other.provenance(process).id


def test_bad_flags_and_limits_reach_the_analysis_resolved(make):
    quality = {"bad_flags": {"ztf": "none"}, "saturation_mag": {"ztf-r": 13, "ztf-g": None}, "action": "remove"}
    plan = make(quality=quality)
    found = parameters(plan, "analyze", None, "RA010")
    assert found["quality"]["bad_flags"] == {"DEMO": 3, "ZTF": 0}
    assert found["quality"]["saturation_mag"] == {"ztf-r": 13, "ztf-i": 12.5}
    assert found["provenance"]["parameters"]["quality"]["action"] == "remove"
    assert plan.provenance("reduce", "ZTF") == make().provenance("reduce", "ZTF")


def test_the_code_of_a_stage_is_that_of_its_script_and_that_of_the_survey_for_a_reduction(make):
    plan = make(combine={"by": "band"})
    for process in ("merge_tables", "rates", "combine"):
        assert plan.provenance(process).code == code_fingerprint(f"scripts/{process}.py")
    for obs, file in (("DEMO", "demo.py"), ("ZTF", "ztf.py")):
        code = code_fingerprint("scripts/reduce.py", f"vo_lib/observatories/{file}")
        assert plan.provenance("reduce", obs).code == code


@pytest.mark.parametrize("process", ["merge_histograms", "merge_tables", "rates", "report", "pages", "sync_database"])
def test_a_job_of_the_whole_project_follows_its_script_its_bins_its_surveys_and_the_analysis(make, process):
    found, plan = parameters(make(), process), make()
    assert found["code"] == code_fingerprint(f"scripts/{process}.py")
    assert (found["bins"], found["observatories"]) == (["RA010", "RA200"], ["DEMO", "ZTF"])
    assert found["provenance"] == plan.provenance("analyze").id
    less = parameters(make(select={"bins": ["RA200"]}, observatories={"ztf": None}), process)
    assert (less["bins"], less["observatories"]) == (["RA200"], ["ZTF"])


def test_the_number_of_pages_decides_the_report_which_links_them_and_the_pages_alone(make):
    plans = [make(report={"max_pages": number}) for number in (5, 6)]
    rules = ("merge_tables", "rates", "report", "pages", "sync_database")
    changed = [rule for rule in rules if len({plan.parameters(rule) for plan in plans}) == 2]
    assert changed == ["report", "pages"]


def test_the_database_is_told_what_became_of_the_rows_of_the_catalog(make, tmp_path):
    (tmp_path / "c.csv").write_text("name,ra,dec,mag\na,10,0,15\na,200,5,16\nb,20,5,19\n")
    catalog = {"file": str(tmp_path / "c.csv"), "on_duplicate": "suffix", "cuts": ["mag < 18"]}
    found = parameters(make(catalog=catalog), "sync_database")["catalog"]
    assert found == {"name": "c.csv", "n_sources": 2, "n_renamed": 1, "left_out": {"mag < 18": 1}}
    own = make(catalog={"sources": [{"name": "c", "ra": 1, "dec": 2}]})
    assert parameters(own, "sync_database")["catalog"]["name"] == "sources"


@pytest.mark.parametrize(("on_change", "generation"), [("keep", 1), ("error", 2), ("refetch", 2)])
def test_a_download_with_answers_to_other_parameters_is_pending_unless_they_are_to_be_kept(make, on_change, generation):
    plan = make(download={"on_change": on_change})
    raw, manifest = (
        plan.data_root / path for path in (raw_file("DEMO", "RA010"), manifest_file("TEST", "DEMO", "RA010"))
    )
    raw.parent.mkdir(parents=True)
    raw.write_text("x")
    write_manifest(manifest, {"generation": 1, "raw": raw_state(raw), "kept": ["a"]}, [])
    assert parameters(plan, "download", "DEMO", "RA010")["generation"] == generation


def test_the_code_of_a_check_of_one_s_own_is_that_of_the_analysis(make, tmp_path, monkeypatch):
    name = f"plan_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text("def faint(batch):\n    return batch.columns['mag'] > 20\n")
    monkeypatch.syspath_prepend(tmp_path)
    without, own = make(), make(quality={"checks": [f"{name}:faint"]})
    assert without.provenance("analyze").code != own.provenance("analyze").code
    assert without.provenance("reduce", "ZTF") == own.provenance("reduce", "ZTF")
    check_plan(own)


def test_the_code_of_a_finder_of_one_s_own_is_that_of_the_analysis(make):
    without, own = make(), make(finder={"class": "extensions.flare_probability:FlareProbability"})
    assert without.provenance("analyze").code != own.provenance("analyze").code
    assert without.provenance("reduce", "ZTF") == own.provenance("reduce", "ZTF")


@pytest.mark.parametrize(
    ("quality", "message"),
    [
        (
            {"bad_flags": {"tess": "hard"}},
            r"quality\.bad_flags\.tess is not a survey of the project; known are demo, ztf",
        ),
        ({"checks": ["nowhere:faint"]}, "configuration: quality.checks: 'nowhere:faint': cannot import nowhere"),
        ({"bad_flags": {1: 2}}, r"quality\.bad_flags: the name 1 must be a text; put it in quotes"),
    ],
)
def test_checks_that_cannot_be_made_are_refused_at_the_start(make, quality, message):
    with pytest.raises(ConfigError, match=message):
        check_plan(make(quality=quality))


def test_a_download_is_pending_again_when_its_raw_file_is_gone(make):
    plan = make()
    assert parameters(plan, "download", "DEMO", "RA010")["generation"] == 1
    raw = plan.data_root / raw_file("DEMO", "RA010")
    raw.parent.mkdir(parents=True)
    raw.touch()
    write_manifest(
        plan.data_root / manifest_file("TEST", "DEMO", "RA010"), {"generation": 1, "raw": raw_state(raw)}, []
    )
    assert parameters(plan, "download", "DEMO", "RA010")["generation"] == 1
    raw.unlink()
    assert parameters(plan, "download", "DEMO", "RA010")["generation"] == 2


def make_server_folder(plan):
    """What the project's own server leaves when it is made; gives the file that tells of it."""
    made = plan.data_root / "database" / "postgres" / "PG_VERSION"
    made.parent.mkdir(parents=True)
    made.touch()
    return made


def test_a_database_of_another_account_does_not_stop_those_who_look(make, monkeypatch):
    plan = make()
    made, receipt = make_server_folder(plan), plan.data_root / plan.folder / "database.json"
    write_json(receipt, {"generation": 1})

    def refuse(path, **options):
        if path == made:
            raise PermissionError
        return look(path, **options)

    look = Path.stat
    monkeypatch.setattr(Path, "stat", refuse)
    assert parameters(plan, "sync_database")["generation"] == 1


def test_who_may_only_read_a_data_root_has_a_snapshot_of_the_catalog_elsewhere(make, monkeypatch, tmp_path):
    plan = make()
    plan.data_root.mkdir()

    def refuse(catalog, folder, **options):
        if Path(folder).is_relative_to(plan.data_root):
            raise PermissionError(errno.EACCES, "Permission denied")
        return take(catalog, folder, **options)

    take = take_snapshot
    monkeypatch.setattr("vo_lib.plan.take_snapshot", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ConfigError, match="choose another data_root"):
        plan.catalog  # noqa: B018
    monkeypatch.setattr("os.access", lambda path, mode: path != plan.data_root)
    assert plan.bins == ["RA010", "RA200"]
    assert plan.catalog.path.parent.parent == tmp_path
    assert list(plan.data_root.iterdir()) == []


@pytest.mark.parametrize("damage", ['{"generation": 1', "[]", "\x00"])
def test_a_sync_is_pending_again_when_its_receipt_is_damaged(make, damage):
    plan = make()
    receipt = plan.data_root / plan.folder / "database.json"
    make_server_folder(plan)
    assert parameters(plan, "sync_database")["generation"] == 1
    for content in ({}, {"generation": 1}):
        write_json(receipt, content)
        assert parameters(plan, "sync_database")["generation"] == 1
    receipt.write_text(damage)
    assert parameters(plan, "sync_database")["generation"] == 0


def test_a_sync_is_pending_again_when_its_database_was_made_after_the_receipt(make):
    plan = make()
    receipt = plan.data_root / plan.folder / "database.json"
    write_json(receipt, {"generation": 1})
    assert parameters(plan, "sync_database")["generation"] == 2
    made = make_server_folder(plan)
    os.utime(receipt, (1, 1))
    assert parameters(plan, "sync_database")["generation"] == 2
    os.utime(made, (1, 1))
    assert parameters(plan, "sync_database")["generation"] == 1


def test_a_group_that_is_none_of_the_user_s_is_told_and_changes_nothing_else(make, monkeypatch):
    monkeypatch.setenv("VO_PERMISSIONS", "null")
    plan = make(permissions={"group": "nobody has this one", "mode_file": "0640"})
    assert plan.digest == make().digest
    assert [line for line in find_warnings(plan) if "permissions" in line] == [
        "configuration: you are not in permissions.group 'nobody has this one' on this host, so files keep "
        "their group; ask the administrator for it, or name another one"
    ]
    plan.set_permissions()
    assert json.loads(os.environ["VO_PERMISSIONS"]) == {
        "data_root": str(plan.data_root),
        "group": None,
        "mode_file": "0640",
        "mode_dir": None,
    }


def test_a_data_release_has_a_raw_archive_of_its_own(make):
    plans = [make(observatories={"ztf": {"release": release}}) for release in ("ztf_dr23", "ztf_dr24")]
    assert [plan.raw_file("ZTF", "RA010") for plan in plans] == [
        f"ZTF/{release}/ZTF_photometry_RA010.h5" for release in ("ztf_dr23", "ztf_dr24")
    ]


OWN = {
    "path": "lc/{name}.csv",
    "columns": {"time": "t", "mag": "m", "magerr": "e"},
    "time_format": "mjd",
    "time_scale": "utc",
    "time_reference": "observatory",
    "time_stamp": "mid",
    "filter": "g",
}


def test_own_files_are_found_from_the_projects_folder_and_a_change_of_one_makes_another_archive(make, tmp_path):
    (tmp_path / "lc").mkdir()
    (tmp_path / "lc" / "a.csv").write_text("t,m,e\n58000,15,1\n")
    plans = [make(root=tmp_path, observatories={"files": OWN | changes}) for changes in ({}, {"exptime_s": 30})]
    assert json.loads(plans[0].options())["surveys"]["FILES"]["path"] == f"{tmp_path}/lc/{{name}}.csv"
    release = plans[0].surveys["FILES"].observatory.release
    assert [plan.raw_file("FILES", "RA010") for plan in plans] == [f"FILES/{release}/FILES_photometry_RA010.h5"] * 2
    (tmp_path / "lc" / "b.csv").write_text("t,m,e\n")
    assert make(root=tmp_path, observatories={"files": OWN}).raw_file("FILES", "RA010") != plans[0].raw_file(
        "FILES", "RA010"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_scale": None}, r"FILES: time_format: 'mjd' does not say .*, so set time_scale \(one of utc"),
        ({}, r"FILES: there is no file .*/lc/\{name\}.csv; correct path"),
    ],
)
def test_own_files_without_a_time_system_or_without_files_are_refused_at_the_start(make, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        check_plan(make(root=tmp_path, observatories={"files": OWN | changes}))


def test_credentials_are_asked_for_before_the_first_job_and_only_for_a_download(make, monkeypatch):
    monkeypatch.delenv("ATLASFORCED_TOKEN", raising=False)
    monkeypatch.delenv("ATLASFORCED_TOKEN_FILE", raising=False)
    plan = make(observatories={"atlas": None})
    with pytest.raises(ConfigError, match="set the environment variable ATLASFORCED_TOKEN"):
        check_plan(plan)
    for bin_name in plan.bins:
        write_manifest(plan.data_root / manifest_file("TEST", "ATLAS", bin_name), {"generation": 1}, [])
    check_plan(plan)


def test_colors_of_the_surveys_filters_are_columns_of_every_bin(make):
    pairs = [[f"{obs}-{a}", f"{obs}-{b}"] for obs in ("demo", "ztf") for a, b in ("gr", "gi", "ri")]
    assert parameters(make(), "analyze", None, "RA010")["colors"] == pairs
    assert parameters(make(properties={"colors": []}), "analyze", None, "RA010")["colors"] == []


def test_properties_that_no_survey_can_give_are_refused_at_the_start(make):
    with pytest.raises(ConfigError, match="no survey has the filter 'tess-t'; known are demo-g, demo-r, demo-i, ztf-g"):
        make(properties={"reference_filter": "tess-t"})
    with pytest.raises(ConfigError, match="did you mean 'n_detections'"):
        make(properties={"interesting": ["n_detection > 0"]})


def test_a_magnitude_for_a_survey_changes_the_rows_of_the_bins_and_names_a_survey_of_the_project(make, tmp_path):
    (tmp_path / "catalog.csv").write_text("name,ra,dec,mag,rp\na,10,0,15,14\nb,200,5,16,15\n")
    catalog = {"file": str(tmp_path / "catalog.csv")}
    plain, other = make(catalog=catalog), make(catalog=catalog | {"mags": {"demo": "rp"}})
    assert plain.catalog.bins["RA010"] != other.catalog.bins["RA010"]
    with pytest.raises(ConfigError, match="catalog.mags.tess is not for a survey of the project; use one of demo, ztf"):
        make(catalog=catalog | {"mags": {"tess": "rp"}})


def test_calibrators_and_their_code_belong_to_the_reduction_that_uses_them(make, tmp_path, monkeypatch):
    (tmp_path / "own_flat.py").write_text("def flat(columns, labels, sources, by=1):\n    return {}\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry = {"function": "own_flat:flat", "kwargs": {"by": 2}}
    plain, ours = make(), make(observatories={"demo": {"reduce": {"calibrators": [entry]}}, "ztf": {}})
    assert parameters(ours, "reduce", "DEMO", "RA010")["reduce"]["calibrators"] == [entry]
    codes = [[plan.provenance("reduce", obs).code for plan in (plain, ours)] for obs in ("DEMO", "ZTF")]
    assert codes[0][0] != codes[0][1]
    assert codes[1][0] == codes[1][1]
    with pytest.raises(
        ConfigError, match="reduce.calibrators: 'own_flat:flut': own_flat has no function 'flut'; did you mean 'flat'"
    ):
        check_plan(make(reduce={"calibrators": ["own_flat:flut"]}))


@pytest.mark.parametrize(
    ("slopes", "color", "message"),
    [
        ({"ztf-g": 0.1, "ztf-R": 0.1}, ["ztf-g", "ztf-r"], "slopes: no survey has a filter 'ztf-R'; .* of {}ztf-g, "),
        ({"ztf-g": 0.1}, ["ztf-g", "ztf_r"], "color: no survey has a filter 'ztf_r'; it can be one of {}ztf-g, ztf-r"),
    ],
)
def test_filters_of_a_color_term_are_of_a_survey_that_it_is_for(make, slopes, color, message):
    def checked(slopes, color, *, own):
        kwargs = {"slopes": slopes, "color": color}
        reduce = {"calibrators": [{"function": "vo_lib.calibrators:color_term", "kwargs": kwargs}]}
        survey = {"reduce": reduce} if own else {}
        check_plan(make(observatories={"demo": {}, "ztf": survey}, **({} if own else {"reduce": reduce})))

    for own in (False, True):
        checked({"ztf-g": 0.1, **({} if own else {"demo-g": 0.2})}, ["ztf-g", "ztf-r"], own=own)
        checked({"ztf-g": 0.1}, "bp_rp", own=own)
        demo = "" if own else "demo-g, demo-r, demo-i, "
        with pytest.raises(ConfigError, match=f"reduce.calibrators: .*color_term: {message.format(demo)}"):
            checked(slopes, color, own=own)
    with pytest.raises(ConfigError, match="slopes: no survey has a filter 'demo-g'"):
        checked({"demo-g": 0.1}, "bp_rp", own=True)


def test_combined_lightcurves_are_products_where_they_are_asked_for_and_follow_the_analysis(make):
    assert "combined" not in make().per_bin
    plan, other = make(combine={"by": "band"}), make(combine={"by": "band", "min_snr": 3})
    assert plan.per_bin[-1] == "combined"
    assert plan.provenance("analyze").id == other.provenance("analyze").id
    one, two = (parameters(which, "combine", None, "RA010") for which in (plan, other))
    assert one["provenance"]["id"] != two["provenance"]["id"]
    assert one["analysis"] == plan.provenance("analyze").id


def test_lightcurves_are_saved_where_this_is_asked_for_and_change_no_other_product(make):
    plan, saving = make(), make(save_processed=True, save_simulated=True)
    assert {*saving.per_bin} - {*plan.per_bin} == {"processed", "simulated"}
    assert saving.saved == ["processed", "simulated"]
    assert parameters(saving, "analyze", None, "RA010") == parameters(plan, "analyze", None, "RA010")
    flat = make(detrend={"method": "median"})
    assert flat.provenance("analyze").id != plan.provenance("analyze").id
    assert flat.provenance("reduce", "DEMO").id == plan.provenance("reduce", "DEMO").id


def test_the_database_is_named_without_user_and_password(make, monkeypatch):
    assert make().database == "embedded"
    plan = make(database={"url": "postgresql://me:secret@server.org/stars"})
    assert plan.database == "server.org:5432/stars"
    assert "secret" not in plan.parameters("sync_database") + plan.parameters("report")
    monkeypatch.setenv("VO_DATABASE_URL", "postgresql://other:5433/x")
    assert make().database == "other:5433/x"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me@h/x?sslmode=require", "h:5432/x"),
        ("postgresql:///x?host=/run/pg&user=me", ":5432/x?host=/run/pg"),
        ("postgresql://?service=stars", ":5432?service=stars"),
        ("postgresql://h/x?options=-csearch_path%3Dmine", "h:5432/x?options=-csearch_path=mine"),
        ("postgresql:///x?port=5433&host=/run/pg", ":5432/x?host=/run/pg&port=5433"),
    ],
)
def test_a_database_is_told_from_others_by_socket_service_and_search_path(make, url, place):
    assert make(database={"url": url}).database == place


@pytest.mark.parametrize("password", ["s3cret:x/y", "s3/cr3t", "s3@cr/3t", "[s3cret", "s3#cr3t", "3#s3", "1?s3cr"])
def test_a_password_that_makes_a_url_unreadable_is_not_shown(make, password):
    plan = make(database={"url": f"postgresql://me:{password}@h/x"})
    with pytest.raises(ConfigError, match=r"^database\.url or VO_DATABASE_URL must be like .* # is %23") as caught:
        assert plan.database
    assert not any(part in str(caught.value) for part in ("s3", "cr"))


@pytest.mark.parametrize("name", ["demo", "ZTF", "Database"])
def test_a_project_has_a_folder_of_its_own(make, name):
    with pytest.raises(ConfigError, match=f"project must not be '{name}'"):
        make(project=name)


def test_a_plan_is_checked_before_anything_is_written(make, tmp_path):
    with pytest.raises(CatalogError, match="no such catalog"):
        check_plan(make(catalog={"file": "none.csv"}))
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match="is not a writable folder"):
        check_plan(make())


def test_classes_of_sources_are_checked_at_the_start_and_decide_rates_alone(make):
    with pytest.raises(ConfigError, match=r"rates\.classes\.bright: 'magnitude < 16'"):
        make(rates={"classes": {"bright": "magnitude < 16"}})
    plans = [
        make(rates={"classes": classes}) for classes in ({}, {"bright": "mag < 16", "blue": "color_ztf_g_ztf_r < 0"})
    ]
    changed = {
        process
        for process in ("analyze", "merge_histograms", "merge_tables", "rates", "sync_database")
        if len({plan.parameters(process, bin="RA010") for plan in plans}) == 2
    }
    assert changed == {"rates"}
    assert parameters(plans[0], "rates")["rates"] == {
        "classes": {}, "kinds": {"flare": 1, "gaussian": 1}, "min_epochs": 10, "threshold": 5,
        "false_alarms": [5e-5, 5e-5], "false_from": "promised",
    }  # fmt: skip


def test_the_report_draws_no_threshold_of_epochs_that_are_not_searched_one_by_one(make):
    assert parameters(make(finder={"snr_threshold": [6, 7]}), "report")["threshold"] == [6, 7]
    assert parameters(make(finder={"methods": ["matched_filter"]}), "report")["threshold"] is None


def test_a_search_whose_false_alarms_are_unknown_is_told_at_the_start(make):
    assert find_warnings(make()) == []
    (line,) = find_warnings(make(finder={"noise": "scatter"}))
    assert line.startswith("configuration: finder.noise scatter may be smaller than the noise, so the false detections")
    measured = make(finder={"noise": "scatter"}, rates={"false_alarms": [1e-3, 1e-4]})
    assert find_warnings(measured) == []
    assert parameters(measured, "rates")["rates"]["false_from"] == "measured"


def test_thresholds_and_measured_false_alarms_may_differ_by_sign(make):
    plan = make(
        finder={"snr_threshold": [4, 6], "sideband": [2, 3]}, rates={"false_alarms": [[1e-3, 1e-4], [2e-3, 2e-4]]}
    )
    rates = parameters(plan, "rates")["rates"]
    assert (rates["false_alarms"], rates["false_alarms_err"]) == ([1e-3, 2e-3], [1e-4, 2e-4])
    assert plan.make_analysis().finder.peak["snr_threshold"] == [4, 6]
    with pytest.raises(ConfigError, match=r"rates\.false_alarms must be \[number, error\]"):
        parameters(make(rates={"false_alarms": [1e-3, [2e-3, 2e-4]]}), "rates")


@pytest.mark.parametrize(
    ("mags", "own", "limit"),
    [({}, {}, None), ({"neowise": "w1"}, {}, 0.75), ({"NEOWISE": "w1"}, {}, 0.75), ({}, {"mag_range": 2}, 2)],
)
def test_infrared_magnitudes_are_compared_only_where_that_is_asked_for(make, tmp_path, mags, own, limit):
    (tmp_path / "w1.csv").write_text("name,ra,dec,w1\na,10,0,14\n")
    catalog = {"file": str(tmp_path / "w1.csv"), "mags": mags}
    plan = make(observatories={"ztf": None, "neowise": {"reduce": own}}, catalog=catalog)
    assert [plan.reduce_options(obs)["mag_range"] for obs in ("ZTF", "NEOWISE")] == [0.75, limit]
    assert parameters(plan, "reduce", "NEOWISE", "RA010")["reduce"]["mag_range"] == limit


@pytest.mark.parametrize(("survey", "key"), [("ztf_forced", "flux"), ("atlas", "images")])
def test_changes_of_flux_are_not_combined(make, monkeypatch, survey, key):
    for name in ("ATLASFORCED_TOKEN", *(f"ZTF_FORCED_{part}" for part in ("EMAIL", "USERPASS", "USER", "PASSWORD"))):
        monkeypatch.setenv(name, "x")
    total = {"flux": "total", "images": "reduced"}[key]
    with pytest.raises(ConfigError, match=rf"combine\.by is set, but fluxes of {survey.upper()} are changes since"):
        check_plan(make(observatories={"demo": None, survey: {key: "difference"}}, combine={"by": "band"}))
    check_plan(make(observatories={"demo": None, survey: {key: total}}, combine={"by": "band"}))
    check_plan(make(observatories={"demo": None, survey: {key: "difference"}}))


def test_histograms_that_are_too_large_are_refused_at_the_start(make):
    with pytest.raises(ConfigError, match=r"more than histograms\.max_mb 1; make the bins of histograms"):
        check_plan(make(histograms={"max_mb": 1, "mag_range": [10, 25, 0.01]}))
    histograms = parameters(make(), "analyze", "DEMO", "RA010")
    assert histograms["labels"]["surveys"] == ["DEMO", "ZTF"]
    assert "max_mb" not in histograms["provenance"]["parameters"]["histograms"]


def test_pages_are_made_again_when_what_they_bring_along_changes(make, monkeypatch):
    plan, rules = make(), ("merge_tables", "rates", "report", "pages", "sync_database")
    before = {rule: plan.parameters(rule) for rule in rules}
    monkeypatch.setattr("vo_lib.planning.job_parameters.static_digest", lambda: "other scripts and styles")
    assert [rule for rule in rules if plan.parameters(rule) != before[rule]] == ["report", "pages"]


def test_the_code_of_a_stage_is_read_once_for_all_bins(make, monkeypatch):
    plan, calls = make(), []
    monkeypatch.setattr(
        "vo_lib.planning.stage_provenances.code_fingerprint", lambda *files, root: calls.append(files[0]) or "same"
    )
    for bin_name in [*plan.bins] * 5:
        for obs in plan.observatories:
            plan.parameters("reduce", obs, bin_name)
        plan.parameters("analyze", bin=bin_name)
    assert sorted(calls) == ["scripts/analyze.py", "scripts/reduce.py", "scripts/reduce.py"]


def _keys(value, path=""):
    """Paths of all keys of nested dicts."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{path}{name}"
            yield from _keys(part, f"{path}{name}.")


def test_every_key_that_decides_a_result_is_a_parameter_of_a_rule(make):
    plan = make()
    given = {f"{name}." for name in ANALYSIS_SECTIONS} | {"reduce."}
    decided = {key for key in _keys(critical(plan.config, SCHEMA)) if key.startswith(tuple(given))}
    analyze, reduce = (
        parameters(plan, process, "DEMO", "RA010")["provenance"]["parameters"] for process in ("analyze", "reduce")
    )
    assert len(decided) > 60
    assert decided - set(_keys(analyze)) - {f"reduce.{key}" for key in _keys(reduce)} == set()
    assert "rates" in parameters(plan, "rates")
