"""Read credentials from the environment, and keep them out of parameters, files, logs and messages."""

import html
import os
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus

from vo_lib.errors import ConfigError

__all__ = ["LEAST_LENGTH", "mask", "read_secret"]

# A shorter credential could not be told from ordinary text.
LEAST_LENGTH = 4

_seen = set()


def mask(text):
    """Replace each credential that this process has read by ``***``, also where it is quoted for a URL or HTML.

    A credential that is truncated and followed by dots is masked too.
    """
    return _pattern(frozenset(_seen)).sub("***", text) if _seen else text


@lru_cache(maxsize=1)
def _pattern(secrets):
    """Regular expression that matches the secrets in all their forms, whole or truncated."""
    forms = {write(secret) for secret in secrets for write in (str, quote, quote_plus, html.escape)}
    cut = {f"{form[:length]}..." for form in forms for length in range(LEAST_LENGTH, len(form))}
    return re.compile("|".join(map(re.escape, sorted(forms | cut, key=len, reverse=True))))


def read_secret(name):
    """Read a credential from an environment variable, or from a file that another variable names.

    Parameters
    ----------
    name : str
        Name of the variable; the one for the file is this name with ``_FILE`` appended.

    Returns
    -------
    str
        The credential, stripped of surrounding white space.

    Raises
    ------
    ConfigError
        If neither variable is set, the file cannot be read or other users may read it, or the value
        is not one word of printable ASCII. The message does not contain the credential.
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
    """Text of a file that only its owner may read."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{name}: others may read {path}; run chmod 600 {path}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{name}: cannot read {path} ({reason})") from None
