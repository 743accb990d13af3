"""Load people's ratings: the JSON Lines logs of the browser's rating mode, or tables of scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import msgspec

from mmdu_analysis.io.files import read_bytes
from mmdu_analysis.schema import MMDU, DataError, Problem, Rubric, problems_frame, report, short_path

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ("rater", "model", "dialog_id", "turn", "dimension", "score")
_LARGEST_TURN = 1_000_000


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
    kept: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for file in _files(path):
        for number, line in enumerate(read_bytes(file).split(b"\n"), 1):
            if line.strip():
                row = _decode(line, short_path(file), f"line {number}", rubric, problems)
                if row is not None:
                    _keep(row, kept)
    rows = [given[-1] for given in kept.values()]
    if not rows:
        first = f"; the first problem: {problems[0]}" if problems else ""
        raise DataError(f"{path}: no rating, expected JSON Lines with {', '.join(_KEYS)}{first}")
    report(problems, strict=strict, advice="load_ratings(..., return_problems=True)")
    frame = _frame(rows)
    return (frame, problems_frame(problems)) if return_problems else frame


def _keep(row: dict[str, Any], kept: dict[tuple[str, ...], list[dict[str, Any]]]) -> None:
    """Add a score to those of its key, which move to the end, or withdraw the last one."""
    given = kept.pop(row["key"], [])
    given = given[:-1] if row["score"] is None else [*given, row]
    if given:
        kept[row["key"]] = given


def _files(path: str | Path | Sequence[str | Path]) -> list[Path]:
    paths = [path] if isinstance(path, str | Path) else list(path)
    found: list[Path] = []
    for one in map(Path, paths):
        given = one.expanduser()
        inside = sorted(given.glob("*.jsonl")) if given.is_dir() else [given]
        found += [file for file in inside if not file.name.startswith(".")]
        if given.is_dir() and not inside:
            raise DataError(f"{short_path(given)}: no .jsonl file in this folder, expected logs of ratings")
    return found


def _decode(
    line: bytes, file: str, where: str, rubric: Rubric, problems: list[Problem]
) -> dict[str, Any] | None:
    """Return the rating of a line; a line that is not a rating is reported."""
    try:
        entry = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problems.append(Problem(file, where, "it is not a JSON object, perhaps truncated by a crash"))
        return None
    if not isinstance(entry, dict) or not all(key in entry for key in _KEYS):
        problems.append(Problem(file, where, f"it lacks some of {', '.join(_KEYS)}"))
        return None
    try:
        dimension = rubric.full_name(str(entry["dimension"]))
    except DataError as error:
        problems.append(Problem(file, where, str(error)))
        return None
    texts = [entry[key] for key in ("rater", "model", "dialog_id")]
    turn, score = entry["turn"], entry["score"]
    if not all(isinstance(text, str | int) and _encodable(str(text)) for text in texts):
        problems.append(Problem(file, where, "rater, model and dialog_id must be texts"))
        return None
    if type(turn) is not int or not 1 <= turn <= _LARGEST_TURN:
        problems.append(Problem(file, where, f"turn is {str(turn)[:40]!r}, expected a whole number from 1"))
        return None
    if score is not None and (type(score) not in (int, float) or not rubric.contains(score)):
        low, high = rubric.scale
        problems.append(
            Problem(file, where, f"score is {str(score)[:40]!r}, expected {low:g} to {high:g} or null")
        )
        return None
    rater, model, dialog_id = map(str, texts)
    seed = entry.get("seed")
    return {
        "key": (rater, model, dialog_id, str(turn), dimension),
        "score": score,
        "seed": seed if type(seed) is int and abs(seed) < 2**62 else None,
        "synthetic": entry.get("synthetic") is True,
    }


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    keys = pd.DataFrame(
        [row["key"] for row in rows], columns=["judge", "model", "dialog_id", "turn", "dimension"]
    )
    frame = keys.astype(dict.fromkeys(("judge", "model", "dialog_id", "dimension"), "str"))
    frame["turn"] = pd.array([int(turn) for turn in frame["turn"]], dtype="Int64")
    frame["score"] = [float(row["score"]) for row in rows]
    frame["person"] = True
    frame["seed"] = pd.array([row["seed"] for row in rows], dtype="Int64")
    frame["synthetic"] = [row["synthetic"] for row in rows]
    return frame[["model", "judge", "dialog_id", "turn", "dimension", "score", "person", "seed", "synthetic"]]
