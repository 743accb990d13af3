"""The review log and what follows from it: states, agreement, export, data sheet."""

from __future__ import annotations

import asyncio
import errno
import json
import multiprocessing
import os
import random
import signal
import time
from functools import partial

import pandas as pd
import pytest
from builders import HOSTILE
from building_tools import write_folder
from sklearn.metrics import cohen_kappa_score

import mmdu_analysis as mmdu
from mmdu_analysis import building
from mmdu_analysis.building.review import Review, check_reviewer, reviewer_agreement
from mmdu_analysis.building.review_log import ReviewLog, new_event
from mmdu_analysis.building.review_session import ReviewSession
from mmdu_analysis.schema import DataError


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "dialogs", n_dialogs=3, n_turns=4)


@pytest.fixture
def review(folder):
    return Review(folder)


def seen(review, dialog, turn):
    return review.turns(dialog)[turn - 1].version


def decide(review, reviewer, kind, dialog, turn, **texts):
    return review.decide(reviewer, kind, dialog, turn, seen(review, dialog, turn), **texts)


# The log


def test_an_edit_outdates_what_others_decided_before(review):
    decide(review, "A", "accept", "d1", 1)
    assert review.turns("d1")[0].accepted(1)
    decide(review, "B", "edit", "d1", 1, question="What is in Image1 now?", answer="Image1 has a cat.")
    state = review.turns("d1")[0]
    assert (state.question, state.answer, state.edited) == (
        "What is in Image1 now?",
        "Image1 has a cat.",
        True,
    )
    assert state.decisions == {"B": "edit"}
    assert state.outdated == ("A",)
    assert not state.accepted(2)
    decide(review, "A", "accept", "d1", 1)
    assert review.turns("d1")[0].accepted(2)


def test_a_decision_about_other_texts_is_refused(review):
    before = seen(review, "d1", 1)
    decide(review, "B", "edit", "d1", 1, question="What is in Image1?", answer="A dog in Image1.")
    with pytest.raises(DataError, match="another reviewer has edited"):
        review.decide("A", "accept", "d1", 1, before)


def test_undo_goes_back_step_by_step_and_only_through_own_decisions(review):
    decide(review, "A", "edit", "d1", 1, question="What is in Image1?", answer="One in Image1.")
    decide(review, "A", "edit", "d1", 1, question="What is in Image1?", answer="Two in Image1.")
    decide(review, "B", "reject", "d1", 2)
    review.undo("A")
    assert review.turns("d1")[0].answer == "One in Image1."
    review.undo("A")
    assert not review.turns("d1")[0].edited
    assert review.undo("A") is None
    assert review.turns("d1")[1].decisions == {"B": "reject"}
    assert len(review.log.events) == 5  # nothing is removed


def test_a_dialogue_is_accepted_for_turns_without_an_own_decision(review):
    decide(review, "A", "reject", "d1", 2)
    versions = {number: seen(review, "d1", number) for number in range(1, 5)}
    review.decide_whole("A", "accept", "d1", versions)
    assert [state.decisions["A"] for state in review.turns("d1")] == ["accept", "reject", "accept", "accept"]
    review.undo("A")
    assert [state.decisions for state in review.turns("d1")] == [{}, {"A": "reject"}, {}, {}]


@pytest.mark.parametrize(
    ("question", "answer", "match"),
    [("", "A", "question is empty"), ("Image1?", " ", "answer is empty"), ("Image9?", "A", "Image9"), ("What?", "A", "0 images"),
     ("Image1?", "<ImageHere>", "placeholder"), ("Image1?", "x" * 20_001, "characters")],
)  # fmt: skip
def test_edits_keep_the_rules(review, folder, question, answer, match):
    with pytest.raises(DataError, match=match):
        decide(review, "A", "edit", "d1", 1, question=question, answer=answer)
    assert not (folder / "review.jsonl").exists()


def test_lines_that_are_cut_or_foreign_are_kept_and_reported(review, folder):
    decide(review, "A", "accept", "d1", 1)
    path = folder / "review.jsonl"
    with path.open("ab") as file:
        file.write(b'{"event": "x", "kind": "steal", "reviewer": "A"}\n[1]\n\xff\xfe\n{"event": "cut", "rev')
    log = ReviewLog(folder)
    assert len(log.events) == 1
    assert [problem.where for problem in log.problems] == ["line 2", "line 3", "line 4"]
    before = path.read_bytes()
    log.append(new_event("B", "reject", "d1", 1, seen="v"))
    assert path.read_bytes().startswith(before + b"\n")
    assert len(ReviewLog(folder).events) == 2


@pytest.mark.parametrize("text", ["\u2028 \u2029 \x85 \n \r\n", "\ud800", "\x00", HOSTILE])
def test_any_text_survives_the_log(review, folder, text):
    decide(review, "A", "edit", "d1", 1, question=f"Image1 {text} end?", answer="A.")
    assert Review(folder).turns("d1")[0].question == f"Image1 {text} end?"
    assert (folder / "review.jsonl").read_bytes().count(b"\n") == 1


def _append_many(folder, name, count):
    log = ReviewLog(folder)
    for number in range(count):
        log.append(new_event(name, "accept", "d1", 1, seen=str(number)))


def test_processes_that_append_at_once_lose_nothing(folder):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append_many, args=(folder, f"R{n}", 40)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    log = ReviewLog(folder)
    assert log.problems == []
    for n in range(4):
        assert [event.seen for event in log.events if event.reviewer == f"R{n}"] == [
            str(k) for k in range(40)
        ]


def test_a_full_disk_keeps_the_log_as_it_was(review, folder, monkeypatch):
    decide(review, "A", "accept", "d1", 1)
    before = (folder / "review.jsonl").read_bytes()
    real = os.write

    def full(handle, data):
        if bytes(data[:2]) == b'{"':
            return real(handle, data[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DataError, match="can't be written"):
        decide(review, "A", "accept", "d1", 2)
    monkeypatch.undo()
    assert (folder / "review.jsonl").read_bytes() == before
    decide(review, "A", "accept", "d1", 2)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 61])
def test_names_of_reviewers(name):
    with pytest.raises(DataError, match="reviewer"):
        check_reviewer(name)


def test_agreement_is_cohens_kappa():
    rng = random.Random(2)
    rows = []
    for turn in range(60):
        a = rng.choice(["accept", "edit", "reject"])
        b = a if rng.random() < 0.6 else rng.choice(["accept", "edit", "reject"])
        rows += [("d", turn, "A", a), ("d", turn, "B", b)]
    rows.append(("d", 99, "A", "accept"))  # B has not decided about it
    table = pd.DataFrame(rows, columns=["dialog_id", "turn", "reviewer", "decision"]).assign(synthetic=True)
    [row] = reviewer_agreement(table).to_dict("records")
    a, b = (table.query(f"reviewer == '{name}' and turn < 99")["decision"].tolist() for name in "AB")
    assert row["kappa"] == pytest.approx(cohen_kappa_score(a, b))
    assert row["agreement"] == pytest.approx(100 * sum(x == y for x, y in zip(a, b, strict=True)) / 60)
    assert (row["n_turns"], row["synthetic"]) == (60, True)


# The session


@pytest.mark.parametrize(
    "message",
    [None, [], "x", 1, {}, {"kind": "open"}, {"kind": "open", "dialog": "no"}, {"kind": ["a"]}, {"kind": "picture", "dialog": "d1"},
     {"kind": "picture", "dialog": "d1", "image": 99}, {"kind": "decide", "decision": "steal", "dialog": "d1", "turn": 1, "seen": ""},
     {"kind": "decide", "decision": "accept", "dialog": "d1", "turn": 99, "seen": ""}, {"kind": "whole", "dialog": "d1", "decision": "x",
     "versions": {}}, {"kind": "whole", "dialog": "d1", "decision": "accept", "versions": []}, {"kind": "undo"}],
    ids=str,
)  # fmt: skip
def test_messages_that_make_no_sense_are_answered_with_an_error(review, folder, message):
    reply = ReviewSession(review, "A").handle(message)
    assert reply.content["kind"] == "error"
    assert not (folder / "review.jsonl").exists()


def test_pictures_outside_of_the_folder_are_not_shown(folder, tmp_path):
    (tmp_path / "secret.png").write_bytes((folder / "mmdu_pics" / "i1-1.png").read_bytes())
    record = json.loads((folder / "d1.json").read_text())
    record["image"][0] = "../secret.png"
    (folder / "d1.json").write_text(json.dumps(record))
    reply = ReviewSession(Review(folder), "A").handle({"kind": "picture", "dialog": "d1", "image": 1})
    assert reply.content["problem"] == "the picture is missing"
    assert reply.buffers == ()


# Export


def accept_all(review, *reviewers):
    for reviewer in reviewers:
        for key in review.dialogs:
            versions = {n: state.version for n, state in enumerate(review.turns(key), 1)}
            review.decide_whole(reviewer, "accept", key, versions)


def test_only_turns_that_enough_reviewers_accept_are_exported(review, folder, tmp_path):
    decide(review, "A", "edit", "d1", 2, question="What is in Image2, in short?", answer="A box in Image2.")
    accept_all(review, "A", "B")
    decide(review, "B", "reject", "d1", 1)
    decide(
        review, "C", "edit", "d2", 3, question="Why Image3?", answer="Since Image3."
    )  # A and B saw another text
    review.decide_whole("B", "reject", "d3", {})
    table = building.export_benchmark(folder, tmp_path / "out" / "benchmark.json").set_index("dialog_id")
    assert table["n_accepted"].to_dict() == {"d1": 3, "d2": 3, "d3": 0}
    assert table["n_edited"].to_dict() == {"d1": 1, "d2": 0, "d3": 0}
    assert table["n_rejected"].to_dict() == {"d1": 1, "d2": 0, "d3": 4}
    assert table["n_open"].to_dict() == {"d1": 0, "d2": 1, "d3": 0}
    assert table["kept"].to_dict() == {"d1": True, "d2": True, "d3": False}
    bench = mmdu.load_benchmark(tmp_path / "out" / "benchmark.json")
    assert len(bench.problems) == 0
    first = bench.turns.query("dialog_id == 'd1'")
    assert (
        first["question"].iloc[0] == "Image1: <ImageHere>. Image2: <ImageHere>. What is in Image2, in short?"
    )
    assert first["answer"].iloc[0] == "A box in Image2."
    assert bench.images["width"].eq(256).all()
    assert bench.synthetic
    records = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert records[0]["conversations"][1]["origin"] == {
        "step": 2, "items": ["i1-2"], "prompt": "p-1", "model": "m", "accepted_by": ["A", "B"], "edited": True,
    }  # fmt: skip


def test_a_data_sheet_counts_what_was_exported(review, folder, tmp_path):
    decide(review, "A", "edit", "d1", 2, question="What is in Image2, in short?", answer="A box in Image2.")
    accept_all(review, "A", "B")
    building.export_benchmark(folder, tmp_path / "b.json")
    sheet = (tmp_path / "b.md").read_text()
    for line in ("| Dialogues | 3 |", "| Turns | 12 |", "| Kept turns that were edited | 1 \\(8.3 %\\) |", "| CC0 | 9 |", "| S | 9 |",
                 "| A, B | 12 | 91.7 % | ", "**Synthetic"):  # fmt: skip
        assert line in sheet, sheet
    record = json.loads((folder / "d1.json").read_text())
    record["items"][0]["source"] = HOSTILE + " | a | b"
    (folder / "d1.json").write_text(json.dumps(record))
    building.export_benchmark(folder, tmp_path / "b.json")
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark", {"html": True}).enable("table").render((tmp_path / "b.md").read_text())
    assert "<script>" not in html
    assert "<img" not in html
    assert html.count("<td>") % 2 == 0


def test_nothing_accepted_is_an_error_and_zero_reviewers_take_all(folder, tmp_path):
    with pytest.raises(DataError, match="no turn is accepted by 2 reviewers"):
        building.export_benchmark(folder, tmp_path / "b.json")
    assert building.export_benchmark(folder, tmp_path / "b.json", accepted=0)["n_accepted"].sum() == 12
    with pytest.raises(DataError, match=r"no run\.json"):
        building.export_benchmark(tmp_path, tmp_path / "c.json")


# Kills


@pytest.mark.slow
def test_a_server_killed_at_ten_random_moments_loses_no_decision(folder):
    rng, kept = random.Random(8), []
    for _ in range(10):
        read, write = os.pipe()
        child = os.fork()  # of a warm process
        if child == 0:
            try:
                building.review_dialogs(folder, "Ann", open_browser=False, ready=partial(_tell, write))
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            address = pipe.readline().strip()
        asyncio.run(_decide_until_killed(address, child, rng, kept))
        os.waitpid(child, 0)
        found = {event.event for event in ReviewLog(folder).events}
        assert len(found) >= len(kept)
    log = ReviewLog(folder)
    assert log.problems == [] or all("not a decision" in problem.problem for problem in log.problems)
    written = [(event.kind, event.dialog_id, event.turn) for event in log.events]
    assert len(kept) > 50
    place = 0
    for decision in kept:  # in their order; a decision whose reply was lost may stand between
        place = written.index(decision, place) + 1
    assert len(written) <= len(kept) + 10


def _tell(pipe, address):
    os.write(pipe, address.encode() + b"\n")


async def _decide_until_killed(address, child, rng, kept):
    from tornado.httpclient import AsyncHTTPClient, HTTPRequest
    from tornado.websocket import websocket_connect

    got = await AsyncHTTPClient(force_instance=True).fetch(address, follow_redirects=False, raise_error=False)
    cookie, base = got.headers["Set-Cookie"].split(";")[0], got.headers["Location"]
    url = address.split("/?")[0].replace("http:", "ws:") + base + "socket"
    headers = {"Cookie": cookie, "Origin": address.split("/?")[0]}
    socket = await websocket_connect(HTTPRequest(url, headers=headers))
    deadline = time.monotonic() + rng.uniform(0.05, 0.4)
    ticket = 0
    while True:
        dialog, turn = rng.choice(["d1", "d2", "d3"]), rng.randint(1, 4)
        await socket.write_message(json.dumps({"kind": "open", "dialog": dialog, "ticket": ticket}))
        reply = json.loads(await socket.read_message())
        kind = rng.choice(["accept", "reject"])
        message = {"kind": "decide", "decision": kind, "dialog": dialog, "turn": turn, "ticket": ticket + 1}
        await socket.write_message(json.dumps(message | {"seen": reply["talk"][turn - 1]["version"]}))
        if time.monotonic() > deadline:
            await asyncio.sleep(rng.uniform(0, 0.004))
            os.kill(child, signal.SIGKILL)
            return
        assert json.loads(await socket.read_message())["kind"] == "dialog"
        kept.append((kind, dialog, turn))
        ticket += 2


def test_the_address_is_given_to_the_caller_or_logged_and_never_printed(folder, monkeypatch, caplog, capsys):
    def serve(_new_session, *, ready, **_):
        ready("http://127.0.0.1:1/?code=x")

    monkeypatch.setattr("mmdu_analysis.building.review_server.serve", serve)
    told = []
    building.review_dialogs(folder, "Ann", ready=told.append)
    assert told == ["http://127.0.0.1:1/?code=x"]
    building.review_dialogs(folder, "Ann")
    assert [record.getMessage() for record in caplog.records] == [
        "the review page is at http://127.0.0.1:1/?code=x"
    ]
    assert capsys.readouterr().out == ""
