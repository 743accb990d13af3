"""Find text after the scores of a reply that could change them.

The principle: a score is used only if it is the final statement about its dimension. A number that follows it
could be a correction, unless it is part of another score or has a known harmless form (the number of a
picture, a count ``2 of 3``, a list number, a value above the scale). Words alone do not decide whether it is
one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mmdu_analysis.io.replies.names import Names
from mmdu_analysis.io.replies.statements import Statement
from mmdu_analysis.schema import Rubric, fold_name

_DIGITS = re.compile(r"(?<![A-Za-z_\d.,])(?<![A-Za-z]-)\d++(?:[.,]\d++)?+(?![A-Za-z_])")
_WORDS = (
    "zero|nought|one|two|three|four|five|six|seven|eight|nine|ten|half|halv\\w+|doubl\\w+|"
    "(?:full|top|maximum|max|perfect|highest|lowest|minimum|best|worst)\\s(?:possible\\s)?(?:marks?|scores?|points?)|满分"
)
_WORD_NUMBERS = re.compile(rf"(?<![A-Za-z])(?:{_WORDS})(?![A-Za-z])", re.IGNORECASE)
_VALUES = {
    word: float(n) for n, word in enumerate("zero one two three four five six seven eight nine ten".split())
}
_PICTURE = r"(?:images?|pictures?|photos?|figures?|turns?|图片|图像|图)"
_LIST = r"\d++(?:\s{0,2}(?:,|and|&|-|–|to|、|和|到)\s{0,2}\d++)*"
_HARMLESS = re.compile(
    rf"(?<![A-Za-z]){_PICTURE}[\s#(-]{{0,3}}{_LIST}|第\s?{_LIST}|第[一二三四五六七八九十两]{{1,3}}"
    rf"|(?<!\d)\d++\s?(?:{_PICTURE}(?![A-Za-z])|[张幅]图?)"
    rf"|(?<![A-Za-z])(?:one|two|three|four|five|six|seven|eight|nine|ten)\s(?:of\sthe\s)?{_PICTURE}(?![A-Za-z])"
    r"|(?<![A-Za-z])(?:one\sof\s(?:the|its|their)|no\sone|one\sanother|one\sby\sone)(?![A-Za-z])",
    re.IGNORECASE,
)
_COUNT = re.compile(r"(?<![\d.,])\d++\s(?:out\s)?of\s(?:the\s|all\s)?(?P<whole>\d++)(?![.,]\d|/)")
_LISTED = re.compile(r"^[ \t>*_-]{0,9}\(?(?P<number>\d{1,2})[.)](?=\s+\S)", re.MULTILINE)
_CHINESE = re.compile(r"[二两三四五六七八九十零〇](?![张幅个处点条种次轮方者])|一(?=分|[\s,.;!。！]|$)")
_SENTENCE_END = re.compile(r"[.!?。！？;](?=\s|$|[^\x00-\x7f])|\n")
_MEAN = re.compile(r"(?:average|mean|平均)[^\d\n]{0,50}$", re.IGNORECASE)
_SCORE_WORD = re.compile(
    r"(?<![A-Za-z])(?:scor(?:e|es|ed|ing)|marks?|points?|rat(?:e|ed|ing)|grades?)(?![A-Za-z])|分|评",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Number:
    start: int
    text: str
    value: float | None


def find_doubts(text: str, statements: Sequence[Statement], names: Names, rubric: Rubric) -> dict[str, str]:
    """Return the dimensions whose score may be corrected by the text around it, with the reason.

    Parameters
    ----------
    text : str
        The whole reply without its thinking, translated by `PLAIN`.
    statements : sequence of Statement
        All scores that were read in it.
    names : Names
        The spellings of the rubric.
    rubric : Rubric
        Its scale.

    Returns
    -------
    dict of str to str
        Dimension to the text that follows or contradicts its score.
    """
    reader = _Doubts(text, statements, names)
    doubts: dict[str, str] = {}
    for number in _numbers(text, rubric, reader.labels):
        for name in reader.concerned(number):
            doubts.setdefault(name, f"may be changed by {_around(text, number.start)!r}")
    for name, position in reader.words_about():
        doubts.setdefault(name, f"may be changed by {_around(text, position)!r}")
    return doubts


def _around(text: str, position: int) -> str:
    return " ".join(text[max(0, position - 25) : position + 15].split())


class _Doubts:
    """Statements and mentions of a reply, by position."""

    def __init__(self, text: str, statements: Sequence[Statement], names: Names) -> None:
        self._text = text
        self._last = {s.dimension: 0 for s in statements}
        for s in statements:
            self._last[s.dimension] = max(self._last[s.dimension], s.end)
        self._structured = {
            s.dimension
            for s in statements
            if s.rule in ("structure", "table") and s.end == self._last[s.dimension]
        }
        self._scores = {s.dimension: s.score for s in statements}
        self._spans = sorted({(s.start, s.end, s.rule in ("structure", "table")) for s in statements})
        self._furthest: list[int] = []
        for _, end, _ in self._spans:
            self._furthest.append(max(end, self._furthest[-1] if self._furthest else 0))
        self._ends = [0, *(m.end() for m in _SENTENCE_END.finditer(text)), len(text) + 1]
        labels = {s.start for s in statements}
        mentions = list(names.mention.finditer(text))
        self.labels = frozenset(mention.start() for mention in mentions)
        self._mentions = [
            (m.start(), m.end(), name) for m in mentions
            if m.start() not in labels and fold_name(m[0]) not in names.weak and (name := names.of_key(m[0]))
        ]  # fmt: skip
        self._by_sentence: dict[int, set[str]] = {}
        for start, _, name in self._mentions:
            self._by_sentence.setdefault(self._sentence(start)[0], set()).add(name)

    def _sentence(self, position: int) -> tuple[int, int]:
        index = bisect_right(self._ends, position)
        return self._ends[index - 1], self._ends[min(index, len(self._ends) - 1)]

    def _covered(self, position: int) -> tuple[bool, bool]:
        """Return whether a position is part of a statement, and of a structure or table."""
        index = bisect_right(self._spans, (position, len(self._text) + 1, True))
        if not index or self._furthest[index - 1] <= position:
            return False, False
        return True, any(
            end > position and whole for _, end, whole in self._spans[max(0, index - 20) : index]
        )

    def concerned(self, number: _Number) -> set[str]:
        """Return the dimensions whose score a number could change."""
        covered, whole = self._covered(number.start)
        if whole or self._is_mean(number):
            return set()
        mentioned = self._by_sentence.get(self._sentence(number.start)[0], set()) & self._last.keys()
        if mentioned and number.value is not None and all(self._scores[n] == number.value for n in mentioned):
            return set()
        later = {n for n in mentioned if n not in self._structured or self._last[n] <= number.start}
        if covered:
            return later
        return later | {name for name, end in self._last.items() if end <= number.start}

    def _is_mean(self, number: _Number) -> bool:
        """Return whether a number is the mean of the scores and labelled as such."""
        scores = [score for score in self._scores.values() if score is not None]
        if number.value is None or not scores:
            return False
        named = _MEAN.search(self._text, max(0, number.start - 60), number.start) is not None
        means = (sum(part) / len(part) for part in (scores, scores[:-1]) if part)
        return named and any(abs(mean - number.value) < 0.051 for mean in means)

    def words_about(self) -> Iterator[tuple[str, int]]:
        """Yield dimensions that a sentence after all scores mentions together with a word for scores.

        Sentences with a number are handled by `concerned`.
        """
        end = max(self._last.values(), default=len(self._text))
        by_sentence: dict[tuple[int, int], list[tuple[int, int, str]]] = {}
        for mention in self._mentions:
            if mention[0] >= end and mention[2] in self._last:
                by_sentence.setdefault(self._sentence(mention[0]), []).append(mention)
        for (start, stop), mentions in by_sentence.items():
            borders = [start, *(border for first, last, _ in mentions for border in (first, last)), stop]
            rest = " ".join(self._text[a:b] for a, b in zip(borders[::2], borders[1::2], strict=True))
            if _SCORE_WORD.search(rest) and not any(char.isdecimal() for char in rest):
                yield from ((name, first) for first, _, name in mentions)


def _numbers(text: str, rubric: Rubric, labels: frozenset[int]) -> Iterator[_Number]:
    """Yield the numbers of a text that could be scores, in digits, words or signs."""
    harmless = sorted(
        [(m.start(), m.end()) for m in _HARMLESS.finditer(text)]
        + [(m.start(), m.end()) for m in _COUNT.finditer(text) if float(m["whole"][:9]) != rubric.scale[1]]
        + list(_list_numbers(text, labels))
        + list(_scales(text, rubric))
    )
    starts = [start for start, _ in harmless]
    for number in _candidates(text, rubric):
        index = bisect_right(starts, number.start)
        if not any(end > number.start for _, end in harmless[max(0, index - 3) : index]):
            yield number


def _candidates(text: str, rubric: Rubric) -> Iterator[_Number]:
    for match in _DIGITS.finditer(text):
        value = float(match[0].replace(",", ".")[:18])
        percent = text[match.end() : match.end() + 2].lstrip()[:1] == "%"
        if percent or value <= max(abs(limit) for limit in rubric.scale):
            yield _Number(match.start(), match[0], None if percent else value)
    for match in _WORD_NUMBERS.finditer(text):
        yield _Number(match.start(), match[0], _VALUES.get(match[0].lower()))
    for match in _CHINESE.finditer(text):
        yield _Number(match.start(), match[0], None)
    signs = {char for char in set(text) if char.isnumeric() and not char.isdecimal() and not char.isalpha()}
    for position, char in enumerate(text if signs else ""):
        if char in signs:
            yield _Number(position, char, None)


def _list_numbers(text: str, labels: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of numbered lists (at least two, counting up by one), and those before a label."""
    listed = list(_LISTED.finditer(text))
    for index, match in enumerate(listed):
        number = int(match["number"])
        before = int(listed[index - 1]["number"]) if index else None
        after = int(listed[index + 1]["number"]) if index + 1 < len(listed) else None
        labelled = any(match.end() + offset in labels for offset in range(1, 7))
        if labelled or (number == 1 and after == 2) or before == number - 1:
            yield match.start("number"), match.end("number")


def _scales(text: str, rubric: Rubric) -> Iterator[tuple[int, int]]:
    """Yield the positions at which a text states the scale, such as ``0-10`` or ``from 1 to 10``."""
    low, high = rubric.scale
    pattern = (
        rf"(?<![\d.,])(?:{low:g}|{low + 1:g})\s?(?:-|–|~|to|到|至)\s?{high:g}(?!\d|[.,]\d)"
        rf"|(?<![A-Za-z])out of {high:g}(?!\d|[.,]\d)"
    )
    for match in re.finditer(pattern, text):
        yield match.start(), match.end()
