"""Summaries: bounds for missing turns, notes, warnings, scales, marks, and frames as users have them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from builders import frame_of
from scipy import stats

from mmdu_analysis import DataError, join_turns, load_published, sample_scores, score_table, summarize_scores
from mmdu_analysis.schema import ComparabilityWarning, CoverageWarning, Dimension, Rubric
from mmdu_analysis.stats.scores import as_scores, only_dimension


def test_bounds_hold_what_missing_turns_could_do():
    points = np.array([[7.0, np.nan, 5.0], [4.0, 6.0, np.nan], [np.nan, np.nan, 8.0]] * 8)
    row = summarize_scores(frame_of(points, "m")).iloc[0]
    total, missing = np.nansum(points), np.isnan(points).sum()
    assert row["n_missing"] == missing
    assert row["bound_low"] == pytest.approx(10 * total / points.size)
    assert row["bound_high"] == pytest.approx((10 * total + 100 * missing) / points.size)
    dialog = summarize_scores(frame_of(points, "m"), average="dialog").iloc[0]
    assert dialog["bound_low"] == pytest.approx(10 * np.nan_to_num(points).mean(axis=1).mean())
    assert dialog["bound_high"] == pytest.approx(10 * np.nan_to_num(points, nan=10).mean(axis=1).mean())
    full = summarize_scores(frame_of(np.nan_to_num(points, nan=3), "m")).iloc[0]
    assert full["bound_low"] == full["mean"] == full["bound_high"]


def test_models_with_different_turns_are_warned_of():
    rng = np.random.default_rng(1)
    full, short = rng.uniform(4, 6, (30, 5)), rng.uniform(4, 6, (30, 5))
    short[:, 4] = np.nan
    scores = pd.concat([frame_of(full, "a"), frame_of(short, "b")])
    with pytest.warns(CoverageWarning, match="a 150, b 120; 150 in all"):
        summarize_scores(scores)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summarize_scores(scores.query("model == 'b'"))


def test_pooled_judges_thin_cells_and_synthetic_rows_are_warned_of():
    rng = np.random.default_rng(2)
    one = frame_of(rng.uniform(4, 6, (30, 5)), "a")
    with pytest.warns(ComparabilityWarning, match="2 judges"):
        summarize_scores(pd.concat([one, one.assign(judge="k")]))
    thin = one.assign(cell=np.where(one["dialog_id"].astype(int) < 5, "few", "many"))
    with pytest.warns(CoverageWarning, match="1 of 2 means are based on fewer than 20 of 30 dialogues"):
        frame = summarize_scores(thin, ["model", "cell"])
    assert frame.set_index("cell")["note"].to_dict() == {"few": "based on only 5 dialogues", "many": ""}
    both = pd.concat([one.assign(synthetic=True), one.assign(model="b", synthetic=False)])
    with pytest.warns(ComparabilityWarning, match="150 of 300 scores are synthetic"):
        frame = summarize_scores(both)
    assert frame.set_index("model")["synthetic"].to_dict() == {"a": True, "b": False}


def test_a_mark_survives_concat_merge_and_csv(tmp_path):
    scores = sample_scores({"m": "open"})
    real = frame_of(np.random.default_rng(3).uniform(4, 6, (30, 5)), "real")
    joined = pd.concat([scores, real], ignore_index=True)
    merged = joined.merge(pd.DataFrame({"model": ["m", "real"], "size": [7, 8]}), on="model")
    merged.to_csv(tmp_path / "s.csv", index=False)
    back = pd.read_csv(tmp_path / "s.csv", dtype={"dialog_id": "str"})
    for frame in (joined, merged, back):
        with pytest.warns(ComparabilityWarning):
            summary = summarize_scores(frame)
        marks = summary.groupby("model")["synthetic"].all()
        assert marks.to_dict() == {"m": True, "real": False}


def test_constant_and_extreme_scores_have_honest_intervals():
    row = summarize_scores(frame_of(np.full((25, 4), 7.0), "m")).iloc[0]
    assert row["mean"] == 70
    assert row[["low", "high"]].isna().all()
    assert "no variation between 25 dialogues" in row["note"]
    none_right = summarize_scores(frame_of(np.zeros((25, 4)), "m")).iloc[0]
    wilson = stats.binomtest(0, 25).proportion_ci(method="wilson")
    assert none_right["low"] == 0
    assert none_right["high"] == pytest.approx(
        100 * wilson.high, rel=0.15
    )  # Student's t for the normal quantile
    assert none_right["high"] > 100 * wilson.high
    rare = np.zeros((30, 10))
    rare[::10, 0] = 10
    row = summarize_scores(frame_of(rare, "m")).iloc[0]
    assert 0 < row["low"] < row["mean"] < row["high"] < 10


def test_the_jackknife_interval_by_hand():
    rng = np.random.default_rng(4)
    sizes = rng.integers(2, 12, 15)
    points = [rng.uniform(3, 8, n) for n in sizes]
    row = summarize_scores(frame_of(points, "m")).iloc[0]
    share = row["mean"] / 100
    without = [10 * np.concatenate(points[:i] + points[i + 1 :]).mean() for i in range(15)]
    cv3 = np.sqrt(14 / 15 * ((np.array(without) - row["mean"]) ** 2).sum()) / 100
    reach = stats.t.ppf(0.975, 14) * cv3 / (share * (1 - share))
    ends = 100 / (1 + np.exp(-(np.log(share / (1 - share)) + np.array([-reach, reach]))))
    assert (row["low"], row["high"]) == pytest.approx(tuple(ends))
    assert row["note"] == "based on only 15 dialogues"


def test_rubrics_of_other_scales_and_names():
    one = Rubric("one", (Dimension("Grounding", "G"),), (1.0, 5.0))
    scores = frame_of(np.random.default_rng(5).integers(1, 6, (25, 4)), "m", dimension="Grounding")
    row = summarize_scores(scores, rubric=one).iloc[0]
    assert row["mean"] == pytest.approx(25 * (scores["score"].mean() - 1))
    assert 0 <= row["low"] < row["mean"] < row["high"] <= 100
    table = score_table(summarize_scores(scores, rubric=one), rubric=one)
    assert table["G"].item() == row["mean"]
    assert table["low"].item() == row["low"]
    with pytest.raises(DataError, match="expected some of"):
        score_table(summarize_scores(scores, rubric=one))
    with pytest.raises(DataError, match="Grounding"):
        summarize_scores(scores)
    with pytest.raises(DataError, match="MMDU's rubric only"):
        summarize_scores(scores, average="vlmeval_all", rubric=one)
    labels = load_published("correctness")
    assert set(as_scores(labels, rubric=one)["score"]) == {1.0, 5.0}
    same = summarize_scores(labels, rubric=one)["mean"], summarize_scores(labels)["mean"]
    assert same[0].tolist() == pytest.approx(same[1].tolist())
    two = Rubric("two", (Dimension("A", "A"), Dimension("B", "B")), (0.0, 1.0))
    both = pd.concat([frame_of([[0.5]], "m", dimension=name) for name in "AB"])
    with pytest.raises(DataError, match="pass dimension="):
        only_dimension(both, None, two)


def test_frames_with_numbers_as_dialogue_ids_are_joined(sample):
    scores = sample_scores({"m": "open"})
    numbers = scores.assign(dialog_id=scores["dialog_id"].astype("int64"))
    pd.testing.assert_frame_equal(join_turns(numbers, sample), join_turns(scores, sample))
    pd.testing.assert_frame_equal(summarize_scores(numbers), summarize_scores(scores))


def test_counts_are_whole_numbers_and_rows_are_numbered():
    frame = summarize_scores(sample_scores(), ["model", "judge"])
    for column in ("n_dialogs", "n_turns", "n_missing"):
        assert frame[column].dtype == "int64"
    assert isinstance(frame.index, pd.RangeIndex)
    assert frame.columns.tolist()[:10] == [
        "model", "judge", "dimension", "mean", "se", "low", "high", "n_dialogs", "n_turns", "n_missing"
    ]  # fmt: skip
    assert {"ci", "average", "note", "synthetic"} <= set(frame)
    assert frame.attrs == {}
