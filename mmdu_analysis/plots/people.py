"""People and planning: power of a comparison, means corrected by ratings, agreement of raters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.plots._marks import span
from mmdu_analysis.plots._render import Drawing, figure
from mmdu_analysis.plots._style import GREY, HIGHLIGHT, OURS, PAPER, points, small

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from mmdu_analysis.study import Study

_DIALOGS = (5, 10, 15, 20, 30, 40, 60, 80, 110, 150, 200)
_LABELS_SOURCE = (
    "variances of a person's labels of two models on MMDU, Baozpy/Analysis_VLM_memory_decay (2026)"
)


def _power_numbers(study: Study) -> pd.DataFrame:
    from mmdu_analysis.stats.planning import plan_evaluation

    own = study.scores if study.scores is not None else None
    plan = plan_evaluation(own, n_dialogs=_DIALOGS, rubric=study.rubric)
    source = _LABELS_SOURCE if own is None else "variances of own scores"
    return plan.assign(source=source)


@figure(
    caption="The smallest detectable difference of two models by the number of dialogues",
    numbers=_power_numbers,
    notebook="10_people_and_planning",
    facts="scores",
    needs=("turns", "two models", "dialogs", "main dimension", "one judge"),
)
def power_curve(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the detectable difference and the equivalence margin against the number of dialogues.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `plan_evaluation`.
    """
    import seaborn as sns

    x = frame["n_dialogs"].to_numpy(float)
    for column, label, color, dash, marker in (
        ("detectable", "detected with 80% power", OURS, "-", "o"),
        ("equivalence", "margin for showing equivalence", GREY, "--", "s"),
    ):
        sns.lineplot(
            x=x,
            y=frame[column].to_numpy(float),
            color=color,
            linestyle=dash,
            marker=marker,
            label=label,
            legend=False,
            ax=ax,
        )
    last = frame.loc[frame["n_dialogs"] == 110]
    if len(last):
        value = float(last["detectable"].iloc[0])
        ax.annotate(
            f"110 dialogues: {value:.1f}",
            (110, value),
            (0, points(14)),
            textcoords="offset points",
            ha="center",
            fontsize=small(),
            arrowprops={"arrowstyle": "-", "lw": 0.6, "color": GREY},
        )
    ax.set_xlim(0, float(x.max()) * 1.03)
    ax.set_ylim(0, float(frame[["detectable", "equivalence"]].max().max()) * 1.08)
    ax.set_xlabel("dialogues")
    ax.set_ylabel("points on 0-100")
    ax.grid(axis="y")
    first = frame.iloc[0]
    return Drawing(
        "Differences that a paired comparison of two models detects",
        note=f"Variance between dialogues {first['between']:.0f}, within {first['within']:.0f}, ICC {first['icc']:.3f}; "
        f"{first['ci']:.0%} intervals; {first['n_turns'] / first['n_dialogs']:.0f} turns per dialogue.",
        legend=True,
    )


def _calibration_numbers(study: Study) -> pd.DataFrame:
    frame = study.calibration(dimension=study.rubric.overall)
    return frame.assign(source="own scores and ratings")


@figure(
    caption="Mean scores of the judge alone, of people alone, and of the judge corrected by people's ratings",
    numbers=_calibration_numbers,
    notebook="10_people_and_planning",
    needs=("scores", "ratings", "turns", "overall", "one judge"),
)
def calibration(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw the three means of each model with their intervals.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `calibrate_scores`.
    """
    series = (
        ("judge_", "judge alone, all dialogues", PAPER, "s", -0.24),
        ("people_", "people alone, rated dialogues", HIGHLIGHT, "D", 0.0),
        ("", "judge corrected by people", OURS, "o", 0.24),
    )
    for prefix, label, color, marker, shift in series:
        mean, low, high = (frame[f"{prefix}{name}"].to_numpy(float) for name in ("mean", "low", "high"))
        y = [row + shift for row in range(len(frame))]
        ax.errorbar(
            mean,
            y,
            xerr=[mean - low, high - mean],
            fmt=marker,
            color=color,
            markersize=points(4),
            lw=points(1),
            label=label,
        )
    ax.set_yticks(range(len(frame)), frame["model"].astype(str))
    ax.set_ylim(len(frame) - 0.5, -0.5)
    ax.set_xlabel("mean score, points on 0-100")
    ax.grid(axis="x")
    first = frame.iloc[0]
    rated = (
        f"{span(frame['n_rated'], 0)} of {first['n_dialogs']} dialogues rated, sampled at random; with the judge they are "
        f"worth {frame['gain'].min():.1f} to {frame['gain'].max():.1f} times as many."
    )
    notes = [note for note in frame["note"].dropna().unique() if note]
    return Drawing(
        "Means of a judge, of people, and of both combined",
        subtitle=f"{first['dimension']}, {first['ci']:.0%} intervals",
        note=" ".join((rated, *(f"{note[:1].upper()}{note[1:]}." for note in notes))),
        legend=True,
    )


def _agreement_numbers(study: Study) -> pd.DataFrame:
    import pandas as pd

    from mmdu_analysis.facts.tables import load_published
    from mmdu_analysis.schema import NotAvailable
    from mmdu_analysis.stats.alpha import krippendorff_alpha
    from mmdu_analysis.stats.scores import as_scores

    ratings = study.ratings
    if ratings is None:
        raise NotAvailable("no ratings are given; pass ratings= or set MMDU_RATINGS")
    parts = []
    if ratings["judge"].nunique() > 1:
        parts.append(krippendorff_alpha(ratings, by="dimension").assign(group="between raters"))
    if study.scores is not None:
        judged = as_scores(study.scores, rubric=study.rubric)  # repeated judgements are averaged
        both = pd.concat([judged, ratings])
        parts.append(krippendorff_alpha(both, by="dimension").assign(group="raters and judge"))
    if not parts:
        raise NotAvailable("agreement needs two raters, or ratings and scores of the same turns")
    frame = pd.concat(parts, ignore_index=True)
    order = {name: rank for rank, name in enumerate(study.rubric.order(frame["dimension"]))}
    frame = frame.sort_values(
        "dimension", key=lambda names: names.map(order), kind="stable", ignore_index=True
    )
    frame = frame.loc[frame["n_units"] > 0]
    if frame.empty:
        raise NotAvailable("no answer has two ratings, or a rating and a score, in the same dimension")
    paper = load_published("human_agreement").set_index("judge").loc["GPT-4o", "pearson"] / 100
    return frame.assign(source="own ratings and scores", paper_pearson=paper)


@figure(
    caption="Krippendorff's alpha of people's ratings by dimension",
    numbers=_agreement_numbers,
    notebook="10_people_and_planning",
    needs=("ratings",),
)
def rating_agreement(frame: pd.DataFrame, ax: Axes) -> Drawing:
    """Draw alpha with its interval for each dimension and pair of groups.

    Parameters
    ----------
    frame : pandas.DataFrame
        From `krippendorff_alpha` with a column ``group``.
    """
    dimensions = list(dict.fromkeys(frame["dimension"]))
    groups = list(dict.fromkeys(frame["group"]))
    for rank, (group, color, marker) in enumerate(zip(groups, (HIGHLIGHT, OURS), ("D", "o"), strict=False)):
        part = frame.loc[frame["group"] == group]
        y = [dimensions.index(name) + (rank - (len(groups) - 1) / 2) * 0.3 for name in part["dimension"]]
        alpha = part["alpha"].to_numpy(float)
        spread = [alpha - part["low"].to_numpy(float), part["high"].to_numpy(float) - alpha]
        ax.errorbar(
            alpha, y, xerr=spread, fmt=marker, color=color, markersize=points(4), lw=points(1), label=group
        )
    ax.axvline(0, color=GREY, lw=points(0.8))
    ax.set_yticks(range(len(dimensions)), dimensions)
    ax.set_ylim(len(dimensions) - 0.5, -0.5)
    ax.set_xlim(right=1)
    ax.set_xlabel("Krippendorff's alpha (1: full agreement, 0: chance)")
    ax.grid(axis="x")
    first = frame.iloc[0]
    return Drawing(
        "Agreement of raters",
        subtitle=f"{str(first['level']).capitalize()} alpha, {first['ci']:.0%} intervals over dialogues",
        note=f"{span(frame['n_units'], 0)} answers with two or more ratings per dimension. "
        f"The paper reports a Pearson correlation of {first['paper_pearson']:.2f} between GPT-4o and people, which is "
        "computed over models, not answers.",
        legend=True,
    )
