"""Scores in Markdown tables, with the dimensions as rows or as columns."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mmdu_analysis.io.replies.names import Names
from mmdu_analysis.io.replies.numbers import read_score
from mmdu_analysis.io.replies.statements import Statement
from mmdu_analysis.schema import Rubric

_BLOCK = re.compile(r"^[ \t]*\|[^\n]*\|[ \t]*$(?:\n[ \t]*\|[^\n]*\|[ \t]*$)*", re.MULTILINE)
_RULE = re.compile(r"[\s|:-]+")
_SCORE_COLUMN = re.compile(r"(?:score|rating|grade|points|value|得分|评分|分数|分值)", re.IGNORECASE)
_EMPHASIS = re.compile(r"[*`]+")
_BRACKETS = re.compile(r"\([^()]{0,60}\)")


@dataclass(frozen=True)
class _Row:
    cells: list[str]
    start: int
    end: int


@dataclass(frozen=True)
class _Cell:
    dimension: str
    row: _Row
    text: str
    fault: str = ""


def table_statements(text: str, names: Names, rubric: Rubric) -> list[Statement]:
    """Return the scores that Markdown tables state.

    Parameters
    ----------
    text : str
        Translated by `PLAIN`.
    names : Names
        The spellings of the rubric.
    rubric : Rubric
        Its scale.

    Returns
    -------
    list of Statement
        A row with several numbers and no column of scores is a fault.
    """
    statements = []
    for block in _BLOCK.finditer(text):
        rows = [row for row in _rows(block) if not _RULE.fullmatch(text[row.start : row.end])]
        for cell in _read(rows, names, rubric):
            score, fault = (None, cell.fault) if cell.fault else read_score(cell.text, rubric)
            if fault != "is missing":
                statements.append(
                    Statement(cell.dimension, score, fault, "table", cell.row.start, cell.row.end)
                )
    return statements


def _rows(block: re.Match[str]) -> list[_Row]:
    rows, start = [], block.start()
    for line in block[0].split("\n"):
        cells = [_EMPHASIS.sub("", cell).strip(" \t_") for cell in line.strip()[1:-1].split("|")]
        rows.append(_Row(cells, start, start + len(line)))
        start += len(line) + 1
    return rows


def _name(cell: str, names: Names) -> str | None:
    return names.of_key(_BRACKETS.sub("", cell)) if cell else None


def _read(rows: list[_Row], names: Names, rubric: Rubric) -> list[_Cell]:
    header = [_name(cell, names) for cell in rows[0].cells] if rows else []
    if sum(name is not None for name in header) > 1 and len(rows) > 1:
        return _by_column(header, rows[1:])
    columns = _score_columns(rows[0].cells) if rows and not any(header) else None
    scored = []
    for row in rows:
        labels = [_name(cell, names) for cell in row.cells]
        present = {label: index for index, label in enumerate(labels) if label}
        if len(present) > 1:
            scored += [_Cell(name, row, "", "shares its row with another dimension") for name in present]
        scored += [
            _by_row(name, at, row, columns, rubric) for name, at in present.items() if len(present) == 1
        ]
    return scored


def _by_column(header: list[str | None], rows: list[_Row]) -> list[_Cell]:
    """Read a table whose columns are the dimensions; a second row makes it ambiguous."""
    first = rows[0]
    fault = "" if len(rows) == 1 and len(first.cells) == len(header) else "has no single row of numbers"
    return [
        _Cell(name, first, first.cells[index] if not fault else "", fault)
        for index, name in enumerate(header)
        if name
    ]


def _score_columns(header: list[str]) -> list[int]:
    return [index for index, cell in enumerate(header) if _SCORE_COLUMN.match(cell)]


def _by_row(name: str, at: int, row: _Row, columns: list[int] | None, rubric: Rubric) -> _Cell:
    """Read the row of a dimension: the column of scores, or the only number without a header."""
    if columns is None:
        readings = [(cell, read_score(cell, rubric)) for cell in row.cells[:at] + row.cells[at + 1 :]]
        numbers = [
            cell for cell, (_, fault) in readings if not fault.endswith(("not a number", "is missing"))
        ]
        if len(numbers) != 1:
            return _Cell(name, row, "", "has no single number in its row")
        return _Cell(name, row, numbers[0])
    if len(columns) != 1 or columns[0] >= len(row.cells):
        return _Cell(name, row, "", "has no single column of scores")
    return _Cell(name, row, row.cells[columns[0]])
