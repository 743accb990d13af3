"""VLMEvalKit's table of scores: rows ``all`` and ``valid``, 0-100, without dialogues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdu_analysis.io import files
from mmdu_analysis.io.folders import output_name
from mmdu_analysis.io.scores.official import read_dimensions
from mmdu_analysis.io.scores.rows import ScoreRow, Source
from mmdu_analysis.schema import DataError, short_path


def summary_rows(table: Sequence[Mapping[str, Any]], path: Path, source: Source) -> list[ScoreRow]:
    """Return the row ``valid`` of a summary, else ``all``.

    Parameters
    ----------
    table : sequence of dict
        With ``set`` and the dimensions.
    path : pathlib.Path
        The file; ``MODEL_MMDU_JUDGE_score.csv`` names model and judge.
    source : Source
        The requested names and rubric.

    Returns
    -------
    list of ScoreRow
        One for each dimension, without dialogue and turn.

    Raises
    ------
    DataError
        If there is neither row.
    """
    name = short_path(path)
    sets = {str(row.get("set")).strip().lower(): number for number, row in enumerate(table)}
    chosen = next((kind for kind in ("valid", "all") if kind in sets), None)
    if chosen is None:
        raise DataError(f"{name}: got the sets {sorted(sets)[:4]}, expected VLMEvalKit's 'all' and 'valid'")
    number = sets[chosen]
    low, high = source.rubric.scale
    cells = {key: _from_percent(value, low, high) for key, value in table[number].items() if key != "set"}
    scores, faults = read_dimensions(cells, source.rubric)
    where = f"row {number + 2}"
    if faults:
        source.report(name, where, "; ".join(faults))
    source.report(name, where, _note(chosen, sets))
    model, judge = names(path, source)
    return [
        ScoreRow(model, judge, None, None, dimension, score, name, where)
        for dimension, score in scores.items()
    ]


def _note(chosen: str, sets: Mapping[str, int]) -> str:
    other = (
        "; 'all', which counts unparsed turns as 0, is left out"
        if chosen == "valid" and "all" in sets
        else ""
    )
    return (
        f"a summary of VLMEvalKit: its row {chosen!r} has one number per dimension and no dialogues, so no interval can "
        f"be computed{other}"
    )


def names(path: Path, source: Source) -> tuple[str, str]:
    """Return model and judge: the given names, else those in the name of the file."""
    output = output_name(path)
    model = source.model or (output.model if output else files.stem(path))
    return model, source.judge or (output.judge if output and output.judge else "judge")


def _from_percent(value: Any, low: float, high: float) -> Any:
    try:
        return low + float(value) * (high - low) / 100
    except (TypeError, ValueError, OverflowError):
        return value
