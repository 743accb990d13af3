"""`load_scores`: the choice of the reader of each file, and checks of all scores together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from mmdu_analysis.io import files
from mmdu_analysis.io.folders import ModelFile, model_files, output_name, run_folder
from mmdu_analysis.io.scores.checks import check_scale, match_benchmark
from mmdu_analysis.io.scores.frame import scores_frame
from mmdu_analysis.io.scores.official import official_rows, read_entries
from mmdu_analysis.io.scores.pickled import pickle_rows
from mmdu_analysis.io.scores.rows import ScoreRow, Source
from mmdu_analysis.io.scores.tables import is_table, record_rows, table_rows
from mmdu_analysis.schema import MMDU, DataError, Problem, Rubric, problems_frame, report, short_path

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

PICKLE_SUFFIXES = (".pkl", ".pickle")
Paths = str | Path | Sequence[str | Path]


@overload
def load_scores(
    path: Paths,
    *,
    benchmark: Benchmark | None = None,
    model: str | None = None,
    judge: str | None = None,
    rubric: Rubric = MMDU,
    strict: bool = False,
    allow_pickle: bool = False,
    return_problems: Literal[False] = False,
) -> pd.DataFrame: ...
@overload
def load_scores(
    path: Paths,
    *,
    benchmark: Benchmark | None = None,
    model: str | None = None,
    judge: str | None = None,
    rubric: Rubric = MMDU,
    strict: bool = False,
    allow_pickle: bool = False,
    return_problems: Literal[True],
) -> tuple[pd.DataFrame, pd.DataFrame]: ...
def load_scores(
    path: Paths,
    *,
    benchmark: Benchmark | None = None,
    model: str | None = None,
    judge: str | None = None,
    rubric: Rubric = MMDU,
    strict: bool = False,
    allow_pickle: bool = False,
    return_problems: bool = False,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]:
    """Load scores as one long frame.

    Parameters
    ----------
    path : str or path, or several
        The authors' folder (``{id}.json`` in it or in sub-folders such as ``0-10``), a folder of such folders
        (one per model), an output folder of VLMEvalKit or its ``*_score.csv`` or ``.pkl``, a table (CSV, TSV,
        Excel, JSON records) with this function's columns or with one column per dimension, or a table of
        labels (``model, dialog_id, turn, correct``).
    benchmark : Benchmark, optional
        With the number of turns of each dialogue: lists as long as their dialogue then have turn numbers,
        turns that were not judged are rows of NaN, and scores of other turns are left out and reported.
    model, judge : str, optional
        Names that replace those in the files. By default the names in the files, else the folder's or file's
        name, and ``"judge"`` (``"person"`` for labels).
    rubric : Rubric, default MMDU
        The dimensions, in any spelling, and the scale.
    strict : bool, default False
        Raise the first problem instead of collecting them.
    allow_pickle : bool, default False
        Read VLMEvalKit's ``.pkl``. A pickle executes code: only for files that you made yourself.
    return_problems : bool, default False
        Return the problems too, instead of warning.

    Returns
    -------
    pandas.DataFrame
        One row per model, judge, turn and dimension: ``model``, ``judge``, ``dialog_id``, ``turn`` (Int64, NA
        if the file doesn't state it), ``dimension`` (full name), ``score`` (on the rubric's scale, NaN where
        missing), ``synthetic``; and ``repeat`` (of several judgements of a turn), ``reason``, ``images``
        (that a turn is about, of labels) where files hold them. Labels have the dimension ``Correct`` and the
        rubric's lowest or highest score.
    pandas.DataFrame
        The problems, with `return_problems`: ``file``, ``where``, ``dialog_id``, ``turn``, ``problem``.

    Raises
    ------
    DataError
        If there is no usable score, the scores are on another scale, turns are counted from 0, no dialogue is
        in the benchmark, or with `strict` at the first problem.

    Warns
    -----
    ProblemWarning
        If there are problems and they aren't returned.

    See Also
    --------
    load_answers : The answers that were judged.
    parse_judge_reply : Reads one reply of a judge, which may be a text in a list.

    Notes
    -----
    In the authors' form a turn whose judging failed is absent from the list, so the position is the turn only
    if the list is as long as the dialogue; otherwise ``turn`` is NA for the whole dialogue, since guessing
    would shift every later score. ``null`` in the gap, or a key ``turn`` in every entry, keeps the turn
    numbers.
    """
    paths = [Path(item).expanduser() for item in ([path] if isinstance(path, str | Path) else path)]
    lengths = {} if benchmark is None else dict(benchmark.dialogs["n_turns"].items())
    problems: list[Problem] = []
    rows: list[ScoreRow] = []
    for one in paths:
        source = Source(model, judge, rubric, lengths, allow_pickle)
        found = _rows(one, source)
        check_scale(found, source, short_path(one))
        problems += source.problems
        if all(math.isnan(row.score) for row in found):
            hint = f"; the first problem: {problems[0]}" if problems else ""
            raise DataError(f"{short_path(one)}: no usable score, expected lists of judged turns{hint}")
        rows += found
    whole = Source(rubric=rubric, lengths=lengths)
    if benchmark is not None:
        rows = match_benchmark(rows, whole)
    elif all(row.turn is None and row.dialog_id is not None for row in rows):
        text = "the files don't say which turn a score belongs to; pass benchmark= to number them in dialogues without missing turns"
        whole.report(short_path(paths[0]), "", text)
    frame = scores_frame(rows, whole)
    problems += whole.problems
    if return_problems and not strict:
        return frame, problems_frame(problems)
    report(problems, strict=strict, advice="the frame that return_problems=True adds")
    return (frame, problems_frame(problems)) if return_problems else frame


def _rows(path: Path, source: Source) -> list[ScoreRow]:
    """Return the rows of a path."""
    found = model_files(path, source.model, lambda file: _is_scores(file, source), "scores")
    rows: list[ScoreRow] = []
    seen: set[tuple[str, str, Path | None]] = set()
    for file in _without_doubles(found, source):
        if files.has_suffix(file.path, PICKLE_SUFFIXES):
            rows += pickle_rows(file.path, source)
        elif files.has_suffix(file.path, files.TABLE_SUFFIXES):
            rows += table_rows(file.path, source)
        else:
            rows += _json_rows(file, source, seen, path)
    return rows


def _is_scores(file: Path, source: Source) -> bool:
    """Return whether a file in a folder holds scores: JSON, or VLMEvalKit's."""
    if files.has_suffix(file, files.JSON_SUFFIXES):
        output = output_name(file)
        return output is None or output.is_score
    output = output_name(file)
    if output is None or output.judge is None:
        return False
    is_table = output.is_score and files.has_suffix(file, files.TABLE_SUFFIXES)
    return is_table or (source.allow_pickle and files.has_suffix(file, PICKLE_SUFFIXES))


def _without_doubles(found: list[ModelFile], source: Source) -> list[ModelFile]:
    """Drop the summary of VLMEvalKit if the pickle of the same judge, which has the turns, is read."""
    pickled = {
        (name.model, name.judge)
        for file in found
        if files.has_suffix(file.path, PICKLE_SUFFIXES) and (name := output_name(file.path))
    }
    return [
        file
        for file in found
        if not ((name := output_name(file.path)) and name.is_score and (name.model, name.judge) in pickled)
    ]


def _json_rows(
    file: ModelFile, source: Source, seen: set[tuple[str, str, Path | None]], path: Path
) -> list[ScoreRow]:
    """Return the rows of a JSON file: a dialogue in the authors' form, or a table."""
    if file.path.name.lower().removesuffix(".gz").removesuffix(".zst").endswith(".jsonl"):
        entries = _lines(file.path, source)
    else:
        entries = read_entries(file.path, source)
    if is_table(entries):
        inner = source if path == file.path else _named(source, file.model, entries)
        return record_rows(entries, file.path, inner)
    dialog_id = files.stem(file.path)
    run = run_folder(path, file.path) if path.is_dir() else None  # another judge has another one
    key = (file.model, dialog_id, run)
    if key in seen:
        text = f"dialogue {dialog_id!r} of {file.model} is duplicated; the first is kept"
        source.report(short_path(file.path), "", text, dialog_id)
        return []
    seen.add(key)
    return official_rows(file.path, file.model, entries, source)


def _named(source: Source, model: str, entries: list[object]) -> Source:
    """Return the source with the model of the folder if the records name none."""
    named = any(
        isinstance(entry, dict) and any(str(key).lower() == "model" for key in entry) for entry in entries
    )
    if named:
        return source
    return Source(model, source.judge, source.rubric, source.lengths, source.allow_pickle, source.problems)


def _lines(path: Path, source: Source) -> list[object]:
    """Return the records of JSON Lines; a line that isn't JSON is a problem."""
    from mmdu_analysis.io.walk import json_records

    entries: list[object] = []
    try:
        for record in json_records(path):
            try:
                entries.append(files.decode_loosely(record.raw))
            except (ValueError, RecursionError):
                source.report(short_path(path), record.where, "not valid JSON; the line is left out")
    except DataError as error:
        source.report(short_path(path), "", str(error).removeprefix(f"{short_path(path)}: "))
    return entries
