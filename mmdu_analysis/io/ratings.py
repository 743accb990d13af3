"""Load people's ratings: the JSON Lines logs of the browser's rating mode, or tables of scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from mmdu_analysis.io.ratings_log import Rating, read_ratings
from mmdu_analysis.schema import MMDU, DataError, Problem, Rubric, problems_frame, report, short_path

if TYPE_CHECKING:
    import pandas as pd


@overload
def load_ratings(
    path: str | Path | Sequence[str | Path],
    *,
    rubric: Rubric = ...,
    strict: bool = ...,
    return_problems: Literal[False] = ...,
) -> pd.DataFrame: ...


@overload
def load_ratings(
    path: str | Path | Sequence[str | Path],
    *,
    rubric: Rubric = ...,
    strict: bool = ...,
    return_problems: Literal[True],
) -> tuple[pd.DataFrame, pd.DataFrame]: ...


def load_ratings(
    path: str | Path | Sequence[str | Path],
    *,
    rubric: Rubric = MMDU,
    strict: bool = False,
    return_problems: bool = False,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]:
    """Load people's ratings.

    Parameters
    ----------
    path : str, path or sequence of these
        JSON Lines logs of the browser's rating mode, or folders of them (``*.jsonl``). Each line is an object
        with ``rater``, ``model``, ``dialog_id``, ``turn``, ``dimension`` and ``score`` and optionally
        ``seed`` of the plan and ``synthetic``. A later score replaces an earlier one of the same rater,
        model, turn and dimension; a line whose score is null withdraws the last one, and the score before it
        counts again.
    rubric : Rubric, default MMDU's
        Dimensions and scale.
    strict : bool, default False
        Raise the first problem instead of collecting them.
    return_problems : bool, default False
        Return the problems, too.

    Returns
    -------
    pandas.DataFrame
        A frame of scores: ``model``, ``judge`` (the rater), ``dialog_id``, ``turn``, ``dimension``,
        ``score``, ``person`` (True), ``seed``, ``synthetic``. With `return_problems`, a tuple of it and the
        problems.

    Raises
    ------
    DataError
        If a file can't be read or holds no rating.

    See Also
    --------
    krippendorff_alpha, calibrate_scores
    """
    problems: list[Problem] = []
    last: dict[tuple[str, str, str, int, str], Rating] = {}
    for file in _files(path):
        ratings, found = read_ratings(file, rubric)
        problems += found
        for rating in ratings:
            last.pop(rating.key, None)
            last[rating.key] = rating
    if not last:
        first = f"; the first problem: {problems[0]}" if problems else ""
        raise DataError(f"{path}: no rating, expected a log of ratings (JSON Lines){first}")
    report(problems, strict=strict, advice="load_ratings(..., return_problems=True)")
    frame = _frame(list(last.values()))
    return (frame, problems_frame(problems)) if return_problems else frame


def _files(path: str | Path | Sequence[str | Path]) -> list[Path]:
    paths = [path] if isinstance(path, str | Path) else list(path)
    found: list[Path] = []
    for one in map(Path, paths):
        given = one.expanduser()
        if not given.exists():
            raise DataError(f"{short_path(given)}: no such file; check the path")
        inside = sorted(given.glob("*.jsonl")) if given.is_dir() else [given]
        found += [file for file in inside if not file.name.startswith(".")]
        if given.is_dir() and not inside:
            raise DataError(f"{short_path(given)}: no .jsonl file in this folder, expected logs of ratings")
    return found


def _frame(ratings: list[Rating]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(ratings).rename(columns={"rater": "judge"})
    texts = ["model", "judge", "dialog_id", "dimension"]
    frame = frame.astype(dict.fromkeys(texts, "str") | {"turn": "Int64", "seed": "Int64"}).assign(person=True)
    return frame[["model", "judge", "dialog_id", "turn", "dimension", "score", "person", "seed", "synthetic"]]
