"""Read the scores from one judge reply. Nothing in a reply is ever executed."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from mmdu_analysis.io.replies.doubts import find_doubts
from mmdu_analysis.io.replies.lines import line_statements
from mmdu_analysis.io.replies.literals import Literal, find_literals
from mmdu_analysis.io.replies.names import names_of
from mmdu_analysis.io.replies.numbers import PLAIN, read_score
from mmdu_analysis.io.replies.statements import Statement, structure_statements
from mmdu_analysis.io.replies.tables import table_statements
from mmdu_analysis.io.thinking import split_thinking
from mmdu_analysis.schema import MMDU, Rubric

MAX_LENGTH = 100_000
"""Maximum length of a reply (without its thinking part) in characters; a longer one is not a judgement."""

_QUOTED_LINE = re.compile(r"^[ \t]*>[^\n]*$", re.MULTILINE)
_BROKEN = re.compile(r"\{[^{}]{0,4000}\}")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "«": "»"}


@dataclass(frozen=True)
class JudgeReply:
    """The scores in one reply.

    Attributes
    ----------
    scores : dict of str to float
        Dimension name to score on the rubric's scale, in the rubric's order; only unambiguous scores.
    problem : str or None
        What is missing, outside the scale or ambiguous, in words.
    rules : dict of str to str
        How each score was read: ``structure`` (JSON or a Python dict), ``table``, ``line`` or ``heading``.
    """

    scores: dict[str, float] = field(default_factory=dict)
    problem: str | None = None
    rules: dict[str, str] = field(default_factory=dict)


def parse_judge_reply(text: str, *, rubric: Rubric = MMDU, finish_reason: str | None = None) -> JudgeReply:
    """Read the scores from a judge's reply.

    Parameters
    ----------
    text : str
        The whole reply: thinking, prose, Markdown, code fences, JSON or a Python dict.
    rubric : Rubric, default MMDU
        The dimensions, their spellings and the scale.
    finish_reason : str, optional
        From the server. ``"length"`` means that the reply was truncated: a number at its very end is not
        read.

    Returns
    -------
    JudgeReply
        A dimension that is missing, outside the scale or stated with two numbers is part of the ``problem``;
        the other scores are kept.

    Notes
    -----
    The published scripts pass the reply to ``eval``; this decodes it. The rules:

    1. The thinking part is removed: everything up to the last closing tag. A reply that ends inside it has no
       scores.
    2. Scores are read from these forms only: complete JSON or Python structures, Markdown tables,
       and lines or headings that begin with the name of a dimension. Texts inside structures are
       explanations, and quotations are texts of others; neither is read.
    3. All statements about a dimension must agree.
    4. A score must be final: a number after it that is not itself a score in one of these forms makes it
       ambiguous, unless the number is harmless (of a picture, a count such as ``2 of 3``, above the scale).

    Examples
    --------
    >>> parse_judge_reply("{'Creativity': 6, 'Richness': '7/10'}").scores
    {'Creativity': 6.0, 'Richness': 7.0}
    >>> parse_judge_reply("Creativity: 7/10. No, make it 5.").scores
    {}
    """
    split = split_thinking(text)
    if not split.complete:
        return JudgeReply(problem="the reply ends inside its thinking")
    reply = split.rest
    if len(reply) > MAX_LENGTH:
        return JudgeReply(problem=f"a reply of {len(reply):,} characters, expected at most {MAX_LENGTH:,}")
    plain = reply.translate(PLAIN)
    statements = _statements(reply, plain, rubric)
    if finish_reason == "length":
        statements = _without_cut(statements, plain, 0)
    doubts = find_doubts(plain, statements, names_of(rubric), rubric)
    return _resolve(statements, doubts, rubric)


def _statements(reply: str, plain: str, rubric: Rubric) -> list[Statement]:
    """Return what structures, tables and lines state."""
    names = names_of(rubric)
    quoted = _quoted(plain)
    found, blank = [], list(quoted)
    for literal in find_literals(reply):
        stated = structure_statements(literal, names, rubric)
        if stated and not _in_quotes(plain, literal) and not _covered(quoted, literal.start):
            found += stated
        if stated:
            blank.append((literal.start, literal.end))
    rest = _blanked(plain, blank)
    broken = [(match.start(), match.end()) for match in _BROKEN.finditer(rest)]
    rest = _blanked(rest, broken)
    tables = table_statements(rest, names, rubric)
    rest = _blanked(rest, [(table.start, table.end) for table in tables])
    lines = line_statements(rest, names, rubric)
    if not found + tables + lines and len(rubric.dimensions) == 1:
        score, fault = read_score(plain, rubric)
        if score is not None:
            lines = [Statement(rubric.names[0], score, fault, "line", 0, len(plain))]
    unclosed = rest.rfind("{")
    if unclosed > rest.rfind("}"):
        lines = _without_cut(lines, rest, unclosed)
    return found + tables + lines


def _quoted(plain: str) -> list[tuple[int, int]]:
    return [(match.start(), match.end()) for match in _QUOTED_LINE.finditer(plain)]


def _in_quotes(plain: str, literal: Literal) -> bool:
    before = plain[max(0, literal.start - 40) : literal.start].rstrip()[-1:]
    after = plain[literal.end : literal.end + 40].lstrip()[:1]
    return before in _QUOTES and after == _QUOTES[before]


def _covered(spans: Sequence[tuple[int, int]], position: int) -> bool:
    """Return whether a position is in one of the spans, which are sorted and disjoint."""
    index = bisect_right(spans, (position, MAX_LENGTH + 1))
    return index > 0 and position < spans[index - 1][1]


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a text with spans replaced by spaces; positions are unchanged."""
    parts, position = [], 0
    for start, end in sorted(set(spans)):
        if start >= position:
            parts += [text[position:start], " " * (end - start)]
            position = end
    return "".join(parts) + text[position:]


def _without_cut(statements: list[Statement], text: str, start: int) -> list[Statement]:
    """Mark a number at the very end of a truncated text, which may be incomplete."""
    end = len(text.rstrip())
    return [
        replace(s, score=None, fault="may be truncated")
        if s.end >= end and s.start >= start and s.rule != "structure"
        else s
        for s in statements
    ]


def _resolve(statements: list[Statement], doubts: dict[str, str], rubric: Rubric) -> JudgeReply:
    """Return the scores whose statements agree, and the faults of the others."""
    scores, rules, faults = {}, {}, []
    for name in rubric.names:
        own = [s for s in statements if s.dimension == name]
        wrong = [s.fault for s in own if s.score is None]
        values = sorted({s.score for s in own if s.score is not None})
        if not own:
            faults.append(f"{name} is missing")
        elif wrong:
            faults.append(f"{name} {wrong[-1]}")
        elif len(values) > 1:
            faults.append(f"{name} is stated as {' and '.join(f'{value:g}' for value in values[:4])}")
        elif name in doubts:
            faults.append(f"{name} {doubts[name]}")
        else:
            scores[name], rules[name] = values[0], own[-1].rule
    if not statements:
        return JudgeReply(problem="no scores were found")
    if total := _sum_fault(scores, rubric):
        del scores[total], rules[total]
        faults.append(f"{total} is the sum of the other scores")
    return JudgeReply(scores, "; ".join(faults) or None, rules)


def _sum_fault(scores: dict[str, float], rubric: Rubric) -> str | None:
    """Return the overall score's name if it is the sum of the others instead of a score."""
    others = [score for name, score in scores.items() if name != rubric.overall]
    if rubric.overall not in scores or len(others) < 2:
        return None
    value = scores[rubric.overall]
    return rubric.overall if value == sum(others) and value > max(others) else None
