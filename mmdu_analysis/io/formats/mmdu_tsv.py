"""VLMEvalKit's table ``MMDU.tsv``: one row per dialogue, cells that hold Python lists as literals.

Source: vlmeval/dataset/mmdu.py, github.com/open-compass/VLMEvalKit.
"""

from __future__ import annotations

import ast
import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from mmdu_analysis.io import files
from mmdu_analysis.io.dialogs import Dialog, Fault, check_dialog, number_images
from mmdu_analysis.io.pictures import bytes_size
from mmdu_analysis.schema import DataError, short_path

MOST_LITERAL = 200 << 20
"""Characters of a cell that are read as a literal."""


def read(path: Path) -> Iterator[tuple[str, Dialog | Fault]]:
    """Read the rows of a table, each with its position in the file.

    Yields
    ------
    tuple of (str, Dialog or Fault)
        Rows that are not dialogues are faults.

    Raises
    ------
    DataError
        If the file isn't such a table.
    """
    table = files.read_table(path)
    table.columns = [str(column).strip().lower() for column in table.columns]
    if "question" not in table or not {"index", "id"} & set(table.columns):
        raise DataError(
            f"{short_path(path)}: got columns {list(table.columns)[:8]}, "
            "expected VLMEvalKit's index, image, question, answer"
        )
    for number, row in enumerate(table.to_dict("records"), 2):
        try:
            yield f"row {number}", _dialog(row, path)
        except ValueError as error:
            yield f"row {number}", Fault("", f"{error}; the row is left out")


def _dialog(row: dict[str, str], path: Path) -> Dialog:
    """Return the dialogue of a row.

    Raises
    ------
    ValueError
        If the row is not a dialogue.
    """
    dialog_id = row.get("index") or row.get("id") or ""
    if not dialog_id.strip() or not _is_text(dialog_id):
        raise ValueError("the row has no index")
    questions = literal_list(row["question"])
    answers = literal_list(row.get("answer", "")) or [""] * len(questions)
    paths = literal_list(row.get("image_path", ""))
    encoded = literal_list(row.get("image", ""))
    if len(answers) != len(questions):
        raise ValueError(f"{len(questions)} questions and {len(answers)} answers")
    dialog = Dialog(dialog_id, questions, answers)
    dialog.images = paths or [f"{path.name}/{dialog_id}/{number}" for number in range(1, len(encoded) + 1)]
    if encoded and len(encoded) == len(dialog.images):
        dialog.pictures = [_decoded(text) for text in encoded]
        dialog.sizes = [bytes_size(data) if data else None for data in dialog.pictures]
    number_images(dialog, None)
    check_dialog(dialog, "")
    return dialog


def literal_list(cell: str) -> list[str]:
    """Read a Python list of texts from a table cell, without executing anything.

    Raises
    ------
    ValueError
        If the cell is not such a literal, or contains a lone surrogate.
    """
    if not cell.strip():
        return []
    value = _literal(cell) if cell.lstrip().startswith("[") else [cell]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"a cell that is not a list of texts: {cell[:40]!r}")
    if not all(map(_is_text, value)):
        raise ValueError("a cell with an invalid character (a lone surrogate)")
    return value


def _literal(cell: str) -> object:
    try:
        if len(cell) > MOST_LITERAL:
            raise ValueError
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"a cell that is not a Python list: {cell[:40]!r}") from None


def _is_text(text: str) -> bool:
    """Return whether a text can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None
