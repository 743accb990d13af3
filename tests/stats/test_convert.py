"""Converting: there and back gives the same dialogues; the outputs hold to the trainers' own rules."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import signal
import subprocess
import sys
import time
import warnings

import pyarrow.parquet as pq
import pytest
from builders import SHARED, record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmdu_analysis import DataError, convert, load_benchmark
from mmdu_analysis.io.dialogs import Dialog, number_images
from mmdu_analysis.io.formats import FORMATS, mmdu
from mmdu_analysis.io.formats.writing import respell
from mmdu_analysis.io.stream import read_dialogs
from mmdu_analysis.schema import ProblemWarning

pytestmark = pytest.mark.filterwarnings("ignore::mmdu_analysis.schema.DataWarning")

NAMES = {name: f"d{form.suffixes[0]}" for name, form in FORMATS.items()}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["Image1 and Image2?", "<img>", '"}]', "a\n\nb", " ", "$x_1$", "<|im_start|>", "图1", "\u2028", "{"]
)


@st.composite
def dialogs(draw):
    found = []
    for number in range(draw(st.integers(1, 4))):
        dialog = Dialog(f"{draw(st.sampled_from(['a', 'é', '7']))}{number}")
        turns = draw(st.integers(1, 3))
        images = draw(st.integers(0, 3))
        dialog.images = [f"pics/{draw(st.sampled_from('abc'))}.png" for _ in range(images)]
        places = [draw(st.integers(0, turns - 1)) for _ in range(images)]
        placeholder = draw(st.sampled_from(["<image>", "<ImageHere>"]))
        for turn in range(turns):
            here = placeholder * places.count(turn)
            dialog.questions.append(f"{draw(TEXTS)}{here}{draw(TEXTS)}")
            dialog.answers.append(draw(TEXTS))
        dialog.system = draw(st.sampled_from(["", "Be brief."]))
        number_images(dialog, None)
        found.append(dialog)
    return found


def write(path, found):
    path.write_text(json.dumps([mmdu.write(dialog) for dialog in found]), encoding="utf-8")
    return path


def read(path):
    """What a dialogue is, whatever its format."""
    return [
        (
            d.dialog_id,
            [respell(text, "<image>") for text in d.questions],
            [respell(text, "<image>") for text in d.answers],
            d.images,
            d.image_numbers,
            d.system,
            d.synthetic,
        )
        for d in read_dialogs(path, [])
    ]


@pytest.mark.parametrize(("first", "second"), [*itertools.product(NAMES, NAMES)])
@given(found=dialogs())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_there_and_back_gives_the_same_dialogues(tmp_path_factory, first, second, found):
    folder = tmp_path_factory.mktemp("c")
    source = write(folder / "source.json", found)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = convert(source, folder / f"1{NAMES[first]}", first, pictures="keep").path
        two = convert(one, folder / f"2{NAMES[second]}", second, pictures="keep").path
        three = convert(two, folder / f"3{NAMES[first]}", first, pictures="keep").path
    assert read(source) == read(one) == read(two) == read(three)


@pytest.fixture
def data(tmp_path):
    """Two dialogues with their pictures, one without images."""
    made = [record("one"), record(2), {"id": 3, "image": [], "conversations": record()["conversations"][2:]}]
    made[2]["conversations"][0]["value"] = "Say yes."
    (tmp_path / "in" / "mmdu_pics").mkdir(parents=True)
    (tmp_path / "in" / "data.json").write_text(json.dumps(made))
    for name, size in (("a", (40, 30)), ("b", (10, 20))):
        Image.new("RGB", size, name and (size[0], 0, 0)).save(tmp_path / "in" / "mmdu_pics" / f"{name}.jpg")
    return tmp_path / "in" / "data.json"


def records_of(path):
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def turns_alternate(talk, role, user, bot):
    assert [message[role] for message in talk] == [user, bot] * (len(talk) // 2)
    assert len(talk) % 2 == 0
    assert len(talk)


def check_llava(entry):
    """LLaVA, llava/train/train.py: `LazySupervisedDataset`, `preprocess`.

    Roles are human and gpt alone and alternate; a record with images has the key `image`; `<image>` stands in text.
    """
    turns_alternate(entry["conversations"], "from", "human", "gpt")
    images = entry.get("image", [])
    images = [images] if isinstance(images, str) else images
    text = "".join(message["value"] for message in entry["conversations"])
    assert text.count("<image>") == len(images)
    assert "<ImageHere>" not in text


def check_llama_factory(entry):
    """LLaMA-Factory, src/llamafactory/data: `SharegptDatasetConverter`, `mm_plugin._validate_messages`.

    Odd messages are the user's, even ones the assistant's; the number of `<image>` equals the number of images.
    """
    talk = entry["messages"][1:] if entry["messages"][0]["role"] == "system" else entry["messages"]
    turns_alternate(talk, "role", "user", "assistant")
    assert sum(m["content"].count("<image>") for m in talk) == len(entry["images"])


def check_ms_swift(entry):
    """ms-swift, "Custom Dataset": messages of system, user, assistant with texts; as many `<image>` as images."""
    assert set(entry) <= {"id", "messages", "images", "synthetic", "image_inds"}
    check_llama_factory({"images": [], **entry})


def check_openai(entry):
    """OpenAI, "Vision fine-tuning": texts, or lists of `text` and `image_url` parts in messages of the user.

    At most 10 images, each a web address or a data URL of JPEG, PNG or WebP.
    """
    assert json.dumps(entry).count("image_url") <= 2 * 10
    for message in entry["messages"]:
        assert message["role"] in ("system", "user", "assistant")
        if isinstance(message["content"], str):
            assert "<image>" not in message["content"]
            continue
        assert message["role"] == "user"
        for part in message["content"]:
            if part["type"] == "text":
                assert part["text"]
            else:
                assert part["type"] == "image_url"
                assert re.match("https?://|data:image/(jpeg|png|webp);base64,", part["image_url"]["url"])


def check_internvl(entry):
    """InternVL, "Chat Data Format", multi-image: `image`, `width_list` and `height_list` of one length.

    internvl/train/dataset.py, `preprocess_internvl2_5`: the `<image>` of human messages are as many as the images.
    """
    turns_alternate(entry["conversations"], "from", "human", "gpt")
    images = entry.get("image", [])
    assert len(images) == len(entry.get("width_list", [])) == len(entry.get("height_list", []))
    assert all(type(side) is int for side in entry.get("width_list", []))
    assert sum(m["value"].count("<image>") for m in entry["conversations"][::2]) == len(images)


CHECKS = {
    "llava": check_llava,
    "llama-factory": check_llama_factory,
    "ms-swift": check_ms_swift,
    "openai": check_openai,
    "internvl": check_internvl,
}


@pytest.mark.parametrize("to", CHECKS)
def test_outputs_hold_to_the_trainers_rules(data, tmp_path, to):
    pictures = "embed" if to == "openai" else "keep"
    done = convert(data, tmp_path / f"out{FORMATS[to].suffixes[0]}", to, check=True, pictures=pictures)
    assert (done.n_dialogs, done.n_missing_pictures, len(done.problems)) == (3, 0, 0)
    entries = records_of(done.path)
    assert [entry["id"] for entry in entries] == ["one", 2, 3]
    for entry in entries:
        CHECKS[to](entry)


def talk_about(*images, answer="Yes."):
    question = {"from": "human", "value": "<image>" * (len(images) - answer.count("<image>")) + "Alike?"}
    return {"id": "one", "image": list(images), "conversations": [question, {"from": "gpt", "value": answer}]}


@pytest.mark.parametrize(
    ("to", "entry", "why"),
    [
        ("openai", talk_about("a.jpg"), "a picture is a path"),
        ("openai", talk_about(*["https://x.org/a.jpg"] * 11), "11 images; OpenAI accepts at most 10"),
        ("openai", talk_about("https://x.org/a.jpg", answer="<image>"), "1 images listed and 0 placeholders"),
        ("openai", talk_about("data:image/gif;base64,R0lGODlh"), "a picture is image/gif"),
        ("openai", talk_about("data:image/png;base64," + "A" * 14_000_000), "a picture has 1[01] MB"),
        (
            "internvl",
            talk_about("https://x.org/a.jpg", answer="<image>"),
            "1 images listed and 0 placeholders",
        ),
        *[
            (to, talk_about(image), why)
            for to in ("llava", "llama-factory", "internvl", "mantis")
            for image, why in (
                ("https://x.org/a.jpg", "a web address, and the trainer opens files only"),
                ("data:image/png;base64,AAAA", "a data URL, and the trainer opens files only"),
            )
        ],
    ],
)
def test_what_one_trainer_rejects_is_left_out_with_the_reason(tmp_path, to, entry, why):
    fine = talk_about("https://x.org/a.jpg" if to == "openai" else "a.jpg") | {"id": "fine"}
    Image.new("RGB", (3, 3)).save(tmp_path / "a.jpg")
    (tmp_path / "d.json").write_text(json.dumps([entry, fine]), encoding="utf-8")
    done = convert(tmp_path / "d.json", tmp_path / "o.jsonl", to, check=True)
    assert [found["id"] for found in records_of(done.path)] == ["fine"]
    left_out = done.problems.loc[done.problems["problem"].str.startswith("left out")]
    assert left_out["dialog_id"].tolist() == ["one"]
    assert re.search(why, left_out["problem"].item())
    assert convert(tmp_path / "d.json", tmp_path / "all.jsonl", to).n_dialogs == 2


def test_internvl_reads_plain_lines_only(data, tmp_path):
    """`LazySupervisedDataset` opens the file as text and asserts that its name ends in jsonl."""
    with pytest.raises(DataError, match=r"with the suffix \.jsonl"):
        convert(data, tmp_path / "o.jsonl.gz", "internvl")


def test_llama_factory_gets_its_description(data, tmp_path):
    (tmp_path / "dataset_info.json").write_text(json.dumps({"other": {"file_name": "x.json"}}))
    done = convert(data, tmp_path / "train.json", "llama-factory")
    info = json.loads(done.sidecar.read_text())
    assert set(info) == {"other", "train"}
    assert info["train"]["file_name"] == "train.json"
    assert info["train"]["formatting"] == "sharegpt"
    assert set(info["train"]["columns"].values()) <= set(records_of(done.path)[0])
    (tmp_path / "dataset_info.json").write_text("[")
    with pytest.raises(DataError, match=r"dataset_info\.json: not a JSON object"):
        convert(data, tmp_path / "train.json", "llama-factory")


def test_internvl_gets_its_meta_file(data, tmp_path):
    done = convert(data, tmp_path / "train.jsonl", "internvl")
    (entry,) = json.loads(done.sidecar.read_text()).values()
    assert entry["length"] == len(records_of(done.path)) == 3
    assert entry["annotation"] == str(done.path.resolve())
    assert records_of(done.path)[0]["width_list"] == [40, 10]
    assert records_of(done.path)[0]["height_list"] == [30, 20]


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_pictures_beside_the_file(data, tmp_path, mode):
    done = convert(data, tmp_path / "new" / "train.json", "llava", pictures=mode)
    for entry in records_of(done.path)[:2]:
        sizes = [Image.open(done.path.parent / path).size for path in entry["image"]]
        assert sizes == [(40, 30), (10, 20)]
        first = done.path.parent / entry["image"][0]
        assert first.samefile(data.parent / "mmdu_pics" / "a.jpg") == (mode == "link")
    assert len(list((tmp_path / "new").rglob("*.jpg"))) == 2
    assert load_benchmark(done.path).images["width"].tolist() == [40, 10] * 2


@pytest.mark.parametrize(("to", "name"), [("llama-factory", "data.json"), ("internvl", "data.jsonl")])
def test_a_folder_gets_a_file_with_the_name_of_the_data(data, tmp_path, to, name):
    done = convert(data, tmp_path / "train", to)
    assert done.path == tmp_path / "train" / name
    assert done.sidecar.parent == done.path.parent
    assert convert("sample", tmp_path / "train", "parquet").path.name == "sample.parquet"
    with pytest.raises(DataError, match="with the suffix"):
        convert(data, tmp_path / "train.txt", to)


def test_two_files_of_one_name_stay_two(tmp_path):
    talk = [{"from": "human", "value": "<image><image>?"}, {"from": "gpt", "value": "x"}]
    for name, width in (("cats", 4), ("dogs", 9)):
        (tmp_path / name).mkdir()
        Image.new("RGB", (width, 3)).save(tmp_path / name / "1.png")
    (tmp_path / "d.json").write_text(
        json.dumps([{"id": 1, "image": ["cats/1.png", "dogs/1.png"], "conversations": talk}])
    )
    done = convert(tmp_path / "d.json", tmp_path / "o" / "t.json", "llava", pictures="copy")
    assert load_benchmark(done.path).images["width"].tolist() == [4, 9]


def test_embedded_pictures_go_through_all_formats(data, tmp_path):
    wanted = (data.parent / "mmdu_pics" / "a.jpg").read_bytes()
    for to in ("openai", "llava", "ms-swift"):
        done = convert(data, tmp_path / f"{to}.jsonl", to, pictures="embed")
        url = load_benchmark(done.path).images["path"].iloc[0]
        assert base64.b64decode(url.partition(",")[2]) == wanted
        assert url.startswith("data:image/jpeg;base64,")
    rows = convert(tmp_path / "openai.jsonl", tmp_path / "t.parquet", "parquet").path
    assert pq.read_table(rows)["images"][0][0]["bytes"].as_py() == wanted
    done = convert(rows, tmp_path / "back" / "t.json", "llava")  # they stand in the input: written as files
    path = done.path.parent / records_of(done.path)[0]["image"][0]
    assert path.read_bytes() == wanted
    assert load_benchmark(rows).images["width"].tolist() == [40, 10] * 2


def test_parquet_is_as_hugging_face_reads_it(data, tmp_path):
    """Source: huggingface.co/docs/datasets, Image feature: struct of bytes and path; messages of role and content."""
    table = pq.read_table(convert(data, tmp_path / "t.parquet", "parquet").path)
    assert str(table.schema.field("images").type) == "list<element: struct<bytes: binary, path: string>>"
    first = table.to_pylist()[0]
    assert Image.open(io.BytesIO(first["images"][0]["bytes"])).size == (40, 30)
    assert [m["role"] for m in first["messages"]] == ["user", "assistant"] * 2
    assert first["messages"][0]["content"].count("<image>") == 2


SPOILT = {
    "placeholders": (lambda r: r["image"].append("mmdu_pics/a.jpg"), "3 images listed and 2 placeholders"),
    "missing picture": (
        lambda r: r["image"].__setitem__(0, "mmdu_pics/none.jpg"),
        "1 of its pictures are missing, the first: mmdu_pics/none.jpg: not found",
    ),
    "empty answer": (lambda r: r["conversations"][1].update(value=" "), "turn 1: the answer is empty"),
    "no text": (
        lambda r: r["conversations"][0].update(value="<image><image>\n"),
        "turn 1: the question has no text",
    ),
    "assistant first": (lambda r: r["conversations"].pop(0), "an answer without a preceding question"),
    "two questions": (lambda r: r["conversations"].pop(1), "a question follows a question"),
    "a list of questions": (
        lambda r: r["conversations"][2].update(value="Questions:\n1. What?\n2. Who?"),
        "2 questions in one turn",
    ),
}


@pytest.mark.parametrize("case", SPOILT)
@pytest.mark.parametrize("to", ["llava", "parquet"])
def test_what_a_trainer_would_reject_is_left_out_and_named(data, tmp_path, case, to):
    spoil, reason = SPOILT[case]
    made = json.loads(data.read_text())
    spoil(made[1])
    data.write_text(json.dumps(made))
    done = convert(data, tmp_path / NAMES[to], to, check=True)
    assert done.n_dialogs == 2
    row = done.problems.loc[done.problems["problem"].str.startswith("left out")].iloc[0]
    assert row["dialog_id"] == "2"
    assert reason in row["problem"]
    assert convert(data, tmp_path / NAMES[to], to).n_dialogs == 3  # without the check all are kept


def test_long_dialogues_are_left_out(data, tmp_path):
    done = convert(data, tmp_path / "t.json", "llava", max_tokens=800, image_model="fixed:400")
    assert [entry["id"] for entry in records_of(done.path)] == [3]
    assert done.problems["problem"].str.contains("tokens, more than 800").all()
    assert done.steps["n_dialogs"].tolist() == [1]
    assert done.steps["n_cut"].tolist() == [2]


def test_a_part_is_chosen_as_by_subset(sample, tmp_path):
    done = convert("sample", tmp_path / "t.jsonl", "openai", where="n_images <= 3", sample=5, seed=2)
    assert done.n_dialogs == 5
    again = load_benchmark(done.path)
    assert again.synthetic
    wanted = sample.select(again.dialogs.index)
    assert (again.dialogs["n_turns"] == wanted.dialogs["n_turns"]).all()
    assert again.turns["answer"].tolist() == wanted.turns["answer"].tolist()
    assert done.steps["n_dialogs"].tolist() == [110, int((sample.dialogs["n_images"] <= 3).sum()), 5, 5]


def test_shards_whose_ids_repeat(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps([record(1)]))
    done = convert([tmp_path / "?.json"], tmp_path / "o" / "t.json", "llava")
    assert done.n_dialogs == 1
    assert done.problems["problem"].str.contains("duplicated").sum() == 1
    done = convert([tmp_path / "?.json"], tmp_path / "o" / "t.json", "llava", ids="prefix")
    assert [entry["id"] for entry in records_of(done.path)] == ["a-1", "b-1"]


@pytest.mark.parametrize("link", [False, True])
def test_the_file_that_is_read_is_never_written(data, tmp_path, link):
    path = data
    if link:
        path = tmp_path / "link.json"
        path.symlink_to(data)
    before = data.read_bytes()
    with pytest.raises(DataError, match="is an input file"):
        convert(data, path, "llava")
    assert data.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"to": "coco"}, "no format 'coco' to write"),
        ({"to": "ms-swift"}, r"ms-swift is written to files with the suffix \.jsonl"),
        ({"to": "llava", "pictures": "move"}, "pictures is 'move'"),
        ({"to": "llava", "max_tokens": 0}, "max_tokens is 0"),
        ({"to": "llava", "image_model": "x"}, "no image-token model"),
        ({"to": "llava", "where": "n_turns > 99"}, "keeps none"),
        ({"to": "llava", "max_tokens": 1}, "no dialogue is left; the first problem"),
        ({"to": "llava", "picture_folder": "none"}, "no such folder of pictures"),
    ],
)
def test_wrong_arguments_are_one_line(data, tmp_path, arguments, message):
    with pytest.raises(DataError, match=message):
        convert(data, tmp_path / "t.json", **arguments)
    assert not (tmp_path / "t.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("to", ["llava", "parquet", "openai"])
def test_large_files_on_all_cores_are_the_same(tmp_path, monkeypatch, to):
    made = [record(number) for number in range(400)]
    made[7]["conversations"][1]["value"] = "A \u2028 b"
    made[9] = made[8]
    del made[20]["conversations"]
    (tmp_path / "d.json").write_text(json.dumps(made))
    small = convert(tmp_path / "d.json", tmp_path / f"1{NAMES[to]}", to, pictures="keep")
    monkeypatch.setattr("mmdu_analysis.io.records.BLOCK_SIZE", 4_000)
    monkeypatch.setattr("mmdu_analysis.io.stream.WORTH_SPLITTING", 1)
    large = convert(tmp_path / "d.json", tmp_path / f"2{NAMES[to]}", to, pictures="keep")
    assert read(small.path) == read(large.path)
    assert small.n_dialogs == large.n_dialogs == 398
    assert large.problems["problem"].tolist() == small.problems["problem"].tolist()


def test_killed_at_any_moment_there_is_no_half_file(tmp_path):
    (tmp_path / "d.json").write_text(json.dumps([record(number) for number in range(30_000)]))
    out = tmp_path / "o" / "t.jsonl"
    code = "import sys, mmdu_analysis as m; m.convert(sys.argv[1], sys.argv[2], 'ms-swift')"
    for wait in (0.6, 0.9, 1.2, 1.5, 1.8):
        process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, tmp_path / "d.json", out])
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        visible = (
            [p for p in out.parent.glob("*") if not p.name.startswith(".")] if out.parent.exists() else []
        )
        assert all(len(path.read_bytes().splitlines()) == 30_000 for path in visible), wait
        out.unlink(missing_ok=True)


@pytest.mark.parametrize(
    "name", ["llava.json", "llama_factory.json", "ms_swift.jsonl", "openai.jsonl", "mantis.json"]
)
def test_the_shared_cases_convert_to_each_format_and_back(tmp_path, name):
    if not SHARED.is_dir():
        pytest.skip("the cases aren't beside the project (../shared)")
    source = SHARED / "cases" / "formats" / name
    for to in FORMATS:
        check = to != "openai"  # which rejects paths
        done = convert(
            source, tmp_path / NAMES[to], to, pictures="keep", picture_folder=source.parent, check=check
        )
        assert read(done.path) == read(source), to
        assert done.n_missing_pictures == 0


def test_the_command_lists_what_it_left_out(data, tmp_path):
    made = json.loads(data.read_text())
    made[0]["conversations"][1]["value"] = ""
    data.write_text(json.dumps(made))
    command = [sys.executable, "-m", "mmdu_analysis.cli", "convert", "--data", data, "--to", "llama-factory"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "t.json", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "dialogue one: left out: turn 1: the answer is empty" in done.stderr
    assert re.search(r"written +\| +2 +\| +1 ", done.stdout)
    assert done.stdout.splitlines()[-1].endswith("dataset_info.json")
    assert len(records_of(tmp_path / "t.json")) == 2


@pytest.mark.parametrize("to", ["llava", "ms-swift", "internvl"])
def test_pictures_that_the_new_paths_do_not_reach_are_counted_at_once(data, tmp_path, to):
    run = [sys.executable, "-m", "mmdu_analysis.cli", "convert", "--data", str(data), "--to", to]
    n_pictures = len(load_benchmark(data).images)
    text = f"{n_pictures} pictures are not at their listed paths as seen from the folder of"

    def told(out, *more):
        done = subprocess.run([*run, "--out", str(out), *more], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stderr

    elsewhere = tmp_path / "elsewhere" / NAMES[to]
    assert f"{text} {elsewhere}; add --pictures copy (or link)" in told(elsewhere)
    assert text not in told(data.parent / f"beside-{NAMES[to]}")
    assert text not in told(tmp_path / "copied" / NAMES[to], "--pictures", "copy")
    assert load_benchmark(tmp_path / "copied" / NAMES[to]).problems.empty
    with pytest.warns(ProblemWarning, match=f"{text[:40]}.*pictures='copy'"):
        done = convert(data, elsewhere, to)
    assert (done.n_missing_pictures, done.n_pictures_elsewhere) == (0, n_pictures)


@pytest.mark.parametrize("block", [1 << 20, 1])
def test_a_duplicate_does_not_replace_a_dialogue_that_is_left_out(tmp_path, monkeypatch, block):
    monkeypatch.setattr("mmdu_analysis.io.records.BLOCK_SIZE", block)
    made = [talk_about(answer=""), talk_about(), talk_about(), talk_about(answer="No.")]
    source = tmp_path / "in.json"
    source.write_text(json.dumps([one | {"id": key} for one, key in zip(made, (1, 2, 1, 2), strict=True)]))
    result = convert(source, tmp_path / "out.jsonl", "llava", check=True)
    assert [(d.dialog_id, d.answers) for d in read_dialogs(result.path, [])] == [("2", ["Yes."])]
    assert result.problems["problem"].tolist() == [
        "left out: turn 1: the answer is empty",
        "left out: the id is that of an earlier dialogue, which is left out",
        "the id is duplicated; the first dialogue is kept",
    ]


def test_a_system_message_counts_for_the_trainers_limit(tmp_path):
    made = talk_about() | {"system": "word " * 100}
    source = tmp_path / "in.json"
    source.write_text(json.dumps([made | {"id": 1}, talk_about() | {"id": 2}]))
    result = convert(source, tmp_path / "out.json", "llava", max_tokens=90)
    assert [dialog.dialog_id for dialog in read_dialogs(result.path, [])] == ["2"]
    assert re.search(r"left out: 1\d\d tokens, more than 90", result.problems["problem"].iloc[0])


def test_lost_pictures_and_assumed_sizes_are_told(data, tmp_path):
    inside = convert(data, tmp_path / "far" / "in.parquet", "parquet").path
    with pytest.warns(ProblemWarning, match="4 pictures were not found.* if its path is given"):
        done = convert(load_benchmark(inside), tmp_path / "a.json", "llava", pictures="embed")
    assert done.n_missing_pictures == 4
    lost = tmp_path / "far" / "lost.json"
    lost.write_bytes(data.read_bytes())
    with pytest.warns(ProblemWarning, match="4 pictures were not found"):
        done = convert(lost, tmp_path / "b.json", "llava", where="image_tokens < 5000", image_model="gpt-4o")
    assert done.problems["problem"].tolist() == [
        "4 of 4 pictures were not found; their tokens are those of 800 x 603 pixels"
    ]


def test_empty_answers_are_counted(tmp_path):
    source = tmp_path / "in.json"
    source.write_text(json.dumps([talk_about(answer=" ") | {"id": 1}, talk_about() | {"id": 2}]))
    with pytest.warns(ProblemWarning, match="1 answers are empty; check=True"):
        assert convert(source, tmp_path / "out.json", "llava").n_unanswered == 1
    assert convert(source, tmp_path / "out.json", "llava", check=True).n_unanswered == 0


def test_the_reason_for_a_missing_picture_is_told(data, tmp_path):
    source = tmp_path / "texts" / "in.json"
    source.parent.mkdir()
    path = str(data.parent / "mmdu_pics" / "a.jpg")
    source.write_text(json.dumps([talk_about(path) | {"id": 1}]))
    with pytest.warns(
        ProblemWarning, match=r"1 pictures were not found.* leads outside of texts/ and is not followed"
    ):
        assert "leads outside" in convert(source, tmp_path / "o.json", "llava").first_missing
    with pytest.raises(
        DataError, match=r"1 of its pictures are missing, the first: .*: the path or a link leads"
    ):
        convert(source, tmp_path / "o.json", "llava", check=True)
    done = convert(source, tmp_path / "o.json", "llava", check=True, picture_folder=data.parent)
    assert (done.n_dialogs, done.first_missing) == (1, "")


def test_dialogues_without_placeholders_are_counted(tmp_path):
    entry = {"id": 1, "image": ["a.jpg"], "image_inds": [4]}
    entry["conversations"] = [
        {"from": "user", "value": "What is Image4?"},
        {"from": "assistant", "value": "A."},
    ]
    source = tmp_path / "in.json"
    source.write_text(json.dumps([entry, talk_about() | {"id": 2}]))
    with pytest.warns(
        ProblemWarning, match="1 dialogues have other numbers of placeholders than of pictures"
    ):
        assert convert(source, tmp_path / "o.json", "llava").n_unmatched == 1
    assert convert(source, tmp_path / "o.json", "mmdu").n_unmatched == 0
    assert convert(source, tmp_path / "o.json", "llava", check=True).n_unmatched == 0


def test_pictures_that_cannot_be_read_are_left_out_by_the_check(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xffcut")
    Image.new("RGB", (3, 3)).save(tmp_path / "b.tif")
    Image.new("RGB", (3, 3)).save(tmp_path / "c.png")
    source = tmp_path / "in.json"
    made = [talk_about(f"{name}") | {"id": name} for name in ("a.jpg", "b.tif", "c.png")]
    source.write_text(json.dumps(made))
    done = convert(source, tmp_path / "o.jsonl", "openai", check=True, pictures="embed")
    assert [found["id"] for found in records_of(done.path)] == ["c.png"]
    assert done.problems["problem"].tolist() == [
        "left out: 1 of its pictures can't be read, the first: a.jpg",
        "left out: a picture is image/tiff; OpenAI accepts JPEG, PNG and WebP",
    ]
