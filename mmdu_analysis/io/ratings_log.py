"""Ratings of people as they are given: an append-only JSON Lines file.

Format: one line for each score, in the order in which scores were given ::

    {"rater": "anna", "model": "Qwen2-VL-7B", "dialog_id": "64", "turn": 3,
     "dimension": "Answer Accuracy", "score": 7.0, "time": "2026-11-29T15:40:03+00:00", "seed": 0, "synthetic": false}

``rater``, ``model``, ``dialog_id`` and ``dimension`` are texts, ``turn`` counts from 1, ``score`` is on the scale of the
rubric, ``time`` is UTC in ISO 8601, ``seed`` is the one that `rating_plan` drew the turns with (null without one). For each
rater, model, dialogue, turn and dimension the last score counts. A line whose ``score`` is null withdraws the last
score of its key: the score before it counts again, if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from mmdu_analysis.io.append import append_records, read_records
from mmdu_analysis.schema import MMDU, DataError, Problem, Rubric, short_path

_KEYS = ("rater", "model", "dialog_id", "turn", "dimension", "score")
_LARGEST_TURN = 1_000_000


class Rating(NamedTuple):
    """A score that a person gave.

    Attributes
    ----------
    rater, model, dialog_id : str
        Who rated whose answer in which dialogue.
    turn : int
        1-based.
    dimension : str
        Full name.
    score : float or None
        On the scale of the rubric; None where it was withdrawn.
    time : str
        UTC, ISO 8601; empty takes the present.
    seed : int or None
        Of the plan.
    synthetic : bool
        Whether the dialogue or the answer is synthetic.
    """

    rater: str
    model: str
    dialog_id: str
    turn: int
    dimension: str
    score: float | None
    time: str = ""
    seed: int | None = None
    synthetic: bool = False

    @property
    def key(self) -> tuple[str, str, str, int, str]:
        """Key of a score: rater, model, dialogue, turn, dimension."""
        return self[:5]


def append_ratings(path: Path, ratings: Iterable[Rating]) -> None:
    """Append ratings to the log, under a lock and synchronised with the disk.

    Parameters
    ----------
    path : pathlib.Path
        The log; it is created with the first rating.
    ratings : iterable of Rating
        One line each.

    Raises
    ------
    DataError
        If the file can't be written.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    append_records(path, [rating._replace(time=rating.time or now)._asdict() for rating in ratings])


def read_ratings(path: Path, rubric: Rubric = MMDU) -> tuple[list[Rating], list[Problem]]:
    """Read the scores of a log that are not withdrawn; the last of each key is valid.

    Parameters
    ----------
    path : pathlib.Path
        The log; a missing file has no ratings.
    rubric : Rubric, default MMDU
        Dimensions and scale.

    Returns
    -------
    tuple of (list of Rating, list of Problem)
        The scores in the order of the file, including those that were changed later, and the lines that are not
        ratings.

    Raises
    ------
    DataError
        If the file can't be read.
    """
    records, problems = read_records(path)
    kept: dict[int, Rating] = {}
    lines: dict[tuple[str, str, str, int, str], list[int]] = {}
    for number, record in records:
        try:
            rating = _rating(record, rubric)
        except DataError as error:
            problems.append(Problem(short_path(path), f"line {number}", f"{error}; the line is left out"))
            continue
        earlier = lines.setdefault(rating.key, [])
        if rating.score is not None:
            kept[number] = rating
            earlier.append(number)
        elif earlier:
            del kept[earlier.pop()]
    return list(kept.values()), problems


def _rating(record: dict[str, Any], rubric: Rubric) -> Rating:
    """Return the rating of a line; raise a DataError if it is not one."""
    if not all(key in record for key in _KEYS):
        raise DataError(f"it lacks some of {', '.join(_KEYS)}")
    dimension = rubric.full_name(str(record["dimension"]))
    texts = [record[key] for key in ("rater", "model", "dialog_id")]
    turn, score, seed = record["turn"], record["score"], record.get("seed")
    if not all(isinstance(text, str | int) and _encodable(str(text)) for text in texts):
        raise DataError("rater, model and dialog_id must be texts")
    if type(turn) is not int or not 1 <= turn <= _LARGEST_TURN:
        raise DataError(f"turn is {str(turn)[:40]!r}, expected a whole number from 1")
    if score is not None and (type(score) not in (int, float) or not rubric.contains(score)):
        low, high = rubric.scale
        raise DataError(f"score is {str(score)[:40]!r}, expected {low:g} to {high:g} or null")
    rater, model, dialog_id = map(str, texts)
    return Rating(
        rater,
        model,
        dialog_id,
        turn,
        dimension,
        None if score is None else float(score),
        str(record.get("time", "")),
        seed if type(seed) is int and abs(seed) < 2**62 else None,
        record.get("synthetic") is True,
    )


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
