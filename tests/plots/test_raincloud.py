"""Scores of single dialogues."""

from __future__ import annotations

import pytest

import mmdu_analysis as mmdu


@pytest.fixture(scope="module")
def frame():
    return mmdu.Study().numbers("score_distribution")


def test_values_are_the_shares_of_dialogues_and_their_differences(frame):
    labels = mmdu.load_published("correctness")
    shares = 100 * labels.groupby(["model", "dialog_id"])["correct"].mean()
    scores = frame.loc[frame["part"] == "score"].set_index(["model", "dialog_id"])["value"]
    assert scores.to_dict() == pytest.approx(shares.to_dict())
    top = "Qwen2-VL-7B-Instruct"
    for row in frame.loc[frame["part"] == "difference"].sample(20, random_state=0).to_dict("records"):
        assert row["other"] == top
        expected = shares[top, row["dialog_id"]] - shares[row["model"], row["dialog_id"]]
        assert row["value"] == pytest.approx(expected)


def test_one_dot_a_dialogue_and_the_mean(frame):
    ax = mmdu.plots.score_distribution(frame)
    upper, lower = ax.figure.axes[1:]
    for panel, part in ((upper, "score"), (lower, "difference")):
        rows = frame.loc[frame["part"] == part]
        models = list(dict.fromkeys(rows["model"]))
        assert [text.get_text().removeprefix("- ") for text in panel.get_yticklabels()] == models
        dots = [line for line in panel.lines if line.get_marker() == "."]
        means = [line for line in panel.lines if line.get_marker() == "o"]
        for model, dot, mean in zip(models, dots, means, strict=True):
            part_rows = rows.loc[rows["model"] == model]
            assert dot.get_xdata() == pytest.approx(part_rows["value"].to_numpy(float))
            assert mean.get_xdata() == pytest.approx(part_rows["mean"].iloc[:1].to_numpy(float))


def test_one_model_has_no_differences():
    scores = mmdu.sample_scores().query("model == 'open-A'").assign(synthetic=False)
    alone = mmdu.Study(scores=scores).numbers("score_distribution")
    assert set(alone["part"]) == {"score"}
    assert len(mmdu.plots.score_distribution(alone).figure.axes) == 2
