"""Run the command ``vo`` as ``python -m vo_lib``."""

import sys

from vo_lib.cli import main

__all__ = []

if __name__ == "__main__":
    sys.exit(main())
