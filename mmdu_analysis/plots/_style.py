"""Palette and style contexts of all figures. Global settings are not changed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Context = Literal["paper", "notebook", "slides"]

FONT_SIZES: dict[str, float] = {"paper": 7.0, "notebook": 9.0, "slides": 16.0}
"""Font size of each context, in points."""

BASE_FONT_SIZE = FONT_SIZES["paper"]
"""Font size to which the sizes of figures refer."""

SLIDE = (13.33, 7.5)
"""Width and height of a slide, in inches."""

SMALLEST_FONT = 6.0
"""Smallest font size, in points, that a figure chooses by itself."""

COLUMN = 3.5
"""Width of a paper's column, in inches; a full page is two."""

ACCESS_COLORS = {"closed": "#004488", "open": "#D55E00", "finetuned": "#009E73"}
ACCESS_MARKERS = {"closed": "o", "open": "s", "finetuned": "D"}
ACCESS_LABELS = {"closed": "closed", "open": "open", "finetuned": "fine-tuned on MMDU-45k"}

OURS, PAPER = "#0072B2", "#A0A0A0"
"""Colours of measured values, and of values printed in the paper."""

HIGHLIGHT, GREY, GRID, MARK = "#E69F00", "#555555", "#E2E2E2", "#B00020"
SEQUENCE = ("#00425F", "#0072B2", "#56B4E9", "#E69F00", "#F0E442")

# Models and judges have separate colours, so that none of them is confused with an access. Each also differs
# from its neighbours in lightness, marker and dash.
MODEL_COLORS = ("#882255", "#C9A227", "#1B7F9C", "#000000", "#C77CBB", "#7A7A7A", "#88CCEE")
MODEL_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
DASHES = ("-", "--", ":", "-.")
KNOWN_MODELS = ("LLaVa1.6-vicuna-7B", "Qwen2-VL-7B-Instruct", "BLIP-2")
JUDGE_COLORS = ("#4B2E83", "#9C6ADE", "#B8860B", "#6B6B6B", "#7A5C3E")


def rules(font_size: float) -> dict[str, Any]:
    """Return the matplotlib settings of a context.

    Parameters
    ----------
    font_size : float
        Size of labels in points; all other sizes are proportional to it.

    Returns
    -------
    dict of str to object
        For ``matplotlib.rc_context``.
    """
    scale = font_size / BASE_FONT_SIZE
    return {
        "font.family": "DejaVu Sans",
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": False,
        "axes.linewidth": 0.7 * scale,
        "grid.color": GRID,
        "grid.linewidth": 0.6 * scale,
        "legend.frameon": False,
        "lines.linewidth": 1.2 * scale,
        "lines.markersize": 4 * scale,
        "patch.linewidth": 0.6 * scale,
        "hatch.linewidth": 0.6 * scale,
        "xtick.major.width": 0.7 * scale,
        "ytick.major.width": 0.7 * scale,
        "xtick.major.size": 2.5 * scale,
        "ytick.major.size": 2.5 * scale,
    } | font_rules(font_size)


def font_rules(font_size: float) -> dict[str, Any]:
    """Return the matplotlib settings of a font size alone.

    Parameters
    ----------
    font_size : float
        Size of labels in points.

    Returns
    -------
    dict of str to object
        For ``matplotlib.rc_context``.
    """
    return {
        "font.size": font_size,
        "axes.titlesize": 1.15 * font_size,
        "axes.labelsize": font_size,
        "legend.fontsize": 0.93 * font_size,
        "legend.title_fontsize": 0.93 * font_size,
        "xtick.labelsize": 0.93 * font_size,
        "ytick.labelsize": 0.93 * font_size,
    }


@contextmanager
def style_context(context: Context | None = None, font_size: float | None = None) -> Iterator[None]:
    """Apply a context within a block.

    Parameters
    ----------
    context : {"paper", "notebook", "slides"}, optional
        By default matplotlib's settings of the user are kept.
    font_size : float, optional
        Size of labels in points; by default that of the context.

    Raises
    ------
    DataError
        If there is no such context, or the font size isn't positive.
    """
    import matplotlib as mpl

    if context is not None and context not in FONT_SIZES:
        raise DataError(f"context is {context!r}, expected one of {', '.join(FONT_SIZES)}")
    if font_size is not None and not font_size > 0:
        raise DataError(f"font_size is {font_size}, expected a positive number of points")
    settings: Any = {"text.parse_math": False}  # a ``$`` in the name of a model doesn't begin a formula
    if context is not None:
        settings |= rules(font_size or FONT_SIZES[context])
    elif font_size is not None:
        settings |= font_rules(font_size)
    with mpl.rc_context(settings):
        yield


def points(size: float) -> float:
    """Return a length in points, scaled from the base font size to the current one.

    Parameters
    ----------
    size : float
        Points at a font size of 7, such as a marker size or an offset.

    Returns
    -------
    float
        Points at the current font size.
    """
    import matplotlib as mpl

    return size * float(mpl.rcParams["font.size"]) / BASE_FONT_SIZE


def small() -> float:
    """Return the font size of annotations in points: nine tenths of that of labels."""
    return points(0.9 * BASE_FONT_SIZE)


def model_styles(models: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return a colour, a marker and a dash for each model.

    The three models of the measured labels have the same styles in every figure; others follow in
    alphabetical order.

    Parameters
    ----------
    models : iterable of str
        Names of models.

    Returns
    -------
    dict of str to dict
        ``color``, ``marker``, ``ls``; markers and dashes distinguish the models without colour.
    """
    names = sorted(set(models))
    free = [slot for slot in range(len(MODEL_COLORS)) if slot >= len(KNOWN_MODELS)]
    if not set(names) & set(KNOWN_MODELS):
        free = list(range(len(MODEL_COLORS)))
    slots = {model: KNOWN_MODELS.index(model) for model in names if model in KNOWN_MODELS}
    others = [model for model in names if model not in slots]
    slots |= {model: free[rank % len(free)] for rank, model in enumerate(others)}
    return {model: _style(MODEL_COLORS, slots[model], rank) for rank, model in enumerate(names)}


def judge_styles(judges: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return a colour, a marker and a dash for each judge; no judge has the colour of an access or a model.

    Parameters
    ----------
    judges : iterable of str
        Names of judges.

    Returns
    -------
    dict of str to dict
        ``color``, ``marker``, ``ls``.
    """
    return {judge: _style(JUDGE_COLORS, rank, rank) for rank, judge in enumerate(sorted(set(judges)))}


def _style(colors: tuple[str, ...], slot: int, rank: int) -> dict[str, Any]:
    return {
        "color": colors[slot % len(colors)],
        "marker": MODEL_MARKERS[slot % len(MODEL_MARKERS)],
        "ls": DASHES[(slot + rank // len(colors)) % len(DASHES)],
    }


def band_line(ax: Axes, x: pd.Series, line: pd.DataFrame, style: dict[str, Any], label: str) -> None:
    """Draw a mean as a line in its band.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes to draw on.
    x : pandas.Series
        Positions of the points.
    line : pandas.DataFrame
        ``mean``, ``low``, ``high``.
    style : dict
        From `model_styles`.
    label : str
        Label of the legend.
    """
    positions, low, high = (values.to_numpy(dtype=float) for values in (x, line["low"], line["high"]))
    ax.fill_between(positions, low, high, color=style["color"], alpha=0.15, lw=0)
    ax.plot(positions, line["mean"].to_numpy(dtype=float), color=style["color"], ls=style["ls"], label=label)


def wrap_labels(labels: Iterable[str], width: int) -> list[str]:
    """Return labels broken into lines.

    Parameters
    ----------
    labels : iterable of str
        Texts of ticks or legends.
    width : int
        Maximum length of a line in characters.

    Returns
    -------
    list of str
        Words are not broken.
    """
    return ["\n".join(textwrap.wrap(str(label), width, break_long_words=False)) for label in labels]
