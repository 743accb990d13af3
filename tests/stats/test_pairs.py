"""Comparisons and ranks on shared turns: exact small cases, hand-made traps, corrections."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from builders import frame_of
from scipy import stats
from statsmodels.stats.multitest import multipletests

from mmdu_analysis import DataError, compare_all_models, compare_models, rank_models, sample_scores
from mmdu_analysis.schema import ComparabilityWarning, CoverageWarning, Dimension, Rubric
from mmdu_analysis.stats.pairing import NOT_COMPARED
from mmdu_analysis.stats.pairs import model_order
from mmdu_analysis.stats.resampling import sign_flip_p


def test_a_model_that_lacks_the_hard_turns_is_not_ranked_first():
    rng = np.random.default_rng(1)
    ease = np.linspace(2, -2, 10)  # later turns are harder
    dialogs = rng.normal(5.5, 0.6, (60, 1)) + ease
    a, b = (dialogs + shift + rng.normal(0, 0.4, dialogs.shape) for shift in (-0.25, 0.25))
    a[:, 5:] = np.nan
    scores = pd.concat([frame_of(a, "A").dropna(), frame_of(b, "B")])
    assert np.nanmean(a) > np.nanmean(b)  # the raw means mislead
    with pytest.warns(CoverageWarning, match="300 of 600 turns"):
        ranks = rank_models(scores)
    assert ranks["model"].tolist() == ["B", "A"]
    assert ranks[["rank_low", "rank_high"]].to_numpy().tolist() == [[1, 1], [2, 2]]
    assert ranks["n_turns"].tolist() == [300, 300]
    assert ranks["n_dropped"].tolist() == [300, 300]
    pair = compare_models(scores, "A", "B").iloc[0]
    assert pair["difference"] == pytest.approx(10 * (a[:, :5] - b[:, :5]).mean())
    assert pair["p_value"] < 1e-6
    assert ranks["mean"].diff().iloc[-1] == pytest.approx(pair["difference"])


def test_models_that_share_nothing_are_not_ranked_and_not_in_one_group():
    rng = np.random.default_rng(2)
    scores = pd.concat([frame_of(rng.uniform(4, 6, (20, 4)), m, judge=f"judge of {m}") for m in ("A", "B")])
    with pytest.raises(DataError, match="share 0 of 160 turns of a judge"):
        rank_models(scores)
    pairs = compare_all_models(scores)
    assert pairs["note"].tolist() == [NOT_COMPARED]
    assert pairs[["p_value", "p_holm", "difference", "low"]].isna().all(axis=None)
    assert pairs["n_turns"].tolist() == [0]


@pytest.mark.parametrize(("n_dialogs", "smallest"), [(2, 0.5), (3, 0.25), (5, 0.0625)])
def test_few_dialogues_have_an_exact_test_and_no_interval(n_dialogs, smallest):
    base = np.full((n_dialogs, 3), 5.0)
    scores = pd.concat([frame_of(base + 1, "A"), frame_of(base, "B")])
    row = compare_models(scores, "A", "B").iloc[0]
    assert row["difference"] == 10
    assert row["p_value"] == smallest
    assert row[["low", "high"]].isna().all()
    assert row["test"] == "sign-flip"
    assert f"{n_dialogs} dialogues" in row["note"]


def test_equal_differences_in_many_dialogues_are_not_certain_beyond_the_exact_test():
    base = np.full((12, 2), 5.0)
    row = compare_models(pd.concat([frame_of(base + 1, "A"), frame_of(base, "B")]), "A", "B").iloc[0]
    assert row["p_value"] == 2.0**-11
    assert np.isnan(row["low"])
    assert "same difference in 12 dialogues" in row["note"]


def test_the_exact_test_is_scipys():
    rng = np.random.default_rng(3)
    for count in (2, 3, 5, 8):
        sums = np.round(rng.normal(0.5, 1, count), 2)
        by_hand = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=count)]
        assert sign_flip_p(sums) == pytest.approx(
            np.mean([value >= abs(sums.sum()) - 1e-9 for value in by_hand])
        )
        exact = stats.permutation_test(
            (sums, np.zeros(count)), lambda x, y: x.sum() - y.sum(), permutation_type="samples"
        )
        assert sign_flip_p(sums) == pytest.approx(exact.pvalue)
    assert sign_flip_p(np.zeros(4)) == 1


def test_the_family_of_the_correction_is_stated_and_can_be_all_dimensions():
    rng = np.random.default_rng(4)
    parts = [
        frame_of(rng.normal(5 + 0.2 * number, 1, (25, 4)), model, dimension=dimension)
        for number, model in enumerate("abc")
        for dimension in ("Creativity", "Overall Score")
    ]
    frame = compare_all_models(pd.concat(parts), family="all")
    assert set(frame["family"]) == {"all"}
    assert frame["p_holm"].tolist() == pytest.approx(
        multipletests(frame["p_value"], method="holm")[1].tolist()
    )
    each = compare_all_models(pd.concat(parts))
    for _, part in each.groupby("dimension"):
        expected = multipletests(part["p_value"], method="holm")[1]
        assert part["p_holm"].tolist() == pytest.approx(expected.tolist())
    means = pd.concat(parts).query("dimension == 'Overall Score'").groupby("model")["score"].mean()
    assert model_order(each) == means.sort_values(ascending=False).index.tolist()
    with pytest.raises(DataError, match="family"):
        compare_all_models(pd.concat(parts), family="some")


def test_rank_intervals_count_the_models_that_are_significantly_different():
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 1, (60, 6))
    levels = {"a": 7.0, "b": 6.98, "c": 5.5, "d": 3.0}
    parts = [frame_of(level + shared + rng.normal(0, 0.7, shared.shape), m) for m, level in levels.items()]
    scores = pd.concat(parts)
    scores["score"] = scores["score"].clip(0, 10)
    ranks, pairs = rank_models(scores), compare_all_models(scores)
    for row in ranks.itertuples():
        apart = pairs.loc[(pairs["p_holm"] < 0.05) & (pairs[["model_a", "model_b"]] == row.model).any(axis=1)]
        sign = np.where(apart["model_a"] == row.model, 1, -1) * apart["difference"]
        assert row.rank_low == 1 + (sign < 0).sum()
        assert row.rank_high == 4 - (sign > 0).sum()
    assert ranks["group"].tolist() == ["a", "a", "b", "c"]


def test_other_rubrics_are_compared_on_their_own_scale():
    one = Rubric("one", (Dimension("Grounding", "G"),), (1.0, 5.0))
    four = Rubric("four", tuple(Dimension(name, name) for name in ("A", "B", "C", "D")), (0.0, 100.0), "D")
    rng = np.random.default_rng(6)
    scores = pd.concat(
        [frame_of(rng.integers(1, 6, (20, 3)), model, dimension="Grounding") for model in ("x", "y")]
    )
    row = compare_models(scores, "x", "y", rubric=one).iloc[0]
    x, y = (scores.loc[scores["model"] == model, "score"].mean() for model in ("x", "y"))
    assert row["mean_a"] == pytest.approx(25 * (x - 1))
    assert row["difference"] == pytest.approx(25 * (x - y))
    assert rank_models(scores, rubric=one)["dimension"].unique().tolist() == ["Grounding"]
    hundred = pd.concat(
        [
            frame_of(rng.uniform(0, 100, (20, 3)), model, dimension=name)
            for model in ("x", "y")
            for name in "ABCD"
        ]
    )
    ranks = rank_models(hundred, rubric=four)
    assert ranks["dimension"].unique().tolist() == ["D"]
    part = hundred.query("dimension == 'D' and model == 'x'")["score"].mean()
    assert ranks.set_index("model").loc["x", "mean"] == pytest.approx(part)
    with pytest.raises(DataError, match="rubric"):
        compare_models(scores, "x", "y")


def test_synthetic_rows_mark_their_comparisons_only():
    rng = np.random.default_rng(7)
    scores = pd.concat([frame_of(rng.uniform(4, 6, (20, 4)), m).assign(synthetic=m == "s") for m in "abs"])
    with pytest.warns(ComparabilityWarning, match="synthetic"):
        ranks = rank_models(scores)
    assert ranks.set_index("model")["synthetic"].to_dict() == {"a": False, "b": False, "s": True}
    pairs = compare_all_models(scores).set_index(["model_a", "model_b"])["synthetic"]
    assert pairs.to_dict() == {("a", "b"): False, ("a", "s"): True, ("b", "s"): True}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rank_models(scores.query("model != 's'"))


def test_a_published_model_has_no_scores_of_turns():
    with pytest.raises(DataError, match=r"'GPT-4o'; it is a published model.*use place_among_published"):
        compare_models(sample_scores(), "closed-A", "GPT-4o")
