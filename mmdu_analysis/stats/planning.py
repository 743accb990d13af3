"""Number of dialogues, judgements and ratings that a comparison needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmdu_analysis.schema import MMDU, DataError, Rubric, is_synthetic
from mmdu_analysis.stats.scores import as_scores, only_dimension

if TYPE_CHECKING:
    import pandas as pd

DIALOGS = (10, 20, 40, 60, 80, 110)
MEASURED_PAIR = ("Qwen2-VL-7B-Instruct", "LLaVa1.6-vicuna-7B")
"""Models whose labelled answers are used for a plan without own scores."""


@dataclass(frozen=True)
class Components:
    """Variance components of the paired difference of two models, in squared points.

    Attributes
    ----------
    between : float
        Between dialogues.
    within : float
        Between turns of a dialogue, including the judge variance of one judgement per turn.
    judge : float
        Between repeated judgements of a turn; 0 without repetitions.
    n_dialogs, n_turns : int
        Size of the data of the estimates.
    turns_per_dialog : float
        Mean number of turns of a dialogue.
    """

    between: float
    within: float
    judge: float
    n_dialogs: int
    n_turns: int
    models: tuple[str, str] = ("", "")

    @property
    def turns_per_dialog(self) -> float:
        """Mean number of turns of a dialogue."""
        return self.n_turns / self.n_dialogs

    @property
    def icc(self) -> float:
        """Share of the variance that is between dialogues."""
        total = self.between + self.within
        return self.between / total if total > 0 else float("nan")

    def se(self, n_dialogs: float, n_repeats: int = 1) -> float:
        """Return the standard error of the difference with a number of dialogues and of judgements per turn."""
        within = max(self.within - self.judge, 0.0) + self.judge / n_repeats
        return (self.between / n_dialogs + within / (n_dialogs * self.turns_per_dialog)) ** 0.5


def difference_components(
    scores: pd.DataFrame,
    a: str | None = None,
    b: str | None = None,
    *,
    dimension: str | None = None,
    rubric: Rubric = MMDU,
) -> Components:
    """Estimate the variance components of the paired difference of two models.

    Parameters
    ----------
    scores : pandas.DataFrame
        Scores of one judge with known turns.
    a, b : str, optional
        Two models; by default the two with the highest means.
    dimension : str, optional
        By its name or short name; by default the overall score or the only one.
    rubric : Rubric, default MMDU's
        Scale of the scores.

    Returns
    -------
    Components
        By one-way analysis of variance over dialogues: ``n0 = (N - sum n^2 / N) / (G - 1)``,
        ``between = max(0, (MSB - MSW) / n0)``, ``within = MSW``. Where turns were judged several times,
        ``within`` is that of one judgement.

    Raises
    ------
    DataError
        If fewer than two models or two dialogues are shared.
    """
    kept = only_dimension(as_scores(scores, repeats=True, rubric=rubric), dimension, rubric=rubric)
    known = kept.dropna(subset=["score", "turn"]).reset_index(drop=True)
    if known["judge"].nunique() > 1:
        raise DataError(f"the scores are of {known['judge'].nunique()} judges, expected one; choose it")
    known = known.assign(points=rubric.to_percent(known["score"].astype(float)))
    first, second = _two_models(known, a, b)
    cells = ["dialog_id", "turn"]
    sides = [known.loc[known["model"] == model].groupby(cells)["points"].mean() for model in (first, second)]
    difference = (sides[0] - sides[1]).dropna()
    groups = difference.groupby(level="dialog_id")
    sizes = groups.size().to_numpy(float)
    n_turns, n_dialogs = len(difference), len(sizes)
    if n_dialogs < 2 or n_turns <= n_dialogs:
        raise DataError(
            f"{first} and {second} share {n_turns} turns of {n_dialogs} dialogues; more are needed"
        )
    inner = difference - groups.transform("mean")
    within = float((inner**2).sum()) / (n_turns - n_dialogs)
    between_square = float((sizes * (groups.mean().to_numpy() - difference.mean()) ** 2).sum()) / (
        n_dialogs - 1
    )
    n0 = (n_turns - float((sizes**2).sum()) / n_turns) / (n_dialogs - 1)
    between = max(0.0, (between_square - within) / n0)
    judge = _judge_variance(known.loc[known["model"].isin([first, second])]) if "repeat" in known else 0.0
    if judge:
        # The means of n judgements hold 1/n of the judge variance; a plan starts from one judgement per turn.
        counts = [
            known.loc[known["model"] == model].groupby(cells)["points"].size() for model in (first, second)
        ]
        held = float(((1 / counts[0] + 1 / counts[1]) / 2).dropna().mean())
        within = max(within - judge * held, 0.0) + judge
    return Components(between, within, judge, n_dialogs, n_turns, (first, second))


def _two_models(known: pd.DataFrame, a: str | None, b: str | None) -> tuple[str, str]:
    means = known.groupby("model", observed=True)["points"].mean().sort_values(ascending=False)
    missing = [model for model in (a, b) if model is not None and model not in means.index]
    if missing:
        raise DataError(f"no scores of {missing[0]!r}; expected one of {', '.join(map(str, means.index))}")
    chosen = [model for model in (a, b) if model is not None]
    chosen += [str(model) for model in means.index if model not in chosen]
    if len(chosen) < 2:
        raise DataError("a plan needs scores of two models, got one")
    return chosen[0], chosen[1]


def _judge_variance(known: pd.DataFrame) -> float:
    """Return the variance that repeated judgements add to the difference of two models."""
    groups = known.groupby(["model", "dialog_id", "turn"], observed=True)["points"]
    sizes = groups.transform("size")
    repeated = known.loc[sizes >= 2]
    if repeated.empty:
        return 0.0
    inner = repeated["points"] - groups.transform("mean").loc[repeated.index]
    free = len(repeated) - repeated.groupby(["model", "dialog_id", "turn"], observed=True).ngroups
    return 2 * float((inner**2).sum()) / free


def plan_evaluation(
    scores: pd.DataFrame | None = None,
    difference: float = 2.0,
    power: float = 0.8,
    *,
    n_dialogs: Sequence[int] = DIALOGS,
    n_repeats: Sequence[int] = (1,),
    a: str | None = None,
    b: str | None = None,
    dimension: str | None = None,
    price: float = 0.0,
    ci: float = 0.95,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Compute the power of a paired comparison of two models for numbers of dialogues and judgements.

    Parameters
    ----------
    scores : pandas.DataFrame, optional
        Scores of a similar comparison, from which the variances are taken; by default a person's labels of
        the answers of Qwen2-VL and LLaVA to MMDU.
    difference : float, default 2.0
        True difference in points on 0-100 for which the power is computed.
    power : float, default 0.8
        Required power, for the smallest detectable difference.
    n_dialogs : sequence of int
        Numbers of dialogues.
    n_repeats : sequence of int, default (1,)
        Judgements of each turn.
    a, b, dimension
        See `difference_components`.
    price : float, default 0
        Price of one judgement.
    ci : float, default 0.95
        Level of the interval of the difference.
    rubric : Rubric, default MMDU's
        Scale of the scores.

    Returns
    -------
    pandas.DataFrame
        One row per number of dialogues and repeats: ``n_dialogs``, ``n_turns``, ``n_repeats``, ``difference``
        and the ``power`` to detect it, ``se``, ``detectable`` (smallest difference that is detected with the
        required power), ``equivalence`` (smallest delta for which two equal models are shown to be equivalent
        with the required power), ``cost``, ``between``, ``within``, ``icc``, ``ci``, ``synthetic``.

    Raises
    ------
    DataError
        If a number is too small, or none is given; as `difference_components`.

    See Also
    --------
    equivalence_test : Two one-sided tests.
    plan_ratings : Ratings by people.

    Notes
    -----
    ``SE^2 = between / G + within / (G n)``. A difference is detectable with the given power if it is
    ``(t_(1-alpha/2) + t_power) SE`` on G-1 degrees of freedom. It assumes dialogues of the same kind as those
    given, drawn at random, with the same mean number of turns.

    Examples
    --------
    >>> plan = plan_evaluation(n_dialogs=[10, 110])
    >>> plan["detectable"].round(1).tolist()
    [14.6, 4.0]
    """
    import pandas as pd

    if difference <= 0 or not 0 < power < 1:
        raise DataError(
            f"got a difference of {difference} and a power of {power}; expected above 0, and between 0 and 1"
        )
    for name, numbers, least in (("n_dialogs", n_dialogs, 2), ("n_repeats", n_repeats, 1)):
        if not len(numbers) or min(numbers) < least:
            raise DataError(
                f"{name} is {list(numbers)}, expected one number or more, each at least {least}: a plan needs two "
                "dialogues and one judgement per turn"
            )
    if scores is None:
        from mmdu_analysis.facts.tables import load_published

        scores = load_published("correctness")
        a, b = (a, b) if a or b else MEASURED_PAIR
    parts = difference_components(scores, a, b, dimension=dimension, rubric=rubric)
    rows = []
    for repeats in n_repeats:
        for count in n_dialogs:
            se, turns = parts.se(count, repeats), round(count * parts.turns_per_dialog)
            rows.append(
                {
                    "n_dialogs": int(count),
                    "n_turns": turns,
                    "n_repeats": int(repeats),
                    "difference": float(difference),
                    "power": power_of(difference, se, count - 1, ci),
                    "se": se,
                    "detectable": detectable_difference(se, count - 1, power, ci),
                    "equivalence": equivalence_margin(se, count - 1, power, ci),
                    "cost": 2 * turns * repeats * price,
                }
            )
    frame = pd.DataFrame(rows)
    return frame.assign(
        model_a=parts.models[0],
        model_b=parts.models[1],
        between=parts.between,
        within=parts.within,
        icc=parts.icc,
        ci=ci,
        synthetic=is_synthetic(scores),
    )


def power_of(difference: float, se: float, df: int, ci: float = 0.95) -> float:
    """Return the power of a two-sided t test for a true difference.

    Parameters
    ----------
    difference, se : float
        True difference and its standard error, in the same unit.
    df : int
        Degrees of freedom.
    ci : float, default 0.95
        One minus the size of the test.

    Returns
    -------
    float
        From the noncentral t distribution.
    """
    from scipy.stats import nct, t

    if se == 0:
        return 1.0
    bound = t.ppf((1 + ci) / 2, df)
    shift = difference / se
    return float(nct.sf(bound, df, shift) + nct.cdf(-bound, df, shift))


def detectable_difference(se: float, df: int, power: float = 0.8, ci: float = 0.95) -> float:
    """Return the smallest difference that a two-sided t test detects with a given power."""
    from scipy.stats import t

    return float((t.ppf((1 + ci) / 2, df) + t.ppf(power, df)) * se)


def equivalence_margin(se: float, df: int, power: float = 0.8, ci: float = 0.95) -> float:
    """Return the smallest margin within which two equal models are shown to be equivalent with a given power."""
    from scipy.stats import t

    return float((t.ppf(ci, df) + t.ppf((1 + power) / 2, df)) * se)


def plan_ratings(
    n_dialogs: int = 110,
    n_rated: Sequence[int] = (10, 20, 40, 60, 80),
    correlation: Sequence[float] = (0.5, 0.7, 0.9),
    *,
    turns_per_dialog: float = 15.0,
    rating_price: float = 0.0,
    judgement_price: float = 0.0,
) -> pd.DataFrame:
    """Compute the precision that a judge adds to ratings by people, for given correlations of the two over dialogues.

    Parameters
    ----------
    n_dialogs : int, default 110
        Dialogues that the judge scores.
    n_rated : sequence of int
        Dialogues that people rate.
    correlation : sequence of float
        Correlation of the judge's and the people's dialogue residuals (see `calibrate_scores`).
    turns_per_dialog : float, default 15
        Turns of a dialogue, for the cost.
    rating_price, judgement_price : float, default 0
        Prices of rating and of judging one turn.

    Returns
    -------
    pandas.DataFrame
        One row per number and correlation: ``n_dialogs``, ``n_rated``, ``correlation``, ``effective_rated``
        (rated dialogues that would give the same error without the judge), ``width`` (of the interval
        relative to that of people alone, ignoring the difference in degrees of freedom), ``cost``,
        ``cost_people_alone`` (for the same error).

    Notes
    -----
    With the best weight, ``V = sigma^2 [(1 - r^2) / g + r^2 / G]``, against ``sigma^2 / g`` of people alone.

    Examples
    --------
    >>> plan_ratings(110, [20], [0.9])["width"].round(2).item()
    0.58
    """
    import pandas as pd

    rows = []
    for rated in n_rated:
        if not 0 < rated <= n_dialogs:
            raise DataError(f"n_rated is {rated}, expected 1 to {n_dialogs}")
        for r in correlation:
            share = (1 - r**2) + r**2 * rated / n_dialogs
            effective = rated / share
            turn_cost = turns_per_dialog * rating_price
            rows.append(
                {
                    "n_dialogs": n_dialogs,
                    "n_rated": rated,
                    "correlation": r,
                    "effective_rated": effective,
                    "width": share**0.5,
                    "cost": rated * turn_cost + n_dialogs * turns_per_dialog * judgement_price,
                    "cost_people_alone": effective * turn_cost,
                }
            )
    return pd.DataFrame(rows)
