"""What the tests share: the sample, and the real data where it is."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from builders import SHARED

from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.synthetic.sample import write_sample

OTHER_PROCESSES = frozenset(
    {
        "browser",
        "judging",
        "building",
        "docs",
        "cli",
        "test_notebooks",
        "test_export",
        "test_hub",
        "test_bad_input",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run a failed test again where it depends on a browser, a server or another process; the others must pass at once."""
    for item in items:
        if OTHER_PROCESSES & {*item.path.parts, item.path.stem}:
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip("the real data isn't beside the project (../shared)")
    return SHARED


@pytest.fixture(scope="session")
def sample() -> Benchmark:
    return load_benchmark("sample")


@pytest.fixture(scope="session")
def sample_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as files: benchmark.json, mmdu_pics, answers, scores. Not to be changed."""
    folder = tmp_path_factory.mktemp("sample_files")
    write_sample(folder)
    return folder


@pytest.fixture(scope="session")
def real(shared: Path) -> Benchmark:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_benchmark(shared / "data" / "mmdu" / "benchmark.json")
