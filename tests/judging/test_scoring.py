"""Scores are those of the replies, whatever the judge; what cannot be read is reported, not guessed."""

from __future__ import annotations

import json
import random

import pandas as pd
import pytest
from chat_server import (
    CUT_IN_THINKING,
    DRAFT,
    THINKING,
    ChatServer,
    Fault,
    nested_verdict,
    refusing,
    reply_to,
    said,
    thinks,
)
from judging_tools import command, one_line_error, part_of_the_sample, problems, run_file, texts

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


# Judges of other habits


@pytest.mark.parametrize("form", [*THINKING, "nested"])
def test_a_judge_that_thinks_or_nests_gives_the_same_scores(small, answered, tmp_path, form):
    with ChatServer() as server:
        plain = mmdu.judge(small, answered, tmp_path / "a" / "NAME", "j", base_url=server.url)
    reply = nested_verdict if form == "nested" else thinks(form)
    with ChatServer(reply=reply) as server:
        found = mmdu.judge(small, answered, tmp_path / "b" / "NAME", "j", base_url=server.url)
    assert len(server.requests) == 7
    keys = ["dialog_id", "turn", "dimension", "score"]
    pd.testing.assert_frame_equal(found[keys], plain[keys])
    assert not found["reason"].str.contains("draft").any()


@pytest.mark.parametrize("form", CUT_IN_THINKING)
def test_a_judgement_that_was_cut_inside_its_thinking_has_no_scores(small, answered, tmp_path, form):
    cut = Fault(message=CUT_IN_THINKING[form], finish="length")
    with ChatServer(lambda number, body: cut if "Go on" in said(body) else None) as server:
        run = mmdu.judge(small, answered, tmp_path / "s", "j", base_url=server.url, return_run=True)
    assert problems(run.missing) == {("9", 2): "the reply ends inside its thinking (finish_reason 'length')"}
    part = run.table.query("dialog_id == '9' and turn == 2")
    assert part["score"].notna().sum() == 0


@pytest.mark.parametrize("reply", ["I like it.", "", "<think>hm", "Creativity 2 of 3 images", "[[[[" * 500])
def test_a_judge_that_is_never_readable_is_given_up_after_ten_replies(sample_files, tmp_path, reply):
    answers = sample_files / "answers" / "open-A"
    out = tmp_path / "s"
    with ChatServer(reply=lambda body: reply) as server:
        done = command(
            "judge", "--data", sample_files / "benchmark.json", "--answers", answers, "--base-url", server.url,
            "--model", "j", "--out", out, "--images", "none",
        )  # fmt: skip
    assert 10 <= len(server.requests) <= 10 + 4
    one_line_error(done, "consecutive replies could not be read")
    if reply.strip().startswith("I like"):
        assert "the reply begins: 'I like it.'" in done.stderr
    usage = run_file(out)["usage"]
    assert usage["prompt_tokens"] == sum(len(said(body).split()) for body in server.requests)


def test_unreadable_replies_between_readable_ones_do_not_end_the_run(sample_files, tmp_path):
    data, n_turns = part_of_the_sample(sample_files)

    def fault(number, body):
        return Fault(text="I like it.") if number % 3 else None

    with ChatServer(fault) as server:
        run = mmdu.judge(
            data, sample_files / "answers" / "open-A", tmp_path / "s", "j", base_url=server.url, images="none",
            attempts=20, concurrency=1, return_run=True,
        )  # fmt: skip
    assert len(run.missing) == 0
    assert len(server.requests) >= 2 * n_turns
    assert run.info["usage"]["prompt_tokens"] == sum(len(said(body).split()) for body in server.requests)


# Structured output


def structured(body):
    """A server that keeps to the schema, as real ones do."""
    schema = body["response_format"]["json_schema"]["schema"]
    scores = json.loads(reply_to(body).splitlines()[-1])
    assert schema["required"] == ["Explanation", *scores]
    return json.dumps({"Explanation": "7 of 10 would give Creativity: 2.", **scores})


def test_structured_output_gives_the_same_scores(small, answered, tmp_path):
    with ChatServer() as server:
        plain = mmdu.judge(small, answered, tmp_path / "a" / "NAME", "j", base_url=server.url)
    out = tmp_path / "b" / "NAME"
    with ChatServer(reply=structured) as server:
        done = command(
            "judge", "--data", small.path, "--answers", answered, "--base-url", server.url, "--model", "j",
            "--out", out, "--json",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = mmdu.load_scores(out, benchmark=small)
    assert found["score"].tolist() == plain["score"].tolist()
    assert run_file(out)["structured"] is True
    [form] = {json.dumps(body["response_format"]) for body in server.requests}
    assert json.loads(form)["json_schema"]["strict"] is True


def test_a_server_without_structured_output_is_asked_for_text_with_a_note(small, answered, tmp_path):
    with ChatServer(refusing("response_format", "temperature")) as server:
        done = command(
            "judge", "--data", small.path, "--answers", answered, "--base-url", server.url, "--model", "j",
            "--out", tmp_path / "s", "--json",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("doesn't accept response_format, it is not sent") == 1
    notes = run_file(tmp_path / "s")["notes"]
    assert len(notes) == 2
    assert mmdu.load_scores(tmp_path / "s", benchmark=small)["score"].notna().all()


# Answers as people have them


def test_thinking_in_answers_of_other_programs_is_not_judged(small, tmp_path):
    answers = pd.DataFrame(
        {
            "model": "M",
            "dialog_id": ["9", "9", "x", "x"],
            "turn": [1, 2, 1, 2],
            "answer": [
                f"<think>{DRAFT}</think>A story.",
                f"{DRAFT}</think>It goes on.",
                "<think>cut",
                "<think>a</think> ",
            ],
        }
    )
    with ChatServer() as server:
        run = mmdu.judge(small, answers, tmp_path / "s", "j", base_url=server.url, return_run=True)
    assert len(server.requests) == 2
    assert not any(DRAFT in said(body) for body in server.requests)
    assert {"A story.", "It goes on."} <= {
        line for body in server.requests for line in said(body).splitlines()
    }
    missing = problems(run.missing)
    assert missing["x", 1] == "the answer was truncated inside its thinking part"
    assert missing["x", 2] == "the answer is empty"
    assert missing["7", 1] == "there is no answer to judge"


def test_only_pictures_of_answered_dialogues_must_exist(real, tmp_path):
    answers = real.turns.assign(model="m", answer="yes")[["model", "dialog_id", "turn", "answer"]]
    complete = answers.loc[answers["dialog_id"].isin(["0", "1"])]
    assert mmdu.judge(real, complete, tmp_path / "a", "j", dry_run=True)["requests"].item() > 0
    lost = answers.loc[answers["dialog_id"].isin(["0", "48"])]
    with pytest.raises(DataError, match=r"1 of \d+ pictures are missing, the first: dialogue 48"):
        mmdu.judge(real, lost, tmp_path / "b", "j", dry_run=True)
