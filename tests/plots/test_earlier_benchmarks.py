"""Figure 1: the bars are the stated values, and what is not stated has none."""

from __future__ import annotations

import mmdu_analysis as mmdu


def widths(frame):
    return [
        [bar.get_width() for bar in ax.patches]
        for ax in mmdu.plots.benchmark_comparison(frame).figure.axes[1:]
    ]


def test_bars_are_the_stated_values(facts):
    frame = facts.numbers("benchmark_comparison")
    columns = ["average_images", "average_turns", "average_text_tokens"]
    assert widths(frame) == [frame[column].fillna(0).tolist() for column in columns]
    assert widths(frame)[2][-1] == 6400
    swapped = frame.assign(average_turns=frame["average_turns"].iloc[::-1].to_numpy())
    assert widths(swapped)[1] != widths(frame)[1]


def test_what_is_not_stated_is_said(facts):
    frame = facts.numbers("benchmark_comparison")
    texts = mmdu.plots.benchmark_comparison(frame).figure.axes[2].texts
    missing = frame["average_turns"].isna()
    assert [text.get_text() == "not stated" for text in texts] == missing.tolist()
