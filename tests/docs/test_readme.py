"""What the README shows is what its code prints, and its commands run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest
from builders import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for line in TEXT.split("## Commands")[1].split("```sh\n")[1].split("```")[0].splitlines()
    if line.startswith("mmdu ")
]
ENV = {name: value for name, value in os.environ.items() if not name.startswith("MMDU_")}


def test_the_readme_shows_what_its_code_prints():
    code = TEXT.split("```python\n")[1].split("```")[0]
    shown = TEXT.split("```text\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENV)
    assert done.stdout == shown


@pytest.mark.slow
def test_the_readmes_commands_run_as_they_stand(tmp_path):
    for line in COMMANDS:
        command = [sys.executable, "-m", "mmdu_analysis.cli", *shlex.split(line)[1:]]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=ENV)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    made = {path.name for path in tmp_path.iterdir()}
    assert {"demo", "turns.csv", "drawn", "report.html", "page.html", "part.json"} <= made


def test_the_readme_names_every_command():
    done = subprocess.run(
        [sys.executable, "-m", "mmdu_analysis.cli", "--help"], capture_output=True, text=True, check=True
    )
    known = set(re.findall(r"^\W*(\w+) {2,}", done.stdout.split("Commands")[1], re.MULTILINE))
    named = set(re.findall(r"mmdu (\w+)", TEXT))
    assert known
    assert known <= named


def test_links_lead_to_files():
    for target in re.findall(r"\]\((?!https?:|#)([^)]+)\)", TEXT):
        if not target.startswith("figures/"):
            assert (ROOT / target).exists(), target
