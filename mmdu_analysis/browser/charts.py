"""Altair charts of points, aggregated where there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.browser.texts import cut
from mmdu_analysis.schema import SYNTHETIC_LABEL, shorten

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.stats.explore_points import Points

MOST_POINTS = 4_000
"""With more points than this, the number of points in each cell is drawn."""
_CELLS = (60, 25)
_LABELS = 2
"""Number of values of labels: right and wrong."""
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
    whole = [bool((points.frame[name] % 1 == 0).all()) for name in ("x", "y")]
    axes = [alt.Axis(tickMinStep=1) if is_whole else alt.Undefined for is_whole in whole]
    if _moved(points) == "y":
        axes[1] = alt.Axis(values=sorted(points.frame["y"].unique().tolist()))
    return {
        "x": alt.X("x:Q", title=_title(points.x), scale=scale, axis=axes[0]),
        "y": alt.Y("y:Q", title=_title(points.y), scale=scale, axis=axes[1]),
    }


def _title(text: str) -> str:
    return shorten(cut(text), 90)


def shown_points(points: Points) -> pd.DataFrame:
    """Return where points are drawn: groups side by side along an axis that has few values.

    Parameters
    ----------
    points : Points
        From `explore_points`.

    Returns
    -------
    pandas.DataFrame
        The frame with ``x``, or ``y`` for labels of right and wrong, moved by less than half the distance of two values.
    """
    frame = points.frame
    column = _moved(points)
    if column is None:
        return frame
    import numpy as np
    import pandas as pd

    position, groups = pd.factorize(frame["group"])
    values = frame[column].to_numpy(dtype=float)
    step = 0.7 * np.diff(np.unique(values)).min() / len(groups)
    return frame.assign(**{column: values + (position - (len(groups) - 1) / 2) * step})


def _moved(points: Points) -> str | None:
    """Return the axis along which groups are drawn side by side."""
    frame = points.frame
    several = frame["group"].nunique() > 1
    if several and frame["y"].nunique() == _LABELS:
        return "y"
    return "x" if several and not is_crowded(points) and 1 < frame["x"].nunique() <= _CELLS[0] else None


def is_crowded(points: Points) -> bool:
    """Return whether points are drawn as cells."""
    frame = points.frame
    return len(frame.drop_duplicates(["group", "x", "y"])) > MOST_POINTS or len(frame) > 10 * MOST_POINTS


def _marks(points: Points, brush: Any) -> Any:
    """Return a circle for each distinct point; its size is the number of turns or dialogues there."""
    import altair as alt

    numbered = shown_points(points).reset_index(names="id")
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
            "score": float(points.frame["y"].iloc[row.id]),
        }
        for row in circles.itertuples()
    ]
    colour: Any = alt.value(_COLOURS[0])
    tooltip = [
        "points:Q",
        alt.Tooltip("dialogue:N", title="first dialogue"),
        alt.Tooltip("value:Q", title=_title(points.x)),
        alt.Tooltip("score:Q", title=_title(points.y)),
    ]
    if points.group:
        colour = _group_colour(points, list(names.values()))
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
    """Return a rectangle for each cell that has points, coloured by their number, or by group where groups are side by side."""
    import altair as alt
    import numpy as np

    shown = shown_points(points)
    edges = [_edges(shown[axis].to_numpy(dtype=float), most) for axis, most in zip("xy", _CELLS, strict=True)]
    lanes = _moved(points) == "y"
    rows = []
    for group, part in shown.groupby("group", sort=False) if lanes else [("", shown)]:
        counts, x_edges, y_edges = np.histogram2d(
            part["x"].astype(float), part["y"].astype(float), bins=edges
        )
        rows += [
            {
                "x": float(x_edges[i]),
                "x2": float(x_edges[i + 1]),
                "y": float(y_edges[j]),
                "y2": float(y_edges[j + 1]),
                "points": int(counts[i, j]),
                "group": shorten(cut(str(group)), 60),
            }
            for i, j in np.argwhere(counts > 0).tolist()
        ]
    number = alt.Scale(type="log", range=[0.15, 1]) if lanes else alt.Scale(scheme="viridis", type="log")
    many: Any = {"title": "points", "scale": number}
    look: Any = {"color": alt.Color("points:Q", **many)}
    tooltip = ["points:Q"]
    if lanes:
        names = list(dict.fromkeys(row["group"] for row in rows))
        look = {"color": _group_colour(points, names), "opacity": alt.Opacity("points:Q", **many)}
        tooltip.append("group:N")
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_rect()
        .encode(**_axes(points), x2="x2:Q", y2="y2:Q", tooltip=tooltip, **look)
        .add_params(brush)
    )


def _group_colour(points: Points, names: list[Any]) -> Any:
    import altair as alt

    return alt.Color("group:N", title=points.group, scale=alt.Scale(domain=names, range=_COLOURS))


def _edges(values: np.ndarray, most: int) -> np.ndarray:
    """Return the borders of cells: one cell per value if there are few values, else cells of equal width."""
    import numpy as np

    distinct = np.unique(values)
    if len(distinct) > most:
        return np.linspace(distinct[0], distinct[-1], most + 1)
    half = np.diff(distinct).min() / 2 if len(distinct) > 1 else 0.5
    middles = (distinct[1:] + distinct[:-1]) / 2
    return np.concatenate([[distinct[0] - half], middles, [distinct[-1] + half]])
