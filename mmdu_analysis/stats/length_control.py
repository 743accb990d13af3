"""Sensitivity of scores to the length of answers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

from mmdu_analysis.schema import MMDU, CoverageWarning, DataError, Rubric, require_columns
from mmdu_analysis.stats.given import one_per_turn
from mmdu_analysis.stats.resampling import RESAMPLES, bootstrap_weights, interval
from mmdu_analysis.stats.scores import as_scores, only_dimension
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, count_tokens

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_KEYS = ["model", "dialog_id", "turn"]


def scores_with_lengths(
    scores: pd.DataFrame,
    answers: pd.DataFrame,
    *,
    dimension: str | None = None,
    encoding: str = DEFAULT_ENCODING,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Join each score with the length of the answer that it judges.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, or labels.
    answers : pandas.DataFrame
        From `load_answers`; or with ``answer_tokens`` instead of ``answer``.
    dimension : str, optional
        Name or short name; by default the overall score, or the only dimension.
    encoding : str, default "o200k_base"
        As in `count_tokens`.
    rubric : Rubric, optional
        The rubric of the scores.

    Returns
    -------
    pandas.DataFrame
        One row per model and turn: ``model``, ``dialog_id``, ``turn``, ``points`` (0-100; the mean over
        judges), ``answer_tokens``, ``dimension``, ``n_unmatched`` (scored turns without an answer, the same
        in all rows), ``synthetic``.

    Raises
    ------
    DataError
        If no score has an answer.

    Warns
    -----
    CoverageWarning
        If scored turns have no answer.
    """
    kept = only_dimension(as_scores(scores, rubric=rubric), dimension, rubric)
    require_columns(answers, _KEYS, "a frame of answers")
    lengths = one_per_turn(answers, "answers")[_KEYS].astype({"turn": "Int64"})
    if "answer_tokens" in answers:
        lengths["answer_tokens"] = answers["answer_tokens"]
    else:
        require_columns(answers, ["answer"], "a frame of answers")
        lengths["answer_tokens"] = count_tokens(answers["answer"], encoding)
    lengths["marked"] = answers["synthetic"].fillna(False).astype(bool) if "synthetic" in answers else False
    scored = kept.dropna(subset=["score", "turn"]).astype({"turn": "Int64"})
    scored = scored.assign(points=rubric.to_percent(scored["score"].astype(float)))
    groups = scored.groupby(_KEYS, as_index=False, sort=False, observed=True)
    means = groups.agg(points=("points", "mean"), synthetic=("synthetic", "any"))
    joined = means.merge(lengths, on=_KEYS, how="inner")
    lost = len(means) - len(joined)
    if joined.empty:
        raise DataError(
            f"none of the {len(means):,} scored turns has an answer; models, dialogue ids and turns must agree"
        )
    if lost:
        text = f"{lost:,} of {len(means):,} scored turns have no answer and are left out"
        warnings.warn(text, CoverageWarning, stacklevel=3)
    joined["synthetic"] |= joined.pop("marked")
    columns = [*_KEYS, "points", "answer_tokens", "synthetic"]
    return joined[columns].assign(dimension=kept["dimension"].iloc[0], n_unmatched=lost)


def adjust_for_length(
    scores: pd.DataFrame,
    answers: pd.DataFrame,
    *,
    slopes: Literal["common", "model"] = "common",
    dimension: str | None = None,
    encoding: str = DEFAULT_ENCODING,
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Measure how sensitive the comparison of models is to the length of their answers.

    Parameters
    ----------
    scores, answers, dimension, encoding, rubric
        As in `scores_with_lengths`.
    slopes : {"common", "model"}, default "common"
        One effect of length for all models, or one per model.
    ci : float, default 0.95
        Width of the intervals.
    n_resamples, seed : int
        Of the bootstrap over dialogues.

    Returns
    -------
    pandas.DataFrame
        One row per model: ``model``, ``mean``, ``se``, ``low``, ``high`` (0-100, on the average question),
        ``adjusted``, ``adjusted_low``, ``adjusted_high`` (the same, adjusted to the mean log length of all
        answers), ``shift`` (adjusted - mean), ``answer_tokens`` (geometric mean), ``n_turns`` (that another
        model answered too), ``n_alone`` (that only this model answered, left out), ``n_dialogs``,
        ``length_effect`` (points per doubling of the length) with ``length_effect_low`` and
        ``length_effect_high``, ``common_tokens`` (the equal length), ``slopes``, ``dimension``,
        ``n_unmatched``, ``ci``, ``synthetic``.

    Raises
    ------
    DataError
        If fewer than two models share a turn, or in fewer than two dialogues.

    Notes
    -----
    Two linear regressions of the points on the model and the question: without (``mean``) and with
    (``adjusted``) the logarithm of the answer's length. They differ in the term of length only, so that a
    model which lacks the hard questions moves in neither. What a doubling adds is estimated within models and
    questions: how a model's own longer answers score against its own shorter ones.

    This is a sensitivity analysis, not a correction. Length can be a consequence of quality: where better
    answers are longer because they say more, holding length equal removes a part of the true difference. It
    is not AlpacaEval's length-controlled win rate (Dubois et al. 2024, arXiv 2404.04475), which is a logistic
    model of pairwise preferences.
    """
    import numpy as np
    import pandas as pd

    if slopes not in ("common", "model"):
        raise DataError(f"slopes is {slopes!r}, expected 'common' or 'model'")
    joined = scores_with_lengths(scores, answers, dimension=dimension, encoding=encoding, rubric=rubric)
    shared = joined.groupby(["dialog_id", "turn"])["model"].transform("nunique") > 1
    rows = joined.loc[shared].assign(size=np.log2(joined["answer_tokens"].clip(lower=1).astype(float)))
    models = sorted(rows["model"].unique())
    cluster, dialogs = pd.factorize(rows["dialog_id"])
    if len(models) < 2 or len(dialogs) < 2:
        raise DataError(
            "a comparison at equal length needs two models with answers in at least two common dialogues"
        )
    centre = float(rows["size"].mean())
    products = _products(rows.assign(size=rows["size"] - centre), models, cluster, len(dialogs), slopes)
    best = _solve(products.sum(axis=0)[None], len(models))
    blocks = [
        _solve(np.tensordot(weights, products, 1), len(models))
        for weights in bootstrap_weights(len(dialogs), n_resamples, seed)
    ]
    # The mean level of the questions is common to all models and differs only between resamples.
    draws = {name: np.concatenate([block[name] for block in blocks]) for name in best}
    frame = pd.DataFrame({"model": pd.array(models, dtype="str")})
    for name, prefix in (("mean", ""), ("adjusted", "adjusted_"), ("length_effect", "length_effect_")):
        frame[name] = best[name][0]
        frame[f"{prefix}low"], frame[f"{prefix}high"] = interval(draws[name], len(dialogs), ci)
        if name == "mean":
            frame["se"] = np.nanstd(draws[name], axis=0, ddof=1)
    by_model = rows.groupby("model")
    frame["shift"] = frame["adjusted"] - frame["mean"]
    frame["answer_tokens"] = (2 ** by_model["size"].mean()).reindex(models).to_numpy()
    frame["n_turns"] = by_model.size().reindex(models).to_numpy()
    alone = joined.loc[~shared].groupby("model").size()
    frame["n_alone"] = alone.reindex(models, fill_value=0).to_numpy()
    frame["n_dialogs"] = by_model["dialog_id"].nunique().reindex(models).to_numpy()
    frame["synthetic"] = by_model["synthetic"].any().reindex(models).to_numpy()
    frame = frame.assign(common_tokens=2**centre, slopes=slopes, dimension=joined["dimension"].iloc[0])
    frame = frame.assign(n_unmatched=int(joined["n_unmatched"].iloc[0]), ci=ci)
    order = ["model", "mean", "se", "low", "high", "adjusted", "adjusted_low", "adjusted_high", "shift"]
    order += ["answer_tokens", "n_turns", "n_alone", "n_dialogs", "length_effect", "length_effect_low"]
    order += ["length_effect_high", "common_tokens", "slopes", "dimension", "n_unmatched", "ci", "synthetic"]
    return frame[order]


def _products(
    rows: pd.DataFrame, models: list[str], cluster: np.ndarray, n_clusters: int, slopes: str
) -> np.ndarray:
    """Return sums of products over the rows of each dialogue.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``model``, ``dialog_id``, ``turn``, ``points`` and ``size`` (centred log length).
    models : list of str
        In the order of the columns.
    cluster : numpy.ndarray of int, shape (n,)
        The dialogue of each row.
    n_clusters : int
        Number of dialogues.
    slopes : str
        As in `adjust_for_length`.

    Returns
    -------
    numpy.ndarray, shape (n_clusters, k + s + 2, k + s + 2)
        Of the k models' columns, the s columns of length and the points, less the question's mean, in the
        first rows and columns; the last row has the number of rows, and the sums of lengths and points.
    """
    import numpy as np
    import pandas as pd

    dummies = pd.get_dummies(rows["model"]).reindex(columns=models).astype(float)
    sizes = dummies.mul(rows["size"], axis=0) if slopes == "model" else rows[["size"]]
    design = pd.concat([dummies, sizes, rows[["points"]]], axis=1)
    design.columns = range(design.shape[1])
    # Subtracting the question's mean removes the difficulty of the question.
    question = [rows["dialog_id"], rows["turn"]]
    within = (design - design.groupby(question).transform("mean")).to_numpy()
    width = within.shape[1] + 1
    products = np.zeros((n_clusters, width, width))
    np.add.at(products[:, :-1, :-1], cluster, within[:, :, None] * within[:, None, :])
    totals = np.column_stack([design.to_numpy(), np.ones(len(rows))])
    np.add.at(products[:, -1, :], cluster, totals)
    return products


def _solve(products: np.ndarray, n_models: int) -> dict[str, np.ndarray]:
    """Solve the two regressions of each resample.

    Parameters
    ----------
    products : numpy.ndarray, shape (n, k + s + 2, k + s + 2)
        As `_products` returns them, summed over the dialogues of a resample.
    n_models : int
        Number of models, k.

    Returns
    -------
    dict of str to numpy.ndarray, shape (n, k)
        ``mean``, ``adjusted`` and ``length_effect``.
    """
    import numpy as np

    squares, totals = products[:, :-1, :-1], products[:, -1, :]
    level = totals[:, -2] / totals[:, -1]
    share = totals[:, :n_models] / totals[:, -1:]
    target = squares[:, :-1, -1:]

    def effects(count: int) -> np.ndarray:
        # The columns of the models sum to zero: take the minimum-norm solution.
        inverse = np.linalg.pinv(squares[:, :count, :count], hermitian=True)
        return (inverse @ target[:, :count])[..., 0]

    def levels(of_models: np.ndarray) -> np.ndarray:
        return level[:, None] + of_models - (share * of_models).sum(axis=1, keepdims=True)

    plain, full = effects(n_models), effects(squares.shape[1] - 1)
    slope = full[:, n_models:]
    # The level of the points includes the effect of the observed sizes, whose mean per model need not be 0.
    mean_size_points = (totals[:, n_models:-2] * slope).sum(axis=1) / totals[:, -1]
    return {
        "mean": levels(plain),
        "adjusted": levels(full[:, :n_models]) - mean_size_points[:, None],
        "length_effect": np.broadcast_to(slope, plain.shape) if slope.shape[1] == 1 else slope,
    }
