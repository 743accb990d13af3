"""Memory decay: curves, kinds of questions, published coefficients."""

from __future__ import annotations

import pytest
from plot_tools import row_labels

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts

PUBLISHED = {"LLaVa1.6-vicuna-7B": -1.042, "Qwen2-VL-7B-Instruct": -1.177, "BLIP-2": -1.152}


@pytest.fixture(scope="module")
def by_kind():
    return mmdu.Study().numbers("memory_by_kind")


def test_the_published_coefficients_are_reproduced():
    frame = mmdu.Study().numbers("memory_published")
    found = frame.loc[frame["estimate"] == "one row per image"].set_index("model")["coef"]
    assert found.to_dict() == pytest.approx(PUBLISHED, abs=0.001)
    ax = mmdu.plots.memory_published(frame)
    rows = row_labels(ax)
    (line,) = [line for line in ax.lines if line.get_label() == "published"]
    assert {rows[round(y)]: x for x, y in line.get_xydata().tolist()} == PUBLISHED
    assert read_texts(ax)["title"].endswith("are reproduced")
    changed = frame.assign(coef=frame["coef"].where(frame["estimate"] != "published", -1.0))
    assert "differ by up to 0.177" in read_texts(mmdu.plots.memory_published(changed))["title"]


@pytest.mark.parametrize("name", ["memory_decay", "memory_distance"])
def test_curves_are_the_means_and_claim_no_fall(name):
    frame = mmdu.Study().numbers(name)
    ax = mmdu.plots.__getattr__(name)(frame)
    for model, part in frame.groupby("model"):
        (line,) = [line for line in ax.lines if line.get_label() == model]
        assert line.get_ydata() == pytest.approx(part["mean"].to_numpy(float))
        assert line.get_xdata() == pytest.approx(part["step"].to_numpy(float))
    texts = read_texts(ax)
    assert "all kinds of questions mixed" in texts["title"]
    assert "19% of the first and 97% of the last fifth" in texts["note"]


def test_curves_and_changes_by_kind_are_in_their_panels(by_kind):
    ax = mmdu.plots.memory_by_kind(by_kind)
    panels = ax.figure.axes[1:]
    model = by_kind.loc[by_kind["part"] == "change", "model"].iloc[0]
    left, right = panels[0], panels[1]
    of_model = by_kind.loc[by_kind["model"] == model]
    curve = of_model.query("part == 'curve' and kind == 'single image'")
    (line,) = [line for line in left.lines if line.get_label() == "about one image"]
    assert line.get_ydata() == pytest.approx(curve["mean"].to_numpy(float))
    change = of_model.query("part == 'change'").set_index("kind")["mean"]
    marks = {
        line.get_label(): float(line.get_xdata()[0]) for line in right.lines if line.get_marker() != "None"
    }
    assert marks["about one image"] == pytest.approx(change["single image"])
    assert marks["about several images"] == pytest.approx(change["multi image"])
    assert marks["all questions"] == pytest.approx(change["all"])


def test_no_fall_is_said_only_if_every_model_concludes_it(by_kind):
    title = read_texts(mmdu.plots.memory_by_kind(by_kind))["title"]
    assert "excluded" not in title
    agreed = by_kind.assign(conclusion=by_kind["conclusion"].where(by_kind["part"] == "curve", "no fall"))
    assert "a decrease of 5 points is excluded" in read_texts(mmdu.plots.memory_by_kind(agreed))["title"]


def test_the_shares_of_kinds_are_those_of_the_labels(by_kind):
    labels = mmdu.load_published("correctness")
    several = labels["images"].str.contains(";")
    counts = by_kind.query("part == 'change'").set_index(["model", "kind"])["n_turns"]
    for model, part in labels.groupby("model"):
        assert counts[model, "multi image"] == several[part.index].sum()
        assert counts[model, "single image"] == (~several[part.index].astype(bool)).sum()
