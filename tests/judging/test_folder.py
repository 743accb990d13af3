"""A run's folder: nothing is lost, nothing is mixed, nothing is written elsewhere."""

from __future__ import annotations

import io
import json
import os
import shutil
import threading
import time
from dataclasses import replace

import pytest
from chat_server import ChatServer, Fault
from hypothesis import given, settings
from hypothesis import strategies as st
from judging_tools import run_file, texts

import mmdu_analysis as mmdu
from mmdu_analysis.judging.files import check_names
from mmdu_analysis.judging.fingerprint import digest_texts, fingerprint
from mmdu_analysis.judging.folder import RunFolder, key_of, usage_of
from mmdu_analysis.schema import DataError


@pytest.mark.parametrize("other", [{"history": "none"}, {"image_side": 500}, {"parameters": {"top_p": 1}}])
def test_a_folder_belongs_to_one_run(small, tmp_path, other):
    with ChatServer() as server:
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
        with pytest.raises(DataError, match=r"this run has .*, but the request has .*pass another folder"):
            mmdu.answer(small, tmp_path / "a", "m", base_url=server.url, **other)
        with pytest.raises(DataError, match="model"):
            mmdu.answer(small, tmp_path / "a", "n", base_url=server.url)
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "1.json").write_text("[]")
        with pytest.raises(DataError, match="holds files that don't belong to a run"):
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


# What a killed run leaves


@pytest.mark.parametrize("name", [".7.json.ab12.tmp", ".run.json.x.tmp", ".7.json.ab12.json"])
def test_leftovers_of_a_kill_are_never_data_and_are_removed(small, tmp_path, name):
    out = tmp_path / "NAME"
    with ChatServer() as server:
        whole = mmdu.answer(small, out, "m", base_url=server.url)
        half = json.loads((out / "7.json").read_text()) | {"id": 70}
        (out / name).write_text(json.dumps(half))
        assert texts(mmdu.load_answers(out, strict=True)) == texts(whole)
        assert texts(mmdu.answer(small, out, "m", base_url=server.url)) == texts(whole)
        assert len(server.requests) == 7
        assert (out / name).exists() == name.endswith(".json")  # a file of another kind isn't ours to remove


def test_a_run_that_was_killed_at_its_first_file_continues(small, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".run.json.x.tmp").write_text("{")
    (tmp_path / "a" / ".lock").touch()
    with ChatServer() as server:
        assert len(mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)) == 7
    assert not list((tmp_path / "a").glob(".*.tmp"))


def test_leftovers_are_not_removed_while_another_run_writes(small, tmp_path):
    first = journal(tmp_path)
    first.write_run({})
    (tmp_path / ".1.json.x.tmp").write_text("being written")
    with pytest.raises(DataError, match="another run writes into it"):
        journal(tmp_path)
    assert (tmp_path / ".1.json.x.tmp").exists()
    first.close()


# Links and special files


@pytest.mark.parametrize("name", ["7.json", "7.json.part", "run.json", ".lock", "other.json", "note.txt"])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
def test_planted_links_and_pipes_are_refused(small, tmp_path, name, kind):
    out, target = tmp_path / "a", tmp_path / "target"
    out.mkdir()
    if kind == "pipe":
        os.mkfifo(out / name)
    else:
        (out / name).symlink_to(target)
    if kind == "link":
        target.write_text("precious")
    with ChatServer() as server, pytest.raises(DataError, match=r"symbolic link|not a regular file"):
        mmdu.answer(small, out, "m", base_url=server.url)
    assert not server.requests
    assert target.exists() == (kind == "link")
    assert kind != "link" or target.read_text() == "precious"


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_that_is_planted_during_the_run_is_not_followed(tmp_path, kind):
    run = journal(tmp_path / "a")
    run.write_run({})
    target, part = tmp_path / "target", tmp_path / "a" / "1.json.part"
    target.write_text("precious")
    os.mkfifo(part) if kind == "pipe" else part.symlink_to(target)
    with pytest.raises(DataError, match=r"link or not a regular file|not a regular file"):
        run.append("1", {"turn": 1, "answer": "x"})
    part.unlink()
    (tmp_path / "a" / "1.json").symlink_to(target)  # it is replaced, not written through
    run.append("1", {"turn": 1, "answer": "x"})
    run.close()
    assert target.read_text() == "precious"
    assert json.loads((tmp_path / "a" / "1.json").read_text()) == [{"turn": 1, "answer": "x"}]


def test_the_folder_itself_may_be_a_link(small, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "a").symlink_to(tmp_path / "disk")
    with ChatServer() as server:
        assert len(mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)) == 7


# Names


@pytest.mark.parametrize(
    "name",
    ["con", "NUL", "com1.x", "aux .json", "a.", "a ", " ", ".hidden", "a\nb", "a\x1b[0m", "\ud800", "RUN", "é" * 101, "a:b"],
)  # fmt: skip
def test_ids_that_can_t_be_names_of_files_are_refused(name):
    with pytest.raises(DataError, match="can't be the name of a file"):
        check_names([name])


@pytest.mark.parametrize(("first", "second"), [("a", "A"), ("é", "e\u0301"), ("ß", "SS"), ("Å", "a\u030a")])
def test_ids_that_differ_in_case_or_normalisation_only_are_refused(small, tmp_path, first, second):
    names = {"7": first, "9": second}
    bench = replace(
        small,
        dialogs=small.dialogs.rename(index=names),
        turns=small.turns.assign(dialog_id=small.turns["dialog_id"].replace(names)),
        images=small.images.assign(dialog_id=small.images["dialog_id"].replace(names)),
        forms=None,
    )
    with ChatServer() as server, pytest.raises(DataError, match="differ in case or Unicode form only"):
        mmdu.answer(bench, tmp_path / "a", "m", base_url=server.url)
    assert not server.requests


def test_ordinary_ids_are_names():
    check_names(["1", "01", "a", "b", "x-1_2", "图", "é", "console", "a.b", "e" * 200, "64", "dialog 3"])


# Changed input


@pytest.mark.parametrize("command", ["answer", "judge"])
def test_a_run_does_not_continue_on_a_changed_picture(small, answered, tmp_path, command):
    folder = tmp_path / "data"
    shutil.copytree(small.folder, folder)
    bench = mmdu.load_benchmark(folder / "benchmark.json")

    def run(out, **options):
        if command == "answer":
            return mmdu.answer(bench, tmp_path / out, "m", base_url=server.url, **options)
        return mmdu.judge(bench, answered, tmp_path / out, "j", base_url=server.url, **options)

    with ChatServer() as server:
        run("one", limit=1)
        run("all")
        asked = len(server.requests)
        data = (folder / "c.png").read_bytes()
        shutil.copy(folder / "a.png", folder / "c.png")
        with pytest.raises(
            DataError, match="pictures of 1 dialogues have changed since the run began, the first: dialogue x"
        ):
            run("all")
        run("one")  # that dialogue wasn't asked yet
        assert len(server.requests) == asked + 4
        (folder / "c.png").write_bytes(data)
        os.utime(folder / "c.png", (1, 1))  # the same content at another time is the same picture
        run("all")
    assert len(server.requests) == asked + 4


def test_text_that_moves_between_fields_is_a_change(small, tmp_path):
    def moved(question, reference):
        turns = small.turns.copy()
        turns.loc[0, ["question", "answer"]] = [question, reference]
        return fingerprint(replace(small, turns=turns))["sha256"]

    prints = [
        moved("a\x1fb", "c"),
        moved("a", "b\x1fc"),
        moved("a", "bc"),
        moved("ab", "c"),
        moved("ab", None),
        moved("ab", "None"),
    ]
    assert len(set(prints)) == len(prints)


@given(st.lists(st.one_of(st.none(), st.text(max_size=4), st.integers(0, 99)), max_size=5), st.data())
def test_different_texts_have_different_fingerprints(parts, data):
    other = data.draw(st.lists(st.one_of(st.none(), st.text(max_size=4), st.integers(0, 99)), max_size=5))
    assert (digest_texts(parts) == digest_texts(other)) == (parts == other)


# Files that somebody changed


@pytest.mark.parametrize(
    "usage",
    ["x", None, 3, [], [1], [1, "2"], [None, None], [1e300, -5], [True, 1], {"a": 1}, [[1], [2]], [2**80, 1]],
)
def test_a_malformed_usage_costs_no_turn(small, tmp_path, usage):
    with ChatServer() as server:
        whole = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
        record = json.loads((tmp_path / "a" / "9.json").read_text())
        lost = record["conversations"][1]["usage"]
        before = run_file(tmp_path / "a")["usage"]
        record["conversations"][1]["usage"] = usage
        (tmp_path / "a" / "9.json").write_text(json.dumps(record))
        again = mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
    assert texts(again) == texts(whole)
    assert len(server.requests) == 7
    after = run_file(tmp_path / "a")["usage"]["prompt_tokens"]
    assert before["prompt_tokens"] - lost[0] <= after <= before["prompt_tokens"] - lost[0] + 1


@pytest.mark.parametrize(
    "change",
    [
        {"turn": 2**70}, {"turn": "1"}, {"turn": 1.5}, {"turn": None}, {"turn": True}, {"turn": 99}, {"repeat": 10**30},
        {"value": 5}, {"value": None}, {"value": [{"text": "x"}]}, {"left_out_images": "1"}, {"left_out_images": [None]},
        {"thinking": 3},
    ],
)  # fmt: skip
def test_a_file_that_somebody_changed_is_refused_in_one_line(small, tmp_path, change):
    with ChatServer() as server:
        mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)
        record = json.loads((tmp_path / "a" / "9.json").read_text())
        record["conversations"][1] |= change
        (tmp_path / "a" / "9.json").write_text(json.dumps(record))
        with pytest.raises(DataError, match=r"9.json: .*(not a file of|not written by) a run.*remove"):
            mmdu.answer(small, tmp_path / "a", "m", base_url=server.url)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
        lambda x: (
            st.lists(x, max_size=3)
            | st.dictionaries(
                st.sampled_from(["turn", "answer", "usage", "repeat", "problem", "a"]), x, max_size=4
            )
        ),
    )
)
@settings(max_examples=100)
def test_any_line_of_a_journal_is_an_entry_or_skipped(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("lines")
    first = journal(folder)
    first.write_run({})
    first.append("1", {"turn": 1, "answer": "kept", "usage": [1, 2]})
    first._parts.pop("1").close()
    first._lock.release()
    with (folder / "1.json.part").open("ab") as file:
        file.write(json.dumps(value).encode("utf-8", "surrogatepass") + b"\n")
    second = journal(folder)
    assert (1, 1) in second.entries["1"]
    assert all(isinstance(usage_of(entry).prompt, int) for entry in second.entries["1"].values())
    second.close()
