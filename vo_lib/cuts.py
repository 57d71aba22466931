"""Cuts on a table, such as ``mag < 18 and dec > -30``, evaluated without executing them as code.

A cut is parsed as a Python expression, of which only a few forms are allowed: comparisons (also
chained), ``and``, ``or``, ``not``, arithmetic, ``in`` a list of values, and the functions in `FUNCTIONS`.
"""

import ast
import difflib
import operator
import re
import warnings
from dataclasses import dataclass, field
from functools import reduce

import numpy as np

from vo_lib.errors import CatalogError, ConfigError
from vo_lib.tables import count_rows

__all__ = ["FUNCTIONS", "Cut", "apply_cuts"]

MAX_LENGTH = 1000
MAX_DEPTH = 40
# Maximum number of columns that a message lists.
MAX_LISTED = 15

FUNCTIONS = {"abs": np.abs, "isfinite": np.isfinite, "log10": np.log10, "sqrt": np.sqrt}

_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_COMPARISONS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_OPERATORS = (*_ARITHMETIC, *_COMPARISONS, ast.In, ast.NotIn, ast.And, ast.Or, ast.Not)
_NODES = (ast.Expression, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call, ast.Name, ast.Constant)
_LISTS = (ast.Tuple, ast.List, ast.Set)
_KINDS = {"b": "a condition", "f": "a number", "U": "text"}


@dataclass(frozen=True)
class Cut:
    """A condition on the columns of a table.

    Parameters
    ----------
    text : str
        The condition. A comparison with a missing number (NaN) is false, whatever its sign:
        ``mag < 18`` and ``mag != 18`` leave out sources without magnitude, ``not (mag >= 18)`` keeps them.
    key : str, optional
        Configuration key that the cut comes from, for messages; its section tells which table the cut is on.

    Raises
    ------
    CatalogError
        If the text has anything that is not allowed in a cut, which the message names; `ConfigError` for a cut on a
        table other than the catalog.
    """

    text: str
    key: str = "catalog.cuts"
    _tree: ast.AST = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "_tree", _parse(self))

    @property
    def columns(self):
        """Names of the columns that the cut uses, sorted."""
        functions = {id(node.func) for node in ast.walk(self._tree) if isinstance(node, ast.Call)}
        names = (node for node in ast.walk(self._tree) if isinstance(node, ast.Name))
        return sorted({node.id for node in names if id(node) not in functions})

    def mask(self, table):
        """Return which rows satisfy the cut.

        Parameters
        ----------
        table : dict of str to ndarray, each of shape (n_rows,)
            Columns: numbers, text or bool.

        Returns
        -------
        ndarray of bool, shape (n_rows,)

        Raises
        ------
        CatalogError
            If a column is missing (the message names the nearest), or numbers, text and conditions are mixed up;
            `ConfigError` for a cut on a table other than the catalog.
        """
        with np.errstate(all="ignore"):
            result = _Evaluation(self, table).visit(self._tree)
        if (kind := _kind(result)) != "b":
            raise _error(self, f"is {_KINDS[kind]}, not a condition; compare it with something")
        return np.broadcast_to(result, (count_rows(table),)).copy()


def apply_cuts(cuts, table, *, key="catalog.cuts"):
    """Return which rows satisfy all cuts, and how many rows each cut leaves out.

    Parameters
    ----------
    cuts : sequence of str
        Conditions, see `Cut`.
    table : dict of str to ndarray, each of shape (n_rows,)
        Columns.
    key : str, optional
        Configuration key that the cuts come from.

    Returns
    -------
    kept : ndarray of bool, shape (n_rows,)
        Rows that satisfy all cuts; all true without cuts.
    left_out : dict of str to int
        Number of rows that each cut is the first to leave out, in the order of `cuts`; these numbers and
        the number of rows kept add up to the number of rows.
    """
    kept = np.ones(count_rows(table), dtype=bool)
    left_out = {}
    for text in cuts:
        fulfilled = Cut(text, key).mask(table)
        left_out[text] = left_out.get(text, 0) + int((kept & ~fulfilled).sum())
        kept &= fulfilled
    return kept, left_out


def _error_class(cut):
    """Return the error class for a cut, by the table that it is on."""
    return CatalogError if _section(cut) == "catalog" else ConfigError


def _section(cut):
    """Return the section of the configuration that a cut is in."""
    return cut.key.partition(".")[0]


def _error(cut, problem):
    """Make the one-line error for a cut."""
    shown = " ".join(cut.text.split()) if len(cut.text) <= 200 else f"{cut.text[:200]}..."
    return _error_class(cut)(f"{cut.key}: '{shown}' {problem}")


def _parse(cut):
    """Parse a cut into a tree whose nodes are all known to be harmless."""
    text = cut.text
    if not isinstance(text, str):
        raise _error_class(cut)(f"{cut.key}: a cut must be text such as 'mag < 18', got {text!r}")
    if len(text) > MAX_LENGTH:
        raise _error(cut, f"has {len(text)} characters, at most {MAX_LENGTH} are allowed; make it several cuts")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tree = ast.parse(re.sub(r"[\r\n\t]", " ", text).strip(), mode="eval").body
    except SyntaxError as error:
        raise _error(cut, f"cannot be understood ({error.msg}); write for example 'mag < 18 and dec > -30'") from None
    except (ValueError, RecursionError, MemoryError):
        raise _error(cut, "cannot be understood; write for example 'mag < 18 and dec > -30'") from None
    _check(cut, tree)
    return tree


def _check(cut, tree):
    """Check that a tree has only allowed nodes and is not nested too deeply."""
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _error(cut, f"is nested more than {MAX_DEPTH} deep; make it several cuts")
        for node in level:
            _check_node(cut, node)
        level = [child for node in level for child in ast.iter_child_nodes(node)]


def _check_node(cut, node):
    """Check that a node is allowed."""
    if isinstance(node, ast.Compare):
        _check_lists(cut, node)
    elif isinstance(node, ast.Call):
        if not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            raise _error(cut, f"calls {_source(node.func)}; only {', '.join(FUNCTIONS)} can be called")
        if len(node.args) != 1 or node.keywords:
            raise _error(cut, f"must call {node.func.id} with one value")
    elif isinstance(node, ast.Constant):
        if type(node.value) not in (int, float, str):
            raise _error(cut, f"holds {node.value!r}; only numbers and text in quotes are allowed")
    elif isinstance(node, (ast.BitAnd, ast.BitOr, ast.Invert)):
        raise _error(cut, "holds one of & | ~; write 'and', 'or', 'not' instead")
    elif not isinstance(node, (*_NODES, *_OPERATORS, *_LISTS, ast.Load)):
        raise _error(cut, f"holds {_source(node)}, which is not allowed in a cut")


def _check_lists(cut, node):
    """Check that ``in`` is followed by a list of values, and that lists occur only there."""
    for sign, right in zip(node.ops, node.comparators, strict=True):
        wants_list = isinstance(sign, (ast.In, ast.NotIn))
        if wants_list != isinstance(right, _LISTS) or isinstance(node.left, _LISTS):
            raise _error(cut, "must have a list after 'in', and only there: name in ('a', 'b'), name in ['a']")
        if wants_list and not (right.elts and all(_is_value(item) for item in right.elts)):
            raise _error(cut, "must have numbers or text in quotes in its lists, at least one")


def _is_value(node):
    """Return whether a node is a constant, with or without a sign."""
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _source(node):
    """Return the source text of a node for a message, shortened."""
    try:
        source = ast.unparse(node)
    except (AttributeError, ValueError, KeyError, RecursionError):
        source = ""
    return f"'{source[:60]}'" if source else f"'{type(node).__name__}'"


def _kind(values):
    """Return b for conditions, U for text and f for numbers, whole or not."""
    return "f" if values.dtype.kind in "iu" else values.dtype.kind


class _Evaluation(ast.NodeVisitor):
    """Evaluate the nodes of a checked tree to arrays of numbers, str or bool; whole numbers are compared exactly."""

    def __init__(self, cut, table):
        self._cut, self._table = cut, table

    def generic_visit(self, node):
        raise _error(self._cut, f"holds {_source(node)} in a place where it is not allowed")

    def visit_Constant(self, node):
        return np.array(node.value if isinstance(node.value, str) else self._number(node.value))

    def visit_Name(self, node):
        if node.id not in self._table:
            near = difflib.get_close_matches(node.id, self._table, n=1, cutoff=0.5)
            known = ", ".join(list(self._table)[:MAX_LISTED]) + (", ..." if len(self._table) > MAX_LISTED else "")
            hint = f"did you mean '{near[0]}'?" if near else f"known are {known}"
            table = "the catalog does" if _section(self._cut) == "catalog" else "the properties do"
            raise _error(self._cut, f"needs the column '{node.id}', which {table} not have; {hint}")
        values = np.asarray(self._table[node.id])
        return values if values.dtype.kind in "bUiu" else values.astype(float, copy=False)

    def visit_Call(self, node):
        return FUNCTIONS[node.func.id](self._visit_as("f", node.args[0]))

    def visit_BinOp(self, node):
        left, right = self._visit_as("f", node.left), self._visit_as("f", node.right)
        return np.asarray(_ARITHMETIC[type(node.op)](left, right))

    def visit_UnaryOp(self, node):
        if isinstance(node.op, ast.Not):
            return ~self._visit_as("b", node.operand)
        return np.asarray(_ARITHMETIC[type(node.op)](self._visit_as("f", node.operand)))

    def visit_BoolOp(self, node):
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        return reduce(join, [self._visit_as("b", value) for value in node.values])

    def visit_Compare(self, node):
        left, result = self.visit(node.left), np.array(True)
        for sign, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(sign, (ast.In, ast.NotIn)):
                result = result & self._is_in(left, right.elts, isinstance(sign, ast.NotIn))
            else:
                left, before = self.visit(right), left
                result = result & self._compare(sign, before, left)
        return result

    def _compare(self, sign, left, right):
        """Compare two values; false where a number is NaN."""
        kinds = _kind(left) + _kind(right)
        if kinds not in ("ff", "UU"):
            names = " with ".join(_KINDS[kind] for kind in kinds)
            why = "a cell is not a number, see catalog.missing_values, or is a whole number of 2**53 or more"
            hint = f"; a column is text if {why}" if kinds == "Uf" and _section(self._cut) == "catalog" else ""
            raise _error(self._cut, f"compares {names}; text needs quotes, numbers none{hint}")
        if kinds == "UU" and not isinstance(sign, (ast.Eq, ast.NotEq)):
            raise _error(self._cut, "asks which of two texts is larger; text can only be == or != or in a list")
        result = np.asarray(_COMPARISONS[type(sign)](left, right))
        return result & ~(np.isnan(left) | np.isnan(right)) if kinds == "ff" else result

    def _is_in(self, left, items, negative):
        """Return whether values are, or with `negative` are not, in a list; false where a number is NaN."""
        found = np.array(False)
        for item in items:
            found = found | self._compare(ast.Eq(), left, self.visit(item))
        if not negative:
            return found
        return ~found if left.dtype.kind == "U" else ~found & ~np.isnan(left)

    def _visit_as(self, kind, node):
        """Evaluate a node whose values must be of one kind."""
        values = self.visit(node)
        if (found := _kind(values)) != kind:
            raise _error(self._cut, f"has {_KINDS[found]} where {_KINDS[kind]} is needed: {_source(node)}")
        return values.astype(float, copy=False) if kind == "f" else values

    def _number(self, value):
        """Return a whole number of up to 64 bits as it is, and any other as a float."""
        try:
            return value if isinstance(value, int) and value < 2**64 else float(value)
        except OverflowError:
            raise _error(self._cut, "holds a number that is too large") from None
