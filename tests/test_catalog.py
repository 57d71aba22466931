import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from table_files import FORMATS, write

from vo_lib.astrometry import to_icrs
from vo_lib.bins import Bins
from vo_lib.catalog import read_catalog, read_sources
from vo_lib.catalogs.checks import near_pairs
from vo_lib.catalogs.snapshot import take_snapshot
from vo_lib.downloads.manifest import catalog_rows
from vo_lib.errors import CatalogError
from vo_lib.observatories.cat_row import position_at

TEXT = """name,ra,dec,pmra,mag,mag_filter
# a comment
a,0.0,89.9,-12.5,15.2,G
b,359.9999,-0.5,,,
"WD J0000+5123, twin",123.4,0,1,2,V
"""


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_text(TEXT)
    return path


def test_columns_are_read_and_missing_values_are_nan(catalog):
    table = read_catalog(catalog)
    assert table["name"].tolist() == ["a", "b", "WD J0000+5123, twin"]
    assert table["pmra"].tolist()[::2] == [-12.5, 1.0]
    assert np.isnan(table["pmra"][1])
    assert np.isnan(table["parallax"]).all()
    assert table["epoch"].tolist() == [2016.0] * 3
    assert table["mag_filter"].tolist() == ["G", "", "V"]


@pytest.mark.parametrize("sign", [";", "\t", "|", " ", "   ", " \t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_other_separators_and_encodings_give_the_same_sources(catalog, sign, encoding):
    text = '# é\nname,ra,dec,mag,mag_filter\nâ,1,-2,"15.5",V\n\nb,359.5,0,16,"C,c"\n'
    catalog.write_text(text)
    expected = read_catalog(catalog)
    catalog.write_bytes(text.replace('"C,c"', "'C|c'").replace(",", sign).replace("'C|c'", '"C,c"').encode(encoding))
    found = read_catalog(catalog)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    catalog.write_bytes(text.replace("359.5", "361").replace('"C,c"', "C").replace(",", sign).encode(encoding))
    with pytest.raises(CatalogError, match=r"catalog\.csv: line 5: ra is 361.0"):
        read_catalog(catalog)


def test_columns_may_have_names_of_several_words_or_with_a_separator(catalog):
    catalog.write_text("my name,ra;2000,dec\nx y,1,2\n")
    table = read_catalog(catalog, {"name": "my name", "ra": "ra;2000"})
    assert (table["name"].tolist(), table["ra"].tolist()) == (["x y"], [1.0])


def test_a_table_with_other_names_and_separators_lists_what_it_has(catalog):
    for sign in "; \t|":
        catalog.write_text(sign.join(["ID", "RAJ2000", "DEJ2000"]) + "\n")
        with pytest.raises(CatalogError, match=r"no column 'name' .* \(it has ID, RAJ2000, DEJ2000\)"):
            read_catalog(catalog)


def test_semicolons_beside_decimal_commas_are_told(catalog):
    catalog.write_text("name;ra;dec\nx;1,5;2,5\n")
    with pytest.raises(CatalogError, match="line 2: '1,5' is not a right ascension: write it as"):
        read_catalog(catalog)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!DOCTYPE html>\n<html><body>not found</body></html>", "HTML or XML"),
        ("\ufeff\n <html>", "HTML or XML"),
        ('{"name": "x", "ra": 1}', "JSON"),
        ('[\n {"name": "x"}]', "JSON"),
        ("%PDF-1.7\n\0", "PDF"),
    ],
)
def test_a_file_of_another_kind_is_no_catalog(catalog, text, kind):
    catalog.write_text(text, encoding="utf-8")
    with pytest.raises(
        CatalogError, match=rf"catalog\.csv: is not a catalog or another table but {kind}; known are CSV, ECSV, FITS"
    ):
        read_catalog(catalog)


def test_a_first_column_may_begin_with_a_bracket(catalog):
    catalog.write_text("[Fe/H],name,ra,dec\n-1,[KW97] 5-12,1,2\n")
    assert read_catalog(catalog)["name"].tolist() == ["[KW97] 5-12"]


@pytest.mark.parametrize("epoch", [1800.0, 1950.0, 2015.5, 2200.0])
def test_epochs_may_be_any_julian_year_of_four_centuries(catalog, epoch):
    catalog.write_text(f"name,ra,dec,epoch\nx,1,2,{epoch}\n")
    assert read_catalog(catalog)["epoch"].tolist() == [epoch]


def test_columns_may_have_other_names(catalog):
    catalog.write_text("WDJ_name,RA_ICRS,DE_ICRS\nx,1,2\n")
    table = read_catalog(catalog, {"name": "WDJ_name", "ra": "RA_ICRS", "dec": "DE_ICRS"})
    assert (table["name"][0], table["ra"][0], table["dec"][0]) == ("x", 1.0, 2.0)


def test_a_right_ascension_of_360_degrees_is_0(catalog):
    catalog.write_text("name,ra,dec\na,360,-1\nb,359.9999999,-1\nc,0,-1\n")
    assert read_catalog(catalog)["ra"].tolist() == [0.0, 359.9999999, 0.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,ra\nx,1\n", r"has no column 'dec' .*it has name, ra.*catalog\.columns\.dec"),
        ("name,ra,dec\nx,1,2\ny,3,4\nx,5,6\n", "'x' on lines 2 and 4; rename"),
        ("name,ra,dec\nx,nan,2\n", "line 2: ra is missing; give the source a position or remove the row"),
        ("name,ra,dec\nx,1,2\ny,,2\nz,,3\n", r"line 3: ra is missing \(and 1 more\); .*vo resolve --list"),
        ("name,ra,dec\nx,01:02:03,2\ny,,2\n", "line 3: ra is missing"),
        ("name,ra,dec\nx,360.5,2\ny,400,2\n", r"line 2: ra is 360.5.*\(and 1 more\)"),
        ("name,ra,dec\nx,1,-90.01\n", "line 2: dec is -90.01"),
        ("name,ra,dec\nx,1,inf\n", "line 2: dec is infinite"),
        ("name,ra,dec\nx,north,3\n", "line 2: 'north' is not a right ascension"),
        (
            "name,ra,dec,mag\nx,1,3,bright\n",
            r"line 2: mag is 'bright', .* number; correct it, or .* catalog\.missing_values\.mag if it",
        ),
        ("name,ra,dec\n,1,2\n", "line 2: the source has no name"),
        ("name,ra,dec\nx,1,2,3\n", "line 2 has 4 cells, the header has 3"),
        ("name,ra,dec,mag\nx,1,2,inf\n", "line 2: mag is infinite"),
        ("name,ra,dec,ra\nx,1,2,3\n", "has 2 columns 'ra'; rename all but one"),
        ("name,ra,dec,epoch\nx,1,2,1799.9\n", "line 2: epoch is 1799.9, it must be a Julian year .* 1800 and 2200$"),
        ("name,ra,dec,epoch\nx,1,2,\ny,1,2,57388\n", "line 3: epoch is 57388.0, it must be a Julian year"),
        ("name,ra,dec,epoch\nx,1,2,157.1\ny,1,2,0\n", r"line 2: epoch is 157.1, .* and 2200 \(and 1 more\)$"),
        ("name,ra,dec\n", "holds no sources"),
        ("", "holds no sources"),
    ],
)
def test_an_unusable_catalog_is_refused_in_one_line(catalog, text, message):
    catalog.write_text(text)
    with pytest.raises(CatalogError, match=message) as error:
        read_catalog(catalog)
    assert str(catalog) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("fits", "fits"), ("fits", "fits.gz"), ("votable", "vot"), ("ascii.ecsv", "ecsv"), ("hdf5", "h5")],
)
def test_other_formats_give_the_same_sources(catalog, tmp_path, kind, suffix):
    expected = read_catalog(catalog)
    table = Table(expected)
    table["pmra"].unit = "mas/yr"
    options = {"path": "catalog", "serialize_meta": False} if kind == "hdf5" else {}
    if kind == "hdf5":
        table = Table({name: np.char.encode(v) if v.dtype.kind == "U" else v for name, v in expected.items()})
    file = tmp_path / f"any_name.{suffix}"
    table.write(file, format=kind, **options)
    found = read_catalog(file.rename(tmp_path / "catalog"))
    for name, values in expected.items():
        assert found[name].dtype.kind == values.dtype.kind
        assert found[name].tolist() == pytest.approx(values.tolist(), nan_ok=True) if values.dtype.kind == "f" else True
        assert values.dtype.kind == "f" or found[name].tolist() == values.tolist()


def test_sexagesimal_coordinates_are_read(catalog):
    catalog.write_text('name,ra,dec\nx,12:34:56.7,-00:30:00\ny,"00 00 00","+89 59 59.9"\n')
    table = read_catalog(catalog)
    assert table["ra"].tolist() == pytest.approx([188.73625, 0.0])
    assert table["dec"].tolist() == pytest.approx([-0.5, 89.9999722])


def test_galactic_coordinates_become_icrs(catalog):
    catalog.write_text("name,l,b,pmra,pmdec\nGC,0,0,3,4\n")
    table = read_catalog(catalog, {"ra": "l", "dec": "b"}, frame="galactic")
    centre = SkyCoord(0, 0, unit="deg", frame="galactic", pm_l_cosb=3 * u.mas / u.yr, pm_b=4 * u.mas / u.yr).icrs
    # The definition of the Hipparcos and Gaia catalogs is 24 mas off that of astropy, by way of FK5.
    assert (table["ra"][0], table["dec"][0]) == pytest.approx((centre.ra.deg, centre.dec.deg), abs=1e-5)
    expected = centre.pm_ra_cosdec.value, centre.pm_dec.value
    assert (table["pmra"][0], table["pmdec"][0]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("frame", ["galactic", "ecliptic"])
def test_longitudes_that_are_no_right_ascensions_are_never_in_hours(catalog, frame):
    catalog.write_text("name,ra,dec\na,12:30:00,-0:30:00\n")
    with pytest.raises(CatalogError, match="line 2: ra is '12:30:00', which is not a number"):
        read_catalog(catalog, frame=frame)


def test_a_plain_number_among_sexagesimal_ones_has_no_unit(tmp_path):
    table = Table({"name": ["a", "b"], "ra": ["12:30:00", "1.5"], "dec": [1.0, 2.0]}, units={"ra": "hourangle"})
    table.write(tmp_path / "x", format="ascii.ecsv")
    with pytest.raises(CatalogError, match="line [0-9]+: ra is '1.5', a plain number .* with the unit 'hourangle'"):
        read_catalog(tmp_path / "x")
    table[:1].write(tmp_path / "x", format="ascii.ecsv", overwrite=True)
    assert read_catalog(tmp_path / "x")["ra"].tolist() == [187.5]


def test_cuts_choose_sources(catalog):
    assert read_catalog(catalog, cuts=["dec > -1", "mag < 18"])["name"].tolist() == ["a", "WD J0000+5123, twin"]
    with pytest.raises(CatalogError, match=r"no source passes catalog\.cuts, which exclude .*'dec > 90': 3"):
        read_catalog(catalog, cuts=["dec > 90"])
    with pytest.raises(CatalogError, match="mga"):
        read_catalog(catalog, cuts=["mga < 18"])


def test_cuts_may_use_any_column_of_the_file(catalog):
    catalog.write_text("name,ra,dec,ruwe\na,1,2,1.0\nb,1,3,2.0\nc,1,4,\n")
    sources = read_sources(catalog, cuts=["ruwe < 1.4"])
    assert sources.table["name"].tolist() == ["a"]
    assert sources.left_out == {"ruwe < 1.4": 2}


def test_numbers_that_a_file_keeps_as_text_are_numbers(tmp_path):
    Table({"name": ["a"], "ra": ["10.5"], "dec": ["-3"], "mag": ["17.25"]}).write(tmp_path / "x.fits")
    table = read_catalog(tmp_path / "x.fits")
    assert (table["ra"][0], table["dec"][0], table["mag"][0]) == (10.5, -3.0, 17.25)


def test_a_frame_without_proper_motions_refuses_them(catalog):
    with pytest.raises(CatalogError, match=r"catalog\.frame: "):
        read_catalog(catalog, frame="fk4")


FK4, FK5 = '<COOSYS ID="old" system="eq_FK4" equinox="B1950"/>', '<COOSYS ID="new" system="eq_FK5" equinox="J2000"/>'


@pytest.mark.parametrize(
    ("systems", "ref", "is_told"),
    [
        (FK4 + FK5, "old", True),
        (FK4 + FK5, "new", False),
        (FK4 + FK5, "", False),
        (FK4, "", True),
        (FK5, "", False),
        ('<COOSYS ID="old" equinox="B1950"/>', "old", True),
        ('<COOSYS ID="old" system="FK4"/>', "old", True),
        ("", "", False),
    ],
)
def test_a_votable_of_the_frame_fk4_is_read_as_that_alone(tmp_path, systems, ref, is_told):
    ref = f'ref="{ref}"' if ref else ""
    fields = "".join(f'<FIELD name="{name}" datatype="double" {ref}/>' for name in ("ra", "dec"))
    (tmp_path / "x.vot").write_text(
        f"<?xml version='1.0'?><VOTABLE version='1.3' xmlns='http://www.ivoa.net/xml/VOTable/v1.3'><RESOURCE>{systems}"
        f"<TABLE><FIELD name='name' datatype='char' arraysize='*'/>{fields}<DATA><TABLEDATA><TR><TD>a</TD>"
        "<TD>10.0</TD><TD>20.0</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    for frame in ("icrs", "fk5"):
        if is_told:
            with pytest.raises(CatalogError, match=f"'ra' is of the frame FK4.* catalog.frame is {frame}; set .* fk4"):
                read_catalog(tmp_path / "x.vot", frame=frame)
        else:
            np.testing.assert_allclose(read_catalog(tmp_path / "x.vot", frame=frame)["ra"], 10.0, atol=1e-4)
    np.testing.assert_allclose(read_catalog(tmp_path / "x.vot", frame="fk4")["ra"], to_icrs(10.0, 20.0, "fk4")[0])


@pytest.mark.parametrize(
    ("header", "is_told"),
    [
        ({"RADESYS": "FK4"}, True),
        ({"RADECSYS": "fk4-no-e"}, True),
        ({"EQUINOX": 1950.0}, True),
        ({"RADESYS": "FK5", "EQUINOX": 1950.0}, False),
        ({"RADESYS": "ICRS"}, False),
        ({"EQUINOX": 2000}, False),
        ({"EQUINOX": "unknown"}, False),
    ],
)
@pytest.mark.parametrize("kind", [fits.BinTableHDU, fits.TableHDU])
def test_a_fits_table_of_the_frame_fk4_is_read_as_that_alone(tmp_path, header, is_told, kind):
    formats = ("8A", "D", "D") if kind is fits.BinTableHDU else ("A8", "D25.17", "D25.17")
    columns = zip(("name", "ra", "dec"), formats, (["a"], [10.0], [20.0]), strict=True)
    made = [fits.Column(name, format=width, array=np.array(values)) for name, width, values in columns]
    kind.from_columns(made, header=fits.Header(header)).writeto(tmp_path / "x.fits")
    if is_told:
        with pytest.raises(CatalogError, match="'ra' is of the frame FK4.*RADESYS.* catalog.frame is icrs; set .* fk4"):
            read_catalog(tmp_path / "x.fits")
    else:
        assert read_catalog(tmp_path / "x.fits")["ra"] == 10.0
    np.testing.assert_allclose(read_catalog(tmp_path / "x.fits", frame="fk4")["ra"], to_icrs(10.0, 20.0, "fk4")[0])


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(CatalogError, match=r"none\.csv: no such catalog; check catalog\.file"):
        read_catalog(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"\x89HDF\xff\xfe")
    with pytest.raises(CatalogError, match="line 1 is not UTF-8 text"):
        read_catalog(tmp_path / "x.csv")


def test_a_snapshot_holds_every_source_in_its_bin(catalog, tmp_path):
    snapshot = take_snapshot(catalog, tmp_path / "cache")
    assert list(snapshot.bins) == ["RA000", "RA123", "RA359"]
    assert snapshot.n_sources == 3
    rows = snapshot.rows("RA359")
    assert rows["name"].tolist() == ["b"]
    assert np.isnan(rows["mag"][0])


def test_the_bin_of_a_star_at_an_edge_is_that_of_its_position_in_the_catalog(tmp_path):
    """Though it has long crossed the edge, in 2016.0 and in every epoch of the surveys."""
    catalog = tmp_path / "fast.csv"
    catalog.write_text("name,ra,dec,pmra,pmdec,epoch\neast,9.99999,0,10000,0,1950\nwest,10.0,0,-10000,0,1950\n")
    snapshot = take_snapshot(catalog, tmp_path / "cache")
    assert [snapshot.rows(name)["name"].tolist() for name in ("RA009", "RA010")] == [["east"], ["west"]]
    assert [snapshot.rows(name)["ra"].tolist() for name in ("RA009", "RA010")] == [[9.99999], [10.0]]


def test_a_snapshot_is_made_once_and_again_after_an_edit(catalog, tmp_path):
    first = take_snapshot(catalog, tmp_path / "cache")
    made = first.path.stat().st_mtime_ns
    assert take_snapshot(catalog, tmp_path / "cache").path.stat().st_mtime_ns == made
    catalog.write_text(TEXT + "c,200,1,,,\n")
    second = take_snapshot(catalog, tmp_path / "cache")
    assert second.path == first.path
    assert list(second.bins) == ["RA000", "RA123", "RA200", "RA359"]


def test_a_snapshot_is_made_again_when_catalogs_are_read_by_other_code(catalog, tmp_path, monkeypatch):
    first = take_snapshot(catalog, tmp_path / "cache")
    made = first.path.stat().st_mtime_ns
    monkeypatch.setattr("vo_lib.catalogs.snapshot.code_fingerprint", lambda file: "other")
    second = take_snapshot(catalog, tmp_path / "cache")
    assert (second.path, second.bins) == (first.path, first.bins)
    assert second.path.stat().st_mtime_ns != made


def test_a_damaged_snapshot_is_made_again(catalog, tmp_path):
    snapshot = take_snapshot(catalog, tmp_path / "cache")
    snapshot.path.write_bytes(snapshot.path.read_bytes()[:100])
    assert take_snapshot(catalog, tmp_path / "cache").n_sources == 3


def test_the_digest_of_a_bin_changes_with_its_rows_alone(catalog, tmp_path):
    before = take_snapshot(catalog, tmp_path).bins
    lines = TEXT.splitlines()
    catalog.write_text(
        "\n".join([lines[0], *reversed(lines[2:]), "a much longer name than the others,0.5,3,,,,"[:-1]]) + "\n"
    )
    after = take_snapshot(catalog, tmp_path).bins
    assert after["RA123"][2] == before["RA123"][2]
    assert after["RA359"][2] == before["RA359"][2]
    assert after["RA000"][2] != before["RA000"][2]


def test_an_edit_of_one_coordinate_changes_one_bin(catalog, tmp_path):
    before = take_snapshot(catalog, tmp_path).bins
    catalog.write_text(TEXT.replace("89.9", "89.8"))
    after = take_snapshot(catalog, tmp_path).bins
    assert [name for name in after if after[name][2] != before[name][2]] == ["RA000"]


def test_counts_are_conserved_over_bins(tmp_path):
    ra = np.random.default_rng(1).uniform(0, 360, 2000)
    path = tmp_path / "many.csv"
    path.write_text("name,ra,dec\n" + "".join(f"s{number},{value!r},0\n" for number, value in enumerate(ra.tolist())))
    snapshot = take_snapshot(path, tmp_path, width_deg=5)
    names = np.concatenate([snapshot.rows(name)["name"] for name in snapshot.bins])
    assert sorted(names) == sorted(f"s{number}" for number in range(2000))
    for name in snapshot.bins:
        assert {Bins(5).name(index) for index in Bins(5).index(snapshot.rows(name)["ra"])} == {name}


LIST = [
    {"name": "a", "ra": "12:34:56.7", "dec": "-00:30:00", "pmra": -12.5},
    {"name": 4295806720, "ra": 359.9999, "dec": -0.5, "mag": 17, "mag_filter": "G", "pmra": None},
]


def test_a_list_of_sources_is_read_as_a_file_is(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("name,ra,dec,pmra,mag,mag_filter\na,12:34:56.7,-00:30:00,-12.5,,\n4295806720,359.9999,-0.5,,17,G\n")
    found, expected = read_catalog(LIST), read_catalog(file)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype.kind == values.dtype.kind


def test_a_list_may_have_a_frame_cuts_and_other_names():
    entries = [{"id": "GC", "l": 0, "b": 0, "ruwe": 1}, {"id": "x", "l": 9, "b": 9, "ruwe": 2}]
    columns = {"name": "id", "ra": "l", "dec": "b"}
    table = read_catalog(entries, columns, frame="galactic", cuts=["ruwe < 1.4"])
    assert table["name"].tolist() == ["GC"]
    assert table["ra"][0] == pytest.approx(266.405, abs=1e-3)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "c", "ra": 400, "dec": 1}, "entry 3: ra is 400.0, .*put sexagesimal coordinates in quotes"),
        ({"name": "c", "ra": 1}, "entry 3: dec is missing"),
        (
            {"name": "c", "ra": 1, "dec": 1, "epoch": 57388},
            "entry 3: epoch is 57388.0, it must be a Julian year such as 2016.0, between 1800 and 2200$",
        ),
        ({"ra": 1, "dec": 1}, "entry 3: the source has no name"),
        ({"name": "c", "ra": "25:00:00", "dec": 1}, "entry 3: '25:00:00' is not a right ascension"),
        ({"name": "c", "ra": 1, "dec": 1, "mag": "bright"}, "entry 3: mag is 'bright', which is not a number"),
        ({"name": "a", "ra": 1, "dec": 1}, "'a' on entries 1 and 3; rename"),
    ],
)
def test_an_unusable_source_of_a_list_is_named(entry, message):
    with pytest.raises(CatalogError, match=f"^catalog.sources: .*{message}") as error:
        read_catalog([*LIST, entry])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("entries", [[], [{}]])
def test_a_list_without_sources_is_refused(entries):
    with pytest.raises(CatalogError, match=r"catalog\.sources: holds no sources"):
        read_catalog(entries)


def test_names_that_stand_more_than_once_get_a_suffix_by_choice(catalog):
    catalog.write_text("name,ra,dec\na,1,2\nb,3,4\na,1,2\na,200,5\nb_3,7,8\nb,3,4\n")
    sources = read_sources(catalog, on_duplicate="suffix")
    assert sources.table["name"].tolist() == ["a", "b", "a_2", "a_3", "b_3", "b_2"]
    assert sources.table["ra"].tolist() == [1, 3, 1, 200, 7, 3]
    assert sources.renamed == 3
    assert read_sources(catalog, on_duplicate="suffix", cuts=["ra > 100"]).table["name"].tolist() == ["a_3"]


def test_a_name_with_suffix_that_is_there_already_is_refused(catalog):
    catalog.write_text("name,ra,dec\na,1,2\na_2,3,4\na,1,2\n")
    with pytest.raises(CatalogError, match="line 4: catalog.on_duplicate makes the name 'a_2', which another source"):
        read_catalog(catalog, on_duplicate="suffix")


@pytest.mark.parametrize("kind", FORMATS)
def test_names_that_are_numbers_without_their_last_digits_are_refused(tmp_path, kind):
    table = Table({"name": [7.0, 5853498713190525696.0], "ra": [1.0, 2.0], "dec": [1.0, 2.0]})
    message = r"(row 2|line \d+): the name '5.853498713190526e\+18' is a number that has lost its last digits"
    with pytest.raises(CatalogError, match=message):
        read_catalog(write(table, tmp_path, kind))


def test_names_of_spreadsheets_without_their_last_digits_are_refused(catalog):
    catalog.write_text("name,ra,dec\n1e5,1,1\n1.5E+1,3,3\n5.85E+18,2,2\n")
    with pytest.raises(CatalogError, match=r"line 4: the name '5.85E\+18' is a number that has lost"):
        read_catalog(catalog)


def test_names_of_their_own_stay_as_they_are(catalog):
    assert read_sources(catalog, on_duplicate="suffix").renamed == 0


def test_a_row_for_the_surveys_has_each_value_in_its_place(catalog):
    catalog.write_text("name,ra,dec,pmra,pmdec,parallax,epoch,mag,mag_err,mag_filter\na,1,2,3,-4,5,2015.5,16,0.25,G\n")
    assert catalog_rows(read_catalog(catalog)) == [
        {
            "name": "a",
            "ra": 1.0,
            "dec": 2.0,
            "pmra": 3.0,
            "pmdec": -4.0,
            "parallax": 5.0,
            "epoch": 2015.5,
            "mag": 16.0,
            "mag_err": 0.25,
            "mag_filter": "G",
        }
    ]


def test_a_row_for_the_surveys_does_without_what_the_catalog_does_not_have(catalog):
    catalog.write_text("name,ra,dec,pmra,pmdec\na,1,2,1000,-2000\n")
    (row,) = catalog_rows(read_catalog(catalog))
    assert [row[name] for name in ("parallax", "mag", "mag_err", "mag_filter", "epoch")] == [None, None, None, "", 2016]
    ra, dec = position_at(row, 2036.0)
    assert (ra - 1) * 3600 * np.cos(np.radians(2)) == pytest.approx(20, abs=0.01)
    assert (dec - 2) * 3600 == pytest.approx(-40, abs=0.01)


MAGS = "name,ra,dec,mag,rp,g\na,1,2,15,14.5,15.5\nb,1,2,16,,16.5\n"


def test_a_survey_may_have_a_magnitude_of_its_own(tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_text(MAGS)
    table = read_sources(path, mags={"tess": "rp"}, cuts=["g < 16"]).table
    assert [row["mag"] for row in catalog_rows(table, "TESS")] == [14.5]
    table = read_sources(path, mags={"tess": "rp"}).table
    assert [row["mag"] for row in catalog_rows(table, "TESS")] == [14.5, None]
    assert catalog_rows(table, "ZTF") == catalog_rows(table) == catalog_rows(read_catalog(path))


def test_a_magnitude_for_a_survey_is_a_column_of_the_catalog(tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_text(MAGS)
    with pytest.raises(CatalogError, match="no column 'Rp' .* name the one with the magnitude for tess"):
        read_sources(path, mags={"tess": "Rp"})
    path.write_text(MAGS.replace("14.5", "faint"))
    with pytest.raises(CatalogError, match="mag_of_tess is 'faint'"):
        read_sources(path, mags={"tess": "rp"})


def test_sources_at_one_place_are_told(catalog, caplog):
    catalog.write_text("name,ra,dec\na,359.9999,0\nb,10,89.99999\nc,1,2\nd,1e-6,0\ne,190,89.9999\nf,2.001,2\n")
    assert len(read_sources(catalog).table["name"]) == 6
    assert "catalog.csv: 'a' and 'd' are within 1 arcsec of each other (and 1 more pairs)" in caplog.text
    caplog.clear()
    read_sources(catalog, cuts=["name != 'd'", "dec < 89.99999"])
    assert caplog.text == ""


@pytest.mark.parametrize(("turn", "unit"), [(2 * np.pi, "radians"), (24, "hours"), (360, None)])
def test_coordinates_that_look_like_radians_or_hours_are_told(tmp_path, caplog, turn, unit):
    ra = np.linspace(0, 0.999 * turn, 12)
    dec = (np.pi / 2 if unit == "radians" else 90) * np.linspace(-0.9, 0.9, 12)
    table = Table({"name": np.arange(12), "ra": ra, "dec": dec})
    table.write(tmp_path / "x", format="ascii.ecsv")
    read_catalog(tmp_path / "x")
    assert (f"as if it were in {unit}" in caplog.text) == bool(unit)
    caplog.clear()
    table["ra"].unit = table["dec"].unit = "deg"
    table.write(tmp_path / "x", format="ascii.ecsv", overwrite=True)
    read_catalog(tmp_path / "x")
    read_catalog([{"name": "one", "ra": 1.0, "dec": 0.5}])
    assert not caplog.text


def test_pairs_are_found_all_over_the_sky():
    rng = np.random.default_rng(7)
    first = SkyCoord(
        np.append(rng.uniform(0, 360, 996), [0, 0, 9, 9]), np.append(rng.uniform(-90, 90, 998), [90, -90]), unit="deg"
    )
    steps = np.where(np.arange(1000) % 3, 0.99, 1.01)
    other = first.directional_offset_by(rng.uniform(0, 360, 1000) * u.deg, steps * u.arcsec)
    ra, dec = (np.append(getattr(first, name).deg, getattr(other, name).deg) for name in ("ra", "dec"))
    expected = [[row, row + 1000] for row in range(1000) if row % 3]
    assert near_pairs(ra, dec).tolist() == expected
    assert near_pairs(ra[:0], dec[:0]).shape == (0, 2)
    assert len(near_pairs(np.full(100_000, 3.0), np.full(100_000, 4.0))) == 99_999
