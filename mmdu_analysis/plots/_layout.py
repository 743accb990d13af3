"""Axes of figures: new figures, and panels within given Axes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mmdu_analysis.plots._style import BASE_FONT_SIZE, COLUMN, SMALLEST_FONT, Context, points, style_context
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HOST_ROWS: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""Host of panels in a user's figure to its rows: texts above, panels, note."""

_CELL_HEIGHT = 2.5
"""Height in inches that a plot with title and legend needs at the base font size."""

_AROUND = 90
"""Height in points at the base font size of title, legend, ticks and axis label around rows."""

_ROOMY = 3.2
"""Height in inches at the base font size from which a subtitle is written too."""

_PANEL_SHAPE = 1.2
"""Preferred ratio of width to height of a panel."""


def new_axes(width: float, height: float, *, grows: bool = False) -> Axes:
    """Return the Axes of a new figure, known to pyplot, with constrained layout.

    Parameters
    ----------
    width, height : float
        Size in inches.
    grows : bool, default False
        Whether a drawing may set the height.

    Returns
    -------
    matplotlib.axes.Axes
        Empty.
    """
    import matplotlib.pyplot as plt

    from mmdu_analysis.plots._figure import PlotFigure

    if not (width > 0 and height > 0):
        raise DataError(f"the figure's size is {width} x {height} inches, expected positive numbers")
    figure = plt.figure(figsize=(width, height), layout="constrained", FigureClass=PlotFigure)
    figure.grows = grows  # type: ignore[attr-defined]
    return figure.add_subplot()


def set_plot_height(ax: Axes, inches: float) -> None:
    """Set the height of a plot whose number of rows depends on the data.

    It has no effect on a user's Axes, or if the user has set a height.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The plot, or the host of panels.
    inches : float
        Height at the base font size, without the texts around the plot.
    """
    figure: Any = ax.get_figure(root=True)
    if getattr(figure, "grows", False):
        figure.set_figheight(points(inches))


def panels(
    ax: Axes,
    n_rows: int,
    n_columns: int,
    *,
    sharex: bool = False,
    sharey: bool = False,
    row_height: float | None = None,
    **grid: Any,
) -> list[Axes]:
    """Split Axes into panels, also within a user's own grid.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The host; its own axis is hidden, and title and notes are written around it.
    n_rows, n_columns : int
        Number of panels in each direction.
    sharex, sharey : bool, default False
        Whether all panels share an axis; inner tick labels are then hidden.
    row_height : float, optional
        Height of a row of panels in inches, as in `set_plot_height`.
    **grid
        Options of ``SubplotSpec.subgridspec``, such as ``width_ratios``.

    Returns
    -------
    list of matplotlib.axes.Axes
        The panels, row by row.

    Raises
    ------
    DataError
        If the Axes are not part of a grid, such as those of ``Figure.add_axes``.
    """
    spec = ax.get_subplotspec()
    if spec is None:
        raise DataError("this figure has several panels: pass Axes of a grid (plt.subplots, subplot_mosaic)")
    ax.set_axis_off()
    if row_height is not None:
        set_plot_height(ax, n_rows * row_height)
    from mmdu_analysis.plots._figure import PlotFigure

    figure: Any = ax.figure
    if not isinstance(figure, PlotFigure):  # figures of the package reserve space for texts around the plot
        HOST_ROWS[ax] = spec.subgridspec(3, 1, height_ratios=(0.15, 1, 0.15), hspace=0)
        spec = HOST_ROWS[ax][1]
    cells = spec.subgridspec(n_rows, n_columns, **grid)
    panel_list: list[Axes] = []
    for number in range(n_rows * n_columns):
        row, column = divmod(number, n_columns)
        shared = {
            "sharex": panel_list[0] if sharex and panel_list else None,
            "sharey": panel_list[0] if sharey and panel_list else None,
        }
        panel = figure.add_subplot(cells[row, column], **shared)
        if sharex and row < n_rows - 1:
            panel.tick_params(labelbottom=False)
        if sharey and column > 0:
            panel.tick_params(labelleft=False)
        panel_list.append(panel)
    return panel_list


def columns_that_fit(ax: Axes, inches: float, most: int, total: int | None = None) -> int:
    """Return the number of panels that fit side by side.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The host.
    inches : float
        Width that a panel needs at the base font size.
    most : int
        Maximum number of panels in a row.
    total : int, optional
        Number of panels; `most` by default.

    Returns
    -------
    int
        1 to `most`. In a user's figure, whose Axes don't grow, the number whose panels are closest to the
        preferred ratio.
    """
    from mmdu_analysis.plots._figure import PlotFigure

    figure: Any = ax.get_figure(root=True)
    if not isinstance(figure, PlotFigure):
        box = ax.get_position()
        shape = box.width * figure.get_figwidth() / (box.height * figure.get_figheight())
        count = total or most
        return min(range(1, most + 1), key=lambda n: abs(math.log(shape / n * -(-count // n) / _PANEL_SHAPE)))
    return max(1, min(most, int(inches_wide(ax) / inches + 0.05)))


def rows_that_fit(ax: Axes, most: int, share: float = 1.0) -> int:
    """Return the number of rows whose names fit the height of Axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The plot, or the host of panels.
    most : int
        Number of rows on a new figure, whose height follows them.
    share : float, default 1.0
        Share of the height that the rows have beside other panels.

    Returns
    -------
    int
        4 to `most`.
    """
    from mmdu_analysis.plots._figure import PlotFigure

    if isinstance(ax.get_figure(root=True), PlotFigure):
        return most
    room = 72 * cell_size(ax)[1] - points(_AROUND)
    return max(4, min(most, int(share * room / (1.2 * SMALLEST_FONT))))


def inches_wide(ax: Axes) -> float:
    """Return the approximate width of Axes with their labels.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes of a figure's grid.

    Returns
    -------
    float
        Inches at the base font size: half as many at twice the font size.
    """
    return cell_size(ax)[0] / points(1)


def cell_size(ax: Axes) -> tuple[float, float]:
    """Return the width and height of the part of a figure that Axes have with their labels, in inches.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes of a figure's grid, or free ones, whose own size is returned.

    Returns
    -------
    tuple of float
        Approximate: the layout gives more room to the columns and rows that have longer labels.
    """
    figure: Any = ax.get_figure(root=True)
    spec = ax.get_subplotspec()
    box = ax.get_position()
    width, height = (1.0, 1.0) if spec is not None else (box.width, box.height)
    while spec is not None:
        grid = spec.get_gridspec()
        width *= _share(grid.get_width_ratios(), spec.colspan)
        height *= _share(grid.get_height_ratios(), spec.rowspan)
        spec = getattr(grid, "_subplot_spec", None)
    return figure.get_figwidth() * width, figure.get_figheight() * height


def _share(ratios: Any, cells: range) -> float:
    return sum(ratios[cell] for cell in cells) / sum(ratios)


@contextmanager
def on_axes(ax: Axes, context: Context | None, font_size: float | None) -> Iterator[None]:
    """Apply a style to a user's Axes, whose own labels follow it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Of a user's figure.
    context : {"paper", "notebook", "slides"}, optional
        See `style_context`.
    font_size : float, optional
        Points. Without it and a context, matplotlib's font size, reduced to at least 6 points where the Axes are
        smaller than a plot needs.
    """
    import matplotlib as mpl

    if context is None and font_size is None:
        width, height = cell_size(ax)
        fitting = max(SMALLEST_FONT, BASE_FONT_SIZE * min(width / COLUMN, height / _CELL_HEIGHT))
        font_size = fitting if fitting < float(mpl.rcParams["font.size"]) else None
    with style_context(context, font_size):
        if context is not None or font_size is not None:
            ax.tick_params(axis="x", labelsize=mpl.rcParams["xtick.labelsize"])
            ax.tick_params(axis="y", labelsize=mpl.rcParams["ytick.labelsize"])
            for label in (ax.xaxis.label, ax.yaxis.label):
                label.set_fontsize(mpl.rcParams["axes.labelsize"])
        yield


def has_room(ax: Axes) -> bool:
    """Return whether Axes of a user's grid are high enough for more than a title, legend and plot."""
    return cell_size(ax)[1] >= points(_ROOMY)
