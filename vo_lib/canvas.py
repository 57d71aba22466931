"""Figures to draw on, in the project's fonts and colours, and as files.

matplotlib is imported when the first figure is made and used through its objects only, so
nothing here touches the state of pyplot.
"""

import io
from contextlib import contextmanager

__all__ = ["PIXELS_PER_INCH", "THEMES", "draw_png", "new_figure", "printable", "theme"]

# Colours of paper, ink and grid.
THEMES = {"light": ("#ffffff", "#1f2328", "#d0d7de"), "dark": ("#15181d", "#e6e9ee", "#3a414b")}
PIXELS_PER_INCH = 180
LONGEST_TITLE = 48


@contextmanager
def theme(name="light"):
    """Draw with the project's fonts and colours inside a ``with`` block.

    Parameters
    ----------
    name : {"light", "dark"}, optional
        Colour of the paper.
    """
    import matplotlib

    paper, ink, grid = THEMES[name]
    style = dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"), paper)
    style |= dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), ink)
    style |= {"font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 10, "legend.fontsize": 9}
    style |= {"grid.color": grid, "grid.linewidth": 0.6, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style | {"text.usetex": False, "savefig.dpi": PIXELS_PER_INCH}):
        yield


def new_figure(width, height):
    """Make an empty figure of a size in inches that can be saved and keeps its parts apart."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_png(draw, *, style="light"):
    """Draw in a theme and give the picture as PNG.

    Parameters
    ----------
    draw : callable
        Called without arguments; returns a figure.
    style : {"light", "dark"}, optional
        See `theme`.

    Returns
    -------
    bytes
        The same for the same picture: no date, no version.
    """
    file = io.BytesIO()
    with theme(style):
        draw().savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def printable(text):
    """Text that can be drawn: marks that the font lacks are ``?``, and a very long one is cut.

    Give it to matplotlib with ``parse_math=False``, since ``$`` may occur in names.
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family="DejaVu Sans")))
    text = "".join(mark if mark.isprintable() and font.get_char_index(ord(mark)) else "?" for mark in text)
    return text if len(text) <= LONGEST_TITLE else text[: LONGEST_TITLE - 1] + "…"
