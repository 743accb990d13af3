"""What the page asks and what it is answered."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdu_analysis import sample_answers, sample_scores, turns_where
from mmdu_analysis.browser.session import Session
from mmdu_analysis.io.benchmark import Benchmark


@pytest.fixture(scope="module")
def session(sample):
    return Session(sample, sample_answers(), sample_scores())


def ask(session, kind, **message):
    return session.handle({"kind": kind, **message}).content


def filtered(session, **wanted):
    return ask(session, "filter", filters=wanted)


def test_the_list_is_windowed(session):
    filtered(session)
    answer = ask(session, "list", start=100, count=1_000_000)
    assert [row["dialog_id"] for row in answer["rows"]] == [str(n) for n in range(100, 110)]
    columns = {"dialog_id", "turns", "images", "tokens", "hits", "score", "words", "image"}
    assert answer["rows"][0].keys() == columns
    assert answer["rows"][0]["image"] == 1
    assert "Image" not in answer["rows"][0]["words"][:5]  # the labels of placeholders are left out
    assert answer["exact"]


def test_reading_a_dialogue(session, sample):
    filtered(session)
    dialog = ask(session, "open", dialog_id="3", turn=5)
    turns = sample.turns.query("dialog_id == '3'")
    assert len(dialog["turns"]) == len(turns)
    assert dialog["selection"] == {"dialog_id": "3", "turn": 5}
    shown = [part for turn in dialog["turns"] for part in turn["question"] if "image" in part]
    assert [part["image"] for part in shown] == list(range(1, sample.dialogs.loc["3", "n_images"] + 1))
    contexts = [turn["context"] for turn in dialog["turns"]]
    assert contexts == sorted(contexts)
    answers = dialog["focus"]["answers"]
    assert [one["model"] for one in answers] == sample_answers()["model"].unique().tolist()
    (judge,) = answers[0]["scores"]
    assert judge["judge"] == sample_scores()["judge"].iloc[0]
    assert [bar["name"] for bar in judge["bars"]] == ["C", "R", "VP", "LC", "AA", "IRU", "Avg"]
    scores = sample_scores().query("dialog_id == '3' and turn == 5")
    mine = scores.query("model == @answers[0]['model']").set_index("dimension")["score"]
    assert {bar["full"]: bar["score"] for bar in judge["bars"]} == mine.to_dict()
    overall = scores.query("dimension == 'Overall Score'")["score"].mean() * 10
    assert dialog["turns"][4]["score"] == pytest.approx(overall)


def test_steps(session):
    filtered(session, query="castle")
    first = session.filtered().iloc[0]
    ask(session, "open", dialog_id=first["dialog_id"], turn=int(first["turn"]))
    walked = [session.selection]
    for _ in range(30):
        walked.append(ask(session, "step", by=1, of="turn")["selection"])
    expected = session.filtered().head(31)[["dialog_id", "turn"]].to_dict("records")
    assert walked == expected
    for _ in range(30):
        ask(session, "step", by=-1, of="turn")
    assert session.selection == expected[0]
    filtered(session)
    ask(session, "open", dialog_id="108")
    ends = [ask(session, "step", by=1, of="dialog")["selection"]["dialog_id"] for _ in range(3)]
    assert ends == ["109"] * 3


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=9), x),
        max_leaves=5,
    )
    | st.fixed_dictionaries(
        {
            "kind": st.sampled_from(
                ["open", "list", "filter", "step", "turn", "differences", "picture", "note"]
            )
        },
        optional={
            name: st.none() | st.integers() | st.text(max_size=4) | st.floats()
            for name in ("dialog_id", "turn", "start", "count", "by", "filters", "image", "model", "tags")
        },
    )
)
def test_no_message_breaks_the_session(sample, message):
    session = _shared_session(sample)
    reply = session.handle(message)
    assert isinstance(reply.content["kind"], str)
    assert session.selection["dialog_id"] in sample.dialogs.index
    json.dumps(reply.content)


def test_a_number_without_end_is_an_error_for_the_page(session):
    for message in (
        {"kind": "list", "start": float("inf"), "count": 1},
        {"kind": "step", "by": float("inf")},
    ):
        assert session.handle(message).content["kind"] == "error"


_sessions: dict[int, Session] = {}


def _shared_session(sample):
    return _sessions.setdefault(id(sample), Session(sample))


def test_reasons_of_a_judge_are_read(tmp_path, sample):
    from mmdu_analysis import load_scores
    from mmdu_analysis.schema import DIMENSION_NAMES

    reply = "### Richness\nToo short.\n" + str(dict.fromkeys(DIMENSION_NAMES, 4))
    entry = dict.fromkeys(DIMENSION_NAMES, 6) | {"turn": 2, "reason": "Good."}
    (tmp_path / "1.json").write_text(json.dumps([dict.fromkeys(DIMENSION_NAMES, 5) | {"turn": 1}, entry]))
    (tmp_path / "2.json").write_text(json.dumps([reply]))
    scores = load_scores(tmp_path, model="m")
    assert scores["reason"].dropna().unique().tolist() == ["Good.", reply]
    session = Session(sample, scores=scores)
    dialog = ask(session, "open", dialog_id="1", turn=2)
    assert dialog["focus"]["answers"][0]["reason"] == "Good."


def test_answers_of_all_turns(session, sample):
    filtered(session)
    ask(session, "open", dialog_id="5", turn=1)
    every = ask(session, "answers")["answers"]
    assert list(every) == list(range(1, sample.dialogs.loc["5", "n_turns"] + 1))
    assert every[3] == ask(session, "turn", turn=3)["focus"]["answers"]


def test_order_means_and_view_follow_the_filter(session, sample):
    about = {"about": [2, 2], "progress": [0.67, 1], "order": "worst", "model": "open-B"}
    answer = filtered(session, **about)
    rows = ask(session, "list", start=0, count=200)["rows"]
    facts = session.index.facts
    late = facts.loc[(facts["n_images"] == 2) & (facts["progress"] >= 0.67)]
    scores = sample_scores().query("dimension == 'Overall Score' and model == 'open-B'")
    kept = scores.merge(late.assign(turn=late["turn"].astype("Int64")), on=["dialog_id", "turn"])
    means = kept.groupby("dialog_id")["score"].mean() * 10
    assert {row["dialog_id"]: row["score"] for row in rows} == pytest.approx(means.to_dict())
    assert [row["score"] for row in rows] == pytest.approx(sorted(means))
    assert answer["selection"]["dialog_id"] == rows[0]["dialog_id"]
    first = late.loc[late["dialog_id"] == rows[0]["dialog_id"], "turn"].min()
    assert answer["selection"]["turn"] == first
    assert [row["hits"] for row in rows[:1]] == [len(late.loc[late["dialog_id"] == rows[0]["dialog_id"]])]


def test_a_right_b_wrong_is_as_in_python(session, sample):
    answer = filtered(session, wrong="open-B", right="closed-A", about=[2, 2], progress=[0.67, 1])
    found = turns_where(
        sample_scores(), sample, wrong="open-B", right="closed-A", n_images=2, progress=">=0.67"
    )
    assert answer["n_turns"] == len(found)
    kept = session.filtered()
    assert kept[["dialog_id", "turn"]].to_numpy().tolist() == found[["dialog_id", "turn"]].to_numpy().tolist()
    answer = filtered(session, above="closed-A", below="open-B", points=30)
    found = turns_where(sample_scores(), sample, above="closed-A", below="open-B", points=30)
    assert answer["n_turns"] == len(found)
    answer = filtered(session, distance=[3, 1_000_000])
    assert answer["n_turns"] == len(turns_where(sample_scores(), sample, distance=">=3"))


def test_search_by_words_expressions_and_fields(session, sample):
    questions = sample.turns["question"].str.lower()
    whole = filtered(session, query="ice", whole_word=True, fields=["question"])["n_turns"]
    assert whole == questions.str.contains(r"\bice\b").sum()
    part = filtered(session, query="ice", fields=["question"])["n_turns"]
    assert part == questions.str.contains("ice").sum()
    found = filtered(session, query="quiet (garden|castle) look", regex=True, fields=["question"])["n_turns"]
    assert found == questions.str.contains("quiet (?:garden|castle) look").sum() > 0
    plain = filtered(session, query="look in image2?", whole_word=True, fields=["question"])["n_turns"]
    assert plain == questions.str.contains("look in image2?", regex=False).sum() > 0
    before = session.filters
    assert "regular expression" in filtered(session, query="(", regex=True)["text"]
    assert session.filters == before  # what can't be searched changes nothing
    start = time.perf_counter()
    assert filtered(session, query="(a+)+$b|(x|x)*y{1,50}", regex=True)["kind"] == "filtered"
    assert time.perf_counter() - start < 5


def test_a_link_opens_the_same_state(session, sample):
    filtered(session, query="castle", order="worst", model="open-A")
    ask(session, "step", by=1, of="turn")
    link = session.link()
    other = Session(sample, sample_answers(), sample_scores())
    start = other.handle({"kind": "start", "link": f"#{link}"}).content
    assert (other.filters, other.selection) == (session.filters, session.selection)
    assert start["selection"] == session.selection
    assert start["filters"]["query"] == "castle"
    other.follow("dialog_id=none&turn=99")
    assert other.selection["dialog_id"] in sample.dialogs.index


def test_a_chart_narrows_the_list(session, sample):
    filtered(session)
    chosen = sample.turns.iloc[[5, 200, 201]][["dialog_id", "turn"]]
    session.narrow(chosen)
    assert session.filtered()[["dialog_id", "turn"]].to_numpy().tolist() == chosen.to_numpy().tolist()
    filtered(session, model="open-A")
    assert len(session.filtered()) == 3
    session.narrow(None)
    assert len(session.filtered()) == len(sample.turns)


@pytest.mark.slow
def test_45_000_dialogues_open_within_a_second_and_a_half():
    n, turns = 45_000, 15
    ids = np.array([str(number) for number in range(n)])
    dialogs = pd.DataFrame(
        {"n_turns": turns, "n_images": 3, "synthetic": False}, index=pd.Index(ids, name="dialog_id")
    )
    frame = pd.DataFrame(
        {
            "dialog_id": np.repeat(ids, turns),
            "turn": np.tile(np.arange(1, turns + 1), n),
            "question": "Image1: <ImageHere>. What is it?",
            "answer": "A bird on a branch.",
            "new_images": 0,
            "images_so_far": 3,
            "synthetic": False,
        }
    )
    images = pd.DataFrame(
        {"dialog_id": np.repeat(ids, 3), "image": np.tile([1, 2, 3], n), "path": "pics/x.png"}
    )
    texts = dict.fromkeys(("dialog_id", "question", "answer"), "str")
    images = images.astype({"dialog_id": "str", "path": "str"}).assign(first_turn=1, width=640, height=480)
    benchmark = Benchmark("many", dialogs, frame.astype(texts), images)
    Session(benchmark.select(["0"])).handle({"kind": "list", "start": 0, "count": 1})  # imports
    start = time.process_time()  # not the clock: other processes share the machine
    session = Session(benchmark)
    for message in (
        {"kind": "start"},
        {"kind": "list", "start": 0, "count": 40},
        {"kind": "open", "dialog_id": "7"},
    ):
        assert session.handle(message).content["kind"] != "error"
    assert time.process_time() - start < 1.5
