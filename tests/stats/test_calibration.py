"""Prediction-powered means: coverage with a biased judge, invariances, differences, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mmdu_analysis import DataError, calibrate_scores
from mmdu_analysis.schema import CoverageWarning
from mmdu_analysis.stats.calibration import _calibrated

G, RATED, TURNS = 110, 20, 15


def long(values, model="m", judge="judge", seed=None, dimension="Overall Score"):
    """Scores on 0-10 of an array of shape (dialogues, turns)."""
    index = pd.MultiIndex.from_product(
        [[str(d) for d in range(len(values))], range(1, values.shape[1] + 1)], names=["dialog_id", "turn"]
    )
    frame = pd.DataFrame({"score": np.asarray(values, float).ravel() / 10}, index=index).reset_index()
    frame = frame.assign(model=model, judge=judge, dimension=dimension)
    return frame if seed is None else frame.assign(seed=seed)


def rated_part(frame, chosen):
    return frame.loc[frame["dialog_id"].isin([str(d) for d in chosen])]


def draw(rng, correlation, bias=10.0):
    """People's and judge's points with a given correlation at both levels; the true mean is 50."""
    level, noise = rng.normal(0, 2, (2, G, 1))
    turns, other = rng.normal(0, 6, (2, G, TURNS))
    people = 50 + level + turns
    judge = 50 + bias + correlation * (level + turns) + (1 - correlation**2) ** 0.5 * (noise + other)
    return people, judge


@pytest.mark.slow
@pytest.mark.parametrize(("correlation", "width"), [(0.9, 0.59), (0.0, 1.03)])
def test_coverage_and_width_with_a_judge_that_is_ten_points_too_high(correlation, width):
    rng = np.random.default_rng(7)
    hits, widths, judge_hits = [], [], []
    for _ in range(1_000):
        people, judge = draw(rng, correlation)
        chosen = rng.choice(G, RATED, replace=False)
        tidy = [
            pd.DataFrame(
                {
                    "dialog_id": np.repeat(rows, TURNS),
                    "turn": np.tile(range(TURNS), len(rows)),
                    "points": v[rows].ravel(),
                }
            )
            for v, rows in ((judge, np.arange(G)), (people, np.sort(chosen)))
        ]
        row = _calibrated(*tidy, 0.95)
        hits.append(row["low"] <= 50 <= row["high"])
        widths.append((row["high"] - row["low"]) / (row["people_high"] - row["people_low"]))
        judge_hits.append(row["judge_low"] <= 50 <= row["judge_high"])
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)
    assert np.mean(widths) == pytest.approx(width, abs=0.03)
    assert np.mean(judge_hits) == 0


def test_the_closed_form_on_one_table():
    rng = np.random.default_rng(0)
    people, judge = draw(rng, 0.8)
    chosen = np.sort(rng.choice(G, RATED, replace=False))
    row = calibrate_scores(long(judge), rated_part(long(people, judge="person", seed=1), chosen)).iloc[0]
    y, f, all_f = people[chosen].mean(1), judge[chosen].mean(1), judge.mean(1)
    ey, ef, ef_all = y - y.mean(), f - f.mean(), all_f - all_f.mean()
    lam = (ey @ ef) / (ef @ ef)
    r = ey - lam * ef
    variance = (r @ r) / (RATED * (RATED - 2)) + lam**2 * (ef_all @ ef_all) / (G * (G - 1))
    variance += 2 * lam * (r @ ef) / ((RATED - 1) * G)
    assert row["mean"] == pytest.approx(y.mean() + lam * (all_f.mean() - f.mean()))
    assert row["se"] == pytest.approx(variance**0.5)
    assert row["weight"] == pytest.approx(lam)
    assert row["people_mean"] == pytest.approx(y.mean())
    assert row["judge_mean"] == pytest.approx(all_f.mean())
    assert (row["n_dialogs"], row["n_rated"]) == (G, RATED)
    assert row["gain"] == pytest.approx((ey @ ey) / (RATED * (RATED - 1)) / variance)


def test_a_shift_of_the_judge_changes_nothing_but_the_judge():
    rng = np.random.default_rng(1)
    people, judge = draw(rng, 0.8, bias=0)
    ratings = rated_part(long(people, judge="person", seed=1), range(0, 40, 2))
    first, shifted = (calibrate_scores(long(judge + b), ratings).iloc[0] for b in (0.0, 15.0))
    for column in ("mean", "se", "low", "high", "weight", "people_mean"):
        assert first[column] == pytest.approx(shifted[column])
    assert shifted["judge_mean"] - first["judge_mean"] == pytest.approx(15)


def test_an_opposite_judge_is_not_used():
    rng = np.random.default_rng(2)
    people, _ = draw(rng, 0.8)
    row = calibrate_scores(long(100 - people), rated_part(long(people, seed=1), range(30))).iloc[0]
    assert row["weight"] == 0
    assert row["mean"] == pytest.approx(row["people_mean"])


def test_differences_and_several_dimensions():
    rng = np.random.default_rng(3)
    people, judge = draw(rng, 0.9)
    other, other_judge = draw(rng, 0.9)
    scores, ratings = [], []
    for dimension in ("Overall Score", "Richness"):
        for model, y, f in (("a", people, judge), ("b", other - 5, other_judge - 5)):
            scores.append(long(f, model, dimension=dimension))
            ratings.append(rated_part(long(y, model, "person", 1, dimension), range(0, 100, 4)))
    frame = calibrate_scores(pd.concat(scores), pd.concat(ratings), compare=True)
    assert frame["dimension"].tolist() == ["Richness", "Overall Score"]
    assert frame["difference"].iloc[0] == pytest.approx(frame["difference"].iloc[1])
    means = calibrate_scores(pd.concat(scores), pd.concat(ratings), dimension="R")
    assert means["model"].tolist() == ["a", "b"]
    simple = people[range(0, 100, 4)].mean() - (other - 5)[range(0, 100, 4)].mean()
    assert frame["people_mean"].iloc[0] == pytest.approx(simple)
    assert (frame["low"] <= 5).all()
    assert (frame["high"] >= 5).all()


def test_refusals():
    rng = np.random.default_rng(4)
    people, judge = draw(rng, 0.9)
    ratings = rated_part(long(people), range(20))
    with pytest.raises(DataError, match="drawn at random"):
        calibrate_scores(long(judge), ratings)
    assert len(calibrate_scores(long(judge), ratings, drawn_at_random=True)) == 1
    with pytest.raises(DataError, match="2 judges"):
        calibrate_scores(pd.concat([long(judge), long(judge, judge="x")]), ratings.assign(seed=1))
    with pytest.raises(DataError, match="3 dialogues are rated"):
        calibrate_scores(long(judge), rated_part(long(people, seed=1), range(3)))
    with pytest.raises(DataError, match="share no model"):
        calibrate_scores(long(judge), long(people, "other", seed=1))


def test_a_model_with_few_rated_dialogues_is_left_out():
    rng = np.random.default_rng(5)
    people, judge = draw(rng, 0.9)
    scores = pd.concat([long(judge, "a"), long(judge, "b")])
    ratings = pd.concat(
        [rated_part(long(people, model, seed=1), range(n)) for model, n in (("a", 20), ("b", 3))]
    )
    with pytest.warns(
        CoverageWarning, match=r"b and Overall Score: 3 dialogues are rated.*at least 4; left out"
    ):
        frame = calibrate_scores(scores, ratings)
    assert frame["model"].tolist() == ["a"]
    alone = calibrate_scores(long(judge, "a"), rated_part(long(people, "a", seed=1), range(20)))
    assert frame.loc[0, ["mean", "se", "low", "high"]].tolist() == pytest.approx(
        alone.loc[0, ["mean", "se", "low", "high"]].tolist()
    )


def test_a_plan_that_is_rated_in_part_has_a_note():
    rng = np.random.default_rng(6)
    people, judge = draw(rng, 0.9)
    ratings = rated_part(long(people, seed=1), range(20))
    assert calibrate_scores(long(judge), ratings)["note"].tolist() == [""]
    part = ratings.loc[(ratings["dialog_id"] != "7") | (ratings["turn"] <= 5)]
    note = calibrate_scores(long(judge), part)["note"].iloc[0]
    assert note.startswith("only 290 of 300 judged turns of 20 rated dialogues are rated")


def test_frames_of_a_notebook_are_checked():
    people, judge = draw(np.random.default_rng(5), 0.9)
    scores, ratings = long(judge), rated_part(long(people, judge="person", seed=1), range(20))
    floats = ratings.assign(dialog_id=ratings["dialog_id"].astype(float))
    pd.testing.assert_frame_equal(calibrate_scores(scores, floats), calibrate_scores(scores, ratings))
    with pytest.raises(DataError, match="outside the scale 0-10"):
        calibrate_scores(scores, ratings.assign(score=ratings["score"] * 10))
    with pytest.raises(DataError, match="score a turn again"):
        calibrate_scores(pd.concat([scores, scores[:9].assign(score=0.0)]), ratings)
