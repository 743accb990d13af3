"""Scores of later papers."""

from __future__ import annotations

import pytest
from plot_tools import marked_points, row_labels

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


def test_every_score_that_is_not_copied_is_a_mark():
    later = mmdu.load_published("later_results")
    own = later.loc[later["copied"].isna()]
    ax = mmdu.Study().plot("gap_over_time", context="paper")
    expected = [*own["score"], *mmdu.load_published("main_results")["Avg"]]
    assert sorted(x for x, _ in marked_points(ax)) == pytest.approx(sorted(expected))
    rows = row_labels(ax)
    assert [label.split()[1] for label in rows.values()] == [
        "MMDU", "InternLM-XComposer-2.5", "KORE", "AM3Safety", "V-CoLA",
    ]  # fmt: skip
    assert rows[0].endswith("judge: GPT-4o")
    assert rows[4].endswith("judge: not stated")
    latest = marked_points(ax, "highest open")
    assert (66.6, 4.0) in latest


def test_the_title_says_where_the_latest_open_model_stands():
    frame = mmdu.Study().numbers("gap_over_time")
    title = read_texts(mmdu.plots.gap_over_time(frame))["title"]
    assert title == "An open 9B model is reported at 66.6 in 2026-10, where GPT-4-turbo was in 2024-06 (66.3)"
    lower = frame.assign(mean=frame["mean"].where(frame["model"] != "Qwen3.5-9B", 55.0))
    assert "GPT" not in read_texts(mmdu.plots.gap_over_time(lower))["title"]


def test_the_same_model_at_two_papers():
    ax = mmdu.Study().plot("reporter_differences", context="paper")
    rows = row_labels(ax)
    drawn = {}
    for x, y in marked_points(ax):
        drawn.setdefault(rows[y], []).append(x)
    assert drawn == {
        "Qwen2.5-VL-7B": [48.5, 61.25],
        "LLaVa1.5-7B": [26.37, 32.2],
        "LLaVa1.5-13B": [33.93, 35.3],
    }
    assert "1.4 to 12.8 points apart" in read_texts(ax)["title"]
