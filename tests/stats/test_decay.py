"""Memory decay, breakdowns and length control: published coefficients, hand-written loops, known truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from mmdu_analysis import (
    DataError,
    adjust_for_length,
    decay_curve,
    describe_turns,
    join_turns,
    load_published,
    load_scores,
    memory_decay,
    question_images,
    sample_answers,
    sample_scores,
    score_breakdown,
    score_trend,
    summarize_scores,
)
from mmdu_analysis.schema import DataWarning
from mmdu_analysis.stats.decay import decay_rows

PUBLISHED = {
    "LLaVa1.6-vicuna-7B": (-1.042, -1.487, -0.597),
    "Qwen2-VL-7B-Instruct": (-1.177, -1.625, -0.729),
}


def test_the_published_coefficients_come_out():
    frame = memory_decay(load_published("correctness")).set_index(["model", "predictor"])
    for model, expected in PUBLISHED.items():
        row = frame.loc[(model, "progress")]
        assert tuple(row[["coef", "low", "high"]].round(3)) == expected
    assert (frame["coef"] < 0).all()
    assert (frame["n_dialogs"] == 110).all()


def test_the_labels_from_the_file_give_the_same(shared):
    scores = load_scores(shared / "data" / "mmdu" / "correctness.csv")
    assert list(scores.columns)[:6] == ["model", "judge", "dialog_id", "turn", "dimension", "score"]
    published = memory_decay(load_published("correctness"))
    pd.testing.assert_frame_equal(memory_decay(scores), published, check_flags=False)


def test_at_equal_kinds_of_questions_nothing_falls():
    frame = memory_decay(load_published("correctness"), adjust=True)
    assert not (frame["high"] < 0).any()
    rows = decay_rows(load_published("correctness")).assign(several=lambda r: r["n_about"] > 1)
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
    rows = decay_rows(labels)
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
    assert rows["n_about"].tolist() == [1, 1, 2, 2, 1]
    assert rows.attrs["n_without_image"] == 1


def test_missing_scores_do_not_move_the_first_question(sample):
    scores = sample_scores({"m": "open"}, seed=3)
    whole = decay_rows(scores, sample)
    late = decay_rows(scores[scores["turn"] > 3], question_images(sample))
    merged = late.merge(whole, on=["dialog_id", "turn", "image"])
    assert (merged["distance_x"] == merged["distance_y"]).all()


def test_a_known_fall_is_found_and_none_where_there_is_none(sample):
    falling = memory_decay(sample_scores(), sample).query("predictor == 'progress'")
    assert falling.attrs == falling.attrs | {"family": "gaussian", "synthetic": True}
    assert (falling["high"] < 0).all()
    flat = memory_decay(sample_scores(fall=0.0), sample)
    assert (flat["p_value"] > 0.01).all()


def test_what_does_not_vary_has_no_coefficient():
    labels = pd.DataFrame(
        {"model": "m", "dialog_id": ["a", "b"], "turn": [1, 1], "images": ["1", "1"], "correct": [1, 1]}
    )
    frame = memory_decay(labels)
    assert frame[["coef", "low", "high", "p_value"]].isna().all(axis=None)
    with pytest.raises(DataError, match="images="):
        memory_decay(sample_scores())


def test_the_curve_is_the_plain_share(sample):
    labels = load_published("correctness")
    curve = decay_curve(labels, along="distance").set_index(["model", "distance"])
    rows = decay_rows(labels)
    share = rows.groupby(["model", "distance"])["score"].mean() * 10
    end = curve.index.get_level_values("distance").max()
    for key in curve.index:
        if key[1] < end:
            assert curve.loc[key, "mean"] == pytest.approx(share[key])
    assert curve["n_dialogs"].min() >= 20
    assert decay_curve(labels, along="progress")["progress"].nunique() == 10
    with pytest.raises(DataError, match="along"):
        decay_curve(labels, along="sideways")


def test_a_trend_is_least_squares_with_a_level_for_each_dialogue():
    scores = load_published("correctness")
    frame = score_trend(scores).set_index("model")
    for model, part in scores.groupby("model"):
        dummies = pd.get_dummies(part["dialog_id"]).astype(float)
        design = dummies.assign(turn=part["turn"].astype(float))
        fit = sm.OLS(100.0 * part["correct"], design).fit()
        assert frame.loc[model, "slope"] == pytest.approx(fit.params["turn"])
        groups = pd.factorize(part["dialog_id"])[0]
        options = {"groups": groups, "use_correction": False}
        robust = sm.OLS(100.0 * part["correct"], design).fit(cov_type="cluster", cov_kwds=options)
        correction = np.sqrt(110 / 109)
        assert frame.loc[model, "se"] == pytest.approx(robust.bse["turn"] * correction)


def test_the_samples_fall_is_inside_its_interval():
    frame = score_trend(sample_scores())
    assert ((frame["low"] < -0.5) & (frame["high"] > -0.5)).sum() >= 4
    flat = score_trend(sample_scores(fall=0.0, seed=2))
    assert (flat["p_value"] > 0.01).all()


def test_turns_are_described_by_their_data(sample):
    turns = describe_turns(sample)
    assert len(turns) == 1645
    truth = question_images(sample).groupby(["dialog_id", "turn"]).size()
    named = turns.set_index(["dialog_id", "turn"])["n_referenced"]
    assert named[named > 0].to_dict() == truth.to_dict()
    kinds = turns["kind"].value_counts()
    assert kinds.to_dict() == {"several images": 1035, "one image": 446, "no image": 164}
    first = turns.query("dialog_id == '0' and turn == 1").iloc[0]
    assert first["context_tokens"] == first["question_tokens"] + 471 * first["images_so_far"]
    models = describe_turns(sample, sample_answers())
    assert len(models) == 5 * 1645
    last = models.query("dialog_id == '0'").groupby("model")["context_tokens"].max()
    assert last["closed-A"] > last["open-A"]  # the closed models' longer answers stand in their history


@pytest.mark.parametrize("what", ["turn", "images", "named_images", "context", "kind"])
def test_a_breakdown_is_the_mean_of_its_rows(sample, what):
    scores = sample_scores()
    frame = score_breakdown(scores, what, sample)
    joined = join_turns(scores.query("dimension == 'Overall Score'"), sample)
    column = frame.attrs["column"]
    edges = {"<1k": (0, 999), "2": (2, 2), "3-10": (3, 10), "1": (1, 1), "several images": None}
    for row in frame.query("model == 'open-B'").itertuples():
        wanted = edges.get(str(row.bin)) if what != "turn" else (row.bin, row.bin)
        part = joined.query("model == 'open-B'")
        if wanted:
            expected = part.loc[part[column].between(*wanted), "score"].mean() * 10
            assert row.mean == pytest.approx(expected)
    assert frame.query("model == 'open-B'")["n_turns"].sum() == 1645
    assert frame.attrs.get("n_unmatched", 0) == 0


def test_rows_without_a_partner_are_counted(sample):
    scores = sample_scores({"m": "open"})
    fewer = sample.select(sample.dialogs.index[:100])
    lost = int((~scores["dialog_id"].isin(fewer.dialogs.index)).sum())
    with pytest.warns(DataWarning, match=f"{lost:,} of"):
        joined = join_turns(scores, fewer)
    assert joined.attrs["n_unmatched"] == lost
    assert len(joined) + lost == len(scores)
    with pytest.raises(DataError, match="none of the"):
        join_turns(scores.assign(dialog_id="zz"), sample)
    with pytest.raises(DataError, match="turns="):
        score_breakdown(scores, "context")
    with pytest.raises(DataError, match="no breakdown by"):
        score_breakdown(scores, "mood")


def made_lengths(rng, effect, quality, dialogs=40, turns=6):
    """Scores with a known effect of a doubling of the length, and answers whose length differs by model."""
    rows = []
    for dialog in range(dialogs):
        for turn in range(1, turns + 1):
            hard = rng.normal(0, 1)
            for place, (model, level) in enumerate(quality.items()):
                size = 6 + place + 0.6 * hard + rng.normal(0, 0.5)
                score = 5 + level + effect * size / 10 - hard + rng.normal(0, 0.5)
                rows.append((model, str(dialog), turn, score, round(2**size)))
    frame = pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "score", "answer_tokens"])
    scores = frame.drop(columns="answer_tokens").assign(judge="j", dimension="Overall Score")
    return scores, frame.drop(columns="score")


def test_length_control_is_the_regression_on_model_question_and_length():
    scores, answers = made_lengths(np.random.default_rng(1), 2.0, {"a": 0.0, "b": 0.3, "c": -0.2})
    frame = adjust_for_length(scores, answers, n_resamples=200)
    rows = scores.merge(answers, on=["model", "dialog_id", "turn"])
    rows["y"], rows["size"] = 10 * rows["score"], np.log2(rows["answer_tokens"])
    rows["question"] = rows["dialog_id"] + "/" + rows["turn"].astype(str)
    fit = smf.ols("y ~ C(model) + C(question) + size", rows).fit()
    assert frame.attrs["length_effect"] == pytest.approx(fit.params["size"])
    adjusted = frame.set_index("model")["adjusted"]
    assert adjusted["b"] - adjusted["a"] == pytest.approx(fit.params["C(model)[T.b]"])
    assert adjusted["c"] - adjusted["a"] == pytest.approx(fit.params["C(model)[T.c]"])
    assert adjusted.mean() == pytest.approx(rows["y"].mean())
    assert frame["mean"].tolist() == pytest.approx(rows.groupby("model")["y"].mean().tolist())


def test_length_control_takes_the_length_out_and_covers_the_truth():
    rng = np.random.default_rng(2)
    covered, runs = 0, 60
    for _ in range(runs):
        scores, answers = made_lengths(rng, 2.0, {"short": 0.0, "long": 0.0})
        frame = adjust_for_length(scores, answers, n_resamples=300).set_index("model")
        covered += frame.attrs["length_effect_low"] <= 2.0 <= frame.attrs["length_effect_high"]
    assert frame.loc["long", "low"] > frame.loc["short", "mean"]  # the judge likes the longer answers
    assert frame["adjusted"].diff().abs().iloc[-1] < 0.8
    assert covered / runs > 0.85


def test_length_control_tells_what_it_leaves_out():
    scores, answers = made_lengths(np.random.default_rng(3), 1.0, {"a": 0.0, "b": 0.0})
    with pytest.warns(DataWarning, match="have no answer"):
        frame = adjust_for_length(scores, answers.iloc[4:], n_resamples=50)
    assert frame.attrs["n_unmatched"] == 4
    with pytest.raises(DataError, match="two models"):
        adjust_for_length(scores.query("model == 'a'"), answers)
    with pytest.raises(DataError, match="none of the"):
        adjust_for_length(scores, answers.assign(model="x"))


def test_labels_can_be_broken_down_on_the_real_data(real, shared):
    labels = load_scores(shared / "data" / "mmdu" / "correctness.csv")
    with pytest.warns(DataWarning, match="found no turn"):
        frame = score_breakdown(labels, "kind", real)
    shares = frame.set_index(["model", "bin"])["mean"]
    for model in PUBLISHED:
        assert shares[model, "one image"] > shares[model, "several images"] + 25


def test_facts_give_the_same_breakdown_as_the_data(real, shared):
    from mmdu_analysis import load_answers
    from mmdu_analysis.figures.score_inputs import labelled_turns

    facts = labelled_turns()
    turns = describe_turns(real, load_answers(shared / "data" / "mmdu" / "answers"))
    for what in ("kind", "named_images", "images"):
        ours = score_breakdown(facts, what)
        with pytest.warns(DataWarning):
            data = score_breakdown(load_published("correctness"), what, turns)
        assert ours[["mean", "n_turns"]].equals(data[["mean", "n_turns"]])
    assert summarize_scores(facts)["n_turns"].tolist() == [1612, 1612]
