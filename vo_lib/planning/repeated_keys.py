"""Keys that a section of a YAML file has twice: readers of YAML take the last one and say nothing of the others."""

from contextlib import suppress
from pathlib import Path

import yaml

from vo_lib.errors import ConfigError

__all__ = ["refuse_repeated_keys"]

_MERGE = "tag:yaml.org,2002:merge"  # << may stand several times


def refuse_repeated_keys(path, text=None):
    """Raise for a configuration in which a section has a key twice.

    Parameters
    ----------
    path : str or Path
        The file.
    text : str, optional
        What is in it, where it was read already.

    Raises
    ------
    ConfigError
        With the lines of both. A file that is no YAML passes: who reads it says what is wrong.
    """
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with suppress(OSError, ValueError, yaml.YAMLError, RecursionError):
        root = yaml.compose(Path(path).read_text(encoding="utf-8") if text is None else text, loader)
        for section in _sections(root):
            _check_section(path, section)


def _sections(root):
    """All mappings below a node of YAML, each once, also where aliases repeat it."""
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
    """Raise for a key that is there twice."""
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
