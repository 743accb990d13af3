"""Contamination and duplicates: exact counts, against a count by hand."""

from __future__ import annotations

import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import record
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmdu_analysis import DataError, load_benchmark
from mmdu_analysis.schema import ProblemWarning
from mmdu_analysis.stats.overlap import find_overlap, split_words

pytestmark = pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")
LONG = "the quick brown fox jumps over the lazy dog while seven red birds watch it from a tall tree"


def entry(key, *texts, images=()):
    talk = [
        {"from": speaker, "value": text}
        for question, answer in zip(texts[::2], texts[1::2], strict=True)
        for speaker, text in (("user", question), ("assistant", answer))
    ]
    return {"id": key, "image": list(images), "conversations": talk}


def write(path, *entries):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def by_hand(texts, others, n):
    """Count the runs of `texts` that some text of `others` has."""
    known = {tuple(w[i : i + n]) for w in map(split_words, others) for i in range(len(w) - n + 1)}
    return sum(tuple(w[i : i + n]) in known for w in map(split_words, texts) for i in range(len(w) - n + 1))


@given(st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_runs_of_words_are_those_of_a_loop(tmp_path_factory, seed):
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("o")

    def texts():
        return [" ".join(rng.choice("abcd 图e") for _ in range(rng.randint(1, 40))) for _ in range(4)]

    bench, train = texts(), texts()
    data = write(folder / "t.json", entry("x", *train))
    found = find_overlap(data, load_benchmark(write(folder / "b.json", entry("y", *bench))), n=3)
    runs = found.loc[found["kind"] == "text", "count"].sum()
    assert runs == by_hand(train, bench, 3)


def test_shared_text_is_found_whatever_case_and_punctuation(tmp_path):
    bench = write(tmp_path / "b" / "b.json", entry("64", f"{LONG}?", "Yes."), entry("65", "What?", "No."))
    data = write(
        tmp_path / "t.json",
        entry("clean", "Something else entirely, which shares no thirteen words with it at all?", "No."),
        entry("dirty", "<image>What?", "He said: " + LONG.upper().replace(" ", ", ") + "!"),
        entry("twelve", "x", " ".join(LONG.split()[:12])),
    )
    found = find_overlap(data, bench)
    (row,) = found.itertuples()
    assert (row.dialog_id, row.kind, row.other) == ("dirty", "text", "64")
    assert row.count == len(LONG.split()) - 12
    assert row.example.split() == LONG.split()[:13]
    assert found["count"].dtype == "int64"
    assert not found["synthetic"].any()


def test_pictures_are_found_by_path_and_by_content(tmp_path):
    for folder, name, colour in (("b", "a.png", 1), ("b", "b.png", 2), ("t", "x.png", 1), ("t", "y.png", 3)):
        (tmp_path / folder / "pics").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (colour, 0, 0)).save(tmp_path / folder / "pics" / name)
    bench = write(tmp_path / "b" / "b.json", entry(1, "q", "a", images=["/pics/a.png", "pics/b.png"]))
    data = write(
        tmp_path / "t" / "t.json",
        entry("path", "q2", "a", images=["pics/b.png"]),
        entry("file", "q3", "a", images=["pics/x.png", "pics/y.png"]),
        entry("none", "q4", "a", images=["pics/y.png", "https://example.org/pics/a.png"]),
    )
    found = find_overlap(data, bench)
    assert found[["dialog_id", "kind", "other", "count"]].to_numpy().tolist() == [
        ["path", "image path", "1", 1],
        ["file", "image file", "1", 1],
    ]


def test_duplicates_name_the_first(tmp_path, monkeypatch):
    made = [entry(n, f"question {n % 150}?", "a", images=["x.png"]) for n in range(400)]
    made[5]["image"] = ["y.png"]
    data = write(tmp_path / "t.json", *made)
    bench = load_benchmark(write(tmp_path / "b.json", record()))
    for block in (8 << 20, 4_000):
        monkeypatch.setattr("mmdu_analysis.io.records.BLOCK_SIZE", block)
        monkeypatch.setattr("mmdu_analysis.io.stream.WORTH_SPLITTING", 1 if block == 4_000 else 16 << 20)
        found = find_overlap(data, bench)
        assert set(found["kind"]) == {"duplicate"}
        pairs = dict(zip(found["dialog_id"], found["other"], strict=True))
        assert pairs["150"] == "0"
        assert pairs["305"] == "155"
        assert "155" not in pairs  # the fifth has another picture
        assert len(pairs) == 250 - 1


def test_what_can_t_be_compared(sample):
    with pytest.raises(DataError, match="n is 2"):
        find_overlap(sample, sample, n=2)
    found = find_overlap(sample.select(["7"]), sample.select(["8"]))
    assert found["synthetic"].dtype == bool


def test_pictures_that_cannot_be_compared_are_counted(tmp_path):
    bench = write(tmp_path / "b" / "b.json", entry(1, "What?", "This.", images=["a.png", "gone.png"]))
    Image.new("RGB", (7, 7)).save(tmp_path / "b" / "a.png")
    data = write(tmp_path / "t" / "sub" / "t.json", entry("x", "Where?", "Here.", images=["c.png", "d.png"]))
    with pytest.warns(ProblemWarning) as warned:
        assert find_overlap(data, bench).empty
    texts = [str(one.message) for one in warned if "compared by" in str(one.message)]
    assert texts == [
        "2 pictures of the data were not found, and are compared by their paths only",
        "1 pictures of the benchmark were not found, and are compared by their paths only",
    ]
    for name in ("c.png", "d.png"):  # in the folder that is named, above that of the file
        Image.new("RGB", (7, 7)).save(tmp_path / "t" / name)
    assert find_overlap(tmp_path / "t", bench)[["kind", "count"]].to_numpy().tolist() == [["image file", 2]]


def test_duplicates_with_pictures_inside_of_the_file_are_found(tmp_path):
    talk = [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "This."}]
    rows = [
        {"images": [{"bytes": data, "path": None}], "messages": talk} for data in (b"one", b"two", b"one")
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    bench = write(tmp_path / "b" / "b.json", entry(1, "Who?", "Me."))
    found = find_overlap(tmp_path / "t.parquet", bench)
    assert found[["dialog_id", "kind", "other"]].to_numpy().tolist() == [["2", "duplicate", "0"]]
