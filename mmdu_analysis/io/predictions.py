"""Predictions of VLMEvalKit: a list literal of answers in one cell for each dialogue."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdu_analysis.io.cells import clean_text, dialog_ids, is_absent
from mmdu_analysis.io.formats.mmdu_tsv import literal_list
from mmdu_analysis.schema import Problem, short_path

CELL_LIMIT = 32_767
"""Maximum length of a spreadsheet cell in characters."""
FAILURES = ("Failed to obtain answer via API.", "Failed to obtain answer via API")
"""What VLMEvalKit stores instead of an answer when a request failed."""

_ITEM = re.compile(r"""\s*(?P<text>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")\s*(?P<end>[,\]])""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer of a model.

    Attributes
    ----------
    model, dialog_id : str
        The model and the dialogue.
    turn : int
        From 1.
    answer : str
        The text.
    synthetic : bool
        Whether the file marks it so.
    n_lost_images : int
        Pictures of the conversation that the model was not sent.
    """

    model: str
    dialog_id: str
    turn: int
    answer: str
    synthetic: bool = False
    n_lost_images: int = 0


def is_failure(answer: str) -> bool:
    """Return whether a text is the message of a failed request instead of an answer."""
    return answer.strip() in FAILURES


def whole_items(cell: str) -> tuple[list[str], str]:
    """Return the complete items of a truncated list literal, and the text after them; nothing is executed."""
    items, position = [], cell.find("[") + 1
    while match := _ITEM.match(cell, position):
        try:
            items.append(str(ast.literal_eval(match["text"])))
        except (ValueError, SyntaxError):
            break
        position = match.end()
    return items, cell[position:].strip()


def prediction_rows(
    table: Sequence[Mapping[str, Any]], model: str, path: Path, problems: list[Problem]
) -> Iterator[AnswerRow]:
    """Yield the answers of a table with ``index`` and ``prediction``.

    Parameters
    ----------
    table : sequence of dict
        One row per dialogue.
    model : str
        The model.
    path : pathlib.Path
        The file.
    problems : list of Problem
        Receives empty, truncated and failed predictions.

    Yields
    ------
    AnswerRow
        In the order of the table.
    """
    name = short_path(path)
    for number, (row, dialog_id) in enumerate(
        zip(table, dialog_ids([r.get("index") for r in table]), strict=True), 2
    ):
        where = f"row {number}"
        try:
            answers, fault = _answers(row.get("prediction"))
        except ValueError as error:
            problems.append(Problem(name, where, f"{error}; the row is left out", dialog_id))
            continue
        asked = _asked(row.get("question"))
        if not fault and asked is not None and len(answers) != asked:
            fault = f"{len(answers)} answers to {asked} questions"
        if fault:
            problems.append(Problem(name, where, fault, dialog_id))
        for turn, answer in enumerate(answers, 1):
            yield AnswerRow(model, dialog_id, turn, clean_text(answer))


def _answers(cell: Any) -> tuple[list[str], str]:
    """Return the answers of a cell, and a description of its fault."""
    if isinstance(cell, list):
        return [str(answer) for answer in cell], "" if cell else "the prediction is empty"
    if is_absent(cell) or not str(cell).strip():
        return [], "the prediction is empty"
    text = str(cell)
    if not text.lstrip().startswith("["):
        if len(text) < CELL_LIMIT:
            return [text], ""
        return (
            [],
            f"the prediction is truncated by the spreadsheet's limit of {CELL_LIMIT:,} characters; it is left out",
        )
    try:
        return literal_list(text), ""
    except ValueError:
        whole, rest = whole_items(text)
        if rest[:1] not in ("'", '"') and not (rest == "" and text.rstrip().endswith(",")):
            raise  # a list of other items, not one that is truncated inside a text
        noun = "answer" if len(whole) == 1 else "answers"
        return whole, (
            f"the cell is truncated after {len(text):,} characters (a spreadsheet keeps {CELL_LIMIT:,}); {len(whole)} whole "
            f"{noun} kept; save the predictions as .tsv or .json"
        )


def _asked(cell: Any) -> int | None:
    """Return the number of questions of a row, if its cell states them."""
    if isinstance(cell, list):
        return len(cell)
    try:
        return len(literal_list(str(cell))) if str(cell).lstrip().startswith("[") else None
    except ValueError:
        return None
