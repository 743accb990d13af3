"""Warnings about scores that are pooled or compared although they differ in judge, turns or origin."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmdu_analysis.schema import ComparabilityWarning, CoverageWarning
from mmdu_analysis.stats.resampling import FEW_DIALOGS

if TYPE_CHECKING:
    import pandas as pd


def warn_of_pooling(scores: pd.DataFrame, by: Sequence[str], *, stacklevel: int = 3) -> None:
    """Warn if a group pools judges, or the scores mix the synthetic sample with real data.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    by : sequence of str
        The columns that the scores are grouped by.
    stacklevel : int
        As in `warnings.warn`.

    Warns
    -----
    ComparabilityWarning
        With the judges, or the number of synthetic rows.
    """
    judges = sorted(map(str, scores["judge"].dropna().unique()))
    if "judge" not in by and len(judges) > 1:
        text = f"scores by {len(judges)} judges ({', '.join(judges[:4])}) are pooled; add 'judge' to by, or select one"
        warnings.warn(text, ComparabilityWarning, stacklevel=stacklevel)
    if "synthetic" in scores:
        marked = scores["synthetic"].fillna(False).astype(bool)
        if marked.any() and not marked.all() and "synthetic" not in by:
            text = f"{int(marked.sum()):,} of {len(scores):,} scores are synthetic and mixed with real ones"
            warnings.warn(text, ComparabilityWarning, stacklevel=stacklevel)


def warn_of_turns(scores: pd.DataFrame, *, stacklevel: int = 3) -> None:
    """Warn if models have scores of different turns, so that their means are not comparable.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    stacklevel : int
        As in `warnings.warn`.

    Warns
    -----
    CoverageWarning
        With the number of scored turns of the models.
    """
    keys = ["dimension", "dialog_id", "turn"]
    known = scores.loc[scores["score"].notna(), ["model", *keys]].dropna(subset=["dialog_id", "turn"])
    known = known.drop_duplicates()
    if known["model"].nunique() < 2:
        return
    per_model = known.groupby(["dimension", "model"], observed=True).size().unstack(fill_value=0)
    union = known.drop_duplicates(keys).groupby("dimension", observed=True).size()
    short = per_model.lt(union, axis=0)
    if not short.any(axis=None):
        return
    dimension = short.any(axis=1).idxmax()
    counts = ", ".join(f"{name} {count:,}" for name, count in per_model.loc[dimension].head(5).items())
    text = (
        f"models have scores of different turns ({dimension}: {counts}; {union[dimension]:,} in all), so their means "
        "are not directly comparable; compare_models and rank_models use the shared turns"
    )
    warnings.warn(text, CoverageWarning, stacklevel=stacklevel)


def warn_of_unknown_turns(scores: pd.DataFrame, *, stacklevel: int = 3) -> None:
    """Warn if scores without a turn number are grouped by turn.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    stacklevel : int
        As in `warnings.warn`.

    Warns
    -----
    CoverageWarning
        With the number of dialogues whose turns are known.
    """
    unknown = scores["turn"].isna() & scores["score"].notna()
    if unknown.any():
        total = scores["dialog_id"].nunique()
        known = total - scores.loc[unknown, "dialog_id"].nunique()
        text = (
            f"{known} of {total} dialogues have turn numbers, and only these are grouped by turn; give the benchmark, "
            "write null for a turn that was not judged, or a 'turn' key in every entry"
        )
        warnings.warn(text, CoverageWarning, stacklevel=stacklevel)


def warn_of_thin_cells(n_dialogs: pd.Series, in_all: int, *, stacklevel: int = 3) -> None:
    """Warn if grouping results in cells with few dialogues.

    Parameters
    ----------
    n_dialogs : pandas.Series of int
        Dialogues of each cell.
    in_all : int
        Dialogues of the data. There is no warning for small data; its rows have a note.
    stacklevel : int
        As in `warnings.warn`.

    Warns
    -----
    CoverageWarning
        With the number of cells.
    """
    thin = int(((n_dialogs > 0) & (n_dialogs < FEW_DIALOGS)).sum())
    if thin and in_all >= FEW_DIALOGS:
        text = (
            f"{thin:,} of {len(n_dialogs):,} means are based on fewer than {FEW_DIALOGS} of {in_all:,} dialogues; their "
            "intervals are unreliable (column note)"
        )
        warnings.warn(text, CoverageWarning, stacklevel=stacklevel)
