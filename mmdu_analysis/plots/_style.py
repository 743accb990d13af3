"""Palette, sizes and the rules that all figures share. Nothing global changes."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import SYNTHETIC_LABEL

if TYPE_CHECKING:
    import pandas as pd
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
MODEL_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MODEL_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
DASHES = ("-", "--", ":", "-.")

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


def model_styles(models: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Give each model a colour, a marker and a dash, the same in every figure of the same models.

    Parameters
    ----------
    models : iterable of str
        Their names.

    Returns
    -------
    dict of str to dict
        ``color``, ``marker``, ``ls``; markers and dashes tell models apart without colour.
    """
    return {
        model: {
            "color": MODEL_COLORS[place % len(MODEL_COLORS)],
            "marker": MODEL_MARKERS[place % len(MODEL_MARKERS)],
            "ls": DASHES[(place + place // len(MODEL_COLORS)) % len(DASHES)],
        }
        for place, model in enumerate(sorted(models))
    }


def band_line(ax: Axes, x: pd.Series, line: pd.DataFrame, style: dict[str, Any], label: str) -> None:
    """Draw a mean as a line in its band.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    x : pandas.Series
        Places of the points.
    line : pandas.DataFrame
        ``mean``, ``low``, ``high``.
    style : dict
        From `model_styles`.
    label : str
        For the legend.
    """
    places, low, high = (values.to_numpy(dtype=float) for values in (x, line["low"], line["high"]))
    ax.fill_between(places, low, high, color=style["color"], alpha=0.15, lw=0)
    ax.plot(places, line["mean"].to_numpy(dtype=float), color=style["color"], ls=style["ls"], label=label)


def legend_below(ax: Axes, *, tick_lines: int = 1, ncol: int = 2) -> None:
    """Put the legend under the axis label, however high the Axes are.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With its label and ticks set.
    tick_lines : int, default 1
        Lines of the tick labels.
    ncol : int, default 2
        Columns of the legend.
    """
    from matplotlib.transforms import offset_copy

    figure: Any = ax.figure
    below = offset_copy(ax.transAxes, figure, y=-(14 + 8.5 * tick_lines), units="points")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0), bbox_transform=below, ncol=ncol)


def interval_words(frame: pd.DataFrame) -> str:
    """Say in words what the intervals of a summary are."""
    return f"{frame.attrs.get('ci', 0.95):.0%} intervals, bootstrap over dialogues"


def diverging_map() -> Any:
    """Give the colours from one side to the other, white between, that all readers can tell apart."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("mmdu_diverging", ["#D55E00", "#FFFFFF", "#0072B2"])


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


def fit_texts(ax: Axes, title: str, subtitle: str, note: str, *, synthetic: bool) -> None:
    """Write title, subtitle, note and synthetic mark so that they fit the figure's width.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The Axes, or the host of several panels.
    title, subtitle, note : str
        Texts; empty ones are left out.
    synthetic : bool
        Add the mark of the synthetic sample.
    """
    if title:
        say(ax, title, subtitle)
    if note or synthetic:
        source_note(ax, note, synthetic=synthetic)
