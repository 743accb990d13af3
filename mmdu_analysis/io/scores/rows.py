"""Common parts of the readers of scores: the row, and the source that they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmdu_analysis.io.cells import MOST_TURNS, clean_text, is_absent, whole_number
from mmdu_analysis.schema import MMDU, Problem, Rubric


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One score of one turn.

    Attributes
    ----------
    model, judge : str
        The judged model and the judge.
    dialog_id : str or None
        The dialogue; None in a summary.
    turn : int or None
        The turn from 1; None if the file doesn't state it.
    dimension : str
        Full name.
    score : float
        On the rubric's scale; NaN where missing.
    file, where : str
        Position in the input.
    synthetic : bool
        Whether the file marks it as synthetic.
    repeat : int or None
        Number of the judgement among several of the turn, from 1.
    reason, images : str or None
        The judge's reason; the images that the turn is about according to a person.
    n_lost_images : int
        Pictures that the judged model was not sent.
    """

    model: str
    judge: str
    dialog_id: str | None
    turn: int | None
    dimension: str
    score: float
    file: str
    where: str
    synthetic: bool = False
    repeat: int | None = None
    reason: str | None = None
    images: str | None = None
    n_lost_images: int = 0


@dataclass
class Source:
    """The requested names and rubric, and the problems that the readers find.

    Attributes
    ----------
    model, judge : str or None
        Names that replace those in the files.
    rubric : Rubric
        Dimensions and scale.
    lengths : mapping of str to int
        Number of turns of each dialogue, if a benchmark is given.
    allow_pickle : bool
        Whether pickles are read.
    problems : list of Problem
        What could not be used.
    """

    model: str | None = None
    judge: str | None = None
    rubric: Rubric = MMDU
    lengths: Mapping[str, int] = field(default_factory=dict)
    allow_pickle: bool = False
    problems: list[Problem] = field(default_factory=list)

    def report(
        self, file: str, where: str, problem: str, dialog_id: str | None = None, turn: int | None = None
    ) -> None:
        """Add a problem."""
        self.problems.append(Problem(file, where, problem, dialog_id, turn))


def turn_of(value: Any) -> tuple[int | None, str]:
    """Return a turn number, or None and the fault (empty for an empty cell)."""
    if is_absent(value):
        return None, ""
    number = whole_number(value)
    if number is None:
        return None, f"turn is {clean_text(value)[:20]!r}, expected a whole number from 1 to {MOST_TURNS:,}"
    return number, ""


def text_or_none(value: Any) -> str | None:
    """Return a text that isn't empty, or None."""
    return None if is_absent(value) or not str(value).strip() else clean_text(value)


def name_or(value: Any, default: str) -> str:
    """Return the name in a cell without surrounding spaces, else the default."""
    return (text_or_none(value) or default).strip()
