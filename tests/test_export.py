"""Files for other programs: what they hold is what the products hold."""

import json
import pickle
import re
import weakref
from dataclasses import replace
from xml.etree import ElementTree

import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.utils.data import get_readable_fileobj
from make_batch import make_batch

from vo_lib import hdf5
from vo_lib.downloads.foreign_frames import read_frame
from vo_lib.errors import UserError
from vo_lib.export import _WRITERS, FORMATS, guess_format
from vo_lib.exports.extract_files import LABELS, QFLAG, ProductFile, read_rows
from vo_lib.exports.skyportal import FILTER_NAMES, KEY, series_file, series_metadata, split_series, write_series
from vo_lib.extract import Extract, Wanted
from vo_lib.observatories import OBSERVATORIES, get_class
from vo_lib.reduction.reduced import DESCRIPTIONS, write_lightcurves
from vo_lib.storage import flat_rows

COLUMNS = LABELS | DESCRIPTIONS | QFLAG
HEADER = {
    "project": "DEMO",
    "tag": "demo",
    "provenance of reduce DEMO": "0123",
    "made by": "vo_lib",
    "times": "μ & <UTC>",
}
NAMES = ("a", 'b"1, <&> #2', "ß/ü")
# Of the list of sncosmo, which SkyPortal takes: the names that begin so.
SNCOSMO = {
    *(f"ztf{band}" for band in "gri"),
    *(f"ps1::{band}" for band in "grizy"),
    "atlasc",
    "atlaso",
    "tess",
    "kepler",
}
SNCOSMO |= {"gaia::g", "gaia::gbp", "gaia::grp"}
# What SkyPortal's API for photometric series takes beside these: who owns it and who may see it.
KNOWN_METADATA = {"series_name", "series_obj_id", "obj_id", "instrument_id", "ra", "dec", "exp_time", "filter"}
KNOWN_METADATA |= {"origin", "time_stamp_alignment", "altdata"}


def make_table(names, n_epochs=4, seed=1):
    """Epochs of one lightcurve for each source, with negative and missing values."""
    rng = np.random.default_rng(seed)
    n_rows = len(names) * n_epochs
    table = {name: rng.normal(0, 1e3, n_rows) for name in DESCRIPTIONS if name != "flag"}
    table["mag"][0], table["magerr"][0] = np.nan, np.nan
    table["flag"] = table["qflag"] = rng.integers(0, 2**40, n_rows)
    labels = {"source": names, "obs": ["DEMO"] * len(names), "filter": ["ztf-r"] * len(names)}
    labels["lightcurve"] = [f"{name}_reduction_01_of_01" for name in names]
    table |= {name: np.repeat(np.array(values), n_epochs) for name, values in labels.items()}
    return {name: table[name] for name in COLUMNS}


@pytest.fixture
def extracted():
    """Two tables with text of different widths."""
    return Extract(COLUMNS, HEADER, lambda: iter([make_table(NAMES[:1]), make_table(NAMES[1:], seed=2)]))


def expected():
    """All rows."""
    parts = [make_table(NAMES[:1]), make_table(NAMES[1:], seed=2)]
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


def write(kind, extracted, folder):
    """Write a file and give its path."""
    path = folder / f"x.{kind}"
    _WRITERS[kind](path, extracted)
    return path


# Before pandas 3.1 the usual way of reading numbers is not exact.
EXACT = {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
READERS = {
    "csv": lambda path: Table.read(path, format="ascii.csv", comment="#"),
    "ecsv": lambda path: Table.read(path, format="ascii.ecsv"),
    "votable": lambda path: Table.read(path, format="votable"),
    "fits": lambda path: Table.read(path, format="fits"),
    "parquet": pd.read_parquet,
    "csv by pandas": lambda path: pd.read_csv(path, comment="#", **EXACT),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_gives_back_every_number_and_name(reader, extracted, tmp_path):
    pytest.importorskip("pyarrow") if reader == "parquet" else None
    found = READERS[reader](write(reader.split()[0], extracted, tmp_path))
    assert list(found.columns) == list(COLUMNS)
    for name, values in expected().items():
        column = np.asarray(found[name])
        if values.dtype.kind == "U":
            column = np.char.decode(column, "utf-8") if column.dtype.kind == "S" else column.astype(str)
        np.testing.assert_array_equal(column, values, err_msg=name)


def test_a_votable_with_what_no_xml_can_have_is_read(tmp_path):
    """As raw text of an archive; a NUL in the file would make all of it unreadable."""
    table = {"source": np.array(["a\x1b[2J", "b\uffff", "ß"])}
    path = write("votable", Extract({"source": ("", "")}, HEADER, lambda: iter([table])), tmp_path)
    assert READERS["votable"](path)["source"].tolist() == ["a\ufffd[2J", "b\ufffd", "ß"]


def test_names_that_pandas_takes_for_missing_stay_names_as_documented(tmp_path):
    table = make_table(["NA", "None", "null"])
    path = write("csv", Extract(COLUMNS, HEADER, lambda: iter([table])), tmp_path)
    found = pd.read_csv(path, comment="#", keep_default_na=False, na_values=["nan"], **EXACT)
    assert found["source"].tolist() == table["source"].tolist()
    np.testing.assert_array_equal(found["mag"], table["mag"])


@pytest.mark.parametrize("kind", ["ecsv", "votable", "fits"])
def test_units_are_those_of_the_columns(kind, extracted, tmp_path):
    found = READERS[kind](write(kind, extracted, tmp_path))
    assert {name: str(found[name].unit or "") for name in COLUMNS} == {
        name: unit for name, (unit, _) in COLUMNS.items()
    }


@pytest.mark.parametrize("kind", _WRITERS)
def test_the_head_says_provenance_tag_and_times(kind, extracted, tmp_path):
    if kind in ("parquet", "nested"):
        parquet = pytest.importorskip("pyarrow.parquet")
        assert json.loads(parquet.read_schema(write(kind, extracted, tmp_path)).metadata[b"header"]) == HEADER
        return
    text = write(kind, extracted, tmp_path).read_bytes().decode("utf-8", errors="replace")
    assert "0123" in text
    assert re.search(r"tag[^\n]{0,20}demo", text)
    assert "BJD_TDB - 2400000.5" in text


def test_time_systems_are_in_the_words_of_the_format(extracted, tmp_path):
    with get_readable_fileobj(write("votable", extracted, tmp_path)) as file:
        text = file.read()
    assert '<TIMESYS ID="utc_mjd" refposition="TOPOCENTER" timeorigin="MJD-origin" timescale="UTC"/>' in text
    assert re.search(r'<FIELD ID="bmjd_tdb"[^>]*ref="bmjd_tdb_time"', text)
    header = fits.getheader(write("fits", extracted, tmp_path), 1)
    assert (header["TIMESYS"], header["TREFPOS"], header["TIMEUNIT"]) == ("UTC", "TOPOCENTER", "d")
    number = list(COLUMNS).index("bmjd_tdb") + 1
    assert (header[f"TCTYP{number}"], header[f"TRPOS{number}"]) == ("TDB", "BARYCENTER")


@pytest.mark.parametrize("n_rows", [0, 4])
def test_elements_of_a_votable_have_the_order_of_its_schema(n_rows, tmp_path):
    """In a TABLE a DATA follows the FIELDs at once; an INFO between them is valid for none."""
    table = {name: values[:n_rows] for name, values in make_table(NAMES[:1]).items()}
    root = ElementTree.parse(write("votable", Extract(COLUMNS, HEADER, lambda: iter([table])), tmp_path)).getroot()
    (resource,) = root
    tags = [[child.tag.rpartition("}")[2] for child in parent] for parent in (resource, resource[-1])]
    assert tags == [[*["INFO"] * len(HEADER), "TIMESYS", "TIMESYS", "TABLE"], [*["FIELD"] * len(COLUMNS), "DATA"]]


def test_barycentric_raw_times_are_not_called_utc(tmp_path):
    """As of TESS, whose only time is BJD in TDB."""
    columns, values = {"source": ("", ""), "TIME": ("d", "BJD - 2457000, TDB")}, [np.array(["a"]), np.array([1325.3])]
    table = dict(zip(columns, values, strict=True))
    raw = Extract(columns, HEADER | {"times": "TDB at the barycentre"}, lambda: iter([table]))
    header = fits.getheader(write("fits", raw, tmp_path), 1)
    assert {"TIMESYS", "TREFPOS"}.isdisjoint(header)
    assert "times: TDB at the barycentre" in str(header["COMMENT"])


def test_raw_times_of_another_system_are_not_called_utc_by_their_name(extracted, tmp_path):
    raw = replace(extracted, has_our_times=False)
    header = fits.getheader(write("fits", raw, tmp_path), 1)
    assert {"TIMESYS", "TREFPOS"}.isdisjoint(header)
    assert not [key for key in header if key.startswith(("TCTYP", "TRPOS"))]
    assert "TIMESYS" not in write("votable", raw, tmp_path).read_text()


def test_a_fits_file_keeps_the_rules_of_the_standard(extracted, tmp_path):
    path = write("fits", extracted, tmp_path)
    with fits.open(path) as file:
        file.verify("exception")
        assert [len(hdu.data) for hdu in file[1:]] == [12]
        assert [file[1].header[f"TCOMM{number}"] for number in range(1, len(COLUMNS) + 1)] == [
            text for _, text in COLUMNS.values()
        ]
    assert path.stat().st_size % 2880 == 0


@pytest.mark.parametrize("kind", _WRITERS)
def test_without_rows_a_file_has_its_columns(kind, tmp_path):
    if kind in ("parquet", "nested"):
        pytest.importorskip("pyarrow")
    empty = {name: values[:0] for name, values in make_table(NAMES).items()}
    path = write(kind, Extract(COLUMNS, HEADER, lambda: iter([empty])), tmp_path)
    reader = READERS.get(kind, pd.read_parquet)
    if kind != "csv":  # of which astropy takes no table without rows
        found = reader(path)
        assert (len(found), found["filter"].dtype.kind in "OSU") == (0, True)
    assert len(pd.read_csv(path, comment="#")) == 0 if kind == "csv" else True


def test_nested_rows_are_lightcurves_with_lists_of_epochs(extracted, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    found = parquet.read_table(write("nested", extracted, tmp_path)).to_pylist()
    assert [row["source"] for row in found] == list(NAMES)
    whole = expected()
    for row in found:
        own = whole["source"] == row["source"]
        for name, values in row["lightcurve_data"].items():
            np.testing.assert_array_equal(values, whole[name][own])


@pytest.mark.parametrize("kind", _WRITERS)
def test_few_bins_are_in_memory_at_a_time(kind, tmp_path):
    if kind in ("parquet", "nested"):
        pytest.importorskip("pyarrow")
    alive = weakref.WeakSet()

    class Held(dict):
        __hash__ = object.__hash__

    def tables():
        for number in range(6):
            table = Held(make_table([f"s{number}"]))
            alive.add(table)
            yield table
            del table
            assert len(alive) <= 2

    write(kind, Extract(COLUMNS, HEADER, tables), tmp_path)


def test_the_same_rows_give_the_same_bytes(extracted, tmp_path):
    for kind in _WRITERS:
        first = write(kind, extracted, tmp_path).read_bytes()
        assert write(kind, extracted, tmp_path).read_bytes() == first, kind


def test_lightkurve_takes_the_columns(extracted, tmp_path):
    lightkurve = pytest.importorskip("lightkurve")
    from astropy.time import Time

    table = READERS["ecsv"](write("ecsv", extracted, tmp_path))
    time = Time(table["bmjd_tdb"], format="mjd", scale="tdb")
    curve = lightkurve.LightCurve(time=time, flux=table["flux"], flux_err=table["fluxerr"])
    np.testing.assert_array_equal(np.asarray(curve.flux), expected()["flux"])


@pytest.mark.parametrize(("name", "kind"), [("x.CSV", "csv"), ("x.vot", "votable"), ("a.b/x.fits", "fits")])
def test_the_suffix_says_the_format(name, kind):
    assert guess_format(name) == kind


def test_an_unknown_suffix_is_told_with_all_formats():
    with pytest.raises(UserError, match=r"x.dat: no format is known by this suffix; say --format csv or .*skyportal"):
        guess_format("x.dat")
    assert set(FORMATS) == {*_WRITERS, "skyportal"}


# SkyPortal


@pytest.fixture
def series(tmp_path):
    """One lightcurve in a file for SkyPortal, with its epochs and metadata."""
    epochs = list(split_series(expected()))[1]
    metadata = series_metadata(epochs, instrument_id=7, filter_names={}, header=HEADER)
    path = tmp_path / "x.h5"
    write_series(path, epochs, metadata)
    return path, epochs, metadata


def test_a_table_is_split_by_lightcurves():
    parts = list(split_series(expected()))
    assert [set(part["source"].tolist()) for part in parts] == [{name} for name in NAMES]


def test_a_series_has_the_columns_and_numbers_of_the_lightcurve(series):
    path, epochs, _ = series
    with h5py.File(path) as file:
        assert list(file) == [KEY]
        found = read_frame(file[KEY])
    names = {"exp_time": "exptime"}
    assert {"mjd", "flux", "fluxerr", "mag", "magerr"} <= set(found)
    for name, values in found.items():
        np.testing.assert_array_equal(values, epochs[names.get(name, name)])


def test_metadata_are_those_that_skyportal_knows(series):
    path, _, metadata = series
    with h5py.File(path) as file:
        assert pickle.loads(file[KEY].attrs["metadata"]) == metadata
    assert set(metadata) == KNOWN_METADATA
    assert (metadata["filter"], metadata["instrument_id"]) == ("ztfr", 7)
    assert re.fullmatch(r"[\w+\-/]*", metadata["series_name"])
    assert re.fullmatch(r"[\w+\-]*", metadata["series_obj_id"])
    assert metadata["altdata"]["source"] == NAMES[1]


@pytest.mark.parametrize("right_ascensions", [[10.0, 10.0002], [359.9999, 0.0001], [0.0001, 359.9999]])
def test_the_place_of_a_series_is_between_its_epochs(right_ascensions):
    epochs = {name: values[:2] for name, values in make_table(NAMES[:1]).items()}
    epochs |= {"ra": np.array(right_ascensions), "dec": np.array([20.0, 20.0002])}
    metadata = series_metadata(epochs, instrument_id=7, filter_names={}, header=HEADER)
    apart = (metadata["ra"] - right_ascensions[0] + 180) % 360 - 180
    assert (abs(apart), metadata["dec"]) == pytest.approx((0.0001, 20.0001), abs=1e-8)


def test_pandas_reads_a_series_as_skyportal_does(series):
    pytest.importorskip("tables")
    path, epochs, metadata = series
    options = {"driver": "H5FD_CORE", "driver_core_backing_store": 0, "driver_core_image": path.read_bytes()}
    with pd.HDFStore("data.h5", mode="r", **options) as store:
        (key,) = store.keys()
        frame, found = store[key], store.get_storer(key).attrs["metadata"]
    assert found == metadata
    np.testing.assert_array_equal(frame["flux"], epochs["flux"])
    assert frame.index.equals(pd.RangeIndex(len(frame)))


def test_filters_have_the_names_of_sncosmo_and_their_own_band():
    assert set(FILTER_NAMES.values()) == SNCOSMO
    declared = [get_class(obs).filters for obs in OBSERVATORIES]
    ours = {name for names in declared if isinstance(names, tuple) for name in names}
    assert set(FILTER_NAMES) <= ours
    for name, theirs in FILTER_NAMES.items():
        if not name.startswith(("tess", "kepler")):
            assert theirs.endswith(name.rpartition("-")[2])


def test_a_filter_without_a_name_there_is_told_and_may_be_given():
    epochs = next(split_series(expected() | {"filter": np.full(12, "demo-g")}))
    with pytest.raises(UserError, match="filter 'demo-g' has no name that SkyPortal knows; give that of its band"):
        series_metadata(epochs, instrument_id=1, filter_names={}, header=HEADER)
    made = series_metadata(epochs, instrument_id=1, filter_names={"demo-g": "sdssg"}, header=HEADER)
    assert made["filter"] == "sdssg"


def test_files_of_series_have_names_that_are_no_folders(tmp_path):
    names = [series_file(tmp_path, epochs).name for epochs in split_series(expected())]
    assert names[0] == "DEMO_a_reduction_01_of_01.h5"
    assert len(set(names)) == 3
    assert not any("/" in name for name in names)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"what": "detection"}, "what is 'detection'; did you mean 'detections'"),
        ({"level": "redused"}, "level is 'redused'; did you mean 'reduced'"),
        ({"what": "detections", "level": "raw"}, "detections are not raw, because only lightcurves have levels; leave"),
        ({"what": "series", "level": "processed"}, "series are not processed, because only lightcurves have levels"),
    ],
)
def test_what_there_cannot_be_is_refused(wanted, message):
    with pytest.raises(UserError, match=message):
        Wanted(**wanted)


def test_events_of_a_survey_are_those_that_it_saw_whichever_saw_them_best(tmp_path):
    events = {
        "source": np.array(["a", "a", "b"]),
        "surveys": np.array(["ATLAS ZTF", "ATLAS", "ZTF ZTF_FORCED"]),
        "obs": np.array(["ATLAS", "ATLAS", "ZTF_FORCED"]),
    }
    path = tmp_path / "RA000_analysis.h5"
    with hdf5.Writer(path) as file:
        file.write_table("events", events)

    def found(obs, names=None):
        return read_rows(None, Wanted("events", obs=obs), ProductFile(path, "", "RA000", names))["source"].tolist()

    assert (found("ztf"), found("ATLAS"), found("ztf_forced"), found("")) == (["a", "b"], ["a", "a"], ["b"], [*"aab"])
    assert found("ztf", {"b"}) == ["b"]


def test_lightcurves_are_read_from_their_places_in_the_file(tmp_path, monkeypatch):
    batch = make_batch([4, 0, 3], sources=["a", "b", "a"])
    with hdf5.Writer(tmp_path / "x.h5") as writer:
        index = write_lightcurves(writer, batch) | {"n_epochs": batch.counts}
        writer.write_table("index", index)
    monkeypatch.setattr(flat_rows, "_fill_by_keys", lambda *_: pytest.fail("datasets were opened one by one"))
    product = ProductFile(tmp_path / "x.h5", "DEMO", "RA000", {"a"})
    found = read_rows(None, Wanted(level="processed"), product)
    np.testing.assert_array_equal(found["mjd"], batch.columns["mjd"])
    assert found["lightcurve"].tolist() == np.repeat(batch.table["key"], batch.counts).tolist()
