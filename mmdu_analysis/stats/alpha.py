"""Krippendorff's alpha between raters, with intervals from a bootstrap over dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mmdu_analysis.schema import SCORE_COLUMNS, DataError, require_columns
from mmdu_analysis.stats.given import text_keys
from mmdu_analysis.stats.resampling import FEW_DIALOGS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Level = Literal["ordinal", "interval"]
UNIT = ["model", "dialog_id", "turn", "dimension"]
"""Columns of a unit that each rater rates once."""
_BLOCK = 2_000_000


def krippendorff_alpha(
    scores: pd.DataFrame,
    level: Level = "ordinal",
    by: str | Sequence[str] = "dimension",
    *,
    ci: float = 0.95,
    n_resamples: int = 2_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Compute Krippendorff's alpha between raters.

    Parameters
    ----------
    scores : pandas.DataFrame
        Ratings by people, scores by judges, or both together: the column ``judge`` names the rater.
    level : {"ordinal", "interval"}, default "ordinal"
        Level of measurement of the scores.
    by : str or sequence of str, default "dimension"
        Columns to group by; an empty sequence pools all units, which mixes the levels of models and
        dimensions.
    ci : float, default 0.95
        Level of the interval.
    n_resamples, seed : int
        Number and seed of the bootstrap samples over dialogues.

    Returns
    -------
    pandas.DataFrame
        One row per group: the columns of `by`, ``alpha`` (1: full agreement, 0: chance), ``low``, ``high``,
        ``n_units`` (rated by two or more), ``n_raters``, ``n_dialogs``, ``level``, ``note``, ``ci``,
        ``synthetic``. Alpha is NA if all ratings are equal; there is no interval for fewer than two
        dialogues. ``note`` says so, or that an estimate rests on few dialogues; else it is empty.

    Raises
    ------
    DataError
        If `level` is unknown, a rater rated a unit twice, or a turn is unknown.

    See Also
    --------
    turn_agreement : Weighted kappa and intraclass correlation of two judges.

    References
    ----------
    Krippendorff, K. (2011). Computing Krippendorff's alpha-reliability. University of Pennsylvania.

    Examples
    --------
    >>> import pandas as pd
    >>> turns = range(1, 5)
    >>> rows = [("m", rater, str(turn), 1, "Richness", turn) for rater in ("a", "b") for turn in turns]
    >>> ratings = pd.DataFrame(rows, columns=["model", "judge", "dialog_id", "turn", "dimension", "score"])
    >>> krippendorff_alpha(ratings, "interval")["alpha"].item()
    1.0
    """
    import pandas as pd

    if level not in ("ordinal", "interval"):
        raise DataError(f"level is {level!r}, expected ordinal or interval")
    require_columns(scores, SCORE_COLUMNS, "ratings for an agreement")
    names = [by] if isinstance(by, str) else list(by)
    require_columns(scores, names, "ratings to be grouped")
    known = text_keys(scores).dropna(subset=["score", "turn"])
    if known.duplicated([*UNIT, "judge"]).any():
        raise DataError("a rater has rated a turn more than once; keep the last rating of each")
    groups = known.groupby(names, sort=True, observed=True) if names else [((), known)]
    rows = [
        dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True))
        | _alpha_row(part, level, ci, n_resamples, seed)
        for key, part in groups
    ]
    counts = ["n_units", "n_raters", "n_dialogs"]
    columns = [*names, "alpha", "low", "high", *counts, "level", "note", "ci", "synthetic"]
    return pd.DataFrame(rows, columns=columns).astype({"note": "str"})


def _alpha_row(part: pd.DataFrame, level: Level, ci: float, n_resamples: int, seed: int) -> dict[str, object]:
    """Return alpha of one group with its interval and counts."""
    import numpy as np

    sizes = part.groupby(UNIT, observed=True)["score"].transform("size")
    paired = part.loc[sizes >= 2]
    row: dict[str, object] = {
        "alpha": np.nan,
        "low": np.nan,
        "high": np.nan,
        "n_units": int(paired.groupby(UNIT, observed=True).ngroups),
        "n_raters": int(paired["judge"].nunique()),
        "n_dialogs": int(paired["dialog_id"].nunique()),
        "level": level,
        "note": "no answer has two ratings: no estimate",
        "ci": ci,
        "synthetic": bool(part["synthetic"].any()) if "synthetic" in part else False,
    }
    if paired.empty:
        return row
    ratings = _coincidences(paired)
    n_dialogs = len(ratings.counts)
    alpha = float(_alpha(ratings, np.ones((1, n_dialogs)), level)[0])
    row["alpha"] = alpha
    row["note"] = f"based on only {n_dialogs} dialogues" if n_dialogs < FEW_DIALOGS else ""
    if not np.isfinite(alpha):
        row["note"] = "all ratings are equal: no estimate"
    elif n_dialogs < 2:
        row["note"] = "one dialogue: no interval"
    else:
        draws = _resampled(ratings, n_dialogs, level, n_resamples, seed)
        if np.isfinite(draws).mean() > 0.5:
            row["low"], row["high"] = np.nanquantile(draws, [(1 - ci) / 2, (1 + ci) / 2]).tolist()
        else:
            row["note"] = "all ratings are equal in most samples of dialogues: no interval"
    return row


@dataclass(frozen=True)
class _Coincidences:
    """Values, how often each dialogue has them, and how often each pair of them within a unit.

    Attributes
    ----------
    levels : numpy.ndarray, shape (n_levels,)
        Distinct values in their order.
    counts : numpy.ndarray, shape (n_dialogs, n_levels)
        Ratings of each value.
    pairs : numpy.ndarray, shape (n_pairs, 2)
        Positions of the two values of a pair that occurs.
    weights : numpy.ndarray, shape (n_dialogs, n_pairs)
        Entries of the coincidence matrix for both orders of the pair: 2 / (m - 1) for a pair in a unit of m
        ratings.
    """

    levels: np.ndarray
    counts: np.ndarray
    pairs: np.ndarray
    weights: np.ndarray


def _coincidences(paired: pd.DataFrame) -> _Coincidences:
    """Count values and pairs of values by dialogue."""
    import numpy as np
    import pandas as pd

    unit = paired.groupby(UNIT, observed=True).ngroup().to_numpy()
    order = np.argsort(unit, kind="stable")
    levels, code = np.unique(paired["score"].to_numpy(float)[order], return_inverse=True)
    dialog = pd.factorize(paired["dialog_id"].astype("str"), sort=True)[0][order]
    start = np.flatnonzero(np.diff(unit[order], prepend=-1))
    size = np.diff(start, append=len(order))
    counts = np.zeros((dialog.max() + 1, len(levels)))
    np.add.at(counts, (dialog, code), 1)
    parts = []
    for m in np.unique(size):
        one, other = (start[size == m, None] + position for position in np.triu_indices(m, 1))
        values = np.sort(np.stack([code[one], code[other]], axis=-1), axis=-1)
        parts.append(
            pd.DataFrame({"dialog": dialog[one].ravel(), "weight": 2 / (m - 1)}).assign(
                low=values[..., 0].ravel(), high=values[..., 1].ravel()
            )
        )
    sums = pd.concat(parts).pivot_table("weight", "dialog", ["low", "high"], "sum", fill_value=0.0)
    pairs = np.array(sums.columns.to_list(), dtype=np.int64)
    return _Coincidences(levels, counts, pairs, sums.to_numpy())


def _alpha(ratings: _Coincidences, weights: np.ndarray, level: Level) -> np.ndarray:
    """Return alpha for each row of weights of the dialogues, shape (n, n_dialogs).

    The difference of two values is the one of their numbers: the values themselves, or for the ordinal level
    their mid-ranks among the weighted ratings, whose difference is Krippendorff's ordinal distance.
    """
    import numpy as np

    counts = weights @ ratings.counts
    numbers = np.broadcast_to(ratings.levels, counts.shape)
    if level == "ordinal":
        numbers = np.cumsum(counts, axis=1) - counts / 2
    differences = numbers[:, ratings.pairs[:, 0]] - numbers[:, ratings.pairs[:, 1]]
    observed = (weights @ ratings.weights * differences**2).sum(axis=1)
    count = counts.sum(axis=1)
    expected = 2 * (count * (counts * numbers**2).sum(axis=1) - (counts * numbers).sum(axis=1) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = 1 - (count - 1) * observed / expected
    return np.where(
        np.count_nonzero(counts, axis=1) > 1, alpha, np.nan
    )  # one value has no disagreement to expect


def _resampled(
    ratings: _Coincidences, n_dialogs: int, level: Level, n_resamples: int, seed: int
) -> np.ndarray:
    """Return alpha of bootstrap samples over dialogues, in blocks of bounded size."""
    import numpy as np

    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(len(ratings.pairs), len(ratings.levels), n_dialogs))
    parts = []
    for start in range(0, n_resamples, block):
        count = min(block, n_resamples - start)
        weights = rng.multinomial(n_dialogs, np.full(n_dialogs, 1 / n_dialogs), count).astype(float)
        parts.append(_alpha(ratings, weights, level))
    return np.concatenate(parts)
