"""Figures: drawn alike each time, without a trace in matplotlib."""

import io
import subprocess
import sys

import numpy as np
import pytest

from vo_lib.canvas import draw_parts, draw_png, new_figure, printable, theme
from vo_lib.provenance import PACKAGE_ROOT


def drawing():
    """Figure with a line."""
    figure = new_figure(2, 2)
    figure.add_subplot().plot([1, 3, 2])
    return figure


def test_matplotlib_is_imported_only_to_draw_and_pyplot_never():
    code = (
        "import sys, vo_lib.plots; from vo_lib.canvas import draw_png, new_figure;"
        "assert 'matplotlib' not in sys.modules;"
        "draw_png(lambda: new_figure(2, 2)); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE_ROOT)


def test_a_theme_leaves_no_trace():
    import matplotlib

    before = dict(matplotlib.rcParams)
    with theme():
        assert matplotlib.rcParams["grid.linewidth"] == 0.6
    assert dict(matplotlib.rcParams) == before


def test_a_picture_is_png_and_the_same_each_time():
    first, second = (draw_png(lambda: drawing()) for _ in range(2))
    assert first == second
    assert first.startswith(b"\x89PNG\r\n\x1a\n")


def test_a_picture_can_be_cut_into_parts():
    from matplotlib.image import imread

    whole, *parts = (imread(io.BytesIO(png)) for png in draw_parts(drawing, 2, 3))
    assert whole.shape == (360, 360, 3), "nothing of a picture is transparent"
    rows = [np.concatenate(parts[first : first + 3], axis=1) for first in (0, 3)]
    np.testing.assert_array_equal(np.concatenate(rows), whole)


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("α Cen", "α Cen"),
        ("a\nb\x1b", "a?b?"),
        ("\U0001f680星", "??"),
        ("$x$", "$x$"),
        ("", ""),
        ("n" * 60, "n" * 47 + "…"),
    ],
)
def test_names_are_made_drawable(name, drawn):
    assert printable(name) == drawn
