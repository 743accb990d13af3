"""Read the cells of tables and the fields of records that name a model, a dialogue or a turn."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmdu_analysis.schema import DataError, fold_name

MOST_TURNS = 100_000
"""Larger turn numbers and repeats are regarded as damaged data."""
_FLOAT_ID = re.compile(r"-?\d{1,15}\.0+")
_COLUMNS = {"dialogid": "dialog_id", "dialogueid": "dialog_id", "id": "dialog_id"}
_ABSENT = frozenset({"", "na", "nan", "none", "null", "<na>", "n/a"})


def clean_text(value: object) -> str:
    """Return a value as text that can be encoded as UTF-8: lone surrogates are replaced."""
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def is_absent(value: object) -> bool:
    """Return whether a cell is empty: None, NaN, or one of their usual spellings."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str) and value.strip().lower() in _ABSENT


def whole_number(value: object) -> int | None:
    """Return a number of things counted from 0 (``3``, ``"3"``, ``"3.0"``), or None if it isn't one."""
    if isinstance(value, bool) or is_absent(value):
        return None
    try:
        number = float(str(value))
    except (ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() and 0 <= number <= MOST_TURNS else None


def truth(value: object) -> bool:
    """Return whether a cell means true."""
    return value is True or str(value).strip().lower() in ("true", "1", "1.0")


def column_names(columns: Sequence[Any], name: str) -> dict[str, Any]:
    """Return the columns of a table by their canonical names.

    Parameters
    ----------
    columns : sequence
        Names in the file; case, spaces and ``_`` are ignored.
    name : str
        The file, for the message.

    Returns
    -------
    dict of str to object
        ``dialog_id``, ``turn`` and so on to the column of the table.

    Raises
    ------
    DataError
        If two columns have the same name.
    """
    found: dict[str, Any] = {}
    for column in columns:
        folded = fold_name(column)
        canonical = _COLUMNS.get(folded, folded)
        if canonical in found and canonical in (
            "dialog_id",
            "turn",
            "model",
            "judge",
            "dimension",
            "score",
            "answer",
        ):
            raise DataError(
                f"{name}: got columns {found[canonical]!r} and {column!r}, expected one {canonical}"
            )
        found.setdefault(canonical, column)
    return found


def dialog_ids(values: Sequence[Any]) -> list[str]:
    """Return dialogue ids as text; ids that were converted to floats (``1.0``) become integers again."""
    texts = [clean_text(value).strip() for value in values]
    floats = [text for text in texts if not is_absent(text)]
    if floats and all(_FLOAT_ID.fullmatch(text) for text in floats):
        return [text.partition(".")[0] for text in texts]
    return texts


def unified(rows: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return records with canonical names of their fields; other fields keep theirs."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    names = {column: canonical for canonical, column in column_names(columns, name).items()}
    known = {"dialog_id", "turn", "model", "judge", "dimension", "score", "answer", "synthetic", "repeat", "reason",
             "correct", "images", "set", "index", "prediction", "question", "sample"}  # fmt: skip
    return [
        {(names[key] if names.get(key) in known else key): value for key, value in row.items()}
        for row in rows
    ]


def check_names(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], name: str) -> None:
    """Refuse names in only some rows, such as merged cells: the others would belong to a model named by the file.

    Raises
    ------
    DataError
        If a column is empty in some rows and not in others.
    """
    for column in columns:
        empty = sum(is_absent(row.get(column)) for row in rows)
        if 0 < empty < len(rows):
            raise DataError(
                f"{name}: {column} is empty in {empty:,} of {len(rows):,} rows, expected a name in each; fill it in"
            )
