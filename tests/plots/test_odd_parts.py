"""Data that some figures and sections can't use: these are left out with a reason, and the rest is written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mmdu_analysis as mmdu
from mmdu_analysis import NotAvailable, Study
from mmdu_analysis.rubric import Dimension, Rubric
from mmdu_analysis.schema import MMDU

pytestmark = pytest.mark.filterwarnings("ignore")


def scores_of(models, judge="j", dimensions=MMDU.names, start=0, turns=3):
    rng = np.random.default_rng(0)
    rows = [
        (model, judge, str(dialog), turn, name, float(rng.integers(0, 11)))
        for model in models
        for dialog in range(start, start + 6)
        for turn in range(1, turns + 1)
        for name in dimensions
    ]
    return pd.DataFrame(rows, columns=["model", "judge", "dialog_id", "turn", "dimension", "score"])


TWO = scores_of(["a", "b"])
RUBRIC = Rubric("two", (Dimension("Grounding", "G"), Dimension("Style", "S")), (0.0, 10.0))
STUDIES = {
    "two judges": {"scores": pd.concat([TWO, scores_of(["a", "b"], "k")])},
    "a model without scores": {
        "scores": pd.concat([TWO, scores_of(["c"]).assign(score=np.nan)]),
        "access": {"a": "open", "b": "open", "c": "closed"},
    },
    "two dimensions, no overall score": {
        "scores": scores_of(["a", "b"], dimensions=RUBRIC.names),
        "rubric": RUBRIC,
    },
    "no shared turn": {"scores": pd.concat([scores_of(["a"]), scores_of(["b"], start=50)])},
    "no turn numbers": {"scores": TWO.assign(turn=pd.array([pd.NA] * len(TWO), dtype="Int64"))},
    "equal scores": {"scores": TWO.assign(score=5.0)},
    "ratings of other turns": {"scores": TWO, "ratings": scores_of(["a"], "ann", start=50).assign(seed=0)},
}
FIGURES = ("power_curve", "gap_by_turn", "own_model", "calibration", "rating_agreement")


@pytest.mark.parametrize("name", STUDIES)
def test_the_rest_is_drawn_and_reported(name, tmp_path):
    study = Study(**STUDIES[name])
    for figure in FIGURES:
        try:
            frame = study.numbers(figure)
        except NotAvailable:
            continue
        assert len(frame)
        study.plot(figure)
    sections = ["scores", "dimensions", "ranks", "differences", "gap", "coverage", "worst"]
    written = mmdu.write_report(study, tmp_path / "report.html", sections=sections)
    assert written.path.is_file()


def test_what_data_can_not_support_names_its_reason():
    study = Study(**STUDIES["two judges"])
    with pytest.raises(NotAvailable, match=r"power_curve.*one judge"):
        study.numbers("power_curve")
    closed = Study(**STUDIES["a model without scores"])
    with pytest.raises(NotAvailable, match="no closed one is given"):
        closed.numbers("gap_by_turn")


def test_equal_scores_have_a_place_without_a_range():
    ax = Study(**STUDIES["equal scores"]).plot("own_model")
    assert ax.figure is not None


def test_repeated_judgements_are_one_rating_of_the_judge():
    once = Study(scores=TWO, ratings=scores_of(["a", "b"], "ann"))
    often = Study(
        scores=pd.concat([TWO.assign(repeat=1), TWO.assign(repeat=2)]), ratings=scores_of(["a", "b"], "ann")
    )
    left, right = (study.numbers("rating_agreement")["alpha"].to_numpy() for study in (once, often))
    assert left == pytest.approx(right)


def test_pages_of_a_report_take_the_rubric(sample, tmp_path):
    scores = scores_of(["a"], dimensions=["Grounding"])
    study = Study(sample, scores=scores, rubric=Rubric("one", (Dimension("Grounding", "G"),), (0.0, 10.0)))
    mmdu.write_report(study, tmp_path / "r.html", sections=["worst"])
    assert list((tmp_path / "r_dialogues").glob("*.html"))


@pytest.mark.parametrize(
    "scores",
    [
        scores_of(["a", "b"], dimensions=[MMDU.overall]),
        scores_of(["a", "b"], dimensions=[MMDU.overall, "Creativity"]),
        scores_of(["a", "b"], dimensions=MMDU.names[:6]),
        pd.concat([TWO, scores_of(["a", "b"], "k"), scores_of(["c"], "k").assign(score=np.nan)]),
    ],
    ids=["overall", "two dimensions", "no overall", "a model without scores"],
)
def test_what_is_listed_as_available_can_be_drawn(scores):
    study = Study(scores=scores)
    available = study.available().set_index("figure")["available"]
    drawn = (
        "dimension_heatmap", "main_results", "judge_offsets", "turn_curves", "rank_intervals", "score_distribution"
    )  # fmt: skip
    assert available["dimension_heatmap"]
    assert available["main_results"] == (MMDU.overall in set(scores["dimension"]))
    for figure in drawn:
        if available[figure]:
            study.plot(figure)
