"""Judge validity against scikit-learn, and the alternative annotator test on judges that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, roc_auc_score

from mmdu_analysis import DataError, alternative_annotator_test, judge_validity
from mmdu_analysis.stats.validity import rank_auc


def frame_of(values, judge, model="m", dimension="Overall Score"):
    d, t = values.shape
    return pd.DataFrame(
        {
            "model": model,
            "judge": judge,
            "dialog_id": np.repeat([str(i) for i in range(d)], t),
            "turn": np.tile(np.arange(1, t + 1), d),
            "dimension": dimension,
            "score": values.ravel().astype(float),
        }
    )


def test_measures_equal_scikit_learn_and_numpy():
    rng = np.random.default_rng(0)
    people = rng.integers(0, 11, (20, 5))
    judge = np.clip(people + rng.integers(-3, 4, people.shape), 0, 10)
    found = judge_validity(frame_of(judge, "j"), frame_of(people, "p"), n_resamples=200)
    found = found.set_index("measure")
    kappa = cohen_kappa_score(judge.ravel(), people.ravel(), weights="quadratic", labels=range(11))
    assert found.loc["kappa", "value"] == pytest.approx(kappa)
    assert found.loc["slope", "value"] == pytest.approx(np.polyfit(judge.ravel(), people.ravel(), 1)[0])
    assert (found["low"] < found["value"]).all()
    assert (found["value"] < found["high"]).all()
    labels = (people > 5).astype(float)
    assert rank_auc(judge.ravel().astype(float), labels.ravel()) == pytest.approx(
        roc_auc_score(labels.ravel(), judge.ravel())
    )


def test_models_and_kinds_are_kept_apart():
    rng = np.random.default_rng(1)
    scores, labels = [], []
    for model, level in (("weak", 2), ("strong", 8)):
        right = rng.random((30, 8)) < level / 10
        noise = level + rng.integers(-1, 2, right.shape)
        scores.append(frame_of(noise, "j", model))
        labels.append(frame_of(np.where(right, 10, 0), "person", model, "Correct"))
    kinds = frame_of(np.zeros((30, 8)), "x")[["dialog_id", "turn"]].assign(kind="single image")
    kinds.loc[::2, "kind"] = "multi image"
    found = judge_validity(pd.concat(scores), pd.concat(labels), kinds=kinds, n_resamples=50)
    auc = found.loc[found["measure"] == "auc"]
    assert len(auc) == 4
    assert (auc["value"] - 0.5).abs().max() < 0.15  # the levels of the models carry nothing within a model


def annotators(rng, spread=1.0, items=(40, 5)):
    truth = rng.integers(2, 9, items)
    people = [
        frame_of(np.clip(truth + rng.normal(0, spread, items).round(), 0, 10), f"p{i}") for i in range(4)
    ]
    return truth, pd.concat(people)


def test_a_judge_that_copies_the_truth_passes_and_noise_fails():
    rng = np.random.default_rng(2)
    truth, people = annotators(rng)
    good = alternative_annotator_test(frame_of(truth, "j"), people)
    assert good["passed"].all()
    assert good["advantage"].iloc[0] > 0.5
    noise = alternative_annotator_test(frame_of(rng.integers(0, 11, truth.shape), "j"), people)
    assert not noise["passed"].any()
    assert noise["winning_rate"].iloc[0] == 0


def test_a_judge_that_copies_one_annotator_passes():
    rng = np.random.default_rng(3)
    _, people = annotators(rng)
    copy = people.loc[people["judge"] == "p0"].assign(judge="j")
    assert alternative_annotator_test(copy, people)["passed"].all()


def test_refusals():
    rng = np.random.default_rng(4)
    truth, people = annotators(rng)
    two = people.loc[people["judge"].isin(["p0", "p1"])]
    with pytest.raises(DataError, match="at least 3 annotators"):
        alternative_annotator_test(frame_of(truth, "j"), two)
    with pytest.raises(DataError, match="2 judges"):
        judge_validity(pd.concat([frame_of(truth, "j"), frame_of(truth, "k")]), people)
    with pytest.raises(DataError, match="share no turn"):
        judge_validity(frame_of(truth, "j", "other"), people)


def test_turns_of_one_dialogue_reject_nothing():
    truth = np.full((1, 40), 5)
    rng = np.random.default_rng(4)
    people = pd.concat([frame_of(truth + rng.choice([-2, 2], truth.shape), name) for name in "xyz"])
    found = alternative_annotator_test(frame_of(truth, "j"), people)
    assert not found["rejected"].any()
    assert found["p_value"].ge(0.5).all()
