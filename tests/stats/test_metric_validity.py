"""The validity of metrics: scikit-learn's AUC, coverage, and the numbers of the real labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from mmdu_analysis import load_published, metric_validity
from mmdu_analysis.stats.answer_metrics import METRICS


def test_the_auc_is_scikit_learns():
    metrics, labels = load_published("measured_answers"), load_published("correctness")
    frame = metric_validity(metrics, labels)
    frame = frame.query("kind == 'all'").set_index(["model", "metric"])
    joined = metrics.merge(labels, on=["model", "dialog_id", "turn"])
    for (model, metric), row in frame.iterrows():
        part = joined.loc[joined["model"] == model].dropna(subset=metric)
        assert row["auc"] == pytest.approx(roc_auc_score(part["correct"], part[metric]))
        assert row["n_right"] + row["n_wrong"] == len(part)
    told = frame.dropna(subset="low")
    assert len(told) > 15
    assert ((told["low"] <= told["auc"]) & (told["auc"] <= told["high"])).all()


def test_pooled_kinds_hide_what_a_metric_tells():
    metrics, labels = load_published("measured_answers"), load_published("correctness")
    frame = metric_validity(metrics, labels).set_index(["model", "kind", "metric"])
    length = frame.xs("answer_tokens", level="metric").loc["Qwen2-VL-7B-Instruct", "auc"].round(2)
    assert length.to_dict() == {"all": 0.39, "single image": 0.55, "multi image": 0.45}
    row = frame.loc[("LLaVa1.6-vicuna-7B", "multi image", "rouge_l")]
    assert round(row["auc"], 2) == 0.75
    assert (row["low"], row["high"]) == pytest.approx((0.62, 0.87), abs=0.02)
    assert (frame["n_right"] + frame["n_wrong"]).max() == 1615 - 3


def test_the_aucs_interval_covers_the_truth_of_correlated_turns():
    rng = np.random.default_rng(1)
    covered, runs = 0, 150
    truth = norm.cdf(1 / np.sqrt(2 * (1 + 0.5)))  # P(right > wrong) for means 1 apart, variance 1.5 each
    for _ in range(runs):
        dialogs = np.repeat(np.arange(40), 8)
        right = rng.random(320) < 0.5
        value = right + rng.normal(0, np.sqrt(0.5), 40)[dialogs] + rng.normal(0, 1, 320)
        keys = {"model": "m", "dialog_id": dialogs.astype(str), "turn": np.tile(np.arange(1, 9), 40)}
        metrics = pd.DataFrame(keys | dict.fromkeys(METRICS, value))
        labels = pd.DataFrame(keys | {"correct": right.astype(int)})
        row = metric_validity(metrics, labels).iloc[0]
        covered += row["low"] <= truth <= row["high"]
    assert 0.9 <= covered / runs <= 0.99
