"""Before and after fine-tuning on MMDU-45k."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import ACCESS_COLORS, COLUMN, new_axes, say, source_note
from mmdu_analysis.schema import DIMENSIONS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def finetuning_mmdu(gains: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each dimension before and after, a block for each base model.

    Parameters
    ----------
    gains : pandas.DataFrame
        From `finetuning_gain`, on MMDU's dimensions.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One dumbbell a dimension and model.
    """
    blocks = list(gains.groupby("base_model", sort=False))
    ax = new_axes(ax, COLUMN, 1.1 + 0.19 * (len(gains) + len(blocks)))
    place, ticks, labels = 0.0, [], []
    for base, block in blocks:
        rows = [place + step for step in range(len(block))]
        ax.hlines(rows, block["base"], block["finetuned"], color="#BBBBBB", lw=2)
        ax.plot(
            block["base"],
            rows,
            "s",
            color=ACCESS_COLORS["open"],
            ms=4,
            label="before" if place == 0 else None,
        )
        ax.plot(
            block["finetuned"],
            rows,
            "D",
            color=ACCESS_COLORS["finetuned"],
            ms=4,
            label="after" if place == 0 else None,
        )
        for row, (_, line) in zip(rows, block.iterrows(), strict=True):
            share = "" if line.isna()["share_closed"] else f"  ({line['share_closed']:.0%})"
            ax.annotate(
                f"{line['gain']:+.1f}{share}",
                (line["finetuned"], row),
                (6, 0),
                textcoords="offset points",
                va="center",
                fontsize=6,
            )
        ax.annotate(
            base,
            (0.01, rows[0] - 0.95),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=7,
            fontweight="bold",
        )
        ticks += rows
        labels += list(block["metric"])
        place = rows[-1] + 2.2
    ax.set_yticks(ticks, labels)
    ax.set_ylim(place - 1.4, -1.6)
    top = float(gains["finetuned"].max())
    ax.set_xlim(min(15, float(gains["base"].min()) - 3), top + 16)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("score, 0-100")
    ax.legend(loc="lower right", handletextpad=0.2)
    say(ax, _headline(gains))
    reference = gains.attrs.get("reference")
    shares = f" In brackets: share of the distance to {reference} that is closed." if reference else ""
    ours = [short for short in DIMENSIONS if short in set(gains["metric"])]
    source_note(
        ax,
        f"Points gained.{shares} {len(ours)} dimensions; source: {gains.attrs.get('source') or 'own data'}",
    )
    return ax


def _headline(gains: pd.DataFrame) -> str:
    overall = gains.loc[gains["metric"] == "Avg"]
    parts = [f"{row['base_model']} {row['gain']:+.1f}" for _, row in overall.iterrows()]
    return "Fine-tuning on MMDU-45k:\n" + ", ".join(parts) if parts else "Before and after"
