"""The map of topics: points are the coordinates, labels the words of the groups."""

from __future__ import annotations

import numpy as np

import mmdu_analysis as mmdu


def test_points_and_labels_are_those_of_the_frame(facts):
    frame = facts.numbers("topics")
    ax = mmdu.plots.topics(frame)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), frame[["x", "y"]].to_numpy())
    labels = sorted(text.get_text().replace("\n", " ") for text in ax.texts)
    sizes = frame.groupby("words").size()
    assert labels == sorted(f"{words} ({count})" for words, count in sizes.items())


def test_measured_topics_hold_single_words_and_numbers():
    table = mmdu.load_published("measured_topics")
    assert len(table) == 110
    words = table["words"].str.split(", ").explode()
    assert words.str.fullmatch(r"[a-z]+").all()
    assert set(table.columns) == {"dialog_id", "topic", "words", "x", "y", "silhouette"}
