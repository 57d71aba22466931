"""Bins in blocks of sources: each source is in one, and the results are those of the whole bin."""

from dataclasses import replace

import numpy as np
import pytest
from make_batch import make_batch, put, sources_of

from vo_lib.analysis import Analysis
from vo_lib.bin_result import concatenate_results
from vo_lib.reduction.blocks import source_blocks
from vo_lib.tables import take_rows


@pytest.mark.parametrize(
    ("counts", "most", "blocks"),
    [
        ([], 10, [(0, 0)]),
        ([0, 0], 10, [(0, 2)]),
        ([4, 6, 1], 10, [(0, 2), (2, 3)]),
        ([11, 0, 3, 30, 2], 10, [(0, 1), (1, 3), (3, 4), (4, 5)]),
        ([5, 5, 5], np.inf, [(0, 3)]),
    ],
)
def test_blocks_have_as_many_epochs_as_allowed_or_one_source(counts, most, blocks):
    assert source_blocks(np.array(counts, int), most) == [slice(*pair) for pair in blocks]


def _bin():
    """Lightcurves of five sources, with a flare, a dip and flagged epochs in different blocks."""
    batch = make_batch([60, 80, 100, 90, 70], sources=["a", "b", "b", "c", "d"], filters=("demo-g", "demo-r"), seed=2)
    batch = put(put(batch, 0, [20, 21], flux=[1300.0, 1150.0]), 3, [50], flux=800.0)
    return put(put(batch, 1, [10], flux=4000.0, flag=1), 4, [5, 6], flag=1)


def _analysis(**properties):
    """The default analysis with labels and columns that do not depend on the lightcurves."""
    histograms = {"filters": ("demo-g", "demo-r"), "surveys": ("DEMO",)}
    return Analysis(histograms=histograms, simulator={"num_injections": 2}, properties=properties, seed=3)


def _assert_same(got, expected, error, name):
    """Equal, texts too, or floats equal to a part of themselves."""
    if error:
        np.testing.assert_allclose(got, expected, rtol=error, err_msg=name)
    else:
        np.testing.assert_array_equal(got, expected, err_msg=name)


def test_the_results_of_blocks_are_those_of_the_bin():
    batch = _bin()
    sources = sources_of(batch, "nothing")
    analysis = _analysis(colors=[("demo-g", "demo-r")])
    whole = analysis.analyze_photometry(sources, batch)
    blocks = [take_rows(sources, block) for block in source_blocks(np.array([60, 180, 90, 70, 0]), 200)]
    assert [len(block["name"]) for block in blocks] == [1, 1, 3]
    parts = [batch.select(np.isin(batch.table["source"], block["name"])) for block in blocks]
    joined = concatenate_results([analysis.analyze_photometry(*pair) for pair in zip(blocks, parts, strict=True)])
    assert len(whole.tables["flagged"]["series"]) == 3
    assert whole.tables["detections"]["simulated"].any()
    for name, table in whole.tables.items():
        assert list(joined.tables[name]) == list(table)
        for column, values in table.items():
            # Some kernels of linear algebra round the sums of a score by their place in a product.
            error = 1e-6 if column == "score" else 0
            _assert_same(joined.tables[name][column], values, error, f"{name}.{column}")
    assert joined.histograms == whole.histograms
    for kind in ("processed", "simulated"):
        first, second = getattr(whole, kind), getattr(joined, kind)
        np.testing.assert_array_equal(second.starts, first.starts)
        for name in first.columns:
            np.testing.assert_array_equal(second.columns[name], first.columns[name], err_msg=name)
        for name in first.table:
            np.testing.assert_array_equal(second.table[name], first.table[name], err_msg=name)


def test_results_with_other_columns_are_not_put_together():
    batch = _bin()
    results = [
        _analysis(colors=colors).analyze_photometry(sources_of(batch), batch) for colors in ([], [("demo-g", "demo-r")])
    ]
    with pytest.raises(ValueError, match="not all blocks of a bin have the table properties with the same columns"):
        concatenate_results(results)


def test_a_table_of_only_some_blocks_is_not_lost():
    batch = _bin()
    plain = _analysis().analyze_photometry(sources_of(batch), batch)
    more = replace(plain, tables=plain.tables | {"own": {"x": np.zeros(1)}})
    columns = plain.columns | {"own": {"x": ("f8", "", "x")}}
    plain, more = replace(plain, columns=columns), replace(more, columns=columns)
    for results in ([plain, more], [more, plain]):
        with pytest.raises(ValueError, match="not all blocks of a bin have the table own with the same columns"):
            concatenate_results(results)
