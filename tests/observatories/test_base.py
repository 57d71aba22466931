"""What holds for every survey."""

import copy
import dataclasses
import importlib
import json
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, dataclass
from http.client import HTTPConnection
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from h5py import h5t
from servers.archives import ARCHIVES, ROWS, no_archive

from vo_lib.errors import ConfigError
from vo_lib.observatories import OBSERVATORIES, get_class
from vo_lib.observatories.base import VirtualObservatory
from vo_lib.observatories.demo import VirtualDemo
from vo_lib.observatories.parameters import check_range
from vo_lib.plugins import load_class
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.times import TimeSystem, standard_times

NUMBERS = {"time", "exptime", "ra", "dec"}


def plugins():
    """Names of the surveys in ``extensions/``, with where their classes are."""
    modules = [
        importlib.import_module(f"extensions.{path.stem}") for path in (PACKAGE_ROOT / "extensions").glob("*.py")
    ]
    return {
        kind.name: f"{module.__name__}:{kind.__name__}"
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, VirtualObservatory) and kind.__module__ == module.__name__
    }


SURVEYS = OBSERVATORIES | plugins()


@pytest.fixture(scope="module", params=list(SURVEYS))
def survey(request):
    """Each survey, plug-ins too, with an archive on this machine where it needs one."""
    with ARCHIVES.get(request.param, no_archive)() as parameters:
        yield load_class(SURVEYS[request.param])(**parameters)


@pytest.fixture(scope="module")
def answers(survey):
    """Answers for two sources."""
    return [survey.fetch_data_from_observatory(row)[0] for row in ROWS]


def test_a_survey_says_what_it_is(survey):
    assert SURVEYS[survey.name].endswith(type(survey).__name__)
    assert isinstance(survey, VirtualObservatory)
    assert isinstance(survey.time, TimeSystem)
    assert isinstance(survey.raw_schema, int)
    assert isinstance(survey.bad_flag_mask, int)
    assert isinstance(survey.release, str)
    assert all(name.startswith(f"{survey.name.lower()}-") for name in survey.filters)
    assert type(survey).__doc__
    assert "Parameters" in type(survey).Parameters.__doc__


def test_a_survey_is_explained_in_its_module_and_has_a_row_in_the_docs(survey):
    module = importlib.import_module(type(survey).__module__)
    if module.__name__.startswith("vo_lib."):
        wanted = {"Limits", "Times", "Fluxes", "Quality"} | ({"Service", "Reference"} if survey.service else set())
        assert wanted <= set(module.__doc__.splitlines())
        assert not survey.service or re.search("cite|acknowledge", module.__doc__, re.IGNORECASE)
        table = (PACKAGE_ROOT / "docs" / "observatories.md").read_text()
        assert re.search(rf"^\| [^|]+ \| `{survey.name.lower()}` \|", table, re.MULTILINE)


def test_bad_flags_are_named_and_limits_are_of_its_filters(survey):
    assert [survey.flag_mask(name) for name in ("none", "any")] == [0, -1]
    assert survey.flag_mask(7) == 7
    assert all(isinstance(survey.flag_mask(name), int) for name in ("default", *survey.flag_presets))
    assert set(survey.saturation_mag) <= set(survey.filters)
    with pytest.raises(ConfigError, match=f"{survey.name}: 'hrad' is not a choice of bad flags; "):
        survey.flag_mask("hrad")


def test_columns_have_a_type_a_unit_and_a_description(survey):
    for kind, unit, description in survey.columns.values():
        assert np.dtype(kind).str[1:] in ("i8", "f8") or np.dtype(kind).kind == "S"
        u.Unit(unit)
        assert description
    h5t.py_create(survey.dtype, logical=True)


def test_answers_have_the_columns_that_are_declared(survey, answers):
    for data in answers:
        assert len(data) > 0
        assert set(survey.columns) <= set(data.dtype.names)
        for name, (kind, _, _) in survey.columns.items():
            assert data.dtype[name].kind == np.dtype(kind).kind


@pytest.mark.parametrize("name", sorted(OBSERVATORIES.keys() - {"FILES"}))
def test_importing_and_making_a_survey_loads_no_heavy_library(name):
    code = (
        f"import sys; from vo_lib.observatories import get_class; get_class({name!r})();"
        "print({'requests', 'urllib3', 'pandas', 'pyarrow', 'astropy', 'scipy', 'xarray'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_each_request_takes_its_turn(survey, monkeypatch):
    turns, sent, send = [], [], HTTPConnection.putrequest

    def note(connection, *arguments, **options):
        sent.append(arguments)
        return send(connection, *arguments, **options)

    monkeypatch.setattr(HTTPConnection, "putrequest", note)
    fresh = type(survey)(**dataclasses.asdict(survey.pars))
    fresh.pace = SimpleNamespace(wait=lambda: turns.append("turn"))
    for row in ROWS:
        fresh.fetch_data_from_observatory(row)
    assert len(sent) >= (len(ROWS) if survey.service else 0)
    # The simulated survey sends nothing, and is asked once for each source all the same.
    assert len(turns) == (len(ROWS) if survey.name == "DEMO" else len(sent))


def test_fetching_leaves_the_row_alone_and_gives_json_beside_the_data(survey):
    row = dict(ROWS[0], pmra=None, pmdec=None, parallax=None, epoch=None, mag=None, mag_err=None, mag_filter=None)
    before = copy.deepcopy(row)
    data, altdata = survey.fetch_data_from_observatory(row)
    assert row == before
    assert json.loads(json.dumps(altdata)) == altdata
    again, _ = survey.download_from_observatory(row)
    assert again.tobytes() == data.tobytes()


def test_a_number_that_is_nan_in_a_row_is_as_good_as_none(survey):
    names = ("pmra", "pmdec", "parallax", "epoch", "mag", "mag_err")
    (known, beside), (data, altdata) = (
        survey.fetch_data_from_observatory(ROWS[0] | dict.fromkeys(names, missing)) for missing in (None, np.nan)
    )
    assert len(data) > 0
    assert data.tobytes() == known.tobytes()
    assert "NaN" not in json.dumps([altdata, beside])


def test_standard_columns_have_their_names_types_and_lengths(survey, answers):
    for data in (*answers, survey.empty_table()):
        standard = survey.standardise(data, {})
        pair = {"flux", "fluxerr"} if "flux" in standard else {"mag", "magerr"}
        assert set(standard) - {"readout"} == NUMBERS | pair | {"flag", "filter", "series"}
        assert "readout" not in standard or standard["readout"].dtype.kind == "U"
        assert all(values.shape == (len(data),) for values in standard.values())
        assert all(standard[name].dtype == np.float64 for name in NUMBERS | pair)
        assert standard["flag"].dtype == np.int64
        assert standard["filter"].dtype.kind == "U"
        assert standard["series"].dtype.kind == "U" or standard["series"].dtype == np.int64
        assert set(standard["filter"]) <= set(survey.filters)


def test_a_whole_bin_is_standardised_as_its_sources_one_by_one(survey, answers):
    declared = [data[list(survey.columns)] for data in (*answers, survey.empty_table())]
    whole = survey.standardise(np.concatenate(declared), {})
    parts = [survey.standardise(data, {}) for data in answers]
    for name, values in whole.items():
        assert np.array_equal(
            values, np.concatenate([part[name] for part in parts]), equal_nan=values.dtype.kind == "f"
        )


def test_standardising_changes_nothing_and_shares_nothing(survey, answers):
    data = answers[0].copy()
    data.setflags(write=False)
    altdata = {"x": [1]}
    standard = survey.standardise(data, altdata)
    assert data.tobytes() == answers[0].tobytes()
    assert altdata == {"x": [1]}
    assert not any(np.shares_memory(values, data) for values in standard.values())


def test_times_and_positions_are_plausible(survey, answers):
    standard = survey.standardise(answers[0], {})
    place = {name: standard[name] for name in ("exptime", "ra", "dec")}
    mjd, bjd = standard_times(standard["time"], survey.time, site=survey.site, **place)
    assert ((mjd > 50000) & (mjd < 62000)).all()
    assert (np.abs(bjd - mjd) < 0.01).all()
    separation = SkyCoord(0, 51.3937, unit="deg").separation(SkyCoord(place["ra"], place["dec"], unit="deg"))
    assert (separation.arcsec < 5).all()


def test_parameters_are_checked_and_cannot_be_changed(survey):
    with pytest.raises(FrozenInstanceError):
        survey.pars.latency_s = 1
    with pytest.raises(ConfigError, match=f"{survey.name}: 'no_such_key' is not a parameter; "):
        type(survey)(no_such_key=1)


class Toy(VirtualObservatory):
    """The smallest survey."""

    name = "TOY"

    @dataclass(frozen=True)
    class Parameters:
        """Parameters of each type."""

        radius_arcsec: float = 2.0
        retries: int = 3
        release: str = "dr1"
        faintest_mag: float | None = None

        def __post_init__(self):
            check_range(self, "radius_arcsec", 0, 10)

    def fetch_data_from_observatory(self, cat_row):
        return self.empty_table(), {}

    def standardise(self, data, altdata):
        return {}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radius": 1.0}, "TOY: 'radius' is not a parameter; did you mean 'radius_arcsec'?"),
        ({"xyz": 1.0}, "TOY: 'xyz' is not a parameter; known are radius_arcsec, retries, release, faintest_mag"),
        ({"radius_arcsec": "2"}, "TOY: radius_arcsec must be of type float, got '2'"),
        ({"radius_arcsec": True}, "TOY: radius_arcsec must be of type float, got True"),
        ({"retries": 2.5}, "TOY: retries must be of type int, got 2.5"),
        ({"retries": True}, "TOY: retries must be of type int, got True"),
        ({"release": 24}, "TOY: release must be of type str, got 24"),
        ({"release": None}, "TOY: release must be of type str, got None"),
        ({"faintest_mag": "20"}, "TOY: faintest_mag must be of type float, got '20'"),
        ({"faintest_mag": True}, "TOY: faintest_mag must be of type float, got True"),
        ({"radius_arcsec": 11}, "TOY: radius_arcsec must be between 0 and 10, got 11"),
        ({"radius_arcsec": float("nan")}, "TOY: radius_arcsec must be between 0 and 10, got nan"),
    ],
)
def test_unusable_parameters(parameters, message):
    with pytest.raises(ConfigError) as error:
        Toy(**parameters)
    assert str(error.value) == message


def test_parameters_that_are_not_given_have_their_defaults():
    assert Toy().pars == Toy(radius_arcsec=2).pars
    assert isinstance(Toy(radius_arcsec=2).pars.radius_arcsec, float)
    assert Toy(faintest_mag=None).pars.faintest_mag is None
    assert isinstance(Toy(faintest_mag=20).pars.faintest_mag, float)
    assert Toy(release="dr2").release == "dr2"


def test_a_survey_without_parameters_and_release():
    class Plain(Toy):
        Parameters = VirtualObservatory.Parameters

    assert Plain().release == ""
    with pytest.raises(ConfigError, match="known are none"):
        Plain(x=1)


def test_a_survey_must_say_how_to_fetch_and_standardise():
    with pytest.raises(TypeError, match=r"fetch_data_from_observatory.*standardise"):
        VirtualObservatory()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ZFT", "observatory 'ZFT' is not known; did you mean 'ZTF'?"),
        ("ztf", "observatory 'ztf' is not known; did you mean 'ZTF'?"),
        ("HUBBLE", "observatory 'HUBBLE' is not known; known are ASASSN, ATLAS, "),
    ],
)
def test_unknown_survey(name, message):
    with pytest.raises(ConfigError) as error:
        get_class(name)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("data_type", ["photometry", "phot", "lightcurve", "LC"])
def test_one_source_is_reduced_without_a_workflow(data_type):
    survey = VirtualDemo()
    row = {"name": "quiet star", "ra": 45.3, "dec": 10.0, "mag": None}
    data, altdata = survey.fetch_data_from_observatory(row)
    reduction = survey.reduce(row, data, altdata, data_type=data_type, gap_days=1000)
    assert reduction.batch.n_epochs == len(data) > 100
    assert set(reduction.batch.table["filter"]) == set(survey.filters)


def test_a_row_is_not_reduced_without_its_epochs():
    with pytest.raises(
        TypeError, match="data must be the epochs of the source, as fetch_data_from_observatory returns"
    ):
        VirtualDemo().reduce({"name": "x", "ra": 1, "dec": 2})


@pytest.mark.parametrize(("data_type", "message"), [("sed", "has no reduction"), ("radio", "is not known; known are")])
def test_other_types_of_data_have_no_reduction(data_type, message):
    with pytest.raises(ValueError, match=message):
        VirtualDemo().reduce({"name": "x", "ra": 1, "dec": 2}, VirtualDemo().empty_table(), data_type=data_type)


def test_a_source_without_data_has_no_lightcurves():
    reduction = VirtualDemo().reduce({"name": "x", "ra": 1, "dec": 2}, VirtualDemo().empty_table())
    assert reduction.batch.n_lightcurves == 0
