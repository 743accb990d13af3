"""Scores by turn, by images, by context, by kind of question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import (
    COLUMN,
    band_line,
    interval_words,
    legend_below,
    model_styles,
    new_axes,
    say,
    source_note,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_AXES = {
    "turn": "turn",
    "images": "images in the dialogue",
    "named_images": "images that the question is about",
    "context": "tokens to read before answering",
    "kind": "what the question is about",
    "dimension": "dimension",
}
_THINGS = {"images": " images", "named_images": " images named", "context": " tokens"}
_FEWEST = 10
_FEWEST_DIALOGS = 5


def turn_curves(curves: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each model's score along the turns, with its band.

    Parameters
    ----------
    curves : pandas.DataFrame
        From `score_breakdown` by turn. Turns that fewer than ten dialogues reach are left out, and said.
        Where there are columns ``slope``, ``slope_low``, ``slope_high`` (from `score_trend`), the slope
        stands beside the model's name.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One line a model.
    """
    ax = new_axes(ax, COLUMN, 3.0)
    curves = curves.assign(bin=curves["bin"].astype(int))
    reach = curves.groupby("bin")["n_dialogs"].max()
    last = int(reach.index[reach >= min(_FEWEST, reach.max())].max())
    trend = curves.drop_duplicates("model") if "slope" in curves else None
    slopes = {} if trend is None else trend.set_index("model")["slope"].to_dict()
    styles = model_styles(curves["model"].unique())
    for model, line in curves.loc[curves["bin"] <= last].groupby("model", sort=False):
        label = f"{model} ({slopes[model]:+.2f} a turn)" if model in slopes else str(model)
        band_line(ax, line["bin"], line, styles[str(model)], label)
    ax.set_xlim(1, last)
    ax.set_ylim(0, 100)
    ax.locator_params(axis="x", integer=True)
    ax.set_xlabel("turn")
    ax.set_ylabel(score_label(curves))
    ax.grid(axis="y")
    legend_below(ax)
    say(ax, _headline(trend))
    left_out = (
        f" Turns above {last}, in fewer than {_FEWEST} dialogues, are left out."
        if last < reach.index.max()
        else ""
    )
    slope_words = " Slopes: points a turn within dialogues." if slopes else ""
    _note(ax, curves, f"{interval_words(curves)}.{slope_words}{left_out}")
    return ax


def _headline(trend: pd.DataFrame | None) -> str:
    if trend is None:
        return "Scores along the dialogue"
    if (trend["slope_high"] < 0).all():
        return "Every model falls off as the dialogue grows"
    if (trend["slope_low"] > 0).all():
        return "Every model rises as the dialogue grows"
    falling = int((trend["slope_high"] < 0).sum())
    return f"{falling} of {len(trend)} models fall off\nas the dialogue grows"


def breakdown_dots(frame: pd.DataFrame, *, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw each model's score in each bin, with its interval.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `score_breakdown`.
    title : str, optional
        What to see; by default the bins with the highest and the lowest score.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One dot a model and bin.
    """
    ax = new_axes(ax, COLUMN, 2.8)
    what = frame.attrs.get("breakdown", "")
    sure = (frame["n_dialogs"] >= min(_FEWEST_DIALOGS, frame["n_dialogs"].max())).fillna(True)
    left_out, frame = not sure.all(), frame.loc[sure]
    bins = list(dict.fromkeys(frame["bin"])) if what == "dimension" else _ordered(frame)
    models = list(frame["model"].unique())
    styles = model_styles(models)
    spread = 0.6 / max(1, len(models) - 1) if len(models) > 1 else 0.0
    for place, (model, line) in enumerate(frame.groupby("model", sort=False)):
        style = styles[str(model)]
        rows = [bins.index(name) + (place - (len(models) - 1) / 2) * spread for name in line["bin"]]
        ax.vlines(rows, line["low"], line["high"], color=style["color"], lw=1.2, alpha=0.7)
        ax.plot(rows, line["mean"], style["marker"], color=style["color"], ms=4, label=str(model))
    counts = frame.groupby("bin", observed=True)["n_turns"].max()
    names = [str(name).replace(" Understanding", "") for name in bins]
    if what == "dimension":
        names = [name.replace(" ", "\n") if " " in name else f"{name}\n" for name in names]
    ax.set_xticks(
        range(len(bins)), [f"{name}\n(n={counts[key]:,})" for name, key in zip(names, bins, strict=True)]
    )
    if what == "dimension":
        ax.set_xticks(range(len(bins)), names, fontsize=5.5)
    ax.set_xlim(-0.6, len(bins) - 0.4)
    ax.set_ylim(0, 100)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel(_AXES.get(what, ""))
    ax.set_ylabel(score_label(frame))
    ax.grid(axis="y")
    legend_below(ax, tick_lines=names[0].count("\n") + 2, ncol=2 if len(models) < 3 else 3)
    best, worst = (frame.loc[frame["mean"].agg(end), "bin"] for end in ("idxmax", "idxmin"))
    things = _THINGS.get(what, "")
    say(ax, title or f"Highest: {best}{things}\nlowest: {worst}{things}")
    turns = "" if what == "dimension" else " n: turns a model."
    few = f" Bins of fewer than {_FEWEST_DIALOGS} dialogues are left out." if left_out else ""
    _note(ax, frame, f"{interval_words(frame)}.{turns}{few}")
    return ax


def _ordered(frame: pd.DataFrame) -> list[object]:
    have = set(frame["bin"])
    return [name for name in frame["bin"].cat.categories if name in have]


def score_label(frame: pd.DataFrame) -> str:
    """Name what is drawn: the dimension with its scale, or the share of right answers."""
    names = list(frame["dimension"].unique())
    if names == ["Correct"]:
        return "% of answers right"
    return f"{names[0]}, 0-100" if len(names) == 1 else "score, 0-100"


def _note(ax: Axes, frame: pd.DataFrame, text: str) -> None:
    source = frame.attrs.get("source") or "own data"
    source_note(ax, f"{text} Source: {source}", synthetic=bool(frame.attrs.get("synthetic")))
