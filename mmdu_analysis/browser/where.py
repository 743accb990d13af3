"""The frame `where`: the dialogues or turns that a browser shows, in its order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.schema import DataError, require_columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from mmdu_analysis.browser.aligned import TurnRows


class Given:
    """The turns of a frame.

    Parameters
    ----------
    rows : TurnRows
        The turns of the benchmark.
    where : pandas.DataFrame
        ``dialog_id``, and optionally ``turn`` and ``model``.

    Attributes
    ----------
    order : numpy.ndarray
        Position of each dialogue's first row in the frame; dialogues that it doesn't have come last.
    model : str
        The model, if the frame is about one only; else empty.
    first : tuple of (str, int or None)
        Dialogue and turn of the first row that is known.

    Raises
    ------
    DataError
        If no row of the frame is in the benchmark.
    """

    def __init__(self, rows: TurnRows, where: pd.DataFrame) -> None:
        import numpy as np

        require_columns(where, ["dialog_id"], "where, the dialogues or turns to show")
        if "turn" in where:
            row = rows.of(where)
            dialog = np.where(row >= 0, rows.dialog[np.maximum(row, 0)], -1)
        else:
            row = None
            dialog = rows.ids.get_indexer(where["dialog_id"].astype("str"))
        known = np.flatnonzero(dialog >= 0)
        if not len(known):
            raise DataError(
                f"where selects no turn: none of its {len(where):,} rows is in {rows.benchmark.name}"
            )
        self.order = np.full(len(rows.ids), len(where))
        np.minimum.at(self.order, dialog[known], known)
        self._all = self._mask(rows, row, dialog, known)
        models = where["model"].astype("str").to_numpy() if "model" in where else np.array([])
        names = list(dict.fromkeys(models.tolist()))
        self._by_model = {name: self._mask(rows, row, dialog, known[models[known] == name]) for name in names}
        self.model = names[0] if len(names) == 1 else ""
        first = known[0]
        turn = None if row is None else int(rows.turns["turn"].iloc[row[first]])
        self.first = (str(rows.ids[dialog[first]]), turn)

    @staticmethod
    def _mask(rows: TurnRows, row: np.ndarray | None, dialog: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        import numpy as np

        if row is None:
            return np.isin(rows.dialog, dialog[chosen])
        mask = np.zeros(len(rows.turns), dtype=bool)
        mask[row[chosen]] = True
        return mask

    def mask(self, model: str = "") -> np.ndarray:
        """Return the mask of the turns of the frame, of one model if the frame has models; do not modify it."""
        if not model or not self._by_model:
            return self._all
        import numpy as np

        return self._by_model.get(model, np.zeros(len(self._all), dtype=bool))
