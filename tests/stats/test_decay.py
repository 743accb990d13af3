"""Memory decay: published coefficients, independent estimates, known truths, and what may be concluded."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats

from mmdu_analysis import (
    DataError,
    decay_curve,
    decay_support,
    decay_verdict,
    load_published,
    load_scores,
    memory_decay,
    question_images,
    sample_scores,
)
from mmdu_analysis.stats.decay_data import decay_rows

PUBLISHED = {
    "LLaVa1.6-vicuna-7B": (-1.042, -1.487, -0.597),
    "Qwen2-VL-7B-Instruct": (-1.177, -1.625, -0.729),
    "BLIP-2": (-1.152, -1.703, -0.601),
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


def of_published_labels(kind):
    rows = decay_rows(load_published("correctness"))
    return rows.loc[rows["kind"] == kind] if kind != "all" else rows


@pytest.mark.parametrize(
    ("model", "kind", "coef", "low", "high"),
    [
        ("LLaVa1.6-vicuna-7B", "single image", -0.22, -1.26, 0.81),
        ("LLaVa1.6-vicuna-7B", "multi image", 0.69, 0.13, 1.24),
        ("Qwen2-VL-7B-Instruct", "single image", 0.38, -0.94, 1.70),
        ("Qwen2-VL-7B-Instruct", "multi image", 0.82, 0.26, 1.37),
    ],
)
def test_within_kinds_of_questions_no_fall_is_seen(model, kind, coef, low, high):
    """The numbers with the plain sandwich; ours is a little wider, with the same estimate."""
    frame = memory_decay(load_published("correctness"), by="kind").set_index(["model", "kind", "predictor"])
    row = frame.loc[(model, kind, "progress")]
    assert round(row["coef"], 2) == coef
    assert low - 0.03 < row["low"] <= low + 0.005
    assert high - 0.005 <= row["high"] < high + 0.03
    part = of_published_labels(kind).query("model == @model").assign(y=lambda r: r["points"] / 100)
    options = {"cov_struct": sm.cov_struct.Exchangeable(), "family": sm.families.Binomial()}
    fit = smf.gee("y ~ progress", "dialog_id", part, **options).fit(cov_type="bias_reduced")
    reach = stats.t.ppf(0.975, part["dialog_id"].nunique() - 1) * fit.bse["progress"]
    assert row["coef"] == pytest.approx(fit.params["progress"])
    assert (row["low"], row["high"]) == pytest.approx((row["coef"] - reach, row["coef"] + reach))


@pytest.mark.parametrize(("model", "coef"), [("LLaVa1.6-vicuna-7B", 1.00), ("Qwen2-VL-7B-Instruct", 1.20)])
def test_within_dialogues_answers_about_several_images_improve(model, coef):
    from statsmodels.discrete.conditional_models import ConditionalLogit

    part = of_published_labels("multi image").query("model == @model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dialogues without variation tell nothing
        fit = ConditionalLogit(part["points"] / 100, part[["progress"]], groups=part["dialog_id"]).fit(disp=0)
    assert fit.params["progress"] == pytest.approx(coef, abs=0.02)


def test_a_row_an_image_weighs_turns_by_their_images():
    labels = load_published("correctness")
    turn, image = (
        memory_decay(labels, weights=weights)
        .query("predictor == 'progress'")
        .set_index("model")["coef"]
        .round(2)
        for weights in ("turn", "image")
    )
    assert (turn["LLaVa1.6-vicuna-7B"], image["LLaVa1.6-vicuna-7B"]) == (-1.51, -1.04)
    assert (turn["BLIP-2"], image["BLIP-2"]) == (-1.45, -1.15)


def test_the_support_says_how_little_mmdu_tells_about_forgetting():
    support = decay_support(load_published("correctness")).set_index("fifth")
    assert support["share_multi"].round(2).loc[[1, 5]].tolist() == [0.19, 0.97]
    assert support["single_image"].sum() == 669
    assert support["single_image_late"].sum() <= 22
    assert support["n_turns"].sum() == 1622


def test_the_verdict_needs_every_kind_of_question():
    frame = decay_verdict(load_published("correctness")).set_index(["model", "kind"])
    assert (frame["conclusion"] == "undecided").all()
    assert frame.loc[("LLaVa1.6-vicuna-7B", "all"), "verdict"] == "fall"
    assert frame.loc[("LLaVa1.6-vicuna-7B", "multi image"), "verdict"] == "no fall"
    lowest = frame.xs("single image", level="kind")["low"].round(0)
    assert (lowest["LLaVa1.6-vicuna-7B"], lowest["Qwen2-VL-7B-Instruct"]) == (-23, -9)
    raw = frame.xs("all", level="kind")["change"].round(0)
    assert (raw["LLaVa1.6-vicuna-7B"], raw["Qwen2-VL-7B-Instruct"]) == (-36, -39)
    lenient = decay_verdict(load_published("correctness"), delta=30).set_index(["model", "kind"])
    assert lenient.loc[("Qwen2-VL-7B-Instruct", "all"), "conclusion"] == "no fall"
