import sys

from vo_lib.provenance import PACKAGE_ROOT

sys.path.insert(0, str(PACKAGE_ROOT / "tests" / "upgrade"))
