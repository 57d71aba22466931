"""A disk on which what jobs make appears late, as on a network.

Python loads this at its start where the folder is in ``PYTHONPATH``. ``LATE_S`` has the least and longest delay [s].
"""

import os
import random
import subprocess
import sys
from pathlib import Path

_replace = Path.replace


def replace_late(path, target):
    """Give a file its name when some time has passed; the process that made it does not wait for that."""
    if Path(sys.argv[0]).parent.name != "scripts":
        return _replace(path, target)
    delay = random.uniform(*map(float, os.environ["LATE_S"].split()))
    command = ["sh", "-c", 'sleep "$1" && mv "$2" "$3"', "late", str(delay), path, target]
    nothing = subprocess.DEVNULL
    subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
    return Path(target)


Path.replace = replace_late
