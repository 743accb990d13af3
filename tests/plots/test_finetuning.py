"""Changes by fine-tuning and by context."""

from __future__ import annotations

import pytest
from plot_tools import marked_points, row_labels, texts_beside

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


def test_changes_start_at_zero_and_end_at_the_difference():
    table = mmdu.load_published("main_results").set_index("model")
    ax = mmdu.Study().plot("finetuning_mmdu", context="paper")
    rows = row_labels(ax)
    drawn = {(y, rows[y]): x for x, y in marked_points(ax)}
    gain = table.loc["InternLM-XC2+MMDU-45k", "Avg"] - table.loc["InternLM-XC2", "Avg"]
    assert drawn[(15.0, "Avg")] == pytest.approx(gain)
    assert drawn[(7.0, "Avg")] == pytest.approx(37.2 - 32.2)
    assert texts_beside(ax)[15.0] == "+14.5 from 35.6"
    assert len(drawn) == 14
    assert [name for name in rows.values() if name in table.index] == ["LLaVa1.5-7B", "InternLM-XC2"]


def test_the_band_is_the_noise_column():
    frame = mmdu.Study().numbers("finetuning_benchmarks")
    ax = mmdu.plots.finetuning_benchmarks(frame)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == pytest.approx((2 * frame["noise"]).tolist())
    outside = int((frame["gain"].abs() > frame["noise"]).sum())
    assert f"{outside} of {len(frame)} changes are outside" in read_texts(ax)["subtitle"]
    assert frame["noise"].between(3, 5).all()


def test_the_ablation_is_table_5():
    table = mmdu.load_published("ablation").query("study == 'max tokens'")
    ax = mmdu.Study().plot("context_ablation", context="paper")
    for model, part in table.groupby("model"):
        assert [y for _, y in marked_points(ax, model)] == part["Avg"].tolist()
    assert "22.3 to 37.1" in read_texts(ax)["title"]


def test_no_line_crosses_the_gain_where_the_base_model_ends():
    ax = mmdu.Study().plot("context_ablation", context="paper")
    sides = {text.get_text(): text.get_ha() for text in ax.texts if text.get_text().startswith("+")}
    assert sides == {"+1.4": "right", "+4.9": "left"}
