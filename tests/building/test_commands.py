"""The commands from items to a benchmark, and the other commands on what comes out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from io import StringIO

import pandas as pd
import pytest
from builders import ROOT
from typer.testing import CliRunner

import mmdu_analysis as mmdu
from mmdu_analysis import building
from mmdu_analysis.building.review import Review
from mmdu_analysis.cli.app import app


def run(*arguments, code=0, out_only=False):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout if out_only else done.output


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The whole path with the simulated model; two reviewers accept all but one turn."""
    folder = tmp_path_factory.mktemp("built")
    items = building.write_sample_items(folder)
    clusters, dialogs = folder / "clusters.jsonl", folder / "dialogs"
    options = [
        "--sizes",
        "2:1,3:1",
        "--judge",
        folder / "pairs.csv",
        "--pairs",
        12,
        "--map",
        folder / "map.png",
    ]
    told = run("build", "cluster", items, "--out", clusters, *options)
    assert "(synthetic)" in told
    with pytest.MonkeyPatch.context() as patch, building.stand_in() as url:
        patch.delenv("OPENAI_API_KEY", raising=False)
        told = run("build", "write", clusters, "--base-url", url, "--model", "simulated", "--out", dialogs)
    assert re.search(r"(\d+) of \1 requests, ", told)
    review = Review(dialogs)
    first = next(iter(review.dialogs))
    for reviewer in ("A", "B"):
        for key in review.dialogs:
            versions = {n: state.version for n, state in enumerate(review.turns(key), 1)}
            review.decide_whole(reviewer, "accept", key, versions)
    last = len(review.turns(first))
    review.decide("A", "reject", first, last, review.turns(first)[last - 1].version)
    told = run("build", "export", dialogs, "--out", folder / "out" / "benchmark.json")
    assert "(synthetic)" in told
    return folder


def test_the_folder_of_dialogues_loads_without_its_run_and_its_review(built):
    assert {"run.json", "review.jsonl"} <= {path.name for path in (built / "dialogs").iterdir()}
    assert mmdu.load_benchmark(built / "dialogs").problems.empty


def test_the_exported_benchmark_has_no_problem(built):
    run("validate", built / "out" / "benchmark.json")
    bench = mmdu.load_benchmark(built / "out" / "benchmark.json")
    assert len(bench.problems) == 0
    assert bench.synthetic
    written = building.load_dialogs(built / "dialogs")
    assert len(bench.turns) == len(written) - 1
    kinds = mmdu.dialog_lengths(bench)
    multi = int(kinds["multi_image_questions"].sum())
    assert multi >= 0.6 * len(written) - 1
    assert int(kinds["no_image_questions"].sum()) == 0


def test_stats_answer_and_judge_run_on_it(built, tmp_path):
    data = built / "out" / "benchmark.json"
    table = pd.read_csv(StringIO(run("stats", "--data", data, "--format", "csv", out_only=True)))
    bench = mmdu.load_benchmark(data)
    stated = table.set_index("statistic")
    assert stated.loc["turns", "average"] == pytest.approx(len(bench.turns) / len(bench.dialogs))
    assert stated.loc["dialogs", "value"] == len(bench.dialogs)
    with building.stand_in() as url:
        server = ["--base-url", url, "--model", "m", "--limit", 3]
        run("answer", "--data", data, "--out", tmp_path / "answers" / "M", *server)
        answers = tmp_path / "answers" / "M"
        run("judge", "--data", data, "--answers", answers, "--out", tmp_path / "scores" / "M", *server)
    scores = mmdu.load_scores(tmp_path / "scores" / "M")
    assert len(scores) == 7 * len(mmdu.load_answers(answers))
    assert json.loads((tmp_path / "scores" / "M" / "run.json").read_text())["benchmark"]["synthetic"]


def test_pairs_are_judged_on_the_command_line(built):
    sheet = pd.read_csv(built / "pairs.csv", keep_default_na=False)
    assert len(sheet) == 12
    assert (built / "map.png").read_bytes()[:4] == b"\x89PNG"
    sheet["accept"] = "yes"
    sheet.to_csv(built / "filled.csv", index=False)
    [row] = json.loads(run("build", "accuracy", built / "filled.csv", "--format", "json", out_only=True))
    assert (row["mean"], row["n_pairs"]) == (100, 12)


def test_items_that_are_left_out_are_listed(tmp_path):
    items = building.write_sample_items(tmp_path, 2, 4)
    (tmp_path / "pictures" / "gardens-01.png").unlink()
    with items.open("a") as file:
        file.write("{}\n")
    told = run("build", "cluster", items, "--out", tmp_path / "c.jsonl")
    assert "item gardens-01: the picture is missing" in told
    assert "line 9: no image" in told
    for wrong in ("x", "1:1", "2:x"):
        done = CliRunner().invoke(
            app, ["build", "cluster", str(items), "--sizes", wrong, "--out", str(tmp_path / "d")]
        )
        assert done.exit_code != 0
        assert not (tmp_path / "d").exists()


def test_an_export_with_open_turns_ends_with_one(built, tmp_path):
    told = run("build", "export", built / "dialogs", "--accepted", 3, "--out", tmp_path / "b.json", code=1)
    assert "no turn is accepted" in told or told == ""


def test_the_python_of_the_documentation_runs(tmp_path):
    text = (ROOT / "docs" / "building.md").read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MMDU_", "OPENAI_"))}
    call = [sys.executable, "-W", "error::DeprecationWarning", "-c", code]
    done = subprocess.run(
        call, cwd=tmp_path, capture_output=True, text=True, env=env | {"PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr


def test_the_documentation_names_options_that_exist():
    text = (ROOT / "docs" / "building.md").read_text()
    commands = ("cluster", "accuracy", "write", "review", "export", "sample")
    known = set().union(*(re.findall(r"--[a-z-]+", run("build", name, "--help")) for name in commands))
    assert set(re.findall(r"--[a-z][a-z-]+", text)) <= known
