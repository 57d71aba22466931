"""Whatever an archive answers, a survey gives epochs or one line that says what is wrong."""

import numpy as np
import pytest
from fuzz.mutations import mutated
from fuzz.replay import answering, recorded
from hypothesis import given
from hypothesis import strategies as st
from one_line import or_one_line
from servers.archives import ARCHIVES, ROWS

from extensions.alerce import VirtualALeRCE
from vo_lib.errors import ServiceError
from vo_lib.observatories import OBSERVATORIES, get_class
from vo_lib.observatories.answers import read_csv_answer, read_json_answer, rows_to_table
from vo_lib.observatories.ztf_forced_answers import read_jobs
from vo_lib.targets.resolvers import _read_mast, _read_sesame

SURVEYS = sorted({*ARCHIVES} & {*OBSERVATORIES, "ALERCE"} - {"FILES"})
COLUMNS = {"oid": ("i8", "", ""), "mag": ("f8", "mag", ""), "band": ("S2", "", "")}


@pytest.fixture(scope="module", params=SURVEYS)
def replayed(request):
    """Each survey with the answers to its requests for one source."""
    load = VirtualALeRCE if request.param == "ALERCE" else get_class(request.param)
    with recorded(request.param, load, ROWS[0]) as found:
        yield found


def judge(survey):
    """Ask for the source, and bring the answer to the common columns."""
    data, altdata = survey.fetch_data_from_observatory(ROWS[0])
    columns = survey.standardise(data, altdata)
    assert {len(values) for values in columns.values()} == {len(data)}
    return data, altdata


@given(data=st.data())
def test_a_survey_gives_epochs_or_one_line(replayed, data):
    make, bodies = replayed
    which = data.draw(st.integers(0, len(bodies) - 1))
    changed = data.draw(mutated([bodies[which]]))
    with np.errstate(all="ignore"), answering([*bodies[:which], changed, *bodies[which + 1 :]]), or_one_line():
        judge(make())


def test_answers_that_are_as_they_were_give_the_epochs_again(replayed):
    make, bodies = replayed
    with answering(bodies):
        assert len(judge(make())[0]) > 0


@given(st.text(max_size=300))
def test_text_is_a_table_or_one_line(text):
    with or_one_line():
        read_csv_answer(text, COLUMNS)
    with or_one_line():
        rows_to_table(read_json_answer(text, "rows")[0], COLUMNS)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
)


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, values)), max_size=4))
def test_objects_are_a_table_or_one_line(rows):
    with or_one_line():
        assert len(rows_to_table(rows, COLUMNS)) == len(rows)


cells = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=5),
)


@given(st.lists(cells, max_size=5))
def test_a_table_that_is_written_as_csv_is_read_as_it_was(rows):
    text = "oid,mag,band\n" + "".join(
        f'{oid},{mag!r},"{band.replace(chr(34), chr(34) * 2)}"\n' for oid, mag, band in rows
    )
    found = read_csv_answer(text, COLUMNS)
    assert found["oid"].tolist() == [oid for oid, *_ in rows]
    np.testing.assert_array_equal(found["mag"], [mag for _, mag, _ in rows])
    assert found["band"].tolist() == [band.encode() for *_, band in rows]


SESAME = """<?xml version="1.0"?><Sesame><Target option="SNV"><name>x</name><Resolver name="Sc=Simbad (CDS)">
<jradeg>10.684708</jradeg><jdedeg>41.268750</jdedeg><oname>M 31</oname><alias>NGC 224</alias>
<pm><pmRA>1.5</pmRA><pmDE>-2</pmDE></pm></Resolver></Target></Sesame>"""
MAST = """{"resolvedCoordinate": [{"searchString": "x", "resolver": "SIMBAD", "ra": 10.7, "decl": 41.3,
"canonicalName": "M 31"}], "status": ""}"""


@pytest.mark.parametrize(("read", "body"), [(_read_sesame, SESAME), (_read_mast, MAST)])
@given(data=st.data())
def test_an_answer_about_a_name_is_a_target_or_one_line(read, body, data):
    text = data.draw(mutated([body.encode()])).decode(errors="replace")
    with or_one_line(ServiceError):
        read(text, "x")


def place_of(bodies, part):
    """Number of the first body with a part in it."""
    return next(number for number, body in enumerate(bodies) if part in body)


# Found by `make fuzz`: survey, what is in the body that is changed, and what becomes of it.
FOUND = [
    ("ATLAS", b'"url": "http://127.0.0.1', b'"url": "http://[[127.0.0.1', "names an address elsewhere"),
    ("KEPLER", b'"s_ra": 0.0', b'"s_ra": null', "sent None for s_ra, not a number"),
    ("KEPLER", b'"obsid": 201', b'"obsid": Infinity', "sent inf for obsid, not a whole number"),
    ("KEPLER", b'"productFilename": "', b'"productFilename": 1, "x": "', "sent 1 for productFilename, not text"),
    ("TESS", b'"pagesFiltered": 1', b'"pagesFiltered": "1"', "instead of the number of its pages"),
    ("TESS", b'"paging": {', b'"paging": "x", "old": {', "instead of the number of its pages"),
    ("TESS", b'"pmRA": ', b'"pmRA": [], "x": ', r"sent \[\] for pmRA, not a number or null"),
    ("TESS", b'"ID": ', b'"ID": "x", "x": ', "sent 'x' for ID, not a whole number"),
    ("ZTF_FORCED", b"</td>", b"<table>x</td>", "list of jobs|there are no more answers"),
]


@pytest.mark.parametrize(("survey", "old", "new", "message"), FOUND)
def test_what_was_found_is_one_line(survey, old, new, message):
    with recorded(survey, get_class(survey), ROWS[0]) as (make, bodies):
        which = place_of(bodies, old)
        changed = [*bodies[:which], bodies[which].replace(old, new), *bodies[which + 1 :]]
        with answering(changed), pytest.raises(ServiceError, match=message):
            judge(make())


def test_a_job_that_ended_with_an_infinite_code_is_one_line():
    names = ("reqId", "ra", "dec", "startJD", "endJD", "ended", "exitcode", "lightcurve")
    cells = "".join(f"<th>{name}</th>" for name in names)
    row = "".join(f"<td>{cell}</td>" for cell in ("1", "1", "2", "3", "4", "2026", "inf", "x"))
    with pytest.raises(ServiceError, match="a row without its numbers"):
        read_jobs(f"<table><tr>{cells}</tr><tr>{row}</tr></table></html>")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"rows": "\\ud800"}'])
def test_json_that_python_cannot_hold_is_one_line(text):
    with pytest.raises(ServiceError, match="is not JSON|has no list"):
        read_json_answer(text, "rows")


def test_half_a_character_is_no_text():
    with pytest.raises(ServiceError, match="has text that cannot be stored"):
        rows_to_table([{"oid": 1, "mag": 2.0, "band": "\ud800"}], COLUMNS)
