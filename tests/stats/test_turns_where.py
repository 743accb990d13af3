"""Turns at which one model is wrong and another one is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from builders import SHARED

from mmdu_analysis import DataError, load_scores, sample_scores, turns_where
from mmdu_analysis.stats.references import turn_images
from mmdu_analysis.stats.turns_where import matches, turn_facts

LABELS = SHARED / "data" / "mmdu" / "correctness.csv"
QWEN, LLAVA = "Qwen2-VL-7B-Instruct", "LLaVa1.6-vicuna-7B"


def test_late_two_image_questions_of_the_real_labels(real):
    """The seven lines of pandas that the function replaces give the same turns."""
    scores = load_scores(LABELS)
    found = turns_where(scores, real, wrong=QWEN, right=LLAVA, n_images=2, progress=">0.67")
    labels = pd.read_csv(LABELS, dtype={"dialog_id": str})
    wide = labels.pivot_table(index=["dialog_id", "turn"], columns="model", values="correct").reset_index()
    turns = real.turns.merge(wide, on=["dialog_id", "turn"])
    numbers = real.images.groupby("dialog_id")["image"].agg(list)
    about = [
        len(turn_images(row.question, numbers[row.dialog_id], row.images_so_far)[0])
        for row in turns.itertuples()
    ]
    late = turns["turn"] / turns["dialog_id"].map(real.dialogs["n_turns"]) > 0.67
    expected = turns.loc[(np.array(about) == 2) & late & (turns[QWEN] == 0) & (turns[LLAVA] == 1)]
    assert (
        found[["dialog_id", "turn"]].to_numpy().tolist()
        == expected[["dialog_id", "turn"]].to_numpy().tolist()
    )
    assert (len(found), found["dialog_id"].nunique()) == (33, 28)
    assert not found["synthetic"].any()
    assert (found[f"score_{LLAVA}"] == 100).all()


def test_higher_by_points(sample):
    scores = sample_scores()
    found = turns_where(scores, sample, above="closed-A", below="open-B", points=30)
    wide = scores.query("dimension == 'Overall Score'").pivot_table(
        index=["dialog_id", "turn"], columns="model", values="score"
    )
    expected = wide.index[(wide["closed-A"] - wide["open-B"]) * 10 >= 30]
    assert set(map(tuple, found[["dialog_id", "turn"]].to_numpy())) == set(expected)
    assert found["synthetic"].all()
    dimension = turns_where(scores, sample, wrong="open-B", threshold=30, dimension="VP")
    part = scores.query("dimension == 'Visual Perception' and model == 'open-B' and score < 3")
    assert len(dimension) == len(part)


def test_facts_of_turns(sample):
    facts = turn_facts(sample)
    assert facts[["dialog_id", "turn"]].equals(sample.turns[["dialog_id", "turn"]])
    last = facts.groupby("dialog_id")["progress"].max()
    assert (last == 1).all()
    row = facts.loc[(facts["dialog_id"] == "0") & (facts["turn"] == 5)].iloc[0]
    assert row["progress"] == pytest.approx(5 / 14)
    assert facts.loc[facts["n_images"] == 0, "distance"].isna().all()
    assert (facts["distance"].dropna() < facts.loc[facts["distance"].notna(), "turn"]).all()


def test_conditions():
    values = pd.Series([1.0, 2.0, None, 3.0])
    cases = {2: [1], "2": [1], ">=2": [1, 3], "<2": [0], " != 2 ": [0, 3], (2, 3): [1, 3], ">-1.5": [0, 1, 3]}
    for condition, expected in cases.items():
        assert np.flatnonzero(matches(values, condition, "x")).tolist() == expected, condition
    for wrong in ("two", ">", "2..3", "=>2", (1, 2, 3), "__import__('os')"):
        with pytest.raises(DataError, match="n_images is"):
            matches(values, wrong, "n_images")


def test_what_can_not_be_asked(sample):
    with pytest.raises(DataError, match="no scores of the model 'none'"):
        turns_where(sample_scores(), sample, wrong="none")
    with pytest.raises(DataError, match="expected both"):
        turns_where(sample_scores(), sample, above="closed-A")
    assert turns_where(sample_scores(), sample, turn=99).empty
