"""Before and after fine-tuning on MMDU-45k: on MMDU, on other benchmarks, at each context length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import (
    ACCESS_COLORS,
    COLUMN,
    GREY,
    legend_below,
    new_axes,
    say,
    source_note,
)
from mmdu_analysis.schema import DIMENSIONS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def finetuning_dumbbells(gains: pd.DataFrame, *, title: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw each column of a table before and after, a block for each base model.

    Parameters
    ----------
    gains : pandas.DataFrame
        From `finetuning_gain`; with a column ``block`` a block for each of its values instead.
    title : str, optional
        What to see; by default what each model gains in Avg.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One dumbbell a column and model.
    """
    blocks = list(gains.groupby("block" if "block" in gains else "base_model", sort=False))
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
    legend_below(ax)
    say(ax, title or _headline(gains))
    reference = gains.attrs.get("reference")
    shares = f" In brackets: share of the distance to {reference} that is closed." if reference else ""
    dims = " Avg: the judge's Overall Score." if set(gains["metric"]) <= set(DIMENSIONS) else ""
    source_note(ax, f"Points gained.{shares}{dims} Source: {gains.attrs.get('source') or 'own data'}")
    return ax


def _headline(gains: pd.DataFrame) -> str:
    overall = gains.loc[gains["metric"] == "Avg"]
    parts = [f"{row['base_model']} {row['gain']:+.1f}" for _, row in overall.iterrows()]
    return "Fine-tuning on MMDU-45k:\n" + ", ".join(parts) if parts else "Before and after"


def context_ablation(effects: pd.DataFrame, *, metric: str = "Avg", ax: Axes | None = None) -> Axes:
    """Draw the score at each context length, before and after fine-tuning.

    Parameters
    ----------
    effects : pandas.DataFrame
        From `ablation_effects`.
    metric : str, default "Avg"
        Short name of a dimension.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One line a model.
    """
    ax = new_axes(ax, COLUMN, 2.8)
    kept = effects.loc[effects["metric"] == metric]
    steps = kept.loc[kept["effect"] == "context"]
    settings = list(dict.fromkeys([*steps["before"], *steps["after"]]))
    for place, (model, part) in enumerate(steps.groupby("model", sort=False)):
        color = ACCESS_COLORS["open" if place == 0 else "finetuned"]
        names = [part["before"].iloc[0], *part["after"]]
        scores = [part["from_score"].iloc[0], *part["to_score"]]
        rows = [settings.index(name) for name in names]
        ax.plot(rows, scores, "s-" if place == 0 else "D-", color=color, ms=4.5, label=model)
        for row, score in zip(rows, scores, strict=True):
            ax.annotate(
                f"{score:.1f}",
                (row, score),
                (0, 6 if place else -11),
                textcoords="offset points",
                ha="center",
                fontsize=6,
            )
    training = kept.loc[kept["effect"] == "training"]
    for line in training.itertuples():
        row = settings.index(line.at)
        ax.vlines(row, line.from_score, line.to_score, color=GREY, lw=0.8, ls=":")
        ax.annotate(
            f"training {line.gain:+.1f}",
            (row, (line.from_score + line.to_score) / 2),
            (9, -2),
            textcoords="offset points",
            fontsize=6,
            color=GREY,
            va="center",
        )
    ax.set_xticks(range(len(settings)), settings)
    ax.set_xlim(-0.25, len(settings) - 0.6)
    ax.set_ylim(0, kept["to_score"].max() * 1.25)
    ax.set_xlabel("context length, tokens")
    ax.set_ylabel(f"{DIMENSIONS.get(metric, metric)}, 0-100")
    ax.grid(axis="y")
    legend_below(ax)
    longer, trained = steps["gain"].max(), training["gain"].max()
    say(ax, f"A longer context gives up to {longer:+.1f},\ntraining at the same context up to {trained:+.1f}")
    source_note(
        ax,
        f"The base model was not run at {settings[-1]}. Source: {effects.attrs.get('source') or 'own data'}",
    )
    return ax
