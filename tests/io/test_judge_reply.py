"""Judge replies in the habits of language models."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdu_analysis import parse_judge_reply
from mmdu_analysis.schema import DIMENSION_NAMES

SCORES = dict(zip(DIMENSION_NAMES, (6, 7, 7, 7, 8, 8, 7), strict=True))
EXPECTED = {name: float(value) for name, value in SCORES.items()}
PROSE = "".join(
    f"### {name}\nFine, in Image1 too.\n**Score: {value}**\n\n" for name, value in list(SCORES.items())[:-1]
)
PROSE += "### Overall Score\nGood.\n**Overall Score: 7**\n"
DICT = str(SCORES)

HABITS = {
    "bare dict": DICT,
    "prose and dict": PROSE + DICT,
    "headings alone": PROSE,
    "headings without stars": PROSE.replace("*", ""),
    "one star": PROSE.replace("**", "*"),
    "numbered bold headings": PROSE.replace("### ", "**1. ")
    .replace("\nFine", "**\nFine")
    .replace("\nGood", "**\nGood"),
    "summary": PROSE.replace("7", "3") + "### Summary " + DICT,
    "fence": PROSE + f"```json\n{DICT.replace(chr(39), chr(34))}\n```",
    "typographic quotes": "".join(
        "‘’"[i % 2] if c == "§" else c for i, c in enumerate(DICT.replace("'", "§"))
    ),
    "full-width": DICT.replace(":", "：").replace(",", "，").replace("{", "｛").replace("}", "｝"),
    "trailing comma": DICT[:-1] + ",\n}",
    "strings": str({name: str(value) for name, value in SCORES.items()}),
    "out of ten": str({name: f"{value}/10" for name, value in SCORES.items()}),
    "lower case": DICT.lower(),
    "underscores": DICT.replace("y C", "y_C").replace(" ", "_").replace(":_", ": ").replace(",_", ", "),
    "draft before": DICT.replace("7", "2").replace("8", "2") + "\nOn reflection:\n" + DICT,
    "quoted example before": "As asked, {'Creativity': 9, 'Richness': 6, ..., 'Overall Score': 7}. " + DICT,
    "nested": "{" + ", ".join(f"'{n}': {{'score': {v}, 'reason': 'x'}}" for n, v in SCORES.items()) + "}",
    "lines": "\n".join(f"- **{name}**: {value}/10" for name, value in SCORES.items()),
    "table": "\n".join(f"| {name} | {value} |" for name, value in SCORES.items()),
    "cut dict": DICT[:-1],
}


@pytest.mark.parametrize("habit", HABITS)
def test_habits(habit):
    reply = parse_judge_reply(HABITS[habit])
    assert reply.scores == EXPECTED
    assert reply.problem is None


FAULTS = {
    "outside": ("'Creativity': 12", "Creativity is 12, outside 0-10"),
    "negative": ("'Creativity': -1", "Creativity is -1, outside 0-10"),
    "word": ("'Creativity': 'seven'", "not a number"),
    "none": ("'Creativity': None", "Creativity is missing"),
    "other scale": ("'Creativity': '6/5'", "not out of 10"),
    "gone": ("'Style': 6", "Creativity is missing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_and_the_rest_is_kept(fault):
    value, message = FAULTS[fault]
    reply = parse_judge_reply(DICT.replace("'Creativity': 6", value))
    assert reply.scores == {name: score for name, score in EXPECTED.items() if name != "Creativity"}
    assert message in reply.problem


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').system('touch ran')",
        'exec(\'open("ran", "w")\')',
        "{'Creativity': open('ran', 'w')}",
    ],
)
def test_nothing_is_executed(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_judge_reply(code).scores == {}
    assert not list(tmp_path.iterdir())


@settings(max_examples=300, deadline=1000)
@given(st.text(alphabet=string.printable + "：｛｝‘’“”", max_size=400), st.integers(0, len(PROSE + DICT)))
def test_any_text_gives_a_result(noise, cut):
    for text in (noise, (PROSE + DICT)[:cut] + noise, noise + DICT[: cut % len(DICT)]):
        reply = parse_judge_reply(text)
        assert all(0 <= score <= 10 for score in reply.scores.values())
        assert (reply.problem is None) == (len(reply.scores) == len(DIMENSION_NAMES))


@given(st.tuples(*[st.integers(0, 10)] * 7))
def test_round_trip(values):
    scores = dict(zip(DIMENSION_NAMES, values, strict=True))
    assert parse_judge_reply(PROSE + str(scores)).scores == scores


def test_long_replies_take_no_long_time():
    for text in ("{" * 200_000, "Creativity" * 20_000, "Score: " * 30_000, ("'Creativity': {" * 15_000)):
        parse_judge_reply(text)
