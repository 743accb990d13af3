"""Averages with intervals, paired comparisons, ranks: against hand-written references and simulations."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdu_analysis import (
    DataError,
    compare_all_models,
    compare_models,
    load_published,
    load_scores,
    rank_models,
    sample_scores,
    score_table,
    summarize_scores,
)
from mmdu_analysis.schema import DIMENSION_NAMES, DataWarning
from mmdu_analysis.stats.pairs import group_letters
from mmdu_analysis.stats.scores import AVERAGES


def made_scores(values, model="m", dimension="Overall Score"):
    """Scores from {dialogue: [score of turn 1, ...]}."""
    rows = [
        (model, "j", str(key), turn, dimension, float(score))
        for key, scores in values.items()
        for turn, score in enumerate(scores, 1)
    ]
    frame = pd.DataFrame(rows, columns=["model", "judge", "dialog_id", "turn", "dimension", "score"])
    text = dict.fromkeys(("model", "judge", "dialog_id", "dimension"), "str")
    return frame.astype({"turn": "Int64", **text})


def random_scores(seed, models=("a", "b"), dialogs=30, gaps=0.15):
    rng = np.random.default_rng(seed)
    parts = []
    for model in models:
        for dimension in ("Creativity", "Overall Score"):
            values = {}
            for key in range(dialogs):
                turns = np.round(rng.uniform(1, 10, rng.integers(1, 9)) * 2) / 2
                turns[rng.random(len(turns)) < gaps] = np.nan
                values[key] = turns
            parts.append(made_scores(values, model, dimension))
    return pd.concat(parts, ignore_index=True)


def by_hand(scores, average):
    """Each average as its definition says, with plain loops."""
    if average == "dialog":
        means = []
        for _, part in scores.groupby("dialog_id"):
            known = [s for s in part["score"] if not math.isnan(s)]
            if known:
                means.append(sum(known) / len(known))
        return 10 * sum(means) / len(means)
    values = []
    for score in scores["score"]:
        if average == "question" and not math.isnan(score):
            values.append(score)
        elif average.startswith("vlmeval") and not math.isnan(score):
            values.append(min(max(int(score), 0), 10))
        elif average == "vlmeval_all":
            values.append(0)
    return 10 * sum(values) / len(values)


@pytest.mark.parametrize("average", AVERAGES)
def test_each_average_equals_its_definition(average):
    scores = random_scores(1)
    frame = summarize_scores(scores, "model", average).set_index(["model", "dimension"])
    for key, part in scores.groupby(["model", "dimension"]):
        row = frame.loc[key]
        assert row["mean"] == pytest.approx(by_hand(part, average))
        assert row["n_missing"] == part["score"].isna().sum()
        assert row["n_turns"] == part["score"].notna().sum()
    assert len({round(summarize_scores(scores, "model", name)["mean"].iloc[0], 6) for name in AVERAGES}) == 4


def test_the_faults_of_the_authors_script_are_not_ours(tmp_path):
    full = dict.fromkeys(DIMENSION_NAMES, 8)
    no_overall = {name: 2 for name in DIMENSION_NAMES if name != "Overall Score"}
    (tmp_path / "1.json").write_text(json.dumps([full, no_overall]))
    (tmp_path / "2.json").write_text(json.dumps([dict.fromkeys(DIMENSION_NAMES, 4)]))
    (tmp_path / "notes.txt").write_text("not a score file")
    with pytest.warns(DataWarning, match="Overall Score is missing"):
        scores = load_scores(tmp_path, model="m")
    means = summarize_scores(scores).set_index("dimension")
    assert means.loc["Creativity", "mean"] == pytest.approx(10 * (8 + 2 + 4) / 3)
    assert means.loc["Overall Score", "mean"] == pytest.approx(10 * (8 + 4) / 2)
    assert means.loc["Overall Score", "n_missing"] == 1
    # The script adds the second turn's six values and doesn't count it; notes.txt counts 2.json again.
    script = 10 * (8 + 2 + 4) / 2
    with_notes = 10 * (8 + 2 + 4 + 4) / 3
    assert means.loc["Creativity", "mean"] not in (pytest.approx(script), pytest.approx(with_notes))


def test_the_standard_error_is_that_of_clustered_least_squares():
    scores = random_scores(2)
    frame = summarize_scores(scores).set_index(["model", "dimension"])
    for key, part in scores.dropna(subset="score").groupby(["model", "dimension"]):
        groups = pd.factorize(part["dialog_id"])[0]
        fit = sm.OLS(10 * part["score"], np.ones(len(part))).fit(
            cov_type="cluster", cov_kwds={"groups": groups}
        )
        assert frame.loc[key, "mean"] == pytest.approx(fit.params.iloc[0])
        assert frame.loc[key, "se"] == pytest.approx(fit.bse.iloc[0])


def test_a_dialog_average_has_the_error_of_a_mean_of_dialogues():
    scores = random_scores(3, gaps=0)
    row = summarize_scores(scores, "model", "dialog").iloc[0]
    part = scores.query("model == 'a' and dimension == 'Creativity'")
    means = 10 * part.groupby("dialog_id")["score"].mean()
    assert row["se"] == pytest.approx(means.std() / math.sqrt(len(means)))


def correlated(rng, models, dialogs, turns, spread=1.2):
    """Whole scores whose turns share their dialogue's level; the truth is 5.5."""
    level = rng.normal(0, spread, (models, dialogs, 1))
    return 5.5 + level + rng.normal(0, 1, (models, dialogs, turns))


def as_frame(values):
    models, dialogs, turns = values.shape
    index = pd.MultiIndex.from_product(
        [[f"m{i:03d}" for i in range(models)], [str(i) for i in range(dialogs)], range(1, turns + 1)],
        names=["model", "dialog_id", "turn"],
    )
    frame = pd.DataFrame({"score": values.clip(0, 10).ravel()}, index=index).reset_index()
    frame = frame.assign(judge="j", dimension="Overall Score").astype({"turn": "Int64"})
    return frame[["model", "judge", "dialog_id", "turn", "dimension", "score"]]


@pytest.mark.parametrize("dialogs", [12, 110])
def test_the_interval_covers_the_truth_and_a_naive_one_does_not(dialogs):
    values = correlated(np.random.default_rng(4), 1000, dialogs, 6)
    frame = summarize_scores(as_frame(values), n_resamples=1000)
    covered = ((frame["low"] <= 55) & (frame["high"] >= 55)).mean()
    naive = 10 * values.reshape(1000, -1).std(axis=1, ddof=1) / math.sqrt(dialogs * 6)
    naive_covered = ((frame["mean"] - 55).abs() <= 1.96 * naive).mean()
    assert 0.92 <= covered <= 0.98
    assert naive_covered < 0.85


def test_no_difference_raises_a_false_alarm_in_five_percent_of_the_runs():
    rng = np.random.default_rng(5)
    alarms, naive_alarms = 0, 0
    for _ in range(500):
        level = rng.normal(0, 1, (1, 40, 1))
        own = rng.normal(0, 0.7, (2, 40, 1))  # a model's own luck with a dialogue: turns stay correlated
        values = 5.5 + level + own + rng.normal(0, 1, (2, 40, 6))
        row = compare_models(as_frame(values), "m000", "m001", n_resamples=50).iloc[0]
        alarms += row["p_value"] < 0.05
        difference = (values[0] - values[1]).ravel()
        naive_alarms += abs(difference.mean()) > 1.96 * difference.std(ddof=1) / math.sqrt(len(difference))
    assert 0.03 <= alarms / 500 <= 0.075
    assert naive_alarms / 500 > 0.12


def test_one_dialogue_alone_gives_no_interval():
    frame = summarize_scores(made_scores({1: [5, 7, 6]}))
    assert frame["mean"].item() == 60
    assert frame[["se", "low", "high"]].isna().all(axis=None)
    assert frame["n_dialogs"].item() == 1


def test_scores_without_dialogues_give_a_mean_only(tmp_path):
    table = pd.DataFrame([{"set": "all"} | dict.fromkeys(DIMENSION_NAMES, 41.5)])
    table.to_csv(tmp_path / "M_score.csv", index=False)
    with pytest.warns(DataWarning):
        frame = summarize_scores(load_scores(tmp_path / "M_score.csv"))
    assert frame["mean"].tolist() == pytest.approx([41.5] * 7)
    assert frame[["se", "low", "high"]].isna().all(axis=None)
    assert (frame[["n_dialogs", "n_turns"]] == 0).all(axis=None)
    assert frame["note"].str.contains("no dialogue").all()


def test_any_column_groups_also_one_that_a_merge_brought_in():
    scores = sample_scores()
    kinds = pd.DataFrame({"dialog_id": scores["dialog_id"].unique()})
    kinds["long"] = np.arange(len(kinds)) % 2 == 0
    merged = scores.merge(kinds, on="dialog_id")
    frame = summarize_scores(merged, ["long", "judge"])
    expected = merged.groupby(["long", "dimension"])["score"].mean() * 10
    for row in frame.itertuples():
        assert row.mean == pytest.approx(expected[row.long, row.dimension])
    by_dialog = summarize_scores(scores, ["model", "dialog_id", "turn"])
    assert len(by_dialog) == len(scores)
    with pytest.raises(DataError, match="'nothing'"):
        summarize_scores(scores, "nothing")
    with pytest.raises(DataError, match="average 'mean' is unknown"):
        summarize_scores(scores, average="mean")


def test_dimensions_stand_in_the_papers_order():
    assert summarize_scores(sample_scores()).head(7)["dimension"].tolist() == list(DIMENSION_NAMES)


def test_an_interval_depends_on_the_seed_and_not_on_the_other_models():
    scores = random_scores(6, ("a", "b", "c"))
    whole = summarize_scores(scores).set_index(["model", "dimension"])
    alone = summarize_scores(scores.query("model == 'b'")).set_index(["model", "dimension"])
    pd.testing.assert_frame_equal(whole.loc[["b"]], alone, check_flags=False)
    pd.testing.assert_frame_equal(summarize_scores(scores), summarize_scores(scores))
    first, second = (summarize_scores(scores, method="bootstrap", seed=seed)["low"] for seed in (0, 1))
    assert not first.equals(second)


def test_the_published_labels_are_summarized_as_they_are():
    labels = load_published("correctness")
    frame = summarize_scores(labels)
    assert frame["mean"].tolist() == pytest.approx((100 * labels.groupby("model")["correct"].mean()).tolist())
    assert (frame["dimension"] == "Correct").all()


def test_a_comparison_is_the_clustered_least_squares_of_the_differences():
    scores = random_scores(7)
    frame = compare_models(scores, "a", "b").set_index("dimension")
    for dimension, part in scores.groupby("dimension"):
        wide = part.pivot(index=["dialog_id", "turn"], columns="model", values="score")
        both = wide.dropna()
        difference = 10 * (both["a"] - both["b"])
        groups = pd.factorize(both.index.get_level_values(0))[0]
        fit = sm.OLS(difference.to_numpy(), np.ones(len(both))).fit(
            cov_type="cluster", cov_kwds={"groups": groups, "df_correction": True}, use_t=True
        )
        row = frame.loc[dimension]
        assert row["difference"] == pytest.approx(fit.params[0])
        assert row["difference"] == pytest.approx(row["mean_a"] - row["mean_b"])
        assert row["se"] == pytest.approx(fit.bse[0])
        assert row["p_value"] == pytest.approx(fit.pvalues[0])
        assert row["n_turns"] == len(both)
        assert row["n_unpaired"] == wide.isna().sum().sum() - 2 * wide.isna().all(axis=1).sum()
        assert row["n_dialogs"] == groups.max() + 1


def test_a_comparison_turned_round_changes_its_sign_only():
    scores = random_scores(8)
    one, other = compare_models(scores, "a", "b"), compare_models(scores, "b", "a")
    assert one["difference"].tolist() == pytest.approx((-other["difference"]).tolist())
    assert one["low"].tolist() == pytest.approx((-other["high"]).tolist())
    assert one["p_value"].tolist() == pytest.approx(other["p_value"].tolist())
    same = compare_models(pd.concat([scores, scores.query("model == 'a'").assign(model="c")]), "a", "c")
    assert same["p_value"].tolist() == [1, 1]
    assert same["low"].isna().all()
    assert same["note"].str.contains("same difference in 29 dialogues").all()


def test_what_cannot_be_paired_is_told():
    scores = random_scores(9)
    unknown = scores.assign(turn=pd.array([pd.NA] * len(scores), dtype="Int64"))
    with pytest.raises(DataError, match="benchmark="):
        compare_models(unknown, "a", "b")
    with pytest.raises(DataError, match="no scores of model 'z'"):
        compare_models(scores, "a", "z")
    with pytest.raises(DataError, match="at least two models"):
        compare_all_models(scores.query("model == 'a'"))


def test_all_pairs_are_corrected_by_holm():
    scores = random_scores(10, ("a", "b", "c", "d"))
    frame = compare_all_models(scores, n_resamples=200)
    assert len(frame) == 6 * 2
    for _, part in frame.groupby("dimension"):
        ordered = part.sort_values("p_value")
        steps = [p * (6 - place) for place, p in enumerate(ordered["p_value"])]
        expected = np.minimum(1, np.maximum.accumulate(steps))
        assert ordered["p_holm"].tolist() == pytest.approx(expected.tolist())
    single = compare_models(scores, "b", "d", n_resamples=200)
    pair = frame.query("model_a == 'b' and model_b == 'd'")[single.columns].reset_index(drop=True)
    assert set(frame["family"]) == {"dimension"}
    pd.testing.assert_frame_equal(pair, single, check_flags=False)


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 7), st.data())
def test_two_models_share_a_letter_exactly_if_they_are_not_apart(count, data):
    models = [f"m{i}" for i in range(count)]
    rows = [(a, b, data.draw(st.sampled_from([0.001, 0.5]))) for a, b in combinations(models, 2)]
    letters = group_letters(models, pd.DataFrame(rows, columns=["model_a", "model_b", "p_holm"]), 0.05)
    for a, b, p in rows:
        assert bool(set(letters[a]) & set(letters[b])) == (p > 0.05)
    assert all(letters.values())


def test_ranks_find_the_known_order():
    rng = np.random.default_rng(11)
    values = correlated(rng, 1, 60, 8) + np.array([0.0, -0.02, -2.0, -4.0])[:, None, None]
    frame = rank_models(as_frame(values + rng.normal(0, 0.5, values.shape)))
    assert frame["model"].tolist()[2:] == ["m002", "m003"]
    assert frame[["rank_low", "rank", "rank_high"]].to_numpy().tolist()[2:] == [[3, 3, 3], [4, 4, 4]]
    assert frame["rank_low"].tolist()[:2] == [1, 1]
    assert frame["rank_high"].tolist()[:2] == [2, 2]
    assert frame["group"].tolist() == ["a", "a", "b", "c"]
    summary = summarize_scores(as_frame(values))
    assert set(rank_models(as_frame(values))["low"]) == set(summary["low"])


def test_ranks_of_other_dimensions_and_of_too_little():
    scores = sample_scores()
    assert set(rank_models(scores, dimension="C", n_resamples=100)["dimension"]) == {"Creativity"}
    with pytest.raises(DataError, match="no dimension 'Charm'"):
        rank_models(scores, dimension="Charm")
    with pytest.raises(DataError, match="expected two or more of each"):
        rank_models(scores.query("model == 'open-A'"))


def test_a_summary_laid_out_as_table_2():
    table = score_table(summarize_scores(sample_scores()), {"open-A": "open"})
    assert list(table.columns) == [
        "model", "access", "C", "R", "VP", "LC", "AA", "IRU", "Avg", "low", "high", "synthetic", "ci"
    ]  # fmt: skip
    assert table.set_index("model")["access"].fillna("-").to_dict()["open-A"] == "open"
    assert table["access"].isna().sum() == 4
    assert (table["low"] < table["Avg"]).all()
    assert table["synthetic"].all()


def test_several_folders_are_several_models(tmp_path):
    entry = dict.fromkeys(DIMENSION_NAMES, 7)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "4.json").write_text(json.dumps([entry | {"turn": 1}]))
    parent = load_scores(tmp_path)
    several = load_scores([tmp_path / "one", tmp_path / "two"])
    pd.testing.assert_frame_equal(parent, several)
    assert parent["model"].unique().tolist() == ["one", "two"]
    with pytest.raises(DataError, match="nothing"):
        load_scores([tmp_path / "one", tmp_path / "nothing"])
