"""The ranks of own models among the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataError, require_columns

if TYPE_CHECKING:
    import pandas as pd

_COUNTS = ("n_dialogs", "n_turns", "n_missing")
CAVEAT = (
    "the published scores were given by GPT-4o with the authors' prompt on all 1,645 questions; ranks are valid only for "
    "the same judge, prompt and turns"
)
"""Caution for readers of `place_among_published`."""


def place_among_published(
    summary: pd.DataFrame,
    published: pd.DataFrame,
    dimension: str = "Overall Score",
    access: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return the published models and the own ones in one ranking.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarize_scores` by ``model``.
    published : pandas.DataFrame
        ``load_published("main_results")``.
    dimension : str, default "Overall Score"
        By its name or short name.
    access : mapping of str to str, optional
        Own model to ``closed``, ``open`` or ``finetuned``.

    Returns
    -------
    pandas.DataFrame
        One row per model, the highest mean first: ``rank``, ``model``, ``access``, ``mean``, ``low``,
        ``high`` (0-100; the published models have no interval), ``rank_low``, ``rank_high`` (of own models:
        the ranks that are consistent with the intervals of all own models), ``difference`` (mean
        minus that of the published model below; NA in the last row), ``n_dialogs``, ``n_turns``,
        ``n_missing`` (of own models), ``own``, ``synthetic``.

    Raises
    ------
    DataError
        If the own models have no mean in the dimension.

    See Also
    --------
    summarize_scores, compare_models

    Notes
    -----
    A published model with the name of an own model is left out. The ranges treat the published means as
    exact, since the paper gives no intervals; they are therefore too narrow.
    """
    import pandas as pd

    require_columns(summary, ["model", "dimension", "mean", "low", "high"], "a summary of scores by model")
    name = MMDU.full_name(dimension)
    own = summary.loc[(summary["dimension"] == name) & summary["mean"].notna()]
    if own.empty:
        have = ", ".join(map(str, summary["dimension"].unique()))
        raise DataError(f"no own model has a mean in {name}; the scores have {have}")
    columns = [name for name in ("model", "mean", "low", "high", *_COUNTS) if name in own]
    named = [(access or {}).get(str(model)) for model in own["model"]]
    mine = own[columns].assign(
        access=pd.array(named, dtype="str"), own=True, synthetic=own.get("synthetic", False)
    )
    theirs = published.rename(columns={MMDU.short_names[name]: "mean"})[["model", "access", "mean"]].dropna(
        subset="mean"
    )
    theirs = theirs.loc[~theirs["model"].isin(mine["model"])].assign(own=False, synthetic=False)
    table = pd.concat([theirs, mine], ignore_index=True).sort_values("mean", ascending=False, kind="stable")
    table.insert(0, "rank", table["mean"].rank(ascending=False, method="min").astype("int64"))
    # Published means are exact here; the other own models are above for sure only if their intervals are.
    for column, edge, other in (("rank_low", "high", "low"), ("rank_high", "low", "high")):
        others = table[other].fillna(table["mean"])
        above = [
            1 + int((others.drop(row) > value).sum()) if value == value else None
            for row, value in table[edge].items()
        ]
        table[column] = pd.array(above, dtype="Int64")
    table["difference"] = table["mean"] - table["mean"].where(~table["own"]).bfill().shift(-1).bfill()
    order = [
        "rank",
        "model",
        "access",
        "mean",
        "low",
        "high",
        "rank_low",
        "rank_high",
        "difference",
        *(name for name in _COUNTS if name in table),
        "own",
        "synthetic",
    ]
    return table.astype({name: "Int64" for name in _COUNTS if name in table})[order].reset_index(drop=True)
