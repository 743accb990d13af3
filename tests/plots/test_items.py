"""Right and wrong answers turn by turn, and the difficulty of questions."""

from __future__ import annotations

import numpy as np
import pytest

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


@pytest.fixture(scope="module")
def labels():
    return mmdu.load_published("correctness")


def test_every_cell_is_its_label(labels):
    frame = mmdu.Study().numbers("right_wrong")
    ax = mmdu.plots.right_wrong(frame)
    place = frame.drop_duplicates("dialog_id").set_index("dialog_id")["position"]
    right = labels.set_index(["model", "dialog_id", "turn"])["correct"]
    panels = [part for part in ax.figure.axes if part.images]
    shares = 100 * labels.groupby("model")["correct"].mean()
    assert len(panels) == 3
    for panel in panels:
        model, share = (panel.get_title("left") or panel.get_title()).split(": ")
        assert float(share) == pytest.approx(shares[model], abs=0.05)
        cells = np.ma.filled(panel.images[0].get_array().astype(float), np.nan)
        for (_, dialog, turn), value in right[[model]].items():
            assert cells[turn - 1, place[dialog] - 1] == 100 * value
        assert np.isfinite(cells).sum() == (labels["model"] == model).sum()


def test_counts_of_questions_by_models_that_are_right(labels):
    right = labels.groupby(["dialog_id", "turn"])["correct"].sum()
    ax = mmdu.Study().plot("item_difficulty", context="paper")
    totals = {}
    for bar in ax.patches:
        row = round(bar.get_y() + bar.get_height() / 2)
        totals[row] = totals.get(row, 0) + round(bar.get_width())
    assert totals == right.value_counts().sort_index().to_dict()
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "no model",
        "1 model",
        "2 models",
        "all 3 models",
    ]
    every, none = 100 * (right == 3).mean(), 100 * (right == 0).mean()
    assert f"{every:.0f}% of the questions, none on {none:.0f}%" in read_texts(ax)["title"]


def test_judged_scores_are_shades():
    scores = (
        mmdu.sample_scores()
        .query("model == 'open-A' and dimension == 'Overall Score'")
        .assign(synthetic=False)
    )
    study = mmdu.Study(scores=scores)
    frame = study.numbers("right_wrong")
    assert frame["points"].to_numpy() == pytest.approx(
        10
        * scores.set_index(["dialog_id", "turn"])["score"]
        .reindex(frame[["dialog_id", "turn"]].itertuples(index=False))
        .to_numpy()
    )
    with pytest.raises(mmdu.NotAvailable, match="labels"):
        study.numbers("item_difficulty")
