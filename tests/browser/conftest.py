"""Chromium, and the browser in a window of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from browser_tools import chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


SERVER = """
import sys
import warnings
import mmdu_analysis as mmdu
from mmdu_analysis.browser.server import serve
from mmdu_analysis.browser.session import Session
warnings.simplefilter("ignore")
notes, data, answers, scores = sys.argv[1:]
benchmark = mmdu.load_benchmark(data)
answers = mmdu.load_answers(answers) if answers else None
scores = mmdu.load_scores(scores, benchmark=benchmark) if scores else None
new = lambda: Session(benchmark, answers, scores, notes=notes)
serve(new, open_browser=False, ready=lambda address: print(address, flush=True))
"""


@pytest.fixture
def own_window(request, tmp_path):
    """The browser's server on some data; returns its address."""

    def start(data, answers="", scores=""):
        arguments = map(str, (tmp_path / "n.jsonl", data, answers, scores))
        server = subprocess.Popen(
            [sys.executable, "-c", SERVER, *arguments], stdout=subprocess.PIPE, text=True
        )
        request.addfinalizer(lambda: (server.terminate(), server.wait(10)))
        return server.stdout.readline().strip()

    return start
