"""Classes in ``extensions/``: a contract per family for them and the project's own, and what the examples find."""

import importlib

import h5py
import numpy as np
import pytest
from make_batch import fingerprint, freeze, make_batch, put, sources_of

from extensions.flare_probability import FlareProbability, flare_probability
from extensions.lonely_epochs import LonelyEpochs
from extensions.my_analysis import NewAnalysis, prediction_errors
from extensions.sky_grid import SkyGrid
from extensions.sudden_events import SuddenEvents
from vo_lib.batch import LightcurveBatch
from vo_lib.bin_result import check_result
from vo_lib.catalog import read_catalog
from vo_lib.catalogs.classes import make_catalog
from vo_lib.catalogs.remote import remote_catalog
from vo_lib.errors import CatalogError, ConfigError, PluginError
from vo_lib.event_simulator import check_injection
from vo_lib.plugins import load_class
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.quality_checker import check_assessment
from vo_lib.source_list import SourceList
from vo_lib.stages import STAGES, make_stage

# Options that a class cannot do without, or that show what is its own.
OPTIONS = {"SkyGrid": {"ra": 359.95, "dec": 60, "size_deg": 0.4}, "SuddenEvents": {"kinds": ["sudden"]}}


def members(kind):
    """Classes of a family: the project's own and those of ``extensions/``."""
    base = load_class(STAGES[kind])
    modules = [
        importlib.import_module(f"extensions.{path.stem}") for path in (PACKAGE_ROOT / "extensions").glob("*.py")
    ]
    found = [item for module in modules for item in vars(module).values() if _is_own(item, module, base)]
    return [*([] if kind == "catalog" else [base]), *found]


def _is_own(item, module, base):
    """Whether a class is of a module and family."""
    return isinstance(item, type) and issubclass(item, base) and item.__module__ == module.__name__


def make(found):
    """Object of a class as a configuration makes it."""
    kind = next(kind for kind in STAGES if issubclass(found, load_class(STAGES[kind])))
    return make_stage(kind, {"class": f"{found.__module__}:{found.__name__}"}, **OPTIONS.get(found.__name__, {}))


def bin_of_lightcurves():
    """Three lightcurves, one without epochs, and a bright event in the last."""
    return freeze(put(make_batch([40, 0, 60], seed=2), 2, [20, 21], flux=1400.0))


def family(kind):
    """Run a test over all members of a family."""
    return pytest.mark.parametrize("found", members(kind), ids=lambda found: found.__name__)


@family("finder")
def test_a_finder_is_pure_and_judges_each_lightcurve_by_itself(found):
    batch, finder = bin_of_lightcurves(), make(found)
    qflag = np.zeros(batch.n_epochs, np.int64)
    finding = finder.find(batch, qflag)
    assert finding.detections["peak_epoch"].tolist() == [20]
    alone = finder.find(batch.select([2]), qflag[40:]).detections
    assert str(alone) == str(finding.detections)
    assert len(finder.find(LightcurveBatch.empty(), np.zeros(0, np.int64)).lightcurve) == 0


@family("quality")
def test_a_check_is_pure_and_names_its_bits(found):
    batch, checker = bin_of_lightcurves(), make(found)
    first, second = (check_assessment(checker, batch, checker.assess(batch)) for _ in range(2))
    np.testing.assert_array_equal(first.qflag, second.qflag)
    assert checker.bit_table(first)["name"].tolist() == list(first.bits)
    copies = batch.select([2])
    check_assessment(checker, copies, checker.assess(copies, inherited=first.take(slice(40, None))))
    empty = LightcurveBatch.empty()
    check_assessment(checker, empty, checker.assess(empty))


@family("simulator")
def test_a_simulator_depends_on_the_seed_alone(found):
    batch, simulator = bin_of_lightcurves(), make(found)
    qflag = np.zeros(batch.n_epochs, np.int64)
    (here, truth), (there, _), (other, _) = (
        check_injection(simulator, batch, simulator.inject(batch, qflag, seed=seed)) for seed in (1, 1, 2)
    )
    assert fingerprint(here) == fingerprint(there) != fingerprint(other)
    assert truth["source"].tolist() == ["src0", "src2"]
    check_injection(simulator, batch.select([]), simulator.inject(batch.select([]), qflag[:0], seed=1))


@family("analysis")
def test_an_analysis_gives_all_tables_twice_the_same_and_of_nothing(found):
    batch, analysis = bin_of_lightcurves(), make(found)
    for part, sources in ((batch, sources_of(batch, "dark")), (LightcurveBatch.empty(), sources_of(batch))):
        first, second = (check_result(analysis, sources, analysis.analyze_photometry(sources, part)) for _ in range(2))
        tables = [{name: str(table) for name, table in result.tables.items()} for result in (first, second)]
        assert tables[0] == tables[1]
        assert analysis.columns.keys() <= first.tables["properties"].keys()


@family("catalog")
def test_a_catalog_can_be_made_and_read(found, tmp_path):
    section = {"class": f"{found.__module__}:{found.__name__}", "kwargs": OPTIONS[found.__name__]}
    remote = remote_catalog(section)
    about = make_catalog(remote.spec, tmp_path / remote.name)
    assert remote.is_at(tmp_path / remote.name)
    assert about["rows"] == len(read_catalog(tmp_path / remote.name, **remote.reading(tmp_path / remote.name))["name"])


# Finder of probable flares


def test_the_probability_of_a_flare_is_that_of_bayes_theorem():
    snr, prior, amplitude = np.array([0.5, 2.0, 4.0, 7.0]), 0.01, 5.0

    def density(x, variance):
        return np.exp(-(x**2) / 2 / variance) / np.sqrt(2 * np.pi * variance)

    flare, quiet = prior * density(snr, 26.0), (1 - prior) * density(snr, 1.0)
    np.testing.assert_allclose(flare_probability(snr, prior=prior, amplitude=amplitude), flare / (flare + quiet))
    assert flare_probability(np.array([-9.0, 60.0]), prior=prior, amplitude=amplitude).tolist() == [0.0, 1.0]


def test_a_probability_is_right_as_often_as_it_says():
    random = np.random.default_rng(4)
    flares = random.random(400000) < 0.05
    snr = random.normal(0, np.where(flares, np.sqrt(1 + 6.0**2), 1.0))
    bright = snr > 0
    probability = flare_probability(snr, prior=0.05, amplitude=6.0)
    for low, high in ((0.1, 0.4), (0.4, 0.7), (0.7, 0.95)):
        chosen = bright & (probability > low) & (probability < high)
        assert chosen.sum() > 300
        error = np.sqrt(np.sum(probability[chosen] * (1 - probability[chosen]))) / chosen.sum()
        assert abs(flares[chosen].mean() - probability[chosen].mean()) < 4 * error


def test_a_run_of_probable_epochs_is_one_detection():
    batch = put(make_batch([60], seed=1), 0, [30, 31, 32], flux=[1048.0, 1090.0, 1046.0])
    found = FlareProbability(max_gap_days=2).find(batch, np.zeros(60, np.int64)).detections
    assert (found["first_epoch"].tolist(), found["last_epoch"].tolist(), found["n_epochs"].tolist()) == (
        [30],
        [32],
        [3],
    )
    assert 0.99 <= found["score"][0] <= 1
    assert found["method"].tolist() == ["FlareProbability"]
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        FlareProbability(prior=1.5)


# Analysis with kernels


def test_errors_of_prediction_are_those_of_a_loop():
    random = np.random.default_rng(3)
    time, flux = np.sort(random.uniform(0, 50, 30)), random.normal(0, 1, 30)
    for width in (0.5, 5.0, np.inf):
        residuals = []
        for index in range(30):
            others = np.arange(30) != index
            weight = np.exp(-((time[others] - time[index]) ** 2) / (2 * width**2))
            residuals.append(flux[index] - np.average(flux[others], weights=weight))
        expected = np.mean(np.square(residuals))
        np.testing.assert_allclose(prediction_errors(time, flux, np.array([width])), [expected], rtol=1e-9)


def test_the_best_kernel_follows_the_source_and_a_constant_one_gains_nothing():
    batch = make_batch([200, 200, 2], seed=5)
    wave = batch.columns["flux"].copy()
    wave[:200] += 100 * np.sin(2 * np.pi * batch.columns["mjd"][:200] / 20)
    batch = batch.with_columns(flux=wave)
    sources = sources_of(batch, "dark")
    properties = NewAnalysis(num_kernels=20).analyze_photometry(sources, batch).tables["properties"]
    assert 0.5 < properties["kernel_days"][0] < 4
    assert properties["kernel_gain"][0] > 0.9
    assert abs(properties["kernel_gain"][1]) < 0.05
    assert np.isnan(properties["kernel_gain"][2:]).all()
    with pytest.raises(ValueError, match="num_kernels must be 1 or more"):
        NewAnalysis(num_kernels=0)


# The other examples


def test_epochs_without_neighbours_are_lonely():
    batch = make_batch([6, 1])
    mjd = np.array([0.0, 1.0, 9.0, 20.0, 20.5, 50.0, 7.0])
    assessment = LonelyEpochs(within_days=2.0).assess(batch.with_columns(mjd=mjd))
    lonely = (assessment.qflag & assessment.bits["LonelyEpochs"]) > 0
    assert lonely.tolist() == [False, False, True, False, False, True, True]


def test_sudden_events_are_halved_in_each_width():
    shape = SuddenEvents.profiles["sudden"].shape(np.array([-0.1, 0.0, 1.0, 2.0]))
    np.testing.assert_allclose(shape, [0, 1, 0.5, 0.25])
    batch = make_batch([400], seed=6)
    _, truth = SuddenEvents(kinds=["sudden"]).inject(batch, np.zeros(400, np.int64), seed=1)
    assert truth["kind"].tolist() == ["sudden"]


def test_a_grid_has_equal_steps_on_the_sky():
    rows = SkyGrid(ra=0.0, dec=60.0, size_deg=0.2, step_deg=0.1).rows()
    assert len(rows) == 9
    middle = [row for row in rows if row["dec"] == 60.0]
    np.testing.assert_allclose([(row["ra"] + 180) % 360 - 180 for row in middle], [-0.2, 0.0, 0.2], atol=1e-12)
    with pytest.raises(ConfigError, match=r"catalog: extensions.sky_grid:SkyGrid rejects its options: .*'ra'"):
        remote_catalog({"class": "extensions.sky_grid:SkyGrid"})


# Catalogs of a class

CATALOG = """
import numpy as np, pandas as pd
from astropy import units as u
from astropy.table import MaskedColumn, Table
from vo_lib.source_list import SourceList
ROWS = {"name": ["a", "b"], "ra": [1.5, 2.5], "dec": [3.0, 4.0], "mag": [15.0, None], "Pwd": [1, 0]}

class Own(SourceList):
    def __init__(self, form="dict", version="1"):
        self.form, self.number = form, version
    def version(self):
        return self.number
    def rows(self):
        return {
            "dict": ROWS,
            "frame": pd.DataFrame(ROWS),
            "absent": pd.DataFrame(ROWS | {"mag": [15.0, pd.NA]}),
            "units": ROWS | {"ra": [0.1, 2.5 / 15] * u.hourangle, "dec": [3 * 3600, 4 * 3600] * u.arcsec},
            "table": Table(ROWS | {"ra": [90, 150] * u.arcmin, "mag": MaskedColumn([15.0, 99.5], mask=[False, True])}),
            "whole": Table(ROWS | {"mag": MaskedColumn([15, 16], mask=[False, True])}),
            "bytes": Table(ROWS | {"name": [b"a", b"b"], "ra": ["0:6:0", "0:10:0"]}, units={"ra": "hourangle"}),
            "numerals": Table(ROWS | {"ra": ["90", "150"]}, units={"ra": "arcmin"}),
            "names": pd.DataFrame(ROWS | {"name": ["a", np.nan]}),
            "metres": ROWS | {"ra": [1.5, 2.5] * u.m},
            "other": ROWS | {"Pwd": [1, 0] * u.percent},
            "list": [dict(name="a", ra=1.5, dec=3, mag=15, Pwd=1), dict(name="b", ra=2.5, dec=4, Pwd=0)],
            "nothing": [],
            "text": "a, b",
            "short": ROWS | {"ra": [1.0]},
            "deep": ROWS | {"ra": [[1.0], [2.0]]},
            "far": ROWS | {"dec": [3.0, 99.0]},
        }[self.form]
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Class of a catalog that can be imported, under a name of its own for each test."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(CATALOG)
    monkeypatch.syspath_prepend(tmp_path)
    return f"{name}:Own"


def fetched(path, folder, **kwargs):
    """File of a catalog and what it is."""
    remote = remote_catalog({"class": path, "kwargs": kwargs})
    make_catalog(remote.spec, folder / remote.name)
    return remote, folder / remote.name


@pytest.mark.parametrize("form", ["dict", "frame", "list", "absent", "units", "table", "whole", "bytes", "numerals"])
def test_rows_in_any_form_are_one_catalog(own, tmp_path, form):
    remote, file = fetched(own, tmp_path, form=form)
    mags = read_catalog(file, **remote.reading(file))["mag"]
    np.testing.assert_array_equal(mags, [15.0, np.nan])
    table = read_catalog(file, cuts=["Pwd > 0.5"], **remote.reading(file))
    assert (table["name"].tolist(), table["ra"].tolist(), table["mag"].tolist()) == (["a"], [1.5], [15.0])
    assert table["epoch"].tolist() == [2016.0]
    with h5py.File(file) as products:
        assert len(products["sources"]) == 2


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("nothing", r"Own.rows\(\) must return a table, .* with sources, got a dict with nothing"),
        (
            "text",
            r"Own.rows\(\) must return a table, a dict of columns or a list of dicts with sources, got 'a, b'",
        ),
        ("short", "must return columns of 2 values, as name has"),
        ("deep", "must return numbers or text as column ra"),
        ("names", r"row 2: the source has no name"),
        ("metres", r"must return numbers in deg as column ra, got m;"),
        ("other", r"must return plain numbers as column Pwd, got %;"),
        ("far", r"Own.rows\(\): row 2: dec is 99.0, it must be between -90 and 90"),
    ],
)
def test_what_is_no_catalog_is_refused(own, tmp_path, form, message):
    with pytest.raises((PluginError, CatalogError), match=message):
        fetched(own, tmp_path, form=form)
    assert list(tmp_path.glob("*.h5")) == []


def test_another_version_or_option_is_another_catalog(own):
    kinds = [{}, {"version": "2"}, {"form": "frame"}, {}]
    names = [remote_catalog({"class": own, "kwargs": kwargs}).name for kwargs in kinds]
    assert len(set(names)) == 3
    assert names[0] == names[3]
    with pytest.raises(PluginError, match=r"Own.version\(\) must return a text or a number, got \[1\]"):
        remote_catalog({"class": own, "kwargs": {"version": [1]}})


def test_a_base_class_says_what_to_override():
    with pytest.raises(NotImplementedError, match="SourceList must override rows"):
        SourceList().rows()


def test_the_examples_are_short():
    for path in (PACKAGE_ROOT / "extensions").glob("*.py"):
        assert len(path.read_text().splitlines()) < 80, path.name
