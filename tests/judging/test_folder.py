"""A run's folder: nothing is lost, nothing is mixed, nothing is written elsewhere."""

from __future__ import annotations

import io
import json
import threading
import time
from dataclasses import replace

import pytest
from chat_server import ChatServer, Fault
from hypothesis import given, settings
from hypothesis import strategies as st
from judging_tools import run_file

import mmdu_analysis as mmdu
from mmdu_analysis.judging.folder import RunFolder, key_of
from mmdu_analysis.schema import DataError


@pytest.mark.parametrize("other", [{"history": "none"}, {"image_side": 500}, {"parameters": {"top_p": 1}}])
def test_a_folder_belongs_to_one_run(small, tmp_path, other):
    with ChatServer() as server:
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
        with pytest.raises(DataError, match=r"this run has .*, asked for was .*give another folder"):
            mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, **other)
        with pytest.raises(DataError, match="model"):
            mmdu.answer(small, tmp_path / "a", "n", base_url=server.url)
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "1.json").write_text("[]")
        with pytest.raises(DataError, match="holds files of no run"):
            mmdu.answer(small, tmp_path / "b", "m", base_url=server.url)
        assert len(server.requests) == 7


def test_a_run_without_a_reply_binds_nobody(small, tmp_path):
    with ChatServer(lambda number, body: Fault(404) if body["model"] == "typo" else None) as server:
        with pytest.raises(DataError, match="no model 'typo'"):
            mmdu.answer(small, tmp_path / "a", "typo", base_url=server.url)
        frame = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
    assert len(frame) == 7
    assert run_file(tmp_path / "a")["model"] == "m"


@pytest.mark.parametrize("key", ["../up", "a/b", "run", "", "a\0b", "x" * 300])
def test_ids_that_lead_elsewhere_are_refused(small, tmp_path, key):
    bench = replace(
        small,
        dialogs=small.dialogs.rename(index={"9": key}),
        turns=small.turns.assign(dialog_id=small.turns["dialog_id"].replace("9", key)),
        forms=None,
    )
    with ChatServer() as server, pytest.raises(DataError, match="can't be the name of a file"):
        mmdu.answer(bench, tmp_path / "a", "m", base_url=server.url)
    assert not server.requests


def test_two_runs_at_once_are_refused(small, tmp_path):
    with ChatServer(delay=0.2) as server:
        first = threading.Thread(
            target=mmdu.answer, args=(small, tmp_path / "a", "m"), kwargs={"base_url": server.url}
        )
        first.start()
        while not server.requests:
            time.sleep(0.01)
        with pytest.raises(DataError, match="another run writes into it"):
            mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
        first.join()
    assert len(server.requests) == 7


def journal(folder):
    found = RunFolder(folder, {"command": "x"}, lambda _, entries: entries, list)
    found.open(["1"])
    return found


@given(st.integers(0, 400), st.integers(1, 5))
@settings(max_examples=60)
def test_a_journal_cut_anywhere_keeps_its_whole_lines(tmp_path_factory, place, number):
    folder = tmp_path_factory.mktemp("journal")

    first = journal(folder)
    first.write_run({})
    lines = [{"turn": turn, "answer": f"ä{turn}"} for turn in range(1, number + 1)]
    for line in lines:
        first.append("1", line)
    part = folder / "1.json.part"
    first._parts.pop("1").close()
    first._lock.release()
    raw = part.read_bytes()
    part.write_bytes(raw[: min(place, len(raw))])
    second = journal(folder)
    whole = raw[: min(place, len(raw))].count(b"\n")
    kept = sorted(second.entries["1"])
    assert kept in ([(t, 1) for t in range(1, whole + 1)], [(t, 1) for t in range(1, whole + 2)])
    for line in lines:
        if key_of(line) not in second.entries["1"]:
            second.append("1", line)
    second.close()
    assert json.loads((folder / "1.json").read_text()) == lines
    assert not part.exists()


def test_a_disk_that_fills_is_told_and_keeps_what_was_there(tmp_path):
    class Full(io.FileIO):
        def write(self, data):
            return super().write(data[:5])

    first = journal(tmp_path)
    first.write_run({})
    first.append("1", {"turn": 1, "answer": "kept"})
    first._parts.pop("1").close()
    first._parts["1"] = Full(tmp_path / "1.json.part", "ab")
    with pytest.raises(DataError, match=r"No space left on device.*free space and run it again"):
        first.append("1", {"turn": 2, "answer": "lost"})
    first._lock.release()
    second = journal(tmp_path)
    assert list(second.entries["1"]) == [(1, 1)]
    second.append("1", {"turn": 2, "answer": "again"})
    second.close()
    assert [entry["answer"] for entry in json.loads((tmp_path / "1.json").read_text())] == ["kept", "again"]
