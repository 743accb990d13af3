"""Memory decay: published coefficients, independent estimates, known truths, and what may be concluded."""

from __future__ import annotations

import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from mmdu_analysis import (
    DataError,
    decay_curve,
    load_published,
    load_scores,
    memory_decay,
    question_images,
    sample_scores,
)
from mmdu_analysis.stats.decay import decay_rows

PUBLISHED = {
    "LLaVa1.6-vicuna-7B": (-1.042, -1.487, -0.597),
    "Qwen2-VL-7B-Instruct": (-1.177, -1.625, -0.729),
}


def test_the_published_coefficients_come_out():
    frame = memory_decay(load_published("correctness"), weights="image").set_index(["model", "predictor"])
    for model, expected in PUBLISHED.items():
        row = frame.loc[(model, "progress")]
        assert tuple(row[["coef", "low", "high"]].round(3)) == expected
    assert (frame["coef"] < 0).all()
    assert (frame["n_dialogs"] == 110).all()


def test_the_labels_from_the_file_give_the_same(shared):
    scores = load_scores(shared / "data" / "mmdu" / "correctness.csv")
    assert list(scores.columns)[:6] == ["model", "judge", "dialog_id", "turn", "dimension", "score"]
    published = memory_decay(load_published("correctness"))
    pd.testing.assert_frame_equal(memory_decay(scores), published)


def test_at_equal_kinds_of_questions_nothing_falls():
    frame = memory_decay(load_published("correctness"), weights="image", adjust=True)
    assert not (frame["high"] < 0).any()
    rows = decay_rows(load_published("correctness"), weights="image")
    rows = rows.assign(several=lambda r: r["n_referenced"] > 1)
    part = rows.query("model == 'Qwen2-VL-7B-Instruct'").assign(y=lambda r: r["score"] / 10)
    fit = smf.gee(
        "y ~ distance + several",
        "dialog_id",
        part,
        cov_struct=sm.cov_struct.Exchangeable(),
        family=sm.families.Binomial(),
    ).fit()
    row = frame.query("model == 'Qwen2-VL-7B-Instruct' and predictor == 'distance'")
    assert row["coef"].item() == pytest.approx(fit.params["distance"], abs=1e-6)


def test_predictors_by_hand():
    labels = pd.DataFrame(
        {
            "model": "m",
            "dialog_id": ["a"] * 4 + ["b"],
            "turn": [1, 2, 3, 4, 1],
            "images": ["1", "2", "1;2", "", "1"],
            "correct": [1, 0, 1, 1, 0],
        }
    )
    rows = decay_rows(labels, weights="image")
    assert rows[["dialog_id", "turn", "image"]].to_numpy().tolist() == [
        ["a", 1, 1],
        ["a", 2, 2],
        ["a", 3, 1],
        ["a", 3, 2],
        ["b", 1, 1],
    ]
    assert rows["distance"].tolist() == [0, 0, 2, 1, 0]
    assert rows["revisit"].tolist() == [0, 0, 1, 1, 0]
    assert rows["progress"].tolist() == [0.25, 0.5, 0.75, 0.75, 1]
    assert rows["n_referenced"].tolist() == [1, 1, 2, 2, 1]
    assert set(rows["n_without_image"]) == {1}
    turns = decay_rows(labels)
    assert turns[["dialog_id", "turn"]].to_numpy().tolist() == [["a", 1], ["a", 2], ["a", 3], ["b", 1]]
    assert turns["distance"].tolist() == [0, 0, 1.5, 0]
    assert turns["revisit"].tolist() == [0, 0, 1, 0]
    assert turns["progress"].tolist() == [0.25, 0.5, 0.75, 1]
    assert turns["kind"].tolist() == ["single image", "single image", "multi image", "single image"]


def test_missing_scores_do_not_move_the_first_question(sample):
    scores = sample_scores({"m": "open"}, seed=3)
    whole = decay_rows(scores, sample, weights="image")
    late = decay_rows(scores[scores["turn"] > 3], question_images(sample), weights="image")
    merged = late.merge(whole, on=["dialog_id", "turn", "image"])
    assert (merged["distance_x"] == merged["distance_y"]).all()


def test_a_known_fall_is_found_and_none_where_there_is_none(sample):
    falling = memory_decay(sample_scores(), sample).query("predictor == 'progress'")
    assert set(falling["scale"]) == {"points"}
    assert falling["synthetic"].all()
    assert (falling["high"] < 0).all()
    flat = memory_decay(sample_scores(fall=0.0), sample)
    assert (flat["p_value"] > 0.01).all()


def test_what_does_not_vary_has_no_coefficient():
    labels = pd.DataFrame(
        {"model": "m", "dialog_id": ["a", "b"], "turn": [1, 1], "images": ["1", "1"], "correct": [1, 1]}
    )
    frame = memory_decay(labels)
    assert frame[["coef", "low", "high", "p_value"]].isna().all(axis=None)
    with pytest.raises(DataError, match="benchmark="):
        memory_decay(sample_scores())


def test_the_curve_is_the_plain_share(sample):
    labels = load_published("correctness")
    curve = decay_curve(labels, by="distance", weights="image").set_index(["model", "distance"])
    rows = decay_rows(labels, weights="image")
    share = rows.groupby(["model", "distance"])["score"].mean() * 10
    end = curve.index.get_level_values("distance").max()
    for key in curve.index:
        if key[1] < end:
            assert curve.loc[key, "mean"] == pytest.approx(share[key])
    assert curve["n_dialogs"].min() >= 20
    assert decay_curve(labels, by="progress")["progress"].nunique() == 10
    with pytest.raises(DataError, match="by is"):
        decay_curve(labels, by="sideways")
