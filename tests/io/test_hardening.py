"""Inputs that cost too much or break off: bounded time, the old state or the new one, never a traceback."""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from pathlib import Path

import pandas as pd
import pytest
from builders import record
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmdu_analysis import DataError, dialog_lengths, load_benchmark
from mmdu_analysis.io import files, locks, parquet_copy, walk
from mmdu_analysis.io.scaled import Pictures

pytestmark = pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")

_MIB = 1 << 20
ENDLESS = {
    "an open text": lambda size: b'[{"id": 1, "conversations": [{"from": "user", "value": "' + b"x" * size,
    "an open list": lambda size: b'[{"id": 1, "image": [' + b'"a.jpg", ' * (size // 9),
    "nested records": lambda size: b'[{"id": 1, "x": ' + b'[{"id": 2, "x": ' * (size // 16),
    "open records": lambda size: b"[" + b'{"id": 1, "conversations": [, ' * (size // 30),
    "blanks": lambda size: b'[{"id": 1},' + b" " * size,
    "commas": lambda size: b'[{"id": 1}' + b", " * (size // 2),
    "borders": lambda size: b'[{"id": 1, "x": "' + b', {"id": ' * (size // 9),
    "escapes": lambda size: b'[{"id": 1, "conversations": "' + b"\\\\" * (size // 2),
}


@pytest.mark.parametrize("case", ENDLESS)
@pytest.mark.parametrize("load", [load_benchmark, dialog_lengths], ids=lambda load: load.__name__)
def test_a_record_without_end_takes_linear_time(tmp_path, case, load):
    seconds = []
    for size in (4 * _MIB, 16 * _MIB):
        path = tmp_path / "d.json.gz"
        path.write_bytes(gzip.compress(ENDLESS[case](size), 1))
        start = time.perf_counter()
        try:
            load(path)
        except DataError as error:
            assert "d.json.gz" in str(error)  # noqa: PT017 - it may end in a result as well
        seconds.append(time.perf_counter() - start)
    assert seconds[1] < 8 * seconds[0] + 1, seconds


@pytest.mark.parametrize("case", ["an open text", "an open list"])
def test_a_long_record_is_not_read_again_for_each_window(tmp_path, monkeypatch, case):
    """With small windows, time that grows with the square of a record's length is seen at once."""
    monkeypatch.setattr(walk, "_WINDOW", 1 << 14)
    seconds = []
    for size in (_MIB, 8 * _MIB):
        path = tmp_path / "d.json.gz"
        path.write_bytes(gzip.compress(ENDLESS[case](size), 1))
        start = time.perf_counter()
        with pytest.raises(DataError, match=r"d\.json\.gz"):
            load_benchmark(path)
        seconds.append(time.perf_counter() - start)
    assert seconds[1] < 16 * seconds[0] + 1, seconds


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps([record(1), record(2)]))
    return load_benchmark(tmp_path / "b.json")


class StopError(Exception):
    """What ends a process in the middle."""


@pytest.mark.parametrize("step", range(7))
def test_a_copy_that_is_interrupted_is_the_old_or_the_new_one(tmp_path, bench, monkeypatch, step):
    folder = tmp_path / "copy"
    bench.select(["1"]).to_parquet(folder)
    original, calls = files.atomic_path, 0

    def stopping(path):
        nonlocal calls
        calls += 1
        if calls > step:
            raise StopError
        return original(path)

    monkeypatch.setattr(files, "atomic_path", stopping)
    if step < 6:
        with pytest.raises(StopError):
            bench.to_parquet(folder)
        assert load_benchmark(folder).dialogs.index.tolist() == ["1"]
    else:
        bench.to_parquet(folder)
    monkeypatch.undo()
    bench.to_parquet(folder)
    assert load_benchmark(folder).dialogs.index.tolist() == ["1", "2"]
    assert (
        len(list(folder.iterdir())) == 7
    )  # the lock, five frames and their names; what was left over is gone


def test_a_copy_is_not_written_while_another_process_writes_it(tmp_path, bench, monkeypatch):
    monkeypatch.setattr(locks, "_WAIT", 0.0)
    bench.select(["1"]).to_parquet(tmp_path / "copy")
    with (
        locks.locked_folder(tmp_path / "copy"),
        pytest.raises(DataError, match="copy: another process holds its lock"),
    ):
        bench.to_parquet(tmp_path / "copy")
    assert load_benchmark(tmp_path / "copy").dialogs.index.tolist() == ["1"]


def test_a_copy_is_whole_while_its_old_files_are_removed(tmp_path, bench, monkeypatch):
    folder = tmp_path / "copy"
    bench.select(["1"]).to_parquet(folder)
    unlink = Path.unlink

    def stopping(path, missing_ok=False):
        if path.suffix == ".parquet":
            raise StopError
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", stopping)
    with pytest.raises(StopError):
        bench.to_parquet(folder)
    monkeypatch.undo()
    assert load_benchmark(folder).dialogs.index.tolist() == ["1", "2"]


META = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8) | st.just("/"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {}, optional={"name": META, "files": META, "folder": META, "pictures_were_in": META}
    )
)
@settings(max_examples=100, deadline=None)
def test_a_stranger_s_copy_chooses_no_folder_and_no_file(tmp_path_factory, meta):
    folder = tmp_path_factory.mktemp("c")
    (folder / parquet_copy.META).write_text(json.dumps(meta))
    with pytest.raises(DataError, match="Parquet copy"):
        load_benchmark(folder)


def test_a_copy_names_only_files_of_its_own(tmp_path, bench):
    bench.to_parquet(tmp_path / "copy")
    meta = tmp_path / "copy" / parquet_copy.META
    content = json.loads(meta.read_text())
    for name in ("../turns.parquet", "/etc/passwd", content["files"]["turns"].replace("turns-", "x/turns-")):
        meta.write_text(json.dumps(content | {"files": content["files"] | {"turns": name}, "folder": "/"}))
        with pytest.raises(DataError, match="is not a file of a copy"):
            load_benchmark(tmp_path / "copy")


def test_a_copy_shows_pictures_of_its_own_folder_and_of_the_one_that_the_user_names_only(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (4, 3)).save(tmp_path / "in" / "secret.png")
    one = record(1) | {"image": [str(tmp_path / "in" / "secret.png")] * 2}
    (tmp_path / "in" / "b.json").write_text(json.dumps([one]))
    load_benchmark(tmp_path / "in" / "b.json").to_parquet(tmp_path / "copy")
    meta = tmp_path / "copy" / parquet_copy.META
    content = json.loads(meta.read_text())
    for name in ("folder", "pictures_were_in", "path"):
        for folder in ("/", str(tmp_path), str(tmp_path / "in")):
            meta.write_text(json.dumps(content | {name: folder}))
            loaded = load_benchmark(tmp_path / "copy")
            assert loaded.folder == tmp_path / "copy"
            assert Pictures(loaded).get("1", 1, 64).problem
    named = load_benchmark(tmp_path / "copy", picture_folder=tmp_path / "in")
    assert Pictures(named).get("1", 1, 64).problem == ""


def test_a_copy_with_odd_columns_is_one_line(tmp_path, bench):
    bench.to_parquet(tmp_path / "copy")
    (turns,) = (tmp_path / "copy").glob("turns-*.parquet")
    frame = pd.read_parquet(turns)
    for odd in (frame.drop(columns="turn"), frame.assign(turn="x"), frame.assign(turn=1e300)):
        odd.to_parquet(turns)
        with pytest.raises(DataError) as caught:
            load_benchmark(tmp_path / "copy")
        assert "\n" not in str(caught.value)


CELLS = st.sampled_from(
    [
        "['\\ud800']",
        "\ud800",
        "['a'",
        "[1]",
        "['x'] * 99999999999",
        "[" * 9_000,
        "1e300",
        "",
        "['']",
        "None",
        "\x00",
    ]
)


@given(st.fixed_dictionaries(dict.fromkeys(["index", "image", "image_path", "question", "answer"], CELLS)))
@settings(max_examples=150, deadline=None)
def test_extreme_cells_of_the_table(tmp_path_factory, row):
    path = tmp_path_factory.mktemp("t") / "MMDU.tsv"
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(row), delimiter="\t")
    writer.writeheader()
    writer.writerow(row)
    path.write_bytes(buffer.getvalue().encode("utf-8", "surrogatepass"))
    try:
        bench = load_benchmark(path)
    except DataError as error:
        assert "MMDU.tsv" in str(error)  # noqa: PT017 - it may end in a result as well
        assert len(str(error)) < 600  # noqa: PT017
    else:
        assert len(bench.dialogs) == 1
