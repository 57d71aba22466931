"""Parts shared by all figures: colours, markers, legends, notes, and messages in empty axes."""

from itertools import cycle

from vo_lib.canvas import new_figure, printable

__all__ = [
    "BAND_COLOURS",
    "COLOUR_MAP",
    "FOUND",
    "KNOWN",
    "LINE",
    "MARKERS",
    "OTHER_COLOURS",
    "add_note",
    "axes_or_new",
    "band_colours",
    "band_label",
    "put_grid",
    "put_legend",
    "say_empty",
]

# Okabe & Ito (2008), "Color Universal Design": can be told apart with any kind of colour vision.
BAND_COLOURS = {"u": "#0072B2", "g": "#009E73", "r": "#D55E00", "i": "#CC79A7", "z": "#E69F00", "y": "#56B4E9"}
OTHER_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
FOUND, KNOWN, LINE = "#D55E00", "#0072B2", "#8A8F98"
# Nuñez, Anderton & Renslow (2018), doi:10.1371/journal.pone.0199239: values can be told apart by brightness alone.
COLOUR_MAP = "cividis"
MARKERS = "osD^vPX<>p"


def axes_or_new(ax, width, height):
    """Return the given axes, or those of a new figure of a given size [inches]."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def band_label(survey, band):
    """Return the label of a survey's filter in legends: ``ZTF g`` for ``ztf-g``, ``TESS`` for ``tess``."""
    short = "" if band == survey.lower() else band.removeprefix(f"{survey.lower()}-")
    return f"{survey} {short}".strip() or "epochs"


def band_colours(bands):
    """Return the colours of filters: by their letters (u, g, r, i, z, y), else those that no letter takes, in turn."""
    fixed = [BAND_COLOURS.get(band.rpartition("-")[2]) for band in bands]
    others = cycle([colour for colour in OTHER_COLOURS if colour not in fixed] or OTHER_COLOURS)
    return [colour or next(others) for colour in fixed]


def put_legend(ax, handles, labels, **layout):
    """Put a legend above the axes, where it hides neither points nor labels."""
    layout = {"ncols": 4, "columnspacing": 1.2} | layout
    legend = ax.legend(
        handles, list(map(printable, labels)), loc="lower right", bbox_to_anchor=(1, 1), frameon=False, **layout
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return legend


def put_grid(ax, axis="both"):
    """Put a grid behind the data."""
    ax.grid(True, axis=axis)
    ax.set_axisbelow(True)


def add_note(ax, parts):
    """Add to the label of x what is not in the plot, given as pairs of number and name; zeros are left out."""
    text = ", ".join(f"{what}: {number:,}" for number, what in parts if number)
    if text:
        ax.set_xlabel(f"{ax.get_xlabel()}\n{text}")


def say_empty(ax, text, *, scales=True):
    """Write in the middle of empty axes why they are empty; without `scales`, also remove their ticks."""
    paper = {"facecolor": ax.get_facecolor(), "edgecolor": "none"}
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", zorder=6, bbox=paper)
    if not scales:
        ax.set_xticks([])
        ax.set_yticks([])
