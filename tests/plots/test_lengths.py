"""Lengths: the curve is the share of texts up to a length, the lines are the means."""

from __future__ import annotations

import numpy as np
import pytest

import mmdu_analysis as mmdu


def test_the_curve_is_the_cumulative_share(facts):
    frame = facts.numbers("question_lengths")
    ax = mmdu.plots.question_lengths(frame)
    x, y = ax.lines[0].get_data()
    tokens = mmdu.load_published("measured_questions")["question_tokens"]
    for length in (10, 22, 40, 99):
        assert y[np.searchsorted(x, length, side="right") - 1] == pytest.approx(
            100 * (tokens <= length).mean()
        )


def test_lines_are_the_mean_and_the_published_values(facts):
    frame = facts.numbers("answer_lengths")
    ax = mmdu.plots.answer_lengths(frame)
    drawn = {line.get_label(): line.get_xdata()[0] for line in ax.lines[1:]}
    references = mmdu.load_published("measured_questions")["reference_tokens"].dropna()
    assert drawn == {
        f"mean {references.mean():,.0f}": pytest.approx(references.mean()),
        "published mean of MMDU-45k: 368": 368,
        "published longest of MMDU-45k: 1,518": 1518,
    }
    assert frame["n_missing"].iloc[0] == 1615 - 107


def test_text_of_unknown_references_is_refused(real, facts):
    for study in (mmdu.Study(real), facts):
        with pytest.raises(mmdu.NotAvailable, match="text_tokens"):
            study.numbers("text_tokens")


def test_text_tokens_are_those_of_the_dialogues(sample_study):
    frame = sample_study.numbers("text_tokens")
    assert frame.set_index(frame["dialog_id"].astype(str))["tokens"].to_dict() == (
        sample_study.lengths()["text_tokens"].to_dict()
    )
