"""Questions by the number of models that answer them right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.schema import LABEL, MMDU, DataError, Rubric
from mmdu_analysis.stats.scores import as_scores

if TYPE_CHECKING:
    import pandas as pd


def question_difficulty(labels: pd.DataFrame, *, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Count the models that answer each question right.

    Parameters
    ----------
    labels : pandas.DataFrame
        Right/wrong labels (dimension ``Correct``) of two models or more.
    rubric : Rubric, optional
        The rubric that the labels were loaded with.

    Returns
    -------
    pandas.DataFrame
        One row per question with labels of all models: ``dialog_id``, ``turn``, ``n_right`` (models),
        ``n_models``, ``n_dropped`` (questions with labels of only some models, the same in all rows),
        ``synthetic``.

    Raises
    ------
    DataError
        If there are no labels, fewer than two models, or no question with labels of all models.

    Examples
    --------
    >>> from mmdu_analysis import load_published
    >>> questions = question_difficulty(load_published("correctness"))
    >>> bool(questions["n_right"].between(0, questions["n_models"]).all())
    True
    """
    scores = as_scores(labels, rubric=rubric)
    kept = scores.loc[scores["dimension"] == LABEL].dropna(subset=["score", "dialog_id", "turn"])
    n_models = kept["model"].nunique()
    if n_models < 2:
        raise DataError(f"got right/wrong labels of {n_models} models, expected two or more")
    middle = sum(rubric.scale) / 2
    cells = kept.groupby(["dialog_id", "turn", "model"], observed=True, sort=False)
    by_model = cells.agg(score=("score", "mean"), synthetic=("synthetic", "any")).reset_index()
    by_model["right"] = by_model["score"] > middle
    questions = by_model.groupby(["dialog_id", "turn"], sort=False).agg(
        n_right=("right", "sum"), n_models=("model", "size"), synthetic=("synthetic", "any")
    )
    shared = questions.loc[questions["n_models"] == n_models].reset_index()
    if shared.empty:
        raise DataError("no question has a label of all models")
    shared["n_right"] = shared["n_right"].astype("int64")
    shared = shared.assign(n_dropped=len(questions) - len(shared))
    return shared[["dialog_id", "turn", "n_right", "n_models", "n_dropped", "synthetic"]]


def difficulty_table(questions: pd.DataFrame, kinds: pd.DataFrame | None = None) -> pd.DataFrame:
    """Count questions by the number of models that answer them right, and by kind.

    Parameters
    ----------
    questions : pandas.DataFrame
        From `question_difficulty`.
    kinds : pandas.DataFrame, optional
        ``dialog_id``, ``turn``, ``kind``; a question that is missing has the kind ``unknown``.

    Returns
    -------
    pandas.DataFrame
        One row per kind and number: ``kind`` (``all`` without `kinds`), ``n_right``, ``count``, ``percent``
        (0-100, of all questions), ``n_models``, ``n_questions``, ``n_dropped``, ``synthetic``.
    """
    keys = ["dialog_id", "turn"]
    if kinds is None:
        named = questions.assign(kind="all")
    else:
        known = kinds[[*keys, "kind"]].drop_duplicates(keys).astype({"turn": "Int64"})
        named = questions.astype({"turn": "Int64"}).merge(known, on=keys, how="left")
        named["kind"] = named["kind"].fillna("unknown")
    n_models = int(questions["n_models"].iloc[0])
    counts = named.groupby(["kind", "n_right"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=range(n_models + 1), fill_value=0)
    frame = counts.reset_index().melt("kind", var_name="n_right", value_name="count")
    frame = frame.sort_values(["kind", "n_right"], ignore_index=True).astype({"n_right": "int64"})
    frame["percent"] = 100 * frame["count"] / len(named)
    return frame.assign(
        n_models=n_models,
        n_questions=len(named),
        n_dropped=int(questions["n_dropped"].iloc[0]),
        synthetic=bool(questions["synthetic"].any()),
    )
