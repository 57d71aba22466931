"""The command ``vo``: configuration, help and errors of all verbs, and the verb ``fetch``."""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from servers.archives import ARCHIVES, ROWS
from servers.irsa import IrsaServer, synthetic_answer
from snakemake.cli import parse_config
from snakemake.utils import update_config
from workspace import Workspace

from vo_lib.cli import VERBS, load_verb, main, make_parser
from vo_lib.config import read_config
from vo_lib.downloads.fetch_source import count_series, fetch_source
from vo_lib.errors import CatalogError, ConfigError, StaleProductError
from vo_lib.observatories import OBSERVATORIES
from vo_lib.plan import read_plan
from vo_lib.plugins import load_class
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.verbs import fetch, show

NAME = "WD J0000+5123"
OBJECTS = (("zg", 7), ("zr", 5), ("zr", 3))
PLUGIN = "extensions.alerce:VirtualALeRCE"


@pytest.fixture
def workspace(tmp_path):
    """A project of the demo survey with a catalog of three sources."""
    made = Workspace(tmp_path)
    made.catalog.write_text(f"name,ra,dec,mag\n{NAME},0.0,51.3937,18\nJ1,10.7,-5,16\nhole,123.5,20,17\n")
    return made


@pytest.fixture
def ztf(workspace):
    """The project with ZTF, whose archive has objects at the place of the first source."""
    with IrsaServer(synthetic_answer(objects=OBJECTS)) as server:
        options = {"route": "position", "retries": 0, "timeout_s": 60}
        workspace.config["observatories"] = {"ztf": server.parameters | options}
        workspace.server = server
        yield workspace


def files(folder):
    """All files below a folder with their size and time of change."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def refused(capsys, status):
    """The one line on stderr of a command that failed."""
    out, err = capsys.readouterr()
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    return err


# Command


def call(*words, folder):
    """Call the command in a process of its own, from another folder."""
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    command = [sys.executable, "-m", "vo_lib", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_command_works_from_any_folder(workspace, tmp_path):
    workspace.save()
    done = call("fetch", NAME, "--observatory", "demo", "--configfile", "config.yaml", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"DEMO: {NAME} at RA 0.000000 Dec +51.393700: ok" in done.stdout


def test_without_a_configuration_that_of_the_project_is_taken(tmp_path):
    done = call("estimate", "--config", f"data_root={tmp_path / 'data'}", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^DEMO +100 +100 ", done.stdout, flags=re.MULTILINE)


def test_the_installed_command_is_the_same():
    scripts = tomllib.loads((PACKAGE_ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"vo": f"{main.__module__}:{main.__name__}"}


def test_a_reader_that_has_seen_enough_is_no_error(workspace):
    workspace.save()
    command = f"{sys.executable} -m vo_lib fetch J1 --observatory demo --configfile config.yaml | head -n 1"
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    words = ["bash", "-o", "pipefail", "-c", command]
    done = subprocess.run(words, cwd=workspace.folder, env=environment, capture_output=True, check=False)
    assert done.stdout.startswith(b"column")
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("terminal", [False, True])
def test_output_is_utf8_and_a_terminal_shows_what_it_can(workspace, terminal):
    """In a locale of Latin-1."""
    workspace.catalog.write_text("name,ra,dec,mag\nα ü,0.0,51.3937,18\n")
    workspace.save()
    command = f"{sys.executable} -m vo_lib fetch 'α ü' --observatory demo --configfile config.yaml"
    words = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"] if terminal else []
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT), "PYTHONIOENCODING": "latin-1"}
    words += ["bash", "-c", command]
    done = subprocess.run(words, cwd=workspace.folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("\\u03b1 ü at RA".encode("latin-1") if terminal else "α ü at RA".encode()) in done.stdout


@pytest.mark.parametrize(("key", "closed", "status"), [("reduce.gap_days", ">&-", 0), ("reduce.none", "2>&-", 1)])
def test_what_a_closed_stream_would_get_is_nowhere_else(workspace, key, closed, status):
    workspace.save()
    command = f"{sys.executable} -m vo_lib help {key} --configfile config.yaml {closed}"
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=workspace.folder, env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


@pytest.mark.parametrize("verb", [load_verb(name) for name in VERBS], ids=VERBS)
def test_the_help_of_each_verb_has_an_example_that_can_be_parsed(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main([verb.name, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    examples = re.findall(r"^    vo (.+)$", text, flags=re.MULTILINE)
    assert examples
    assert all(make_parser().parse_args(shlex.split(example)).verb is verb for example in examples)
    assert "--configfile FILE" in text
    assert "--config KEY=VALUE" in text


# The completion of a shell is a script.
@pytest.mark.parametrize("name", [name for name in VERBS if name != "completion"])
def test_verbs_have_json(name, capsys):
    with pytest.raises(SystemExit):
        main([name, *[action.name for action in load_verb(name).verbs[:1]], "--help"])
    assert "--json " in capsys.readouterr().out


def test_the_command_alone_shows_its_help(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "show which products are up to date" in capsys.readouterr().err


def test_the_help_of_the_command_lists_the_verbs(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    summaries = {name: re.escape(load_verb(name).summary) for name in VERBS}
    assert all(re.search(rf"^    {name}\s+{line}$", text, flags=re.MULTILINE) for name, line in summaries.items())
    assert "Example: vo " in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config", "reduce.gap_day=3"], "reduce.gap_day is not a known key; did you mean 'gap_days'?"),
        (["--config", "reduce.gap_days=long"], "reduce.gap_days must be a number or nothing (null), got 'long'"),
        (["--config", "oops"], "'oops' is not KEY=VALUE such as reduce.gap_days=60"),
        (["--config", "reduce..x=1"], "'reduce..x=1' is not KEY=VALUE"),
        (["--config", "catalog.cuts=[1"], "catalog.cuts: '[1' is not YAML"),
        (["--config", "catalog.file=none.csv"], "none.csv: no such catalog; check catalog.file"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(workspace, capsys, words, message):
    status = workspace.vo("estimate", *words)
    assert message in refused(capsys, status)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "config.yaml: no such configuration; name another one with --configfile"),
        ("a: [1\nb: 2\n", "config.yaml: is not a readable YAML file"),
        ("- a\n", "config.yaml: must have keys at its top level"),
        ("", "config.yaml: must have keys at its top level"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_told_in_one_line(tmp_path, capsys, text, message):
    path = tmp_path / "config.yaml"
    if text is not None:
        path.write_text(text)
    assert message in refused(capsys, main(["estimate", "--configfile", str(path)]))


# Configuration


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("a.b=3", {"a": {"b": 3, "c": 2}, "d": None}),
        ("a={b: 3}", {"a": {"b": 3, "c": 2}, "d": None}),
        ("a=", {"a": None, "d": None}),
        ("d.e.f=x", {"a": {"b": 1, "c": 2}, "d": {"e": {"f": "x"}}}),
        ("a.b=[1, x]", {"a": {"b": [1, "x"], "c": 2}, "d": None}),
        ("a.b=1e5", {"a": {"b": 1e5, "c": 2}, "d": None}),
        ("a.b=x=y", {"a": {"b": "x=y", "c": 2}, "d": None}),
        ("a.b=true", {"a": {"b": True, "c": 2}, "d": None}),
        ("new=postgresql://me@host:1/x", {"a": {"b": 1, "c": 2}, "d": None, "new": "postgresql://me@host:1/x"}),
    ],
)
def test_keys_are_changed_and_sections_merged(tmp_path, change, value):
    path = tmp_path / "config.yaml"
    path.write_text("a: {b: 1, c: 2}\nd:\n")
    assert read_config(path, [change]) == value


WORDS = st.text("abcxyz", min_size=2, max_size=3)
VALUES = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), WORDS, st.just("True"), st.just(""))


@given(st.dictionaries(WORDS, st.one_of(st.integers(), WORDS, st.none())), st.lists(st.tuples(WORDS, VALUES)))
def test_changes_of_single_keys_are_those_of_snakemake(config, changes):
    words = [f"{key}={value}" for key, value in changes]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(config | {"always": 1}, file)
        file.flush()
        found = read_config(file.name, words)
    expected = config | {"always": 1}
    update_config(expected, parse_config(words))
    assert found == expected


@given(st.recursive(st.integers(), lambda inner: st.dictionaries(WORDS, inner, min_size=1, max_size=3), max_leaves=6))
def test_sections_are_merged_as_by_snakemake(section):
    config = {"top": {"ab": 1, "cd": {"ab": 2}}, "other": 3}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(config, file)
        file.flush()
        found = read_config(file.name, [f"top={json.dumps(section)}"])
    update_config(config, {"top": section})
    assert found == config


def test_a_plan_of_a_file_is_that_of_the_workflow(workspace):
    workspace.save()
    plan = read_plan(workspace.config_file, ["reduce.gap_days=50", "observatories.ztf="])
    assert plan.observatories == ["DEMO", "ZTF"]
    assert plan.config["reduce"]["gap_days"] == 50
    run = workspace.plan("--config", "reduce={'gap_days': 50}", "observatories={ztf: null}")
    assert run.status == 0
    assert f"00_config_{plan.digest}.yaml" in run.output


def test_the_command_imports_nothing_heavy():
    heavy = ("pandas", "astropy", "requests", "snakemake", "sqlalchemy", "matplotlib", "xarray", "pyarrow")
    code = f"import sys, vo_lib.cli; vo_lib.cli.make_parser(); print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_call_loads_only_its_own_verb():
    code = (
        "import sys, vo_lib.cli; vo_lib.cli.main(['help', 'reduce.gap_days']);"
        "print(*(name for name in sys.modules if name.startswith('vo_lib.verbs.')), 'netCDF4' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "vo_lib.verbs.help False"


# Fetch


def test_an_answer_is_shown_and_nothing_is_stored(ztf, tmp_path, monkeypatch, capsys):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(tmp_path)
    ztf.save()
    before = files(tmp_path)
    assert main(["fetch", NAME, "--observatory", "ztf", "--rows", "2", "--configfile", str(ztf.config_file)]) == 0
    assert files(tmp_path) == before
    assert not ztf.data_root.exists()
    assert len(ztf.server.requests) == 1
    text = capsys.readouterr().out
    assert f"ZTF ztf_dr24: {NAME} at RA 0.000000 Dec +51.393700: ok, 15 epochs" in text
    assert re.search(r"^column +type +unit +row 1 +row 2$", text, flags=re.MULTILINE)
    assert re.search(r"^mjd +f8 +d +\d+\.\d+ +\d+\.\d+$", text, flags=re.MULTILINE)
    assert re.search(r"^oid +i8 +999115200000000 +999115200000000$", text, flags=re.MULTILINE)
    assert re.search(r"^query: {\"POS\": \"CIRCLE 0.0000000 51.3937000", text, flags=re.MULTILINE)
    counts = re.findall(r"^(ztf-\w) +(\d+) +(\d+) +\d+ +\d{5}\.\d{5} +\d{5}\.\d{5}$", text, flags=re.MULTILINE)
    assert [(band, int(number)) for band, _, number in counts] == [("ztf-g", 7), ("ztf-r", 5), ("ztf-r", 3)]


def test_times_and_flags_are_those_of_the_answer(ztf):
    ztf.save()
    fetched = fetch_source(read_plan(ztf.config_file), "ZTF", NAME)
    for each in count_series(fetched):
        own = fetched.data[fetched.data["oid"] == int(each["series"])]
        assert (each["first"], each["last"]) == (own["mjd"].min(), own["mjd"].max())
        assert each["n_bad"] == (own["catflags"] >= 32768).sum()


def test_an_answer_as_json_has_the_rows_that_were_sent(ztf, capsys):
    assert ztf.vo("fetch", NAME, "--observatory", "ztf", "--rows", "2", "--json") == 0
    found, fetched = json.loads(capsys.readouterr().out), fetch_source(read_plan(ztf.config_file), "ZTF", NAME)
    assert (found["observatory"], found["source"]["name"]) == ("ZTF", NAME)
    assert found["n_epochs"] == sum(each["n_epochs"] for each in found["series"]) == len(fetched.data)
    assert [row["oid"] for row in found["rows"]] == fetched.data["oid"][:2].tolist()
    assert found["columns"]["mjd"] == {"type": "f8", "unit": "d"}


def test_the_range_of_times_is_told_in_dates(ztf, capsys):
    assert ztf.vo("fetch", NAME, "--observatory", "ztf") == 0
    found = re.search(
        r"^from (\S+) to (\S+) \(UTC at the observatory, start", capsys.readouterr().out, flags=re.MULTILINE
    )
    assert "2018-05-08" <= found[1] < found[2] <= "2021-11-04"  # MJD 58246 to 59522


def test_a_position_takes_the_place_of_the_catalog(ztf, capsys):
    ztf.catalog.unlink()
    assert ztf.vo("fetch", "any name", "--observatory", "ZTF", "--ra", "0", "--dec", "51.3937") == 0
    assert "any name at RA 0.000000 Dec +51.393700: ok, 15 epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    "place",
    [["--ra", "12:34:56.7", "--dec", "-12:34:56"], ["--ra=12h34m56.7s", "--dec=-12d34m56s"], ["--dec", "-12 34 56"]],
)
def test_a_position_may_be_sexagesimal(workspace, capsys, place):
    words = place if len(place) != 2 or "--ra" in place[0] else ["--ra", "188.73625", *place]
    assert workspace.vo("fetch", "x", "--observatory", "demo", *words) == 0
    assert "x at RA 188.736250 Dec -12.582222: " in capsys.readouterr().out


@pytest.mark.parametrize("number", ["-1", "1.5", "many"])
def test_rows_to_show_are_a_number(workspace, capsys, number):
    with pytest.raises(SystemExit, match="2"):
        workspace.vo("fetch", "J1", "--observatory", "demo", "--rows", number)
    assert f"'{number}' is not a number of rows, such as 3" in capsys.readouterr().err


def test_the_part_of_the_exposure_that_times_are_of_is_said_in_words(workspace, capsys):
    (workspace.config_file.parent / "J1.csv").write_text("t,m,e\n58000.5,16,0.1\n58001.5,16.1,0.1\n")
    columns = {"time": "t", "mag": "m", "magerr": "e"}
    times = {"time_format": "HJD - 2400000.5", "time_scale": "utc", "time_stamp": "mid"}
    options = {"path": str(workspace.config_file.parent / "{name}.csv"), "columns": columns, "filter": "V"}
    assert workspace.set("observatories.files", options | times).vo("fetch", "J1", "--observatory", "files") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "from 2017-09-04 to 2017-09-05 (UTC at the heliocentre, middle of the exposure)"


def test_no_data_is_said_clearly(ztf, capsys):
    assert ztf.vo("fetch", "J1", "--observatory", "ztf") == 0
    text = capsys.readouterr().out
    assert "J1 at RA 10.700000 Dec -5.000000: empty, the survey has no data" in text
    assert "from" not in text.splitlines()[-1]
    assert ztf.set("observatories.demo", {}).vo("fetch", "hole", "--observatory", "demo") == 0
    assert 'note: "the survey has no data there"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["WD J0000+5124", "--observatory", "ztf"], f"has no source 'WD J0000+5124'; did you mean '{NAME}'? (for"),
        (
            ["nosuch", "--observatory", "ztf"],
            f"no source 'nosuch'; there are 3, such as '{NAME}', 'J1', 'hole' (for a source that is not",
        ),
        (["J1", "--observatory", "zft"], "observatory 'zft' is not in the configuration, which has ztf; did you mean"),
        (["J1", "--observatory", "gaia"], "which has ztf; add it with --config observatories.gaia="),
        (["J1", "--observatory", "ztf", "--ra", "3"], "--ra also needs --dec; give both or neither"),
        (["J1", "--observatory", "ztf", "--dec", "-3:0:0"], "--dec also needs --ra; give both or neither"),
        (["J1", "--observatory", "ztf", "--ra", "361", "--dec", "-3"], "--ra must be from 0 to 360 degrees, got 361.0"),
        (["J1", "--observatory", "ztf", "--ra", "nan", "--dec", "3"], "--ra must be from 0 to 360 degrees, got nan"),
        (
            ["J1", "--observatory", "ztf", "--ra", "3", "--dec", "-91"],
            "--dec must be from -90 to 90 degrees, got -91",
        ),
        (
            ["J1", "--observatory", "ztf", "--ra", "25:00:00", "--dec", "3"],
            "'25:00:00' is not a right ascension",
        ),
    ],
)
def test_what_cannot_be_fetched_is_told_before_anything_is_asked(ztf, capsys, words, message):
    assert message in refused(capsys, ztf.vo("fetch", *words))
    assert ztf.server.requests == []


def test_the_nearest_names_are_listed(workspace):
    workspace.save()
    with pytest.raises(CatalogError, match="has no source 'J2'; did you mean 'J1'"):
        fetch_source(read_plan(workspace.config_file), "demo", "J2")


@pytest.mark.parametrize("trouble", ["503", "html", "truncated", "votable_error", "empty"])
def test_a_service_without_a_usable_answer_is_told_in_one_line(ztf, capsys, trouble):
    ztf.server.behaviour = [trouble]
    assert "nph_light_curves" in refused(capsys, ztf.vo("fetch", NAME, "--observatory", "ztf"))


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_survey_can_be_looked_at(name, workspace, capsys):
    if name == "ASASSN":
        pytest.importorskip("pyarrow")
    workspace.catalog.write_text("name,ra,dec\n" + "".join(f"{row['name']},{row['ra']},{row['dec']}\n" for row in ROWS))
    with ARCHIVES[name]() as parameters:
        plugin = {} if name in OBSERVATORIES else {"class": PLUGIN}
        workspace.config["observatories"] = {name.lower(): parameters | plugin}
        assert workspace.vo("fetch", "b", "--observatory", name) == 0
        secrets = [os.environ[secret] for secret in load_class(OBSERVATORIES.get(name, PLUGIN)).credentials]
    text = capsys.readouterr().out
    assert re.search(r": b at RA 90.000000 Dec \+10.000000: ok, [\d,]+ epochs", text)
    assert re.search(r"^from \d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d", text, flags=re.MULTILINE)
    assert not any(secret in text for secret in secrets)


def test_times_that_are_no_dates_are_shown_all_the_same(workspace, monkeypatch, capsys):
    from vo_lib.observatories.demo import VirtualDemo

    answer = np.ones(2, VirtualDemo().empty_table().dtype)
    answer["jd_start"], answer["filtercode"] = (2458000.5, 5e9), b"g"
    monkeypatch.setattr(VirtualDemo, "fetch_data_from_observatory", lambda *_: (answer, {}))
    assert workspace.vo("fetch", "J1", "--observatory", "demo") == 0
    assert "from MJD 58000 to 4.9976e+09, not all of which are valid dates" in capsys.readouterr().out


def test_a_credential_in_an_answer_is_masked(workspace, monkeypatch, capsys):
    from vo_lib.observatories import credentials
    from vo_lib.observatories.demo import VirtualDemo

    monkeypatch.setenv("SOME_TOKEN", "hunter2hunter2")
    credentials.read_secret("SOME_TOKEN")
    answer = VirtualDemo().empty_table(), {"query": {"sign": "hunter2hunter2"}}
    monkeypatch.setattr(VirtualDemo, "fetch_data_from_observatory", lambda *_: answer)
    assert workspace.vo("fetch", "J1", "--observatory", "demo") == 0
    out, _ = capsys.readouterr()
    assert "hunter2" not in out
    assert 'query: {"sign": "***"}' in out
    assert workspace.vo("fetch", "J1", "--observatory", "demo", "--json") == 0
    assert json.loads(capsys.readouterr().out)["altdata"] == {"query": {"sign": "***"}}


BROKEN = """import numpy
from vo_lib.observatories.demo import VirtualDemo
class Broken(VirtualDemo):
    name = "BROKEN"
    def fetch_data_from_observatory(self, cat_row):
        {statement}
"""


@pytest.fixture
def broken(workspace, tmp_path, monkeypatch):
    """Fetch from a plug-in whose line 6 is a statement."""

    def run(statement):
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "broken_survey", raising=False)
        (tmp_path / "broken_survey.py").write_text(BROKEN.format(statement=statement))
        workspace.config["observatories"] = {"broken": {"class": "broken_survey:Broken"}}
        return workspace.vo("fetch", "J1", "--observatory", "broken")

    monkeypatch.delenv("VO_TRACEBACK", raising=False)
    return run


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("raise ValueError('boom\\n and more')", "ValueError: boom and more"),
        ("return numpy.linalg.inv(numpy.zeros((2, 2)))", "LinAlgError: Singular matrix"),
        ("return {}['x']", "KeyError: 'x'"),
        ("raise ValueError('x ' * 100_000)", f"ValueError: {'x ' * 247}[...]"),
    ],
)
def test_an_error_of_a_plugin_is_told_in_one_line_with_its_place(broken, tmp_path, capsys, statement, message):
    line = refused(capsys, broken(statement))
    place = f"{tmp_path}/broken_survey.py line 6"
    what = "broken_survey:Broken.fetch_data_from_observatory() for 'J1' raises"
    assert line == f"vo fetch: {what} {message} (in {place}); correct the class\n"


def test_the_traceback_of_an_error_is_shown_on_demand_and_without_credentials(broken, monkeypatch, capsys):
    from vo_lib.observatories import credentials

    monkeypatch.setenv("SOME_TOKEN", "hunter2hunter2")
    credentials.read_secret("SOME_TOKEN")
    monkeypatch.setenv("VO_TRACEBACK", "1")
    assert broken("raise ValueError('hunter2hunter2')") == 1
    text = capsys.readouterr().err
    first, *_, last = text.splitlines()
    assert "hunter2" not in text
    assert first == "Traceback (most recent call last):"
    assert "raises ValueError: *** (in " in last
    assert last.endswith("broken_survey.py line 6); correct the class")


def test_stopping_a_command_is_no_error(broken, capsys):
    assert broken("raise KeyboardInterrupt") == 130
    assert capsys.readouterr().err == ""


def test_an_unknown_change_names_its_key():
    with pytest.raises(ConfigError, match="not KEY=VALUE"):
        read_plan(changes=["WD1"])


def test_an_option_that_takes_a_stale_product_is_named_where_a_verb_has_it(workspace, monkeypatch, capsys):
    def refuse(*_, **__):
        raise StaleProductError("x.h5: was made with provenance a, not b as asked for; run snakemake to make it again")

    monkeypatch.setattr(show, "DataStore", refuse)
    monkeypatch.setattr(fetch, "fetch_source", refuse)
    line = refused(capsys, workspace.vo("show", "J1"))
    assert line.endswith("run snakemake to make it again, or use --any to read it anyway\n")
    assert refused(capsys, workspace.vo("fetch", "J1", "--observatory", "demo")).endswith("to make it again\n")
