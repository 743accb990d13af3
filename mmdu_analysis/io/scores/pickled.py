"""VLMEvalKit's pickle of scores: ``{index: {"res": frame with one row per turn}}``."""

from __future__ import annotations

import math
from pathlib import Path

from mmdu_analysis.io.cells import clean_text
from mmdu_analysis.io.scores.official import read_entry
from mmdu_analysis.io.scores.rows import ScoreRow, Source
from mmdu_analysis.io.scores.vlmevalkit import names
from mmdu_analysis.schema import DataError, short_path, shorten


def pickle_rows(path: Path, source: Source) -> list[ScoreRow]:
    """Return the rows of a pickle; reading it can execute code.

    Raises
    ------
    DataError
        If pickles are not allowed, or if it can't be read.
    """
    name = short_path(path)
    if not source.allow_pickle:
        raise DataError(
            f"{name}: a pickle executes code when it is read; pass allow_pickle=True only if you made it yourself, or "
            "load VLMEvalKit's *_score.csv"
        )
    import pandas as pd

    if not path.is_file():
        raise DataError(f"{name}: no such file; check the path")
    try:
        content = pd.read_pickle(path)  # noqa: S301 - the caller vouched for the file
    except Exception as error:  # a damaged pickle can raise any exception
        raise DataError(f"{name}: not a readable pickle ({shorten(str(error), 120)})") from None
    if not isinstance(content, dict):
        raise DataError(f"{name}: got {type(content).__name__}, expected VLMEvalKit's dict of results")
    model, judge = names(path, source)
    rows: list[ScoreRow] = []
    for key, item in content.items():
        dialog_id = clean_text(key)
        result = item.get("res") if isinstance(item, dict) else None
        if not isinstance(result, pd.DataFrame):
            source.report(name, f"[{key!r}]", "no frame under 'res'; it is left out", dialog_id)
            continue
        for turn, entry in enumerate(result.to_dict("records"), 1):
            where = f"[{key!r}], turn {turn}"
            scores, fault = read_entry(entry, source.rubric)
            if fault:
                source.report(name, where, fault, dialog_id, turn)
            rows += [
                ScoreRow(
                    model, judge, dialog_id, turn, dimension, scores.get(dimension, math.nan), name, where
                )
                for dimension in source.rubric.names
            ]
    return rows
