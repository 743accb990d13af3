"""Open against closed, dimension by dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import ACCESS_COLORS, COLUMN, GREY, new_axes, say, source_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def gap_by_dimension(gaps: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the gap in each dimension with its interval, and best against best.

    Parameters
    ----------
    gaps : pandas.DataFrame
        From `gap_analysis`.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a dimension.
    """
    ax = new_axes(ax, COLUMN, 2.7)
    rows = range(len(gaps))
    ax.bar(
        rows,
        gaps["gap"],
        width=0.6,
        color=ACCESS_COLORS["closed"],
        alpha=0.85,
        label="mean closed less mean open",
    )
    ax.vlines(rows, gaps["low"], gaps["high"], color="black", lw=1)
    ax.plot(
        rows,
        gaps["best_gap"],
        "D",
        color=ACCESS_COLORS["open"],
        ms=4.5,
        mec="white",
        mew=0.6,
        label="best closed less best open",
    )
    for row, value in zip(rows, gaps["gap"], strict=True):
        ax.annotate(
            f"{value:.1f}",
            (row, 0),
            (0, 3),
            textcoords="offset points",
            ha="center",
            color="white",
            fontsize=6.5,
        )
    ax.set_xticks(rows, gaps["dimension"])
    ax.set_ylim(0, max(gaps["high"].max(), gaps["best_gap"].max()) * 1.38)
    ax.grid(axis="y")
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("points, of 100")
    ax.legend(loc="upper left", ncol=1)
    ax.axhline(0, color=GREY, lw=0.8)
    low, high = gaps["gap"].min(), gaps["gap"].max()
    say(ax, f"Closed models are {low:.0f} to {high:.0f} points ahead" if low > 0 else "Gap by dimension")
    first = gaps.iloc[0]
    ci = gaps.attrs.get("ci", 0.95)
    text = (
        f"{first['n_closed']} closed and {first['n_open']} open models; lines: {ci:.0%} bootstrap interval over models. "
        f"Avg: the judge's Overall Score. Source: {gaps.attrs.get('source') or 'own data'}"
    )
    source_note(ax, text, synthetic=gaps.attrs.get("synthetic", False))
    return ax
