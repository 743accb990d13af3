"""Systems without `fcntl`, `O_NOFOLLOW` and other parts of POSIX, such as Windows."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from builders import ROOT, record

HIDE = """
import json, os, sys, types, warnings
from pathlib import Path
import asyncio, tempfile, subprocess  # the standard library itself is that of this system

locks = []
sys.modules["fcntl"] = None
sys.modules["msvcrt"] = types.SimpleNamespace(
    LK_LOCK=1, LK_UNLCK=0, locking=lambda handle, mode, size: locks.append((mode, os.lseek(handle, 0, os.SEEK_CUR), size))
)
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):
    delattr(os, name)
warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
"""


def run(tmp_path, code):
    """Run code where these parts are hidden; returns what it printed, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", HIDE + code, str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_module_can_be_imported(tmp_path):
    code = """
import importlib, pkgutil, mmdu_analysis
names = [module.name for module in pkgutil.walk_packages(mmdu_analysis.__path__, "mmdu_analysis.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(len(names))
"""
    assert run(tmp_path, code) > 150


def test_notes_and_copies_are_locked_by_a_byte_that_nobody_reads(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps([record(1), record(2)]))
    code = """
from mmdu_analysis import load_benchmark
from mmdu_analysis.browser.notes import Notes
notes = Notes(folder / "n.jsonl", "b")
notes.put("1", 1, ["x"], "first")
notes.put("1", 2, ["x"], "second")
load_benchmark(folder / "b.json").to_parquet(folder / "copy")
found = Notes(folder / "n.jsonl", "b").entries
print(json.dumps([[entry["note"] for entry in found.values()], len(load_benchmark(folder / "copy").turns), locks]))
"""
    texts, n_turns, locks = run(tmp_path, code)
    assert (texts, n_turns) == (["first", "second"], 4)
    assert [mode for mode, _, _ in locks] == [1, 0] * 3
    assert all(position > 1_000_000 and size == 1 for _, position, size in locks)
    assert (tmp_path / "n.jsonl").stat().st_size < 1_000


def test_a_lock_of_another_process_is_one_line(tmp_path):
    code = """
from mmdu_analysis import DataError
from mmdu_analysis.browser.notes import Notes
from mmdu_analysis.io.locks import locked_folder
def refuse(*_):
    raise OSError(36, "Resource deadlock avoided")
sys.modules["msvcrt"].locking = refuse
told = []
for use in (lambda: Notes(folder / "n.jsonl", "b").put("1", 1, ["x"], ""), lambda: locked_folder(folder).__enter__()):
    try:
        use()
    except DataError as error:
        told.append(str(error))
print(json.dumps(told))
"""
    told = run(tmp_path, code)
    assert len(told) == 2
    assert all("another process holds its lock; end it and try again" in text for text in told)


@pytest.mark.parametrize("name", ["1.json", "1.json.part", "run.json"])
def test_planted_links_are_not_followed(tmp_path, name):
    (tmp_path / "target").write_text("{}")
    (tmp_path / name).symlink_to(tmp_path / "target")
    code = f"""
from mmdu_analysis import DataError
from mmdu_analysis.judging.files import open_lines, read_regular
told = []
try:
    read_regular(folder / {name!r})
except DataError as error:
    told.append(str(error))
try:
    open_lines(folder / {name!r})
except OSError as error:
    told.append(str(error))
print(json.dumps(told))
"""
    told = run(tmp_path, code)
    assert len(told) == 2
    assert all("a link or not a regular file" in text for text in told)
    assert (tmp_path / "target").read_text() == "{}"
