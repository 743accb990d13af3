"""Agreement of a judge with people within each model, and a test whether it can replace an annotator."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import MMDU, DataError, Rubric, is_synthetic
from mmdu_analysis.stats.scores import as_scores, only_dimension

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

CELLS = ["model", "dialog_id", "turn", "dimension"]
FEWEST_ANNOTATORS = 3
FEWEST_ITEMS = 30


def judge_validity(
    scores: pd.DataFrame,
    ratings: pd.DataFrame,
    *,
    kinds: pd.DataFrame | None = None,
    dimension: str | None = None,
    ci: float = 0.95,
    n_resamples: int = 1_000,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Measure the agreement of a judge's scores with people's, within each model and kind of question.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of one judge.
    ratings : pandas.DataFrame
        People's ratings or labels of the same turns; several ratings of a turn are averaged.
    kinds : pandas.DataFrame, optional
        ``dialog_id``, ``turn`` and ``kind`` of question; without it the kinds are pooled (``all``).
    dimension : str, optional
        The judge's dimension that is compared with labels of right and wrong; the overall score by default.
        Ratings of dimensions are compared dimension by dimension.
    ci : float, default 0.95
        Level of the intervals.
    n_resamples, seed : int
        Number and seed of the bootstrap samples over dialogues.
    rubric : Rubric, default MMDU's
        Rubric of both.

    Returns
    -------
    pandas.DataFrame
        One row per model, kind, dimension and measure: ``model``, ``kind``, ``dimension``, ``measure``,
        ``value``, ``low``, ``high``, ``n_turns``, ``n_dialogs``, ``ci``, ``synthetic``. Measures: ``auc``
        (probability that the judge scores the answer with the higher rating higher, ties count half; 0.5:
        chance), ``slope`` (points of the rating for one point of the judge; 1 is calibrated), ``kappa``
        (quadratic weights, of scores rounded to whole steps of the scale).

    See Also
    --------
    alternative_annotator_test : Whether the judge can replace an annotator.
    """
    import pandas as pd

    pairs = _paired(scores, ratings, dimension, rubric)
    pairs["kind"] = "all"
    if kinds is not None:
        kinds = kinds[["dialog_id", "turn", "kind"]].astype({"dialog_id": "str", "kind": "str"})
        pairs = pairs.drop(columns="kind").merge(kinds, on=["dialog_id", "turn"])
    rows = []
    for (model, kind, name), part in pairs.groupby(["model", "kind", "dimension"], observed=True):
        for measure, (value, low, high) in _measures(part, rubric, ci, n_resamples, seed).items():
            rows.append(
                {
                    "model": model,
                    "kind": kind,
                    "dimension": name,
                    "measure": measure,
                    "value": value,
                    "low": low,
                    "high": high,
                    "n_turns": len(part),
                    "n_dialogs": part["dialog_id"].nunique(),
                }
            )
    if not rows:
        raise DataError("the scores and the ratings share no turn")
    return pd.DataFrame(rows).assign(ci=ci, synthetic=is_synthetic(scores, ratings))


def _paired(
    scores: pd.DataFrame, ratings: pd.DataFrame, dimension: str | None, rubric: Rubric
) -> pd.DataFrame:
    """Return one row per turn with the judge's score and the people's mean, in points."""
    from mmdu_analysis.schema import LABEL

    judged, rated = (
        as_scores(frame, rubric=rubric).dropna(subset=["score", "turn"]) for frame in (scores, ratings)
    )
    if judged["judge"].nunique() > 1:
        raise DataError(f"the scores are of {judged['judge'].nunique()} judges, expected one; choose it")
    if set(rated["dimension"]) == {LABEL} and LABEL not in set(judged["dimension"]):
        judged = only_dimension(judged, dimension, rubric).assign(dimension=LABEL)
    elif dimension is not None:
        judged = judged.loc[judged["dimension"] == rubric.full_name(dimension)]
    sides = []
    for name, frame in (("judge_points", judged), ("people_points", rated)):
        points = frame.assign(**{name: rubric.to_percent(frame["score"].astype(float))})
        points = points.astype({"dialog_id": "str", "turn": "int64"})
        sides.append(points.groupby(CELLS, observed=True)[name].mean().reset_index())
    return sides[0].merge(sides[1], on=CELLS)


def _measures(
    part: pd.DataFrame, rubric: Rubric, ci: float, n_resamples: int, seed: int
) -> dict[str, tuple[float, float, float]]:
    """Return each measure with its bootstrap interval over dialogues."""
    import numpy as np
    import pandas as pd

    judge, people = part["judge_points"].to_numpy(float), part["people_points"].to_numpy(float)
    codes, names = pd.factorize(part["dialog_id"])
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(codes == code) for code in range(len(names))]
    step = 100 / (rubric.scale[1] - rubric.scale[0])
    functions = {"auc": rank_auc, "slope": _slope, "kappa": lambda x, y: _kappa(x, y, step)}
    draws: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(n_resamples if len(names) > 1 else 0):
        rows = np.concatenate([members[d] for d in rng.integers(0, len(names), len(names))])
        for name, function in functions.items():
            draws[name].append(function(judge[rows], people[rows]))
    result = {}
    for name, function in functions.items():
        values = np.array(draws[name], dtype=float)
        known = np.isfinite(values).mean() > 0.5 if len(values) else False
        low, high = np.nanquantile(values, [(1 - ci) / 2, (1 + ci) / 2]) if known else (np.nan, np.nan)
        result[name] = (function(judge, people), float(low), float(high))
    return result


def rank_auc(score: np.ndarray, target: np.ndarray) -> float:
    """Return the probability that, of two items with different targets, the higher one has the higher score.

    Parameters
    ----------
    score, target : numpy.ndarray of float, shape (n,)
        Ties of the score count one half; pairs with equal targets don't count.

    Returns
    -------
    float
        For a target of 0 and 1 the area under the ROC curve; NaN if all targets are equal.
    """
    import numpy as np

    concordant = pairs = 0.0
    for low, high in combinations(np.unique(target), 2):
        rows = (target == low) | (target == high)
        above = target[rows] == high
        n_pairs = float(above.sum() * (~above).sum())
        concordant += n_pairs * float(concordant_share(score[rows], above)[above].mean())
        pairs += n_pairs
    return concordant / pairs if pairs else float("nan")


def concordant_share(value: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return for each item the share of the items of the other class that it is ordered correctly with.

    Parameters
    ----------
    value : numpy.ndarray of float, shape (n,)
        Values by which the items are ordered; ties count one half.
    positive : numpy.ndarray of bool, shape (n,)
        The class; positive items should have the higher values. Both classes have items.

    Returns
    -------
    numpy.ndarray of float, shape (n,)
        The mean over either class is the area under the ROC curve.
    """
    import numpy as np
    from scipy.stats import rankdata

    own = np.empty(len(value))
    own[positive], own[~positive] = rankdata(value[positive]), rankdata(value[~positive])
    exceeded = rankdata(value) - own
    return np.where(positive, exceeded / (~positive).sum(), 1 - exceeded / positive.sum())


def _slope(score: np.ndarray, target: np.ndarray) -> float:
    spread = score - score.mean()
    total = float((spread**2).sum())
    return float((spread * target).sum()) / total if total > 0 else float("nan")


def _kappa(score: np.ndarray, target: np.ndarray, step: float) -> float:
    """Return Cohen's kappa with quadratic weights, computed from means and squares only."""
    import numpy as np

    x, y = np.rint(score / step), np.rint(target / step)
    expected = float(x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return 1 - float(((x - y) ** 2).mean()) / expected if expected > 0 else float("nan")


def alternative_annotator_test(
    scores: pd.DataFrame,
    ratings: pd.DataFrame,
    *,
    epsilon: float = 0.15,
    alpha: float = 0.05,
    dimension: str | None = None,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Test whether a judge can replace an annotator.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of one judge.
    ratings : pandas.DataFrame
        Of at least three people (column ``judge``), who rated the same turns.
    epsilon : float, default 0.15
        Allowance for the judge because it is cheaper.
    alpha : float, default 0.05
        False discovery rate over the annotators (Benjamini and Yekutieli).
    dimension : str, optional
        Only this dimension, by its name or short name.
    rubric : Rubric, default MMDU's
        Rubric of both.

    Returns
    -------
    pandas.DataFrame
        One row per left-out annotator: ``annotator``, ``judge_wins`` (share of turns on which the judge
        is at least as close to the other annotators), ``annotator_wins``, ``p_value``, ``rejected``,
        ``n_items``, ``n_dialogs``, ``winning_rate`` (share of annotators rejected), ``advantage`` (mean of
        ``judge_wins``), ``passed`` (winning rate of at least one half), ``epsilon``, ``synthetic``.

    Raises
    ------
    DataError
        If there are fewer than three annotators, or an annotator shares fewer than 30 turns with the others.

    Notes
    -----
    Closeness to the others is the negative root mean square difference. The t test is applied to differences
    that are averaged over the turns of a dialogue (clusters), which the original test doesn't do. A judge
    with a constant error that is smaller than the spread of people can pass.

    References
    ----------
    Calderon, Reichart and Dror (2025), The alternative annotator test for LLM-as-a-judge, arXiv 2501.10970.
    """
    import pandas as pd
    from statsmodels.stats.multitest import multipletests

    wide = _wide_ratings(scores, ratings, dimension, rubric)
    people = [name for name in wide.columns if name != _JUDGE]
    if len(people) < FEWEST_ANNOTATORS:
        raise DataError(
            f"the test needs at least {FEWEST_ANNOTATORS} annotators of the same turns; {len(people)} given"
        )
    rows = [_left_out(wide, name, [p for p in people if p != name], epsilon) for name in people]
    rejected = multipletests([row["p_value"] for row in rows], alpha, method="fdr_by")[0]
    frame = pd.DataFrame(rows).assign(rejected=rejected)
    rate = float(rejected.mean())
    return frame.assign(
        winning_rate=rate,
        advantage=frame["judge_wins"].mean(),
        passed=rate >= 0.5,
        epsilon=epsilon,
        synthetic=is_synthetic(scores, ratings),
    )


_JUDGE = "\0judge"


def _wide_ratings(
    scores: pd.DataFrame, ratings: pd.DataFrame, dimension: str | None, rubric: Rubric
) -> pd.DataFrame:
    """Return one row per item and one column per person, and the judge."""
    import pandas as pd

    judged, rated = (
        as_scores(frame, rubric=rubric).dropna(subset=["score", "turn"]) for frame in (scores, ratings)
    )
    if judged["judge"].nunique() > 1:
        raise DataError(f"the scores are of {judged['judge'].nunique()} judges, expected one; choose it")
    both = pd.concat([judged.assign(judge=_JUDGE), rated])
    if dimension is not None:
        both = both.loc[both["dimension"] == rubric.full_name(dimension)]
    both = both.assign(points=rubric.to_percent(both["score"].astype(float))).astype({"dialog_id": "str"})
    wide = both.pivot_table(index=CELLS, columns="judge", values="points", aggfunc="mean", observed=True)
    if _JUDGE not in wide:
        raise DataError("the judge scored none of these turns")
    return wide.loc[wide[_JUDGE].notna()]


def _left_out(wide: pd.DataFrame, annotator: str, others: list[str], epsilon: float) -> dict[str, Any]:
    """Compare the judge with one annotator by their closeness to the other annotators."""
    import numpy as np
    from scipy.stats import t

    items = wide.loc[wide[annotator].notna() & (wide[others].notna().sum(axis=1) >= 1)]
    if len(items) < FEWEST_ITEMS:
        raise DataError(
            f"{annotator} shares {len(items)} turns with others, expected at least {FEWEST_ITEMS}"
        )
    rest = items[others].to_numpy(float)
    distances = [
        np.sqrt(np.nanmean((items[[name]].to_numpy(float) - rest) ** 2, axis=1))
        for name in (_JUDGE, annotator)
    ]
    judge_wins, annotator_wins = distances[0] <= distances[1], distances[1] <= distances[0]
    difference = annotator_wins.astype(float) - judge_wins.astype(float) - epsilon
    codes = items.index.get_level_values("dialog_id")
    sums = items.assign(_d=difference).groupby(codes)["_d"].agg(["sum", "size"])
    count, mean = len(sums), float(difference.mean())
    residual = (sums["sum"] - mean * sums["size"]) / sums["size"].mean()
    se = float(((residual**2).sum() / (count * (count - 1))) ** 0.5) if count > 1 else float("nan")
    # Without variance there is no t statistic: use the smallest p-value of a sign-flip test.
    p_value = float(t.cdf(mean / se, count - 1)) if se > 0 else (0.5**count if mean < 0 else 1.0)
    return {
        "annotator": annotator,
        "judge_wins": float(judge_wins.mean()),
        "annotator_wins": float(annotator_wins.mean()),
        "p_value": p_value,
        "n_items": len(items),
        "n_dialogs": count,
    }
