"""Common marks of score figures: dots with intervals, rows of models, words for intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._style import ACCESS_COLORS, ACCESS_LABELS, ACCESS_MARKERS, GREY, points, small
from mmdu_analysis.schema import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

UNKNOWN_LABEL = "own model"
"""Label of models whose access is unknown: all published models have one."""


def access_style(access: object) -> dict[str, Any]:
    """Return colour, marker and label of an access; grey triangles for a model whose access is unknown."""
    if access in ACCESS_COLORS:
        name = str(access)
        return {
            "color": ACCESS_COLORS[name],
            "marker": ACCESS_MARKERS[name],
            "label": ACCESS_LABELS[name],
        }
    return {"color": GREY, "marker": "^", "label": UNKNOWN_LABEL}


def by_access(frame: pd.DataFrame) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """Return the style and the rows of each access that a frame has, the unknown last."""
    known = [(name, frame["access"] == name) for name in ACCESS_COLORS]
    known.append((None, ~frame["access"].isin(list(ACCESS_COLORS))))  # type: ignore[arg-type]
    return [(access_style(name), frame.loc[chosen]) for name, chosen in known if chosen.any()]


def score_label(dimensions: Iterable[object]) -> str:
    """Return the axis label of scores: the share of right answers, or a dimension on 0-100."""
    names = list(dict.fromkeys(map(str, dimensions)))
    if names == [LABEL]:
        return "% of answers right"
    return f"{names[0]}, 0-100" if len(names) == 1 else "score, 0-100"


def interval(row: Any, estimate: str = "mean", low: str = "low", high: str = "high", digits: int = 1) -> str:
    """Return an estimate and its interval as text; the estimate alone if there is no interval.

    Parameters
    ----------
    row : mapping
        With the three columns.
    estimate, low, high : str
        Names of the columns.
    digits : int, default 1
        Decimals.

    Returns
    -------
    str
        Such as ``28.8 [13.7, 44.0]``.
    """
    value, least, most = (row[name] for name in (estimate, low, high))
    sign = "+" if estimate not in ("mean",) else ""
    if least != least or most != most:
        return f"{value:{sign}.{digits}f}"
    return f"{value:{sign}.{digits}f} [{least:{sign}.{digits}f}, {most:{sign}.{digits}f}]"


def span(values: pd.Series, digits: int = 1) -> str:
    """Return the range of values as text: ``14.1 to 42.8``, or one value."""
    low, high = f"{values.min():,.{digits}f}", f"{values.max():,.{digits}f}"
    return low if low == high else f"{low} to {high}"


def spread_labels(values: Sequence[float], distance: float) -> list[float]:
    """Return heights of labels that are at least a distance apart, as close to their values as possible.

    Parameters
    ----------
    values : sequence of float
        Heights of the labelled marks.
    distance : float
        In the unit of the values.

    Returns
    -------
    list of float
        In the order of `values`.
    """
    order = sorted(range(len(values)), key=values.__getitem__)
    groups: list[list[int]] = []
    for index in order:
        groups.append([index])
        while (
            len(groups) > 1
            and _bottom(groups[-1], values, distance) < _top(groups[-2], values, distance) + distance
        ):
            last = groups.pop()
            groups[-1] += last
    heights = [0.0] * len(values)
    for group in groups:
        for step, index in enumerate(group):
            heights[index] = _bottom(group, values, distance) + step * distance
    return heights


def _bottom(group: Sequence[int], values: Sequence[float], distance: float) -> float:
    return sum(values[index] for index in group) / len(group) - (len(group) - 1) * distance / 2


def _top(group: Sequence[int], values: Sequence[float], distance: float) -> float:
    return _bottom(group, values, distance) + (len(group) - 1) * distance


def write_out_powers(axis: Axis) -> None:
    """Label a logarithmic axis with ``1,000`` instead of a formula, which the style of the figures doesn't support."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_minor_formatter(NullFormatter())


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: ``1 model``, ``2 models``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def dots(
    ax: Axes, frame: pd.DataFrame, rows: Sequence[float], style: dict[str, Any], size: float = 4.5
) -> None:
    """Draw means with their intervals at rows; own models have a dark edge."""
    import numpy as np

    y, mean = np.asarray(rows, dtype=float), frame["mean"].to_numpy(dtype=float)
    if {"low", "high"} <= set(frame):
        ax.hlines(
            y, frame["low"].astype(float), frame["high"].astype(float), color=style["color"], lw=points(1.6)
        )
    own = frame["own"].astype(bool).to_numpy() if "own" in frame else np.zeros(len(frame), dtype=bool)
    for mine in (False, True):
        chosen = own == mine
        if chosen.any():
            ax.plot(
                mean[chosen],
                y[chosen],
                style["marker"],
                color=style["color"],
                ms=points(size),
                mec="black" if mine else style["color"],
                mew=points(1.1 if mine else 0.5),
                label=style["label"] if not mine or own.all() else None,
            )


def name_rows(ax: Axes, labels: Sequence[str], bold: Sequence[bool] | None = None) -> None:
    """Label rows from the top; own models in bold."""
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    for tick, own in zip(ax.get_yticklabels(), bold if bold is not None else [], strict=False):
        tick.set_fontweight("bold" if own else "normal")


def beside(ax: Axes, text: str, row: float, color: str = "black") -> None:
    """Write a text to the right of the Axes, at a row."""
    ax.annotate(
        text,
        (1, row),
        (points(4), 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="center",
        fontsize=small(),
        color=color,
        annotation_clip=False,
    )


def own_note(frame: pd.DataFrame) -> str:
    """Return a note on the user's own models and their judges; empty without own models among published ones."""
    if "own" not in frame or not frame["own"].any() or frame["own"].all():
        return ""
    mine = dict.fromkeys(map(str, frame.loc[frame["own"].astype(bool), "judge"]))
    judges = ", ".join("a judge without a name" if name == "judge" else name for name in mine)
    theirs = ", ".join(dict.fromkeys(map(str, frame.loc[~frame["own"].astype(bool), "judge"])))
    return (
        f"Own models in bold, judged by {judges}; the published ones by {theirs} with the authors' prompt: comparable "
        "only with the same judge, prompt and turns."
    )


def level_note(frame: pd.DataFrame, how: str = "clustered by dialogue") -> str:
    """Return a description of the intervals, from the column ``ci``; empty if there are none."""
    levels = frame["ci"].dropna() if "ci" in frame else ()
    if not len(levels):
        return ""
    return f"Lines: {100 * float(levels.iloc[0]):g}% intervals, {how}."  # type: ignore[union-attr]
