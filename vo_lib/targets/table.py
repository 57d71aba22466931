"""Resolve names of targets offline, by equivalent spellings and a table that users can extend."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import yaml

from vo_lib.errors import ConfigError
from vo_lib.targets.target import tidy

__all__ = ["NameTable", "normalise"]

_MINUS = str.maketrans("\u2010\u2011\u2012\u2013\u2212_", "----- ")
_SIMBAD_PREFIX = re.compile(r"(?:NAME|V\*|\*) ")
# The sign of a declination zone is part of the name.
_DURCHMUSTERUNG = re.compile(r"(BD|CD|CPD|COD|SD) ?- ?(?=\d)", re.IGNORECASE)


def normalise(name):
    """Return the normal form of a name, which is the same for all its spellings.

    Parameters
    ----------
    name : str
        A name in any spelling.

    Returns
    -------
    str
        The name in capitals without blanks, underscores and hyphens, except that

        - blanks and hyphens between two digits stay, because they separate numbers or are a sign (``1507476-162738``),
          as does the sign of the zones of the Durchmusterung (``BD-12 4523``);
        - a single letter before a word keeps its case (``a Cen`` and ``A Cen`` are two stars), as does one at the end
          after a blank or a digit (``55 Cnc b`` is a planet of ``55 Cnc A``);
        - the prefixes ``NAME``, ``V*`` and ``*`` of Simbad and the braces of VizieR are removed.

        Empty for a name without any letter, digit or sign.
    """
    text = tidy(unicodedata.normalize("NFKC", name).translate(_MINUS))
    text = text.removeprefix(prefix[0]) if (prefix := _SIMBAD_PREFIX.match(text)) else text
    if zone := _DURCHMUSTERUNG.match(text):
        return f"{zone[1].upper()}-{_fold(text[zone.end() :])}"
    return _fold(text)


def _fold(text):
    """Name in capitals except for single letters, without blanks and hyphens other than those between digits."""
    words = re.sub(r"(?<!\d)-|-(?!\d)", " ", text).strip()
    first = re.match(r"[a-z](?= +[^\W\d])", words)
    last = re.search(r"(?<=[\d ])[a-z]$", words)
    letters = [letter.upper() if len(letter.upper()) == 1 else letter for letter in words]
    for kept in filter(None, (first, last)):
        letters[kept.start()] = kept[0]
    joined = re.sub(r" +", " ", "".join(letters))
    return re.sub(r"(?<!\d) | (?!\d)", "", joined)


@dataclass(frozen=True)
class NameTable:
    """Local table of names, by their normal form.

    Parameters
    ----------
    names : dict of str to str
        Name to use; each name to use is also a key for itself.
    moving : dict of str to str
        Bodies of the solar system.
    """

    names: dict
    moving: dict

    @classmethod
    def read(cls, path):
        """Read a table.

        Parameters
        ----------
        path : str or Path
            YAML with a mapping ``names`` and a list ``moving``, both optional; all values are text, whatever they
            look like.

        Returns
        -------
        NameTable

        Raises
        ------
        ConfigError
            If the file is missing or of another form, or a name has two names to use.
        """
        sections = _read_sections(path)
        settled = [(used, used) for _, used in sections["names"]]
        moving = _unique(path, [(body, body) for body in sections["moving"]])
        return cls(_unique(path, settled + sections["names"]), moving)

    def find(self, name):
        """Return the name to use and whether its target moves, None for a name that is not in the table."""
        key = normalise(name)
        index = re.fullmatch(r"([A-Z]{2,})[0-9]{1,3}", key)
        for form in (key, index[1]) if index else (key,):
            if form in self.names or form in self.moving:
                used = self.names.get(form) or self.moving[form]
                return used, normalise(used) in self.moving
        return None


def _read_sections(path):
    """Nodes of the YAML of a table: pairs of names, and moving targets."""
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    sections = {"names": [], "moving": []}
    if root is None:
        return sections
    if not isinstance(root, yaml.MappingNode):
        raise _error(path, root, "the table needs the sections names and moving")
    for key, node in root.value:
        kinds = {"names": yaml.MappingNode, "moving": yaml.SequenceNode}
        if not isinstance(key, yaml.ScalarNode) or key.value not in kinds:
            raise _error(path, key, f"'{key.value}' is not a section; known are names and moving")
        if isinstance(node, kinds[key.value]):
            sections[key.value] += node.value
        elif node.value != "":
            raise _error(path, node, "names must be a mapping 'NAME: name to use' and moving a list '- NAME'")
    return sections


def _unique(path, pairs):
    """Names to use by the normal form of the given names, checked to be unique."""
    found = {}
    for given, used in pairs:
        for node in (given, used):
            if not isinstance(node, yaml.ScalarNode) or not normalise(node.value):
                raise _error(path, node, "is not a name")
        key = normalise(given.value)
        if found.get(key, used.value) != used.value:
            raise _error(path, given, f"'{given.value}' has two names to use: '{found[key]}' and '{used.value}'")
        found[key] = used.value
    return found


def _error(path, node, message):
    """Error for a node of a table."""
    return ConfigError(f"{path}: line {node.start_mark.line + 1}: {message}")
