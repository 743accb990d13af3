"""Plausible noise of differences between scores that are published without errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataError, Rubric

if TYPE_CHECKING:
    import pandas as pd


def noise_of_questions(score: pd.Series, n_questions: int, *, ci: float = 0.95) -> pd.Series:
    """Return the random difference of two equally good models on questions that are right or wrong.

    Parameters
    ----------
    score : pandas.Series
        Percentage of right answers (0-100).
    n_questions : int
        Number of questions, answered independently by both models.
    ci : float, default 0.95
        Share of tests in which the difference is smaller.

    Returns
    -------
    pandas.Series
        Half width of the range, in points. Answers of related models agree more than by chance, which makes
        the range narrower.

    Examples
    --------
    >>> import pandas as pd
    >>> noise_of_questions(pd.Series([50.0]), 1000).round(2).tolist()
    [4.38]
    """
    from scipy.stats import norm

    if n_questions < 1:
        raise DataError(f"n_questions is {n_questions}, expected one or more")
    share = score.astype(float) / 100
    return 100 * float(norm.ppf((1 + ci) / 2)) * (2 * share * (1 - share) / n_questions) ** 0.5


def noise_of_labels(labels: pd.DataFrame, *, ci: float = 0.95, rubric: Rubric = MMDU) -> float:
    """Return the random difference of two equally good models, from the labels of several models.

    Parameters
    ----------
    labels : pandas.DataFrame
        Labels or scores of two models or more.
    ci : float, default 0.95
        Share of benchmarks of as many dialogues in which the difference is smaller.
    rubric : Rubric, optional
        The rubric of the scores.

    Returns
    -------
    float
        Half width of the range, in points: the largest standard error of a paired difference of the models,
        clustered by dialogue, times the quantile of the normal distribution.
    """
    from scipy.stats import norm

    from mmdu_analysis.stats.pairs import compare_all_models
    from mmdu_analysis.stats.scores import as_scores

    pairs = compare_all_models(as_scores(labels, rubric=rubric), rubric=rubric)
    return float(norm.ppf((1 + ci) / 2)) * float(pairs["se"].max())
