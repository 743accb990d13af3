"""Who beats whom, and which ranks are sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.figures.style import COLUMN, GREY, OURS, diverging_map, new_axes, say, source_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle


def pairwise_matrix(
    pairs: pd.DataFrame, *, dimension: str | None = None, level: float = 0.05, ax: Axes | None = None
) -> Axes:
    """Draw the difference of each two models, rows less columns.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `compare_all_models`.
    dimension : str, optional
        Which; by default the last one, which is the Overall Score where there is one.
    level : float, default 0.05
        Differences whose Holm-corrected p-value is not below it are greyed.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One cell a pair, in falling order of the models.
    """
    dimension = dimension or pairs["dimension"].iloc[-1]
    kept = pairs.loc[pairs["dimension"] == dimension]
    models = pairs.attrs["order"]
    size = len(models)
    ax = new_axes(ax, COLUMN, 1.5 + 0.24 * size)
    lookup = {}
    for row in kept.itertuples():
        lookup[row.model_a, row.model_b] = (row.difference, row.p_holm)
        lookup[row.model_b, row.model_a] = (-row.difference, row.p_holm)
    reach = max(1.0, kept["difference"].abs().max())
    colors = diverging_map()
    for y, first in enumerate(models):
        for x, second in enumerate(models):
            difference, p = lookup.get((first, second), (float("nan"),) * 2)
            if difference != difference:
                continue
            sure = p < level
            color = colors(0.5 + difference / reach / 2) if sure else "#EEEEEE"
            ax.add_patch(_cell(x, y, color))
            dark = sure and abs(difference) > 0.6 * reach
            text = "white" if dark else "black" if sure else "#777777"
            if size <= 12:
                ax.text(x, y, f"{difference:+.1f}", ha="center", va="center", fontsize=5.5, color=text)
    ax.set_xlim(-0.5, size - 0.5)
    ax.set_ylim(size - 0.5, -0.5)
    ax.set_xticks(range(size), models, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(size), models)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    unsure = int((kept["p_holm"] >= level).sum())
    say(
        ax,
        f"{len(kept) - unsure} of {len(kept)} pairs can be told apart",
        f"{dimension}, row less column, points",
    )
    shared = kept["n_turns"]
    source_note(
        ax,
        f"Paired on {shared.min():,} to {shared.max():,} shared turns, clustered by dialogue; grey: p >= {level:g} after "
        f"Holm's correction. Source: {pairs.attrs.get('source') or 'own data'}",
        synthetic=bool(pairs.attrs.get("synthetic")),
    )
    return ax


def _cell(x: int, y: int, color: Any) -> Rectangle:
    from matplotlib import patches

    return patches.Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, color=color, lw=0)


def rank_dots(ranks: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each model's rank with its interval, and the groups that can't be told apart.

    Parameters
    ----------
    ranks : pandas.DataFrame
        From `rank_models`.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One row a model, best on top.
    """
    ax = new_axes(ax, COLUMN, 1.3 + 0.2 * len(ranks))
    rows = list(range(len(ranks)))
    ax.hlines(rows, ranks["rank_low"], ranks["rank_high"], color=OURS, lw=2.2, alpha=0.5)
    ax.plot(ranks["rank"], rows, "o", color=OURS, ms=4.5)
    for row, line in zip(rows, ranks.itertuples(), strict=True):
        text = f"{line.mean:.1f}   {line.group}"
        ax.annotate(
            text, (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=6.5, color=GREY
        )
    ax.set_yticks(rows, ranks["model"])
    ax.set_ylim(len(ranks) - 0.5, -0.6)
    ax.set_xlim(0.6, len(ranks) + 0.4)
    ax.locator_params(axis="x", integer=True)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_xlabel("rank")
    sure = int((ranks["rank_low"] == ranks["rank_high"]).sum())
    say(ax, f"{sure} of {len(ranks)} ranks are sure", f"{ranks['dimension'].iloc[0]}; right: mean, and group")
    source_note(
        ax,
        f"Lines: {ranks.attrs.get('ci', 0.95):.0%} interval, bootstrap over {ranks['n_dialogs'].max()} dialogues. Models that "
        f"share a letter can't be told apart (paired, Holm). Source: {ranks.attrs.get('source') or 'own data'}",
        synthetic=bool(ranks.attrs.get("synthetic")),
    )
    return ax
