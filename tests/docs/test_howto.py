"""Every command and every line of Python of the how-to pages runs, in a folder of its own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from builders import ROOT

PAGES = sorted((ROOT / "docs" / "howto").glob("*.md"))
ENV = {name: value for name, value in os.environ.items() if not name.startswith("MMDU_")} | {
    "MPLBACKEND": "agg"
}


def blocks(path, language):
    text = path.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return ["\n".join(line.removeprefix(indent) for line in body.splitlines()) for indent, body in found]


def commands(path):
    lines = "\n".join(blocks(path, "sh")).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0] for line in lines if line.startswith("mmdu ")]


@pytest.mark.slow
@pytest.mark.parametrize("path", [page for page in PAGES if commands(page)], ids=lambda path: path.stem)
def test_commands_run_as_they_stand(path, tmp_path):
    for line in commands(path):
        command = [sys.executable, "-m", "mmdu_analysis.cli", *shlex.split(line)[1:]]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=ENV)
        assert done.returncode == 0, f"{line}: {done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", [page for page in PAGES if blocks(page, "python")], ids=lambda path: path.stem
)
def test_python_runs_as_it_stands(path, tmp_path):
    for code in blocks(path, "python"):
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning", "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=ENV | {"PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, f"{code}\n{done.stderr}"


def test_there_are_pages_with_code():
    assert sum(bool(commands(page)) for page in PAGES) >= 6
    assert sum(bool(blocks(page, "python")) for page in PAGES) >= 6
