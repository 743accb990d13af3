"""Read the scores out of one judge reply. Nothing in a reply is ever executed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mmdu_analysis.schema import DIMENSION_NAMES

_NAMES = {re.sub(r"[\s_-]+", " ", name).lower(): name for name in DIMENSION_NAMES}
_NAMES |= {"overall": "Overall Score", "image relationship": "Image Relationship Understanding"}
_NAME = "|".join(
    re.escape(name).replace(r"\ ", r"[\s_-]{1,3}") for name in sorted(_NAMES, key=len, reverse=True)
)
_QUOTE = r"[\"'`*]{0,3}"
_NUMBER = r"[-+]?\d{1,9}(?:\.\d{1,9})?"
_BLOCK = re.compile(r"\{[^{}]{1,4000}\}")
_PAIR = re.compile(
    rf"(?<![A-Za-z])(?P<name>{_NAME})\s{{0,3}}{_QUOTE}\s{{0,3}}[:=|]\s{{0,3}}(?:\{{\s{{0,9}}{_QUOTE}score{_QUOTE}\s{{0,3}}:)?"
    rf"(?P<value>[^,|{{}}\n]{{0,60}})",
    re.IGNORECASE,
)
_HEADING = re.compile(rf"^[\s>#*\d.)-]{{0,12}}(?P<name>{_NAME})[\s*:#]{{0,6}}$", re.IGNORECASE | re.MULTILINE)
_SCORE = re.compile(
    rf"(?<![A-Za-z])score\s{{0,3}}{_QUOTE}\s{{0,3}}(?:[:=]|\bis\b)\s{{0,3}}(?P<value>{_QUOTE}\s{{0,3}}{_NUMBER}[^\n]{{0,12}})",
    re.IGNORECASE,
)
_VALUE = re.compile(
    rf"^[\s\"'`*(\[]{{0,8}}(?P<number>{_NUMBER})\s{{0,3}}(?:(?:/|out of)\s{{0,3}}(?P<scale>\d{{1,4}}))?(?![\w.]*[A-Za-z\d])"
)
_PLAIN = str.maketrans(
    {
        "：": ":",
        "，": ",",
        "｛": "{",
        "｝": "}",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "＂": '"',
        "＇": "'",
        "／": "/",
    }
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
)
_ABSENT = {"", "none", "null", "nan", "n/a", "na", "..."}


@dataclass(frozen=True)
class JudgeReply:
    """The scores in one reply.

    Attributes
    ----------
    scores : dict of str to float
        Dimension name -> score on 0-10, in the dimensions' order; only what was found.
    problem : str or None
        What is missing or out of range, in words.
    """

    scores: dict[str, float] = field(default_factory=dict)
    problem: str | None = None


def parse_judge_reply(text: str) -> JudgeReply:
    """Read the scores out of a judge's reply.

    The last complete dict of scores counts; what it lacks is taken from headings that carry a
    ``Score: 7``, then from lines such as ``Creativity: 7/10``.

    Parameters
    ----------
    text : str
        The whole reply: prose, Markdown, code fences and a dict in any of the habits of language
        models.

    Returns
    -------
    JudgeReply
        A value outside 0-10 or a missing dimension is a ``problem``; the other scores are kept.

    Notes
    -----
    The published scripts pass the reply to ``eval``; this reads it with bounded patterns.

    Examples
    --------
    >>> parse_judge_reply("{'Creativity': 6, 'Richness': '7/10'}").scores
    {'Creativity': 6.0, 'Richness': 7.0}
    """
    plain = text.translate(_PLAIN)
    found = _from_blocks(plain)
    for source in (_from_headings, _from_lines):
        if len(found) < len(DIMENSION_NAMES):
            found = source(plain) | found
    scores, faults = {}, []
    for name in DIMENSION_NAMES:
        value = found.get(name, "")
        number, fault = read_score(value)
        if number is not None:
            scores[name] = number
        else:
            faults.append(f"{name} {fault}")
    return JudgeReply(scores, "; ".join(faults) or None)


def read_score(value: object) -> tuple[float | None, str]:
    """Read one score.

    Parameters
    ----------
    value : object
        A number, or a text such as ``"7"``, ``"7.5"`` or ``"7/10"``.

    Returns
    -------
    tuple of (float or None, str)
        The score on 0-10, or None and what is wrong with the value, in words.
    """
    text = str(value).strip().translate(_PLAIN) if value is not None else ""
    bare = text.strip("\"'` ").lower()
    if bare in _ABSENT:
        return None, "is missing"
    match = _VALUE.match(text)
    if isinstance(value, bool) or match is None:
        return None, f"is {text[:20]!r}, not a number"
    number = float(match["number"])
    if match["scale"] not in (None, "10"):
        return None, f"is {text[:20]!r}, not out of 10"
    if not 0 <= number <= 10:
        return None, f"is {match['number']}, outside 0-10"
    return number, ""


def _canonical(name: str) -> str:
    return _NAMES[re.sub(r"[\s_-]+", " ", name).lower()]


def _pairs(text: str) -> dict[str, str]:
    """Last value of each dimension that the text gives."""
    return {_canonical(match["name"]): match["value"] for match in _PAIR.finditer(text)}


def _from_blocks(text: str) -> dict[str, str]:
    """Take the last of the dicts that name the most dimensions."""
    best: dict[str, str] = {}
    for block in _BLOCK.finditer(text):
        pairs = _pairs(block[0])
        if pairs and len(pairs) >= len(best):
            best = pairs
    return best


def _from_headings(text: str) -> dict[str, str]:
    """Take the last score under each heading that names a dimension, dicts aside."""
    prose = _BLOCK.sub(" ", text)
    headings = list(_HEADING.finditer(prose))
    found = {}
    for place, heading in enumerate(headings):
        name = _canonical(heading["name"])
        end = headings[place + 1].start() if place + 1 < len(headings) else len(prose)
        for score in _SCORE.finditer(prose, heading.end(), end):
            before = prose[max(0, score.start() - 8) : score.start()].strip().lower()
            if name == "Overall Score" or before != "overall":
                found[name] = score["value"]
    return found


def _from_lines(text: str) -> dict[str, str]:
    """Take ``Creativity: 7`` wherever a line says so; words after the colon are prose, not a score."""
    return {name: value for name, value in _pairs(text).items() if _VALUE.match(value)}
