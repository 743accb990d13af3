"""Open against closed: dimension by dimension, at the border, along the dialogue, by size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import (
    ACCESS_COLORS,
    ACCESS_MARKERS,
    COLUMN,
    GREY,
    OURS,
    interval_words,
    legend_below,
    new_axes,
    say,
    source_note,
)
from mmdu_analysis.schema import DIMENSIONS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_FEWEST_DIALOGS = 5


def gap_by_dimension(gaps: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the gap in each dimension with its interval, and best against best.

    Parameters
    ----------
    gaps : pandas.DataFrame
        From `gap_analysis`.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a dimension.
    """
    ax = new_axes(ax, COLUMN, 2.7)
    rows = range(len(gaps))
    ax.bar(
        rows,
        gaps["gap"],
        width=0.6,
        color=ACCESS_COLORS["closed"],
        alpha=0.85,
        label="mean closed less mean open",
    )
    ax.vlines(rows, gaps["low"], gaps["high"], color="black", lw=1)
    ax.plot(
        rows,
        gaps["best_gap"],
        "D",
        color=ACCESS_COLORS["open"],
        ms=4.5,
        mec="white",
        mew=0.6,
        label="best closed less best open",
    )
    for row, value in zip(rows, gaps["gap"], strict=True):
        ax.annotate(
            f"{value:.1f}",
            (row, 0),
            (0, 3),
            textcoords="offset points",
            ha="center",
            color="white",
            fontsize=6.5,
        )
    ax.set_xticks(rows, gaps["dimension"])
    ax.set_ylim(0, max(gaps["high"].max(), gaps["best_gap"].max()) * 1.38)
    ax.grid(axis="y")
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("points, of 100")
    ax.legend(loc="upper left", ncol=1)
    ax.axhline(0, color=GREY, lw=0.8)
    low, high = gaps["gap"].min(), gaps["gap"].max()
    say(ax, f"Closed models are {low:.0f} to {high:.0f} points ahead" if low > 0 else "Gap by dimension")
    first = gaps.iloc[0]
    ci = gaps.attrs.get("ci", 0.95)
    text = (
        f"{first['n_closed']} closed and {first['n_open']} open models; lines: {ci:.0%} bootstrap interval over models. "
        f"Avg: the judge's Overall Score. Source: {gaps.attrs.get('source') or 'own data'}"
    )
    source_note(ax, text, synthetic=gaps.attrs.get("synthetic", False))
    return ax


def gap_pairs(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw all models in each dimension, and the distance of the two at the border.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``access`` and dimensions on 0-100.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One row a dimension, one dot a model.
    """
    dimensions = [short for short in DIMENSIONS if short in table]
    ax = new_axes(ax, COLUMN, 1.4 + 0.26 * len(dimensions))
    sides = {access: table.loc[table["access"] == access] for access in ("open", "closed")}
    clear = 0
    for row, short in enumerate(dimensions):
        worst, best = sides["closed"][short].min(), sides["open"][short].max()
        clear += worst > best
        ax.hlines(row, best, worst, color=GREY, lw=3, alpha=0.4)
        for access, part in sides.items():
            label = access if row == 0 else None
            ax.plot(
                part[short],
                [row] * len(part),
                ACCESS_MARKERS[access],
                color=ACCESS_COLORS[access],
                ms=3.5,
                alpha=0.8,
                label=label,
            )
        text = f"{worst - best:+.1f}"
        ax.annotate(
            text, (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=6.5, color=GREY
        )
    ax.set_yticks(range(len(dimensions)), dimensions)
    ax.set_ylim(len(dimensions) - 0.5, -0.5)
    ax.set_xlim(0, 100)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.set_xlabel("score, 0-100")
    legend_below(ax)
    say(
        ax,
        f"The border is clear in {clear} of {len(dimensions)} rows",
        "right: worst closed less best open, points",
    )
    source_note(
        ax,
        f"One mark a model: {len(sides['closed'])} closed, {len(sides['open'])} open. Avg: the judge's Overall Score. "
        f"Source: {table.attrs.get('source') or 'own data'}",
        synthetic=bool(table.attrs.get("synthetic")),
    )
    return ax


def score_and_size(table: pd.DataFrame, *, dimension: str = "Avg", ax: Axes | None = None) -> Axes:
    """Draw open models' scores against their size, and closed ones, whose size isn't known, as lines.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``access``, ``parameters_b`` (billions) and `dimension`; where there are columns ``spearman``
        and ``size_p`` (from `size_effect`), they stand in the note.
    dimension : str, default "Avg"
        Short name.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One dot an open model.
    """
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    ax = new_axes(ax, COLUMN, 3.1)
    sized = table.loc[table["parameters_b"].notna()]
    for access in ("open", "finetuned"):
        part = sized.loc[sized["access"] == access]
        ax.plot(
            part["parameters_b"],
            part[dimension],
            ACCESS_MARKERS[access],
            color=ACCESS_COLORS[access],
            ms=4.5,
            ls="",
            label={"open": "open", "finetuned": "fine-tuned"}[access],
        )
    closed = table.loc[table["access"] == "closed", dimension]
    for place, score in enumerate(closed):
        label = "closed, size unknown" if place == 0 else None
        ax.axhline(score, color=ACCESS_COLORS["closed"], lw=1, ls="--", label=label)
    largest = sized.loc[sized["parameters_b"].idxmax()]
    ax.annotate(
        largest["model"],
        (largest["parameters_b"], largest[dimension]),
        (-4, -10),
        textcoords="offset points",
        ha="right",
        fontsize=6,
    )
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator([5, 7, 10, 14, 20, 28]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    ax.set_xlim(sized["parameters_b"].min() / 1.2, sized["parameters_b"].max() * 1.2)
    ax.set_ylim(0, 100)
    ax.set_xlabel("parameters, billions")
    ax.set_ylabel(f"{DIMENSIONS.get(dimension, dimension)}, 0-100")
    ax.grid(axis="y")
    legend_below(ax, ncol=3)
    told = ""
    if "spearman" in table:
        told = f"Open models: Spearman {table['spearman'].iloc[0]:.2f} (p = {table['size_p'].iloc[0]:.2f}). "
    open_ = sized.loc[sized["access"] == "open", "parameters_b"]
    say(ax, f"Open models of {open_.min():g} to {open_.max():g} billion:\n{_order(table)}")
    source_note(
        ax,
        f"{told}Closed models' sizes aren't published, so access and size can't be told apart there. "
        f"Source: {table.attrs.get('source') or 'own data'}",
    )
    return ax


def _order(table: pd.DataFrame) -> str:
    if "size_p" not in table:
        return "scores against size"
    return "size doesn't order the scores" if table["size_p"].iloc[0] > 0.05 else "scores go with size"


def gap_along(frame: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the gap along the turns, images or context, with its band, and both sides' means.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `gap_breakdown`. Bins of fewer than five dialogues are left out, and said.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The gap in black, closed and open models' means in their colours.
    """
    ax = new_axes(ax, COLUMN, 2.9)
    what = frame.attrs.get("breakdown", "turn")
    kept = frame.loc[frame["n_dialogs"] >= min(_FEWEST_DIALOGS, frame["n_dialogs"].max())]
    places = list(kept["bin"]) if what == "turn" else list(range(len(kept)))
    for side in ("closed", "open"):
        ax.plot(
            places,
            kept[f"{side}_mean"],
            color=ACCESS_COLORS[side],
            ls="--" if side == "open" else "-.",
            label=side,
        )
    ax.fill_between(
        places, kept["low"].astype(float), kept["high"].astype(float), color=OURS, alpha=0.2, lw=0
    )
    ax.plot(places, kept["gap"], "o-", color="black", ms=2.5, label="gap")
    if what != "turn":
        ax.set_xticks(places, [str(name) for name in kept["bin"]])
    else:
        ax.locator_params(axis="x", integer=True)
    ax.set_ylim(min(0.0, float(kept["low"].min()) * 1.1), 100)
    ax.set_ylabel(f"{frame['dimension'].iloc[0]}, 0-100")
    ax.set_xlabel(
        {
            "turn": "turn",
            "images": "images in the dialogue",
            "context": "tokens to read before answering",
        }.get(what, what)
    )
    ax.grid(axis="y")
    legend_below(ax, ncol=3)
    slope, low, high = (frame[name].iloc[0] for name in ("slope", "slope_low", "slope_high"))
    unit = {"turn": "a turn", "images": "an image", "context": "1,000 tokens"}.get(what, "a step")
    verdict = "grows" if low > 0 else "shrinks" if high < 0 else "neither grows nor shrinks"
    say(ax, f"The gap {verdict}:\n{slope:+.2f} points {unit} [{low:+.2f}, {high:+.2f}]")
    left_out = len(kept) < len(frame)
    few = f" Bins of fewer than {_FEWEST_DIALOGS} dialogues are left out." if left_out else ""
    source_note(
        ax,
        f"{interval_words(frame)}; paired turns.{few} Source: {frame.attrs.get('source') or 'own data'}",
        synthetic=bool(frame.attrs.get("synthetic")),
    )
    return ax
