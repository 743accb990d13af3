"""What a model is asked, what is kept of its answers, and what is reported as lost."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace

import pandas as pd
import pytest
from chat_server import (
    CUT_IN_THINKING,
    DRAFT,
    THINKING,
    ChatServer,
    Fault,
    limited_to,
    reply_to,
    said,
    thinks,
)
from judging_tools import command, last, problems, run_file, texts
from PIL import Image

import mmdu_analysis as mmdu
from mmdu_analysis.schema import DataError, ProblemWarning


def test_conversations_are_as_the_paper_asks_them(small, tmp_path):
    with ChatServer() as server:
        frame = mmdu.answer(small, tmp_path / "answers" / "NAME", "m", base_url=server.url)
    assert set(frame["model"]) == {"NAME"}
    assert len(server.requests) == len(frame) == 7
    assert frame["n_lost_images"].eq(0).all()
    asked = [body for body in server.requests if "What is it?" in said(body)]
    assert [len(body["messages"]) for body in asked] == [1, 3, 5]
    last = asked[-1]["messages"]
    assert [message["role"] for message in last] == ["user", "assistant"] * 2 + ["user"]
    found = texts(frame)
    assert [message["content"] for message in last[1::2]] == [found["7", 1], found["7", 2]]
    assert found["7", 3] == reply_to(asked[-1])
    first = last[0]["content"]
    assert [part["type"] for part in first] == ["text", "image_url", "text"]
    assert (first[0]["text"], first[2]["text"]) == ("Image1: ", ". What is it?")
    assert last[4]["content"] == "Sum up {answer}."
    assert all(body["temperature"] == 0 and body["model"] == "m" for body in server.requests)


def test_pictures_are_scaled_to_the_limit_or_sent_as_they_are(small, tmp_path):
    with ChatServer() as server:
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, image_side=1000)
    parts = [
        part
        for body in server.requests
        for message in body["messages"]
        if not isinstance(message["content"], str)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    sizes = set()
    for part in parts:
        head, _, data = part["image_url"]["url"].partition(";base64,")
        raw = base64.b64decode(data)
        with Image.open(io.BytesIO(raw)) as picture:
            assert head == f"data:{Image.MIME[picture.format]}"
            sizes.add(picture.size)
        if picture.size == (60, 40):
            assert raw == (small.folder / "a.png").read_bytes()
    assert sizes == {(60, 40), (1000, 333), (50, 50), (30, 30)}


@pytest.mark.parametrize(
    ("history", "before"), [("reference", ["Reference 7, 1.", "Reference 7, 2."]), ("none", [])]
)
def test_other_histories(small, tmp_path, history, before):
    with ChatServer() as server:
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, history=history)
    last = next(body["messages"] for body in server.requests if "Sum up" in said(body))
    assert [message["content"] for message in last if message["role"] == "assistant"] == before
    if history == "none":
        parts = last[0]["content"]
        assert [part.get("text", "picture") for part in parts] == [
            "Image1: ", "picture", "\nImage2: ", "picture", "\nSum up {answer}."
        ]  # fmt: skip


def test_missing_pictures_stop_the_run_or_are_told(small, tmp_path):
    images = small.images.copy()
    images.loc[images["path"] == "c.png", ["path", "width", "height"]] = ["gone.png", None, None]
    bench = replace(small, images=images)
    with ChatServer() as server:
        with pytest.raises(
            DataError, match=r"1 of 4 pictures are missing.*gone.png.*missing_pictures='tell'"
        ):
            mmdu.answer(bench, tmp_path / "a", "m", base_url=server.url)
        assert not server.requests
        mmdu.answer(bench, tmp_path / "a", "m", base_url=server.url, missing_pictures="tell")
    assert run_file(tmp_path / "a")["pictures_missing"] == 1
    assert any("[Image1 is not available]" in said(body) for body in server.requests)


def test_pictures_without_places_come_first_with_their_names(small, tmp_path):
    """As in a file whose pictures are those that the question names, under their own numbers."""
    talk = [{"from": "user", "value": "Compare Image2 and Image5."}, {"from": "assistant", "value": "Both."}]
    record = {"id": 1, "image": ["a.png", "c.png"], "image_inds": [2, 5], "conversations": talk}
    (small.folder / "unplaced.json").write_text(json.dumps([record]))
    with ChatServer() as server:
        mmdu.answer(small.folder / "unplaced.json", tmp_path / "a", "m", base_url=server.url)
    [part] = [body["messages"][0]["content"] for body in server.requests]
    assert [p.get("text", "picture") for p in part] == [
        "Image2: ", "picture", "\nImage5: ", "picture", "\nCompare Image2 and Image5."
    ]  # fmt: skip
    [estimate] = mmdu.answer(small.folder / "unplaced.json", tmp_path / "b", "m", dry_run=True).to_dict(
        "records"
    )
    assert estimate["prompt_tokens"] == 2 * 471 + mmdu.count_tokens([talk[0]["value"]])[0]


def test_files_are_the_authors_and_know_every_turn(small, tmp_path):
    out = tmp_path / "NAME"
    with ChatServer() as server:
        mmdu.answer(small, out, "m", base_url=server.url)
    assert sorted(path.name for path in out.iterdir()) == [".lock", "7.json", "9.json", "run.json", "x.json"]
    record = json.loads((out / "7.json").read_text())
    assert (record["id"], record["image"]) == (7, ["a.png", "b.jpg"])
    talk = record["conversations"]
    assert [said["from"] for said in talk] == ["user", "assistant"] * 3
    assert [said["value"] for said in talk[::2]] == small.turns.query("dialog_id == '7'")["question"].tolist()
    assert [said["turn"] for said in talk[1::2]] == [1, 2, 3]
    run = run_file(out)
    usage = [0, 0]
    for body in server.requests:
        usage = [usage[0] + len(said(body).split()), usage[1] + len(reply_to(body).split())]
    assert list(run["usage"].values()) == usage
    assert (run["turns"], run["turns_done"], run["history"]) == (7, 7, "own")
    assert (run["finish_reasons"], run["missing"], run["data"]) == ({"stop": 7}, [], "benchmark")
    assert run["versions"]["openai"]
    assert run["runs"][0]["ended"] >= run["runs"][0]["started"]


def test_turns_are_known_where_others_are_missing(small, tmp_path):
    def fault(number, body):
        return Fault(400, {"error": {"message": "bad"}}) if "compare" in said(body) else None

    out = tmp_path / "NAME"
    with ChatServer(fault) as server:
        run = mmdu.answer(small, out, "m", base_url=server.url, history="none", return_run=True)
    frame = run.table
    expected = [("7", 1), ("7", 3), ("x", 1), ("x", 2), ("9", 1), ("9", 2)]
    assert sorted(texts(frame)) == sorted(expected)
    assert sorted(texts(mmdu.load_answers(out, strict=True))) == sorted(expected)
    assert problems(run.missing) == {("7", 2): "HTTP 400: bad"}
    assert run_file(out)["missing"] == ["dialogue 7, turn 2: HTTP 400: bad"]
    with ChatServer() as server:
        again = mmdu.answer(small, out, "m", base_url=server.url, history="none")
    assert len(server.requests) == 1
    assert len(again) == 7


def test_a_turn_that_fails_ends_its_dialogue_where_answers_are_context(small, tmp_path):
    def fault(number, body):
        return Fault(400, {"error": {"message": "bad"}}) if "compare" in said(body) else None

    with ChatServer(fault) as server, pytest.warns(ProblemWarning, match=r"2 problems.*HTTP 400: bad"):
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
    with ChatServer(fault) as server:
        run = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, return_run=True)
    assert problems(run.missing) == {
        ("7", 2): "HTTP 400: bad",
        ("7", 3): "not asked: an earlier turn has no answer",
    }


def test_replies_that_are_cut_or_empty_are_reported(small, tmp_path):
    def fault(number, body):
        if "Go on" in last(body):
            return Fault(text="  ", usage={"prompt_tokens": 1000, "completion_tokens": 1})
        return Fault(text="A cut", finish="length") if "Which is older" in last(body) else None

    with ChatServer(fault) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a"
        )
    assert done.returncode == 1
    assert "1 answers were truncated at the token limit" in done.stderr
    assert "dialogue x, turn 2: the reply was truncated at the token limit" in done.stderr
    assert "dialogue 9, turn 2: the reply is empty (finish_reason 'stop')" in done.stderr
    found = texts(mmdu.load_answers(tmp_path / "a", strict=True))
    assert found["x", 2] == "A cut"
    assert ("9", 2) not in found
    run = run_file(tmp_path / "a")
    assert (run["turns_done"], run["turns_cut"]) == (6, 1)
    assert run["usage"]["prompt_tokens"] > 1000


def test_a_context_too_long_drops_the_oldest_pictures_and_says_so(small, tmp_path):
    with ChatServer(limited_to(1)) as server:
        run = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, return_run=True)
    missing = problems(run.missing)
    assert list(missing) == [("x", 1), ("x", 2)]
    assert "At most 1 image(s)" in missing["x", 1]
    assert problems(run.degraded) == dict.fromkeys([("7", 2), ("7", 3)], "1 picture was left out")
    lost = run.table.set_index(["dialog_id", "turn"])["n_lost_images"]
    assert lost.to_dict() == {("7", 1): 0, ("7", 2): 1, ("7", 3): 1, ("9", 1): 0, ("9", 2): 0}
    assert run_file(tmp_path / "a")["turns_with_lost_pictures"] == 2
    talk = json.loads((tmp_path / "a" / "7.json").read_text())["conversations"]
    assert [entry.get("left_out_images") for entry in talk[1::2]] == [None, [1], [1]]
    last = next(body for body in server.requests[::-1] if "Sum up" in said(body))
    assert "[Image1 is no longer shown]" in said(last)
    refused = server.statuses[400]
    assert refused == 1 + 1  # once in dialogue 7, which remembers; once in x
    with ChatServer(limited_to(1)) as server, pytest.warns(ProblemWarning):
        frame = mmdu.answer(small, tmp_path / "b", "m", base_url=server.url, overflow="stop")
    assert sorted(texts(frame)) == [("7", 1), ("9", 1), ("9", 2)]


def test_what_was_left_out_is_remembered_by_the_next_run(small, tmp_path):
    fault = limited_to(1)
    stop = lambda number, body: Fault(400) if "Sum up" in said(body) else fault(number, body)  # noqa: E731
    with ChatServer(stop) as server, pytest.warns(ProblemWarning):
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, limit=1)
    with ChatServer(fault) as server, pytest.warns(ProblemWarning, match="1 picture was left out"):
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, limit=1)
    assert (len(server.requests), server.statuses[400]) == (1, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"concurrency": 0}, {"retries": -1}, {"timeout": 0}, {"limit": 0}, {"history": "all"}, {"overflow": "x"},
        {"missing_pictures": "y"}, {"parameters": {"stop": {1}}}, {"parameters": {"top_p": float("nan")}},
    ],
)  # fmt: skip
def test_arguments_that_make_no_sense_are_refused(small, tmp_path, wrong):
    with pytest.raises(DataError, match=next(iter(wrong)).replace("_", ".")):
        mmdu.answer(small, tmp_path / "a", "m", base_url="http://127.0.0.1:9", **wrong)
    assert not (tmp_path / "a").exists()


def test_the_command_ends_with_1_and_the_list(small, tmp_path):
    fault = lambda number, body: Fault(500) if "Go on" in said(body) else None  # noqa: E731
    with ChatServer(fault) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a",
            "--retries", 1, "--prompt-price", 1, "--completion-price", 1e6,
        )  # fmt: skip
        assert done.returncode == 1
        assert "1 turns are missing; the same command asks them again" in done.stderr
        assert "  dialogue 9, turn 2: HTTP 500, asked 2 times: no" in done.stderr
        usage = run_file(tmp_path / "a")["usage"]
        cost = usage["prompt_tokens"] / 1e6 + usage["completion_tokens"]
        assert f"6 of 7 turns, {sum(usage.values()):,} tokens, ${cost:.2f}" in done.stdout
        assert done.stderr.count("Go on") == 0
        server.fault = lambda number, body: None
        before = len(server.requests)
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a"
        )
        assert (done.returncode, len(server.requests)) == (0, before + 1)


# Models that think


@pytest.mark.parametrize("form", THINKING)
def test_a_thinking_model_gives_the_answers_of_one_that_does_not(small, tmp_path, form):
    """The thinking is kept, and is part of no answer, no history and no judgement."""
    with ChatServer() as server:
        plain = mmdu.answer(small, tmp_path / "plain" / "NAME", "m", base_url=server.url)
        scores = mmdu.judge(small, plain, tmp_path / "s1" / "NAME", "j", base_url=server.url)
    with ChatServer(reply=thinks(form)) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m",
            "--out", tmp_path / "thinks" / "NAME",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "7 replies had a thinking part" in done.stderr
        again = mmdu.judge(
            small, tmp_path / "thinks" / "NAME", tmp_path / "s2" / "NAME", "j", base_url=server.url
        )
        assert not any(DRAFT in said(body) for body in server.requests)
    found = mmdu.load_answers(tmp_path / "thinks" / "NAME", strict=True)
    assert texts(found) == texts(plain)
    pd.testing.assert_series_equal(again["score"], scores["score"])
    talk = json.loads((tmp_path / "thinks" / "NAME" / "7.json").read_text())["conversations"]
    assert [message.get("thinking") for message in talk] == [None, DRAFT] * 3
    assert run_file(tmp_path / "thinks" / "NAME")["turns_with_thinking"] == 7
    assert run_file(tmp_path / "s2" / "NAME")["turns_with_thinking"] == 7


@pytest.mark.parametrize("form", CUT_IN_THINKING)
def test_an_answer_that_was_cut_inside_its_thinking_is_missing(small, tmp_path, form):
    def fault(number, body):
        usage = {"prompt_tokens": 5000, "completion_tokens": 50}
        cut = Fault(message=CUT_IN_THINKING[form], finish="length", usage=usage)
        return cut if "compare" in last(body) else None

    with ChatServer(fault) as server:
        run = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, return_run=True)
    missing = problems(run.missing)
    assert "ends inside its thinking, before any answer (finish_reason 'length')" in missing["7", 2]
    assert missing["7", 3] == "not asked: an earlier turn has no answer"
    assert ("7", 2) not in texts(run.table)
    assert run.info["usage"]["prompt_tokens"] > 5000  # it was paid for
    assert json.loads((tmp_path / "a" / "7.json").read_text())["failed"][0]["thinking"] == DRAFT
    with ChatServer() as server:
        whole = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, return_run=True)
    assert len(server.requests) == 2
    assert len(whole.table) == 7
    assert whole.info["usage"]["prompt_tokens"] > 5000


def test_a_cut_reply_of_a_model_without_opening_marker_is_missing(small, tmp_path):
    """The opening marker is in the model's template: what was cut looks like an answer."""

    def fault(number, body):
        return Fault(text="Is it a cat? Or", finish="length") if "compare" in last(body) else None

    with ChatServer(fault, reply=thinks("closing tag")) as server:
        run = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, concurrency=1, return_run=True)
    assert "ends inside its thinking" in problems(run.missing)["7", 2]


def test_a_model_that_only_thinks_is_given_up(sample_files, tmp_path):
    fault = Fault(message=CUT_IN_THINKING["field"], finish="length")
    with ChatServer(lambda number, body: fault) as server:
        with pytest.raises(DataError, match=r"10 consecutive turns failed.*ends inside its thinking"):
            mmdu.answer(sample_files / "benchmark.json", tmp_path / "a", "m", base_url=server.url)
        asked = len(server.requests)
        assert asked <= 14
        with pytest.raises(DataError):
            mmdu.answer(sample_files / "benchmark.json", tmp_path / "a", "m", base_url=server.url)
    counted = run_file(tmp_path / "a")["usage"]["completion_tokens"]
    assert counted == sum(len(reply_to(body).split()) for body in server.requests)


def test_the_command_ends_with_1_and_the_list_where_pictures_were_lost(small, tmp_path):
    with ChatServer(limited_to(2)) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "b"
        )
    assert done.returncode == 0
    with ChatServer(limited_to(1)) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a"
        )
        assert done.returncode == 1
        assert "warning: 2 turns lost pictures (n_lost_images in the results)" in done.stderr
        assert "dialogue 7, turns 2-3: 1 picture was left out" in done.stderr
        answers = mmdu.load_answers(tmp_path / "a", strict=True)  # as a later session does
        options = {"base_url": server.url, "images": "none", "return_run": True}
        scores = mmdu.judge(small, answers, tmp_path / "s", "j", **options).table
    lost = scores.drop_duplicates(["dialog_id", "turn"]).set_index(["dialog_id", "turn"])["n_lost_images"]
    assert lost.to_dict() == {
        ("7", 1): 0,
        ("7", 2): 1,
        ("7", 3): 1,
        ("9", 1): 0,
        ("9", 2): 0,
        ("x", 1): 0,
        ("x", 2): 0,
    }
    again = mmdu.load_scores(tmp_path / "s", benchmark=small, return_problems=True)[0]
    assert again["n_lost_images"].sum() == scores["n_lost_images"].sum() == 2 * 7
    answers.to_csv(tmp_path / "answers.csv", index=False)
    assert mmdu.load_answers(tmp_path / "answers.csv")["n_lost_images"].sum() == 2
    again.to_csv(tmp_path / "scores.csv", index=False)
    assert mmdu.load_scores(tmp_path / "scores.csv", return_problems=True)[0]["n_lost_images"].sum() == 2 * 7
    kept = mmdu.summarize_scores(scores[scores["n_lost_images"] == 0])
    assert kept["n_turns"].eq(3).all()


def test_text_of_a_server_is_one_clean_line_on_the_terminal(small, tmp_path):
    hostile = "\x1b]0;title\x07\x1b[2Jgone\r\nmmdu: 7 of 7 turns\u202e\u2028" + "x" * 5000

    def fault(number, body):
        return Fault(400, {"error": {"message": hostile}}) if "Go on" in last(body) else None

    with ChatServer(fault) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a"
        )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert all(line.isprintable() and len(line) <= 420 for line in lines), lines
    assert not any(line.startswith("mmdu: 7 of 7") for line in lines)
    assert "HTTP 400: ]0;title [2Jgone mmdu: 7 of 7" in done.stderr
