"""Agreement of judges: scipy, scikit-learn, by hand, and with a known truth."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmdu_analysis import (
    DataError,
    judge_agreement,
    judge_offsets,
    load_published,
    sample_scores,
    self_preference,
    turn_agreement,
)
from mmdu_analysis.schema import SHORT_NAMES


def test_judges_correlate_as_scipy_says():
    table = load_published("judges")
    for row in judge_agreement(table).itertuples():
        first, second = (
            table.query("judge == @judge").set_index("model")[SHORT_NAMES[row.dimension]]
            for judge in (row.judge_a, row.judge_b)
        )
        second = second.loc[first.index]
        assert row.pearson == pytest.approx(stats.pearsonr(first, second).statistic)
        assert row.spearman == pytest.approx(stats.spearmanr(first, second).statistic)
        assert row.kendall == pytest.approx(stats.kendalltau(first, second).statistic)
        assert row.mean_difference == pytest.approx((second - first).mean())
        assert row.n_models == 5


def test_offsets_and_ranks_by_hand():
    frame = judge_offsets(load_published("judges")).set_index(["judge", "model", "dimension"])
    row = frame.loc[("Claude3-Opus", "LLaVa1.5-7B+MMDU-45k", "Overall Score")]
    assert row["offset"] == pytest.approx(49.3 - (37.2 + 39.1 + 49.3) / 3)
    assert row["rank"] == 4
    assert frame["offset"].groupby("model").mean().abs().max() < 1e-9
    missing = load_published("judges").iloc[1:]
    assert "LLaVa1.5-7B" not in set(judge_offsets(missing)["model"])


def test_self_preference_by_hand():
    table = load_published("judges")
    frame = self_preference(table).set_index(["judge", "dimension"])
    wide = table.pivot(index="model", columns="judge", values="Avg")
    excess = wide["GPT-4o"] - wide["Claude3-Opus"]  # the only judge of another family
    own = excess[["GPT-4o", "GPT-4-turbo"]].mean()
    rest = excess.drop(["GPT-4o", "GPT-4-turbo"]).mean()
    row = frame.loc[("GPT-4o", "Overall Score")]
    assert row["preference"] == pytest.approx(own - rest)
    picks = [
        excess.iloc[list(pick)].mean() - excess.drop(excess.index[list(pick)]).mean()
        for pick in itertools.combinations(range(5), 2)
    ]
    assert row["p_value"] == pytest.approx(np.mean([value >= own - rest - 1e-9 for value in picks]))
    assert (frame["p_value"] >= frame["smallest_p"] - 1e-12).all()
    assert frame.loc["Claude3-Opus", "smallest_p"].iloc[0] == pytest.approx(0.2)


def test_a_known_preference_is_found_and_an_offset_is_none():
    rng = np.random.default_rng(1)
    rows = []
    for number in range(8):
        model = f"gpt-{number}" if number < 4 else f"claude-{number}"
        for judge, generous, bonus in (("gpt-judge", 5, 6), ("claude-judge", 0, 0)):
            own = bonus if model.startswith("gpt") else 0
            rows.append((model, judge, 40 + 3 * number + generous + own + rng.normal(0, 0.1)))
    frame = self_preference(pd.DataFrame(rows, columns=["model", "judge", "Avg"])).set_index("judge")
    assert frame.loc["gpt-judge", "preference"] == pytest.approx(6, abs=0.3)
    assert frame.loc["gpt-judge", "p_value"] == pytest.approx(1 / 70)
    told = {"model-a": "one", "model-b": "two", "judge-1": "one", "judge-2": "two"}
    renamed = pd.DataFrame(
        [
            ("model-a", "judge-1", 9.0),
            ("model-a", "judge-2", 5.0),
            ("model-b", "judge-1", 6.0),
            ("model-b", "judge-2", 6.0),
        ],
        columns=["model", "judge", "Avg"],
    )
    assert self_preference(renamed, told).set_index("judge")["preference"].to_dict() == {
        "judge-1": 4,
        "judge-2": 4,
    }
    with pytest.raises(DataError, match="own family"):
        self_preference(renamed)


def two_judges(noise, seed=0):
    scores = sample_scores({"open-A": "open"}).query("dimension in ['Richness', 'Overall Score']")
    rng = np.random.default_rng(seed)
    other = (scores["score"] + rng.integers(-noise, noise + 1, len(scores))).clip(1, 10)
    return pd.concat([scores, scores.assign(judge="second", score=other)], ignore_index=True)


def test_agreement_on_turns_is_scikit_learns_weighted_kappa():
    from sklearn.metrics import cohen_kappa_score

    scores = two_judges(2)
    frame = turn_agreement(scores, n_resamples=500).set_index("dimension")
    wide = scores.pivot(index=["dimension", "dialog_id", "turn"], columns="judge", values="score")
    for dimension, row in frame.iterrows():
        part = wide.loc[dimension].astype(int)
        expected = cohen_kappa_score(part["simulated judge"], part["second"], weights="quadratic")
        assert row["kappa"] == pytest.approx(expected)
        assert row["low"] < expected < row["high"]
        assert row["exact"] == pytest.approx((part["simulated judge"] == part["second"]).mean())
    assert turn_agreement(two_judges(0), n_resamples=50)["kappa"].tolist() == [1, 1]


def test_agreement_of_unrelated_scores_is_nothing():
    scores = two_judges(0)
    second = scores["judge"] == "second"
    shuffled = scores.copy()
    rng = np.random.default_rng(3)
    shuffled.loc[second, "score"] = rng.permutation(scores.loc[second, "score"].to_numpy())
    frame = turn_agreement(shuffled, n_resamples=500)
    assert ((frame["low"] < 0) & (frame["high"] > 0)).all()


def test_several_judges_scores_give_the_table_of_judges():
    agreement = judge_agreement(two_judges(2).assign(model=lambda s: "m" + (s["turn"] % 3).astype(str)))
    assert agreement["n_models"].tolist() == [3, 3]
    assert set(agreement["dimension"]) == {"Richness", "Overall Score"}
    for wrong in (sample_scores(), load_published("judges").query("judge == 'GPT-4o'")):
        with pytest.raises(DataError, match="two judges"):
            judge_agreement(wrong)
    with pytest.raises(DataError, match="twice"):
        judge_agreement(pd.concat([load_published("judges")] * 2))
    with pytest.raises(DataError, match="no two judges"):
        turn_agreement(sample_scores())


def test_judges_who_agree_only_on_the_models_have_no_kappa_within_models():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(5)
    rows = [
        (
            model,
            judge,
            str(dialog),
            turn,
            "Overall Score",
            float(np.clip(np.round(rng.normal(level, 1)), 0, 10)),
        )
        for model, level in (("weak", 3), ("strong", 8))
        for judge in ("a", "b")
        for dialog in range(60)
        for turn in range(1, 6)
    ]
    scores = pd.DataFrame(rows, columns=["model", "judge", "dialog_id", "turn", "dimension", "score"])
    row = turn_agreement(scores, n_resamples=500).iloc[0]
    wide = scores.pivot(index=["model", "dialog_id", "turn"], columns="judge", values="score").astype(int)
    pooled = cohen_kappa_score(wide["a"], wide["b"], weights="quadratic")
    assert row["kappa_pooled"] == pytest.approx(pooled)
    assert row["kappa_pooled"] > 0.8
    assert abs(row["kappa"]) < 0.1
    assert row["low"] < 0 < row["high"]
    by_model = [cohen_kappa_score(p["a"], p["b"], weights="quadratic") for _, p in wide.groupby("model")]
    assert min(by_model) - 0.02 < row["kappa"] < max(by_model) + 0.02


def test_a_wider_scale_is_not_called_self_preference():
    levels = {"gpt-1": 70.0, "gpt-2": 65.0, "other-1": 30.0, "other-2": 25.0, "claude-1": 40.0}
    rows = [(model, "claude-judge", level) for model, level in levels.items()]
    rows += [(model, "gpt-judge", 50 + 1.3 * (level - 50)) for model, level in levels.items()]
    frame = self_preference(pd.DataFrame(rows, columns=["model", "judge", "Avg"])).set_index("judge")
    row = frame.loc["gpt-judge"]
    assert row["preference"] > 5
    assert row["scale_slope"] == pytest.approx(0.3)
    assert "scale" in row["note"]
    assert "p can't be below 0.1" in row["note"]
