"""Comparisons of models on shared turns, and ranks on the turns that all models have."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.facts.tables import load_published
from mmdu_analysis.schema import MMDU, CoverageWarning, DataError, Rubric
from mmdu_analysis.stats.pairing import compare_pair, pair_scores
from mmdu_analysis.stats.resampling import RESAMPLES, Method
from mmdu_analysis.stats.scores import Average, as_scores, only_dimension, summarize_scores

if TYPE_CHECKING:
    import pandas as pd

Family = Literal["dimension", "all"]


def compare_models(
    scores: pd.DataFrame,
    a: str,
    b: str,
    *,
    average: Average = "question",
    ci: float = 0.95,
    method: Method = "jackknife",
    n_resamples: int = RESAMPLES,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Compare two models on the turns that both have.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    a, b : str
        Names of two models.
    average, ci, method, n_resamples, seed, rubric
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row per dimension: ``dimension``, ``mean_a``, ``mean_b`` (over the shared turns, 0-100),
        ``difference`` (a - b), ``se``, ``low``, ``high``, ``p_value``, ``n_dialogs``, ``n_turns`` (shared),
        ``n_unpaired`` (scores without a score of the other model), ``test`` (``t`` or ``sign-flip``),
        ``note``, ``model_a``, ``model_b``, ``average``, ``ci``, ``synthetic``.

    Raises
    ------
    DataError
        If a model isn't in the scores, or no turn has a score of both.

    See Also
    --------
    compare_all_models : Each pair, corrected for their number.

    Notes
    -----
    A turn is paired by judge, dialogue, turn and dimension; the difference is clustered by dialogue (Miller
    2024, arXiv 2411.00640). The p-value is from Student's t with clustered errors and n - 1 degrees of
    freedom for n dialogues. With fewer than 6 dialogues, or where all dialogues have the same difference, the
    t-test is meaningless: the p-value is then from the exact sign-flip test over dialogues, which can't be
    below ``2 ** (1 - n_dialogs)``, and there is no interval. Scores whose turn is NA can't be paired.

    Examples
    --------
    >>> from mmdu_analysis import sample_scores
    >>> compare_models(sample_scores(), "closed-A", "open-A")["n_dialogs"].unique().tolist()
    [110]
    """
    scores = as_scores(scores, repeats=True, rubric=rubric)
    pairing = pair_scores(scores, average, rubric)
    for model in (a, b):
        if model not in pairing.models:
            raise DataError(f"no scores of model {model!r}; {_hint(model, pairing.models)}")
    options: dict[str, Any] = {"ci": ci, "method": method, "n_resamples": n_resamples, "seed": seed}
    frame = compare_pair(pairing, a, b, options)
    if not frame["n_turns"].any():
        raise DataError(
            f"{a!r} ({_judges(scores, a)}) and {b!r} ({_judges(scores, b)}) share no turn scored by the same judge; load "
            "the scores with benchmark= if their turns are unknown"
        )
    return frame.assign(model_a=a, model_b=b, average=average, ci=ci, synthetic=frame.pop("synthetic"))


def _judges(scores: pd.DataFrame, model: str) -> str:
    names = sorted(map(str, scores.loc[scores["model"] == model, "judge"].unique()))
    return ("judges " if len(names) > 1 else "judge ") + ", ".join(names[:3])


def _hint(model: str, models: list[str]) -> str:
    """Return what to do if a model has no scores; published models are the usual case."""
    if model in set(load_published("main_results")["model"]):
        return (
            "it is a published model, for which only means are known and no scores of single turns; "
            "use place_among_published to rank its mean among those of your models"
        )
    return f"expected one of {models}"


def compare_all_models(
    scores: pd.DataFrame,
    *,
    average: Average = "question",
    family: Family = "dimension",
    ci: float = 0.95,
    method: Method = "jackknife",
    n_resamples: int = RESAMPLES,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Compare each pair of models, with p-values corrected for the number of comparisons.

    Parameters
    ----------
    scores, average, ci, method, n_resamples, seed, rubric
        As in `compare_models`.
    family : {"dimension", "all"}, default "dimension"
        The comparisons that are corrected together by Holm's method: all pairs in one dimension, or all pairs
        in all dimensions. The first controls the probability of any false difference at 1 - `ci` in each
        dimension, the second in the whole table.

    Returns
    -------
    pandas.DataFrame
        One row per pair and dimension: ``model_a``, ``model_b``, the columns of `compare_models`, ``p_holm``
        (Holm 1979, Scandinavian Journal of Statistics 6) and ``family``. A pair without a shared turn has NA
        and the note ``not compared``; it is not part of the correction.

    Raises
    ------
    DataError
        If there are fewer than two models.

    See Also
    --------
    model_order : The models of the result, best first.
    """
    import pandas as pd
    from statsmodels.stats.multitest import multipletests

    if family not in ("dimension", "all"):
        raise DataError(f"family is {family!r}, expected 'dimension' or 'all'")
    scores = as_scores(scores, repeats=True, rubric=rubric)
    pairing = pair_scores(scores, average, rubric)
    if len(pairing.models) < 2:
        raise DataError(f"got scores of {pairing.models}, expected at least two models to compare")
    options: dict[str, Any] = {"ci": ci, "method": method, "n_resamples": n_resamples, "seed": seed}
    parts = [
        compare_pair(pairing, a, b, options).assign(model_a=a, model_b=b)
        for a, b in combinations(pairing.models, 2)
    ]
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[["model_a", "model_b", *[name for name in frame if not name.startswith("model_")]]]
    frame["p_holm"] = float("nan")
    tested = frame.dropna(subset="p_value")
    families = tested.groupby("dimension").groups.values() if family == "dimension" else [tested.index]
    for rows in families:
        if len(rows):
            frame.loc[rows, "p_holm"] = multipletests(frame.loc[rows, "p_value"], method="holm")[1]
    return frame.assign(family=family, average=average, ci=ci, synthetic=frame.pop("synthetic"))


def model_order(pairs: pd.DataFrame) -> list[str]:
    """Return the models of `compare_all_models`, best first by their summed differences.

    Parameters
    ----------
    pairs : pandas.DataFrame
        From `compare_all_models`; the last dimension (the overall score) decides.

    Returns
    -------
    list of str
        Distinct models.
    """
    last = pairs.loc[pairs["dimension"] == pairs["dimension"].iloc[-1]]
    ahead = last.groupby("model_a", sort=False)["difference"].sum()
    behind = last.groupby("model_b", sort=False)["difference"].sum()
    return ahead.sub(behind, fill_value=0).sort_values(ascending=False, kind="stable").index.tolist()


def rank_models(
    scores: pd.DataFrame,
    *,
    dimension: str | None = None,
    average: Average = "question",
    ci: float = 0.95,
    method: Method = "jackknife",
    n_resamples: int = RESAMPLES,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Rank models on the turns that all of them have, with simultaneous intervals of the ranks.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    dimension : str, optional
        Name or short name; by default the overall score, or the only dimension.
    average, ci, method, n_resamples, seed, rubric
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row per model, best first: ``model``, ``dimension``, ``mean``, ``se``, ``low``, ``high`` (0-100),
        ``rank``, ``rank_low``, ``rank_high``, ``group`` (models that share a letter are not significantly
        different), ``n_dialogs``, ``n_turns`` (that all models have), ``n_dropped`` (turns that only some
        have, left out), ``note``, ``average``, ``ci``, ``synthetic``.

    Raises
    ------
    DataError
        If there are fewer than two models or dialogues, or no turn that all models have.

    Warns
    -----
    CoverageWarning
        If turns are left out because not all models have them.

    Notes
    -----
    ``rank_low`` is 1 + the number of models that are significantly better, ``rank_high`` the number of models
    less those that are significantly worse, in paired comparisons corrected by Holm over all pairs. All
    intervals simultaneously contain the true ranks with probability `ci` (Mogstad, Romano, Shaikh and Wilhelm
    2024, Review of Economic Studies 91:1); intervals of single ranks don't.
    """
    scores = only_dimension(as_scores(scores, rubric=rubric), dimension, rubric)
    shared, n_dropped = _shared_by_all(scores)
    options: dict[str, Any] = {"average": average, "ci": ci, "method": method, "n_resamples": n_resamples}
    options |= {"seed": seed, "rubric": rubric}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        summary = summarize_scores(shared, "model", **options)
    frame = summary.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
    models = frame["model"].tolist()
    pairs = compare_all_models(shared, **options)
    apart = pairs.loc[pairs["p_holm"] < 1 - ci]
    wins, losses = (_models_of(apart, better).value_counts() for better in (True, False))
    frame["rank"] = frame["mean"].rank(ascending=False, method="min").astype("int64")
    frame["rank_low"] = 1 + frame["model"].map(losses).fillna(0).astype("int64")
    frame["rank_high"] = len(models) - frame["model"].map(wins).fillna(0).astype("int64")
    letters = group_letters(models, pairs, 1 - ci)
    frame["group"] = frame["model"].map(letters)
    frame["n_dropped"] = n_dropped
    first = ["model", "dimension", "mean", "se", "low", "high", "rank", "rank_low", "rank_high", "group"]
    return frame[[*first, "n_dialogs", "n_turns", "n_dropped", "note", "average", "ci", "synthetic"]]


def _models_of(apart: pd.DataFrame, better: bool) -> pd.Series:
    """Return the better or the worse model of each significant comparison."""
    return apart["model_a"].where((apart["difference"] > 0) == better, apart["model_b"])


def _shared_by_all(scores: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Keep the (judge, dialogue, turn) cells that all models have; return them and the number left out."""
    cell = ["judge", "dialog_id", "turn"]
    known = scores.dropna(subset=["score", "dialog_id", "turn"])
    empty = sorted(set(scores["model"].unique()) - set(known["model"].unique()))
    if empty:
        text = f"{', '.join(map(str, empty))}: no score of a known turn, so left out of the ranking"
        warnings.warn(text, CoverageWarning, stacklevel=4)
    models = known["model"].unique()
    if len(models) < 2 or known["dialog_id"].nunique() < 2:
        raise DataError(
            f"got {len(models)} model(s) on {known['dialog_id'].nunique()} dialogue(s) with known turns, expected two or more of each"
        )
    have = known.groupby(cell, observed=True)["model"].transform("nunique")
    shared = known.loc[have == len(models)]
    n_cells, n_shared = known.drop_duplicates(cell).shape[0], shared.drop_duplicates(cell).shape[0]
    per_model = known.groupby("model", sort=False, observed=True).size()
    counts = ", ".join(f"{model} {per_model.get(model, 0):,}" for model in models[:6])
    if shared["dialog_id"].nunique() < 2:
        raise DataError(
            f"the models share {n_shared} of {n_cells:,} turns of a judge ({counts}), expected turns of two dialogues; "
            "compare_all_models compares the pairs that share turns"
        )
    if n_shared < n_cells:
        text = f"ranked on the {n_shared:,} of {n_cells:,} turns of a judge that all models have ({counts})"
        warnings.warn(text, CoverageWarning, stacklevel=3)
    return shared, n_cells - n_shared


def group_letters(models: list[str], pairs: pd.DataFrame, level: float) -> dict[str, str]:
    """Return letters for models: two models share a letter exactly if they are not significantly different.

    Parameters
    ----------
    models : list of str
        Best first.
    pairs : pandas.DataFrame
        ``model_a``, ``model_b``, ``p_holm``; a pair that was not compared (NA) shares no letter.
    level : float
        Significance level.

    Returns
    -------
    dict of str to str
        Model -> letters.

    Notes
    -----
    Algorithm of Piepho 2004, Journal of Computational and Graphical Statistics 13:2.
    """
    split_pairs = pairs.loc[~(pairs["p_holm"] >= level), ["model_a", "model_b"]]
    groups = [set(models)]
    for a, b in split_pairs.itertuples(index=False):
        split = [group - {one} for group in groups if {a, b} <= group for one in (a, b)]
        groups = [group for group in groups if not {a, b} <= group]
        for group in split:
            if not any(group <= other for other in groups):
                groups = [other for other in groups if not other <= group] + [group]
    groups.sort(key=lambda group: sorted(map(models.index, group)))
    return {
        model: "".join(_letter(number) for number, group in enumerate(groups) if model in group)
        for model in models
    }


def _letter(number: int) -> str:
    return chr(ord("a") + number % 26) + (str(number // 26) if number >= 26 else "")
