"""A small benchmark and answers to it; after each test, a search for the key in everything that it wrote."""

from __future__ import annotations

import json

import pytest
from chat_server import ChatServer
from judging_tools import KEY, OUTPUTS, secret_forms
from PIL import Image

import mmdu_analysis as mmdu
from mmdu_analysis.schema import DataError


@pytest.fixture(autouse=True)
def _no_secret_anywhere(monkeypatch, tmp_path, capfd, caplog, recwarn):
    """Search files, outputs, logs, warnings and errors of every test for the key and the password, in all forms."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    OUTPUTS.clear()
    monkeypatch.setattr(DataError, "__init__", lambda _, *words: OUTPUTS.append(str(words)), raising=False)
    yield
    texts = [*OUTPUTS, *capfd.readouterr(), caplog.text, *(str(warning.message) for warning in recwarn)]
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    for form in secret_forms():
        assert not any(form in text for text in texts), form
        assert not any(form.encode() in data for data in files), form


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two dialogues with two pictures each, one of them large, and one dialogue without any."""
    folder = tmp_path_factory.mktemp("small")
    for name, size in (
        ("a.png", (60, 40)),
        ("b.jpg", (3000, 1000)),
        ("c.png", (50, 50)),
        ("d.png", (30, 30)),
    ):
        Image.new("RGB", size, (name[0] == "a" and "red") or "blue").save(folder / name)
    talks = {
        7: [
            "Image1: <ImageHere>. What is it?",
            "Image2: <ImageHere> and Image1, compare.",
            "Sum up {answer}.",
        ],
        "x": ["Image1: <ImageHere>. Image2: <ImageHere>. Differences?", "Which is older?"],
        9: ["Tell a story.", "Go on."],
    }
    pictures = {7: ["a.png", "b.jpg"], "x": ["c.png", "d.png"], 9: []}
    records = []
    for key, questions in talks.items():
        talk = []
        for turn, question in enumerate(questions, 1):
            talk.append({"from": "user", "value": question})
            talk.append({"from": "assistant", "value": f"Reference {key}, {turn}."})
        records.append({"id": key, "image": pictures[key], "conversations": talk})
    (folder / "benchmark.json").write_text(json.dumps(records))
    return mmdu.load_benchmark(folder / "benchmark.json")


@pytest.fixture(scope="module")
def answered(small, tmp_path_factory):
    out = tmp_path_factory.mktemp("answers") / "NAME"
    with pytest.MonkeyPatch.context() as patch, ChatServer() as server:
        patch.setenv("OPENAI_API_KEY", KEY)
        mmdu.answer(small, out, "m", base_url=server.url)
    return out
