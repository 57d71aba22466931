"""Figures to draw on, in the project's fonts and colours, and as files.

matplotlib is imported when the first figure is made and used through its objects only, so
nothing here touches the state of pyplot.
"""

import io
from contextlib import contextmanager

import numpy as np

__all__ = ["PIXELS_PER_INCH", "draw_parts", "draw_png", "new_figure", "printable", "theme"]

PAPER, INK, GRID = "#ffffff", "#1f2328", "#d0d7de"
PIXELS_PER_INCH = 180
LONGEST_TEXT = 48


@contextmanager
def theme():
    """Draw with the project's fonts and colours inside a ``with`` block."""
    import matplotlib

    style = dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"), PAPER)
    style |= dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK)
    style |= {"font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 10, "legend.fontsize": 9}
    style |= {"grid.color": GRID, "grid.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style | {"text.usetex": False, "savefig.dpi": PIXELS_PER_INCH}):
        yield


def new_figure(width, height):
    """Make an empty figure of a size in inches that can be saved and keeps its parts apart."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_png(draw):
    """Draw in the project's theme and give the picture as PNG.

    Parameters
    ----------
    draw : callable
        Called without arguments; returns a figure.

    Returns
    -------
    bytes
        The same for the same picture: no date, no version.
    """
    return draw_parts(draw, 1, 1)[0]


def draw_parts(draw, rows, columns):
    """Draw like `draw_png`, and cut the picture into parts of one size.

    Parameters
    ----------
    draw : callable
        Called without arguments; returns a figure.
    rows, columns : int
        Number of parts below and beside each other.

    Returns
    -------
    list of bytes
        The whole picture and its parts, from the upper left one on, line by line.
    """
    from PIL import Image

    with theme():
        figure = draw()
        figure.set_dpi(PIXELS_PER_INCH)
        figure.canvas.draw()
        # Without the transparency that matplotlib writes, which takes twice as long.
        whole = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    return [_png(part) for part in (whole, *_parts(whole, rows, columns))]


def _parts(picture, rows, columns):
    """Parts of a picture, line by line."""
    width, height = picture.width // columns, picture.height // rows
    corners = ((x * width, y * height) for y in range(rows) for x in range(columns))
    return [picture.crop((left, upper, left + width, upper + height)) for left, upper in corners]


def _png(picture):
    """A picture as a file; the usual compression, 6, takes a third longer for a tenth less."""
    file = io.BytesIO()
    picture.save(file, "png", dpi=(PIXELS_PER_INCH, PIXELS_PER_INCH), compress_level=3)
    return file.getvalue()


def printable(text):
    """Text that can be drawn: marks that the font lacks are ``?``, and a very long one is cut.

    Give it to matplotlib with ``parse_math=False``, since ``$`` may occur in names.
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    text = "".join(mark if mark.isprintable() and font.get_char_index(ord(mark)) else "?" for mark in text)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
