"""Select turns by conditions, such as: model A is wrong, model B is right, late turns, two images."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataError, Rubric, is_synthetic
from mmdu_analysis.stats.references import images_by_row
from mmdu_analysis.stats.scores import as_scores, only_dimension

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

Condition = float | str | tuple[float, float]
"""A number, a comparison such as ``">0.67"``, or lowest and highest value, both included."""

_OPERATORS: dict[str, Callable[[pd.Series, float], pd.Series]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
    "": operator.eq,
}
_COMPARISON = re.compile(r"\s*(>=|<=|==|!=|>|<|)\s*(-?\d{1,9}(?:\.\d{1,9})?)\s*")
_KEYS = ["dialog_id", "turn"]


def turn_facts(benchmark: Benchmark) -> pd.DataFrame:
    """Return the properties of turns that filters use.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.

    Returns
    -------
    pandas.DataFrame
        One row per turn, in the order of ``benchmark.turns``: ``dialog_id``, ``turn``, ``n_images`` (images
        that the question is about), ``progress`` (turn / last turn of the dialogue, 0-1), ``distance`` (turns
        since the first of these images was shown, Float64, NA for a question about no image).
    """
    import numpy as np
    import pandas as pd

    rows, images = images_by_row(benchmark)
    turns, shown = benchmark.turns, benchmark.images
    ids = benchmark.dialogs.index.astype("str")
    dialog = ids.get_indexer(turns["dialog_id"].astype("str"))
    asked = pd.DataFrame({"_dialog": dialog[rows], "image": images, "_row": rows})
    first = shown[["image", "first_turn"]].assign(_dialog=ids.get_indexer(shown["dialog_id"].astype("str")))
    first_turns = asked.merge(first, on=["_dialog", "image"], how="left").groupby("_row")["first_turn"].min()
    facts = turns[_KEYS].reset_index(drop=True)
    distance = facts["turn"] - first_turns.reindex(facts.index).astype("Float64")
    return facts.assign(
        n_images=np.bincount(rows, minlength=len(facts)),
        progress=facts["turn"] / facts["dialog_id"].map(benchmark.dialogs["n_turns"]),
        distance=distance.clip(lower=0),
    )


def matches(values: pd.Series, condition: Condition, name: str) -> pd.Series:
    """Return a mask of the values that meet a condition; missing values don't.

    Parameters
    ----------
    values : pandas.Series
        Numbers.
    condition : float, str or tuple of float
        ``2``, ``">0.67"``, ``"<=3"``, or ``(least, most)``.
    name : str
        Name of the argument, for the message.

    Returns
    -------
    pandas.Series of bool

    Raises
    ------
    DataError
        If the condition can't be read.
    """
    text = "" if isinstance(condition, tuple) else str(condition)
    if isinstance(condition, tuple) and len(condition) == 2:
        return values.between(*condition).fillna(False).astype(bool)
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise DataError(
            f"{name} is {condition!r}, expected a number, a comparison such as '>0.67', or (least, most)"
        )
    mask = _OPERATORS[found[1]](values, float(found[2])).fillna(False).astype(bool)
    return mask & values.notna()


def turns_where(
    scores: pd.DataFrame,
    benchmark: Benchmark,
    *,
    wrong: str | None = None,
    right: str | None = None,
    above: str | None = None,
    below: str | None = None,
    points: float = 0.0,
    threshold: float = 50.0,
    n_images: Condition | None = None,
    progress: Condition | None = None,
    distance: Condition | None = None,
    turn: Condition | None = None,
    dimension: str | None = None,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Return the turns that meet all conditions, for ``browse(..., where=...)``.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, or labels (``correct``, 0 or 1). Several judges of a turn are averaged.
    benchmark : Benchmark
        The dialogues.
    wrong, right : str, optional
        Models whose score is below `threshold`, or at least `threshold`. With labels: wrong and right.
    above, below : str, optional
        Models: the score of `above` is at least `points` higher than the score of `below`.
    points : float, default 0.0
        Points on 0-100.
    threshold : float, default 50.0
        Points on 0-100.
    n_images : number, str or tuple, optional
        Images that the question is about: ``2``, ``">=2"``, ``(2, 3)``.
    progress : number, str or tuple, optional
        Turn / last turn of the dialogue: ``">0.67"`` for the last third.
    distance : number, str or tuple, optional
        Turns since the first of the images that the question is about was shown.
    turn : number, str or tuple, optional
        Number of the turn.
    dimension : str, optional
        By default the overall score, or the only dimension.
    rubric : Rubric, default MMDU
        Of the scores.

    Returns
    -------
    pandas.DataFrame
        One row per turn, in the order of the benchmark: ``dialog_id``, ``turn``, ``n_images``, ``progress``,
        ``distance``, a column ``score_MODEL`` (0-100) for each model that was named, ``synthetic``.

    Raises
    ------
    DataError
        If a model has no scores, or a condition can't be read.

    See Also
    --------
    turns_behind : The turns behind a point of a figure.

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> found = mmdu.turns_where(
    ...     mmdu.sample_scores(), mmdu.load_benchmark("sample"), wrong="open-B", right="closed-A", n_images=2
    ... )
    >>> found.columns.tolist()[:3]
    ['dialog_id', 'turn', 'n_images']
    """
    facts = turn_facts(benchmark)
    mask = facts["turn"] > 0
    conditions = {"n_images": n_images, "progress": progress, "distance": distance, "turn": turn}
    for name, condition in conditions.items():
        if condition is not None:
            mask &= matches(facts[name], condition, name)
    if (above is None) != (below is None):
        raise DataError("above and below are models to compare; got only one of them, expected both")
    named = list(dict.fromkeys(model for model in (wrong, right, above, below) if model is not None))
    table = model_scores(scores, named, dimension, rubric) if named else None
    for model in named:
        facts[f"score_{model}"] = _aligned(table, model, facts)
    percent = {model: facts[f"score_{model}"].to_numpy() for model in named}
    if wrong is not None:
        mask &= percent[wrong] < threshold
    if right is not None:
        mask &= percent[right] >= threshold
    if above is not None and below is not None:
        mask &= percent[above] - percent[below] >= points
    selected = facts.loc[mask].reset_index(drop=True)
    return selected.assign(synthetic=is_synthetic(scores, benchmark.turns) or bool(benchmark.synthetic))


def model_scores(scores: pd.DataFrame, models: list[str], dimension: str | None, rubric: Rubric) -> pd.Series:
    """Return the mean score of each turn and model, over judges.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, or labels.
    models : list of str
        Models that must have scores.
    dimension : str or None
        By default the overall score.
    rubric : Rubric
        Of the scores.

    Returns
    -------
    pandas.Series
        0-100, with index ``model``, ``dialog_id``, ``turn``.

    Raises
    ------
    DataError
        If a model has no scores.
    """
    kept = only_dimension(as_scores(scores, rubric=rubric), dimension, rubric).dropna(
        subset=["score", "turn"]
    )
    have = kept["model"].unique().tolist()
    for model in models:
        if model not in have:
            raise DataError(f"no scores of the model {model!r}; expected one of {have[:20]}")
    kept = kept.astype({"dialog_id": "str", "turn": "int64"})
    means = kept.groupby(["model", *_KEYS], observed=True)["score"].mean()
    return rubric.to_percent(means)


def _aligned(table: pd.Series, model: str, facts: pd.DataFrame) -> np.ndarray:
    import pandas as pd

    return table.loc[model].reindex(pd.MultiIndex.from_frame(facts[_KEYS])).to_numpy()
