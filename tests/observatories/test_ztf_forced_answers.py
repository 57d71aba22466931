import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.zfps import BUSY, HEADER, LINE, LIST_HEADER, ZERO, synthetic_result, write_result

from vo_lib.errors import ServiceError
from vo_lib.observatories.ztf_forced_answers import RESULT, Job, read_jobs, read_result

PLACE = {"ra": 10.0, "dec": -5.0}
WAITING = ("4711", "10.000000", "-5.000000", "2458194.5", "2461000.5", "x", "", "", "", "")
ENDED = ("4712", "10.0", "-5.0", "2458194.5", "2461000.5", "x", "x", "2026-11-01", "56", "/ztf/ops/a/b_lc.txt")


def page(*rows, header=LIST_HEADER, end="</td>", row_end="</tr>"):
    """A list of jobs beside another table."""
    lines = [f"<tr><td>{f'{end}<td>'.join(cells)}{end}{row_end}" for cells in rows]
    head = f"<tr><th>{f'{end}<th>'.join(header)}{end}{row_end}"
    menu = "<table><tr><td>Home</td></tr></table>"
    return f"<html><body>{menu}<table>{head}{''.join(lines)}</table>{menu}</body></html>"


def read(*lines, ra=10.0, dec=-5.0):
    return read_result(write_result(10.0, -5.0, lines), ra=ra, dec=dec)[0]


def with_value(name, value):
    """The line of an epoch with one of its values changed."""
    words = LINE.split()
    words[[word.rstrip(",") for word in HEADER.split()].index(name)] = value
    return " ".join(words)


def test_jobs_are_read_as_the_page_lists_them():
    times = {"jdstart": 2458194.5, "jdend": 2461000.5}
    assert read_jobs(page(WAITING, ENDED)) == [
        Job("4711", **PLACE, **times, exit_code=None, path=""),
        Job("4712", **PLACE, **times, exit_code=56, path="/ztf/ops/a/b_lc.txt"),
    ]


@pytest.mark.parametrize("ends", [{"end": ""}, {"row_end": ""}, {"end": "", "row_end": ""}])
def test_a_page_may_lack_end_tags(ends):
    assert read_jobs(page(WAITING, ENDED, **ends)) == read_jobs(page(WAITING, ENDED))


def test_columns_are_found_by_their_names_and_cells_may_have_other_tags():
    order = [3, 9, 0, 8, 1, 2, 4, 5, 6, 7]
    turned = page([f"<a href='x'>{ENDED[i]}</a>&nbsp;" for i in order], header=[LIST_HEADER[i].upper() for i in order])
    assert read_jobs(turned) == read_jobs(page(ENDED))


@pytest.mark.parametrize("nothing", ["", "null", "None", "NaN", " "])
def test_a_job_without_an_end_or_code_has_not_ended(nothing):
    assert read_jobs(page((*ENDED[:7], nothing, *ENDED[8:])))[0].exit_code is None
    assert read_jobs(page((*ENDED[:8], nothing, nothing)))[0] == Job("4712", 10, -5, 2458194.5, 2461000.5, None, "")
    assert read_jobs(page(ENDED[:7]))[0].exit_code is None


def test_no_jobs_and_a_busy_database_are_told_apart():
    assert read_jobs(ZERO) == read_jobs(page()) == []
    assert read_jobs(BUSY) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the answer is not a list of jobs but 'empty'"),
        (
            "<html><title>Closed</title></html>",
            "the answer is not a list of jobs but '<html><title>Closed</title></html>'",
        ),
        (page(ENDED).replace("exitcode", "code"), "not a list of jobs but '<html><body><table>"),
        (page(ENDED).rpartition("</table><table>")[0].rpartition("</td>")[0], "the list of jobs was cut off"),
        (page(ENDED).replace("10.0", "ten"), "has a row without its numbers: 4712 ten -5.0"),
        (page(("Total", "1 job")), "has a row without its numbers: Total 1 job"),
    ],
)
def test_other_pages_are_errors_and_never_mean_that_a_job_is_not_there(text, message):
    with pytest.raises(ServiceError, match=message):
        read_jobs(text)


@given(st.integers(0, len(page(WAITING, ENDED))))
def test_a_page_cut_anywhere_has_all_jobs_or_is_an_error(length):
    whole = page(WAITING, ENDED)
    try:
        assert read_jobs(whole[:length]) == read_jobs(whole)
    except ServiceError:
        assert length < len(whole) - len("<table><tr><td>Home</td></tr></table></body></html>")


def test_rows_are_kept_as_they_were_sent():
    text = synthetic_result(10.0, -5.0)
    data, comments = read_result(text, **PLACE)
    rows = [line.split() for line in text.splitlines()[len(comments) + 1 :]]
    assert data["jd"].tolist() == [float(row[22]) for row in rows]
    assert data["filter"].tolist() == [row[4].encode() for row in rows]
    assert data["procstatus"].tolist() == [row[-1].encode() for row in rows]
    assert comments == text.splitlines()[: len(comments)]
    assert set(data.dtype.names) == set(RESULT)


def test_null_is_no_number_and_keeps_its_row():
    for name in ("forcediffimflux", "zpdiff", "infobitssci", "ncalmatches", "programid"):
        assert np.isnan(read(with_value(name, "null"))[name]).tolist() == [True]
    assert read(with_value("rfid", "null"))["rfid"].tolist() == [b"null"]


def test_limiting_magnitudes_of_epochs_without_a_detection_are_kept():
    data = read(with_value("forcediffimflux", "-31.5"))
    assert (data["forcediffimflux"][0], data["diffmaglim"][0]) == (-31.5, 20.5)


def test_an_epoch_may_have_several_codes():
    assert read(with_value("procstatus", "56,57"))["procstatus"].tolist() == [b"56,57"]


def test_columns_that_are_new_are_kept():
    text = write_result(10.0, -5.0, [f"{LINE} 1"]).replace("procstatus", "procstatus, diffimgstatus")
    assert read_result(text, **PLACE)[0]["diffimgstatus"].tolist() == [1]


def test_comments_after_the_rows_are_comments():
    data, comments = read_result(write_result(10.0, -5.0, [LINE, "# the end"]), **PLACE)
    assert (len(data), comments[-1]) == (1, "# the end")


def test_a_header_without_rows_has_no_epochs():
    assert read().shape == (0,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the answer is empty"),
        ("# comments\n", "the answer is empty"),
        ("<html><title>Not here</title></html>", "not a table but a page: Not here"),
        (write_result(10.0, -5.0, [LINE]).replace("zpdiff,", "zp,"), "has no column 'zpdiff'"),
        (
            write_result(10.0, -5.0, [LINE])[:-30] + "\n",
            "line 2 of the answer has 36 values, the header has 40; the answer was cut off",
        ),
        (write_result(10.0, -5.0, [LINE])[:-2], "the last line of the answer has no end"),
        (write_result(10.0, -5.0, [with_value("jd", "x")]), "has 'x' for jd, not a number"),
        (write_result(10.0, -5.0, [with_value("field", "null")]), "has 'null' for field, not a number"),
    ],
)
def test_what_is_not_a_whole_table_is_an_error(text, message):
    with pytest.raises(ServiceError, match=message):
        read_result(text, **PLACE)


def test_a_result_of_another_position_is_an_error():
    with pytest.raises(ServiceError, match=r"the result is of RA 10.0000000 Dec -5.0000000, not of RA 10.0100000 Dec"):
        read(LINE, ra=10.01)
    assert len(read(LINE, ra=370.000001)) == 1
    for place in ({"ra": 9.9999}, {"ra": 10.0001}, {"dec": -5.0001}, {"dec": -4.9999}):
        with pytest.raises(ServiceError, match="the result is of RA"):
            read(LINE, **place)
    assert len(read_result(f"{HEADER}\n{LINE}\n", ra=1, dec=1)[0]) == 1
