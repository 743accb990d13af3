"""The streamed pass: every layout, faults on the way, a cluster; and cutting data down."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
import time
from functools import partial

import pandas as pd
import pyarrow as pa
import pytest
from builders import record
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdu_analysis import DataError, dialog_lengths, load_benchmark
from mmdu_analysis.io import benchmark, export, records, stream, walk
from mmdu_analysis.io.frames import rows_by_dialog
from mmdu_analysis.schema import DataWarning
from mmdu_analysis.stats.lengths import find_paths, measure_dataset
from mmdu_analysis.stats.measure import Options, measure_batch
from mmdu_analysis.stats.subsets import choose_dialogs

pytestmark = pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")


def many(count=300):
    made = [record(number) for number in range(count)]
    for number, entry in enumerate(made):
        entry["conversations"][1]["value"] = "word " * (number % 40 + 1)
    return made


LAYOUTS = {
    "list": json.dumps,
    "indented": lambda r: json.dumps(r, indent=1),
    "dict": lambda r: json.dumps({str(x["id"]): x for x in r}),
    "lines": lambda r: "\n".join(map(json.dumps, r)) + "\n\n",
}
PACKINGS = {"": bytes, ".gz": gzip.compress, ".zst": lambda data: pa.compress(data, "zstd", asbytes=True)}


@pytest.fixture
def small_blocks(monkeypatch):
    """Make a small file go the way of a large one: many blocks, other processes."""
    monkeypatch.setattr(records, "BLOCK_SIZE", 4_000)
    monkeypatch.setattr(stream, "WORTH_SPLITTING", 1)
    monkeypatch.setattr(benchmark, "WORTH_SPLITTING", 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_every_layout_measures_the_same(tmp_path, small_blocks, layout, packing):
    path = tmp_path / f"data.json{packing}"
    path.write_bytes(PACKINGS[packing](LAYOUTS[layout](many()).encode()))
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "data.json").write_text(json.dumps(many()))
    bench = load_benchmark(tmp_path / "plain" / "data.json")
    wanted = dialog_lengths(bench)
    found = dialog_lengths(path)
    pd.testing.assert_frame_equal(found, wanted)
    assert measure_dataset(path).unique_images == measure_dataset(bench).unique_images == 2
    again = load_benchmark(path)
    pd.testing.assert_frame_equal(again.turns, bench.turns)
    pd.testing.assert_frame_equal(again.images, bench.images)


def test_lengths_are_those_of_a_loop_by_hand(tmp_path):
    from mmdu_analysis import count_tokens

    path = tmp_path / "data.json"
    path.write_text(json.dumps(many(30)))
    found = dialog_lengths(path)
    for entry in many(30):
        texts = [
            m["value"] if isinstance(m["value"], str) else "".join(part["text"] for part in m["value"])
            for m in entry["conversations"]
        ]
        counts = count_tokens([text.replace("<ImageHere>", "") for text in texts]).tolist()
        row = found.loc[str(entry["id"])]
        assert row["question_tokens"] == sum(counts[::2])
        assert row["max_answer_tokens"] == max(counts[1::2])
        assert (row["single_image_questions"], row["n_turns"], row["image_tokens"]) == (2, 2, 2 * 471)


STRINGS = st.text(st.sampled_from('},{"id:1[]\\ \nä'), max_size=30)
VALUES = st.recursive(
    STRINGS | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "a"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(
    st.lists(st.fixed_dictionaries({"id": st.integers(), "x": VALUES}), min_size=1, max_size=12),
    st.integers(1, 60),
    st.sampled_from(["list", "indented", "dict", "lines"]),
)
@settings(max_examples=150, deadline=None)
def test_records_are_split_where_they_end(tmp_path_factory, made, size, layout):
    if layout == "dict":
        made = list({entry["id"]: entry for entry in made}.values())
    path = tmp_path_factory.mktemp("r") / "data.json"
    path.write_text(LAYOUTS[layout](made), encoding="utf-8")
    before, records.BLOCK_SIZE = records.BLOCK_SIZE, size
    try:
        found = list(walk.json_records(path))
    finally:
        records.BLOCK_SIZE = before
    if layout == "dict" and len(made) == 1 and not isinstance(made[0], dict):
        return
    assert not any(entry.fault for entry in found)
    assert [json.loads(bytes(entry.raw)) for entry in found] == made


FAULTS = {
    "wrong type": (lambda text: text.replace('"id": 200,', '"id": [200],', 1), "$[200].id", "Expected"),
    "no json": (lambda text: text.replace('"id": 200,', '"id": 200;', 1), "$[200]", "not valid JSON"),
    "not a number": (lambda text: text.replace('"id": 200,', '"id": NaN,', 1), "$[200]", "malformed"),
    "cut": (lambda text: text[: text.index('"id": 201') - 30], "$[200]", "ends before its closing bracket"),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("packing", PACKINGS)
def test_a_fault_is_named_and_the_rest_counted(tmp_path, small_blocks, case, packing):
    spoil, where, message = FAULTS[case]
    path = tmp_path / f"data.json{packing}"
    path.write_bytes(PACKINGS[packing](spoil(json.dumps(many())).encode()))
    with pytest.warns(DataWarning):
        found = dialog_lengths(path)
    assert "200" not in found.index
    assert len(found) == (200 if case == "cut" else 299)
    problems = measure_dataset(path).problems
    (problem,) = problems.itertuples(index=False)
    assert (problem.file, problem.where) == (str(path), where)
    assert message in problem.problem
    bench = load_benchmark(path)
    assert bench.dialogs.index.tolist() == found.index.tolist()
    assert (bench.problems.loc[bench.problems["where"] == where, "problem"] == problem.problem).all()


@pytest.mark.parametrize("packing", [".gz", ".zst"])
@pytest.mark.parametrize("layout", ["list", "lines"])
def test_of_a_damaged_archive_the_beginning_is_kept(tmp_path, small_blocks, packing, layout):
    path = tmp_path / f"data.json{packing}"
    made = many(3_000)
    for number, entry in enumerate(made):
        entry["conversations"][1]["value"] = "".join(chr(97 + number * k % 26) for k in range(400))
    data = PACKINGS[packing](LAYOUTS[layout](made).encode())
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.warns(DataWarning):
        found = dialog_lengths(path)
    assert 0 < len(found) < 3_000
    assert measure_dataset(path).problems["problem"].str.contains("damaged or truncated").any()


def test_ids_that_stand_twice_and_several_files(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(many(3)))
    (tmp_path / "b.json").write_text(json.dumps(many(5)))
    (tmp_path / "c.json").write_text("nothing")
    found = dialog_lengths([tmp_path / "*.json"])
    assert found.index.tolist() == ["0", "1", "2", "3", "4"]
    problems = measure_dataset([tmp_path / "*.json"]).problems
    assert problems["problem"].str.contains("duplicated").sum() == 3
    assert (
        problems.loc[problems["file"].str.endswith("c.json"), "problem"]
        .str.contains("expected a JSON list or object")
        .all()
    )
    with pytest.raises(DataError, match="matches no file"):
        find_paths(str(tmp_path / "*.tsv"))
    with pytest.raises(DataError, match="no such file"):
        dialog_lengths([tmp_path / "a.json", tmp_path / "d.json"])


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made


def test_a_killed_worker_changes_nothing(tmp_path, small_blocks, cluster):
    path = tmp_path / "data.json"
    path.write_text(json.dumps(many(4_000)))
    wanted = dialog_lengths(path)
    victim = next(iter(cluster.workers.values())).pid

    def kill():
        time.sleep(0.5)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = dialog_lengths(path, "dask", scheduler=cluster.scheduler_address)
    killer.join()
    pd.testing.assert_frame_equal(found, wanted)


def test_a_bad_shard_is_named_by_a_cluster_too(tmp_path, cluster):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps([record(name)]))
    (tmp_path / "bad.json").write_text("{")
    found = measure_dataset([tmp_path / "*.json"], "dask", scheduler=cluster.scheduler_address)
    assert found.table.index.tolist() == ["a", "b"]
    assert found.problems["file"].iloc[0].endswith("bad.json")
    with pytest.raises(DataError, match="no Dask scheduler responds"):
        dialog_lengths([tmp_path / "*.json"], "dask", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(DataError, match="engine 'spark' is unknown"):
        dialog_lengths(tmp_path / "a.json", "spark")


def test_what_fails_after_all_tries_is_named(tmp_path, cluster):
    from distributed import Client

    from mmdu_analysis.stats import cluster as engine

    path = tmp_path / "shard.json"
    task = records.Block(path, "list", 1_000, 2_000)  # a file that vanished meanwhile
    work = partial(measure_batch, options=Options("o200k_base", "paper"))
    with Client(cluster) as client:
        future = client.submit(stream.do_task, task, work, retries=1)
        (problem,) = engine._result(task, future).problems
    assert problem.file == str(path)
    assert problem.where == "bytes 1,000 to 2,000"
    assert "FileNotFoundError" in problem.problem


SPEAKERS = [("user", "assistant"), ("human", "gpt"), ("Human", "bot")]


@pytest.mark.parametrize("name", ["out.json", "out.jsonl", "out.json.gz"])
def test_to_json_gives_back_what_came_in(tmp_path, name):
    made = [record(number, *SPEAKERS[number % 3]) for number in range(6)]
    made[1]["id"], made[2]["image_inds"] = "a", [2, 5]
    for entry in made:
        entry["conversations"][3]["value"] = 'quotes " \\ \u2028 \x7f ä 图\n'
    (tmp_path / "in.json").write_text(json.dumps(made))
    load_benchmark(tmp_path / "in.json").to_json(tmp_path / name)
    found = [json.loads(bytes(raw.raw)) for raw in walk.json_records(tmp_path / name)]
    assert found == made
    with pytest.raises(DataError, match="ends with"):
        load_benchmark(tmp_path / "in.json").to_json(tmp_path / "out.txt")


def test_the_sample_keeps_its_mark_in_json(sample, tmp_path):
    sample.select(["3", "1"]).to_json(tmp_path / "part.json")
    part = load_benchmark(tmp_path / "part.json")
    assert part.synthetic
    assert part.dialogs.index.tolist() == ["3", "1"]


def test_parquet_gives_back_the_same_benchmark(tmp_path, real):
    real.to_parquet(tmp_path / "copy")
    real.to_parquet(tmp_path / "copy")  # over itself
    again = load_benchmark(tmp_path / "copy")
    for frame in ("dialogs", "turns", "images", "forms"):
        pd.testing.assert_frame_equal(getattr(again, frame), getattr(real, frame))
    assert (again.name, again.synthetic) == (real.name, real.synthetic)
    pd.testing.assert_frame_equal(again.problems, real.problems)
    assert again.folder == tmp_path / "copy"  # a copy doesn't choose where pictures are read from
    assert len(list((tmp_path / "copy").iterdir())) == 7  # the lock, five frames and their names
    assert load_benchmark(tmp_path / "copy", picture_folder=real.folder).folder == real.folder
    next((tmp_path / "copy").glob("turns-*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(DataError, match="not a complete Parquet copy"):
        load_benchmark(tmp_path / "copy")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(DataError, match=r"holds other files \(thesis\.tex\)"):
        real.to_parquet(tmp_path / "mine")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_subset_keeps_records_byte_for_byte(tmp_path, layout):
    made = many(20)
    path = tmp_path / "data.json"
    path.write_text(LAYOUTS[layout](made).replace('"assistant"', '"\\u0061ssistant"'))
    assert export.write_subset([path], ["7", "3", "x"], tmp_path / "part.json") == 2
    raws = {bytes(entry.raw) for entry in walk.json_records(path)}
    part = [bytes(entry.raw) for entry in walk.json_records(tmp_path / "part.json")]
    assert [json.loads(raw)["id"] for raw in part] == [3, 7]
    assert set(part) <= raws
    assert export.write_subset([path], ["7"], tmp_path / "part.jsonl") == 1
    assert len((tmp_path / "part.jsonl").read_text().splitlines()) == 1


def test_a_subset_never_replaces_what_it_is_taken_from(tmp_path):
    path = tmp_path / "data.json"
    path.write_text(json.dumps(many(3)))
    with pytest.raises(DataError, match="is an input file"):
        export.write_subset([path], ["1"], path)
    assert len(json.loads(path.read_text())) == 3


def test_conditions_cut_and_say_what():
    lengths = dialog_lengths(load_benchmark("sample"))
    chosen, steps = choose_dialogs(lengths, "n_images <= 3 and (n_turns > 15 or n_turns < 5)", 5, seed=1)
    kept = lengths[(lengths["n_images"] <= 3) & ((lengths["n_turns"] > 15) | (lengths["n_turns"] < 5))]
    assert set(chosen) <= set(kept.index)
    assert steps["n_dialogs"].tolist() == [110, int((lengths["n_images"] <= 3).sum()), len(kept), 5]
    assert steps["n_cut"].sum() == 105
    assert choose_dialogs(lengths, None, 5, seed=1)[0] == choose_dialogs(lengths, None, 5, seed=1)[0]
    assert chosen == [key for key in lengths.index if key in chosen]


@pytest.mark.parametrize(
    "where",
    [
        "__import__('os').system('touch x')",
        "n_turns.__class__",
        "@lengths",
        "n_images[0] > 1",
        "n_pictures > 2",
        "n_turns >",
        "n_turns + 1",
        "n_turns > 'a'",
        "n_turns > 99",
        "(lambda: 1)()",
    ],
)
def test_conditions_that_are_none_are_one_line(where):
    lengths = dialog_lengths(load_benchmark("sample"))
    with pytest.raises(DataError) as caught:
        choose_dialogs(lengths, where)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("n_turns.to_csv('ran') != 1", "got a call, expected comparisons of columns"),
        ("n_turns.values.tofile('ran') != 1", "got a call, expected comparisons of columns"),
        ("n_turns.shape[0] > 1", "got a subscript, expected comparisons of columns"),
        ("n_pictures > 2", "names 'n_pictures'; expected dialog_id, n_turns"),
    ],
)
def test_a_condition_that_is_code_is_not_evaluated(tmp_path, monkeypatch, where, message):
    lengths = dialog_lengths(load_benchmark("sample"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=message):
        choose_dialogs(lengths, where)
    assert not list(tmp_path.iterdir())


@settings(max_examples=100, deadline=1000)
@given(
    st.lists(st.sampled_from("abcd"), max_size=12), st.permutations("abce"), st.integers(0, 4), st.booleans()
)
def test_rows_by_dialog_are_those_of_each(owners, order, wanted, small):
    frame = pd.DataFrame({"dialog_id": pd.array(owners, dtype="str"), "number": range(len(owners))})
    ids = pd.Index(order[:wanted], dtype="str")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmdu_analysis.io.frames._BATCH", 2 if small else 2_000)
        found = [[(row.dialog_id, row.number) for row in rows] for rows in rows_by_dialog(frame, ids)]
    pairs = list(enumerate(owners))
    assert found == [[(owner, place) for place, owner in pairs if owner == key] for key in ids]


@pytest.mark.parametrize("given", [None, 5, [{"id": 1}], [None]])
def test_what_is_no_path_is_refused(given):
    with pytest.raises(DataError, match=r"got (NoneType|int|dict), expected a Benchmark, or paths"):
        dialog_lengths(given)


def test_choices_that_are_none_are_refused(tmp_path):
    path = tmp_path / "d.json"
    path.write_text(json.dumps([record(1), record(2)]))
    with pytest.raises(DataError, match="got list, expected the path or the name of one data set"):
        load_benchmark([path])
    for ask in (dialog_lengths, load_benchmark):
        with pytest.raises(DataError, match="ids is 'Prefix', expected 'keep' or 'prefix'"):
            ask(path, ids="Prefix")
    for sample in (0, -1, 0.5):
        with pytest.raises(DataError, match=f"sample is {sample}, expected a whole number"):
            choose_dialogs(dialog_lengths(path), None, sample)
