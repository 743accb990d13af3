"""What the commands that ask a server print."""

from __future__ import annotations

import pytest

from mmdu_analysis.cli.judging import list_turns, parse_parameters
from mmdu_analysis.schema import DataError, Problem, problems_frame


def test_turns_are_listed_briefly():
    turns = [("turn 1", 1), ("turn 2", 2), ("turn 3", 3), ("turn 7", 7), ("turn 9, judgement 2", 9)]
    found = [
        Problem("out", f"dialogue a, turn b, {where}", "why", "a, turn b", turn) for where, turn in turns
    ]
    found.append(Problem("out", "dialogue 3, turn 1", "else", "3", 1))
    lines = ["dialogue a, turn b, turns 1-3, 7, 9, judgement 2: why", "dialogue 3, turn 1: else"]
    assert list_turns(problems_frame(found)) == lines


def test_parameters_are_json_or_texts():
    pairs = ["max_tokens=5", "stop=a=b", 'stop_list=["x"]', "temperature=null", "deep=" + "[" * 100_000]
    found = parse_parameters(pairs)
    assert found | {"deep": 0} == {
        "max_tokens": 5, "stop": "a=b", "stop_list": ["x"], "temperature": None, "deep": 0
    }  # fmt: skip


@pytest.mark.parametrize("pair", ["sk-secret", "=x", ""])
def test_a_pair_that_is_none_is_not_repeated(pair):
    with pytest.raises(DataError, match="number 2: expected NAME=VALUE") as caught:
        parse_parameters(["a=1", pair])
    assert "secret" not in str(caught.value)
