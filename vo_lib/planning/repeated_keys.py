"""Refuse repeated keys in a section of a YAML file: YAML readers keep the last one and silently drop the others."""

from contextlib import suppress
from pathlib import Path

import yaml

from vo_lib.errors import ConfigError

__all__ = ["refuse_repeated_keys"]

_MERGE = "tag:yaml.org,2002:merge"  # << may stand several times


def refuse_repeated_keys(path, text=None):
    """Raise an error if a section of a configuration has a key twice.

    Parameters
    ----------
    path : str or Path
        The file.
    text : str, optional
        Its content, if it has been read already.

    Raises
    ------
    ConfigError
        With the line numbers of both. A file that is not YAML passes, as reading it will report what is wrong.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with suppress(OSError, ValueError, yaml.YAMLError, RecursionError):
        root = yaml.compose(Path(path).read_text(encoding="utf-8") if text is None else text, loader)
        for section in _sections(root):
            _check_section(path, section)


def _sections(root):
    """Yield all mappings below a YAML node, each once even if aliases repeat it."""
    nodes, seen = [root], set()
    while nodes:
        node = nodes.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            nodes += [value for _, value in node.value]
        else:
            nodes += node.value


def _check_section(path, section):
    """Raise an error if a mapping has a key twice."""
    lines = {}
    for key, _ in section.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        line, name = key.start_mark.line + 1, (key.tag, key.value)
        if name in lines:
            raise ConfigError(
                f"{path}: line {line} repeats the key '{key.value}' of line {lines[name]} in the same section; "
                f"merge them, because YAML keeps only the last one"
            )
        lines[name] = line
