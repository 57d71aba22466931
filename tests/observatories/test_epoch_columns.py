"""Columns that several surveys make in the same way."""

import numpy as np
import pytest

from vo_lib.errors import ServiceError
from vo_lib.observatories.epoch_columns import add_columns, flag_bits, label_filters


def test_bits_of_a_flag_are_added_and_columns_join_an_answer():
    masks = {1: np.array([True, False, True]), 256: np.array([True, True, False])}
    flag = flag_bits(masks)
    assert (flag.tolist(), flag.dtype) == ([257, 256, 1], np.int64)
    data = add_columns(np.array([(7, b"a"), (8, b"b")], [("id", "i8"), ("text", "S1")]), ra=1.5, dec=[2.0, 3.0])
    assert data.tolist() == [(7, b"a", 1.5, 2.0), (8, b"b", 1.5, 3.0)]


def test_filter_codes():
    codes = np.array([b"zr", b"zg", b"zr"])
    assert label_filters(codes, {"zg": "ztf-g", "zr": "ztf-r"}).tolist() == ["ztf-r", "ztf-g", "ztf-r"]
    assert label_filters(codes[:0], {"zg": "ztf-g"}).dtype == "U5"
    with pytest.raises(ServiceError, match=r"filter code 'zr' is not known \(known are zg\)"):
        label_filters(codes, {"zg": "ztf-g"})
