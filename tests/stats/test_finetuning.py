"""What fine-tuning gains: by hand from the tables."""

from __future__ import annotations

import pytest

from mmdu_analysis import DataError, ablation_effects, finetuning_gain, load_published, overtaken_models


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


def test_shares_of_the_distance_to_the_printed_digit():
    gains = finetuning_gain(load_published("main_results")).query("metric == 'Avg'")
    assert (100 * gains["share_closed"].astype(float)).round(1).tolist() == [13.2, 41.9]
    assert set(gains["reference"]) == {"GPT-4o"}
    pairs = overtaken_models(load_published("main_results"))
    assert pairs.to_numpy().tolist() == [["InternLM-XC2+MMDU-45k", 50.1, "Qwen-VL-Max", 46.9]]


def test_a_metric_without_a_value_has_no_gain():
    table = load_published("main_results")
    table.loc[table["model"] == "LLaVa1.5-7B", "VP"] = float("nan")
    gains = finetuning_gain(table).query("model == 'LLaVa1.5-7B+MMDU-45k'")
    assert "VP" not in set(gains["metric"])
    assert gains["gain"].notna().all()
