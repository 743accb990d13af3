"""Runs that are killed: what is left loads, and the run continues to the undisturbed result."""

from __future__ import annotations

import json
import random
import signal
import time

import pytest
from chat_server import ChatServer
from judging_tools import command, part_of_the_sample, start

import mmdu_analysis as mmdu


@pytest.mark.parametrize("name", ["answer", "judge"])
def test_killed_at_ten_random_moments_nothing_is_lost_or_paid_twice(sample_files, tmp_path, name):
    data, n_turns = part_of_the_sample(sample_files)
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
    data, n_turns = part_of_the_sample(sample_files)
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
        assert f"{asked:,} of {n_turns:,} turns are done; the same command continues" in told
        assert len(mmdu.load_answers(out, strict=True)) == asked  # what was at the server was waited for
        server.delay = 0.0
        assert command(*arguments, server.url).returncode == 0
    assert len(server.requests) == n_turns
