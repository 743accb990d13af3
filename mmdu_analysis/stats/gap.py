"""The gap between closed and open models in a table of models: by dimension and by size."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import comb, sqrt
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import (
    ACCESS,
    LABEL,
    MMDU,
    DataError,
    NotAvailable,
    Rubric,
    is_synthetic,
    require_columns,
)
from mmdu_analysis.stats.gap_turns import gap_breakdown
from mmdu_analysis.stats.scores import score_table, summarize_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_MOST_SPLITS = 200_000
_FEWEST_MODELS = 2


def gap_analysis(
    table: pd.DataFrame,
    *,
    access: str | Mapping[str, str] = "access",
    ci: float = 0.95,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Estimate the gap between closed and open models in each dimension.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per model: ``access`` (``closed`` or ``open``; others are left out) and columns with the short
        names of dimensions on 0-100, such as the published Table 2 or `score_table`; or scores of single
        turns from `load_scores`.
    access : str or mapping of str to str, default "access"
        The column with the access, or a mapping from model names; models that the mapping lacks keep the
        access of the table.
    ci : float, default 0.95
        Width of the intervals.
    seed : int, default 0
        Seed of the permutation test, if there are too many relabellings to enumerate.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        One row per dimension: ``dimension`` (full name), ``closed_mean``, ``open_mean``, ``gap``, ``se``,
        ``low``, ``high`` (Welch), ``best_closed``, ``best_open``, ``best_gap``, ``p_value`` (one-sided
        permutation of the labels), ``n_closed``, ``n_open`` (models with a value); ``gap_min`` and
        ``gap_max`` (range of the gap when any one model is left out), ``pairs_closed_higher`` of ``n_pairs``
        (pairs of a closed and an open model), ``border`` (the lowest closed less the highest open model),
        ``smallest_p`` (of the permutation), ``se_dialogs``, ``low_dialogs``, ``high_dialogs`` (of the gap of
        exactly these models, clustered by dialogue; NA without scores of turns), ``note``, ``ci``,
        ``synthetic``.

    Raises
    ------
    DataError
        If the table has no dimension of the rubric.
    NotAvailable
        If no dimension has two closed and two open models with values.

    Notes
    -----
    Table 2 of arXiv 2406.11833. ``Avg`` is the judge's Overall Score, not the mean of the six dimensions.

    The models are those that the authors chose, not a random sample. Welch's interval would be valid if the
    models of each kind were exchangeable draws from a population; read it as a measure of how
    much models differ. ``gap_min`` and ``gap_max`` need no such assumption. The smallest possible p-value of
    the permutation only says that every closed model is above every open one. ``se_dialogs`` answers another
    question: how precisely the benchmark's dialogues measure the gap between exactly these models.

    Examples
    --------
    >>> from mmdu_analysis import load_published
    >>> gaps = gap_analysis(load_published("main_results")).set_index("dimension")
    >>> gaps.loc["Overall Score", ["gap", "gap_min", "gap_max", "border"]].astype(float).round(1).tolist()
    [28.9, 26.0, 33.7, 4.1]
    """
    import numpy as np
    import pandas as pd

    by_dialog = None
    if "score" in table.columns or "correct" in table.columns:
        by_dialog, table = _from_scores(table, access, ci, rubric)
        access = "access"
    given = access_by_model(table, access)
    dimensions = _dimensions(table, rubric)
    rng = np.random.default_rng(seed)
    rows = []
    for short in dimensions:
        values = table[short].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        sides = [values[(given == side).to_numpy(bool, na_value=False)] for side in ("closed", "open")]
        closed, open_ = (side[~np.isnan(side)] for side in sides)
        rows.append({"dimension": rubric.full_name(short)} | _gap(closed, open_, ci, rng))
    frame = pd.DataFrame(rows)
    if (frame[["n_closed", "n_open"]].min(axis=1) < _FEWEST_MODELS).all():
        have = _counted(given)
        lacking = [side for side in ("closed", "open") if (frame[f"n_{side}"] < _FEWEST_MODELS).all()]
        wanted = " and ".join(f"access '{side}'" for side in lacking or ("closed", "open"))
        raise NotAvailable(f"got {have}, expected at least two models with a value and {wanted}")
    for column in ("se_dialogs", "low_dialogs", "high_dialogs"):
        frame[column] = float("nan") if by_dialog is None else frame["dimension"].map(by_dialog[column])
    note = frame.pop("note")
    return frame.assign(note=note, ci=ci, synthetic=is_synthetic(table)).astype(
        {"dimension": "str", "note": "str"}
    )


def _gap(closed: np.ndarray, open_: np.ndarray, ci: float, rng: np.random.Generator) -> dict[str, Any]:
    """Return the columns of `gap_analysis` for one dimension."""
    import numpy as np

    nan = float("nan")
    row: dict[str, Any] = {"closed_mean": _mean(closed), "open_mean": _mean(open_)}
    row["gap"] = row["closed_mean"] - row["open_mean"]
    row |= dict.fromkeys(("se", "low", "high"), nan)
    row |= {"best_closed": max(closed, default=nan), "best_open": max(open_, default=nan)}
    row |= {"best_gap": row["best_closed"] - row["best_open"], "p_value": nan}
    row |= {"n_closed": len(closed), "n_open": len(open_), "gap_min": nan, "gap_max": nan}
    higher = (closed[:, None] > open_[None, :]).sum()
    row |= {"pairs_closed_higher": int(higher), "n_pairs": len(closed) * len(open_)}
    row |= {"border": min(closed, default=nan) - row["best_open"], "smallest_p": nan, "note": ""}
    if min(len(closed), len(open_)) < _FEWEST_MODELS:
        row["note"] = "fewer than two models of a kind: no interval, no test"
        return row
    row["se"], row["low"], row["high"] = _welch(closed, open_, ci)
    without = [np.delete(closed, i).mean() - row["open_mean"] for i in range(len(closed))]
    without += [row["closed_mean"] - np.delete(open_, i).mean() for i in range(len(open_))]
    row["gap_min"], row["gap_max"] = min(without), max(without)
    row["p_value"], row["smallest_p"] = _permutation_p(closed, open_, rng)
    return row


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _welch(closed: np.ndarray, open_: np.ndarray, ci: float) -> tuple[float, float, float]:
    """Return standard error and Welch's interval of a difference of means."""
    from scipy.stats import t

    parts = closed.var(ddof=1) / len(closed), open_.var(ddof=1) / len(open_)
    se = sqrt(sum(parts))
    if se == 0:
        return 0.0, float("nan"), float("nan")
    freedom = se**4 / (parts[0] ** 2 / (len(closed) - 1) + parts[1] ** 2 / (len(open_) - 1))
    gap, reach = closed.mean() - open_.mean(), t.ppf((1 + ci) / 2, freedom) * se
    return se, gap - reach, gap + reach


def _from_scores(
    scores: pd.DataFrame, access: str | Mapping[str, str], ci: float, rubric: Rubric
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the standard errors of the gap over dialogues (index dimension), and the table of the models' means."""
    if isinstance(access, str):
        raise DataError("scores of turns have no access of the models; pass access={'model': 'open', ...}")
    table = score_table(summarize_scores(scores, rubric=rubric), access, rubric=rubric)
    broken = gap_breakdown(scores, access, "dimension", ci=ci, rubric=rubric).set_index("dimension")
    names = {"se": "se_dialogs", "low": "low_dialogs", "high": "high_dialogs"}
    return broken.rename(columns=names), table


def _counted(access: pd.Series) -> str:
    """Return the numbers of models of each access, in words."""
    counts = access.value_counts()
    return ", ".join(f"{n} {name}" for name, n in counts.items()) + " models" if len(counts) else "no model"


def access_by_model(table: pd.DataFrame, access: str | Mapping[str, str]) -> pd.Series:
    """Return the access of each model, from a column of the table or from a mapping.

    Raises
    ------
    DataError
        If the column is missing, or a value isn't ``closed``, ``open`` or ``finetuned``.
    """
    import pandas as pd

    if isinstance(access, str):
        require_columns(table, [access], "a table of models")
        return table[access]
    require_columns(table, ["model"], "a table of models")
    for model, value in access.items():
        if value not in ACCESS:
            raise DataError(f"access of {model!r} is {value!r}, expected one of {', '.join(ACCESS)}")
    known = table["access"] if "access" in table else pd.Series(pd.NA, index=table.index, dtype="str")
    return table["model"].map(dict(access)).astype("str").fillna(known)


def _dimensions(table: pd.DataFrame, rubric: Rubric) -> list[str]:
    short_names = [*rubric.short_names.values(), LABEL]
    dimensions = [short for short in short_names if short in table.columns]
    if not dimensions:
        raise DataError(
            f"a table of models: got columns {list(table.columns)}, expected some of {short_names}, the dimensions "
            f"of the rubric {rubric.name}"
        )
    return dimensions


def _permutation_p(closed: np.ndarray, open_: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the one-sided p of the gap over all relabellings (random ones if too many), and its minimum."""
    import numpy as np

    pool, size = np.concatenate([closed, open_]), len(closed)
    if comb(len(pool), size) <= _MOST_SPLITS:
        picks = np.array(list(combinations(range(len(pool)), size)))
    else:
        draws = [rng.permutation(len(pool))[:size] for _ in range(_MOST_SPLITS - 1)]
        picks = np.array([np.arange(size), *draws])
    return float((pool[picks].sum(axis=1) >= closed.sum() - 1e-9).mean()), 1 / len(picks)


def border_pair(table: pd.DataFrame, dimension: str | None = None, *, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Return the lowest closed and the highest open model.

    Parameters
    ----------
    table : pandas.DataFrame
        As in `gap_analysis`, with ``model``.
    dimension : str, optional
        Name or short name; by default the overall score.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        Two rows: ``model``, ``access``, and the dimension by its short name.

    Raises
    ------
    NotAvailable
        If there is no closed or no open model with a value.
    """
    import pandas as pd

    wanted = dimension or rubric.overall
    if wanted is None:
        raise DataError(f"the rubric {rubric.name} has no overall score; pass dimension=")
    short = rubric.short_names[rubric.full_name(wanted)]
    require_columns(table, ["model", "access", short], "a table of models")
    valued = table.dropna(subset=short)
    parts = [valued.loc[valued["access"] == "closed"].nsmallest(1, short)]
    parts.append(valued.loc[valued["access"] == "open"].nlargest(1, short))
    if any(part.empty for part in parts):
        raise NotAvailable(
            f"got {_counted(valued['access'])} with a value, expected a closed and an open model with one"
        )
    return pd.concat(parts, ignore_index=True)[["model", "access", short]]


def add_model(
    table: pd.DataFrame,
    model: str,
    access: str,
    scores: Mapping[str, float],
    *,
    parameters_b: float | None = None,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Return a table of models with one more row.

    Parameters
    ----------
    table : pandas.DataFrame
        Such as ``load_published("main_results")``.
    model, access : str
        The model's name; ``closed``, ``open`` or ``finetuned``.
    scores : mapping of str to float
        Dimension (name or short name) -> score on 0-100. Omitted dimensions are NA and are not compared.
    parameters_b : float, optional
        Size in billions of parameters.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        The table with one more row.

    Raises
    ------
    DataError
        If the name is taken, the access is unknown, there is no score, or a score isn't on 0-100.
    """
    import pandas as pd

    if model in set(table["model"]):
        raise DataError(f"model {model!r} is in the table already; use another name")
    if access not in ACCESS:
        raise DataError(f"access is {access!r}, expected {', '.join(ACCESS)}")
    named = {rubric.short_names[rubric.full_name(name)]: value for name, value in scores.items()}
    wrong = {name: value for name, value in named.items() if not 0 <= value <= 100}
    if wrong or not named:
        raise DataError(
            f"scores {dict(scores)}, expected 0-100 for some of {list(rubric.short_names.values())}"
        )
    row: dict[str, Any] = {"model": model, "access": access, **named}
    if parameters_b is not None:
        row["parameters_b"] = parameters_b
    return pd.concat([table, pd.DataFrame([row])], ignore_index=True)


def size_effect(table: pd.DataFrame, *, ci: float = 0.95, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Test whether the scores of open models depend on their size.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per model: ``access``, ``parameters_b`` (billions) and dimensions on 0-100.
    ci : float, default 0.95
        Width of the interval.
    rubric : Rubric, optional
        The rubric of the dimensions.

    Returns
    -------
    pandas.DataFrame
        One row per dimension: ``dimension``, ``spearman`` (rank correlation of score and parameters),
        ``p_value`` (its two-sided permutation test, 10,000 random orders), ``slope`` (points for a doubling
        of the parameters) with ``se``, ``low`` and ``high`` (least squares, Student's t), ``n_models``,
        ``smallest_b``, ``largest_b``, ``n_unknown`` (closed models without a published size: no table can
        separate size from access), ``ci``, ``synthetic``.

    Raises
    ------
    NotAvailable
        If fewer than four open models have a size and a value in any dimension.
    """
    import numpy as np
    import pandas as pd
    from scipy.stats import linregress, permutation_test, t

    require_columns(table, ["access", "parameters_b"], "a table of models")
    unknown = int((table["access"].eq("closed") & table["parameters_b"].isna()).sum())
    rows = []
    for short in _dimensions(table, rubric):
        sized = table.loc[table["access"] == "open"].dropna(subset=["parameters_b", short])
        if len(sized) < 4:
            continue
        doublings = np.log2(sized["parameters_b"].to_numpy(dtype=float))
        scores = sized[short].to_numpy(dtype=float)
        fit = linregress(doublings, scores)
        reach = t.ppf((1 + ci) / 2, len(sized) - 2) * fit.stderr
        ranks = _standardized_ranks(doublings)
        rank = permutation_test(
            (_standardized_ranks(scores),),
            lambda order, axis, ranks=ranks: np.sum(order * ranks, axis=axis),  # Spearman's correlation
            permutation_type="pairings",
            vectorized=True,
            n_resamples=10_000,
            rng=np.random.default_rng(0),
        )
        row = {"dimension": rubric.full_name(short), "spearman": rank.statistic, "p_value": rank.pvalue}
        row |= {"slope": fit.slope, "se": fit.stderr, "low": fit.slope - reach, "high": fit.slope + reach}
        sizes = sized["parameters_b"]
        rows.append(row | {"n_models": len(sized), "smallest_b": sizes.min(), "largest_b": sizes.max()})
    if not rows:
        raise NotAvailable("fewer than four open models have parameters_b and a value in a dimension")
    frame = pd.DataFrame(rows).astype({"dimension": "str"})
    return frame.assign(n_unknown=unknown, ci=ci, synthetic=is_synthetic(table))


def _standardized_ranks(values: np.ndarray) -> np.ndarray:
    """Return the ranks of values with mean 0 and length 1, so that their product is Spearman's correlation."""
    import numpy as np
    from scipy.stats import rankdata

    centred = rankdata(values) - (len(values) + 1) / 2
    return centred / np.sqrt(np.sum(centred**2))
