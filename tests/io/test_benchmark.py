"""Loading benchmarks: every form in which they are met, and nothing lost in silence."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time

import pandas as pd
import pytest
from builders import Q, record
from PIL import Image

from mmdu_analysis import DataError, dialog_lengths, load_benchmark
from mmdu_analysis.schema import DataWarning


def pictures(folder):
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30)).save(folder / "a.jpg", format="WEBP")  # WebP under another name
    Image.new("RGB", (10, 20)).save(folder / "b.jpg")


LAYOUTS = {
    "list": lambda r: json.dumps(r),
    "dict": lambda r: json.dumps({str(x["id"]): x for x in r}),
    "lines": lambda r: "\n".join(map(json.dumps, r)),
    "one": lambda r: json.dumps(r[0]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("user", "bot", "place"),
    [("user", "assistant", "<ImageHere>"), ("human", "gpt", "<image>"), ("Human", "bot", "<image>")],
)
def test_every_layout_gives_the_same_frames(tmp_path, layout, packed, user, bot, place):
    data = LAYOUTS[layout]([record("1", user, bot, place), record(2, user, bot, place)]).encode()
    path = tmp_path / ("benchmark.json" + ".gz" * packed)
    path.write_bytes(gzip.compress(data) if packed else data)
    pictures(tmp_path / "mmdu_pics")
    bench = load_benchmark(path, strict=True)
    ids = ["1"] if layout == "one" else ["1", "2"]
    assert bench.name == "benchmark"
    assert bench.dialogs.index.tolist() == ids
    assert bench.turns["answer"].tolist() == ["A bird.", "A cat."] * len(ids)
    assert bench.turns["new_images"].tolist() == [2, 0] * len(ids)
    assert bench.turns["images_so_far"].tolist() == [2, 2] * len(ids)
    assert bench.images[["width", "height"]].to_numpy().tolist() == [[40, 30], [10, 20]] * len(ids)
    assert bench.images["first_turn"].tolist() == [1, 1] * len(ids)
    assert str(bench.turns["question"].dtype) == "str"


def test_pictures_one_level_deeper(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps([record()]))
    pictures(tmp_path / "mmdu_pics" / "mmdu_pics")
    assert load_benchmark(tmp_path / "b.json").images["width"].tolist() == [40, 10]


@pytest.mark.parametrize("path", ["../secret.png", "/../secret.png", "mmdu_pics/../../secret.png"])
def test_pictures_outside_the_folder_are_not_read(tmp_path, path):
    Image.new("RGB", (5, 5)).save(tmp_path / "secret.png")
    inside = tmp_path / "data"
    inside.mkdir()
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    bad = record() | {"image": [path, "link.png"]}
    (inside / "b.json").write_text(json.dumps([bad]))
    with pytest.warns(DataWarning):
        assert load_benchmark(inside / "b.json").images["width"].isna().all()


def test_folder_with_one_file_a_dialogue(tmp_path):
    for key in (2, 10, 1):
        (tmp_path / f"{key}.json").write_text(json.dumps(record(key)))
    with pytest.warns(DataWarning, match="none of the 6 pictures"):
        assert load_benchmark(tmp_path).dialogs.index.tolist() == ["1", "2", "10"]


def test_image_inds_keep_the_original_numbers(tmp_path):
    entry = {"id": 0, "image": ["x.jpg", "y.jpg"], "image_inds": [1, 4], "inner_id": 22}
    entry["conversations"] = [
        {"from": "user", "value": "Image1 and Image4?"},
        {"from": "assistant", "value": "Yes."},
    ]
    (tmp_path / "b.json").write_text(json.dumps([entry]))
    with pytest.warns(DataWarning):
        bench = load_benchmark(tmp_path / "b.json")
    assert bench.images["image"].tolist() == [1, 4]
    assert bench.images["first_turn"].isna().all()
    assert bench.turns["images_so_far"].tolist() == [2]


def test_tsv_of_vlmevalkit(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (7, 9)).save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    rows = {
        "index": ["0", "1"],
        "image": [str([picture] * 2)] * 2,
        "question": [str([Q, "Image1?"]), "__import__('os').system('touch x')"],
    }
    rows["answer"] = [str(["A\tb", "c"]), "['a', 'b']"]
    pd.DataFrame(rows).to_csv(tmp_path / "MMDU.tsv", sep="\t", index=False)
    with pytest.warns(DataWarning, match="1 questions and 2 answers"):
        bench = load_benchmark(tmp_path / "MMDU.tsv")
    assert bench.turns["answer"].tolist() == ["A\tb", "c"]
    assert bench.images["width"].tolist() == [7, 7]


BROKEN = {
    "answer first": (lambda r: r["conversations"].pop(0), "an answer without a preceding question", 1),
    "two questions": (lambda r: r["conversations"].pop(1), "a question follows a question", 2),
    "strange speaker": (lambda r: r["conversations"][0].update({"from": "tool"}), "speaker 'tool'", 1),
    "too few placeholders": (lambda r: r["image"].append("c.jpg"), "3 images listed and 2 placeholders", 2),
    "no turns": (lambda r: r["conversations"].clear(), "without any question", 0),
}


@pytest.mark.parametrize("case", BROKEN)
def test_faults_are_reported_with_their_place(tmp_path, case):
    spoil, message, turns = BROKEN[case]
    bad = record(2)
    spoil(bad)
    (tmp_path / "b.json").write_text(json.dumps([record(1), bad]))
    with pytest.warns(DataWarning):
        bench = load_benchmark(tmp_path / "b.json")
    found = bench.problems.loc[bench.problems["problem"].str.contains(message)]
    assert len(found)
    assert found["where"].iloc[0].startswith("$[1]")
    assert found["dialog_id"].tolist() == ["2"] * len(found)
    assert bench.dialogs.loc["2", "n_turns"] == turns


WRONG_RECORDS = [
    {"id": 1},
    {"id": 1, "conversations": "x"},
    {"conversations": []},
    7,
    {"id": 2, "image": 7, "conversations": []},
    {"id": 3, "conversations": [{"from": "user", "value": 5}]},
]


@pytest.mark.parametrize("wrong", WRONG_RECORDS, ids=str)
def test_unusable_records_are_named_and_the_rest_kept(tmp_path, wrong):
    (tmp_path / "b.json").write_text(json.dumps([wrong, record(9)]))
    with pytest.warns(DataWarning):
        bench = load_benchmark(tmp_path / "b.json")
    assert bench.dialogs.index.tolist() == ["9"]
    assert bench.problems["where"].iloc[0].startswith("$[0]")
    with pytest.raises(DataError, match=r"b\.json: \$\[0\]"):
        load_benchmark(tmp_path / "b.json", strict=True)


def test_duplicate_ids_keep_the_first(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps([record(1), record("1")]))
    with pytest.warns(DataWarning):
        bench = load_benchmark(tmp_path / "b.json")
    assert len(bench.dialogs) == 1
    assert bench.problems["problem"].str.contains("duplicated").any()


NOT_BENCHMARKS = {
    "empty": b"",
    "blank": b" \n",
    "cut": json.dumps([record()]).encode()[:-20],
    "binary": bytes(range(256)),
    "number": b"5",
    "text": b"hello",
    "empty list": b"[]",
    "other": b'[{"a": 1}]',
    "utf-16": json.dumps([record()]).encode("utf-16"),
    "cut gzip": gzip.compress(json.dumps([record()]).encode())[:-9],
    "deep": b"[" * 100_000,
    "latin-1": json.dumps([record("é")], ensure_ascii=False).encode("latin-1"),
}


@pytest.mark.parametrize("case", NOT_BENCHMARKS)
def test_what_is_no_benchmark_is_one_clear_line(tmp_path, case):
    path = tmp_path / "b.json"
    path.write_bytes(NOT_BENCHMARKS[case])
    with pytest.raises(DataError) as caught:
        load_benchmark(path)
    assert "\n" not in str(caught.value)
    assert "b.json" in str(caught.value)


def test_missing_file_and_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_benchmark(tmp_path / "none.json")
    with pytest.raises(DataError, match="without any JSON"):
        load_benchmark(tmp_path)


def test_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "b.json").write_bytes(b"\xef\xbb\xbf" + json.dumps([record()]).encode())
    pictures(tmp_path / "mmdu_pics")
    assert len(load_benchmark(tmp_path / "b.json", strict=True).dialogs) == 1


def test_source_comes_from_the_environment(tmp_path, monkeypatch):
    (tmp_path / "mine.json").write_text(json.dumps([record()]))
    pictures(tmp_path / "mmdu_pics")
    monkeypatch.setenv("MMDU_DATA", str(tmp_path / "mine.json"))
    assert load_benchmark().name == "mine"
    monkeypatch.delenv("MMDU_DATA")
    with pytest.raises(DataError, match=r"no data set is given; pass a path, .* or set MMDU_DATA"):
        load_benchmark()
    assert load_benchmark("sample").synthetic


def test_select_keeps_the_order_asked_for(sample):
    part = sample.select(["7", "3"])
    assert part.dialogs.index.tolist() == ["7", "3"]
    assert part.turns["dialog_id"].unique().tolist() == ["7", "3"]
    assert len(part.turns) == part.dialogs["n_turns"].sum()
    with pytest.raises(DataError, match="no dialogue 'x'"):
        sample.select(["x"])


def test_the_real_benchmark(real):
    assert (len(real.dialogs), len(real.turns), len(real.images)) == (110, 1615, 421)
    assert real.dialogs["n_images"].max() == 20
    assert round(real.dialogs["n_images"].mean(), 2) == 3.83
    assert real.turns["answer"].notna().sum() == 107
    assert real.problems["problem"].str.contains("references are empty").sum() == 1
    assert real.problems["problem"].str.contains("missing or unreadable").sum() == 4


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_real_questions_keep_their_texts(shared, language):
    path = shared / "data" / "mmdu_qa" / f"{language}.json"
    with pytest.warns(DataWarning):
        bench = load_benchmark(path)
    texts = [[m["value"] for m in r["conversations"]] for r in json.loads(path.read_text())]
    assert bench.turns[["question", "answer"]].to_numpy().tolist() == texts
    assert len(bench.dialogs) == 109


def test_many_problems_do_not_slow_down_the_frames(tmp_path):
    (tmp_path / "b.json").write_text(json.dumps([{"id": n} for n in range(50_000)] + [record(50_000)]))
    with pytest.warns(DataWarning):
        bench = load_benchmark(tmp_path / "b.json")
    assert len(bench.problems) == 50_001  # and one for the pictures
    assert bench.problems.loc[7, ["where", "dialog_id"]].tolist() == ["$[7]", "7"]
    start = time.perf_counter()
    for _ in range(20):
        bench.turns.loc[bench.turns["turn"] == 1]
    assert time.perf_counter() - start < 0.5


def test_one_empty_reference_is_named_and_many_are_counted(tmp_path):
    made = [record(1), record(2)]
    made[1]["conversations"][3]["value"] = " "
    (tmp_path / "b.json").write_text(json.dumps(made))
    pictures(tmp_path / "mmdu_pics")
    with pytest.warns(DataWarning, match="dialogue 2, turn 2: the reference is empty"):
        (row,) = load_benchmark(tmp_path / "b.json").problems.itertuples()
    assert (row.dialog_id, row.turn) == ("2", 2)
    made[0]["conversations"][1]["value"] = ""
    (tmp_path / "b.json").write_text(json.dumps(made))
    with pytest.warns(DataWarning, match="2 of 4 references are empty"):
        (row,) = load_benchmark(tmp_path / "b.json").problems.itertuples()
    assert pd.isna(row.dialog_id)


def test_the_mark_of_synthetic_rows_survives(sample, real, tmp_path):
    assert sample.synthetic
    assert not real.synthetic
    mixed = pd.concat([sample.turns.head(2), real.turns.head(2)])
    mixed.to_csv(tmp_path / "t.csv", index=False)
    assert pd.read_csv(tmp_path / "t.csv")["synthetic"].tolist() == [True, True, False, False]
    assert dialog_lengths(sample)["synthetic"].all()
    assert not dialog_lengths(real)["synthetic"].any()


def test_pictures_behind_a_link_are_named_as_the_reason(tmp_path, monkeypatch):
    (tmp_path / "pics").mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.new("RGB", (5, 5)).save(tmp_path / "pics" / name)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mmdu_pics").symlink_to(tmp_path / "pics")
    (tmp_path / "data" / "b.json").write_text(json.dumps([record()]))
    monkeypatch.chdir(tmp_path)
    with pytest.warns(
        DataWarning, match="none of the 2 pictures was found below data; the first: .* a link leads outside"
    ):
        load_benchmark("data/b.json")
