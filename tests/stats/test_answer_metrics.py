"""Answers without a judge: against rouge-score, scikit-learn and loops by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sklearn.metrics import roc_auc_score

from mmdu_analysis import (
    DataError,
    answer_metrics,
    load_answers,
    load_published,
    metric_validity,
    sample_answers,
)
from mmdu_analysis.schema import DataWarning
from mmdu_analysis.stats.answer_metrics import METRICS, overlap_scores, repeated_share, words_of_answer

WORDS = st.lists(st.sampled_from(["the", "cat", "Image1", "sat", "2", "on"]), max_size=25).map(" ".join)


def f1_by_hand(answer, reference):
    left = list(words_of_answer(reference))
    hits = 0
    for word in words_of_answer(answer):
        if word in left:
            left.remove(word)
            hits += 1
    total = len(words_of_answer(answer)) + len(words_of_answer(reference))
    return 2 * hits / total if hits else 0.0


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS)
def test_rouge_l_is_that_of_rouge_score(answer, reference):
    rouge, f1 = overlap_scores(words_of_answer(answer), words_of_answer(reference))
    expected = RougeScorer(["rougeL"]).score(reference, answer)["rougeL"].fmeasure
    assert rouge == pytest.approx(expected)
    assert f1 == pytest.approx(f1_by_hand(answer, reference))
    assert 0 <= rouge <= f1 <= 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_its_measures(text):
    words = words_of_answer(text)
    rouge, f1 = overlap_scores(words, words)
    assert (rouge, f1) == ((1, 1) if words else (0, 0))
    share = repeated_share(words)
    assert share is None or 0 <= share < 1


def test_repetition_by_hand():
    assert repeated_share("a b c".split()) is None
    assert repeated_share("a b c d".split()) == 0
    assert repeated_share("a b c d a b c d".split()) == pytest.approx(1 / 5)
    assert words_of_answer("Image1: 两只 birds_x") == ["image1", "两", "只", "birds", "x"]


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can't see Image2.", True),
        ("I’m unable to view images.", True),
        ("As an AI, I have no eyes.", True),
        ("抱歉，我无法看到图片。", True),
        ("The can is red and I see a bird.", False),
        ("It is an area that is also an airport.", False),
        ("", False),
    ],
)
def test_refusals(sample, text, refuses):
    answers = pd.DataFrame({"model": ["m"], "dialog_id": ["0"], "turn": [1], "answer": [text]})
    assert answer_metrics(answers, sample)["refusal"].item() is refuses


def test_images_that_an_answer_names(sample, tmp_path):
    from dataclasses import replace

    turns = sample.turns.query("dialog_id == '0'").head(2).copy()
    turns["question"] = [
        "Image1: <ImageHere>. Image2: <ImageHere>. Compare Image1 and Image2.",
        "And Image3?",
    ]
    turns["images_so_far"] = [2, 3]
    images = sample.images.query("dialog_id == '0'").head(3)
    bench = replace(sample, turns=turns, images=images)
    texts = ["Image2 is like Image3.", "It is red."]
    answers = pd.DataFrame({"model": "m", "dialog_id": "0", "turn": [1, 2], "answer": texts})
    frame = answer_metrics(answers, bench)
    assert frame["hallucinated_images"].tolist() == [1, 0]
    assert frame["unseen_images"].tolist() == [1, 0]
    assert frame["forgotten_images"].tolist() == [1, 1]


def test_the_auc_is_scikit_learns():
    metrics, labels = load_published("measured_answers"), load_published("correctness")
    frame = metric_validity(metrics, labels, n_resamples=200).set_index(["model", "metric"])
    joined = metrics.merge(labels, on=["model", "dialog_id", "turn"])
    for (model, metric), row in frame.iterrows():
        part = joined.loc[joined["model"] == model].dropna(subset=metric)
        assert row["auc"] == pytest.approx(roc_auc_score(part["correct"], part[metric]))
        assert row["n_right"] + row["n_wrong"] == len(part)
    assert (frame["low"] <= frame["auc"]).all()
    assert (frame["auc"] <= frame["high"]).all()


def test_the_aucs_interval_covers_the_truth_of_correlated_turns():
    rng = np.random.default_rng(1)
    covered, runs = 0, 150
    from scipy.stats import norm

    truth = norm.cdf(1 / np.sqrt(2 * (1 + 0.5)))  # P(right > wrong) for means 1 apart, variance 1.5 each
    for _ in range(runs):
        dialogs = np.repeat(np.arange(40), 8)
        right = rng.random(320) < 0.5
        value = right + rng.normal(0, np.sqrt(0.5), 40)[dialogs] + rng.normal(0, 1, 320)
        keys = {"model": "m", "dialog_id": dialogs.astype(str), "turn": np.tile(np.arange(8), 40)}
        metrics = pd.DataFrame(keys | dict.fromkeys(METRICS, value))
        labels = pd.DataFrame(keys | {"correct": right.astype(int)})
        row = metric_validity(metrics, labels, n_resamples=300).iloc[0]
        covered += row["low"] <= truth <= row["high"]
    assert covered / runs > 0.88


def test_what_cannot_be_judged_is_told(sample):
    answers = sample_answers().head(50)
    strange = answers.assign(dialog_id="zz")
    with pytest.raises(DataError, match="none of the 50 answers"):
        answer_metrics(strange, sample)
    with pytest.warns(DataWarning, match="50 of 100"):
        assert len(answer_metrics(pd.concat([answers, strange]), sample)) == 50
    from mmdu_analysis import sample_scores

    with pytest.raises(DataError, match="right and wrong"):
        metric_validity(answer_metrics(answers, sample), sample_scores())
    labels = load_published("correctness")
    with pytest.raises(DataError, match="fit no answer"):
        metric_validity(answer_metrics(answers, sample), labels)
    one = load_published("measured_answers").query("dialog_id == '3'")
    assert metric_validity(one, labels)[["auc", "low", "high"]].isna().all(axis=None)


def test_the_real_answers(real, shared):
    answers = load_answers(shared / "data" / "mmdu" / "answers")
    frame = answer_metrics(answers, real)
    assert len(frame) == 3230
    assert frame["rouge_l"].notna().sum() == 2 * 107
    assert (frame["unseen_images"] == 0).all()
