"""Scores by turn, by dimension, and by properties of the turns."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import FEWEST_DIALOGS, main_dimension, own_source, stamped
from mmdu_analysis.plots._labels import scores_and_turns
from mmdu_analysis.plots._layout import rows_that_fit, set_plot_height
from mmdu_analysis.plots._marks import interval, level_note, name_rows, plural, score_label
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import band_line, model_styles, points, wrap_labels
from mmdu_analysis.schema import MMDU, DataWarning

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_LABELS = {
    "images": "images in the dialogue",
    "named_images": "images that the question is about",
    "context": "tokens of context",
    "kind": "subject of the question",
    "dimension": "",
}
_COLUMNS = {"images": "n_images", "named_images": "n_referenced", "context": "context_tokens", "kind": "kind"}
_FEWEST = 10
"""Minimum number of dialogues that reach a turn that is drawn."""


def _curve_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.breakdowns import score_breakdown, score_trend

    scores, _, rubric, source = scores_and_turns(study)
    dimension = None if study.scores is None else main_dimension(study)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DataWarning
        )  # few dialogues reach the last turns, which are not drawn
        curves = score_breakdown(scores, "turn", dimension=dimension, rubric=rubric)
        slopes = score_trend(scores, "turn", dimension=dimension, rubric=rubric)
    slopes = slopes.rename(columns={"low": "slope_low", "high": "slope_high"})
    frame = curves.merge(slopes[["model", "slope", "slope_low", "slope_high"]], on="model", how="left")
    return stamped(frame.astype({"bin": "int64"}), source)


@figure(
    caption="Scores along the dialogue by turn, with bands, and each model's slope within dialogues",
    numbers=_curve_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "main dimension"),
    size=(3.5, 2.3),
)
def turn_curves(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean score of each model at each turn, with its interval as a band.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and turn: ``model``, ``bin`` (turn), ``dimension``, ``mean``, ``low``, ``high``,
        ``n_dialogs``, ``slope``, ``slope_low``, ``slope_high``, ``ci``. Turns that few dialogues reach are
        left out.
    """
    reach = frame.groupby("bin")["n_dialogs"].max()
    last = int(reach.index[reach >= min(_FEWEST, reach.max())].max())
    kept = frame.loc[frame["bin"] <= last]
    styles = model_styles(frame["model"])
    for model, line in kept.groupby("model", sort=False):
        slope = interval(line.iloc[0], "slope", "slope_low", "slope_high", digits=2)
        band_line(ax, line["bin"], line, styles[str(model)], f"{model}\n{slope}")
    ax.set_xlim(1, max(last, 2))
    ax.set_ylim(0, 100)
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("turn")
    ax.set_ylabel(score_label(frame["dimension"]))
    ax.grid(axis="y")
    left_out = (
        f" Turns above {last}, which fewer than {_FEWEST} dialogues reach, are left out."
        if last < reach.index.max()
        else ""
    )
    return Drawing(
        _slope_title(frame),
        "Below the names: points per turn within dialogues.",
        f"{level_note(frame).replace('Lines', 'Bands and brackets')}{left_out} n={int(reach.max())} dialogues at the first "
        "turn. Late turns ask other kinds of questions, so a slope is not evidence of forgetting.",
        legend=True,
    )


def _slope_title(frame: pd.DataFrame) -> str:
    """Return a title with the slopes; they mix kinds of questions, so a negative slope is not called a fall."""
    trend = frame.drop_duplicates("model")
    if len(trend) == 1:
        row = trend.iloc[0]
        return f"{row['model']}: {interval(row, 'slope', 'slope_low', 'slope_high', 2)} points per turn"
    low, high = f"{trend['slope'].min():+.2f}", f"{trend['slope'].max():+.2f}"
    values = low if low == high else f"{low} to {high}"
    return f"{plural(len(trend), 'model')} by turn: {values} points per turn, all kinds of questions mixed"


def _breakdown_numbers(study: Any, by: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.breakdowns import score_breakdown

    scores, turns, rubric, source = scores_and_turns(study, _COLUMNS[by])
    dimension = None if study.scores is None else main_dimension(study)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DataWarning
        )  # bins of few dialogues have a note and are left out of the figure
        frame = score_breakdown(scores, by, turns, dimension=dimension, rubric=rubric)
    frame = frame.sort_values(["bin", "model"], kind="stable", ignore_index=True)
    return stamped(frame.astype({"bin": "str"}), source)


def _dots_of_bins(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw each model's mean in each bin with its interval; the marks of a bin are drawn within its stripe."""
    by = str(frame["by"].iloc[0])
    frame = frame.assign(bin=frame["bin"].astype(str))
    enough = frame["n_dialogs"] >= min(FEWEST_DIALOGS, frame["n_dialogs"].max())
    kept, left_out = frame.loc[enough], frame.loc[~enough, "bin"].unique()
    bins, models = list(dict.fromkeys(kept["bin"])), sorted(kept["model"].unique())
    styles = model_styles(models)
    width = 0.7
    for row in range(0, len(bins), 2):
        ax.axvspan(row - 0.5, row + 0.5, color="#F4F4F4", lw=0, zorder=0)
    for number, model in enumerate(models):
        line, style = kept.loc[kept["model"] == model], styles[model]
        shift = (number + 0.5) / len(models) * width - width / 2
        x = [bins.index(name) + shift for name in line["bin"]]
        ax.vlines(
            x, line["low"].astype(float), line["high"].astype(float), color=style["color"], lw=points(1.4)
        )
        ax.plot(x, line["mean"], style["marker"], color=style["color"], ms=points(4), label=model)
    counts = kept.groupby("bin")["n_turns"].max()
    labels = [
        f"{label}\nn={counts[name]:,}"
        for label, name in zip(wrap_labels(bins, 10 if len(bins) > 3 else 20), bins, strict=True)
    ]
    ax.set_xticks(range(len(bins)), labels)
    ax.set_xlim(-0.5, len(bins) - 0.5)
    ax.set_ylim(0, 100)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel(_LABELS[by])
    ax.set_ylabel(score_label(frame["dimension"]))
    ax.grid(axis="y")
    few = (
        f" Left out, with fewer than {FEWEST_DIALOGS} dialogues: {', '.join(left_out)}."
        if len(left_out)
        else ""
    )
    return Drawing(
        _bins_title(kept, by), "", f"{level_note(frame)} n: turns per model.{few}".strip(), legend=True
    )


def _bins_title(frame: pd.DataFrame, by: str) -> str:
    """Return a title with the highest and lowest bin if their intervals are disjoint for every model; else with the range of the means."""
    what = {
        "images": "images in the dialogue",
        "named_images": "images that the question is about",
        "context": "tokens of context",
        "kind": "kind of question",
        "dimension": "dimension",
    }[by]
    subject = "Answers right" if list(frame["dimension"].unique()) == ["Correct"] else "Scores"
    wide = {name: frame.pivot(index="model", columns="bin", values=name) for name in ("mean", "low", "high")}
    order = wide["mean"].mean().sort_values()
    lowest, highest = str(order.index[0]), str(order.index[-1])
    separate = lowest != highest and (wide["low"][highest] > wide["high"][lowest]).all()
    one = frame["model"].nunique() == 1
    if not separate:
        return f"{subject} by {what}: {frame['mean'].min():.0f} to {frame['mean'].max():.0f}"
    means = ((highest, wide["mean"][highest]), (lowest, wide["mean"][lowest]))
    texts = [f"{_named(name, by)} {_whole(values)}" for name, values in means]
    return f"{subject} by {what}: {', '.join(texts)}" + ("" if one else f" in {len(wide['mean'])} models")


def _named(name: str, by: str) -> str:
    if by in ("images", "named_images"):
        return f"{name} image" + ("" if name == "1" else "s")
    return f"{name} tokens" if by == "context" else name


def _whole(values: pd.Series) -> str:
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return low if low == high else f"{low}-{high}"


def _dimension_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.breakdowns import score_breakdown

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        frame = score_breakdown(study.need_scores(), "dimension", rubric=study.rubric)
    ranks = {name: rank for rank, name in enumerate(study.rubric.order(frame["bin"].unique()))}
    frame = frame.sort_values("bin", key=lambda names: names.map(ranks), kind="stable", ignore_index=True)
    return stamped(frame, own_source(study))


@figure(
    caption="Scores by dimension, with intervals",
    numbers=_dimension_numbers,
    notebook="03_model_scores",
    needs=("judged dimensions", "two dimensions"),
    size=(3.5, 2.6),
)
def scores_by_dimension(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean of each model in each dimension with its interval.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and bin: ``model``, ``bin``, ``dimension``, ``mean``, ``low``, ``high``,
        ``n_dialogs``, ``n_turns``, ``by``, ``ci``; bins in the order in which they are drawn.
    """
    bins, models = list(dict.fromkeys(frame["bin"])), sorted(frame["model"].unique())
    set_plot_height(ax, 0.45 + len(bins) * max(0.2, 0.07 * len(models)))
    styles = model_styles(models)
    for number, model in enumerate(models):
        line, style = frame.loc[frame["model"] == model], styles[model]
        shift = (number + 0.5) / len(models) * 0.7 - 0.35
        y = [bins.index(name) + shift for name in line["bin"]]
        ax.hlines(
            y, line["low"].astype(float), line["high"].astype(float), color=style["color"], lw=points(1.4)
        )
        ax.plot(line["mean"], y, style["marker"], color=style["color"], ms=points(3.5), label=model)
    for row in range(0, len(bins), 2):
        ax.axhspan(row - 0.5, row + 0.5, color="#F4F4F4", lw=0, zorder=0)
    wrapped = wrap_labels(bins, 18)
    n_lines = len(bins) * max(label.count("\n") + 1 for label in wrapped)
    low = rows_that_fit(ax, n_lines) < n_lines
    name_rows(ax, [MMDU.short_names.get(name, name) for name in bins] if low else wrapped)
    ax.set_xlim(0, 100)
    ax.grid(axis="x")
    ax.set_xlabel(score_label([]))
    return Drawing(_bins_title(frame, "dimension"), "", level_note(frame), legend=True)


def _images_numbers(study: Any) -> pd.DataFrame:
    return _breakdown_numbers(study, "images")


@figure(
    caption="Scores by the number of images in the dialogue, with intervals",
    numbers=_images_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "benchmark", "main dimension"),
    size=(3.5, 2.2),
)
def scores_by_images(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean of each model by the number of images in the dialogue.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `scores_by_dimension`.
    """
    return _dots_of_bins(frame, ax)


def _named_images_numbers(study: Any) -> pd.DataFrame:
    return _breakdown_numbers(study, "named_images")


@figure(
    caption="Scores by the number of images that the question is about, with intervals",
    numbers=_named_images_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "benchmark", "main dimension"),
    size=(3.5, 2.2),
)
def scores_by_named_images(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean of each model by the number of images that the question is about.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `scores_by_dimension`.
    """
    return _dots_of_bins(frame, ax)


def _context_numbers(study: Any) -> pd.DataFrame:
    return _breakdown_numbers(study, "context")


@figure(
    caption="Scores by the tokens of context, with intervals",
    numbers=_context_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "context", "main dimension"),
    size=(3.5, 2.2),
)
def scores_by_context(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean of each model by the tokens of context.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `scores_by_dimension`.
    """
    return _dots_of_bins(frame, ax)


def _kind_numbers(study: Any) -> pd.DataFrame:
    return _breakdown_numbers(study, "kind")


@figure(
    caption="Scores by the kind of question, with intervals",
    numbers=_kind_numbers,
    notebook="03_model_scores",
    facts="scores",
    needs=("turns", "benchmark", "main dimension"),
    size=(3.5, 2.2),
)
def scores_by_kind(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean of each model by the kind of question: about no, one or several images.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `scores_by_dimension`.
    """
    return _dots_of_bins(frame, ax)
