"""Titles, legends and notes around plots, wrapped to the width of figures of the package and of users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._layout import HOST_ROWS, cell_size, inches_wide
from mmdu_analysis.plots._style import GREY, MARK, SMALLEST_FONT, points

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text

_MARGIN = 0.04
"""Margin of a figure, in inches at the base font size."""

_PART_OF_CELL = 0.85
"""Share of the width of a cell of a user's grid that texts may fill."""

KINDS = ("mark", "title", "subtitle", "note")
"""Identifiers of the texts around a plot."""

_FINE = 600
"""Resolution at which texts are measured, in dots per inch."""


@dataclass(frozen=True)
class Texts:
    """The texts around a plot; empty ones are left out.

    Attributes
    ----------
    title, subtitle, note : str
        Above and below the plot.
    mark : str
        Mark of the synthetic sample, above the title.
    legend : tuple
        Handles and labels of a legend between the subtitle and the plot.
    """

    title: str = ""
    subtitle: str = ""
    note: str = ""
    mark: str = ""
    legend: tuple[Sequence[Any], Sequence[str]] | None = None


def write_on_figure(ax: Axes, texts: Texts, *, grow: bool) -> None:
    """Write the texts above and below the only plot of a figure and reserve space for them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The plot.
    texts : Texts
        The texts.
    grow : bool
        Add the height of the texts to the figure's height; else the plot becomes smaller.
    """
    figure: Any = ax.figure
    margin = points(_MARGIN)
    room = figure.get_figwidth() - 2 * margin
    above = [
        _sized(figure, kind, text, room)
        for kind, text in (("mark", texts.mark), ("title", texts.title), ("subtitle", texts.subtitle))
        if text
    ]
    below = [_sized(figure, "note", texts.note, room)] if texts.note else []
    legend = _figure_legend(figure, texts.legend, room) if texts.legend else None
    gap = points(2) / 72
    top = sum(height + gap for _, height in above) + (legend[1] + 2 * gap if legend else 0)
    bottom = sum(height + gap for _, height in below)
    height = figure.get_figheight() + (top + bottom if grow else 0)
    figure.set_figheight(height)
    left, y = margin / figure.get_figwidth(), height - margin
    for text, size in above:
        text.set_position((left, y / height))
        y -= size + gap
    if legend:
        legend[0].set_bbox_to_anchor((left, (y - gap) / height), transform=figure.transFigure)
    for text, size in below:
        text.set_position((left, (margin / 2 + size) / height))
    wrap_axis_labels(figure, figure.axes)
    figure.get_layout_engine().set(
        w_pad=margin,
        h_pad=margin,
        rect=(0, bottom / height, 1, 1 - (top + bottom + margin / 2) / height),
    )


def wrap_axis_labels(figure: Any, parts: Sequence[Axes]) -> None:
    """Break axis labels that are longer than their axis.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    parts : sequence of matplotlib.axes.Axes
        Axes of plots and their panels.
    """
    long = []
    for part in parts:
        room = inches_wide(part) * points(1) / 2, figure.get_figheight() / 3
        for label, limit, side in (
            (part.xaxis.label, room[0], "width"),
            (part.yaxis.label, room[1], "height"),
        ):
            if label.get_text() and getattr(label.get_window_extent(), side) > limit * figure.dpi:
                long.append((part, label, side))
    if not long:
        return
    figure.draw_without_rendering()  # lengths of axes are known only after the layout
    for part, label, side in long:
        room = getattr(part.bbox, side) / figure.dpi
        label.set_text(wrap(label.get_text(), 1.03 * room, label.get_fontproperties()))


def _sized(figure: Any, kind: str, content: str, room: float) -> tuple[Text, float]:
    """Return a text of a figure, wrapped to a width in inches, and its height in inches."""
    options = _text_options(kind)
    wrapped = wrap(content, room, options["fontproperties"])
    text = figure.text(0, 1, wrapped, va="top", ha="left", linespacing=1.15, in_layout=False, **options)
    text.set_gid(kind)
    return text, text.get_window_extent().height / figure.dpi


def _text_options(kind: str) -> dict[str, Any]:
    import matplotlib as mpl
    from matplotlib.font_manager import FontProperties

    base = float(mpl.rcParams["font.size"])
    sizes: dict[str, Any] = {
        "mark": base,
        "title": mpl.rcParams["axes.titlesize"],
        "subtitle": 0.93 * base,
        "note": max(SMALLEST_FONT, 0.86 * base),
    }
    weight = {"mark": "bold", "title": mpl.rcParams["axes.titleweight"]}.get(kind, "normal")
    ordinary = mpl.rcParams["text.color"]
    quiet = GREY if mpl.colors.to_hex(ordinary) == "#000000" else ordinary
    color = {"mark": MARK, "title": ordinary}.get(kind, quiet)
    return {
        "fontproperties": FontProperties(size=sizes[kind], weight=weight),
        "color": color,
        "parse_math": False,
    }


def wrap(text: str, inches: float, font: FontProperties) -> str:
    """Return a text broken into lines of a width, measured in the font that is used.

    Parameters
    ----------
    text : str
        A sentence; its own line breaks are kept.
    inches : float
        Width of a line.
    font : matplotlib.font_manager.FontProperties
        Font of the text.

    Returns
    -------
    str
        A word that is wider than a line is not broken.
    """
    import matplotlib as mpl

    limit = 0.93 * inches * _FINE  # hinting makes lines up to 6 % wider at low resolutions
    settings: Any = mpl.rcParams
    families = tuple(str(settings[f"font.{family}"]) for family in ("sans-serif", "serif", "monospace"))
    space = _advance("", font, families)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line: list[str] = []
        width = 0.0
        for word in paragraph.split():
            advance = _advance(word, font, families)
            if line and width + advance - space > limit:
                lines.append(" ".join(line))
                line, width = [], 0.0
            line.append(word)
            width += advance
        lines.append(" ".join(line))
    return "\n".join(lines)


@lru_cache(maxsize=10_000)
def _advance(word: str, font: FontProperties, _families: tuple[str, ...]) -> float:
    """Return the width of a word and the space after it, in dots at the resolution `_FINE`."""
    from matplotlib.backends.backend_agg import RendererAgg

    renderer: Any = RendererAgg(1, 1, _FINE)
    with_mark, mark = (
        renderer.get_text_width_height_descent(text, font, False)[0] for text in (f"{word} |", "|")
    )
    return with_mark - mark


def _figure_legend(
    figure: Any, entries: tuple[Sequence[Any], Sequence[str]], room: float
) -> tuple[Any, float]:
    """Return a legend with as many columns as fit, and its height in inches."""
    handles, labels = entries
    legend: Any = None
    for columns in range(len(labels), 0, -1):
        if legend is not None:
            legend.remove()
        legend = figure.legend(
            handles,
            labels,
            loc="upper left",
            ncols=columns,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            columnspacing=1.2,
            handletextpad=0.5,
        )
        legend.set_in_layout(False)
        extent = legend.get_window_extent()
        if extent.width <= room * figure.dpi:
            break
    return legend, extent.height / figure.dpi


def write_on_axes(ax: Axes, parts: Sequence[Axes], texts: Texts) -> None:
    """Write the texts around Axes that are part of a user's figure.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The user's Axes.
    parts : sequence of matplotlib.axes.Axes
        These Axes and their panels, colour bars and so on.
    texts : Texts
        The texts.
    """
    figure: Any = ax.get_figure(root=True)
    wrap_axis_labels(figure, parts)
    figure.draw_without_rendering()  # sizes are known only after the layout
    boxes = [box for part in parts if (box := part.get_tightbbox()) is not None]
    scale = 72 / figure.dpi
    over = max([0.0, *(box.y1 - ax.bbox.y1 for box in boxes)]) * scale + points(3)
    under = max([0.0, *(ax.bbox.y0 - box.y0 for box in boxes)]) * scale + points(3)
    left = max([0.0, *(ax.bbox.x0 - box.x0 for box in boxes)]) * scale  # texts begin where the labels begin
    if ax not in HOST_ROWS:
        _stack_above(ax, texts, over, left)
        if texts.note:
            _annotated(ax, "note", texts.note, (-left, -under), 0, "top")
    else:
        _write_around_panels(ax, parts, texts)


def _write_around_panels(ax: Axes, panels_: Sequence[Axes], texts: Texts) -> None:
    """Write the texts into the rows above and below the panels of a host."""
    figure: Any = ax.get_figure(root=True)
    top = _stack_above(ax, texts, points(3))
    note = _annotated(ax, "note", texts.note, (0, 0), 0, "bottom") if texts.note else None
    bottom = _height(note) + points(3) if note else 0.0
    for text in (text for text in ax.texts if text.get_gid() in KINDS):
        text.set_in_layout(False)
        if text is not note:  # downwards from the upper edge of the host
            text.xyann = (0, text.xyann[1] - top)  # type: ignore[attr-defined]
    if (legend := ax.get_legend()) is not None:
        legend.set_in_layout(False)
        legend.set_bbox_to_anchor((0, 1), transform=_lifted(ax, points(3) - top))
    upper, lower = top, bottom
    for _ in range(2):  # tick labels of the panels reach into the rows: measured after a first layout
        room = ax.bbox.height * 72 / figure.dpi
        HOST_ROWS[ax].set_height_ratios((upper, max(room - upper - lower, 0.2 * room), lower))
        if figure.get_layout_engine() is None:
            for part in panels_:
                part.set_position(part.get_subplotspec().get_position(figure))  # type: ignore[union-attr]
        figure.draw_without_rendering()
        boxes = [box for part in panels_ if part is not ax and (box := part.get_tightbbox()) is not None]
        free_above = (ax.bbox.y1 - max(box.y1 for box in boxes)) * 72 / figure.dpi
        free_below = (min(box.y0 for box in boxes) - ax.bbox.y0) * 72 / figure.dpi
        upper, lower = upper + max(0.0, top - free_above), lower + max(0.0, bottom - free_below)


def _stack_above(ax: Axes, texts: Texts, offset: float, left: float = 0.0) -> float:
    """Write legend, subtitle, title and mark above Axes, from below; return their upper end in points."""
    if texts.legend:
        offset += _axes_legend(ax, texts.legend, offset, left)
    for kind, content in (("subtitle", texts.subtitle), ("title", texts.title), ("mark", texts.mark)):
        if content:
            offset += _height(_annotated(ax, kind, content, (-left, offset), 1, "bottom")) + points(2)
    return offset


def _height(text: Text) -> float:
    """Return the height of a text in points."""
    figure: Any = text.get_figure(root=True)
    return text.get_window_extent().height * 72 / figure.dpi


def _width_of_texts(ax: Axes) -> float:
    """Return the width in inches that texts around a user's Axes may have: other Axes may still take room."""
    return _PART_OF_CELL * cell_size(ax)[0]


def _annotated(ax: Axes, kind: str, content: str, offset: tuple[float, float], edge: int, va: str) -> Any:
    options = _text_options(kind)
    text = ax.annotate(
        wrap(content, _width_of_texts(ax), options["fontproperties"]),
        (0, edge),
        offset,
        "axes fraction",
        "offset points",
        va=va,
        ha="left",
        annotation_clip=False,
        linespacing=1.15,
        **options,
    )
    text.set_gid(kind)
    return text


def _lifted(ax: Axes, offset: float, left: float = 0.0) -> Any:
    """Return the coordinates of Axes, shifted upwards and to the left by points."""
    from matplotlib.transforms import offset_copy

    return offset_copy(ax.transAxes, ax.get_figure(root=True), x=-left, y=offset, units="points")


def _axes_legend(ax: Axes, entries: tuple[Sequence[Any], Sequence[str]], offset: float, left: float) -> float:
    """Draw a legend above Axes; return its height in points."""
    figure: Any = ax.get_figure(root=True)
    handles, labels = entries
    for columns in range(len(labels), 0, -1):
        legend = ax.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            bbox_transform=_lifted(ax, offset, left),
            ncols=columns,
            frameon=False,
            borderpad=0,
            borderaxespad=0,
            columnspacing=1.2,
            handletextpad=0.5,
        )
        extent = legend.get_window_extent()
        if extent.width <= _width_of_texts(ax) * figure.dpi:
            break
    return extent.height * 72 / figure.dpi + points(4)


def read_texts(ax: Axes) -> dict[str, str]:
    """Return the texts that the renderer wrote for Axes, without their line breaks.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        As a plot function returned them.

    Returns
    -------
    dict of str to str
        ``title``, ``subtitle``, ``note``, ``mark``, if they exist.
    """
    figure: Any = ax.get_figure(root=True)
    found = [text for text in (*ax.texts, *figure.texts) if text.get_gid() in KINDS]
    return {str(text.get_gid()): " ".join(text.get_text().split()) for text in found}
