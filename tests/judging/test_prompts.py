"""What the judge is told."""

from __future__ import annotations

import json
import re

import pytest
from chat_server import ChatServer, said
from judging_tools import texts

import mmdu_analysis as mmdu
from mmdu_analysis.judging.prompts import load_prompt
from mmdu_analysis.schema import DIMENSION_NAMES, DataError


def test_prompts_are_filled_without_formatting(tmp_path):
    file = tmp_path / "p.txt"
    file.write_text("{question}|{answer}|{other}{0}")
    prompt = load_prompt(file)
    assert prompt.fill("{answer}", None, "{question}{x!r}") == "{answer}|{question}{x!r}|{other}{0}"
    file.write_text("{question}")
    with pytest.raises(DataError, match=r"expected {question}, {reference} and {answer}"):
        load_prompt(file)
    with pytest.raises(DataError, match="no such file"):
        load_prompt(tmp_path / "none.txt")
    own = load_prompt()
    assert own.fill("Q?", "R.", "A.").count("A.") == 1
    assert all(re.search(rf'"{name}": n', own.template) for name in DIMENSION_NAMES)


def test_the_authors_prompt_is_put_together_as_their_script_does(small, answered, tmp_path):
    file = tmp_path / "authors.txt"
    file.write_text("Grade it. {'Creativity': 9, ..., 'Overall Score': 7}.\n\n")
    with ChatServer() as server:
        mmdu.judge(small, answered, tmp_path / "s", "j", base_url=server.url, prompt=file, images="none")
    system, user = next(body["messages"] for body in server.requests if "Go on." in said(body))
    answer = texts(mmdu.load_answers(answered))["9", 2]
    assert system == {"role": "system", "content": "You are a helpful assistant."}
    assert user["content"] == (
        file.read_text() + "[Question]\nGo on.\n\n[The Start of Reference Answer]\nReference 9, 2.\n"
        "[The End of Reference Answer]\n\n[The Start of Assistant’s Answer]\n"
        f"{answer}\n[The End of Assistant’s Answer]"
    )
    assert (
        "only if that is its prompt and the judge is GPT-4o"
        in json.loads((tmp_path / "s" / "run.json").read_text())["comparable"]
    )
