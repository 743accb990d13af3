"""Chromium, and the browser in a window of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from browser_tools import chromium


@pytest.fixture(scope="package")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def own_window(request, tmp_path):
    """`mmdu browse` on some data; gives its address."""

    def start(data, *options):
        command = [
            sys.executable,
            "-m",
            "mmdu_analysis.cli",
            "browse",
            "--no-open",
            "--notes",
            str(tmp_path / "n.jsonl"),
        ]
        server = subprocess.Popen(
            [*command, "--data", str(data), *map(str, options)], stdout=subprocess.PIPE, text=True
        )
        request.addfinalizer(lambda: (server.terminate(), server.wait(10)))
        return server.stdout.readline().strip()

    return start
