"""Checks of frames that users pass, which may come from a notebook's merge or a CSV file instead of a loader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmdu_analysis.io.cells import dialog_ids
from mmdu_analysis.schema import LABEL, DataError, Rubric

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_MANY = 10
"""Minimum number of scores whose range is used to check the scale, as in `load_scores`."""


def text_keys(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with ``dialog_id`` as text and ``turn`` as whole numbers; NA stays NA.

    Ids that pandas converted to floats (``64.0``) become whole numbers again.

    Raises
    ------
    DataError
        If a turn is not a whole number from 1.
    """
    return _whole_turns(_text_ids(frame))


def check_scores(frame: pd.DataFrame, rubric: Rubric, by: Sequence[str] = ()) -> pd.DataFrame:
    """Return a frame of scores with numbers as scores.

    Parameters
    ----------
    frame : pandas.DataFrame
        With the columns of `load_scores`, after `text_keys`.
    rubric : Rubric
        With the scale.
    by : sequence of str, optional
        Columns that distinguish rows of the same turn, such as merged ones.

    Returns
    -------
    pandas.DataFrame
        The same rows.

    Raises
    ------
    DataError
        If scores are not numbers on the scale of the rubric, a name is missing, or a judgement has several
        rows.
    """
    for name in ("model", "judge", "dimension"):
        if n_missing := int(frame[name].isna().sum()):
            raise DataError(
                f"{name} is missing in {n_missing:,} of {len(frame):,} rows of scores; fill it in"
            )
    frame = _numbers(frame)
    _check_scale(frame, rubric)
    keys = [*dict.fromkeys([*by, "model", "judge", "dialog_id", "turn", "dimension"])]
    judged = frame.assign(repeat=frame["repeat"].fillna(1)) if "repeat" in frame else frame
    twice = judged.duplicated([*keys, *(["repeat"] if "repeat" in frame else [])])
    twice &= frame["turn"].notna() & frame["dialog_id"].notna()
    if n_twice := int(twice.sum()):
        row = frame.loc[twice.to_numpy()].iloc[0]
        raise DataError(
            f"{n_twice:,} of {len(frame):,} rows score a turn again, such as turn {row['turn']} of dialogue "
            f"{row['dialog_id']!r} ({row['model']}, {row['judge']}, {row['dimension']}); drop the duplicates, or number "
            "repeated judgements in a column 'repeat'"
        )
    return frame


def check_labels(correct: pd.Series) -> pd.Series:
    """Return labels as 0.0 and 1.0; NaN stays NaN.

    Raises
    ------
    DataError
        If there is another value.
    """
    import pandas as pd

    numbers = pd.to_numeric(correct.astype(object), errors="coerce").astype("float64")
    wrong = correct.notna() & ~numbers.isin([0, 1])
    if wrong.any():
        raise DataError(
            f"correct is {str(correct[wrong].iloc[0])!r} in {int(wrong.sum()):,} rows, expected 0 or 1"
        )
    return numbers


def one_per_turn(frame: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return a frame of turns, or of models' answers to them, after `text_keys`.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``dialog_id``, ``turn``, and ``model`` if rows belong to models.
    what : str
        Its name in messages.

    Raises
    ------
    DataError
        If a name or a number is missing, or a turn has several rows: the turn would count several times.
    """
    keys = [name for name in ("model", "dialog_id", "turn") if name in frame]
    frame = text_keys(frame)
    for name in keys:
        if n_missing := int(frame[name].isna().sum()):
            raise DataError(f"{what}: {name} is missing in {n_missing:,} of {len(frame):,} rows")
    twice = frame.duplicated(keys)
    if n_twice := int(twice.sum()):
        first = ", ".join(f"{name} {frame.loc[twice.to_numpy(), name].iloc[0]}" for name in keys)
        raise DataError(
            f"{what}: {n_twice:,} of {len(frame):,} rows repeat a turn, such as {first}; drop the duplicates"
        )
    return frame


def _text_ids(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    ids = frame["dialog_id"]
    if isinstance(ids.dtype, pd.CategoricalDtype):
        ids = ids.astype(ids.cat.categories.dtype)
    if pd.api.types.is_float_dtype(ids) or ids.dtype == object:
        ids = ids.map(_whole, na_action="ignore")
    texts = ids.astype("str")
    known = texts.dropna()
    if len(known) and known.iloc[0].endswith(".0"):  # the text of a float, if all are
        unique = pd.Index(known.unique())
        texts = texts.map(dict(zip(unique, dialog_ids(list(unique)), strict=True))).astype("str")
    return frame if texts is frame["dialog_id"] else frame.assign(dialog_id=texts)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whole_turns(frame: pd.DataFrame) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    if "turn" not in frame:
        return frame
    turns = frame["turn"]
    if not pd.api.types.is_integer_dtype(turns):
        numbers = pd.to_numeric(turns.astype(object), errors="coerce").astype("float64")
        wrong = (turns.notna() & numbers.isna()) | (numbers.notna() & (numbers % 1 != 0))
        if wrong.any():
            raise DataError(f"turn is {str(turns[wrong].iloc[0])!r}, expected whole numbers from 1")
        turns = pd.Series(pd.array(np.where(numbers.isna(), np.nan, numbers), dtype="Float64"), frame.index)
        frame = frame.assign(turn=turns.astype("Int64"))
    if n_low := int((frame["turn"] < 1).fillna(False).sum()):
        raise DataError(
            f"turn is below 1 in {n_low:,} rows, expected turns counted from 1; add 1 to the column"
        )
    return frame


def _numbers(frame: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    scores = frame["score"]
    if pd.api.types.is_numeric_dtype(scores) and not pd.api.types.is_bool_dtype(scores):
        return frame
    numbers = pd.to_numeric(scores.astype(object), errors="coerce").astype("float64")
    wrong = scores.notna() & numbers.isna()
    if wrong.any():
        raise DataError(
            f"score is {str(scores[wrong].iloc[0])!r} in {int(wrong.sum()):,} rows, expected a number"
        )
    return frame.assign(score=numbers)


def _check_scale(frame: pd.DataFrame, rubric: Rubric) -> None:
    import numpy as np

    low, high = rubric.scale
    values = frame["score"].to_numpy(float, na_value=np.nan)
    outside = values[(values < low) | (values > high)]
    if len(outside):
        raise DataError(
            f"{len(outside):,} of {len(values):,} scores are outside the scale {low:g}-{high:g} of the rubric "
            f"{rubric.name}, such as {outside[0]:g}; convert them, make missing ones NaN, or pass the rubric of their scale"
        )
    judged = values[~np.isnan(values) & (frame["dimension"] != LABEL).to_numpy(bool)]
    if _are_shares(judged, low, high):
        raise DataError(
            f"all {len(judged):,} scores are at most {judged.max():g} on the scale {low:g}-{high:g} of the rubric; they look "
            "like shares; multiply them, or pass the rubric of their scale"
        )


def _are_shares(values: np.ndarray, low: float, high: float) -> bool:
    limit = low + (high - low) / 10
    return len(values) >= _MANY and limit <= 1 and bool(values.max() <= limit and (values % 1 != 0).any())
