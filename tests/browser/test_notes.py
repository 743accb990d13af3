"""Tags and notes: nothing is lost, and the file stays what it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from mmdu_analysis import DataError
from mmdu_analysis.browser.notes import Notes
from mmdu_analysis.browser.session import Session

WRITER = """
import sys
from mmdu_analysis.browser.notes import Notes
notes = Notes(sys.argv[1], "b")
for number in range(int(sys.argv[2])):
    notes.put(sys.argv[3], number + 1, [sys.argv[3]], "")
    print(number, flush=True)
"""


def ask(session, kind, **message):
    return session.handle({"kind": kind, **message}).content


def test_notes_are_saved_and_reload(tmp_path, sample):
    path = tmp_path / "notes.jsonl"
    other = '{"benchmark": "another", "dialog_id": "1", "turn": 1, "tags": ["x"]}'
    path.write_text(f"{other}\nnot json\n")
    session = Session(sample, notes=path)
    assert [problem.where for problem in session.notes.problems] == ["line 2"]
    ask(session, "open", dialog_id="4", turn=2)
    saved = ask(session, "note", dialog_id="4", turn=2, tags=["wrong image", " ", "own"], note="Look!")
    assert saved["kind"] == "noted"
    assert ask(session, "note", dialog_id="4", turn=3, tags=["x"], note="")["kind"] == "error"
    lines = path.read_text().splitlines()
    assert lines[:2] == [other, "not json"]
    assert json.loads(lines[2])["tags"] == ["wrong image", "own"]
    again = Session(sample, notes=path)
    assert again.notes.frame()[["dialog_id", "turn", "note"]].to_numpy().tolist() == [["4", 2, "Look!"]]
    assert ask(again, "filter", filters={"tag": "own"})["n_turns"] == 1
    assert ask(again, "filter", filters={"tag": "*"})["n_dialogs"] == 1
    assert "own" in ask(again, "start")["tags"]
    ask(again, "note", dialog_id="4", turn=2, tags=[], note="")
    assert path.read_text().splitlines()[:3] == lines  # nothing is rewritten
    assert Session(sample, notes=path).notes.entries == {}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("char", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\r", "\n", "\ud800", "😀"])
def test_no_character_of_a_note_ends_its_line(tmp_path, char):
    text = f"before{char}after"
    notes = Notes(tmp_path / "n.jsonl", "b")
    notes.put("1", 1, [], text)
    notes.put("2", 1, [], "another")
    again = Notes(tmp_path / "n.jsonl", "b")
    assert again.get("1", 1)["note"] == text
    assert again.get("2", 1)["note"] == "another"
    assert again.problems == []


def test_lines_that_others_wrote_unescaped_are_read(tmp_path):
    path = tmp_path / "n.jsonl"
    line = {"benchmark": "b", "dialog_id": "1", "turn": 1, "tags": [], "note": "a\u2028b\x85c"}
    path.write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    assert Notes(path, "b").get("1", 1)["note"] == "a\u2028b\x85c"


def test_mode_and_symbolic_link_of_the_file_stay(tmp_path):
    target = tmp_path / "real.jsonl"
    target.write_text("")
    target.chmod(0o640)
    link = tmp_path / "n.jsonl"
    link.symlink_to(target)
    Notes(link, "b").put("1", 1, ["x"], "")
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert len(Notes(target, "b").entries) == 1


def test_a_half_line_spoils_no_other(tmp_path):
    path = tmp_path / "n.jsonl"
    path.write_text('{"benchmark": "b", "dialog')
    Notes(path, "b").put("1", 1, ["x"], "")
    again = Notes(path, "b")
    assert list(again.entries) == [("1", 1)]
    assert [problem.where for problem in again.problems] == ["line 1"]


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="can't be read"):
        Notes(tmp_path / "folder", "b")
    notes = Notes(tmp_path / "fifo", "b")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(DataError, match=r"not a regular file|can't be written"):
        notes.put("1", 1, ["x"], "")


def test_two_processes_on_one_file_lose_nothing(tmp_path):
    path = tmp_path / "n.jsonl"
    command = [sys.executable, "-c", WRITER, str(path), "100"]
    writers = [
        subprocess.Popen([*command, name], stdout=subprocess.DEVNULL) for name in ("one", "two", "three")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(Notes(path, "b").entries) == 300


def test_a_note_is_on_the_disk_before_it_is_confirmed(tmp_path, monkeypatch):
    path, steps = tmp_path / "n.jsonl", []
    write, fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda *arguments: steps.append("write") or write(*arguments))
    monkeypatch.setattr(os, "fsync", lambda handle: steps.append("fsync") or fsync(handle))
    Notes(path, "b").put("1", 1, ["x"], "")
    assert steps == ["write", "fsync"]
