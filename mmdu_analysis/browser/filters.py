"""Filters, as sent by the page and as encoded in a link."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import parse_qsl, urlencode

ORDERS = ("file", "given", "turns", "images", "tokens", "score", "worst", "disagreement")
"""``given``: the order of the frame `where`."""
FIELDS = ("question", "reference", "answer")
MANY = 1_000_000
_LONGEST = 1_000


@dataclass(frozen=True)
class Filters:
    """The filters of a reader.

    Attributes
    ----------
    query : str
        Text to find; upper and lower case are not distinguished.
    fields : tuple of str
        Fields to search, from `FIELDS`.
    whole_word, regex : bool
        Find whole words only; read the query as a regular expression (RE2: linear time).
    turns, images : tuple of int
        Minimum and maximum number of turns and images of the dialogue.
    about : tuple of int
        Minimum and maximum number of images that the question is about.
    progress : tuple of float
        Minimum and maximum of turn / last turn, 0-1.
    distance : tuple of int
        Minimum and maximum number of turns since the first of these images was shown.
    kind : str
        One of `mmdu_analysis.schema.QUESTION_KINDS`, or empty.
    score : tuple of float
        Lowest and highest score of a turn, 0-100; the whole range also includes turns without a score.
    model : str
        Model whose scores and answers are used; empty: the mean of all models, and all answers.
    wrong, right : str
        Models whose score is below 50, or at least 50; empty: no condition.
    above, below : str
        Models: `above` is at least `points` higher than `below`.
    points : float
        Points on 0-100.
    tag : str
        Only turns with this tag of a reader; ``*`` any.
    order : str
        One of `ORDERS`.
    """

    query: str = ""
    fields: tuple[str, ...] = FIELDS
    whole_word: bool = False
    regex: bool = False
    turns: tuple[int, int] = (0, MANY)
    images: tuple[int, int] = (0, MANY)
    about: tuple[int, int] = (0, MANY)
    progress: tuple[float, float] = (0.0, 1.0)
    distance: tuple[int, int] = (0, MANY)
    kind: str = ""
    score: tuple[float, float] = (0.0, 100.0)
    model: str = ""
    wrong: str = ""
    right: str = ""
    above: str = ""
    below: str = ""
    points: float = 0.0
    tag: str = ""
    order: str = "file"

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> Filters:
        """Return the filters of a page's message; an invalid value means no filter."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            try:
                values[field.name] = _read(wanted.get(field.name, field.default), field.default)
            except (TypeError, ValueError, OverflowError):
                values[field.name] = field.default
        if values["order"] not in ORDERS:
            values["order"] = "file"
        values["fields"] = tuple(name for name in FIELDS if name in values["fields"]) or FIELDS
        return cls(**values)

    def changed(self) -> dict[str, Any]:
        """Return the filters that are set."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        defaults = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in values.items() if value != defaults[name]}

    def asks_of_turns(self) -> bool:
        """Return whether a filter applies to turns, so that a dialogue without turns can't match."""
        of_dialogs = {"turns", "images", "order", "model", "fields", "points", "whole_word", "regex"}
        return bool(self.changed().keys() - of_dialogs)

    def needs_texts(self) -> bool:
        """Return whether a filter or the order needs all texts, which a large set loads last."""
        return bool(self.changed().keys() & {"query", "kind", "about", "distance"}) or self.order == "tokens"


def _read(value: Any, default: Any) -> Any:
    if isinstance(default, bool):
        return value is True or value == "1"
    if isinstance(default, float):
        return _finite(float(value))
    if isinstance(default, str):
        return str(value)[:_LONGEST]
    if isinstance(default[0], str):
        return tuple(str(one) for one in (value.split(",") if isinstance(value, str) else value))
    low, high = value.split("..") if isinstance(value, str) else value
    return type(default[0])(_finite(float(low))), type(default[0])(_finite(float(high)))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a filter that is not a finite number")
    return value


def to_link(filters: Filters, dialog_id: str, turn: int) -> str:
    """Return a state of the browser as the fragment of an address.

    Parameters
    ----------
    filters : Filters
        The filters.
    dialog_id : str
        The dialogue that is open.
    turn : int
        Its turn.

    Returns
    -------
    str
        Such as ``dialog_id=41&turn=7&progress=0.67..1``; only what differs from the initial state.
    """
    parts: dict[str, str] = {"dialog_id": dialog_id, "turn": str(turn)}
    for name, value in filters.changed().items():
        if isinstance(value, bool):
            parts[name] = "1"
        elif isinstance(value, tuple):
            parts[name] = (",".join if isinstance(value[0], str) else "..".join)(f"{v}" for v in value)
        else:
            parts[name] = f"{value}"
    return urlencode(parts, errors="replace")


def from_link(link: str) -> tuple[Filters, str | None, int | None]:
    """Return the filters, the dialogue and the turn of a link; None for parts that the link lacks."""
    pairs = dict(parse_qsl(str(link).removeprefix("#")[:20_000], errors="replace", max_num_fields=100))
    turn = pairs.get("turn", "")
    number = int(turn) if turn.isdecimal() and len(turn) < 10 else None
    return Filters.of(pairs), pairs.get("dialog_id"), number
