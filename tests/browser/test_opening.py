"""Data that are loaded while the page is open: the same lists, filters and texts as of data that are loaded at once."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

import pandas as pd
import pytest
from browser_tools import watch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmdu_analysis import load_benchmark
from mmdu_analysis.browser import opening as module
from mmdu_analysis.browser.filters import Filters
from mmdu_analysis.browser.opening import Opening, Source, Window
from mmdu_analysis.browser.session import Session
from mmdu_analysis.schema import DataError, ProblemWarning

QUESTIONS = ["Compare Image1 and Image2.", "Image1: <ImageHere>. What is it?", "Über das 图1?", "<b>x</b>"]
ANSWERS = ["A red fountain.", "", "No.", "<script>alert(1)</script>", "长" * 50]
MESSAGES = ["open", "list", "answers"]


def ask(handler, kind, **message):
    return handler.handle({"kind": kind, **message}).content


def wait_until(true):
    for _ in range(400):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come true within 20 s")


def dialogues(draw_turns):
    turns = st.tuples(st.sampled_from(QUESTIONS), st.sampled_from(ANSWERS))
    return st.lists(st.lists(turns, min_size=1, max_size=draw_turns), min_size=1, max_size=8)


def write(path, content):
    records = [
        {
            "id": number,
            "image": [f"p/{number}.png", "p/b.png"],
            "conversations": [
                {"from": speaker, "value": text}
                for turn in turns
                for speaker, text in zip(("user", "assistant"), turn, strict=True)
            ],
        }
        for number, turns in enumerate(content)
    ]
    path.write_text(json.dumps(records), encoding="utf-8")


@settings(max_examples=25, deadline=None)
@given(
    content=dialogues(5),
    filters=st.builds(
        Filters,
        query=st.sampled_from(["", "red", "图", "image"]),
        fields=st.sampled_from([("question",), ("reference",), ("question", "reference", "answer")]),
        turns=st.sampled_from([(0, 9), (2, 3)]),
        about=st.sampled_from([(0, 1_000_000), (1, 2)]),
        progress=st.sampled_from([(0.0, 1.0), (0.5, 1.0)]),
        tag=st.sampled_from(["", "*"]),
        order=st.sampled_from(["file", "turns", "tokens"]),
    ),
)
@pytest.mark.filterwarnings("ignore")
def test_lazy_is_eager(tmp_path_factory, content, filters):
    folder = tmp_path_factory.mktemp("lazy")
    write(folder / "b.json", content)
    load_benchmark(folder / "b.json").to_parquet(folder / "copy")
    eager = Session(load_benchmark(folder / "copy"), notes=folder / "eager.jsonl")
    early, whole = Source(str(folder / "copy")).stages()
    lazy = Session.of(early, folder / "lazy.jsonl")
    dialog_id = str(len(content) - 1)
    for session in (eager, lazy):
        ask(session, "open", dialog_id=dialog_id, turn=1)
        ask(session, "note", dialog_id=dialog_id, turn=1, tags=["wrong"], note="on it")
    rows = ask(lazy, "list", start=0, count=50)["rows"]
    assert [row | {"tokens": None} for row in ask(eager, "list", start=0, count=50)["rows"]] == rows
    drawn = ask(lazy, "open", dialog_id=dialog_id)["turns"]
    assert not any(turn["reference"] or "context" in turn for turn in drawn)
    wanted = {"filters": filters.changed()}
    answer = ask(lazy, "filter", **wanted)
    if filters.needs_texts():
        assert (answer["kind"], "being loaded" in answer["text"]) == ("error", True)
        lazy.complete(whole)
        ask(lazy, "filter", **wanted)
    else:
        assert answer == ask(eager, "filter", **wanted)
        lazy.complete(whole)
    ask(eager, "filter", **wanted)
    assert ask(lazy, "start") == ask(eager, "start")
    assert ask(lazy, "list", start=0, count=50) == ask(eager, "list", start=0, count=50)
    for number in range(len(content)):
        lines = [ask(one, "open", dialog_id=str(number)) for one in (lazy, eager)]
        assert lines[0] == lines[1]
    pd.testing.assert_frame_equal(lazy.filtered(), eager.filtered())
    assert lazy.notes.frame().drop(columns="time").equals(eager.notes.frame().drop(columns="time"))


@pytest.fixture
def copy(sample, tmp_path, monkeypatch):
    """A copy that counts as large, so that it is loaded in the background."""
    monkeypatch.setattr(module, "_SMALL", 0)
    sample.to_parquet(tmp_path / "copy")
    return tmp_path / "copy"


def hold(monkeypatch):
    """Hold the second stage until the event is set."""
    go, real = threading.Event(), Source.study

    def study(self, progress=None):
        go.wait(20)
        return real(self, progress)

    monkeypatch.setattr(Source, "study", study)
    return go


def test_a_window_begins_with_the_list_and_is_completed(copy, monkeypatch):
    go = hold(monkeypatch)
    opening = Opening(Source(str(copy)))
    first, found = Window(opening, None), Window(opening, None)
    assert ask(first, "list", start=0, count=1)["kind"] == "error"
    wait_until(lambda: opening.index is not None)
    start = ask(first, "start")
    assert (start["kind"], start["n_dialogs"], "references" in start["loading"]) == ("start", 110, True)
    assert start["referenced"] is None
    assert ask(first, "open", dialog_id="3")["turns"][0]["reference"] is None
    waiting = ask(found, "start", link="query=fountain")  # needs all texts
    assert (waiting["kind"], "copy is being loaded" in waiting["text"]) == ("loading", True)
    go.set()
    wait_until(lambda: opening.index.whole)
    start = ask(first, "start")
    assert (start["loading"], start["selection"], start["referenced"]) == (
        "",
        {"dialog_id": "3", "turn": 1},
        1.0,
    )
    assert ask(first, "open", dialog_id="3")["turns"][0]["reference"]
    assert ask(found, "start", link="query=fountain")["filters"] == {"query": "fountain"}
    opening.close()


def test_the_error_of_a_load_is_shown_and_raised(copy, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_TO_TELL", 0.3)
    (turns,) = copy.glob("turns-*.parquet")
    turns.write_bytes(turns.read_bytes()[:-50])
    opening = Opening(Source(str(copy)))
    wait_until(lambda: opening.error is not None)
    answer = ask(Window(opening, None), "start")
    assert (answer["kind"], "not a complete Parquet copy" in answer["text"]) == ("error", True)
    time.sleep(0.4)
    with pytest.raises(DataError, match="not a complete Parquet copy"):
        opening.check()
    opening.close()


def test_what_is_small_or_missing_is_told_at_once(tmp_path):
    (tmp_path / "bad.json").write_text("{]")
    for path in (tmp_path / "bad.json", tmp_path / "none.json"):
        with pytest.raises(DataError):
            Opening(Source(str(path)))
    with pytest.raises(DataError, match="no such folder or zip archive of pictures"):
        Opening(Source("sample", picture_folder=tmp_path / "none.zip"))
    assert Opening(Source("sample")).index.whole


def test_closing_ends_the_load(copy, monkeypatch):
    threads = threading.active_count()
    go = hold(monkeypatch)
    opening = Opening(Source(str(copy)))
    wait_until(lambda: opening.index is not None)
    closing = threading.Thread(target=opening.close)
    closing.start()
    wait_until(lambda: opening.reading.stopped)
    go.set()
    closing.join(20)
    wait_until(lambda: threading.active_count() == threads)
    assert opening.error is None
    assert not opening.index.whole  # it didn't go on to the references


def test_bytes_are_counted_and_a_load_can_be_stopped(tmp_path):
    write(tmp_path / "b.json", [[(question, "yes")] for question in QUESTIONS])
    reading = module.Reading("b.json", (tmp_path / "b.json").stat().st_size)
    with pytest.warns(ProblemWarning):
        load_benchmark(tmp_path / "b.json", progress=reading).to_parquet(tmp_path / "copy")
    assert reading.read == reading.size
    assert "the list is being made" in reading.state()["text"]
    reading.stopped = True
    for path in (tmp_path / "b.json", tmp_path / "copy"):
        with pytest.raises(module._Stopped):
            load_benchmark(path, progress=reading)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A JSON file of 48 MB."""
    path = tmp_path_factory.mktemp("large") / "large.json"
    answer = "A sentence about a fountain. " * 60
    turns = [
        part
        for _ in range(5)
        for part in ({"from": "user", "value": "What?"}, {"from": "gpt", "value": answer})
    ]
    path.write_text(json.dumps([{"id": n, "image": [], "conversations": turns} for n in range(5_400)]))
    return path


def left_of(process):
    """Return the processes that a killed one left behind."""
    found = subprocess.run(["ps", "-A", "-o", "pgid="], capture_output=True, text=True, check=True).stdout
    return found.split().count(str(process.pid))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda one: one.name)
@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_ending_during_the_load_leaves_nothing(request, large, tmp_path, number, seconds):
    command = [sys.executable, "-m", "mmdu_analysis.cli", "browse", "--no-open", "--data", str(large)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(tmp_path)},  # a killed process leaves its scratch files
        start_new_session=True,
    )
    request.addfinalizer(process.kill)
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    time.sleep(seconds)
    process.send_signal(number)
    wait_until(lambda: process.poll() is not None)
    wait_until(lambda: not left_of(process))
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    assert "Traceback" not in process.stderr.read()


SERVER = """
import sys, threading
from pathlib import Path
from mmdu_analysis.browser import opening
from mmdu_analysis.browser.server import serve
opening._SMALL = 0
go, real = threading.Event(), opening.Source.study
opening.Source.study = lambda self, progress=None: (go.wait(60), real(self, progress))[1]
threading.Thread(target=lambda: (sys.stdin.readline(), go.set()), daemon=True).start()
found = opening.Opening(opening.Source(sys.argv[1], picture_folder=Path(sys.argv[2])))
serve(lambda: opening.Window(found, None), open_browser=False, ready=lambda a: print(a, flush=True))
"""


@pytest.fixture
def held(request):
    """Start the server; what comes after the first list is loaded once it is released."""

    def start(path, pictures):
        command = [sys.executable, "-W", "ignore", "-c", SERVER, str(path), str(pictures)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(command, text=True, **pipes)
        request.addfinalizer(process.kill)
        return process

    return start


def release(process):
    process.stdin.write("go\n")
    process.stdin.flush()


def end(process):
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert "Traceback" not in process.stderr.read()


def test_the_page_says_what_is_loaded(browser, held, tmp_path):
    path = tmp_path / "<img src=x onerror=alert(1)>.json"
    write(path, [[(question, "yes")] for question in QUESTIONS])
    process = held(path, tmp_path)
    page = browser.new_page()
    told = watch(page)
    page.goto(process.stdout.readline().strip())
    text = page.locator(".loading p").inner_text(timeout=20_000)
    assert text == "<img src=x onerror=alert(1)>.json is being loaded (0 MB)"
    assert page.locator(".loading progress").count() == 1
    release(process)
    page.wait_for_selector(".row .words", timeout=20_000)
    assert page.locator(".loading").count() == 0
    assert page.locator(".row .words").nth(3).inner_text() == "<b>x</b>"
    end(process)
    assert [line for line in told if "WebSocket" not in line] == []
    page.close()


def test_the_page_is_completed_and_applies_what_was_asked_for(browser, held, copy, tmp_path):
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "navy").save(picture, "PNG")
    bench = load_benchmark(copy)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in bench.images["path"].unique():
            archive.writestr(f"deeper/{path.lstrip('/')}", picture.getvalue())
    process = held(copy, tmp_path / "pictures.zip")
    page = browser.new_page()
    told = watch(page)
    page.goto(process.stdout.readline().strip())
    page.wait_for_selector(".row .words", timeout=20_000)
    page.wait_for_selector(".mini img", timeout=20_000)
    wait_until(lambda: "references are being loaded" in page.locator(".message").inner_text())
    assert "tokens" not in page.locator(".title").inner_text()
    page.fill("input[type=search]", "fountain")
    wait_until(lambda: "is applied once" in page.locator(".message").inner_text())
    assert "110 of 110 dialogues" in page.locator("header .count").first.inner_text()
    release(process)
    wait_until(lambda: "turns" in page.locator("header .count").first.inner_text())
    expected = Session(bench)
    ask(expected, "filter", filters={"query": "fountain"})
    assert f"{len(expected.order)} of 110 dialogues" in page.locator("header .count").first.inner_text()
    wait_until(lambda: "tokens" in page.locator(".title").inner_text())
    assert page.locator(".message").inner_text() == ""
    assert page.locator("article.focus .column").count() >= 1
    end(process)
    assert [line for line in told if "WebSocket" not in line] == []
    page.close()
