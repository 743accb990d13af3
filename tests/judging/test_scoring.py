"""Scores are those of the replies, whatever the judge; what cannot be read is reported, not guessed."""

from __future__ import annotations

import json
import random

import pandas as pd
import pytest
from chat_server import (
    ChatServer,
    Fault,
    reply_to,
    said,
)
from judging_tools import command, problems, run_file, texts

import mmdu_analysis as mmdu
from mmdu_analysis.judging.prompts import OWN_PROMPT, load_prompt
from mmdu_analysis.schema import DIMENSION_NAMES, DataError, ProblemWarning


def test_scores_are_those_of_the_replies(small, answered, tmp_path):
    out = tmp_path / "scores" / "NAME"
    with ChatServer() as server:
        frame = mmdu.judge(small, answered, out, "judge-1", base_url=server.url)
    assert len(server.requests) == 7
    assert (set(frame["model"]), set(frame["judge"])) == ({"NAME"}, {"judge-1"})
    given_answers = texts(mmdu.load_answers(answered))
    for body in server.requests:
        text = said(body)
        scores = json.loads(reply_to(body).splitlines()[-1])
        [key] = [key for key, answer in given_answers.items() if f"\n{answer}\n" in text]
        row = small.turns.set_index(["dialog_id", "turn"]).loc[key]
        assert row["question"] in text
        assert row["answer"] in text
        part = frame.query("dialog_id == @key[0] and turn == @key[1]").set_index("dimension")["score"]
        assert part.to_dict() == scores
        n_pictures = int(small.dialogs.loc[key[0], "n_images"])
        content = body["messages"][-1]["content"]
        assert (len(content) - 1 if isinstance(content, list) else 0) == n_pictures
    again = [
        mmdu.parse_judge_reply(reply).scores
        for reply in frame.drop_duplicates(["dialog_id", "turn"])["reason"]
    ]
    assert again == [part.set_index("dimension")["score"].to_dict() for _, part in frame.groupby(["dialog_id", "turn"], sort=False)]  # fmt: skip
    run = run_file(out)
    assert (run["prompt"], run["answers_of"], run["model"]) == (OWN_PROMPT, "NAME", "judge-1")
    assert run["prompt_sha256"] == load_prompt().sha256
    assert "not the paper's prompt" in run["comparable"]


def test_a_judgement_that_can_t_be_read_is_asked_again_then_reported(small, answered, tmp_path):
    out = tmp_path / "NAME"
    garbled = Fault(text="I'd rather not. {'Creativity': 7, 'Richness': 12}")
    fault = lambda number, body: garbled if "Go on" in said(body) else None  # noqa: E731
    with ChatServer(fault) as server:
        done = command(
            "judge", "--data", small.path, "--answers", answered, "--base-url", server.url, "--model", "j",
            "--out", out, "--attempts", 2,
        )  # fmt: skip
    assert done.returncode == 1
    assert sum("Go on" in said(body) for body in server.requests) == 2
    assert "dialogue 9, turn 2: Richness is 12, outside 0-10; Visual Perception is missing" in done.stderr
    assert "not the paper's prompt" in done.stderr
    with pytest.warns(ProblemWarning):
        frame = mmdu.load_scores(out, benchmark=small)
    part = frame.query("dialog_id == '9' and turn == 2").set_index("dimension")["score"]
    assert part["Creativity"] == 7
    assert part.isna().sum() == 6
    with ChatServer() as server:
        frame = mmdu.judge(small, answered, out, "j", base_url=server.url)
    assert len(server.requests) == 1
    assert frame["score"].notna().all()


def test_a_kept_reply_is_read_again_before_it_is_asked_again(small, answered, tmp_path):
    """As when a later version of the parser knows more."""
    out = tmp_path / "NAME"
    with ChatServer() as server:
        frame = mmdu.judge(small, answered, out, "j", base_url=server.url)
        entries = json.loads((out / "9.json").read_text())
        entries[1] = {k: v for k, v in entries[1].items() if k not in DIMENSION_NAMES} | {"problem": "unread"}
        (out / "9.json").write_text(json.dumps(entries))
        again = mmdu.judge(small, answered, out, "j", base_url=server.url, return_run=True)
    assert len(server.requests) == 7
    assert len(again.missing) == 0
    assert frame["score"].notna().all()


def test_an_answer_that_changed_is_judged_again(small, answered, tmp_path, caplog):
    out = tmp_path / "NAME"
    answers = mmdu.load_answers(answered)
    with ChatServer() as server:
        mmdu.judge(small, answers, out, "j", base_url=server.url)
        answers.loc[answers["dialog_id"] == "x", "answer"] = "Another."
        mmdu.judge(small, answers, out, "j", base_url=server.url)
    assert len(server.requests) == 7 + 2
    assert "2 turns have changed since" in caplog.text


def test_repeats_tell_the_judges_own_variance(small, answered, tmp_path):
    out, rng = tmp_path / "NAME", random.Random(0)

    def reply(body):
        return str({name: rng.randint(3, 8) for name in DIMENSION_NAMES})

    with ChatServer(reply=reply) as server:
        once = mmdu.judge(small, answered, out, "j", base_url=server.url)
        thrice = mmdu.judge(small, answered, out, "j", base_url=server.url, repeat=3)
    assert len(server.requests) == 7 * 3  # the first judgements count
    assert "repeat" not in once
    assert thrice.groupby(["dialog_id", "turn", "dimension"]).size().eq(3).all()
    kept = thrice.query("repeat == 1").drop(columns="repeat").reset_index(drop=True)
    pd.testing.assert_frame_equal(kept[once.columns], once, check_like=True)
    summary = mmdu.summarize_scores(thrice)
    assert summary["n_turns"].tolist() == [7] * 7
    assert (summary["se_judge"] > 0).all()
    assert mmdu.judge_variance(thrice)["n_repeats"].round(9).eq(3).all()


def test_turns_without_an_answer_are_named(small, answered, tmp_path):
    answers = mmdu.load_answers(answered).query("turn != 2")
    with ChatServer() as server:
        run = mmdu.judge(small, answers, tmp_path / "s", "j", base_url=server.url, return_run=True)
    assert len(server.requests) == 4
    assert list(problems(run.missing)) == [(key, 2) for key in ("7", "x", "9")]
    two = pd.concat([answers, answers.assign(model="other")])
    with pytest.raises(DataError, match="expected those of one model"):
        mmdu.judge(small, two, tmp_path / "t", "j")
    with pytest.raises(DataError, match="none of the answers belongs"):
        mmdu.judge(small, answers.assign(dialog_id="z"), tmp_path / "t", "j")


def test_nothing_in_a_reply_is_executed(small, tmp_path, monkeypatch):
    hostile = "__import__('os').system('touch hit') {{7*7}} ${{HOME}} =cmd|' /C calc'!A0 \0 \ud800 </script>"
    monkeypatch.chdir(tmp_path)
    with ChatServer(reply=lambda body: hostile) as server:
        frame = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
        with pytest.raises(DataError, match=r"no turn has a result.*the reply begins"):
            mmdu.judge(small, tmp_path / "a", tmp_path / "s", "j", base_url=server.url, attempts=1)
    kept = json.loads((tmp_path / "s" / "9.json").read_text())
    assert [entry["reason"] for entry in kept] == [hostile.replace("\ud800", "\ufffd")] * 2
    assert set(frame["answer"]) == {hostile.replace("\ud800", "\ufffd")}
    assert not (tmp_path / "hit").exists()


def test_the_real_benchmark_from_answers_to_a_row(real, shared, tmp_path):
    """Three real dialogues, real pictures, a made-up model and judge; the model's row in the figures."""
    bench = real.select(real.dialogs.index[:3])
    with ChatServer() as server:
        answers = mmdu.answer(
            bench, tmp_path / "NAME", "m", base_url=server.url, missing_pictures="tell", image_side=256
        )
        scores = mmdu.judge(
            bench, answers, tmp_path / "scores" / "NAME", "j", base_url=server.url, missing_pictures="tell"
        )
    assert len(answers) == len(bench.turns)
    assert len(scores) == 7 * len(bench.turns)
    summary = mmdu.summarize_scores(scores)
    assert summary["n_turns"].eq(len(bench.turns)).all()
    assert mmdu.score_table(summary)["model"].tolist() == ["NAME"]
