"""Means of a judge's scores corrected by people's ratings of some dialogues (prediction-powered inference)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import (
    MMDU,
    CoverageWarning,
    DataError,
    Rubric,
    is_synthetic,
)
from mmdu_analysis.stats.scores import as_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FEWEST_RATED = 4
"""Minimum number of rated dialogues of an estimate."""


@dataclass(frozen=True)
class _Estimate:
    """A mean with its variance and degrees of freedom, in points."""

    mean: float
    variance: float
    df: int


def calibrate_scores(
    scores: pd.DataFrame,
    ratings: pd.DataFrame,
    *,
    compare: bool = False,
    drawn_at_random: bool | None = None,
    dimension: str | None = None,
    ci: float = 0.95,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Estimate the mean that people would give, from a judge's scores and people's ratings of some dialogues.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of one judge, for all G dialogues.
    ratings : pandas.DataFrame
        People's ratings (``judge`` is the rater) of g of these dialogues, which were sampled at random.
        Several ratings of a turn are averaged.
    compare : bool, default False
        Estimate the paired differences of each pair of models instead of the means of each model.
    drawn_at_random : bool, optional
        Whether the rated dialogues were drawn at random. By default it is read from the column ``seed`` of
        `ratings`, which `rating_plan` writes.
    dimension : str, optional
        Only this dimension, by its name or short name.
    ci : float, default 0.95
        Level of the intervals.
    rubric : Rubric, default MMDU's
        Rubric of both.

    Returns
    -------
    pandas.DataFrame
        One row per model (or pair ``model_a``, ``model_b``) and dimension: ``mean`` (or ``difference``),
        ``se``, ``low``, ``high`` (0-100, corrected), ``judge_mean``, ``judge_low``, ``judge_high``,
        ``people_mean``, ``people_low``, ``people_high``, ``weight`` (lambda: the weight of the judge),
        ``gain`` (variance of people alone over the variance of the estimate: the factor by which the rated
        dialogues count), ``n_dialogs`` (G), ``n_rated`` (g), ``ci``, ``note`` (that only a part of the turns of
        the rated dialogues is rated; else empty), ``synthetic``. The sampling is of dialogues: errors are
        clustered. Models with fewer than four rated dialogues are left out.

    Raises
    ------
    DataError
        If there are several judges, no model has four rated dialogues, or the dialogues were not drawn at random.

    Warns
    -----
    CoverageWarning
        If models are left out.

    See Also
    --------
    summarize_scores : The judge alone.
    plan_ratings : How many ratings are worth while.

    Notes
    -----
    With ratio means over turns, the estimate is ``Y_g + lambda (f_G - f_g)``: the people's mean over the
    rated dialogues, and the judge's mean over all less its mean over the rated ones. With residuals ``e_d =
    (S_d - mean n_d) / n_mean`` of dialogue d (sum S_d over n_d turns), ``lambda = max(0, sum e^Y e^f / sum
    (e^f)^2)`` minimises the variance, and

    ``V = sum r^2 / [g (g-2)] + lambda^2 sum_G (e^f)^2 / [G (G-1)] + 2 lambda sum r e^f / [(g-1) G]``, ``r =
    e^Y - lambda e^f``,

    with a t interval on g-2 degrees of freedom. A constant error of the judge cancels.

    References
    ----------
    Angelopoulos et al. (2023), Prediction-powered inference, arXiv 2301.09633; Angelopoulos, Duchi and Zrnic
    (2023), PPI++, arXiv 2311.01453.
    """
    import pandas as pd

    judged, rated = _prepared(scores, ratings, dimension, rubric)
    notes = _coverage_notes(judged, rated)
    _check_draw(ratings, drawn_at_random)
    if compare:
        judged, rated = _pairs(judged), _pairs(rated)
    keys = ["model_a", "model_b", "dimension"] if compare else ["model", "dimension"]
    marked = is_synthetic(scores, ratings)
    rows, left_out = [], []
    for key, part in judged.groupby(keys, sort=False, observed=True):
        people = rated.loc[(rated[keys] == list(key)).all(axis=1)]
        n_rated = people["dialog_id"].nunique()
        if n_rated >= FEWEST_RATED:
            note = "; ".join(dict.fromkeys(filter(None, (notes.get((m, key[-1]), "") for m in key[:-1]))))
            row = dict(zip(keys, key, strict=True)) | _calibrated(part, people, ci)
            rows.append(row | {"note": note, "synthetic": marked})
        elif len(people):
            left_out.append(f"{' and '.join(map(str, key))}: {n_rated} dialogues are rated")
    if not rows and not left_out:
        raise DataError("the ratings share no model, dimension and turn with the scores")
    _report_left_out(left_out, bool(rows))
    frame = pd.DataFrame(rows)
    order = {name: rank for rank, name in enumerate(rubric.names)}
    frame = frame.sort_values(
        keys, key=lambda c: c.map(order) if c.name == "dimension" else c, ignore_index=True
    )
    return frame.rename(columns={"mean": "difference"}) if compare else frame


def _report_left_out(left_out: list[str], others: bool) -> None:
    """Warn of models with too few rated dialogues, or raise if there are no others."""
    if not left_out:
        return
    more = f" and {len(left_out) - 3} more" if len(left_out) > 3 else ""
    text = f"{'; '.join(left_out[:3])}{more}, expected at least {FEWEST_RATED}"
    if not others:
        raise DataError(text)
    warnings.warn(f"{text}; left out of the calibration", CoverageWarning, stacklevel=3)


def _coverage_notes(judged: pd.DataFrame, rated: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Return a note for each model and dimension whose random sample of dialogues is rated only in part."""
    keys = ["model", "dimension"]
    drawn = rated[[*keys, "dialog_id"]].drop_duplicates()
    turns = judged.merge(drawn, on=[*keys, "dialog_id"]).groupby(keys, observed=True).size()
    n_dialogs = drawn.groupby(keys, observed=True).size()
    return {
        key: f"only {count:,} of {turns[key]:,} judged turns of {n_dialogs[key]} rated dialogues are rated: they "
        "must be a random sample of these turns"
        for key, count in rated.groupby(keys, observed=True).size().items()
        if count < turns.get(key, 0)
    }


def _prepared(
    scores: pd.DataFrame, ratings: pd.DataFrame, dimension: str | None, rubric: Rubric
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return judge's scores and people's ratings in points, one row per model, turn and dimension."""
    scores, ratings = (as_scores(frame, rubric=rubric) for frame in (scores, ratings))
    judges = sorted(map(str, scores["judge"].unique()))
    if len(judges) > 1:
        raise DataError(f"the scores are of {len(judges)} judges ({', '.join(judges[:4])}); choose one")
    both = [_points(frame, rubric) for frame in (scores, ratings)]
    if dimension is not None:
        name = rubric.full_name(dimension)
        both = [frame.loc[frame["dimension"] == name] for frame in both]
    judged, rated = both
    cells = ["model", "dimension", "dialog_id", "turn"]
    rated = rated.merge(judged[cells].drop_duplicates(), on=cells)
    return judged, rated


def _points(frame: pd.DataFrame, rubric: Rubric) -> pd.DataFrame:
    known = frame.dropna(subset=["score", "turn"])
    points = known.assign(
        points=rubric.to_percent(known["score"].astype(float)), turn=known["turn"].astype("int64")
    )
    cells = ["model", "dimension", "dialog_id", "turn"]
    return points.groupby(cells, sort=False, observed=True)["points"].mean().reset_index()


def _check_draw(ratings: pd.DataFrame, drawn_at_random: bool | None) -> None:
    if drawn_at_random is None:
        drawn_at_random = "seed" in ratings and bool(ratings["seed"].notna().all())
    if not drawn_at_random:
        raise DataError(
            "the ratings don't say that their dialogues were drawn at random (no column 'seed' of rating_plan); a "
            "choice by people makes the estimate wrong. Pass drawn_at_random=True only if they were drawn at random"
        )


def _pairs(points: pd.DataFrame) -> pd.DataFrame:
    """Return the differences of each pair of models on the turns that both have."""
    import pandas as pd

    cells = ["dimension", "dialog_id", "turn"]
    parts = []
    for a, b in combinations(sorted(points["model"].unique()), 2):
        one, other = points.loc[points["model"] == a], points.loc[points["model"] == b]
        shared = one.merge(other, on=cells, suffixes=("", "_b"))
        shared["points"] -= shared["points_b"]
        parts.append(shared[[*cells, "points"]].assign(model_a=a, model_b=b))
    if not parts:
        raise DataError("a comparison needs two models with scores")
    return pd.concat(parts, ignore_index=True)


def _calibrated(judged: pd.DataFrame, rated: pd.DataFrame, ci: float) -> dict[str, Any]:
    """Return the estimates of one model and dimension."""
    from scipy.stats import t

    all_judged = _residuals(judged)
    same_turns = rated[["dialog_id", "turn"]].merge(judged, on=["dialog_id", "turn"])
    people, judge = _residuals(rated), _residuals(same_turns)
    g, total = len(people.residual), len(all_judged.residual)
    spread = float((judge.residual**2).sum())
    weight = max(0.0, float((people.residual * judge.residual).sum()) / spread) if spread > 0 else 0.0
    rest = people.residual - weight * judge.residual
    variance = float((rest**2).sum()) / (g * (g - 2))
    variance += weight**2 * float((all_judged.residual**2).sum()) / (total * (total - 1))
    variance += 2 * weight * float((rest * judge.residual).sum()) / ((g - 1) * total)
    mean = people.mean + weight * (all_judged.mean - judge.mean)
    alone = float((people.residual**2).sum()) / (g * (g - 1))
    judge_variance = float((all_judged.residual**2).sum()) / (total * (total - 1))
    row: dict[str, Any] = {"mean": mean, "se": max(variance, 0.0) ** 0.5}
    for name, estimate in (
        ("", _Estimate(mean, max(variance, 0.0), g - 2)),
        ("judge_", _Estimate(all_judged.mean, judge_variance, total - 1)),
        ("people_", _Estimate(people.mean, alone, g - 1)),
    ):
        reach = t.ppf((1 + ci) / 2, estimate.df) * estimate.variance**0.5
        row |= {
            f"{name}mean": estimate.mean,
            f"{name}low": estimate.mean - reach,
            f"{name}high": estimate.mean + reach,
        }
    gain = alone / variance if variance > 0 else float("nan")
    return row | {"weight": weight, "gain": gain, "n_dialogs": total, "n_rated": g, "ci": ci}


@dataclass(frozen=True)
class _Dialogs:
    """A ratio mean over turns, and each dialogue's residual divided by the mean number of turns."""

    mean: float
    residual: np.ndarray


def _residuals(points: pd.DataFrame) -> _Dialogs:
    sums = points.groupby("dialog_id")["points"].agg(["sum", "size"])  # sorted by id, so two frames align
    mean = float(sums["sum"].sum() / sums["size"].sum())
    residual = (sums["sum"] - mean * sums["size"]) / sums["size"].mean()
    return _Dialogs(mean, residual.to_numpy(float))
