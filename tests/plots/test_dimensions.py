"""All models in all dimensions."""

from __future__ import annotations

import numpy as np

import mmdu_analysis as mmdu


def test_the_cells_of_the_heat_map_are_table_2():
    table = mmdu.load_published("main_results").sort_values("Avg", ascending=False, kind="stable")
    ax = mmdu.Study().plot("dimension_heatmap", context="paper", width=5)
    shorts = ["C", "R", "VP", "LC", "AA", "IRU", "Avg"]
    expected = table[shorts].to_numpy()
    assert [text.get_text() for text in ax.get_xticklabels()] == shorts
    assert [text.get_text()[:-2] for text in ax.get_yticklabels()] == table["model"].tolist()
    drawn = np.asarray(ax.collections[0].get_array(), float).reshape(expected.shape)
    assert (drawn == expected).all()
    texts = [text.get_text() for text in ax.texts if text.get_gid() is None]
    assert texts == [f"{value:.1f}" for value in expected.ravel()]


def test_each_profile_is_its_models_row():
    table = mmdu.load_published("main_results").set_index("model")
    ax = mmdu.Study().plot("dimension_profiles", context="paper")
    seen = {}
    for part in ax.figure.axes:
        marked = [line for line in part.lines if line.get_marker() != "None"]
        if marked:
            seen[(part.get_title("left") or part.get_title()).replace("\n", "")] = (
                marked[0].get_ydata().tolist()
            )
    assert seen == {name: row.tolist() for name, row in table[["C", "R", "VP", "LC", "AA", "IRU"]].iterrows()}


def test_labels_have_no_dimensions(sample):
    labels = mmdu.sample_scores().query("dimension == 'Overall Score'").assign(dimension="Correct")
    labels["score"] = 10.0 * (labels["score"] > 5)
    available = mmdu.Study(sample, scores=labels).available().set_index("figure")
    assert "right/wrong labels" in available.loc["dimension_heatmap", "reason"]
