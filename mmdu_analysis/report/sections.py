"""The sections of a report: texts, one table and names of figures each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.schema import MMDU, NotAvailable
from mmdu_analysis.stats import places
from mmdu_analysis.stats.pairs import compare_all_models, rank_models
from mmdu_analysis.stats.scores import only_dimension, summarize_scores

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.study import Study


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Attributes
    ----------
    title : str
        Heading.
    texts : tuple of str
        Paragraphs.
    table : pandas.DataFrame or None
        Numbers; the rows whose ``own`` is True are set in bold.
    figures : tuple of str
        Names of figures; those that the study can't support are left out.
    """

    title: str
    texts: tuple[str, ...] = ()
    table: pd.DataFrame | None = None
    figures: tuple[str, ...] = ()


def scores_section(study: Study) -> Section:
    """Return the ranks of the own models among the published ones, else the published table."""
    if study.scores is None:
        text = "Table 2 of the paper. Avg is the judge's Overall Score, not the mean of the six. It has no intervals."
        table = load_published("main_results").sort_values("Avg", ascending=False, ignore_index=True)
        return Section("Published scores", (text,), table, ("main_results", "dimension_heatmap"))
    table = study.model_table()
    if not table["own"].all() and MMDU.short_names["Overall Score"] in table:
        summary = summarize_scores(study.scores, rubric=study.rubric)
        ranked = places.place_among_published(summary, load_published("main_results"), access=study.access)
        texts = (*(_place_text(ranked, model) for model in ranked.loc[ranked["own"], "model"]), _caveat())
        return Section("Rank among the published models", texts, ranked, ("own_model", "main_results"))
    text = f"The own models alone: {_why_alone(study, table)}."
    return Section("Scores by model", (text,), table, ("main_results",))


def _why_alone(study: Study, table: pd.DataFrame) -> str:
    """Return the reason why own models are not ranked among the published ones."""
    if table["synthetic"].any():
        return "simulated models are not ranked among published ones"
    if study.rubric != MMDU:
        return "the published scores are on another rubric"
    return "without an overall score of a judge they are not comparable with the published ones"


def _caveat() -> str:
    return f"Note: {places.CAVEAT}."


def _place_text(ranked: pd.DataFrame, model: str) -> str:
    row = ranked.loc[ranked["model"] == model].iloc[0]
    known = row["low"] == row["low"]
    span = f" [{row['low']:.1f}, {row['high']:.1f}]" if known else ""
    ranks = f", ranks {row['rank_low']} to {row['rank_high']} within the interval" if known else ""
    text = f"{model}: {row['mean']:.1f}{span} of 100, rank {row['rank']} of {len(ranked)}{ranks}."
    others = ranked.loc[~ranked["own"]]
    above, below = (
        others.loc[others["mean"] >= row["mean"]].tail(1),
        others.loc[others["mean"] < row["mean"]].head(1),
    )
    near = [f"{r['model']} ({r['mean']:.1f})" for frame in (above, below) for _, r in frame.iterrows()]
    return f"{text} Neighbours: {', '.join(near)}." if near else text


def dimensions_section(study: Study) -> Section:
    """Return the means of the own models in each dimension."""
    summary = summarize_scores(study.need_scores(), rubric=study.rubric)
    text = "Means with 95 % intervals over dialogues; each judged turn counts once. n_missing counts unjudged turns."
    return Section(
        "Dimensions", (text,), summary, ("dimension_heatmap", "scores_by_dimension", "turn_curves")
    )


def differences_section(study: Study) -> Section:
    """Return the differences of each pair of own models."""
    scores = study.need_scores()
    if scores["model"].nunique() < 2:
        raise NotAvailable("it compares models, and there are scores of only one")
    kept = only_dimension(scores, None, rubric=study.rubric)
    text = "Each pair of models on the turns that both have, with Holm's correction for the number of pairs."
    table = compare_all_models(kept, rubric=study.rubric)
    return Section("Differences between own models", (text,), table, ("pairwise_differences",))


def ranks_section(study: Study) -> Section:
    """Return the ranks of the own models."""
    scores = study.need_scores()
    if scores["model"].nunique() < 2:
        raise NotAvailable("it ranks models, and there are scores of only one")
    text = "Ranks hold simultaneously: a model is ranked below only those that are significantly better."
    return Section("Ranks", (text,), rank_models(scores, rubric=study.rubric), ("rank_intervals",))


def breakdowns_section(study: Study) -> Section:
    """Return the figures of scores by properties of the turns."""
    study.need_scores()
    text = "Scores by kind of question, number of images, context and turn. Cells with few dialogues are uncertain."
    names = ("scores_by_kind", "scores_by_images", "scores_by_context", "score_and_length", "memory_by_kind")
    return Section("Scores by properties of the turns", (text,), None, names)


def gap_section(study: Study) -> Section:
    """Return the gap between closed and open models."""
    if study.scores is not None and study.rubric.overall not in set(study.scores["dimension"]):
        raise NotAvailable(
            "the gap compares scores of a judge, and the scores are labels or of another rubric"
        )
    table = study.gap()
    text = "Mean of the closed models less mean of the open ones, by dimension, in points on 0-100."
    return Section("Closed and open models", (text,), table, ("gap_by_dimension", "gap_pairs"))


def data_section(study: Study) -> Section:
    """Return Table 1 of the benchmark, compared with the published one."""
    bench = study.need_benchmark()
    text = f"{bench.name}: {len(bench.dialogs):,} dialogues, compared with the paper's Table 1."
    figures = ("turns", "images", "tokens", "questions")
    return Section("The data", (text,), study.statistics(compare=True), figures)


def coverage_section(study: Study) -> Section:
    """Return the coverage of the benchmark by the scores."""
    import pandas as pd

    scores = study.need_scores()
    kept = only_dimension(scores, None, rubric=study.rubric)
    rows = []
    for (model, judge), part in kept.groupby(["model", "judge"], observed=True):
        known = part.loc[part["score"].notna()]
        numbered = part.loc[part["turn"].notna()]
        rows.append(
            {
                "model": model,
                "judge": judge,
                "n_dialogs": known["dialog_id"].nunique(),
                "n_turns": len(known),
                "n_missing": int(part["score"].isna().sum()),
                "dialogs_with_turn_numbers": numbered["dialog_id"].nunique(),
                "synthetic": bool(part.get("synthetic", pd.Series([False])).any()),
            }
        )
    table = pd.DataFrame(rows)
    texts = ["Scored turns, unjudged turns, and dialogues whose scores have turn numbers."]
    lost = kept.loc[kept["turn"].isna(), "dialog_id"].nunique()
    if lost:
        total = kept["dialog_id"].nunique()
        texts.append(
            f"{lost} of {total} dialogues have no turn numbers and are left out of all figures by turn. "
            "Write null for an unjudged turn, or give every entry a 'turn' key."
        )
    return Section("Coverage", tuple(texts), table)


def problems_section(study: Study) -> Section:
    """Return the problems that the loaders report."""
    problems = study.problems
    if problems.empty:
        return Section("Problems of the files", ("No problem was found.",))
    text = f"{len(problems):,} problems; `mmdu validate` prints all of them."
    return Section("Problems of the files", (text,), problems.head(50))


def audit_section(study: Study) -> Section:
    """Return the claims of the paper whose recomputed values differ."""
    table = study.audit()
    differs = table.loc[table["verdict"] == "differs", ["claim", "where", "stated", "recomputed", "note"]]
    text = f"Of {len(table)} claims of the paper, {len(differs)} differ from the recomputed values; many differences are due to rounding."
    return Section("Audit of the paper", (text,), differs.reset_index(drop=True), ("audit",))


SECTIONS: dict[str, Callable[[Study], Section]] = {
    "scores": scores_section,
    "dimensions": dimensions_section,
    "ranks": ranks_section,
    "differences": differences_section,
    "breakdowns": breakdowns_section,
    "gap": gap_section,
    "data": data_section,
    "coverage": coverage_section,
    "problems": problems_section,
    "audit": audit_section,
}
"""Sections by key, in the order of the report; ``worst`` is added by `mmdu_analysis.report.worst`."""
