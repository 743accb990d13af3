"""Tokens of images: boxes are the quartiles of the images, bars the means of dialogues, sizes are named."""

from __future__ import annotations

import numpy as np
import pytest

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


def test_boxes_are_quartiles_and_whiskers_all_images(facts):
    frame = facts.numbers("image_tokens")
    ax = mmdu.plots.image_tokens(frame)
    order = [label.get_text() for label in ax.get_yticklabels()]
    tokens = frame.loc[frame["model"] == "qwen2-vl", "tokens"]
    place = order.index("qwen2-vl")
    ends = [
        line.get_xdata()
        for line in ax.lines
        if np.allclose(line.get_ydata(), place) and len(line.get_xdata()) == 2
    ]
    found = {float(value) for pair in ends for value in pair}
    assert {float(tokens.min()), float(tokens.max())} <= found
    assert {float(tokens.quantile(0.25)), float(tokens.quantile(0.75))} <= found
    medians = frame.groupby("model")["tokens"].median().sort_values()
    assert medians.loc[order].is_monotonic_increasing
    labels = [text.get_text() for text in ax.texts]
    assert labels == [f"{medians[model]:,.0f}" for model in order]


def test_which_sizes_are_meant_is_written(facts, real):
    drawn = mmdu.plots.image_tokens(facts.numbers("image_tokens"))
    assert "original sizes" in read_texts(drawn)["subtitle"]
    supplied = mmdu.Study(real).numbers("image_tokens")
    assert "supplied files" in read_texts(mmdu.plots.image_tokens(supplied))["subtitle"]
    means = [
        frame.groupby("model")["tokens"].mean()["qwen2-vl"]
        for frame in (facts.numbers("image_tokens"), supplied)
    ]
    assert means[0] > 5 * means[1]


def test_dialogues_stack_text_and_images(facts):
    frame = facts.numbers("tokens_by_estimator")
    ax = mmdu.plots.tokens_by_estimator(frame)
    text, images = ([bar.get_width() for bar in container] for container in ax.containers)
    assert text == [6400] * len(frame)
    assert images == pytest.approx(frame["images"].tolist())
    paper = frame.loc[frame["model"] == "paper", "total"].item()
    assert paper == pytest.approx(6400 + 471 * 421 / 110)


def test_totals_need_references(real):
    with pytest.raises(mmdu.NotAvailable, match="needs reference answers"):
        mmdu.Study(real).numbers("tokens_by_estimator")
