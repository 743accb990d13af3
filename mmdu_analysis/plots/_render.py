"""Convert a drawing function to a registered public plot: axes, title, source line, abbreviations, synthetic mark.

A drawing function takes ``(frame, ax, ...)``, draws, and returns a `Drawing`: the title, the subtitle and the
notes. The renderer places these texts, consistently and for every width.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._docs import full_docstring
from mmdu_analysis.plots._fitting import refuse, write_if_it_fits
from mmdu_analysis.plots._layout import cell_size, has_room, new_axes, on_axes
from mmdu_analysis.plots._marks import UNKNOWN_LABEL
from mmdu_analysis.plots._style import (
    ACCESS_LABELS,
    COLUMN,
    SLIDE,
    SMALLEST_FONT,
    Context,
    points,
    style_context,
)
from mmdu_analysis.plots._texts import Texts, write_on_axes, write_on_figure
from mmdu_analysis.registry import Facts, Figure, register
from mmdu_analysis.schema import MMDU, SYNTHETIC_LABEL, is_synthetic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

DEMONSTRATION = "Demonstration"
"""Start of the title of a figure that shows synthetic data."""


@dataclass(frozen=True)
class Drawing:
    """The texts of a drawing.

    Attributes
    ----------
    title : str
        A description of what is seen; it states an order only if intervals are disjoint.
    subtitle : str
        Units, and the meaning of a mark.
    note : str
        n, definitions, omissions. The renderer adds the meaning of short dimension names, and the source from
        the frame's column ``source``.
    legend : bool or tuple of (handles, labels)
        Draw a legend between the subtitle and the plot, which fits every width and covers no data: True takes
        the labelled artists of the plot and its panels.
    """

    title: str
    subtitle: str = ""
    note: str = ""
    legend: bool | tuple[Sequence[Any], Sequence[str]] = False


def figure(
    *,
    caption: str,
    numbers: Callable[[Any], pd.DataFrame],
    notebook: str,
    paper: str = "",
    facts: Facts = "never",
    needs: tuple[str, ...] = (),
    packages: tuple[str, ...] = (),
    size: tuple[float, float] = (3.5, 2.2),
) -> Callable[[Callable[..., Drawing]], Callable[..., Axes]]:
    """Register a drawing function as a figure and make it a public plot.

    Parameters
    ----------
    caption, numbers, notebook, paper, facts, needs, packages
        See `mmdu_analysis.registry.Figure`.
    size : tuple of float
        Default width and height in inches at a font size of 7 points. Title, legend and note add to the
        height.

    Returns
    -------
    callable
        Decorator. The public function returns the Axes and has the signature ``(frame, *, ax=None,
        title=True, note=None, width=None, height=None, font_size=None, context=None, ...)``. `title` may be a
        text; `width` and `height` are inches of the whole figure; they have no effect on given Axes. Without
        `context` and `font_size`, matplotlib's settings are used unchanged.
    """

    def decorate(draw: Callable[..., Drawing]) -> Callable[..., Axes]:
        @functools.wraps(draw)
        def plot(
            frame: pd.DataFrame,
            *,
            ax: Axes | None = None,
            title: bool | str = True,
            note: bool | None = None,
            width: float | None = None,
            height: float | None = None,
            font_size: float | None = None,
            context: Context | None = None,
            **options: Any,
        ) -> Axes:
            def size_needed(width: float, font: float) -> tuple[float, float]:
                """Return the size in which a new figure with the same texts is drawn at a font size."""
                import matplotlib.pyplot as plt

                with style_context(None, font):
                    own = new_axes(max(width, points(COLUMN)), points(size[1]), grows=True)
                    texts = _texts(own, frame, draw(frame, own, **options), title, bool(note), set())
                    write_on_figure(own, texts if note else replace(texts, subtitle=""), grow=True)
                    wide, high = own.figure.get_size_inches()  # type: ignore[union-attr]
                    plt.close(own.figure)  # type: ignore[arg-type]
                return float(wide), float(high)

            def on_new_axes(width: float, height: float, *, grows: bool) -> Axes:
                own = new_axes(width, height, grows=grows)
                drawing = draw(frame, own, **options)
                texts = _texts(own, frame, drawing, title, note is not False, set())
                write_on_figure(own, texts, grow=grows)
                return own

            if ax is not None:
                with on_axes(ax, context, font_size):
                    before = set(ax.get_figure(root=True).axes) - {ax}  # type: ignore[union-attr]
                    drawing = draw(frame, ax, **options)
                    texts = _texts(ax, frame, drawing, title, bool(note), before)
                    if not note and not has_room(ax):
                        texts = replace(texts, subtitle="")
                    parts = _parts(ax, before)
                    misfit = write_if_it_fits(ax, parts, lambda: write_on_axes(ax, parts, texts))
                    narrow, low = cell_size(ax)
                if misfit == "others":
                    refuse(ax, parts, draw.__name__, None)
                elif misfit:
                    wide, high = size_needed(narrow, font_size or SMALLEST_FONT)
                    small = narrow < wide or low < high
                    if small or misfit == "layout":  # a plot with enough room is drawn as it is
                        refuse(ax, parts, draw.__name__, (wide, high) if small else None)
                return ax

            with style_context(context, font_size):
                if context == "slides" and width is None and height is None:
                    return _on_slide(on_new_axes, points(size[1]))
                return on_new_axes(width or points(size[0]), height or points(size[1]), grows=height is None)

        plot.__doc__ = full_docstring(draw, from_facts=facts != "never")
        plot.__signature__ = _public_signature(draw)  # type: ignore[attr-defined]
        register(
            Figure(
                draw.__name__,
                caption,
                paper,
                facts,
                needs,
                packages,
                notebook,
                draw.__module__,
                numbers,
                plot,
            )
        )
        return plot

    return decorate


def _on_slide(draw: Callable[..., Axes], height: float) -> Axes:
    """Draw a figure in the shape of a slide; one with many rows on a larger canvas, so that all of it fits."""
    import matplotlib.pyplot as plt

    first: Any = draw(SLIDE[0], height, grows=True).figure
    scale = max(1.0, first.get_figheight() / SLIDE[1])
    plt.close(first)
    return draw(scale * SLIDE[0], scale * SLIDE[1], grows=False)


def _common_options(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    title: bool | str = True,
    note: bool | None = None,
    width: float | None = None,
    height: float | None = None,
    font_size: float | None = None,
    context: Context | None = None,
) -> Axes:
    """Define the common options of all plots."""
    raise NotImplementedError


def _public_signature(draw: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of the public function: the common options and the drawing function's own ones."""
    common = list(inspect.signature(_common_options).parameters.values())
    own = list(inspect.signature(draw).parameters.values())[2:]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    return inspect.Signature([*common, *own], return_annotation="Axes")


def _write_out_thousands(parts: list[Axes]) -> None:
    """Label the ticks of linear axes with ``2,000`` as the texts do."""
    from matplotlib.ticker import ScalarFormatter, StrMethodFormatter

    for part in parts:
        for axis in (part.xaxis, part.yaxis):
            plain = type(axis.get_major_formatter()) is ScalarFormatter and axis.get_scale() == "linear"
            if plain and max(map(abs, axis.get_view_interval())) >= 1000:
                axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _parts(ax: Axes, before: set[Any]) -> list[Axes]:
    """Return the Axes and all Axes that the drawing added to the figure: panels, colour bars."""
    return [part for part in ax.get_figure(root=True).axes if part not in before]  # type: ignore[union-attr]


def _texts(
    ax: Axes, frame: pd.DataFrame, drawing: Drawing, title: bool | str, note: bool, before: set[Any]
) -> Texts:
    """Return the texts around a drawing; the synthetic mark can't be switched off."""
    parts = _parts(ax, before)
    _write_out_thousands(parts)
    synthetic = is_synthetic(frame)
    heading = title if isinstance(title, str) else drawing.title if title else ""
    if synthetic and title is True and heading:
        heading = f"{DEMONSTRATION}: {heading}"
    notes = (drawing.note, _abbreviations(parts), _source(frame))
    return Texts(
        heading,
        drawing.subtitle if title else "",
        " ".join(text for text in notes if text) if note else "",
        SYNTHETIC_LABEL if synthetic else "",
        _legend(parts, drawing.legend),
    )


def _source(frame: pd.DataFrame) -> str:
    sources = [str(text).rstrip(".") for text in frame["source"].dropna()] if "source" in frame else []
    return f"Source: {'; '.join(dict.fromkeys(sources))}." if sources else ""


def _abbreviations(parts: list[Axes]) -> str:
    """Return the meanings of the short names of dimensions that are used as tick label, legend entry or panel title."""
    names = {dimension.short: dimension.name for dimension in MMDU.dimensions}
    shown: set[str] = set()
    for part in parts:
        legend = part.get_legend()
        texts = [*part.get_xticklabels(), *part.get_yticklabels(), *part.texts]
        texts += legend.get_texts() if legend is not None else []
        titles = {part.get_title(loc) for loc in ("left", "center")}
        shown |= {text.get_text().strip() for text in texts} | titles
    found = [f"{short} {name}" for short, name in names.items() if short in shown and short != name]
    return f"{', '.join(found)}." if found else ""


def _legend(parts: list[Axes], wanted: Any) -> tuple[Sequence[Any], Sequence[str]] | None:
    if not wanted or wanted is not True:
        return wanted or None
    entries: dict[str, Any] = {}
    for part in parts:
        for handle, label in zip(*part.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    order = list(ACCESS_LABELS.values())
    labels = sorted(entries, key=lambda label: order.index(label) if label in order else len(order))
    if not set(labels) - {UNKNOWN_LABEL}:  # without any known access there is nothing to distinguish
        return None
    return [entries[label] for label in labels], labels
