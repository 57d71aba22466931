import errno
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from unittest.mock import Mock

import h5py
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock, Timeout

from vo_lib import hdf5
from vo_lib.download import download_bin, lock_raw
from vo_lib.downloads.spool import Spool
from vo_lib.errors import DamagedProductError, PluginError, ServiceError, StaleProductError, UserError
from vo_lib.provenance import PACKAGE_ROOT, short_digest
from vo_lib.raw import FAILED, OK, Answer, data_digest, read_blocks, read_epochs, read_index

DTYPE = np.dtype([("jd", "f8"), ("band", "S2")])


class Survey:
    """A survey that answers from a dict: a number of epochs, or an error; it counts its requests."""

    columns = {"jd": ("f8", "d", "time"), "band": ("S2", "", "filter")}
    release = "dr1"

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    def empty_table(self):
        return np.zeros(0, DTYPE)

    def fetch_data_from_observatory(self, cat_row):
        self.asked.append(cat_row["name"])
        answer = self.answers[cat_row["name"]]
        if isinstance(answer, Exception):
            raise answer
        data = np.zeros(answer, DTYPE)
        data["jd"], data["band"] = np.arange(answer) + len(self.asked), b"g"
        return data, {"note": "x"}


def rows(*names, ra=10.0):
    return [{"name": name, "ra": ra, "dec": 0.0, "mag": None} for name in names]


@pytest.fixture
def raw(tmp_path):
    return tmp_path / "DEMO" / "DEMO_photometry_RA010.h5"


PARAMETERS = {"radius": 2, "release": "dr1"}


def fetch(survey, raw, sources, **options):
    return download_bin(survey, sources, raw, **{"parameters": PARAMETERS} | options)


def test_each_source_is_stored_as_it_was_sent(raw):
    entries = fetch(Survey(a=3, b=0), raw, rows("a", "b"))
    assert [entry["status"] for entry in entries] == ["ok", "empty"]
    with h5py.File(raw) as file:
        assert pd.DataFrame(file["a"][:])["jd"].tolist() == [1.0, 2.0, 3.0]
        assert file["b"].shape == (0,)
        assert file["b"].dtype.names == ("jd", "band")
        assert '"note": "x"' in file["metadata"].asstr()[0]


def test_a_second_run_asks_for_nothing_not_even_for_empty_sources(raw):
    fetch(Survey(a=3, b=0), raw, rows("a", "b"))
    before = raw.stat().st_mtime_ns
    survey = Survey()
    fetch(survey, raw, rows("a", "b"))
    assert survey.asked == []
    assert raw.stat().st_mtime_ns == before


def test_one_failure_does_not_stop_the_others_and_is_asked_for_again(raw):
    entries = fetch(Survey(a=3, b=ServiceError("503"), c=1), raw, rows("a", "b", "c"))
    assert [entry["status"] for entry in entries] == ["ok", "failed", "ok"]
    assert entries[1]["reason"] == "503"
    survey = Survey(b=2)
    assert fetch(survey, raw, rows("a", "b", "c"))[1]["status"] == "ok"
    assert survey.asked == ["b"]


def test_a_second_project_fetches_only_what_is_new(raw):
    fetch(Survey(a=3), raw, rows("a"))
    survey = Survey(b=1)
    fetch(survey, raw, rows("a", "b"))
    assert survey.asked == ["b"]
    assert sorted(read_index(raw)) == ["a", "b"]


def test_other_parameters_are_an_error_unless_the_user_decides(raw):
    fetch(Survey(a=3), raw, rows("a"))
    other = {"parameters": PARAMETERS | {"radius": 3}}
    with pytest.raises(UserError, match=r"1 of 1 sources were downloaded with other parameters, .*'refetch'.*'keep'"):
        fetch(Survey(), raw, rows("a"), **other)
    assert fetch(Survey(), raw, rows("a"), on_change="keep", **other)[0]["n_rows"] == 3
    assert fetch(Survey(a=5), raw, rows("a"), on_change="refetch", **other)[0]["n_rows"] == 5


def test_a_refetch_that_fails_loses_nothing(raw):
    fetch(Survey(a=3), raw, rows("a"))
    parameters = PARAMETERS | {"radius": 3}
    entry = fetch(Survey(a=ServiceError("down")), raw, rows("a"), on_change="refetch", parameters=parameters)[0]
    assert (entry["status"], entry["n_rows"], entry["digest"]) == ("failed", 0, "")
    assert read_index(raw)["a"]["n_rows"] == 3


def test_a_name_at_another_place_is_an_error(raw):
    fetch(Survey(a=3), raw, rows("a"))
    with pytest.raises(UserError, match="contains 'a' at RA 10.00000 .* 3600 arcsec away at RA 11.*corrected, delete"):
        fetch(Survey(a=3), raw, rows("a", ra=11.0))


def test_an_error_of_the_program_is_not_taken_for_a_failed_source(raw):
    message = (
        r"Survey.fetch_data_from_observatory\(\) for 'b' raises KeyError: 'bug' \(in .*test_download.py line \d+\)"
    )
    with pytest.raises(PluginError, match=message):
        fetch(Survey(a=1, b=KeyError("bug")), raw, rows("a", "b"))
    survey = Survey(b=1)
    fetch(survey, raw, rows("a", "b"))
    assert survey.asked == ["b"]


def test_what_arrived_before_a_kill_is_not_asked_for_again(raw, tmp_path):
    code = f"""
        import os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(PACKAGE_ROOT / "tests")!r})
        from test_download import Survey, fetch, rows
        class Killed(Survey):
            def fetch_data_from_observatory(self, cat_row):
                if cat_row["name"] == "c":
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().fetch_data_from_observatory(cat_row)
        fetch(Killed(a=3, b=0), Path({str(raw)!r}), rows("a", "b", "c"))
    """
    environment = os.environ | {"PYTHONPATH": str(PACKAGE_ROOT)}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=environment, cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    # In the meantime another project, or another selection of this one, asks for a source of the bin.
    fetch(Survey(d=2), raw, rows("d"))
    survey = Survey(c=1)
    entries = fetch(survey, raw, rows("a", "b", "c"))
    assert survey.asked == ["c"]
    assert [entry["n_rows"] for entry in entries] == [3, 0, 1]


def test_what_a_killed_job_left_for_other_sources_is_stored_if_it_is_an_answer_to_the_same_request(raw):
    raw.parent.mkdir()
    spool, data, digest = Spool(raw.with_name(f".{raw.name}.answers")), np.zeros(2, DTYPE), short_digest(PARAMETERS)
    for name, answer in {"b": (OK, data, digest), "c": (OK, data, "other"), "d": (FAILED, data[:0], digest)}.items():
        status, epochs, parameters = answer
        spool.put(Answer(rows(name)[0], status, epochs, parameters=parameters))
    fetch(Survey(a=1), raw, rows("a"))
    assert {name: row["n_rows"] for name, row in read_index(raw).items()} == {"a": 1, "b": 2}
    assert not spool.path.exists()


@pytest.mark.parametrize(
    ("row", "parameters", "is_asked"),
    [({}, {}, False), ({"pmra": 60.0}, {}, True), ({"ra": 10.001}, {}, True), ({}, {"radius": 3}, True)],
)
def test_what_a_killed_job_left_to_another_request_is_asked_for_again(raw, row, parameters, is_asked):
    raw.parent.mkdir()
    [wanted] = rows("a")
    left = Answer(wanted | row, OK, np.zeros(2, DTYPE), parameters=short_digest(PARAMETERS | parameters))
    Spool(raw.with_name(f".{raw.name}.answers")).put(left)
    survey = Survey(a=5)
    fetch(survey, raw, [wanted])
    assert survey.asked == ["a"] * is_asked
    assert read_index(raw)["a"]["n_rows"] == (5 if is_asked else 2)


def test_what_was_not_asked_for_has_no_answer_in_the_archive(raw):
    down = ServiceError("down")
    entries = fetch(Survey(a=1, b=down, c=down), raw, rows("a", "b", "c"), max_consecutive_failures=1)
    assert [entry["status"] for entry in entries] == ["ok", "failed", "failed"]
    assert {name: row["status"] for name, row in read_index(raw).items()} == {"a": "ok", "b": "failed"}


def test_an_archive_has_one_writer_at_a_time(raw):
    other = FileLock(raw.with_name(f".{raw.name}.lock"), timeout=0)
    with lock_raw(raw), pytest.raises(Timeout):
        other.acquire()
    with other:
        assert other.is_locked


def test_a_lock_of_someone_else_says_what_to_do(raw, monkeypatch):
    def refuse(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("vo_lib.download.FileLock.acquire", refuse)
    with pytest.raises(UserError, match=r"you may not write to .*\.h5\.lock; locks follow the umask"):
        fetch(Survey(a=1), raw, rows("a"))


def manifest_of(raw, names):
    """Columns of a manifest of some sources as the raw file has them now."""
    index = read_index(raw)
    columns = {name: np.array([index[source][name] for source in names]) for name in ("status", "digest")}
    return columns | {"name": np.array(names)}


def test_epochs_come_back_in_the_order_asked_for(raw):
    fetch(Survey(a=3, b=0, c=2), raw, rows("a", "b", "c"))
    sources = manifest_of(raw, ["c", "b", "a"])
    data, counts = read_epochs(raw, sources, np.dtype([("band", "S4"), ("jd", "f8")]))
    assert counts.tolist() == [2, 0, 3]
    assert sorted(data["jd"][:2].tolist()) == data["jd"][:2].tolist()
    assert len(data) == 5


@pytest.mark.parametrize("older", [False, True])
def test_answers_of_several_types_come_back_by_the_names_of_their_columns(raw, older, monkeypatch):
    wide = [("band", "S4"), ("note", "i8"), ("jd", "f8")]
    fetch(Survey(a=3, b=2), raw, rows("a", "b"))
    if older:
        _forget_places(raw)
    monkeypatch.setattr("test_download.DTYPE", np.dtype(wide))
    fetch(Survey(c=4), raw, rows("c"))
    sources = manifest_of(raw, ["a", "b", "c"])
    for dtype in (wide[::2], DTYPE.descr[::-1], [("jd", "f8"), ("band", "S2")]):
        data, counts = read_epochs(raw, sources, np.dtype(dtype))
        assert counts.tolist() == [3, 2, 4]
        assert data["jd"].tolist() == [1, 2, 3, 2, 3, 1, 2, 3, 4]
        assert set(data["band"].tolist()) == {b"g"}


@pytest.mark.parametrize("older", [False, True])
def test_no_text_of_an_answer_is_cut_off(raw, older):
    texts = {"a": b"g", "b": b"a long name", "c": b"zr"}
    for name, text in texts.items():
        survey = Survey(**{name: 1})
        kind = [("jd", "f8"), ("band", f"S{len(text)}")]
        survey.fetch_data_from_observatory = lambda _, text=text, kind=kind: (np.array([(1.0, text)], kind), {})
        fetch(survey, raw, rows(name))
    if older:
        _forget_places(raw)
    sources = manifest_of(raw, list(texts))
    narrow = np.dtype([("jd", "f8"), ("band", "S1")])
    assert read_epochs(raw, sources, narrow)[0]["band"].tolist() == list(texts.values())
    blocks = read_blocks(raw, sources, narrow, most=1)
    assert [data["band"].tolist() for _, data, _ in blocks] == [[text] for text in texts.values()]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ([("jd", "f8")], r"for 'a' must return a column 'band' \(\|S2\), got only jd; correct the class"),
        ([("jd", "f8"), ("band", "U2")], r"must return \|S2 in the column 'band', got <U2"),
        ([("jd", "c16"), ("band", "S2")], r"must return float64 in the column 'jd', got complex128"),
        ("f8", r"must return a structured array of epochs, got float64 of shape \(2,\)"),
    ],
)
def test_answers_that_are_not_as_declared_stop_a_download_at_the_first(raw, kind, message):
    survey = Survey(a=1, b=1)
    survey.fetch_data_from_observatory = lambda _: (np.zeros(2, kind), {})
    with pytest.raises(PluginError, match=message):
        fetch(survey, raw, rows("a", "b"))
    assert not raw.exists()


def test_answers_may_have_narrower_numbers_and_other_columns(raw):
    survey = Survey(a=1)
    kind = [("more", "f8"), ("band", "S1"), ("jd", "i4")]
    survey.fetch_data_from_observatory = lambda _: (np.array([(1.0, b"g", 7)], kind), {})
    fetch(survey, raw, rows("a"))
    assert read_epochs(raw, manifest_of(raw, ["a"]), DTYPE)[0].tolist() == [(7.0, b"g")]


def test_a_column_that_an_answer_lacks_is_not_read_as_zeros(raw):
    fetch(Survey(a=0, b=2), raw, rows("a", "b"))
    wanted = np.dtype([*DTYPE.descr, ("mag", "f8")])
    with pytest.raises(UserError, match="'b' has no column 'mag', which its survey declares; raise the raw_schema"):
        read_epochs(raw, manifest_of(raw, ["a", "b"]), wanted)
    assert len(read_epochs(raw, manifest_of(raw, ["a"]), wanted)[0]) == 0


def _forget_places(raw):
    """Make the index of an archive that of a version that did not know places."""
    with h5py.File(raw) as file:
        index = hdf5.read_table(file, "index")
    with hdf5.Writer(raw, base=raw) as writer:
        writer.write_table("index", {name: index[name] for name in index if name not in ("place", "type")})


@pytest.mark.parametrize("more", ["", "d"])
def test_places_are_not_believed_once_another_tool_changed_the_archive(raw, more):
    fetch(Survey(a=3, b=3, c=3), raw, rows("a", "b", "c"))
    sources = manifest_of(raw, ["a", "b", "c"])
    with h5py.File(raw, "r+") as file:
        del file["b"]
        file["b"] = np.zeros(5, DTYPE)
    if more:
        fetch(Survey(d=2), raw, rows("d"))
    with pytest.raises(UserError, match="'b' has 5 rows, its index says 3"):
        read_epochs(raw, sources, DTYPE)


def test_epochs_of_one_type_are_read_without_hdf5(raw, monkeypatch):
    fetch(Survey(a=3, b=0), raw, rows("a", "b"))
    fetch(Survey(c=4), raw, rows("c"))
    fetch(Survey(a=5), raw, rows("a"), parameters=PARAMETERS | {"radius": 3}, on_change="refetch")
    monkeypatch.setattr("vo_lib.storage.flat_rows._fill_by_keys", None)
    data, counts = read_epochs(raw, manifest_of(raw, ["c", "a", "b"]), DTYPE)
    assert counts.tolist() == [4, 5, 0]
    assert data["jd"].tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 5]


def test_blocks_of_sources_are_the_whole_in_pieces(raw):
    fetch(Survey(a=3, b=0, c=2, d=4), raw, rows("a", "b", "c", "d"))
    sources = manifest_of(raw, ["a", "b", "c", "d"])
    whole, counts = read_epochs(raw, sources, DTYPE)
    blocks = list(read_blocks(raw, sources, DTYPE, most=5))
    assert [block["name"].tolist() for block, _, _ in blocks] == [["a", "b", "c"], ["d"]]
    np.testing.assert_array_equal(np.concatenate([data for _, data, _ in blocks]), whole)
    np.testing.assert_array_equal(np.concatenate([part for _, _, part in blocks]), counts)


def test_the_digest_of_epochs_is_of_names_types_and_numbers():
    epochs = np.array([(1.0, 2.0)], [("jd", "<f8"), ("mag", "<f8")])
    swapped = np.array([(1.0, 2.0)], [("mag", "<f8"), ("jd", "<f8")])
    text = b"[('jd', '<f8'), ('mag', '<f8')]" + np.array([1.0, 2.0]).tobytes()
    assert data_digest(epochs) == hashlib.sha256(text).hexdigest()[:16]
    assert len({data_digest(each) for each in (epochs, swapped, epochs.view("i8,i8"), -epochs["jd"])}) == 4


def test_epochs_that_changed_since_the_manifest_are_refused(raw):
    fetch(Survey(a=3), raw, rows("a"))
    sources = manifest_of(raw, ["a"])
    fetch(Survey(a=5), raw, rows("a"), parameters=PARAMETERS | {"radius": 3}, on_change="refetch")
    with pytest.raises(StaleProductError, match="no longer holds the epochs of 'a' .*Project.run again"):
        read_epochs(raw, sources, DTYPE)


def test_sources_that_failed_have_no_epochs_whatever_the_archive_has(raw):
    fetch(Survey(a=3, b=1), raw, rows("a", "b"))
    sources = manifest_of(raw, ["a", "b"]) | {"status": np.array(["failed", "ok"])}
    assert read_epochs(raw, sources, DTYPE)[1].tolist() == [0, 1]


def test_an_archive_that_the_disk_does_not_give_for_now_stays(raw, monkeypatch):
    fetch(Survey(a=3), raw, rows("a"))
    survey = Survey(a=3)
    with monkeypatch.context() as patch, pytest.raises(UserError, match=r"cannot be read \(Stale file handle\)"):
        patch.setattr(hdf5, "_open", Mock(side_effect=OSError(errno.ESTALE, "h5py tells it in ten lines")))
        fetch(survey, raw, rows("a"))
    assert fetch(survey, raw, rows("a"))[0]["n_rows"] == 3
    assert survey.asked == []
    assert list(raw.parent.glob("*.damaged-*")) == []


def test_a_damaged_archive_is_put_aside_and_its_sources_are_asked_for_again(raw):
    fetch(Survey(a=3), raw, rows("a"))
    raw.write_bytes(raw.read_bytes()[:-500])
    survey = Survey(a=3)
    fetch(survey, raw, rows("a"))
    assert survey.asked == ["a"]
    assert read_index(raw)["a"]["n_rows"] == 3
    assert len(list(raw.parent.glob(f"{raw.name}.damaged-*"))) == 1


def test_an_archive_with_one_changed_byte_is_put_aside(raw):
    fetch(Survey(a=3), raw, rows("a"))
    sources, content = manifest_of(raw, ["a"]), bytearray(raw.read_bytes())
    content[read_index(raw)["a"]["place"]] ^= 1
    raw.write_bytes(content)
    with pytest.raises(DamagedProductError, match="does not match the digest"):
        read_epochs(raw, sources, DTYPE)
    survey = Survey(a=3)
    fetch(survey, raw, rows("a"))
    assert survey.asked == ["a"]
    assert read_epochs(raw, sources, DTYPE)[0]["jd"].tolist() == [1, 2, 3]
    assert len(list(raw.parent.glob(f"{raw.name}.damaged-*"))) == 1


def test_a_source_that_moved_is_asked_for_by_choice(raw):
    fetch(Survey(a=3), raw, rows("a"))
    moved = rows("a", ra=10.0 + 3 / 3600)
    with pytest.raises(UserError, match="for another position"):
        fetch(Survey(), raw, moved)
    assert fetch(Survey(a=4), raw, moved, on_change="refetch")[0]["n_rows"] == 4


def test_a_source_of_another_proper_motion_is_asked_for_by_choice(raw):
    fetch(Survey(a=0, b=2), raw, rows("a", "b"))
    fast = [row | {"pmra": 60.0} for row in rows("a", "b")]
    with pytest.raises(UserError, match="2 of 2 sources .* proper motion"):
        fetch(Survey(), raw, fast)
    assert [entry["n_rows"] for entry in fetch(Survey(a=4, b=5), raw, fast, on_change="refetch")] == [4, 5]
    slow = [row | {"pmra": 61.0} for row in rows("a", "b")]
    assert [entry["n_rows"] for entry in fetch(Survey(), raw, slow)] == [4, 5]


def test_a_source_of_an_old_catalog_is_where_it_was_when_it_is_asked_for_again(raw):
    [row] = rows("a")
    old = row | {"epoch": 2000.0, "pmra": 1000.0, "pmdec": -1000.0}
    fetch(Survey(a=2), raw, [old])
    entry = read_index(raw)["a"]
    assert (entry["ra"], entry["dec"]) == pytest.approx((10.0 + 16 / 3600, -16 / 3600), abs=1e-8)
    survey = Survey()
    assert fetch(survey, raw, [old])[0]["n_rows"] == 2
    assert survey.asked == []


def test_a_source_without_data_is_asked_for_again_when_its_magnitude_changes(raw):
    faint = [row | {"mag": 25.0} for row in rows("a", "b")]
    fetch(Survey(a=0, b=3), raw, faint)
    survey = Survey(a=2)
    assert [entry["n_rows"] for entry in fetch(survey, raw, rows("a", "b"))] == [2, 3]
    assert survey.asked == ["a"]


@pytest.mark.parametrize("last", [1, 2, 3])
def test_answers_that_are_removed_from_the_spool_have_failed_and_the_others_are_stored(raw, last):
    class Removing(Survey):
        """A survey whose answer for `last` comes after another program has removed the spool."""

        def fetch_data_from_observatory(self, cat_row):
            if cat_row["name"] == f"s{last}":
                Spool(raw.with_name(f".{raw.name}.answers")).clear()
            return super().fetch_data_from_observatory(cat_row)

    sources = rows("s1", "s2", "s3")
    fetch(Survey(s2=2, s3=2), raw, sources[1:])
    survey = Removing(s1=3, s2=3, s3=3)
    first = fetch(survey, raw, sources, parameters=PARAMETERS | {"radius": 3}, on_change="refetch")
    lost = [row["name"] for row in sources if row["name"] in survey.asked[: survey.asked.index(f"s{last}")]]
    assert [row["name"] for row in first if row["status"] == "failed"] == lost
    assert all("removed from the disk" in row["reason"] for row in first if row["status"] == "failed")
    assert all(read_index(raw)[name]["n_rows"] == 2 for name in {"s2", "s3"}.intersection(lost))
    again = Survey(s1=3, s2=3, s3=3)
    second = fetch(again, raw, sources, parameters=PARAMETERS | {"radius": 3}, on_change="refetch")
    assert sorted(again.asked) == lost
    assert [row["status"] for row in second] == ["ok"] * 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data[:30],
        lambda data: data[:-4] + b"\1\1\1\1",
        lambda data: data.replace(b"<f8", b"<'8"),
        lambda data: data.replace(b"<f8", b"<f9"),
        lambda data: data.replace(b"dtype", b"dtpye"),
        lambda data: data[:48] + b"\xff" * 8 + data[56:],
        lambda data: data[:16] + bytes(32) + data[48:],
    ],
)
def test_a_damaged_answer_in_the_spool_is_asked_for_again(raw, damage):
    with pytest.raises(PluginError, match="KeyError: 'b'"):
        fetch(Survey(a=3), raw, rows("a", "b"))
    file = raw.with_name(f".{raw.name}.answers")
    file.write_bytes(damage(file.read_bytes()))
    assert Spool(file).get("a") is None
    survey = Survey(a=3, b=1)
    fetch(survey, raw, rows("a", "b"))
    assert survey.asked == ["a", "b"]
    assert not file.exists()


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, OSError), (errno.ENOLCK, UserError)])
def test_a_full_disk_is_not_called_one_without_locks(tmp_path, monkeypatch, number, kind):
    monkeypatch.setattr("vo_lib.download.FileLock.acquire", Mock(side_effect=OSError(number, os.strerror(number))))
    with pytest.raises(kind, match=os.strerror(number)), lock_raw(tmp_path / "x.h5"):
        pass
