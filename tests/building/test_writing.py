"""Writing: what is asked, each rule that a reply can break, joining, resuming."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time

import pytest
from building_tools import GoodWriter, combinations_of
from chat_server import ChatServer, Fault, said

from mmdu_analysis import building
from mmdu_analysis.building.checks import ReplyError, check_pair, read_facts, read_pairs
from mmdu_analysis.building.joining import Pair, introduce_images, order_pairs, shift_images
from mmdu_analysis.schema import DataError, ProblemWarning
from mmdu_analysis.stats.references import image_references


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two combinations, of two and of three images."""
    return combinations_of(tmp_path_factory.mktemp("items"), [2, 3])


def write(small, out, server, **options):
    return building.write_dialogs(
        small, out, "m", base_url=server.url, progress=False, return_run=True, **options
    )


def kind_of(body):
    text = said(body)
    if "List the key facts" in text:
        return "facts"
    return "multi" if "several of Image1" in text else "single"


# What is asked, and what comes of it


def test_requests_follow_the_steps_of_the_paper(small, tmp_path):
    with ChatServer(reply=GoodWriter()) as server:
        run = write(small, tmp_path / "d", server, concurrency=1)
    kinds = [kind_of(body) for body in server.requests]
    assert sorted(kinds) == ["facts"] * 5 + ["multi"] * 2 + ["single"] * 5
    texts = [body["messages"][0]["content"] for body in server.requests if kind_of(body) == "facts"]
    items = [item for part in building.load_combinations(small) for item in part.items]
    for item in items:  # texts alone, each once
        assert sum(isinstance(text, str) and item["caption"] in text for text in texts) == 1
    [multi] = [body for body in server.requests if kind_of(body) == "multi" and "to Image3" in said(body)]
    parts = multi["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url"] * 3 + ["text"]
    assert [part["text"] for part in parts[:-1:2]] == ["Image1: ", "Image2: ", "Image3: "]
    assert "Fact of " in parts[-1]["text"]
    assert "What is in Image1?" in parts[-1]["text"]  # what was asked before
    assert run.missing.empty
    assert run.info["prompts"] == "mmdu-building-1"


def test_a_dialogue_introduces_each_image_where_it_first_appears(small, tmp_path):
    with ChatServer(reply=GoodWriter()) as server:
        run = write(small, tmp_path / "d", server)
    record = json.loads((tmp_path / "d" / "c0002-01.json").read_text())
    questions = [turn["value"] for turn in record["conversations"][::2]]
    shown = 0
    for question, answer in zip(questions, record["conversations"][1::2], strict=True):
        shown += question.count("<ImageHere>")
        for text in (question, answer["value"]):
            assert all(number <= shown for number in image_references(text)), question
        assert "<ImageHere>" not in answer["value"]
    assert shown == len(record["image"]) == 3
    assert questions[0].startswith("Image1: <ImageHere>. ")
    table = run.table[run.table["dialog_id"] == "c0002-01"]
    assert (table["kind"] == "multi image").mean() >= 0.6
    assert set(table["prompt"]) == {"mmdu-building-1"}
    assert set(table["model"]) == {"m"}
    assert table["synthetic"].all()
    ids = [item["id"] for item in building.load_combinations(small)[1].items]
    for row in table.itertuples():
        named = sorted(set(image_references(row.question)) | set(image_references(row.answer)))
        assert row.items == ", ".join(ids[number - 1] for number in named)


@pytest.mark.parametrize(("share", "single"), [(0.5, 1), (0.6, 2), (0.8, 1)])
def test_the_share_of_multi_image_questions_is_reached(small, tmp_path, share, single):
    with ChatServer(reply=GoodWriter()) as server:
        run = write(small, tmp_path / "d", server, multi_share=share, single_pairs=single)
    for _, turns in run.table.groupby("dialog_id"):
        n_multi = (turns["kind"] == "multi image").sum()
        assert n_multi / len(turns) >= share
        assert (n_multi - 1) / (len(turns) - 1) < share  # and not more than needed


def test_joining_shifts_the_numbers(small, tmp_path):
    with ChatServer(reply=GoodWriter()) as server:
        alone = write(small, tmp_path / "alone", server).table
        joined = write(small, tmp_path / "joined", server, concat=2).table
    assert set(joined["dialog_id"]) == {"c0001-01+c0002-01"}
    first, second = (group for _, group in alone.groupby("dialog_id"))
    expected = [*first["question"], *(shift_images(text, 2) for text in second["question"])]
    assert joined["question"].tolist() == expected
    record = json.loads((tmp_path / "joined" / "c0001-01+c0002-01.json").read_text())
    assert len(record["image"]) == 5
    assert sum(turn["value"].count("<ImageHere>") for turn in record["conversations"]) == 5


def test_own_prompts_replace_those_of_the_package(small, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "single.txt").write_text(
        "OWN Write exactly {n} question-answer pairs about Image{image}. {facts}"
    )
    with ChatServer(reply=GoodWriter()) as server:
        run = write(small, tmp_path / "d", server, prompts=folder)
        assert any("OWN Write" in said(body) for body in server.requests)
        with pytest.raises(DataError, match="prompts"):
            write(small, tmp_path / "d", server)  # the folder belongs to the other prompts
    assert set(run.table["prompt"]) == {"mine"}
    (folder / "single.txt").write_text("no fields")
    with pytest.raises(DataError, match=r"lacks \{image\}, \{facts\}, \{n\}"):
        building.load_prompts(folder)
    with pytest.raises(DataError, match="no prompts"):
        building.load_prompts(tmp_path)


def test_braces_in_texts_stay_as_they_are():
    prompts = building.load_prompts()
    assert "{n} {facts}" in prompts.fill("facts", {"text": "{n} {facts}"})


def test_an_estimate_asks_nothing_and_counts_every_request(small, tmp_path):
    with ChatServer(reply=GoodWriter()) as server:
        options = {"base_url": server.url, "prompt_price": 1.0, "completion_price": 2.0, "dry_run": True}
        [row] = building.write_dialogs(small, tmp_path / "d", "m", **options).to_dict("records")
        assert not server.requests
        assert (row["requests"], row["dialogues"], row["turns_done"]) == (12, 2, 0)
        assert row["cost_usd"] == pytest.approx((row["prompt_tokens"] + 2 * row["completion_tokens"]) / 1e6)
        write(small, tmp_path / "d", server)
        assert len(server.requests) == 12
        [row] = building.write_dialogs(small, tmp_path / "d", "m", **options).to_dict("records")
    assert (row["requests"], row["turns_done"], row["prompt_tokens"]) == (0, 12, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"single_pairs": 0},
        {"multi_share": 1.0},
        {"concat": 0},
        {"attempts": 0},
        {"limit": 0},
        {"concurrency": 0},
    ],
)
def test_arguments_that_make_no_sense_are_refused(small, tmp_path, wrong):
    with pytest.raises(DataError, match=next(iter(wrong))):
        building.write_dialogs(small, tmp_path / "d", "m", base_url="http://127.0.0.1:9/v1", **wrong)
    assert not (tmp_path / "d").exists()


def test_missing_and_changed_pictures_stop_the_run(tmp_path):
    path = combinations_of(tmp_path, [2])
    with ChatServer(reply=GoodWriter()) as server:
        write(path, tmp_path / "d", server)
        picture = tmp_path / building.load_combinations(path)[0].items[0]["image"]
        picture.write_bytes((tmp_path / building.load_combinations(path)[0].items[1]["image"]).read_bytes())
        with pytest.raises(DataError, match="pictures of 1 dialogues have changed"):
            write(path, tmp_path / "d", server)
        picture.unlink()
        with pytest.raises(DataError, match="1 pictures are missing"):
            write(path, tmp_path / "e", server)


# Rules that a reply can break: each in turn, once and always


def pairs(*texts):
    return json.dumps([{"question": question, "answer": answer} for question, answer in texts])


def multi(first_question, first_answer="Image1 and Image2 differ."):
    others = [(f"How do Image1 and Image2 differ? ({n})", "Image1 and Image2 differ.") for n in range(9)]
    return pairs((first_question, first_answer), *others)


BROKEN = {
    "facts, no list": ("facts", "The bridge is old.", "no JSON list"),
    "facts, empty": ("facts", '["a", " "]', "not empty"),
    "single, no JSON": ("single", "Question: What is it? Answer: a bird", "no JSON list"),
    "single, cut": ("single", '[{"question": "What is in Image1?", "ans', "not complete"),
    "single, no objects": ("single", '["What is in Image1?"]', "not an object"),
    "single, no answer": ("single", '[{"question": "What is in Image1?"}]', "texts question and answer"),
    "single, empty list": ("single", "[]", "no JSON list"),
    "single, empty question": ("single", pairs(("  ", "A bird in Image1.")), "the question is empty"),
    "single, empty answer": ("single", pairs(("What is in Image1?", " ")), "the answer is empty"),
    "single, placeholder in the answer": ("single", pairs(("What is in Image1?", "<ImageHere> shows a bird.")), "placeholder"),
    "single, another placeholder": ("single", pairs(("What is in Image1?", "See <image-1>.")), "placeholder"),
    "single, placeholder in the question": ("single", pairs(("<image> What is in Image1?", "A bird.")), "placeholder"),
    "single, image not shown": ("single", pairs(("What is in Image1?", "Unlike Image2, a bird.")), "Image2, which was not shown"),
    "single, no such image": ("single", pairs(("What is in Image1?", "Unlike Image7.")), "Image7"),
    "single, not named": ("single", pairs(("What is it?", "A bird.")), "does not name Image1"),
    "single, named otherwise": ("single", pairs(("What is in image 1?", "A bird.")), "another way"),
    "multi, too few": ("multi", pairs(("Do Image1 and Image2 differ?", "Yes.")), "pairs, "),
    "multi, one image": ("multi", multi("What is in Image1?"), "names 1 images"),
    "multi, no such image": ("multi", multi("Do Image1 and Image4 differ?"), "Image4"),
    "multi, image 0": ("multi", multi("Do Image0 and Image1 differ?"), "Image0|another way"),
    "multi, answer about no such image": ("multi", multi("Do Image1 and Image2 differ?", "Unlike Image5."), "Image5"),
    "multi, range": ("multi", multi("Do Images 1-2 differ?"), "another way"),
    "multi, asked twice": ("multi", multi("how do image1 and Image2 differ? (0)".replace("image1", "Image1")), "asked before"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_reply_that_breaks_a_rule_is_asked_for_again_with_the_reason(tmp_path, name):
    path = combinations_of(tmp_path, [2])
    kind, broken, reason = BROKEN[name]
    good, failed = GoodWriter(), []

    def reply(body):
        is_it = kind_of(body) == kind and (kind != "single" or "about Image1" in said(body))
        if is_it and not failed:
            failed.append(body)
            return broken
        return good(body)

    with ChatServer(reply=reply) as server:
        run = write(path, tmp_path / "d", server)
    assert failed
    [again] = [body for body in server.requests if len(body["messages"]) == 3]
    assert again["messages"][1]["content"] == broken
    assert re.search(reason, again["messages"][2]["content"])
    assert run.missing.empty
    assert len(server.requests) == 6
    assert run.info["usage"]["completion_tokens"] == sum(
        len((broken if body in failed else good(body)).split()) for body in server.requests
    )


@pytest.mark.parametrize("name", [name for name in BROKEN if name.startswith(("single, no JSON", "multi"))])
def test_a_rule_that_is_always_broken_is_reported_and_the_dialogue_left_out(small, tmp_path, name):
    kind, broken, reason = BROKEN[name]
    good = GoodWriter()

    def reply(body):
        is_first = "c0001" in good.dialogue(body)
        return broken if is_first and kind_of(body) == kind else good(body)

    with ChatServer(reply=reply) as server:
        run = write(small, tmp_path / "d", server, attempts=2)
        assert set(run.table["dialog_id"]) == {"c0002-01"}
        assert set(run.missing["dialog_id"]) == {"c0001-01"}
        assert run.missing["problem"].str.contains(reason).all()
        asked = len(server.requests)
        server.reply = good
        again = write(small, tmp_path / "d", server)
    assert again.missing.empty
    assert set(again.table["dialog_id"]) == {"c0001-01", "c0002-01"}
    assert len(server.requests) - asked == len(run.missing)  # only what is missing


def test_missing_requests_are_warned_about(small, tmp_path):
    good = GoodWriter()
    with (
        ChatServer(reply=lambda body: "no" if kind_of(body) == "multi" else good(body)) as server,
        pytest.warns(ProblemWarning, match="no JSON list"),
    ):
        frame = building.write_dialogs(small, tmp_path / "d", "m", base_url=server.url, progress=False)
    assert frame.empty


def test_without_facts_the_texts_themselves_are_shown(tmp_path):
    path = combinations_of(tmp_path, [2])
    good = GoodWriter()
    with ChatServer(reply=lambda body: "none" if kind_of(body) == "facts" else good(body)) as server:
        run = write(path, tmp_path / "d", server, attempts=1)
    assert set(run.table["dialog_id"]) == {"c0001-01"}  # complete all the same
    assert len(run.missing) == 2
    caption = building.load_combinations(path)[0].items[0]["caption"]
    assert any(caption in said(body) for body in server.requests if kind_of(body) == "single")


@pytest.mark.parametrize(
    "text",
    [
        '[{"question": "Q Image1?", "answer": "A"}]',
        'Here it is:\n```json\n[{"question": "Q Image1?", "answer": "A"}]\n```\nDone [1].',
        '{"pairs": [{"question": "Q Image1?", "answer": "A"}]}',
        '<think>[{"question": "draft Image1", "answer": "x"}]</think>\n[{"question": "Q Image1?", "answer": "A"}]',
        '[{"question": " Q Image1? ", "answer": "A\\n"}, {"question": "more Image1", "answer": "B"}]',
    ],
)
def test_replies_in_the_forms_that_models_use(text):
    assert read_pairs(text, 1, image=1, n_images=1) == [("Q Image1?", "A")]


def test_facts_are_cut_to_twenty_and_put_on_one_line():
    assert read_facts(json.dumps([f"a\n b {n}" for n in range(30)])) == [f"a b {n}" for n in range(20)]


@pytest.mark.parametrize("text", ["", "[", "{}", "[" * 100_000, "null", '{"a": 1}', "<think> [1]"])
def test_what_is_no_list_is_told_so(text):
    with pytest.raises(ReplyError):
        read_pairs(text, 1, image=1, n_images=1)


def test_a_check_and_the_statistics_agree_on_what_is_named():
    for number in range(1, 12):
        text = f"Is Image{number} older than Image{number + 1}?"
        assert check_pair(text, "Yes.", n_images=12) == ""
        assert image_references(text) == (number, number + 1)


def test_questions_come_once_their_images_are_shown():
    rng = random.Random(1)
    for _ in range(50):
        n = rng.randint(2, 8)
        singles = [[Pair(f"Image{i}?", f"Image{i}.")] for i in range(1, n + 1)]
        multi = [Pair(" ".join(f"Image{i}" for i in rng.sample(range(1, n + 1), 2)), "A.") for _ in range(9)]
        ordered = order_pairs(singles, multi)
        assert len(ordered) == n + 9
        questions, shown = introduce_images(ordered)
        assert shown == n
        assert [text.count("<ImageHere>") for text in questions].count(1) == n


# Interruptions


@pytest.mark.slow
def test_killed_at_ten_random_moments_nothing_is_lost_or_paid_twice(tmp_path):
    path = combinations_of(tmp_path, [2, 3, 4, 2, 3, 4, 3, 3])
    concurrency, kills, rng = 3, 10, random.Random(5)
    with ChatServer(reply=GoodWriter(break_some=True)) as server:
        whole = write(path, tmp_path / "whole", server, concurrency=concurrency)
    total = len(server.requests)
    assert whole.missing.empty
    assert any(len(body["messages"]) == 3 for body in server.requests)
    with ChatServer(reply=GoodWriter(break_some=True), delay=0.02) as server:
        for _ in range(kills):
            target = len(server.requests) + rng.randint(0, total // kills)
            child = os.fork()  # of a warm process: a new one takes two seconds to start
            if child == 0:
                try:
                    write(path, tmp_path / "killed", server, concurrency=concurrency)
                finally:
                    os._exit(0)
            while len(server.requests) < target and os.waitpid(child, os.WNOHANG)[0] == 0:
                time.sleep(0.002)
            time.sleep(rng.random() * 0.03)
            os.kill(child, signal.SIGKILL) if _lives(child) else None
            time.sleep(0.05)
        last = write(path, tmp_path / "killed", server, concurrency=concurrency)
    assert last.table.equals(whole.table)
    assert last.missing.empty
    assert len(server.requests) <= total + kills * concurrency
    for file in (tmp_path / "whole").glob("c*.json"):
        assert json.loads((tmp_path / "killed" / file.name).read_text()) == json.loads(file.read_text())
    assert not list((tmp_path / "killed").rglob("*.tmp"))
    assert not list((tmp_path / "killed").glob("*.part"))


def _lives(child):
    try:
        return os.waitpid(child, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return False


def test_a_server_that_refuses_is_reported(small, tmp_path):
    refusal = Fault(401, {"error": {"message": "bad key"}})
    with (
        ChatServer(lambda number, body: refusal) as server,
        pytest.raises(DataError, match="refuses the API key"),
    ):
        write(small, tmp_path / "d", server)
