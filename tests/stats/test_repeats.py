"""Turns that were judged several times: against hand-written loops, ANOVA, and a known truth."""

import json

import numpy as np
import pandas as pd
import pytest

from mmdu_analysis import DataError, compare_models, judge_variance, load_scores, summarize_scores
from mmdu_analysis.schema import DIMENSION_NAMES
from mmdu_analysis.stats.scores import as_scores

OVERALL = "Overall Score"


def simulated(
    rng, *, n_dialogs=40, n_turns=12, n_repeats=3, sd_judge=1.0, sd_turns=1.5, model="m", missing=0.0
):
    rows = []
    for dialog in range(n_dialogs):
        level = rng.normal(5, 0.8)
        for turn in range(1, n_turns + 1):
            true = level + rng.normal(0, sd_turns)
            for repeat in range(1, n_repeats + 1):
                score = min(max(true + rng.normal(0, sd_judge), 0), 10)  # judges stay on the scale
                rows.append((model, "j", str(dialog), turn, OVERALL, repeat, score))
    frame = pd.DataFrame(
        rows, columns=["model", "judge", "dialog_id", "turn", "dimension", "repeat", "score"]
    )
    frame.loc[rng.random(len(frame)) < missing, "score"] = np.nan
    return frame.astype({"turn": "Int64"})


@pytest.mark.parametrize("average", ["question", "dialog", "vlmeval_all", "vlmeval_valid"])
def test_each_turn_counts_once(average):
    frame = simulated(np.random.default_rng(1), n_dialogs=6, n_turns=5, missing=0.3)
    turns = {}
    for row in frame.itertuples():
        value = row.score
        if average == "vlmeval_all":
            value = 0 if np.isnan(value) else min(10, max(0, int(value)))
        elif average == "vlmeval_valid" and not np.isnan(value):
            value = min(10, max(0, int(value)))
        turns.setdefault((row.dialog_id, row.turn), []).append(value)
    means = {key: np.nanmean(v) for key, v in turns.items() if not np.isnan(v).all()}
    if average == "dialog":
        dialogs = {d for d, _ in means}
        expected = np.mean([np.mean([m for (d, _), m in means.items() if d == x]) for x in dialogs])
    else:
        expected = np.mean(list(means.values()))
    row = summarize_scores(frame, average=average).iloc[0]
    assert row["mean"] == pytest.approx(10 * expected)
    there = frame.dropna(subset="score").drop_duplicates(["dialog_id", "turn"])
    assert row["n_turns"] == len(there)
    assert row["n_missing"] == 30 - len(there)
    assert row["n_repeats"] == pytest.approx(frame["score"].notna().sum() / len(there))


def test_repeats_that_agree_change_nothing():
    once = simulated(np.random.default_rng(2), n_repeats=1)
    plain = once.drop(columns="repeat")
    thrice = pd.concat([once.assign(repeat=k) for k in (1, 2, 3)], ignore_index=True)
    expected = summarize_scores(plain).iloc[0]
    found = summarize_scores(thrice).iloc[0]
    for column in ("mean", "se", "low", "high", "n_dialogs", "n_turns", "n_missing"):
        assert found[column] == pytest.approx(expected[column])
    assert found["se_judge"] == pytest.approx(0, abs=1e-9)
    assert "se_judge" not in summarize_scores(plain)
    pd.testing.assert_frame_equal(
        as_scores(thrice)[list(plain)].sort_values(["dialog_id", "turn"], ignore_index=True),
        plain.sort_values(["dialog_id", "turn"], ignore_index=True),
    )


def test_the_judges_variance_is_found():
    rng = np.random.default_rng(3)
    frame = simulated(rng, n_dialogs=150, n_turns=10, n_repeats=4, sd_judge=1.2, sd_turns=1.6)
    row = judge_variance(frame).iloc[0]
    assert row["sd_judge"] == pytest.approx(12, rel=0.05)
    truth = np.hypot(16, 8)  # the dialogues' level is between turns too
    assert row["sd_turns"] == pytest.approx(truth, rel=0.06)
    assert row["reliability"] == pytest.approx(truth**2 / (truth**2 + 144), abs=0.04)
    assert (row["n_turns"], row["n_repeats"]) == (1500, 4)


def test_reliability_is_the_intraclass_correlation_of_anova():
    frame = simulated(np.random.default_rng(4), n_dialogs=8, n_turns=6, n_repeats=3)
    table = frame.pivot(index=["dialog_id", "turn"], columns="repeat", values="score").to_numpy()
    n, k = table.shape
    between = k * ((table.mean(1) - table.mean()) ** 2).sum() / (n - 1)
    within = ((table - table.mean(1, keepdims=True)) ** 2).sum() / (n * (k - 1))
    row = judge_variance(frame).iloc[0]
    assert row["reliability"] == pytest.approx((between - within) / (between + (k - 1) * within))
    assert row["reliability_mean"] == pytest.approx((between - within) / between)


@pytest.mark.parametrize("average", ["question", "dialog"])
def test_the_judges_part_of_the_error_is_that_of_judging_again(average):
    """The same turns judged anew and anew: the spread of their means is se_judge."""
    rng = np.random.default_rng(5)
    base = simulated(rng, n_dialogs=10, n_turns=6, n_repeats=2, sd_judge=0).query(
        "turn <= 2 or dialog_id < '5'"
    )
    means, told = [], []
    for _ in range(300):
        again = base.assign(score=(base["score"] + rng.normal(0, 1, len(base))).clip(0, 10))
        row = summarize_scores(again, average=average, n_resamples=2).iloc[0]
        means.append(row["mean"])
        told.append(row["se_judge"])
    assert np.sqrt(np.mean(np.square(told))) == pytest.approx(np.std(means), rel=0.12)


def test_models_are_compared_on_the_means_of_their_turns():
    rng = np.random.default_rng(6)
    both = pd.concat([simulated(rng, model="a"), simulated(rng, model="b", n_repeats=2)], ignore_index=True)
    plain = as_scores(both)
    pd.testing.assert_frame_equal(compare_models(both, "a", "b"), compare_models(plain, "a", "b"))
    assert compare_models(both, "a", "b")["n_unpaired"].tolist() == [0]


def test_one_judgement_a_turn_has_no_variance():
    with pytest.raises(DataError, match="at least twice"):
        judge_variance(simulated(np.random.default_rng(7), n_repeats=1))


def test_files_say_which_repeat_and_which_judge(tmp_path, sample):
    scores = dict.fromkeys(DIMENSION_NAMES, 6)
    entries = [{"turn": 2, "repeat": k, "judge": "J", "reason": f"r{k}", **scores} for k in (1, 2)]
    (tmp_path / "0.json").write_text(json.dumps(entries))
    frame = load_scores(tmp_path, benchmark=sample, strict=True)
    scored = frame.dropna(subset="score")
    assert scored.groupby("repeat")["turn"].unique().map(list).to_dict() == {1: [2], 2: [2]}
    assert set(frame["judge"]) == {"J"}
    length = int(sample.dialogs.loc["0", "n_turns"])
    absent = frame.loc[frame["score"].isna() & (frame["dialog_id"] == "0"), "turn"].unique().tolist()
    assert absent == [turn for turn in range(1, length + 1) if turn != 2]
    assert as_scores(scored)["reason"].unique().tolist() == ["r1\n\nr2"]
    assert set(load_scores(tmp_path, judge="mine")["judge"]) == {"mine"}


def test_the_interval_of_the_judges_deviation_covers_the_truth():
    rng = np.random.default_rng(8)
    truth, covered, runs = 6.0, 0, 60
    index = pd.MultiIndex.from_product(
        [[str(i) for i in range(40)], range(1, 9), [1, 2, 3]], names=["dialog_id", "turn", "repeat"]
    )
    for _ in range(runs):
        level = np.repeat(rng.normal(5.5, 1, 320), 3)
        scores = (
            pd.DataFrame({"score": level + rng.normal(0, truth / 10, 960)}, index=index)
            .clip(0, 10)
            .reset_index()
        )
        row = judge_variance(scores.assign(model="m", judge="j", dimension="Overall Score")).iloc[0]
        assert row["se"] > 0
        covered += row["low"] <= truth <= row["high"]
    assert row["sd_judge"] == pytest.approx(truth, rel=0.15)
    assert covered / runs >= 0.87
