"""Choose turns for people to rate, and dialogues that represent the whole benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mmdu_analysis.schema import MMDU, DataError, Rubric, is_synthetic, require_columns
from mmdu_analysis.stats.scores import as_scores, only_dimension

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FEWEST_MODELS = 3
_STARTS = 20


def rating_plan(
    answers: pd.DataFrame,
    n: int = 150,
    *,
    raters: Sequence[str] = ("rater",),
    by: Literal["model"] = "model",
    unit: Literal["turn", "dialog"] = "dialog",
    overlap: float = 0.2,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw answers for people to rate, at random.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `load_answers`.
    n : int, default 150
        Total number of answers to rate, the same for each model; with ``unit="dialog"`` whole dialogues are
        drawn until the number is reached.
    raters : sequence of str
        Names of the people, who share the answers.
    by : {"model"}, default "model"
        Balanced column: the same turns are drawn for all models.
    unit : {"turn", "dialog"}, default "dialog"
        Draw single turns, or whole dialogues as `calibrate_scores` needs them. The same turns are drawn for
        all models.
    overlap : float, default 0.2
        Share of the answers that every rater rates, for their agreement.
    seed : int, default 0
        Seed of the random draw; it is stored in the plan.

    Returns
    -------
    pandas.DataFrame
        One row per answer of a rater: ``rater``, ``dialog_id``, ``turn``, ``model``, ``order``, ``seed``,
        ``shared`` (bool).

    Raises
    ------
    DataError
        If there are too few answers, or no raters.
    """
    import numpy as np
    import pandas as pd

    if not raters or len(set(raters)) < len(raters):
        raise DataError(f"raters are {list(raters)}, expected different names")
    if not 0 <= overlap <= 1 or n < 1:
        raise DataError(
            f"got n={n} and overlap={overlap}, expected a positive number and a share between 0 and 1"
        )
    require_columns(answers, ["model", "dialog_id", "turn", "answer", by], "answers to draw from")
    known = answers.dropna(subset=["answer", "turn"]).astype({"dialog_id": "str"})
    groups = max(1, known[by].nunique())
    keys = ["dialog_id"] if unit == "dialog" else ["dialog_id", "turn"]
    sizes = known.groupby(keys, sort=True, observed=True).size()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(sizes))
    drawn = order[: int(np.searchsorted(np.cumsum(sizes.to_numpy()[order]), n) + 1)]
    chosen = sizes.index[drawn].to_frame(index=False).assign(_lot=np.arange(len(drawn)))
    plan = chosen.merge(known[["dialog_id", "turn", "model"]], on=keys).sort_values(
        ["_lot", "turn"], kind="stable"
    )
    n_shared = max(1, round(overlap * len(drawn))) if overlap > 0 and len(raters) > 1 else 0
    parts = []
    for number, rater in enumerate(raters):
        mine = plan.loc[(plan["_lot"] < n_shared) | ((plan["_lot"] - n_shared) % len(raters) == number)]
        parts.append(
            mine.assign(rater=rater, order=np.arange(1, len(mine) + 1), shared=mine["_lot"] < n_shared)
        )
    frame = pd.concat(parts, ignore_index=True).assign(seed=seed)
    if len(plan) < groups:
        raise DataError(f"there are {len(plan)} answers to draw from, expected at least {groups}")
    return frame[["rater", "dialog_id", "turn", "model", "order", "seed", "shared"]]


@dataclass(frozen=True)
class DialogSelection:
    """Dialogues that represent the whole benchmark.

    Attributes
    ----------
    dialog_ids : tuple of str
        The chosen dialogues.
    table : pandas.DataFrame
        One row: ``n_dialogs``, ``n_all``, ``n_models``, ``error_in_sample``, ``error_left_out``,
        ``error_random``, ``error_random_low``, ``error_random_high`` (root mean square error of a model's
        mean, in points), ``beats_random`` (share of random draws with a larger error than that of the
        left-out models; one half if the choice is not better than a random draw), ``synthetic``.
    """

    dialog_ids: tuple[str, ...]
    table: pd.DataFrame


def select_dialogs(
    scores: pd.DataFrame,
    n: int = 11,
    seed: int = 0,
    *,
    dimension: str | None = None,
    n_random: int = 200,
    rubric: Rubric = MMDU,
) -> DialogSelection:
    """Choose the dialogues whose means are closest to those of the whole benchmark.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of several models on the same dialogues by one judge.
    n : int, default 11
        Number of dialogues to choose.
    seed : int, default 0
        Seed of the starting draws.
    dimension : str, optional
        By its name or short name; by default the overall score or the only one.
    n_random : int, default 200
        Random draws of `n` dialogues to compare with.
    rubric : Rubric, default MMDU's
        Scale of the scores.

    Returns
    -------
    DialogSelection
        The dialogues, and the expected error for a new model.

    Raises
    ------
    DataError
        If there are fewer than three models, or not more than `n` shared dialogues.

    Notes
    -----
    The chosen dialogues minimise the squared errors of the models' means by exchanges of single dialogues.
    The error on these models (``error_in_sample``) is optimistic. ``error_left_out`` is the error of models
    that were left out of the choice one at a time, each predicted from the dialogues chosen without it; with
    few models it is itself uncertain, and with fewer than about ten models a small advantage is not
    conclusive.
    """
    import numpy as np
    import pandas as pd

    kept = only_dimension(as_scores(scores, rubric=rubric), dimension, rubric=rubric).dropna(subset="score")
    points = kept.assign(points=rubric.to_percent(kept["score"].astype(float))).astype({"dialog_id": "str"})
    means = points.pivot_table(
        index="dialog_id", columns="model", values="points", aggfunc="mean", observed=True
    )
    means = means.dropna()
    n_all, n_models = means.shape
    if n_models < FEWEST_MODELS or n_all <= n or n < 1:
        raise DataError(
            f"got {n_models} models on {n_all} shared dialogues and n={n}; expected 3 models or more, and n below"
        )
    values, rng = means.to_numpy(float), np.random.default_rng(seed)
    chosen = _choose(values, n, rng)
    left_out = [
        float(values[_choose(np.delete(values, m, axis=1), n, rng), m].mean() - values[:, m].mean())
        for m in range(n_models)
    ]
    random = np.array([_error(values, rng.choice(n_all, n, replace=False)) for _ in range(n_random)])
    error = float(np.sqrt(np.mean(np.square(left_out))))
    row = {
        "n_dialogs": n,
        "n_all": n_all,
        "n_models": n_models,
        "error_in_sample": _error(values, chosen),
        "error_left_out": error,
        "error_random": float(np.sqrt((random**2).mean())),
        "error_random_low": float(np.quantile(random, 0.025)),
        "error_random_high": float(np.quantile(random, 0.975)),
        "beats_random": float((random > error).mean()),
        "synthetic": is_synthetic(scores),
    }
    return DialogSelection(tuple(sorted(means.index[chosen])), pd.DataFrame([row]))


def _error(values: np.ndarray, rows: np.ndarray) -> float:
    """Return the root mean square error of the models' means over some dialogues."""
    import numpy as np

    return float(np.sqrt(np.mean((values[rows].mean(axis=0) - values.mean(axis=0)) ** 2)))


def _choose(values: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the best of several descents by exchanges of single dialogues."""
    import numpy as np

    centred = values - values.mean(axis=0)
    best, best_cost = np.arange(n), np.inf
    for _ in range(_STARTS):
        rows = rng.choice(len(values), n, replace=False)
        cost = np.inf
        while True:
            total = centred[rows].sum(axis=0)
            outside = np.setdiff1d(np.arange(len(values)), rows)
            trial = ((total - centred[rows][:, None, :] + centred[outside][None, :, :]) ** 2).sum(axis=2)
            leave, enter = np.unravel_index(int(trial.argmin()), trial.shape)
            if trial[leave, enter] >= min(cost, float((total**2).sum())) - 1e-9:
                cost = min(cost, float((total**2).sum()))
                break
            cost = float(trial[leave, enter])
            rows = np.concatenate([np.delete(rows, leave), outside[[enter]]])
        if cost < best_cost:
            best, best_cost = rows, cost
    return best
