"""Scores of single dialogues, and their paired differences between models."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import first_source, main_dimension, own_source, source_of
from mmdu_analysis.plots._labels import labels
from mmdu_analysis.plots._layout import panels
from mmdu_analysis.plots._marks import interval, score_label
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import model_styles, points
from mmdu_analysis.schema import MMDU, DataWarning, NotAvailable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_GOLDEN = 0.6180339887
"""Step of the offsets that separate the dots of a strip; deterministic, unlike a random jitter."""


def _numbers(study: Any) -> pd.DataFrame:
    import pandas as pd

    from mmdu_analysis.stats.scores import as_scores, only_dimension, summarize_scores

    if study.scores is None:
        scores, rubric, dimension, source = labels(), MMDU, "Correct", source_of("correctness")
    else:
        scores, rubric, source = study.scores, study.rubric, own_source(study)
        dimension = main_dimension(study)
    kept = only_dimension(as_scores(scores, rubric=rubric), dimension, rubric).dropna(
        subset=["score", "dialog_id"]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # each cell is one dialogue
        means = summarize_scores(kept, "model", "dialog", rubric=rubric)
        cells = summarize_scores(kept, ["model", "dialog_id"], rubric=rubric)
    rows = cells[["model", "dialog_id", "mean", "synthetic"]].rename(columns={"mean": "value"})
    rows = rows.assign(part="score", other=None)
    order = means.sort_values("mean", ascending=False)["model"].tolist()
    estimates = means.set_index("model")[["mean", "low", "high", "ci"]]
    rows = rows.join(estimates, on="model")
    parts = [rows] + ([_differences(kept, rows, order, rubric)] if len(order) > 1 else [])
    frame = pd.concat(parts, ignore_index=True).assign(dimension=dimension)
    if frame.loc[frame["part"] == "score", "dialog_id"].nunique() < 2:
        raise NotAvailable("a distribution needs two dialogues or more")
    rank = frame["model"].map({model: number for number, model in enumerate(order)})
    frame = frame.assign(_rank=rank).sort_values(
        ["part", "_rank", "dialog_id"], ascending=[False, True, True], kind="stable"
    )
    return first_source(frame.drop(columns="_rank").reset_index(drop=True), source)


def _differences(scores: pd.DataFrame, rows: pd.DataFrame, order: list[str], rubric: Any) -> pd.DataFrame:
    """Return the differences of the highest model and each other one, dialogue by dialogue on shared turns."""
    import pandas as pd

    from mmdu_analysis.stats.pairs import compare_models

    parts = []
    keys = ["judge", "dialog_id", "turn"]
    for other in order[1:]:
        pair = scores.loc[scores["model"].isin([order[0], other])].dropna(subset=["turn"])
        wide = pair.pivot_table(
            index=keys, columns="model", values="score", aggfunc="mean", observed=True
        ).dropna()
        if wide.empty:
            continue
        points_ = rubric.to_percent(wide[order[0]]) - rubric.to_percent(wide[other])
        part = points_.groupby("dialog_id").mean().rename("value").reset_index()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            row = compare_models(pair, order[0], other, average="dialog", rubric=rubric).iloc[0]
        part = part.assign(model=other, other=order[0], part="difference", synthetic=bool(row["synthetic"]))
        parts.append(part.assign(mean=row["difference"], low=row["low"], high=row["high"], ci=row["ci"]))
    return pd.concat(parts, ignore_index=True) if parts else rows.iloc[:0]


@figure(
    caption="Scores of single dialogues of each model, one dot per dialogue",
    numbers=_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("scores", "dialogs", "main dimension"),
    size=(3.5, 2.6),
)
def score_distribution(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the scores of dialogues as rainclouds: density, one dot per dialogue, mean with interval.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model, dialogue and part: ``part`` (``score``, or ``difference`` of ``other`` less
        ``model``), ``model``, ``other``, ``dialog_id``, ``value`` (points), ``mean``, ``low``, ``high`` (of
        all dialogues), ``dimension``, ``ci``.
    """
    kinds = [kind for kind in ("score", "difference") if (frame["part"] == kind).any()]
    counts = [frame.loc[frame["part"] == kind, "model"].nunique() for kind in kinds]
    parts = panels(ax, len(kinds), 1, height_ratios=counts, row_height=(0.4 * sum(counts) + 0.7) / len(kinds))
    styles = model_styles(frame["model"])
    texts = []
    for panel, kind in zip(parts, kinds, strict=True):
        rows = frame.loc[frame["part"] == kind]
        models = list(dict.fromkeys(rows["model"]))
        for position, model in enumerate(models):
            _raincloud(panel, rows.loc[rows["model"] == model], position, styles[model]["color"])
        top = str(rows["other"].iloc[0]) if kind == "difference" else ""
        panel.set_yticks(range(len(models)), [f"- {model}" for model in models] if top else models)
        panel.set_ylim(len(models) - 0.45, -0.65)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x")
        if kind == "score":
            panel.set_xlim(-2, 102)
            panel.set_xlabel(f"{score_label(frame['dimension'])}, mean of a dialogue")
        else:
            panel.axvline(0, color="black", lw=points(0.7))
            panel.set_xlabel("difference of a dialogue, points")
            texts = [f"{model} {interval(_first(rows, model))}" for model in models]
    scores = frame.loc[frame["part"] == "score"]
    n_dialogs, n_models = scores["dialog_id"].nunique(), scores["model"].nunique()
    level = f"{100 * float(frame['ci'].iloc[0]):g}%"
    differences = (
        f" Mean differences to {frame['other'].dropna().iloc[0]}: {'; '.join(texts)}." if texts else ""
    )
    below = f" Below: {frame['other'].dropna().iloc[0]} less the other models." if texts else ""
    return Drawing(
        f"Scores of {n_dialogs} dialogues"
        + (f" by {n_models} models, and paired differences" if texts else ""),
        f"One dot per dialogue; black: mean over dialogues with its {level} interval.{below}",
        f"n={n_dialogs} dialogues.{differences}",
    )


def _first(rows: pd.DataFrame, model: str) -> Any:
    return rows.loc[rows["model"] == model].iloc[0]


def _raincloud(ax: Axes, rows: pd.DataFrame, position: int, color: str) -> None:
    """Draw density above a row, dots below it, and the mean with its interval on it."""
    import numpy as np

    values = rows["value"].to_numpy(dtype=float)
    if len(values) > 2 and np.ptp(values) > 0:
        body: Any = ax.violinplot(
            values, [position], orientation="horizontal", side="low", widths=0.85, showextrema=False
        )
        for shape in body["bodies"]:
            shape.set(facecolor=color, alpha=0.45, linewidth=0)
    offsets = 0.08 + 0.24 * ((np.arange(len(values)) * _GOLDEN) % 1)
    ax.plot(values, position + offsets, ".", color=color, ms=points(2.2), alpha=0.7, mew=0)
    mean, low, high = (float(rows[name].iloc[0]) for name in ("mean", "low", "high"))
    ax.hlines(position, low, high, color="black", lw=points(1.6))
    ax.plot(mean, position, "o", color="black", ms=points(3))
