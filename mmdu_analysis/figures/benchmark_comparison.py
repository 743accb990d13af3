"""Figure 1: MMDU beside earlier benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import COLUMN, OURS, PAPER, source_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_PANELS = (
    ("average_images", "images", "{:g}"),
    ("average_turns", "turns", "{:g}"),
    ("average_text_tokens", "text tokens", "{:,.0f}"),
)


def benchmark_comparison(table: pd.DataFrame, *, figure: Figure | None = None) -> Figure:
    """Draw average images, turns and text tokens of each benchmark.

    Parameters
    ----------
    table : pandas.DataFrame
        ``benchmark``, ``average_images``, ``average_turns``, ``average_text_tokens``; NA where the
        paper's figure doesn't say. The last row is drawn in colour.
    figure : matplotlib.figure.Figure, optional
        Where to draw.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels with the same rows.
    """
    import matplotlib.pyplot as plt

    figure = figure or plt.figure(figsize=(2 * COLUMN, 2.6))
    axes = figure.subplots(1, 3, sharey=True)
    rows = list(range(len(table)))
    for ax, (column, name, form) in zip(axes, _PANELS, strict=True):
        colors = [PAPER] * (len(table) - 1) + [OURS]
        ax.barh(rows, table[column].fillna(0), color=colors, height=0.65)
        for row, value in zip(rows, table[column], strict=True):
            known = value == value
            text = form.format(value) if known else "not stated"
            color = "black" if known else "#888888"
            ax.annotate(
                text,
                (value if known else 0, row),
                (3, 0),
                textcoords="offset points",
                va="center",
                fontsize=6.5,
                color=color,
            )
        ax.set_xlim(0, table[column].max() * 1.22)
        ax.set_xlabel(f"average {name} a dialogue")
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(rows, table["benchmark"])
    axes[0].get_yticklabels()[-1].set_fontweight("bold")
    axes[0].set_title("MMDU's dialogues are longer in images, turns and text")
    source_note(
        axes[0],
        f"Source: {table.attrs.get('source', 'own data')}; values as labelled there, n={len(table)} benchmarks",
    )
    return figure
