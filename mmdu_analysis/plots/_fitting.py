"""Check that a plot has room in a user's Axes: no text on another one, no panel without area, no tiny letters."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from mmdu_analysis.plots._layout import HOST_ROWS, cell_size
from mmdu_analysis.plots._texts import KINDS, wrap_axis_labels
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

Misfit = Literal["layout", "plot", "others"]

TINIEST_FONT = 4.5
"""Smallest font size in points to which the names of rows shrink; journals ask for about 5."""

_LEAST_SIDE = 0.15
"""Smallest width and height of a panel in inches."""

_DRAWN: WeakKeyDictionary[Any, Sequence[Any]] = WeakKeyDictionary()
"""Axes of users with a plot, to these Axes and their panels."""

_SLACK = 1.5
"""Points by which the boxes of two texts may overlap: boxes are larger than letters."""


def write_if_it_fits(ax: Axes, parts: Sequence[Axes], write: Callable[[], None]) -> Misfit | None:
    """Write the texts around a plot in a user's figure; return which part of the figure has no room for them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The user's Axes.
    parts : sequence of matplotlib.axes.Axes
        These Axes and their panels.
    write : callable
        Writes the texts and lays out the figure.

    Returns
    -------
    {"layout", "plot", "others"} or None
        ``layout``: the layout of the figure failed. Else the plot, or others that were drawn before it and that it makes
        smaller, have too small a panel or letters, or texts that cover each other.
    """
    figure: Any = ax.get_figure(root=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="constrained_layout not applied")
        try:
            write()
            drawn = [owned for other, owned in _DRAWN.items() if other.get_figure(root=True) is figure]
            earlier = [part for owned in drawn for part in owned]
            wrap_axis_labels(figure, earlier)
            _fit_rows(figure, [*earlier, *parts])
            figure.draw_without_rendering()
        except UserWarning:
            return "layout"
    if not _has_room(figure, parts):
        return "plot"
    if not all(_has_room(figure, owned) for owned in drawn):
        return "others"
    _DRAWN[ax] = parts
    return None


def _fit_rows(figure: Any, parts: Sequence[Axes]) -> None:
    """Make the texts of rows smaller that are closer together than they are high; on a scale draw fewer ticks."""
    from matplotlib.ticker import MaxNLocator

    figure.draw_without_rendering()
    for part in parts:
        labels = [label for label in part.get_yticklabels() if label.get_text()]
        boxes = [label.get_window_extent() for label in labels if label.get_visible()]
        if len(boxes) < 2 or not part.axison:
            continue
        middles = sorted((box.y0 + box.y1) / 2 for box in boxes)
        pitch = min(upper - lower for lower, upper in itertools.pairwise(middles))
        share = pitch / max(box.height for box in boxes)
        if not 0 < share < 1:
            continue
        if isinstance(part.yaxis.get_major_locator(), MaxNLocator):
            part.locator_params(axis="y", nbins=max(1, int(share * (len(boxes) - 1) / 1.2)))
            continue
        beside = [text for text in part.texts if text.get_gid() not in KINDS]
        for text in (*labels, *beside):
            text.set_fontsize(share * text.get_fontsize())


def _has_room(figure: Any, parts: Sequence[Axes]) -> bool:
    sides = [min(part.bbox.width, part.bbox.height) / figure.dpi for part in parts if part.axison]
    texts: list[Any] = [text for part in parts for text in _shown_texts(part)]
    return (
        min(sides, default=1.0) >= _LEAST_SIDE
        and min((text.get_fontsize() for text in texts), default=TINIEST_FONT) >= TINIEST_FONT
        and not _overlap([text.get_window_extent() for text in texts], _SLACK * figure.dpi / 72)
        and all(_inside(figure, text) for text in texts)
    )


def _inside(figure: Any, text: Any) -> bool:
    box, slack = text.get_window_extent(), _SLACK * figure.dpi / 72
    return bool(
        min(box.x0, box.y0) > -slack and box.x1 < figure.bbox.x1 + slack and box.y1 < figure.bbox.y1 + slack
    )


def _shown_texts(ax: Axes) -> Iterator[Text]:
    """Return the texts of Axes that are drawn: labels of ticks outside of the view are not."""
    from matplotlib.text import Text

    hidden: set[int] = set()
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not ax.axison or not low <= tick.get_loc() <= high:
                hidden |= {id(tick.label1), id(tick.label2)}
    for text in ax.findobj(Text):
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden:
            if not ax.axison and text in (ax.xaxis.label, ax.yaxis.label):
                continue
            yield text


def _overlap(boxes: Sequence[Any], slack: float) -> bool:
    import numpy as np

    if len(boxes) < 2:
        return False
    x0, y0, x1, y1 = np.array([box.extents for box in boxes]).T
    wide = np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0) > slack
    high = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0) > slack
    return bool(np.triu(wide & high, 1).any())


def refuse(ax: Axes, parts: Sequence[Axes], name: str, needed: tuple[float, float] | None) -> None:
    """Empty a user's Axes and raise the error that says how large they must be.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The user's Axes.
    parts : sequence of matplotlib.axes.Axes
        These Axes and their panels, which are removed.
    name : str
        Name of the figure.
    needed : tuple of float or None
        Width and height in inches that the plot needs; None if other plots lack room.

    Raises
    ------
    DataError
        Always.
    """
    width, height = cell_size(ax)
    for part in parts:
        if part is not ax:
            part.remove()
    HOST_ROWS.pop(ax, None)
    ax.clear()
    ax.set_axis_on()
    if needed is None:
        figure: Any = ax.get_figure(root=True)
        across, down = figure.get_size_inches()
        raise DataError(
            f"{name} leaves no room for other plots of this figure of {across:.1f} x {down:.1f} inches: enlarge it"
        )
    wide, high = (math.ceil(10 * side) / 10 for side in needed)
    raise DataError(
        f"{name} has no room in Axes of {width:.1f} x {height:.1f} inches with their labels, it needs about "
        f"{wide:.1f} x {high:.1f}: enlarge the figure, or let the Axes span several cells"
    )
