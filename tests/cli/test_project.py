"""The command line, and the project's own promises."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib

import nbformat
import pytest
import yaml
from builders import ROOT
from nbclient import NotebookClient

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def mmdu(*args, **env):
    command = [sys.executable, "-m", "mmdu_analysis.cli", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | env, check=False)


BAD = {
    "empty": b"",
    "cut": b'[{"id": 1, "conversations": [',
    "binary": bytes(range(256)),
    "shape": b'{"a": [1, 2]}',
}


@pytest.mark.parametrize("case", [*BAD, "missing", "folder", "figures"])
def test_bad_input_is_exit_code_2_and_one_line(tmp_path, case):
    path = tmp_path / "data.json"
    if case in BAD:
        path.write_bytes(BAD[case])
    if case in ("folder", "figures"):
        path.mkdir()
    if case == "figures":
        done = mmdu("figures", "--data", path, "--out", tmp_path / "out")
    else:
        done = mmdu("stats", "--data", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mmdu: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["csv", "json", "latex", "markdown"])
def test_stats_in_every_format(form):
    done = mmdu("stats", "--data", "sample", "--format", form)
    assert done.returncode == 0
    assert "1645" in done.stdout.replace(",", "").replace(".0", "")
    assert "sample" in done.stdout + done.stderr
    if form == "json":
        rows = {row["statistic"]: row for row in json.loads(done.stdout)}
        assert rows["turns"]["maximum"] == 27


def test_scores_of_the_paper():
    table = mmdu("scores")
    assert table.returncode == 0
    assert "70.2" in table.stdout
    assert "no intervals" in table.stderr
    assert "synthetic sample" in mmdu("scores", "--data", "sample", "--rank").stdout


def test_scores_of_a_folder(sample_files):
    judged = ["scores", "--data", sample_files / "scores", "--benchmark", sample_files]
    own = mmdu(*judged, "--by", "model,turn", "--format", "csv")
    assert own.stdout.splitlines()[0].startswith("model,turn,dimension,mean,se,low,high")
    assert own.stderr == "mmdu: these numbers are of the synthetic sample, not of MMDU\n"
    folders = [sample_files / "scores" / name for name in ("open-A", "open-B")]
    several = mmdu("scores", "--data", folders[0], "--data", folders[1], "--dimension", "Avg")
    assert "open-B" in several.stdout
    assert mmdu(*judged, "--compare", "all", "--dimension", "Avg").stdout.count("Overall Score") == 10


@pytest.mark.parametrize(
    "wrong",
    [["--by", "mood"], ["--compare", "closed-A"], ["--average", "all"], ["--dimension", "X"]],
    ids=str,
)
def test_wrong_questions_to_scores_are_one_line(wrong):
    done = mmdu("scores", "--data", "sample", *wrong)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mmdu: ")
    assert done.stderr.count("\n") == 1


def test_figures_of_own_scores(sample_files, tmp_path):
    own = ["--data", sample_files, "--scores", sample_files / "scores", "--answers", sample_files / "answers"]
    names = ["main_results", "scores_by_context", "memory_decay", "score_and_length"]
    only = [part for name in names for part in ("--only", name)]
    done = mmdu("figures", *own, "--access", "closed-A=closed", *only, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "closed-A,closed" in (tmp_path / "main_results.csv").read_text()
    assert "open-C" in (tmp_path / "memory_decay.csv").read_text()
    for wrong in (["--scores", sample_files / "scores"], ["--access", "x=y"]):
        done = mmdu("figures", *wrong, "--only", "main_results", "--out", tmp_path / "g")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def test_gap_of_own_scores(sample_files, tmp_path):
    own_model = tmp_path / "open-A"  # as a user's own: without the mark that it is made up
    own_model.mkdir()
    for path in (sample_files / "scores" / "open-A").iterdir():
        entries = [
            {k: v for k, v in entry.items() if k != "synthetic"} for entry in json.loads(path.read_text())
        ]
        (own_model / path.name).write_text(json.dumps(entries))
    judged = ["gap", "--data", own_model, "--benchmark", sample_files]
    own = mmdu(*judged, "--access", "open-A=open", "--format", "csv")
    assert own.stdout.splitlines()[-1].endswith(",4,12")
    silent = mmdu(*judged)
    assert "neither open nor closed is known" in silent.stderr
    along = mmdu("gap", "--data", "sample", "--by", "turn", "--format", "csv")
    assert along.stdout.startswith("bin,closed_mean,open_mean,")
    for wrong in (["gap", "--by", "turn"], ["audit", "--verdict", "wrong"]):
        done = mmdu(*wrong)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_audit_in_a_terminal():
    done = mmdu("audit", "--verdict", "differs")
    assert done.returncode == 0
    assert "most turns of a dialogue, in the introduction" in done.stdout
    assert "holds" in done.stderr
    rows = json.loads(mmdu("audit", "--data", "sample", "--format", "json").stdout)
    assert {row["claim_id"] for row in rows} > {"data/tokens/average", "sum/questions"}


def test_gap_and_lists():
    assert "28.85" in mmdu("gap").stdout
    listing = mmdu("figures", "--list").stdout
    assert "gap_by_dimension" in listing
    assert mmdu("figures", "--only", "none").returncode == 2


def test_validate_and_figures_of_own_data(tmp_path):
    assert mmdu("sample", "--out", tmp_path / "s").returncode == 0
    good = mmdu("validate", tmp_path / "s" / "benchmark.json")
    assert (good.returncode, good.stdout) == (0, "")
    (tmp_path / "s" / "mmdu_pics" / "0_1.png").unlink()
    bad = mmdu("validate", tmp_path / "s" / "benchmark.json")
    assert bad.returncode == 1
    assert "0_1.png is missing" in bad.stdout
    drawn = mmdu("figures", "--data", tmp_path / "s", "--only", "turns", "--out", tmp_path / "f")
    assert drawn.returncode == 0
    assert (tmp_path / "f" / "turns.csv").read_text().splitlines()[1].startswith("<=10,27,24.5")


def test_figures_of_the_real_data(shared, tmp_path):
    path = shared / "data" / "mmdu" / "benchmark.json"
    done = mmdu(
        "figures", "--data", path, "--only", "images", "--only", "wordcloud_questions", "--out", tmp_path
    )
    assert done.returncode == 0
    assert "2,51," in (tmp_path / "images.csv").read_text()


def import_cost(module):
    """Modules that importing costs, a count that doesn't depend on the machine's load."""
    code = f"import sys; import {module}; print(len(sys.modules))"
    return int(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )


def test_import_costs_no_more_than_pandas():
    assert import_cost("mmdu_analysis") < import_cost("pandas") / 4


def test_every_public_name_resolves():
    import mmdu_analysis

    for name in mmdu_analysis.__all__:
        assert getattr(mmdu_analysis, name) is not None


def test_environment_and_pyproject_are_in_step():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (pip,) = [entry["pip"] for entry in conda if isinstance(entry, dict)]
    assert pip[2:] == project["dependencies"]
    assert f"python{project['requires-python']}" in conda


def test_constraints_pin_every_dependency_without_a_host():
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    text = (ROOT / "constraints.txt").read_text()
    pins = {}
    for line in text.splitlines()[1:]:
        requirement = Requirement(line)
        pins[canonicalize_name(requirement.name)] = next(iter(requirement.specifier)).version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *itertools_chain(project["optional-dependencies"])]
    for line in wanted:
        requirement = Requirement(line)
        if requirement.name != "mmdu-analysis":
            assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), line
    assert "://" not in text


def itertools_chain(groups):
    return [line for lines in groups.values() for line in lines]


def run_notebook(path, data=None):
    notebook = nbformat.read(path, as_version=4)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MMDU_")}
    if data:
        env["MMDU_DATA"] = str(data / "benchmark.json")
        env |= {"MMDU_ANSWERS": str(data / "answers"), "MMDU_SCORES": str(data / "correctness.csv")}
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute(env=env)
    return notebook


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_on_the_shipped_facts(path):
    run_notebook(path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_on_data(path, shared):
    run_notebook(path, shared / "data" / "mmdu")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_saved_with_clean_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert max(len([line for line in cell.source.splitlines() if line.strip()]) for cell in code) <= 8
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_the_readme_shows_what_its_code_prints():
    text = (ROOT / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    shown = text.split("```text\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == shown


README_COMMANDS = [
    line
    for line in (ROOT / "README.md")
    .read_text()
    .split("## Commands")[1]
    .split("```sh\n")[1]
    .split("```")[0]
    .splitlines()
    if line.startswith("mmdu ")
]


def test_the_readmes_commands_run_as_they_stand(tmp_path):
    for line in README_COMMANDS:
        command = [sys.executable, "-m", "mmdu_analysis.cli", *shlex.split(line)[1:]]
        env = {name: value for name, value in os.environ.items() if not name.startswith("MMDU_")}
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=env)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout or line.startswith("mmdu validate") or "--out turns.csv" in line
    made = {path.name for path in tmp_path.iterdir()}
    assert made == {"demo", "turns.csv", "drawn", "report.html", "page.html", "part.json"}


def test_the_readme_has_an_example_of_every_command():
    listed = mmdu("--help").stdout
    commands = set(re.findall(r"^mmdu (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    known = set(re.findall(r"^\W*(\w+) {2,}", listed.split("Commands")[1], re.MULTILINE))
    assert known
    assert known == commands


def test_a_report_needs_nothing_from_elsewhere(sample_files, tmp_path):
    own = ["--data", sample_files, "--scores", sample_files / "scores", "--answers", sample_files / "answers"]
    assert mmdu("report", *own, "--out", tmp_path / "r.html").returncode == 0
    page = (tmp_path / "r.html").read_text()
    assert "synthetic sample: these numbers are made up" in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert mmdu("report", "--format", "markdown", "--out", tmp_path / "r.md").returncode == 0
    text = (tmp_path / "r.md").read_text()
    assert "**70.2**" in text
    assert "**42.8**" in text
    assert mmdu("report", "--format", "latex", "--out", tmp_path / "r.tex").returncode == 0
    assert r"\textbf{70.2}" in (tmp_path / "r.tex").read_text()
    wrong = mmdu("report", "--out", tmp_path)
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_the_figures_index_leads_to_numbers_code_and_notebook():
    from mmdu_analysis.figures.registry import SPECS

    text = (ROOT / "figures" / "README.md").read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (ROOT / "figures" / target).resolve().is_file(), target
    alts = re.findall(r"!\[([^\]]*)\]", text)
    assert len(alts) == len(SPECS)
    assert all(len(alt) > 20 for alt in alts)


def test_committed_figures_are_those_that_the_code_draws(tmp_path):
    from mmdu_analysis.figures.registry import SPECS

    names = {f"{spec.name}{suffix}" for spec in SPECS for suffix in (".png", ".pdf", ".csv")} | {"README.md"}
    assert mmdu("figures", "--out", tmp_path).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {path.name for path in (ROOT / "figures").iterdir()} == names
    for name in names:
        if name.endswith(
            (".csv", ".md")
        ):  # pictures may differ with the machine's libraries, numbers may not
            assert (tmp_path / name).read_text() == (ROOT / "figures" / name).read_text(), name
