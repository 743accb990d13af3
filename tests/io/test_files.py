"""Writing files: whole or not at all, and what a killed command leaves is never read."""

from __future__ import annotations

import json

import pytest

from mmdu_analysis.io.files import atomic_path, json_files
from mmdu_analysis.schema import DataError


@pytest.mark.parametrize("name", ["0.json", "a.png", "b.tar.gz", "图" * 60 + ".json"])
def test_a_file_that_is_being_written_is_hidden_and_temporary(tmp_path, name):
    path = tmp_path / name
    with atomic_path(path) as temporary:
        temporary.write_text("x")
        assert temporary.name.startswith(".")
        assert temporary.name.endswith(".tmp")
        assert not path.exists()
    assert path.read_text() == "x"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_fails_is_left_as_it_was(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_hidden_and_temporary_files_are_not_read(tmp_path):
    for name in ("2.json", "10.json", ".0.json.ab12.json", ".0.json.ab12.tmp", "3.json.tmp"):
        (tmp_path / name).write_text(json.dumps([]))
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "2-checkpoint.json").write_text("[]")
    assert [path.name for path in json_files(tmp_path)] == ["2.json", "10.json"]
    (tmp_path / "2.json").unlink()
    (tmp_path / "10.json").unlink()
    with pytest.raises(DataError, match="without any JSON file"):
        json_files(tmp_path)
