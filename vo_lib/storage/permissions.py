"""Group and modes of files below a shared data root.

Jobs get them from their environment, because they do not change any result.
"""

import grp
import json
import logging
import os
from functools import cache
from stat import S_IMODE, S_IWUSR

__all__ = ["apply_permissions", "is_own_group", "set_permissions"]

VARIABLE = "VO_PERMISSIONS"

log = logging.getLogger("vo_lib")


def set_permissions(data_root, section):
    """Set the group and modes that this process and its children give to files below a data root.

    Parameters
    ----------
    data_root : Path
        The data root.
    section : dict
        ``group``, ``mode_file`` and ``mode_dir`` (octal digits); with None the system determines the group, and the
        umask the modes.
    """
    os.environ[VARIABLE] = json.dumps({"data_root": str(data_root.resolve())} | section)


def is_own_group(name):
    """Return whether a group exists on this host and this user may assign files to it."""
    try:
        number = grp.getgrnam(name).gr_gid
    except KeyError:
        return False
    return os.geteuid() == 0 or number in {os.getegid(), *os.getgroups()}


def apply_permissions(path, *, growing=False):
    """Apply the group and modes to a file below the data root, and to the folders above it that this user owns.

    If that fails, one warning is logged, and the file stays as it was created.

    Parameters
    ----------
    path : Path
        File written by this process; one outside the data root is left alone.
    growing : bool, optional
        Whether this user will append to the file, and so keeps write permission whatever ``mode_file`` says.
    """
    wanted = json.loads(os.environ.get(VARIABLE, "null"))
    if not wanted or not (path := path.resolve()).is_relative_to(wanted["data_root"]):
        return
    _apply(path, wanted["group"], wanted["mode_file"], S_IWUSR if growing else 0)
    for folder in path.parents:
        if folder.is_relative_to(wanted["data_root"]) and folder.stat().st_uid == os.geteuid():
            _apply(folder, wanted["group"], wanted["mode_dir"])


def _apply(path, group, mode, more=0):
    """Set the group, and the mode with some additional bits, of a file or folder where they differ."""
    try:
        state = path.stat()
        if group is not None and state.st_gid != (number := grp.getgrnam(group).gr_gid):
            os.chown(path, -1, number)
        # After chown, which clears some bits of the mode.
        if mode is not None and S_IMODE(path.stat().st_mode) != (bits := int(mode, 8) | more):
            path.chmod(bits)
    except (KeyError, OSError) as error:
        _warn(getattr(error, "strerror", None) or f"no group '{group}' on this host")


@cache
def _warn(reason):
    """Log a failure, once per reason and process."""
    log.warning("the configured permissions cannot be given to files (%s); those of the umask are used", reason)
