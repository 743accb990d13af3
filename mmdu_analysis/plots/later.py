"""Scores that later papers report: over time, and of the same model by different reporters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import source_of, stamped
from mmdu_analysis.plots._layout import inches_wide, set_plot_height
from mmdu_analysis.plots._marks import access_style, by_access, name_rows
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import ACCESS_COLORS, GREY, points, small

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_NARROW = 3.0
"""Width of Axes, in inches at the base font size, below which only the highest closed model is named."""

_NEAR = 1.0
"""Maximum difference in points of two scores that a title calls similar."""


def _reported() -> pd.DataFrame:
    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.later import reported_scores

    return reported_scores(load_published("later_results"), load_published("main_results"))


def _time_numbers(_: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.later import best_by_date

    reported = _reported()
    best = best_by_date(reported)
    keys = ["model", "variant", "reported_by", "date"]
    marked = reported.merge(best[[*keys, "mean"]].assign(best=True), on=[*keys, "mean"], how="left")
    marked["best"] = marked["best"].fillna(False).astype(bool)
    marked["variant"] = marked["variant"].str.removeprefix("+")  # spreadsheets read a leading + as a formula
    return stamped(marked, source_of("main_results", "later_results"))


@figure(
    caption="Reported MMDU scores by date, with reporter and judge: the highest of each access and all others",
    numbers=_time_numbers,
    notebook="04_open_vs_closed_gap",
    paper="Table 2",
    facts="always",
    size=(3.5, 2.8),
)
def gap_over_time(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw reported scores by date.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per score: ``model``, ``variant`` (NA for the model as released), ``access``, ``mean``,
        ``judge``, ``reported_by``, ``date`` (``YYYY-MM``), ``best`` (bool: the highest of its paper, access
        and kind).
    """
    papers = frame.drop_duplicates("reported_by").sort_values("date", kind="stable")
    row_of = {name: row for row, name in enumerate(papers["reported_by"])}
    set_plot_height(ax, 0.5 + 0.36 * len(papers))
    frame = frame.assign(row=frame["reported_by"].map(row_of), best=frame["best"].astype(bool))
    others = frame.loc[~frame["best"]]
    ax.plot(others["mean"], others["row"], "o", color="#BDBDBD", ms=points(2), label="other scores", zorder=1)
    for style, part in by_access(frame.loc[frame["best"]]):
        for changed, face in ((False, style["color"]), (True, "white")):
            chosen = part.loc[part["variant"].notna() == changed]
            if chosen.empty:
                continue
            ax.plot(
                chosen["mean"],
                chosen["row"],
                style["marker"],
                color=style["color"],
                mfc=face,
                ms=points(6.5 if changed else 4.5),
                label=f"highest {style['label']}" + (", modified" if changed else ""),
                zorder=2 if changed else 3,
            )
    _closed_lines(ax, frame)
    name_rows(
        ax,
        [f"{row['date']} {row['reported_by']}\njudge: {row['judge']}" for row in papers.to_dict("records")],
    )
    ax.set_ylim(len(papers) - 0.5, -0.7)
    ax.set_xlim(0, 100)
    ax.grid(axis="x")
    ax.set_xlabel("score, 0-100")
    note = (
        f"n={len(frame)} scores, copied ones counted once; dotted: the closed models of the first paper. Judges, averages and "
        "turns differ or are not stated, so papers differ in more than their models (see reporter_differences). None "
        "of the later papers scored a closed model: the present gap is not known."
    )
    return Drawing(_time_title(frame), "", note, legend=True)


def _closed_lines(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw the closed models as dotted lines, the highest and the lowest with a name."""
    closed = frame.loc[frame["access"] == "closed"].sort_values("mean")
    for score in closed["mean"]:
        ax.axvline(score, color=ACCESS_COLORS["closed"], lw=points(0.7), ls=":", zorder=0)
    wide = len(closed) > 1 and inches_wide(ax) > _NARROW
    ends = closed.iloc[[-1, 0]] if wide else closed.tail(1)
    for row, ha in zip(ends.to_dict("records"), ("left", "right"), strict=False):
        ax.annotate(
            row["model"],
            (row["mean"], 1),
            (points(-2 if ha == "right" else 2), points(-1)),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            ha=ha,
            fontsize=small(),
            color=ACCESS_COLORS["closed"],
        )


def _time_title(frame: pd.DataFrame) -> str:
    """Return a title with the highest later score of an open model as released, and the closed model with the nearest score."""
    plain = frame.loc[(frame["access"] == "open") & frame["variant"].isna()]
    latest = plain.loc[plain["date"] == plain["date"].max()].sort_values("mean").iloc[-1]
    size = f" {latest['parameters_b']:g}B" if latest["parameters_b"] == latest["parameters_b"] else ""
    text = f"An open{size} model is reported at {latest['mean']:.1f} in {latest['date']}"
    closed = frame.loc[frame["access"] == "closed"]
    distance = (closed["mean"] - latest["mean"]).abs()
    if len(closed) and distance.min() < _NEAR:
        near = closed.loc[distance.idxmin()]
        return f"{text}, where {near['model']} was in {near['date']} ({near['mean']:.1f})"
    return text


def _difference_numbers(_: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.later import reporter_differences

    return stamped(reporter_differences(_reported()), source_of("main_results", "later_results"))


@figure(
    caption="The same models as scored by different papers",
    numbers=_difference_numbers,
    notebook="04_open_vs_closed_gap",
    facts="always",
    size=(3.5, 1.9),
)
def reporter_differences(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the scores that different papers report for the same model.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and paper: ``model``, ``access``, ``mean``, ``judge``, ``what``, ``reported_by``,
        ``date``, ``difference`` (points).
    """
    order = frame.drop_duplicates("model").sort_values("difference", ascending=False, kind="stable")
    models = order["model"].tolist()
    set_plot_height(ax, 0.4 + 0.5 * len(models))
    for row, model in enumerate(models):
        part = frame.loc[frame["model"] == model].sort_values("mean")
        style = access_style(part["access"].iloc[0])
        ax.hlines(row, part["mean"].min(), part["mean"].max(), color="#BBBBBB", lw=points(2), zorder=1)
        ax.plot(part["mean"], [row] * len(part), style["marker"], color=style["color"], ms=points(5))
        last = len(part) - 1
        for number, line in enumerate(part.to_dict("records")):
            ax.annotate(
                f"{line['reported_by']}\n{line['mean']:g}",
                (line["mean"], row),
                (points(0), points(-5 if 0 < number < last else 5)),
                textcoords="offset points",
                ha="right" if number == 0 and last else "left",
                va="bottom",
                linespacing=1.0,
                fontsize=small(),
                color=GREY,
            )
    name_rows(ax, models)
    ax.set_ylim(len(models) - 0.7, -0.85)
    values = frame["mean"].astype(float)
    ax.set_xlim(max(0, values.min() - 14), min(100, values.max() + 14))
    ax.grid(axis="x")
    ax.set_xlabel("reported score, 0-100")
    stated = "; ".join(
        f"{row['reported_by']} ({row['date']}): {_stated(row)}"
        for row in frame.drop_duplicates("reported_by").sort_values("date").to_dict("records")
    )
    least, most = order["difference"].min(), order["difference"].max()
    return Drawing(
        f"The same model scored by two papers: {least:.1f} to {most:.1f} points apart",
        "",
        f"n={len(models)} models as released. Judge and average by paper: {stated}.",
    )


def _stated(row: dict[str, Any]) -> str:
    """Return a description of judge and average of a paper."""
    if row["judge"] == row["what"]:
        return f"both {row['judge']}"
    return f"judge {row['judge']}, average {row['what']}"
