"""A statement of one score, and the statements in decoded structures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmdu_analysis.io.replies.literals import Literal, Pairs
from mmdu_analysis.io.replies.names import SCORE_WORDS, Names
from mmdu_analysis.io.replies.numbers import read_score
from mmdu_analysis.schema import Rubric, fold_name

_MAXIMA = frozenset({"max", "maxscore", "maximum", "outof", "fullmarks", "满分"})
_SCORE_KEYS = frozenset(fold_name(word) for word in SCORE_WORDS)


@dataclass(frozen=True)
class Statement:
    """A score that a reply states for a dimension.

    Attributes
    ----------
    dimension : str
        Full name.
    score : float or None
        On the rubric's scale; None if the value can't be a score.
    fault : str
        Description of the fault if there is no score.
    rule : str
        The form that was read: ``structure``, ``line``, ``heading`` or ``table``.
    start, end : int
        Its span in the text.
    """

    dimension: str
    score: float | None
    fault: str
    rule: str
    start: int
    end: int


def structure_statements(literal: Literal, names: Names, rubric: Rubric) -> list[Statement]:
    """Return the scores that a decoded structure states.

    Parameters
    ----------
    literal : Literal
        Flat (``{"Creativity": 6}``), nested (``{"Creativity": {"score": 6}}``, ``{"scores": {...}}``) or a
        list of ``{"dimension": ..., "score": ...}``. Texts inside are explanations and are read only if a
        dimension has no other value.
    names : Names
        The spellings of the rubric.
    rubric : Rubric
        Its scale.

    Returns
    -------
    list of Statement
        Empty if the structure names no dimension.
    """
    found = [
        Statement(name, *_read(value, rubric), "structure", literal.start, literal.end)
        for name, value in _entries(literal.value, names)
    ]
    stated = {statement.dimension for statement in found if statement.score is not None}
    kept = [s for s in found if s.score is not None or not s.fault.endswith("is missing")]
    words = "not a number"  # a reason next to the score, under the same name
    return [
        s for s in kept if s.score is not None or s.dimension not in stated or not s.fault.endswith(words)
    ]


def _entries(value: Any, names: Names) -> Iterator[tuple[str, Any]]:
    """Yield dimension and value for each dimension named in a structure."""
    if isinstance(value, Pairs):
        yield from _of_pairs(value, names)
    elif isinstance(value, list):
        named = names.of_key(value[0]) if len(value) == 2 and isinstance(value[0], str) else None
        if named and not isinstance(value[1], Pairs | list):
            yield named, value[1]
            return
        for item in value:
            yield from _entries(item, names)


def _of_pairs(pairs: Pairs, names: Names) -> Iterator[tuple[str, Any]]:
    scores = [v for key, v in pairs if fold_name(key) in _SCORE_KEYS and not isinstance(v, Pairs | list)]
    named = {name for _, v in pairs if isinstance(v, str) and (name := names.of_key(v))}
    keyed = any(names.of_key(key) for key, _ in pairs if fold_name(key) not in _SCORE_KEYS)
    if scores and len(named) == 1 and not keyed:
        yield named.pop(), pairs
        return
    for key, value in pairs:
        if name := names.of_key(key):
            yield name, value
        elif isinstance(value, Pairs | list):
            yield from _entries(value, names)


def _read(value: Any, rubric: Rubric) -> tuple[float | None, str]:
    """Read the score of a dimension: a number, the single ``score`` of a dict, or the single number of a list."""
    if isinstance(value, Pairs):
        for key, item in value:
            if fold_name(key) in _MAXIMA and not _is_maximum(item, rubric):
                return None, f"is out of {str(item)[:20]}, not out of {rubric.scale[1]:g}"
        marked = [item for key, item in value if fold_name(key) in _SCORE_KEYS]
        return _only(marked, rubric) if marked else (None, "has no 'score'")
    if isinstance(value, list):
        return _only(value, rubric)
    return read_score(value, rubric)


def _is_maximum(item: Any, rubric: Rubric) -> bool:
    try:
        return float(str(item)) == rubric.scale[1]
    except ValueError:
        return False


def _only(candidates: list[Any], rubric: Rubric) -> tuple[float | None, str]:
    """Return the single score among values, or the fault."""
    readings = [read_score(item, rubric) for item in candidates if not isinstance(item, Pairs | list)]
    numbers = [reading for reading in readings if not reading[1].endswith(("not a number", "is missing"))]
    if len({reading[0] for reading in numbers}) > 1:
        return None, "has several numbers"
    if numbers:
        return numbers[0]
    return readings[0] if len(readings) == 1 else (None, "is missing")
