"""Answers and judging, against a server on loopback that misbehaves as servers do."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from chat_server import ChatServer, Fault, reply_to, said, some_faults
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import mmdu_analysis as mmdu
from mmdu_analysis.cli.judging import list_missing
from mmdu_analysis.judging.folder import RunFolder, key_of
from mmdu_analysis.judging.messages import question_content
from mmdu_analysis.judging.prompts import OWN_PROMPT, load_prompt
from mmdu_analysis.schema import DIMENSION_NAMES, DataError, DataWarning, Problem

KEY = "sk-very-secret-0123456789"
MMDU = str(Path(sys.executable).with_name("mmdu"))


@pytest.fixture(autouse=True)
def _own_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two dialogues with two pictures each, one of them large, and one dialogue without any."""
    folder = tmp_path_factory.mktemp("small")
    for name, size in (
        ("a.png", (60, 40)),
        ("b.jpg", (3000, 1000)),
        ("c.png", (50, 50)),
        ("d.png", (30, 30)),
    ):
        Image.new("RGB", size, (name[0] == "a" and "red") or "blue").save(folder / name)
    talks = {
        7: [
            "Image1: <ImageHere>. What is it?",
            "Image2: <ImageHere> and Image1, compare.",
            "Sum up {answer}.",
        ],
        "x": ["Image1: <ImageHere>. Image2: <ImageHere>. Differences?", "Which is older?"],
        9: ["Tell a story.", "Go on."],
    }
    pictures = {7: ["a.png", "b.jpg"], "x": ["c.png", "d.png"], 9: []}
    records = []
    for key, questions in talks.items():
        talk = []
        for turn, question in enumerate(questions, 1):
            talk.append({"from": "user", "value": question})
            talk.append({"from": "assistant", "value": f"Reference {key}, {turn}."})
        records.append({"id": key, "image": pictures[key], "conversations": talk})
    (folder / "benchmark.json").write_text(json.dumps(records))
    return mmdu.load_benchmark(folder / "benchmark.json")


def texts(frame):
    return {(row.dialog_id, row.turn): row.answer for row in frame.itertuples()}


def last(body):
    """The question that is asked."""
    return said({"messages": body["messages"][-1:]})


def run_file(folder):
    return json.loads((folder / "run.json").read_text())


def command(*arguments):
    return subprocess.run([MMDU, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def one_line_error(done, *words):
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("mmdu: ")
    for word in words:
        assert word in lines[0]


# What is sent


def test_conversations_are_as_the_paper_asks_them(small, tmp_path):
    with ChatServer() as server:
        frame = mmdu.answer(small, tmp_path / "answers" / "NAME", "m", base_url=server.url)
    assert set(frame["model"]) == {"NAME"}
    assert len(server.requests) == len(frame) == 7
    assert frame.attrs["problems"] == ()
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


@given(st.lists(st.text(alphabet="ab \n", max_size=5), min_size=1, max_size=6), st.integers(0, 7))
def test_every_picture_and_every_character_is_sent_once(pieces, n_images):
    """Placeholders without a picture vanish, pictures without a placeholder come first."""
    images = list(range(1, n_images + 1))
    content = question_content("<ImageHere>".join(pieces), images, lambda image: [image])
    if isinstance(content, str):
        assert not n_images
        assert content == "".join(pieces)
        return
    assert [part[0] for part in content if isinstance(part, list)] == images[: max(len(pieces) - 1, n_images)]
    said_here = "".join(part["text"] for part in content if isinstance(part, dict))
    spare = max(0, n_images - len(pieces) + 1)
    assert said_here == "".join(f"Image{n}: \n" for n in images[:spare]) + "".join(pieces)


def test_missing_pictures_stop_the_run_or_are_told(small, tmp_path):
    images = small.images.copy()
    images.loc[images["path"] == "c.png", ["path", "width", "height"]] = ["gone.png", None, None]
    bench = replace(small, images=images)
    with ChatServer() as server:
        with pytest.raises(
            DataError, match=r"1 of 4 pictures can't be had.*gone.png.*--missing-pictures tell"
        ):
            mmdu.answer(bench, tmp_path / "a", "m", base_url=server.url)
        assert not server.requests
        frame = mmdu.answer(bench, tmp_path / "a", "m", base_url=server.url, missing_pictures="tell")
    assert frame.attrs["run"]["pictures_missing"] == 1
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


# Files


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
    with ChatServer(fault) as server, pytest.warns(DataWarning, match="missing"):
        frame = mmdu.answer(small, out, "m", base_url=server.url, history="none")
    expected = [("7", 1), ("7", 3), ("x", 1), ("x", 2), ("9", 1), ("9", 2)]
    assert sorted(texts(frame)) == sorted(expected)
    assert sorted(texts(mmdu.load_answers(out, strict=True))) == sorted(expected)
    [problem] = frame.attrs["missing"]
    assert (problem.where, problem.problem) == ("dialogue 7, turn 2", "HTTP 400: bad")
    assert run_file(out)["missing"] == ["dialogue 7, turn 2: HTTP 400: bad"]
    with ChatServer() as server:
        again = mmdu.answer(small, out, "m", base_url=server.url, history="none")
    assert len(server.requests) == 1
    assert len(again) == 7


def test_a_turn_that_fails_ends_its_dialogue_where_answers_are_context(small, tmp_path):
    def fault(number, body):
        return Fault(400, {"error": {"message": "bad"}}) if "compare" in said(body) else None

    with ChatServer(fault) as server, pytest.warns(DataWarning):
        frame = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
    missing = {problem.where: problem.problem for problem in frame.attrs["missing"]}
    assert missing == {
        "dialogue 7, turn 2": "HTTP 400: bad",
        "dialogue 7, turn 3": "not asked: a turn before it has no answer",
    }


@pytest.mark.parametrize("other", [{"history": "none"}, {"image_side": 500}, {"parameters": {"top_p": 1}}])
def test_a_folder_belongs_to_one_run(small, tmp_path, other):
    with ChatServer() as server:
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
        with pytest.raises(DataError, match=r"this run has .*, asked for was .*give another --out"):
            mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, **other)
        with pytest.raises(DataError, match="model"):
            mmdu.answer(small, tmp_path / "a", "n", base_url=server.url)
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "1.json").write_text("[]")
        with pytest.raises(DataError, match="holds files of no run"):
            mmdu.answer(small, tmp_path / "b", "m", base_url=server.url)
        assert len(server.requests) == 7


def test_a_run_without_a_reply_binds_nobody(small, tmp_path):
    with ChatServer(lambda number, body: Fault(404) if body["model"] == "typo" else None) as server:
        with pytest.raises(DataError, match="no model 'typo'"):
            mmdu.answer(small, tmp_path / "a", "typo", base_url=server.url)
        frame = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
    assert len(frame) == 7
    assert run_file(tmp_path / "a")["model"] == "m"


@pytest.mark.parametrize("key", ["../up", "a/b", "run", "", "a\0b", "x" * 300])
def test_ids_that_lead_elsewhere_are_refused(small, tmp_path, key):
    bench = replace(
        small,
        dialogs=small.dialogs.rename(index={"9": key}),
        turns=small.turns.assign(dialog_id=small.turns["dialog_id"].replace("9", key)),
        forms=None,
    )
    with ChatServer() as server, pytest.raises(DataError, match="can't be the name of a file"):
        mmdu.answer(bench, tmp_path / "a", "m", base_url=server.url)
    assert not server.requests


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


def test_replies_that_are_cut_or_empty_are_told(small, tmp_path):
    empty = {"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}
    with ChatServer(lambda number, body: Fault(body=empty) if "Go on" in said(body) else None) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a"
        )
    assert done.returncode == 0
    assert "1 replies were cut at the limit of tokens" in done.stderr
    assert "1 replies are empty" in done.stderr
    assert texts(mmdu.load_answers(tmp_path / "a"))["9", 2] == ""


def test_two_runs_at_once_are_refused(small, tmp_path):
    with ChatServer(delay=0.2) as server:
        first = threading.Thread(
            target=mmdu.answer, args=(small, tmp_path / "a", "m"), kwargs={"base_url": server.url}
        )
        first.start()
        while not server.requests:
            time.sleep(0.01)
        with pytest.raises(DataError, match="another run writes into it"):
            mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
        first.join()
    assert len(server.requests) == 7


def journal(folder):
    found = RunFolder(folder, {"command": "x"}, lambda _, entries: entries, list)
    found.open(["1"])
    return found


@given(st.integers(0, 400), st.integers(1, 5))
@settings(max_examples=60)
def test_a_journal_cut_anywhere_keeps_its_whole_lines(tmp_path_factory, place, number):
    folder = tmp_path_factory.mktemp("journal")

    first = journal(folder)
    first.write_run({})
    lines = [{"turn": turn, "answer": f"ä{turn}"} for turn in range(1, number + 1)]
    for line in lines:
        first.append("1", line)
    part = folder / "1.json.part"
    first._parts.pop("1").close()
    first._lock.release()
    raw = part.read_bytes()
    part.write_bytes(raw[: min(place, len(raw))])
    second = journal(folder)
    whole = raw[: min(place, len(raw))].count(b"\n")
    kept = sorted(second.entries["1"])
    assert kept in ([(t, 1) for t in range(1, whole + 1)], [(t, 1) for t in range(1, whole + 2)])
    for line in lines:
        if key_of(line) not in second.entries["1"]:
            second.append("1", line)
    second.close()
    assert json.loads((folder / "1.json").read_text()) == lines
    assert not part.exists()


def test_a_disk_that_fills_is_told_and_keeps_what_was_there(tmp_path):
    class Full(io.FileIO):
        def write(self, data):
            return super().write(data[:5])

    first = journal(tmp_path)
    first.write_run({})
    first.append("1", {"turn": 1, "answer": "kept"})
    first._parts.pop("1").close()
    first._parts["1"] = Full(tmp_path / "1.json.part", "ab")
    with pytest.raises(DataError, match=r"No space left on device.*free space and go on"):
        first.append("1", {"turn": 2, "answer": "lost"})
    first._lock.release()
    second = journal(tmp_path)
    assert list(second.entries["1"]) == [(1, 1)]
    second.append("1", {"turn": 2, "answer": "again"})
    second.close()
    assert [entry["answer"] for entry in json.loads((tmp_path / "1.json").read_text())] == ["kept", "again"]


# Faults


@pytest.mark.parametrize("seed", [0, 1])
def test_all_turns_in_the_end_whatever_the_server_does(small, tmp_path, seed):
    with ChatServer() as server:
        undisturbed = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
    with ChatServer(some_faults(seed, share=0.4)) as server:
        found = mmdu.answer(small, tmp_path / "b", "m", base_url=server.url, concurrency=3)
        scores = mmdu.judge(small, tmp_path / "b", tmp_path / "s", "j", base_url=server.url, concurrency=3)
    assert texts(found) == texts(undisturbed)
    assert scores["score"].notna().all()
    assert len(scores) == 7 * 7
    assert len(server.requests) > 2 * 7 + 3  # it did misbehave


def test_retry_after_is_obeyed(small, tmp_path):
    fault = lambda number, body: Fault(429, headers={"Retry-After": "1.2"}) if number == 1 else None  # noqa: E731
    with ChatServer(fault) as server:
        frame = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, concurrency=1, limit=1)
    texts_of = [said(body) for body in server.requests]
    again = texts_of.index(texts_of[0], 1)
    assert server.arrived[again] - server.arrived[0] >= 1.2
    assert len(frame) == 3


def test_slow_replies_are_asked_again(small, tmp_path):
    fault = lambda number, body: Fault(delay=3) if number == 1 else None  # noqa: E731
    with ChatServer(fault) as server:
        frame = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, timeout=0.5, limit=1)
    assert len(frame) == 3


def test_turns_that_never_come_are_named(small, tmp_path):
    """A reply that stays garbled is no answer, and no number is made up for it."""
    bad = ['{"choices": [{"mess', "<html>no</html>", {"choices": []}, {"error": {"message": "busy"}}]
    fault = lambda number, body: Fault(body=bad[number % 4]) if "compare" in last(body) else None  # noqa: E731
    with ChatServer(fault) as server, pytest.warns(DataWarning):
        frame = mmdu.answer(
            small, tmp_path / "a", "m", base_url=server.url, history="reference", concurrency=1
        )
    assert [problem.where for problem in frame.attrs["missing"]] == ["dialogue 7, turn 2"]
    assert frame.attrs["missing"][0].problem.endswith("3 times")
    assert sum("compare" in last(body) for body in server.requests) == 3


def test_the_command_ends_with_1_and_the_list(small, tmp_path):
    fault = lambda number, body: Fault(500) if "Go on" in said(body) else None  # noqa: E731
    with ChatServer(fault) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a",
            "--retries", 1, "--prompt-price", 1, "--completion-price", 1e6,
        )  # fmt: skip
        assert done.returncode == 1
        assert "1 turns are missing" in done.stderr
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


def test_missing_turns_are_listed_briefly():
    turns = ["1", "2", "3", "7", "9, judgement 2"]
    missing = [Problem("out", f"dialogue a, turn b, turn {turn}", "why") for turn in turns]
    missing.append(Problem("out", "dialogue 3, turn 1", "else"))
    lines = ["  dialogue a, turn b, turns 1-3, 7, 9, judgement 2: why", "  dialogue 3, turn 1: else"]
    assert list_missing(missing) == lines


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            401,
            {"error": {"message": f"Incorrect API key provided: {KEY}"}},
            ["refuses the API key", "OPENAI_API_KEY"],
        ),
        (404, {"error": {"message": "no such thing"}}, ["no model 'm'", "no such thing", "it has this-one"]),
        (400, {"error": {"message": "Invalid model name m"}}, ["no model 'm'"]),
        (403, {"error": {"message": f"key {KEY} may not"}}, ["refuses to serve", "[key] may not"]),
        (429, {"error": {"message": "quota", "code": "insufficient_quota"}}, ["refuses to serve: quota"]),
    ],
)
def test_what_can_t_succeed_stops_at_once_in_one_line(small, tmp_path, status, body, words):
    with ChatServer(lambda number, _: Fault(status, body)) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a",
            "--retries", 0,
        )  # fmt: skip
    one_line_error(done, *words)
    assert KEY not in done.stderr + done.stdout
    assert len(server.requests) <= 4


def test_a_server_that_fails_forever_is_given_up(sample_files, tmp_path):
    message = r"10 turns in a row failed, the last: HTTP 500.*goes on"
    with ChatServer(lambda number, _: Fault(500)) as server, pytest.raises(DataError, match=message):
        mmdu.answer(sample_files / "benchmark.json", tmp_path / "a", "m", base_url=server.url, retries=0)
    assert len(server.requests) <= 14


def test_no_server_no_key_no_address(small, tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match=r"nothing answers there.*is the server running"):
        mmdu.answer(small, tmp_path / "a", "m", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(DataError, match="expected http://"):
        mmdu.answer(small, tmp_path / "a", "m", base_url="127.0.0.1/v1")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(DataError, match="no API key: set OPENAI_API_KEY"):
        mmdu.answer(small, tmp_path / "a", "m")
    with ChatServer() as server:  # a local server needs none
        assert len(mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)) == 7


def limited(most):
    """A server that takes so many pictures in one request."""

    def fault(number, body):
        parts = [p for m in body["messages"] if isinstance(m["content"], list) for p in m["content"]]
        many = sum(part["type"] == "image_url" for part in parts)
        text = f"At most {most} image(s) may be provided in one request."
        return Fault(400, {"error": {"message": text}}) if many > most else None

    return fault


def test_a_context_too_long_drops_the_oldest_pictures_and_says_so(small, tmp_path):
    with ChatServer(limited(1)) as server, pytest.warns(DataWarning):
        frame = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
    assert [p.where for p in frame.attrs["missing"]] == ["dialogue x, turn 1", "dialogue x, turn 2"]
    assert "At most 1 image(s)" in frame.attrs["missing"][0].problem
    talk = json.loads((tmp_path / "a" / "7.json").read_text())["conversations"]
    assert [entry.get("left_out_images") for entry in talk[1::2]] == [None, [1], [1]]
    last = next(body for body in server.requests[::-1] if "Sum up" in said(body))
    assert "[Image1 is no longer shown]" in said(last)
    refused = server.statuses[400]
    assert refused == 1 + 1  # once in dialogue 7, which remembers; once in x
    with ChatServer(limited(1)) as server, pytest.warns(DataWarning):
        frame = mmdu.answer(small, tmp_path / "b", "m", base_url=server.url, overflow="stop")
    assert sorted(texts(frame)) == [("7", 1), ("9", 1), ("9", 2)]


def test_what_was_left_out_is_remembered_by_the_next_run(small, tmp_path):
    fault = limited(1)
    stop = lambda number, body: Fault(400) if "Sum up" in said(body) else fault(number, body)  # noqa: E731
    with ChatServer(stop) as server, pytest.warns(DataWarning):
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, limit=1)
    with ChatServer(fault) as server:
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, limit=1)
    assert (len(server.requests), server.statuses[400]) == (1, 0)


# Kills


def part_of_the_sample(sample_files, tmp_path, n_dialogs=16):
    bench = mmdu.load_benchmark(sample_files / "benchmark.json")
    path = sample_files / f"part{n_dialogs}.json"
    bench.select(bench.dialogs.index[:n_dialogs]).to_json(path)
    return path, int(bench.dialogs["n_turns"].iloc[:n_dialogs].sum())


def start(*arguments):
    return subprocess.Popen(
        [MMDU, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("name", ["answer", "judge"])
def test_killed_at_ten_random_moments_nothing_is_lost_or_paid_twice(sample_files, tmp_path, name):
    data, n_turns = part_of_the_sample(sample_files, tmp_path)
    rng, concurrency, kills = random.Random(name), 3, 10
    arguments = [name, "--data", data, "--model", "m", "--concurrency", concurrency]
    if name == "judge":
        arguments += ["--answers", sample_files / "answers" / "open-A", "--images", "none"]
    with ChatServer() as server:
        done = command(*arguments, "--base-url", server.url, "--out", tmp_path / "whole" / "NAME")
        assert done.returncode == 0, done.stderr
        assert len(server.requests) == n_turns
    out = tmp_path / "killed" / "NAME"
    with ChatServer(delay=0.03) as server:
        for _ in range(kills):
            before = len(server.requests)
            process = start(*arguments, "--base-url", server.url, "--out", out)
            target = before + rng.randint(0, n_turns // kills)
            while len(server.requests) < target and process.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.random() * 0.03)
            process.kill()
            process.communicate()
        done = command(*arguments, "--base-url", server.url, "--out", out)
        assert done.returncode == 0, done.stderr
    assert server.most_at_once <= concurrency + 1  # a killed run's requests end a moment after it
    assert len(server.requests) <= n_turns + kills * concurrency
    for file in sorted((tmp_path / "whole" / "NAME").glob("*.json")):
        if file.name != "run.json":
            assert json.loads((out / file.name).read_text()) == json.loads(file.read_text())
    assert not list(out.glob("*.part"))


def test_ctrl_c_ends_cleanly_and_the_command_goes_on(sample_files, tmp_path):
    data, n_turns = part_of_the_sample(sample_files, tmp_path)
    out = tmp_path / "NAME"
    arguments = ["answer", "--data", data, "--model", "m", "--concurrency", 3, "--out", out, "--base-url"]
    with ChatServer(delay=0.1) as server:
        process = start(*arguments, server.url)
        while len(server.requests) < 20:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "Traceback" not in told
        asked = len(server.requests)
        assert f"{asked:,} of {n_turns:,} turns are done; the same command goes on" in told
        assert len(mmdu.load_answers(out, strict=True)) == asked  # what was at the server was waited for
        server.delay = 0.0
        assert command(*arguments, server.url).returncode == 0
    assert len(server.requests) == n_turns


# Secrets


def test_the_key_reaches_the_server_and_nothing_else(small, tmp_path):
    with ChatServer(some_faults(3)) as server:
        address = server.url.replace("http://", "http://me:my-password@") + "?token=my-token"
        done = command(
            "answer", "--data", small.path, "--base-url", address, "--model", "m", "--out", tmp_path / "a"
        )
    assert done.returncode == 0, done.stderr
    assert f"Bearer {KEY}" in server.keys or any(key.startswith("Basic") for key in server.keys)
    written = [path.read_bytes() for path in (tmp_path / "a").iterdir()]
    for secret in (KEY, "my-password", "my-token"):
        assert secret not in done.stdout + done.stderr
        assert not any(secret.encode() in data for data in written)
    assert run_file(tmp_path / "a")["base_url"] == server.url


def test_a_parameter_that_looks_like_a_secret_is_refused(small, tmp_path):
    with pytest.raises(DataError, match="looks like a secret"):
        mmdu.answer(small, tmp_path / "a", "m", parameters={"api_key": KEY})
    with pytest.raises(DataError, match="set by the run itself"):
        mmdu.answer(small, tmp_path / "a", "m", parameters={"stream": True})
    one_line_error(
        command("answer", "--data", "sample", "--model", "m", "--out", tmp_path / "b", "--parameter", "x"),
        "expected NAME=VALUE",
    )


# Dry run


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


# Judging


@pytest.fixture(scope="module")
def answered(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("answers") / "NAME"
    with ChatServer() as server:
        mmdu.answer(small, out, "m", base_url=server.url)
    return out


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
    with pytest.warns(DataWarning):
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
        again = mmdu.judge(small, answered, out, "j", base_url=server.url)
    assert len(server.requests) == 7
    assert again.attrs["missing"] == ()
    assert frame["score"].notna().all()


def test_an_answer_that_changed_is_judged_again(small, answered, tmp_path, capsys):
    out = tmp_path / "NAME"
    answers = mmdu.load_answers(answered)
    with ChatServer() as server:
        mmdu.judge(small, answers, out, "j", base_url=server.url)
        answers.loc[answers["dialog_id"] == "x", "answer"] = "Another."
        mmdu.judge(small, answers, out, "j", base_url=server.url)
    assert len(server.requests) == 7 + 2
    assert "2 turns have changed since" in capsys.readouterr().err


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


def test_the_authors_prompt_is_put_together_as_their_script_does(small, answered, tmp_path):
    file = tmp_path / "authors.txt"
    file.write_text("Grade it. {'Creativity': 9, ..., 'Overall Score': 7}.\n\n")
    with ChatServer() as server:
        frame = mmdu.judge(
            small, answered, tmp_path / "s", "j", base_url=server.url, prompt=file, images="none"
        )
    system, user = next(body["messages"] for body in server.requests if "Go on." in said(body))
    answer = texts(mmdu.load_answers(answered))["9", 2]
    assert system == {"role": "system", "content": "You are a helpful assistant."}
    assert user["content"] == (
        file.read_text() + "[Question]\nGo on.\n\n[The Start of Reference Answer]\nReference 9, 2.\n"
        "[The End of Reference Answer]\n\n[The Start of Assistant’s Answer]\n"
        f"{answer}\n[The End of Assistant’s Answer]"
    )
    assert "only if that is its prompt and the judge is GPT-4o" in frame.attrs["run"]["comparable"]


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


def test_turns_without_an_answer_are_named(small, answered, tmp_path):
    answers = mmdu.load_answers(answered).query("turn != 2")
    with ChatServer() as server, pytest.warns(DataWarning):
        frame = mmdu.judge(small, answers, tmp_path / "s", "j", base_url=server.url)
    assert len(server.requests) == 4
    assert [p.where for p in frame.attrs["missing"]] == [f"dialogue {key}, turn 2" for key in ("7", "x", "9")]
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
        with pytest.raises(DataError, match="no usable score"):
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


@pytest.mark.parametrize("name", ["main_results", "dimension_heatmap", "dimension_radar", "turn_curves"])
def test_one_model_alone_has_room_in_the_figures(sample, name):
    scores = mmdu.sample_scores().query("model == 'open-A'")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = mmdu.draw_figure(name, bench=sample, scores=scores, access={"open-A": "open"})
        figure.savefig(io.BytesIO())


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
