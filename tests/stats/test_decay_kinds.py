"""Scores along the dialogue by kind of question."""

from __future__ import annotations

import numpy as np
import pytest

from mmdu_analysis import load_published
from mmdu_analysis.stats.decay_kinds import decay_curve_by_kind


def test_shares_in_fifths_agree_with_a_plain_groupby():
    labels = load_published("correctness")
    last = labels.groupby("dialog_id")["turn"].transform("max")
    fifth = np.ceil(labels["turn"] / last * 5 - 1e-9).astype(int)
    kind = np.where(labels["images"].str.contains(";"), "multi image", "single image")
    shares = 100 * labels.assign(kind=kind, fifth=fifth).groupby(["model", "kind", "fifth"])["correct"].mean()
    found = decay_curve_by_kind(labels).set_index(["model", "kind", "fifth"])["mean"]
    assert found.to_dict() == pytest.approx(shares.to_dict())
