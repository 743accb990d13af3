"""Load models' answers: the authors' folders of JSON, tables, VLMEvalKit's predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from mmdu_analysis.io import files
from mmdu_analysis.io.cells import (
    check_names,
    clean_text,
    dialog_ids,
    is_absent,
    truth,
    unified,
    whole_number,
)
from mmdu_analysis.io.dialogs import is_about_images
from mmdu_analysis.io.folders import ModelFile, model_files, output_name
from mmdu_analysis.io.predictions import AnswerRow, is_failure, prediction_rows
from mmdu_analysis.io.stream import read_dialogs
from mmdu_analysis.io.thinking import split_thinking
from mmdu_analysis.io.walk import json_records
from mmdu_analysis.schema import (
    ANSWER_COLUMNS,
    DataError,
    Problem,
    fold_name,
    problems_frame,
    report,
    short_path,
)

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

Paths = str | Path | Sequence[str | Path]


@overload
def load_answers(
    path: Paths,
    *,
    benchmark: Benchmark | None = None,
    model: str | None = None,
    strict: bool = False,
    return_problems: Literal[False] = False,
) -> pd.DataFrame: ...
@overload
def load_answers(
    path: Paths,
    *,
    benchmark: Benchmark | None = None,
    model: str | None = None,
    strict: bool = False,
    return_problems: Literal[True],
) -> tuple[pd.DataFrame, pd.DataFrame]: ...
def load_answers(
    path: Paths,
    *,
    benchmark: Benchmark | None = None,
    model: str | None = None,
    strict: bool = False,
    return_problems: bool = False,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]:
    """Load models' answers.

    Parameters
    ----------
    path : str or path, or several
        A folder with one ``{id}.json`` per dialogue, a folder of such folders (one per model), an output
        folder of VLMEvalKit, a file of many dialogues, VLMEvalKit's prediction table (TSV, CSV, Excel, JSON),
        or a table with this function's columns.
    benchmark : Benchmark, optional
        Answers to turns that it doesn't have are left out and reported.
    model : str, optional
        The model's name. By default the folder's or file's name.
    strict : bool, default False
        Raise the first problem instead of collecting them.
    return_problems : bool, default False
        Return the problems too, instead of warning.

    Returns
    -------
    pandas.DataFrame
        One row per model and turn: ``model``, ``dialog_id``, ``turn``, ``answer``, ``synthetic``. Turns that
        the file states are used; otherwise the turn is the position. The error message of a failed request is
        not an answer and gives no row; the thinking part of a reply is removed. There is a column
        ``n_lost_images`` (pictures that the model was not sent) if a file of `answer` has such turns.
    pandas.DataFrame
        The problems, with `return_problems`: ``file``, ``where``, ``dialog_id``, ``turn``, ``problem``.

    Raises
    ------
    DataError
        If there is no usable answer, or with `strict` at the first problem.

    Warns
    -----
    ProblemWarning
        If there are problems and they aren't returned.

    See Also
    --------
    load_scores : The scores of the answers.
    """
    paths = [Path(item).expanduser() for item in ([path] if isinstance(path, str | Path) else path)]
    problems: list[Problem] = []
    rows: list[AnswerRow] = []
    for one in paths:
        found = [
            row
            for file in model_files(one, model, _is_answers, "answers")
            for row in _rows(file, model, problems)
        ]
        found = list(_without_failures(found, short_path(one), problems))
        if not found:
            hint = f"; the first problem: {problems[0]}" if problems else ""
            raise DataError(
                f"{short_path(one)}: no usable answer, expected dialogues with 'conversations'{hint}"
            )
        rows += found
    if benchmark is not None:
        rows = list(_known(rows, benchmark, short_path(paths[0]), problems))
    frame = _frame(rows, problems, short_path(paths[0]))
    if return_problems and not strict:
        return frame, problems_frame(problems)
    report(problems, strict=strict, advice="the frame that return_problems=True adds")
    return (frame, problems_frame(problems)) if return_problems else frame


def _is_answers(file: Path) -> bool:
    """Return whether a file in a folder holds answers: JSON, or a prediction table of VLMEvalKit."""
    output = output_name(file)
    if output is not None:
        return output.judge is None and files.has_suffix(file, (*files.JSON_SUFFIXES, *files.TABLE_SUFFIXES))
    return files.has_suffix(file, files.JSON_SUFFIXES)


def _rows(file: ModelFile, model: str | None, problems: list[Problem]) -> Iterator[AnswerRow]:
    """Return the answers of one file, whose kind is recognised by its content."""
    if files.has_suffix(file.path, files.TABLE_SUFFIXES):
        return _table_rows(files.read_table(file.path).to_dict("records"), file, model, problems)
    first = _first(file.path)
    if isinstance(first, dict) and "conversations" not in first:
        keys = {fold_name(str(key)) for key in first}
        if "prediction" in keys or {"dialogid", "turn", "answer"} <= keys:
            records = [record for record in _decoded(file.path) if isinstance(record, dict)]
            return _table_rows(records, file, model, problems)
    return _dialog_rows(file, problems)


def _decoded(path: Path) -> Iterator[Any]:
    for record in json_records(path):
        if not record.fault:
            yield files.decode_loosely(record.raw)


def _first(path: Path) -> Any:
    """Return the first record of a file if it is JSON."""
    try:
        return next(_decoded(path), None)
    except (DataError, ValueError, RecursionError):
        return None  # reported by the next reader


def _table_rows(
    records: Sequence[Mapping[str, Any]], file: ModelFile, model: str | None, problems: list[Problem]
) -> Iterator[AnswerRow]:
    """Return the answers of a table: VLMEvalKit's predictions, or one row per answer."""
    name = short_path(file.path)
    table = unified(records, name)
    columns = set(table[0]) if table else set()
    if {"index", "prediction"} <= columns:
        return prediction_rows(table, file.model, file.path, problems)
    if {"dialog_id", "turn", "answer"} <= columns:
        return _long_rows(table, file, model, problems)
    shown = [str(column) for column in (records[0] if records else {})][:8]
    raise DataError(
        f"{name}: got columns {shown}, expected VLMEvalKit's index and prediction, or {list(ANSWER_COLUMNS)}"
    )


def _long_rows(
    table: Sequence[Mapping[str, Any]], file: ModelFile, model: str | None, problems: list[Problem]
) -> Iterator[AnswerRow]:
    """Yield the answers of a table with one row per answer."""
    name = short_path(file.path)
    if zeros := sum(whole_number(row.get("turn")) == 0 for row in table):
        raise DataError(
            f"{name}: turn is 0 in {zeros} rows, expected turns counted from 1; add 1 to the column"
        )
    check_names(table, [] if model else ["model"], name)
    for number, (row, dialog_id) in enumerate(
        zip(table, dialog_ids([r.get("dialog_id") for r in table]), strict=True), 2
    ):
        turn = whole_number(row.get("turn"))
        if turn is None or is_absent(dialog_id):
            text = f"turn is {clean_text(row['turn'])[:20]!r}, expected a whole number from 1; the row is left out"
            problems.append(Problem(name, f"row {number}", text, dialog_id))
            continue
        stated = clean_text(row.get("model")).strip() if not is_absent(row.get("model")) else file.model
        answer = row.get("answer")
        text = "" if answer is None or answer != answer else clean_text(answer)
        lost = whole_number(row.get("n_lost_images")) or 0
        yield AnswerRow(model or stated, dialog_id, turn, text, truth(row.get("synthetic")), lost)


def _dialog_rows(file: ModelFile, problems: list[Problem]) -> Iterator[AnswerRow]:
    """Yield the answers of dialogues in the authors' form."""
    found: list[Problem] = []
    try:
        for dialog in read_dialogs(file.path, found):
            known = len(dialog.lost_images) == len(dialog.answers)
            lost = dialog.lost_images if known else [0] * len(dialog.answers)
            for turn, answer, n in zip(dialog.turns, dialog.answers, lost, strict=True):
                yield AnswerRow(file.model, dialog.dialog_id, turn, answer, dialog.synthetic, max(0, n))
    except DataError as error:
        if not found:
            name = short_path(file.path)
            found.append(Problem(name, "", str(error).removeprefix(f"{name}: ")))
    problems += [problem for problem in found if not is_about_images(problem)]  # irrelevant for answers


def _without_failures(rows: list[AnswerRow], name: str, problems: list[Problem]) -> Iterator[AnswerRow]:
    """Yield the rows that are answers, without their thinking parts.

    A failed request, or an answer that was truncated inside its thinking, is a missing answer; an empty one is
    reported.
    """
    for row in rows:
        where = f"{row.model}, dialogue {row.dialog_id}, turn {row.turn}"
        if is_failure(row.answer):
            text = f"the request failed ({row.answer.strip()!r}); the answer is missing"
            problems.append(Problem(name, where, text, row.dialog_id, row.turn))
            continue
        split = split_thinking(row.answer)
        if not split.complete:
            text = "the answer ends inside its thinking; it is missing"
            problems.append(Problem(name, where, text, row.dialog_id, row.turn))
            continue
        if split.thinking:
            row = replace(row, answer=split.rest)
        if not row.answer.strip():
            problems.append(Problem(name, where, "the answer is empty", row.dialog_id, row.turn))
        yield row


def _known(
    rows: list[AnswerRow], benchmark: Benchmark, name: str, problems: list[Problem]
) -> Iterator[AnswerRow]:
    """Yield the answers to turns that the benchmark has; report the others by dialogue.

    Raises
    ------
    DataError
        If there is none.
    """
    lengths = dict(benchmark.dialogs["n_turns"].items())
    foreign: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        if row.turn <= lengths.get(row.dialog_id, 0):
            yield row
        else:
            foreign.setdefault((row.model, row.dialog_id), []).append(row.turn)
    for (model, dialog_id), turns in foreign.items():
        length = lengths.get(dialog_id)
        has = "not in the benchmark" if length is None else f"of {length} turns in the benchmark"
        text = f"dialogue {dialog_id!r} is {has}; {len(turns)} answers of {model} are left out"
        problems.append(Problem(name, "", text, dialog_id, turns[0]))
    if sum(map(len, foreign.values())) == len(rows):
        given_id, expected_id = next(iter(foreign))[1], next(iter(lengths), "")
        raise DataError(
            f"{name}: no answered dialogue is in the benchmark: got ids such as {given_id!r}, expected such as {expected_id!r}"
        )


def _frame(rows: list[AnswerRow], problems: list[Problem], name: str) -> pd.DataFrame:
    """Return rows as a frame; if a turn has several answers, the first one is kept."""
    import pandas as pd

    columns = [*ANSWER_COLUMNS, "synthetic"]
    if any(row.n_lost_images for row in rows):
        columns.append("n_lost_images")
    frame = pd.DataFrame({column: [getattr(row, column) for row in rows] for column in columns})
    frame = frame.astype(
        {"model": "str", "dialog_id": "str", "turn": "int64", "answer": "str", "synthetic": "bool"}
    )
    twice = frame.duplicated(["model", "dialog_id", "turn"])
    for row in frame.loc[twice].drop_duplicates(["model", "dialog_id"]).itertuples():
        where = f"{row.model}, dialogue {row.dialog_id}"
        text = "the dialogue is duplicated; its first answers are kept"
        problems.append(Problem(name, where, text, str(row.dialog_id), int(row.turn)))
    return frame.loc[~twice].reset_index(drop=True)
