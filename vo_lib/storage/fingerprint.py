"""Identity of the code that a stage runs."""

import ast
import hashlib
import json
import os
import platform
import threading
from functools import cache
from pathlib import Path

import vo_lib
from vo_lib.files import replacing
from vo_lib.provenance import PACKAGE_ROOT, short_digest

__all__ = ["code_files", "code_fingerprint"]

# Edits here change what is said or how an archive or the database is reached, never what is made from it.
NOT_IN_RESULTS = frozenset(
    {
        "vo_lib/database/session.py",
        "vo_lib/errors.py",
        "vo_lib/storage/fingerprint.py",
        "vo_lib/observatories/addresses.py",
        "vo_lib/observatories/answers.py",
        "vo_lib/observatories/credentials.py",
        "vo_lib/observatories/http.py",
        "vo_lib/observatories/http_session.py",
        "vo_lib/observatories/parquet_answers.py",
        "vo_lib/downloads/pace.py",
        "vo_lib/provenance.py",
        "vo_lib/running/worker.py",
    }
)

# What was found in files, by what they hold; beside Python's own compiled files, below the project's folder.
STORE = Path("vo_lib", "__pycache__", "fingerprints.json")
# What it holds is of this Python and of this way to read files, whose number is raised with `_read`.
WAY = f"{platform.python_version()} 5"
_ONE_THREAD = threading.Lock()  # the new file has a name of the process


def code_fingerprint(*files, root=PACKAGE_ROOT):
    """Fingerprint of the code that a stage runs.

    Parameters
    ----------
    *files : str or Path
        Files where it starts, relative to `root`, or absolute for those of plug-ins elsewhere; modules
        of ``vo_lib`` and ``extensions`` that they import, directly or not, at the top or inside functions,
        belong to it, and those that they import by their place (``from .helpers import trend``).
    root : Path, optional
        Folder that holds ``vo_lib``.

    Returns
    -------
    str
        20 hexadecimal digits of the syntax trees without docstrings: comments, layout
        and prose do not count.
    """
    files = code_files(*files, root=root)
    # Where a plug-in elsewhere is does not count, so several may have the same name.
    names = [file.name if file.is_absolute() else str(file) for file in files]
    store = _store(Path(root))
    parts = [[name, store.look(Path(root) / file)["code"]] for name, file in zip(names, files, strict=True)]
    return short_digest(sorted(parts))


def code_files(*files, root=PACKAGE_ROOT):
    """Files of a stage, relative to `root`, in alphabetical order; see `code_fingerprint`."""
    root, todo, found = Path(root), [Path(file) for file in files], set()
    store = _store(root)
    while todo:
        file = todo.pop()
        if file not in found and file.as_posix() not in NOT_IN_RESULTS:
            found.add(file)
            todo.extend(store.imports(root / file))
    store.save()
    return sorted(found)


@cache
def _store(root):
    """What is known of the files of a project's folder."""
    return _Store(root)


class _Store:
    """Digests of the code of files and the names of modules that they import, kept by what is in the files."""

    def __init__(self, root):
        self.root, self.path = root, root / STORE
        self._looked, self._imports, self._new = {}, {}, False
        try:
            self._known = json.loads(self.path.read_text(encoding="utf-8"))[WAY]
        except (OSError, ValueError, LookupError, TypeError):
            self._known = {}

    def look(self, path):
        """``code`` and ``imports`` of a file; it is read once in a process."""
        if path not in self._looked:
            source = path.read_bytes()
            key = hashlib.sha256(source).hexdigest()
            if key not in self._known:
                self._known[key], self._new = _read(source, path), True
            self._looked[path] = self._known[key]
        return self._looked[path]

    def imports(self, path):
        """Files of the project that a file imports, relative to its folder."""
        if path not in self._imports:
            files = [self._file(path, name) for name in self.look(path)["imports"]]
            candidates = (candidate for file in files for candidate in (Path(f"{file}.py"), file / "__init__.py"))
            self._imports[path] = [candidate for candidate in candidates if (self.root / candidate).is_file()]
        return self._imports[path]

    def _file(self, path, name):
        """File or folder of a module, with as many dots before its name as the import of a file has."""
        name = _home(name)
        parts = name.lstrip(".").split(".")
        level = len(name) - len(name.lstrip("."))
        if not level:
            return Path(*parts)
        file = path.parents[level - 1].joinpath(*parts)
        return file.relative_to(self.root) if file.is_relative_to(self.root) else file

    def save(self):
        """Keep what is new, where that is allowed; what is not there is found out again."""
        with _ONE_THREAD:
            if self._new and self.path.parent.is_dir() and os.access(self.path.parent, os.W_OK):
                with replacing(self.path) as part:
                    part.write_text(json.dumps({WAY: dict(self._known)}), encoding="utf-8")
            self._new = False


def _home(name):
    """Module of what `vo_lib` itself offers, such as ``vo_lib.VirtualZTF``; other names as they are."""
    package, _, offered = name.rpartition(".")
    is_offered = package == "vo_lib" and offered in vo_lib.__all__
    return getattr(getattr(vo_lib, offered), "__module__", name) if is_offered else name


def _read(source, path):
    """Digest of a file's code, rebuilt from its syntax tree without docstrings, and the modules that it imports."""
    tree, names = ast.parse(source, filename=str(path)), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            dots, module = "." * node.level, node.module or ""
            package = f"{dots}{module}." if module else dots
            names.update({dots + module}, (package + alias.name for alias in node.names))
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
        ):
            node.body = node.body[1:] or [ast.Pass()]
    names.update(_taken(tree))
    imports = sorted(name for name in names if name.startswith((".", "vo_lib.", "extensions.")) or name == "extensions")
    return {"code": hashlib.sha256(ast.unparse(tree).encode()).hexdigest(), "imports": imports}


def _taken(tree):
    """Names below `vo_lib` of what a file takes from the package itself, as ``vo_lib.VirtualZTF`` or by an alias."""
    imported = [alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    aliases = {alias.asname or "vo_lib" for alias in imported if alias.name == "vo_lib"}
    return {
        f"vo_lib.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases
    }
