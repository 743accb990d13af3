"""The browser without its window: finding, reading, notes, pictures, hostile input, the exported page."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from builders import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from mmdu_analysis import DataError, browse, load_benchmark, sample_answers, sample_scores, turns_behind
from mmdu_analysis.browser.export import export_page
from mmdu_analysis.browser.finding import Filters, Index
from mmdu_analysis.browser.notes import Notes
from mmdu_analysis.browser.session import SIZES, Session
from mmdu_analysis.browser.texts import MOST_CHARACTERS, question_parts, render_markdown, word_differences
from mmdu_analysis.io.scaled import Pictures
from mmdu_analysis.schema import DataWarning

THUMB = SIZES["thumb"]


@pytest.fixture(scope="module")
def session(sample):
    return Session(sample, sample_answers(), sample_scores())


def ask(session, kind, **message):
    return session.handle({"kind": kind, **message}).content


def filtered(session, **wanted):
    return ask(session, "filter", filters=wanted)


def test_filters_by_hand(sample):
    index = Index(sample, sample_answers(), sample_scores())
    turns = sample.turns
    mask, places = index.find(Filters(query="FOUNTAIN in image1"))
    answers = sample_answers()
    text = "fountain in image1"
    expected = turns["question"].str.lower().str.contains(text) | turns["answer"].str.lower().str.contains(
        text
    )
    hits = answers.loc[
        answers["answer"].str.lower().str.contains(text), ["dialog_id", "turn"]
    ].drop_duplicates()
    expected |= turns.set_index(["dialog_id", "turn"]).index.isin(pd.MultiIndex.from_frame(hits))
    assert mask.tolist() == expected.tolist()
    assert set(index.ids[places]) == set(turns.loc[expected, "dialog_id"])
    mask, places = index.find(Filters(turns=(16, 20), images=(3, 10)))
    kept = sample.dialogs.query("16 <= n_turns <= 20 and 3 <= n_images <= 10")
    assert index.ids[places].tolist() == kept.index.tolist()
    mask, _ = index.find(Filters(kind="no image"))
    assert mask.sum() == 164
    scores = sample_scores().query("dimension == 'Overall Score'")
    means = scores.groupby(["dialog_id", "turn"])["score"].mean() * 10
    mask, _ = index.find(Filters(score=(60, 100)))
    assert mask.sum() == (means >= 60).sum()
    one = scores.query("model == 'open-A'")
    mask, _ = index.find(Filters(score=(0, 30), model="open-A"))
    assert mask.sum() == (one["score"] <= 3).sum()


@pytest.mark.parametrize("order", ["turns", "images", "tokens", "score", "worst", "disagreement"])
def test_orders(sample, order):
    index = Index(sample, None, sample_scores())
    _, places = index.find(Filters(order=order))
    scores = sample_scores().query("dimension == 'Overall Score'")
    by_turn = scores.pivot_table(index=["dialog_id", "turn"], columns="model", values="score")
    values = {
        "turns": -sample.dialogs["n_turns"],
        "images": -sample.dialogs["n_images"],
        "tokens": -pd.Series(index.tokens, index=index.ids),
        "score": -by_turn.mean(axis=1).groupby("dialog_id").mean(),
        "worst": by_turn.mean(axis=1).groupby("dialog_id").mean(),
        "disagreement": -(by_turn.max(axis=1) - by_turn.min(axis=1)).groupby("dialog_id").mean(),
    }[order]
    found = values.loc[index.ids[places]].to_numpy(dtype=float)
    assert (np.diff(found) >= -1e-9).all()
    assert len(places) == 110


def test_many_dialogues_have_estimated_tokens(sample, monkeypatch):
    exact = Index(sample).tokens
    monkeypatch.setattr("mmdu_analysis.browser.finding._EXACT_TOKENS", 10)
    estimated = Index(sample)
    assert not estimated.exact_tokens
    assert np.abs(estimated.tokens / exact - 1).max() < 0.1


def test_the_list_is_windowed(session):
    filtered(session)
    answer = ask(session, "list", start=100, count=1_000_000)
    assert [row["dialog_id"] for row in answer["rows"]] == [str(n) for n in range(100, 110)]
    assert answer["rows"][0].keys() == {"dialog_id", "turns", "images", "tokens", "hits", "score"}
    assert answer["exact"]


def test_reading_a_dialogue(session, sample):
    filtered(session)
    dialog = ask(session, "open", dialog_id="3", turn=5)
    turns = sample.turns.query("dialog_id == '3'")
    assert len(dialog["turns"]) == len(turns)
    assert dialog["selection"] == {"dialog_id": "3", "turn": 5}
    shown = [part for turn in dialog["turns"] for part in turn["question"] if "image" in part]
    assert [part["image"] for part in shown] == list(range(1, sample.dialogs.loc["3", "n_images"] + 1))
    contexts = [turn["context"] for turn in dialog["turns"]]
    assert contexts == sorted(contexts)
    answers = dialog["focus"]["answers"]
    assert [one["model"] for one in answers] == sample_answers()["model"].unique().tolist()
    assert [score["name"] for score in answers[0]["scores"]] == ["C", "R", "VP", "LC", "AA", "IRU", "Avg"]


def test_steps(session):
    filtered(session, query="castle")
    first = session.filtered().iloc[0]
    ask(session, "open", dialog_id=first["dialog_id"], turn=int(first["turn"]))
    walked = [session.selection]
    for _ in range(30):
        walked.append(ask(session, "step", by=1, of="turn")["selection"])
    expected = session.filtered().head(31)[["dialog_id", "turn"]].to_dict("records")
    assert walked == expected
    for _ in range(30):
        ask(session, "step", by=-1, of="turn")
    assert session.selection == expected[0]
    filtered(session)
    ask(session, "open", dialog_id="108")
    ends = [ask(session, "step", by=1, of="dialog")["selection"]["dialog_id"] for _ in range(3)]
    assert ends == ["109"] * 3


def test_where_and_back_again(sample):
    scores = sample_scores()
    worst = turns_behind(scores, "context", ">=8k", sample, model="open-B").head(20)
    assert worst["score"].is_monotonic_increasing
    view = browse(sample, scores=scores, where=worst, notes=None)
    assert len(view.filtered) == 20
    assert view.selection["dialog_id"] in set(worst["dialog_id"])
    again = browse(sample, where=view.filtered[["dialog_id"]], notes=None)
    assert set(again.filtered["dialog_id"]) == set(worst["dialog_id"])
    for wrong in (worst.assign(dialog_id="none"), worst[["turn"]]):
        with pytest.raises(DataError):
            browse(sample, where=wrong, notes=None)
    with pytest.raises(DataError, match="bins are"):
        turns_behind(scores, "context", "9k", sample)


def test_the_widget_opens_a_turn(sample):
    view = browse(sample, notes=None)
    seen = []
    view.observe(lambda change: seen.append(change["new"]), "selection")
    assert view.open("7", 3) is view
    assert view.selection == {"dialog_id": "7", "turn": 3} == seen[-1]
    for wrong in (("7", 99), ("7", 0), ("none", 1)):
        with pytest.raises(DataError):
            view.open(*wrong)


def test_notes_are_saved_and_reload(tmp_path, sample):
    path = tmp_path / "notes.jsonl"
    other = '{"benchmark": "another", "dialog_id": "1", "turn": 1, "tags": ["x"]}'
    path.write_text(f"{other}\nnot json\n")
    session = Session(sample, notes=path)
    assert [problem.where for problem in session.notes.problems] == ["line 2"]
    ask(session, "open", dialog_id="4", turn=2)
    assert (
        ask(session, "note", dialog_id="4", turn=2, tags=["wrong image", " ", "own"], note="Look!")["kind"]
        == "noted"
    )
    assert ask(session, "note", dialog_id="4", turn=3, tags=["x"], note="")["kind"] == "error"
    lines = path.read_text().splitlines()
    assert lines[:2] == [other, "not json"]
    assert json.loads(lines[2])["tags"] == ["wrong image", "own"]
    again = Session(sample, notes=path)
    assert again.notes.frame()[["dialog_id", "turn", "note"]].to_numpy().tolist() == [["4", 2, "Look!"]]
    assert filtered(again, tag="own")["n_turns"] == 1
    assert filtered(again, tag="*")["n_dialogs"] == 1
    ask(again, "note", dialog_id="4", turn=2, tags=[], note="")
    assert path.read_text().splitlines() == [other, "not json"]
    assert list(tmp_path.iterdir()) == [path]


def test_two_readers_keep_each_others_notes(tmp_path):
    one, two = Notes(tmp_path / "n.jsonl", "b"), Notes(tmp_path / "n.jsonl", "b")
    one.put("1", 1, ["a"], "")
    two.put("2", 1, ["b"], "")
    assert len(Notes(tmp_path / "n.jsonl", "b").entries) == 2
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="can't be read"):
        Notes(tmp_path / "folder", "b")


def test_markdown_keeps_its_shape_and_loses_its_teeth():
    assert render_markdown("**b** and `c`\n\n- one").startswith(
        "<p><strong>b</strong> and <code>c</code></p>\n<ul>"
    )
    assert "<td>1</td>" in render_markdown("|a|\n|-|\n|1|")
    html = render_markdown(HOSTILE)
    assert "<script" not in html
    tags = set(re.findall(r"<(/?\w+)[^>]*>", html))
    assert tags <= {"p", "/p"}
    assert not re.search(r"<\w+\s", html)  # no attribute at all


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet=st.characters(), max_size=400)
    | st.text(alphabet="<>\"'&[]()!`*_#\n abjs:=/|-", max_size=400)
)
def test_no_text_becomes_markup(text):
    html = render_markdown(text)
    allowed = "p br hr em strong s code pre ul ol li blockquote h1 h2 h3 h4 h5 h6 table thead tbody tr th td".split()
    for tag in re.findall(r"<([^>]*)>", html):
        assert tag.strip("/ ") in allowed
    parts = question_parts(text, 0, [])
    assert "".join(part.get("text", "") for part in parts) == text.encode("utf-8", "replace").decode()


@settings(max_examples=200, deadline=None)
@given(*[st.lists(st.sampled_from(["a", "b", "Bird", "\n", "和"]), max_size=20).map(" ".join)] * 2)
def test_differences_rebuild_both_texts(reference, answer):
    parts = word_differences(reference, answer)
    assert "".join(text for what, text in parts if what != "gone").split() == answer.split()
    same = [text.split() for what, text in parts if what == "same"]
    gone = [text.split() for what, text in parts if what == "gone"]
    assert sum(map(len, same)) + sum(map(len, gone)) == len(reference.split())


def test_a_very_long_text_is_cut_and_says_so():
    assert "more characters are not shown" in render_markdown("x" * (MOST_CHARACTERS + 5))
    assert render_markdown("word " * 4_000).count("word") == 4_000
    assert render_markdown("\ud800 lone") == "<p>? lone</p>\n"


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=9), x),
        max_leaves=5,
    )
    | st.fixed_dictionaries(
        {
            "kind": st.sampled_from(
                ["open", "list", "filter", "step", "turn", "differences", "picture", "note"]
            )
        },
        optional={
            name: st.none() | st.integers() | st.text(max_size=4) | st.floats()
            for name in ("dialog_id", "turn", "start", "count", "by", "filters", "image", "model", "tags")
        },
    )
)
def test_no_message_breaks_the_session(sample, message):
    session = _shared_session(sample)
    reply = session.handle(message)
    assert isinstance(reply.content["kind"], str)
    assert session.selection["dialog_id"] in sample.dialogs.index
    json.dumps(reply.content)


def test_a_number_without_end_is_an_error_for_the_page(session):
    for message in (
        {"kind": "list", "start": float("inf"), "count": 1},
        {"kind": "step", "by": float("inf")},
    ):
        assert session.handle(message).content["kind"] == "error"


_sessions: dict[int, Session] = {}


def _shared_session(sample):
    return _sessions.setdefault(id(sample), Session(sample))


def record(key, paths, question="Image1: <ImageHere>. What?", answer="A bird."):
    talk = [{"from": "user", "value": question}, {"from": "assistant", "value": answer}]
    return {"id": key, "image": paths, "conversations": talk}


def test_pictures_only_from_the_data_folder(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (9, 9)).save(tmp_path / "secret.png")
    (data / "link.png").symlink_to(tmp_path / "secret.png")
    Image.new("RGB", (2000, 1000), "red").save(data / "webp.jpg", format="WEBP")
    (data / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    paths = [
        "../secret.png",
        str(tmp_path / "secret.png"),
        "link.png",
        "webp.jpg",
        "broken.png",
        "/mmdu_pics/none.jpg",
    ]
    (data / "benchmark.json").write_text(json.dumps([record(1, paths)]))
    with pytest.warns(DataWarning):
        pictures = Pictures(load_benchmark(data / "benchmark.json"))
    for image in (1, 2, 3):
        found = pictures.get("1", image, THUMB)
        assert found.data == b""
        assert "leads outside" in found.problem
    shown = pictures.get("1", 4, THUMB)
    assert shown.mime == "image/jpeg"
    assert max(Image.open(io.BytesIO(shown.data)).size) == THUMB
    assert "not a readable picture" in pictures.get("1", 5, THUMB).problem
    assert "unpack mmdu_pics.zip" in pictures.get("1", 6, THUMB).problem
    assert pictures.get("1", 7, THUMB).problem


def test_pictures_inside_a_table_say_so(tmp_path):
    picture = base64.b64encode(b"no picture").decode()
    row = {
        "index": ["0"],
        "image": [str([picture])],
        "question": ["['Image1: <ImageHere>. What?']"],
        "answer": ["['A bird.']"],
    }
    pd.DataFrame(row).to_csv(tmp_path / "MMDU.tsv", sep="\t", index=False)
    with pytest.warns(DataWarning):
        pictures = Pictures(load_benchmark(tmp_path / "MMDU.tsv"))
    assert "inside MMDU.tsv" in pictures.get("0", 1, THUMB).problem


def test_a_picture_of_40_megapixels(tmp_path):
    Image.new("RGB", (8000, 5000), "navy").save(tmp_path / "big.jpg")
    (tmp_path / "b.json").write_text(json.dumps([record(1, ["big.jpg"])]))
    pictures = Pictures(load_benchmark(tmp_path / "b.json"))
    assert max(Image.open(io.BytesIO(pictures.get("1", 1, 1600).data)).size) == 1600


def test_the_real_pictures(real):
    pictures = Pictures(real)
    problems = [p for key in pictures.paths if (p := pictures.get(*key, THUMB).problem)]
    assert len(problems) == 4
    assert all("unpack mmdu_pics.zip" in problem for problem in problems)


def test_an_exported_page_holds_everything_and_no_markup(tmp_path, sample):
    turns = sample.turns.copy()
    turns.loc[turns["dialog_id"] == "0", ["question", "answer"]] = HOSTILE
    bench = replace(sample, turns=turns, name="<b>name</b>")
    export_page(
        Session(bench, sample_answers().assign(answer=HOSTILE), sample_scores()), "0", tmp_path / "page.html"
    )
    page = (tmp_path / "page.html").read_text()
    assert page.count("</script>") == 3
    assert "<b>name</b>" not in page
    assert "default-src 'none'" in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    with pytest.raises(DataError, match="no dialogue"):
        export_page(Session(bench), "none", tmp_path / "x.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def fetch(address, **headers):
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


async def connect(base, cookie, origin):
    """Ask over the WebSocket as a page from `origin` would; gives the refusal's code or the answer's kind."""
    request = HTTPRequest(
        f"{base.replace('http', 'ws')}/socket", headers={"Cookie": cookie, "Origin": origin}
    )
    try:
        socket = await websocket_connect(request)
    except HTTPClientError as error:
        return error.code
    await socket.write_message('{"kind": "start", "ticket": 1}')
    answer = json.loads(await socket.read_message())
    socket.close()
    return answer["kind"]


def test_the_server_is_for_its_own_reader_and_ends_on_ctrl_c(sample_files):
    command = [sys.executable, "-m", "mmdu_analysis.cli", "browse", "--data", str(sample_files), "--no-open"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().strip()
        base, token = address.split("/?token=")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", base)
        cookie = f"mmdu-{base.rpartition(':')[2]}={token}"
        status, page = fetch(f"{base}/", Cookie=cookie)
        assert (status, "socket.js" in page) == (200, True)
        assert fetch(f"{base}/browser.js", Cookie=cookie)[0] == 200
        for path in ("/", "/browser.js", "/socket", "/?token=wrong"):
            assert fetch(base + path)[0] == 403
        assert fetch(f"{base}/", Cookie=cookie, Host="evil.example")[0] == 403
        assert fetch(f"{base}/../session.py", Cookie=cookie)[0] == 404
        assert asyncio.run(connect(base, cookie, "http://evil.example")) == 403
        assert asyncio.run(connect(base, "", base)) == 403
        assert asyncio.run(connect(base, cookie, base)) == "start"
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
        assert "Traceback" not in server.stderr.read()
    finally:
        server.kill()


def test_browse_export_in_a_terminal(sample_files, tmp_path):
    command = [sys.executable, "-m", "mmdu_analysis.cli", "browse", "--data", str(sample_files), "--export"]
    done = subprocess.run(
        [*command, "5", "--out", str(tmp_path / "p.html")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, (tmp_path / "p.html").stat().st_size > 50_000) == (0, True)
    for options in (["none", "--out", str(tmp_path / "q.html")], ["5", "--out", str(tmp_path)]):
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, check=False, env=os.environ
        )
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_reasons_of_a_judge_are_read(tmp_path, sample):
    from mmdu_analysis import load_scores
    from mmdu_analysis.schema import DIMENSION_NAMES

    reply = "### Richness\nToo short.\n" + str(dict.fromkeys(DIMENSION_NAMES, 4))
    entry = dict.fromkeys(DIMENSION_NAMES, 6) | {"turn": 2, "reason": "Good."}
    (tmp_path / "1.json").write_text(json.dumps([dict.fromkeys(DIMENSION_NAMES, 5) | {"turn": 1}, entry]))
    (tmp_path / "2.json").write_text(json.dumps([reply]))
    scores = load_scores(tmp_path, model="m")
    assert scores["reason"].dropna().unique().tolist() == ["Good.", reply]
    session = Session(sample, scores=scores)
    dialog = ask(session, "open", dialog_id="1", turn=2)
    assert dialog["focus"]["answers"][0]["reason"] == "Good."
