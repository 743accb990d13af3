"""Open against closed models, and what fine-tuning closes of the distance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import DIMENSIONS, DataError, require_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_MOST_SPLITS = 200_000
_RESAMPLES = 10_000


def gap_analysis(table: pd.DataFrame, *, ci: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Measure how far open models are behind closed ones, in each dimension.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a model: ``access`` (``closed`` or ``open``; others are left out) and the columns ``C``
        to ``IRU`` and ``Avg``, or some of them, on 0-100.
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

    require_columns(table, ["access"], "a table of models")
    dimensions = _dimensions(table)
    groups = {}
    for access in ("closed", "open"):
        groups[access] = table.loc[table["access"] == access, dimensions].to_numpy(dtype=float)
        if len(groups[access]) < 2:
            have = table["access"].value_counts().to_dict()
            raise DataError(f"got models by access {have}, expected at least two with access {access!r}")
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
    return frame


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


def finetuning_gain(
    table: pd.DataFrame, reference: str | None = "GPT-4o", *, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Measure what fine-tuning gains over its base model.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a model: ``model``, ``base_model`` (NA for those that aren't fine-tuned), and numeric
        columns; Tables 2, 3 and 4 are such.
    reference : str or None, default "GPT-4o"
        Model whose distance from the base is closed by a share. None leaves the distance out, for
        tables without such a model.
    metrics : sequence of str, optional
        Columns; by default all numeric ones but ``parameters_b``.

    Returns
    -------
    pandas.DataFrame
        One row a fine-tuned model and column: ``model``, ``base_model``, ``metric``, ``base``,
        ``finetuned``, ``gain`` (points), ``relative_gain`` (0-1 of the base), ``distance`` (reference less
        base, points) and ``share_closed`` (0-1; NA without reference).

    Raises
    ------
    DataError
        If a base or the reference isn't in the table, or nothing is fine-tuned.

    Notes
    -----
    Tables 2-4 of arXiv 2406.11833.
    """
    import pandas as pd

    require_columns(table, ["model", "base_model"], "a table of models")
    columns = list(metrics or table.select_dtypes("number").columns.drop("parameters_b", errors="ignore"))
    models = table.set_index("model")
    tuned = table.loc[table["base_model"].notna()]
    if tuned.empty:
        raise DataError("no model in the table has a base_model, so nothing is fine-tuned")
    needed = [*tuned["base_model"], *([reference] if reference else [])]
    unknown = sorted(set(needed) - set(models.index))
    if unknown:
        raise DataError(f"{unknown[0]!r} is not in the table; got models {list(models.index)}")
    rows = [
        (row["model"], row["base_model"], metric, models.loc[row["base_model"], metric], row[metric])
        for _, row in tuned.iterrows()
        for metric in columns
    ]
    frame = pd.DataFrame(rows, columns=["model", "base_model", "metric", "base", "finetuned"])
    frame["gain"] = frame["finetuned"] - frame["base"]
    frame["relative_gain"] = frame["gain"] / frame["base"]
    target = frame["metric"].map(models.loc[reference, columns]) if reference else pd.NA
    frame["distance"] = pd.array(
        target - frame["base"] if reference else [pd.NA] * len(frame), dtype="Float64"
    )
    frame["share_closed"] = frame["gain"] / frame["distance"]
    frame.attrs = {"source": table.attrs.get("source", ""), "reference": reference}
    return frame
