"""Altair charts of points, aggregated where there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.texts import cut
from mmdu_analysis.schema import SYNTHETIC_LABEL, shorten

if TYPE_CHECKING:
    import numpy as np

    from mmdu_analysis.stats.explore_points import Points

MOST_POINTS = 4_000
"""With more points than this, the number of points in each cell is drawn."""
_CELLS = (60, 25)
_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8c6d31", "#737373"]
_GREY = "#767676"  # readable on white and on black
_SIZE = (720, 240)


def chart_of(points: Points, title: str) -> Any:
    """Return the chart of points, with the selections ``brush`` and ``pick`` and the parameter ``here``.

    Parameters
    ----------
    points : Points
        From `explore_points`.
    title : str
        Name of the data.

    Returns
    -------
    altair.LayerChart
        ``here`` is a list of ``{"x", "y"}`` that are marked.
    """
    import altair as alt

    frame = points.frame
    brush = alt.selection_interval(name="brush", encodings=["x", "y"])
    many = is_crowded(points)
    base = _cells(points, brush) if many else _marks(points, brush)
    here = alt.param(name="here", value=[])
    mark = (
        alt.Chart(alt.Data(values=[{}]))
        .transform_calculate(at="here")
        .transform_flatten(["at"])
        .transform_calculate(x="datum.at.x", y="datum.at.y")
        .mark_point(size=180, strokeWidth=3, color="#e3008c", shape="circle", filled=False)
        .encode(x="x:Q", y="y:Q")
    )
    synthetic_mark = f", {SYNTHETIC_LABEL}" if bool(frame["synthetic"].any()) else ""
    what = "points in cells" if many else "points"
    text = f"{shorten(cut(title), 80)}: {len(frame):,} {what}{synthetic_mark}; drag to select, double-click to clear"
    return (
        (base + mark)
        .add_params(here)
        .properties(width=_SIZE[0], height=_SIZE[1], title=alt.TitleParams(text, anchor="start", fontSize=12))
        .configure(background="transparent")
        .configure_title(color=_GREY)
        .configure_axis(
            labelColor=_GREY, titleColor=_GREY, gridOpacity=0.25, domainColor=_GREY, tickColor=_GREY
        )
        .configure_legend(labelColor=_GREY, titleColor=_GREY, labelLimit=240, symbolFillColor=_GREY)
        .configure_view(stroke=_GREY, strokeOpacity=0.4)
    )


def _axes(points: Points) -> dict[str, Any]:
    import altair as alt

    scale = alt.Scale(zero=False, nice=False, padding=14)
    steps = [1 if (points.frame[name] % 1 == 0).all() else 0 for name in ("x", "y")]
    axes = [alt.Axis(tickMinStep=step) if step else alt.Undefined for step in steps]
    return {
        "x": alt.X("x:Q", title=_title(points.x), scale=scale, axis=axes[0]),
        "y": alt.Y("y:Q", title=_title(points.y), scale=scale, axis=axes[1]),
    }


def _title(text: str) -> str:
    return shorten(cut(text), 90)


def shown_x(points: Points) -> np.ndarray:
    """Return the positions of points: groups are drawn side by side if there are few values.

    Parameters
    ----------
    points : Points
        From `explore_points`.

    Returns
    -------
    numpy.ndarray
        Values of the horizontal axis, moved by less than half the distance of two values.
    """
    import numpy as np
    import pandas as pd

    x = points.frame["x"].to_numpy(dtype=float)
    distinct = np.unique(x)
    position, groups = pd.factorize(points.frame["group"])
    if is_crowded(points) or len(groups) < 2 or not 1 < len(distinct) <= _CELLS[0]:
        return x
    step = 0.7 * np.diff(distinct).min() / len(groups)
    return x + (position - (len(groups) - 1) / 2) * step


def is_crowded(points: Points) -> bool:
    """Return whether points are drawn as cells."""
    frame = points.frame
    return len(frame.drop_duplicates(["group", "x", "y"])) > MOST_POINTS or len(frame) > 10 * MOST_POINTS


def _marks(points: Points, brush: Any) -> Any:
    """Return a circle for each distinct point; its size is the number of turns or dialogues there."""
    import altair as alt

    numbered = points.frame.assign(x=shown_x(points)).reset_index(names="id")
    same = numbered.groupby(["group", "x", "y"], sort=False, dropna=False)
    circles = same.agg(
        id=("id", "first"), points=("id", "size"), dialogue=("dialog_id", "first")
    ).reset_index()
    names = {group: shorten(cut(group), 60) for group in dict.fromkeys(circles["group"])}
    rows = [
        {
            "id": int(row.id),
            "points": int(row.points),
            "dialogue": shorten(cut(row.dialogue), 60),
            "group": names[row.group],
            "x": float(row.x),
            "y": float(row.y),
            "value": float(points.frame["x"].iloc[row.id]),
        }
        for row in circles.itertuples()
    ]
    colour: Any = alt.value(_COLOURS[0])
    tooltip = [
        "points:Q",
        alt.Tooltip("dialogue:N", title="first dialogue"),
        alt.Tooltip("value:Q", title=_title(points.x)),
        alt.Tooltip("y:Q", title=_title(points.y)),
    ]
    if points.group:
        scale = alt.Scale(domain=list(names.values()), range=_COLOURS)
        colour = alt.Color("group:N", title=points.group, scale=scale)
        tooltip.append(alt.Tooltip("group:N", title=points.group))
    size: Any = alt.value(40)
    if circles["points"].max() > 1:
        width = (
            1.2 * _SIZE[0] / max(1, circles["x"].nunique())
        )  # circles of neighbouring points hardly overlap
        largest = min(400.0, max(40.0, 0.785 * width**2))
        size = alt.Size("points:Q", title="points", scale=alt.Scale(range=[15, largest], zero=False))
    pick = alt.selection_point(name="pick", fields=["id"], on="click", clear=False, toggle=False, empty=False)
    opacity = alt.condition(brush, alt.value(0.75), alt.value(0.15))
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_circle()
        .encode(**_axes(points), color=colour, size=size, tooltip=tooltip, opacity=opacity)
        .add_params(brush, pick)
    )


def _cells(points: Points, brush: Any) -> Any:
    """Return a rectangle for each cell that has points, coloured by their number."""
    import altair as alt
    import numpy as np

    x, y = points.frame["x"].to_numpy(dtype=float), points.frame["y"].to_numpy(dtype=float)
    edges = [_edges(values, most) for values, most in zip((x, y), _CELLS, strict=True)]
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=edges)
    rows = [
        {
            "x": float(x_edges[i]),
            "x2": float(x_edges[i + 1]),
            "y": float(y_edges[j]),
            "y2": float(y_edges[j + 1]),
            "points": int(counts[i, j]),
        }
        for i, j in np.argwhere(counts > 0).tolist()
    ]
    colour = alt.Color("points:Q", scale=alt.Scale(scheme="viridis", type="log"), title="points")
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_rect()
        .encode(**_axes(points), x2="x2:Q", y2="y2:Q", color=colour, tooltip=["points:Q"])
        .add_params(brush)
    )


def _edges(values: np.ndarray, most: int) -> np.ndarray:
    """Return the borders of cells: one cell per value if there are few values, else cells of equal width."""
    import numpy as np

    distinct = np.unique(values)
    if len(distinct) > most:
        return np.linspace(distinct[0], distinct[-1], most + 1)
    half = np.diff(distinct).min() / 2 if len(distinct) > 1 else 0.5
    middles = (distinct[1:] + distinct[:-1]) / 2
    return np.concatenate([[distinct[0] - half], middles, [distinct[-1] + half]])
