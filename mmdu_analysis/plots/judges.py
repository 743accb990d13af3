"""Judges: how their scores of the same models correlate and differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmdu_analysis.plots._inputs import own_source, source_of, stamped
from mmdu_analysis.plots._layout import set_plot_height
from mmdu_analysis.plots._marks import name_rows, score_label, spread_labels
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, judge_styles, points, small
from mmdu_analysis.schema import MMDU

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MEASURES = {"pearson": ("o", "#333333"), "spearman": ("s", "#8A8A8A"), "kendall": ("D", "white")}
PEOPLE = "people"


def _judged(study: Any) -> tuple[Any, Any, str]:
    """Return scores by several judges, their rubric and source: the study's, else the published ones."""
    from mmdu_analysis.facts.tables import load_published

    if study.scores is None:
        return load_published("judges"), MMDU, source_of("judges")
    return study.scores, study.rubric, own_source(study)


def _agreement_numbers(study: Any) -> pd.DataFrame:
    import pandas as pd

    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.stats.agreement import judge_agreement

    table, rubric, source = _judged(study)
    frame = stamped(judge_agreement(table, rubric=rubric), source)
    if study.scores is not None:
        return frame
    measures = list(_MEASURES)
    human = load_published("human_agreement").rename(columns={"judge": "judge_a"})
    human[measures] = human[measures] / 100
    human = human.assign(judge_b=PEOPLE, dimension=MMDU.overall)
    return pd.concat([frame, stamped(human, source_of("human_agreement"))], ignore_index=True)


@figure(
    caption="Correlations of judges with each other and with people, over models",
    numbers=_agreement_numbers,
    notebook="05_finetuning_and_judges",
    paper="Table 6 and human study",
    facts="scores",
    needs=("two judges", "two models"),
    size=(3.5, 2.4),
)
def judge_agreement(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the correlations of each pair of judges.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per pair and dimension: ``judge_a``, ``judge_b``, ``dimension``, ``n_models`` (NA for people),
        ``pearson`` with ``low`` and ``high``, ``spearman``, ``kendall``. The last dimension of a pair is
        drawn as marks, the range over all dimensions as lines.
    """
    pairs = list(dict.fromkeys(zip(frame["judge_a"], frame["judge_b"], strict=True)))
    set_plot_height(ax, 0.45 + 0.36 * len(pairs))
    lowest = 1.0
    for number, (measure, (marker, face)) in enumerate(_MEASURES.items()):
        shift = (number - 1) * 0.24
        for row, (a, b) in enumerate(pairs):
            part = frame.loc[(frame["judge_a"] == a) & (frame["judge_b"] == b)]
            values = part[measure].astype(float)
            ax.hlines(row + shift, values.min(), values.max(), color="#B5B5B5", lw=points(2.5), zorder=1)
            ax.plot(
                values.iloc[-1],
                row + shift,
                marker,
                color="#333333",
                mfc=face,
                ms=points(4),
                label=measure.capitalize() if row == 0 else None,
                zorder=3,
            )
            lowest = min(lowest, float(values.min())) if values.notna().any() else lowest
    name_rows(ax, [f"{a}\n{b}" for a, b in pairs])
    ax.set_xlim(min(0.8, lowest - 0.03), 1.01)
    ax.grid(axis="x")
    ax.set_xlabel("correlation over models")
    between = frame.loc[frame["judge_b"] != PEOPLE]
    count, last = int(between["n_models"].max()), between["dimension"].iloc[-1]
    pearson = between.loc[between["dimension"] == last, "pearson"].astype(float)
    least = between.loc[between["dimension"] == last, "low"].astype(float).min()
    sure = (
        f" The 95% lower limits of Pearson's correlation are {least:.2f} or higher." if least == least else ""
    )
    people = " With people: as the paper states it." if (frame["judge_b"] == PEOPLE).any() else ""
    return Drawing(
        f"Judges' scores of {count} models correlate with r = {pearson.min():.2f} to {pearson.max():.2f}",
        f"Marks: {last}. Grey: range over all dimensions.",
        f"n={count} models: a few weak and a few strong models correlate highly with almost any judge.{sure}{people}",
        legend=True,
    )


def _offset_numbers(study: Any) -> pd.DataFrame:
    from mmdu_analysis.stats.agreement import family_of, judge_offsets

    table, rubric, source = _judged(study)
    frame = judge_offsets(table, rubric=rubric)
    families = [
        (family_of(str(j)), family_of(str(m))) for j, m in zip(frame["judge"], frame["model"], strict=True)
    ]
    frame["own_family"] = [a is not None and a == b for a, b in families]
    have = list(dict.fromkeys(frame["dimension"]))
    kept = rubric.overall if rubric.overall in have else have[-1]
    return stamped(frame.loc[frame["dimension"] == kept].reset_index(drop=True), source)


def _models_by_score(frame: pd.DataFrame) -> list[str]:
    """Return the models, the highest in the first judge's scores first."""
    first = frame.loc[frame["judge"] == frame["judge"].iloc[0]]
    return first.sort_values("score", ascending=False, kind="stable")["model"].astype(str).tolist()


@figure(
    caption="Offset of each judge for each model from the mean of all judges",
    numbers=_offset_numbers,
    notebook="05_finetuning_and_judges",
    paper="Table 6",
    facts="scores",
    needs=("two judges",),
    size=(3.5, 2.1),
)
def judge_offsets(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the offset of each judge for each model.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per judge and model: ``judge``, ``model``, ``dimension``, ``score``, ``offset`` (points from
        the mean of all judges of the model), ``judge_offset`` (its mean over models), ``own_family`` (bool).
    """
    models = _models_by_score(frame)
    set_plot_height(ax, 0.45 + 0.27 * len(models))
    styles = judge_styles(frame["judge"].astype(str))
    row_of = {model: row for row, model in enumerate(models)}
    judges = list(dict.fromkeys(frame["judge"]))
    for number, judge in enumerate(judges):
        part, style = frame.loc[frame["judge"] == judge], styles[str(judge)]
        mean = float(part["judge_offset"].iloc[0])
        shift = (number - (len(judges) - 1) / 2) * 0.5 / len(judges)
        rows = part["model"].map(row_of).to_numpy(dtype=float) + shift
        ax.axvline(mean, color=style["color"], lw=points(1), ls=style["ls"], alpha=0.7)
        label = f"{judge} (mean {mean:+.1f})"
        ax.plot(
            part["offset"], rows, style["marker"], color=style["color"], ms=points(4.5), label=label, zorder=3
        )
        own = part["own_family"].to_numpy(dtype=bool)
        ax.plot(part["offset"][own], rows[own], "o", mfc="none", color="black", ms=points(9), mew=points(0.8))
    name_rows(ax, models)
    ax.grid(axis="x")
    ax.set_xlabel("points above the mean of all judges")
    low, high = frame["judge_offset"].min(), frame["judge_offset"].max()
    ringed = "Rings: a model of the judge's own family. " if frame["own_family"].astype(bool).any() else ""
    return Drawing(
        f"{frame['dimension'].iloc[0]}: judges' mean offsets lie between {low:+.1f} and {high:+.1f} points",
        "Lines: mean offset of each judge.",
        f"{ringed}n={len(models)} models that all judges scored. A judge that uses a wider range scores all good models higher, "
        "so rings do not show self-preference.",
        legend=True,
    )


@figure(
    caption="The scores of each model by each judge, as slopes",
    numbers=_offset_numbers,
    notebook="05_finetuning_and_judges",
    paper="Table 6",
    facts="scores",
    needs=("two judges",),
    size=(3.5, 2.5),
)
def judge_slopes(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw a line for each model through the scores that the judges give it.

    Parameters
    ----------
    frame : pandas.DataFrame
        As in `judge_offsets`, with ``rank`` (of the model among those of the judge).
    """
    judges = list(dict.fromkeys(frame["judge"]))
    models = _models_by_score(frame)
    shades = _greys(len(models))
    last_scores = []
    for model, color in zip(models, shades, strict=True):
        part = frame.loc[frame["model"] == model].set_index("judge").loc[judges]
        ax.plot(range(len(judges)), part["score"], "o-", color=color, ms=points(3.5), lw=points(1.1))
        last_scores.append((float(part["score"].iloc[-1]), model, color))
    for y, (score, model, color) in zip(
        spread_labels([s for s, _, _ in last_scores], 7.0), last_scores, strict=True
    ):
        ax.annotate(
            f"{model} {score:.1f}",
            (len(judges) - 1, score),
            (len(judges) - 0.9, y),
            va="center",
            fontsize=small(),
            color=color,
            annotation_clip=False,
        )
    root: Any = ax.get_figure(root=True)
    narrow = root.get_figwidth() < points(3.0)  # horizontal names would overlap in a column of 2.5 inches
    ax.set_xticks(range(len(judges)), judges, rotation=90 if narrow else 0)
    ax.set_xlim(-0.2, len(judges) - 0.8)
    ax.set_ylim(0, 100)
    ax.set_ylabel(score_label(frame["dimension"]))
    ax.set_xlabel("judge")
    ax.grid(axis="y")
    changing = int((frame.groupby("model")["rank"].nunique() > 1).sum())
    spread = frame.groupby("model")["score"].agg(lambda values: values.max() - values.min())
    return Drawing(
        f"The same model's score differs by {spread.min():.1f} to {spread.max():.1f} points between judges",
        f"{changing} of {len(models)} models change rank.",
        f"n={len(models)} models, {len(judges)} judges; without intervals.",
    )


def _greys(count: int) -> list[str]:
    """Return two greys that alternate, since labels at the lines name the models."""
    return [("black", GREY)[number % 2] for number in range(count)]
