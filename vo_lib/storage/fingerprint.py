"""Fingerprints of the code that a stage runs."""

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

# These files affect messages, or how an archive or the database is reached, but never the results.
NOT_IN_RESULTS = frozenset(
    {
        "vo_lib/database/session.py",
        "vo_lib/errors.py",
        "vo_lib/storage/fingerprint.py",
        "vo_lib/observatories/addresses.py",
        "vo_lib/observatories/answer_text.py",
        "vo_lib/observatories/answers.py",
        "vo_lib/observatories/credentials.py",
        "vo_lib/observatories/http.py",
        "vo_lib/observatories/http_session.py",
        "vo_lib/observatories/parquet_answers.py",
        "vo_lib/observatories/pace.py",
        "vo_lib/provenance.py",
        "vo_lib/running/worker.py",
    }
)

# Cache of the results of `_read` by digest of the file, beside Python's own compiled files; relative to `root`.
STORE = Path("vo_lib", "__pycache__", "fingerprints.json")
# The cache is valid for this version of Python and of `_read`; raise the number when `_read` changes.
WAY = f"{platform.python_version()} 5"
_ONE_THREAD = threading.Lock()  # the name of the temporary file is unique per process only


def code_fingerprint(*files, root=PACKAGE_ROOT):
    """Return the fingerprint of the code that a stage runs.

    Parameters
    ----------
    *files : str or Path
        Entry points of the stage, relative to `root`, or absolute for plug-ins elsewhere. The modules of ``vo_lib``
        and ``extensions`` that they import, directly or indirectly, at the top or inside functions, are included,
        and so are relative imports (``from .helpers import trend``).
    root : Path, optional
        Folder that holds ``vo_lib``.

    Returns
    -------
    str
        20 hexadecimal digits: a digest of the syntax trees without docstrings, so that comments, layout and prose do
        not count.
    """
    files = code_files(*files, root=root)
    # The folder of a plug-in elsewhere does not count, so several files may have the same name.
    names = [file.name if file.is_absolute() else str(file) for file in files]
    store = _store(Path(root))
    parts = [[name, store.look(Path(root) / file)["code"]] for name, file in zip(names, files, strict=True)]
    return short_digest(sorted(parts))


def code_files(*files, root=PACKAGE_ROOT):
    """List the files of a stage, relative to `root`, in alphabetical order; see `code_fingerprint`."""
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
    """Return the one cache of a folder that holds ``vo_lib``."""
    return _Store(root)


class _Store:
    """Cache of code digests and imported modules of files, keyed by the digest of their content."""

    def __init__(self, root):
        self.root, self.path = root, root / STORE
        self._looked, self._imports, self._new = {}, {}, False
        try:
            self._known = json.loads(self.path.read_text(encoding="utf-8"))[WAY]
        except (OSError, ValueError, LookupError, TypeError):
            self._known = {}

    def look(self, path):
        """Return ``code`` and ``imports`` of a file, which is read once per process."""
        if path not in self._looked:
            source = path.read_bytes()
            key = hashlib.sha256(source).hexdigest()
            if key not in self._known:
                self._known[key], self._new = _read(source, path), True
            self._looked[path] = self._known[key]
        return self._looked[path]

    def imports(self, path):
        """List the files below the root that a file imports, relative to the root."""
        if path not in self._imports:
            files = [self._file(path, name) for name in self.look(path)["imports"]]
            candidates = (candidate for file in files for candidate in (Path(f"{file}.py"), file / "__init__.py"))
            self._imports[path] = [candidate for candidate in candidates if (self.root / candidate).is_file()]
        return self._imports[path]

    def _file(self, path, name):
        """Return the path of a module, without suffix; leading dots of its name are relative to the importing file."""
        name = _home(name)
        parts = name.lstrip(".").split(".")
        level = len(name) - len(name.lstrip("."))
        if not level:
            return Path(*parts)
        file = path.parents[level - 1].joinpath(*parts)
        return file.relative_to(self.root) if file.is_relative_to(self.root) else file

    def save(self):
        """Write new entries to disk if the folder is writable; missing entries are computed again."""
        with _ONE_THREAD:
            if self._new and self.path.parent.is_dir() and os.access(self.path.parent, os.W_OK):
                with replacing(self.path) as part:
                    part.write_text(json.dumps({WAY: dict(self._known)}), encoding="utf-8")
            self._new = False


def _home(name):
    """Return the module that defines a name exported by `vo_lib`, such as ``vo_lib.VirtualZTF``; keep other names."""
    package, _, offered = name.rpartition(".")
    is_offered = package == "vo_lib" and offered in vo_lib.__all__
    return getattr(getattr(vo_lib, offered), "__module__", name) if is_offered else name


def _read(source, path):
    """Return the digest of a file's code, unparsed from its syntax tree without docstrings, and its imports."""
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
    """Find attributes of the package that a file uses, such as ``vo_lib.VirtualZTF``, also through an alias."""
    imported = [alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    aliases = {alias.asname or "vo_lib" for alias in imported if alias.name == "vo_lib"}
    return {
        f"vo_lib.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases
    }
