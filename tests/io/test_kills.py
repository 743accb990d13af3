"""Copies, notes, ratings and reviews that are killed while they are written: what was complete is there, and no more."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
import warnings
from dataclasses import replace
from statistics import median

import kill_targets
import pytest
from builders import ROOT, record

from mmdu_analysis import DataError, load_benchmark
from mmdu_analysis.browser.notes import Notes
from mmdu_analysis.building.review_log import ReviewLog
from mmdu_analysis.io.ratings_log import read_ratings
from mmdu_analysis.schema import MMDU

PARTS = ("dialogs", "turns", "images", "problems", "forms")


class Forks:
    """Starts targets in forks of a process that has imported everything."""

    def __init__(self):
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["kill_warm"])

    def start(self, target, *arguments, kill_at=0):
        """Return the process and the end of the pipe on which it tells how far it is."""
        told, tell = self.context.Pipe(duplex=False)
        process = self.context.Process(target=target, args=(*arguments, tell, kill_at))
        process.start()
        tell.close()
        return process, told


@pytest.fixture
def forks(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT / "tests", ROOT))))
    return Forks()


def heard(told):
    """Everything that a process has told before its end."""
    found = []
    try:
        while True:
            found.append(told.recv())
    except EOFError:
        told.close()
        return found


def killed(process):
    process.join()
    return process.exitcode == -signal.SIGKILL


# --- copies


class Copies:
    """Two benchmarks with the same ids and other texts, and the folder that holds a copy of one of them."""

    def __init__(self, folder, forks):
        self.forks, self.folder = forks, str(folder / "copy")
        self.sources, self.frames, self.holds = {}, {}, "first"
        for name, size in (("first", 60), ("second", 90)):
            records = [record(key) for key in range(size)]
            for one in records:
                one["conversations"][1]["value"] = f"{name}, {one['id']}"
            (folder / f"{name}.json").write_text(json.dumps(records))
            load_benchmark(folder / f"{name}.json").to_parquet(folder / name)
            self.sources[name] = str(folder / name)
            self.frames[name] = load_benchmark(folder / name)

    def start(self, name, kill_at=0):
        """Begin to write a copy; return when it has begun."""
        process, told = self.forks.start(kill_targets.copy, self.sources[name], self.folder, kill_at=kill_at)
        assert told.recv() == 0
        return process, told

    def found(self):
        """Which of the two the folder holds, with each cell; anything else fails."""
        loaded = load_benchmark(self.folder)
        same = [
            name
            for name, bench in self.frames.items()
            if all(getattr(loaded, part).equals(getattr(bench, part)) for part in PARTS)
        ]
        assert len(same) == 1, loaded
        self.holds = same[0]
        return self.holds

    def other(self):
        """Return the one that the folder did not hold when it was read last."""
        return "second" if self.holds == "first" else "first"

    def check_end(self):
        """The next copy is written as always, and nothing of the killed ones stays."""
        name = self.other()
        process, told = self.start(name)
        (operations,) = heard(told)
        process.join()
        assert process.exitcode == 0
        assert self.found() == name
        assert sorted(path.split("-")[0] for path in os.listdir(self.folder)) == [
            ".lock",
            "benchmark.meta.json",
            *sorted(PARTS),
        ]
        return operations


@pytest.fixture
def copies(tmp_path, forks):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = Copies(tmp_path, forks)
        made.frames["first"].to_parquet(made.folder)
        yield made


def test_fifty_kills_at_operations_on_files_leave_the_old_copy_or_the_new_one(copies):
    operations = copies.check_end()
    ends = []
    for number in range(50):
        name = copies.other()
        process, _ = copies.start(name, 1 + number % operations)
        assert killed(process)
        ends.append("new" if copies.found() == name else "old")
    assert operations >= 20
    assert set(ends) == {"old", "new"}
    copies.check_end()


def test_fifty_kills_at_random_moments_leave_the_old_copy_or_the_new_one(copies):
    rng, seconds, kills = random.Random(1), [], 0
    for name in ("second", "first") * 3:
        process, told = copies.start(name)
        start = time.perf_counter()
        told.recv()
        seconds.append(time.perf_counter() - start)
        process.join()
    while kills < 50:
        name = copies.other()
        process, _ = copies.start(name)
        time.sleep(rng.random() * median(seconds))
        process.kill()
        if killed(process):
            kills += 1
            copies.found()
        else:
            assert copies.found() == name
    copies.check_end()


def test_a_first_copy_that_is_killed_is_none_or_the_whole_one(tmp_path, copies):
    copies.folder = str(tmp_path / "measured")
    process, told = copies.start("second")
    (operations,) = heard(told)
    process.join()
    ends = []
    for kill_at in range(1, operations + 1):
        copies.folder = str(tmp_path / f"new-{kill_at}")
        process, _ = copies.start("second", kill_at)
        assert killed(process)
        try:
            ends.append(copies.found())
        except DataError:
            ends.append("none")
        copies.frames["second"].to_parquet(copies.folder)
        assert copies.found() == "second"
    assert set(ends) == {"none", "second"}


# --- logs of what people write


class Log:
    """A file of notes, ratings or reviews, and what it holds after the first n entries."""

    def __init__(self, kind, folder, forks):
        self.kind, self.forks = kind, forks
        self.path = str(folder / ("review.jsonl" if kind == "reviews" else "log.jsonl"))
        self.written = 0

    def expected(self, count):
        values = {}
        for number in range(count):
            dialog_id, turn, value = kill_targets.entry(number)
            values.pop((dialog_id, turn), None)
            if value is not None or self.kind == "reviews":
                values[dialog_id, turn] = value
        return values

    def found(self):
        """Read what counts; lines that can't be read are the beginnings of lines, and cost no other line."""
        if self.kind == "notes":
            notes = Notes(self.path, "b")
            assert all(entry["tags"] == ["x"] for entry in notes.entries.values())
            found = {key: int(entry["note"].partition(":")[0]) for key, entry in notes.entries.items()}
            texts = [kill_targets.text_of(value) for value in found.values()]
            assert texts == [entry["note"] for entry in notes.entries.values()]
            return found, notes.problems
        if self.kind == "ratings":
            ratings, problems = read_ratings(kill_targets.Path(self.path), replace(MMDU, scale=(0, 10**9)))
            return {(r.dialog_id, r.turn): int(r.score) for r in ratings}, problems
        log = ReviewLog(kill_targets.Path(self.path).parent)
        values = {(e.dialog_id, e.turn): None if e.answer == "None" else int(e.answer) for e in log.events}
        return values, log.problems

    def kill(self, kill_at=0, seconds=0.0):
        """Write entries until the kill, and compare: those confirmed, and at most the one that was being written."""
        process, told = self.forks.start(
            kill_targets.append, self.kind, self.path, self.written, kill_at=kill_at
        )
        if not kill_at:
            first = told.recv()
            time.sleep(seconds)
            process.kill()
        assert killed(process)
        numbers = heard(told) if kill_at else [first, *heard(told)]
        confirmed = self.written + len(numbers)
        assert numbers == list(range(self.written, confirmed))
        found, problems = self.found()
        assert found in (self.expected(confirmed), self.expected(confirmed + 1))
        self.written = confirmed + (found != self.expected(confirmed))
        return problems


@pytest.fixture(params=["notes", "ratings", "reviews"])
def log(request, tmp_path, forks):
    return Log(request.param, tmp_path, forks)


def test_fifty_kills_at_operations_lose_nothing_that_was_confirmed(log):
    problems = [len(log.kill(kill_at=1 + number)) for number in range(50)]
    assert log.written > 100
    assert 3 <= problems[-1] <= 50  # the first halves of lines


def test_fifty_kills_at_random_moments_lose_nothing_that_was_confirmed(log):
    rng = random.Random(log.kind)
    for _ in range(50):
        log.kill(seconds=rng.random() * 0.01)
    assert log.written > 100
