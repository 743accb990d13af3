"""The project's own promises: imports, names, dependencies, and rules that hold in every file."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from builders import ROOT


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


SOURCES = sorted((ROOT / "mmdu_analysis").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_behaviour_depends_on_attrs(path):
    assert ".attrs" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_does_not_print(path):
    if "cli" in path.relative_to(ROOT).parts or path.name == "stand_in.py":
        pytest.skip("a command prints")
    assert not re.search(r"^\s*print\(", path.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_stay_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_every_test_that_security_names_exists():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    names = set(re.findall(r"`(test_\w+)`", text))
    assert len(names) > 60
    assert not {name for name in names if f"def {name}(" not in tests}
    assert all((ROOT / path).is_file() for path in re.findall(r"`((?:tests|scripts)/[\w/]+\.py)`", text))
