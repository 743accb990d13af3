"""Ratios of sums over dialogues: clustered errors, intervals, tests and a bootstrap.

A mean is a sum of scores over a number of turns, a slope a sum of products over a sum of squares. Both are
ratios of sums over dialogues, so one function estimates all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Method = Literal["jackknife", "bootstrap"]

RESAMPLES = 5_000
FEW_DIALOGS = 20
"""With fewer dialogues an estimate is flagged in its column ``note``."""
FEWEST_FOR_T = 6
"""With fewer dialogues a difference has an exact sign-flip test and no interval."""
_BLOCK = 4_000_000  # weights drawn at once: 32 MB


def clustered_ratio(
    group: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    n_groups: int,
    *,
    limits: tuple[float, float] | None = None,
    ci: float = 0.95,
    method: Method = "jackknife",
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate a ratio of sums for each group, with its uncertainty over clusters.

    Parameters
    ----------
    group : numpy.ndarray of int, shape (n,)
        The group of each row; one row is one cluster (dialogue) of one group.
    top, bottom : numpy.ndarray of float, shape (n,)
        The sums of the cluster. Clusters with a denominator of 0 are ignored.
    n_groups : int
        Groups are numbered ``0..n_groups-1``.
    limits : tuple of float, optional
        Lowest and highest possible estimate, such as 0 and 100 for a mean of points. The interval is then
        computed on the logit scale and stays inside.
    ci : float, default 0.95
        Width of the interval.
    method : {"jackknife", "bootstrap"}, default "jackknife"
        See the notes.
    n_resamples, seed : int
        Of the bootstrap; without effect on the jackknife.

    Returns
    -------
    pandas.DataFrame
        One row per group: ``estimate``, ``se``, ``low``, ``high``, ``n_clusters``, ``note`` (the reason why
        there is no interval, or that there are few dialogues; else empty).

    Notes
    -----
    ``se`` is the standard error of a ratio with clustered residuals and the factor G/(G-1) for G clusters
    (Miller 2024, arXiv 2411.00640); for a mean it equals least squares with cluster-robust errors (CV1).

    The jackknife interval uses the error of leaving out one cluster at a time (CV3; MacKinnon, Nielsen and
    Webb 2023, Journal of Econometrics 232:2) and Student's t with G-1 degrees of freedom, for a bounded
    estimate on the logit scale. At a limit itself the logit is infinite and Wilson's interval takes its
    place, with the clusters as observations. The bootstrap interval is the expanded percentile interval
    (Hesterberg 2015, The American Statistician 69:4), which is too narrow for few clusters, for clusters
    whose size goes with the score, and near a limit. `docs/definitions.md` has the coverage of both.
    """
    import numpy as np
    import pandas as pd

    used = bottom != 0
    group, top, bottom = group[used], top[used], bottom[used]
    tops, bottoms = (np.bincount(group, x, minlength=n_groups) for x in (top, bottom))
    n_clusters = np.bincount(group, minlength=n_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = tops / bottoms
        correction = n_clusters / (n_clusters - 1)
        squares = np.bincount(group, (top - estimate[group] * bottom) ** 2, minlength=n_groups)
        se = np.sqrt(squares * correction) / np.abs(bottoms)
        left_out = (tops[group] - top) / (bottoms[group] - bottom)
        spread = np.bincount(group, (left_out - estimate[group]) ** 2, minlength=n_groups)
        jackknife = np.sqrt(spread / correction)
    se[n_clusters < 2] = np.nan
    # A constant has rounding errors only, which must not be reported as a very precise estimate.
    scale = np.abs(estimate) if limits is None else np.full(n_groups, limits[1] - limits[0])
    constant = (n_clusters > 1) & (se <= 1e-12 * np.maximum(scale, 1e-300))
    se[constant] = 0.0
    if method == "bootstrap":
        low, high = _bootstrap_interval(group, top, bottom, n_clusters, ci, n_resamples, seed)
    else:
        low, high = t_interval(estimate, jackknife, n_clusters, ci, limits)
    low[constant], high[constant] = np.nan, np.nan
    if limits is not None:
        at_limit = constant & np.isin(estimate, limits)
        low[at_limit], high[at_limit] = _wilson(estimate, n_clusters, ci, limits)[:, at_limit]
    notes = [_note(int(n), bool(c)) for n, c in zip(n_clusters, constant & np.isnan(low), strict=True)]
    return pd.DataFrame(
        {"estimate": estimate, "se": se, "low": low, "high": high, "n_clusters": n_clusters, "note": notes}
    ).astype({"note": "str"})


def _note(n_clusters: int, constant: bool) -> str:
    """Return the reason why an estimate has no interval, or that there are few dialogues."""
    if n_clusters == 0:
        return "no score"
    if n_clusters == 1:
        return "one dialogue: no interval"
    if constant:
        return f"no variation between {n_clusters} dialogues: no interval"
    return f"based on only {n_clusters} dialogues" if n_clusters < FEW_DIALOGS else ""


def t_interval(
    estimate: np.ndarray,
    se: np.ndarray,
    n_clusters: np.ndarray,
    ci: float,
    limits: tuple[float, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval of Student's t with G - 1 degrees of freedom for G clusters.

    Parameters
    ----------
    estimate, se, n_clusters : numpy.ndarray, shape (n,)
        Estimates and their errors.
    ci : float
        Width, such as 0.95.
    limits : tuple of float, optional
        Lowest and highest possible estimate; the interval is computed on the logit scale.

    Returns
    -------
    tuple of numpy.ndarray
        Low and high; NaN below two clusters.
    """
    import numpy as np
    from scipy.special import expit, logit
    from scipy.stats import t

    reach = t.ppf((1 + ci) / 2, np.maximum(n_clusters - 1, 1))
    reach = np.where(n_clusters > 1, reach, np.nan)
    if limits is None:
        return estimate - reach * se, estimate + reach * se
    lowest, width = limits[0], limits[1] - limits[0]
    share = np.clip((estimate - lowest) / width, 0, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre, half = logit(share), reach * se / width / (share * (1 - share))
        low, high = lowest + width * expit(centre - half), lowest + width * expit(centre + half)
    return low, high


def _wilson(estimate: np.ndarray, n: np.ndarray, ci: float, limits: tuple[float, float]) -> np.ndarray:
    """Return Wilson's interval of shares of n clusters, with Student's t; shape (2, n_groups)."""
    import numpy as np
    from scipy.stats import t

    lowest, width = limits[0], limits[1] - limits[0]
    share, n = (estimate - lowest) / width, np.maximum(n, 2)
    square = t.ppf((1 + ci) / 2, n - 1) ** 2
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = np.sqrt(square * (share * (1 - share) / n + square / (4 * n**2))) / (1 + square / n)
    return lowest + width * np.clip(np.array([centre - half, centre + half]), 0, 1)


def _bootstrap_interval(
    group: np.ndarray,
    top: np.ndarray,
    bottom: np.ndarray,
    n_clusters: np.ndarray,
    ci: float,
    n_resamples: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the expanded percentile interval of each group; the draws depend only on its own clusters."""
    import numpy as np

    low, high = np.full((2, len(n_clusters)), np.nan)
    order = np.argsort(group, kind="stable")
    edges = np.concatenate([[0], np.cumsum(n_clusters)])
    for number in np.flatnonzero(n_clusters > 1):
        rows = order[edges[number] : edges[number + 1]]
        draws = ratio_draws(top[rows, None], bottom[rows, None], n_resamples, seed)
        low[number], high[number] = (edge.item() for edge in interval(draws, len(rows), ci))
    return low, high


def bootstrap_weights(n_clusters: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw the number of times that each resample contains each cluster.

    Parameters
    ----------
    n_clusters, n_resamples, seed : int
        The weights are determined by these three values.

    Yields
    ------
    numpy.ndarray of float, shape (block, n_clusters)
        Blocks of at most 32 MB; all blocks together have `n_resamples` rows, each of sum `n_clusters`.
    """
    import numpy as np

    if n_clusters * n_resamples <= _BLOCK:
        yield _few_weights(n_clusters, n_resamples, seed)
        return
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // n_clusters)
    for start in range(0, n_resamples, block):
        yield _draw_weights(rng, n_clusters, min(block, n_resamples - start))


@lru_cache(maxsize=2)  # the metrics of one model use the same weights
def _few_weights(n_clusters: int, n_resamples: int, seed: int) -> np.ndarray:
    import numpy as np

    weights = _draw_weights(np.random.default_rng(seed), n_clusters, n_resamples)
    weights.flags.writeable = False
    return weights


def _draw_weights(rng: np.random.Generator, n_clusters: int, size: int) -> np.ndarray:
    import numpy as np

    return rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size).astype(float)


def ratio_draws(tops: np.ndarray, bottoms: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Draw ratios of sums over resampled clusters.

    Parameters
    ----------
    tops, bottoms : numpy.ndarray of float, shape (n_clusters, n_ratios)
        Each cluster's sums; 0 in both if it is not part of a ratio.
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    numpy.ndarray of float, shape (n_resamples, n_ratios)
        All ratios of a row come from the same resample; NaN if none of its clusters is part of it.
    """
    import numpy as np

    blocks = bootstrap_weights(len(tops), n_resamples, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([(weights @ tops) / (weights @ bottoms) for weights in blocks])


def interval(draws: np.ndarray, n_clusters: int, ci: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the expanded percentile interval of bootstrap draws.

    Parameters
    ----------
    draws : numpy.ndarray of float, shape (n_resamples, ...)
        The draws.
    n_clusters : int
        Clusters that were resampled, at least 2.
    ci : float
        Width, such as 0.95.

    Returns
    -------
    tuple of numpy.ndarray
        Low and high, shape ``draws.shape[1:]``.
    """
    import numpy as np
    from scipy.stats import norm, t

    wider = np.sqrt(n_clusters / (n_clusters - 1)) * t.ppf((1 - ci) / 2, n_clusters - 1)
    tail = norm.cdf(wider)
    quantile = np.nanquantile if np.isnan(draws).any() else np.quantile
    low, high = quantile(draws, [tail, 1 - tail], axis=0)
    return low, high


def two_sided_p(estimate: np.ndarray, se: np.ndarray, n_clusters: np.ndarray) -> np.ndarray:
    """Test that a ratio is 0: Student's t with G - 1 degrees of freedom for G clusters.

    Parameters
    ----------
    estimate, se, n_clusters : numpy.ndarray, shape (n,)
        From `clustered_ratio`.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        NaN without a standard error; 1 if both are 0.
    """
    import numpy as np
    from scipy.stats import t

    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(estimate) / se
        p = 2 * t.sf(statistic, np.maximum(n_clusters - 1, 1))
    return np.where((estimate == 0) & (se == 0), 1.0, p)


def sign_flip_p(sums: np.ndarray) -> float:
    """Test exactly that differences are symmetric around 0, by flipping the signs of clusters.

    Parameters
    ----------
    sums : numpy.ndarray of float, shape (n_clusters,)
        Sum of the differences of each cluster (dialogue).

    Returns
    -------
    float
        Share of all assignments of signs whose total is at least as far from 0, two-sided. With n clusters
        it is at least ``2 ** (1 - n)``. Above 16 clusters 100,000 random assignments are drawn.

    Examples
    --------
    >>> import numpy as np
    >>> sign_flip_p(np.array([1.0, 1.0]))
    0.5
    """
    import numpy as np

    count = len(sums)
    observed = abs(sums.sum())
    tolerance = 1e-9 * np.abs(sums).sum()
    if observed >= np.abs(sums).sum() - tolerance and np.abs(sums).all():
        return float(2.0 ** (1 - count)) if observed > 0 else 1.0
    if count > 16:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (99_999, count))
        return float((1 + (np.abs(signs @ sums) >= observed - tolerance).sum()) / 100_000)
    flips = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    return float((np.abs((1 - 2 * flips) @ sums) >= observed - tolerance).mean())
