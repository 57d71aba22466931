"""Does a result depend on the order of sets and dicts?"""

import os
import subprocess
import sys

from vo_lib.provenance import PACKAGE_ROOT


def outputs(code):
    """What some code prints in new processes with two different seeds of Python's hashes: a set."""
    return {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": f"{PACKAGE_ROOT}:{PACKAGE_ROOT / 'tests'}"},
            capture_output=True,
            text=True,
            cwd=PACKAGE_ROOT,
            check=True,
        ).stdout.strip()
        for seed in "01"
    }
