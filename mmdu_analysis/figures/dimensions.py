"""The six dimensions by model: as a radar, and as a heat map."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.figures.style import (
    ACCESS_COLORS,
    ACCESS_LABELS,
    COLUMN,
    DASHES,
    GREY,
    SEQUENCE,
    legend_below,
    new_axes,
    say,
    source_note,
)
from mmdu_analysis.schema import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes

SIX = tuple(short for short in DIMENSIONS if short != "Avg")


def dimension_radar(
    table: pd.DataFrame, *, models: Sequence[str] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the six dimensions of a few models around a circle.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``access`` and the six dimensions on 0-100.
    models : sequence of str, optional
        Which; by default the best two of each access.
    ax : matplotlib.axes.Axes, optional
        Polar Axes to draw on.

    Returns
    -------
    matplotlib.axes.Axes
        Polar; one line a model, coloured by access, dashed within it.
    """
    import numpy as np

    if models is None:
        order = table.sort_values("Avg" if "Avg" in table else SIX[0], ascending=False)
        models = order.groupby("access", sort=False, dropna=False).head(2)["model"].tolist()
    ax = new_axes(ax, COLUMN, 3.9, projection="polar")
    angles = np.linspace(0, 2 * np.pi, len(SIX), endpoint=False)
    rows = table.set_index("model").loc[list(models)]
    seen: dict[str, int] = {}
    for model, row in rows.iterrows():
        values = row[list(SIX)].to_numpy(dtype=float)
        access = str(row["access"])
        style = DASHES[seen.setdefault(access, 0) % len(DASHES)]
        seen[access] += 1
        ax.plot(
            np.append(angles, angles[0]),
            np.append(values, values[0]),
            style,
            color=ACCESS_COLORS.get(access, GREY),
            label=model,
        )
    ax.set(theta_offset=np.pi / 2, theta_direction=-1)
    ax.set_xticks(angles, [DIMENSIONS[short].replace(" ", "\n") for short in SIX])
    ax.tick_params(axis="x", pad=7)
    ax.set_ylim(0, 100)
    ax.set_yticks([20, 40, 60, 80], ["20", "40", "60", "80"], fontsize=5.5, color="#777777")
    ax.tick_params(axis="y", pad=-2)
    ax.spines["polar"].set_color("#CCCCCC")
    ax.grid(True)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=2, handlelength=2.4)
    highest = rows[list(SIX)].idxmax(axis=1)
    title = (
        f"{DIMENSIONS[highest.iloc[0]]} is highest in each"
        if highest.nunique() == 1
        else "The six dimensions"
    )
    ax.set_title(title, loc="center", pad=12)
    source_note(
        ax,
        f"Scores 0-100. Source: {table.attrs.get('source') or 'own data'}; best two models of each access",
        synthetic=bool(table.attrs.get("synthetic")),
    )
    return ax


def dimension_heatmap(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw every model's score in every dimension as a table of colours.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``access``, the six dimensions and ``Avg`` on 0-100.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One row a model, in falling order of ``Avg``.
    """
    import matplotlib as mpl

    columns = [short for short in DIMENSIONS if short in table]
    ordered = table.sort_values(columns[-1], ascending=False)
    ax = new_axes(ax, COLUMN, max(1.9, 0.9 + 0.17 * len(table)))  # the words need room beside few models
    colors = mpl.colors.LinearSegmentedColormap.from_list("mmdu", ["#FFFFFF", *SEQUENCE[2::-1]])
    values = ordered[columns].to_numpy(dtype=float)
    ax.imshow(values, cmap=colors, vmin=0, vmax=100, aspect="auto")
    for row, line in enumerate(values):
        for column, value in enumerate(line):
            ax.text(
                column,
                row,
                f"{value:.1f}",
                ha="center",
                va="center",
                fontsize=5.5,
                color="white" if value > 55 else "black",
            )
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(ordered)), ordered["model"])
    own = ordered["own"] if "own" in ordered else [False] * len(ordered)
    for label, access, bold in zip(ax.get_yticklabels(), ordered["access"], own, strict=True):
        label.set_color(ACCESS_COLORS.get(access, GREY))
        label.set_fontweight("bold" if bold else "normal")
    ax.tick_params(length=0)
    ax.axvline(len(columns) - 1.5, color="white", lw=2)
    for spine in ax.spines.values():
        spine.set_visible(False)
    say(ax, "Every model in every dimension", "0-100; names coloured by access")
    names = "; ".join(f"{short} {DIMENSIONS[short]}" for short in columns)
    source_note(
        ax,
        f"{names} (not the mean of the six). Source: {table.attrs.get('source') or 'own data'}",
        synthetic=bool(table.attrs.get("synthetic")),
    )
    return ax


def dimension_profiles(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw each model's six dimensions as a line, to see which are easy and which are hard for all.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``access`` and the six dimensions on 0-100.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        One line a model, coloured by access.
    """
    ax = new_axes(ax, COLUMN, 2.9)
    told: set[str] = set()
    for row in table.sort_values("access", kind="stable").to_dict("records"):
        access = row["access"]
        known = access in ACCESS_COLORS
        label = ACCESS_LABELS[access] if known else "access not given"
        ax.plot(
            range(len(SIX)),
            [row[short] for short in SIX],
            marker="o",
            ms=2.5,
            lw=0.9,
            alpha=0.8,
            color=ACCESS_COLORS[access] if known else GREY,
            label=None if label in told else label,
        )
        told.add(label)
    names = [DIMENSIONS[short].replace(" Understanding", "").replace(" ", "\n") for short in SIX]
    ax.set_xticks(range(len(SIX)), names)
    ax.set_xlim(-0.3, len(SIX) - 0.7)
    ax.set_ylim(0, 100)
    ax.set_ylabel("score, 0-100")
    ax.grid(axis="y")
    legend_below(ax, ncol=3)
    best = table[list(SIX)].idxmax(axis=1)
    top = best.value_counts()
    say(ax, f"{DIMENSIONS[top.index[0]]}\nis highest in {top.iloc[0]} of {len(table)} models")
    source_note(
        ax,
        f"One line a model. Source: {table.attrs.get('source') or 'own data'}",
        synthetic=bool(table.attrs.get("synthetic")),
    )
    return ax
