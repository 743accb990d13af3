"""Tokens, references, lengths, words and the gap, against independent references."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmdu_analysis import (
    DataError,
    compare_image_models,
    context_growth,
    convert,
    count_tokens,
    dataset_statistics,
    dialog_lengths,
    distinctive_words,
    distribution,
    finetuning_gain,
    gap_analysis,
    image_references,
    image_tokens,
    load_published,
    question_images,
    sample_scores,
    sample_truth,
    word_frequencies,
)
from mmdu_analysis.schema import DataWarning
from mmdu_analysis.stats.gap import add_model, border_pair
from mmdu_analysis.stats.lengths import measure_dataset
from mmdu_analysis.stats.references import count_turn_images, turn_images
from mmdu_analysis.stats.tokens import count_unknown_sizes
from mmdu_analysis.stats.words import count_words
from mmdu_analysis.synthetic.sample import FALL, GAP, MODELS


@pytest.fixture(scope="module")
def encodings(shared):
    import os

    os.environ["TIKTOKEN_CACHE_DIR"] = str(shared / "tiktoken_cache")
    import tiktoken

    return {name: tiktoken.get_encoding(name) for name in ("o200k_base", "cl100k_base")}


@pytest.mark.parametrize("name", ["o200k_base", "cl100k_base"])
def test_counts_equal_tiktoken_on_the_real_texts(shared, encodings, name):
    texts = []
    for path in sorted((shared / "data").rglob("*.json")):
        data = json.loads(path.read_text())
        for record in data if isinstance(data, list) else [data]:
            texts += [m["value"] for m in record["conversations"] if isinstance(m["value"], str)]
    expected = [len(encodings[name].encode(text, disallowed_special=())) for text in texts]
    assert len(texts) > 6000
    assert count_tokens(texts, name).tolist() == expected


NASTY = [
    "",
    " ",
    "\n\n\n",
    "<|endoftext|>",
    "a" * 3000,
    "🧑‍🚀👍🏽",
    "\u200b\u200d",
    "\x00\x07",
    "\ud800",
    "\U000323b0/A",  # a letter of Unicode 17
    "  x  ",
    "图1",
    "é\u0301" * 50,
    "\r\n\t",
]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.sampled_from(NASTY), st.sampled_from(["o200k_base", "cl100k_base"]))
def test_counts_equal_tiktoken_on_nasty_texts(encodings, text, nasty, name):
    for case in (text, nasty, text + nasty + text):
        assert count_tokens([case], name)[0] == len(encodings[name].encode_ordinary(case))


def test_encodings_that_cant_be_had(monkeypatch, tmp_path):
    with pytest.raises(DataError, match="unknown"):
        count_tokens(["a"], "none")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="TIKTOKEN_CACHE_DIR"):
        count_tokens(["a"], "p50k_base")


def test_one_text_is_not_counted_by_its_letters():
    with pytest.raises(DataError, match=r"pass \[text\]"):
        count_tokens("one text")


SIZES = [
    ("gpt-4o", 1024, 1024, 765),  # the three examples of OpenAI's guide
    ("gpt-4o", 2048, 4096, 1105),
    ("gpt-4o-low", 4096, 8192, 85),
    ("gpt-4o", 300, 200, 255),
    ("claude", 200, 200, 54),  # the examples of Anthropic's guide
    ("claude", 1000, 1000, 1334),
    ("claude", 1092, 1092, 1590),
    ("claude", 8000, 8000, 1600),
    ("qwen2-vl", 28, 28, 4),  # the least: 3,136 pixels
    ("qwen2-vl", 448, 448, 256),
    ("qwen2-vl", 8000, 8000, 16_384),
    ("llava-1.5", 9, 9, 576),
    ("llava-1.6", 672, 672, 576 + 48 * 48 + 48),
    ("llava-1.6", 1000, 500, 576 + 24 * 48 + 24),
    ("internvl-1.5", 448, 448, 256),
    ("internvl-1.5", 896, 448, 3 * 256),
    ("internvl-1.5", 4000, 3000, 13 * 256),
    ("internlm-xc2", 5, 5, 1225),
    ("qwen-vl", 5, 5, 256),
    ("paper", 5, 5, 471),
    ("fixed:12", 5, 5, 12),
]


@pytest.mark.parametrize(("model", "width", "height", "tokens"), SIZES)
def test_image_tokens_on_known_sizes(model, width, height, tokens):
    images = pd.DataFrame({"width": [width], "height": [height]}, dtype="Int64")
    assert image_tokens(images, model).tolist() == [tokens]


def test_image_tokens_without_a_size_say_so():
    images = pd.DataFrame({"width": [pd.NA, 800], "height": [pd.NA, 603]}, dtype="Int64")
    result = image_tokens(images, "gpt-4o")
    assert result.iloc[0] == result.iloc[1]
    assert count_unknown_sizes(images, "gpt-4o") == 1
    assert count_unknown_sizes(images, "paper") == 0
    with pytest.raises(DataError, match="fixed:N"):
        image_tokens(images, "fixed:x")


REFERENCES = {
    "Image1: <ImageHere>. Image2: <ImageHere>. Describe the bird in Image2.": (2,),
    "Image 1: <image>\nWhat is it?": (),
    "image 1 to image 5": (1, 2, 3, 4, 5),
    "image 1 through image 4, and image 9": (1, 2, 3, 4, 9),
    "Compare image 1 to image 5.": (1, 5),
    "images 2, 3 and 5": (2, 3, 5),
    "Images 1-3": (1, 2, 3),
    "Images 1 and 2": (1, 2),
    "the cars in Image 3 and 4?": (3, 4),
    "image #3": (3,),
    "<image-1> and <image-2>": (1, 2),
    "Image1, Image3, and Image4": (1, 3, 4),
    "Image1's frame": (1,),
    "in Image1, 3 birds sit": (1,),
    "图1": (1,),
    "图片1和图片2": (1, 2),
    "第3张图": (3,),
    "第二张图和第十一张图": (2, 11),
    "图1至图3": (1, 2, 3),
    "the 3 images": (),
    "in 2019 image quality": (),
    "imagine 2 things": (),
    "image 2019": (),
    "an image 16:9": (),
    "image": (),
}


@pytest.mark.parametrize("text", REFERENCES)
def test_image_references(text):
    assert image_references(text) == REFERENCES[text]


@settings(max_examples=200, deadline=1000)
@given(st.text(alphabet="image 0123456789,-<>#图第张andto\n", max_size=300))
def test_references_of_any_text(text):
    found = image_references(text)
    assert list(found) == sorted(set(found))
    assert all(0 < number < 1000 for number in found)


HEADS = "image|Images |IMAGE|picture|Photos|图|第|the numbers |[|#|".split("|")
NUMBERS = "0|1|2|3|12|三|十|5.5".split("|")
ENDS = "]|张图|<ImageHere>|: <image>| birds| is|%|. Compare |, all images".split("|")
JOINS = ", |,|、|和|到| and | or | as well as |, or | to | through | until |-|–| the ".split("|")
PIECES = st.tuples(
    st.sampled_from(HEADS),
    st.sampled_from(NUMBERS),
    st.just("") | st.sampled_from(ENDS),
    st.sampled_from(JOINS),
)


@settings(max_examples=2000, deadline=1000)
@given(st.lists(PIECES, max_size=5), st.integers(1, 6), st.integers(0, 6))
@example([("image", "1", "", " to "), ("image", "12", "", "")], 5, 5)
@example([("image", "1", "", " through "), ("image", "12", "", "")], 5, 5)
@example([("image", "1", "", " thru "), ("image", "12", "", "")], 5, 5)
@example([("image", "1", "", ", until "), ("image", "12", "", "")], 5, 5)
def test_counted_images_are_those_found(pieces, images, so_far):
    question, have = "".join(map("".join, pieces)), list(range(1, images + 1))
    found, _ = turn_images(question, have, so_far)
    assert count_turn_images(question, frozenset(have), min(so_far, images)) == min(2, len(found))


def test_references_agree_with_a_person(real, shared, record_property):
    labels = pd.read_csv(shared / "data" / "mmdu" / "correctness.csv", dtype={"dialog_id": "str"})
    labels = labels.drop_duplicates(["dialog_id", "turn"]).query("dialog_id != '68'")
    found = question_images(real).groupby(["dialog_id", "turn"])["image"].agg(lambda n: ";".join(map(str, n)))
    turns = real.turns[["dialog_id", "turn"]].join(found.rename("found"), on=["dialog_id", "turn"])
    both = labels.merge(turns, on=["dialog_id", "turn"])
    person, ours = (
        both[c].fillna("").astype("str").str.split(";").map(frozenset) for c in ("images", "found")
    )
    wrong = both.loc[person != ours]
    print("\n" + wrong[["dialog_id", "turn", "images", "found"]].to_string(index=False))
    assert len(both) > 1600
    assert len(wrong) <= 0.01 * len(both)


def test_sample_equals_its_truth(sample):
    truth = sample_truth()
    lengths = dialog_lengths(sample)
    pd.testing.assert_frame_equal(lengths[truth.dialogs.columns], truth.dialogs)
    pd.testing.assert_frame_equal(question_images(sample), truth.references, check_dtype=False)
    table = dataset_statistics(sample)
    assert table["synthetic"].all()
    assert table.loc["qa_pairs", "value"] == 1645
    assert table.loc["unique_images", "value"] == 421
    assert table.loc["turns", "maximum"] == 27
    assert table.loc["images", "maximum"] == 20
    assert table.loc["text_tokens", "average"] == 6400
    assert table.loc["image_text_tokens", "maximum"] == 18_000
    assert table.loc["image_text_tokens", "average"] == pytest.approx(8200, abs=10)
    assert pd.isna(dataset_statistics(lengths).loc["unique_images", "value"])  # a frame doesn't tell it


def test_sample_has_the_published_shares(sample):
    lengths = dialog_lengths(sample)
    published = load_published("distributions")
    for what, bins in published.groupby("distribution"):
        ours = distribution(lengths, what)
        ours = ours[ours["bin"] != "no image"]
        assert ours["percent"].to_numpy() == pytest.approx(bins["percent"].to_numpy(), abs=0.11)
    assert distribution(lengths, "turns")["count"].tolist() == [27, 25, 47, 11]


def test_sample_scores_have_the_known_gap_and_fall():
    scores = sample_scores()
    overall = scores[scores["dimension"] == "Overall Score"]
    assert scores["score"].between(1, 10).all()
    assert (scores["score"] % 1 == 0).all()
    by_access = overall.groupby(overall["model"].map(MODELS))["score"].mean() * 10
    assert by_access["closed"] - by_access["open"] == pytest.approx(GAP, abs=0.5)
    centred = overall["score"] - overall.groupby(["model", "dialog_id"])["score"].transform("mean")
    turn = overall["turn"].astype(float)
    turn -= turn.groupby([overall["model"], overall["dialog_id"]]).transform("mean")
    assert 10 * np.polyfit(turn, centred, 1)[0] == pytest.approx(FALL, abs=0.05)
    none = sample_scores(gap=0)
    flat = none[none["dimension"] == "Overall Score"].groupby(none["model"].map(MODELS))["score"].mean() * 10
    assert flat["closed"] - flat["open"] == pytest.approx(0, abs=0.5)


def test_lengths_from_a_path_equal_those_from_a_benchmark(sample, tmp_path):
    from mmdu_analysis.synthetic.sample import write_sample

    path = write_sample(tmp_path)
    pd.testing.assert_frame_equal(dialog_lengths(path), dialog_lengths(sample))
    with pytest.raises(DataError, match="matches no file"):
        dialog_lengths(tmp_path / "*.nothing")


def test_lengths_by_hand(real, encodings):
    found = measure_dataset(real, image_model="fixed:100")
    lengths = found.table
    encode = encodings["o200k_base"].encode_ordinary
    for key, turns in real.turns.groupby("dialog_id"):
        questions = [len(encode(q.replace("<ImageHere>", ""))) for q in turns["question"]]
        answers = [len(encode(a)) for a in turns["answer"].dropna()]
        row = lengths.loc[key]
        assert row["question_tokens"] == sum(questions)
        assert row["max_question_tokens"] == max(questions)
        assert row["answer_tokens"] == sum(answers)
        assert row["image_text_tokens"] == sum(questions) + sum(answers) + 100 * row["n_images"]
    assert lengths["n_missing"].sum() == 1508
    assert set(lengths["image_model"]) == {"fixed:100"}
    assert found.unique_images == 419


def test_other_bins_say_what_lies_outside(sample):
    frame = distribution(sample, "turns", [5, 10, 20])
    assert frame["count"].sum() + frame["n_outside"].iloc[0] == 110
    for bins in ([3], [5, 5], [9, 1]):
        with pytest.raises(DataError, match="increasing"):
            distribution(sample, "turns", bins)


def test_words_join_plurals_and_leave_image_names_out():
    counts = count_words(
        ["The building in Image1, Buildings!", "Glass classes; class. Cities and a city's image 2"]
    )
    assert dict(counts.to_numpy().tolist()) == {"building": 2, "city": 2, "class": 2, "glass": 1}


def test_chinese_words():
    counts = count_words(["图片1中的建筑和图2中的建筑"])
    assert counts.iloc[0].tolist() == ["建筑", 2]


def test_distinctive_words(sample):
    frame = distinctive_words(word_frequencies(sample), word_frequencies(sample, "answer"))
    assert {"look", "placed", "near"} <= set(frame["word"].head(8))  # what the sample's questions ask
    assert frame["z"].is_monotonic_decreasing


def test_gap_of_the_published_table():
    table = load_published("main_results")
    frame = gap_analysis(table).set_index("dimension")
    row = frame.loc["Overall Score"]
    assert row[["closed_mean", "open_mean", "gap"]].round(2).tolist() == [61.5, 32.65, 28.85]
    assert row["best_gap"] == pytest.approx(70.2 - 42.8)
    assert row["p_value"] == pytest.approx(1 / 1365)
    assert (frame["low"] < frame["gap"]).all()
    assert (frame["gap"] < frame["high"]).all()
    assert border_pair(table)["Avg"].tolist() == [46.9, 42.8]


def test_permutation_p_by_hand():
    table = pd.DataFrame({"access": ["closed"] * 3 + ["open"] * 4, "Avg": [5.0, 2, 9, 1, 4, 3, 6]})
    total = table.loc[:2, "Avg"].sum()
    sums = [sum(pick) for pick in itertools.combinations(table["Avg"], 3)]
    expected = sum(value >= total for value in sums) / math.comb(7, 3)
    assert gap_analysis(table)["p_value"].item() == pytest.approx(expected)


@pytest.mark.parametrize("access", ["closed", "open"])
def test_gap_needs_two_of_each(access):
    table = load_published("main_results")
    with pytest.raises(DataError, match=f"access '{access}'"):
        gap_analysis(table[table["access"] != access])


def test_own_model_in_the_table():
    table = add_model(load_published("main_results"), "mine", "open", {"Avg": 55.0})
    assert border_pair(table)["model"].tolist()[1] == "mine"
    with pytest.raises(DataError, match="in the table already"):
        add_model(table, "mine", "open", {"Avg": 1.0})
    with pytest.raises(DataError, match="0-100"):
        add_model(table, "other", "open", {"Avg": 555.0})


def test_gains_of_fine_tuning():
    frame = finetuning_gain(load_published("main_results"))
    overall = frame[frame["metric"] == "Avg"]
    assert overall["gain"].round(1).tolist() == [5.0, 14.5]
    assert (100 * overall["share_closed"]).astype(float).round(1).tolist() == [13.2, 41.9]
    for name in ("finetuning", "multi_image"):
        others = finetuning_gain(load_published(name), reference=None)
        assert others["share_closed"].isna().all()
    with pytest.raises(DataError, match="'GPT-4o' is not in the table"):
        finetuning_gain(load_published("finetuning"))


def test_the_real_data_beside_the_paper(real):
    from mmdu_analysis.stats.compare import compare_distributions, compare_statistics

    table = compare_statistics(real, load_published("statistics")).set_index(["statistic", "measure"])
    assert table.loc[("turns", "maximum"), "difference"] == -7
    assert "turn 20" in table.loc[("qa_pairs", "value"), "likely_reason"]
    assert "1,508 of 1,615 references" in table.loc[("text_tokens", "average"), "likely_reason"]
    assert table.loc[("unique_images", "value"), "likely_reason"] != ""
    assert table.loc[("dialogs", "value"), "likely_reason"] == ""
    shares = compare_distributions(real, load_published("distributions")).set_index(["distribution", "bin"])
    assert shares.loc[("images", "2"), "difference"] == pytest.approx(100 * 51 / 110 - 47.3)
    assert pd.isna(shares.loc[("questions", "no image"), "paper"])
    sums = shares.groupby("distribution")["ours"].sum(min_count=1).round(6)
    assert sums.drop("tokens").eq(100).all()
    assert pd.isna(sums["tokens"])  # a missing reference would count as an empty one


def test_the_sample_beside_the_paper_has_nothing_to_explain(sample):
    from mmdu_analysis.stats.compare import compare_distributions, compare_statistics

    assert (compare_statistics(sample, load_published("statistics"))["likely_reason"] == "").all()
    reasons = compare_distributions(sample, load_published("distributions"))["likely_reason"]
    assert set(reasons) == {"", "not in the paper"}


def test_context_growth_by_hand():
    questions = pd.DataFrame(
        {"dialog_id": ["a", "a", "b"], "turn": [1, 2, 1], "question_tokens": [10, 20, 30]}
    )
    answers = pd.DataFrame({"dialog_id": ["a", "a", "b"], "turn": [1, 2, 1], "answer_tokens": [5, 7, 9]})
    images = pd.DataFrame(
        {"dialog_id": ["a", "a", "b"], "first_turn": [1, 2, pd.NA], "width": 1, "height": 1}
    )
    images = images.astype({"first_turn": "Int64"})
    frame = context_growth(questions, answers, images, ["fixed:100"])
    assert frame["median"].tolist() == [(110 + 30) / 2, 10 + 5 + 20 + 200]
    assert frame["n_dialogs"].tolist() == [2, 1]


def test_no_released_rule_gives_the_papers_price_on_the_real_pictures():
    frame = compare_image_models(load_published("measured_images")).set_index("image_model")
    assert frame.loc["paper", "difference"] == 0
    assert frame["mean"].is_monotonic_increasing
    sizes = load_published("measured_images").dropna(subset="width")
    by_hand = [
        min(1600, math.ceil(w * h * min(1, 1568 / max(w, h)) ** 2 / 750))
        for w, h in zip(sizes["width"], sizes["height"], strict=True)
    ]
    assert compare_image_models(sizes, ["claude"])["mean"].item() == pytest.approx(np.mean(by_hand))


def test_topics_find_the_samples_own(sample):
    from sklearn.metrics import adjusted_rand_score

    from mmdu_analysis.stats.topics import topic_groups

    groups = topic_groups(sample)
    planned = [int(key) % 8 for key in sample.dialogs.index]
    assert adjusted_rand_score(planned, groups.dialogs["topic"]) > 0.95
    assert groups.topics["n_dialogs"].sum() == 110
    assert groups.dialogs["silhouette"].between(-1, 1).all()
    with pytest.raises(DataError, match="n_topics=3"):
        topic_groups(sample.select(["1", "2"]), 3)


def test_tokens_by_image_model(sample):
    from mmdu_analysis.stats.tokens import tokens_by_image_model

    frame = tokens_by_image_model(sample.images, 6400, 110).set_index("image_model")
    lengths = dialog_lengths(sample, image_model="gpt-4o")
    assert frame.loc["gpt-4o", "total"] == pytest.approx(lengths["image_text_tokens"].mean())


def test_dialogues_without_images_turns_or_matching_placeholders(tmp_path):
    talk = [{"from": "user", "value": "<image> A bird?"}, {"from": "assistant", "value": "A bird."}]
    records = [
        {"id": "no images", "image": [], "conversations": [{"from": "user", "value": "A bird?"}, talk[1]]},
        {"id": "no turns", "image": ["a.jpg"], "conversations": []},
        {"id": "too many", "image": [], "conversations": talk},
        {"id": "too few", "image": ["a.jpg", "b.jpg", "c.jpg"], "conversations": talk},
    ]
    (tmp_path / "b.json").write_text(json.dumps(records))
    with pytest.warns(UserWarning, match="4 problems"):
        lengths = dialog_lengths(tmp_path / "b.json")
    assert lengths["n_images"].tolist() == [0, 1, 0, 3]
    assert lengths["n_turns"].tolist() == [1, 0, 1, 1]
    assert lengths["image_tokens"].tolist() == [0, 471, 0, 3 * 471]
    with pytest.warns(UserWarning, match="4 problems"):
        problems = measure_dataset(tmp_path / "b.json").problems
    assert problems.loc[problems["problem"].str.contains("images listed"), "dialog_id"].tolist() == [
        "no turns",
        "too many",
        "too few",
    ]
    assert dataset_statistics(lengths).loc["qa_pairs", "value"] == 3


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("<image>\nWhat is this?", "single"),
        ("<image><image>Compare them.", "multi"),
        ("<image>\n请描述这张图片", "single"),
        ("Image1: <image>. What is a cat?", "no"),
        ("What is a cat?", "no"),
    ],
)
def test_a_question_that_names_no_image_is_about_those_it_introduces(tmp_path, question, kind):
    images = ["a.jpg"] * question.count("<image>")
    talk = [{"from": "human", "value": question}, {"from": "gpt", "value": "A."}]
    path = tmp_path / "d.json"
    path.write_text(json.dumps([{"id": 1, "image": images, "conversations": talk}]))
    counts = dialog_lengths(path).iloc[0]
    assert {k: counts[f"{k}_image_questions"] for k in ("no", "single", "multi")} == {
        k: int(k == kind) for k in ("no", "single", "multi")
    }


def test_assumed_sizes_of_pictures_are_told(tmp_path):
    (tmp_path / "texts" / "shard").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    talk = [{"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": "A."}]
    path = tmp_path / "texts" / "shard" / "d.json"
    path.write_text(json.dumps([{"id": 1, "image": "a.png", "conversations": talk}]))
    Image.new("RGB", (512, 512)).save(tmp_path / "elsewhere" / "a.png")
    text = "1 of 1 pictures were not found; their tokens are those of 800 x 603 pixels"
    with pytest.warns(DataWarning, match=text):
        lost = measure_dataset(path, image_model="gpt-4o")
    assert lost.table["image_tokens"].tolist() == [765]
    assert dataset_statistics(lost).loc["image_text_tokens", "note"] == text
    found = measure_dataset(path, image_model="gpt-4o", picture_folder=tmp_path / "elsewhere")
    assert found.table["image_tokens"].tolist() == [255]
    assert dataset_statistics(found)["note"].eq("").all()
    assert measure_dataset(path).problems.empty  # the paper's rule needs no size
    (tmp_path / "elsewhere" / "a.png").rename(tmp_path / "texts" / "a.png")
    assert dialog_lengths(tmp_path / "texts", image_model="gpt-4o")["image_tokens"].tolist() == [255]
    made = convert(
        path,
        tmp_path / "o.json",
        "llava",
        max_tokens=300,
        image_model="gpt-4o",
        picture_folder=tmp_path / "texts",
    )
    assert made.n_dialogs == 1
    with pytest.raises(
        DataError, match=r"7[67].* tokens, more than 300; the sizes of 1 pictures are assumed"
    ):
        convert(path, tmp_path / "o.json", "llava", max_tokens=300, image_model="gpt-4o")
    with pytest.raises(DataError, match="no such folder of pictures"):
        measure_dataset(path, picture_folder=tmp_path / "nowhere")
