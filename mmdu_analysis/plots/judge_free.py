"""Separation of right and wrong answers by metrics without a judge."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import own_source, source_of, stamped
from mmdu_analysis.plots._layout import inches_wide, panels
from mmdu_analysis.plots._marks import level_note
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import model_styles, points, small, wrap_labels
from mmdu_analysis.schema import DataError, DataWarning, NotAvailable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_NAMES = {
    "answer_tokens": "length",
    "rouge_l": "ROUGE-L",
    "token_f1": "token F1",
    "hallucinated_images": "names other images",
    "unseen_images": "names unseen images",
    "forgotten_images": "omits requested images",
    "repetition": "repetition",
    "refusal": "refusal",
}

_FEWEST_ANSWERS = 20
"""Answers of a kind of question below which it is not drawn."""


def _numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.schema import MMDU
    from mmdu_analysis.stats.answer_metrics import answer_metrics
    from mmdu_analysis.stats.metric_validity import metric_validity

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        if study.scores is None:
            metrics, scores, rubric = load_published("measured_answers"), load_published("correctness"), MMDU
            source = source_of("measured_answers", "correctness")
        else:
            metrics = answer_metrics(study.need_answers(), study.need_benchmark())
            scores, rubric, source = study.scores, study.rubric, own_source(study)
        try:
            frame = metric_validity(metrics, scores, rubric=rubric)
        except DataError as error:
            raise NotAvailable(str(error)) from None
    kinds = [kind for kind in dict.fromkeys(frame["kind"]) if kind != "all"]
    kept = frame.loc[frame["kind"].isin(kinds or ["all"])].dropna(subset="auc")
    if kept.empty:
        raise NotAvailable("no model has right and wrong answers in two dialogues")
    return stamped(kept.reset_index(drop=True), source)


@figure(
    caption="Separation of right and wrong answers by metrics without a judge, by model and kind of question",
    numbers=_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("labels", "answers", "benchmark", "turns"),
    size=(7.0, 2.6),
)
def judge_free_metrics(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the area under the ROC curve of each metric, one panel per kind of question.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `metric_validity`: ``model``, ``kind``, ``metric``, ``auc``, ``low``, ``high``, ``n_right``,
        ``n_wrong``, ``ci``.
    """
    frame, left_out = _with_enough(frame)
    metrics = [name for name in _NAMES if name in set(frame["metric"])]
    kinds, models = list(dict.fromkeys(frame["kind"])), sorted(frame["model"].unique())
    styles = model_styles(models)
    parts = panels(ax, 1, len(kinds), sharey=True, row_height=0.5 + 0.26 * len(metrics))
    for part, kind in zip(parts, kinds, strict=True):
        rows = frame.loc[frame["kind"] == kind]
        for number, model in enumerate(models):
            shift = (number + 0.5) / len(models) * 0.7 - 0.35
            line, style = rows.loc[rows["model"] == model], styles[model]
            y = [metrics.index(name) + shift for name in line["metric"]]
            part.hlines(
                y, line["low"].astype(float), line["high"].astype(float), color=style["color"], lw=points(1.3)
            )
            part.plot(line["auc"], y, style["marker"], color=style["color"], ms=points(3.5), label=model)
        for row in range(0, len(metrics), 2):
            part.axhspan(row - 0.5, row + 0.5, color="#F4F4F4", lw=0, zorder=0)
        part.axvline(0.5, color="black", lw=points(0.7))
        part.set_xlim(0, 1)
        part.set_xticks([0, 0.5, 1])
        title = "" if kind == "all" else wrap_labels([kind], 7 if inches_wide(ax) < 3 else 20)[0]
        part.set_title(title, fontsize=small(), fontweight="normal")
        part.set_xlabel("AUC")
    parts[0].set_yticks(range(len(metrics)), [_NAMES[name] for name in metrics])
    parts[0].set_ylim(len(metrics) - 0.5, -0.5)
    for part in parts:
        part.tick_params(axis="y", length=0)
    apart = _separating(frame)
    return Drawing(
        f"{len(apart)} of {len(metrics)} metrics separate right from wrong answers in all models and kinds of questions",
        "AUC: probability that a right answer has the higher value than a wrong one; 0.5: no separation.",
        f"{level_note(frame)} Separate: the interval excludes 0.5 on the same side everywhere. n={_counts(frame)} right and "
        f"wrong answers of a model and kind.{left_out}",
        legend=True,
    )


def _with_enough(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows of kinds with enough answers, and a note on the others."""
    totals = (frame["n_right"] + frame["n_wrong"]).groupby(frame["kind"]).max()
    few = totals.index[totals < min(_FEWEST_ANSWERS, totals.max())].tolist()
    note = f" Left out, with fewer than {_FEWEST_ANSWERS} answers: {', '.join(few)}." if few else ""
    return frame.loc[~frame["kind"].isin(few)], note


def _separating(frame: pd.DataFrame) -> list[str]:
    """Return the metrics whose intervals exclude 0.5, on the same side, in all models and kinds."""
    groups = frame.groupby("metric")
    return [str(name) for name, part in groups if (part["low"] > 0.5).all() or (part["high"] < 0.5).all()]


def _counts(frame: pd.DataFrame) -> str:
    totals = frame["n_right"] + frame["n_wrong"]
    return f"{totals.min():,}" if totals.min() == totals.max() else f"{totals.min():,} to {totals.max():,}"
