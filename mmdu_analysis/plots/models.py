"""All models by their score: the published ones and the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import model_scores, own_source, source_of, stamped
from mmdu_analysis.plots._layout import set_plot_height
from mmdu_analysis.plots._marks import (
    beside,
    by_access,
    dots,
    interval,
    level_note,
    name_rows,
    own_note,
    plural,
    score_label,
    span,
)
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import ACCESS_COLORS, GREY, points
from mmdu_analysis.schema import MMDU, DataWarning

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def _main_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.plots._inputs import main_dimension

    rows = model_scores(study)
    dimension = MMDU.overall if study.scores is None else main_dimension(study)
    kept = rows.loc[rows["dimension"] == dimension]
    return kept.sort_values("mean", ascending=False, kind="stable", ignore_index=True)


@figure(
    caption="All models ranked by their score",
    numbers=_main_numbers,
    notebook="03_model_scores",
    paper="Table 2",
    facts="scores",
    needs=("scores", "main dimension"),
    size=(3.5, 3.2),
)
def main_results(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw all models by their score, the highest on top.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model, the highest ``mean`` first: ``model``, ``access``, ``parameters_b``,
        ``base_model``, ``dimension``, ``mean``, ``low``, ``high``, ``own``, ``judge``, ``ci``.
    """
    frame = frame.reset_index(drop=True)
    set_plot_height(ax, 0.45 + 0.155 * len(frame))
    row_of = {model: row for row, model in enumerate(frame["model"])}
    for style, part in by_access(frame):
        rows = [row_of[model] for model in part["model"]]
        ax.hlines(rows, 0, part["mean"], color=style["color"], lw=points(0.8), alpha=0.35)
        dots(ax, part, rows, style)
    tuned = [row for row in frame.to_dict("records") if row["base_model"] in row_of]
    for row in tuned:
        base = frame.loc[row_of[row["base_model"]]]
        _arrow(ax, (base["mean"], row_of[base["model"]]), (row["mean"], row_of[row["model"]]))
    for row, value in enumerate(frame["mean"]):
        beside(ax, f"{value:.1f}", row)
    name_rows(ax, [_with_size(row) for row in frame.to_dict("records")], frame["own"].astype(bool).tolist())
    ax.set_xlim(0, 100)
    ax.grid(axis="x")
    ax.set_xlabel(score_label(frame["dimension"]))
    arrows = "Arrows: from a base model to the same model fine-tuned on MMDU-45k." if tuned else ""
    notes = (f"n={plural(len(frame), 'model')}.", arrows, level_note(frame), own_note(frame))
    return Drawing(
        _ranges(frame),
        "In brackets: billions of parameters, if published." if frame["parameters_b"].notna().any() else "",
        " ".join(text for text in notes if text),
        legend=True,
    )


def _ranges(frame: pd.DataFrame) -> str:
    """Return the range of the scores of each access as a title."""
    names = {"closed": "closed models", "open": "open ones", "finetuned": "fine-tuned ones"}
    name = (
        "Answers right"
        if list(frame["dimension"].unique()) == ["Correct"]
        else str(frame["dimension"].iloc[0])
    )
    parts = [
        f"{names[access]} {span(frame.loc[frame['access'] == access, 'mean'])}"
        for access in names
        if (frame["access"] == access).any()
    ]
    if not parts:
        return f"{name} of {len(frame)} models" if len(frame) > 1 else f"{name} of {frame['model'].iloc[0]}"
    return f"{name}: {', '.join(parts)}"


def _with_size(row: dict[str, Any]) -> str:
    size = row["parameters_b"]
    return f"{row['model']} ({size:g})" if size == size and size is not None else str(row["model"])


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    ax.annotate(
        "",
        end,
        start,
        arrowprops={
            "arrowstyle": "-|>",
            "color": ACCESS_COLORS["finetuned"],
            "lw": points(1.0),
            "mutation_scale": points(7),
            "shrinkA": points(3),
            "shrinkB": points(3),
            "connectionstyle": "arc3,rad=0.25",
        },
    )


def _own_numbers(study: Any) -> pd.DataFrame:
    import warnings

    import pandas as pd

    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.places import place_among_published
    from mmdu_analysis.stats.scores import summarize_scores

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        summary = summarize_scores(study.need_scores(), rubric=study.rubric)
    table = place_among_published(summary, load_published("main_results"))
    table["access"] = table["access"].fillna(table["model"].map(study.access))
    theirs = table.loc[~table["own"]]
    for name, shift in (("above", -1), ("below", 0)):
        # Published neighbours: the lowest of the models above, the highest of those below.
        at = [int((theirs["mean"] > value).sum()) + shift for value in table["mean"]]
        near = [theirs.iloc[i] if 0 <= i < len(theirs) else None for i in at]
        near = [row if own else None for row, own in zip(near, table["own"], strict=True)]
        table[name] = pd.array([None if row is None else row["model"] for row in near], dtype="str")
        means = pd.Series([float("nan") if row is None else row["mean"] for row in near])
        for column, edge in (("", "mean"), ("_low", "low"), ("_high", "high")):
            table[f"{name}_difference{column}"] = table[edge] - means
    judges = ", ".join(sorted(set(map(str, study.need_scores()["judge"]))))
    table = table.assign(judge=table["own"].map({True: judges, False: "GPT-4o"}), dimension=MMDU.overall)
    table["ci"] = summary["ci"].iloc[0]
    return stamped(table, f"{source_of('main_results')}; {own_source(study)}")


@figure(
    caption="Own models among the published ones, with the difference to the neighbours above and below",
    numbers=_own_numbers,
    notebook="08_your_own_model",
    paper="Table 2",
    needs=("scores", "mmdu rubric", "overall"),
    size=(3.5, 3.4),
)
def own_model(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw own models among the published ones.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per model, the highest ``mean`` first: ``model``, ``access``, ``mean``, ``low``, ``high``,
        ``rank``, ``rank_low``, ``rank_high``, ``own``, ``judge``, ``above``, ``above_difference`` with
        ``_low`` and ``_high``, the same for ``below``, ``ci``.
    """
    frame = frame.reset_index(drop=True)
    own = frame["own"].astype(bool)
    set_plot_height(ax, 0.45 + 0.16 * len(frame))
    for row in frame.index[own]:
        ax.axhspan(row - 0.5, row + 0.5, color="#FFF3D6", lw=0, zorder=0)
    for style, part in by_access(frame):
        dots(ax, part, part.index.to_numpy(dtype=float), style)
    for row, line in enumerate(frame.to_dict("records")):
        beside(ax, interval(line) if own[row] else f"{line['mean']:.1f}", row, "black" if own[row] else GREY)
    name_rows(ax, frame["model"].astype(str).tolist(), own.tolist())
    ax.set_xlim(0, 100)
    ax.grid(axis="x")
    ax.set_xlabel(score_label(frame["dimension"]))
    mine = frame.loc[own].to_dict("records")
    lines = [_neighbours(line) for line in mine[:3]]
    if len(mine) > 3:
        lines.append(f"{len(mine) - 3} more own models.")
    note = f"{level_note(frame)} {own_note(frame)} The published models have no interval, so the ranks are more certain than they should be."
    return Drawing(_place_title(mine, len(frame)), "\n".join(lines), note, legend=True)


def _place_title(mine: list[dict[str, Any]], count: int) -> str:
    import pandas as pd

    first = mine[0]
    if pd.isna(first["rank_low"]) or pd.isna(first["rank_high"]):  # without an interval
        low = high = int(first["rank"])
    else:
        low, high = int(first["rank_low"]), int(first["rank_high"])
    places = f"{low} to {high}" if low != high else f"{low}"
    others = f"{count - 1} published models" if len(mine) == 1 else f"{count} models"
    return f"{first['model']}: {interval(first)}, rank {places} among {others}"


def _neighbours(line: dict[str, Any]) -> str:
    """Return a description of the differences of an own model to its published neighbours."""
    parts = [
        f"{line[side]} {interval(line, f'{side}_difference', f'{side}_difference_low', f'{side}_difference_high')}"
        for side in ("above", "below")
        if isinstance(line[side], str)
    ]
    return f"{line['model']} less its neighbours: {'; '.join(parts)}."
