"""Answers and scores in the order of a benchmark's turns."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mmdu_analysis.schema import DataError, Rubric, require_columns
from mmdu_analysis.stats.scores import as_scores, only_dimension

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.io.benchmark import Benchmark


class TurnRows:
    """The turns of a benchmark, sorted by dialogue.

    Parameters
    ----------
    benchmark : Benchmark
        The dialogues.

    Attributes
    ----------
    ids : pandas.Index
        Ids of the dialogues.
    turns : pandas.DataFrame
        ``benchmark.turns``, sorted by dialogue.
    dialog : numpy.ndarray
        Position of each turn's dialogue in `ids`.
    starts : numpy.ndarray
        Row of each dialogue's first turn, and the number of turns.
    """

    def __init__(self, benchmark: Benchmark) -> None:
        import numpy as np

        self.benchmark = benchmark
        self.ids = benchmark.dialogs.index.astype("str")
        if not len(self.ids):
            raise DataError(f"{benchmark.name} has no dialogue to show")
        dialog = self.ids.get_indexer(benchmark.turns["dialog_id"].astype("str"))
        order = np.argsort(dialog, kind="stable")
        sorted_already = bool((order == np.arange(len(order))).all())
        turns = benchmark.turns if sorted_already else benchmark.turns.iloc[order]
        self.order_of_rows = order
        self.turns = turns.reset_index(drop=True)
        self.dialog = dialog[order]
        self.starts = np.searchsorted(self.dialog, np.arange(len(self.ids) + 1))

    def of(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the row of `turns` for each row of a frame with ``dialog_id`` and ``turn``; -1 if there is no such turn."""
        import numpy as np

        dialog = self.ids.get_indexer(frame["dialog_id"].astype("str"))
        turn = frame["turn"].fillna(0).to_numpy(dtype=np.int64)
        # Turns are numbered 1.. within a dialogue, so a turn's row follows from the start of its dialogue.
        row = self.starts[np.maximum(dialog, 0)] + turn - 1
        inside = (dialog >= 0) & (turn >= 1) & (row < self.starts[np.maximum(dialog, 0) + 1])
        return np.where(inside, row, -1)

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Return the position of each dialogue; for one id, faster than a lookup in a pandas index."""
        return {dialog_id: position for position, dialog_id in enumerate(self.ids.tolist())}

    def position(self, dialog_id: str) -> int:
        """Return the position of a dialogue in `ids`; -1 if it is unknown."""
        return self._positions.get(str(dialog_id), -1)

    def span(self, dialog_id: str) -> tuple[int, int]:
        """Return the first row of a dialogue and the one after its last.

        Raises
        ------
        DataError
            If there is no such dialogue.
        """
        position = self.position(dialog_id)
        if position < 0:
            raise DataError(f"no dialogue {dialog_id!r} in {self.benchmark.name}")
        return int(self.starts[position]), int(self.starts[position + 1])

    @cached_property
    def _images(self) -> tuple[np.ndarray, np.ndarray]:
        import numpy as np

        dialog = self.ids.get_indexer(self.benchmark.images["dialog_id"].astype("str"))
        order = np.argsort(dialog, kind="stable")
        return order, np.searchsorted(dialog[order], np.arange(len(self.ids) + 1))

    def images(self, dialog_id: str) -> pd.DataFrame:
        """Return the rows of ``benchmark.images`` of a dialogue."""
        order, starts = self._images
        position = self.position(dialog_id)
        return self.benchmark.images.iloc[order[starts[position] : starts[position + 1]]]


def align_answers(rows: TurnRows, answers: pd.DataFrame | None) -> dict[str, pd.Series]:
    """Return the answers of each model, indexed by the row of their turn."""
    import pandas as pd

    if answers is None:
        return {}
    require_columns(answers, ["model", "dialog_id", "turn", "answer"], "a frame of answers")
    texts_by_model = {}
    for model, part in answers.groupby("model", sort=False, observed=True):
        row = rows.of(part)
        texts = pd.Series(part["answer"].to_numpy()[row >= 0], index=row[row >= 0], dtype="str")
        texts_by_model[str(model)] = texts[~texts.index.duplicated()]
    return texts_by_model


def align_scores(
    rows: TurnRows, scores: pd.DataFrame | None, rubric: Rubric, dimension: str | None = None
) -> tuple[dict[str, np.ndarray], pd.DataFrame | None]:
    """Return the overall score of each model and turn, and all scores sorted by turn.

    Parameters
    ----------
    rows : TurnRows
        The turns.
    scores : pandas.DataFrame or None
        From `load_scores`, or labels.
    rubric : Rubric
        Of the scores.
    dimension : str, optional
        The score that the list and the filters use; by default the overall score, or the only dimension. None
        if there are several dimensions and no overall score.

    Returns
    -------
    tuple of (dict, pandas.DataFrame or None)
        Model to scores on 0-100 (NaN where a turn has no score), shape ``(n_turns,)``; the scores with a
        column ``_row``.
    """
    import numpy as np

    if scores is None:
        return {}, None
    scores = as_scores(scores, rubric=rubric)
    row = rows.of(scores)
    kept = scores.assign(_row=row).loc[row >= 0].sort_values("_row", kind="stable", ignore_index=True)
    names = set(kept["dimension"])
    if dimension is None and len(names) != 1 and rubric.overall not in names:
        return {}, kept
    overall = only_dimension(kept, dimension, rubric)
    points_by_model = {}
    for model, part in overall.dropna(subset="score").groupby("model", sort=False, observed=True):
        values = np.full(len(rows.turns), np.nan)
        means = part.groupby("_row")["score"].mean()
        values[means.index] = rubric.to_percent(means)
        points_by_model[str(model)] = values
    return points_by_model, kept
