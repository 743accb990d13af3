"""How well metrics without a judge tell right answers from wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import COLUMN, GREY, legend_below, model_styles, new_axes, say, source_note

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_NAMES = {
    "answer_tokens": "length",
    "rouge_l": "ROUGE-L",
    "token_f1": "token F1",
    "hallucinated_images": "images named, not asked",
    "unseen_images": "images named unseen",
    "forgotten_images": "images asked, not named",
    "repetition": "repetition",
    "refusal": "refusal",
}
_USEFUL = 0.8


def judge_free_metrics(validity: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the area under the curve of each metric, for each model.

    Parameters
    ----------
    validity : pandas.DataFrame
        From `metric_validity`.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One dot a metric and model.
    """
    metrics = list(dict.fromkeys(validity["metric"]))
    models = list(validity["model"].unique())
    styles = model_styles(models)
    ax = new_axes(ax, COLUMN, 1.2 + 0.3 * len(metrics))
    for place, (model, part) in enumerate(validity.groupby("model", sort=False)):
        shift = (place - (len(models) - 1) / 2) * 0.6 / max(2, len(models))
        rows = [metrics.index(name) + shift for name in part["metric"]]
        style = styles[str(model)]
        ax.hlines(rows, part["low"], part["high"], color=style["color"], lw=1.4)
        ax.plot(part["auc"], rows, style["marker"], color=style["color"], ms=4, label=str(model))
    ax.axvline(0.5, color=GREY, lw=0.8)
    totals = validity.assign(n=validity["n_right"] + validity["n_wrong"]).groupby("metric")["n"].max()
    names = [f"{_NAMES.get(name, name)}\n(n={totals[name]:,})" for name in metrics]
    ax.set_yticks(range(len(metrics)), names)
    ax.set_ylim(len(metrics) - 0.5, -0.5)
    ax.set_xlim(0, 1)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_xlabel("AUC: right answers have the higher value")
    legend_below(ax, ncol=1)
    strength = (validity["auc"] - 0.5).abs().groupby(validity["metric"]).min()
    good = [_NAMES.get(name, name) for name in strength.index[strength > _USEFUL - 0.5]]
    say(
        ax,
        f"{', '.join(good)} can stand in for a judge" if good else "None of them can stand in\nfor a judge",
    )
    source_note(
        ax,
        f"0.5 tells nothing; left of it, right answers have the lower value. Standing in: beyond {_USEFUL} (or below "
        f"{1 - _USEFUL:.1f}) for each model. Lines: {validity.attrs.get('ci', 0.95):.0%} intervals, bootstrap over dialogues. n: "
        f"answers a model. Source: {validity.attrs.get('source') or 'own data'}",
        synthetic=bool(validity.attrs.get("synthetic")),
    )
    return ax
