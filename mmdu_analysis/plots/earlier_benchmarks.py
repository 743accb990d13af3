"""Figure 1: MMDU and earlier benchmarks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._layout import columns_that_fit, panels
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, OURS, PAPER, points, small

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MEASURES = {
    "average_images": ("images", "{:g}"),
    "average_turns": ("turns", "{:g}"),
    "average_text_tokens": ("text tokens", "{:,.0f}"),
}


def _numbers(_: Any) -> pd.DataFrame:
    from mmdu_analysis.facts.tables import load_published, published_tables

    source = published_tables().loc["benchmarks", "source"]
    return load_published("benchmarks").assign(source=source, synthetic=False)


@figure(
    caption="MMDU and earlier benchmarks: mean images, turns and text tokens of a dialogue",
    numbers=_numbers,
    notebook="01_dataset_statistics",
    paper="Figure 1",
    facts="always",
    size=(7.0, 1.9),
)
def benchmark_comparison(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the mean images, turns and text tokens of each benchmark.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``benchmark``, ``average_images``, ``average_turns``, ``average_text_tokens``; NA if not stated.
        The last row is highlighted.
    """
    columns = columns_that_fit(ax, 1.9, len(_MEASURES))
    parts = panels(ax, -(-len(_MEASURES) // columns), columns, sharey=columns > 1, row_height=1.9)
    for part, (column, (name, form)) in zip(parts, _MEASURES.items(), strict=False):
        _bars(part, frame, column, form)
        part.set_xlabel(f"mean {name}")
    for part in parts[len(_MEASURES) :]:
        part.set_axis_off()
    return Drawing(
        f"{frame['benchmark'].iloc[-1]} and earlier benchmarks: images, turns and text tokens of a dialogue",
        note=f"Values as labelled in the paper's figure; n={len(frame)} benchmarks.",
    )


def _bars(ax: Axes, frame: pd.DataFrame, column: str, form: str) -> None:
    import seaborn as sns

    last = len(frame) - 1
    colors = [PAPER] * last + [OURS]
    sns.barplot(
        x=frame[column].astype(float).fillna(0).to_numpy(),
        y=frame["benchmark"].astype(str).to_numpy(),
        hue=frame["benchmark"].astype(str).to_numpy(),
        palette=colors,
        saturation=1,
        width=0.65,
        legend=False,
        ax=ax,
    )
    for row, value in enumerate(frame[column]):
        known = value == value
        ax.annotate(
            form.format(value) if known else "not stated",
            (value if known else 0, row),
            (points(3), 0),
            textcoords="offset points",
            va="center",
            fontsize=small(),
            color="black" if known else GREY,
        )
    ax.set_xlim(0, frame[column].max() * 1.3)
    ax.locator_params(axis="x", nbins=4)
    ax.tick_params(axis="y", length=0)
    ax.set_ylabel("")
