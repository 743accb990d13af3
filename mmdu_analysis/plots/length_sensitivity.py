"""Scores against the length of answers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import main_dimension, own_source, source_of, stamped
from mmdu_analysis.plots._labels import labels
from mmdu_analysis.plots._marks import score_label
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, model_styles, points
from mmdu_analysis.schema import MMDU, DataError, DataWarning, NotAvailable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def _numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.length_control import adjust_for_length

    if study.scores is None:
        answers = load_published("measured_answers")[["model", "dialog_id", "turn", "answer_tokens"]]
        scores, dimension, rubric = labels(), "Correct", MMDU
        source = source_of("correctness", "measured_answers")
    else:
        scores, answers, rubric = study.scores, study.need_answers(), study.rubric
        dimension, source = main_dimension(study), own_source(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            frame = adjust_for_length(scores, answers, dimension=dimension, rubric=rubric)
        except NotAvailable:
            raise
        except DataError as error:
            raise NotAvailable(str(error)) from None
    return stamped(frame, source)


@figure(
    caption="Scores against the length of answers, as scored and at equal length",
    numbers=_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("answers", "two models", "turns", "dialogs", "main dimension"),
    size=(3.5, 2.5),
)
def score_and_length(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw each model's score against the length of its answers, and its score at equal length.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `adjust_for_length`: ``model``, ``mean``, ``low``, ``high``, ``adjusted``, ``adjusted_low``,
        ``adjusted_high``, ``answer_tokens``, ``length_effect`` with ``_low`` and ``_high``, ``common_tokens``,
        ``dimension``, ``ci``.
    """
    import numpy as np
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    styles = model_styles(frame["model"])
    centre = float(frame["common_tokens"].iloc[0])
    for row in frame.to_dict("records"):
        style = styles[row["model"]]
        x = row["answer_tokens"]
        ax.plot([x, centre], [row["mean"], row["adjusted"]], ":", color=style["color"], lw=points(0.8))
        ax.vlines(x, row["low"], row["high"], color=style["color"], lw=points(1.4))
        ax.vlines(centre, row["adjusted_low"], row["adjusted_high"], color=style["color"], lw=points(0.9))
        ax.plot(x, row["mean"], style["marker"], color=style["color"], ms=points(5), label=row["model"])
        ax.plot(centre, row["adjusted"], style["marker"], color=style["color"], mfc="white", ms=points(5))
    low, high = frame["answer_tokens"].min(), frame["answer_tokens"].max()
    ax.set_xscale("log", base=2)
    ticks = np.unique(np.round(np.geomspace(max(low, 1), max(high, 2), 4))).tolist()
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.axvline(centre, color=GREY, lw=points(0.6), zorder=0)
    ax.set_xlim(max(low, 0.5) / 1.2, max(high, 1) * 1.2)
    ax.set_ylim(0, 100)
    ax.set_xlabel("tokens of an answer, geometric mean (log scale)")
    ax.set_ylabel(score_label(frame["dimension"]))
    ax.grid(axis="y")
    effect = frame.iloc[0]
    several = frame["length_effect"].nunique() > 1
    values = "{length_effect:+.1f} [{length_effect_low:+.1f}, {length_effect_high:+.1f}]".format(**effect)
    title = "Scores and lengths of answers" if several else f"Answers of twice the length: {values} points"
    return Drawing(
        title,
        "Filled: as scored. Hollow: at equal length.",
        f"Regression on model, question and log length; {100 * float(effect['ci']):g}% intervals, bootstrap over "
        f"dialogues. n={int(frame['n_turns'].max()):,} turns per model. Length can be a consequence of quality, so equal "
        "length is a check of sensitivity, not a better ranking.",
        legend=True,
    )
