"""Judging with other rubrics than that of MMDU."""

from __future__ import annotations

import json

import pytest
from chat_server import ChatServer, said
from judging_tools import command, run_file

import mmdu_analysis as mmdu
from mmdu_analysis.schema import DataError, Dimension, Rubric

GROUNDING = Rubric("grounding", (Dimension("Grounding", "G", ("groundedness",)),), (1.0, 5.0))
FOUR = Rubric(
    "four",
    tuple(Dimension(name, name[0]) for name in ("Alpha", "Beta", "Gamma", "Delta")),
    (0.0, 100.0),
    "Delta",
)


@pytest.mark.parametrize("rubric", [GROUNDING, FOUR], ids=lambda rubric: rubric.name)
@pytest.mark.parametrize("structured", [False, True])
def test_judging_with_another_rubric(small, answered, tmp_path, rubric, structured):
    low, high = rubric.scale

    def scores_of(body):
        seed = len(said(body))
        return {name: low + (seed + place) % (high - low) for place, name in enumerate(rubric.names)}

    def reply(body):
        assert ("response_format" in body) == structured
        text = said(body)
        assert all(f"- {name}" in text for name in rubric.names)
        assert f"from {low:g} (worst) to {high:g} (best)" in text
        return "Reasons.\n" * (not structured) + json.dumps(scores_of(body))

    with ChatServer(reply=reply) as server:
        frame = mmdu.judge(
            small, answered, tmp_path / "NAME", "j", base_url=server.url, rubric=rubric, structured=structured
        )
    assert len(server.requests) == 7
    assert set(frame["dimension"]) == set(rubric.names)
    expected = sorted(score for body in server.requests for score in scores_of(body).values())
    assert sorted(frame["score"]) == expected
    again = mmdu.load_scores(tmp_path / "NAME", benchmark=small, rubric=rubric)
    assert again["score"].tolist() == frame["score"].tolist()
    run = run_file(tmp_path / "NAME")
    assert run["rubric"]["dimensions"] == list(rubric.names)
    with ChatServer() as server, pytest.raises(DataError, match="this run has rubric"):
        mmdu.judge(small, answered, tmp_path / "NAME", "j", base_url=server.url)


def test_the_command_takes_a_rubric_file(small, answered, tmp_path):
    (tmp_path / "rubric.toml").write_text('name = "g"\nscale = [1, 5]\n[[dimensions]]\nname = "Grounding"\n')
    with ChatServer(reply=lambda body: '{"Grounding": 4}') as server:
        done = command(
            "judge", "--data", small.path, "--answers", answered, "--base-url", server.url, "--model", "j",
            "--out", tmp_path / "s", "--rubric", tmp_path / "rubric.toml",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "s" / "9.json").read_text())[0]["Grounding"] == 4


@pytest.mark.parametrize("name", ["Turn", "reason", "Usage", "judged-sha256", "explanation"])
def test_a_rubric_whose_dimension_is_a_field_of_the_files_is_refused(small, answered, tmp_path, name):
    rubric = Rubric("r", (Dimension(name, "X"),))
    with pytest.raises(DataError, match="is a field of the score files; rename it"):
        mmdu.judge(small, answered, tmp_path / "s", "j", rubric=rubric, base_url="http://127.0.0.1:9")
