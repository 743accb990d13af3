"""Palette, sizes and the rules that all figures share. Nothing global changes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import SYNTHETIC_LABEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

COLUMN = 3.5
"""Width of a paper's column, in inches; a full page is two."""

ACCESS_COLORS = {"closed": "#004488", "open": "#D55E00", "finetuned": "#009E73"}
ACCESS_MARKERS = {"closed": "o", "open": "s", "finetuned": "D"}
ACCESS_LABELS = {"closed": "closed", "open": "open", "finetuned": "fine-tuned on MMDU-45k"}
OURS, PAPER = "#0072B2", "#A0A0A0"
SEQUENCE = ("#00425F", "#0072B2", "#56B4E9", "#E69F00", "#F0E442")
GREY = "#555555"

RULES: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": "#E2E2E2",
    "grid.linewidth": 0.6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "lines.linewidth": 1.2,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.hashsalt": "mmdu",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Apply the house's rules for as long as the block lasts."""
    import matplotlib as mpl

    with mpl.rc_context(RULES):
        yield


def new_axes(ax: Axes | None, width: float = COLUMN, height: float = 2.6, **options: Any) -> Axes:
    """Give the Axes to draw on: the caller's, or those of a new figure outside of pyplot's list.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        The caller's.
    width, height : float
        Size of a new figure in inches.
    **options
        For ``Figure.add_subplot``, such as ``projection="polar"``.

    Returns
    -------
    matplotlib.axes.Axes
        Empty, or the caller's.
    """
    if ax is not None:
        return ax
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    with mpl.rc_context(RULES):
        return plt.figure(figsize=(width, height)).add_subplot(**options)


def source_note(ax: Axes, text: str, *, synthetic: bool = False) -> None:
    """Write source and n under a figure, and mark the synthetic sample.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Any Axes of the figure.
    text : str
        Source, number of things drawn, definitions; broken into lines by the figure's width.
    synthetic : bool, default False
        Adds the sample's mark.
    """
    figure: Any = ax.figure
    width = int(figure.get_figwidth() * 23)  # characters of this size that fit an inch
    note: Text = figure.supxlabel(
        "\n".join(textwrap.wrap(text, width)), fontsize=5.5, color=GREY, x=0.01, ha="left"
    )
    note.set_gid("source")
    if synthetic:
        mark = figure.suptitle(SYNTHETIC_LABEL, fontsize=7, color="#B00020", x=0.99, ha="right")
        mark.set_gid("synthetic")


def say(ax: Axes, title: str, subtitle: str = "") -> None:
    """Write what to see above the Axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    title : str
        The finding, one line or two.
    subtitle : str
        Units and what is drawn.
    """
    ax.set_title(title, loc="left", pad=15 if subtitle else 6)
    if subtitle:
        ax.annotate(
            subtitle,
            (0, 1),
            (0, 4),
            "axes fraction",
            "offset points",
            fontsize=6.5,
            color=GREY,
            annotation_clip=False,
        )
