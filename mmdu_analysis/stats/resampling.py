"""Ratios of sums over dialogues: clustered standard errors, and a bootstrap over dialogues.

A mean is a sum of scores over a number of turns, a slope a sum of products over a sum of squares. Both are
ratios of sums over dialogues, so one standard error and one bootstrap serve all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

RESAMPLES = 5_000
_BLOCK = 4_000_000  # weights drawn at once: 32 MB


def cluster_ratios(
    group: np.ndarray,
    cluster: np.ndarray,
    numerator: np.ndarray,
    denominator: np.ndarray,
    n_groups: int,
    *,
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Estimate a ratio of sums for each group, with its uncertainty over clusters.

    Parameters
    ----------
    group, cluster : numpy.ndarray of int, shape (n,)
        Which group and which cluster (dialogue) a term belongs to; cluster -1 is unknown.
    numerator, denominator : numpy.ndarray of float, shape (n,)
        The terms. A denominator of 0 takes no part.
    n_groups : int
        Groups are numbered ``0..n_groups-1``.
    ci : float, default 0.95
        Width of the interval.
    n_resamples, seed : int
        Of the bootstrap. The draws of a group depend on the seed and its number of clusters only.

    Returns
    -------
    pandas.DataFrame
        One row a group: ``estimate``, ``se``, ``low``, ``high`` and ``n_clusters``. Fewer than two clusters,
        or an unknown one, give no uncertainty: NaN.

    Notes
    -----
    The standard error is that of a ratio with the clusters' residuals (Miller 2024, arXiv 2411.00640,
    with G/(G-1) for G clusters): for a mean it equals ordinary least squares with
    cluster-robust errors. The interval is the bootstrap's expanded percentile interval (Hesterberg 2015,
    The American Statistician 69:4), which is wide enough for few clusters too.
    """
    import numpy as np
    import pandas as pd

    used = denominator != 0
    group, cluster, numerator, denominator = (x[used] for x in (group, cluster, numerator, denominator))
    tops, bottoms = (np.bincount(group, x, minlength=n_groups) for x in (numerator, denominator))
    with np.errstate(invalid="ignore"):
        estimate = tops / bottoms
    unknown = np.bincount(group, cluster < 0, minlength=n_groups) > 0
    width = cluster.max(initial=0) + 2
    cells, place = np.unique(group * width + cluster + 1, return_inverse=True)
    owner, member = cells // width, cells % width - 1
    top, bottom = (np.bincount(place, x, minlength=len(cells)) for x in (numerator, denominator))
    n_clusters = np.bincount(owner, minlength=n_groups)
    spread = (top - estimate[owner] * bottom) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        correction = n_clusters / (n_clusters - 1)
        se = np.sqrt(np.bincount(owner, spread, minlength=n_groups) * correction) / np.abs(bottoms)
    bad = unknown | (n_clusters < 2)
    se[bad] = np.nan
    low, high = np.full((2, n_groups), np.nan)
    for wanted, tops_of, bottoms_of in _by_members(owner, member, top, bottom, ~bad):
        draws = ratio_draws(tops_of, bottoms_of, n_resamples, seed)
        low[wanted], high[wanted] = interval(draws, len(tops_of), ci)
    n_clusters = np.where(unknown, -1, n_clusters)
    return pd.DataFrame(
        {"estimate": estimate, "se": se, "low": low, "high": high, "n_clusters": n_clusters}
    ).rename_axis("group")


def _by_members(
    owner: np.ndarray, member: np.ndarray, top: np.ndarray, bottom: np.ndarray, wanted: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Put groups with the same clusters together, as matrices with one row a cluster."""
    import numpy as np

    edges = np.searchsorted(owner, np.arange(len(wanted) + 1))
    alike: dict[bytes, list[int]] = {}
    for group in np.flatnonzero(wanted).tolist():
        alike.setdefault(member[edges[group] : edges[group + 1]].tobytes(), []).append(group)
    for groups in alike.values():
        spans = [slice(edges[group], edges[group + 1]) for group in groups]
        yield (
            np.array(groups),
            np.column_stack([top[span] for span in spans]),
            np.column_stack([bottom[span] for span in spans]),
        )


def bootstrap_weights(n_clusters: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draw how often each cluster stands in each resample.

    Parameters
    ----------
    n_clusters, n_resamples, seed : int
        The same three give the same weights.

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


@lru_cache(maxsize=2)  # the pairs of models ask for the same weights again and again
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
        Each cluster's sums; 0 in both where it has no part in a ratio.
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    numpy.ndarray of float, shape (n_resamples, n_ratios)
        All ratios of a row come from the same resample; NaN where none of its clusters has a part.
    """
    import numpy as np

    blocks = bootstrap_weights(len(tops), n_resamples, seed)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.concatenate([(weights @ tops) / (weights @ bottoms) for weights in blocks])


def interval(draws: np.ndarray, n_clusters: int, ci: float) -> tuple[np.ndarray, np.ndarray]:
    """Give the expanded percentile interval of bootstrap draws.

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
    if np.isnan(draws).any():
        low, high = np.nanquantile(draws, [tail, 1 - tail], axis=0)
    else:
        low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high


def two_sided_p(estimate: np.ndarray, se: np.ndarray, n_clusters: np.ndarray) -> np.ndarray:
    """Test that a ratio is 0: Student's t with one degree of freedom less than there are clusters.

    Parameters
    ----------
    estimate, se, n_clusters : numpy.ndarray, shape (n,)
        From `cluster_ratios`.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        NaN where there is no standard error; 1 where both are 0.
    """
    import numpy as np
    from scipy.stats import t

    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(estimate) / se
        p = 2 * t.sf(statistic, np.maximum(n_clusters - 1, 1))
    return np.where((estimate == 0) & (se == 0), 1.0, p)
