"""Where a source is and how it moves, from its row of the catalog."""

import numpy as np
import pytest

from vo_lib.observatories.cat_row import position_at


def test_position_moves_with_the_proper_motion_from_its_epoch():
    row = {"name": "x", "ra": 10.0, "dec": 60.0, "pmra": 3600.0, "pmdec": -1800.0, "epoch": 2000.0}
    ra, dec = position_at(row, 2010.0)
    assert ra == pytest.approx(10 + 36 / 3600 / np.cos(np.radians(60)), abs=1e-5)
    assert dec == pytest.approx(60 - 18 / 3600, abs=1e-5)
    assert position_at(row | {"epoch": None}, 2016.0) == pytest.approx((10, 60), abs=1e-12)
    assert position_at({"name": "x", "ra": 10.0, "dec": 60.0}, 2050.0) == pytest.approx((10, 60), abs=1e-12)
