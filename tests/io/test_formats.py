"""Training formats: all are recognised by their shape and load alike."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import SHARED, record
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdu_analysis import DataError, convert, dialog_lengths, load_benchmark
from mmdu_analysis.io.dialogs import count_questions
from mmdu_analysis.io.export import write_subset
from mmdu_analysis.io.stream import find_files

pytestmark = pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")

FILES = {
    "llava.json": 3,
    "llama_factory.json": 2,
    "ms_swift.jsonl": 2,
    "openai.jsonl": 2,
    "mantis.json": 2,
    "train-00000-of-00001.parquet": 2,
}
QUESTIONS = [
    "Which square is warmer, the one in Image1 or in Image2?",
    "And this one?",
    "What is the colour?",
    "Name a thing of that colour.",
]


@pytest.fixture
def formats():
    if not SHARED.is_dir():
        pytest.skip("the cases aren't beside the project (../shared)")
    return SHARED / "cases" / "formats"


@pytest.mark.parametrize("name", FILES)
def test_the_same_dialogues_load_alike(formats, name):
    bench = load_benchmark(formats / name, strict=True)
    assert len(bench.dialogs) == FILES[name]
    first = bench.turns.head(4)
    texts = [question.replace("<image>", "").strip() for question in first["question"]]
    assert texts == QUESTIONS
    assert first["answer"].tolist()[0::2] == ["Image1 is red, a warm colour.", "Blue."]
    assert first["images_so_far"].tolist() == ([3, 3, 1, 1] if name == "mantis.json" else [2, 3, 1, 1])
    assert len(bench.images) == 4
    assert bench.images["first_turn"].tolist() == ([1, 1, 1, 1] if name == "mantis.json" else [1, 1, 2, 1])
    assert bench.images[["width", "height"]].to_numpy().tolist() == [[8, 6]] * 4
    systems = bench.dialogs["system"].dropna().tolist()
    assert systems == (["Be brief."] * 2 if name == "ms_swift.jsonl" else [])
    lengths = dialog_lengths(formats / name)
    assert lengths["n_turns"].tolist() == bench.dialogs["n_turns"].tolist()


def test_a_format_can_be_forced(formats):
    assert len(load_benchmark(formats / "openai.jsonl", input_format="openai").dialogs) == 2
    with pytest.raises(DataError, match="no usable dialogue"):
        load_benchmark(formats / "openai.jsonl", input_format="llava")
    with pytest.raises(DataError, match="no format 'coco'; expected one of mmdu, llava"):
        load_benchmark(formats / "openai.jsonl", input_format="coco")


def write(tmp_path, records, name="d.json"):
    (tmp_path / name).write_text(json.dumps(records))
    return tmp_path / name


def chat(*messages, **more):
    return {"messages": [{"role": role, "content": content} for role, content in messages], **more}


def test_records_without_ids_get_their_position(tmp_path, monkeypatch):
    made = [chat(("user", f"q{n}"), ("assistant", f"a{n}")) for n in range(400)]
    wanted = [str(n) for n in range(400)]
    lines = tmp_path / "d.jsonl"
    lines.write_text("\n".join(map(json.dumps, made)))
    for path in (write(tmp_path, made), lines):
        with monkeypatch.context() as patch:
            patch.setattr("mmdu_analysis.io.records.BLOCK_SIZE", 1_000)
            patch.setattr("mmdu_analysis.io.stream.WORTH_SPLITTING", 1)
            patch.setattr("mmdu_analysis.io.benchmark.WORTH_SPLITTING", 1)
            bench = load_benchmark(path)
            assert bench.dialogs.index.tolist() == wanted
            assert bench.turns["question"].tolist() == [f"q{n}" for n in range(400)]
            assert dialog_lengths(path).index.tolist() == wanted


def test_a_file_with_ids_needs_them_in_every_record(tmp_path):
    made = [record(1), record(2)]
    del made[0]["id"]
    bench = load_benchmark(write(tmp_path, made))
    assert bench.dialogs.index.tolist() == ["2"]
    assert "no 'id'" in bench.problems["problem"].iloc[0]


MESSAGES = {
    "system first": ([("system", "S"), ("user", "q"), ("assistant", "a")], 1, ""),
    "system late": ([("user", "q"), ("system", "S"), ("assistant", "a")], 1, "late system message"),
    "two questions": ([("user", "q"), ("user", "r"), ("assistant", "a")], 2, "a question follows a question"),
    "two answers": (
        [("user", "q"), ("assistant", "a"), ("assistant", "b")],
        1,
        "an answer follows an answer",
    ),
    "answer first": (
        [("assistant", "a"), ("user", "q"), ("assistant", "b")],
        1,
        "without a preceding question",
    ),
    "null answer": ([("user", "q"), ("assistant", None), ("user", "r"), ("assistant", "b")], 1, "null"),
    "null question": ([("user", None), ("assistant", "a"), ("user", "r"), ("assistant", "b")], 1, "null"),
    "tool": ([("user", "q"), ("tool", "x"), ("assistant", "a")], 1, "speaker 'tool'"),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_messages_that_fit_nowhere_are_reported(tmp_path, case):
    messages, turns, problem = MESSAGES[case]
    bench = load_benchmark(write(tmp_path, [chat(*messages), chat(("user", "q"), ("assistant", "a"))]))
    assert bench.dialogs["n_turns"].tolist() == [turns, 1]
    found = bench.problems["problem"].tolist()
    assert any(problem in text for text in found) if problem else not found
    assert (bench.problems["dialog_id"].dropna() == "0").all()


def test_turns_after_one_that_is_left_out_keep_their_numbers(tmp_path):
    for case in ("null answer", "null question"):
        bench = load_benchmark(write(tmp_path, [chat(*MESSAGES[case][0])]))
        assert bench.turns[["turn", "question", "answer"]].to_numpy().tolist() == [[2, "r", "b"]]
    talk = [
        {"from": "user", "value": "q"},
        None,
        {"from": "user", "value": "r"},
        {"from": "gpt", "value": "b"},
    ]
    bench = load_benchmark(write(tmp_path, [{"id": 1, "conversations": talk}]))
    assert bench.turns["turn"].tolist() == [2]


def test_pictures_in_parts_stand_where_they_were(tmp_path):
    parts = [
        {"type": "text", "text": "Is "},
        {"type": "image", "image": "a.png"},
        {"type": "text", "text": " like "},
        {"type": "image_url", "image_url": "b.png"},
        "?",
    ]
    bench = load_benchmark(
        write(tmp_path, [chat(("user", parts), ("assistant", [{"type": "text", "text": "No."}]))])
    )
    assert bench.turns["question"].tolist() == ["Is <image> like <image>?"]
    assert bench.turns["answer"].tolist() == ["No."]
    assert bench.images["path"].tolist() == ["a.png", "b.png"]


def test_shards_whose_ids_repeat(tmp_path):
    if not SHARED.is_dir():
        pytest.skip("the cases aren't beside the project (../shared)")
    shards = SHARED / "cases" / "files"
    for shard in ("shard-0.json", "shard-1.json"):
        (tmp_path / shard).write_bytes((shards / shard).read_bytes())
    bench = load_benchmark(tmp_path)
    assert len(bench.dialogs) == 2
    assert bench.problems["problem"].str.contains(r"duplicated; .*prefix the ids").sum() == 2
    bench = load_benchmark(tmp_path, ids="prefix")
    assert bench.dialogs.index.tolist() == ["shard-0-0", "shard-0-1", "shard-1-0", "shard-1-1"]
    assert bench.turns["question"].tolist() == ["a?", "c?", "e?", "g?"]
    assert len(dialog_lengths(tmp_path, ids="prefix")) == 4


def test_questions_in_one_turn_are_reported():
    if not SHARED.is_dir():
        pytest.skip("the cases aren't beside the project (../shared)")
    bench = load_benchmark(SHARED / "cases" / "files" / "questions_in_one_turn.json")
    row = bench.problems.loc[bench.problems["problem"].str.contains("questions in one turn")].iloc[0]
    assert (row["dialog_id"], row["turn"]) == ("64", 1)
    assert bench.dialogs["n_turns"].tolist() == [2]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Questions:\n1) What?\n2) Who?", 2),
        ("**Questions**:\n- What?\n- Who?\n- When?", 3),
        ("What is shown?\nAnswer briefly.", 0),
        ("1. What is the first step?", 0),
        ("Steps:\n1. Open it.\n2. Close it.\nIs that right?", 0),
        ("1. A?\n2. B?\n3. C？", 3),
    ],
)
def test_lists_of_questions_are_counted(text, count):
    assert count_questions(text) == count


COLUMNS = {
    "no messages": {"id": ["1"], "text": ["x"]},
    "messages are texts": {"messages": ["x"]},
    "messages are numbers": {"messages": [[1]]},
    "messages are null": {"messages": pa.array([None], pa.list_(pa.struct([("role", pa.string())])))},
    "images are numbers": {"messages": [[{"role": "user", "content": "q"}]], "images": [[1.5]]},
    "ids are lists": {"messages": [[{"role": "user", "content": "q"}]], "id": [[1]]},
    "ids are huge": {"messages": [[{"role": "user", "content": "q"}]], "id": [1e300]},
    "struct of struct": {"conversations": [[{"from": {"x": 1}, "value": "q"}]]},
    "system is a number": {"messages": [[{"role": "user", "content": "q"}]], "system": [5]},
}


@pytest.mark.parametrize("case", COLUMNS)
def test_odd_columns_end_in_a_result_or_one_line(tmp_path, case):
    pq.write_table(pa.table(COLUMNS[case]), tmp_path / "d.parquet")
    try:
        bench = load_benchmark(tmp_path / "d.parquet")
    except DataError as error:
        assert "d.parquet" in str(error)  # noqa: PT017 - it may end in a result as well
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert len(bench.dialogs) == 1


EXTREME = st.sampled_from(
    [
        2**63,
        -(2**63) - 1,
        10**400,
        1e300,
        -0.0,
        True,
        None,
        "",
        "\ud800",
        "\0",
        [],
        {},
        [[]],
        "x" * 5_000,
        -1,
        0.5,
    ]
)
FIELDS = [
    "id",
    "image",
    "images",
    "image_inds",
    "system",
    "synthetic",
    "conversations",
    "messages",
    "conversation",
]


@given(
    st.dictionaries(st.sampled_from(FIELDS), EXTREME | st.lists(EXTREME, max_size=3), max_size=4),
    st.dictionaries(st.sampled_from(["from", "value", "turn", "role", "content"]), EXTREME, max_size=3),
    st.sampled_from(["list", "lines", "dict"]),
    st.sampled_from([None, "mmdu", "openai", "mantis"]),
)
@settings(max_examples=300, deadline=None)
def test_extreme_values_in_every_field(tmp_path_factory, fields, message, layout, form):
    entry = record(3) | fields
    if isinstance(entry.get("conversations"), list) and entry["conversations"]:
        first = entry["conversations"][0]
        entry["conversations"][0] = first | message if isinstance(first, dict) else message
    made = [record(1), entry]
    text = {
        "list": lambda: json.dumps(made),
        "lines": lambda: "\n".join(map(json.dumps, made)),
        "dict": lambda: json.dumps({str(n): value for n, value in enumerate(made)}),
    }[layout]()
    path = tmp_path_factory.mktemp("x") / "d.json"
    path.write_text(text)
    for load in (load_benchmark, dialog_lengths):
        try:
            found = load(path, input_format=form)
        except DataError as error:
            assert form in ("openai", "mantis") or "d.json" in str(error)  # noqa: PT017
            continue
        kept = len(found.dialogs if load is load_benchmark else found)
        assert kept in (1, 2)


@pytest.mark.parametrize("number", [-1, 10**7, 2**40, 2**63, 2**70])
def test_numbers_of_images_that_cannot_be_are_reported_and_replaced(tmp_path, number):
    made = record(1) | {"image_inds": [1, number]}
    (tmp_path / "b.json").write_text(json.dumps([made, record(2)]))
    bench = load_benchmark(tmp_path / "b.json")
    assert bench.images["image"].tolist() == [1, 2, 1, 2]
    assert bench.problems["problem"].str.contains("not between 0 and 1,000,000; they are ignored").sum() == 1


@pytest.mark.parametrize("number", [-1, 0, 2**31, 2**63, 2**70])
def test_stated_turns_that_cannot_be_are_positions(tmp_path, number):
    made = record(1)
    for message, turn in zip(made["conversations"], (1, 1, number, number), strict=True):
        message["turn"] = turn
    (tmp_path / "b.json").write_text(json.dumps([made]))
    assert load_benchmark(tmp_path / "b.json").turns["turn"].tolist() == [1, 2]


PARTS = {
    "marked only": ({"type": "image"}, ["a.png"], ""),
    "marked only, with null": ({"type": "image", "index": 0, "text": None}, ["a.png"], ""),
    "url": ({"type": "image", "url": "b.png"}, None, ""),
    "path": ({"type": "image", "path": "b.png"}, None, ""),
    "video": ({"type": "video", "video": "a.mp4"}, None, "a part of type 'video'"),
    "unknown source": (
        {"type": "image", "source": {"data": "x"}},
        None,
        "0 images listed and 1 placeholders",
    ),
}


@pytest.mark.parametrize("case", PARTS)
@pytest.mark.parametrize("parquet", [False, True])
def test_no_part_of_a_message_is_lost_silently(tmp_path, case, parquet):
    part, listed, problem = PARTS[case]
    talk = [("user", [part, {"type": "text", "text": "What?"}]), ("assistant", "No.")]
    made = chat(*talk) | ({"images": listed} if listed else {})
    path = tmp_path / "d.parquet"
    if parquet:
        made["messages"][1]["content"] = [{"type": "text", "text": "No."}]
        pq.write_table(pa.Table.from_pylist([made]), path)
    bench = load_benchmark(path if parquet else write(tmp_path, [made]))
    assert bench.turns["question"].tolist() == ["What?" if case == "video" else "<image>What?"]
    assert bench.images["path"].tolist() == (listed or ([] if problem else ["b.png"]))
    found = bench.problems.loc[~bench.problems["problem"].str.contains("picture"), "problem"].tolist()
    assert len(found) == bool(problem)
    assert all(problem in text for text in found)


@pytest.mark.parametrize("name", ["video", "videos", "audios"])
def test_videos_are_a_problem(tmp_path, name):
    made = chat(("user", "<video>What?"), ("assistant", "No.")) | {name: ["a.mp4"]}
    pq.write_table(pa.Table.from_pylist([made] * 3), tmp_path / "d.parquet", row_group_size=1)
    for path in (write(tmp_path, [made]), tmp_path / "d.parquet"):
        assert load_benchmark(path).problems["problem"].tolist() == [
            "videos and audio are not read; they are left out"
        ]
    made[name] = []
    assert load_benchmark(write(tmp_path, [made])).problems.empty


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("first", ["damaged", "long"])
def test_the_first_line_may_be_damaged_or_long(tmp_path, monkeypatch, first, named):
    monkeypatch.setattr("mmdu_analysis.io.records._HEAD", 2_000)
    made = [chat(("user", "q" * 3_000), ("assistant", "a")), *[chat(("user", "q"), ("assistant", "a"))] * 9]
    made = [{"id": f"d{n}"} | one for n, one in enumerate(made)] if named else made
    lines = [json.dumps(one) for one in made]
    path = tmp_path / "d.jsonl"
    path.write_text("\n".join([lines[0][:30], *lines[1:]] if first == "damaged" else lines))
    bench = load_benchmark(path)
    wanted = [f"d{n}" if named else str(n) for n in range(10)]
    assert bench.dialogs.index.tolist() == wanted[first == "damaged" :]
    assert bench.problems["where"].tolist() == (["line 1"] if first == "damaged" else [])


def test_shards_without_ids_are_all_kept(tmp_path):
    made = [chat(("user", f"q{n}"), ("assistant", "a")) for n in range(4)]
    (tmp_path / "one.jsonl").write_text("\n".join(map(json.dumps, made[:2])))
    pq.write_table(pa.Table.from_pylist(made[2:]), tmp_path / "two.parquet")
    ids = ["one-0", "one-1", "two-0", "two-1"]
    assert dialog_lengths([tmp_path / "one.jsonl", tmp_path / "two.parquet"]).index.tolist() == ids
    (tmp_path / "two.parquet").unlink()
    (tmp_path / "two.jsonl").write_text("\n".join(map(json.dumps, made[2:])))
    bench = load_benchmark(tmp_path)
    assert bench.dialogs.index.tolist() == ids
    assert bench.turns["question"].tolist() == ["q0", "q1", "q2", "q3"]
    write_subset(find_files(tmp_path), ["one-1", "two-0"], tmp_path / "part.json")
    assert load_benchmark(tmp_path / "part.json").turns["question"].tolist() == ["q1", "q2"]


@pytest.mark.parametrize("to", ["llama-factory", "internvl"])
def test_a_written_folder_loads_without_its_description(tmp_path, to):
    made = chat(("user", "q"), ("assistant", "a"))
    convert(write(tmp_path, [made]), tmp_path / "out", to)
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert load_benchmark(tmp_path / "out").problems.empty


def test_json_beside_parquet_is_not_silently_left_out(tmp_path):
    made = chat(("user", "q"), ("assistant", "a"))
    pq.write_table(pa.Table.from_pylist([made]), tmp_path / "one.parquet")
    (tmp_path / "dataset_infos.json").write_text('{"default": {"features": {"messages": {}}}}')
    assert len(dialog_lengths(tmp_path)) == 1
    write(tmp_path, [made], "two.json")
    with pytest.raises(DataError, match=r"two\.json: is beside Parquet files with dialogues; name one"):
        dialog_lengths(tmp_path)
