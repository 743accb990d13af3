"""A server that misbehaves as servers do."""

from __future__ import annotations

import pytest
from chat_server import ChatServer, Fault, said, some_faults
from judging_tools import KEY, command, last, one_line_error, problems, texts

import mmdu_analysis as mmdu
from mmdu_analysis.schema import DataError


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
    with ChatServer(fault) as server:
        options = {"base_url": server.url, "history": "reference", "concurrency": 1}
        run = mmdu.answer(small, tmp_path / "a", "m", **options, return_run=True)
    [(turn, problem)] = problems(run.missing).items()
    assert turn == ("7", 2)
    assert problem.endswith("3 times")
    assert sum("compare" in last(body) for body in server.requests) == 3


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
    message = r"10 turns in a row failed, the last: HTTP 500.*continues"
    with ChatServer(lambda number, _: Fault(500)) as server, pytest.raises(DataError, match=message):
        mmdu.answer(sample_files / "benchmark.json", tmp_path / "a", "m", base_url=server.url, retries=0)
    assert len(server.requests) <= 14


def test_no_server_no_key_no_address(small, tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match=r"nothing answers at this address.*is the server running"):
        mmdu.answer(small, tmp_path / "a", "m", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(DataError, match=r"base_url: expected http://"):
        mmdu.answer(small, tmp_path / "a", "m", base_url="127.0.0.1/v1")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(DataError, match="no API key: set OPENAI_API_KEY"):
        mmdu.answer(small, tmp_path / "a", "m")
    with ChatServer() as server:  # a local server needs none
        assert len(mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)) == 7
