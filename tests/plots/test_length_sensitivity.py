"""Scores against the length of answers."""

from __future__ import annotations

import pytest
from plot_tools import marked_points

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


def test_filled_marks_are_scores_and_hollow_ones_are_adjusted():
    frame = mmdu.Study().numbers("score_and_length")
    ax = mmdu.plots.score_and_length(frame)
    rows = {row["model"]: row for row in frame.to_dict("records")}
    for model, row in rows.items():
        assert marked_points(ax, model) == [pytest.approx((row["answer_tokens"], row["mean"]))]
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
    drawn = sorted(float(line.get_ydata()[0]) for line in hollow)
    assert drawn == pytest.approx(sorted(frame["adjusted"]))
    assert {float(line.get_xdata()[0]) for line in hollow} == {frame["common_tokens"].iloc[0]}
    assert f"{frame['length_effect'].iloc[0]:+.1f} [" in read_texts(ax)["title"]


def test_own_scores_without_answers_have_a_reason():
    scores = mmdu.sample_scores().query("model in ['open-A', 'open-B']").assign(synthetic=False)
    with pytest.raises(mmdu.NotAvailable, match="answers"):
        mmdu.Study(scores=scores).numbers("score_and_length")
