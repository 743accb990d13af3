"""Open against closed, fine-tuning, judges: to the printed digit, against scipy, and with a known truth."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmdu_analysis import (
    DataError,
    ablation_effects,
    border_pair,
    finetuning_gain,
    gap_analysis,
    gap_breakdown,
    judge_agreement,
    judge_offsets,
    load_published,
    overtaken_models,
    sample_scores,
    score_table,
    self_preference,
    size_effect,
    summarize_scores,
    turn_agreement,
)
from mmdu_analysis.stats.gap import paired_gap
from mmdu_analysis.synthetic.scores import GAP, GAP_SLOPE, MODELS


def test_the_findings_to_the_printed_digit():
    table = load_published("main_results")
    overall = gap_analysis(table).set_index("dimension").loc["Avg"]
    printed = overall[["closed_mean", "open_mean", "gap", "best_closed", "best_open"]].round(2)
    assert printed.tolist() == [61.5, 32.65, 28.85, 70.2, 42.8]
    assert overall["p_value"] == pytest.approx(1 / 1365)
    assert border_pair(table)["model"].tolist() == ["Qwen-VL-Max", "LLaVa1.6-mistral"]
    assert border_pair(table)["Avg"].tolist() == [46.9, 42.8]
    gains = finetuning_gain(table).query("metric == 'Avg'")
    shares = gains["share_closed"].astype(float)
    assert (100 * shares).round(1).tolist() == [13.2, 41.9]
    assert 3 < shares.iloc[1] / shares.iloc[0] < 3.5
    pair = overtaken_models(table)
    assert pair.to_numpy().tolist() == [["InternLM-XC2+MMDU-45k", 50.1, "Qwen-VL-Max", 46.9]]


@pytest.mark.parametrize("name", ["finetuning", "multi_image"])
def test_gains_on_other_benchmarks_by_hand(name):
    table = load_published(name).set_index("model")
    for row in finetuning_gain(load_published(name), reference=None).itertuples():
        expected = table.loc[row.model, row.metric] - table.loc[row.base_model, row.metric]
        assert row.gain == pytest.approx(expected)
        assert row.relative_gain == pytest.approx(expected / table.loc[row.base_model, row.metric])


def test_the_ablation_taken_apart():
    frame = ablation_effects(load_published("ablation")).query("metric == 'Avg'")
    context = frame.query("effect == 'context'")
    assert context["gain"].round(1).tolist() == [9.1, 12.6, 2.2]
    training = frame.query("effect == 'training'")
    assert dict(zip(training["at"], training["gain"].round(1), strict=True)) == {"2k": 1.4, "4k": 4.9}
    with pytest.raises(DataError, match="a base and a fine-tuned one"):
        ablation_effects(load_published("ablation").query("model == 'LLaVa1.5'"))


def test_access_by_name_or_by_mapping():
    table = load_published("main_results")
    renamed = table.rename(columns={"access": "kind"})
    pd.testing.assert_frame_equal(gap_analysis(renamed, access="kind"), gap_analysis(table))
    mapping = dict(zip(table["model"], table["access"], strict=True))
    pd.testing.assert_frame_equal(
        gap_analysis(table.drop(columns="access"), access=mapping), gap_analysis(table)
    )
    moved = gap_analysis(table, access={"Qwen-VL-Max": "open"}).set_index("dimension")
    assert moved.loc["Avg", "n_closed"] == 3
    assert moved.loc["Avg", "n_open"] == 12
    with pytest.raises(DataError, match="'shut'"):
        gap_analysis(table, access={"GPT-4o": "shut"})


@pytest.mark.parametrize("wanted", ["closed", "open"])
def test_a_missing_side_is_named(wanted):
    table = load_published("main_results")
    one_left = table.loc[(table["access"] != wanted) | (table["model"].isin(["GPT-4o", "Monkey"]))]
    with pytest.raises(DataError, match=f"access '{wanted}'"):
        gap_analysis(one_left)
    only = {model: access for model, access in MODELS.items() if access != wanted}
    with pytest.raises(DataError, match=f"access '{wanted}'"):
        paired_gap(sample_scores(), only)


def test_the_known_gap_and_fall_are_found(sample):
    scores = sample_scores()
    overall = summarize_scores(paired_gap(scores, MODELS)).query("dimension == 'Overall Score'")
    gap = overall.set_index("model").loc["gap"]
    assert gap["low"] < GAP < gap["high"]
    table = gap_analysis(score_table(summarize_scores(scores), MODELS)).set_index("dimension")
    assert table.loc["Avg", "low"] < GAP < table.loc["Avg", "high"]
    for what, slope in (("turn", GAP_SLOPE), ("images", 0.0)):
        frame = gap_breakdown(scores, MODELS, what, sample)
        assert frame["slope_low"].iloc[0] < slope < frame["slope_high"].iloc[0]
        assert frame["n_turns"].sum() == 1645
    falls = gap_breakdown(scores, MODELS, "turn").query("n_dialogs > 50")
    assert falls["closed_mean"].iloc[0] - falls["closed_mean"].iloc[-1] > 4


def test_no_gap_is_found_where_there_is_none():
    scores = sample_scores(gap=0, fall=0.0)
    gap = summarize_scores(paired_gap(scores, MODELS)).query("model == 'gap'")
    assert ((gap["low"] < 0) & (gap["high"] > 0)).sum() >= 6
    table = gap_analysis(score_table(summarize_scores(scores), MODELS))
    assert (table["p_value"] >= 0.1).all()


def test_a_gap_that_grows_is_found():
    scores = sample_scores()
    closed = scores["model"].map(MODELS) == "closed"
    growing = scores.assign(score=scores["score"] + closed * scores["turn"].astype(float) * 0.05)
    frame = gap_breakdown(growing, MODELS, "turn")
    assert frame["slope_low"].iloc[0] < 0.5 + GAP_SLOPE < frame["slope_high"].iloc[0]
    assert frame["p_value"].iloc[0] < 1e-6


def test_the_paired_gap_by_hand():
    scores = sample_scores().query("dimension == 'Overall Score' and dialog_id == '7'")
    scores = scores.drop(scores.query("model == 'open-A' and turn == 1").index)
    gaps = paired_gap(scores.query("model in ['closed-A', 'open-A', 'open-B']"), MODELS)
    wide = scores.pivot(index="turn", columns="model", values="score")
    expected = wide["closed-A"] - wide[["open-A", "open-B"]].mean(axis=1)
    found = gaps.query("model == 'gap'").set_index("turn")["score"]
    assert found.to_dict() == pytest.approx(expected.to_dict())
    alone = paired_gap(scores.query("model in ['closed-A', 'open-A']"), MODELS)
    assert alone.attrs["n_unpaired"] == 1


def test_size_is_scipys_rank_correlation():
    table = load_published("main_results")
    frame = size_effect(table).set_index("dimension")
    open_ = table.query("access == 'open'")
    for dimension, row in frame.iterrows():
        expected = stats.spearmanr(open_["parameters_b"], open_[dimension])
        assert row["spearman"] == pytest.approx(expected.statistic)
        assert row["p_value"] == pytest.approx(expected.pvalue, abs=0.05)
        fit = stats.linregress(np.log2(open_["parameters_b"]), open_[dimension])
        assert row["slope"] == pytest.approx(fit.slope)
        assert row["low"] < fit.slope < row["high"]
    assert (frame["low"] < 0).all()
    assert frame.attrs["n_unknown"] == 4
    with pytest.raises(DataError, match="four at least"):
        size_effect(table.query("access == 'closed'"))


def test_judges_correlate_as_scipy_says():
    table = load_published("judges")
    for row in judge_agreement(table).itertuples():
        first, second = (
            table.query("judge == @judge").set_index("model")[row.dimension]
            for judge in (row.judge_a, row.judge_b)
        )
        second = second.loc[first.index]
        assert row.pearson == pytest.approx(stats.pearsonr(first, second).statistic)
        assert row.spearman == pytest.approx(stats.spearmanr(first, second).statistic)
        assert row.kendall == pytest.approx(stats.kendalltau(first, second).statistic)
        assert row.mean_difference == pytest.approx((second - first).mean())
        assert row.n_models == 5


def test_offsets_and_ranks_by_hand():
    frame = judge_offsets(load_published("judges")).set_index(["judge", "model", "dimension"])
    row = frame.loc[("Claude3-Opus", "LLaVa1.5-7B+MMDU-45k", "Avg")]
    assert row["offset"] == pytest.approx(49.3 - (37.2 + 39.1 + 49.3) / 3)
    assert row["rank"] == 4
    assert frame["offset"].groupby("model").mean().abs().max() < 1e-9
    missing = load_published("judges").iloc[1:]
    assert "LLaVa1.5-7B" not in set(judge_offsets(missing)["model"])


def test_self_preference_by_hand():
    table = load_published("judges")
    frame = self_preference(table).set_index(["judge", "dimension"])
    wide = table.pivot(index="model", columns="judge", values="Avg")
    excess = wide["GPT-4o"] - wide["Claude3-Opus"]  # the only judge of another family
    own = excess[["GPT-4o", "GPT-4-turbo"]].mean()
    rest = excess.drop(["GPT-4o", "GPT-4-turbo"]).mean()
    row = frame.loc[("GPT-4o", "Avg")]
    assert row["preference"] == pytest.approx(own - rest)
    picks = [
        excess.iloc[list(pick)].mean() - excess.drop(excess.index[list(pick)]).mean()
        for pick in itertools.combinations(range(5), 2)
    ]
    assert row["p_value"] == pytest.approx(np.mean([value >= own - rest - 1e-9 for value in picks]))
    assert (frame["p_value"] >= frame["smallest_p"] - 1e-12).all()
    assert frame.loc["Claude3-Opus", "smallest_p"].iloc[0] == pytest.approx(0.2)


def test_a_known_preference_is_found_and_an_offset_is_none():
    rng = np.random.default_rng(1)
    rows = []
    for number in range(8):
        model = f"gpt-{number}" if number < 4 else f"claude-{number}"
        for judge, generous, bonus in (("gpt-judge", 5, 6), ("claude-judge", 0, 0)):
            own = bonus if model.startswith("gpt") else 0
            rows.append((model, judge, 40 + 3 * number + generous + own + rng.normal(0, 0.1)))
    frame = self_preference(pd.DataFrame(rows, columns=["model", "judge", "Avg"])).set_index("judge")
    assert frame.loc["gpt-judge", "preference"] == pytest.approx(6, abs=0.3)
    assert frame.loc["gpt-judge", "p_value"] == pytest.approx(1 / 70)
    told = {"model-a": "one", "model-b": "two", "judge-1": "one", "judge-2": "two"}
    renamed = pd.DataFrame(
        [
            ("model-a", "judge-1", 9.0),
            ("model-a", "judge-2", 5.0),
            ("model-b", "judge-1", 6.0),
            ("model-b", "judge-2", 6.0),
        ],
        columns=["model", "judge", "Avg"],
    )
    assert self_preference(renamed, told).set_index("judge")["preference"].to_dict() == {
        "judge-1": 4,
        "judge-2": 4,
    }
    with pytest.raises(DataError, match="own family"):
        self_preference(renamed)


def two_judges(noise, seed=0):
    scores = sample_scores({"open-A": "open"}).query("dimension in ['Richness', 'Overall Score']")
    rng = np.random.default_rng(seed)
    other = (scores["score"] + rng.integers(-noise, noise + 1, len(scores))).clip(1, 10)
    both = pd.concat([scores, scores.assign(judge="second", score=other)], ignore_index=True)
    both.attrs = dict(scores.attrs)
    return both


def test_agreement_on_turns_is_scikit_learns_weighted_kappa():
    from sklearn.metrics import cohen_kappa_score

    scores = two_judges(2)
    frame = turn_agreement(scores, n_resamples=500).set_index("dimension")
    wide = scores.pivot(index=["dimension", "dialog_id", "turn"], columns="judge", values="score")
    for dimension, row in frame.iterrows():
        part = wide.loc[dimension].astype(int)
        expected = cohen_kappa_score(part["simulated judge"], part["second"], weights="quadratic")
        assert row["kappa"] == pytest.approx(expected)
        assert row["low"] < expected < row["high"]
        assert row["exact"] == pytest.approx((part["simulated judge"] == part["second"]).mean())
    assert turn_agreement(two_judges(0), n_resamples=50)["kappa"].tolist() == [1, 1]


def test_agreement_of_unrelated_scores_is_nothing():
    scores = two_judges(0)
    second = scores["judge"] == "second"
    shuffled = scores.copy()
    rng = np.random.default_rng(3)
    shuffled.loc[second, "score"] = rng.permutation(scores.loc[second, "score"].to_numpy())
    frame = turn_agreement(shuffled, n_resamples=500)
    assert ((frame["low"] < 0) & (frame["high"] > 0)).all()


def test_several_judges_scores_give_the_table_of_judges():
    agreement = judge_agreement(two_judges(2).assign(model=lambda s: "m" + (s["turn"] % 3).astype(str)))
    assert agreement["n_models"].tolist() == [3, 3]
    assert set(agreement["dimension"]) == {"R", "Avg"}
    for wrong in (sample_scores(), load_published("judges").query("judge == 'GPT-4o'")):
        with pytest.raises(DataError, match="two judges"):
            judge_agreement(wrong)
    with pytest.raises(DataError, match="twice"):
        judge_agreement(pd.concat([load_published("judges")] * 2))
    with pytest.raises(DataError, match="no two judges"):
        turn_agreement(sample_scores())
