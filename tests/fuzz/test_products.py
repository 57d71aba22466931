"""Whatever is in files of a data root, a reader gives what was written or one line that names the file."""

import hashlib
import json

import numpy as np
import pytest
from fuzz.mutations import mutated
from hypothesis import given
from hypothesis import strategies as st
from one_line import or_one_line

from vo_lib import hdf5, paths
from vo_lib.bins import check_width
from vo_lib.counts.axes import Axis
from vo_lib.counts.histogram_files import read_histograms, write_histograms
from vo_lib.downloads import spool as spool_module
from vo_lib.downloads.foreign import find_tables, open_foreign, read_columns
from vo_lib.downloads.foreign_columns import to_answer
from vo_lib.downloads.manifest import find_header, next_generation, read_header, read_manifest, write_manifest
from vo_lib.downloads.spool import Spool
from vo_lib.errors import ConfigError, UserError
from vo_lib.files import read_json, write_json
from vo_lib.histograms import Histogram
from vo_lib.raw import OK, Answer
from vo_lib.running.runs import read_runs
from vo_lib.storage.marks import read_marks
from vo_lib.storage.seal import check_seal
from vo_lib.tables import read_csv, write_csv
from vo_lib.targets.cache import COLUMNS as NAME_COLUMNS
from vo_lib.targets.cache import NameCache
from vo_lib.targets.table import NameTable
from vo_lib.verdicts import VERDICT_COLUMNS, read_verdicts

ROW = {"name": "a", "ra": 1.0, "dec": 2.0, "pmra": None, "pmdec": None, "parallax": None, "epoch": 2016.0}
ROW |= {"mag": 15.0, "mag_err": None, "mag_filter": "G", "status": "ok", "n_rows": 3, "digest": "d", "reason": ""}
TABLE = {"source": np.array(["a", "ü,\n"]), "number": np.array([1.5, np.nan]), "n": np.array([1, -2])}
CSV = {"source": ("U1", "", ""), "number": ("f8", "", ""), "n": ("i8", "", "")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("products")


def changed(data, folder, name, body, *, most=3):
    """Write a changed body into a file and give its path."""
    path = folder / name
    path.write_bytes(data.draw(mutated([body], most=most)))
    return path


@pytest.fixture(scope="module")
def manifest(folder):
    write_manifest(folder / "whole.jsonl", {"obs": "DEMO", "bin": "RA001", "generation": 1}, [ROW, ROW | {"name": "b"}])
    return (folder / "whole.jsonl").read_bytes()


@given(data=st.data())
def test_a_manifest_is_what_was_written_or_one_line(folder, manifest, data):
    path = changed(data, folder, "manifest.jsonl", manifest)
    with or_one_line(contains=str(path)):
        header, sources = read_manifest(path)
        (head, *rows), (whole, *others) = path.read_bytes().splitlines(), manifest.splitlines()
        assert (json.loads(head), rows) == (json.loads(whole), others)  # blanks between keys change nothing
        assert (header["obs"], sources["name"].tolist()) == ("DEMO", ["a", "b"])
    with or_one_line(contains=str(path)):
        read_header(path)
    assert find_header(path) is None or next_generation(path, folder / "none.h5") >= 0


@pytest.fixture(scope="module")
def product(folder):
    with hdf5.Writer(folder / "whole.h5") as file:
        file.write_table("index", TABLE)
        file.write_json("metadata", {"provenance": "p"})
    return (folder / "whole.h5").read_bytes()


@given(data=st.data())
def test_a_sealed_file_is_what_was_written_or_damaged(folder, product, data):
    path = changed(data, folder, "product.h5", product)
    with or_one_line(contains=str(path)):
        check_seal(path)
        assert path.read_bytes() == product


@given(data=st.data())
def test_a_file_of_others_is_read_or_one_line(folder, product, data):
    path = changed(data, folder, "theirs.h5", product, most=2)
    with or_one_line(), open_foreign(path) as file:
        for table in find_tables(file):
            read_columns(file, table)


@given(data=st.data())
def test_a_table_is_what_was_written_or_one_line(folder, data):
    write_csv(folder / "whole.csv", [TABLE])
    path = changed(data, folder, "table.csv", (folder / "whole.csv").read_bytes())
    with or_one_line(contains=str(path)):
        read_csv(path, CSV)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(st.lists(st.tuples(texts, st.floats(), st.integers(-(2**63), 2**63 - 1)), max_size=4))
def test_tables_are_read_as_they_were_written(folder, rows):
    columns = zip(("U6", "f8", "i8"), zip(*rows, strict=True) if rows else [()] * 3, strict=True)
    table = {name: np.array(values, kind) for name, (kind, values) in zip(CSV, columns, strict=True)}
    write_csv(folder / "round.csv", [table])
    found = read_csv(folder / "round.csv", CSV)
    with hdf5.Writer(folder / "round.h5") as file:
        file.write_table("t", table)
    again = hdf5.read_table(hdf5.open_file(folder / "round.h5"), "t")
    for name, values in table.items():
        np.testing.assert_array_equal(found[name], values)
        np.testing.assert_array_equal(again[name], values)


@pytest.mark.parametrize("read", [read_json, read_marks, lambda path: check_width(path.parent, 1.0)])
@given(data=st.data())
def test_a_file_of_json_is_a_dict_or_one_line(folder, read, data):
    write_json(folder / "whole.json", {"width_deg": 1.0, "rows": {"sources": 3}})
    for name in ("bins.json", "bad_provenances.json"):
        path = changed(data, folder, name, (folder / "whole.json").read_bytes())
        with or_one_line(contains=str(folder)):
            read(path if read is read_json else path.parent if read is read_marks else path)


@given(data=st.data())
def test_a_histogram_is_what_was_written_or_one_line(folder, data):
    whole = Histogram("h", [Axis("x", edges=[0.0, 1.0, 2.0]), Axis("y", labels=["a"])])
    whole.fill(x=[0.5], y=["a"])
    if not (folder / "whole.nc").exists():
        write_histograms(folder / "whole.nc", [whole], {"provenance": "p"})
    path = changed(data, folder, "histogram.nc", (folder / "whole.nc").read_bytes())
    with or_one_line(contains=str(path)):
        assert read_histograms(path) == {"h": whole}


NAMES = "\t".join(NAME_COLUMNS).encode()


@given(data=st.data())
def test_answers_about_names_are_targets_or_one_line(folder, data):
    cells = {"name": "a", "status": "found", "canonical": "b", "ra": "1.5", "dec": "-2"}
    line = "\t".join(cells.get(column, "") for column in NAME_COLUMNS)
    path = changed(data, folder, "names.tsv", NAMES + b"\n" + line.encode() + b"\n")
    with or_one_line(contains=str(path)):
        NameCache(path)


@given(data=st.data())
def test_a_table_of_names_is_one_or_one_line(folder, data):
    body = b"names:\n  Vega: [alf Lyr, HD 172167]\n  a: b\nmoving:\n  - Mars\n"
    path = changed(data, folder, "names.yaml", body)
    with or_one_line(contains=str(path)):
        NameTable.read(path)


VERDICT = {"project": "DEMO", "source": "a", "detection": "ZTF ztf-r 58025.12346", "verdict": "real", "note": 'x,"'}
VERDICT |= {"who": "", "when": "2026-01-31T12:00:00Z"}


@given(data=st.data())
def test_verdicts_are_rows_or_one_line(folder, data):
    cells = (f'"{VERDICT[name].replace(chr(34), chr(34) * 2)}"' for name in VERDICT_COLUMNS)
    body = f"{','.join(VERDICT_COLUMNS)}\n{','.join(cells)}\n".encode()
    path = changed(data, folder, "verdicts.csv", body)
    with or_one_line(contains=str(path)):
        read_verdicts(path, project="DEMO")


LOG = b"""2026-01-01 00:00:00,000 INFO vo_lib 1.2, Python 3.11.7, host node
2026-01-01 00:00:01,000 INFO done in 1.50 s, 1.25 s of processor time, 60 MB of memory
"""


@given(data=st.data())
def test_a_log_is_a_row_or_none(folder, data):
    (folder / "logs").mkdir(exist_ok=True)
    changed(data, folder, "logs/reduce.log", LOG)
    assert len(read_runs(folder)["rule"]) <= 1


def test_a_log_with_a_number_that_is_none_is_no_row(folder):
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "logs" / "reduce.log").write_bytes(LOG.replace(b"1.25", b"1.1.25"))
    assert len(read_runs(folder)["rule"]) == 0


def test_a_table_of_names_with_a_section_that_is_no_text_is_one_line(tmp_path):
    (tmp_path / "names.yaml").write_text("{0}:\n  a: b\n")
    with pytest.raises(ConfigError, match="is not a section; known are names and moving"):
        NameTable.read(tmp_path / "names.yaml")


def test_a_manifest_that_is_nested_too_deep_is_one_line(tmp_path):
    (tmp_path / "x.jsonl").write_text("[" * 100_000)
    with pytest.raises(UserError, match="is not a manifest"):
        read_manifest(tmp_path / "x.jsonl")


ANSWERS = [Answer({"name": name, "ra": 1.0, "dec": 2.0}, OK, np.zeros(3, [("x", "<f8")])) for name in "abc"]


@given(data=st.data())
def test_an_answer_in_the_spool_is_whole_or_not_there(folder, data):
    spool = Spool(folder / "spool")
    spool.clear()
    for answer in ANSWERS:
        spool.put(answer)
    spool.path.write_bytes(data.draw(mutated([spool.path.read_bytes()])))
    again = Spool(spool.path)
    for answer in ANSWERS:
        found = again.get(answer.name)
        assert found is None or (found == answer and found.digest == answer.digest)
    again.put(ANSWERS[1])
    assert Spool(spool.path).get("b") == ANSWERS[1]


@pytest.mark.parametrize("header", [b"[" * 100_000, b"[]", b'{"dtype": "[]"}', b'{"row": 1, "dtype": "[]"}', b"{}"])
def test_an_answer_with_metadata_of_another_kind_is_not_there(tmp_path, header):
    content = header + np.arange(3.0).tobytes()
    head = spool_module._HEAD.pack(spool_module._MARK, hashlib.sha256(content).digest(), len(header), 24)
    (tmp_path / "spool").write_bytes(head + content)
    assert Spool(tmp_path / "spool").get("a") is None


columns = st.sampled_from(
    [np.array([1, 2]), np.array([1.5, np.nan]), np.array([b"a", b"\xff"]), np.array(["x", None], object)]
)
DECLARED = {"oid": ("i8", "", ""), "mag": ("f8", "mag", ""), "band": ("S2", "", "")}


@given(
    st.dictionaries(st.sampled_from(["oid", "mag", "band", "x", "y"]), columns, max_size=5),
    st.dictionaries(st.sampled_from([*DECLARED, "z"]), st.sampled_from(["x", "y", "mag", "none"]), max_size=3),
)
def test_a_map_of_columns_makes_an_answer_or_one_line(theirs, renamed):
    with or_one_line():
        data, _ = to_answer(theirs, DECLARED, renamed)
        assert set(DECLARED) <= set(data.dtype.names)


@given(st.text(max_size=50))
def test_a_key_gives_its_name_back(name):
    try:
        key = paths.encode_key(name)
    except UnicodeEncodeError:  # half a character, which no catalog gives
        return
    assert paths.decode_key(key) == name


@pytest.mark.parametrize("text", ["", "[", "[1]", "null", "[" * 100_000, "\ufffe"])
def test_what_was_found_in_files_of_json_is_one_line(folder, text):
    for name in ("bins.json", "bad_provenances.json"):
        (folder / name).write_text(text)
    for read in (lambda: check_width(folder, 1.0), lambda: read_marks(folder)):
        with pytest.raises(UserError, match="correct or remove it"):
            read()
