"""``mmdu figures``: options, what is left out and why, exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest
from builders import ROOT


def figures(*arguments, timeout=120):
    command = [sys.executable, "-m", "mmdu_analysis.cli", "figures", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=timeout, check=False)


def test_several_figures_and_formats_are_separated_by_commas_or_repeated(tmp_path):
    done = figures(
        *("--only", "turns,images", "--only", "questions", "--out", tmp_path),
        *("--format", "svg", "--format", "png"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = [f"{name}.{kind}" for name in ("images", "questions", "turns") for kind in ("csv", "png", "svg")]
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".md") == names


def test_the_list_names_what_the_data_lack():
    done = figures("--list")
    assert done.returncode == 0
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert "Figure 4" in lines["turns"]
    assert "not with this data" not in lines["turns"]
    assert "not with this data: it needs a benchmark" in lines["text_tokens"]


def test_formats_and_sizes_are_options(tmp_path):
    from PIL import Image

    done = figures(
        *("--only", "turns", "--out", tmp_path, "--format", "svg,png"),
        *("--width", 3.3, "--height", 2.2, "--font-size", 7, "--no-title", "--no-note"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["turns.csv", "turns.png", "turns.svg"]
    assert Image.open(tmp_path / "turns.png").size == (660, 440)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (["--only", "text_tokens"], "it needs a benchmark"),
        (["--only", "none"], "no figure 'none'"),
        (["--only", "turns", "--format", "gif"], "formats are"),
        (["--only", "turns", "--width", "-3"], "width is -3.0"),
    ],
)
def test_what_cannot_be_drawn_ends_with_one_line_and_exit_code_2(wrong, words, tmp_path):
    done = figures(*wrong, "--out", tmp_path / "new")
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_own_data_draw_what_they_support_and_list_the_rest(shared, tmp_path):
    data = shared / "data" / "mmdu" / "benchmark.json"
    done = figures("--data", data, "--out", tmp_path, "--format", "png")
    assert done.returncode == 0
    assert "left out: text_tokens: it needs reference answers; 107 of 1,615 turns have one" in done.stderr
    assert (tmp_path / "turns.png").is_file()
    assert not (tmp_path / "text_tokens.png").exists()
    assert not (tmp_path / "sample").exists()
    assert "| text_tokens |" in (tmp_path / "README.md").read_text()


@pytest.mark.slow
def test_without_data_the_sample_is_kept_apart_and_called_a_demonstration(tmp_path):
    done = figures("--out", tmp_path, "--format", "png", timeout=600)
    assert done.returncode == 0
    assert (tmp_path / "sample" / "text_tokens.png").is_file()
    assert not (tmp_path / "text_tokens.png").exists()
    page = (tmp_path / "sample" / "README.md").read_text()
    assert page.count("Demonstration: ") >= page.count("\n## ")
    assert "synthetic" not in (tmp_path / "README.md").read_text()
