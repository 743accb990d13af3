"""Find complete JSON or Python literals in a text, without executing anything and in bounded time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 8
"""Maximum level of nesting; deeper structures don't contain scores."""

_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d+)?(?![\w.])(?:\s?/\s?\d{1,4}(?![\w.]))?")
_BARE_KEY = re.compile(r"[^\W\d][\w -]{0,60}(?=\s{0,9}[:：])")
_WORD = re.compile(r"(?:true|false|null|none|nan)\b", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_CLOSERS = {
    opener: re.compile(closers)
    for opener, closers in {
        '"': '"',
        "'": "'",
        "“": '[”“"]',
        "”": '[”“"]',
        "‘": "[’‘']",
        "’": "[’‘']",
    }.items()
}
_COMMAS, _COLONS = ",，", ":："
_OPENERS = {"{": "}", "[": "]", "(": ")", "｛": "}", "［": "]"}
_START = re.compile(r"[{\[｛［]")
_ENDS = {"｝": "}", "］": "]"}


@dataclass(frozen=True)
class Literal:
    """A complete structure in a text.

    Attributes
    ----------
    value : Pairs, list, str, float or None
        The decoded value.
    start, end : int
        Its span in the text.
    """

    value: Any
    start: int
    end: int


class Pairs(list[tuple[str, Any]]):
    """The entries of a dict in order; a key that is repeated is kept."""


class _Broken(Exception):
    """The text isn't a literal here."""


def find_literals(text: str) -> list[Literal]:
    """Find the complete dicts and lists of a text that aren't part of another.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of Literal
        JSON objects and arrays, Python dicts and lists (single quotes, None, trailing commas), also with
        typographic quotation marks and full-width punctuation. Text that can't be decoded is left out.
    """
    found, position = [], 0
    while start := _START.search(text, position):
        try:
            value, position = _value(text, start.start(), 0)
        except _Broken:
            position = start.end()
            continue
        found.append(Literal(value, start.start(), position))
    return found


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _value(text: str, position: int, depth: int) -> tuple[Any, int]:
    """Decode the value at a position; return it and where it ends."""
    char = text[position : position + 1]
    if char in _OPENERS and char:
        if depth >= MAX_DEPTH:
            raise _Broken
        return (_pairs if _OPENERS[char] == "}" else _items)(text, position + 1, depth + 1, _OPENERS[char])
    if char in _CLOSERS and char:
        return _string(text, position)
    if number := _NUMBER.match(text, position):
        return number[0], number.end()  # as text: the size is checked when the score is read
    if word := _WORD.match(text, position):
        return (word[0].lower() == "true" if word[0].lower() in ("true", "false") else None), word.end()
    raise _Broken


def _string(text: str, position: int) -> tuple[str, int]:
    """Decode a quoted text; line breaks inside are allowed, as language models write them."""
    start = position + 1
    for closer in _CLOSERS[text[position]].finditer(text, start):
        end = closer.start()
        if not _escaped(text, end, start) and not _apostrophe(text, end):
            return _ESCAPE.sub(_unescaped, text[start:end]), end + 1
    raise _Broken


def _escaped(text: str, position: int, start: int) -> bool:
    count = 0
    while position - count > start and text[position - count - 1] == "\\":
        count += 1
    return count % 2 == 1


def _apostrophe(text: str, position: int) -> bool:
    """Return whether a single quotation mark is inside a word."""
    single = text[position] in "’'‘"
    return single and text[position - 1].isalnum() and text[position + 1 : position + 2].isalnum()


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _CONTROLS.get(match[2], match[2])


def _pairs(text: str, position: int, depth: int, closer: str) -> tuple[Pairs, int]:
    entries = Pairs()
    while True:
        position = _skip(text, position)
        if _closes(text, position, closer):
            return entries, position + 1
        key, position = _key(text, position)
        position = _skip(text, position)
        if text[position : position + 1] not in tuple(_COLONS):
            raise _Broken
        value, position = _value(text, _skip(text, position + 1), depth)
        entries.append((key, value))
        position = _next(text, position, closer)


def _key(text: str, position: int) -> tuple[str, int]:
    if text[position : position + 1] in tuple(_CLOSERS):
        return _string(text, position)
    if bare := _BARE_KEY.match(text, position):
        return bare[0], bare.end()
    raise _Broken


def _items(text: str, position: int, depth: int, closer: str) -> tuple[list[Any], int]:
    entries: list[Any] = []
    while True:
        position = _skip(text, position)
        if _closes(text, position, closer):
            return entries, position + 1
        value, position = _value(text, position, depth)
        entries.append(value)
        position = _next(text, position, closer)


def _closes(text: str, position: int, closer: str) -> bool:
    char = text[position : position + 1]
    return _ENDS.get(char, char) == closer


def _next(text: str, position: int, closer: str) -> int:
    """Return the position after a comma, or of the closing bracket."""
    position = _skip(text, position)
    if text[position : position + 1] in tuple(_COMMAS):
        return position + 1
    if _closes(text, position, closer):
        return position
    raise _Broken
