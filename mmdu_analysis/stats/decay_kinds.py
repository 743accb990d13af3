"""Scores along the dialogue by kind of question."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataWarning, Rubric
from mmdu_analysis.stats.decay_data import decay_rows
from mmdu_analysis.stats.scores import summarize_scores

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.stats.decay_data import Images


def decay_curve_by_kind(
    scores: pd.DataFrame,
    benchmark: Images | None = None,
    *,
    dimension: str | None = None,
    ci: float = 0.95,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Average scores by kind of question in each fifth of the dialogues.

    Parameters
    ----------
    scores, benchmark, dimension, ci, rubric
        As in `memory_decay`.

    Returns
    -------
    pandas.DataFrame
        One row per model, ``kind`` and ``fifth`` (1-5, of the turns of each dialogue), with the columns of
        `summarize_scores`. A turn counts once, independent of the number of its images.

    See Also
    --------
    decay_verdict : The change along the dialogue by kind, in points.
    """
    import numpy as np

    rows = decay_rows(scores, benchmark, dimension=dimension, rubric=rubric)
    fifth = np.ceil(rows["progress"] * 5 - 1e-9).astype("int64").clip(1, 5)
    rows = rows.assign(judge="mean", fifth=fifth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the notes of the rows mention cells with few dialogues
        return summarize_scores(rows, ["model", "kind", "fifth"], ci=ci, rubric=rubric)
