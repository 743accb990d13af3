"""What figures of the gap, of fine-tuning and of judges are drawn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.figures.inputs import Inputs
from mmdu_analysis.figures.score_inputs import access_of, benchmark_of, model_table, scores_of
from mmdu_analysis.io.benchmark import load_benchmark
from mmdu_analysis.stats.agreement import family_of, judge_agreement, judge_offsets
from mmdu_analysis.stats.audit import audit_paper
from mmdu_analysis.stats.finetuning import ablation_effects, finetuning_gain
from mmdu_analysis.stats.gap import gap_analysis, gap_breakdown, size_effect

if TYPE_CHECKING:
    import pandas as pd


def gaps(inputs: Inputs) -> pd.DataFrame:
    """Measure the gap by dimension."""
    return gap_analysis(model_table(inputs))


def sizes(inputs: Inputs) -> pd.DataFrame:
    """Give models with their sizes, and how far size orders the open ones' Overall Scores."""
    table = model_table(inputs)
    if "parameters_b" not in table:
        table = load_published("main_results")
    effect = size_effect(table).set_index("dimension").loc["Avg"]
    attrs = dict(table.attrs)
    table = table.assign(spearman=effect["spearman"], size_p=effect["p_value"])
    table.attrs = attrs
    return table


def gap_over(inputs: Inputs, what: str) -> pd.DataFrame:
    """Measure the gap along the dialogue: of the user's scores where they have both sides, else the sample's."""
    access = access_of(inputs)
    own = inputs.scores is not None and {"closed", "open"} <= {
        access.get(model, "") for model in inputs.scores["model"].unique()
    }
    source = inputs if own else Inputs()
    scores = scores_of(source)
    turns = None
    if what != "turn":
        turns = benchmark_of(source) if own else load_benchmark("sample")
    frame = gap_breakdown(scores, access_of(source), what, turns)
    frame.attrs["source"] = scores.attrs["source"]
    return frame


def gains(_: Inputs) -> pd.DataFrame:
    """Measure what fine-tuning gains on MMDU."""
    return finetuning_gain(load_published("main_results"))


def benchmark_gains(_: Inputs) -> pd.DataFrame:
    """Measure what fine-tuning gains on other benchmarks."""
    import pandas as pd

    parts = []
    for name, number in (("finetuning", 3), ("multi_image", 4)):
        part = finetuning_gain(load_published(name), reference=None)
        part = part.loc[~part["metric"].isin(["MMDU", "Avg"])]
        parts.append(part.assign(block=part["base_model"] + f", Table {number}"))
    for part in parts:
        part.attrs = {}
    frame = pd.concat(parts, ignore_index=True)
    frame.attrs = {"source": "MMDU, arXiv 2406.11833v2, Tables 3 and 4"}
    return frame


def ablation(_: Inputs) -> pd.DataFrame:
    """Take Table 5 apart."""
    return ablation_effects(load_published("ablation"))


def judged(inputs: Inputs) -> pd.DataFrame:
    """Give the user's scores where several judges gave them, else the published Table 6."""
    several = inputs.scores is not None and inputs.scores["judge"].nunique() > 1
    return inputs.scores if several and inputs.scores is not None else load_published("judges")


def agreement(inputs: Inputs) -> pd.DataFrame:
    """Correlate the judges."""
    return judge_agreement(judged(inputs))


def offsets(inputs: Inputs) -> pd.DataFrame:
    """Measure the judges' offsets, and mark models of a judge's own family."""
    frame = judge_offsets(judged(inputs))
    families = [family_of(name) for name in frame["judge"]]
    models = [family_of(name) for name in frame["model"]]
    frame["own"] = [a is not None and a == b for a, b in zip(families, models, strict=True)]
    return frame


def audit(inputs: Inputs) -> pd.DataFrame:
    """Audit the paper, on the user's benchmark where there is one."""
    return audit_paper(inputs.bench)
