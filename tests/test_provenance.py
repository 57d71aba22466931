import json
import math
import os
import platform
import subprocess
import sys

import pytest
from hash_seeds import outputs

from vo_lib.provenance import PACKAGE_ROOT, Provenance, canonical_json
from vo_lib.storage.fingerprint import code_files, code_fingerprint

SCRIPT = '"""Script."""\nfrom vo_lib.science import rate\n'
SCIENCE = """'Science.'
from vo_lib import errors, tools

class Rate:
    'A class.'

async def wait():
    'A wait.'

def rate(x):
    "Rate."
    return tools.double(x)
"""
TOOLS = "def double(x):\n    print('double')\n    from vo_lib.late import three  # here\n    return 2 * x\n"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "vo_lib").mkdir()
    files = {"a.py": SCRIPT, "vo_lib/science.py": SCIENCE, "vo_lib/tools.py": TOOLS, "vo_lib/late.py": "three = 3\n"}
    for name, text in files.items() | {("vo_lib/errors.py", "x = 1\n"), ("vo_lib/other.py", "y = 1\n")}:
        (tmp_path / name).write_text(text)
    return tmp_path


def fingerprint_after(tree, name, old, new):
    """Fingerprint of the tree in a new process, after an edit."""
    path = tree / name
    path.write_text(path.read_text().replace(old, new))
    code = f"from vo_lib.storage.fingerprint import code_fingerprint as f; print(f('a.py', root={str(tree)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE_ROOT)
    return done.stdout.strip()


def test_the_files_of_a_stage_are_found_through_imports(tree):
    assert [file.name for file in code_files("a.py", root=tree)] == ["a.py", "late.py", "science.py", "tools.py"]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("vo_lib/science.py", "Rate.", "A better word."),
        ("vo_lib/science.py", "Science.", "A better word."),
        ("vo_lib/science.py", "A class.", "A better word."),
        ("vo_lib/science.py", "A wait.", "A better word."),
        ("vo_lib/errors.py", "1", "2"),
        ("vo_lib/tools.py", "# here", "# there"),
        ("vo_lib/tools.py", "2 * x", "2*x"),
        ("vo_lib/other.py", "1", "2"),
    ],
)
def test_prose_layout_and_other_files_do_not_count(tree, name, old, new):
    before = code_fingerprint("a.py", root=tree)
    assert fingerprint_after(tree, name, old, new) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("vo_lib/late.py", "3", "4"), ("vo_lib/tools.py", "2 *", "3 *"), ("vo_lib/tools.py", "'double'", "'twice'")],
)
def test_an_edit_of_imported_code_counts(tree, name, old, new):
    before = code_fingerprint("a.py", root=tree)
    assert fingerprint_after(tree, name, old, new) != before


def test_the_same_code_in_modules_of_other_names_counts(tree):
    for package, text in (("one", "x = 1\n"), ("two", "x = 2\n")):
        (tree / "vo_lib" / package).mkdir()
        (tree / "vo_lib" / package / "contract.py").write_text(text)
    (tree / "a.py").write_text("import vo_lib.one.contract, vo_lib.two.contract\n")
    before = fingerprint_after(tree, "vo_lib/one/contract.py", "1", "2")
    after = fingerprint_after(tree, "vo_lib/two/contract.py", "2", "1")
    (tree / "vo_lib" / "one" / "contract.py").write_text("x = 1\n")
    (tree / "vo_lib" / "two" / "contract.py").write_text("x = 2\n")
    assert len({before, after, fingerprint_after(tree, "a.py", "", "")}) == 3


@pytest.mark.parametrize(
    "line",
    [
        "import vo_lib.late",
        "import vo_lib.late as late",
        "from vo_lib.late import three",
        "from vo_lib.late import *",
        "from vo_lib import late",
        "import extensions",
        "from extensions import width",
        "import extensions.shape",
        "from extensions.shape import width",
        "from extensions import shape",
    ],
)
def test_each_way_to_import_code_counts(tree, line):
    (tree / "extensions").mkdir()
    (tree / "extensions" / "__init__.py").write_text("width = 1\n")
    (tree / "extensions" / "shape.py").write_text("width = 1\n")
    (tree / "a.py").write_text(f"{line}\n")
    wanted = {
        "vo_lib/late.py": "late" in line,
        "extensions/__init__.py": line.endswith("extensions") or line.startswith("from extensions import"),
        "extensions/shape.py": "shape" in line,
    }
    assert [str(file) for file in code_files("a.py", root=tree)] == sorted(
        ["a.py", *(name for name, counts in wanted.items() if counts)]
    )


@pytest.mark.parametrize(
    "lines",
    [
        "from vo_lib import VirtualZTF, find_sources\nfrom vo_lib import __version__\n",
        "import vo_lib\nclass Mine(vo_lib.VirtualZTF):\n    look = vo_lib.find_sources, vo_lib.__version__\n",
        "def look():\n    import vo_lib as vo\n    return vo.VirtualZTF().name, vo.find_sources\n",
    ],
)
def test_code_that_the_package_itself_offers_counts(tree, lines):
    (tree / "extensions").mkdir()
    (tree / "extensions" / "mine.py").write_text(lines)
    for name in ("observatories/ztf.py", "database/find.py"):
        (tree / "vo_lib" / name).parent.mkdir()
        (tree / "vo_lib" / name).write_text("x = 1\n")
    names = ["extensions/mine.py", "vo_lib/database/find.py", "vo_lib/observatories/ztf.py"]
    assert [str(file) for file in code_files("extensions/mine.py", root=tree)] == names


def test_modules_that_import_each_other_are_found_once(tree):
    (tree / "vo_lib" / "late.py").write_text("from vo_lib import science\n")
    assert [file.name for file in code_files("a.py", root=tree)] == ["a.py", "late.py", "science.py", "tools.py"]


def test_what_is_kept_of_files_is_that_of_this_python_and_is_used_and_not_written_again(tree):
    kept = tree / "vo_lib" / "__pycache__" / "fingerprints.json"
    kept.parent.mkdir()
    before = fingerprint_after(tree, "a.py", "", "")
    text, state = kept.read_text(), kept.stat()
    assert [key.split()[0] for key in json.loads(text)] == [platform.python_version()]
    assert fingerprint_after(tree, "a.py", "", "") == before
    assert kept.stat().st_mtime_ns == state.st_mtime_ns
    kept.write_text(text.replace('"code": "', '"code": "0'))
    assert fingerprint_after(tree, "a.py", "", "") != before
    kept.write_text(text.replace(platform.python_version(), "3.0.0").replace('"code": "', '"code": "0'))
    assert fingerprint_after(tree, "a.py", "", "") == before


def test_what_is_kept_of_files_goes_by_what_they_hold(tree):
    (tree / "vo_lib" / "__pycache__").mkdir()
    before, path = fingerprint_after(tree, "a.py", "", ""), tree / "vo_lib" / "late.py"
    kept, old = tree / "vo_lib" / "__pycache__" / "fingerprints.json", path.stat()
    assert kept.exists()
    path.write_text("three = 4\n")
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert fingerprint_after(tree, "a.py", "", "") != before
    path.write_text("three = 3\n")
    for damage in ("", "{", "[]", '{"x": 1}'):
        kept.write_text(damage)
        assert fingerprint_after(tree, "a.py", "", "") == before


def test_plug_ins_elsewhere_count_wherever_they_are_and_whatever_their_name(tree, tmp_path):
    folders = [tmp_path / name for name in ("one", "two", "where")]
    for folder, text in zip(folders, ("x = 1\n", "x = 2\n", "x = 1\n"), strict=True):
        folder.mkdir()
        (folder / "checks.py").write_text(text)
    one, two, moved = (folder / "checks.py" for folder in folders)
    both = code_fingerprint("a.py", one, two, root=tree)
    assert both == code_fingerprint("a.py", moved, two, root=tree)
    assert len({both, code_fingerprint("a.py", one, root=tree), code_fingerprint("a.py", two, root=tree)}) == 3


def test_imports_by_place_count_like_those_by_name(tree, tmp_path):
    package, elsewhere = tree / "extensions", tmp_path / "elsewhere"
    texts = {"__init__": "", "top": "", "shape": "from . import top\n", "width": "x = 1\n"}
    texts["search"] = "from .. import one\ndef f():\n    from .shape import x\n"
    for folder in (package, elsewhere):
        folder.mkdir()
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text)
    names = ["__init__.py", "search.py", "shape.py", "top.py"]
    assert [str(file) for file in code_files("extensions/search.py", root=tree)] == [f"extensions/{x}" for x in names]
    assert code_files(elsewhere / "search.py", root=tree / "vo_lib") == [elsewhere / name for name in names]


def test_what_a_package_above_defines_counts(tree):
    inner = tree / "extensions" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text("helper = 1\n")
    (inner / "search.py").write_text("from .. import helper\n")
    names = ["extensions/__init__.py", "extensions/inner/search.py"]
    assert [str(file) for file in code_files("extensions/inner/search.py", root=tree)] == names


def test_canonical_json_ignores_the_order_of_keys():
    assert (
        canonical_json({"b": 1, "a": [1, None]}) == canonical_json({"a": [1, None], "b": 1}) == '{"a":[1,null],"b":1}'
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(math.nan)


def test_identity_of_a_provenance():
    one = Provenance("reduce", {"gap_days": 40, "radius": 3}, "abc", ("u1", "u2"))
    assert repr(one) == f"<Provenance {one.id} of reduce>"
    assert one.id == Provenance("reduce", {"radius": 3, "gap_days": 40}, "abc", ("u2", "u1")).id
    assert len(one.id) == 20
    others = [
        Provenance("reduce", {"gap_days": 41, "radius": 3}, "abc", ("u1", "u2")),
        Provenance("analyze", {"gap_days": 40, "radius": 3}, "abc", ("u1", "u2")),
        Provenance("reduce", {"gap_days": 40, "radius": 3}, "abd", ("u1", "u2")),
        Provenance("reduce", {"gap_days": 40, "radius": 3}, "abc", ("u1",)),
    ]
    assert len({one.id, *(other.id for other in others)}) == 5
    assert one.as_row()["id"] == one.id


def test_fingerprints_do_not_depend_on_the_hash_seed():
    code = "from vo_lib.storage.fingerprint import code_fingerprint; print(code_fingerprint('scripts/reduce.py'))"
    assert outputs(code) == {code_fingerprint("scripts/reduce.py")}
