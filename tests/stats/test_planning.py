"""Plans: known components are recovered, and the promised power is reached."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmdu_analysis import DataError, equivalence_test, plan_evaluation, plan_ratings
from mmdu_analysis.stats.planning import Components, detectable_difference, difference_components


def scores_of(values, model, repeat=None):
    """Overall scores (0-10) of an array of points of shape (dialogues, turns)."""
    d, t = values.shape
    frame = pd.DataFrame(
        {
            "model": model,
            "judge": "j",
            "dialog_id": np.repeat([str(i) for i in range(d)], t),
            "turn": np.tile(np.arange(1, t + 1), d),
            "dimension": "Overall Score",
            "score": values.ravel() / 10,
        }
    )
    return frame if repeat is None else frame.assign(repeat=repeat)


def test_the_plan_without_scores_rests_on_the_labels_of_two_real_models():
    plan = plan_evaluation(n_dialogs=[10, 20, 40, 110])
    assert plan["detectable"].round(1).tolist() == [14.6, 9.7, 6.7, 4.0]
    assert plan["between"].round().unique().tolist() == [63]
    assert plan["within"].round().unique().tolist() == [2266]
    assert plan["icc"].round(3).unique().tolist() == [0.027]
    assert not plan["synthetic"].any()


def test_components_equal_an_analysis_of_variance_by_hand():
    rng = np.random.default_rng(0)
    sizes = rng.integers(3, 9, 12)
    difference = [rng.normal(rng.normal(0, 3), 5, n) for n in sizes]
    parts = []
    for key, values in enumerate(difference):
        base = pd.DataFrame(
            {
                "judge": "j",
                "dialog_id": str(key),
                "turn": range(1, len(values) + 1),
                "dimension": "Overall Score",
            }
        )
        parts += [base.assign(model="a", score=5 + values / 10), base.assign(model="b", score=5.0)]
    found = difference_components(pd.concat(parts), "a", "b")
    f, _ = stats.f_oneway(*difference)
    within = sum(((v - v.mean()) ** 2).sum() for v in difference) / (sizes.sum() - len(sizes))
    n0 = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    assert found.within == pytest.approx(within)
    assert found.between == pytest.approx(max(0, (f * within - within) / n0))
    assert (found.n_dialogs, found.n_turns) == (12, sizes.sum())


@pytest.mark.slow
def test_known_components_are_recovered():
    rng = np.random.default_rng(1)
    found = []
    for _ in range(60):
        difference = rng.normal(0, 2, (110, 1)) + rng.normal(0, 5, (110, 15))
        both = [scores_of(50 + difference, "a"), scores_of(np.full((110, 15), 50.0), "b")]
        part = difference_components(pd.concat(both), "a", "b")
        found.append((part.between, part.within))
    assert np.mean(found, axis=0) == pytest.approx([4, 25], rel=0.05)


def test_repeats_split_the_within_part():
    rng = np.random.default_rng(2)
    base = rng.normal(50, 10, (80, 12))
    parts = []
    for model in ("a", "b"):
        parts += [scores_of(base + rng.normal(0, 6, base.shape), model, repeat) for repeat in (1, 2, 3)]
    found = difference_components(pd.concat(parts), "a", "b")
    assert found.judge == pytest.approx(72, rel=0.1)  # two models, 36 each
    # Without repeats the same differences have the whole judge variance; a plan for one judgement must, too.
    single = difference_components(pd.concat([parts[0], parts[3]]).drop(columns="repeat"), "a", "b")
    assert found.within == pytest.approx(single.within, rel=0.1)
    once, often = (Components(10.0, 400.0, 100.0, 100, 1000).se(50, n) for n in (1, 10))
    assert once**2 == pytest.approx(10 / 50 + 400 / 500)
    assert often**2 == pytest.approx(10 / 50 + (300 + 10) / 500)


@pytest.mark.slow
@pytest.mark.parametrize("n_dialogs", [20, 110])
def test_the_power_at_the_detectable_difference_is_as_planned(n_dialogs):
    rng = np.random.default_rng(3)
    parts = Components(60.0, 2300.0, 0.0, 110, 110 * 15)
    se = parts.se(n_dialogs)
    planned = detectable_difference(se, n_dialogs - 1)
    draws = (
        planned
        + rng.normal(0, 60**0.5, (8_000, n_dialogs))
        + rng.normal(0, (2300 / 15) ** 0.5, (8_000, n_dialogs))
    )
    p = stats.ttest_1samp(draws, 0, axis=1).pvalue
    assert (p < 0.05).mean() == pytest.approx(0.8, abs=0.02)
    plan = plan_evaluation(difference=planned, n_dialogs=[n_dialogs])
    assert plan["power"].item() == pytest.approx(0.8, abs=0.04)  # the measured components differ a little


@pytest.mark.slow
def test_the_equivalence_test_keeps_its_size():
    rng = np.random.default_rng(4)
    rejected = 0
    for _ in range(600):
        difference = 2.5 + rng.normal(0, 3, (30, 1)) + rng.normal(0, 5, (30, 6))
        both = pd.concat([scores_of(50 + difference, "a"), scores_of(np.full((30, 6), 50.0), "b")])
        rejected += bool(equivalence_test(both, "a", "b", delta=2.5)["equivalent"].item())
    assert rejected / 600 <= 0.05 + 2 * (0.05 * 0.95 / 600) ** 0.5


def test_equivalence_of_clearly_equal_models():
    rng = np.random.default_rng(5)
    base = rng.normal(50, 10, (100, 10))
    both = pd.concat([scores_of(base + rng.normal(0, 3, base.shape), m) for m in ("a", "b")])
    row = equivalence_test(both, "a", "b", delta=2).iloc[0]
    assert row["equivalent"]
    assert row["p_value"] < 0.05
    assert not equivalence_test(both, "a", "b", delta=0.01)["equivalent"].item()


def test_ratings_plan_follows_the_closed_form():
    frame = plan_ratings(110, [20], [0.0, 0.9], rating_price=2, judgement_price=0.01)
    assert frame["width"].tolist() == pytest.approx([1.0, (0.19 + 0.81 * 20 / 110) ** 0.5])
    assert frame["effective_rated"].iloc[0] == 20
    assert frame["cost"].tolist() == pytest.approx([20 * 15 * 2 + 110 * 15 * 0.01] * 2)


def test_refusals():
    with pytest.raises(DataError, match="difference of 0"):
        plan_evaluation(difference=0)
    one = scores_of(np.full((5, 3), 50.0), "a")
    with pytest.raises(DataError, match="two models"):
        plan_evaluation(one)
    with pytest.raises(DataError, match="no scores of 'x'"):
        plan_evaluation(one, a="x")
    with pytest.raises(DataError, match="delta is 0"):
        equivalence_test(one, "a", "a", 0)
    with pytest.raises(DataError, match="n_rated is 200"):
        plan_ratings(110, [200])


@pytest.mark.parametrize(
    "numbers", [{"n_dialogs": []}, {"n_repeats": ()}, {"n_dialogs": [1]}, {"n_repeats": [0, 2]}]
)
def test_numbers_that_give_no_plan_are_one_line(numbers):
    (name,) = numbers
    with pytest.raises(DataError, match=f"^{name} is .*expected one number or more, each at least") as caught:
        plan_evaluation(**numbers)
    assert "\n" not in str(caught.value)
