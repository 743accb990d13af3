"""Plausible noise of published differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mmdu_analysis import DataError, compare_models, load_published
from mmdu_analysis.stats.noise import noise_of_labels, noise_of_questions


def test_the_range_holds_95_percent_of_simulated_differences():
    rng = np.random.default_rng(5)
    for score in (25.0, 60.0):
        one, other = rng.binomial(500, score / 100, (2, 40_000)) / 5
        inside = (np.abs(one - other) <= noise_of_questions(pd.Series([score]), 500).item()).mean()
        assert inside == pytest.approx(0.95, abs=0.012)


def test_labels_give_the_largest_paired_error():
    labels = load_published("correctness")
    models = labels["model"].unique()
    errors = [
        compare_models(labels, a, b)["se"].item() for n, a in enumerate(models) for b in models[n + 1 :]
    ]
    assert noise_of_labels(labels) == pytest.approx(1.959964 * max(errors))


def test_no_question_is_refused():
    with pytest.raises(DataError, match="one or more"):
        noise_of_questions(pd.Series([50.0]), 0)
