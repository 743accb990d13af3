"""The vocabulary of the package: dimensions, column names, and how faults are told."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

DIMENSIONS = {
    "C": "Creativity",
    "R": "Richness",
    "VP": "Visual Perception",
    "LC": "Logical Coherence",
    "AA": "Answer Accuracy",
    "IRU": "Image Relationship Understanding",
    "Avg": "Overall Score",
}
"""Short name -> name in the judge's reply, in the order of the paper's Table 2.

``Avg`` is the judge's own Overall Score (x 10), not the mean of the other six.
"""

DIMENSION_NAMES = tuple(DIMENSIONS.values())
SHORT_NAMES = {name: short for short, name in DIMENSIONS.items()}
ACCESS = ("closed", "open", "finetuned")

DIALOG_COLUMNS = ("n_turns", "n_images")
TURN_COLUMNS = ("dialog_id", "turn", "question", "answer", "new_images", "images_so_far")
IMAGE_COLUMNS = ("dialog_id", "image", "path", "first_turn", "width", "height")
ANSWER_COLUMNS = ("model", "dialog_id", "turn", "answer")
SCORE_COLUMNS = ("model", "judge", "dialog_id", "turn", "dimension", "score")

SYNTHETIC_LABEL = "synthetic sample"

USER_SPEAKERS = frozenset({"user", "human"})
ASSISTANT_SPEAKERS = frozenset({"assistant", "gpt", "bot"})
PLACEHOLDERS = ("<ImageHere>", "<image>")


class DataError(ValueError):
    """A file or a table that can't be used; the message says what to do."""


class DataWarning(UserWarning):
    """Something in a file could not be used and stands in ``problems``."""


class Problem(NamedTuple):
    """One thing in a file that could not be used as it stands.

    Attributes
    ----------
    file : str
        The file that it is in.
    where : str
        JSON path, line or cell, as far as it is known.
    problem : str
        What was found, in words.
    """

    file: str
    where: str
    problem: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        return f"{place}: {self.problem}"


def report(problems: Sequence[Problem], *, strict: bool, advice: str) -> None:
    """Tell a loader's problems once: a warning that counts them, or the first as an error.

    Parameters
    ----------
    problems : sequence of Problem
        What the loader could not use.
    strict : bool
        Raise the first problem instead of warning.
    advice : str
        Where the whole list stands, for the warning's last words.

    Raises
    ------
    DataError
        With `strict`, if there is any problem.
    """
    if not problems:
        return
    if strict:
        raise DataError(f"{problems[0]} (strict=True; load without it to keep the rest)")
    noun = "problem" if len(problems) == 1 else "problems"
    warnings.warn(
        f"{len(problems)} {noun}, the first: {problems[0]}; all in {advice}", DataWarning, stacklevel=3
    )


def require_columns(frame: object, columns: Iterable[str], what: str) -> None:
    """Refuse a frame that lacks columns, naming them.

    Raises
    ------
    DataError
        If a column is missing.
    """
    have = list(getattr(frame, "columns", []))
    missing = [column for column in columns if column not in have]
    if missing:
        raise DataError(f"{what}: got columns {have}, expected also {missing}")


def short_path(path: Path | str) -> str:
    """Give a path relative to the working folder where it lies under it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)
