"""Embeddings of a server and of a local model."""

from __future__ import annotations

import json
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from mmdu_analysis import building
from mmdu_analysis.building.embedding import read_embeddings
from mmdu_analysis.schema import DataError


def vector(text):
    """A direction for each planted subject."""
    subjects = {"bird": 0, "garden": 1, "bridge": 2}
    found = np.full(4, 0.01)
    for word, place in subjects.items():
        found[place] += 5.0 * text.lower().count(word)
    return (found * 7).tolist()


class Handler(BaseHTTPRequestHandler):
    asked: list = []  # noqa: RUF012
    reply = None

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Handler.asked.append((self.path, body))
        data = [{"index": n, "embedding": vector(text)} for n, text in enumerate(body["input"])]
        raw = json.dumps(
            {"data": data[::-1]} if Handler.reply is None else Handler.reply
        ).encode()  # in any order
        self.send_response(200)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_):
        pass


@pytest.fixture
def url(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    Handler.asked, Handler.reply = [], None
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


@pytest.fixture
def items():
    found = building.sample_items(3, 4)
    words = found["source"].str.removeprefix("planted: ").str.removesuffix("s")
    return found.assign(tags=words)


def test_a_server_is_asked_in_batches_and_its_vectors_cluster(url, items, monkeypatch):
    monkeypatch.setattr("mmdu_analysis.building.embedding._BATCH", 5)
    items.loc[0, ["tags", "title", "caption", "text"]] = ""
    found = building.embed_items(items, "endpoint", model="e", base_url=url)
    assert [path for path, _ in Handler.asked] == ["/v1/embeddings"] * 3
    assert [len(body["input"]) for _, body in Handler.asked] == [5, 5, 2]
    assert all(body["model"] == "e" and all(body["input"]) for _, body in Handler.asked)
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(np.ones(12))
    clusters = building.cluster_items(items, embed=found)
    labels = clusters["cluster"].tolist()
    assert len(set(labels[1:4])) == len(set(labels[4:8])) == len(set(labels[8:])) == 1
    assert len({labels[1], labels[4], labels[8]}) == 3


@pytest.mark.parametrize(
    "reply",
    [
        {"data": []},
        {"data": [{"index": 0, "embedding": [1.0]}]},
        {"error": "no"},
        [],
        {"data": [{"embedding": "x"}]},
    ],
)
def test_replies_that_are_no_embeddings_are_refused(url, items, reply):
    Handler.reply = reply
    with pytest.raises(DataError, match=r"embeddings|vectors"):
        building.embed_items(items, "endpoint", model="e", base_url=url)


def test_vectors_of_different_lengths_and_nan_are_refused(monkeypatch, items):
    raw = json.dumps({"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]})
    with pytest.raises(DataError, match=r"lengths \[1, 2\]"):
        read_embeddings(raw, 2)
    model = types.SimpleNamespace(encode=lambda texts, **_: np.full((len(texts), 2), np.nan))
    module = types.SimpleNamespace(SentenceTransformer=lambda *_, **__: model)
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    with pytest.raises(DataError, match="finite"):
        building.embed_items(items, "sentence-transformers", model="here")


def test_a_local_model_is_loaded_without_the_web(monkeypatch, items, tmp_path):
    told = {}

    class Model:
        def __init__(self, path, **options):
            told.update(options, path=path)

        def encode(self, texts, **_):
            return np.array([vector(text) for text in texts])

    monkeypatch.setitem(
        sys.modules, "sentence_transformers", types.SimpleNamespace(SentenceTransformer=Model)
    )
    found = building.cluster_items(items, embed="sentence-transformers", model=str(tmp_path))
    assert told == {"path": str(tmp_path), "local_files_only": True}
    assert found["cluster"].nunique() == 3


def test_a_missing_extra_is_told_by_name(monkeypatch, items):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(DataError, match=r"mmdu-analysis\[embeddings\]"):
        building.embed_items(items, "sentence-transformers", model="here")
