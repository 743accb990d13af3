"""Score figures of parts of data: drawn, or left out with a reason; never an error."""

from __future__ import annotations

import warnings

import matplotlib.pyplot as plt
import pytest

import mmdu_analysis as mmdu
from mmdu_analysis.registry import all_figures
from mmdu_analysis.schema import Dimension

MODULES = (
    "models dimensions gap gap_along later finetuning judges breakdowns ranks length_sensitivity raincloud items "
    "memory judge_free"
).split()
NAMES = [name for name, figure in all_figures().items() if figure.module.rsplit(".", 1)[-1] in MODULES]


@pytest.fixture(scope="module")
def parts():
    scores, answers = mmdu.sample_scores(), mmdu.sample_answers()
    ids = scores["dialog_id"].unique()[:8]
    return tuple(f.loc[f["dialog_id"].isin(ids)].assign(synthetic=False) for f in (scores, answers))


def build(kind, parts, sample):
    scores, answers = parts
    two = scores["model"].isin(["closed-A", "open-A"])
    access = {"closed-A": "closed", "open-A": "open"}
    overall = scores.loc[scores["dimension"] == "Overall Score"]
    labels = overall.assign(dimension="Correct", score=10.0 * (overall["score"] > 5))
    if kind == "one model":
        return mmdu.Study(scores=scores.loc[scores["model"] == "open-A"])
    if kind == "one model and benchmark":
        return mmdu.Study(sample, scores=scores.loc[scores["model"] == "open-A"], answers=answers)
    if kind == "one of each access":
        return mmdu.Study(sample, scores=scores.loc[two], access=access)
    if kind == "labels":
        return mmdu.Study(sample, scores=labels, answers=answers)
    if kind == "scores without answers":
        return mmdu.Study(sample, scores=scores)
    if kind == "one dimension on 1-5":
        rubric = mmdu.Rubric("one", (Dimension("Quality", "Q"),), (1.0, 5.0))
        return mmdu.Study(
            sample,
            scores=overall.assign(dimension="Quality", score=1 + overall["score"] * 0.4),
            rubric=rubric,
        )
    names = {"Creativity": "Grounding", "Richness": "Style", "Logical Coherence": "Depth"}
    rubric = mmdu.Rubric("three", tuple(Dimension(name, name) for name in names.values()), (0.0, 100.0))
    kept = scores.loc[scores["dimension"].isin(names)]
    kept = kept.assign(dimension=kept["dimension"].map(names), score=10 * kept["score"])
    return mmdu.Study(sample, scores=kept, rubric=rubric)


EXPECTED = {
    "one model": {"main_results", "own_model", "turn_curves", "score_distribution", "right_wrong"},
    "one model and benchmark": {"memory_by_kind", "scores_by_kind", "scores_by_context"},
    "one of each access": {"gap_by_turn", "gap_pairs", "rank_intervals", "pairwise_differences"},
    "labels": {"item_difficulty", "judge_free_metrics", "score_and_length", "memory_decay"},
    "scores without answers": {"scores_by_dimension", "dimension_heatmap", "dimension_profiles"},
    "one dimension on 1-5": {"main_results", "turn_curves", "rank_intervals"},
    "three dimensions on 0-100": {"dimension_heatmap", "dimension_profiles", "scores_by_dimension"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPECTED)
def test_each_figure_is_drawn_or_has_a_reason(kind, parts, sample):
    drawn, reasons = set(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = build(kind, parts, sample)
        for name in NAMES:
            try:
                frame = study.numbers(name)
            except mmdu.NotAvailable as error:
                reasons.append(str(error))
                continue
            all_figures()[name].draw(frame, context="paper")
            plt.close("all")
            drawn.add(name)
            facts = all_figures()[name].facts == "always"
            own = [column for column in ("model", "model_a") if column in frame]
            if not facts and own and name not in ("main_results", "own_model"):
                assert set(frame[own[0]]) & set(study.own_models), name
    assert EXPECTED[kind] <= drawn
    assert min(map(len, reasons)) > 20


@pytest.mark.parametrize("name", ["scores_by_kind", "scores_by_images", "scores_by_named_images", "topics"])
def test_what_is_not_available_is_not_drawn(name, parts, sample):
    few = sample.select(sample.dialogs.index[:8])
    study = mmdu.Study(few) if name == "topics" else mmdu.Study(scores=parts[0])
    row = study.available().set_index("figure").loc[name]
    assert not row["available"]
    assert ("more than 8 dialogues; 8 given" if name == "topics" else "benchmark=") in row["reason"]
    with pytest.raises(mmdu.NotAvailable):
        study.numbers(name)
