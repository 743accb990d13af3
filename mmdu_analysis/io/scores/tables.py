"""Tables of scores: one row per score (as `load_scores` returns), or one column per dimension."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

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
from mmdu_analysis.io.folders import model_name
from mmdu_analysis.io.replies.names import names_of
from mmdu_analysis.io.replies.numbers import read_score
from mmdu_analysis.io.scores.labels import label_rows
from mmdu_analysis.io.scores.rows import ScoreRow, Source, name_or, text_or_none, turn_of
from mmdu_analysis.io.scores.vlmevalkit import summary_rows
from mmdu_analysis.schema import LABEL, SCORE_COLUMNS, DataError, fold_name, short_path

Records = Sequence[Mapping[str, Any]]


def table_rows(path: Path, source: Source) -> list[ScoreRow]:
    """Return the rows of a table file (CSV, TSV, Excel)."""
    return record_rows(files.read_table(path).to_dict("records"), path, source)


def is_table(entries: Sequence[Any]) -> bool:
    """Return whether decoded JSON is a table, such as ``scores.to_json(orient="records")`` writes."""
    first = entries[0] if entries else None
    return isinstance(first, dict) and any(fold_name(str(key)) in ("dialogid", "dialogueid") for key in first)


def record_rows(records: Sequence[Any], path: Path, source: Source) -> list[ScoreRow]:
    """Return the rows of a table, whose kind is recognised by its columns.

    Parameters
    ----------
    records : sequence of dict
        Rows; cells are texts or numbers.
    path : pathlib.Path
        The file.
    source : Source
        The requested names and rubric.

    Returns
    -------
    list of ScoreRow
        In the order of the table.

    Raises
    ------
    DataError
        If the columns are not recognised, or turns are counted from 0.
    """
    name = short_path(path)
    table = unified([row for row in records if isinstance(row, Mapping)], name)
    columns = set().union(*(row.keys() for row in table[:1000]))
    if "set" in columns:
        return summary_rows(table, path, source)
    if {"dialog_id", "dimension", "score"} <= columns:
        rows = list(_long_rows(table, path, source))
    elif {"dialog_id", "turn", "correct"} <= columns:
        rows = list(label_rows(table, path, source))
    elif "dialog_id" in columns and _dimension_columns(columns, name, source):
        rows = list(_wide_rows(table, path, source, _dimension_columns(columns, name, source)))
    else:
        shown = [str(column) for column in (records[0] if records else {})][:8]
        raise DataError(
            f"{name}: got columns {shown}, expected {list(SCORE_COLUMNS)}, or dialog_id and one column per dimension, "
            "VLMEvalKit's 'set' with the dimensions, or labels with dialog_id, turn, correct"
        )
    if "turn" not in columns:
        found = ", ".join(map(repr, list(records[0])[:8]))
        source.report(name, "", f"no column 'turn' (got {found}): the turns of the scores are unknown")
    _check_first_turn(table, name)
    given = {"model": source.model, "judge": source.judge}
    check_names(table, [column for column, replaced in given.items() if not replaced], name)
    return rows


def _check_first_turn(table: Records, name: str) -> None:
    """Refuse turns that are counted from 0: every score would be assigned to the previous turn."""
    zeros = sum(whole_number(row.get("turn")) == 0 for row in table)
    if zeros:
        raise DataError(
            f"{name}: turn is 0 in {zeros} rows, expected turns counted from 1; add 1 to the column"
        )


def _dimension_columns(columns: set[str], name: str, source: Source) -> dict[str, str]:
    """Return column to dimension of a wide table."""
    found: dict[str, str] = {}
    for column in sorted(columns, key=str):
        dimension = _dimension(column, source)
        if dimension and dimension in found.values():
            raise DataError(f"{name}: two columns hold {dimension!r}, expected one")
        if dimension:
            found[column] = dimension
    return found


def _dimension(text: Any, source: Source) -> str | None:
    """Return the full name of a dimension; short names are accepted, also that of the overall score."""
    named = names_of(source.rubric).of_key(text)
    if named:
        return named
    shorts = {fold_name(d.short): d.name for d in source.rubric.dimensions} | {fold_name(LABEL): LABEL}
    return shorts.get(fold_name(str(text)))


def _long_rows(table: Records, path: Path, source: Source) -> Iterator[ScoreRow]:
    """Yield the rows of a table with one row per score."""
    for number, (row, dialog_id) in enumerate(_with_ids(table), 2):
        dimension = _dimension(row.get("dimension"), source)
        if dimension is None:
            text = (
                f"dimension {clean_text(row.get('dimension'))[:40]!r} is not in the rubric {source.rubric.name}; "
                "the row is left out"
            )
            source.report(short_path(path), f"row {number}", text, dialog_id)
            continue
        yield _row(row, dialog_id, dimension, row.get("score"), path, number, source)


def _wide_rows(table: Records, path: Path, source: Source, columns: dict[str, str]) -> Iterator[ScoreRow]:
    """Yield the rows of a table with one column per dimension."""
    for number, (row, dialog_id) in enumerate(_with_ids(table), 2):
        for column, dimension in columns.items():
            yield _row(row, dialog_id, dimension, row.get(column), path, number, source)


def _with_ids(table: Records) -> Iterator[tuple[Mapping[str, Any], str]]:
    return zip(table, dialog_ids([row.get("dialog_id") for row in table]), strict=True)


def _row(
    row: Mapping[str, Any],
    dialog_id: str,
    dimension: str,
    value: Any,
    path: Path,
    number: int,
    source: Source,
) -> ScoreRow:
    name, where = short_path(path), f"row {number}"
    turn, fault = turn_of(row.get("turn"))
    if fault:
        source.report(name, where, f"{fault}; it is NA", dialog_id)
    score, fault = (None, "is missing") if is_absent(value) else read_score(value, source.rubric)
    if score is None and fault != "is missing":
        source.report(name, where, f"{dimension} {fault}; it is NaN", dialog_id, turn)
    return ScoreRow(
        source.model or name_or(row.get("model"), model_name(path)),
        source.judge or name_or(row.get("judge"), "person" if dimension == LABEL else "judge"),
        None if is_absent(dialog_id) else dialog_id,
        turn,
        dimension,
        math.nan if score is None else score,
        name,
        where,
        truth(row.get("synthetic")),
        whole_number(row.get("repeat")) or None,
        text_or_none(row.get("reason")),
        text_or_none(row.get("images")),
        whole_number(row.get("n_lost_images")) or 0,
    )
