"""Rating without its window: plans, order, log, undo, resume; names of models stay hidden."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdu_analysis import DataError, Rubric, browse, load_ratings, rating_plan, sample_answers
from mmdu_analysis.browser.masking import HIDDEN, NameMask
from mmdu_analysis.browser.rating import RatingSession, read_plan
from mmdu_analysis.cli.app import app
from mmdu_analysis.io.ratings_log import Rating, append_ratings, read_ratings
from mmdu_analysis.schema import MMDU, Dimension, ProblemWarning

MODELS = ["closed-A", "open-B", "open-C"]


@pytest.fixture
def answers():
    frame = sample_answers()
    return frame.loc[frame["model"].isin(MODELS)]


def ask(session, kind, **message):
    return session.handle({"kind": kind, **message}).content


def rate_all(session, score):
    """Rate the task in front as the page does: answer by answer, dimension by dimension."""
    task = ask(session, "task")
    for answer, one in enumerate(task["answers"]):
        for dimension, given_score in enumerate(one["scores"]):
            if given_score is None:
                reply = ask(
                    session, "rate", place=task["place"], answer=answer, dimension=dimension, score=score
                )
    return reply


def plan_of(sample, *rows):
    return pd.DataFrame(rows, columns=["dialog_id", "turn"])


def test_what_was_rated_is_in_the_log(sample, answers, tmp_path):
    path = tmp_path / "ratings.jsonl"
    plan = plan_of(sample, ("3", 2), ("0", 1))
    session = RatingSession(sample, answers, rater="anna", path=path, plan=plan)
    task = ask(session, "task")
    assert (task["dialog_id"], task["turn"], len(task["answers"])) == ("3", 2, 3)
    assert [turn["turn"] for turn in task["before"]] == [1]
    order = session.tasks[0].models
    ask(session, "rate", place=0, answer=1, dimension=2, score=7)
    line = json.loads(path.read_text())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "rater": "anna",
        "model": order[1],
        "dialog_id": "3",
        "turn": 2,
        "dimension": "Visual Perception",
        "score": 7.0,
        "seed": None,
        "synthetic": True,
    }
    assert rate_all(session, 4)["complete"]
    assert session.progress() == {"done": 1, "of": 2}
    ratings, problems = read_ratings(path)
    assert (len(ratings), problems) == (3 * 7, [])
    assert {r.score for r in ratings if (r.model, r.dimension) == (order[1], "Visual Perception")} == {7.0}
    assert ask(session, "go", to="open")["dialog_id"] == "0"
    rate_all(session, 10)
    assert ask(session, "go", to="open")["kind"] == "done"
    assert ask(session, "rate", place=0, answer=0, dimension=0, score=11)["kind"] == "error"


def test_resume_undo_and_two_raters(sample, answers, tmp_path):
    path = tmp_path / "ratings.jsonl"
    plan = plan_of(sample, ("1", 1), ("1", 2), ("1", 3))
    session = RatingSession(sample, answers, rater="anna", path=path, plan=plan)
    rate_all(session, 5)
    ask(session, "go", to="open")
    ask(session, "rate", place=1, answer=0, dimension=0, score=1)
    other = RatingSession(sample, answers, rater="ben", path=path, plan=plan)
    assert other.progress() == {"done": 0, "of": 3}
    ask(other, "rate", place=0, answer=0, dimension=0, score=9)
    again = RatingSession(sample, answers, rater="anna", path=path, plan=plan)
    assert (again.progress(), again.at) == ({"done": 1, "of": 3}, 1)
    assert ask(again, "task")["answers"][0]["scores"] == [1.0, *[None] * 6]
    assert ask(again, "undo")["answers"][0]["scores"] == [None] * 7
    assert ask(again, "undo")["turn"] == 1  # back at the turn before
    assert again.progress()["done"] == 0
    before = path.read_text().splitlines()
    assert len([line for line in before if '"score": null' in line]) == 2
    ratings, _ = read_ratings(path)
    assert [(r.rater, r.score) for r in ratings].count(("ben", 9.0)) == 1
    assert sum(r.rater == "anna" for r in ratings) == 20
    with pytest.raises(DataError, match="name of the rater"):
        RatingSession(sample, answers, rater=" ", path=path)


def test_undo_brings_back_the_score_before(sample, answers, tmp_path):
    path = tmp_path / "ratings.jsonl"
    plan = plan_of(sample, ("1", 1), ("1", 2))

    def first(session):
        return ask(session, "task")["answers"][0]["scores"][:2]

    session = RatingSession(sample, answers, rater="anna", path=path, plan=plan)
    for dimension, score in ((0, 3), (1, 5), (0, 7), (0, 8)):
        ask(session, "rate", place=0, answer=0, dimension=dimension, score=score)
    assert first(session) == [8.0, 5.0]
    assert ask(session, "undo")["answers"][0]["scores"][:2] == [7.0, 5.0]
    assert [rating.score for rating in read_ratings(path)[0]] == [3.0, 5.0, 7.0]
    resumed = RatingSession(sample, answers, rater="anna", path=path, plan=plan)
    assert first(resumed) == [7.0, 5.0]
    assert load_ratings(path)["score"].tolist() == [5.0, 7.0]
    expected = [[3.0, 5.0], [3.0, None], [None, None]]
    assert [ask(resumed, "undo")["answers"][0]["scores"][:2] for _ in range(3)] == expected
    assert ask(resumed, "undo")["kind"] == "error"
    assert read_ratings(path) == ([], [])
    ask(resumed, "rate", place=0, answer=0, dimension=0, score=4)
    assert load_ratings(path)["score"].tolist() == [4.0]


def test_the_order_is_seeded_and_differs_between_turns(sample, answers, tmp_path):
    def orders(seed):
        session = RatingSession(sample, answers, rater="a", path=tmp_path / "r", seed=seed)
        return [task.models for task in session.tasks]

    first = orders(0)
    assert first == orders(0)
    assert first != orders(1)
    assert len(first) == 1645
    counts = pd.Series([models[0] for models in first]).value_counts()
    assert counts.index.sort_values().tolist() == MODELS
    assert (counts - 1645 / 3).abs().max() < 4 * (1645 * 2 / 9) ** 0.5  # binomial


def test_a_plan_of_models_and_raters(sample, answers, tmp_path):
    plan = plan_of(sample, ("0", 1), ("0", 1), ("0", 2), ("none", 1))
    plan = plan.assign(model=["open-B", "open-C", "open-B", "open-B"], rater=["anna", "anna", "ben", "anna"])
    session = RatingSession(sample, answers, rater="anna", path=tmp_path / "r", plan=plan)
    assert [(task.turn, sorted(task.models)) for task in session.tasks] == [(1, ["open-B", "open-C"])]
    with pytest.raises(DataError, match="no answer to rate"):
        RatingSession(sample, answers, rater="zoe", path=tmp_path / "r", plan=plan)


def test_rows_of_a_plan_without_an_answer_are_counted(sample, answers, tmp_path):
    plan = plan_of(sample, ("0", 1), ("0", 99), ("none", 1), ("1", 1))
    plan = plan.assign(model=["open-B", "open-B", "open-B", "unknown"])
    text = "3 of 4 rows of the plan have no answer and are left out, the first: dialogue 0, turn 99, model open-B"
    with pytest.warns(ProblemWarning, match=text):
        view = browse(sample, answers, rate=True, rater="anna", plan=plan, ratings=tmp_path / "r")
    assert view.progress == {"done": 0, "of": 1}
    assert view.problems["problem"].str.startswith(text).tolist() == [True]
    others = plan.assign(rater=["anna", "ben", "ben", "ben"])  # of whom nothing is expected
    session = RatingSession(sample, answers, rater="anna", path=tmp_path / "r", plan=others)
    assert session.problems == []


def test_the_command_says_how_many_rows_of_the_plan_it_left_out(sample_files, tmp_path, monkeypatch, capsys):
    plan = tmp_path / "plan.csv"
    plan.write_text("dialog_id,turn\n0,1\nnone,1\n")
    monkeypatch.setattr("mmdu_analysis.browser.server.serve", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)
    answers = str(sample_files / "answers")
    arguments = ["browse", "--data", str(sample_files), "--answers", answers, "--rate", "anna"]
    app([*arguments, "--plan", str(plan)], standalone_mode=False)
    assert "1 of 2 rows of the plan have no answer and are left out" in capsys.readouterr().err


def test_another_rubric(sample, answers, tmp_path):
    rubric = Rubric("own", (Dimension("Grounding", "G"),), (0.0, 100.0))
    session = RatingSession(sample, answers, rater="a", path=tmp_path / "r", rubric=rubric)
    start = ask(session, "start")
    assert (start["values"], start["scale"]) == ([], [0.0, 100.0])
    stars = Rubric("own", (Dimension("Grounding", "G"),), (1.0, 5.0))
    session = RatingSession(sample, answers, rater="a", path=tmp_path / "r", rubric=stars)
    assert ask(session, "start")["values"] == [1, 2, 3, 4, 5]
    assert ask(session, "rate", place=0, answer=0, dimension=0, score=6)["kind"] == "error"
    assert ask(RatingSession(sample, answers, rater="a", path=tmp_path / "r"), "start")["values"][-1] == 10


def test_no_reply_names_a_model(sample, answers, tmp_path):
    names = ["Qwen2-VL-7B", "LLaVA", "GPT-4o"]
    renamed = answers.assign(model=answers["model"].map(dict(zip(MODELS, names, strict=True)).get))
    spellings = (
        "I am Qwen2-VL-7B, `qwen2 vl 7b`, Q**wen2**-VL, LLaVA\\-1.5, [gpt-4o](http://x/GPT4o), GPT&#45;4o."
    )
    renamed = renamed.assign(answer=spellings)
    session = RatingSession(sample, renamed, rater="a", path=tmp_path / "r")
    said = [ask(session, "start")]
    for _ in range(5):
        said.append(ask(session, "task"))
        rate_all(session, 3)
        said.append(ask(session, "go", to="open"))
    said += [ask(session, "undo"), ask(session, "rate", place=0, answer=9, dimension=0, score=1)]
    text = json.dumps(said).lower().replace("<strong>", "").replace("</strong>", "")
    for name in ("qwen", "llava", "gpt"):
        assert name not in text, text[max(0, text.index(name) - 50) : text.index(name) + 50]


@given(
    st.sampled_from(["Qwen2-VL-7B", "open-B", "InternVL", "模型甲"]),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_a_name_is_hidden_wherever_it_is_a_word(name, before, after):
    assert name not in NameMask([name]).hide(f"{before} {name} {after}")


def test_other_words_stay():
    mask = NameMask(["open-B", "model-C", "LLaVa1.6"])
    text = "The open bench of a model city with lava in the open; open Bible."
    assert mask.hide(text) == text
    assert mask.hide("open B and LLaVA-NeXT") == f"{HIDDEN} and {HIDDEN}-NeXT"


def test_a_log_with_odd_lines(tmp_path):
    path = tmp_path / "r.jsonl"
    good = Rating("a", "m", "1", 1, "Creativity", 3.0)
    append_ratings(path, [good, good._replace(score=4.0), good._replace(rater="b")])
    with path.open("a") as file:
        for odd in (
            "[]",
            "{}",
            '{"rater": 1}',
            '{"rater":"a","model":"m","dialog_id":"1","turn":1e99}',
            "\x00",
        ):
            file.write(odd + "\n")
        file.write('{"rater":"a","model":"m","dialog_id":"1","turn":1,"dimension":"x","score":NaN}\n')
    ratings, problems = read_ratings(path)
    assert sorted((r.rater, r.score) for r in ratings) == [("a", 3.0), ("a", 4.0), ("b", 3.0)]
    assert len(problems) == 6


def test_the_log_of_a_plan_is_loaded_as_scores(sample, answers, tmp_path):
    path = tmp_path / "r.jsonl"
    rating_plan(answers, 6, raters=["anna"], seed=7, unit="turn").to_csv(tmp_path / "plan.csv", index=False)
    plan = read_plan(tmp_path / "plan.csv")
    session = RatingSession(sample, answers, rater="anna", path=path, plan=plan)
    assert sum(len(task.models) for task in session.tasks) == len(plan)
    typed = {}
    for place, task in enumerate(session.tasks):
        for answer, model in enumerate(task.models):
            for dimension, name in enumerate(MMDU.names):
                score = (place + answer + dimension) % 11
                ask(session, "rate", place=place, answer=answer, dimension=dimension, score=score)
                typed[model, task.dialog_id, task.turn, name] = float(score)
    ask(session, "undo")
    typed.popitem()
    frame = load_ratings(path)
    found = frame.set_index(["model", "dialog_id", "turn", "dimension"])["score"].to_dict()
    assert found == typed
    assert set(frame["judge"]) == {"anna"}
    assert set(frame["seed"]) == {7}
    assert frame["synthetic"].all()
    (tmp_path / "bad.csv").write_text("dialog_id,turn\n1,x\n")
    with pytest.raises(DataError, match="whole number"):
        read_plan(tmp_path / "bad.csv")


def test_a_turn_outside_the_plan_is_not_rated(sample, answers, tmp_path):
    path = tmp_path / "r.jsonl"
    session = RatingSession(sample, answers, rater="anna", path=path, plan=plan_of(sample, ("0", 1)))
    for place in (-1, 1):
        assert ask(session, "rate", place=place, answer=0, dimension=0, score=5)["kind"] == "error"
    assert not path.exists()


def test_browse_opens_the_rating(sample, answers, tmp_path):
    view = browse(
        sample, answers, rate=True, rater="anna", ratings=tmp_path / "r", plan=plan_of(sample, ("0", 1))
    )
    assert view.progress == {"done": 0, "of": 1}
    state = json.dumps({k: v for k, v in view.get_state().items() if isinstance(v, str)})
    assert not any(model in state for model in MODELS)
    with pytest.raises(DataError, match="rating needs answers"):
        browse(sample, rate=True, rater="anna")
    assert MMDU.scale == (0.0, 10.0)
