"""Context: every dialogue is a line, the median has a fixed cohort, the calendar shows the limits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mmdu_analysis as mmdu


@pytest.fixture
def frame():
    rows = [("a", turn, 1000 * turn) for turn in range(1, 11)] + [
        ("b", turn, 3000 * turn) for turn in range(1, 5)
    ]
    frame = pd.DataFrame(rows, columns=["dialog_id", "turn", "context_tokens"])
    last = frame.groupby("dialog_id")["turn"].transform("max")
    return frame.assign(
        cohort=last >= 7,
        cohort_turns=7,
        history="the answers",
        image_model="paper",
        n_missing=0,
        source="two dialogues",
    )


def test_each_dialogue_is_a_line_and_the_median_keeps_its_cohort(frame):
    lines = mmdu.plots.context_growth(frame).lines
    drawn = [tuple(line.get_ydata()) for line in lines if len(line.get_xdata()) > 2]
    assert drawn == [
        tuple(range(1000, 10001, 1000)),
        (3000, 6000, 9000, 12000),
        tuple(range(1000, 7001, 1000)),  # the median of the dialogues that reach turn 7: of one
    ]


def test_limits_are_marked(frame):
    lines = mmdu.plots.context_growth(frame).lines
    assert {line.get_ydata()[0] for line in lines if line.get_ls() == "--"} == {4096, 8192, 32768}


def test_the_calendar_shows_tokens_and_shares_over_limits(frame):
    upper, lower = mmdu.plots.context_calendar(frame).figure.axes[1:]
    cells = upper.collections[0].get_array()
    assert cells.shape == (2, 10)
    assert np.ma.getdata(cells)[0].tolist() == list(range(1000, 10001, 1000))
    assert cells.mask[1].tolist() == [False] * 4 + [True] * 6
    shares = {line.get_label(): list(line.get_ydata()) for line in lower.lines}
    assert shares["> 4k"] == [0, 50, 50, 50] + [100] * 6
    assert shares["> 8k"] == [0, 0, 50, 50, 0, 0, 0, 0, 100, 100]
    assert shares["> 32k"] == [0] * 10


def test_numbers_of_the_facts_are_recomputed(facts):
    frame = facts.numbers("context_growth").astype({"dialog_id": str}).set_index(["dialog_id", "turn"])
    questions = mmdu.load_published("measured_questions").query("dialog_id == '0'").set_index("turn")
    answers = mmdu.load_published("measured_answers").query("dialog_id == '0'")
    answers = answers.loc[answers["model"].isin([frame["history"].iloc[0].rsplit(" ", 1)[-1]])].set_index(
        "turn"
    )
    wanted = questions["question_tokens"][:4].sum() + answers["answer_tokens"][:3].sum() + 4 * 471
    assert frame.loc[("0", 4), "context_tokens"] == wanted


def test_unknown_references_are_refused(real):
    with pytest.raises(mmdu.NotAvailable, match=r"107 of 1,615"):
        mmdu.Study(real).numbers("context_growth")
