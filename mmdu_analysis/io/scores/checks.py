"""Checks of all scores together: their scale, and the turns of the benchmark."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mmdu_analysis.io.scores.official import CURE
from mmdu_analysis.io.scores.rows import ScoreRow, Source
from mmdu_analysis.schema import LABEL, DataError

_OUTSIDE = re.compile(r"(?:^|; )([^;]*?) is [^;]*?, outside ")
_FEW = 10
"""Minimum number of scores whose range is used to check the scale."""


def check_scale(rows: list[ScoreRow], source: Source, name: str) -> None:
    """Validate that scores are on the scale of the rubric.

    Raises
    ------
    DataError
        If most values of a dimension are outside the scale of the rubric, or all values are fractions in its lowest tenth.
    """
    low, high = source.rubric.scale
    outside = Counter(found for problem in source.problems for found in _OUTSIDE.findall(problem.problem))
    inside = Counter(row.dimension for row in rows if not math.isnan(row.score))
    values = [row.score for row in rows if not math.isnan(row.score) and row.dimension != LABEL]
    for dimension, count in outside.items():
        if count <= max(2, inside[dimension]) and values:
            continue
        raise DataError(
            f"{name}: {count} scores of {dimension} lie outside the scale {low:g}-{high:g} of the rubric {source.rubric.name}; "
            "convert them, or pass the rubric of their scale"
        )
    limit = low + (high - low) / 10
    fractions = any(value != int(value) for value in values)
    if not values or max(values) > limit or not (fractions or limit > 1):
        return
    text = f"all {len(values)} scores are at most {max(values):g} on the scale {low:g}-{high:g} of the rubric"
    if len(values) >= _FEW and fractions and limit <= 1:
        raise DataError(
            f"{name}: {text}; they look like shares; multiply them, or pass the rubric of their scale"
        )
    source.report(name, "", f"{text}; check that they are on this scale")


@dataclass
class _Judged:
    """The scores of one model by one judge: dimensions, turns of each dialogue, unknown turns."""

    dimensions: dict[str, None] = field(default_factory=dict)
    turns: dict[str, set[tuple[int, str]]] = field(default_factory=lambda: defaultdict(set))
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    synthetic: bool = False
    file: str = ""


Key = tuple[str, str]


def match_benchmark(rows: list[ScoreRow], source: Source) -> list[ScoreRow]:
    """Return the rows of turns that the benchmark has, and rows of NaN for its turns that were not judged.

    Parameters
    ----------
    rows : list of ScoreRow
        From the readers.
    source : Source
        With the lengths of the dialogues.

    Returns
    -------
    list of ScoreRow
        Rows of other turns are left out and reported.

    Raises
    ------
    DataError
        If no row belongs to a dialogue of the benchmark.
    """
    kept = _known(rows, source)
    judged: dict[Key, _Judged] = defaultdict(_Judged)
    for row in kept:
        if row.dialog_id is None:
            continue
        group = judged[row.model, row.judge]
        group.dimensions[row.dimension] = None
        group.synthetic |= row.synthetic
        group.file = group.file or row.file
        if row.turn is None:
            group.unknown[row.dialog_id, row.dimension] += 1
        else:
            group.turns[row.dialog_id].add((row.turn, row.dimension))
    for key, group in judged.items():
        _report_unknown(key, group, source)
        kept += _absent(key, group, source.lengths)
    return kept


def _known(rows: list[ScoreRow], source: Source) -> list[ScoreRow]:
    """Return the rows of dialogues and turns that the benchmark has; report the others by dialogue."""
    kept, foreign = [], defaultdict[tuple[str, str, str], set[int | None]](set)
    for row in rows:
        length = source.lengths.get(row.dialog_id or "")
        if row.dialog_id is not None and (length is None or (row.turn or 1) > length):
            foreign[row.file, row.model, row.dialog_id].add(row.turn)
        else:
            kept.append(row)
    for (file, model, dialog_id), turns in foreign.items():
        length = source.lengths.get(dialog_id)
        if length is None:
            text = f"dialogue {dialog_id!r} ({model}) is not in the benchmark; its scores are left out"
        else:
            numbers = _listing(turn for turn in turns if turn is not None)
            text = f"the benchmark has {length} turns in this dialogue; scores of {model} for {numbers} are left out"
        source.report(file, "", text, dialog_id, min((turn for turn in turns if turn), default=None))
    if rows and not kept:
        file, model, dialog_id = next(iter(foreign))
        expected = next(iter(source.lengths), "")
        raise DataError(
            f"{file}: no scored dialogue is in the benchmark: got ids such as {dialog_id!r}, expected such as {expected!r}"
        )
    return kept


def _listing(turns: Iterable[int]) -> str:
    numbers = sorted(set(turns))
    shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
    return f"turn {shown}" if len(numbers) == 1 else f"turns {shown}"


def _report_unknown(key: Key, group: _Judged, source: Source) -> None:
    """Report the number of dialogues with known turns, unless all are known."""
    unknown = {dialog_id for dialog_id, _ in group.unknown}
    if unknown:
        scored = len(unknown | set(group.turns))
        text = f"{scored - len(unknown)} of {scored} dialogues of {key[0]} have turn numbers; {CURE}"
        source.report(group.file, "", text)


def _absent(key: Key, group: _Judged, lengths: Mapping[str, int]) -> list[ScoreRow]:
    """Return rows of NaN for the turns of the benchmark that were not judged."""
    model, judge = key
    rows = []
    for dialog_id, length in lengths.items():
        for dimension in group.dimensions:
            stated = {turn for turn, name in group.turns.get(dialog_id, ()) if name == dimension}
            gaps: list[int | None] = [turn for turn in range(1, length + 1) if turn not in stated]
            if n_unknown := group.unknown[dialog_id, dimension]:
                gaps = [None] * max(0, len(gaps) - n_unknown)
            rows += [
                ScoreRow(
                    model,
                    judge,
                    dialog_id,
                    turn,
                    dimension,
                    math.nan,
                    group.file,
                    "",
                    group.synthetic,
                )
                for turn in gaps
            ]
    return rows
