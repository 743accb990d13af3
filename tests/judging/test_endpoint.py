"""A server that misbehaves as servers do."""

from __future__ import annotations

import gzip
import re
import time
import tracemalloc
import zlib

import httpx2
import pytest
from chat_server import STALL, ChatServer, Fault, refusing, said, some_faults
from judging_tools import KEY, command, last, one_line_error, problems, run_file, texts

import mmdu_analysis as mmdu
from mmdu_analysis.judging.address import parse_address
from mmdu_analysis.judging.transport import ReplyTooLargeError, bounded_client, inflate
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
    message = r"10 consecutive turns failed, the last: HTTP 500.*continues"
    with ChatServer(lambda number, _: Fault(500)) as server, pytest.raises(DataError, match=message):
        mmdu.answer(sample_files / "benchmark.json", tmp_path / "a", "m", base_url=server.url, retries=0)
    assert len(server.requests) <= 14


def test_no_server_no_key_no_address(small, tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match=r"no server answers at this address.*is the server running"):
        mmdu.answer(small, tmp_path / "a", "m", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(DataError, match=r"base_url: expected http://"):
        mmdu.answer(small, tmp_path / "a", "m", base_url="127.0.0.1/v1")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(DataError, match="no API key: set OPENAI_API_KEY"):
        mmdu.answer(small, tmp_path / "a", "m")
    with ChatServer() as server:  # a local server needs none
        assert len(mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)) == 7


# Redirects, proxies


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused_in_one_line_that_names_both_hosts(small, tmp_path, status):
    with ChatServer() as other:
        location = f"http://127.0.0.1:{other.port}/v1/chat/completions?key=secret"
        with ChatServer(lambda number, body: Fault(status, "x", {"Location": location})) as server:
            done = command(
                "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a"
            )  # fmt: skip
    one_line_error(done, f"127.0.0.1:{server.port}", f"redirects to 127.0.0.1:{other.port};", "not followed")
    assert "secret" not in done.stderr
    assert not other.requests
    assert not other.gets
    assert len(server.requests) <= 4


def test_the_host_of_a_redirect_never_shows_the_key(small, tmp_path, monkeypatch):
    key = "abcdefghij1234567890"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    location = {"Location": f"https://{key}.example.org/v1"}
    with ChatServer(lambda number, body: Fault(307, "x", location)) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a"
        )  # fmt: skip
    one_line_error(done, "redirects to", "example.org", "not followed")
    assert key not in done.stderr


def test_a_server_on_this_machine_is_never_asked_through_a_proxy(small, tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with ChatServer() as server:
        for host in ("127.0.0.1", "localhost"):
            url = f"http://{host}:{server.port}/v1"
            assert len(mmdu.answer(small, tmp_path / host, "m", base_url=url)) == 7
    assert parse_address("http://example.org/v1").proxy == "http://127.0.0.1:9"
    loopback = ("http://127.8.9.1/v1", "http://[::1]:80/v1", "http://LOCALHOST./v1", "https://a.localhost/v1")
    assert [parse_address(url).proxy for url in loopback] == [None] * 4


# Replies without end


@pytest.mark.parametrize("flow", ["drip", "drip-head"])
def test_a_dripping_reply_ends_at_the_deadline(small, tmp_path, flow):
    fault = lambda number, body: Fault(flow=flow) if "Go on" in last(body) else None  # noqa: E731
    with ChatServer(fault) as server:
        started = time.monotonic()
        options = {"base_url": server.url, "timeout": 0.6, "retries": 1, "return_run": True}
        run = mmdu.answer(small, tmp_path / "a", "m", **options)
        assert time.monotonic() - started < 6
        assert server.statuses[flow] == 2
    assert problems(run.missing) == {("9", 2): "no complete reply within 0.6 s, asked 2 times"}


def test_a_byte_in_between_does_not_postpone_the_deadline():
    with ChatServer(lambda *_: Fault(flow="stall")) as server:
        address = parse_address(server.url)
        started = time.monotonic()
        with bounded_client(address, STALL + 0.2, lambda _: None, lambda _: None) as client:
            with pytest.raises(httpx2.ReadTimeout):
                client.post(f"{server.url}/chat/completions", content=b'{"messages": []}')
            assert time.monotonic() - started < 2 * STALL  # a time-out of each read ends at 2 * STALL + 0.2


@pytest.mark.parametrize("flow", ["endless", "endless-head", "bomb"])
def test_a_reply_without_end_is_cut_at_the_limit(small, tmp_path, flow):
    fault = lambda number, body: Fault(flow=flow) if "Go on" in last(body) else None  # noqa: E731
    tracemalloc.start()
    try:
        with ChatServer(fault) as server:
            options = {"base_url": server.url, "timeout": 20, "retries": 0, "return_run": True}
            run = mmdu.answer(small, tmp_path / "a", "m", **options)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    [(turn, problem)] = problems(run.missing).items()
    assert turn == ("9", 2)
    assert re.search(r"too large \(more than 8 MB|the connection failed \(.*(too|maximum|large)", problem)
    assert peak < 80 << 20
    assert len(run.table) == 6


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate", "identity"])
def test_compressed_replies_are_read(encoding):
    data = b"x" * 100_000
    packed = {
        "gzip": gzip.compress(data),
        "deflate": zlib.compress(data),
        "raw deflate": zlib.compress(data)[2:-4],
        "identity": data,
    }[encoding]
    name = encoding.removeprefix("raw ")
    assert inflate(packed, name, 100_000) == data
    if encoding != "identity":
        with pytest.raises(ReplyTooLargeError):
            inflate(packed, name, 99_999)
        assert inflate(b"damaged", name, 100_000) == b"damaged"


# Parameters that a server refuses


def test_refused_parameters_are_replaced_and_reported_once(small, tmp_path):
    asked = {"max_tokens": 100}
    with ChatServer(refusing("max_tokens", "temperature")) as server:
        done = command(
            "answer", "--data", small.path, "--base-url", server.url, "--model", "m", "--out", tmp_path / "a",
            "--parameter", "max_tokens=100",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("doesn't accept max_tokens, max_completion_tokens is sent instead") == 1
    assert done.stderr.count("doesn't accept temperature, it is not sent") == 1
    served = [body for body in server.requests if not {"max_tokens", "temperature"} & set(body)]
    assert len(served) == 7
    assert all(body["max_completion_tokens"] == asked["max_tokens"] for body in served)
    assert len(server.requests) <= 7 + 2 * 4  # each thread may learn it for itself once
    run = run_file(tmp_path / "a")
    assert len(run["notes"]) == 2
    assert run["parameters"] == {"temperature": 0, "max_tokens": 100}


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
        "'max_tokens' must be less than the maximum length of 4096 tokens",
    ],
)
def test_a_message_about_max_tokens_is_not_a_context_that_is_too_long(small, tmp_path, message):
    def fault(number, body):
        return Fault(400, {"error": {"message": message}}) if "Sum up" in last(body) else None

    with ChatServer(fault) as server:
        run = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, return_run=True)
    assert problems(run.missing) == {("7", 3): f"HTTP 400: {message}"}
    assert len(server.requests) == 7
    assert run.table["n_lost_images"].eq(0).all()


def test_a_server_with_bad_counts_loses_no_reply(small, tmp_path):
    usages = iter(
        ["x", {"prompt_tokens": "5"}, {"prompt_tokens": -1, "completion_tokens": 1e300}, [1], 3, {}, "y"]
    )
    with ChatServer(lambda number, body: Fault(usage=next(usages))) as server:
        frame = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
    assert len(frame) == 7
    assert run_file(tmp_path / "a")["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}


def test_garbled_replies_that_count_tokens_are_paid_for(small, tmp_path):
    fault = lambda number, body: (  # noqa: E731
        Fault(body={"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 10}})
        if "Go on" in last(body)
        else Fault(usage={"prompt_tokens": 1, "completion_tokens": 1})
    )
    with ChatServer(fault) as server:
        run = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, return_run=True)
        assert run.info["usage"] == {"prompt_tokens": 3006, "completion_tokens": 36}
        server.fault = lambda number, body: Fault(usage={"prompt_tokens": 1, "completion_tokens": 1})
        run = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, return_run=True)
    assert run.info["usage"] == {"prompt_tokens": 3007, "completion_tokens": 37}
    assert len(run.missing) == 0
