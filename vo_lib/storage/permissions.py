"""Group and modes of what is written below a data root, for people who share it.

Jobs have them in their environment, for they change no result.
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
    """Let this process, and those that it starts, give files below a data root a group and modes.

    Parameters
    ----------
    data_root : Path
        The data root.
    section : dict
        ``group``, ``mode_file`` and ``mode_dir`` (octal digits); None leaves the group to the system and modes to the
        umask.
    """
    os.environ[VARIABLE] = json.dumps({"data_root": str(data_root.resolve())} | section)


def is_own_group(name):
    """Whether there is a group of a name on this host, and this user may give files to it."""
    try:
        number = grp.getgrnam(name).gr_gid
    except KeyError:
        return False
    return os.geteuid() == 0 or number in {os.getegid(), *os.getgroups()}


def apply_permissions(path, *, growing=False):
    """Give a file below the data root, and the folders of this user that it is in, the group and modes wanted.

    Where that cannot be done the log has one warning, and the file stays as the umask made it.

    Parameters
    ----------
    path : Path
        A file of this process; one elsewhere is left alone.
    growing : bool, optional
        Whether this user adds to the file later, and may write to it whatever the mode for files is.
    """
    wanted = json.loads(os.environ.get(VARIABLE, "null"))
    if not wanted or not (path := path.resolve()).is_relative_to(wanted["data_root"]):
        return
    _apply(path, wanted["group"], wanted["mode_file"], S_IWUSR if growing else 0)
    for folder in path.parents:
        if folder.is_relative_to(wanted["data_root"]) and folder.stat().st_uid == os.geteuid():
            _apply(folder, wanted["group"], wanted["mode_dir"])


def _apply(path, group, mode, more=0):
    """Give a file or folder a group and a mode with some more bits, where it has others."""
    try:
        state = path.stat()
        if group is not None and state.st_gid != (number := grp.getgrnam(group).gr_gid):
            os.chown(path, -1, number)
        # After the group, with which the system takes some bits away.
        if mode is not None and S_IMODE(path.stat().st_mode) != (bits := int(mode, 8) | more):
            path.chmod(bits)
    except (KeyError, OSError) as error:
        _warn(getattr(error, "strerror", None) or f"no group '{group}' on this host")


@cache
def _warn(reason):
    """Say once in the log of a process what could not be done."""
    log.warning("permissions of the configuration cannot be given to files (%s); they are those of the umask", reason)
