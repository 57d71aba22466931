"""Make figures in the project's fonts and colours, and turn them into PNG files.

matplotlib is imported when the first figure is made and used only through its objects, so
the state of pyplot is never touched.
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
    """Make an empty figure of a size in inches, ready to be saved and with a layout that avoids overlaps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_png(draw):
    """Draw in the project's theme and return the picture as PNG.

    Parameters
    ----------
    draw : callable
        Called without arguments; returns a figure.

    Returns
    -------
    bytes
        Identical for the same picture, since it holds no date and no version.
    """
    return _png(_picture(draw))


def draw_parts(draw, rows, columns):
    """Draw like `draw_png`, and cut the picture into parts of equal size.

    Parameters
    ----------
    draw : callable
        Called without arguments; returns a figure.
    rows, columns : int
        Number of rows and columns of parts.

    Returns
    -------
    list of bytes
        The whole picture, then its parts row by row from the upper left.
    """
    whole = _picture(draw)
    return [_png(part) for part in (whole, *_parts(whole, rows, columns))]


def _picture(draw):
    """Draw in the project's theme."""
    from PIL import Image

    with theme():
        figure = draw()
        figure.set_dpi(PIXELS_PER_INCH)
        figure.canvas.draw()
        # Without an alpha channel, which matplotlib would write and which takes twice as long.
        return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")


def _parts(picture, rows, columns):
    """Cut a picture into parts, row by row."""
    width, height = picture.width // columns, picture.height // rows
    corners = ((x * width, y * height) for y in range(rows) for x in range(columns))
    return [picture.crop((left, upper, left + width, upper + height)) for left, upper in corners]


def _png(picture):
    """Encode a picture as PNG; the default compression level, 6, takes a third longer to save a tenth of the size."""
    file = io.BytesIO()
    picture.save(file, "png", dpi=(PIXELS_PER_INCH, PIXELS_PER_INCH), compress_level=3)
    return file.getvalue()


def printable(text):
    """Return text that can be drawn: characters that the font lacks become ``?``, and long text is truncated.

    Pass it to matplotlib with ``parse_math=False``, since ``$`` may occur in names.
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    text = "".join(mark if mark.isprintable() and font.get_char_index(ord(mark)) else "?" for mark in text)
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
