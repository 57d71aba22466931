"""Credentials from the environment; they are in no parameter, file, log or message of this project."""

import html
import os
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus

from vo_lib.errors import ConfigError

__all__ = ["LEAST_LENGTH", "mask", "read_secret"]

# A shorter one cannot be told from other text.
LEAST_LENGTH = 4

_seen = set()


def mask(text):
    """Put ``***`` in place of each credential that was read in this process, as it is and as a URL or a page has it.

    One in which a text was cut, with dots after it, is masked too.
    """
    return _pattern(frozenset(_seen)).sub("***", text) if _seen else text


@lru_cache(maxsize=1)
def _pattern(secrets):
    """Regular expression of secrets, as they are written and cut."""
    forms = {write(secret) for secret in secrets for write in (str, quote, quote_plus, html.escape)}
    cut = {f"{form[:length]}..." for form in forms for length in range(LEAST_LENGTH, len(form))}
    return re.compile("|".join(map(re.escape, sorted(forms | cut, key=len, reverse=True))))


def read_secret(name):
    """Read a credential from an environment variable, or from the file that another one names.

    Parameters
    ----------
    name : str
        The variable; that of the file has ``_FILE`` at its end.

    Returns
    -------
    str
        The credential, without white space around it.

    Raises
    ------
    ConfigError
        If neither is set, the file cannot be read or others may read it, or what is there cannot be
        sent. The message does not have the credential.
    """
    value, path = os.environ.get(name, ""), os.environ.get(f"{name}_FILE", "")
    if not value.strip() and path:
        value = _read_private(Path(path).expanduser(), f"{name}_FILE")
    if not value.strip():
        raise ConfigError(f"set the environment variable {name}, or {name}_FILE to a file with mode 600 that holds it")
    if not re.fullmatch(r"[!-~]+", value.strip()):
        raise ConfigError(f"{name} must be one word of printable ASCII")
    if len(value.strip()) >= LEAST_LENGTH:
        _seen.add(value.strip())
    return value.strip()


def _read_private(path, name):
    """Text of a file that is its owner's alone."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{name}: others may read {path}; run chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{name}: cannot read {path} ({reason})") from None
