"""Rows of scores to the frame that `load_scores` returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmdu_analysis.io.scores.rows import ScoreRow, Source
from mmdu_analysis.schema import SCORE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = ("model", "judge", "dialog_id", "dimension")


def scores_frame(rows: Sequence[ScoreRow], source: Source) -> pd.DataFrame:
    """Return rows as a frame; if a turn is scored repeatedly, the first score is kept and the others are problems.

    Parameters
    ----------
    rows : sequence of ScoreRow
        From the readers.
    source : Source
        Receives the problems.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``judge``, ``dialog_id``, ``turn`` (Int64), ``dimension``, ``score``, ``synthetic``, and
        ``repeat``, ``reason``, ``images``, ``n_lost_images`` if files contain them.
    """
    import pandas as pd

    columns = [*SCORE_COLUMNS, "synthetic", "repeat", "reason", "images", "n_lost_images", "file", "where"]
    frame = pd.DataFrame({name: [getattr(row, name) for row in rows] for name in columns})
    frame = frame.astype(
        dict.fromkeys(_TEXTS, "str") | {"turn": "Int64", "score": "float64", "synthetic": "bool"}
    )
    kept = [*SCORE_COLUMNS, "synthetic"]
    if frame["repeat"].notna().any():
        frame["repeat"] = frame["repeat"].fillna(1).astype("int64")
        kept.append("repeat")
    for name in ("reason", "images"):
        if frame[name].notna().any():
            frame[name] = frame[name].astype("str")
            kept.append(name)
    keys = [name for name in kept if name not in ("score", "synthetic", "reason", "images")]
    if frame["n_lost_images"].any():
        kept.append("n_lost_images")
    twice = frame["turn"].notna() & frame.duplicated(keys)
    _report_twice(frame.loc[twice], source)
    return frame.loc[~twice, kept].reset_index(drop=True)


def _report_twice(rows: pd.DataFrame, source: Source) -> None:
    for (file, where), part in rows.groupby(["file", "where"], sort=False):
        first = part.iloc[0]
        dimension = first["dimension"] if len(part) == 1 else f"{len(part)} dimensions"
        turn, dialog_id = int(first["turn"]), str(first["dialog_id"])
        text = f"turn {turn} of dialogue {dialog_id!r} ({first['model']}, {dimension}) is scored twice; the first is kept"
        source.report(str(file), str(where), text, dialog_id, turn)
