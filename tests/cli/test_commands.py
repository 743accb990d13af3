"""The command line: exit codes, one line for bad input, one set of options, tables in every form."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from builders import record
from PIL import Image

ENV = {name: value for name, value in os.environ.items() if not name.startswith("MMDU_")}


def mmdu(*args, **env):
    command = [sys.executable, "-m", "mmdu_analysis.cli", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=ENV | env, check=False)


def own_scores(folder, sample_files, name="open-A"):
    """A model's scores of the sample as a user's own: without the synthetic mark."""
    target = folder / name
    target.mkdir(parents=True)
    for path in (sample_files / "scores" / name).iterdir():
        entries = [{k: v for k, v in e.items() if k != "synthetic"} for e in json.loads(path.read_text())]
        (target / path.name).write_text(json.dumps(entries))
    return target


BAD = {
    "empty": b"",
    "cut": b'[{"id": 1, "conversations": [',
    "binary": bytes(range(256)),
    "shape": b'{"a": [1, 2]}',
}


@pytest.mark.parametrize("case", [*BAD, "missing", "folder"])
@pytest.mark.parametrize("command", ["stats", "figures", "audit", "report"])
def test_bad_input_is_exit_code_2_and_one_line(tmp_path, case, command):
    path = tmp_path / "data.json"
    if case in BAD:
        path.write_bytes(BAD[case])
    if case == "folder":
        path.mkdir()
    out = ["--out", tmp_path / "out"] if command in ("figures", "report") else []
    done = mmdu(command, "--data", path, *out)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mmdu: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["csv", "json", "latex", "markdown"])
def test_stats_in_every_format(form):
    done = mmdu("stats", "--data", "sample", "--format", form)
    assert done.returncode == 0
    assert "1645" in done.stdout.replace(",", "").replace(".0", "")
    assert "synthetic" in done.stdout + done.stderr
    if form == "json":
        rows = {row["statistic"]: row for row in json.loads(done.stdout)}
        assert rows["turns"]["maximum"] == 27
        assert rows["turns"]["synthetic"] is True


def test_facts_without_data():
    stats = mmdu("stats", "--format", "csv")
    assert (stats.returncode, "MMDU-45k" in stats.stdout) == (0, True)
    assert "published Table 1" in stats.stderr
    scores = mmdu("scores")
    assert "70.2" in scores.stdout
    assert "no intervals" in scores.stderr
    assert "28.85" in mmdu("gap").stdout
    assert "mmdu 0.1.0" in mmdu("--version").stdout
    assert "110 dialogues detect a difference of 4.0 points" in mmdu("plan").stderr
    later = mmdu("scores", "--later", "--format", "csv")
    assert "Qwen3.5-9B" in later.stdout
    assert "do not pool" in later.stderr


def test_scores_of_a_folder(sample_files):
    judged = ["scores", "--scores", sample_files / "scores", "--data", sample_files / "benchmark.json"]
    own = mmdu(*judged, "--by", "model,turn", "--format", "csv")
    assert own.stdout.splitlines()[0].startswith("model,turn,dimension,mean,se,low,high")
    assert "synthetic sample" in own.stderr
    folders = [sample_files / "scores" / name for name in ("open-A", "open-B")]
    several = mmdu("scores", "--scores", folders[0], "--scores", folders[1], "--dimension", "Avg")
    assert "open-B" in several.stdout
    assert "Creativity" not in several.stdout
    assert mmdu(*judged, "--compare", "all", "--dimension", "Avg").stdout.count("Overall Score") == 10
    ranked = mmdu(*judged, "--rank", "--sort", "-mean", "--top", "2", "--format", "csv")
    assert len(ranked.stdout.splitlines()) == 3


def test_a_place_among_the_published_models(sample_files, tmp_path):
    own_scores(tmp_path, sample_files)
    done = mmdu("scores", "--scores", tmp_path, "--published", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert "same judge" in done.stderr
    table = pd.read_csv(pd.io.common.StringIO(done.stdout))
    row = table.loc[table["own"]].iloc[0]
    published = table.loc[~table["own"], "mean"]
    assert len(table) == 18
    assert row["rank"] == 1 + (published > row["mean"]).sum()
    assert row["rank_low"] == 1 + (published > row["high"]).sum()
    assert row["rank_high"] == 1 + (published > row["low"]).sum()
    below = published[published < row["mean"]].max()
    assert row["difference"] == pytest.approx(row["mean"] - below)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--by", "mood"],
        ["--compare", "closed-A"],
        ["--dimension", "X"],
        ["--sort", "mood"],
        ["--access", "opne-A=open"],
        ["--access", "open-A=free"],
        ["--rank", "--published"],
        ["--rubric", "nowhere.toml"],
    ],
    ids=" ".join,
)
def test_wrong_questions_to_scores_are_one_line(wrong, sample_files):
    done = mmdu("scores", "--scores", sample_files / "scores", *wrong)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("mmdu: ")


@pytest.mark.parametrize(
    "wrong", [["scores", "--rank"], ["gap", "--by", "turn"], ["scores", "--average", "all"]]
)
def test_what_needs_scores_says_so(wrong):
    assert mmdu(*wrong).returncode == 2


def test_the_environment_is_honoured(sample_files):
    env = {
        "MMDU_DATA": str(sample_files / "benchmark.json"),
        "MMDU_SCORES": str(sample_files / "scores" / "open-A"),
    }
    done = mmdu("scores", "--by", "model", "--format", "csv", **env)
    assert done.stdout.count("open-A") == 7
    assert "1645" in mmdu("stats", **env).stdout.replace(",", "")


def test_problems_are_shown_whatever_the_filters_are(sample_files, tmp_path):
    folder = own_scores(tmp_path, sample_files)
    path = folder / "0.json"
    entries = json.loads(path.read_text())
    entries[0]["Creativity"] = 70
    path.write_text(json.dumps(entries))
    done = mmdu("scores", "--scores", tmp_path, PYTHONWARNINGS="ignore")
    assert done.returncode == 0
    assert "problem" in done.stderr
    strict = mmdu("scores", "--scores", tmp_path, "--strict")
    assert (strict.returncode, strict.stdout) == (2, "")


def test_figures_of_own_scores(sample_files, tmp_path):
    own = ["--data", sample_files / "benchmark.json", "--scores", sample_files / "scores"]
    only = ["--only", "main_results", "--only", "scores_by_kind"]
    done = mmdu("figures", *own, *only, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "closed-A" in (tmp_path / "main_results.csv").read_text()
    unavailable = mmdu("figures", *own, "--only", "calibration", "--out", tmp_path / "g")
    assert unavailable.returncode == 2
    assert "ratings" in unavailable.stderr


def test_gap_of_own_scores(sample_files, tmp_path):
    own_scores(tmp_path, sample_files)
    judged = ["gap", "--scores", tmp_path, "--data", sample_files / "benchmark.json"]
    own = mmdu(*judged, "--access", "open-A=open", "--format", "csv")
    table = pd.read_csv(pd.io.common.StringIO(own.stdout))
    assert table["n_open"].unique().tolist() == [12]
    assert "is not known" in mmdu(*judged).stderr
    both = mmdu("gap", "--data", "sample", "--by", "turn", "--format", "csv")
    assert "closed_mean,open_mean" in both.stdout


def test_audit_in_a_terminal():
    done = mmdu("audit", "--verdict", "differs")
    assert done.returncode == 0
    assert "most turns of a dialogue, in the introduction" in done.stdout
    assert "holds" in done.stderr
    assert mmdu("audit", "--verdict", "wrong").returncode == 2


def test_a_report_needs_nothing_from_elsewhere(sample_files, tmp_path):
    import re

    data = ["--data", sample_files / "benchmark.json"]
    own_scores(tmp_path / "s", sample_files)
    done = mmdu(
        "report", *data, "--scores", tmp_path / "s", "--access", "open-A=open", "--out", tmp_path / "r.html"
    )
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "r.html").read_text()
    assert "<title>MMDU report: open-A</title>" in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "place" in page
    assert "same judge" in page
    links = re.findall(r'href="(r_dialogues/[^"]+)"', page)
    assert len(links) == 10
    assert all((tmp_path / link).is_file() for link in links)
    assert "Audit of the paper" not in page
    assert mmdu("report", "--format", "markdown", "--out", tmp_path / "r.md").returncode == 0
    assert "70.2" in (tmp_path / "r.md").read_text()
    assert mmdu("report", "--format", "latex", "--out", tmp_path / "r.tex").returncode == 0
    wrong = mmdu("report", "--sections", "mood", "--out", tmp_path / "x.html")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "expected one of scores, dimensions" in wrong.stderr


def test_shards_are_validated_with_their_ids_prefixed_and_their_pictures_elsewhere(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "pics" / "mmdu_pics").mkdir(parents=True)
    for name in ("a", "b"):
        Image.new("RGB", (3, 3)).save(tmp_path / "pics" / "mmdu_pics" / f"{name}.jpg")
    for shard in ("0.json", "1.json"):
        (tmp_path / "shards" / shard).write_text(json.dumps([record(7)]))
    command = ["validate", str(tmp_path / "shards"), "--picture-folder", str(tmp_path / "pics")]
    assert "the id is duplicated" in mmdu(*command).stdout
    done = mmdu(*command, "--ids", "prefix")
    assert (done.returncode, "2 dialogues" in done.stderr, "no problems" in done.stderr) == (0, True, True)
