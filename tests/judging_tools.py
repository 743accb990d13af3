"""Shared by the tests of judging: a key and a password that must not appear anywhere, and commands."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from urllib.parse import quote

from chat_server import said

import mmdu_analysis as mmdu

KEY = 'sk-very/secret"0123+456789\\x'
PASSWORD = "my#pass/word?1"
OUTPUTS = []
"""What commands printed, and what `DataError` said, since the test began."""


def secret_forms():
    """All spellings of the key and the password for which outputs and files are searched."""
    forms = set()
    for secret in (KEY, PASSWORD):
        forms |= {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), quote(secret)}
        forms |= {
            base64.b64encode(secret.encode()).decode(),
            base64.b64encode(repr(secret).encode()).decode(),
        }
        forms.add(base64.b64encode(f"me:{secret}".encode()).decode())
    return forms


def texts(frame):
    return {(row.dialog_id, row.turn): row.answer for row in frame.itertuples()}


def last(body):
    """The question that is asked."""
    return said({"messages": body["messages"][-1:]})


def run_file(folder):
    return json.loads((folder / "run.json").read_text())


def problems(frame):
    """Dialogue and turn -> problem, of a frame of problems."""
    return {(row.dialog_id, row.turn): row.problem for row in frame.itertuples()}


def command(*arguments, **options):
    call = [sys.executable, "-m", "mmdu_analysis.cli", *map(str, arguments)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=120, **options)
    OUTPUTS.append(done.stdout + done.stderr)
    return done


def start(*arguments):
    call = [sys.executable, "-m", "mmdu_analysis.cli", *map(str, arguments)]
    return subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def one_line_error(done, *words):
    assert done.returncode == 2, done
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("mmdu: ")
    for word in words:
        assert word in lines[0]


def part_of_the_sample(sample_files, n_dialogs=16):
    """A file with the first dialogues of the sample, and their number of turns."""
    bench = mmdu.load_benchmark(sample_files / "benchmark.json")
    path = sample_files / f"part{n_dialogs}.json"
    bench.select(bench.dialogs.index[:n_dialogs]).to_json(path)
    return path, int(bench.dialogs["n_turns"].iloc[:n_dialogs].sum())
