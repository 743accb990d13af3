"""Load models' answers: the authors' folders of JSON, single files, VLMEvalKit's predictions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mmdu_analysis.io import files
from mmdu_analysis.io.dialogs import Dialog, is_about_images
from mmdu_analysis.io.formats.mmdu_tsv import literal_list
from mmdu_analysis.io.stream import read_dialogs
from mmdu_analysis.io.walk import json_records
from mmdu_analysis.schema import DataError, Problem, report, short_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from msgspec import Raw

_BATCH = re.compile(r"\d+\s*-\s*\d+")  # the authors' scripts write into folders such as "0-10"


def load_answers(path: str | Path, model: str | None = None, *, strict: bool = False) -> pd.DataFrame:
    """Load models' answers.

    Parameters
    ----------
    path : str or path
        A folder with one ``{id}.json`` a dialogue, a folder of such folders (one a model), a file of
        many dialogues, or VLMEvalKit's prediction table (tsv, csv, xlsx, json).
    model : str, optional
        The model's name. By default the folder's or file's name; given, it holds for all of `path`.
    strict : bool, default False
        Raise the first problem instead of collecting them.

    Returns
    -------
    pandas.DataFrame
        One row a model and turn: ``model``, ``dialog_id``, ``turn``, ``answer``. Where the file states turns,
        as `mmdu answer` does, they count; else a turn is its place.
        ``attrs["problems"]`` holds what could not be used, ``attrs["synthetic"]`` is True where files are
        marked as made up.

    Raises
    ------
    DataError
        If there is no usable answer, or with `strict` at the first problem.
    """
    path = Path(path).expanduser()
    problems: list[Problem] = []
    rows: list[tuple[str, str, int, str]] = []
    synthetic: list[Path] = []
    for name, file in model_files(path, model):
        if files.has_suffix(file, files.TABLE_SUFFIXES):
            found = _prediction_rows(files.read_table(file), file, problems)
        else:
            found = _json_rows(file, problems, synthetic)
        rows += [(name, *row) for row in found]
    frame = _frame(rows, problems, short_path(path))
    frame.attrs["synthetic"] = bool(synthetic)
    if frame.empty:
        hint = f"; the first fault: {problems[0]}" if problems else ""
        raise DataError(
            f"{short_path(path)}: no usable answer, expected dialogues with 'conversations'{hint}"
        )
    report(problems, strict=strict, advice='answers.attrs["problems"]')
    return frame


def model_files(
    path: Path, model: str | None, suffixes: tuple[str, ...] = files.JSON_SUFFIXES
) -> list[tuple[str, Path]]:
    """List a path's files with the model that each belongs to.

    The first sub-folder names the model, unless it is a batch such as ``0-10``; without
    sub-folders the folder itself does.

    Raises
    ------
    DataError
        If there is no file, or one that can't be had.
    """
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{short_path(path)}: no such file or folder; check the path")
        return [(model or files.stem(path), path)]
    found = []
    for file in files.json_files(path):
        parts = file.relative_to(path).parts[:-1]
        named = [part for part in parts[:1] if not _BATCH.fullmatch(part)]
        if file.name != "run.json" and files.has_suffix(file, suffixes):
            found.append((model or (named[0] if named else path.resolve().name), file))
    return found


def _json_rows(file: Path, problems: list[Problem], synthetic: list[Path]) -> list[tuple[str, int, str]]:
    """Rows of the authors' form; a VLMEvalKit JSON holds rows with 'prediction' instead.

    A file whose dialogues are marked as made up is added to `synthetic`.
    """
    records = [files.decode_loosely(raw) for raw in _first(file)]
    if records and isinstance(records[0], dict) and "prediction" in records[0]:
        import pandas as pd

        table = pd.DataFrame([files.decode_loosely(raw) for raw in _raws(file)])
        return _prediction_rows(table, file, problems)
    rows = []
    found: list[Problem] = []
    try:
        for dialog in read_dialogs(file, found):
            rows += _dialog_rows(dialog)
            synthetic += [file] * dialog.synthetic
    except DataError as error:
        if not found:
            found.append(Problem(short_path(file), "", str(error).removeprefix(f"{short_path(file)}: ")))
    problems += [problem for problem in found if not is_about_images(problem)]  # of no matter to answers
    return rows


def _raws(file: Path) -> Iterator[bytes | Raw]:
    return (record.raw for record in json_records(file) if not record.fault)


def _first(file: Path) -> list[bytes | Raw]:
    """Give a file's first record, if it has one that is JSON."""
    try:
        for raw in _raws(file):
            files.decode_loosely(raw)
            return [raw]
    except (DataError, ValueError, RecursionError):
        pass  # told by the reader that comes next
    return []


def _dialog_rows(dialog: Dialog) -> list[tuple[str, int, str]]:
    return [
        (dialog.dialog_id, turn, answer) for turn, answer in zip(dialog.turns, dialog.answers, strict=True)
    ]


def _prediction_rows(table: pd.DataFrame, file: Path, problems: list[Problem]) -> list[tuple[str, int, str]]:
    """Rows of VLMEvalKit's table: ``prediction`` holds a dialogue's answers as a list literal."""
    name = short_path(file)
    if "prediction" not in table or "index" not in table:
        raise DataError(
            f"{name}: got columns {list(table.columns)[:8]}, expected VLMEvalKit's index and prediction"
        )
    rows = []
    for number, (key, cell) in enumerate(zip(table["index"], table["prediction"], strict=True), 2):
        try:
            answers = cell if isinstance(cell, list) else literal_list(str(cell))
        except ValueError as error:
            problems.append(Problem(name, f"row {number}", f"{error}; the row is left out"))
            continue
        rows += [(str(key), turn, str(answer)) for turn, answer in enumerate(answers, 1)]
    return rows


def _frame(rows: list[tuple[str, str, int, str]], problems: list[Problem], name: str) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows, columns=["model", "dialog_id", "turn", "answer"])
    frame = frame.astype({"model": "str", "dialog_id": "str", "turn": "int64", "answer": "str"})
    twice = frame.duplicated(["model", "dialog_id", "turn"])
    for row in frame.loc[twice].drop_duplicates(["model", "dialog_id"]).itertuples():
        where = f"{row.model}, dialogue {row.dialog_id}"
        problems.append(Problem(name, where, "the dialogue is duplicated; its first answers are kept"))
    frame = frame.loc[~twice].reset_index(drop=True)
    frame.attrs["problems"] = tuple(problems)
    return frame
