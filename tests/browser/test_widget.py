"""The widget and `browse`."""

from __future__ import annotations

import pytest

from mmdu_analysis import DataError, browse, sample_scores, turns_behind


def test_where_and_back_again(sample):
    scores = sample_scores()
    worst = turns_behind(scores, "context", ">=8k", sample, model="open-B").head(20)
    assert worst["score"].is_monotonic_increasing
    view = browse(sample, scores=scores, where=worst, notes=None)
    assert len(view.filtered) == 20
    assert view.selection["dialog_id"] in set(worst["dialog_id"])
    again = browse(sample, where=view.filtered[["dialog_id"]], notes=None)
    assert set(again.filtered["dialog_id"]) == set(worst["dialog_id"])
    for wrong in (worst.assign(dialog_id="none"), worst[["turn"]]):
        with pytest.raises(DataError):
            browse(sample, where=wrong, notes=None)
    with pytest.raises(DataError, match="bins are"):
        turns_behind(scores, "context", "9k", sample)


def test_the_widget_opens_a_turn(sample):
    view = browse(sample, notes=None)
    seen = []
    view.observe(lambda change: seen.append(change["new"]), "selection")
    assert view.open("7", 3) is view
    assert view.selection == {"dialog_id": "7", "turn": 3} == seen[-1]
    for wrong in (("7", 99), ("7", 0), ("none", 1)):
        with pytest.raises(DataError):
            view.open(*wrong)
