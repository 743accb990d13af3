"""The gap between closed and open models by turn, by images and by context."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import FEWEST_DIALOGS, main_dimension, own_source, stamped
from mmdu_analysis.plots._labels import described_turns
from mmdu_analysis.plots._marks import interval, score_label
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import ACCESS_COLORS, ACCESS_MARKERS, points
from mmdu_analysis.schema import DataWarning

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


_LABELS = {
    "turn": "turn",
    "images": "images in the dialogue",
    "context": "tokens of context",
}
_UNITS = {"turn": "per turn", "images": "per image", "context": "per 1,000 tokens"}


def _numbers(study: Any, by: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.gap_turns import gap_breakdown

    column = {"images": "n_images", "context": "context_tokens"}.get(by)
    turns = described_turns(study, column, own_answers=False) if column else None
    dimension = main_dimension(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # bins of few dialogues are left out of the figure
        frame = gap_breakdown(
            study.need_scores(), study.access, by, turns, dimension=dimension, rubric=study.rubric
        )
    return stamped(frame.astype({"bin": "str"}), own_source(study))


def _along(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the means of both sides, and the gap with its band, along the bins."""
    by = str(frame["by"].iloc[0])
    frame = frame.assign(bin=frame["bin"].astype(str))
    kept = frame.loc[frame["n_dialogs"] >= min(FEWEST_DIALOGS, frame["n_dialogs"].max())]
    x = kept["bin"].astype(float).to_numpy() if by == "turn" else list(range(len(kept)))
    for side in ("closed", "open"):
        ax.plot(
            x,
            kept[f"{side}_mean"],
            marker=ACCESS_MARKERS[side],
            ms=points(3),
            ls=":",
            color=ACCESS_COLORS[side],
            label=f"{side}, mean",
        )
    low, high, gap = (kept[name].astype(float).to_numpy() for name in ("low", "high", "gap"))
    if by == "turn":
        ax.fill_between(x, low, high, color="black", alpha=0.15, lw=0)
        ax.plot(x, gap, "-", color="black", label="gap")
    else:
        ax.vlines(x, low, high, color="black", lw=points(1.4))
        ax.plot(x, gap, "X-", color="black", ms=points(4.5), lw=points(0.8), label="gap")
        ax.set_xticks(x, [f"{name}\nn={n:,}" for name, n in zip(kept["bin"], kept["n_turns"], strict=True)])
        ax.set_xlim(-0.4, len(kept) - 0.6)
    ax.axhline(0, color="black", lw=points(0.6))
    if by == "turn":
        ax.locator_params(axis="x", integer=True)
        ax.set_xlim(1, max(2.0, float(max(x))))
    lowest = float(min(0.0, *low[low == low])) if (low == low).any() else 0.0
    ax.set_ylim(max(-100.0, lowest * 1.1), 100)
    ax.set_xlabel(_LABELS[by])
    ax.set_ylabel(score_label(frame["dimension"]))
    ax.grid(axis="y")
    few = f" Bins of fewer than {FEWEST_DIALOGS} dialogues are left out." if len(kept) < len(frame) else ""
    count = "" if by == "turn" else " n: turns."
    level = (
        f"{100 * float(frame['ci'].iloc[0]):g}% intervals of the gap of these models, clustered by dialogue"
    )
    first = frame.iloc[0]
    unpaired = int(first["n_unpaired"])
    lost = f" {unpaired:,} turns without scores of both sides are left out." if unpaired else ""
    return Drawing(
        f"The gap by {_LABELS[by]}: {interval(first, 'slope', 'slope_low', 'slope_high', 2)} points {_UNITS[by]}",
        "Gap: mean of closed less mean of open models on the same turns.",
        f"{level}.{count}{few}{lost}",
        legend=True,
    )


def _turn_numbers(study: Any) -> pd.DataFrame:
    return _numbers(study, "turn")


@figure(
    caption="The gap between closed and open models by turn",
    numbers=_turn_numbers,
    notebook="04_open_vs_closed_gap",
    needs=("both kinds", "turns", "main dimension"),
    size=(3.5, 2.3),
)
def gap_by_turn(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the gap by turn, with its band and both sides' means.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `gap_breakdown`: ``bin``, ``dimension``, ``closed_mean``, ``open_mean``, ``gap``, ``low``,
        ``high``, ``n_dialogs``, ``n_turns``, ``n_unpaired``, ``slope``, ``slope_low``, ``slope_high``,
        ``by``, ``ci``.
    """
    return _along(frame, ax)


def _image_numbers(study: Any) -> pd.DataFrame:
    return _numbers(study, "images")


@figure(
    caption="The gap between closed and open models by images in the dialogue",
    numbers=_image_numbers,
    notebook="04_open_vs_closed_gap",
    needs=("both kinds", "turns", "benchmark", "main dimension"),
    size=(3.5, 2.3),
)
def gap_by_images(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the gap by images in the dialogue.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `gap_by_turn`.
    """
    return _along(frame, ax)


def _context_numbers(study: Any) -> pd.DataFrame:
    return _numbers(study, "context")


@figure(
    caption="The gap between closed and open models by tokens of context",
    numbers=_context_numbers,
    notebook="04_open_vs_closed_gap",
    needs=("both kinds", "turns", "references", "main dimension"),
    size=(3.5, 2.3),
)
def gap_by_context(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the gap by the tokens of context.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `gap_by_turn`.
    """
    return _along(frame, ax)
