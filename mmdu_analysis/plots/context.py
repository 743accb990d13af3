"""How the context of a dialogue grows from turn to turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import load_published, published_tables
from mmdu_analysis.plots._layout import cell_size, panels
from mmdu_analysis.plots._marks import beside, spread_labels, write_out_powers
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import DASHES, GREY, OURS, points, small
from mmdu_analysis.schema import NotAvailable, is_synthetic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mmdu_analysis.study import Study

LIMITS = {"4k": 4_096, "8k": 8_192, "32k": 32_768}
"""Context windows that are marked, in tokens."""

_CLASSES = ("#D6E6F3", "#8DBBDC", "#C1702A", "#6B1A0E")  # increasingly dark, also in grey
_ESTIMATOR = "paper"
_COVERED = 0.9
"""Minimum share of turns with a known answer for which contexts are computed."""


def _context(study: Study) -> pd.DataFrame:
    """Return what a model reads before it answers each turn, one row per dialogue and turn."""
    from mmdu_analysis.stats.tokens import context_tokens

    questions, answers, images, history, source = _inputs(study)
    known, total = int(answers["answer_tokens"].notna().sum()), len(questions)
    if known < _COVERED * total:
        raise NotAvailable(
            f"contexts need the answers of earlier turns: {known:,} of {total:,} are known; pass answers of a model"
        )
    frame = context_tokens(questions, answers, images, _ESTIMATOR)
    last = frame.groupby("dialog_id")["turn"].transform("max")
    reach = int(last.groupby(frame["dialog_id"]).first().median())
    synthetic = study.benchmark is not None and is_synthetic(study.benchmark.dialogs, study.answers)
    return frame.assign(
        cohort=last >= reach,
        cohort_turns=reach,
        history=history,
        image_model=_ESTIMATOR,
        n_missing=total - known,
        source=source,
        synthetic=synthetic,
    ).reset_index(drop=True)


def _inputs(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, str, str]:
    """Return questions, the answers of the history, images, a description of the history, and the source."""
    if study.benchmark is None:
        answers = load_published("measured_answers")
        model = sorted(answers["model"].unique())[-1]
        return (
            load_published("measured_questions"),
            answers.loc[answers["model"] == model],
            load_published("measured_images"),
            f"the answers of {model}",
            published_tables().loc["measured_questions", "source"],
        )
    from mmdu_analysis.stats.dataset import answer_tokens, question_tokens
    from mmdu_analysis.stats.tokens import count_tokens

    bench = study.benchmark
    questions = question_tokens(bench)
    references = questions[["dialog_id", "turn"]].assign(answer_tokens=answer_tokens(bench))
    if references["answer_tokens"].notna().mean() >= _COVERED or study.answers is None:
        return questions, references, bench.images, "the reference answers", bench.name
    counts = study.answers.groupby("model").size()
    model = str(counts.idxmax())
    answers = study.answers.loc[study.answers["model"] == model].dropna(subset="answer")
    answers = answers.assign(answer_tokens=count_tokens(answers["answer"].astype(str)))
    return questions, answers, bench.images, f"the answers of {model}", bench.name


@figure(
    caption="Tokens that a model reads before it answers each turn, one line per dialogue",
    numbers=_context,
    notebook="01_dataset_statistics",
    facts="benchmark",
    needs=("benchmark", "context"),
    size=(3.5, 2.3),
)
def context_growth(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the growth of the context of every dialogue, with the median of a fixed cohort.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per dialogue and turn: ``dialog_id``, ``turn``, ``context_tokens``, ``cohort`` (bool: the
        dialogue reaches ``cohort_turns``), ``cohort_turns``, ``history``, ``image_model``.
    """
    import seaborn as sns

    sns.lineplot(
        data=frame.assign(dialog_id=frame["dialog_id"].astype(str)),
        x="turn",
        y="context_tokens",
        units="dialog_id",
        estimator=None,
        color=OURS,
        lw=points(0.5),
        alpha=0.3,
        legend=False,
        ax=ax,
    )
    reach = int(frame["cohort_turns"].iloc[0])
    cohort = frame.loc[frame["cohort"].astype(bool) & (frame["turn"] <= reach)]
    median = cohort.groupby("turn")["context_tokens"].median()
    ax.plot(median.index, median, color="black", lw=points(1.6))
    ax.set_yscale("log")
    write_out_powers(ax.yaxis)
    last = int(frame["turn"].max())
    ax.set_xlim(0.8, last + 0.2)
    ax.set_ylim(frame["context_tokens"].min() / 1.3, 1.5 * max(LIMITS["32k"], frame["context_tokens"].max()))
    for name, value in LIMITS.items():
        ax.axhline(value, color=GREY, ls="--", lw=points(0.8), zorder=1)
        beside(ax, name, value)
    ax.set_xlabel("turn")
    ax.set_ylabel("tokens to read (logarithmic)")
    ax.locator_params(axis="x", integer=True)
    n = frame["dialog_id"].nunique()
    return Drawing(
        f"Median context: {median.iloc[0]:,.0f} tokens at turn 1, {median.iloc[-1]:,.0f} at turn {reach}",
        f"Thin: each dialogue; thick: median of the {cohort['dialog_id'].nunique()} that reach turn {reach}",
        f"{_definition(frame)} n={n} dialogues.",
    )


def _definition(frame: pd.DataFrame) -> str:
    """Return a description of what is counted."""
    first = frame.iloc[0]
    missing = f" {int(first['n_missing']):,} answers are missing and count 0." if first["n_missing"] else ""
    return (
        f"Context: questions, images and earlier answers ({first['history']}); images as {first['image_model']!r}, "
        f"471 tokens each.{missing}"
    )


@figure(
    caption="Context of every dialogue at every turn, and the share that exceeds 4k, 8k and 32k tokens",
    numbers=_context,
    notebook="01_dataset_statistics",
    facts="benchmark",
    needs=("benchmark", "context"),
    size=(3.5, 3.6),
)
def context_calendar(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the context of every dialogue and turn as a heat map, and the share of dialogues over each limit.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `context_growth`.
    """
    from matplotlib.patches import Patch

    room = cell_size(ax)[1]
    low = room < points(3)
    upper, lower = panels(ax, 2, 1, sharex=True, height_ratios=(1.4 if low else 2.4, 1))
    _calendar(upper, frame)
    shares = _shares_over(frame)
    for (name, share), color, dash in zip(shares.items(), _CLASSES[1:], DASHES[:3], strict=True):
        lower.plot(
            share.index,
            share,
            color=color,
            ls=dash,
            lw=points(1.5),
            marker="o",
            ms=points(2.2),
            label=f"> {name}",
        )
    top = max(20.0, 1.15 * max(float(share.max()) for share in shares.values()))
    names = list(shares)[::-1]  # of equal shares the largest limit is the lowest
    label = 1.35 * small() / (72 * (0.11 if low else 0.15) * room)  # as a share of the height of the panel
    heights = spread_labels([float(shares[name].iloc[-1]) for name in names], max(0.15, label) * top)
    for name, height in zip(names, heights, strict=True):
        beside(lower, f"> {name}", height)
    lower.set_ylim(-0.04 * top, min(104.0, top))
    lower.set_ylabel("% over")
    lower.set_xlabel("turn")
    lower.locator_params(axis="x", integer=True)
    lower.grid(axis="y")
    last = int(frame["turn"].max())
    longest = frame.groupby("dialog_id")["context_tokens"].max()
    over = {name: int((longest > limit).sum()) for name, limit in LIMITS.items()}
    labels = ["up to 4k tokens", "4k to 8k", "8k to 32k", "over 32k"]
    handles = [Patch(facecolor=color, lw=0) for color in _CLASSES]
    n = frame["dialog_id"].nunique()
    ends = int((frame["turn"] == last).sum())
    return Drawing(
        f"Of {n} dialogues {over['4k']} exceed 4k tokens, {over['8k']} exceed 8k, {over['32k']} exceed 32k",
        "Above: one row per dialogue, ordered by length; below: share of the dialogues that reach the turn",
        f"{_definition(frame)} n={n} dialogues, {ends} of them reach turn {last}.",
        legend=(handles, labels),
    )


def _calendar(ax: Axes, frame: pd.DataFrame) -> None:
    import numpy as np
    from matplotlib.colors import BoundaryNorm, ListedColormap

    frame = frame.assign(
        dialog_id=frame["dialog_id"].astype(str)
    )  # columns of a CSV file are numbers, in another order
    table = frame.pivot(index="dialog_id", columns="turn", values="context_tokens")
    order = frame.groupby("dialog_id")["context_tokens"].max().sort_values(kind="stable").index
    table = table.loc[order]
    bounds = [0, *(limit + 1 for limit in LIMITS.values()), 10**9]
    edges = np.arange(table.columns.min() - 0.5, table.columns.max() + 1)
    ax.pcolormesh(
        edges,
        np.arange(len(table) + 1),
        np.ma.masked_invalid(table.to_numpy(dtype=float)),
        cmap=ListedColormap(list(_CLASSES)),
        norm=BoundaryNorm(bounds, len(_CLASSES)),
        rasterized=True,
    )
    ax.set_ylim(len(table), 0)
    ax.set_ylabel("dialogues")
    ax.set_xlim(edges[0], edges[-1])


def _shares_over(frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return for each limit the share of dialogues over it, by turn, in percent."""
    return {
        name: 100 * (frame["context_tokens"] > limit).groupby(frame["turn"]).mean()
        for name, limit in LIMITS.items()
    }
