"""Judges against judges, and against people: agreement, offsets, ranks, self-preference."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

from mmdu_analysis.schema import DIMENSIONS, DataError, require_columns
from mmdu_analysis.stats.resampling import RESAMPLES, bootstrap_weights, interval
from mmdu_analysis.stats.scores import as_scores, dimension_order, score_table, summarize_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FAMILIES = {"gpt": "OpenAI", "claude": "Anthropic", "gemini": "Google", "qwen": "Alibaba", "llava": "LLaVA"}
"""Beginning of a model's name in lower case -> its family."""


def family_of(model: str, families: Mapping[str, str] | None = None) -> str | None:
    """Give a model's family: as told, else by the beginning of its name; None if unknown."""
    if families and model in families:
        return families[model]
    return next((name for start, name in FAMILIES.items() if model.lower().startswith(start)), None)


def as_judge_table(table: pd.DataFrame) -> pd.DataFrame:
    """Give one row a model and judge; scores of single turns are averaged first.

    Parameters
    ----------
    table : pandas.DataFrame
        ``load_published("judges")`` or of that form, or scores from `load_scores` by several judges.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``judge``, dimensions by their short names on 0-100.

    Raises
    ------
    DataError
        If there are fewer than two judges, or a judge scored a model twice.
    """
    if "score" in getattr(table, "columns", ()):
        table = score_table(summarize_scores(table, ["model", "judge"], n_resamples=2))
    require_columns(table, ["model", "judge"], "a table of models and judges")
    judges = list(table["judge"].unique())
    if len(judges) < 2:
        raise DataError(f"got scores by {judges}, expected two judges at least")
    if table.duplicated(["model", "judge"]).any():
        raise DataError("a judge scores a model twice in the table; expected one row a model and judge")
    return table


def _metrics(table: pd.DataFrame) -> list[str]:
    return [short for short in DIMENSIONS if short in table]


def judge_agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Correlate the scores that two judges give to the same models.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `as_judge_table`.

    Returns
    -------
    pandas.DataFrame
        One row a pair of judges and dimension: ``judge_a``, ``judge_b``, ``dimension`` (short name),
        ``n_models``, ``pearson``, ``spearman``, ``kendall`` (tau-b), ``mean_difference`` (b - a, points).
        Fewer than two models, or equal scores throughout, have no correlation: NA.

    Notes
    -----
    Table 6 of arXiv 2406.11833. Five models of which two are far below the others correlate highly with almost
    any judge: the ranks within the two groups rest on few points.

    Examples
    --------
    >>> from mmdu_analysis import load_published
    >>> judge_agreement(load_published("judges")).query("dimension == 'Avg'")["kendall"].tolist()
    [1.0, 1.0, 1.0]
    """
    import numpy as np
    import pandas as pd
    from scipy.stats import kendalltau, pearsonr, spearmanr

    table = as_judge_table(table)
    rows: list[tuple[object, ...]] = []
    for a, b in combinations(table["judge"].unique(), 2):
        both = table.loc[table["judge"] == a].merge(table.loc[table["judge"] == b], on="model")
        for metric in _metrics(table):
            pair = both[[f"{metric}_x", f"{metric}_y"]].dropna().to_numpy(dtype=float)
            found = [float("nan")] * 3
            if len(pair) > 1 and np.ptp(pair, axis=0).all():
                found = [test(*pair.T).statistic for test in (pearsonr, spearmanr, kendalltau)]
            rows.append((a, b, metric, len(pair), *found, (pair[:, 1] - pair[:, 0]).mean()))
    columns = ["judge_a", "judge_b", "dimension", "n_models", "pearson", "spearman", "kendall"]
    frame = pd.DataFrame(rows, columns=[*columns, "mean_difference"])
    frame.attrs = {key: table.attrs[key] for key in ("source", "synthetic") if key in table.attrs}
    return frame


def judge_offsets(table: pd.DataFrame) -> pd.DataFrame:
    """Measure how much each judge gives above or below the judges' mean for the same models.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `as_judge_table`.

    Returns
    -------
    pandas.DataFrame
        One row a judge, model and dimension: ``judge``, ``model``, ``dimension``, ``score`` (0-100),
        ``offset`` (points from the mean of all judges of that model), ``judge_offset`` (its mean over the
        models), ``rank`` (of the model among those of the judge, 1 is best). Models that not all
        judges scored are left out.
    """
    table = as_judge_table(table)
    metrics = _metrics(table)
    n_judges = table["judge"].nunique()
    shared = table.groupby("model")["judge"].transform("nunique") == n_judges
    if not shared.any():
        raise DataError("no model was scored by all judges, so their offsets can't be compared")
    long = table.loc[shared].melt(["judge", "model"], metrics, "dimension", "score")
    long["offset"] = long["score"] - long.groupby(["model", "dimension"])["score"].transform("mean")
    long["judge_offset"] = long.groupby(["judge", "dimension"])["offset"].transform("mean")
    by_judge = long.groupby(["judge", "dimension"])["score"]
    long["rank"] = by_judge.rank(ascending=False, method="min").astype("int64")
    long.attrs = {key: table.attrs[key] for key in ("source", "synthetic") if key in table.attrs}
    return long


def self_preference(table: pd.DataFrame, families: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Test whether judges favour their own family, given how generous they are to all.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `as_judge_table`.
    families : mapping of str to str, optional
        Model or judge -> family; by default from the beginnings of the names, see `FAMILIES`.

    Returns
    -------
    pandas.DataFrame
        One row a judge that has models of its family in the table, and dimension: ``judge``, ``family``,
        ``dimension``, ``excess_own`` and ``excess_others`` (points that the judge gives above the judges of
        other families, to its own models and to the others), ``preference`` (own less others; positive
        favours its own), ``p_value`` (one-sided: the share of all choices of as many models that have
        at least this preference), ``smallest_p`` (what that share can be at least), ``n_own``,
        ``n_others``.

    Raises
    ------
    DataError
        If no judge has both own and other models and a judge of another family to compare with.

    Notes
    -----
    The difference of two differences: a judge's offset is the same in both and drops out. With Table 6's five
    models no p-value can be below 0.1; a large preference with such a p-value is a question, no answer.
    """
    import numpy as np
    import pandas as pd

    table = as_judge_table(table)
    wide = table.pivot(index="model", columns="judge", values=_metrics(table))
    own_family = {name: family_of(str(name), families) for name in (*wide.index, *table["judge"].unique())}
    rows: list[tuple[object, ...]] = []
    for judge in table["judge"].unique():
        family = own_family[judge]
        others = [other for other in table["judge"].unique() if own_family[other] != family]
        own = np.array([own_family[model] == family for model in wide.index])
        if family is None or not others or not own.any() or own.all():
            continue
        for metric in _metrics(table):
            excess = (wide[metric][judge] - wide[metric][others].mean(axis=1)).to_numpy(dtype=float)
            there = ~np.isnan(excess)
            values, mine = excess[there], own[there]
            if not mine.any() or mine.all():
                continue
            picks = np.array(list(combinations(range(len(values)), int(mine.sum()))))
            inside = values[picks].sum(axis=1)
            rest = (values.sum() - inside) / (len(values) - mine.sum())
            preferences = inside / mine.sum() - rest
            found = values[mine].mean() - values[~mine].mean()
            p = (preferences >= found - 1e-9).mean()
            counts = (int(mine.sum()), int((~mine).sum()))
            means = (values[mine].mean(), values[~mine].mean())
            rows.append((judge, family, metric, *means, found, p, 1 / len(picks), *counts))
    if not rows:
        raise DataError("no judge has models of its own family, other models, and a judge of another family")
    columns = ["judge", "family", "dimension", "excess_own", "excess_others", "preference", "p_value"]
    frame = pd.DataFrame(rows, columns=[*columns, "smallest_p", "n_own", "n_others"])
    frame.attrs = {key: table.attrs[key] for key in ("source", "synthetic") if key in table.attrs}
    return frame


def turn_agreement(
    scores: pd.DataFrame, *, ci: float = 0.95, n_resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Measure how far two judges agree on single turns.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, by two judges at least.
    ci, n_resamples, seed
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row a pair of judges and dimension: ``judge_a``, ``judge_b``, ``dimension``, ``kappa`` (Cohen's, with
        quadratic weights: 1 is full agreement, 0 that of chance) with ``low`` and ``high`` (bootstrap
        over dialogues), ``exact`` (share of equal scores), ``mean_difference`` (b - a, points on
        0-100), ``n_turns``, ``n_dialogs``. NA where a judge's scores don't vary.

    Raises
    ------
    DataError
        If no two judges scored the same turn.

    Notes
    -----
    Cohen's weighted kappa by statsmodels. With quadratic weights it is 1 - mean((a - b)^2) over what that would be
    if the scores were paired at random, so a resample's kappa follows from its sums. People and judges
    of the paper agree with Pearson's correlations of 91 to 97 % over models (table
    ``human_agreement``), which says nothing of single turns.
    """
    import pandas as pd

    scores = as_scores(scores).dropna(subset=["score", "turn", "dialog_id"])
    keys = ["model", "dialog_id", "turn", "dimension"]
    wide = scores.pivot_table(index=keys, columns="judge", values="score", observed=True).reset_index()
    order = dimension_order(wide["dimension"])
    rows = []
    for a, b in combinations(scores["judge"].unique(), 2):
        both = wide.dropna(subset=[a, b])
        for dimension in [name for name in order if name in set(both["dimension"])]:
            part = both.loc[both["dimension"] == dimension]
            cluster, dialogs = pd.factorize(part["dialog_id"])
            first, second = part[a].to_numpy(float), part[b].to_numpy(float)
            kappa = _weighted_kappa(first, second)
            low, high = _kappa_interval(first, second, cluster, len(dialogs), ci, n_resamples, seed)
            exact, difference = (first == second).mean(), 10 * (second - first).mean()
            rows.append((a, b, dimension, kappa, low, high, exact, difference, len(part), len(dialogs)))
    if not rows:
        raise DataError("no two judges scored the same turn; expected scores by two judges with known turns")
    columns = ["judge_a", "judge_b", "dimension", "kappa", "low", "high", "exact", "mean_difference"]
    frame = pd.DataFrame(rows, columns=[*columns, "n_turns", "n_dialogs"])
    frame.attrs = {"ci": ci, "synthetic": bool(scores.attrs.get("synthetic"))}
    return frame


def _weighted_kappa(first: np.ndarray, second: np.ndarray) -> float:
    import numpy as np
    from statsmodels.stats.inter_rater import cohens_kappa

    values, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    if len(values) < 2:
        return float("nan")
    counts = np.zeros((len(values), len(values)))
    np.add.at(counts, (places[: len(first)], places[len(first) :]), 1)
    weights = (values[:, None] - values[None, :]) ** 2
    return float(cohens_kappa(counts, weights=weights, return_results=False))


def _kappa_interval(
    first: np.ndarray,
    second: np.ndarray,
    cluster: np.ndarray,
    n_clusters: int,
    ci: float,
    n_resamples: int,
    seed: int,
) -> tuple[float, float]:
    import numpy as np

    if n_clusters < 2:
        return float("nan"), float("nan")
    terms = np.column_stack([np.ones(len(first)), first, second, first**2 + second**2, (first - second) ** 2])
    sums = np.zeros((n_clusters, terms.shape[1]))
    np.add.at(sums, cluster, terms)
    blocks = []
    for weights in bootstrap_weights(n_clusters, n_resamples, seed):
        count, a, b, squares, apart = (weights @ sums).T
        with np.errstate(divide="ignore", invalid="ignore"):
            blocks.append(1 - (apart / count) / (squares / count - 2 * a * b / count**2))
    low, high = interval(np.concatenate(blocks), n_clusters, ci)
    return float(low), float(high)
