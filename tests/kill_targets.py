"""What is killed: runs of `answer` and `judge` in forks of one process that has imported everything."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import warnings

from mmdu_analysis.io.benchmark import load_benchmark
from mmdu_analysis.judging.answering import answer
from mmdu_analysis.judging.scoring import judge
from mmdu_analysis.judging.stand_in import stand_in

_EVENTS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.chmod"})


def run(command, data, url, out, answers, kill_at=0, count=""):
    """Ask; end by SIGKILL at the n-th operation on a file in `out`, or write how many there were."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the rest of this process
    os.environ["OPENAI_API_KEY"] = "a-key-for-the-runs-that-are-killed"
    warnings.simplefilter("ignore")
    done = [0]

    def watch(event, arguments):
        if event in _EVENTS and str(arguments[0]).startswith(out):
            done[0] += 1
            if done[0] == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    options = {"base_url": url, "concurrency": 3, "progress": False, "return_run": True}
    bench = load_benchmark(data)
    if command == "answer":
        answer(bench, out, "m", **options)
    else:
        judge(bench, answers, out, "j", images="none", **options)
    if count:
        with open(count, "w") as file:
            file.write(str(done[0]))


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
