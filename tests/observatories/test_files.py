"""Own lightcurves: what stands in a file comes out right, and what is not said is not guessed."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
import yaml
from astropy.coordinates import EarthLocation, SkyCoord
from astropy.io import fits
from astropy.table import Table, vstack
from astropy.time import Time
from servers.files import PARAMETERS, lightcurve
from table_files import FORMATS, write

from vo_lib.config import complete, load_schema
from vo_lib.download import download_bin
from vo_lib.errors import ConfigError, ServiceError, UserError
from vo_lib.observatories import file_tables, files
from vo_lib.observatories.file_tables import read_table
from vo_lib.observatories.files import VirtualFiles
from vo_lib.photometry import mag_from_flux
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.raw import read_epochs
from vo_lib.reduce import reduce_bin
from vo_lib.times import TimeSystem, standard_times

SCHEMA = load_schema(PACKAGE_ROOT / "workflow/schemas/config.schema.yaml")
ROW = {"name": "a", "ra": 10.0, "dec": 20.0}
PLAIN = {
    "columns": {"time": "t", "mag": "m", "magerr": "e"},
    "time_format": "mjd",
    "time_scale": "utc",
    "time_reference": "observatory",
    "time_stamp": "mid",
    "filter": "g",
}
FLUX = {"columns": {"time": "t", "flux": "f", "fluxerr": "e"}}
ONE_FILE = {"columns": PARAMETERS["columns"] | {"source": "star"}}


def survey_of(folder, text=None, **changes):
    """The survey on a folder with `text` as the file of source a."""
    if text is not None:
        (folder / "a.txt").write_text(text)
    return VirtualFiles(**PLAIN | {"path": f"{folder}/{{name}}.txt"} | changes)


def fetch(folder, text=None, row=ROW, **changes):
    """Epochs that a file gives."""
    return survey_of(folder, text, **changes).fetch_data_from_observatory(row)[0]


def standardise(folder, text, **changes):
    """Standard columns that a file gives."""
    survey = survey_of(folder, text, **changes)
    return survey.standardise(*survey.fetch_data_from_observatory(ROW))


def stars(seeds=(1, 2)):
    """Lightcurves of several stars in one table, their rows mixed."""
    tables = [lightcurve(seed=seed, n_epochs=8) for seed in seeds]
    for seed, table in zip(seeds, tables, strict=True):
        table["star"] = f"star {seed}"
    table = vstack(tables)
    return table[np.random.default_rng(0).permutation(len(table))]


# Formats and layouts


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_same_lightcurve(kind, tmp_path):
    table = lightcurve()
    write(table, tmp_path, kind, "a.txt")
    units = {"flux": "mJy", "exptime": "min"} if kind.startswith("csv") else {}
    survey = VirtualFiles(**PARAMETERS | {"path": f"{tmp_path}/{{name}}.txt", "units": units})
    data, _ = survey.fetch_data_from_observatory(ROW)
    standard = survey.standardise(data, {})
    np.testing.assert_array_equal(standard["time"], table["BJD"])
    np.testing.assert_allclose(standard["flux"], table["flux"] * 1000, rtol=1e-15)
    np.testing.assert_allclose(standard["fluxerr"], 10, rtol=1e-15)
    assert set(standard["exptime"]) == {120.0}
    assert standard["flag"].tolist() == [0, 4, 0, 0, 0, 0]
    assert standard["filter"].tolist() == ["files-g", "files-r"] * 3
    assert standard["series"].tolist() == ["north"] * 6
    assert (set(standard["ra"]), set(standard["dec"])) == ({10.0}, {20.0})


@pytest.mark.parametrize("kind", FORMATS)
def test_one_file_for_all_gives_what_a_file_for_each_gives(kind, tmp_path):
    table = stars()
    units = {"units": {"flux": "mJy", "exptime": "min"} if kind.startswith("csv") else {}}
    write(table, tmp_path, kind, "all.txt")
    shared = VirtualFiles(**PARAMETERS | ONE_FILE | units | {"path": f"{tmp_path}/all.txt"})
    for name in ("star 1", "star 2"):
        write(table[table["star"] == name], tmp_path, kind, f"{name}.csv")
        alone = VirtualFiles(**PARAMETERS | units | {"path": f"{tmp_path}/{{name}}.csv"})
        data = [survey.fetch_data_from_observatory(ROW | {"name": name})[0] for survey in (shared, alone)]
        assert len(data[0]) == 8
        assert data[0].tobytes() == data[1].tobytes()


def test_the_archive_keeps_all_columns_of_the_file_with_their_units(tmp_path):
    table = lightcurve()
    table["pixels"] = np.zeros((6, 3))
    table["comment"] = ["ok", "", "Größe", "a,b", "x", "y"]
    write(table, tmp_path, "binary2", "a.txt")
    survey = VirtualFiles(**PARAMETERS | {"path": f"{tmp_path}/{{name}}.txt"})
    data, beside = survey.fetch_data_from_observatory(ROW)
    own = [name for name in data.dtype.names if not name.startswith("vo_")]
    assert own == [name for name in table.colnames if name != "pixels"]
    for name in ("BJD", "flux", "quality", "airmass"):
        np.testing.assert_array_equal(data[name], table[name])
    assert data["band"].tolist() == [b"1", b"2"] * 3
    assert data["comment"][2].decode() == "Größe"
    assert beside["units"] == {"BJD": "d", "flux": "mJy", "e_flux": "mJy", "t_exp": "min", "RA": "deg", "Dec": "deg"}
    assert beside["not_taken"] == ["pixels"]
    assert beside["file"] == f"{tmp_path}/a.txt"


def test_the_index_of_pandas_has_no_name_and_is_not_taken(tmp_path):
    pd.DataFrame({"t": [58000.1, 58000.2], "m": [15.0, 16.0], "e": [0.1, 0.2]}).to_csv(tmp_path / "a.txt")
    data, beside = survey_of(tmp_path).fetch_data_from_observatory(ROW)
    assert [name for name in data.dtype.names if not name.startswith("vo_")] == ["t", "m", "e"]
    assert data["vo_mag"].tolist() == [15.0, 16.0]
    assert beside["not_taken"] == [""]


def test_one_file_for_all_is_read_once_for_all_threads(tmp_path, monkeypatch):
    write(stars(range(50)), tmp_path, "ecsv", "all.txt")
    calls, read = [], file_tables.read_table
    monkeypatch.setattr(files, "read_table", lambda *args, **options: calls.append(args) or read(*args, **options))
    survey = VirtualFiles(**PARAMETERS | ONE_FILE | {"path": f"{tmp_path}/all.txt"})
    rows = [ROW | {"name": f"star {number}"} for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(survey.fetch_data_from_observatory, rows))
    assert len(calls) == 1
    assert [set(data["star"]) for data, _ in answers] == [{row["name"].encode()} for row in rows]


def test_many_threads_read_many_files(tmp_path):
    for number, kind in enumerate(["fits", "binary2", "hdf5", "ecsv"] * 5):
        write(lightcurve(seed=number), tmp_path, kind, f"{number}.lc")
    survey = VirtualFiles(**PARAMETERS | {"path": f"{tmp_path}/{{name}}.lc"})
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(survey.fetch_data_from_observatory, [ROW | {"name": str(n)} for n in range(20)]))
    for number, (data, _) in enumerate(answers):
        np.testing.assert_array_equal(data["vo_time"], lightcurve(seed=number)["BJD"])


# Names and paths


def test_a_source_without_a_file_or_rows_is_empty(tmp_path):
    survey = survey_of(tmp_path, "t,m,e\n")
    for name, note in (("a", "no rows"), ("none", "no such file"), ("x" * 300, "no such file")):
        data, beside = survey.fetch_data_from_observatory(ROW | {"name": name})
        assert (data.shape, beside["note"]) == ((0,), note)
    write(stars(), tmp_path, "csv", "all.txt")
    units = {"flux": "mJy", "exptime": "min"}
    shared = VirtualFiles(**PARAMETERS | ONE_FILE | {"path": f"{tmp_path}/all.txt", "units": units})
    data, beside = shared.fetch_data_from_observatory(ROW | {"name": "star"})
    assert (data.shape, beside["note"]) == ((0,), "no rows")


def test_a_folder_in_the_place_of_a_file_is_a_failure(tmp_path):
    (tmp_path / "b.txt").mkdir()
    survey = survey_of(tmp_path, "t,m,e\n58000,1,1\n")
    assert len(survey.fetch_data_from_observatory(ROW)[0]) == 1
    with pytest.raises(ServiceError, match=r"/b\.txt: cannot be read \(.*Is a directory"):
        survey.fetch_data_from_observatory(ROW | {"name": "b"})


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "b/c", "..", ".", "", "x\0y"])
@pytest.mark.parametrize("pattern", ["{name}.txt", "{name}", "{name}/x.txt", "lc/{name}/{name}.txt"])
def test_a_name_never_leads_to_another_folder(tmp_path, name, pattern):
    (tmp_path / "secret.txt").write_text("t,m,e\n58000,1,1\n")
    folder = tmp_path / "mine"
    for known in ("a", "b"):
        (folder / "lc" / known).mkdir(parents=True)
        for path in (pattern.replace("{name}", known), f"lc/{known}/{known}.txt"):
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text("t,m,e\n58000,1,1\n")
    survey = survey_of(tmp_path, path=f"{folder}/{pattern}")
    assert len(survey.fetch_data_from_observatory(ROW)[0]) == 1
    with pytest.raises(ServiceError, match="cannot be the name of a file"):
        survey.fetch_data_from_observatory(ROW | {"name": name})


def test_names_with_wildcards_and_blanks_are_names(tmp_path):
    (tmp_path / "[odd] *").mkdir()
    survey = survey_of(tmp_path / "[odd] *", "t,m,e\n58000,1,1\n")
    (tmp_path / "[odd] *" / "V* X?.txt").write_text("t,m,e\n58001,1,1\n")
    assert fetch(tmp_path / "[odd] *", row=ROW | {"name": "V* X?"})["t"].tolist() == [58001]
    assert len(survey.fetch_data_from_observatory(ROW | {"name": "*"})[0]) == 0


def test_on_a_disk_that_does_not_tell_capitals_a_source_has_no_file_of_another_one(tmp_path, monkeypatch):
    survey, exists = survey_of(tmp_path, "t,m,e\n58000,1,1\n"), os.path.exists
    monkeypatch.setattr("os.path.exists", lambda path: exists(str(path).lower()))
    monkeypatch.setattr(files, "read_table", lambda path, *rest, **more: read_table(path.lower(), *rest, **more))
    data, beside = survey.fetch_data_from_observatory(ROW | {"name": "A"})
    assert (len(data), beside) == (0, {"file": f"{tmp_path}/A.txt", "note": "no such file"})


@pytest.mark.parametrize(("listed", "name"), [("u\u0308 Her", "ü Her"), ("ü Her", "u\u0308 Her")])
def test_letters_with_accents_may_be_one_character_or_two(tmp_path, listed, name):
    (tmp_path / f"{listed}.txt").write_text("t,m,e\n58001,1,1\n")
    data, beside = survey_of(tmp_path).fetch_data_from_observatory(ROW | {"name": name})
    assert (data["t"].tolist(), beside["file"]) == ([58001], f"{tmp_path}/{listed}.txt")


def test_a_change_of_a_file_is_another_release_and_a_move_is_not(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    release = survey_of(first, "t,m,e\n58000,1,1\n").release
    first.rename(second)
    assert survey_of(second).release == release
    os.utime(second / "a.txt", ns=(1, 1))
    touched = survey_of(second).release
    (second / "b.txt").write_text("t,m,e\n58000,1,1\n")
    assert len({release, touched, survey_of(second).release}) == 3


def test_without_any_file_there_is_no_survey(tmp_path):
    with pytest.raises(ConfigError, match=r"FILES: there is no file .*\{name\}.txt; correct path"):
        survey_of(tmp_path)
    with pytest.raises(ConfigError, match="FILES: path must be set"):
        fetch(tmp_path, path="")


def test_a_symbolic_link_to_nothing_is_told_as_such(tmp_path):
    (tmp_path / "b.txt").symlink_to("/nowhere/b.txt")
    told = f"{tmp_path}/b.txt: is a symbolic link to /nowhere/b.txt, which does not exist; correct or remove the link"
    for changes in ({}, {"path": f"{tmp_path}/b.txt", "columns": PLAIN["columns"] | {"source": "star"}}):
        with pytest.raises(ConfigError, match=f"FILES: {told}"):
            survey_of(tmp_path, **changes)
    survey = survey_of(tmp_path, "t,m,e\n58000,1,1\n")
    assert len(survey.fetch_data_from_observatory(ROW)[0]) == 1
    with pytest.raises(ServiceError, match=told):
        survey.fetch_data_from_observatory(ROW | {"name": "b"})
    (tmp_path / "c.txt").symlink_to("a.txt")
    assert len(survey_of(tmp_path).fetch_data_from_observatory(ROW | {"name": "c"})[0]) == 1


# Times

SITE = (-70.7, -30.2, 2700.0)
MOMENTS = ["2010-03-01T05:00:00.000", "2016-12-31T09:30:00.250", "2017-01-01T00:00:00.000", "2023-07-15T23:59:59.500"]
SHIFTS = {"start": -30.0, "mid": 0.0, "end": 30.0}


MIDDLE = Time(MOMENTS, format="isot", scale="utc", location=EarthLocation.from_geodetic(*SITE[:2], SITE[2]))


def light_time(times, reference):
    """Light time to the barycentre or the Sun by astropy."""
    kind = {"barycentre": "barycentric", "heliocentre": "heliocentric"}[reference]
    return times.light_travel_time(SkyCoord(10.0, 20.0, unit="deg"), kind=kind, ephemeris="builtin")


@pytest.mark.parametrize(
    ("time_format", "scale", "reference", "stamp", "numbers"),
    [
        ("mjd", "utc", "observatory", "start", lambda t: t.mjd),
        ("mjd", "tai", "observatory", "end", lambda t: t.mjd),
        ("mjd-50000", "tt", "observatory", "mid", lambda t: (t.jd1 - 2450000.5) + t.jd2),
        ("jd-2450000", "tcb", "barycentre", "mid", lambda t: (t.jd1 - 2450000) + t.jd2),
        ("bjd-2457000", "tdb", "barycentre", "start", lambda t: (t.jd1 - 2457000) + t.jd2),
        ("bjd-2454833", "utc", "barycentre", "end", lambda t: (t.jd1 - 2454833) + t.jd2),
        ("hjd-2400000.5", "utc", "heliocentre", "mid", lambda t: t.mjd),
        ("hjd-2400000.5", "tt", "heliocentre", "start", lambda t: t.mjd),
        ("unix", "utc", "observatory", "mid", lambda t: t.unix),
        ("GPS", "tai", "observatory", "start", lambda t: t.gps),
        ("Julian year", "tt", "observatory", "mid", lambda t: t.jyear),
        ("BTJD", "tdb", "barycentre", "mid", lambda t: (t.jd1 - 2457000) + t.jd2),
        ("iso", "utc", "observatory", "start", lambda t: t.isot),
        ("iso", "tdb", "barycentre", "mid", lambda t: t.isot),
    ],
)
def test_times_are_those_of_astropy(tmp_path, time_format, scale, reference, stamp, numbers):
    given = MIDDLE + SHIFTS[stamp] * u.s
    if reference != "observatory":
        given = given.tdb + light_time(given, reference)
    given = getattr(given, scale)
    given.precision = 9
    Table({"t": numbers(given), "m": [15.0] * 4, "e": [0.01] * 4}).write(tmp_path / "a.txt", format="ascii.csv")
    changes = {"time_format": time_format, "time_scale": scale, "time_reference": reference, "time_stamp": stamp}
    survey = survey_of(tmp_path, site=list(SITE), exptime_s=60, **changes)
    standard = survey.standardise(*survey.fetch_data_from_observatory(ROW))
    columns = {name: standard[name] for name in ("exptime", "ra", "dec")}
    mjd, bjd = standard_times(standard["time"], survey.time, site=survey.site, **columns)
    expected = (MIDDLE.tdb + light_time(MIDDLE, "barycentre")).mjd
    # Half a millisecond: the two ephemerides, and 5 microseconds for a number of a Julian date.
    np.testing.assert_allclose(mjd, MIDDLE.mjd, rtol=0, atol=0.5e-3 / 86400)
    np.testing.assert_allclose(bjd, expected, rtol=0, atol=0.5e-3 / 86400)


@pytest.mark.parametrize(
    ("text", "scale", "expected"),
    [
        ("2000-01-01T12:00:00", "tt", 51544.5),
        ("2000-01-01 12:00", "tdb", 51544.5),
        ("2000-01-01", "utc", 51544.0),
        ("2000-01-01T12:00:00Z", "utc", 51544.5),
        ("2000-01-01T12:00:00+06:00", "utc", 51544.25),
        ("2000-01-01T00:00:00.000001", "tai", 51544 + 1e-6 / 86400),
        ("2016-12-31T12:00:00", "utc", 57753 + 43200 / 86401),
        ("2016-12-31T12:00:00", "tai", 57753.5),
        ("nan", "utc", np.nan),
        ("", "utc", np.nan),
    ],
)
def test_times_as_text_become_mjd(tmp_path, text, scale, expected):
    data = fetch(tmp_path, f"t,m,e\n{text},1,1\n", time_format="iso", time_scale=scale)
    np.testing.assert_allclose(data["vo_time"], [expected], rtol=0, atol=1e-11)


@pytest.mark.parametrize("unit", ["d", "h", "min", "s"])
def test_times_may_be_counted_in_other_units(tmp_path, unit):
    number = float((100 * u.d).to_value(unit))
    standard = standardise(tmp_path, f"t,m,e\n{number!r},1,1\n", units={"time": unit}, time_format="jd-2457000")
    assert standard["time"] == pytest.approx([100], rel=1e-15)


def test_what_the_format_says_need_not_be_said_again(tmp_path):
    unsaid = dict.fromkeys(("time_scale", "time_reference", "time_stamp"))
    survey = survey_of(tmp_path, "t,m,e\n1000,15,1\n", **unsaid | {"time_format": "BJD_TDB - 2457000, mid"})
    assert survey.time == TimeSystem("tdb", "barycentre", "mid", 2457000.0)
    assert fetch(tmp_path, **unsaid | {"time_format": "BJD_TDB - 2457000, mid"})["vo_time"] == 1000


def test_times_are_kept_to_the_last_digit(tmp_path):
    assert fetch(tmp_path, "t,m,e\n58000.123456789012,1,1\n")["vo_time"][0] == 58000.123456789012


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if not kind.startswith(("csv", "ecsv"))])
@pytest.mark.parametrize(("time_format", "zero", "step"), [("jd", 2458000.0, "0.25"), ("mjd", 58000.0, "0.0039")])
def test_times_that_the_file_has_rounded_to_single_precision_are_an_error(tmp_path, kind, time_format, zero, step):
    table = Table({"t": np.float32(zero + np.arange(4) / 10), "m": np.float32([15, 16, 17, 18]), "e": np.ones(4)})
    write(table, tmp_path, kind, "a.txt")
    with pytest.raises(
        ServiceError, match=f"column 't' for the time is in single precision, which resolves .* to {step} days"
    ):
        fetch(tmp_path, time_format=time_format)


@pytest.mark.parametrize("column", ["t", "t.jd1"])
def test_half_of_a_time_is_not_taken_for_one(tmp_path, column):
    table = Table({"t": Time([58000.25, 58000.5], format="mjd"), "m": [15.0, 16.0], "e": [0.1, 0.1]})
    table.write(tmp_path / "a.txt", format="ascii.ecsv", serialize_method="jd1_jd2")
    with pytest.raises(ServiceError, match=r"the time 't' is in two columns, as astropy stores a Time; write"):
        fetch(tmp_path, columns=PLAIN["columns"] | {"time": column}, time_format="jd")


def test_a_time_that_astropy_put_into_fits_is_told(tmp_path):
    Table({"t": Time([58000.25], format="mjd"), "m": [15.0], "e": [0.1]}).write(tmp_path / "a.txt", format="fits")
    with pytest.raises(ServiceError, match=r"does not hold single values; of a Time write table\['t'\].jd$"):
        fetch(tmp_path, time_format="jd")


@pytest.mark.parametrize(("time_format", "zero"), [("mjd", "2400000.5"), ("JD - 2457000", "2457000"), ("jd", "0")])
def test_the_column_of_the_times_says_where_they_begin(tmp_path, time_format, zero):
    survey = survey_of(tmp_path, "t,m,e\n", time_format=time_format)
    assert survey.columns["vo_time"][2] == f"time in the system of the file, less JD {zero}"


def test_times_counted_from_a_near_zero_may_be_in_single_precision(tmp_path):
    table = Table({"t": np.float32([1500.25, 1500.5, np.nan]), "m": [15.0, 16.0, 17.0], "e": np.ones(3)})
    table.write(tmp_path / "a.txt", format="fits")
    assert fetch(tmp_path, time_format="jd-2457000")["vo_time"][:2].tolist() == [1500.25, 1500.5]


def test_a_row_without_a_time_is_kept_and_counted(tmp_path):
    survey = survey_of(tmp_path, "t,m,e\n58000,15,1\n,,\n,,\n58001,16,1\n")
    data, _ = survey.fetch_data_from_observatory(ROW)
    reduction = survey.reduce(ROW, data)
    assert reduction.left_out["reason"].tolist() == ["nan_time"]
    assert reduction.left_out["n_epochs"].tolist() == [2]
    assert reduction.batch.n_epochs == 2


# Fluxes, filters, flags, positions


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        ("uJy", 3630.78),
        ("nJy", 3.63078e6),
        ("mJy", 3.63078),
        ("Jy", 3.63078e-3),
        ("maggies", 1e-6),
        ("nanomaggies", 1e3),
    ],
)
def test_fluxes_of_magnitude_15_in_all_units(tmp_path, unit, number):
    standard = standardise(tmp_path, f"t,f,e\n58000,{number},{number / 10}\n", **FLUX, units={"flux": unit})
    mag, magerr = mag_from_flux(standard["flux"], standard["fluxerr"])
    assert mag == pytest.approx([15], abs=1e-5)
    assert magerr == pytest.approx([0.108574], abs=1e-6)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("Jy", 1e6), ("mJy", 1e3), ("erg / (s cm2 Hz)", 1e29), ("nmgy", 10**0.56), ("microjansky", 1.0)],
)
def test_the_unit_of_a_file_is_used(tmp_path, unit, factor):
    path = tmp_path / "a.txt"
    Table({"t": [58000.0], "f": [2.0], "e": [1.0]}).write(path, format="votable")
    text = path.read_text()
    for name in "fe":
        text = text.replace(f'name="{name}"', f'name="{name}" unit="{unit}"')
    standard = standardise(tmp_path, text, **FLUX)
    assert (standard["flux"][0], standard["fluxerr"][0]) == pytest.approx((2 * factor, factor), rel=1e-12)


def test_errors_may_have_a_unit_of_their_own(tmp_path):
    standard = standardise(tmp_path, "t,f,e\n58000,2,30\n", **FLUX, units={"flux": "mJy", "fluxerr": "uJy"})
    assert (standard["flux"].tolist(), standard["fluxerr"].tolist()) == ([2000.0], [30.0])
    standard = standardise(tmp_path, "t,m,e\n58000,15000,30\n", units={"mag": "mmag"})
    assert (standard["mag"].tolist(), standard["magerr"].tolist()) == ([15.0], [0.03])


def test_a_unit_that_is_not_understood_needs_the_configuration(tmp_path):
    path = tmp_path / "a.txt"
    time = fits.Column("t", "D", unit="BJD - 2457000, days", array=[1000.0])
    others = [fits.Column(name, "D", array=[15.0]) for name in "me"]
    fits.BinTableHDU.from_columns([time, *others]).writeto(path)
    changes = {"time_format": "bjd-2457000", "time_reference": "barycentre"}
    with pytest.raises(ServiceError, match="the unit 'BJD - 2457000, days', which is not known; set units.time to"):
        fetch(tmp_path, **changes)
    assert fetch(tmp_path, **changes, units={"time": "d"})["vo_time"].tolist() == [1000.0]


def test_magnitudes_are_brought_to_ab(tmp_path):
    text = "t,m,e,b\n58000,15,1,1\n58001,16,1,2\n58002,nan,1,1\n"
    columns = PLAIN["columns"] | {"filter": "b"}
    filters = {"columns": columns, "filter": None, "filters": {"1": "g", "2": "r"}}
    for offset, expected in ((0.5, [15.5, 16.5, np.nan]), ({"g": -0.1, "r": 0.16}, [14.9, 16.16, np.nan])):
        standard = standardise(tmp_path, text, **filters, mag_offset_ab=offset)
        np.testing.assert_allclose(standard["mag"], expected, rtol=1e-15)
    assert standard["filter"].tolist() == ["files-g", "files-r", "files-g"]
    assert survey_of(tmp_path, **filters).filters == ("files-g", "files-r")


def test_what_has_no_column_is_constant(tmp_path):
    standard = standardise(tmp_path, "t,m,e\n58000,15,1\n", exptime_s=30)
    constant = {"exptime": [30.0], "flag": [0], "filter": ["files-g"], "series": ["1"]}
    assert {name: standard[name].tolist() for name in constant} == constant
    assert np.isnan(standardise(tmp_path, "t,m,e\n58000,15,1\n")["exptime"]).all()


def test_flags_have_64_bits(tmp_path):
    columns = PLAIN["columns"] | {"flag": "q"}
    values = [2**62 + 1, -1, 0]
    text = "t,m,e,q\n" + "".join(f"{58000 + number},1,1,{value}\n" for number, value in enumerate(values))
    assert standardise(tmp_path, text, columns=columns)["flag"].tolist() == values
    assert standardise(tmp_path, "t,m,e,q\n58000,1,1,3.0\n", columns=columns)["flag"].tolist() == [3]
    assert survey_of(tmp_path, bad_flag_mask=6).bad_flag_mask == 6


def test_without_positions_the_moving_source_is_where_it_is(tmp_path):
    row = ROW | {"pmra": 1000.0, "pmdec": -2000.0, "epoch": 2000.0}
    data = fetch(tmp_path, "t,m,e\n51544.5,15,1\n55197.0,15,1\n,15,1\n", row=row)
    np.testing.assert_allclose(data["vo_dec"], 20 - np.array([0, 20, 0]) / 3600, rtol=0, atol=1e-7)
    east = np.array([0, 10, 0]) / 3600 / np.cos(np.radians(20))
    np.testing.assert_allclose(data["vo_ra"], 10 + east, rtol=0, atol=1e-6)


# Refusals


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"time_format": None},
            "time_format must say how times are written (MJD, JD, BJD or HJD, possibly",
        ),
        (
            {"time_stamp": None},
            "'mjd' does not say everything about the times, so set time_stamp (one of start, mid, end)",
        ),
        ({"time_scale": None}, "so set time_scale (one of utc, tai, tt, tdb, tcb)"),
        ({"time_reference": None}, "so set time_reference (one of observatory, geocentre, heliocentre, barycentre)"),
        ({"time_scale": "gps"}, "time_scale must be one of utc, tai, tt, tdb, tcb, got 'gps'"),
        ({"time_format": "jd-"}, "time_format: 'jd-' has a minus sign without a number"),
        ({"time_format": "JD(UT)"}, "time_format: 'JD(UT)' is ambiguous: UT can be UTC or UT1"),
        ({"time_format": "bjd"}, "'bjd' says reference barycentre, but time_reference is observatory; correct one"),
        ({"time_format": "hjd-2400000"}, "says reference heliocentre, but time_reference is observatory"),
        ({"time_format": "unix", "time_scale": "tt"}, "'unix' says scale utc, but time_scale is tt"),
        (
            {"time_format": "iso", "units": {"time": "d"}},
            "units.time must not be set, because time_format is a date",
        ),
        ({"time_stamp": "start"}, "exptime_s or columns.exptime must be set, because times are of the start of"),
        ({"columns": {"mag": "m", "magerr": "e"}}, "columns.time must name"),
        ({"columns": {"time": "t"}}, "columns must name exactly one complete pair, mag and magerr or"),
        ({"columns": {"time": "t", "mag": "m"}}, "columns must name exactly one complete pair"),
        ({"columns": PLAIN["columns"] | {"flux": "f", "fluxerr": "e"}}, "columns must name exactly one complete pair"),
        ({"columns": PLAIN["columns"] | {"ra": "r"}}, "columns must name both ra and dec"),
        ({"columns": PLAIN["columns"] | {"tiem": "t"}}, "columns.tiem is not known; known are time, exptime,"),
        (
            {"columns": PLAIN["columns"] | {"source": "s"}},
            "path must contain {name} if each source has a file of its own, or",
        ),
        ({"path": "all.csv"}, "path must contain {name} if each source has a file of its own, or columns.source"),
        ({"units": {"mag": "Jy"}}, "units.mag must be one of mag, mmag, got 'Jy'"),
        ({"units": {"flux": "Jy"}}, "units.flux is not known; known are time, mag, magerr"),
        ({"columns": PLAIN["columns"] | {"exptime": "x"}, "exptime_s": 3.0}, "exptime_s and columns.exptime are both"),
        ({"exptime_s": -3.0}, "exptime_s must be between 0 and"),
        ({"filter": None}, "set either filter, if there is only one, or columns.filter and filters"),
        ({"filters": {"g": "g"}}, "set either filter"),
        ({"columns": PLAIN["columns"] | {"filter": "b"}}, "set either filter"),
        ({"mag_offset_ab": {"r": 0.1}}, "mag_offset_ab has no offset for the filter 'g'; add it"),
        (FLUX | {"mag_offset_ab": 0.1}, "mag_offset_ab is for magnitudes, but columns names fluxes"),
        ({"site": [1.0, 2.0]}, "site must be [longitude east, latitude, height in m], got [1.0, 2.0]"),
        ({"site": [1.0, 91.0, 0.0]}, "site must be"),
        ({"site": ["1", 2.0, 0.0]}, "site must be"),
        ({"site": 5.0}, "site must be [longitude east, latitude, height in m], got 5.0"),
        ({"time_scale": 3}, "time_scale must be of type str, got 3"),
    ],
)
def test_a_configuration_that_leaves_something_open_is_refused_in_one_line(tmp_path, changes, message):
    with pytest.raises(ConfigError) as error:
        survey_of(tmp_path, "t,m,e\n", **changes)
    assert str(error.value).startswith("FILES: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message", "changes"),
    [
        ("t,mag,e\n58000,1,1\n", r"has no column 'm' for the mag \(it has t, mag, e\); name .* in columns.mag", {}),
        ("t,m,e\n58000,1,1\n58001,>18,1\n", "line 3: m is '>18', which is not a number", {}),
        ("t,m,e\n58000,--,1\n58001,x,1\n", "line 3: m is 'x', which is not a number", {}),
        ("t,m,e\n58000,1\n", "line 2 has 2 cells, the header has 3", {}),
        ("t,m,e\n58000,1,1\n# x\n58001,1,1\n58000,1,1\n", "lines 2 and 5 are the same; remove all but one", {}),
        ("t,m,e\n2458000,1,1\n", r"line 2: the time is MJD 2.458e\+06, which is not from 1900 to 2099; check", {}),
        ("t,m,e,vo_mag\n58000,1,1,1\n", "column 'vo_mag' has a name that is reserved here; rename it", {}),
        ("t,f,e\n58000,1,1\n", "column 'f' for the flux: it has no unit in the file; set units.flux to one of", FLUX),
        (
            "t,m,e,b\n58000,1,1,g\n58001,1,1,z\n",
            "line 3: filter 'z' has no name; give it one in filters",
            {"columns": PLAIN["columns"] | {"filter": "b"}, "filter": None, "filters": {"g": "g"}},
        ),
        (
            "t,m,e,q\n58000,1,1,0\n58001,1,1,1.5\n",
            "line 3: q is '1.5', which is not a whole number of 64 bits",
            {"columns": PLAIN["columns"] | {"flag": "q"}},
        ),
        (
            f"t,m,e,q\n58000,1,1,{2**64}\n",
            f"line 2: q is '{2**64}', which is not a whole number of 64 bits",
            {"columns": PLAIN["columns"] | {"flag": "q"}},
        ),
        (
            "t,m,e,s\n58000,1,1," + "x" * 65 + "\n",
            "line 2: s is 'x*', which is longer than 64 bytes",
            {"columns": PLAIN["columns"] | {"series": "s"}},
        ),
        (
            't,m,e,s\n58000,1,1,a\n58001,1,1,"a\x1b[2J"\n',
            r"line 3: s is 'a\\x1b\[2J', which has a control character",
            {"columns": PLAIN["columns"] | {"series": "s"}},
        ),
        ("t,m,e\n2020-02-31,1,1\n", "line 2: t is '2020-02-31', which is not a time such as", {"time_format": "iso"}),
        (
            "t,m,e\n2020-02-03T00:00:00Z,1,1\n",
            "which has a time zone, but time_scale is tdb",
            {"time_format": "iso", "time_scale": "tdb"},
        ),
        ("<html></html>", "is not a catalog or another table but HTML or XML", {}),
        ("t;m;e\n58000,5;1;1\n", "line 2: t is '58000,5', which is not a number", {}),
        ("", "has no column 't' for the time .it has none", {}),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_in_one_line(tmp_path, text, message, changes):
    survey = survey_of(tmp_path, text, **changes)
    with pytest.raises(ServiceError, match=message) as error:
        survey.fetch_data_from_observatory(ROW)
    assert str(error.value).startswith(f"{tmp_path}/a.txt: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("mJy", "its unit is 'mJy' in the file and 'uJy' in units.flux; correct one"),
        ("electron / s", "'electron / s' cannot be turned into uJy for the flux; correct it in the file"),
    ],
)
def test_a_unit_that_contradicts_the_configuration_is_an_error(tmp_path, unit, message):
    table = Table({"t": [58000.0], "f": [2.0], "e": [1.0]}, units={"f": unit})
    table.write(tmp_path / "a.txt", format="ascii.ecsv")
    with pytest.raises(ServiceError, match=f"column 'f' for the flux: {message}"):
        fetch(tmp_path, **FLUX, units={"flux": "uJy"})
    agreeing = {"mJy": "mJy"}.get(unit)
    if agreeing:
        assert fetch(tmp_path, **FLUX, units={"flux": agreeing})["vo_flux"].tolist() == [2000.0]


def test_a_fault_of_the_file_for_all_ends_the_download(tmp_path):
    columns = PLAIN["columns"] | {"source": "s"}
    survey = survey_of(tmp_path, "t,m,e,s\n58000,x,1,b\n", path=f"{tmp_path}/a.txt", columns=columns)
    with pytest.raises(ConfigError, match="line 2: m is 'x'"):
        survey.fetch_data_from_observatory(ROW)


def test_a_file_that_is_no_table_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x89PNG\0\0")
    with pytest.raises(ServiceError, match="is not a table; known are CSV, ECSV, FITS"):
        fetch(tmp_path)


# The way through the archive


def test_lightcurves_come_out_of_the_archive_as_from_the_file(tmp_path):
    rows = [{"name": name, "ra": 10.0, "dec": 20.0, "mag": None} for name in ("a", "b", "c")]
    for seed, kind in enumerate(("fits", "ecsv")):
        write(lightcurve(seed=seed, n_epochs=40), tmp_path, kind, f"{'ab'[seed]}.lc")
    survey = VirtualFiles(**PARAMETERS | {"path": f"{tmp_path}/{{name}}.lc"})
    raw = tmp_path / "raw.h5"
    entries = download_bin(survey, rows, raw, parameters={"release": survey.release}, threads=2)
    assert [entry["status"] for entry in entries] == ["ok", "ok", "empty"]
    sources = {name: np.array([entry[name] for entry in entries]) for name in ("name", "status", "digest")}
    reducing = VirtualFiles(**PARAMETERS)
    data, counts = read_epochs(raw, sources, reducing.dtype)
    sources |= {"ra": np.full(3, 10.0), "dec": np.full(3, 20.0)}
    batch = reduce_bin(sources, data, counts, reducing, drop_bad=True).batch
    assert batch.table["filter"].tolist() == ["files-g", "files-r"] * 2
    assert batch.table["series"].tolist() == ["north"] * 4
    table = lightcurve(seed=1, n_epochs=40)
    chosen = batch.columns["flux"][batch.starts[2] : batch.starts[4]]
    kept = np.delete(np.asarray(table["flux"]), 1) * 1000
    np.testing.assert_allclose(np.sort(chosen), np.sort(kept), rtol=1e-15)


def test_what_decides_the_reduction_alone_is_declared_so(tmp_path):
    """A subclass may be a plug-in for another set of files, which has no schema but these lists."""
    fields = VirtualFiles.Parameters.__dataclass_fields__
    answer = set(fields) - {*VirtualFiles.made_by, *VirtualFiles.asked_by}
    assert answer == {"columns", "units", "time_format", "time_scale"}
    parts = SCHEMA["properties"]["observatories"]["properties"]["files"]["properties"]
    assert {name for name, part in parts.items() if part.get("x-stage") == "reduce"} == set(VirtualFiles.made_by)
    assert {name for name, part in parts.items() if not part.get("x-critical", True)} == set(VirtualFiles.asked_by)
    base = {name: value for name, value in PLAIN.items() if name in answer}
    text = "t,m,e\n58000,15,1\n"
    one = fetch(tmp_path, text)
    other = fetch(
        tmp_path, **base | {"time_reference": "geocentre", "time_stamp": "end", "exptime_s": 9, "filter": "r"}
    )
    assert one.tobytes() == other.tobytes()


def test_a_subclass_has_its_own_name_in_its_filters(tmp_path):
    class Mine(VirtualFiles):
        name = "MINE"

    assert Mine(**PLAIN).filters == ("mine-g",)
    with pytest.raises(UserError, match="MINE: path must be set"):
        Mine(**PLAIN).fetch_data_from_observatory(ROW)


def test_nothing_heavy_is_imported_for_csv(tmp_path):
    (tmp_path / "a.csv").write_text("t,f,e\n58000,1,1\n")
    parameters = PLAIN | FLUX | {"path": f"{tmp_path}/{{name}}.csv", "units": {"flux": "mJy"}}
    code = (
        "import sys; from vo_lib.observatories import get_class;"
        f"survey = get_class('FILES')(**{parameters!r});"
        f"survey.standardise(*survey.fetch_data_from_observatory({ROW!r}));"
        "sys.exit(any(name in sys.modules for name in ('astropy', 'pandas', 'pyarrow', 'requests')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=PACKAGE_ROOT).returncode == 0


DOCUMENTED = {
    "module": files.__doc__.partition("For example::\n\n")[2],
    "docs": (PACKAGE_ROOT / "docs/observatories.md").read_text().partition("observatories:\n")[2],
}


@pytest.mark.parametrize("where", list(DOCUMENTED))
def test_the_examples_in_the_documentation_are_valid(where):
    lines = DOCUMENTED[where].splitlines()
    example = yaml.safe_load("\n".join(lines[: lines.index("")]))
    config = complete({"project": "x", "catalog": {"file": "x"}, "observatories": example}, SCHEMA)
    survey = VirtualFiles(**config["observatories"]["files"] | {"path": ""})
    assert survey.filters == ("files-g", "files-r")
    assert survey.time == TimeSystem("tdb", "barycentre", "mid", 2457000.0)
