"""Closed and open models: all dimensions, the lowest closed and the highest open models, and size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import model_scores, model_table, published_rows, stamped
from mmdu_analysis.plots._layout import set_plot_height
from mmdu_analysis.plots._marks import (
    access_style,
    beside,
    by_access,
    interval,
    name_rows,
    own_note,
    score_label,
    spread_labels,
)
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import ACCESS_COLORS, ACCESS_MARKERS, points, small
from mmdu_analysis.schema import MMDU, NotAvailable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_SHIFT = {"closed": -0.17, "open": 0.17, "finetuned": 0.0}


def _gap_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.gap import gap_analysis

    rows = model_scores(study)
    gaps = gap_analysis(model_table(rows), rubric=MMDU if study.scores is None else study.rubric)
    gaps = gaps.rename(columns={"low": "gap_low", "high": "gap_high", "se": "gap_se", "ci": "gap_ci"})
    return rows.merge(gaps.drop(columns=["synthetic"]), on="dimension", how="inner", validate="m:1")


@figure(
    caption="All models in each dimension, the means of closed and open ones, and the gap with its interval",
    numbers=_gap_numbers,
    notebook="04_open_vs_closed_gap",
    paper="Table 2",
    facts="scores",
    needs=("both kinds",),
    size=(3.5, 2.5),
)
def gap_by_dimension(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw a strip of all models for each dimension, with the gap at the right.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model and dimension: ``model``, ``access``, ``dimension``, ``short``, ``mean``, and for
        each dimension the columns of `gap_analysis`, with ``gap_low``, ``gap_high`` and ``gap_ci`` for its
        interval.
    """
    import seaborn as sns

    dimensions = list(dict.fromkeys(frame["dimension"]))
    set_plot_height(ax, 0.45 + 0.3 * len(dimensions))
    row_of = {name: row for row, name in enumerate(dimensions)}
    for style, part in by_access(frame):
        access = part["access"].iloc[0]
        rows = part["dimension"].map(row_of) + _SHIFT.get(access, 0.0)
        sns.scatterplot(
            x=part["mean"].to_numpy(dtype=float),
            y=rows.to_numpy(dtype=float),
            marker=style["marker"],
            color=style["color"],
            s=points(3.6) ** 2,
            alpha=0.75,
            linewidth=0,
            label=style["label"],
            legend=False,
            ax=ax,
        )
    first = frame.drop_duplicates("dimension").set_index("dimension")
    for name, row in row_of.items():
        for side in ("closed", "open"):
            mean, y = float(first.loc[name, f"{side}_mean"]), row + _SHIFT[side]
            ax.vlines(mean, y - 0.16, y + 0.16, color=ACCESS_COLORS[side], lw=points(2.2))
        beside(ax, interval(first.loc[name], "gap", "gap_low", "gap_high", digits=0), row)
    shorts = first["short"].astype(str).tolist()
    name_rows(ax, shorts, [name == dimensions[-1] for name in dimensions])
    ax.set_xlim(0, 100)
    ax.grid(axis="x")
    ax.set(xlabel=score_label([]), ylabel="")
    last = first.iloc[-1]
    level = f"{100 * float(last['gap_ci']):g}%" if last["gap_ci"] == last["gap_ci"] else ""
    counts = f"{int(last['n_closed'])} closed and {int(last['n_open'])} open models; fine-tuned ones are not part of either mean."
    robust = (
        f"If any single model is left out, the {dimensions[-1]} gap is {last['gap_min']:.1f} to {last['gap_max']:.1f}. "
        if last["gap_min"] == last["gap_min"]
        else ""
    )
    note = (
        f"{counts} {robust}Welch's interval assumes that the models are a sample from a population of such models. "
        f"{own_note(frame)}"
    )
    return Drawing(
        _gap_title(dimensions[-1], last),
        f"One mark per model; bars: means. Right: gap of the means, points [{level} interval].",
        note.strip(),
        legend=True,
    )


def _gap_title(dimension: str, row: Any) -> str:
    """Return a title with the gap in one dimension; it states an order only if the interval excludes 0."""
    values = interval(row, "gap", "gap_low", "gap_high").replace("+", "")
    if row["gap_low"] > 0:
        return f"{dimension}: closed models are {values} points above open ones on average"
    return f"{dimension}: closed models' mean less open models' mean is {interval(row, 'gap', 'gap_low', 'gap_high')}"


def _pair_numbers(study: Any) -> pd.DataFrame:
    import pandas as pd

    from mmdu_analysis.stats.gap import border_pair

    rows = model_scores(study)
    rubric = MMDU if study.scores is None else study.rubric
    table = model_table(rows)
    parts = []
    for dimension in dict.fromkeys(rows["dimension"]):
        short = rubric.short_names.get(dimension)
        if short is None:
            raise NotAvailable("it compares judged dimensions; the scores are right/wrong labels")
        for side in ("open", "finetuned"):
            chosen = table.loc[table["access"].isin(["closed", side])]
            if not (chosen["access"] == side).any():
                continue
            named = chosen.assign(access=chosen["access"].replace("finetuned", "open"))
            closed, other = border_pair(named, dimension, rubric=rubric).to_dict("records")
            parts.append(
                {
                    "dimension": dimension,
                    "short": short,
                    "side": side,
                    "closed_model": closed["model"],
                    "closed_mean": closed[short],
                    "model": other["model"],
                    "mean": other[short],
                    "margin": closed[short] - other[short],
                }
            )
    frame = pd.DataFrame(parts).assign(synthetic=bool(rows["synthetic"].any()))
    return stamped(frame, "; ".join(dict.fromkeys(rows["source"])))


@figure(
    caption="The lowest closed model in each dimension, and the highest of the other models",
    numbers=_pair_numbers,
    notebook="04_open_vs_closed_gap",
    paper="Table 2",
    facts="scores",
    needs=("both kinds", "judged dimensions"),
    size=(3.5, 2.3),
)
def gap_pairs(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the lowest closed, the highest open and the highest fine-tuned model of each dimension.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per dimension and side: ``dimension``, ``short``, ``side`` (``open`` or ``finetuned``),
        ``closed_model``, ``closed_mean``, ``model``, ``mean``, ``margin`` (lowest closed less this model,
        points).
    """
    dimensions = list(dict.fromkeys(frame["dimension"]))
    set_plot_height(ax, 0.45 + 0.26 * len(dimensions))
    row_of = {name: row for row, name in enumerate(dimensions)}
    lowest = frame.drop_duplicates("dimension")
    ax.plot(
        lowest["closed_mean"],
        [row_of[name] for name in lowest["dimension"]],
        ACCESS_MARKERS["closed"],
        color=ACCESS_COLORS["closed"],
        ms=points(5),
        label=f"lowest closed: {_names(lowest['closed_model'])}",
        zorder=3,
    )
    texts: dict[str, list[str]] = {name: [] for name in dimensions}
    for side, part in frame.groupby("side", sort=False):
        style, rows = access_style(side), [row_of[name] for name in part["dimension"]]
        shift = 0.14 if side == "finetuned" else -0.14
        moved = [row + shift for row in rows]
        ax.hlines(moved, part["mean"], part["closed_mean"], color=style["color"], lw=points(1.6), alpha=0.6)
        label = "highest fine-tuned" if side == "finetuned" else "highest open"
        ax.plot(
            part["mean"],
            moved,
            style["marker"],
            color=style["color"],
            ms=points(4.5),
            label=f"{label}: {_names(part['model'])}",
            zorder=3,
        )
        for name, margin in zip(part["dimension"], part["margin"], strict=True):
            texts[name].append(f"{margin:+.1f}")
    for name, row in row_of.items():
        beside(ax, " / ".join(texts[name]), row)
    name_rows(ax, lowest["short"].astype(str).tolist())
    values = frame[["mean", "closed_mean"]].to_numpy(dtype=float)
    ax.set_xlim(max(0, values.min() - 8), min(100, values.max() + 8))
    ax.grid(axis="x")
    ax.set_xlabel(score_label([]))
    return Drawing(
        _pair_title(frame),
        "Right: lowest closed less highest open"
        + (" / fine-tuned" if frame["side"].nunique() > 1 else "")
        + ", points.",
        "Single models at the extremes of their groups, without intervals: a small margin can change in "
        "another run.",
        legend=True,
    )


def _names(models: pd.Series) -> str:
    """Return the model in most rows, and the number of other models."""
    counts = models.value_counts()
    others = len(counts) - 1
    return str(counts.index[0]) + (f" and {others} other{'s' if others > 1 else ''}" if others else "")


def _pair_title(frame: pd.DataFrame) -> str:
    names = {"open": "highest open", "finetuned": "highest fine-tuned"}
    parts = []
    for side, part in frame.groupby("side", sort=False):
        low, high = f"{part['margin'].min():+.1f}", f"{part['margin'].max():+.1f}"
        parts.append(f"{low if low == high else f'{low} to {high}'} points against the {names[str(side)]}")
    return f"The lowest closed model: {', '.join(parts)}"


def _size_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.gap import size_effect

    # Own models are compared with the published ones only on MMDU's rubric and with an overall score.
    comparable = study.scores is not None and study.rubric == MMDU and not study.synthetic
    comparable = comparable and MMDU.overall in set(study.scores["dimension"])
    rows = model_scores(study) if comparable else published_rows()
    kept = rows.loc[rows["dimension"] == MMDU.overall].reset_index(drop=True)
    effect = size_effect(model_table(rows)).set_index("dimension").loc[MMDU.overall]
    for column in ("spearman", "p_value", "slope"):
        kept[column] = effect[column]
    return kept.assign(slope_low=effect["low"], slope_high=effect["high"], size_ci=effect["ci"])


@figure(
    caption="Scores of models with a published size against their parameters; closed ones as lines",
    numbers=_size_numbers,
    notebook="04_open_vs_closed_gap",
    paper="Table 2",
    facts="always",
    size=(3.5, 2.6),
)
def score_and_size(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw scores against parameters; closed models, whose size isn't known, as lines.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model: ``model``, ``access``, ``parameters_b`` (billions), ``dimension``, ``mean``,
        ``own``, and in all rows ``slope``, ``slope_low``, ``slope_high``, ``spearman`` and ``p_value`` of
        `size_effect`.
    """
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    sized = frame.loc[frame["parameters_b"].notna()]
    for style, part in by_access(sized):
        ax.plot(
            part["parameters_b"],
            part["mean"],
            style["marker"],
            color=style["color"],
            ms=points(4.5),
            label=style["label"],
        )
    own = sized.loc[sized["own"].astype(bool)]
    ax.plot(own["parameters_b"], own["mean"], "o", color="black", mfc="none", ms=points(8), mew=points(0.8))
    unknown = frame.loc[frame["parameters_b"].isna() & (frame["access"] == "closed")]
    heights = spread_labels(unknown["mean"].tolist(), 8.0)
    for number, (row, height) in enumerate(zip(unknown.to_dict("records"), heights, strict=True)):
        label = "closed, size not published" if number == 0 else None
        ax.axhline(row["mean"], color=ACCESS_COLORS["closed"], lw=points(1), ls="--", label=label)
        beside(ax, row["model"], height, ACCESS_COLORS["closed"])
    named = ((sized["parameters_b"].idxmax(), "right", 5), (sized["mean"].idxmin(), "left", -8))
    for index, ha, up in named:
        row = sized.loc[index]
        ax.annotate(
            row["model"],
            (row["parameters_b"], row["mean"]),
            (points(-3 if ha == "right" else 3), points(up)),
            textcoords="offset points",
            ha=ha,
            fontsize=small(),
        )
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator([1, 2, 4, 6, 8, 13, 26, 52, 104, 208]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:.0f}"))
    ax.set_xlim(sized["parameters_b"].min() / 1.15, sized["parameters_b"].max() * 1.15)
    ax.set_ylim(0, 100)
    ax.set_xlabel("parameters, billions (log scale)")
    ax.set_ylabel(score_label(frame["dimension"]))
    ax.grid(axis="y", color="#E2E2E2")
    first = frame.iloc[0]
    count = int((sized["access"] == "open").sum())
    sizeless = frame.loc[
        frame["own"].astype(bool) & ~frame.index.isin([*sized.index, *unknown.index]), "model"
    ]
    not_drawn = f"Not drawn, without a known size: {', '.join(sizeless)}. " if len(sizeless) else ""
    mine = own_note(frame.drop(sizeless.index)).replace("in bold", "in a ring")
    note = (
        f"Slope: least squares over {count} open models, {100 * float(first['size_ci']):g}% interval; Spearman "
        f"{first['spearman']:.2f} (p = {first['p_value']:.2f}). Access and size can't be separated, since closed models' "
        f"sizes are not published. {not_drawn}{mine}"
    )
    return Drawing(
        f"Open models: {interval(first, 'slope', 'slope_low', 'slope_high')} points for twice the parameters",
        f"{first['dimension']} of models with {sized['parameters_b'].min():g} to {sized['parameters_b'].max():g} billion "
        "parameters.",
        note.strip(),
        legend=True,
    )
