"""Ranks with intervals, and the differences of all pairs of models."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import main_dimension, own_source, source_of, stamped
from mmdu_analysis.plots._labels import labels
from mmdu_analysis.plots._layout import set_plot_height
from mmdu_analysis.plots._marks import beside, interval, name_rows
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import points
from mmdu_analysis.schema import MMDU, DataError, DataWarning, NotAvailable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_DARK, _LIGHT = "#222222", "#9A9A9A"


def _scores(study: Any) -> tuple[pd.DataFrame, str, Any, str]:
    """Return scores, the dimension to show, their rubric and source."""
    if study.scores is None:
        return labels(), "Correct", MMDU, source_of("correctness")
    return study.scores, main_dimension(study), study.rubric, own_source(study)


def _rank_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.pairs import rank_models

    scores, dimension, rubric, source = _scores(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # n_dropped is in the note of the figure
        try:
            frame = rank_models(scores, dimension=dimension, rubric=rubric)
        except DataError as error:
            raise NotAvailable(f"the models can't be ranked: {error}") from None
    return stamped(frame, source)


@figure(
    caption="Ranks of the models with simultaneous intervals, and groups without significant differences",
    numbers=_rank_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("two models", "dialogs", "turns", "main dimension"),
    size=(3.5, 1.8),
)
def rank_intervals(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the rank of each model with its interval, the first on top.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `rank_models`: ``model``, ``dimension``, ``mean``, ``rank``, ``rank_low``, ``rank_high``,
        ``group``, ``n_dialogs``, ``n_turns``, ``n_dropped``, ``ci``.
    """
    rows = list(range(len(frame)))
    set_plot_height(ax, 0.45 + 0.2 * len(frame))
    ax.hlines(rows, frame["rank_low"], frame["rank_high"], color=_LIGHT, lw=points(4))
    ax.plot(frame["rank"], rows, "o", color=_DARK, ms=points(4.5), zorder=3)
    for row, line in enumerate(frame.to_dict("records")):
        beside(ax, f"{line['mean']:.1f}  {line['group']}", row)
    name_rows(ax, frame["model"].astype(str).tolist())
    ax.set_xlim(0.6, len(frame) + 0.4)
    ax.set_xticks(range(1, len(frame) + 1))
    ax.grid(axis="x")
    ax.set_xlabel("rank")
    exact = int((frame["rank_low"] == frame["rank_high"]).sum())
    first = frame.iloc[0]
    dropped = (
        f" {int(first['n_dropped']):,} turns that not all models have are left out."
        if first["n_dropped"]
        else ""
    )
    name = "share of right answers" if first["dimension"] == "Correct" else str(first["dimension"])
    return Drawing(
        f"{exact} of {len(frame)} ranks are certain at {100 * float(first['ci']):g}% ({name})",
        "Grey: ranks consistent with the differences. Right: mean, and a common letter for models that are not "
        "significantly different.",
        f"The intervals hold simultaneously (paired comparisons, Holm's correction). n={int(first['n_dialogs'])} dialogues, "
        f"{int(first['n_turns']):,} turns that all models have.{dropped}",
    )


def _pair_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.pairs import compare_all_models
    from mmdu_analysis.stats.scores import as_scores, only_dimension

    scores, dimension, rubric, source = _scores(study)
    kept = only_dimension(as_scores(scores, repeats=True, rubric=rubric), dimension, rubric)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        frame = compare_all_models(kept, rubric=rubric)
    if frame["difference"].isna().all():
        raise NotAvailable("no two models share scored turns")
    return stamped(frame, source)


@figure(
    caption="Differences of all pairs of models on the turns that both have, with intervals",
    numbers=_pair_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("two models", "dialogs", "turns", "main dimension"),
    size=(3.5, 2.0),
)
def pairwise_differences(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the difference of each pair of models as a forest, the largest on top.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `compare_all_models`, one dimension: ``model_a``, ``model_b``, ``difference``, ``low``, ``high``,
        ``p_holm``, ``n_dialogs``, ``n_turns``, ``ci``. Pairs are ordered so that the difference is positive.
    """
    known = frame.loc[frame["difference"].notna()]
    turned = (known["difference"] < 0).to_numpy()
    pairs = known.assign(
        first=known["model_a"].where(~turned, known["model_b"]),
        second=known["model_b"].where(~turned, known["model_a"]),
        value=known["difference"].abs(),
        least=known["low"].where(~turned, -known["high"]),
        most=known["high"].where(~turned, -known["low"]),
    ).sort_values("value", ascending=False, kind="stable", ignore_index=True)
    level = 1 - float(frame["ci"].iloc[0])
    sure = (pairs["p_holm"] < level).to_numpy()
    set_plot_height(ax, 0.45 + 0.25 * len(pairs))
    for chosen, color, face in ((sure, _DARK, _DARK), (~sure, _LIGHT, "white")):
        part, rows = pairs.loc[chosen], pairs.index[chosen].to_numpy()
        ax.hlines(rows, part["least"].astype(float), part["most"].astype(float), color=color, lw=points(1.5))
        ax.plot(part["value"], rows, "o", color=color, mfc=face, ms=points(4.5))
    for row, line in enumerate(pairs.to_dict("records")):
        beside(ax, interval(line, "value", "least", "most"), row)
    name_rows(ax, [f"{row['first']}\n- {row['second']}" for row in pairs.to_dict("records")])
    ax.axvline(0, color="black", lw=points(0.7))
    ax.grid(axis="x")
    ax.set_xlabel("difference, points")
    name = (
        "share of right answers"
        if frame["dimension"].iloc[0] == "Correct"
        else str(frame["dimension"].iloc[0])
    )
    without = len(frame) - len(known)
    lost = f" {without} pairs share no turn and are left out." if without else ""
    shared = pairs["n_turns"]
    turns = f"{shared.min():,}" if shared.min() == shared.max() else f"{shared.min():,} to {shared.max():,}"
    return Drawing(
        f"{int(sure.sum())} of {len(pairs)} pairs differ significantly ({name})",
        "Filled: significant after Holm's correction over all pairs.",
        f"Lines: {100 * (1 - level):g}% intervals of single pairs, paired on {turns} shared turns, clustered by "
        f"dialogue.{lost}",
    )
