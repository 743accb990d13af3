"""Bad input, everywhere: each case ends in one clear line, or in a problem that names file and place."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
from builders import record
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import faults
from mmdu_analysis import (
    DataError,
    dialog_lengths,
    load_answers,
    load_benchmark,
    load_scores,
    parse_judge_reply,
)
from mmdu_analysis.io.formats.mmdu_tsv import literal_list
from mmdu_analysis.schema import DIMENSION_NAMES
from mmdu_analysis.stats.lengths import measure_dataset

pytestmark = pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")


def problems_of(load, found, path):
    """List the problems of a loader, as namedtuples."""
    if load in (load_benchmark, dialog_lengths):
        frame = found.problems if load is load_benchmark else measure_dataset(path).problems
        return list(frame.itertuples(index=False))
    return list(load(path, return_problems=True)[1].itertuples(index=False))


GOOD = json.dumps([record(1), record(2)])
TALK = record(3)["conversations"]


def with_record(**changes):
    return json.dumps([record(1), record(2) | changes]).encode()


# what is in the file, and what is told: an error's words, or a problem's (with how many dialogues are kept)
CASES = {
    "empty": (b"", "empty", None),
    "blank": (b" \n\t", "empty", None),
    "cut": (GOOD.encode()[:-150], "ends before its closing bracket", 1),
    "cut gzip": (gzip.compress(GOOD.encode())[:-9], "damaged or truncated", None),
    "utf-16": (GOOD.encode("utf-16"), "UTF-16", None),
    "latin-1": (GOOD.replace("bird", "b\u00efrd").encode("latin-1"), "UTF-8", None),
    "byte-order mark": (b"\xef\xbb\xbf" + GOOD.encode(), "", 2),
    "crlf": (json.dumps([record(1), record(2)], indent=1).replace("\n", "\r\n").encode(), "", 2),
    "crlf lines": (f"{json.dumps(record(1))}\r\n{json.dumps(record(2))}\r\n".encode(), "", 2),
    "nan": (GOOD.replace('"id": 2', '"id": NaN').encode(), "$[1]", 1),
    "infinity": (GOOD.replace('"id": 2', '"id": -Infinity').encode(), "$[1]", 1),
    "huge number": (GOOD.replace('"id": 2', '"id": ' + "9" * 5_000).encode(), "$[1]", 1),
    "deep": (b"[" * 200_000, "nested too deeply", None),
    "deep inside": (GOOD.replace('"id": 2', '"x": ' + "[" * 5_000 + "]" * 5_000 + ', "id": 2').encode(), "", 1),
    "duplicate keys": (GOOD.replace('"id": 2', '"id": 5, "id": 2').encode(), "", 2),
    "duplicate ids": (json.dumps([record(1), record("1")]).encode(), "duplicated", 1),
    "dict with one key twice": (
        ('{"1": ' + json.dumps(record(1)) + ', "1": ' + json.dumps(record(1)) + "}").encode(),
        "duplicated",
        1,
    ),
    "10 MB text": (with_record(conversations=[{"from": "user", "value": "x" * 10_000_000}]), "", 2),
    "number for a text": (with_record(conversations=[{"from": "user", "value": 5}]), "$[1].conversations[0]", 1),
    "text for a list": (with_record(conversations="hello"), "$[1].conversations", 1),
    "image is a text": (with_record(image="a.jpg"), "1 images listed and 2 placeholders", 2),
    "image is null": (with_record(image=None), "0 images listed and 2 placeholders", 2),
    "image is empty": (with_record(image=["", None]), "0 images listed and 2 placeholders", 2),
    "image is a number": (with_record(image=7), "$[1].image", 1),
    "null message": (with_record(conversations=[*TALK, {"from": "user", "value": None}, TALK[1]]), "null", 2),
    "image list has numbers": (with_record(image=[1, 2]), "$[1].image[0]", 1),
    "id is a list": (with_record(id=[1]), "$[1].id", 1),
    "id is missing": (with_record(id=None), "no 'id'", 1),
    "lone surrogate": (GOOD.replace("A bird", "\\ud800 bird", 1).encode(), "$[0]", 1),
    "NUL escaped": (GOOD.replace("A bird", "\\u0000 bird", 1).encode(), "", 2),
    "NUL raw": (GOOD.replace("A bird", "\0 bird", 1).encode(), "$[0]", 1),
    "mixed speakers": (with_record(conversations=[{"from": "User", "value": "q"}, {"from": "GPT", "value": "a"}]), "", 2),
    "answer first": (with_record(conversations=TALK[1:]), "without a preceding question", 2),
    "strange speaker": (with_record(conversations=[{"from": "tool", "value": "x"}, *TALK]), "speaker 'tool'", 2),
    "placeholders too many": (with_record(image=["a.jpg"]), "1 images listed and 2 placeholders", 2),
    "placeholders too few": (with_record(image=["a.jpg"] * 3), "3 images listed and 2 placeholders", 2),
    "path leads outside": (with_record(image=["../../etc/passwd", "/etc/passwd"]), "pictures", 2),
    "trailing text": (GOOD.encode() + b" and more", "after the end of the JSON", 2),
    "a list of numbers": (b"[1, 2]", "no usable", None),
    "code": (b"__import__('os').system('touch ran')", "expected a JSON list", None),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "load", [load_benchmark, dialog_lengths, load_answers], ids=lambda load: load.__name__
)
def test_a_bad_file_is_told(tmp_path, case, load):
    data, message, kept = CASES[case]
    path = tmp_path / "data.json"
    path.write_bytes(data)
    if kept is None:
        with pytest.raises(DataError) as caught:
            load(path)
        assert message in str(caught.value)
        assert "data.json" in str(caught.value)
        assert "\n" not in str(caught.value)
        return
    found = load(path)
    problems = problems_of(load, found, path)
    ids = {load_benchmark: lambda: found.dialogs.index, dialog_lengths: lambda: found.index}
    assert len(ids[load]() if load in ids else found["dialog_id"].unique()) == kept
    about_pictures = case == "path leads outside"
    about_questions = "placeholders" in message  # of no matter to answers; pictures only to a benchmark
    if (
        message
        and not (about_pictures and load is not load_benchmark)
        and not (about_questions and load is load_answers)
    ):
        assert any(message in f"{p.where}: {p.problem}" for p in problems), problems


@pytest.fixture
def places(tmp_path):
    """A folder for a file, a file for a folder, nothing, no permission."""
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").write_text(GOOD)
    closed = tmp_path / "closed.json"
    closed.write_text(GOOD)
    closed.chmod(0)
    return {"folder": tmp_path / "folder.json", "missing": tmp_path / "none.json", "closed": closed,
            "below a file": tmp_path / "file" / "x.json", "NUL": "a\0b.json"}  # fmt: skip


@pytest.mark.parametrize("place", ["folder", "missing", "closed", "below a file", "NUL"])
@pytest.mark.parametrize(
    "load", [load_benchmark, dialog_lengths, load_answers, load_scores], ids=lambda load: load.__name__
)
def test_a_wrong_place_is_one_line(places, place, load):
    if place == "closed" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    with pytest.raises(DataError) as caught:
        load(places[place])
    assert "\n" not in str(caught.value)


COMMANDS = {
    "stats": ["stats", "--data", "{}"],
    "validate": ["validate", "{}"],
    "figures": ["figures", "--data", "{}", "--only", "turns", "--out", "out"],
    "audit": ["audit", "--data", "{}"],
    "browse": ["browse", "--data", "{}", "--export", "1", "--out", "page.html"],
    "report": ["report", "--data", "{}", "--out", "r.html"],
    "subset": ["subset", "--data", "{}", "--out", "part.json"],
    "scores": ["scores", "--data", "{}"],
    "gap": ["gap", "--data", "{}"],
    "answers": ["report", "--data", "sample", "--answers", "{}", "--out", "r.html"],
}
BAD_FILES = {
    "cut": b"[{",
    "binary": bytes(range(256)),
    "code": b"__import__('os').mkdir('ran')",
    "folder": None,
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("bad", BAD_FILES)
def test_every_command_ends_in_one_line(tmp_path, command, bad):
    path = tmp_path / "data.json"
    if BAD_FILES[bad] is None:
        path.mkdir()
    else:
        path.write_bytes(BAD_FILES[bad])
    arguments = [part.replace("{}", str(path)) for part in COMMANDS[command]]
    done = subprocess.run(
        [sys.executable, "-m", "mmdu_analysis.cli", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "warning" not in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mmdu: ")
    assert {item.name for item in tmp_path.iterdir()} <= {"data.json", "out"}


SCORE_FILES = {
    "empty": (b"", "empty"),
    "a text": (b'"hello"', "score"),
    "cut": (b'[{"Creativity": 7', "JSON"),
    "nested": (b"[" * 100_000, "JSON"),
    "code": (b"[{'Creativity': __import__('os').mkdir('ran')}]", "JSON"),
}


@pytest.mark.parametrize("case", SCORE_FILES)
def test_bad_scores_are_told(tmp_path, case):
    data, _ = SCORE_FILES[case]
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "1.json").write_bytes(data)
    (tmp_path / "m" / "2.json").write_text(json.dumps([dict.fromkeys(DIMENSION_NAMES, 5)]))
    found, problems = load_scores(tmp_path, return_problems=True)
    assert found["dialog_id"].unique().tolist() == ["2"]
    assert "1.json" in problems["file"][0]
    assert SCORE_FILES[case][1] in problems["problem"][0]
    (tmp_path / "m" / "2.json").unlink()
    with pytest.raises(DataError):
        load_scores(tmp_path)


@given(st.integers(0, 2**32), st.sampled_from(["list", "lines"]))
@settings(max_examples=60, deadline=None)
def test_rows_read_are_rows_kept_and_rows_reported(tmp_path_factory, seed, layout):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 30))
    spoil = [
        lambda r: r.pop("conversations"),
        lambda r: r.update(image="x"),
        lambda r: r.update(id=None),
        lambda r: r.update(id=0),
        lambda r: r["conversations"].append({"from": "user"}),
        lambda r: r.update(conversations=7),
    ]
    made = [record(number) for number in range(count)]
    for entry in made:
        if rng.random() < 0.4:
            spoil[rng.integers(len(spoil))](entry)
    texts = [json.dumps(entry) for entry in made]
    for place in range(count):
        if rng.random() < 0.1:
            texts[place] = texts[place].replace('"image"', "image", 1)
    path = tmp_path_factory.mktemp("r") / "data.json"
    path.write_text("\n".join(texts) if layout == "lines" and count > 1 else f"[{', '.join(texts)}]")
    for load in (load_benchmark, dialog_lengths):
        try:
            found = load(path)
        except DataError as error:
            assert "no usable dialogue" in str(error)  # noqa: PT017 - it may end in a result as well
            continue
        problems = problems_of(load, found, path)
        kept = len(found.dialogs) if load is load_benchmark else len(found)
        lost = [p for p in problems if not re.search("placeholders|pictures", p.problem)]
        assert kept + len(lost) == count, problems


@pytest.mark.parametrize("result", ["a result or a DataError"])
def test_spoiled_files_end_in(result):
    ends = set(faults.spoil_benchmarks(2_000, seed=np.random.SeedSequence().entropy))
    assert ends <= {"loaded", "empty", "DataError"}
    assert {"loaded", "DataError"} <= ends


def test_spoiled_replies_end_in_scores_or_a_problem():
    assert set(faults.spoil_replies(2_000, seed=np.random.SeedSequence().entropy)) == {"scores", "problem"}


def test_killed_commands_leave_no_half_file():
    assert set(faults.kill_commands(12)) == {"figures", "report", "notes", "download"}


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_any_cell_is_a_list_of_texts_or_a_value_error(text):
    try:
        found = literal_list(text)
    except ValueError:
        return
    assert all(isinstance(item, str) for item in found)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r")), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_table_of_vlmevalkit_gives_texts_back(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("t") / "MMDU.tsv"
    rows = {"index": ["0"], "image_path": ["[]"], "question": [str(texts)], "answer": [str(texts)]}
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        turns = load_benchmark(path).turns
    assert turns["question"].tolist() == texts
    assert turns["answer"].fillna("").tolist() == [text if text.strip() else "" for text in texts]


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_table_ends_in_a_result_or_a_data_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("t") / "MMDU.tsv"
    path.write_bytes(b"index\tquestion\tanswer\timage\n0\t" + data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            load_benchmark(path)
        except DataError as error:
            assert "MMDU.tsv" in str(error)  # noqa: PT017 - it may end in a result as well


PAYLOADS = [
    "__import__('os').mkdir('ran')",
    "{'Creativity': __import__('os').mkdir('ran')}",
    "{{ ''.__class__ }}${7*7}<% mkdir ran %>",
    "!!python/object/apply:os.mkdir ['ran']",
    "$(mkdir ran); `mkdir ran`",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_comes_in_is_executed(tmp_path, monkeypatch, payload):
    monkeypatch.chdir(tmp_path)
    entry = record(1)
    entry["conversations"][0]["value"] = entry["conversations"][1]["value"] = payload
    (tmp_path / "data.json").write_text(json.dumps([entry]))
    cell = str([payload])
    rows = {"index": ["0"], "image": [payload], "question": [cell], "answer": [payload], "prediction": [cell]}
    pd.DataFrame(rows).to_csv(tmp_path / "m.tsv", sep="\t", index=False)
    load_benchmark("data.json")
    load_answers("data.json")
    for load in (load_benchmark, load_answers):
        load("m.tsv")
    parse_judge_reply(payload)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "1.json").write_text(json.dumps([{"Creativity": payload, "Overall Score": 5}]))
    load_scores("s")
    (tmp_path / "x.pkl").write_bytes(b"cos\nmkdir\n(S'ran'\ntR.")
    with pytest.raises(DataError, match="allow_pickle"):
        load_scores("x.pkl")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("column", ["image", "image_path", "question", "answer", "prediction"])
@pytest.mark.parametrize(
    "code", ["[__import__('os').mkdir('ran')]", "['a', __import__('os').mkdir('ran') or 'b']"]
)
def test_a_list_in_a_cell_is_read_and_not_executed(tmp_path, monkeypatch, column, code):
    monkeypatch.chdir(tmp_path)
    names = ("index", "image", "image_path", "question", "answer", "prediction")
    row = dict.fromkeys(names, "['x']") | {"index": "0", "image": "[]", column: code}
    pd.DataFrame([row]).to_csv(tmp_path / "m.tsv", sep="\t", index=False)
    for load in (load_benchmark, load_answers):
        with suppress(DataError):
            load("m.tsv")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name", ["=cmd|' /C calc'!A0", "+1+SUM(1)", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "+A1", "\tx", "\rx"]
)
def test_a_model_s_name_is_no_formula(tmp_path, name):
    from mmdu_analysis.io.tables import Format, write_table

    frame = pd.DataFrame({"model": [name, "+5.4k", "plain"], "gap": [-1.5, 2.0, -3.0]})
    write_table(frame, Format.csv, tmp_path / "t.csv")
    found = pd.read_csv(tmp_path / "t.csv", dtype=str)
    assert found["model"].tolist() == ["'" + name.replace("\r", "\n"), "+5.4k", "plain"]
    assert found["gap"].tolist() == ["-1.5", "2.0", "-3.0"]
