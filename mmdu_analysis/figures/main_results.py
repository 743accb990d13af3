"""Table 2 as a dot plot: every model's Overall Score, by access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.figures.style import (
    ACCESS_COLORS,
    ACCESS_LABELS,
    ACCESS_MARKERS,
    COLUMN,
    GREY,
    new_axes,
    say,
    source_note,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def main_results(table: pd.DataFrame, *, dimension: str = "Avg", ax: Axes | None = None) -> Axes:
    """Draw every model's score, ordered, in a block for each access.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``access`` and `dimension` on 0-100; ``low`` and ``high`` are drawn as an interval where
        there are any; models whose ``own`` is True have bold names.
    dimension : str, default "Avg"
        Short name. ``Avg`` is the judge's Overall Score.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One dot a model.
    """
    ax = new_axes(ax, COLUMN, 0.9 + 0.17 * (len(table) + 5))
    place, ticks, labels, own = 0.0, [], [], []
    for access in [*ACCESS_COLORS, None]:
        same = table["access"] == access if access else ~table["access"].isin(list(ACCESS_COLORS))
        block = table.loc[same].sort_values(dimension, ascending=False)
        if block.empty:
            continue
        color, marker = (ACCESS_COLORS[access], ACCESS_MARKERS[access]) if access else (GREY, "^")
        heading: Any = {"xycoords": ("axes fraction", "data"), "va": "center", "fontweight": "bold"}
        label = ACCESS_LABELS[access] if access else "access not given"
        ax.annotate(label, (0.01, place - 0.95), color=color, **heading)
        rows = [place + step for step in range(len(block))]
        ax.hlines(rows, 0, block[dimension], color=color, lw=0.8, alpha=0.35)
        ax.plot(block[dimension], rows, marker, color=color, ms=4.5)
        if {"low", "high"} <= set(block.columns):
            ax.hlines(rows, block["low"], block["high"], color=color, lw=1.6)
        edge = block["high"].fillna(block[dimension]) if "high" in block else block[dimension]
        for row, value, right in zip(rows, block[dimension], edge, strict=True):
            ax.annotate(
                f"{value:.1f}", (right, row), (5, 0), textcoords="offset points", va="center", fontsize=6
            )
        ticks += rows
        labels += list(block["model"])
        own += list(block["own"].fillna(False)) if "own" in block else [False] * len(block)
        place = rows[-1] + 2.2
    ax.set_yticks(ticks, labels)
    for tick, bold in zip(ax.get_yticklabels(), own, strict=True):
        tick.set_fontweight("bold" if bold else "normal")
    ax.set_xlim(0, 100)
    ax.set_ylim(place - 1.4, -1.6)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("score, 0-100")
    name = "Overall Score (printed as Avg)" if dimension == "Avg" else dimension
    say(
        ax,
        "Closed models lead; no open one\nreaches the worst of them"
        if _clear(table, dimension)
        else "Scores by access",
        name,
    )
    ci = table.attrs.get("ci")
    lines = f"Thick lines: {ci:.0%} intervals, bootstrap over dialogues. " if ci else ""
    source_note(
        ax,
        f"{lines}Source: {table.attrs.get('source') or 'own data'}; {len(table)} models",
        synthetic=bool(table.attrs.get("synthetic")),
    )
    return ax


def _clear(table: pd.DataFrame, dimension: str) -> bool:
    closed = table.loc[table["access"] == "closed", dimension]
    open_ = table.loc[table["access"] == "open", dimension]
    return not closed.empty and not open_.empty and bool(open_.max() < closed.min())
