"""The gap between closed and open models: to the printed digit, against scipy, and with a known truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mmdu_analysis import (
    DataError,
    add_model,
    border_pair,
    gap_analysis,
    gap_breakdown,
    load_published,
    sample_scores,
    score_table,
    score_trend,
    size_effect,
    summarize_scores,
)
from mmdu_analysis.schema import SHORT_NAMES
from mmdu_analysis.stats.gap_turns import paired_gap
from mmdu_analysis.synthetic.scores import GAP, GAP_SLOPE, MODELS


def test_the_findings_to_the_printed_digit():
    table = load_published("main_results")
    overall = gap_analysis(table).set_index("dimension").loc["Overall Score"]
    printed = overall[["closed_mean", "open_mean", "gap", "best_closed", "best_open"]].round(2)
    assert printed.tolist() == [61.5, 32.65, 28.85, 70.2, 42.8]
    assert overall["p_value"] == pytest.approx(1 / 1365)
    assert border_pair(table)["model"].tolist() == ["Qwen-VL-Max", "LLaVa1.6-mistral"]
    assert border_pair(table)["Avg"].tolist() == [46.9, 42.8]


def test_access_by_name_or_by_mapping():
    table = load_published("main_results")
    renamed = table.rename(columns={"access": "kind"})
    pd.testing.assert_frame_equal(gap_analysis(renamed, access="kind"), gap_analysis(table))
    mapping = dict(zip(table["model"], table["access"], strict=True))
    pd.testing.assert_frame_equal(
        gap_analysis(table.drop(columns="access"), access=mapping), gap_analysis(table)
    )
    moved = gap_analysis(table, access={"Qwen-VL-Max": "open"}).set_index("dimension")
    assert moved.loc["Overall Score", "n_closed"] == 3
    assert moved.loc["Overall Score", "n_open"] == 12
    with pytest.raises(DataError, match="'shut'"):
        gap_analysis(table, access={"GPT-4o": "shut"})


@pytest.mark.parametrize("wanted", ["closed", "open"])
def test_a_missing_side_is_named(wanted):
    table = load_published("main_results")
    one_left = table.loc[(table["access"] != wanted) | (table["model"].isin(["GPT-4o", "Monkey"]))]
    with pytest.raises(DataError, match=f"access '{wanted}'"):
        gap_analysis(one_left)
    only = {model: access for model, access in MODELS.items() if access != wanted}
    other = "open" if wanted == "closed" else "closed"
    with pytest.raises(DataError) as caught:
        paired_gap(sample_scores(), only)
    assert str(caught.value).startswith(f"no {wanted} model has scores of turns; got ")
    assert f"-A ({other})" in str(caught.value)
    assert "-A (access not known)" in str(caught.value)


def test_messages_are_words_and_no_dicts():
    table = load_published("main_results")
    scores = sample_scores()
    some = scores.loc[scores["model"].isin(["closed-A", "open-B"])]
    messages = []
    for call in (
        lambda: paired_gap(scores.assign(turn=pd.NA), MODELS),
        lambda: paired_gap(some, {"closed-A": "closed"}),
        lambda: gap_analysis(table, access={"GPT-4o": "shut"}),
        lambda: gap_analysis(table.query("access == 'open'")),
        lambda: border_pair(table.query("access == 'open'")),
    ):
        with pytest.raises(DataError) as caught:
            call()
        messages.append(str(caught.value))
    assert not [text for text in messages if "{" in text or "None" in text]
    assert messages == [
        "no score says which turn it belongs to; pass the benchmark, or scores with turn numbers",
        "no open model has scores of turns; got closed-A (closed), open-B (access not known). State which models are "
        "closed and open",
        "access of 'GPT-4o' is 'shut', expected one of closed, open, finetuned",
        "got 11 open models, expected at least two models with a value and access 'closed'",
        "got 11 open models with a value, expected a closed and an open model with one",
    ]


def test_the_known_gap_and_fall_are_found(sample):
    scores = sample_scores()
    gap = gap_breakdown(scores, MODELS, "dimension").set_index("dimension").loc["Overall Score"]
    assert gap["low"] < GAP < gap["high"]
    table = gap_analysis(score_table(summarize_scores(scores), MODELS)).set_index("dimension")
    assert table.loc["Overall Score", "low"] < GAP < table.loc["Overall Score", "high"]
    for what, slope in (("turn", GAP_SLOPE), ("images", 0.0)):
        frame = gap_breakdown(scores, MODELS, what, sample)
        assert frame["slope_low"].iloc[0] < slope < frame["slope_high"].iloc[0]
        assert frame["n_turns"].sum() == 1645
    falls = gap_breakdown(scores, MODELS, "turn").query("n_dialogs > 50")
    assert falls["closed_mean"].iloc[0] - falls["closed_mean"].iloc[-1] > 4


def test_no_gap_is_found_where_there_is_none():
    scores = sample_scores(gap=0, fall=0.0)
    gap = gap_breakdown(scores, MODELS, "dimension")
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
    sides = gaps.pivot(index="turn", columns="model", values="score")
    wide = scores.pivot(index="turn", columns="model", values="score")
    expected = wide["closed-A"] - wide[["open-A", "open-B"]].mean(axis=1)
    assert (sides["closed"] - sides["open"]).to_dict() == pytest.approx(expected.to_dict())
    alone = paired_gap(scores.query("model in ['closed-A', 'open-A']"), MODELS)
    assert set(alone["n_unpaired"]) == {1}


def test_size_is_scipys_rank_correlation():
    table = load_published("main_results")
    frame = size_effect(table).set_index("dimension")
    open_ = table.query("access == 'open'")
    for name, row in frame.iterrows():
        dimension = SHORT_NAMES[name]
        expected = stats.spearmanr(open_["parameters_b"], open_[dimension])
        assert row["spearman"] == pytest.approx(expected.statistic)
        assert row["p_value"] == pytest.approx(expected.pvalue, abs=0.05)
        fit = stats.linregress(np.log2(open_["parameters_b"]), open_[dimension])
        assert row["slope"] == pytest.approx(fit.slope)
        assert row["low"] < fit.slope < row["high"]
    assert (frame["low"] < 0).all()
    assert set(frame["n_unknown"]) == {4}
    with pytest.raises(DataError, match="fewer than four"):
        size_effect(table.query("access == 'closed'"))


def test_the_uncertainty_of_the_gap_says_what_it_rests_on():
    table = load_published("main_results")
    row = gap_analysis(table).set_index("dimension").loc["Overall Score"]
    closed, open_ = (table.loc[table["access"] == side, "Avg"] for side in ("closed", "open"))
    welch = stats.ttest_ind(closed, open_, equal_var=False)
    interval = welch.confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    assert (round(row["low"], 1), round(row["high"], 1)) == (13.7, 44.0)
    assert row["se"] == pytest.approx(row["gap"] / welch.statistic)
    without = [closed.drop(i).mean() - open_.mean() for i in closed.index]
    without += [closed.mean() - open_.drop(i).mean() for i in open_.index]
    assert (row["gap_min"], row["gap_max"]) == pytest.approx((min(without), max(without)))
    assert (round(row["gap_min"], 1), round(row["gap_max"], 1)) == (26.0, 33.7)
    assert (row["pairs_closed_higher"], row["n_pairs"]) == (44, 44)
    assert row["border"] == pytest.approx(4.1)
    assert row["p_value"] == row["smallest_p"] == pytest.approx(1 / 1365)


def test_scores_of_turns_add_the_error_over_dialogues():
    scores = sample_scores()
    frame = gap_analysis(scores, access=MODELS).set_index("dimension")
    by_dialog = gap_breakdown(scores, MODELS, "dimension").set_index("dimension")
    assert frame["se_dialogs"].to_dict() == pytest.approx(by_dialog["se"].to_dict())
    assert frame["gap"].to_dict() == pytest.approx(by_dialog["gap"].to_dict())
    assert (frame["low_dialogs"] < frame["gap"]).all()
    assert frame["synthetic"].all()
    assert gap_analysis(load_published("main_results"))["se_dialogs"].isna().all()


def test_a_model_counts_only_where_it_has_a_value():
    table = load_published("main_results")
    frame = gap_analysis(add_model(table, "mine", "open", {"Avg": 45})).set_index("dimension")
    assert frame["n_open"].to_dict() == {name: 12 if name == "Overall Score" else 11 for name in frame.index}
    whole = gap_analysis(table).set_index("dimension")
    pd.testing.assert_frame_equal(frame.drop("Overall Score"), whole.drop("Overall Score"))
    own = table.loc[table["access"] == "closed"].assign(AA=float("nan"))
    lacking = gap_analysis(pd.concat([own, table.loc[table["access"] == "open"]])).set_index("dimension")
    assert lacking.loc["Answer Accuracy", ["gap", "p_value", "low", "se"]].isna().all()
    assert lacking.loc["Answer Accuracy", "note"] != ""
    assert lacking["p_value"].notna().sum() == 6
    with pytest.raises(DataError, match="expected some of"):
        gap_analysis(pd.DataFrame({"model": ["a"], "access": ["open"], "Grounding": [3.0]}))
    with pytest.raises(DataError, match="0-100"):
        add_model(table, "mine", "open", {})


def test_the_border_needs_both_sides():
    table = load_published("main_results")
    with pytest.raises(DataError, match="a closed and an open model"):
        border_pair(table.query("access != 'open'"))
    assert border_pair(table, "Creativity").columns.tolist() == ["model", "access", "C"]


def test_options_reach_the_slope_of_the_gap():
    scores = sample_scores()
    frame = gap_breakdown(scores, MODELS, "turn", ci=0.5)
    wide = paired_gap(scores, MODELS).pivot(
        index=["dialog_id", "turn", "dimension"], columns="model", values="score"
    )
    half = (wide["closed"] - wide["open"]).div(2).add(5).rename("score").reset_index()
    trend = score_trend(half.assign(model="gap", judge="j"), "turn", ci=0.5).iloc[0]
    assert frame["slope"].iloc[0] == pytest.approx(2 * trend["slope"])
    assert frame["slope_low"].iloc[0] == pytest.approx(2 * trend["low"])
    other = [
        gap_breakdown(scores, MODELS, "turn", method="bootstrap", n_resamples=100, seed=seed)[
            "slope_low"
        ].iloc[0]
        for seed in (0, 1)
    ]
    assert other[0] != other[1]
