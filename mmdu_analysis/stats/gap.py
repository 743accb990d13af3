"""How far open models are behind closed ones: by dimension, along the dialogue, by size."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import ACCESS, DIMENSIONS, DataError, require_columns
from mmdu_analysis.stats.breakdowns import score_breakdown, score_trend
from mmdu_analysis.stats.scores import as_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark

_MOST_SPLITS = 200_000
_RESAMPLES = 10_000


def gap_analysis(
    table: pd.DataFrame,
    *,
    access: str | Mapping[str, str] = "access",
    ci: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure how far open models are behind closed ones, in each dimension.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a model: ``access`` (``closed`` or ``open``; others are left out) and the columns ``C``
        to ``IRU`` and ``Avg``, or some of them, on 0-100. The published Table 2, or `score_table`.
    access : str or mapping of str to str, default "access"
        The column that says which models are open, or a mapping from the model's name; a model that the mapping
        doesn't name keeps what the table says.
    ci : float, default 0.95
        Width of the interval.
    seed : int, default 0
        Of the bootstrap.

    Returns
    -------
    pandas.DataFrame
        One row a dimension: ``closed_mean``, ``open_mean``, ``gap`` with ``low`` and ``high`` (percentile
        bootstrap over models, each group by itself), ``best_closed``, ``best_open``, ``best_gap``,
        ``p_value`` (one-sided permutation of the labels, exact), ``n_closed``, ``n_open``.

    Raises
    ------
    DataError
        If the table has fewer than two closed or two open models, or no dimension.

    Notes
    -----
    Table 2 of arXiv 2406.11833. ``Avg`` is the judge's Overall Score, not the mean of the six. The models
    are those that the authors chose, no random sample: the interval says how much the gap hangs on the
    choice.

    Examples
    --------
    >>> from mmdu_analysis import load_published
    >>> gap_analysis(load_published("main_results")).set_index("dimension").loc["Avg", "gap"].round(2).item()
    28.85
    """
    import numpy as np
    import pandas as pd

    given = _access_of(table, access)
    dimensions = _dimensions(table)
    groups = {}
    for group in ("closed", "open"):
        groups[group] = table.loc[given == group, dimensions].to_numpy(dtype=float)
        if len(groups[group]) < 2:
            have = given.value_counts().to_dict()
            raise DataError(f"got models by access {have}, expected at least two with access {group!r}")
    closed, open_ = groups["closed"], groups["open"]
    rng = np.random.default_rng(seed)
    resampled = _resampled_means(closed, rng) - _resampled_means(open_, rng)
    low, high = np.quantile(resampled, [(1 - ci) / 2, (1 + ci) / 2], axis=0)
    frame = pd.DataFrame(
        {
            "dimension": dimensions,
            "closed_mean": closed.mean(axis=0),
            "open_mean": open_.mean(axis=0),
            "gap": closed.mean(axis=0) - open_.mean(axis=0),
            "low": low,
            "high": high,
            "best_closed": closed.max(axis=0),
            "best_open": open_.max(axis=0),
            "best_gap": closed.max(axis=0) - open_.max(axis=0),
            "p_value": _permutation_p(closed, open_, rng),
            "n_closed": len(closed),
            "n_open": len(open_),
        }
    )
    frame.attrs = {"source": table.attrs.get("source", ""), "ci": ci}
    frame.attrs["synthetic"] = bool(table.attrs.get("synthetic"))
    return frame


def _access_of(table: pd.DataFrame, access: str | Mapping[str, str]) -> pd.Series:
    """Give each model's access, from a column or by its name."""
    import pandas as pd

    if isinstance(access, str):
        require_columns(table, [access], "a table of models")
        return table[access]
    require_columns(table, ["model"], "a table of models")
    wrong = {model: value for model, value in access.items() if value not in ACCESS}
    if wrong:
        raise DataError(f"access got {wrong}, expected {', '.join(ACCESS)}")
    known = table["access"] if "access" in table else pd.Series(pd.NA, index=table.index, dtype="str")
    return table["model"].map(dict(access)).astype("str").fillna(known)


def _dimensions(table: pd.DataFrame) -> list[str]:
    found = [short for short in DIMENSIONS if short in table.columns]
    if not found:
        raise DataError(
            f"a table of models: got columns {list(table.columns)}, expected some of {list(DIMENSIONS)}"
        )
    return found


def _resampled_means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return values[rng.integers(0, len(values), (_RESAMPLES, len(values)))].mean(axis=1)


def _permutation_p(closed: np.ndarray, open_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One-sided p of the gap: over all relabellings, or over random ones where those are too many."""
    import numpy as np

    pool, size = np.vstack([closed, open_]), len(closed)
    if comb(len(pool), size) <= _MOST_SPLITS:
        picks = np.array(list(combinations(range(len(pool)), size)))
    else:
        draws = [rng.permutation(len(pool))[:size] for _ in range(_MOST_SPLITS - 1)]
        picks = np.array([np.arange(size), *draws])
    sums = pool[picks].sum(axis=1)
    return (sums >= closed.sum(axis=0) - 1e-9).mean(axis=0)


def border_pair(table: pd.DataFrame, dimension: str = "Avg") -> pd.DataFrame:
    """Give the two models nearest to the border: the worst closed and the best open one.

    Parameters
    ----------
    table : pandas.DataFrame
        As `gap_analysis` takes it, with ``model``.
    dimension : str, default "Avg"
        The dimension's short name.

    Returns
    -------
    pandas.DataFrame
        Two rows: ``model``, ``access``, and the dimension.
    """
    import pandas as pd

    require_columns(table, ["model", "access", dimension], "a table of models")
    closed = table.loc[table["access"] == "closed"].nsmallest(1, dimension)
    open_ = table.loc[table["access"] == "open"].nlargest(1, dimension)
    return pd.concat([closed, open_], ignore_index=True)[["model", "access", dimension]]


def add_model(
    table: pd.DataFrame, model: str, access: str, scores: dict[str, float], **columns: Any
) -> pd.DataFrame:
    """Put one's own model into a table of models.

    Parameters
    ----------
    table : pandas.DataFrame
        Such as ``load_published("main_results")``.
    model, access : str
        The model's name; ``closed``, ``open`` or ``finetuned``.
    scores : dict of str to float
        Short dimension name -> score on 0-100.
    **columns
        Such as ``parameters_b=7``.

    Returns
    -------
    pandas.DataFrame
        The table with one more row.

    Raises
    ------
    DataError
        If the name is taken, or a score isn't on 0-100.
    """
    import pandas as pd

    if model in set(table["model"]):
        raise DataError(f"model {model!r} is in the table already; give another name")
    wrong = {name: value for name, value in scores.items() if name not in DIMENSIONS or not 0 <= value <= 100}
    if wrong:
        raise DataError(f"scores {wrong}, expected 0-100 for {list(DIMENSIONS)}")
    row = pd.DataFrame([{"model": model, "access": access, **columns, **scores}])
    result = pd.concat([table, row], ignore_index=True)
    result.attrs = dict(table.attrs)
    return result


def size_effect(table: pd.DataFrame, *, ci: float = 0.95) -> pd.DataFrame:
    """Ask whether open models' scores go with their size.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a model: ``access``, ``parameters_b`` (billions) and dimensions on 0-100.
    ci : float, default 0.95
        Width of the interval.

    Returns
    -------
    pandas.DataFrame
        One row a dimension: ``dimension``, ``spearman`` (rank correlation of score and parameters), ``p_value``
        (its two-sided permutation test, 10,000 random orders), ``slope`` (points for a doubling of the
        parameters) with ``low`` and ``high`` (least squares, Student's t), ``n_models``,
        ``smallest_b``, ``largest_b``. ``attrs["n_unknown"]`` counts closed models, whose sizes aren't
        published: no table can tell size from access.

    Raises
    ------
    DataError
        If fewer than four open models have a size.
    """
    import numpy as np
    import pandas as pd
    from scipy.stats import linregress, permutation_test, spearmanr, t

    require_columns(table, ["access", "parameters_b"], "a table of models")
    sized = table.loc[(table["access"] == "open") & table["parameters_b"].notna()]
    if len(sized) < 4:
        raise DataError(f"got {len(sized)} open models with parameters_b, expected four at least")
    doublings = np.log2(sized["parameters_b"].to_numpy(dtype=float))
    rows = []
    for dimension in _dimensions(table):
        scores = sized[dimension].to_numpy(dtype=float)
        fit = linregress(doublings, scores)
        reach = t.ppf((1 + ci) / 2, len(sized) - 2) * fit.stderr
        rank = permutation_test(
            (scores,),
            lambda order: spearmanr(order, doublings).statistic,
            permutation_type="pairings",
            n_resamples=10_000,
            rng=np.random.default_rng(0),
        )
        rows.append((dimension, rank.statistic, rank.pvalue, fit.slope, fit.slope - reach, fit.slope + reach))
    frame = pd.DataFrame(rows, columns=["dimension", "spearman", "p_value", "slope", "low", "high"])
    frame["n_models"] = len(sized)
    frame["smallest_b"], frame["largest_b"] = sized["parameters_b"].min(), sized["parameters_b"].max()
    unknown = int((table["access"].eq("closed") & table["parameters_b"].isna()).sum())
    frame.attrs = {"source": table.attrs.get("source", ""), "ci": ci, "n_unknown": unknown}
    return frame


def paired_gap(scores: pd.DataFrame, access: Mapping[str, str]) -> pd.DataFrame:
    """Put closed and open models' scores of the same turns beside each other.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    access : mapping of str to str
        Model -> ``closed`` or ``open``; others are left out.

    Returns
    -------
    pandas.DataFrame
        Scores in which the "models" are ``closed`` and ``open`` (the mean of their models on each judged turn)
        and ``gap`` (closed less open). Turns that only one side has are left out;
        ``attrs["n_unpaired"]`` counts them, a dimension each.

    Raises
    ------
    DataError
        If one side has no model in the scores.
    """
    scores = as_scores(scores)
    side = scores["model"].map(dict(access))
    for wanted in ("closed", "open"):
        if not (side == wanted).any():
            have = {model: access.get(model) for model in scores["model"].unique()}
            raise DataError(f"got models {have}, expected at least one with access {wanted!r}")
    kept = scores.loc[side.isin(["closed", "open"])].dropna(subset=["score", "dialog_id", "turn"])
    keys = ["dialog_id", "turn", "dimension"]
    by_model = kept.groupby([*keys, "model", side.rename("side")], observed=True)["score"].mean()
    sides = by_model.groupby([*keys, "side"], observed=True).mean().unstack("side")
    both = sides.dropna()
    wide = both.assign(gap=both["closed"] - both["open"]).rename_axis(columns=None).reset_index()
    long = wide.melt(keys, ["closed", "open", "gap"], "model", "score").assign(judge="mean")
    long = long.astype({"model": "str", "judge": "str"})[["model", "judge", *keys, "score"]]
    long.attrs = {"synthetic": bool(scores.attrs.get("synthetic")), "n_unpaired": len(sides) - len(both)}
    return long


def gap_breakdown(
    scores: pd.DataFrame,
    access: Mapping[str, str],
    what: str = "turn",
    turns: pd.DataFrame | Benchmark | None = None,
    *,
    dimension: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Measure the gap by turn, images or context, and whether it grows with the dialogue.

    Parameters
    ----------
    scores, access
        As in `paired_gap`.
    what, turns, dimension, **options
        As in `score_breakdown`.

    Returns
    -------
    pandas.DataFrame
        One row a bin: ``bin``, ``closed_mean``, ``open_mean``, ``gap``, ``se``, ``low``, ``high`` (of the gap;
        clustered by dialogue, the models as given), ``n_dialogs``, ``n_turns``, and ``slope``, ``slope_low``,
        ``slope_high``, ``p_value``: how much the gap grows for a turn, an image or 1,000 tokens more, see
        `score_trend` (NA for kinds and dimensions).

    Raises
    ------
    DataError
        As in `paired_gap` and `score_breakdown`.
    """
    paired = paired_gap(scores, access)
    broken = score_breakdown(paired, what, turns, dimension=dimension, **options)
    attrs = dict(broken.attrs) | {"n_unpaired": paired.attrs["n_unpaired"]}
    sides = broken.set_index(["bin", "model"])["mean"].unstack("model")
    frame = broken.loc[broken["model"] == "gap"].rename(columns={"mean": "gap"})
    frame = frame.drop(columns=["model", "n_missing"])
    frame.insert(1, "closed_mean", frame["bin"].astype(object).map(sides["closed"]))
    frame.insert(2, "open_mean", frame["bin"].astype(object).map(sides["open"]))
    frame = frame.reset_index(drop=True)
    for column in ("slope", "slope_low", "slope_high", "p_value"):
        frame[column] = float("nan")
    if what not in ("kind", "dimension"):
        gaps = paired.loc[paired["model"] == "gap"]
        trend = score_trend(gaps, what, turns, dimension=dimension).iloc[0]
        for column, source in {"slope_low": "low", "slope_high": "high"}.items():
            frame[column] = trend[source]
        frame["slope"], frame["p_value"] = trend["slope"], trend["p_value"]
    frame.attrs = attrs
    return frame
