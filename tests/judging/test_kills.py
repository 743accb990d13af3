"""Runs that are killed: what is left loads, and the run continues to the undisturbed result."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
import warnings

import kill_targets
import pytest
from builders import ROOT
from chat_server import ChatServer
from judging_tools import command, part_of_the_sample, start

import mmdu_analysis as mmdu

N_DIALOGS, N_TURNS = 4, 4


class Killer:
    """Runs a command in forks and kills them; one server, one undisturbed result."""

    def __init__(self, command, folder, server):
        self.command, self.folder, self.server = command, folder, server
        self.data = folder / "benchmark.json"
        self.data.write_text(json.dumps([self._record(key) for key in range(N_DIALOGS)]))
        self.answers = folder / "answers" / "NAME"
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["kill_warm"])
        if command == "judge":
            mmdu.answer(self.data, self.answers, "m", base_url=server.url, progress=False)
        self.whole = self.start("whole")
        self.whole.join()
        self.operations = int((folder / "count").read_text())
        self.result = self.load("whole")
        self.files = self.published("whole")
        assert len(self.files) == N_DIALOGS
        assert len(self.result) == N_DIALOGS * N_TURNS

    @staticmethod
    def _record(key):
        talk = []
        for turn in range(N_TURNS):
            talk.append({"from": "user", "value": f"Question {key}, {turn}?"})
            talk.append({"from": "assistant", "value": "A reference."})
        return {"id": key, "image": [], "conversations": talk}

    def out(self, name):
        return self.folder / name / "NAME"

    def start(self, name, kill_at=0):
        arguments = [self.command, self.data, self.server.url, self.out(name), self.answers, kill_at]
        count = "" if kill_at else self.folder / "count"
        process = self.context.Process(target=kill_targets.run, args=(*map(_plain, arguments), str(count)))
        process.start()
        return process

    def load(self, name):
        """Dialogue and turn -> answer, or all scores."""
        load = mmdu.load_answers if self.command == "answer" else mmdu.load_scores
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            frame = load(self.out(name))
        value = "answer" if self.command == "answer" else "score"
        found = {}
        for row in frame.itertuples():
            found.setdefault((row.dialog_id, int(row.turn)), []).append(getattr(row, value))
        return found

    def published(self, name):
        files = self.out(name).glob("*.json")
        return {file.name: json.loads(file.read_text()) for file in files if file.name != "run.json"}

    def check_part(self, name):
        """What a kill left is a part of the undisturbed result: whole dialogues, and nothing else."""
        published = self.published(name) if self.out(name).exists() else {}
        assert all(self.files[file] == value for file, value in published.items())
        if published:
            found = self.load(name)
            assert len(found) == N_TURNS * len(published)
            assert all(self.result[turn] == values for turn, values in found.items())

    def check_whole(self, name):
        """The next run ends in exactly the undisturbed result, and leaves nothing else."""
        process = self.start(name)
        process.join()
        assert process.exitcode == 0
        assert self.published(name) == self.files
        assert self.load(name) == self.result
        others = {file.name for file in self.out(name).iterdir()} - set(self.files)
        assert others == {".lock", "run.json"}
        run = json.loads((self.out(name) / "run.json").read_text())
        assert run["turns_done"] == N_DIALOGS * N_TURNS


def _plain(value):
    return value if isinstance(value, int | str) else str(value)


@pytest.fixture(params=["answer", "judge"])
def killer(request, tmp_path, monkeypatch):
    # The process that is forked imports the targets once; it finds modules by the environment only.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT / "tests", ROOT))))
    with ChatServer(delay=0.002) as server:
        yield Killer(request.param, tmp_path, server)


@pytest.mark.slow
def test_fifty_kills_at_operations_on_files_lose_and_spoil_nothing(killer):
    """Kills before each of the opens, renames and removals of a run, spread over all of them."""
    for number in range(50):
        name = f"forced-{number}"
        kill_at = 1 + number * (killer.operations - 1) // 50
        process = killer.start(name, kill_at)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        killer.check_part(name)
        killer.check_whole(name)


@pytest.mark.slow
def test_fifty_kills_at_random_moments_lose_and_spoil_nothing(killer):
    """Ten runs that are killed five times each; no turn is asked twice but those that were at the server."""
    rng = random.Random(killer.command)
    for number in range(10):
        name = f"random-{number}"
        asked = len(killer.server.requests)
        for _ in range(5):
            before = len(killer.server.requests)
            process = killer.start(name)
            target = before + rng.randint(0, N_DIALOGS * N_TURNS // 5)
            while len(killer.server.requests) < target and process.is_alive():
                time.sleep(0.001)
            time.sleep(rng.random() * 0.02)
            process.kill()
            process.join()
            killer.check_part(name)
        killer.check_whole(name)
        assert len(killer.server.requests) - asked <= N_DIALOGS * N_TURNS + 5 * 3


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
