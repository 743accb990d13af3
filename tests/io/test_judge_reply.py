"""Judge replies: read correctly or refused."""

from __future__ import annotations

import json
import random
import string
import time

import pytest
from builders import SHARED
from hypothesis import given, settings
from hypothesis import strategies as st
from reply_composer import AFTER, BEFORE, FORMS, THINKING, compose, lines

from mmdu_analysis import Rubric, parse_judge_reply
from mmdu_analysis.schema import DIMENSION_NAMES, Dimension

SCORES = {name: float(v) for name, v in zip(DIMENSION_NAMES, (5, 4, 6, 8, 7, 3, 6), strict=True)}
LINES, JSON = lines(SCORES), json.dumps(SCORES)
HEADINGS = FORMS["headings"](SCORES)
CASES = SHARED / "cases" / "replies.jsonl"


def test_the_shared_replies():
    if not CASES.is_file():
        pytest.skip("the replies aren't beside the project (../shared/cases)")
    for line in CASES.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        reply = parse_judge_reply(case["text"], finish_reason=case["finish_reason"])
        assert reply.scores == case["expected"], case["name"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_within_harmless_text(form):
    rng = random.Random(form)
    for before in BEFORE:
        for after in AFTER:
            text, scores = compose(rng, form, plain=True)
            reply = parse_judge_reply(before + text + after)
            assert reply.scores == scores, (before, after, reply.problem)
            assert reply.problem is None
            assert set(reply.rules) == set(DIMENSION_NAMES)


def check_composed(count: int, seed: int) -> int:
    """Check that composed replies give the known scores or a problem; return how many gave all scores."""
    rng, read = random.Random(seed), 0
    for _ in range(count):
        text, scores = compose(rng)
        reply = parse_judge_reply(text)
        assert all(scores[name] == value for name, value in reply.scores.items()), text
        assert (reply.problem is None) == (len(reply.scores) == len(DIMENSION_NAMES)), text
        read += reply.problem is None
    return read


def test_composed_replies_give_the_known_scores_or_a_problem():
    assert check_composed(1_500, seed=1) > 500


@pytest.mark.slow
def test_twenty_thousand_composed_replies():
    assert check_composed(20_000, seed=int(time.time())) > 8_000


CHANGED = {  # after a verdict; the dimensions whose score is in doubt (all: which one is meant is open)
    "I'd now give Overall Score a 4": "all",
    "Creativity and Richness should both be 5": "all",
    "On reflection, lower it to four.": "all",
    "Revised score: 4": "all",
    "Actually, **7** it is.": "all",
    "Make Richness ④.": "all",
    "改为四。": "all",
    "总分应为 9": "all",
    "最终得分：9": "all",
    "I would raise it by one point.": "all",
    "Full marks for Creativity then.": "all",
    "Lower everything by 50 %.": "all",
    "Better: 7.5": "all",
    "> Creativity: 9": "all",
    "9/10 (reference), 5/10 (assistant)": "all",
    "Overall Score → 4": "Overall Score",
    "Creativity=9": "Creativity",
    "creativity_score: 9/10": "Creativity",
    "| Creativity | 9 |": "Creativity",
    "Correction: {'Creativity': 2}": "Creativity",
    "Creativity: -1": "Creativity",
    "The Creativity deserves a better score.": "Creativity",
    "A perfect answer: " + json.dumps(dict.fromkeys(DIMENSION_NAMES, 10)): "all",
}


@pytest.mark.parametrize("text", CHANGED)
@pytest.mark.parametrize("verdict", [LINES, JSON, HEADINGS], ids=["lines", "JSON", "headings"])
def test_what_follows_a_verdict_puts_it_in_doubt(verdict, text):
    reply = parse_judge_reply(f"{verdict}\n\n{text}")
    doubtful = set(DIMENSION_NAMES) if CHANGED[text] == "all" else {CHANGED[text]}
    assert reply.scores == {name: value for name, value in SCORES.items() if name not in doubtful}
    assert all(name in reply.problem for name in doubtful)


HARMLESS = [
    "The answer is plain.",
    "Image 3 is not described, images 1, 2 and 4 are.",
    "It names 2 of 3 images, and one of the birds.",
    "Total: 39/70",
    "The average of these is 5.57.",
    "(All scores are out of 10.)",
    "1. The answer is short.\n2. The wording is plain.",
    "Therefore, I rate the Overall Score as 6.",
    "\n".join(f"- {name}: a word on it" for name in DIMENSION_NAMES),
    "第二张图片没有描述，一致性不错。",
    "The year 1998 is right, and GPT-4o or 3D pictures are not mentioned.",
    "```",
]


@pytest.mark.parametrize("text", HARMLESS)
@pytest.mark.parametrize("verdict", [LINES, JSON, HEADINGS], ids=["lines", "JSON", "headings"])
def test_harmless_text_after_a_verdict(verdict, text):
    assert parse_judge_reply(f"{verdict}\n\n{text}").scores == SCORES


REFUSED = {
    "sign after the colon": ("Creativity: - 7", "Creativity is -7, outside 0-10"),
    "sign": ("- Creativity: -1", "Creativity is -1, outside 0-10"),
    "two answers": ("### Creativity\n9/10 (reference), 7/10 (assistant)\n", "stated as 7 and 9"),
    "range in words": ("Creativity: 4 to 6", "not a number"),
    "range": ("Creativity: 4–6/10", "not a number"),
    "count": ("Creativity: 7 of 10 images", "not a number"),
    "count with a slash": ("Creativity: 7/10 images are covered", "not a number"),
    "counted things": ("Creativity: 7 details are named", "not a number"),
    "thousands": ("Creativity: 1,000", "no scores were found"),
    "percent": ("Creativity: 70%", "not a number"),
    "total": ("Creativity: 42/60", "not out of 10"),
    "key twice": ('{"Creativity": 5, "Creativity": 7}', "stated as 5 and 7"),
    "other maximum": ('[{"dimension": "Creativity", "score": 4, "max": 5}]', "out of 5"),
    "two columns": (
        "| Dimension | Reference | Assistant |\n|---|---|---|\n| Creativity | 9 | 5 |",
        "single column",
    ),
    "column of the reference": ("| Dimension | Reference |\n|---|---|\n| Creativity | 9 |", "single column"),
    "rows of two answers": ("| Creativity | Richness |\n|---|---|\n| 9 | 9 |\n| 5 | 4 |", "no single row"),
    "list number": ("### Creativity\n1. The answer is plain.\n", "no scores were found"),
    "number of a picture": ("Creativity: Image 1 is described", "no scores were found"),
    "earlier one corrected": (
        "Creativity: 7\nRichness: 4. Actually the former should be 5.",
        "may be changed",
    ),
    "struck out": ("Creativity: ~~7~~ 5", "may be changed"),
    "with an arrow": ("Creativity: 7 -> 5", "may be changed"),
    "in brackets": ("Creativity: 7 (was 5)", "may be changed"),
    "in words of its own": ("Creativity: 7\nOn reflection 5/10 for Creativity.", "may be changed"),
    "two answers in JSON": ('A: {"Creativity": 5}\nB: {"Creativity": 6}', "stated as 5 and 6"),
    "corrected on its line": ("Creativity: 7, no: 5", "may be changed"),
    "word in JSON": ('{"Creativity": "seven"}', "'seven', not a number"),
    "true": ('{"Creativity": true}', "not a number"),
    "huge": ('{"Creativity": 1' + "0" * 400 + "}", "outside 0-10"),
    "huge float": ('{"Creativity": 1e300}', "outside 0-10"),
    "infinite": ('{"Creativity": "inf"}', "outside 0-10"),
    "quotation only": ("The assistant wrote: \"{'Creativity': 9}\".", "no scores were found"),
    "quoted line only": ("> Creativity: 9", "no scores were found"),
    "template": ('{"Creativity": "<0-10>"}', "not a number"),
    "inside thinking": ("<think>Creativity: 5", "ends inside its thinking"),
    "thinking after a verdict": ("Creativity: 5\n<think>or 6?", "ends inside its thinking"),
    "channel without a final message": (
        "<|channel|>analysis<|message|>Creativity: 5",
        "ends inside its thinking",
    ),
    "too long": ("Creativity: 5\n" + " " * 200_000, "characters"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    text, message = REFUSED[case]
    reply = parse_judge_reply(text)
    assert reply.scores == {}
    assert message in reply.problem


def test_an_overall_score_that_is_the_sum_of_the_others_is_refused():
    low = dict.fromkeys(DIMENSION_NAMES[:-1], 1.0)
    reply = parse_judge_reply(json.dumps(low | {"Overall Score": 6}))
    assert reply.scores == low
    assert "sum of the other scores" in reply.problem


def test_statements_must_agree():
    draft = {**SCORES, "Creativity": 9.0}
    for text in (f"{json.dumps(draft)}\nOn reflection:\n{JSON}", lines(draft) + "\n### Summary\n" + JSON):
        reply = parse_judge_reply(text)
        assert reply.scores == {name: score for name, score in SCORES.items() if name != "Creativity"}
        assert reply.problem == "Creativity is stated as 5 and 9"


@pytest.mark.parametrize("thinking", THINKING)
def test_thinking_changes_nothing(thinking):
    draft = json.dumps(dict.fromkeys(DIMENSION_NAMES, 1))
    assert parse_judge_reply(thinking.format(draft=draft) + JSON) == parse_judge_reply(JSON)


def test_a_cut_reply_loses_its_last_number():
    rest = {name: score for name, score in SCORES.items() if name != "Overall Score"}
    assert parse_judge_reply(JSON[:-1]).scores == rest
    assert parse_judge_reply(LINES, finish_reason="length").scores == rest
    assert parse_judge_reply(JSON, finish_reason="length").scores == SCORES


def test_the_rule_of_each_score_is_named():
    rules = {"JSON": "structure", "lines": "line", "headings": "heading", "table": "table"}
    for form, rule in rules.items():
        assert set(parse_judge_reply(FORMS[form](SCORES)).rules.values()) == {rule}
    mixed = parse_judge_reply("### Richness\n**Score: 4**\n{'Overall Score': 6}")
    assert mixed.rules == {"Richness": "heading", "Overall Score": "structure"}


QUALITY = Rubric("q", (Dimension("Grounding", "G", ("groundedness", "图像依据")),), (1.0, 5.0))
FOUR = Rubric(
    "f",
    tuple(Dimension(name, name[0]) for name in ("Tone", "Facts", "Depth", "Whole")),
    (0.0, 100.0),
    "Whole",
)


def test_other_rubrics():
    for text in (
        "Groundedness: 4/5",
        "图像依据：4分",
        '{"score": 4, "reason": "2 of 3"}',
        "Score: 4",
        "4",
        "4/5",
    ):
        assert parse_judge_reply(text, rubric=QUALITY).scores == {"Grounding": 4.0}, text
    for text in ("Grounding: 8/10", "Grounding: 0", "Grounding: 6"):
        assert parse_judge_reply(text, rubric=QUALITY).scores == {}
    given = {"Tone": 70.0, "Facts": 55.5, "Depth": 80.0, "Whole": 68.0}
    for text in (
        json.dumps(given),
        json.dumps({name[0]: v for name, v in given.items() if name != "Whole"} | {"Whole": 68}),
    ):
        assert parse_judge_reply(text, rubric=FOUR).scores == given
    assert parse_judge_reply("Tone: 70/100\nFacts: 7/10", rubric=FOUR).scores == {"Tone": 70.0}


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
@given(
    st.text(alphabet=string.printable + "：｛｝‘’“”④四\ud800", max_size=400),
    st.integers(0, len(HEADINGS + JSON)),
)
def test_any_text_gives_a_result(noise, cut):
    for text in (noise, (HEADINGS + JSON)[:cut] + noise, noise + JSON[: cut % len(JSON)]):
        reply = parse_judge_reply(text)
        assert all(0 <= score <= 10 for score in reply.scores.values())
        assert (reply.problem is None) == (len(reply.scores) == len(DIMENSION_NAMES))


LONG = {
    "braces": "{", "brackets": "[", "names": "Creativity ", "marks": "Score: ", "keys": "'Creativity': {",
    "quotes": "{'", "mixed quotes": "{\"{'", "lists": "[1,", "small lists": "[1] ", "numbers": "7 ", "digits": "7",
    "pipes": "|", "rows": "| Creativity | 5 |\n", "backslashes": "\\", "spaces": " ", "emphasis": "*", "lines": "Creativity: 5\n",
    "sentences": "x Creativity is 5 ", "thinking": "</think><think>", "objects": '{"Creativity": 5}\n', "quoted lines": "> 7\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", LONG)
def test_long_replies_take_no_long_time(kind):
    text = (LONG[kind] * 50_000)[:50_000]
    start = time.process_time()
    parse_judge_reply(JSON + "\n" + text)
    parse_judge_reply(text)
    assert time.process_time() - start < 8
