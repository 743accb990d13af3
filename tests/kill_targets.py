"""What is killed, in forks of one process that has imported everything: runs, copies, and logs of what people write."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import tempfile
import warnings
from pathlib import Path

from mmdu_analysis.browser.notes import Notes
from mmdu_analysis.building.review_log import ReviewLog, new_event
from mmdu_analysis.io.benchmark import load_benchmark
from mmdu_analysis.io.ratings_log import Rating, append_ratings
from mmdu_analysis.judging.answering import answer
from mmdu_analysis.judging.scoring import judge
from mmdu_analysis.judging.stand_in import stand_in

_EVENTS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.chmod"})


def run(command, data, url, out, answers, kill_at=0, count=""):
    """Ask; end by SIGKILL at the n-th operation on a file in `out`, or write how many there were."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the rest of this process
    os.environ["OPENAI_API_KEY"] = "a-key-for-the-runs-that-are-killed"
    warnings.simplefilter("ignore")
    done = _end_at(out, kill_at)
    options = {"base_url": url, "concurrency": 3, "progress": False, "return_run": True}
    bench = load_benchmark(data)
    if command == "answer":
        answer(bench, out, "m", **options)
    else:
        judge(bench, answers, out, "j", images="none", **options)
    if count:
        with open(count, "w") as file:
            file.write(str(done[0]))


def _end_at(out, kill_at):
    """End by SIGKILL at the n-th operation on a file in `out`; return the list that counts them."""
    done = [0]

    def watch(event, arguments):
        if event in _EVENTS and str(arguments[0]).startswith(out):
            done[0] += 1
            if done[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    return done


def copy(source, out, told, kill_at=0):
    """Write a Parquet copy; tell when it begins, and how many operations on files there were."""
    warnings.simplefilter("ignore")
    bench = load_benchmark(source)
    told.send(0)
    done = _end_at(out, kill_at)
    bench.to_parquet(out)
    told.send(done[0])


def append(kind, path, first, told, kill_at=0):
    """Write one entry after the other into a log of people; tell each that is confirmed."""
    write = WRITERS[kind](path)
    if kill_at:
        _end_at_call(kill_at)
    for number in itertools.count(first):
        write(number)
        told.send(number)


def entry(number):
    """Return where the n-th entry of a log belongs, and its value; each sixth withdraws what is there."""
    return f"dialogue {number % 3}", number % 7 + 1, None if number % 6 == 5 else number


def _notes(path):
    notes = Notes(path, "b")

    def write(number):
        dialog_id, turn, value = entry(number)
        notes.put(dialog_id, turn, [] if value is None else ["x"], "" if value is None else text_of(value))

    return write


def _ratings(path):
    def write(number):
        dialog_id, turn, value = entry(number)
        append_ratings(Path(path), [Rating("anna", "m", dialog_id, turn, "Creativity", value)])

    return write


def _reviews(path):
    log = ReviewLog(Path(path).parent)

    def write(number):
        dialog_id, turn, value = entry(number)
        log.append(new_event("anna", "edit", dialog_id, turn, answer=str(value)))

    return write


WRITERS = {"notes": _notes, "ratings": _ratings, "reviews": _reviews}


def text_of(value):
    """Return a long note with what ends a line elsewhere."""
    return f"{value}: " + "a\nb\u2028c " * 50


def _end_at_call(kill_at):
    """End by SIGKILL at the n-th call that opens, locks, writes, synchronises or closes; a write is two halves."""
    import fcntl

    done = [0]

    def count():
        done[0] += 1
        if done[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(call):
        def wrapper(*arguments, **options):
            count()
            return call(*arguments, **options)

        return wrapper

    write = os.write

    def in_halves(handle, data):
        count()
        written = write(handle, data[: len(data) // 2])
        count()
        return written + write(handle, data[written:])

    os.write = in_halves
    for module, name in ((os, "open"), (os, "fsync"), (os, "close"), (fcntl, "flock")):
        setattr(module, name, counted(getattr(module, name)))


def warm_up():
    """Import and run everything once, so that each fork begins at once; no thread is left."""
    talk = [{"from": "user", "value": "A question?"}, {"from": "assistant", "value": "A reference."}]
    options = {"progress": False, "return_run": True}
    with tempfile.TemporaryDirectory() as folder, stand_in() as url, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = os.path.join(folder, "benchmark.json")
        with open(data, "w") as file:
            json.dump([{"id": 1, "image": [], "conversations": talk}], file)
        answers = os.path.join(folder, "answers", "m")
        answer(data, answers, "m", base_url=url, **options)
        judge(data, answers, os.path.join(folder, "scores", "m"), "j", base_url=url, **options)
        load_benchmark(data).to_parquet(os.path.join(folder, "copy"))
        load_benchmark(os.path.join(folder, "copy"))
