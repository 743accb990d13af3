"""Turn a drawing function into a registered public plot: axes, title, source line, abbreviations, synthetic mark.

A drawing function takes ``(frame, ax, ...)``, draws, and returns a `Drawing`: the title, the subtitle and the notes in
words. The renderer places these texts, so that all figures agree and every width fits.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._style import fit_texts, new_axes
from mmdu_analysis.registry import Facts, Figure, register
from mmdu_analysis.schema import is_synthetic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Drawing:
    """What a drawing function has to say about what it drew.

    Attributes
    ----------
    title : str
        What is seen, in words that the data support.
    subtitle : str
        Units, and what one mark is.
    note : str
        n, definitions, abbreviations, what was left out. The source is added from the frame's column ``source``.
    ax : matplotlib.axes.Axes or None
        The Axes to return where it isn't the one that was passed in.
    """

    title: str
    subtitle: str = ""
    note: str = ""
    ax: Axes | None = None


def figure(
    *,
    caption: str,
    numbers: Callable[[Any], pd.DataFrame],
    notebook: str,
    paper: str = "",
    facts: Facts = "never",
    needs: tuple[str, ...] = (),
    packages: tuple[str, ...] = (),
    size: tuple[float, float] = (3.5, 2.6),
) -> Callable[[Callable[..., Drawing]], Callable[..., Axes]]:
    """Register a drawing function as a figure and make it a public plot.

    Parameters
    ----------
    caption, numbers, notebook, paper, facts, needs, packages
        See `mmdu_analysis.registry.Figure`.
    size : tuple of float
        Default width and height in inches.

    Returns
    -------
    callable
        Decorator. The public function has the signature ``(frame, *, ax=None, title=True, note=True, width=None,
        height=None, ...)`` and returns the Axes.
    """

    def decorate(draw: Callable[..., Drawing]) -> Callable[..., Axes]:
        @functools.wraps(draw)
        def plot(
            frame: pd.DataFrame,
            *,
            ax: Axes | None = None,
            title: bool | str = True,
            note: bool = True,
            width: float | None = None,
            height: float | None = None,
            **options: Any,
        ) -> Axes:
            target = new_axes(ax, width or size[0], height or size[1])
            drawing = draw(frame, target, **options)
            _finish(target, frame, drawing, title, note)
            return drawing.ax or target

        plot.__signature__ = _public_signature(draw, plot)  # type: ignore[attr-defined]
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


def _public_signature(draw: Callable[..., Any], plot: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of the public function: the common options and the drawing function's own ones."""
    common = [
        p for p in inspect.signature(plot, follow_wrapped=False).parameters.values() if p.name != "options"
    ]
    own = list(inspect.signature(draw).parameters.values())[2:]
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]
    return inspect.Signature([*common, *own], return_annotation="Axes")


def _finish(ax: Axes, frame: pd.DataFrame, drawing: Drawing, title: bool | str, note: bool) -> None:
    """Write title, notes, source and the synthetic mark."""
    source = "; ".join(dict.fromkeys(frame["source"].dropna())) if "source" in frame else ""
    notes = " ".join(text for text in (drawing.note, f"Source: {source}." if source else "") if text)
    heading = title if isinstance(title, str) else drawing.title if title else ""
    subtitle = drawing.subtitle if title else ""
    fit_texts(ax, heading, subtitle, notes if note else "", synthetic=is_synthetic(frame))
