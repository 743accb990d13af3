"""Metrics without a judge."""

from __future__ import annotations

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

import mmdu_analysis as mmdu
from mmdu_analysis.plots._texts import read_texts


@pytest.fixture(scope="module")
def frame():
    return mmdu.Study().numbers("judge_free_metrics")


def test_auc_of_length_agrees_with_scikit_learn(frame):
    keys = ["model", "dialog_id", "turn"]
    labels = mmdu.load_published("correctness")
    metrics = mmdu.load_published("measured_answers").astype({"dialog_id": "str"})
    joined = metrics.merge(labels.astype({"dialog_id": "str"}), on=keys)
    several = joined["images"].str.contains(";")
    for row in frame.query("metric == 'answer_tokens'").to_dict("records"):
        part = joined.loc[(joined["model"] == row["model"]) & (several == (row["kind"] == "multi image"))]
        assert row["auc"] == pytest.approx(roc_auc_score(part["correct"], part["answer_tokens"]))


def test_marks_stand_in_the_row_of_their_metric(frame):
    ax = mmdu.plots.judge_free_metrics(frame)
    panels = [part for part in ax.figure.axes if part.lines]
    names = [text.get_text() for text in panels[0].get_yticklabels()]
    row = frame.query("metric == 'rouge_l' and kind == 'multi image'").iloc[0]
    (panel,) = [part for part in panels if (part.get_title("left") or part.get_title()) == "multi image"]
    (line,) = [line for line in panel.lines if line.get_label() == row["model"]]
    drawn = {names[round(y)]: x for x, y in line.get_xydata().tolist()}
    assert drawn["ROUGE-L"] == pytest.approx(row["auc"])


def test_a_metric_separates_only_if_it_does_so_everywhere(frame):
    assert read_texts(mmdu.plots.judge_free_metrics(frame))["title"].startswith("0 of 8 metrics")
    chosen = frame["metric"] == "rouge_l"
    clear = frame.assign(low=frame["low"].where(~chosen, 0.6), high=frame["high"].where(~chosen, 0.8))
    assert read_texts(mmdu.plots.judge_free_metrics(clear))["title"].startswith("1 of 8 metrics")


def test_a_kind_of_few_answers_is_named_and_not_drawn(frame):
    rare = frame.query("kind == 'single image'").assign(kind="no image", n_right=1, n_wrong=1)
    ax = mmdu.plots.judge_free_metrics(pd.concat([frame, rare]))
    assert "no image" not in {part.get_title() or part.get_title("left") for part in ax.figure.axes}
    assert "Left out, with fewer than 20 answers: no image." in read_texts(ax)["note"]
