"""Answers without a judge: against rouge-score, scikit-learn and loops by hand."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from mmdu_analysis import (
    DataError,
    answer_metrics,
    load_answers,
    load_published,
    metric_validity,
    sample_answers,
)
from mmdu_analysis.schema import DataWarning
from mmdu_analysis.stats.answer_metrics import (
    repeated_share,
    rouge_l,
    squad_tokens,
    token_f1,
    words_of_answer,
)

WORDS = st.lists(st.sampled_from(["the", "cat", "Image1", "sat", "2", "on"]), max_size=25).map(" ".join)
SENTENCES = st.lists(
    st.sampled_from(["The", "a", "cat,", "Image1.", "sat", "(2)", "dog's", "on"]), max_size=15
).map(" ".join)


def squad_f1(prediction, truth):
    """The evaluation script of SQuAD 1.1, word for word."""
    import re
    import string
    from collections import Counter

    def normalize_answer(text):
        text = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())

    prediction_tokens = normalize_answer(prediction).split()
    truth_tokens = normalize_answer(truth).split()
    num_same = sum((Counter(prediction_tokens) & Counter(truth_tokens)).values())
    if num_same == 0:
        return 0
    precision, recall = num_same / len(prediction_tokens), num_same / len(truth_tokens)
    return 2 * precision * recall / (precision + recall)


@settings(max_examples=200, deadline=None)
@given(WORDS, WORDS)
def test_rouge_l_is_that_of_rouge_score(answer, reference):
    expected = RougeScorer(["rougeL"]).score(reference, answer)["rougeL"].fmeasure
    assert rouge_l(words_of_answer(answer), words_of_answer(reference)) == pytest.approx(expected)


@settings(max_examples=200, deadline=None)
@given(SENTENCES, SENTENCES)
def test_token_f1_is_squads(answer, reference):
    assert token_f1(answer, reference) == pytest.approx(squad_f1(answer, reference))


def test_token_f1_ignores_articles_and_punctuation_and_reads_chinese():
    assert token_f1("The dog's bowl.", "dogs bowl") == 1
    assert token_f1("a an the", "a dog") == 0
    assert token_f1("两只鸟。", "三只鸟") == pytest.approx(2 / 3)
    assert token_f1("とり", "とら") == pytest.approx(1 / 2)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_its_measures(text):
    words = words_of_answer(text)
    assert rouge_l(words, words) == (1 if words else 0)
    assert token_f1(text, text) == (1 if squad_tokens(text) else 0)
    share = repeated_share(words)
    assert share is None or 0 <= share < 1


def test_repetition_by_hand():
    assert repeated_share("a b c".split()) is None
    assert repeated_share("a b c d".split()) == 0
    assert repeated_share("a b c d a b c d".split()) == pytest.approx(1 / 5)
    assert words_of_answer("Image1: 两只 birds_x") == ["image1", "两", "只", "birds", "x"]
    assert words_of_answer("鳥とネコ cat") == ["鳥", "と", "ネ", "コ", "cat"]


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


def test_what_cannot_be_judged_is_told(sample):
    answers = sample_answers().head(50)
    strange = answers.assign(dialog_id="z" + answers["dialog_id"])
    with pytest.raises(DataError, match="none of the 50 answers"):
        answer_metrics(strange, sample)
    with pytest.warns(DataWarning, match="50 of 100"):
        assert len(answer_metrics(pd.concat([answers, strange]), sample)) == 50
    from mmdu_analysis import sample_scores

    with pytest.raises(DataError, match="right and wrong"):
        metric_validity(answer_metrics(answers, sample), sample_scores())
    labels = load_published("correctness")
    with pytest.raises(DataError, match="match no answer"):
        metric_validity(answer_metrics(answers, sample), labels)
    one = load_published("measured_answers").query("dialog_id == '3'")
    assert metric_validity(one, labels)[["auc", "low", "high"]].isna().all(axis=None)


def test_the_real_answers(real, shared):
    answers = load_answers(shared / "data" / "mmdu" / "answers")
    frame = answer_metrics(answers, real)
    assert len(frame) == 4845
    assert frame["rouge_l"].notna().sum() == 3 * 107
    unseen = frame.loc[frame["unseen_images"] > 0]
    assert set(unseen["model"]) == {"BLIP-2"}
