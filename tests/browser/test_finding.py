"""Search, filters and order of the dialogues."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mmdu_analysis import sample_answers, sample_scores
from mmdu_analysis.browser.filters import Filters
from mmdu_analysis.browser.finding import Index


def test_filters_by_hand(sample):
    index = Index(sample, sample_answers(), sample_scores())
    turns = sample.turns
    mask, places = index.find(Filters(query="FOUNTAIN in image1"))
    answers = sample_answers()
    text = "fountain in image1"
    expected = turns["question"].str.lower().str.contains(text) | turns["answer"].str.lower().str.contains(
        text
    )
    hits = answers.loc[
        answers["answer"].str.lower().str.contains(text), ["dialog_id", "turn"]
    ].drop_duplicates()
    expected |= turns.set_index(["dialog_id", "turn"]).index.isin(pd.MultiIndex.from_frame(hits))
    assert mask.tolist() == expected.tolist()
    assert set(index.ids[places]) == set(turns.loc[expected, "dialog_id"])
    mask, places = index.find(Filters(turns=(16, 20), images=(3, 10)))
    kept = sample.dialogs.query("16 <= n_turns <= 20 and 3 <= n_images <= 10")
    assert index.ids[places].tolist() == kept.index.tolist()
    mask, _ = index.find(Filters(kind="no image"))
    assert mask.sum() == 164
    scores = sample_scores().query("dimension == 'Overall Score'")
    means = scores.groupby(["dialog_id", "turn"])["score"].mean() * 10
    mask, _ = index.find(Filters(score=(60, 100)))
    assert mask.sum() == (means >= 60).sum()
    one = scores.query("model == 'open-A'")
    mask, _ = index.find(Filters(score=(0, 30), model="open-A"))
    assert mask.sum() == (one["score"] <= 3).sum()


@pytest.mark.parametrize("order", ["turns", "images", "tokens", "score", "worst", "disagreement"])
def test_orders(sample, order):
    index = Index(sample, None, sample_scores())
    _, places = index.find(Filters(order=order))
    scores = sample_scores().query("dimension == 'Overall Score'")
    by_turn = scores.pivot_table(index=["dialog_id", "turn"], columns="model", values="score")
    values = {
        "turns": -sample.dialogs["n_turns"],
        "images": -sample.dialogs["n_images"],
        "tokens": -pd.Series(index.tokens, index=index.ids),
        "score": -by_turn.mean(axis=1).groupby("dialog_id").mean(),
        "worst": by_turn.mean(axis=1).groupby("dialog_id").mean(),
        "disagreement": -(by_turn.max(axis=1) - by_turn.min(axis=1)).groupby("dialog_id").mean(),
    }[order]
    found = values.loc[index.ids[places]].to_numpy(dtype=float)
    assert (np.diff(found) >= -1e-9).all()
    assert len(places) == 110


def test_many_dialogues_have_estimated_tokens(sample, monkeypatch):
    exact = Index(sample).tokens
    monkeypatch.setattr("mmdu_analysis.browser.finding._EXACT_TOKENS", 10)
    estimated = Index(sample)
    assert not estimated.exact_tokens
    assert np.abs(estimated.tokens / exact - 1).max() < 0.1
