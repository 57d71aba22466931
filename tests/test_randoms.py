"""Random numbers from hashes: reproducible, independent of order, and random."""

import numpy as np
import pytest

from vo_lib.randoms import combine, hash_text, normals, uniforms


def test_hashes_do_not_depend_on_neighbours_or_width():
    alone = hash_text(np.array(["src1"]))
    assert alone.dtype == np.uint64
    assert hash_text(np.array(["a much longer name", "src1", "ε Eri"], dtype="U40"))[1] == alone[0]
    assert hash_text(np.array([], dtype="U4")).shape == hash_text([]).shape == (0,)


def test_different_texts_have_different_hashes():
    texts = np.array([f"J{number:06d}" for number in range(50_000)] + ["", "J", "Jj", "jJ", "ab", "ba"])
    assert len(np.unique(hash_text(texts))) == len(texts)


def test_text_must_be_text():
    with pytest.raises(TypeError, match="texts must be str, got an array of int64"):
        hash_text(np.array([1, 2]))


def test_combination_depends_on_order_and_on_every_part():
    values = {int(combine(*parts)[0]) for parts in [(1, 2), (2, 1), (1, 2, 0), (1,), (2,), (-1, 2), (2**70, 2)]}
    assert len(values) == 7
    np.testing.assert_array_equal(combine(7, np.arange(3)), [combine(7, number)[0] for number in range(3)])


def test_uniform_numbers_are_uniform_and_independent():
    numbers = uniforms(3, np.arange(200_000))
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, 100, (0, 1))[0]
    assert np.sum((counts - 2000) ** 2 / 2000) == pytest.approx(99, abs=5 * np.sqrt(2 * 99))
    assert abs(np.corrcoef(numbers, uniforms(4, np.arange(200_000)))[0, 1]) < 0.01


def test_normal_numbers_have_the_moments_of_the_normal_law():
    numbers = normals(3, np.arange(200_000))
    assert np.isfinite(numbers).all()
    np.testing.assert_allclose([numbers.mean(), numbers.var(), (numbers**4).mean()], [0, 1, 3], atol=0.05)
    assert np.mean(np.abs(numbers) > 3) == pytest.approx(0.0027, rel=0.15)
