import csv

import numpy as np
import pytest
from servers.sesame import SesameServer, mast_row, star

from vo_lib.bins import Bins
from vo_lib.catalog import read_catalog
from vo_lib.errors import CatalogError
from vo_lib.observatories.http import HttpClient
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.targets.lists import COLUMNS, REPEATED, Problem, complete_catalog, resolve_list
from vo_lib.targets.names import TABLE, Resolver
from vo_lib.targets.resolvers import MastResolver, Sesame
from vo_lib.targets.target import AMBIGUOUS, MOVING, NOT_FOUND, UNRESOLVED

STARS = {
    "AZV148": star("AzV 148", 13.4270833, -72.7066667, aliases=["Sk 70"], pm=(0.9, -1.2)),
    "Sk 70": star("AzV 148", 13.4270833, -72.7066667, aliases=["Sk 70"], pm=(0.9, -1.2)),
    "GD71": star("GD 71", 88.1150833, 15.8870083, pm=(76.73, -172.96)),
    "Q, 1": star("Q, 1", 359.99999999, 0.000125),
}
ROWS = [mast_row("M 8", 270.904, -24.387), mast_row("M 8", 270.922, -24.38, resolver="NED")]
NAMES = ["AZV-148", "SATURN1", "Sk 70", "GD 71", "Xyzzy", "M 8", "AZV-148", "Q, 1"]
GOOD = ["AZV-148", "GD 71", "Q, 1"]


@pytest.fixture
def resolver(tmp_path):
    with SesameServer(STARS, ROWS) as server:
        client = HttpClient(retries=0, timeout_s=60)
        services = (Sesame(client, server.sesame_urls), MastResolver(client, server.mast_url))
        cache = tmp_path / "names.tsv"
        yield Resolver(PACKAGE_ROOT / TABLE, cache, offline=False, services=services, per_second=0)


@pytest.fixture
def complete(tmp_path, resolver):
    """Complete a catalog given as a text; give the outcome and the two files."""

    def run(text, resolver=resolver):
        path, out = tmp_path / "list.txt", tmp_path / "out/catalog.csv"
        path.write_text(text, encoding="utf-8")
        out.parent.mkdir(exist_ok=True)
        found = complete_catalog(path, out, resolver)
        files = (out, out.with_name("catalog_problems.csv"))
        return found, *(list(csv.reader(file.read_text().splitlines())) if file.exists() else None for file in files)

    return run


def test_each_name_is_a_row_or_a_problem(resolver):
    rows, problems = resolve_list(NAMES, resolver)
    assert rows[0] == dict(zip(COLUMNS, ("AZV-148", 13.4270833, -72.7066667, 0.9, -1.2, 2000.0), strict=True))
    assert [row["name"] for row in rows] == GOOD
    assert (rows[2]["pmra"], rows[2]["pmdec"]) == (None, None)
    assert problems[0] == Problem("SATURN1", MOVING, "'SATURN1' is a moving target and has no fixed position")
    assert [problem[:2] for problem in problems[1:]] == [
        ("Sk 70", REPEATED),
        ("Xyzzy", NOT_FOUND),
        ("M 8", AMBIGUOUS),
        ("AZV-148", REPEATED),
    ]
    assert problems[1].message == "'Sk 70' is the same target as 'AZV-148'"
    assert len(rows) + len(problems) == len(NAMES)


def test_no_names_are_no_rows(resolver):
    assert resolve_list([], resolver) == ([], [])


def test_offline_a_name_that_was_never_asked_for_is_a_problem(resolver):
    resolver.offline = True
    rows, problems = resolve_list(["GD 71", "SATURN"], resolver)
    assert rows == []
    assert [problem.kind for problem in problems] == [UNRESOLVED, MOVING]
    assert "resolve it online" in problems[0].message


@pytest.mark.parametrize(
    "text",
    [
        "# my targets\nGD 71\n\n  AZV-148 \n# more\nXyzzy\nSATURN\n",
        "name\nGD 71\nAZV-148\nXyzzy\nSATURN\n",
        "name,ra,dec\nGD 71,,\nAZV-148,nan,--\nXyzzy,,\nSATURN,,\n",
        "\ufeffGD 71\r\nAZV-148\r\nXyzzy\r\nSATURN\r\n",
    ],
)
def test_lists_and_tables_of_names_become_a_catalog(complete, text):
    _, rows, report = complete(text)
    assert rows == [
        list(COLUMNS),
        ["GD 71", "88.1150833", "15.8870083", "76.73", "-172.96", "2000.0"],
        ["AZV-148", "13.4270833", "-72.7066667", "0.9", "-1.2", "2000.0"],
    ]
    assert [row[:2] for row in report] == [["name", "kind"], ["Xyzzy", NOT_FOUND], ["SATURN", MOVING]]
    assert report[1][2].startswith("'Xyzzy' is not known to")


def test_the_catalog_can_be_read_and_binned(complete, tmp_path):
    complete('name\n"Q, 1"\nSATURN1\nGD 71\n')
    table = read_catalog(tmp_path / "out/catalog.csv")
    assert table["name"].tolist() == ["Q, 1", "GD 71"]
    assert table["epoch"].tolist() == [2000.0, 2000.0]
    np.testing.assert_array_equal(table["pmra"], [np.nan, 76.73])
    assert Bins(1.0).index(table["ra"]).tolist() == [359, 88]


def test_rows_that_have_a_position_stay_as_they_are(complete):
    text = 'mag,name,ra,dec,epoch,note\n12.50,HD 1,01:02:03,-5,2016,"a, b"\n11,GD 71,,,,c\n10,b,7,8,,\n'
    found, rows, report = complete(text)
    assert rows == [
        [*COLUMNS, "mag", "note"],
        ["HD 1", "01:02:03", "-5", "", "", "2016", "12.50", "a, b"],
        ["GD 71", "88.1150833", "15.8870083", "76.73", "-172.96", "2000.0", "11", "c"],
        ["b", "7", "8", "", "", "", "10", ""],
    ]
    assert report is None
    assert found.problems == []


def test_a_motion_that_no_service_knows_stays(complete):
    rows = complete('name,ra,dec,pmra,pmdec\n"Q, 1",,,5.5,6.5\nGD 71,,,5.5,6.5\n')[1]
    assert [row[3:5] for row in rows[1:]] == [["5.5", "6.5"], ["76.73", "-172.96"]]


def test_a_target_that_is_there_twice_is_one_row(complete):
    _, rows, report = complete("GD 71\nGD 71\nGD-71\n")
    assert [row[0] for row in rows[1:]] == ["GD 71"]
    assert [row[1] for row in report[1:]] == [REPEATED] * 2


def test_a_run_without_problems_removes_the_report_of_the_one_before(complete):
    assert complete("GD 71\nXyzzy\n")[2]
    assert complete("GD 71\n")[2] is None


def test_a_list_of_moving_targets_alone_makes_no_catalog(complete, tmp_path):
    message = r"list\.txt: none of its 2 names has a position; .*catalog_problems\.csv says why"
    with pytest.raises(CatalogError, match=message):
        complete("SATURN\nIO\n")
    assert not (tmp_path / "out/catalog.csv").exists()
    assert (tmp_path / "out/catalog_problems.csv").read_text().count("moving target") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"list\.txt: contains no names"),
        ("# nothing\n", r"list\.txt: contains no names"),
        ("name\n", r"list\.txt: contains no names"),
        ("source,ra,dec\nGD 71,,\n", r"has no column 'name' \(it has source, ra, dec\); rename the one with the names"),
        ("GD 71\nQ, 1\n", "line 2 has 2 cells, the header has 1, separated by commas; quote"),
        ("name,ra,dec\nGD 71,,\n,,\n", "line 3: the source has no name; give it one"),
        ("name,ra,dec\nGD 71,12,\n", "line 2: has only ra; give both coordinates or neither"),
        ("name,dec\nGD 71,12\n", "line 2: has only dec"),
        ("<VOTABLE></VOTABLE>", r"list\.txt: is VOTable; write the names to a text file or CSV"),
    ],
)
def test_a_list_of_another_form_is_refused(complete, text, message):
    with pytest.raises(CatalogError, match=message):
        complete(text)


def test_files_of_other_formats_are_refused(tmp_path, resolver):
    from astropy.table import Table

    Table({"name": ["GD 71"]}).write(tmp_path / "list.fits")
    with pytest.raises(CatalogError, match=r"list\.fits: is FITS; write the names to a text file or CSV"):
        complete_catalog(tmp_path / "list.fits", tmp_path / "out.csv", resolver)


@pytest.mark.parametrize(("name", "content"), [("stars.csv", "catalog"), ("stars_problems.csv", "problems")])
def test_a_list_is_not_written_over(tmp_path, resolver, name, content):
    (tmp_path / name).write_text("name\nGD 71\n")
    with pytest.raises(CatalogError, match=rf"{name}: is the list itself, which the {content} would overwrite"):
        complete_catalog(tmp_path / name, tmp_path / "stars.csv", resolver)
    assert (tmp_path / name).read_text() == "name\nGD 71\n"


def test_a_list_that_is_missing_is_told_also_where_a_catalog_is(tmp_path, resolver):
    (tmp_path / "out.csv").touch()
    with pytest.raises(CatalogError, match=r"none\.csv: no such file"):
        complete_catalog(tmp_path / "none.csv", tmp_path / "out.csv", resolver)


def test_a_folder_that_is_not_there_is_told_before_anybody_is_asked(tmp_path, resolver):
    (tmp_path / "list.csv").write_text("name\nGD 71\nXyzzy\n")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CatalogError, match=r"none.*: there is no folder .*none.*; create it first or write elsewhere$"):
        complete_catalog(tmp_path / "list.csv", tmp_path / "none/deep/out.csv", resolver)
    assert sorted(tmp_path.rglob("*")) == before
