"""Show that two models differ by less than a margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataError, Rubric, is_synthetic
from mmdu_analysis.stats.scores import as_scores, only_dimension

if TYPE_CHECKING:
    import pandas as pd


def equivalence_test(
    scores: pd.DataFrame,
    a: str,
    b: str,
    delta: float,
    *,
    dimension: str | None = None,
    ci: float = 0.95,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Test that two models differ by less than a margin: two one-sided tests (TOST).

    Parameters
    ----------
    scores : pandas.DataFrame
        With turns; of one judge.
    a, b : str
        Two models.
    delta : float
        Margin in points on 0-100.
    dimension : str, optional
        By its name or short name; by default the overall score or the only one.
    ci : float, default 0.95
        One minus the size of the test; the interval has the level ``2 ci - 1``.
    rubric : Rubric, default MMDU's
        Scale of the scores.

    Returns
    -------
    pandas.DataFrame
        One row: ``model_a``, ``model_b``, ``difference``, ``se``, ``low``, ``high`` (of the level ``2 ci - 1``), ``delta``,
        ``p_value`` (the larger of the two tests), ``equivalent`` (the interval lies inside the margin),
        ``n_dialogs``, ``n_turns``, ``ci``, ``synthetic``.

    Raises
    ------
    DataError
        If `delta` isn't positive, or the models share fewer than two dialogues.
    """
    import pandas as pd
    from scipy.stats import t

    if not delta > 0:
        raise DataError(f"delta is {delta}, expected a margin above 0 in points on 0-100")
    per_dialog, n_turns = _paired_dialogs(scores, a, b, dimension, rubric)
    count = len(per_dialog)
    if count < 2:
        raise DataError(f"{a} and {b} share {count} dialogues, expected at least two")
    difference = float(per_dialog["sum"].sum() / per_dialog["size"].sum())
    residual = (per_dialog["sum"] - difference * per_dialog["size"]) / per_dialog["size"].mean()
    se = float(((residual**2).sum() / (count * (count - 1))) ** 0.5)
    reach = t.ppf(ci, count - 1) * se
    if se > 0:
        sides = [t.sf((difference + delta) / se, count - 1), t.cdf((difference - delta) / se, count - 1)]
        p_value = float(max(sides))
    else:
        p_value = float("nan")
    row = {
        "model_a": a,
        "model_b": b,
        "difference": difference,
        "se": se,
        "low": difference - reach,
        "high": difference + reach,
        "delta": float(delta),
        "p_value": p_value,
        "equivalent": bool(se > 0 and -delta < difference - reach and difference + reach < delta),
        "n_dialogs": count,
        "n_turns": n_turns,
        "ci": ci,
        "synthetic": is_synthetic(scores),
    }
    return pd.DataFrame([row])


def _paired_dialogs(
    scores: pd.DataFrame, a: str, b: str, dimension: str | None, rubric: Rubric
) -> tuple[pd.DataFrame, int]:
    """Return the sum and the number of paired differences of each dialogue."""
    kept = only_dimension(as_scores(scores, rubric=rubric), dimension, rubric=rubric).dropna(
        subset=["score", "turn"]
    )
    points = kept.assign(points=rubric.to_percent(kept["score"].astype(float)))
    cells = ["judge", "dialog_id", "turn"]
    sides = [points.loc[points["model"] == model].groupby(cells)["points"].mean() for model in (a, b)]
    difference = (sides[0] - sides[1]).dropna()
    return difference.groupby(level="dialog_id").agg(["sum", "size"]), len(difference)
