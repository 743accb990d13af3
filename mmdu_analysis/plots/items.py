"""Single turns and questions: right and wrong answers, and questions that all, some or no models answer right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import first_source, main_dimension, own_source, source_of, stamped
from mmdu_analysis.plots._labels import labelled_turns, labels
from mmdu_analysis.plots._layout import panels, set_plot_height
from mmdu_analysis.plots._marks import score_label
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, points, small
from mmdu_analysis.schema import MMDU, DataError, NotAvailable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_RIGHT, _WRONG, _EMPTY = "#9AD0F5", "#7A2E00", "#FFFFFF"
_KIND_COLORS = {
    "no image": "#F7E9B0",
    "single image": "#8FC9E8",
    "multi image": "#00425F",
    "unknown": "#A0A0A0",
    "all": "#00425F",
}


def _turn_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.scores import as_scores, only_dimension

    if study.scores is None:
        scores, rubric, dimension, source = labels(), MMDU, "Correct", source_of("correctness")
    else:
        scores, rubric, source = study.scores, study.rubric, own_source(study)
        dimension = main_dimension(study)
    kept = only_dimension(as_scores(scores, rubric=rubric), dimension, rubric)
    kept = kept.dropna(subset=["score", "dialog_id", "turn"])
    kept = kept.assign(points=rubric.to_percent(kept["score"].astype(float)))
    groups = kept.groupby(["model", "dialog_id", "turn"], sort=False, observed=True)
    frame = groups.agg(points=("points", "mean"), synthetic=("synthetic", "any")).reset_index()
    means = frame.groupby("dialog_id")["points"].mean().sort_values(ascending=False, kind="stable")
    positions = {dialog: number for number, dialog in enumerate(means.index, start=1)}
    frame["position"] = frame["dialog_id"].map(positions).astype("int64")
    frame["dimension"] = dimension
    frame = frame.sort_values(["model", "position", "turn"], kind="stable", ignore_index=True)
    return first_source(frame.astype({"turn": "int64"}), source)


@figure(
    caption="All answers of each model by dialogue and turn, with their scores as colours",
    numbers=_turn_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "main dimension"),
    size=(7.0, 2.7),
)
def right_wrong(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw a strip of dialogues by turns for each model, with the score of each turn as colour.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and turn: ``model``, ``dialog_id``, ``turn``, ``points`` (0-100), ``position`` (of the dialogue,
        the highest mean first), ``dimension``.
    """
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap
    from matplotlib.patches import Patch

    means = frame.groupby("model")["points"].mean().sort_values(ascending=False)
    models = means.index.tolist()
    binary = bool(frame["points"].isin((0.0, 100.0)).all())
    if binary:
        colors: Any = ListedColormap([_WRONG, _RIGHT])
    else:
        colors = LinearSegmentedColormap.from_list("mmdu_points", [_WRONG, "#F3D9C9", _RIGHT])
    colors = colors.with_extremes(bad=_EMPTY)
    parts = panels(ax, len(models), 1, sharex=True, row_height=0.65 + 0.3 / len(models))
    n_dialogs, n_turns = int(frame["position"].max()), int(frame["turn"].max())
    for part, model in zip(parts, models, strict=True):
        cells = np.full((n_turns, n_dialogs), np.nan)
        rows = frame.loc[frame["model"] == model]
        cells[rows["turn"].to_numpy() - 1, rows["position"].to_numpy() - 1] = rows["points"]
        extent = (0.5, n_dialogs + 0.5, 0.5, n_turns + 0.5)
        image = part.imshow(
            cells,
            cmap=colors,
            vmin=0,
            vmax=100,
            aspect="auto",
            origin="lower",
            extent=extent,
            interpolation="nearest",
        )
        part.set_title(f"{model}: {means[model]:.1f}", fontsize=small(), fontweight="normal", pad=points(2))
        part.set_ylabel("turn")
        part.locator_params(axis="y", integer=True, nbins=4)
    parts[-1].set_xlabel("dialogue, the highest mean over all models first")
    subtitle = f"One cell per turn; beside the name: {score_label(frame['dimension'])}."
    if binary:
        key = ([Patch(color=_RIGHT), Patch(color=_WRONG)], ["right", "wrong"])
    else:
        shades = (0, 50, 100)
        key = (
            [Patch(color=colors(value / 100)) for value in shades],
            [f"{value} points" for value in shades],
        )
        del image
    title = "Right and wrong answers" if binary else f"{frame['dimension'].iloc[0]}"
    return Drawing(
        f"{title} of {len(models)} model{'s' if len(models) > 1 else ''} by dialogue and turn",
        subtitle,
        f"n={n_dialogs} dialogues; white: no score, or the dialogue has no such turn.",
        legend=key,
    )


def _difficulty_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.breakdowns import describe_turns
    from mmdu_analysis.stats.items import difficulty_table, question_difficulty

    if study.scores is None:
        table = difficulty_table(
            question_difficulty(labels()), labelled_turns()[["dialog_id", "turn", "kind"]]
        )
        return stamped(table, source_of("correctness", "measured_questions"))
    kinds = describe_turns(study.benchmark) if study.benchmark is not None else None
    try:
        questions = question_difficulty(study.scores, rubric=study.rubric)
    except DataError as error:
        raise NotAvailable(str(error)) from None
    return stamped(difficulty_table(questions, kinds), own_source(study))


@figure(
    caption="Questions by the number of models that answer them right",
    numbers=_difficulty_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("labels", "two models", "turns"),
    size=(3.5, 2.1),
)
def item_difficulty(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw how many questions none, some and all models answer right.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per kind and number of models: ``kind``, ``n_right``, ``count``, ``percent``, ``n_models``, ``n_questions``,
        ``n_dropped``.
    """
    n_models, total = int(frame["n_models"].iloc[0]), int(frame["n_questions"].iloc[0])
    order = [kind for kind in _KIND_COLORS if kind in set(frame["kind"])]
    wide = frame.pivot(index="n_right", columns="kind", values="count")[order]
    left = [0.0] * len(wide)
    for kind in order:
        values = wide[kind].to_numpy(dtype=float)
        ax.barh(wide.index, values, left=left, color=_KIND_COLORS[kind], height=0.75, label=kind)
        left = [a + b for a, b in zip(left, values, strict=True)]
    for row, count in zip(wide.index, left, strict=True):
        ax.annotate(
            f"{count:,.0f} ({100 * count / total:.0f}%)",
            (count, row),
            (points(3), 0),
            textcoords="offset points",
            va="center",
            fontsize=small(),
            color=GREY,
        )
    set_plot_height(ax, 0.45 + 0.3 * (n_models + 1))
    names = {0: "no model", n_models: "both models" if n_models == 2 else f"all {n_models} models"}
    labels_ = [names.get(number, f"{number} model{'s' if number > 1 else ''}") for number in wide.index]
    ax.set_yticks(wide.index, labels_)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, max(left) * 1.25)
    ax.set_xlabel("questions")
    ax.set_ylabel("answered right by")
    ax.grid(axis="x")
    dropped = int(frame["n_dropped"].iloc[0])
    lost = f" {dropped:,} questions that not all models have are left out." if dropped else ""
    none, every = left[0], left[-1]
    subject = "both models are" if n_models == 2 else f"all {n_models} models are"
    return Drawing(
        f"{subject[0].upper()}{subject[1:]} right on {100 * every / total:.0f}% of the questions, none on {100 * none / total:.0f}%",
        "",
        f"n={total:,} questions.{lost}",
        legend=len(order) > 1,
    )
