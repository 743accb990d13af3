"""Scores of later papers."""

from __future__ import annotations

import pytest

from mmdu_analysis import load_published
from mmdu_analysis.stats.later import best_by_date, model_key, reported_scores, reporter_differences


@pytest.fixture(scope="module")
def reported():
    return reported_scores(load_published("later_results"), load_published("main_results"))


def test_each_score_counts_once(reported):
    later = load_published("later_results")
    assert len(reported) == 17 + len(later) - later["copied"].eq("yes").sum()
    quoted = reported.loc[reported["reported_by"] == "InternLM-XComposer-2.5", "model"]
    assert quoted.tolist() == ["InternLM-XComposer-2.5"]
    assert reported[["judge", "what"]].notna().all(axis=None)


def test_best_rows_are_the_maxima(reported):
    best = best_by_date(reported).groupby(["reported_by", "access"])["mean"].agg(list)
    assert best["MMDU paper", "closed"] == [70.2]
    assert best["MMDU paper", "open"] == [42.8]
    assert sorted(best["V-CoLA", "open"]) == [66.6, 67.0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("LLaVA-v1.5-7B", "LLaVa1.5-7B", True),
        ("Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL-7B", True),
        ("Qwen2.5-VL-7B", "Qwen2-VL-7B", False),
        ("LLaVA-v1.5-7B", "LLaVA-v1.5-13B", False),
        ("InternLM-XC2", "InternLM-XC2+MMDU-45k", False),
    ],
)
def test_spellings_of_a_model(one, other, same):
    assert (model_key(one) == model_key(other)) is same


def test_differences_between_papers(reported):
    found = reporter_differences(reported)
    assert found.drop_duplicates("model").set_index("model")["difference"].to_dict() == pytest.approx(
        {"LLaVa1.5-13B": 1.37, "LLaVa1.5-7B": 5.83, "Qwen2.5-VL-7B": 12.75}
    )
    assert found.groupby("model")["reported_by"].nunique().eq(2).all()
