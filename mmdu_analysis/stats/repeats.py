"""The variance of repeated judgements: turns that a judge scored several times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataError, Rubric, require_columns
from mmdu_analysis.stats.resampling import clustered_ratio
from mmdu_analysis.stats.scores import TURN_KEYS, as_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def judge_variance(
    scores: pd.DataFrame, by: str | Sequence[str] = "model", *, ci: float = 0.95, rubric: Rubric = MMDU
) -> pd.DataFrame:
    """Estimate the variance between repeated judgements of the same turn.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, with a column ``repeat``: each turn judged several times.
    by : str or sequence of str, default "model"
        Columns to group by; judges are pooled unless they are among these columns.
    ci : float, default 0.95
        Width of the interval.
    rubric : Rubric, optional
        Dimensions and scale of the scores.

    Returns
    -------
    pandas.DataFrame
        One row per group and dimension: the columns of `by`, ``dimension``, ``n_turns``, ``n_repeats`` (mean
        number of judgements per turn), ``sd_judge`` (standard deviation of one judgement about its turn's
        mean, points on 0-100) with ``se``, ``low``, ``high`` (clustered by dialogue, on the logarithmic
        scale), ``sd_turns`` (between turns, without the variance of judgements), ``reliability`` (share of
        one judgement's variance between turns: the intraclass correlation ICC(1) of Shrout and Fleiss 1979),
        ``reliability_mean`` (of the mean of a turn's judgements, Spearman-Brown), ``n_dialogs``, ``note``,
        ``ci``, ``synthetic``.

    Raises
    ------
    DataError
        If no turn was judged twice.

    Notes
    -----
    This is the variance of decoding: the same judge, prompt and answer, asked again. It does not contain what
    another judge, another prompt or a biased judge would change, so a small value does not show that a
    judge is right.
    """
    import numpy as np

    require_columns(scores, ["repeat"], "scores of repeated judgements")
    scores = as_scores(scores, repeats=True, rubric=rubric)
    names = [by] if isinstance(by, str) else list(by)
    names = [*[name for name in names if name != "dimension"], "dimension"]
    require_columns(scores, names, "scores to be grouped by them")
    kept = scores.dropna(subset=["score", "turn"])
    kept = kept.assign(points=rubric.to_percent(kept["score"].astype(float)))
    turns = _judged_turns(kept, names)
    groups = turns.groupby(names, sort=False, observed=True)
    sums = groups.agg(
        n_turns=("n", "size"),
        judgements=("n", "sum"),
        squares_of_n=("n_squared", "sum"),
        within=("squares", "sum"),
        freedom=("freedom", "sum"),
        total=("total", "sum"),
        synthetic=("synthetic", "any"),
    )
    if not sums["freedom"].any():
        raise DataError("no turn was judged twice; judge each turn at least twice")
    mean = (sums["total"] / sums["judgements"]).rename("mean")
    joined = turns.join(mean, on=names)
    between_squares = (joined["n"] * (joined["total"] / joined["n"] - joined["mean"]) ** 2).groupby(
        groups.ngroup()
    )
    between_squares = between_squares.sum().set_axis(sums.index)
    within = sums["within"] / sums["freedom"].where(sums["freedom"] > 0)
    # Unequal numbers of judgements: the mean number that the variance components of ANOVA use.
    typical = (sums["judgements"] - sums["squares_of_n"] / sums["judgements"]) / (sums["n_turns"] - 1)
    between = ((between_squares / (sums["n_turns"] - 1) - within) / typical).clip(lower=0)
    repeats = sums["judgements"] / sums["n_turns"]
    frame = sums[["n_turns"]].assign(n_repeats=repeats, sd_judge=np.sqrt(within))
    errors = _errors(turns, groups.ngroup().to_numpy(), len(sums), ci)
    frame[["se", "low", "high"]] = errors[["se", "low", "high"]].to_numpy()
    frame["sd_turns"] = np.sqrt(between)
    frame["reliability"] = between / (between + within)
    frame["reliability_mean"] = between / (between + within / repeats)
    frame["n_dialogs"], frame["note"] = errors["n_clusters"].to_numpy(), errors["note"].to_numpy()
    frame = frame.assign(ci=ci, synthetic=sums["synthetic"]).reset_index()
    return frame.astype({name: scores[name].dtype for name in names} | {"n_turns": "int64"})


def _judged_turns(kept: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return one row per judged turn: number of judgements, their total, squares about the turn's mean."""
    keys = list(dict.fromkeys([*names, *TURN_KEYS]))
    judged = kept.groupby(keys, sort=False, observed=True)
    squares = (kept["points"] - judged["points"].transform("mean")) ** 2
    judged = kept.assign(squares=squares).groupby(keys, sort=False, observed=True)
    turns = judged.agg(
        n=("points", "size"),
        total=("points", "sum"),
        squares=("squares", "sum"),
        synthetic=("synthetic", "any"),
    ).reset_index()
    return turns.assign(freedom=turns["n"] - 1, n_squared=turns["n"] ** 2)


def _errors(turns: pd.DataFrame, group: np.ndarray, n_groups: int, ci: float) -> pd.DataFrame:
    """Return error and interval of the standard deviation, by the delta method from the variance's logarithm."""
    import numpy as np
    from scipy.stats import t

    sums = (
        turns.assign(group=group).groupby(["group", "dialog_id"])[["squares", "freedom"]].sum().reset_index()
    )
    ratios = clustered_ratio(
        sums["group"].to_numpy(),
        sums["squares"].to_numpy(float),
        sums["freedom"].to_numpy(float),
        n_groups,
        ci=ci,
    )
    reach = t.ppf((1 + ci) / 2, np.maximum(ratios["n_clusters"] - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.sqrt(ratios["estimate"])
        relative = ratios["se"].where(ratios["se"] > 0) / ratios["estimate"] / 2
    ratios["se"] = deviation * relative
    ratios["low"], ratios["high"] = (
        deviation * np.exp(-reach * relative),
        deviation * np.exp(reach * relative),
    )
    return ratios
