"""Sensitivity to length: the regression of statsmodels, and known truths."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from mmdu_analysis import DataError, adjust_for_length
from mmdu_analysis.schema import DataWarning


def made_lengths(rng, effect, quality, dialogs=40, turns=6):
    """Scores with a known effect of a doubling of the length, and answers whose length differs by model."""
    rows = []
    for dialog in range(dialogs):
        for turn in range(1, turns + 1):
            hard = rng.normal(0, 1)
            for place, (model, level) in enumerate(quality.items()):
                size = 6 + place + 0.6 * hard + rng.normal(0, 0.5)
                score = min(5 + level + effect * size / 10 - hard + rng.normal(0, 0.5), 10)
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
    assert frame["length_effect"].iloc[0] == pytest.approx(fit.params["size"])
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
        covered += frame["length_effect_low"].iloc[0] <= 2.0 <= frame["length_effect_high"].iloc[0]
    assert frame.loc["long", "low"] > frame.loc["short", "mean"]  # the judge likes the longer answers
    assert frame["adjusted"].diff().abs().iloc[-1] < 0.8
    assert covered / runs > 0.85


def test_length_control_tells_what_it_leaves_out():
    scores, answers = made_lengths(np.random.default_rng(3), 1.0, {"a": 0.0, "b": 0.0})
    with pytest.warns(DataWarning, match="have no answer"):
        frame = adjust_for_length(scores, answers.iloc[4:], n_resamples=50)
    assert (frame["n_unmatched"] == 4).all()
    with pytest.raises(DataError, match="two models"):
        adjust_for_length(scores.query("model == 'a'"), answers)
    with pytest.raises(DataError, match="none of the"):
        adjust_for_length(scores, answers.assign(model="x" + answers["model"]))


def test_a_model_that_lacks_hard_turns_does_not_move_where_lengths_are_equal():
    """The raw mean of 66 became 58 "at equal length" although all lengths were equal."""
    rng = np.random.default_rng(4)
    rows = [
        (model, str(dialog), turn, 7.5 - turn / 2 + rng.normal(0, 0.3), 100)
        for dialog in range(40)
        for turn in range(1, 7)
        for model in ("whole", "easy turns only", "third")
        if not (model == "easy turns only" and turn > 3)
    ]
    frame = pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "score", "answer_tokens"])
    scores = frame.drop(columns="answer_tokens").assign(judge="j", dimension="Overall Score")
    raw = 10 * scores.groupby("model")["score"].mean()
    assert raw["easy turns only"] - raw["whole"] > 6
    result = adjust_for_length(scores, frame.drop(columns="score"), n_resamples=100).set_index("model")
    assert result["shift"].abs().max() < 1e-6
    assert result.loc["easy turns only", "mean"] == pytest.approx(result.loc["whole", "mean"], abs=1)
    assert (result["low"] <= result["mean"]).all()


def test_a_slope_for_each_model_is_the_regression_with_interactions():
    scores, answers = made_lengths(np.random.default_rng(5), 2.0, {"a": 0.0, "b": 0.3, "c": -0.2})
    frame = adjust_for_length(scores, answers, slopes="model", n_resamples=50).set_index("model")
    rows = scores.merge(answers, on=["model", "dialog_id", "turn"])
    rows["y"], rows["size"] = 10 * rows["score"], np.log2(rows["answer_tokens"])
    rows["size"] -= rows["size"].mean()
    rows["question"] = rows["dialog_id"] + "/" + rows["turn"].astype(str)
    fit = smf.ols("y ~ C(model) + C(question) + C(model):size", rows).fit()
    for model in "abc":
        assert frame.loc[model, "length_effect"] == pytest.approx(fit.params[f"C(model)[{model}]:size"])
    difference = frame.loc["b", "adjusted"] - frame.loc["a", "adjusted"]
    assert difference == pytest.approx(fit.params["C(model)[T.b]"])


def test_length_that_follows_from_quality_hides_a_true_gap():
    """Why it is called a sensitivity: a true gap of 10 points shrinks."""
    rng = np.random.default_rng(6)
    rows = []
    for dialog in range(60):
        for turn in range(1, 7):
            for model, level in (("weak", 5.0), ("strong", 6.0)):
                quality = level + rng.normal(0, 1)
                rows.append(
                    (model, str(dialog), turn, quality, round(2 ** (5 + quality + rng.normal(0, 0.7))))
                )
    frame = pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "score", "answer_tokens"])
    scores = frame.drop(columns="answer_tokens").assign(judge="j", dimension="Overall Score")
    result = adjust_for_length(scores, frame.drop(columns="score"), n_resamples=100).set_index("model")
    assert result["mean"].diff().abs().iloc[-1] == pytest.approx(10, abs=2)
    assert result["adjusted"].diff().abs().iloc[-1] < 5
