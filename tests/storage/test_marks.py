from vo_lib.storage.marks import mark, read_marks, spread_marks, unmark

LINKS = [("reduce", "raw"), ("analyze", "reduce"), ("rates", "analyze"), ("analyze", "other")]


def test_marks_are_kept_and_taken_away(tmp_path):
    assert read_marks(tmp_path) == {}
    mark(tmp_path, "raw", "clouds")
    mark(tmp_path, "raw", "thick clouds")
    mark(tmp_path, "rates", "x")
    assert read_marks(tmp_path) == {"raw": "thick clouds", "rates": "x"}
    unmark(tmp_path, "rates")
    unmark(tmp_path, "nothing")
    assert read_marks(tmp_path) == {"raw": "thick clouds"}


def test_all_downstream_is_bad_and_names_its_origin():
    found = spread_marks({"reduce": "clouds"}, LINKS)
    assert found == {"reduce": "clouds"} | dict.fromkeys(("analyze", "rates"), "made of reduce: clouds")


def test_a_mark_of_its_own_says_more_than_that_of_an_origin():
    found = spread_marks({"raw": "clouds", "analyze": "wrong seed"}, LINKS)
    assert found["analyze"] == "wrong seed"
    assert found["rates"] == "made of analyze: wrong seed"


def test_nothing_is_bad_without_marks():
    assert spread_marks({}, LINKS) == {}
