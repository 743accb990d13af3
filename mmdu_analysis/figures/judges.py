"""Judges: how they agree, who is generous, and how they rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import (
    COLUMN,
    GREY,
    MODEL_COLORS,
    legend_below,
    model_styles,
    new_axes,
    say,
    source_note,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MEASURES = {"pearson": "o", "spearman": "s", "kendall": "D"}


def judge_agreement_dots(
    agreement: pd.DataFrame, human: pd.DataFrame | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw how judges correlate with each other, and with people.

    Parameters
    ----------
    agreement : pandas.DataFrame
        From `judge_agreement`: dots for the last dimension (Overall Score), lines from the lowest to the highest
        of all dimensions.
    human : pandas.DataFrame, optional
        ``load_published("human_agreement")``: percent.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One row a pair.
    """
    pairs = list(dict.fromkeys(zip(agreement["judge_a"], agreement["judge_b"], strict=True)))
    people = [] if human is None else list(human["judge"])
    names = [f"{a}\n{b}" for a, b in pairs] + [f"{judge}\npeople" for judge in people]
    ax = new_axes(ax, COLUMN, 1.3 + 0.36 * len(names))
    overall = agreement["dimension"].iloc[-1]
    lowest = 1.0
    for place, (measure, marker) in enumerate(_MEASURES.items()):
        color, shift = MODEL_COLORS[place], (place - 1) * 0.22
        for row, (a, b) in enumerate(pairs):
            part = agreement.loc[(agreement["judge_a"] == a) & (agreement["judge_b"] == b)].set_index(
                "dimension"
            )
            ax.hlines(row + shift, part[measure].min(), part[measure].max(), color=color, lw=1.4, alpha=0.5)
            ax.plot(part.loc[overall, measure], row + shift, marker, color=color, ms=4)
            lowest = min(lowest, part[measure].min())
        for row, judge in enumerate(people, len(pairs)):
            value = human.set_index("judge").loc[judge, measure] / 100 if human is not None else 1.0
            ax.plot(value, row + shift, marker, color=color, ms=4)
            lowest = min(lowest, value)
        ax.plot([], [], marker, color=color, ms=4, label=measure.capitalize())
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(min(0.8, lowest - 0.02), 1.005)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_xlabel("correlation over models")
    legend_below(ax, ncol=3)
    n_models = int(agreement["n_models"].max())
    say(ax, f"Judges agree on the order\nof {n_models} models")
    note = f"Marks: {overall}; lines: all dimensions. {n_models} models: two weak ones and the strong ones alone make high correlations. "
    people_note = "With people: as published, over models. " if people else ""
    source_note(
        ax,
        f"{note}{people_note}Source: {agreement.attrs.get('source') or 'own data'}",
        synthetic=bool(agreement.attrs.get("synthetic")),
    )
    return ax


def judge_offset_dots(offsets: pd.DataFrame, *, dimension: str = "Avg", ax: Axes | None = None) -> Axes:
    """Draw how much each judge gives each model above or below the judges' mean.

    Parameters
    ----------
    offsets : pandas.DataFrame
        From `judge_offsets`; with a column ``own`` (the model is of the judge's family) those are ringed.
    dimension : str, default "Avg"
        Short name.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One mark a judge and model; a line a judge at its mean.
    """
    kept = offsets.loc[offsets["dimension"] == dimension]
    models = list(dict.fromkeys(kept.sort_values("score")["model"]))
    styles = model_styles(kept["judge"].unique())
    ax = new_axes(ax, COLUMN, 1.5 + 0.28 * len(models))
    for judge, part in kept.groupby("judge", sort=False):
        style = styles[str(judge)]
        mean = part["judge_offset"].iloc[0]
        rows = [models.index(model) for model in part["model"]]
        ax.axvline(mean, color=style["color"], lw=1, alpha=0.5)
        ax.plot(
            part["offset"],
            rows,
            style["marker"],
            color=style["color"],
            ms=4.5,
            label=f"{judge} ({mean:+.1f})",
        )
        if "own" in part:
            own = part.loc[part["own"]]
            ax.plot(
                own["offset"],
                [models.index(m) for m in own["model"]],
                "o",
                mfc="none",
                color="black",
                ms=9,
                mew=0.8,
            )
    ax.axvline(0, color=GREY, lw=0.6, ls=":")
    ax.set_yticks(range(len(models)), models)
    ax.set_ylim(-0.6, len(models) - 0.4)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_xlabel("points above the judges' mean for the model")
    legend_below(ax, ncol=2)
    means = kept.drop_duplicates("judge").set_index("judge")["judge_offset"]
    say(
        ax,
        f"Most from {means.idxmax()},\nleast from {means.idxmin()}",
        f"{dimension}; lines: each judge's mean",
    )
    source_note(
        ax,
        f"Ringed: a model of the judge's own family. In brackets: the judge's mean offset. "
        f"Source: {offsets.attrs.get('source') or 'own data'}",
        synthetic=bool(offsets.attrs.get("synthetic")),
    )
    return ax


def judge_rank_bumps(offsets: pd.DataFrame, *, dimension: str = "Avg", ax: Axes | None = None) -> Axes:
    """Draw how each judge ranks the models.

    Parameters
    ----------
    offsets : pandas.DataFrame
        From `judge_offsets`.
    dimension : str, default "Avg"
        Short name.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One line a model over the judges, with its scores.
    """
    kept = offsets.loc[offsets["dimension"] == dimension]
    judges = list(dict.fromkeys(kept["judge"]))
    models = list(dict.fromkeys(kept.sort_values("rank")["model"]))
    styles = model_styles(models)
    ax = new_axes(ax, COLUMN, 1.3 + 0.32 * len(models))
    for model, part in kept.groupby("model", sort=False):
        part = part.set_index("judge").loc[judges]
        color = styles[str(model)]["color"]
        ax.plot(range(len(judges)), part["rank"], "o-", color=color, ms=4)
        for place, line in enumerate(part.itertuples()):
            ax.annotate(
                f"{line.score:.1f}",
                (place, line.rank),
                (0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=6,
            )
    first = kept.loc[kept["judge"] == judges[0]].sort_values("rank")
    ax.set_yticks(first["rank"], first["model"])
    ax.set_ylim(len(models) + 0.4, 0.3)
    ax.set_xticks(range(len(judges)), judges)
    ax.set_xlim(-0.25, len(judges) - 0.75)
    ax.tick_params(length=0)
    changes = int((kept.groupby("model")["rank"].nunique() > 1).sum())
    say(
        ax,
        f"{changes} of {len(models)} models change rank" if changes else "Every judge ranks them alike",
        f"{dimension}; numbers: scores 0-100",
    )
    source_note(
        ax,
        f"Source: {offsets.attrs.get('source') or 'own data'}",
        synthetic=bool(offsets.attrs.get("synthetic")),
    )
    return ax
