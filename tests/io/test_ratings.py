"""Logs of ratings: later lines replace earlier ones, and nothing is lost silently."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdu_analysis import DataError, load_ratings
from mmdu_analysis.schema import ProblemWarning


def entry(**changes):
    base = {"rater": "ann", "model": "m", "dialog_id": "0", "turn": 1, "dimension": "C", "score": 7}
    return base | changes


def log(path, *lines):
    path.write_bytes(
        b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
    )
    return path


def test_a_log_is_a_frame_of_scores(tmp_path):
    log(tmp_path / "ann.jsonl", entry(seed=3), entry(turn=2, dimension="Creativity", score=5, seed=3))
    log(tmp_path / "bob.jsonl", entry(rater="bob", score=6.5, seed=3))
    (tmp_path / ".hidden.jsonl").write_text("not a log")
    frame = load_ratings(tmp_path)
    assert frame["judge"].tolist() == ["ann", "ann", "bob"]
    assert frame["dimension"].unique().tolist() == ["Creativity"]
    assert frame["score"].tolist() == [7, 5, 6.5]
    assert frame["person"].all()
    assert frame["seed"].tolist() == [3, 3, 3]
    assert not frame["synthetic"].any()


def test_later_lines_replace_and_null_takes_back(tmp_path):
    path = log(tmp_path / "r.jsonl", entry(), entry(score=2), entry(turn=2), entry(turn=2, score=None))
    assert load_ratings(path)["score"].tolist() == [2]
    path = log(tmp_path / "r.jsonl", entry(score=1), entry(score=2), entry(score=None))
    assert load_ratings(path)["score"].tolist() == [1]


def test_lines_that_are_no_ratings_are_reported(tmp_path):
    bad = [
        b'{"rater": "ann", "mod',
        b"[1, 2]",
        entry(score=11),
        entry(score="7"),
        entry(turn=0),
        entry(turn=10**30),
        entry(dimension="Mood"),
        entry(model=["x"]),
        b'{"rater":"\\ud800","model":"m","dialog_id":"0","turn":1,"dimension":"C","score":1}',
    ]
    path = log(tmp_path / "r.jsonl", entry(), *bad)
    with pytest.warns(ProblemWarning, match=f"{len(bad)} problems"):
        frame, problems = load_ratings(path, return_problems=True)
    assert len(frame) == 1
    assert problems["where"].tolist() == [f"line {n}" for n in range(2, len(bad) + 2)]
    with pytest.raises(DataError, match="strict"):
        load_ratings(path, strict=True)
    with pytest.raises(DataError, match="no rating"):
        load_ratings(log(tmp_path / "none.jsonl", b"{}"))


@pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.ProblemWarning")
@given(st.lists(st.binary(max_size=40) | st.just(json.dumps(entry()).encode()), max_size=6))
def test_any_bytes_give_ratings_or_a_data_error(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("r") / "r.jsonl"
    path.write_bytes(b"\n".join(lines))
    try:
        frame = load_ratings(path)
    except DataError:
        return
    assert frame["score"].between(0, 10).all()
