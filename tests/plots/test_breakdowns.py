"""Scores by turn and by properties of turns."""

from __future__ import annotations

import numpy as np
import pytest
from plot_tools import marked_points

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts

NAMES = ["scores_by_images", "scores_by_named_images", "scores_by_context", "scores_by_kind"]


@pytest.fixture(scope="module")
def facts():
    return mmdu.Study()


@pytest.mark.parametrize("name", NAMES)
def test_each_mark_stands_within_its_bin_at_its_mean(facts, name):
    frame = facts.numbers(name)
    ax = mmdu.plots.__getattr__(name)(frame)
    bins = [text.get_text().split("\nn=")[0].replace("\n", " ") for text in ax.get_xticklabels()]
    found = {}
    for model in frame["model"].unique():
        for x, y in marked_points(ax, model):
            assert abs(x - round(x)) < 0.4
            found[model, bins[round(x)]] = y
    kept = frame.loc[frame["n_dialogs"] >= 5]
    expected = {(row["model"], str(row["bin"])): row["mean"] for row in kept.to_dict("records")}
    assert found == pytest.approx(expected)
    assert ax.get_ylim() == (0, 100)


def test_a_title_orders_bins_only_where_intervals_separate(facts):
    frame = facts.numbers("scores_by_kind")
    clear = read_texts(mmdu.plots.scores_by_kind(frame))["title"]
    wide = frame.assign(low=frame["mean"] - 60, high=frame["mean"] + 60)
    unsure = read_texts(mmdu.plots.scores_by_kind(wide))["title"]
    assert "single image" in clear
    assert "multi image" in clear
    assert "image " not in unsure.split(":")[1]


def test_shares_by_kind_are_those_of_the_labels(facts):
    labels = mmdu.load_published("correctness")
    kind = np.where(labels["images"].str.contains(";"), "multi image", "single image")
    shares = 100 * labels.assign(kind=kind).groupby(["model", "kind"])["correct"].mean()
    frame = facts.numbers("scores_by_kind").set_index(["model", "bin"])["mean"]
    for key, value in shares.items():
        assert frame[key] == pytest.approx(value, abs=1.0)  # ten labels are of turns beyond the questions


def test_turn_curves_end_where_few_dialogues_reach(facts):
    frame = facts.numbers("turn_curves")
    ax = mmdu.plots.turn_curves(frame)
    model = frame["model"].iloc[0]
    (line,) = [line for line in ax.lines if line.get_label().startswith(model)]
    part = frame.loc[frame["model"] == model]
    part = part.loc[part["n_dialogs"] >= 10]
    assert line.get_ydata() == pytest.approx(part["mean"].to_numpy(float))
    assert line.get_xdata() == pytest.approx(part["bin"].to_numpy(float))
    assert "fall" not in read_texts(ax)["title"]


def test_dimensions_are_rows():
    frame = mmdu.Study.sample().numbers("scores_by_dimension")
    ax = mmdu.plots.scores_by_dimension(frame)
    part = frame.loc[frame["model"] == "closed-A"]
    drawn = marked_points(ax, "closed-A")
    assert [x for x, _ in drawn] == pytest.approx(part["mean"].tolist())
    assert [round(y) for _, y in drawn] == list(range(7))


def test_without_a_benchmark_the_reason_names_it():
    scores = mmdu.sample_scores().query("model == 'open-A'").assign(synthetic=False)
    study = mmdu.Study(scores=scores)
    with pytest.raises(mmdu.NotAvailable, match="MMDU_DATA"):
        study.numbers("scores_by_kind")
