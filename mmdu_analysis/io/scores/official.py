"""The authors' form: ``{id}.json``, a list with one entry for each judged turn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdu_analysis.io import files
from mmdu_analysis.io.cells import whole_number
from mmdu_analysis.io.judge_reply import parse_judge_reply
from mmdu_analysis.io.replies.literals import Literal, Pairs
from mmdu_analysis.io.replies.names import names_of
from mmdu_analysis.io.replies.statements import structure_statements
from mmdu_analysis.io.scores.rows import ScoreRow, Source, name_or, text_or_none, turn_of
from mmdu_analysis.schema import DataError, Rubric, short_path

CURE = "write null for a turn that was not judged, or a 'turn' key in every entry, to keep the turn numbers"


def read_entries(path: Path, source: Source) -> list[Any]:
    """Return the entries of one file; what can't be decoded is a problem."""
    name = short_path(path)
    try:
        value = files.decode_loosely(files.read_bytes(path))
    except DataError as error:
        source.report(name, "", str(error).removeprefix(f"{name}: "))
        return []
    except (ValueError, RecursionError):
        source.report(name, "", "not valid JSON; the file is left out")
        return []
    if isinstance(value, dict) and isinstance(value.get("scores"), list):
        value = value["scores"]
    if not isinstance(value, list):
        type_name = type(value).__name__
        source.report(
            name,
            "$",
            f"got {type_name}, expected a list with a dict of scores for each judged turn; the file is left out",
        )
        return []
    if not value:
        source.report(name, "$", "an empty list; no turn was judged", files.stem(path))
    return value


def official_rows(path: Path, model: str, entries: list[Any], source: Source) -> list[ScoreRow]:
    """Return the rows of one dialogue.

    Parameters
    ----------
    path : pathlib.Path
        The file; its name is the dialogue.
    model : str
        The model that was judged.
    entries : list
        A dict of scores, a judge's whole reply as text, or None for a turn that was not judged.
    source : Source
        The requested names and rubric.

    Returns
    -------
    list of ScoreRow
        One for each entry and dimension. ``turn`` is the position only if the list is as long as the
        dialogue.
    """
    dialog_id, name = files.stem(path), short_path(path)
    rows: list[ScoreRow] = []
    turns = _turns(entries, dialog_id, name, source)
    for number, (turn, entry) in enumerate(zip(turns, entries, strict=True)):
        if entry is None and turn is None and any(turns):
            continue  # a gap in a list whose other entries state their turns
        where = f"$[{number}]"
        scores, fault = read_entry(entry, source.rubric)
        if fault:
            source.report(name, where, fault, dialog_id, turn)
        extras = entry if isinstance(entry, dict) else {"reason": entry if isinstance(entry, str) else None}
        repeat = whole_number(extras.get("repeat"))
        rows += [
            ScoreRow(
                model,
                source.judge or name_or(extras.get("judge"), "judge"),
                dialog_id,
                turn,
                dimension,
                scores.get(dimension, math.nan),
                name,
                where,
                extras.get("synthetic") is True,
                repeat if repeat else None,
                text_or_none(extras.get("reason")),
                n_lost_images=whole_number(extras.get("n_lost_images")) or 0,
            )
            for dimension in source.rubric.names
        ]
    return rows


def _turns(entries: list[Any], dialog_id: str, name: str, source: Source) -> list[int | None]:
    """Return the turn of each entry if the entries state it or their number equals that of the turns."""
    keyed = [entry for entry in entries if isinstance(entry, dict) and entry.get("turn") is not None]
    if keyed:
        return _stated_turns(entries, dialog_id, name, source)
    length = source.lengths.get(dialog_id)
    if length is None and None in entries:
        return list(
            range(1, len(entries) + 1)
        )  # a null marks an unjudged turn, so the list has one entry for each turn
    if length is None:
        return [None] * len(entries)
    if len(entries) == length:
        return list(range(1, length + 1))
    if entries:
        kind = "judged turns" if len(entries) < length else "entries"
        text = f"{len(entries)} {kind} for a dialogue of {length} turns, so turn is NA; {CURE}"
        source.report(name, "$", text, dialog_id)
    return [None] * len(entries)


def _stated_turns(entries: list[Any], dialog_id: str, name: str, source: Source) -> list[int | None]:
    """Return the stated turns of entries; None unless all entries state them."""
    turns: list[int | None] = []
    for number, entry in enumerate(entries):
        turn, fault = turn_of(entry.get("turn") if isinstance(entry, dict) else None)
        if entry is not None and (turn is None or turn == 0):
            fault = fault or ("turn is 0, expected 1 for the first one" if turn == 0 else "no 'turn' key")
            text = f"{fault}; the turns of this dialogue are unknown"
            source.report(name, f"$[{number}]", text, dialog_id)
            return [None] * len(entries)
        turns.append(turn)
    return turns


def read_entry(entry: Any, rubric: Rubric) -> tuple[dict[str, float], str]:
    """Read one judged turn.

    Parameters
    ----------
    entry : object
        A dict of scores (flat or nested), the judge's whole reply as text, or None: not judged.
    rubric : Rubric
        Dimensions and scale.

    Returns
    -------
    tuple of (dict of str to float, str)
        The scores, and a description of the faults.
    """
    if entry is None:
        return {}, ""
    if isinstance(entry, str):
        reply = parse_judge_reply(entry, rubric=rubric)
        return reply.scores, reply.problem or ""
    if not isinstance(entry, dict):
        return {}, f"got {type(entry).__name__}, expected a dict of scores; it is NaN"
    scores, faults = read_dimensions(entry, rubric)
    stated = entry.get("problem")
    return scores, stated[:200] if faults and isinstance(stated, str) and stated else "; ".join(faults)


def read_dimensions(entry: Mapping[Any, Any], rubric: Rubric) -> tuple[dict[str, float], list[str]]:
    """Return the valid scores of a dict, and the faults of the other dimensions."""
    statements = structure_statements(Literal(_pairs(entry), 0, 0), names_of(rubric), rubric)
    scores: dict[str, float] = {}
    faults = []
    for name in rubric.names:
        found = [statement for statement in statements if statement.dimension == name]
        values = {statement.score for statement in found if statement.score is not None}
        wrong = [statement.fault for statement in found if statement.score is None]
        if len(values) == 1 and not wrong:
            scores[name] = values.pop()
        else:
            faults.append(
                f"{name} {wrong[0] if wrong else 'has several numbers' if values else 'is missing'}"
            )
    return scores, faults


def _pairs(value: Any, depth: int = 0) -> Any:
    """Return a decoded value with its dicts as pairs, to a bounded depth."""
    if isinstance(value, Mapping) and depth < 8:
        return Pairs((str(key), _pairs(item, depth + 1)) for key, item in value.items())
    if isinstance(value, list) and depth < 8:
        return [_pairs(item, depth + 1) for item in value[:1000]]
    return value
