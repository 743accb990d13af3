"""The thinking part of replies, in the forms of the models that think."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmdu_analysis as mmdu
from mmdu_analysis.io.thinking import split_thinking

FORMS = [
    "<think>{}</think>{}",
    "<think>\n{}\n</think>\n\n{}",
    "{}</think>{}",
    "{}\n</thinking>\n{}",
    "<THINK>{}</THINK>{}",
    "<thought>{}</thought> {}",
    "<reasoning>{}</reasoning><answer>{}</answer>",
    "[THINK]{}[/THINK]{}",
    "◁think▷{}◁/think▷{}",
    "<|begin_of_thought|>{}<|end_of_thought|>{}",
    "<seed:think>{}</seed:think>{}",
    "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "analysis{}assistantfinal{}",
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_split(form):
    assert split_thinking(form.format("Maybe a cat.", "A dog.")) == ("Maybe a cat.", "A dog.", True)


@pytest.mark.parametrize(
    "text",
    [
        "<think>Maybe a cat",
        "  <thinking>\nMaybe a cat",
        "[THINK]Maybe a cat",
        "<|channel|>analysis<|message|>Maybe a cat",
        "Well. <think>Maybe a cat",
    ],
)
def test_a_reply_that_ends_inside_the_thinking_has_no_answer(text):
    split = split_thinking(text)
    assert split.thinking.endswith("Maybe a cat")
    assert (split.rest, split.complete) == ("", False)


def test_the_last_closing_marker_counts():
    assert split_thinking("a</think>b</think>c") == ("ab", "c", True)
    assert split_thinking("<think>a</think>b<think>c").complete is False
    assert split_thinking("<think>a</think>") == ("a", "", True)


@pytest.mark.parametrize(
    "text", ["", "A dog.", "analysis of it", "Close it with `</think>`, open it with '<think>'.", "a < b\n"]
)
def test_other_texts_stay_as_they_are(text):
    assert split_thinking(text) == ("", text, True)


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_stands_before_the_marker_is_not_in_the_answer(before, after):
    split = split_thinking(f"<think>{before}\n</think>\n{after}")
    assert split.rest == after.strip()
    assert split.complete


def test_thinking_is_no_part_of_answers_that_are_loaded(tmp_path):
    answers = ["<think>A cat?</think>A dog.", "Hm.</think> Two.", "Three.", "<think>Is it"]
    talk = []
    for answer in answers:
        talk += [{"from": "user", "value": "What?"}, {"from": "assistant", "value": answer}]
    (tmp_path / "1.json").write_text(json.dumps({"id": 1, "image": [], "conversations": talk}))
    frame, problems = mmdu.load_answers(tmp_path, return_problems=True)
    assert frame["answer"].tolist() == ["A dog.", "Two.", "Three."]
    assert frame["turn"].tolist() == [1, 2, 3]
    [problem] = problems.itertuples()
    assert (problem.dialog_id, problem.turn) == ("1", 4)
    assert problem.problem == "the answer ends inside its thinking; it is missing"
