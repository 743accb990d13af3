"""What a dry run counts."""

from __future__ import annotations

import pytest
from chat_server import ChatServer
from judging_tools import texts

import mmdu_analysis as mmdu
from mmdu_analysis.judging.prompts import load_prompt


def test_a_dry_run_asks_nothing_and_counts(small, tmp_path):
    with ChatServer() as server:
        frame = mmdu.answer(
            small, tmp_path / "a", "m", base_url=server.url, dry_run=True, prompt_price=2, completion_price=8
        )
        assert not server.requests
        assert not (tmp_path / "a").exists()
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, limit=1)
        rest = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, dry_run=True)
    [value], [left] = frame.to_dict("records"), rest.to_dict("records")
    assert (value["requests"], left["requests"], left["turns_done"]) == (7, 4, 3)
    tokens = lambda text: int(mmdu.count_tokens([text])[0])  # noqa: E731
    prompt = completion = 0
    for key, part in small.turns.groupby("dialog_id"):
        read = 0
        for row in part.itertuples():
            read += tokens(row.question.replace("<ImageHere>", "")) + 471 * row.new_images
            prompt += read
            read += tokens(row.answer)
            completion += tokens(row.answer)
        assert key in small.dialogs.index
    assert value["completion_tokens"] == completion
    assert value["prompt_tokens"] == pytest.approx(prompt, rel=0.02)
    assert value["cost_usd"] == pytest.approx((2 * value["prompt_tokens"] + 8 * completion) / 1e6)


def test_a_dry_run_of_judging_counts_texts_pictures_and_repeats(small, answered, tmp_path):
    with ChatServer() as server:
        options = {"base_url": server.url, "dry_run": True, "repeat": 2}
        [whole] = mmdu.judge(small, answered, tmp_path / "s", "j", **options).to_dict("records")
        [bare] = mmdu.judge(small, answered, tmp_path / "s", "j", images="none", **options).to_dict("records")
    assert not server.requests
    assert whole["requests"] == 2 * 7
    n_pictures = (small.dialogs["n_turns"] * small.dialogs["n_images"]).sum()
    assert whole["prompt_tokens"] - bare["prompt_tokens"] == 2 * 471 * n_pictures
    prompt = load_prompt()
    given_answers = texts(mmdu.load_answers(answered))
    filled = [
        prompt.fill(row.question, row.answer, given_answers[row.dialog_id, row.turn])
        for row in small.turns.itertuples()
    ]
    assert bare["prompt_tokens"] == pytest.approx(2 * mmdu.count_tokens(filled).sum(), rel=0.02)
