"""Coverage of intervals, false alarms and simultaneous ranks, simulated; `docs/definitions.md` quotes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmdu_analysis import compare_models, memory_decay, rank_models
from mmdu_analysis.schema import Dimension, Rubric
from mmdu_analysis.stats import decay
from mmdu_analysis.stats.decay import decay_verdict
from mmdu_analysis.stats.resampling import clustered_ratio

pytestmark = pytest.mark.slow

RUNS = 2000


def dialogs_of(kind, n_dialogs, rng):
    """Sums of points, numbers of turns (runs x dialogues), and the true mean over turns."""
    shape = (RUNS, n_dialogs)
    if kind == "size goes with score":

        def sizes_of(shape):
            return np.clip(np.round(np.exp(rng.normal(2.3, 0.8, shape))), 1, 60)

        sizes, many = sizes_of(shape), sizes_of(1_000_000)
        level = 40 + 12 * np.log(sizes) + rng.normal(0, 8, shape)
        truth = (many * (40 + 12 * np.log(many))).sum() / many.sum()
        return sizes * level + rng.normal(0, 10, shape) * np.sqrt(sizes), sizes, truth
    sizes = rng.integers(6, 25, shape)
    if kind == "scores":
        return sizes * rng.normal(55, 12, shape) + rng.normal(0, 10, shape) * np.sqrt(sizes), sizes, 55.0
    share = float(kind.removeprefix("share "))
    return 100 * rng.binomial(sizes, rng.beta(6 * share, 6 * (1 - share), shape)), sizes, 100 * share


def coverage(kind, n_dialogs, method="jackknife", runs=RUNS):
    sums, sizes, truth = (x for x in dialogs_of(kind, n_dialogs, np.random.default_rng(n_dialogs)))
    group = np.repeat(np.arange(runs), n_dialogs)
    frame = clustered_ratio(
        group, sums[:runs].ravel().astype(float), sizes[:runs].ravel().astype(float), runs,
        limits=(0.0, 100.0), method=method, n_resamples=400,
    )  # fmt: skip
    return ((frame["low"] <= truth) & (frame["high"] >= truth)).mean()


@pytest.mark.parametrize(
    ("kind", "n_dialogs", "expected"),
    [
        ("scores", 5, 0.95), ("scores", 10, 0.95), ("scores", 20, 0.95), ("scores", 110, 0.95),
        ("size goes with score", 10, 0.88), ("size goes with score", 20, 0.90), ("size goes with score", 110, 0.94),
        ("share 0.5", 5, 0.95), ("share 0.5", 10, 0.95), ("share 0.5", 110, 0.95),
        ("share 0.9", 5, 0.98), ("share 0.9", 10, 0.935), ("share 0.9", 20, 0.94), ("share 0.9", 110, 0.945),
        ("share 0.95", 5, 0.99), ("share 0.95", 10, 0.98), ("share 0.95", 20, 0.925), ("share 0.95", 110, 0.94),
        ("share 0.03", 5, 0.99), ("share 0.03", 10, 0.975), ("share 0.03", 20, 0.93), ("share 0.03", 110, 0.94),
    ],
)  # fmt: skip
def test_the_coverage_of_the_interval_is_as_documented(kind, n_dialogs, expected):
    assert coverage(kind, n_dialogs) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("kind", "n_dialogs"), [("share 0.95", 5), ("share 0.95", 10), ("size goes with score", 10)]
)
def test_the_bootstrap_covers_less_where_there_are_few_dialogues(kind, n_dialogs):
    assert coverage(kind, n_dialogs, "bootstrap", 600) < coverage(kind, n_dialogs) - 0.02


@pytest.mark.parametrize(("n_dialogs", "highest"), [(5, 0.0), (8, 0.07), (40, 0.065)])
def test_no_difference_is_found_in_at_most_five_percent(n_dialogs, highest):
    """Each data set is a dimension of a rubric, so that all are compared at once."""
    rng = np.random.default_rng(n_dialogs)
    runs = 800
    names = [f"run {number}" for number in range(runs)]
    rubric = Rubric("runs", tuple(Dimension(name, name) for name in names), (0.0, 10.0), None)
    shape = (runs, n_dialogs, 6)
    level = rng.normal(5.5, 1, (runs, n_dialogs, 1))
    index = pd.MultiIndex.from_product(
        [names, [str(i) for i in range(n_dialogs)], range(1, 7)], names=["dimension", "dialog_id", "turn"]
    )
    frames = []
    for model in "ab":
        points = level + rng.normal(0, 0.7, level.shape) + rng.normal(0, 1, shape)
        frames.append(
            pd.DataFrame({"score": points.clip(0, 10).ravel()}, index=index).reset_index().assign(model=model)
        )
    result = compare_models(pd.concat(frames).assign(judge="j"), "a", "b", rubric=rubric)
    assert (result["p_value"] < 0.05).mean() <= highest  # five dialogues can't reach 5 %
    assert (result["n_dialogs"] == n_dialogs).all()
    if n_dialogs > 5:
        covered = ((result["low"] <= 0) & (result["high"] >= 0)).mean()
        assert covered == pytest.approx(0.95, abs=0.025)
        assert (result["p_value"] < 0.05).mean() >= 0.03


def test_rank_intervals_hold_the_ranks_of_ten_close_models_together():
    """Marginal bootstrap intervals of the ranks held all of them in 53 % of the data sets."""
    rng = np.random.default_rng(9)
    truth = 5.5 + 0.05 * np.arange(10)  # the last is best: its rank is 1
    ranks = 10 - np.arange(10)
    names, held, runs, width = [f"m{i}" for i in range(10)], 0, 40, []
    index = pd.MultiIndex.from_product(
        [names, [str(i) for i in range(110)], [1, 2, 3]], names=["model", "dialog_id", "turn"]
    )
    for _ in range(runs):
        level = rng.normal(0, 1, (110, 1))
        points = (
            truth[:, None, None] + level + rng.normal(0, 0.5, (10, 110, 1)) + rng.normal(0, 1, (10, 110, 3))
        )
        scores = pd.DataFrame({"score": points.clip(0, 10).ravel()}, index=index).reset_index()
        scores = scores.assign(judge="j", dimension="Overall Score")
        frame = rank_models(scores).set_index("model").loc[names]
        held += ((frame["rank_low"] <= ranks) & (frame["rank_high"] >= ranks)).all()
        width.append((frame["rank_high"] - frame["rank_low"]).mean())
    assert held / runs >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / runs)
    assert np.mean(width) < 8.5  # and they still say something


def labels_of(rng, n_dialogs, fall, spread=0.8):
    """Labels without or with a fall within kinds of questions, whose later turns ask about several images."""
    rows = []
    for dialog in range(n_dialogs):
        n_turns = int(rng.integers(8, 21))
        level = rng.normal(0, spread)
        for turn in range(1, n_turns + 1):
            progress = turn / n_turns
            several = rng.random() < progress
            share = np.clip((0.40 if several else 0.80) + fall / 100 * progress + 0.1 * level, 0.02, 0.98)
            rows.append(("m", str(dialog), turn, "1;2" if several else "1", int(rng.random() < share)))
    return pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "images", "correct"])


@pytest.mark.parametrize(("n_dialogs", "runs", "highest"), [(10, 200, 0.085), (110, 80, 0.10)])
def test_memory_decay_finds_nothing_where_there_is_nothing(n_dialogs, runs, highest, monkeypatch):
    """The plain sandwich with the normal distribution finds a change in 13 % and 8 %."""
    monkeypatch.setattr(decay, "PREDICTORS", ("progress",))
    rng = np.random.default_rng(n_dialogs)
    robust, plain = 0, 0
    for _ in range(runs):
        labels = labels_of(rng, n_dialogs, 0.0).assign(images="1")
        labels["correct"] = rng.permutation(
            labels.groupby("dialog_id")["correct"].transform("mean") > rng.random(len(labels))
        )
        labels["correct"] = labels["correct"].astype(int)
        row = memory_decay(labels).iloc[0]
        robust += row["p_value"] < 0.05
        published = memory_decay(labels, weights="image").iloc[0]
        plain += published["p_value"] < 0.05
    assert robust / runs <= highest
    assert robust <= plain


def test_no_fall_is_rarely_said_where_there_is_one_of_the_size_that_matters():
    rng = np.random.default_rng(12)
    said = [decay_verdict(labels_of(rng, 110, -5.0))["conclusion"].iloc[0] == "no fall" for _ in range(60)]
    assert np.mean(said) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 60)
    rising = [decay_verdict(labels_of(rng, 110, 25.0))["conclusion"].iloc[0] == "no fall" for _ in range(10)]
    assert np.mean(rising) > 0.5


def test_welch_covers_the_gap_of_few_models_and_the_percentile_bootstrap_does_not():
    rng = np.random.default_rng(13)
    runs = 1500
    closed, open_ = rng.normal(60, 10, (runs, 4)), rng.normal(32, 7, (runs, 11))
    tests = stats.ttest_ind(closed, open_, axis=1, equal_var=False)
    interval = tests.confidence_interval(0.95)
    welch = ((interval.low <= 28) & (interval.high >= 28)).mean()
    draws = np.array(
        [
            np.take_along_axis(closed, rng.integers(0, 4, closed.shape), 1).mean(1)
            - np.take_along_axis(open_, rng.integers(0, 11, open_.shape), 1).mean(1)
            for _ in range(400)
        ]
    )
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    bootstrap = ((low <= 28) & (high >= 28)).mean()
    assert welch == pytest.approx(0.95, abs=0.02)
    assert bootstrap == pytest.approx(0.85, abs=0.03)
    assert np.median((high - low) / (interval.high - interval.low)) == pytest.approx(0.65, abs=0.05)
