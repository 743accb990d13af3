"""Replies of servers in the forms of the protocol, and in those that break it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdu_analysis.judging.reply import TurnError, Usage, read_completion, read_usage

COUNTS = {"prompt_tokens": 3, "completion_tokens": 4}


def reply(message, finish="stop", **other):
    return json.dumps({"choices": [{"message": message, "finish_reason": finish}], "usage": COUNTS, **other})


@pytest.mark.parametrize(
    ("message", "text", "thinking"),
    [
        ({"content": "A dog."}, "A dog.", ""),
        ({"content": [{"type": "text", "text": "A "}, {"type": "text", "text": "dog."}]}, "A dog.", ""),
        ({"content": None, "refusal": "I can't."}, "I can't.", ""),
        ({"content": "A dog.", "reasoning_content": None, "reasoning": "Hm"}, "A dog.", "Hm"),
        ({"content": "<think>a</think>A dog.", "reasoning_content": "b"}, "A dog.", "b\na"),
        (
            {"content": [{"type": "reasoning", "text": "Hm"}, {"type": "text", "text": "A dog."}]},
            "A dog.",
            "Hm",
        ),
        ({"content": "half \ud800"}, "half \ufffd", ""),
        ({"content": "", "reasoning_content": ""}, "", ""),
    ],
)
def test_text_and_thinking(message, text, thinking):
    found = read_completion(reply(message))
    assert (found.text, found.thinking, found.usage, found.complete) == (text, thinking, (3, 4), True)


@pytest.mark.parametrize(
    "message",
    [{"content": None, "reasoning_content": "Hm"}, {"content": "<think>Hm"}, {"content": " ", "reasoning": "Hm"},
     {"content": "<think>Hm</think>"}, {"content": [{"type": "thinking", "thinking": "Hm"}]}],
)  # fmt: skip
def test_a_reply_with_nothing_but_thinking_has_no_text(message):
    found = read_completion(reply(message, "length"))
    assert (found.text.strip(), found.thinking, found.complete) == ("", "Hm", False)


@pytest.mark.parametrize(
    "raw",
    ["", "x", "[]", "{}", '{"choices": 3}', '{"choices": [3]}', '{"choices": [{}]}', '{"choices": [{"message": []}]}',
     '{"choices": [{"message": {}}]}', '{"choices": [{"message": {"content": 3}}]}', "[" * 100_000, '{"choices": []}'],
)  # fmt: skip
def test_what_is_not_a_reply_is_a_reason(raw):
    with pytest.raises(TurnError, match="reply"):
        read_completion(raw)


def test_what_is_not_a_reply_may_have_cost_something():
    for raw in (json.dumps({"choices": [], "usage": COUNTS}), reply({"content": None}), reply([])):
        with pytest.raises(TurnError) as caught:
            read_completion(raw)
        assert caught.value.usage == (3, 4)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["prompt_tokens", "x"]), inner)
    ),
)


@given(ANY, ANY, ANY)
def test_no_field_of_a_reply_ends_in_another_error(content, finish, usage):
    raw = json.dumps(
        {"choices": [{"message": {"content": content}, "finish_reason": finish}], "usage": usage}
    )
    try:
        found = read_completion(raw)
    except TurnError:
        return
    assert isinstance(found.text, str)
    assert found.finish_reason is None or isinstance(found.finish_reason, str)
    assert all(type(count) is int and count >= 0 for count in found.usage)


@given(ANY)
def test_every_usage_is_a_pair_of_counts(value):
    assert all(type(count) is int and 0 <= count < 1 << 50 for count in read_usage(value))


def test_usages():
    assert read_usage([1, 2]) == read_usage({"prompt_tokens": 1, "completion_tokens": 2}) == Usage(1, 2)
    assert read_usage([1.0, None]) == Usage(1, 0)
    assert Usage(1, 2).plus([3, 4]) == Usage(4, 6)
