"""The page of a project and the script that writes it."""

import io
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import jinja2
import numpy as np
import pytest
import report as script
import yaml
from docutils.core import publish_parts
from make_project import NASTY, make_project, params
from matplotlib.image import imread

from vo_lib.config import complete, critical, load_schema
from vo_lib.pages.pictures import PICTURES, draw_pictures
from vo_lib.pages.report_detections import _methods
from vo_lib.pages.report_outcomes import LEFT_OUT, _reasons
from vo_lib.pages.report_rates import _amplitudes, _limit, coverage_content
from vo_lib.paths import PLOTS
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.reduce import REASONS
from vo_lib.report import NOISES, PROGRAMS, TABLES_FILE
from vo_lib.results import best_events, read_results


class Reader(HTMLParser):
    """Text, tags and attributes of a page, and whether its elements are nested properly."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts, self.rows = [], [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend((tag, *pair) for pair in attrs)
        if tag not in ("meta", "img", "source"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if {"td", "th"} & set(self.open):
            self.rows[-1].append(data)

    def values(self, name):
        """All values of an attribute."""
        return [value for _, key, value in self.attributes if key == name]


def make(folder, monkeypatch, project=None, **changes):
    """Run the script on a project; its page."""
    monkeypatch.chdir(folder)
    make_project(folder, **(project or {}))
    script.main("DEMO", "DEMO/report.html", params=params(**changes))
    return (folder / "DEMO/report.html").read_text()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    with pytest.MonkeyPatch.context() as patch:
        text = make(folder, patch)
    return SimpleNamespace(folder=folder, text=text, page=Reader(text))


@pytest.fixture(autouse=True)
def _only_pictures_of_the_page(monkeypatch):
    """Further pages of the tests have fewer pictures, for these take the most time."""
    shown = ("sky", "scores", "efficiency", "coverage")
    monkeypatch.setattr("vo_lib.pages.pictures.PICTURES", {name: PICTURES[name] for name in shown})
    monkeypatch.setattr(script, "PLOTS", (*shown, "detections"))


def test_names_from_catalogs_are_escaped(built):
    assert NASTY in "".join(built.page.texts)
    assert "<script>alert" not in built.text
    assert built.page.tags.count("script") == 1 + len(PROGRAMS)
    assert any(NASTY in alt for alt in built.page.values("alt"))


def test_the_page_needs_no_network_and_one_other_file(built):
    assert not re.search(r"https?://|url\(|@import", built.text)
    loaded = built.page.values("src") + built.page.values("srcset")
    assert [value for value in loaded if not value.startswith("data:image/png;base64,")] == [TABLES_FILE]
    assert not [value for value in built.page.values("href") if ":" in value or value.startswith("/")]


def test_links_within_the_page_lead_somewhere(built):
    names = {value[1:] for value in built.page.values("href") if value.startswith("#")}
    assert len(names) == 8
    assert names | set(built.page.values("aria-labelledby")) <= set(built.page.values("id"))
    assert len(set(built.page.values("id"))) == len(built.page.values("id"))


def test_the_main_numbers_are_those_of_the_products(built):
    numbers = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", built.text)
    assert numbers == [
        ("sources", "6"),
        ("with data", "4"),
        ("with detections", "2"),
        ("lightcurves", "4"),
        ("epochs", "800"),
        ("detections", "2"),
        ("injections found", "4 / 8"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        ["DEMO", "4", "1", "1", "4", "840", "40", "800", "2", "2"],
        ["RA010", "DEMO", "2", "1", "0", "2", "420", "20", "400", "1", "1"],
        ["DEMO", "left out", "other object", "40", "840", "4.76%"],
        ["DEMO", "flagged", "bad by the survey's flags", "2", "800", "0.25%"],
        ["DEMO", "flagged", "out of place", "0", "800", "0.00%"],
        ["DEMO", "Short Exposure", "4", "4", "100.00%"],
        ["DEMO", "Bad Proposal", "2", "4", "50.00%"],
        ["lost", "DEMO", "RA200", "HTTP 503"],
        ["10 to 15", "2", "2", "100.0%", "66.7% to 100.0%"],
        ["0.3 to 1", "4", "95.0%"],
        ["3 to 10", "2", "25.0%"],
        ["reduce", "DEMO", "0123456789abcdef0123"],
    ],
)
def test_a_row_of_each_table(built, row):
    assert row in built.page.rows


def test_detections_are_listed_best_first(built):
    results = read_results(built.folder / "DEMO", params()["bins"], ["DEMO"])
    rows = [row for row in built.page.rows if len(row) == 12][1:]
    assert [row[0] for row in rows] == [NASTY, "flare"]
    assert [row[3] for row in rows] == ["brighter", "fainter"]
    assert [float(row[5]) for row in rows] == np.round(results.detections["score"], 1).tolist()
    assert rows[0][6:9] == ["58025.00000", "2017-09-29 00:00 UTC", "2"]


def test_noise_and_flags_of_the_search_are_those_of_the_configuration(built, monkeypatch):
    assert "The noise is the larger of the epoch&#x27;s error and the scatter of its lightcurve" in built.text
    monkeypatch.chdir(built.folder)
    config = params()["config"]
    config = config | {"finder": config["finder"] | {"noise": "scatter", "mask_flagged": False}}
    script.main("DEMO", "DEMO/other.html", params=params(config=config, config_file="DEMO/other.yaml"))
    text = (built.folder / "DEMO/other.html").read_text()
    assert "The noise is the scatter of its lightcurve. Wings" in text
    assert "which are not searched" in built.text
    assert "which are not searched" not in text
    assert set(NOISES) == set(SCHEMA["properties"]["finder"]["properties"]["noise"]["enum"])


def test_pictures_are_in_the_page(built):
    assert built.page.tags.count("img") == 6
    assert len({value for value in built.page.values("src") if value != TABLES_FILE}) == 6


@pytest.mark.parametrize("name", script.PLOTS)
def test_plots_are_written_and_not_blank(built, name):
    pixels = imread(built.folder / f"DEMO/plots/{name}.png")
    assert min(pixels.shape[:2]) > 300
    assert len(np.unique(pixels.astype(np.float32).sum(axis=2))) > 20


def test_the_configuration_is_kept(built):
    text = (built.folder / "DEMO/00_config_0123.yaml").read_text()
    assert yaml.safe_load(text) == params()["config"]
    assert "offset_threshold: 3.5" in built.text


def test_nothing_but_the_products_is_left(built):
    hidden = [path.name for path in built.folder.rglob(".*")]
    assert hidden == []


def test_all_reasons_for_leaving_epochs_out_are_explained():
    assert tuple(LEFT_OUT) == REASONS
    results = SimpleNamespace(left_out={("DEMO", "bright"): 3}, flagged={})
    text = _reasons(results, [{"obs": "DEMO", "n_raw": 300, "n_kept": 297}])
    assert "bright: object too bright compared with the catalog (reduce.mag_range)" in text


def test_without_detections_the_page_says_so(tmp_path, monkeypatch):
    text = make(tmp_path, monkeypatch, {"flares": False})
    assert "No detections by peak (an epoch with S/N of 5 or more)." in text
    assert Reader(text).tags.count("img") == 4
    assert (tmp_path / "DEMO/plots/detections.png").stat().st_size > 1000


def test_thresholds_of_both_signs_are_told():
    finder = {"class": None, "methods": ["peak"], "snr_threshold": [4, 6.5], "matched_filter": {"false_alarms": 1e-4}}
    assert _methods(finder) == "peak (an epoch with S/N of 4 (fainter) or 6.5 (brighter) or more)"


def test_without_data_the_page_says_so(tmp_path, monkeypatch):
    text = make(tmp_path, monkeypatch, {"data": False})
    assert "No source of this project has data" in text
    assert "No events were injected" in text
    assert ["DEMO", "0", "5", "1", "0", "0", "0", "0", "0", "0"] in Reader(text).rows


def test_the_best_are_as_many_as_asked_for(tmp_path, monkeypatch):
    assert Reader(make(tmp_path, monkeypatch, num_best=1)).tags.count("img") == 5


def test_rates_and_their_limits_are_listed(built):
    rows = [row for row in built.page.rows if len(row) == 14]
    assert rows[0][-3:] == ["Rate [1/d]", "68 % interval", "95 % limit [1/d]"]
    assert rows[1][:5] == ["all", "DEMO", "demo-g", "flare", "1"]
    assert rows[1][7:] == ["62.5%", "1", "2", "0.25 ± 0.2", "2.00e-03", "1.00e-03 to 4.00e-03", "9.00e-03"]
    assert rows[2][-4:] == ["unknown", "–", "–", "–"]
    assert "The number of detections from noise is unknown for this search" in built.text


def test_limits_and_reasons_of_injections_are_listed(built):
    assert ["flagged", "the epochs that cover it best were flagged", "2", "25.0%"] in built.page.rows
    assert ["below threshold", "too weak at the epochs that cover it", "2", "25.0%"] in built.page.rows
    assert [row[:3] for row in built.page.rows if row[:2] in (["flare", "demo-g"], ["dip", "demo-g"])] == [
        ["flare", "demo-g", "6"],
        ["dip", "demo-g", "2"],
    ]


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ((6.38, 0.0, np.nan), "6.4 (? to ?)"),
        ((6.38, 5.0, 9.0), "6.4 (5.0 to 9.0)"),
        ((0.0, 0.0, 0.0), "all"),
        ((np.nan, np.nan, np.nan), None),
    ],
)
def test_limits_that_all_events_reach_are_told_from_those_that_none_does(limit, text):
    assert _limit(limit) == text


def test_completeness_is_listed_by_amplitude_in_magnitudes_and_width(built):
    rows = [row for row in built.page.rows if row[1:2] == ["0.1 to 1"]]
    assert [row[:5] for row in rows] == [
        ["0.1 to 0.3", "0.1 to 1", "4", "0", "0.0%"],
        ["0.3 to 1", "0.1 to 1", "2", "2", "100.0%"],
        ["1 to 3", "0.1 to 1", "2", "2", "100.0%"],
    ]


def test_coverage_is_that_of_the_epochs(built):
    row = next(row for row in built.page.rows if row[:3] == ["DEMO", "demo-g", "800"])
    good = int(row[3])
    assert row[4:6] == [f"{good / 800:.1%}", f"{good * 30 / 3600:,.1f}"]
    assert sum(map(int, row[6:])) == 800 - good >= 2


def test_exposure_times_that_are_not_known_are_not_zero_hours(built, monkeypatch):
    monkeypatch.chdir(built.folder)
    results = read_results("DEMO", params()["bins"], ["DEMO"])
    results.histograms["exposure_time"].counts[:] = 0
    pictures = draw_pictures(results, [], threshold=5, width_deg=1)
    page = Reader("".join(coverage_content(results, pictures)))
    assert next(row for row in page.rows if row[:2] == ["DEMO", "demo-g"])[5] == "–"


def test_a_long_table_is_cut_and_says_so(built, monkeypatch):
    for module in ("page", "report_detections"):
        monkeypatch.setattr(f"vo_lib.pages.{module}.LONGEST_TABLE", 1)
    monkeypatch.chdir(built.folder)
    script.main("DEMO", "DEMO/other.html", params=params(num_best=0))
    text = (built.folder / "DEMO/other.html").read_text()
    assert "Detections, best first: the first 1 of 2" in text
    assert len([row for row in Reader(text).rows if len(row) == 12]) == 2


def test_pictures_of_events_are_the_parts_of_the_overview(built, monkeypatch):
    monkeypatch.chdir(built.folder)
    results = read_results("DEMO", params()["bins"], ["DEMO"])
    event = best_events("DEMO", results, 1)[0]
    pictures = draw_pictures(results, [event] * 3, threshold=5, width_deg=1)
    whole, *parts = (imread(io.BytesIO(pictures[name])) for name in ("detections", "event 0", "event 1", "event 2"))
    empty = np.ones_like(parts[0])
    np.testing.assert_array_equal(np.block([[[parts[0]], [parts[1]]], [[parts[2]], [empty]]]), whole)


CAPTIONS = ("workflow", *script.PLOTS)
SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
CONFIGS = [
    {"project": "demo", "catalog": {"file": "a.csv"}, "observatories": {"demo": None}, "finder": None},
    {
        "project": "wd",
        "description": "White dwarfs",
        "catalog": {"file": "b.csv"},
        "observatories": {"ztf": {}, "tess": {}},
        "finder": {"snr_threshold": 7.5, "methods": ["peak", "matched_filter"]},
        "bins": {"width_deg": 5},
        "rates": {"classes": {"hot": "mag < 15"}},
    },
]


def caption(name, config):
    """Text of a caption for a configuration."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    source = (PACKAGE_ROOT / f"workflow/report/{name}.rst").read_text()
    settings = config | critical(complete(config, SCHEMA), SCHEMA)
    return environment.from_string(source).render(snakemake=SimpleNamespace(config=settings))


@pytest.mark.parametrize("name", CAPTIONS)
@pytest.mark.parametrize("config", CONFIGS)
def test_captions_are_sound_text_for_any_configuration(name, config):
    text = caption(name, config)
    body = publish_parts(text, writer="html", settings_overrides={"halt_level": 2, "report_level": 2})["html_body"]
    assert "{" not in text
    assert "system-message" not in body
    assert ("7.5" in text) == (name in ("scores", "detections") and "description" in config)


@pytest.mark.parametrize(
    ("catalog", "said"),
    [
        ({"file": "a.csv"}, "``a.csv``"),
        ({"sources": [{"name": "a", "ra": 1, "dec": 2}]}, "a list in the configuration"),
        ({"default": "WD"}, "the catalog ``WD``"),
        ({"query": "SELECT", "query_url": "https://example.org/tap"}, "a query of\nhttps://example.org/tap"),
        ({"class": "extensions.sky_grid:SkyGrid"}, "the class\n``extensions.sky_grid:SkyGrid``"),
    ],
)
def test_the_report_of_snakemake_names_the_catalog_whatever_it_is(catalog, said):
    assert f"This run turned the sources of {said} and their" in caption("workflow", CONFIGS[0] | {"catalog": catalog})


def test_captions_tell_no_threshold_and_no_check_that_epochs_are_not_judged_by():
    assert "dashed lines are the threshold" in caption("scores", CONFIGS[0])
    assert "threshold" not in caption("scores", CONFIGS[0] | {"finder": {"methods": ["matched_filter"]}})
    assert "not searched" in caption("detections", CONFIGS[0])
    assert "not searched" not in caption("detections", CONFIGS[0] | {"finder": {"mask_flagged": False}})
    assert "exposure" not in caption("coverage", CONFIGS[0])  # exposure times are those of whole lightcurves


def test_each_picture_is_an_output_of_the_workflow_with_a_caption():
    rule = (PACKAGE_ROOT / "workflow/rules/publish.smk").read_text()
    for name in (*PICTURES, "detections"):
        assert f'"{{project}}/plots/{name}.png"' in rule
        assert f'caption="../report/{name}.rst"' in rule
        assert name in PLOTS


def test_injected_events_without_an_amplitude_in_magnitudes_are_counted():
    injections = {"dmag": np.array([0.5, np.nan, np.nan]), "width": np.ones(3), "recovered": np.array([1, 1, 0])}
    assert "excludes 2 events in lightcurves whose median flux is not positive" in str(_amplitudes(injections))
    assert "without" not in str(_amplitudes({name: values[:1] for name, values in injections.items()}))
