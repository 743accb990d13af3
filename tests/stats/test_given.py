"""Frames that users pass: what a notebook's merge or a CSV round trip does to them, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from builders import frame_of

from mmdu_analysis import DataError, compare_models, summarize_scores
from mmdu_analysis.stats.scores import as_scores


def scores_of_two():
    rng = np.random.default_rng(0)
    return pd.concat([frame_of(rng.integers(0, 11, (30, 4)), model) for model in "ab"], ignore_index=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.assign(dialog_id=s["dialog_id"].astype(float)),
        lambda s: s.assign(dialog_id=s["dialog_id"].astype(float).astype(str)),
        lambda s: s.assign(dialog_id=s["dialog_id"].astype(int)),
        lambda s: s.assign(dialog_id=s["dialog_id"].astype("category"), model=s["model"].astype("category")),
        lambda s: pd.concat([s[:120].assign(dialog_id=s["dialog_id"][:120].astype(float)), s[120:]]),
        lambda s: s.assign(turn=s["turn"].astype(float), score=s["score"].astype(str)),
        lambda s: s.assign(turn=s["turn"].astype(str)),
        lambda s: pd.read_csv(io.StringIO(s.to_csv())),
    ],
)
def test_a_changed_type_changes_no_number(change):
    scores = scores_of_two()
    changed = change(scores)
    means = summarize_scores(changed).astype({"model": "str"})
    pd.testing.assert_frame_equal(means, summarize_scores(scores))
    pd.testing.assert_frame_equal(compare_models(changed, "a", "b"), compare_models(scores, "a", "b"))
    assert set(as_scores(changed)["dialog_id"]) == set(scores["dialog_id"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: pd.concat([s, s[:5]]), "5 of 245 rows score a turn again"),
        (lambda s: pd.concat([s.assign(repeat=1), s]), "240 of 480 rows score a turn again"),
        (lambda s: s.assign(score=s["score"] * 10), "are outside the scale 0-10"),
        (
            lambda s: s.assign(score=s["score"].where(s["score"] != 5, -1)),
            "outside the scale 0-10 .*such as -1",
        ),
        (lambda s: s.assign(score=np.inf), "such as inf"),
        (lambda s: s.assign(score=s["score"] / 10), "look like shares"),
        (lambda s: s.assign(score="8/10"), "score is '8/10' in 240 rows"),
        (lambda s: s.assign(turn=s["turn"] - 1), "turn is below 1 in 60 rows"),
        (lambda s: s.assign(turn=s["turn"] + 0.5), "turn is '1.5'"),
        (lambda s: s.assign(turn="T1"), "turn is 'T1'"),
        (lambda s: s.assign(model=s["model"].where(s["model"] == "a")), "model is missing in 120 of 240"),
        (lambda s: s.assign(judge=None), "judge is missing"),
        (
            lambda s: s.assign(dialog_id=s["dialog_id"].where(s["dialog_id"] != "3")),
            "with and without dialogue ids",
        ),
    ],
)
def test_what_would_become_a_wrong_number_is_refused(change, message):
    with pytest.raises(DataError, match=message):
        summarize_scores(change(scores_of_two()))


def test_rows_of_a_turn_may_differ_in_a_merged_column():
    scores = scores_of_two()
    topics = pd.concat([scores.assign(topic=topic) for topic in ("cats", "towns")])
    means = summarize_scores(topics, ["model", "topic"])
    assert means["n_turns"].tolist() == [120] * 4
    with pytest.raises(DataError, match="score a turn again"):
        summarize_scores(topics)


def test_repeats_are_averaged_whatever_else_the_rows_hold():
    scores = scores_of_two()
    again = pd.concat([scores.assign(repeat=n, asked=f"at {n}") for n in (1, 2)])
    pd.testing.assert_frame_equal(as_scores(again)[list(scores)], as_scores(scores)[list(scores)])


@pytest.mark.parametrize("values", [{0: "no", 1: "yes"}, {0: 0, 1: 100}])
def test_labels_are_0_or_1(values):
    scores = scores_of_two()
    labels = scores.drop(columns=["judge", "dimension", "score"]).assign(correct=scores["score"] > 5)
    whole = summarize_scores(labels)
    for same in (labels["correct"].astype(float), labels["correct"].astype(int).astype(str)):
        pd.testing.assert_frame_equal(summarize_scores(labels.assign(correct=same)), whole)
    with pytest.raises(DataError, match="expected 0 or 1"):
        summarize_scores(labels.assign(correct=labels["correct"].astype(int).map(values)))
