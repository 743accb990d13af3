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

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from mmdu_analysis.io.append import append_records, read_records
from mmdu_analysis.schema import Problem, short_path


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


def read_ratings(path: Path) -> tuple[list[Rating], list[Problem]]:
    """Read the scores of a log that are not withdrawn; the last of each key counts.

    Parameters
    ----------
    path : pathlib.Path
        The log; one that doesn't exist has no ratings.

    Returns
    -------
    tuple of (list of Rating, list of Problem)
        In the order in which they were given, those that were changed later too, and the lines that are no ratings.

    Raises
    ------
    DataError
        If the file can't be read.
    """
    records, problems = read_records(path)
    given: dict[int, Rating] = {}
    lines: dict[tuple[str, str, str, int, str], list[int]] = {}
    for number, record in records:
        rating = _rating(record)
        if rating is None:
            text = "no rating (rater, model, dialog_id, turn, dimension, score); the line is left out"
            problems.append(Problem(short_path(path), f"line {number}", text))
            continue
        before = lines.setdefault(rating.key, [])
        if rating.score is not None:
            given[number] = rating
            before.append(number)
        elif before:
            del given[before.pop()]
    return list(given.values()), problems


def _rating(record: dict[str, object]) -> Rating | None:
    texts = [record.get(name) for name in ("rater", "model", "dialog_id", "dimension")]
    turn, score = record.get("turn"), record.get("score", math.nan)
    if not all(isinstance(text, str) for text in texts) or type(turn) is not int or turn < 1:
        return None
    if score is not None and (type(score) not in (int, float) or not math.isfinite(score)):  # type: ignore[arg-type]
        return None
    rater, model, dialog_id, dimension = map(str, texts)
    number = None if score is None else float(score)  # type: ignore[arg-type]
    seed = record.get("seed")
    return Rating(
        rater,
        model,
        dialog_id,
        turn,
        dimension,
        number,
        str(record.get("time", "")),
        seed if type(seed) is int else None,
        record.get("synthetic") is True,
    )
