"""Memory decay: curves along the dialogue, and the coefficients behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.breakdowns import score_label
from mmdu_analysis.figures.style import (
    COLUMN,
    GREY,
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
    "distance": "turns since the image was first asked about",
    "revisit": "earlier questions about the image",
    "turn": "turn",
    "progress": "progress through the dialogue (turn / last turn)",
}


def decay_lines(curve: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw scores along the dialogue or along the distance from an image.

    Parameters
    ----------
    curve : pandas.DataFrame
        From `decay_curve`. Where there are columns ``coef``, ``coef_low``, ``coef_high`` (from `memory_decay`),
        the coefficient stands beside the model's name.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One line a model.
    """
    ax = new_axes(ax, COLUMN, 3.0)
    along = curve.attrs["along"]
    known = curve.drop_duplicates("model").set_index("model").to_dict("index") if "coef" in curve else {}
    styles = model_styles(curve["model"].unique())
    for model, line in curve.groupby("model", sort=False):
        label = str(model)
        if label in known:
            row = known[label]
            label += f": {row['coef']:.3f} [{row['coef_low']:.3f}, {row['coef_high']:.3f}]"
        band_line(ax, line[along], line, styles[str(model)], label)
    ax.set_xlim(curve[along].min(), curve[along].max())
    ax.set_ylim(0, 100)
    if along != "progress":
        ax.locator_params(axis="x", integer=True)
    ax.set_xlabel(_AXES[along])
    ax.set_ylabel(score_label(curve))
    ax.grid(axis="y")
    legend_below(ax, ncol=1)
    ends = curve[along].min(), curve[along].max()
    first, last = (curve.loc[curve[along] == end].set_index("model")["mean"] for end in ends)
    lower = int((last < first).sum())
    count = "each model" if lower == len(first) else f"{lower} of {len(first)} models"
    say(ax, f"Lower at the end in {count}:\n{_span(first)} at first, {_span(last)} at last")
    end = f" The last point holds all from {curve.attrs['open_end']} on." if "open_end" in curve.attrs else ""
    unit = "log-odds" if curve.attrs.get("binary") else "points"
    beside = f" Beside the names: coefficient in {unit} a step, alone." if known else ""
    source_note(
        ax,
        f"Each image that a turn is about counts once; late turns are about several (see memory_coefficients). {interval_words(curve)}.{end}{beside} "
        f"Source: {curve.attrs.get('source') or 'own data'}",
        synthetic=bool(curve.attrs.get("synthetic")),
    )
    return ax


def _span(values: pd.Series) -> str:
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return low if low == high else f"{low} to {high}"


def decay_coefficients(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the coefficients of memory decay, alone and at equal kinds of questions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Two frames from `memory_decay`, ``adjust`` False and True, with a column ``adjusted``. Coefficients are
        drawn for the whole range of each predictor: column ``span`` says how many steps that is.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        Two marks a model and predictor.
    """
    rows = list(dict.fromkeys(zip(frame["predictor"], frame["model"], strict=True)))
    ax = new_axes(ax, COLUMN, 1.5 + 0.32 * len(rows))
    places = {
        row: number + 0.6 * [name for name, _ in _runs(rows)].index(row[0]) for number, row in enumerate(rows)
    }
    for adjusted, marker, color, shift, label in (
        (False, "o", "#D55E00", -0.13, "alone"),
        (True, "D", "#0072B2", 0.13, "at equal kinds of questions"),
    ):
        part = frame.loc[frame["adjusted"] == adjusted]
        heights = [places[row] + shift for row in zip(part["predictor"], part["model"], strict=True)]
        ax.hlines(heights, part["low"] * part["span"], part["high"] * part["span"], color=color, lw=1.4)
        ax.plot(part["coef"] * part["span"], heights, marker, color=color, ms=4.5, label=label)
    ax.axvline(0, color=GREY, lw=0.8)
    ax.set_yticks(list(places.values()), [model for _, model in rows])
    for predictor, first in _runs(rows):
        ax.annotate(
            predictor,
            (0.01, places[first] - 0.6),
            xycoords=("axes fraction", "data"),
            va="center",
            fontweight="bold",
        )
    ax.set_ylim(max(places.values()) + 0.6, -1.0)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    unit = "log-odds" if frame.attrs.get("family") == "logistic" else "points"
    ax.set_xlabel(f"change over the range, {unit}")
    legend_below(ax)
    say(ax, _headline(frame))
    source_note(
        ax,
        "Left of 0: worse. The range goes from the lowest to the 95 % quantile. Kinds: questions about one image, or "
        f"about several. Lines: {frame.attrs.get('ci', 0.95):.0%} intervals, clustered by dialogue. "
        f"Source: {frame.attrs.get('source') or 'own data'}",
        synthetic=bool(frame.attrs.get("synthetic")),
    )
    return ax


def _runs(rows: list[tuple[str, str]]) -> list[tuple[str, tuple[str, str]]]:
    """Give each predictor with its first row."""
    first: dict[str, tuple[str, str]] = {}
    for row in rows:
        first.setdefault(row[0], row)
    return list(first.items())


def _headline(frame: pd.DataFrame) -> str:
    alone, adjusted = (frame.loc[frame["adjusted"] == kind] for kind in (False, True))
    if (alone["high"] < 0).all() and not (adjusted["high"] < 0).any():
        return "Among questions of the same kind\nthere is no fall"
    if (adjusted["high"] < 0).all():
        return "A fall, also among questions\nof the same kind"
    return "Change along the dialogue, alone\nand at equal kinds of questions"
