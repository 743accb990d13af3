"""Scores beside answer length, as they are and at equal length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import COLUMN, GREY, legend_below, model_styles, new_axes, say, source_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def score_and_length(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each model's score against its answers' length, and its score at equal length.

    Parameters
    ----------
    table : pandas.DataFrame
        From `adjust_for_length`.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        A filled mark (as judged) and a hollow one (at equal length) a model.
    """
    import numpy as np
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    ax = new_axes(ax, COLUMN, 3.1)
    styles = model_styles(table["model"])
    centre = table.attrs["common_tokens"]
    for row in table.itertuples():
        style = styles[row.model]
        x = row.answer_tokens
        ax.vlines(x, row.low, row.high, color=style["color"], lw=1.2)
        ax.plot([x, centre], [row.mean, row.adjusted], ":", color=style["color"], lw=0.8)
        ax.plot(x, row.mean, style["marker"], color=style["color"], ms=5, label=row.model)
        ax.vlines(centre, row.adjusted_low, row.adjusted_high, color=style["color"], lw=0.8)
        ax.plot(centre, row.adjusted, style["marker"], color=style["color"], mfc="white", ms=5)
    low, high = table["answer_tokens"].min(), table["answer_tokens"].max()
    ax.set_xscale("log", base=2)
    ticks = np.unique(np.round(np.geomspace(low, high, 4))).tolist()
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.axvline(centre, color=GREY, lw=0.6, alpha=0.5)
    ax.set_xlim(low / 1.15, high * 1.15)
    ax.set_ylim(0, 100)
    ax.set_xlabel("answer length, o200k_base tokens (geometric mean)")
    dimension = table.attrs.get("dimension", "score")
    ax.set_ylabel("% of answers right" if dimension == "Correct" else f"{dimension}, 0-100")
    ax.grid(axis="y")
    legend_below(ax, ncol=3)
    effect, least, most = (table.attrs[f"length_effect{end}"] for end in ("", "_low", "_high"))
    sure = least > 0 or most < 0
    say(ax, f"Twice the length: {effect:+.1f} points" + ("" if sure else ",\nwhich may be chance"))
    source_note(
        ax,
        f"Filled: as scored; hollow: at equal length (regression on model, question and log length; effect of a doubling "
        f"{effect:+.2f} [{least:+.2f}, {most:+.2f}]). Lines: {table.attrs.get('ci', 0.95):.0%} intervals, bootstrap over "
        f"dialogues. Source: {table.attrs.get('source') or 'own data'}",
        synthetic=bool(table.attrs.get("synthetic")),
    )
    return ax
