"""The notebooks run on facts and on every part of the data, and are saved with clean outputs."""

from __future__ import annotations

import os
import re

import nbformat
import pytest
from builders import ROOT
from nbclient import NotebookClient

from mmdu_analysis.registry import all_figures

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PARTS = {"DATA": "benchmark.json", "ANSWERS": "answers", "SCORES": "correctness.csv"}


def run_notebook(path, data=None, parts=tuple(PARTS), **env):
    notebook = nbformat.read(path, as_version=4)
    env = {name: value for name, value in os.environ.items() if not name.startswith("MMDU_")} | env
    env |= {f"MMDU_{part}": str(data / PARTS[part]) for part in parts if data}
    env |= {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute(env=env)
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_on_the_facts(path):
    run_notebook(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run_on_data(path, shared):
    run_notebook(path, shared / "data" / "mmdu")


@pytest.mark.slow
@pytest.mark.parametrize(
    "parts", [("DATA",), ("SCORES",), ("DATA", "ANSWERS"), ("DATA", "SCORES")], ids="+".join
)
@pytest.mark.parametrize("name", ["03_model_scores", "08_your_own_model"])
def test_notebooks_run_on_parts_of_the_data(name, parts, shared):
    run_notebook(ROOT / "notebooks" / f"{name}.ipynb", shared / "data" / "mmdu", parts)


@pytest.mark.slow
def test_the_notebook_of_one_model_runs(shared, tmp_path):
    import pandas as pd

    labels = pd.read_csv(shared / "data" / "mmdu" / "correctness.csv")
    one = tmp_path / "correctness.csv"
    labels.loc[labels["model"] == labels["model"].iloc[0]].to_csv(one, index=False)
    data = shared / "data" / "mmdu"
    run_notebook(
        ROOT / "notebooks" / "08_your_own_model.ipynb", data, ("DATA", "ANSWERS"), MMDU_SCORES=str(one)
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_saved_with_clean_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert max(len([line for line in cell.source.splitlines() if line.strip()]) for cell in code) <= 8
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


@pytest.mark.parametrize("name", sorted(all_figures()))
def test_every_figure_is_in_the_notebook_that_it_names(name):
    path = ROOT / "notebooks" / f"{all_figures()[name].notebook}.ipynb"
    source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert re.search(rf"""["']{name}["']""", source)


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 11
