"""Scores in lines and under headings: ``Creativity: 7/10``, ``### Creativity ... Score: 7``."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

from mmdu_analysis.io.replies.names import Names
from mmdu_analysis.io.replies.numbers import MARKS, Reading, number_at
from mmdu_analysis.io.replies.statements import Statement
from mmdu_analysis.schema import Rubric

_LINE_START = re.compile(r"[\s#*_`\d.)(•·+\-\"'“‘【\[]*")
_INLINE = re.compile(r"[,;、|{:]\s{0,9}[*_`\"'“‘]{0,3}$")
_CLOSERS = re.compile(r"[\"'”’`*_\]】]{0,4}")
_BRACKETS = re.compile(r"\s{0,2}\((?P<inside>[^()\n]{0,60})\)")
_SEPARATOR = re.compile(r"[ \t]{0,4}(?::|=|->|→|—|–|-(?=\s)|\|)")
_BLANKS = re.compile(r"[ \t]{0,3}")
_LINE_END = re.compile(r"[ \t*_#:]{0,8}(?=\n|$)")
_MARKED = re.compile(
    rf"(?<![A-Za-z])(?:score|rating|得分|评分|分数){MARKS}{{0,4}}(?:[:=]|is\b|of\b|为|是)?{MARKS}{{0,4}}(?=[+-]?\s?\d)",
    re.IGNORECASE,
)
_STARTING = re.compile(
    rf"{MARKS}{{0,8}}(?:(?:score|rating|得分|评分|分数){MARKS}{{0,4}}[:=]?{MARKS}{{0,4}})?(?=[+-]?\s?\d)",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\d{1,6}\s(?:out\s)?of\s(?:the\s)?(?P<whole>\d{1,6})")
_LISTED = re.compile(r"\d{1,3}[.)]\s+\S")
_FIGURE = re.compile(r"(?<![\w.,/+-])\d")
_HEADING = re.compile(r"^[ \t]*(?:#{1,6}\s[^\n]*|\*\*[^*\n\d]{1,80}\*\*:?[ \t]*)$", re.MULTILINE)
_WORD_NEXT = re.compile(r"[ \t]+[^\W\d_]")


@dataclass(frozen=True)
class _Label:
    """A dimension's name that introduces its score; `body` is the text that may contain the score."""

    dimension: str
    start: int
    body: int
    rule: str
    bracket: str = ""


def line_statements(text: str, names: Names, rubric: Rubric) -> list[Statement]:
    """Return the scores that lines and headings state.

    Parameters
    ----------
    text : str
        Translated by `PLAIN`, with structures, tables and quotations replaced by spaces.
    names : Names
        The spellings of the rubric.
    rubric : Rubric
        Its scale.

    Returns
    -------
    list of Statement
        In the order of the text. A label without a number gives no statement.
    """
    mentions = list(names.mention.finditer(text))
    labels = [label for mention in mentions if (label := _label(text, mention, names, rubric))]
    stops = sorted(
        [label.start for label in labels]
        + [h.start() for h in _HEADING.finditer(text) if not _MARKED.search(h[0])]
    )
    spans = [(mention.start(), mention.end()) for mention in mentions]
    statements = []
    for label in labels:
        following = bisect_right(stops, label.start)
        end = stops[following] if following < len(stops) else len(text)
        others = [(a, b) for a, b in spans[bisect_right(spans, (label.body, 0)) :] if a < end]
        if statement := _statement(text, label, end, others, rubric):
            statements.append(statement)
    return statements


def _label(text: str, mention: re.Match[str], names: Names, rubric: Rubric) -> _Label | None:
    """Return the label of a name, or None if the name is part of a sentence."""
    _, newline, line = text[max(0, mention.start() - 60) : mention.start()].rpartition("\n")
    first = bool(newline or mention.start() <= 60) and _LINE_START.fullmatch(line) is not None
    name = names.of_key(mention[0])
    if name is None or not (first or _INLINE.search(line)):
        return None
    position, bracket = mention.end(), ""
    position = _end(_CLOSERS, text, position)
    if inside := _BRACKETS.match(text, position):
        position = _end(_CLOSERS, text, inside.end())
        bracket = inside["inside"] if _scores(inside["inside"], rubric) else ""
    if separator := _SEPARATOR.match(text, position):
        position = separator.end()
        if first or _starts(text, position, rubric):
            return _Label(name, mention.start(), position, "line", bracket)
        return None
    if first and _LINE_END.match(text, position):
        return _Label(name, mention.start(), position, "heading", bracket)
    reading = number_at(text, _end(_BLANKS, text, position), rubric)
    if bracket or (reading and not _word_after(text, reading)):
        return _Label(name, mention.start(), position, "line", bracket)
    return None


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _scores(inside: str, rubric: Rubric) -> bool:
    """Return whether brackets after a name contain digits other than the rubric's scale."""
    if not any(char.isdecimal() for char in inside):
        return False
    low, high = rubric.scale
    scale = rf"(?:out of|max\.?|maximum|满分)?\s?{high:g}|(?:{low:g}|{low + 1:g})\s?(?:-|–|—|~|to|到|至)\s?{high:g}"
    return re.fullmatch(scale, inside.strip(), re.IGNORECASE) is None or inside.strip() == f"{high:g}"


def _starts(text: str, position: int, rubric: Rubric) -> bool:
    start = _STARTING.match(text, position)
    return start is not None and number_at(text, start.end(), rubric) is not None


def _word_after(text: str, reading: Reading) -> bool:
    return not reading.explicit and _WORD_NEXT.match(text, reading.end) is not None


def _statement(
    text: str, label: _Label, end: int, others: list[tuple[int, int]], rubric: Rubric
) -> Statement | None:
    """Return the one score of an item; several different ones are a fault."""
    readings = _first(text, label, end, rubric)
    readings += _bracketed(label, rubric)
    for match in _MARKED.finditer(text, label.body, end):
        reading = number_at(text, match.end(), rubric)
        if reading and not any(a <= match.start() < b for a, b in others):
            readings.append(reading)
    for figure in _FIGURE.finditer(text, label.body, end):
        reading = number_at(text, figure.start(), rubric)
        if reading and reading.explicit and reading.score is not None:
            readings.append(reading)
    if not readings:
        return None
    last = max(reading.end for reading in readings)
    faults = [reading.fault for reading in readings if reading.score is None]
    scores = sorted({reading.score for reading in readings if reading.score is not None})
    if len(scores) > 1:
        faults = [f"is stated as {' and '.join(f'{score:g}' for score in scores[:4])}"]
        last = min(reading.end for reading in readings)
    score = None if faults else scores[0]
    return Statement(label.dimension, score, faults[0] if faults else "", label.rule, label.start, last)


def _bracketed(label: _Label, rubric: Rubric) -> list[Reading]:
    """Read brackets after a name: ``Creativity (7/10): ...``."""
    if not label.bracket:
        return []
    reading = number_at(label.bracket, 0, rubric)
    whole = reading is not None and reading.end == len(label.bracket.rstrip())
    if reading is None or not whole or not (reading.explicit or reading.score is None):
        return [Reading(None, f"is {label.bracket[:20]!r}, not a number", label.body)]
    return [Reading(reading.score, reading.fault, label.body, True)]


def _first(text: str, label: _Label, end: int, rubric: Rubric) -> list[Reading]:
    """Read the number that directly follows a label; a count or a list number is not a score."""
    start = _STARTING.match(text, label.body)
    if start is None or start.end() >= end:
        return []
    position = start.end()
    count = _COUNT.match(text, position)
    if count and float(count["whole"]) != rubric.scale[1]:
        return []
    own_line = "\n" not in text[label.body : position]
    if _LISTED.match(text, position) and (
        not own_line or text[position : position + 4].rstrip().find(")") > 0
    ):
        return []
    reading = number_at(text, position, rubric)
    if reading and _word_after(text, reading):
        shown = " ".join(text[position : position + 20].split())
        return [Reading(None, f"is {shown!r}, not a number", reading.end)]
    return [reading] if reading else []
