"""A person's labels: a table with ``dialog_id``, ``turn``, ``correct`` (0 or 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdu_analysis.io.cells import clean_text, dialog_ids, truth, whole_number
from mmdu_analysis.io.folders import model_name
from mmdu_analysis.io.scores.rows import ScoreRow, Source, name_or, text_or_none
from mmdu_analysis.schema import LABEL, short_path


def label_rows(table: Sequence[Mapping[str, Any]], path: Path, source: Source) -> Iterator[ScoreRow]:
    """Yield the rows of labels; 0 and 1 become the rubric's lowest and highest score.

    Parameters
    ----------
    table : sequence of dict
        With ``dialog_id``, ``turn``, ``correct`` and optionally ``model``, ``images``, ``synthetic``.
    path : pathlib.Path
        The file.
    source : Source
        The requested names and rubric.

    Yields
    ------
    ScoreRow
        Of the dimension ``Correct``; a row without a whole turn or without 0 or 1 is a problem.
    """
    name = short_path(path)
    for number, (row, dialog_id) in enumerate(
        zip(table, dialog_ids([r.get("dialog_id") for r in table]), strict=True), 2
    ):
        turn, label = whole_number(row.get("turn")), whole_number(row.get("correct"))
        if not turn or label not in (0, 1):
            text = (
                f"turn {clean_text(row['turn'])[:20]!r}, correct {clean_text(row['correct'])[:20]!r}: expected a turn "
                "from 1 and 0 or 1; the row is left out"
            )
            source.report(name, f"row {number}", text, dialog_id, turn)
            continue
        yield ScoreRow(
            source.model or name_or(row.get("model"), model_name(path)),
            source.judge or name_or(row.get("judge"), "person"),
            dialog_id,
            turn,
            LABEL,
            source.rubric.scale[label],
            name,
            f"row {number}",
            truth(row.get("synthetic")),
            images=text_or_none(row.get("images")),
        )
