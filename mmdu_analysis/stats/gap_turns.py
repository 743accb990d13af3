"""The gap between closed and open models on single turns: by turn, images, context or dimension."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import MMDU, NotAvailable, Rubric
from mmdu_analysis.stats.breakdowns import By, score_breakdown, score_trend
from mmdu_analysis.stats.resampling import RESAMPLES, Method
from mmdu_analysis.stats.scores import Average, as_scores

if TYPE_CHECKING:
    import pandas as pd

    from mmdu_analysis.stats.breakdowns import Turns

_MOST_NAMES = 8  # of models, in a message


def paired_gap(scores: pd.DataFrame, access: Mapping[str, str], *, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Return the mean scores of closed and of open models on the same turns.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    access : mapping of str to str
        Model -> ``closed`` or ``open``; others are left out.
    rubric : Rubric, optional
        The rubric of the scores.

    Returns
    -------
    pandas.DataFrame
        Scores in which the "models" are ``closed`` and ``open`` (the mean of their models on each judged
        turn), on the rubric's scale. Turns without scores of both sides are left out; ``n_unpaired``, the
        number of left-out turns of the dimension, is the same in all its rows.

    Raises
    ------
    NotAvailable
        If one side has no model with a score of a known turn.
    """
    scores = as_scores(scores, rubric=rubric)
    scores = scores.dropna(subset=["score", "dialog_id", "turn"])
    side = scores["model"].map(dict(access))
    for wanted in ("closed", "open"):
        if not (side == wanted).any():
            raise NotAvailable(_why_no_side(wanted, sorted(scores["model"].unique()), access))
    kept = scores.assign(side=side).loc[side.isin(["closed", "open"])]
    keys = ["dialog_id", "turn", "dimension"]
    by_model = kept.groupby([*keys, "side", "model"], observed=True).agg(
        score=("score", "mean"), synthetic=("synthetic", "any")
    )
    sides = by_model.groupby([*keys, "side"], observed=True).agg(
        score=("score", "mean"), synthetic=("synthetic", "any")
    )
    long = sides.reset_index().rename(columns={"side": "model"})
    both = long.groupby(keys, observed=True)["model"].transform("size") == 2
    n_unpaired = (~both).groupby(long["dimension"]).sum()
    long = long.loc[both].assign(judge="mean").reset_index(drop=True)
    long["n_unpaired"] = long["dimension"].map(n_unpaired).astype("int64")
    columns = ["model", "judge", *keys, "score", "synthetic", "n_unpaired"]
    return long[columns].astype({"model": "str", "judge": "str"})


def _why_no_side(wanted: str, models: list[str], access: Mapping[str, str]) -> str:
    """Return why there is no gap."""
    if not models:
        return "no score says which turn it belongs to; pass the benchmark, or scores with turn numbers"
    have = ", ".join(f"{model} ({access.get(model, 'access not known')})" for model in models[:_MOST_NAMES])
    more = f" and {len(models) - _MOST_NAMES} more" if len(models) > _MOST_NAMES else ""
    return f"no {wanted} model has scores of turns; got {have}{more}. State which models are closed and open"


def gap_breakdown(
    scores: pd.DataFrame,
    access: Mapping[str, str],
    by: By = "turn",
    benchmark: Turns | None = None,
    *,
    dimension: str | None = None,
    average: Average = "question",
    ci: float = 0.95,
    method: Method = "jackknife",
    n_resamples: int = RESAMPLES,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Estimate the gap by turn, images, context or dimension, and its change along the dialogue.

    Parameters
    ----------
    scores, access
        As in `paired_gap`.
    by, benchmark, dimension, average, ci, method, n_resamples, seed, rubric
        As in `score_breakdown`.

    Returns
    -------
    pandas.DataFrame
        One row per bin: ``bin``, ``dimension``, ``closed_mean``, ``open_mean``, ``gap``, ``se``, ``low``,
        ``high`` (of the gap; clustered by dialogue, the models as given), ``n_dialogs``, ``n_turns``, and
        ``slope``, ``slope_low``, ``slope_high``, ``p_value``: change of the gap per turn, image or 1,000
        tokens, see `score_trend` (NA for kinds and dimensions); ``n_unpaired``, ``note``, ``by``,
        ``average``, ``ci``, ``synthetic``.

    Raises
    ------
    NotAvailable, DataError
        As in `paired_gap` and `score_breakdown`.
    """
    paired = paired_gap(scores, access, rubric=rubric)
    options: dict[str, Any] = {"method": method, "n_resamples": n_resamples, "seed": seed, "ci": ci}
    # The gap of a turn is a difference, so it has a separate rubric with 0 in the middle of its scale.
    differences, points = _differences(paired, rubric), _points_rubric(rubric)
    shown = {"average": average, "rubric": points, "dimension": dimension} | options
    sides = score_breakdown(paired, by, benchmark, **(shown | {"rubric": rubric, "ci": ci}))
    means = sides.set_index(["bin", "model"])["mean"].unstack("model")
    frame = score_breakdown(differences, by, benchmark, **shown).drop(columns=["model", "n_missing"])
    frame = frame.rename(columns={"mean": "gap"})
    frame["gap"], frame["se"] = 2 * frame["gap"] - 100, 2 * frame["se"]
    frame[["low", "high"]] = 2 * frame[["low", "high"]] - 100
    frame.insert(
        frame.columns.get_loc("gap"), "closed_mean", frame["bin"].astype(object).map(means["closed"])
    )
    frame.insert(frame.columns.get_loc("gap"), "open_mean", frame["bin"].astype(object).map(means["open"]))
    frame[["slope", "slope_low", "slope_high", "p_value"]] = float("nan")
    if by != "kind" and by != "dimension":
        trend = score_trend(differences, by, benchmark, dimension=dimension, rubric=points, **options).iloc[0]
        frame["slope"], frame["p_value"] = 2 * trend["slope"], trend["p_value"]
        frame["slope_low"], frame["slope_high"] = 2 * trend["low"], 2 * trend["high"]
    frame["n_unpaired"] = frame["dimension"].map(paired.groupby("dimension")["n_unpaired"].first())
    first = [
        "bin",
        "dimension",
        "closed_mean",
        "open_mean",
        "gap",
        "se",
        "low",
        "high",
        "n_dialogs",
        "n_turns",
    ]
    slopes = ["slope", "slope_low", "slope_high", "p_value", "n_unpaired"]
    return frame[[*first, *slopes, "note", "by", "average", "ci", "synthetic"]]


def _differences(paired: pd.DataFrame, rubric: Rubric) -> pd.DataFrame:
    """Return closed minus open on each turn, on a scale from -100 to 100 points."""
    keys = ["dialog_id", "turn", "dimension"]
    points = paired.assign(score=rubric.to_percent(paired["score"]))
    wide = points.pivot(index=keys, columns="model", values="score")
    marked = paired.groupby(keys, observed=True)["synthetic"].any()
    frame = (wide["closed"] - wide["open"]).rename("score").to_frame().join(marked).reset_index()
    return frame.assign(model="gap", judge="mean")


def _points_rubric(rubric: Rubric) -> Rubric:
    """Return the rubric with a scale from -100 to 100, of differences of points."""
    return Rubric(rubric.name, rubric.dimensions, (-100.0, 100.0), rubric.overall)
