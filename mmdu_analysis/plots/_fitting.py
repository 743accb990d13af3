"""Check that a plot has room in a user's Axes: no text on another one, no panel without area, no tiny letters."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._layout import HOST_ROWS, cell_size
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

TINIEST_FONT = 4.5
"""Smallest font size in points to which the names of rows shrink; journals ask for about 5."""

_LEAST_SIDE = 0.2
"""Smallest width and height of a panel in inches."""

_SLACK = 1.5
"""Points by which the boxes of two texts may overlap: boxes are larger than letters."""


def write_if_it_fits(ax: Axes, parts: Sequence[Axes], write: Callable[[], None]) -> bool:
    """Write the texts around a plot in a user's figure; return whether the plot has room.

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
    bool
        False if the layout of the figure failed, a panel or a letter is too small, or texts cover each other.
    """
    figure: Any = ax.get_figure(root=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="constrained_layout not applied")
        try:
            write()
            figure.draw_without_rendering()
        except UserWarning:
            return False
    drawn = [part for part in parts if part.axison]
    sides = [min(part.bbox.width, part.bbox.height) / figure.dpi for part in drawn]
    texts = [text for part in parts for text in _shown_texts(part)]
    return (
        min(sides, default=1.0) >= _LEAST_SIDE
        and min((text.get_fontsize() for text in texts), default=TINIEST_FONT) >= TINIEST_FONT
        and not _overlap([text.get_window_extent() for text in texts], _SLACK * figure.dpi / 72)
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
            yield text  # type: ignore[misc]


def _overlap(boxes: Sequence[Any], slack: float) -> bool:
    import numpy as np

    if len(boxes) < 2:
        return False
    x0, y0, x1, y1 = np.array([box.extents for box in boxes]).T
    wide = np.minimum.outer(x1, x1) - np.maximum.outer(x0, x0) > slack
    high = np.minimum.outer(y1, y1) - np.maximum.outer(y0, y0) > slack
    return bool(np.triu(wide & high, 1).any())


def refuse(ax: Axes, parts: Sequence[Axes], name: str, needed: tuple[float, float]) -> None:
    """Empty a user's Axes and raise the error that says how large they must be.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The user's Axes.
    parts : sequence of matplotlib.axes.Axes
        These Axes and their panels, which are removed.
    name : str
        Name of the figure.
    needed : tuple of float
        Width and height in inches that the plot needs.

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
    wide, high = (math.ceil(10 * side) / 10 for side in needed)
    raise DataError(
        f"{name} has no room in Axes of {width:.1f} x {height:.1f} inches with their labels, it needs about "
        f"{wide:.1f} x {high:.1f}: enlarge the figure, or let the Axes span several cells"
    )
