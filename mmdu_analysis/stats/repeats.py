"""Turns that a judge scored several times: each counts once, and the judge's own variance shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmdu_analysis.schema import SCORE_COLUMNS, DataError, require_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_SCALE = 10.0  # scores are 0-10 in files and 0-100 in the paper
_TURN = ["model", "judge", "dialog_id", "turn", "dimension"]


def judged_turns(scores: pd.DataFrame, place: np.ndarray) -> np.ndarray:
    """Give each judged turn a number, which its repeats share.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    place : numpy.ndarray of int, shape (n,)
        The group that each row is summarized in; a turn that is in two groups has two numbers.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
        Without a column ``repeat`` each row has its own.
    """
    import numpy as np

    if "repeat" not in scores:
        return np.arange(len(scores))
    keys = scores[_TURN].assign(_place=place)
    lost = scores["turn"].isna().to_numpy()
    keys["_row"] = np.where(lost, np.arange(len(scores)), -1)  # a turn that isn't known is nobody's repeat
    return keys.groupby(list(keys), sort=False, dropna=False, observed=True).ngroup().to_numpy()


def share_of_turn(turn: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Give each judgement's share of its turn: the shares of those that count add up to 1.

    Parameters
    ----------
    turn : numpy.ndarray of int, shape (n,)
        From `judged_turns`.
    counted : numpy.ndarray of bool, shape (n,)
        Which judgements count.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        0 for those that don't count.
    """
    import numpy as np

    number = np.bincount(turn, counted)[turn]
    return np.divide(counted, number, out=np.zeros(len(turn)), where=number > 0)


def pooled_variance(turn: np.ndarray, group: np.ndarray, value: np.ndarray, n_groups: int) -> np.ndarray:
    """Give each group's variance within turns: squares about the turn's mean, over judgements less turns.

    Parameters
    ----------
    turn, group : numpy.ndarray of int, shape (n,)
        Of each judgement.
    value : numpy.ndarray of float, shape (n,)
        The judgements, none missing.
    n_groups : int
        Groups are numbered ``0..n_groups-1``.

    Returns
    -------
    numpy.ndarray of float, shape (n_groups,)
        NaN where no turn of the group was judged twice.
    """
    import numpy as np

    turn = np.unique(turn, return_inverse=True)[1]
    number = np.bincount(turn)
    squares = (value - (np.bincount(turn, value) / number)[turn]) ** 2
    freedom = np.bincount(group, 1 - 1 / number[turn], n_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(freedom > 1e-9, np.bincount(group, squares, n_groups) / freedom, np.nan)


def judge_variance(scores: pd.DataFrame, by: str | Sequence[str] = "model") -> pd.DataFrame:
    """Tell how much of a score is the judge's own chance, from turns that were judged several times.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores` on what ``mmdu judge --repeat`` wrote, with a column ``repeat``.
    by : str or sequence of str, default "model"
        Columns to group by; judges are pooled unless named.

    Returns
    -------
    pandas.DataFrame
        One row a group and dimension: the columns of `by`, ``dimension``, ``n_turns``, ``n_repeats`` (mean
        number of judgements a turn), ``sd_judge`` (of one judgement about its turn's mean, 0-100),
        ``sd_turns`` (between turns, the judge's part taken out), ``reliability`` (share of one judgement's
        variance that lies between turns: the intraclass correlation ICC(1) of Shrout and Fleiss 1979)
        and ``reliability_mean`` (of the mean of a turn's judgements, Spearman-Brown).

    Raises
    ------
    DataError
        If no turn was judged twice.
    """
    import numpy as np

    require_columns(scores, [*SCORE_COLUMNS, "repeat"], "scores of repeated judgements")
    names = [by] if isinstance(by, str) else list(by)
    names = [*[name for name in names if name != "dimension"], "dimension"]
    require_columns(scores, names, "scores to be grouped by them")
    kept = scores.dropna(subset=["score", "turn"]).reset_index(drop=True)
    groups = kept.groupby(names, sort=False, observed=True)
    group, n_groups = groups.ngroup().to_numpy(), groups.ngroups
    turn = judged_turns(kept, group)
    value = _SCALE * kept["score"].to_numpy(float)
    within = pooled_variance(turn, group, value, n_groups)
    if not np.isfinite(within).any():
        raise DataError("no turn was judged twice; judge with --repeat 2 or more")
    share = share_of_turn(turn, np.ones(len(turn), bool))
    n_turns, count = np.bincount(group, share, n_groups), np.bincount(group, minlength=n_groups)
    mean = np.bincount(group, value, n_groups) / count
    turn_means = (np.bincount(turn, value) / np.bincount(turn))[turn]
    squares = np.bincount(group, (turn_means - mean[group]) ** 2, n_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Unequal numbers of judgements: the mean number that the variance components of ANOVA take.
        typical = (count - np.bincount(group, 1 / share, n_groups) / count) / (n_turns - 1)
        between = np.maximum((squares / (n_turns - 1) - within) / typical, 0)
        reliability = between / (between + within)
        repeats = count / n_turns
        frame = groups[names].first().reset_index(drop=True).assign(
            n_turns=np.rint(n_turns).astype(np.int64),
            n_repeats=repeats,
            sd_judge=np.sqrt(within),
            sd_turns=np.sqrt(between),
            reliability=reliability,
            reliability_mean=between / (between + within / repeats),
        )  # fmt: skip
    frame = frame.astype({name: scores[name].dtype for name in names})
    frame.attrs = {"synthetic": bool(scores.attrs.get("synthetic"))}
    return frame
