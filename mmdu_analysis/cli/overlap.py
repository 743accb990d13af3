"""What ``mmdu validate --against`` prints."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mmdu_analysis.cli.options import note, show
from mmdu_analysis.io.formats import InputFormat
from mmdu_analysis.io.tables import Format


def print_overlap(
    data: str,
    against: str,
    form: Format,
    out: Path | None,
    input_format: InputFormat | None,
    ids: Literal["keep", "prefix"],
) -> bool:
    """Print the dialogues that share pictures or text with a benchmark, and the duplicates; return whether any does."""
    from mmdu_analysis.stats.overlap import find_overlap

    rows = find_overlap(data, against, input_format=input_format, ids=ids)
    show(rows, form, out)
    kinds = rows.groupby("kind")["dialog_id"].nunique()
    counted = ", ".join(f"{kind}: {count:,}" for kind, count in kinds.items())
    note(f"dialogues that share something with {against} or with each other: {counted or 'none'}")
    return not rows.empty
