"""Load judges' scores: the authors' folders, VLMEvalKit's tables, tidy tables, a person's labels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io import files
from mmdu_analysis.io.answers import model_files
from mmdu_analysis.io.judge_reply import parse_judge_reply, read_score
from mmdu_analysis.schema import (
    DIMENSION_NAMES,
    SCORE_COLUMNS,
    SHORT_NAMES,
    DataError,
    Problem,
    report,
    short_path,
)

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

Row = tuple[str, str, str | None, int | None, str, float, str, str]
"""The columns of a frame of scores, then the file and the place where the score stands."""
CORRECT = "Correct"
"""The dimension of a person's 0/1 labels, as scores 0 and 10."""


@dataclass
class _Extras:
    """What some files tell beside scores.

    Attributes
    ----------
    images : dict
        ``(dialog_id, turn)`` -> the images that a person says the turn is about.
    reasons : dict
        ``(file, place)`` -> the judge's reason.
    repeats : dict
        ``(file, place)`` -> which of several judgements of the turn it is, from 1.
    synthetic : bool
        True where a file is marked as made up.
    """

    images: dict[tuple[str, int], str] = field(default_factory=dict)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    repeats: dict[tuple[str, str], int] = field(default_factory=dict)
    synthetic: bool = False


def load_scores(
    path: str | Path | Sequence[str | Path],
    model: str | None = None,
    judge: str | None = None,
    benchmark: Benchmark | None = None,
    *,
    allow_pickle: bool = False,
    strict: bool = False,
) -> pd.DataFrame:
    """Load scores as one long frame.

    Parameters
    ----------
    path : str or path, or several
        The authors' folder (``{id}.json`` in it or in sub-folders such as ``0-10``), a folder of such
        folders (one a model), VLMEvalKit's ``*_score.csv`` or ``.pkl``, a tidy table with this
        function's columns, or a table of labels (``model, dialog_id, turn, correct``). Several models may be
        several folders.
    model, judge : str, optional
        Names, which hold whatever the files say. By default what they say, else the folder's or file's
        name, and ``"judge"``.
    benchmark : Benchmark, optional
        Says how many turns each dialogue has. Without it the authors' files can't tell which turn a
        score belongs to.
    allow_pickle : bool, default False
        Read VLMEvalKit's ``.pkl``. A pickle executes code: only for files that you made yourself.
    strict : bool, default False
        Raise the first problem instead of collecting them.

    Returns
    -------
    pandas.DataFrame
        One row a model, judge, turn and dimension: ``model``, ``judge``, ``dialog_id``, ``turn`` (NA
        where the file can't tell), ``dimension``, ``score`` (0-10, NaN where missing). Labels that say
        which images a turn is about keep them in a column ``images``; where files hold the judge's reasons
        (whole replies as texts, or a key ``reason``), they stand in a column ``reason``; where a turn was judged
        several times (``mmdu judge --repeat``), a column ``repeat`` counts from 1.
        ``attrs["problems"]`` holds what could not be used, ``attrs["synthetic"]`` is True where files are
        marked as made up.

    Raises
    ------
    DataError
        If there is no usable score, or with `strict` at the first problem.

    Notes
    -----
    In the authors' files a turn whose judging failed is simply absent. A list that is as long as
    its dialogue gives the turn by position; for a shorter one ``turn`` is NA for the whole
    dialogue, since guessing would shift every later score, and a row of NaN stands for each absent
    turn.
    """
    paths = [Path(item).expanduser() for item in ([path] if isinstance(path, str | Path) else path)]
    problems: list[Problem] = []
    rows: list[Row] = []
    extras = _Extras()
    for one in paths:
        if files.has_suffix(one, (".pkl", ".pickle")):
            found = _pickle_rows(one, model or files.stem(one), judge or "judge", allow_pickle, problems)
        elif files.has_suffix(one, files.TABLE_SUFFIXES):
            found = _table_rows(one, model, judge, problems, extras)
        else:
            found = _folder_rows(one, model, judge, benchmark, problems, extras)
        before = len(rows)
        rows += found
        if all(math.isnan(row[5]) for row in rows[before:]):
            hint = f"; the first fault: {problems[0]}" if problems else ""
            raise DataError(f"{short_path(one)}: no usable score, expected lists of judged turns{hint}")
    frame = _frame(rows, problems, extras)
    frame.attrs["synthetic"] = extras.synthetic
    if extras.images:
        keys = zip(frame["dialog_id"], frame["turn"], strict=True)
        frame["images"] = [extras.images.get(key) for key in keys]
        frame = frame.astype({"images": "str"})
    report(problems, strict=strict, advice='scores.attrs["problems"]')
    return frame


def _folder_rows(
    path: Path,
    model: str | None,
    judge: str | None,
    benchmark: Benchmark | None,
    problems: list[Problem],
    extras: _Extras,
) -> list[Row]:
    lengths = dict(benchmark.dialogs["n_turns"]) if benchmark is not None else {}
    rows: list[Row] = []
    seen: set[tuple[str, str]] = set()
    for name, file in model_files(path, model):
        dialog_id, where = files.stem(file), short_path(file)
        if (name, dialog_id) in seen:
            problems.append(
                Problem(where, "", f"dialogue {dialog_id!r} of {name} stands twice; the first is kept")
            )
            continue
        seen.add((name, dialog_id))
        entries = _entries(file, problems)
        turns = _turn_numbers(entries, lengths.get(dialog_id), where, problems)
        for number, (turn, entry) in enumerate(zip(turns, entries, strict=True)):
            found = _read_entry(entry, where, f"$[{number}]", problems)
            place = (where, f"$[{number}]")
            by = _remember(entry, place, extras, judge)
            rows += [(name, by, dialog_id, turn, dim, found[dim], *place) for dim in DIMENSION_NAMES]
        if entries:
            stated = {turn for turn in turns if turn is not None}
            rows += _absent_rows(name, by, dialog_id, stated, len(entries), lengths, where)
    if rows and benchmark is None and all(row[3] is None for row in rows):
        text = "the files don't say which turn a score belongs to; give benchmark= to know it where all are there"
        problems.append(Problem(short_path(path), "", text))
    return rows


def _remember(entry: Any, place: tuple[str, str], extras: _Extras, judge: str | None) -> str:
    """Keep what an entry tells beside its scores; give the judge: the one asked for, else the entry's."""
    if isinstance(entry, str) and entry.strip():
        extras.reasons[place] = entry
    if not isinstance(entry, dict):
        return judge or "judge"
    reason, repeat, stated = (entry.get(key) for key in ("reason", "repeat", "judge"))
    if isinstance(reason, str) and reason.strip():
        extras.reasons[place] = reason
    if isinstance(repeat, int) and repeat > 0:
        extras.repeats[place] = repeat
    extras.synthetic |= entry.get("synthetic") is True
    return judge or (stated if isinstance(stated, str) and stated else "judge")


def _absent_rows(
    model: str,
    judge: str,
    dialog_id: str,
    stated: set[int],
    n_entries: int,
    lengths: Mapping[Any, int],
    where: str,
) -> list[Row]:
    """Give rows of NaN for the turns that weren't judged: their numbers where the file states the others'."""
    length = lengths.get(dialog_id, 0)
    turns: list[int | None] = [turn for turn in range(1, length + 1) if turn not in stated]
    if not stated:
        turns = [None] * max(0, length - n_entries)
    return [
        (model, judge, dialog_id, turn, dim, math.nan, where, "") for turn in turns for dim in DIMENSION_NAMES
    ]


def _entries(file: Path, problems: list[Problem]) -> list[Any]:
    """Read one file of the authors' form: a list with one dict a judged turn."""
    try:
        value = files.decode_loosely(files.read_bytes(file))
    except DataError as error:
        problems.append(Problem(short_path(file), "", str(error).partition(": ")[2]))
        return []
    except (ValueError, RecursionError):
        problems.append(Problem(short_path(file), "", "not valid JSON; the file is left out"))
        return []
    if isinstance(value, dict) and isinstance(value.get("scores"), list):
        value = value["scores"]
    if not isinstance(value, list):
        text = (
            f"got {type(value).__name__}, expected a list with one dict a judged turn; the file is left out"
        )
        problems.append(Problem(short_path(file), "$", text))
        return []
    if not value:
        problems.append(Problem(short_path(file), "$", "an empty list; no turn was judged"))
    return value


def _turn_numbers(
    entries: list[Any], length: int | None, where: str, problems: list[Problem]
) -> list[int | None]:
    """Say which turn each entry is, if the file or the dialogue's length tells."""
    stated = [entry.get("turn") if isinstance(entry, dict) else None for entry in entries]
    if entries and all(isinstance(turn, int) and turn > 0 for turn in stated):
        return stated
    if length is None:
        return [None] * len(entries)
    if len(entries) == length:
        return list(range(1, length + 1))
    if entries:
        text = (
            f"{len(entries)} judged turns for a dialogue of {length}; which are absent is unknown, turn is NA"
        )
        problems.append(Problem(where, "$", text))
    return [None] * len(entries)


def _read_entry(entry: Any, file: str, where: str, problems: list[Problem]) -> dict[str, float]:
    """Read one judged turn: a dict of scores, or the judge's whole reply as text."""
    empty = dict.fromkeys(DIMENSION_NAMES, math.nan)
    if isinstance(entry, str):
        reply = parse_judge_reply(entry)
        if reply.problem:
            problems.append(Problem(file, where, reply.problem))
        return empty | reply.scores
    if not isinstance(entry, dict):
        problems.append(
            Problem(file, where, f"got {type(entry).__name__}, expected a dict of scores; it is NaN")
        )
        return empty
    found, faults = read_dimensions(entry)
    if faults:
        problems.append(Problem(file, where, "; ".join(faults)))
    return empty | found


def read_dimensions(entry: Mapping[Any, Any]) -> tuple[dict[str, float], list[str]]:
    """Read the seven dimensions from a dict whose keys may differ in case or underscores.

    Parameters
    ----------
    entry : mapping
        Dimension name -> number or text.

    Returns
    -------
    tuple of (dict of str to float, list of str)
        The scores that are good, and what is wrong with the others.
    """
    known = {re.sub(r"[\s_-]+", " ", str(key)).strip().lower(): value for key, value in entry.items()}
    found, faults = {}, []
    for name in DIMENSION_NAMES:
        value = known.get(name.lower())
        if name == "Overall Score" and value is None:
            value = known.get("overall")
        number, fault = read_score(value)
        if number is None:
            faults.append(f"{name} {fault}")
        else:
            found[name] = number
    return found, faults


def _table_rows(
    path: Path,
    model: str | None,
    judge: str | None,
    problems: list[Problem],
    extras: _Extras,
) -> list[Row]:
    """Tell the three kinds of tables apart by their columns."""
    table = files.read_table(path)
    columns = {str(column).lower(): column for column in table.columns}
    if "set" in columns:
        return _vlmeval_summary(table, path, model or files.stem(path), judge or "judge", problems)
    if {"dialog_id", "turn", "correct"} <= columns.keys():
        return list(_label_rows(table, path, model, judge or "person", problems, extras))
    if {"dialog_id", "dimension", "score"} <= columns.keys():
        return list(_tidy_rows(table, path, model, judge, problems))
    raise DataError(
        f"{short_path(path)}: got columns {list(table.columns)[:8]}, expected {list(SCORE_COLUMNS)}, "
        "VLMEvalKit's 'set' with the dimensions, or labels with dialog_id, turn, correct"
    )


def _vlmeval_summary(
    table: pd.DataFrame, path: Path, model: str, judge: str, problems: list[Problem]
) -> list[Row]:
    """VLMEvalKit's rows ``all`` and ``valid`` (0-100): one score a dimension, no turns, no dialogues."""
    rows: list[Row] = []
    for number, entry in enumerate(table.to_dict("records"), 2):
        cells = {key: _tenth(value) for key, value in entry.items()}
        found, faults = read_dimensions(cells)
        if faults:
            problems.append(Problem(short_path(path), f"row {number}", "; ".join(faults)))
        label = f"{model} ({entry.get('set')})"
        place = (short_path(path), f"row {number}")
        rows += [
            (label, judge, None, None, name, found.get(name, math.nan), *place) for name in DIMENSION_NAMES
        ]
    text = "a summary of VLMEvalKit's: one number a dimension, no dialogues, so no interval can be given"
    problems.append(Problem(short_path(path), "", text))
    return rows


def _tenth(value: Any) -> Any:
    try:
        return float(value) / 10
    except (TypeError, ValueError):
        return value


def _whole(value: Any) -> int | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() and number > 0 else None


def _tidy_rows(
    table: pd.DataFrame, path: Path, model: str | None, judge: str | None, problems: list[Problem]
) -> Iterator[Row]:
    names = {short.lower(): name for name, short in SHORT_NAMES.items()} | {
        n.lower(): n for n in DIMENSION_NAMES
    }
    for number, row in enumerate(table.to_dict("records"), 2):
        score, fault = read_score(row["score"])
        if score is None and fault != "is missing":
            problems.append(Problem(short_path(path), f"row {number}", f"score {fault}; it is NaN"))
        turn = _whole(row.get("turn"))
        if turn is None and str(row.get("turn", "")).strip() not in ("", "NA", "nan"):
            problems.append(Problem(short_path(path), f"row {number}", f"turn is {row['turn']!r}; it is NA"))
        dimension = names.get(str(row["dimension"]).lower(), str(row["dimension"]))
        yield (
            model or row.get("model") or files.stem(path),
            judge or row.get("judge") or "judge",
            str(row["dialog_id"]),
            turn,
            dimension,
            math.nan if score is None else score,
            short_path(path),
            f"row {number}",
        )


def _label_rows(
    table: pd.DataFrame,
    path: Path,
    model: str | None,
    judge: str,
    problems: list[Problem],
    extras: _Extras,
) -> Iterator[Row]:
    for number, row in enumerate(table.to_dict("records"), 2):
        turn = _whole(row["turn"])
        label = row["correct"].strip()
        if turn is None or label not in ("0", "1"):
            text = f"turn {row['turn']!r}, correct {label!r}: expected a whole turn and 0 or 1; the row is left out"
            problems.append(Problem(short_path(path), f"row {number}", text))
            continue
        if str(row.get("images", "")).strip():
            extras.images.setdefault((str(row["dialog_id"]), turn), str(row["images"]))
        yield (
            model or row.get("model") or files.stem(path),
            judge,
            str(row["dialog_id"]),
            turn,
            CORRECT,
            10.0 * int(label),
            short_path(path),
            f"row {number}",
        )


def _pickle_rows(
    path: Path, model: str, judge: str, allow_pickle: bool, problems: list[Problem]
) -> Iterable[Row]:
    """VLMEvalKit's pickle: ``{index: {"res": frame with one row a turn}}``."""
    if not allow_pickle:
        raise DataError(
            f"{short_path(path)}: a pickle executes code when it is read; pass allow_pickle=True only if you made "
            "it yourself, or give VLMEvalKit's *_score.csv"
        )
    import pandas as pd

    try:
        content = pd.read_pickle(path)  # noqa: S301 - the caller vouched for the file
    except Exception as error:  # a damaged pickle raises anything
        raise DataError(f"{short_path(path)}: not a readable pickle ({error})") from None
    if not isinstance(content, dict):
        raise DataError(
            f"{short_path(path)}: got {type(content).__name__}, expected VLMEvalKit's dict of results"
        )
    rows: list[Row] = []
    for key, item in content.items():
        result = item.get("res") if isinstance(item, dict) else None
        if not isinstance(result, pd.DataFrame):
            problems.append(Problem(short_path(path), f"[{key!r}]", "no frame under 'res'; it is left out"))
            continue
        for turn, entry in enumerate(result.to_dict("records"), 1):
            found = _read_entry(entry, short_path(path), f"[{key!r}], turn {turn}", problems)
            place = (short_path(path), f"[{key!r}], turn {turn}")
            rows += [(model, judge, str(key), turn, name, found[name], *place) for name in DIMENSION_NAMES]
    return rows


def _frame(rows: list[Row], problems: list[Problem], extras: _Extras) -> pd.DataFrame:
    """Make the frame; of a turn that is scored twice the first score is kept, the other told with its place."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=[*SCORE_COLUMNS, "_file", "_where"])
    text = dict.fromkeys(("model", "judge", "dialog_id", "dimension"), "str")
    frame = frame.astype(text | {"turn": "Int64", "score": "float64"})
    columns = list(SCORE_COLUMNS)
    places = list(zip(frame["_file"], frame["_where"], strict=True))
    if extras.repeats:
        frame["repeat"] = pd.array([extras.repeats.get(place, 1) for place in places], dtype="int64")
        columns.append("repeat")
    if extras.reasons:
        frame["reason"] = pd.array([extras.reasons.get(place) for place in places], dtype="str")
        columns.append("reason")
    keys = [column for column in columns if column not in ("score", "reason")]
    twice = frame["turn"].notna() & frame.duplicated(keys)
    for (file, where), part in frame.loc[twice].groupby(["_file", "_where"], sort=False):
        row = part.iloc[0]
        dimension = row["dimension"] if len(part) == 1 else f"{len(part)} dimensions"
        told = f"turn {row['turn']} of dialogue {row['dialog_id']!r} ({row['model']}, {dimension}) is scored twice"
        problems.append(Problem(str(file), str(where), f"{told}; the first is kept"))
    frame = frame.loc[~twice, columns].reset_index(drop=True)
    frame.attrs["problems"] = tuple(problems)
    return frame
