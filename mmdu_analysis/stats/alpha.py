"""Krippendorff's alpha between raters, with intervals from a bootstrap over dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mmdu_analysis.schema import SCORE_COLUMNS, DataError, require_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Level = Literal["ordinal", "interval"]
UNIT = ["model", "dialog_id", "turn", "dimension"]
"""What is rated once by each rater."""
_BLOCK = 4_000_000


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
        Columns to group by; an empty sequence pools all, which mixes the levels of models and dimensions.
    ci : float, default 0.95
        Level of the interval.
    n_resamples, seed : int
        Number and seed of the bootstrap samples over dialogues.

    Returns
    -------
    pandas.DataFrame
        One row a group: the columns of `by`, ``alpha`` (1: full agreement, 0: as by chance), ``low``, ``high``,
        ``n_units`` (rated by two or more), ``n_raters``, ``n_dialogs``, ``level``, ``ci``, ``synthetic``. Alpha is NA
        where all ratings are equal; fewer than two dialogues give no interval.

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
    known = scores.dropna(subset=["score", "turn"])
    if known.duplicated([*UNIT, "judge"]).any():
        raise DataError("a rater has rated a turn more than once; keep the last rating of each")
    groups = known.groupby(names, sort=True, observed=True) if names else [((), known)]
    rows = [
        dict(zip(names, key if isinstance(key, tuple) else (key,), strict=True))
        | _alpha_row(part, level, ci, n_resamples, seed)
        for key, part in groups
    ]
    columns = [*names, "alpha", "low", "high", "n_units", "n_raters", "n_dialogs", "level", "ci", "synthetic"]
    return pd.DataFrame(rows, columns=columns)


def _alpha_row(part: pd.DataFrame, level: Level, ci: float, n_resamples: int, seed: int) -> dict[str, object]:
    """Return alpha of one group with its interval and counts."""
    import numpy as np

    sizes = part.groupby(UNIT, observed=True)["score"].transform("size")
    paired = part.loc[sizes >= 2]
    values, tables = _coincidences(paired)
    row: dict[str, object] = {
        "alpha": float(_alpha(tables.sum(axis=0)[None], values, level)[0]) if len(paired) else np.nan,
        "low": np.nan,
        "high": np.nan,
        "n_units": int(paired.groupby(UNIT, observed=True).ngroups),
        "n_raters": int(paired["judge"].nunique()),
        "n_dialogs": len(tables),
        "level": level,
        "ci": ci,
        "synthetic": bool(part["synthetic"].any()) if "synthetic" in part else False,
    }
    if len(tables) >= 2:
        draws = _resampled(tables, values, level, n_resamples, seed)
        if np.isfinite(draws).mean() > 0.5:
            row["low"], row["high"] = np.nanquantile(draws, [(1 - ci) / 2, (1 + ci) / 2]).tolist()
    return row


def _coincidences(paired: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values, and each dialogue's coincidence matrix of them.

    A unit with m ratings contributes each ordered pair of them with the weight 1 / (m - 1).
    """
    import numpy as np
    import pandas as pd

    values, codes = np.unique(paired["score"].to_numpy(float), return_inverse=True)
    dialogs, labels = pd.factorize(paired["dialog_id"].astype("str"), sort=True)
    unit = paired.groupby(UNIT, observed=True).ngroup().to_numpy()
    left = pd.DataFrame({"unit": unit, "code": codes, "dialog": dialogs, "row": np.arange(len(paired))})
    pairs = left.merge(left[["unit", "code", "row"]], on="unit", suffixes=("", "_other"))
    pairs = pairs.loc[pairs["row"] != pairs["row_other"]]
    weight = 1 / (np.bincount(unit)[pairs["unit"]] - 1)
    tables = np.zeros((len(labels), len(values), len(values)))
    np.add.at(tables, (pairs["dialog"], pairs["code"], pairs["code_other"]), weight)
    return values, tables


def _alpha(tables: np.ndarray, values: np.ndarray, level: Level) -> np.ndarray:
    """Return alpha of coincidence matrices of shape (n, V, V)."""
    import numpy as np

    totals = tables.sum(axis=2)
    distance = _distances(totals, values, level)
    count = totals.sum(axis=1)
    observed = (tables * distance).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(expected > 0, 1 - (count - 1) * observed / expected, np.nan)


def _distances(totals: np.ndarray, values: np.ndarray, level: Level) -> np.ndarray:
    """Return the squared distances between values, shape (n, V, V) or (1, V, V)."""
    import numpy as np

    if level == "interval":
        return ((values[:, None] - values[None, :]) ** 2)[None]
    middle = (
        np.cumsum(totals, axis=1) - totals / 2
    )  # ordinal: half of the ratings of each end and all between
    return (middle[:, :, None] - middle[:, None, :]) ** 2


def _resampled(
    tables: np.ndarray, values: np.ndarray, level: Level, n_resamples: int, seed: int
) -> np.ndarray:
    """Return alpha of bootstrap samples over dialogues, in blocks of bounded size."""
    import numpy as np

    rng = np.random.default_rng(seed)
    n_dialogs, size = len(tables), tables[0].size
    flat, parts = tables.reshape(n_dialogs, size), []
    block = max(1, _BLOCK // max(size, n_dialogs))
    for start in range(0, n_resamples, block):
        count = min(block, n_resamples - start)
        weights = rng.multinomial(n_dialogs, np.full(n_dialogs, 1 / n_dialogs), count).astype(float)
        parts.append(_alpha((weights @ flat).reshape(count, *tables.shape[1:]), values, level))
    return np.concatenate(parts)
