"""Krippendorff's alpha against published examples and a reference by pairs."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from mmdu_analysis import DataError, krippendorff_alpha

# Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example C: 4 observers, 12 units.
EXAMPLE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def ratings_of(table):
    rows = [
        ("m", f"rater {r}", str(unit), 1, "Richness", value)
        for r, line in enumerate(table)
        for unit, value in enumerate(line)
        if value is not None
    ]
    return pd.DataFrame(rows, columns=["model", "judge", "dialog_id", "turn", "dimension", "score"])


@pytest.mark.parametrize(("level", "published"), [("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example(level, published):
    row = krippendorff_alpha(ratings_of(EXAMPLE), level).iloc[0]
    assert round(row["alpha"], 3) == published
    assert (row["n_units"], row["n_raters"], row["level"]) == (11, 4, level)
    assert row["low"] < row["alpha"] < row["high"]


def alpha_by_pairs(table):
    """Interval alpha written out over pairs of ratings, without coincidence matrices."""
    units = [[line[u] for line in table if line[u] is not None] for u in range(len(table[0]))]
    units = [unit for unit in units if len(unit) > 1]
    pooled = [value for unit in units for value in unit]
    observed = sum(
        sum((a - b) ** 2 for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units
    ) / len(pooled)
    expected = sum((a - b) ** 2 for a, b in permutations(pooled, 2)) / (len(pooled) * (len(pooled) - 1))
    return 1 - observed / expected


def test_random_tables_equal_the_reference_by_pairs():
    rng = np.random.default_rng(1)
    for _ in range(20):
        table = rng.integers(0, 11, (3, 15)).tolist()
        table = [[None if rng.random() < 0.2 else value for value in line] for line in table]
        row = krippendorff_alpha(ratings_of(table), "interval", n_resamples=10).iloc[0]
        assert row["alpha"] == pytest.approx(alpha_by_pairs(table), abs=1e-12)


def test_order_of_raters_and_rows_changes_nothing():
    frame = ratings_of(EXAMPLE)
    first = krippendorff_alpha(frame)
    pd.testing.assert_frame_equal(first, krippendorff_alpha(frame.sample(frac=1, random_state=3)))


def test_independent_raters_are_near_zero_and_the_interval_covers_it():
    rng = np.random.default_rng(2)
    covered = 0
    for seed in range(40):
        row = krippendorff_alpha(
            ratings_of(rng.integers(1, 6, (2, 60)).tolist()), n_resamples=300, seed=seed
        ).iloc[0]
        covered += row["low"] <= 0 <= row["high"]
    assert covered >= 34  # 95 % of 40 is 38; fewer than 34 has a probability of 0.3 %


def test_levels_of_models_are_not_mixed_unless_asked():
    rng = np.random.default_rng(3)
    parts = []
    for model, level in (("low", 3), ("high", 8)):
        table = (level + rng.integers(-1, 2, (2, 60))).tolist()
        parts.append(ratings_of(table).assign(model=model))
    both = pd.concat(parts)
    within = krippendorff_alpha(both, "interval", by="model")
    pooled = krippendorff_alpha(both, "interval", by=())
    assert within["alpha"].abs().max() < 0.35
    assert pooled["alpha"].item() > 0.8


def test_input_that_cannot_be_used():
    frame = ratings_of(EXAMPLE)
    with pytest.raises(DataError, match="more than once"):
        krippendorff_alpha(pd.concat([frame, frame]))
    with pytest.raises(DataError, match="level is 'ratio'"):
        krippendorff_alpha(frame, "ratio")
    equal = krippendorff_alpha(frame.assign(score=3.0)).iloc[0]
    assert np.isnan(equal["alpha"])


@pytest.mark.parametrize(
    ("table", "note", "has"),
    [
        ([[1, 2, 3, 4] * 5, [1, 2, 3, 3] * 5], "", (True, True)),
        ([[1, 2, 3, 4], [1, 2, 3, 3]], "based on only 4 dialogues", (True, True)),
        ([[1, None], [None, 2]], "no answer has two ratings: no estimate", (False, False)),
        ([[3, 3, 3], [3, 3, 3]], "all ratings are equal: no estimate", (False, False)),
        ([[1], [2]], "one dialogue: no interval", (True, False)),
        ([[1, 1], [1, 2]], "based on only 2 dialogues", (True, True)),
    ],
)
def test_the_note_says_why_there_is_no_number_or_how_little_it_rests_on(table, note, has):
    row = krippendorff_alpha(ratings_of(table)).iloc[0]
    assert row["note"] == note
    assert (np.isfinite(row["alpha"]), np.isfinite(row["low"])) == has
