"""The audit as a table: what the paper states beside what comes out."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import COLUMN, new_axes, say, source_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_PLACES = {"claim": 0.0, "where": 0.5, "stated": 0.75, "recomputed": 0.93}
_WIDTHS = {"claim": 68, "where": 33, "stated": 22, "recomputed": 16}
_LINE = 0.105  # inches


def audit_table(audit: pd.DataFrame, *, verdict: str = "differs", ax: Axes | None = None) -> Axes:
    """Draw the claims of one verdict as a table, with the count of all verdicts above.

    Parameters
    ----------
    audit : pandas.DataFrame
        From `audit_paper`.
    verdict : {"differs", "holds", "needs data"}, default "differs"
        Which claims are listed.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a page wide.

    Returns
    -------
    matplotlib.axes.Axes
        Without axes.
    """
    rows = audit.loc[audit["verdict"] == verdict, list(_PLACES)]
    cells = [
        [textwrap.wrap(str(row[name]), width) or [""] for name, width in _WIDTHS.items()]
        for _, row in rows.iterrows()
    ]
    heights = [max(len(cell) for cell in row) + 0.5 for row in cells]
    ax = new_axes(ax, 2 * COLUMN, 1.1 + _LINE * (sum(heights) + 2))
    total = sum(heights) + 2
    ax.set_xlim(0, 1.1)
    ax.set_ylim(total, 0)
    ax.axis("off")
    for name, x in _PLACES.items():
        ax.text(x, 0.3, name, fontsize=6.5, fontweight="bold", va="top")
    ax.plot([0, 1.1], [1.5, 1.5], color="black", lw=0.8)
    y = 2.0
    for place, (row, height) in enumerate(zip(cells, heights, strict=True)):
        if place % 2 == 0:
            ax.fill_between([0, 1.1], y - 0.25, y + height - 0.25, color="#F3F3F3", lw=0)
        for x, lines in zip(_PLACES.values(), row, strict=True):
            ax.text(x, y, "\n".join(lines), fontsize=5.8, va="top", linespacing=1.1)
        y += height
    counts = audit["verdict"].value_counts()
    summary = ", ".join(f"{counts.get(name, 0)} {name}" for name in ("holds", "differs", "needs data"))
    say(
        ax,
        f"Of {len(audit)} claims of the paper: {summary}",
        f"listed: {verdict}; recomputed as printed, with one digit more",
    )
    source_note(
        ax,
        "Recomputed from the paper's own tables, or measured on the real dialogues (first 20 turns). Some differences are of "
        f"rounding; the notes are in audit.csv. Source: {audit.attrs.get('source', '')}",
        synthetic=bool(audit.attrs.get("synthetic")),
    )
    return ax
