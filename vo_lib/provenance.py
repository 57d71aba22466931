"""Identity of code, parameters and products."""

import ast
import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from vo_lib.errors import StaleProductError

__all__ = ["Provenance", "canonical_json", "check_provenance", "code_files", "code_fingerprint", "short_digest"]

PACKAGE_ROOT = Path(__file__).resolve().parent.parent

# Edits here change what is said or how an archive is asked, never what is made from its answers.
NOT_IN_RESULTS = frozenset(
    {
        "vo_lib/errors.py",
        "vo_lib/observatories/answers.py",
        "vo_lib/observatories/credentials.py",
        "vo_lib/observatories/http.py",
        "vo_lib/observatories/parquet_answers.py",
        "vo_lib/pace.py",
        "vo_lib/provenance.py",
    }
)


def canonical_json(value):
    """JSON text of a value that does not depend on the order of keys; NaN is an error."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def short_digest(value, length=20):
    """First hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


@dataclass(frozen=True)
class Provenance:
    """What made a product: process, critical parameters, code and the provenances upstream.

    Parameters
    ----------
    process : str
        Name of the rule.
    parameters : dict
        The critical part of its configuration, JSON values.
    code : str
        Fingerprint of its code, or the version number of a format.
    upstreams : tuple of str, optional
        Identifiers of the provenances of its input, in any order.
    """

    process: str
    parameters: dict
    code: str
    upstreams: tuple = field(default=())

    @property
    def id(self):
        """Identifier: 20 hexadecimal digits, the same wherever and whenever it is computed."""
        return short_digest(asdict(self) | {"upstreams": sorted(self.upstreams)})

    def as_row(self):
        """JSON-able dict with the identifier, as products and the database keep it."""
        return asdict(self) | {"id": self.id, "upstreams": sorted(self.upstreams)}

    @classmethod
    def get_for_tag(cls, tag, process, *, obs=None, session=None):
        """Find in the database the provenance that a tag has for a process.

        Parameters
        ----------
        tag : str
            A project's name, or ``default`` for the project that was synced last.
        process : str
            Name of the rule, such as ``analyze``.
        obs : str, optional
            Name of the survey, for the processes ``download`` and ``reduce`` of a project with several.
        session : sqlalchemy.orm.Session, optional
            By default one of the database of the configuration.

        Returns
        -------
        Provenance or None
            None if the tag has none for that process; the log names what is nearest.

        Raises
        ------
        UserError
            If several surveys have one and `obs` says not which.
        """
        from vo_lib.database.session import Session
        from vo_lib.database.tags import find_tagged

        if session is not None:
            return find_tagged(session, tag, process, obs)
        with Session() as session:
            return find_tagged(session, tag, process, obs)

    def mark_bad(self, comment, *, session=None):
        """Mark it, and all that was made of it, as bad: `vo_lib.database.find` leaves that out from then on.

        Parameters
        ----------
        comment : str or None
            What is wrong with what it made; None takes the mark away.
        session : vo_lib.database.session.Session, optional
            By default one of the database of the configuration.
        """
        from vo_lib.database.session import Session
        from vo_lib.database.tags import mark_bad

        if session is not None:
            mark_bad(session, self.id, comment)
        else:
            with Session() as session:
                mark_bad(session, self.id, comment)


def check_provenance(path, found, expected):
    """Raise `StaleProductError` when a product was made with another provenance than asked for (None: any)."""
    if expected is not None and found != expected:
        raise StaleProductError(
            f"{path}: was made with provenance {found}, not {expected} as asked for; run snakemake to make it again, "
            f"with --forcerun reduce analyze if it says that there is nothing to do"
        )


def code_fingerprint(*files, root=PACKAGE_ROOT):
    """Fingerprint of the code that a stage runs.

    Parameters
    ----------
    *files : str or Path
        Files where it starts, relative to `root`, or absolute for those of plug-ins elsewhere; modules
        of ``vo_lib`` and ``extensions`` that they import, directly or not, at the top or inside functions,
        belong to it.
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
    return short_digest(sorted([name, _code_text(Path(root) / file)] for name, file in zip(names, files, strict=True)))


def code_files(*files, root=PACKAGE_ROOT):
    """Files of a stage, relative to `root`, in alphabetical order; see `code_fingerprint`."""
    todo, found = [Path(file) for file in files], set()
    while todo:
        file = todo.pop()
        if file not in found and file.as_posix() not in NOT_IN_RESULTS:
            found.add(file)
            todo.extend(_imports(Path(root) / file, Path(root)))
    return sorted(found)


@cache
def _tree(path):
    """Syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _imports(path, root):
    """Files of the project that a file imports anywhere in it."""
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.update({node.module}, (f"{node.module}.{alias.name}" for alias in node.names))
    files = (Path(*name.split(".")) for name in names if name.startswith(("vo_lib.", "extensions.")))
    candidates = [candidate for file in files for candidate in (file.with_suffix(".py"), file / "__init__.py")]
    return tuple(candidate for candidate in candidates if (root / candidate).is_file())


@cache
def _code_text(path):
    """Source of a file rebuilt from its syntax tree, without docstrings and comments."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) if body else False
        ):
            node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)
