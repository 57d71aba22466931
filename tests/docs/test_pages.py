"""Every command and snippet of the README and of the pages works.

In a page with blocks of these kinds they are used from the top to the bottom, in a copy of the project that has the
products of the demo: a block with a title is a file of that name, a ``console`` block has commands, and what they print
where that is shown, and a ``python`` block is a program, whose output may be in the sentence below it.
"""

import doctest
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import yaml
from workspace import Workspace

from vo_lib.access import DataStore
from vo_lib.config import load_schema
from vo_lib.periods.periodogram import get_periodogram_stats
from vo_lib.plan import read_plan
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.rates import RATE_COLUMNS
from vo_lib.search.detections import DETECTION_COLUMNS
from vo_lib.status import project_status
from vo_lib.verbs.help import find_key

DOCS = PACKAGE_ROOT / "docs"
READ = {
    path.relative_to(PACKAGE_ROOT).as_posix(): path.read_text()
    for path in [PACKAGE_ROOT / "README.md", PACKAGE_ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
}
BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```', flags=re.DOTALL | re.MULTILINE)
# Their snippets have what only their own tests know.
OWN_TESTS = ("commands", "plugins", "python", "quality", "rates", "reduction", "validation/")
PAGES = [
    name
    for name, text in READ.items()
    if not name.startswith(tuple(f"docs/{own}" for own in OWN_TESTS))
    and re.search(r"^```(console|python)", text, flags=re.MULTILINE)
]
TABLES = READ["README.md"] + READ["docs/tasks.md"]
# Those on the finished demo come first, for those of the tables run a part of it.
COMMANDS = dict.fromkeys(re.findall(r"`(vo [a-z]+ [^`]+)`", READ["docs/access.md"]))
INDENTED_COMMAND = re.compile(
    r"^    ((?:export|make|pip|pytest|python|sbatch|snakemake|vo) .+?)(?: +#.*)?$", flags=re.MULTILINE
)
for text in READ.values():
    COMMANDS |= dict.fromkeys(INDENTED_COMMAND.findall(BLOCK.sub("", text)))
COMMANDS |= dict.fromkeys(re.findall(r"^\| [^|]+ \| `([^`]+)`", TABLES, flags=re.MULTILINE))
# Sections of configurations: blocks without a title, and indented ones that begin with a key at the top.
SECTIONS = "|".join(load_schema(PACKAGE_ROOT / "workflow" / "schemas" / "config.schema.yaml")["properties"])
INDENTED = re.compile(rf"^    (?:{SECTIONS}):\n(?:(?:    .*)?\n)+", flags=re.MULTILINE)
CONFIGURATIONS = [
    (name, text)
    for name, page in READ.items()
    if name not in ("docs/observatories.md", "docs/plugins.md", "docs/python.md")  # they have tests of their own
    for text in [
        *(text for language, title, text in BLOCK.findall(page) if language == "yaml" and not title),
        *map(textwrap.dedent, INDENTED.findall(page)),
    ]
]
# Commands that are not run here, by the reason.
BENCHMARKS = ("bin", "catalog", "database", "download", "faults", "planning", "start", "workflow")
BENCHMARKS += ("validate_matched_filter", "validate_periods", "validate_rates", "validate_workflow")
MARKS = "vo verdicts DEMO_PROJECT_marks.csv"
EXEMPT = {
    ".ci/run runs it": {"make demo", "make docs", "make lint", "make test"},
    "takes minutes or more; tests/test_benchmarks.py loads it": {
        *(f"python benchmarks/{name}.py" for name in BENCHMARKS),
        "python benchmarks/scale.py fit",
    },
    "takes a minute; tests/test_benchmarks.py runs it at a small size": {
        "python benchmarks/reduce.py",
        "python benchmarks/validate_noise.py",
        "python benchmarks/validate_trials.py",
    },
    "needs packages or data that are not of the project": {
        "make audit",
        "make fuzz",
        "pip install lightkurve light-curve",
        "pytest tests/test_statistics.py -k light_curve",
        "python benchmarks/validate_agreement.py FOLDER",
        "python benchmarks/validate_real.py FOLDER --pictures FOLDER",
    },
    "needs the network": {
        "snakemake --cores 2 --configfile config/ztf_white_dwarfs.yaml",
        "vo fetch GD153 --observatory ztf --rows 3 --configfile config/ztf_white_dwarfs.yaml",
        "vo resolve --list names.txt --out catalogs/my_stars.csv",
    },
    "needs a cluster; tests/cluster runs it": {
        'sbatch --cpus-per-task=32 --mem=64G --time=12:00:00 --wrap "snakemake --cores 32"',
        "snakemake --profile workflow/profiles/slurm --quiet host reason rules",
    },
    "serves until it is stopped; tests/test_serve.py runs it": {
        "python -m http.server 8765 --bind 127.0.0.1 --directory archive",
        "vo serve",
    },
    "reads the file that the tutorial makes, which runs it": {MARKS},
    "reads marks that a browser saved; tests/database/test_verdicts.py reads some": {
        "vo verdicts ~/Downloads/DEMO_PROJECT_marks.csv",
    },
    "writes into the code; tests/database/test_schema.py runs it": {
        'python -m vo_lib.database.revise "what changes"',
    },
    "needs old files; tests/downloads/test_adopt.py makes some": {"vo adopt old/DEMO/*.h5 --observatory demo --by key"},
    "test_the_notebook_shows_what_it_gives runs it": {"jupyter execute --inplace docs/notebook.ipynb"},
    "the tests are in this environment already": {"source .venv/bin/activate"},
}
ELSEWHERE = set().union(*EXEMPT.values())


@pytest.fixture(scope="module")
def clone(demo, tmp_path_factory):
    """A copy of the code that has the products of the demo as its results, and a database of its own."""
    folder = tmp_path_factory.mktemp("docs") / "clone"
    ignored = shutil.ignore_patterns(".git", ".venv", "results", "site", ".snakemake", "*.egg-info")
    shutil.copytree(PACKAGE_ROOT, folder, ignore=ignored)
    shutil.copytree(demo.data_root, folder / "results", ignore=shutil.ignore_patterns("database"))
    done = call(["snakemake", "--cores", "2"], folder)
    assert done.returncode == 0, done.stdout
    return folder


def call(command, folder):
    """Run a command as a user in the activated environment; what it prints is in one text."""
    environment = {name: value for name, value in os.environ.items() if name not in ("VO_DATA", "RETRIEVER_DATA")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["PYTHONPATH"] = str(folder)  # so that the command vo is that of the copy, and so are its products
    environment["PYTHONUNBUFFERED"] = "1"  # so that standard output and error are in order, as on a terminal
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def archive(clone):
    """Address at which the folder of the page on surveys is served."""
    (clone / "archive").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=clone / "archive")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def examples(text):
    """Commands of a console block, each with what it is said to print."""
    return [example.partition("\n")[::2] for example in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]


def run_example(command, expected, folder):
    """Run a command of a page; it succeeds, or prints what is shown."""
    if command in ELSEWHERE - {MARKS}:
        return
    done = call(["bash", "-c", command], folder)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    shown = expected.strip() not in ("", "...")
    assert done.returncode == 0 or shown, done.stdout
    assert not shown or doctest.OutputChecker().check_output(expected, done.stdout, flags), f"{command}\n{done.stdout}"


def test_rates_by_amplitude_are_those_of_the_page(clone):
    (program,) = (text for _, title, text in BLOCK.findall(READ["docs/rates.md"]) if title)
    done = call([sys.executable, "-c", program], clone)
    assert done.returncode == 0, done.stdout
    rates = [float(line.split()[2]) for line in done.stdout.splitlines()]
    assert len(rates) == 2
    assert 0 < rates[0] < 0.1


@pytest.mark.parametrize("name", PAGES)
def test_page(clone, name, request):
    page = READ[name]
    if name == "docs/howto/add_survey.md":
        page = page.replace("127.0.0.1:8765", request.getfixturevalue("archive"))
    for language, title, text in BLOCK.findall(page):
        if title:
            (clone / title).parent.mkdir(exist_ok=True)
            (clone / title).write_text(text)
        elif language == "console":
            for command, expected in examples(text):
                run_example(command, expected, clone)
        elif language == "python":
            done = call([sys.executable, "-c", text], clone)
            assert done.returncode == 0, done.stdout
            said = re.search(re.escape(text) + r"```\n\nThis prints `(.+?)`", page)
            assert not said or done.stdout.strip() == said[1]


def test_the_notebook_shows_what_it_gives(clone, tmp_path):
    done = call(["jupyter", "execute", "docs/notebook.ipynb", "--output", str(tmp_path / "again")], clone)
    assert done.returncode == 0, done.stdout
    kept, again = (texts_of(path) for path in (DOCS / "notebook.ipynb", tmp_path / "again.ipynb"))
    assert kept == again


@pytest.mark.parametrize(
    ("page", "source", "band", "text"),
    [
        ("tutorial", "J000347+404202", "demo-r", "The best one, {period:.3f} d, is not to be believed"),
        ("tutorial", "J000347+404202", "demo-r", "(FAP {fap:.4f})"),
        ("plots", "J000017+173931", "demo-i", "--fold {period:.6f} "),
    ],
)
def test_the_periods_of_the_pages_are_those_that_are_found(demo, page, source, band, text):
    store = DataStore(source, read_plan(demo.config_file))
    epochs = [each.data[store.get_flags(each) == 0] for each in store.get_lightcurves(filter=band)]
    found = get_periodogram_stats(np.concatenate(epochs), (1 / 24, 1000))
    assert text.format(period=found.best_period, fap=found.fap) in READ[f"docs/{page}.md"]


def texts_of(path):
    """Cells of a notebook with what they gave, figures apart."""
    cells = json.loads(path.read_text())["cells"]
    return [
        (
            cell["source"],
            [output.get("data", output).get("text/plain", output.get("text")) for output in cell["outputs"]],
        )
        for cell in cells
        if cell["cell_type"] == "code"
    ]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in ELSEWHERE])
def test_command(clone, tmp_path, command):
    done = call(["bash", "-c", command.replace("/path/to/data", str(tmp_path / "data"))], clone)
    assert done.returncode == 0, done.stdout


def test_what_runs_elsewhere_is_in_the_documents():
    shown = [command for text in READ.values() for _, _, block in BLOCK.findall(text) for command, _ in examples(block)]
    assert {*COMMANDS, *shown} >= ELSEWHERE


@pytest.mark.parametrize(
    ("name", "text"), CONFIGURATIONS, ids=[f"{name}: {text.split()[0]}" for name, text in CONFIGURATIONS]
)
def test_keys_of_a_configuration_are_known(tmp_path, name, text):
    made = Workspace(tmp_path)
    made.catalog.write_text("name,ra,dec\na,10.5,3\n")
    made.config["observatories"] |= dict.fromkeys(("ztf", "tess", "neowise"))
    for section, part in yaml.safe_load(text).items():
        made.config[section] = (made.config.get(section) or {}) | part if isinstance(part, dict) else part
    made.save()
    assert read_plan(made.config_file)


def test_help_says_of_a_key_that_changes_no_result_what_runs_again():
    schema, keys = load_schema(PACKAGE_ROOT / "workflow" / "schemas" / "config.schema.yaml"), 0
    for change, answer in RERUNS:
        part = find_key(schema, change.partition("=")[0].removesuffix(".bright"))
        if not part.get("x-critical", True) or part.get("x-secret"):
            assert part.get("x-reruns", "nothing").startswith(answer.strip("`").partition("`")[0]), change
            keys += 1
    assert keys == 5


RERUNS = re.findall(r"^\| .+? \| `(\S+=.+?)` \| (.+) \|$", READ["docs/explanation/reruns.md"], flags=re.MULTILINE)


@pytest.mark.parametrize(("change", "answer"), RERUNS)
def test_what_runs_again_is_what_the_page_says(demo, change, answer):
    plan = read_plan(demo.config_file, shlex.split(change))
    status = project_status(plan)
    again = {
        stage for stage, state in zip(status["stage"], status["state"], strict=True) if state not in ("done", "empty")
    }
    assert again == set(re.findall(r"`(\w+)`", answer))


def test_the_columns_of_detections_and_rates_are_on_their_pages():
    for name, columns in (("finders", DETECTION_COLUMNS), ("rates", RATE_COLUMNS)):
        rows = re.findall(r"^\| (`.+?`) \| .+ \|$", READ[f"docs/{name}.md"], flags=re.MULTILINE)
        assert {column for row in rows for column in re.findall(r"`(\w+)`", row)} == set(columns)


TERMS = [
    word for term in re.findall(r"^\*\*(.+)\*\*$", READ["docs/glossary.md"], flags=re.M) for word in term.split(", ")
]


def test_each_term_is_defined_once():
    assert len(TERMS) == len(set(TERMS)) > 60


@pytest.mark.parametrize("name", ["finders", "periods", "statistics"])
def test_a_term_of_the_glossary_is_linked_where_a_page_first_uses_it(name):
    # Prose alone: without headings, tables, formulas and code.
    prose = re.sub(r"^(?:#|\||    ).*$|`[^`]*`", "", BLOCK.sub("", READ[f"docs/{name}.md"]), flags=re.MULTILINE)
    unlinked = re.sub(r"\[[^\]]*\]\([^)]*\)", lambda link: "_" * len(link[0]), prose)
    links = [(link.start(), link[1]) for link in re.finditer(r"\[([^\]]*)\]\(glossary\.md#", prose)]
    for term in TERMS:
        word = re.compile(rf"\b{re.escape(term)}(?:e?s)?\b", flags=re.IGNORECASE)
        if used := word.search(unlinked):
            linked = [start for start, text in links if word.search(text)]
            assert linked, f"{term} is not linked"
            assert linked[0] < used.start(), f"{term} is linked behind its first use"


def test_no_paragraph_stands_twice():
    found = [part for text in READ.values() for part in re.split(r"\n\n+", BLOCK.sub("", text)) if len(part) > 100]
    assert [part for part, number in Counter(found).items() if number > 1] == []


def test_each_module_has_one_place_in_the_table_of_the_library():
    found = re.findall(r"^\| \*\*.+?\*\*.* \| (`.*`) \|$", READ["CONTRIBUTING.md"], flags=re.MULTILINE)
    named = [name for names in found for name in names.strip("`").split("`, `")]
    library = PACKAGE_ROOT / "vo_lib"
    packages = [f"{file.parent.name}/" for file in library.glob("*/__init__.py")]
    assert sorted(named) == sorted([file.stem for file in library.glob("[a-z]*.py")] + packages)


def test_make_offers_what_the_readme_says(clone):
    done = call(["make", "help"], clone)
    assert done.returncode == 0
    for name in ("demo", "test", "docs", "lint"):
        assert re.search(rf"^{name}\s", done.stdout, flags=re.MULTILINE)


def test_links_of_the_documents_exist():
    for name, text in READ.items():
        document = PACKAGE_ROOT / name
        for target in re.findall(r"\]\((?!http|#|data:)([^)#\s]+)(?:#[^)]*)?\)", BLOCK.sub("", text)):
            assert (document.parent / target).exists(), f"{name}: {target}"
