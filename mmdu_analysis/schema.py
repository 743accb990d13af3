"""The vocabulary of the package: column names, question kinds, problems; errors and rubrics are imported from below."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from mmdu_analysis.errors import (
    ComparabilityWarning,
    CoverageWarning,
    DataError,
    DataWarning,
    NotAvailable,
    ProblemWarning,
    short_path,
    shorten,
)
from mmdu_analysis.rubric import (
    DIMENSION_NAMES,
    DIMENSIONS,
    LABEL,
    MMDU,
    SHORT_NAMES,
    Dimension,
    Rubric,
    fold_name,
)

__all__ = [
    "ACCESS",
    "ANSWER_COLUMNS",
    "ASSISTANT_SPEAKERS",
    "DIALOG_COLUMNS",
    "DIMENSIONS",
    "DIMENSION_NAMES",
    "IMAGE_COLUMNS",
    "LABEL",
    "MMDU",
    "PLACEHOLDERS",
    "PROBLEM_COLUMNS",
    "QUESTION_KINDS",
    "SCORE_COLUMNS",
    "SHORT_NAMES",
    "SYNTHETIC_LABEL",
    "TURN_COLUMNS",
    "USER_SPEAKERS",
    "Access",
    "ComparabilityWarning",
    "CoverageWarning",
    "DataError",
    "DataWarning",
    "Dimension",
    "NotAvailable",
    "Problem",
    "ProblemWarning",
    "QuestionKind",
    "Rubric",
    "fold_name",
    "is_synthetic",
    "parse_access",
    "problems_frame",
    "report",
    "require_columns",
    "short_path",
    "shorten",
]

if TYPE_CHECKING:
    import pandas as pd

Access = Literal["closed", "open", "finetuned"]
ACCESS: tuple[Access, ...] = ("closed", "open", "finetuned")

QuestionKind = Literal["no image", "single image", "multi image"]
QUESTION_KINDS: tuple[QuestionKind, ...] = ("no image", "single image", "multi image")

# Columns that functions require. Loaders add ``synthetic`` (bool); a frame without it counts as real.
DIALOG_COLUMNS = ("n_turns", "n_images")
TURN_COLUMNS = ("dialog_id", "turn", "question", "answer", "new_images", "images_so_far")
IMAGE_COLUMNS = ("dialog_id", "image", "path", "first_turn", "width", "height")
ANSWER_COLUMNS = ("model", "dialog_id", "turn", "answer")
SCORE_COLUMNS = ("model", "judge", "dialog_id", "turn", "dimension", "score")
PROBLEM_COLUMNS = ("file", "where", "dialog_id", "turn", "problem")

SYNTHETIC_LABEL = "synthetic sample"

USER_SPEAKERS = frozenset({"user", "human"})
ASSISTANT_SPEAKERS = frozenset({"assistant", "gpt", "bot"})
PLACEHOLDERS = ("<ImageHere>", "<image>")


class Problem(NamedTuple):
    """A part of a file that could not be used.

    Attributes
    ----------
    file : str
        Path of the file.
    where : str
        JSON path, line or cell, if known.
    problem : str
        Description of what was found.
    dialog_id : str or None
        The dialogue that it concerns, if it is known.
    turn : int or None
        The turn that it concerns, if it is known.
    """

    file: str
    where: str
    problem: str
    dialog_id: str | None = None
    turn: int | None = None

    def __str__(self) -> str:
        location = f"{self.file}: {self.where}" if self.where else self.file
        if self.dialog_id is not None and self.dialog_id not in self.where:
            location += f" (dialogue {self.dialog_id})"
        return shorten(f"{location}: {self.problem}")


def problems_frame(problems: Iterable[Problem] = ()) -> pd.DataFrame:
    """Return problems as a frame.

    Parameters
    ----------
    problems : iterable of Problem
        Problems from loaders.

    Returns
    -------
    pandas.DataFrame
        One row per problem: ``file``, ``where``, ``dialog_id`` (NA if unknown), ``turn`` (Int64),
        ``problem``.
    """
    import pandas as pd

    rows = [(p.file, p.where, p.dialog_id, p.turn, p.problem) for p in problems]
    frame = pd.DataFrame(rows, columns=list(PROBLEM_COLUMNS))
    return frame.astype(dict.fromkeys(("file", "where", "dialog_id", "problem"), "str") | {"turn": "Int64"})


def is_synthetic(*frames: object) -> bool:
    """Return whether any row of any frame is marked synthetic.

    Parameters
    ----------
    *frames : pandas.DataFrame or None
        Frames with or without a boolean column ``synthetic``; None is skipped.

    Returns
    -------
    bool
        Real and synthetic rows together count as synthetic.
    """
    return any(
        "synthetic" in getattr(frame, "columns", ()) and bool(frame["synthetic"].fillna(False).any())  # type: ignore[index]
        for frame in frames
    )


def report(problems: Sequence[Problem], *, strict: bool, advice: str) -> None:
    """Report the problems of a loader: as one warning with their number, or the first one as an error.

    Parameters
    ----------
    problems : sequence of Problem
        Problems from a loader.
    strict : bool
        Raise the first problem instead of warning.
    advice : str
        Where to read the complete list; it ends the warning.

    Raises
    ------
    DataError
        With `strict`, if there is any problem.

    Warns
    -----
    ProblemWarning
        If there is any problem.
    """
    if not problems:
        return
    if strict:
        raise DataError(f"{problems[0]} (strict=True; load without it to skip such parts)")
    noun = "problem" if len(problems) == 1 else "problems"
    warnings.warn(
        f"{len(problems)} {noun}, the first: {problems[0]}; all in {advice}", ProblemWarning, stacklevel=3
    )


def parse_access(pairs: Iterable[str], origin: str) -> dict[str, str]:
    """Return the access of models from ``MODEL=open`` pairs.

    Parameters
    ----------
    pairs : iterable of str
        Each a model, ``=`` and one of `ACCESS`.
    origin : str
        The option or variable of the pairs, for the message.

    Returns
    -------
    dict of str to str
        Model to access.

    Raises
    ------
    DataError
        If a pair doesn't have that form.
    """
    result: dict[str, str] = {}
    for pair in pairs:
        model, sign, access = pair.strip().rpartition("=")
        if not sign or not model or access not in ACCESS:
            raise DataError(f"{origin} got {pair!r}, expected MODEL= and one of {', '.join(ACCESS)}")
        result[model] = access
    return result


def require_columns(frame: object, columns: Iterable[str], what: str) -> None:
    """Validate that a frame has the columns that a function needs.

    Raises
    ------
    DataError
        If a column is missing.
    """
    have = list(getattr(frame, "columns", []))
    missing = [column for column in columns if column not in have]
    if missing:
        raise DataError(f"{what}: got columns {have}, missing {missing}")
