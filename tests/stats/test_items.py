"""Questions by the number of models that are right."""

from __future__ import annotations

import pandas as pd
import pytest

from mmdu_analysis import DataError
from mmdu_analysis.stats.items import difficulty_table, question_difficulty


def labels(rows):
    return pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "correct"])


ROWS = [
    ("a", "1", 1, 1), ("b", "1", 1, 1), ("c", "1", 1, 1),
    ("a", "1", 2, 1), ("b", "1", 2, 0), ("c", "1", 2, 0),
    ("a", "2", 1, 0), ("b", "2", 1, 0), ("c", "2", 1, 0),
    ("a", "2", 2, 1), ("b", "2", 2, 1),
]  # fmt: skip


def test_models_that_are_right_and_questions_that_not_all_have():
    questions = question_difficulty(labels(ROWS))
    assert questions.set_index(["dialog_id", "turn"])["n_right"].to_dict() == {
        ("1", 1): 3,
        ("1", 2): 1,
        ("2", 1): 0,
    }
    assert questions["n_dropped"].unique().tolist() == [1]
    assert questions["n_models"].unique().tolist() == [3]


def test_counts_by_kind_add_up():
    kinds = pd.DataFrame({"dialog_id": ["1", "1"], "turn": [1, 2], "kind": ["single image", "multi image"]})
    table = difficulty_table(question_difficulty(labels(ROWS)), kinds)
    counts = table.set_index(["kind", "n_right"])["count"]
    assert counts["single image", 3] == 1
    assert counts["multi image", 1] == 1
    assert counts["unknown", 0] == 1
    assert counts.sum() == 3
    assert table["percent"].sum() == pytest.approx(100)
    assert table["count"].dtype == "int64"


def test_one_model_or_no_shared_question_is_refused():
    with pytest.raises(DataError, match="two or more"):
        question_difficulty(labels(ROWS).query("model == 'a'"))
    with pytest.raises(DataError, match="no question"):
        question_difficulty(labels([("a", "1", 1, 1), ("b", "1", 2, 1)]))


def test_a_marked_row_marks_the_counts():
    marked = labels(ROWS).assign(synthetic=[True] + [False] * (len(ROWS) - 1))
    assert difficulty_table(question_difficulty(marked))["synthetic"].all()
