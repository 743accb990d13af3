"""Plans of ratings are balanced and drawn by lot; chosen dialogues stand for the whole, honestly measured."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from mmdu_analysis import DataError, rating_plan, select_dialogs


def answers_of(models=("a", "b", "c"), dialogs=30, turns=6):
    rows = [(m, str(d), t, "text") for m in models for d in range(dialogs) for t in range(1, turns + 1)]
    return pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "answer"])


@pytest.mark.parametrize("unit", ["turn", "dialog"])
def test_a_plan_balances_models_and_keeps_its_seed(unit):
    plan = rating_plan(answers_of(), 90, raters=["x", "y"], unit=unit, overlap=0.2, seed=5)
    alone = plan.drop_duplicates(["dialog_id", "turn", "model"])
    assert alone["model"].value_counts().nunique() == 1
    assert 90 <= len(alone) <= 108
    assert set(plan["seed"]) == {5}
    shared = plan.groupby(["dialog_id", "turn", "model"])["rater"].nunique()
    assert 0.1 <= (shared == 2).mean() <= 0.3
    assert plan.groupby("rater")["order"].apply(lambda o: o.tolist() == list(range(1, len(o) + 1))).all()
    pd.testing.assert_frame_equal(
        plan, rating_plan(answers_of(), 90, raters=["x", "y"], unit=unit, overlap=0.2, seed=5)
    )


def test_every_dialogue_is_equally_likely():
    counts = pd.Series(0, index=[str(d) for d in range(30)])
    for seed in range(400):
        drawn = rating_plan(answers_of(("a",)), 60, seed=seed)["dialog_id"].unique()
        counts[drawn] += 1
    assert counts.mean() == pytest.approx(400 * 10 / 30)
    assert counts.std() < 2 * (400 / 3 * 2 / 3) ** 0.5


def scores_of(means):
    """Scores (0-10) from an array of points of shape (dialogues, models)."""
    rows = [
        (f"m{m}", "j", str(d), 1, "Overall Score", value / 10)
        for d, line in enumerate(means)
        for m, value in enumerate(line)
    ]
    return pd.DataFrame(rows, columns=["model", "judge", "dialog_id", "turn", "dimension", "score"])


def test_the_choice_is_as_good_as_the_best_of_all_on_a_small_case():
    rng = np.random.default_rng(0)
    means = rng.uniform(20, 80, (11, 4))
    found = select_dialogs(scores_of(means), 3, n_random=50)
    rows = [int(key) for key in found.dialog_ids]
    cost = ((means[rows].mean(0) - means.mean(0)) ** 2).mean() ** 0.5
    best = min(
        ((means[list(c)].mean(0) - means.mean(0)) ** 2).mean() ** 0.5 for c in combinations(range(11), 3)
    )
    assert found.table["error_in_sample"].item() == pytest.approx(cost)
    assert cost <= 1.5 * best  # exchanges need not find the very best


def test_shared_difficulty_can_be_used_and_noise_cannot():
    rng = np.random.default_rng(1)
    difficulty = rng.normal(0, 15, (80, 1))
    useful = select_dialogs(scores_of(50 + difficulty + rng.normal(0, 3, (80, 10))), 8).table.iloc[0]
    assert useful["beats_random"] > 0.8
    assert useful["error_in_sample"] < useful["error_left_out"] < 0.5 * useful["error_random"]
    shares = [
        select_dialogs(scores_of(rng.uniform(20, 80, (40, 5))), 5, seed, n_random=100)
        .table["beats_random"]
        .item()
        for seed in range(25)
    ]
    assert 0.3 < np.mean(shares) < 0.7  # on noise a choice is no better than a draw by lot


def test_refusals():
    with pytest.raises(DataError, match="2 models"):
        select_dialogs(scores_of(np.full((20, 2), 50.0)))
    with pytest.raises(DataError, match="different names"):
        rating_plan(answers_of(), raters=["x", "x"])
    with pytest.raises(DataError, match="kind"):
        rating_plan(answers_of(), by="kind")
