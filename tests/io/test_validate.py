"""Problems of a benchmark, answers and scores by kind."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mmdu_analysis.io.validate import problem_kinds, validate_files
from mmdu_analysis.schema import DIMENSION_NAMES, Problem, problems_frame


def test_kinds_are_counted_with_their_first_place():
    made = [
        Problem("a.json", f"$[{n}]", f"Creativity is {n}, outside 0-10", str(n % 2), n) for n in (12, 13, 14)
    ]
    made += [
        Problem("b.json", "", "dialogue 'x' is not there", "x"),
        Problem("b.json", "", "dialogue 'y z' is not there"),
    ]
    made += [
        Problem("c.json", "", "turns 1, 2, 3 are left out"),
        Problem("c.json", "", "turns 8, 9, ... are left out"),
    ]
    kinds = problem_kinds(problems_frame(made))
    assert kinds["count"].tolist() == [3, 2, 2]
    assert kinds["n_dialogs"].tolist() == [2, 1, 0]
    assert kinds["count"].dtype == "int64"
    first = kinds.iloc[0]
    assert first["problem"] == "Creativity is 12, outside 0-10"
    assert [first["file"], first["where"], first["dialog_id"], first["turn"]] == ["a.json", "$[12]", "0", 12]
    assert problem_kinds(problems_frame()).empty


@pytest.fixture
def files(tmp_path):
    """A benchmark of one dialogue with two turns, answers and scores with one fault each."""
    talk = [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}] * 2
    record = {"id": 1, "image": [], "conversations": talk}
    failed = [*talk[:3], {"from": "assistant", "value": "Failed to obtain answer via API."}]
    score = dict.fromkeys(DIMENSION_NAMES, 6)
    contents = {"b.json": [record], "a/m/1.json": record | {"conversations": failed}, "s/m/1.json": [score]}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


def test_all_parts_are_validated_together(files):
    found = validate_files(files / "b.json", answers=files / "a", scores=files / "s")
    assert found.problems["problem"].str.contains("request failed").sum() == 1
    assert found.problems["problem"].str.contains("1 judged turns for a dialogue of 2").sum() == 1
    assert found.advice[:2] == [
        "ask the model again for the answers that are missing",
        "write null for turns that were not judged, or a 'turn' key in every entry",
    ]
    assert found.loaded[1:] == (
        "answers: 1 of 1 model, 1 dialogues",
        "scores: 7 of 1 model, 1 dialogues, 7 missing",
    )
    clean = validate_files(files / "b.json")
    assert clean.problems.empty
    assert clean.advice == []


def run(*arguments, env=None):
    command = [sys.executable, "-m", "mmdu_analysis.cli", "validate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def test_the_command_prints_kinds_and_what_to_do(files):
    parts = ["--answers", files / "a", "--scores", files / "s"]
    done = run(files / "b.json", *parts, "--format", "json")
    assert done.returncode == 1, done.stderr
    kinds = json.loads(done.stdout)
    assert sum(kind["count"] for kind in kinds) == 3
    assert {kind["dialog_id"] for kind in kinds} == {"1", None}
    assert (
        done.stderr.splitlines()[-1] == "mmdu: - the rest is loaded unchanged; list every problem with --all"
    )
    assert "mmdu: 3 problems of 3 kinds; what to do:" in done.stderr
    every = run(files / "b.json", *parts, "--format", "json", "--all")
    assert [set(row) for row in json.loads(every.stdout)] == [
        {"file", "where", "dialog_id", "turn", "problem"}
    ] * 3


def test_the_command_without_problems_and_without_data(files):
    done = run(files / "b.json")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "mmdu: no problems"
    done = run()
    assert done.returncode == 2
    assert done.stderr.startswith("mmdu: nothing to validate")
