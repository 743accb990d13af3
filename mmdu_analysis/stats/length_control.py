"""Judges like long answers: scores beside answer length, and scores at equal length."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from mmdu_analysis.schema import DataError, DataWarning, require_columns
from mmdu_analysis.stats.resampling import RESAMPLES, bootstrap_weights, interval
from mmdu_analysis.stats.scores import as_scores, only_dimension
from mmdu_analysis.stats.tokens import count_tokens

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_KEYS = ["model", "dialog_id", "turn"]


def join_lengths(
    scores: pd.DataFrame, answers: pd.DataFrame, *, dimension: str | None = None
) -> pd.DataFrame:
    """Put each score beside the length of the answer that it judges.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, or labels.
    answers : pandas.DataFrame
        From `load_answers`; or with ``answer_tokens`` instead of ``answer``.
    dimension : str, optional
        Name or short name; by default the Overall Score, or the only dimension there is.

    Returns
    -------
    pandas.DataFrame
        One row a model and turn: ``model``, ``dialog_id``, ``turn``, ``score`` (0-100; the mean where several
        judges scored), ``answer_tokens`` (o200k_base). ``attrs["n_unmatched"]`` counts the scored turns
        without an answer; a warning tells it.

    Raises
    ------
    DataError
        If no score finds its answer.
    """
    scores = as_scores(scores)
    kept = only_dimension(scores, dimension)
    require_columns(answers, _KEYS, "a frame of answers")
    lengths = answers[_KEYS].astype({"turn": "Int64"})
    if "answer_tokens" in answers:
        lengths["answer_tokens"] = answers["answer_tokens"]
    else:
        require_columns(answers, ["answer"], "a frame of answers")
        lengths["answer_tokens"] = count_tokens(answers["answer"])
    scored = kept.dropna(subset=["score", "turn"]).astype({"turn": "Int64"})
    means = scored.groupby(_KEYS, as_index=False, sort=False, observed=True)["score"].mean()
    joined = means.merge(lengths, on=_KEYS, how="inner")
    lost = len(means) - len(joined)
    if joined.empty:
        raise DataError(
            f"none of the {len(means):,} scored turns has an answer; models, dialogue ids and turns must agree"
        )
    if lost:
        text = f"{lost:,} of {len(means):,} scored turns have no answer and are left out"
        warnings.warn(text, DataWarning, stacklevel=2)
    joined["score"] *= 10
    synthetic = scores.attrs.get("synthetic") or answers.attrs.get("synthetic")
    joined.attrs = {"synthetic": bool(synthetic), "dimension": kept["dimension"].iloc[0], "n_unmatched": lost}
    return joined


def adjust_for_length(
    scores: pd.DataFrame,
    answers: pd.DataFrame,
    *,
    dimension: str | None = None,
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare models' scores as they are, and at equal answer length.

    Parameters
    ----------
    scores, answers, dimension
        As in `join_lengths`.
    ci, n_resamples, seed
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row a model: ``model``, ``mean``, ``low``, ``high`` (0-100, over turns that another model answered
        too), ``adjusted``, ``adjusted_low``, ``adjusted_high`` (at the mean log length of all answers),
        ``answer_tokens`` (geometric mean), ``n_turns``. ``attrs``: ``length_effect``, the points that a
        doubling of the length adds, with ``length_effect_low`` and ``length_effect_high``;
        ``common_tokens``, the equal length;
        ``n_unmatched``; ``n_alone``, turns that only one model answered.

    Raises
    ------
    DataError
        If fewer than two models share a turn, or in fewer than two dialogues.

    Notes
    -----
    A linear regression of the score on the model, the question and the logarithm of the answer's length, in
    the spirit of AlpacaEval's length-controlled win rate (Dubois et al. 2024, arXiv 2404.04475), which does
    the same with a logistic regression for each pair. What a doubling adds is estimated within models and
    questions: how a model's own longer answers fare against its own shorter ones. A longer answer may
    also be a better one: the adjusted score is what is left without length, not the truth about a model.
    """
    import numpy as np
    import pandas as pd

    joined = join_lengths(scores, answers, dimension=dimension)
    shared = joined.groupby(["dialog_id", "turn"])["model"].transform("nunique") > 1
    rows = joined.loc[shared].assign(size=np.log2(joined["answer_tokens"].clip(lower=1)))
    models = sorted(rows["model"].unique())
    cluster, dialogs = pd.factorize(rows["dialog_id"])
    if len(models) < 2 or len(dialogs) < 2:
        raise DataError(
            "a comparison at equal length needs two models that answered turns of two same dialogues"
        )
    design = pd.get_dummies(rows["model"]).reindex(columns=models).astype(float)
    design["size"], design["score"] = rows["size"], rows["score"]
    # Less the question's mean: what all models have in common on a question, its difficulty, drops out.
    question = [rows["dialog_id"], rows["turn"]]
    within = (design - design.groupby(question).transform("mean")).to_numpy()
    sums = np.zeros((len(dialogs), within.shape[1], within.shape[1]))
    np.add.at(sums, cluster, within[:, :, None] * within[:, None, :])
    totals = np.zeros((len(dialogs), len(models), 3))  # count, score, size of each dialogue and model
    place = pd.Categorical(rows["model"], categories=models).codes
    np.add.at(totals, (cluster, place), np.column_stack([np.ones(len(rows)), rows["score"], rows["size"]]))
    best = _fit(sums.sum(axis=0)[None], totals.sum(axis=0)[None])
    draws = [
        np.concatenate(parts) for parts in zip(*_resampled(sums, totals, n_resamples, seed), strict=True)
    ]
    frame = pd.DataFrame({"model": pd.array(models, dtype="str")})
    for column, number in {"mean": 0, "adjusted": 1}.items():
        low, high = interval(draws[number], len(dialogs), ci)
        prefix = "" if column == "mean" else "adjusted_"
        frame[column], frame[f"{prefix}low"], frame[f"{prefix}high"] = best[number][0], low, high
    frame["answer_tokens"] = 2 ** (totals[:, :, 2].sum(axis=0) / totals[:, :, 0].sum(axis=0))
    frame["n_turns"] = totals[:, :, 0].sum(axis=0).astype(int)
    low, high = interval(draws[2], len(dialogs), ci)
    frame.attrs = joined.attrs | {
        "common_tokens": float(2 ** (totals[..., 2].sum() / totals[..., 0].sum())),
        "length_effect": float(best[2][0]),
        "length_effect_low": float(low),
        "length_effect_high": float(high),
        "n_alone": int((~shared).sum()),
        "ci": ci,
    }
    return frame


def _resampled(
    sums: np.ndarray, totals: np.ndarray, n_resamples: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    import numpy as np

    return [
        _fit(np.tensordot(weights, sums, 1), np.tensordot(weights, totals, 1))
        for weights in bootstrap_weights(len(sums), n_resamples, seed)
    ]


def _fit(sums: np.ndarray, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve the normal equations of each resample.

    Parameters
    ----------
    sums : numpy.ndarray, shape (n, k + 2, k + 2)
        Products of the k models' columns, the log length and the score, less the question's mean.
    totals : numpy.ndarray, shape (n, k, 3)
        Number, score and log length of each model's turns.

    Returns
    -------
    tuple of numpy.ndarray
        Means and adjusted means, shape (n, k), and the length's effect, shape (n,).
    """
    import numpy as np

    # The models' columns add up to nothing: of all solutions take the shortest, whose effects do too.
    solution = (np.linalg.pinv(sums[:, :-1, :-1], hermitian=True) @ sums[:, :-1, -1:])[..., 0]
    with np.errstate(invalid="ignore"):
        means = totals[..., 1] / totals[..., 0]
    centre = totals[..., 1].sum(axis=1) / totals[..., 0].sum(axis=1)
    effects = solution[:, :-1]
    share = totals[..., 0] / totals[..., 0].sum(axis=1, keepdims=True)
    adjusted = centre[:, None] + effects - (share * effects).sum(axis=1, keepdims=True)
    return means, adjusted, solution[:, -1]
