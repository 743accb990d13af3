"""Breakdowns and trends: hand-written groups and least squares."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from mmdu_analysis import (
    DataError,
    describe_turns,
    join_turns,
    load_published,
    load_scores,
    question_images,
    sample_answers,
    sample_scores,
    score_breakdown,
    score_trend,
    summarize_scores,
)
from mmdu_analysis.schema import DataWarning
from mmdu_analysis.stats.breakdowns import BREAKDOWNS


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
    assert (frame["high"] < 0).all()
    assert frame["slope"].mean() == pytest.approx(
        -0.5, abs=0.1
    )  # the models' own falls differ by their traits
    flat = score_trend(sample_scores(fall=0.0, seed=2))
    assert (flat["p_value"] > 0.01).all()


def test_turns_are_described_by_their_data(sample):
    turns = describe_turns(sample)
    assert len(turns) == 1645
    truth = question_images(sample).groupby(["dialog_id", "turn"]).size()
    named = turns.set_index(["dialog_id", "turn"])["n_referenced"]
    assert named[named > 0].to_dict() == truth.to_dict()
    kinds = turns["kind"].value_counts()
    assert kinds.to_dict() == {"multi image": 1035, "single image": 446, "no image": 164}
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
    column = BREAKDOWNS[what][0]
    edges = {"<1k": (0, 999), "2": (2, 2), "3-10": (3, 10), "1": (1, 1), "multi image": None}
    for row in frame.query("model == 'open-B'").itertuples():
        wanted = edges.get(str(row.bin)) if what != "turn" else (row.bin, row.bin)
        part = joined.query("model == 'open-B'")
        if wanted:
            expected = part.loc[part[column].between(*wanted), "score"].mean() * 10
            assert row.mean == pytest.approx(expected)
    assert frame.query("model == 'open-B'")["n_turns"].sum() == 1645
    assert (frame["n_unmatched"] == 0).all()
    assert set(frame["by"]) == {what}


def test_rows_without_a_partner_are_counted(sample):
    scores = sample_scores({"m": "open"})
    fewer = sample.select(sample.dialogs.index[:100])
    lost = int((~scores["dialog_id"].isin(fewer.dialogs.index)).sum())
    with pytest.warns(DataWarning, match=f"{lost:,} of"):
        joined = join_turns(scores, fewer)
    assert (joined["n_unmatched"] == lost).all()
    assert len(joined) + lost == len(scores)
    with pytest.raises(DataError, match="none of the"):
        join_turns(scores.assign(dialog_id="z" + scores["dialog_id"]), sample)
    with pytest.raises(DataError, match="benchmark="):
        score_breakdown(scores, "context")
    with pytest.raises(DataError, match="no breakdown by"):
        score_breakdown(scores, "mood")


def test_labels_can_be_broken_down_on_the_real_data(real, shared):
    labels = load_scores(shared / "data" / "mmdu" / "correctness.csv")
    with pytest.warns(DataWarning, match="belong to no turn"):
        frame = score_breakdown(labels, "kind", real)
    shares = frame.set_index(["model", "bin"])["mean"]
    for model in labels["model"].unique():
        assert shares[model, "single image"] > shares[model, "multi image"] + 20


def test_facts_give_the_same_breakdown_as_the_data(real, shared):
    from mmdu_analysis import load_answers
    from mmdu_analysis.plots._labels import labelled_turns

    facts = labelled_turns()
    turns = describe_turns(real, load_answers(shared / "data" / "mmdu" / "answers"))
    for what in ("kind", "named_images", "images"):
        ours = score_breakdown(facts, what)
        with pytest.warns(DataWarning):
            data = score_breakdown(load_published("correctness"), what, turns)
        assert ours[["mean", "n_turns"]].equals(data[["mean", "n_turns"]])
    assert summarize_scores(facts)["n_turns"].tolist() == [1612, 1612, 1612]
