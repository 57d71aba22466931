import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from vo_lib.errors import CatalogError
from vo_lib.provenance import PACKAGE_ROOT
from vo_lib.targets.cache import COLUMNS, NameCache
from vo_lib.targets.names import CACHE
from vo_lib.targets.target import AMBIGUOUS, FOUND, MOVING, NOT_FOUND, UNRESOLVED, Target

STAR = Target("Ω 1", FOUND, "* Ω 1", 0.1, -89.99999999, -1e-05, 2.0, ("A 'b' \"c\"", "D"), "S", "2026-11-01")
HEADER = "\t".join(COLUMNS) + "\n"
LINE = "x\tX 1\t1.5\t2.5\t\t\tA|B\tS\t2026-11-01\tfound\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "catalogs/names.tsv"


def save(path, *targets):
    cache = NameCache(path)
    for target in targets:
        cache.put(target)
    cache.save()


def test_what_is_kept_comes_back_as_it_was(path):
    targets = [STAR, Target("b", NOT_FOUND, service="S and M", date="2026-11-01"), Target("a", MOVING, "a")]
    save(path, *targets)
    cache = NameCache(path)
    assert [cache.get(target.name) for target in targets] == targets
    assert cache.get("c") is None


def test_the_file_has_a_line_for_each_name_in_their_order(path):
    save(path, STAR, Target("b", NOT_FOUND, service="S", date="2026-11-01"))
    assert path.read_text(encoding="utf-8") == (
        HEADER
        + "b\t\t\t\t\t\t\tS\t2026-11-01\tnot_found\n"
        + "Ω 1\t* Ω 1\t0.1\t-89.99999999\t-1e-05\t2.0\tA 'b' \"c\"|D\tS\t2026-11-01\tfound\n"
    )


def test_the_order_of_answers_does_not_matter(path, tmp_path):
    targets = [Target(name, NOT_FOUND) for name in "bca"]
    save(path, *targets)
    save(tmp_path / "other.tsv", *targets[::-1])
    assert path.read_bytes() == (tmp_path / "other.tsv").read_bytes()


def test_without_anything_new_the_file_stays(path):
    cache = NameCache(path)
    cache.save()
    assert not path.exists()
    save(path, STAR)
    before = path.stat()
    NameCache(path).save()
    assert path.stat() == before


@pytest.mark.parametrize("status", [AMBIGUOUS, UNRESOLVED])
def test_what_is_no_answer_is_not_kept(path, status):
    with pytest.raises(ValueError, match=f"one of found, not_found, moving, got {status}"):
        NameCache(path).put(Target("x", status))


def test_what_others_write_meanwhile_is_kept(path):
    first, second = NameCache(path), NameCache(path)
    first.put(STAR)
    second.put(Target("b", NOT_FOUND))
    first.save()
    second.save()
    cache = NameCache(path)
    assert cache.get(STAR.name) == STAR
    assert cache.get("b").status == NOT_FOUND


JOB = """
import sys
from vo_lib.targets.cache import NameCache
from vo_lib.targets.target import Target
cache = NameCache(sys.argv[1])
for number in range(20):
    cache.put(Target(f"{sys.argv[2]} {number}", "not_found"))
    cache.save()
"""


def test_processes_and_threads_lose_nothing_of_each_other(path):
    jobs = [subprocess.Popen([sys.executable, "-c", JOB, path, name], cwd=PACKAGE_ROOT) for name in "abc"]
    cache = NameCache(path)

    def put(number):
        cache.put(Target(f"thread {number}", NOT_FOUND))
        cache.save()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, range(40)))
    assert [job.wait() for job in jobs] == [0, 0, 0]
    assert len(path.read_text().splitlines()) == 1 + 3 * 20 + 40
    assert sorted(file.name for file in path.parent.iterdir() if "part" in file.name) == []


def test_a_person_may_add_and_remove_lines(path):
    save(path, STAR)
    path.write_text(HEADER + LINE + "\n", encoding="utf-8")
    cache = NameCache(path)
    assert cache.get(STAR.name) is None
    assert cache.get("x") == Target("x", FOUND, "X 1", 1.5, 2.5, None, None, ("A", "B"), "S", "2026-11-01")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 must name the columns name, canonical, ra"),
        ("name,ra\n", "line 1 must name the columns"),
        (HEADER + "<<<<<<< HEAD\n", "line 2: has 1 cells instead of 10; correct or remove the line"),
        (HEADER + LINE + LINE, "line 3: 'x' is listed twice; remove one of the lines"),
        (HEADER + LINE.replace("1.5", "x"), "line 2: ra is 'x', not a number in its range"),
        (HEADER + LINE.replace("1.5", "360.1"), "line 2: ra is '360.1', not a number in its range"),
        (HEADER + LINE.replace("2.5", "nan"), "line 2: dec is 'nan', not a number in its range"),
        (HEADER + LINE.replace("2.5", ""), "line 2: 'x' is found but has no position"),
        (HEADER + LINE.replace("found", "unresolved"), "line 2: status is 'unresolved', it must be one of found"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(path, text, message):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(CatalogError, match=rf"names\.tsv: {message}"):
        NameCache(path)


def test_a_file_that_is_no_text_is_refused(path):
    path.parent.mkdir()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogError, match=r"names\.tsv: cannot be read"):
        NameCache(path)


def test_the_cache_of_the_project_can_be_read():
    assert NameCache(PACKAGE_ROOT / CACHE).get("a name of no star") is None
