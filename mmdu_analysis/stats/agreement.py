"""Agreement of judges with each other: correlations, offsets, self-preference, single turns."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

from mmdu_analysis.schema import (
    LABEL,
    MMDU,
    CoverageWarning,
    DataError,
    NotAvailable,
    Rubric,
    require_columns,
)
from mmdu_analysis.stats.resampling import FEW_DIALOGS, RESAMPLES, bootstrap_weights, interval
from mmdu_analysis.stats.scores import as_scores, score_table, summarize_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FAMILIES = {"gpt": "OpenAI", "claude": "Anthropic", "gemini": "Google", "qwen": "Alibaba", "llava": "LLaVA"}
"""Beginning of a model's name in lower case -> its family."""


def family_of(model: str, families: Mapping[str, str] | None = None) -> str | None:
    """Return the family of a model: as given, else from the beginning of its name; None if unknown."""
    if families and model in families:
        return families[model]
    return next((name for start, name in FAMILIES.items() if model.lower().startswith(start)), None)


def as_judge_table(table: pd.DataFrame, *, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Return one row per model and judge; scores of single turns are averaged first.

    Parameters
    ----------
    table : pandas.DataFrame
        ``load_published("judges")`` or a frame of that form, or scores from `load_scores` by several judges.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``judge``, dimensions by their short names on 0-100, ``synthetic``.

    Raises
    ------
    NotAvailable
        If there are fewer than two judges.
    DataError
        If a judge scored a model twice, or there is no dimension of the rubric.
    """
    if "score" in getattr(table, "columns", ()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoverageWarning)  # judges may have scored different models
            table = score_table(summarize_scores(table, ["model", "judge"], rubric=rubric), rubric=rubric)
    require_columns(table, ["model", "judge"], "a table of models and judges")
    judges = list(table["judge"].unique())
    if len(judges) < 2:
        raise NotAvailable(f"got scores by {judges}, expected at least two judges")
    if table.duplicated(["model", "judge"]).any():
        raise DataError("a judge scores a model twice in the table; expected one row per model and judge")
    if not _metrics(table, rubric):
        raise DataError(
            f"got columns {list(table.columns)}, expected some of {list(rubric.short_names.values())}"
        )
    marked = table["synthetic"].fillna(False).astype(bool) if "synthetic" in table else False
    return table.assign(synthetic=marked)


def _metrics(table: pd.DataFrame, rubric: Rubric) -> list[str]:
    return [short for short in [*rubric.short_names.values(), LABEL] if short in table]


def judge_agreement(table: pd.DataFrame, *, ci: float = 0.95, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Correlate the scores that two judges give to the same models.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `as_judge_table`.
    ci : float, default 0.95
        Width of the interval.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        One row per pair of judges and dimension: ``judge_a``, ``judge_b``, ``dimension``, ``n_models``,
        ``pearson``, ``spearman``, ``kendall`` (tau-b), ``mean_difference`` (b - a, points), ``low`` and
        ``high`` (of ``pearson``, by Fisher's transformation; needs four models), ``ci``, ``synthetic``. The
        correlations are NA for fewer than two models or constant scores.

    Notes
    -----
    Table 6 of arXiv 2406.11833. Five models of which two are far below the others correlate highly with
    almost any judge: the ranks within the two groups are based on few points.

    Examples
    --------
    >>> from mmdu_analysis import load_published
    >>> judge_agreement(load_published("judges")).query("dimension == 'Overall Score'")["kendall"].round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    import numpy as np
    import pandas as pd
    from scipy.stats import kendalltau, pearsonr, spearmanr

    table = as_judge_table(table, rubric=rubric)
    rows = []
    for a, b in combinations(table["judge"].unique(), 2):
        both = table.loc[table["judge"] == a].merge(table.loc[table["judge"] == b], on="model")
        synthetic = bool((both["synthetic_x"] | both["synthetic_y"]).any())
        for metric in _metrics(table, rubric):
            pair = both[[f"{metric}_x", f"{metric}_y"]].dropna().to_numpy(dtype=float)
            found = [float("nan")] * 3
            if len(pair) > 1 and np.ptp(pair, axis=0).all():
                found = [test(*pair.T).statistic for test in (pearsonr, spearmanr, kendalltau)]
            row = {"judge_a": a, "judge_b": b, "dimension": rubric.full_name(metric), "n_models": len(pair)}
            row |= dict(zip(("pearson", "spearman", "kendall"), found, strict=True))
            row["mean_difference"] = (pair[:, 1] - pair[:, 0]).mean() if len(pair) else float("nan")
            row["low"], row["high"] = _fisher_interval(found[0], len(pair), ci)
            rows.append(row | {"ci": ci, "synthetic": synthetic})
    return pd.DataFrame(rows).astype(dict.fromkeys(("judge_a", "judge_b", "dimension"), "str"))


def _fisher_interval(correlation: float, count: int, ci: float) -> tuple[float, float]:
    from math import atanh, sqrt, tanh

    from scipy.stats import norm

    if count < 4 or not abs(correlation) < 1:
        return float("nan"), float("nan")
    reach = float(norm.ppf((1 + ci) / 2)) / sqrt(count - 3)
    return tanh(atanh(correlation) - reach), tanh(atanh(correlation) + reach)


def judge_offsets(table: pd.DataFrame, *, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Compute the offset of each judge from the mean of all judges for the same models.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `as_judge_table`.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        One row per judge, model and dimension: ``judge``, ``model``, ``dimension``, ``score`` (0-100),
        ``offset`` (points from the mean of all judges of that model), ``judge_offset`` (its mean over the
        models), ``rank`` (of the model among those of the judge, 1 is best), ``synthetic``. Models that some
        judges didn't score are left out.
    """
    table = as_judge_table(table, rubric=rubric)
    long = table.melt(["judge", "model", "synthetic"], _metrics(table, rubric), "dimension", "score")
    n_judges = long.groupby(["model", "dimension"])["score"].transform("count")  # with a score
    long = long.loc[n_judges == table["judge"].nunique()].reset_index(drop=True)
    if long.empty:
        raise DataError("no model was scored by all judges, so their offsets can't be compared")
    long["dimension"] = long["dimension"].map(rubric.full_name).astype("str")
    long["offset"] = long["score"] - long.groupby(["model", "dimension"])["score"].transform("mean")
    long["judge_offset"] = long.groupby(["judge", "dimension"])["offset"].transform("mean")
    by_judge = long.groupby(["judge", "dimension"])["score"]
    long["rank"] = by_judge.rank(ascending=False, method="min").astype("int64")
    return long.assign(synthetic=long.pop("synthetic"))


def self_preference(
    table: pd.DataFrame, families: Mapping[str, str] | None = None, *, rubric: Rubric = MMDU
) -> pd.DataFrame:
    """Compare the scores that judges give to models of their own family with their scores of other models.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `as_judge_table`.
    families : mapping of str to str, optional
        Model or judge -> family; by default from the beginnings of the names, see `FAMILIES`.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        One row per judge that has models of its family in the table, and dimension: ``judge``, ``family``,
        ``dimension``, ``excess_own`` and ``excess_others`` (points above the mean of the judges of other
        families, for its own models and for the others), ``preference`` (own less others; positive values
        favour its own models), ``p_value`` (one-sided: the share of all selections of as many models with at
        least this preference), ``smallest_p`` (the smallest possible value of this share), ``n_own``,
        ``n_others``, ``scale_slope`` (points of excess per point of the other judges' score, over all
        models), ``note``, ``synthetic``.

    Raises
    ------
    NotAvailable
        If no judge has both own and other models and a judge of another family to compare with.

    Notes
    -----
    A difference of two differences: a judge's general offset is the same in both and drops out. A difference
    of *scale* does not: a judge that spreads scores more widely gives more to all good models, and those of
    its own family may be among them (``scale_slope`` is then positive). With the five models of Table 6,
    whose best ones are the judges' own, a preference and a wider scale can't be separated, and no p-value can
    be below 0.1. A large preference is a reason to look for more models, not a result.
    """
    import pandas as pd

    table = as_judge_table(table, rubric=rubric)
    metrics = _metrics(table, rubric)
    wide = table.pivot(index="model", columns="judge", values=metrics)
    judges = list(table["judge"].unique())
    family = {name: family_of(str(name), families) for name in (*wide.index, *judges)}
    rows = []
    for judge in judges:
        others = [other for other in judges if family[other] != family[judge]]
        own = wide.index.map(lambda model, judge=judge: family[model] == family[judge]).to_numpy(bool)
        if family[judge] is None or not others or not own.any() or own.all():
            continue
        for metric in metrics:
            reference = wide[metric][others].mean(axis=1)
            excess = wide[metric][judge] - reference
            known = excess.notna().to_numpy()
            if not own[known].any() or own[known].all():
                continue
            found = _preference(excess.to_numpy(float)[known], own[known], reference.to_numpy(float)[known])
            rows.append(
                {"judge": judge, "family": family[judge], "dimension": rubric.full_name(metric)} | found
            )
    if not rows:
        raise NotAvailable(
            "no judge has models of its own family, other models, and a judge of another family"
        )
    text = dict.fromkeys(("judge", "family", "dimension", "note"), "str")
    return pd.DataFrame(rows).assign(synthetic=bool(table["synthetic"].any())).astype(text)


def _preference(excess: np.ndarray, own: np.ndarray, reference: np.ndarray) -> dict[str, object]:
    """Return the columns of `self_preference` for one judge and dimension."""
    import numpy as np

    n_own, count = int(own.sum()), len(excess)
    picks = np.array(list(combinations(range(count), n_own)))
    inside = excess[picks].sum(axis=1)
    preferences = inside / n_own - (excess.sum() - inside) / (count - n_own)
    preference = excess[own].mean() - excess[~own].mean()
    slope = float(np.polyfit(reference, excess, 1)[0]) if np.ptp(reference) > 0 else float("nan")
    smallest = 1 / len(picks)
    notes = ["self-preference and a wider scale can't be separated"] if preference > 0 and slope > 0 else []
    if smallest > 0.05:
        notes.append(f"{count} models: p can't be below {smallest:.2g}")
    return {
        "excess_own": excess[own].mean(),
        "excess_others": excess[~own].mean(),
        "preference": preference,
        "p_value": float((preferences >= preference - 1e-9).mean()),
        "smallest_p": smallest,
        "n_own": n_own,
        "n_others": count - n_own,
        "scale_slope": slope,
        "note": "; ".join(notes),
    }


def turn_agreement(
    scores: pd.DataFrame,
    *,
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Measure the agreement of two judges on single turns.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, by two judges at least.
    ci : float, default 0.95
        Width of the interval.
    n_resamples, seed : int
        Of the bootstrap over dialogues.
    rubric : Rubric, optional
        Dimensions and scale of the scores.

    Returns
    -------
    pandas.DataFrame
        One row per pair of judges and dimension: ``judge_a``, ``judge_b``, ``dimension``, ``kappa`` (Cohen's,
        with quadratic weights, within models: 1: full agreement, 0: chance) with ``se``, ``low`` and ``high``
        (bootstrap over dialogues), ``kappa_pooled`` (over all models together), ``exact`` (share of equal
        scores), ``mean_difference`` (b - a, points on 0-100), ``n_turns``, ``n_dialogs``, ``n_models``,
        ``note``, ``ci``, ``synthetic``. NA if the scores of a judge don't vary.

    Raises
    ------
    NotAvailable
        If no two judges scored the same turn.

    Notes
    -----
    With quadratic weights kappa is 1 - mean((a - b)^2) over its expected value if the scores were paired at
    random. Within models they are paired at random among the turns of the same model. The pooled kappa pairs
    them among all models, so two judges who only agree which models are good have a high one: at model means
    of 3 and 8, judges who are independent within models have a pooled kappa of 0.85. People and judges of the
    paper agree with Pearson's correlations of 91 to 97 % over models (table ``human_agreement``), which tells
    nothing about single turns.
    """
    import pandas as pd

    scores = as_scores(scores, rubric=rubric).dropna(subset=["score", "turn", "dialog_id"])
    keys = ["model", "dialog_id", "turn", "dimension"]
    wide = scores.pivot_table(index=keys, columns="judge", values="score", observed=True).reset_index()
    marked = scores.groupby("judge")["synthetic"].any()
    order = rubric.order(wide["dimension"].unique())
    rows = []
    for a, b in combinations(scores["judge"].unique(), 2):
        both = wide.dropna(subset=[a, b])
        for dimension in order:
            part = both.loc[both["dimension"] == dimension]
            if part.empty:
                continue
            first, second = (rubric.to_percent(part[judge].to_numpy(float)) for judge in (a, b))
            row = {"judge_a": a, "judge_b": b, "dimension": dimension}
            row |= _kappas(first, second, part["model"], part["dialog_id"], ci, n_resamples, seed)
            rows.append(row | {"ci": ci, "synthetic": bool(marked[a] or marked[b])})
    if not rows:
        raise NotAvailable(
            "no two judges scored the same turn; expected scores by two judges with known turns"
        )
    return pd.DataFrame(rows).astype(dict.fromkeys(("judge_a", "judge_b", "dimension", "note"), "str"))


def _kappas(
    first: np.ndarray,
    second: np.ndarray,
    model: pd.Series,
    dialog: pd.Series,
    ci: float,
    n_resamples: int,
    seed: int,
) -> dict[str, object]:
    """Return the columns of `turn_agreement` for one pair of judges and dimension."""
    import numpy as np
    import pandas as pd

    models, dialogs = pd.factorize(model)[0], pd.factorize(dialog)[0]
    n_models, n_dialogs = models.max() + 1, dialogs.max() + 1
    terms = np.column_stack([np.ones(len(first)), first, second, first**2 + second**2, (first - second) ** 2])
    sums = np.zeros((n_dialogs, n_models, terms.shape[1]))
    np.add.at(sums, (dialogs, models), terms)
    total = sums.sum(axis=0)
    row: dict[str, object] = {"kappa": float(_kappa(total[None])[0])}
    row |= dict.fromkeys(("se", "low", "high"), float("nan"))
    note = "one dialogue: no interval"
    if n_dialogs > 1:
        blocks = [_kappa(np.tensordot(w, sums, 1)) for w in bootstrap_weights(n_dialogs, n_resamples, seed)]
        draws = np.concatenate(blocks)
        low, high = interval(draws, n_dialogs, ci)
        row |= {"se": float(np.nanstd(draws, ddof=1)), "low": float(low), "high": float(high)}
        note = f"based on only {n_dialogs} dialogues" if n_dialogs < FEW_DIALOGS else ""
    row["kappa_pooled"] = float(_kappa(total.sum(axis=0)[None, None])[0])
    row |= {"exact": (first == second).mean(), "mean_difference": (second - first).mean()}
    return row | {"n_turns": len(first), "n_dialogs": n_dialogs, "n_models": n_models, "note": note}


def _kappa(sums: np.ndarray) -> np.ndarray:
    """Return quadratically weighted kappa, with chance agreement within models.

    Parameters
    ----------
    sums : numpy.ndarray, shape (n, n_models, 5)
        Number, sums of the two judges' points, of their squares, and of their squared differences.

    Returns
    -------
    numpy.ndarray, shape (n,)
        NaN if the points don't vary.
    """
    import numpy as np

    count, a, b, squares, apart = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(count > 0, squares - 2 * a * b / count, 0).sum(axis=1)
        # A model with constant points adds 0 up to rounding.
        expected = np.where(expected > 1e-9 * squares.sum(axis=1), expected, np.nan)
        return 1 - apart.sum(axis=1) / expected
