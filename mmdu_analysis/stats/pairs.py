"""Models compared with each other on the turns that they share, and ranked on the turns that all have."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.schema import MMDU, CoverageWarning, DataError, Rubric
from mmdu_analysis.stats.resampling import (
    FEWEST_FOR_T,
    RESAMPLES,
    Method,
    clustered_ratio,
    sign_flip_p,
    two_sided_p,
)
from mmdu_analysis.stats.scores import AVERAGES, Average, as_scores, only_dimension, summarize_scores

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Family = Literal["dimension", "all"]

NOT_COMPARED = "not compared: no shared turn"
_CELL = ["judge", "dialog_id", "turn", "dimension"]


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
        Two of its models.
    average, ci, method, n_resamples, seed, rubric
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row a dimension: ``dimension``, ``mean_a``, ``mean_b`` (over the shared turns, 0-100),
        ``difference`` (a - b), ``se``, ``low``, ``high``, ``p_value``, ``n_dialogs``, ``n_turns`` (shared),
        ``n_unpaired`` (scores of either without a partner), ``test`` (``t`` or ``sign-flip``), ``note``,
        ``model_a``, ``model_b``, ``average``, ``ci``, ``synthetic``.

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
    2024, arXiv 2411.00640). The p-value is of Student's t with clustered errors and one degree of freedom
    less than there are dialogues. With fewer than 6 dialogues, or where all dialogues have the same
    difference, the t-test is meaningless: the p-value is then of the exact sign-flip test over dialogues,
    which can't be below ``2 ** (1 - n_dialogs)``, and there is no interval.
    Scores whose turn is NA can't be paired.

    Examples
    --------
    >>> from mmdu_analysis import sample_scores
    >>> compare_models(sample_scores(), "closed-A", "open-A")["n_dialogs"].unique().tolist()
    [110]
    """
    scores = as_scores(scores, repeats=True, rubric=rubric)
    pairing = _pair(scores, average, rubric)
    for model in (a, b):
        if model not in pairing.models:
            raise DataError(f"no scores of model {model!r}; expected one of {pairing.models}")
    options: dict[str, Any] = {"ci": ci, "method": method, "n_resamples": n_resamples, "seed": seed}
    frame = _compare(pairing, a, b, options)
    if not frame["n_turns"].any():
        raise DataError(
            f"{a!r} and {b!r} share no scored turn; load the scores with benchmark= so that turns are known"
        )
    return frame.assign(model_a=a, model_b=b, average=average, ci=ci, synthetic=frame.pop("synthetic"))


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
        The comparisons that are corrected together by Holm's method: all pairs in one dimension, or all pairs in
        all dimensions. The first holds the chance of any false difference at 1 - `ci` in each dimension, the
        second in the whole table.

    Returns
    -------
    pandas.DataFrame
        One row a pair and dimension: ``model_a``, ``model_b``, the columns of `compare_models`, ``p_holm``
        (Holm 1979, Scandinavian Journal of Statistics 6) and ``family``. A pair without a shared turn has
        NA and the note ``not compared``; it takes no part in the correction.

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
    pairing = _pair(scores, average, rubric)
    if len(pairing.models) < 2:
        raise DataError(f"got scores of {pairing.models}, expected at least two models to compare")
    options: dict[str, Any] = {"ci": ci, "method": method, "n_resamples": n_resamples, "seed": seed}
    parts = [
        _compare(pairing, a, b, options).assign(model_a=a, model_b=b)
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
        Each model once.
    """
    last = pairs.loc[pairs["dimension"] == pairs["dimension"].iloc[-1]]
    ahead = last.groupby("model_a", sort=False)["difference"].sum()
    behind = last.groupby("model_b", sort=False)["difference"].sum()
    return ahead.sub(behind, fill_value=0).sort_values(ascending=False, kind="stable").index.tolist()


@dataclass(frozen=True)
class _Pairing:
    """Scores with one column a model, prepared once for all pairs.

    Attributes
    ----------
    points : dict
        Model -> its points on each cell (judge, dialogue, turn, dimension); NaN where it has none.
    block : numpy.ndarray of int
        The block (dimension and dialogue) of each cell.
    block_dimension : numpy.ndarray of int
        The dimension of each block, as a position in `dimensions`.
    counts : pandas.DataFrame
        Scored turns by model and dimension.
    synthetic : pandas.DataFrame
        Whether a model's scores of a dimension are synthetic.
    average : str
        As in `summarize_scores`.
    """

    models: list[str]
    dimensions: list[str]
    points: dict[str, np.ndarray]
    block: np.ndarray
    block_dimension: np.ndarray
    counts: pd.DataFrame
    synthetic: pd.DataFrame
    average: str


def _pair(scores: pd.DataFrame, average: str, rubric: Rubric) -> _Pairing:
    import pandas as pd

    from mmdu_analysis.stats.scores import _turn_points

    if average not in AVERAGES:
        raise DataError(f"average {average!r} is unknown; expected one of {', '.join(AVERAGES)}")
    models, dimensions = list(scores["model"].unique()), rubric.order(scores["dimension"].unique())
    turns = _turn_points(scores, [], average, rubric).dropna(subset="points")
    by_model = turns.groupby(["model", "dimension"], observed=True)
    counts = by_model.size().unstack(fill_value=0).reindex(models, columns=dimensions, fill_value=0)
    synthetic = by_model["synthetic"].any().unstack().reindex(models, columns=dimensions)
    known = turns.dropna(subset=["dialog_id", "turn"])
    # A file may hold a turn twice without saying that it was judged twice; it counts with its mean.
    wide = known.pivot_table(index=_CELL, columns="model", values="points", aggfunc="mean", observed=True)
    wide = wide.reindex(columns=models)
    blocks = wide.groupby(["dimension", "dialog_id"], observed=True)
    named = blocks.size().index.get_level_values("dimension")
    return _Pairing(
        models,
        dimensions,
        {model: wide[model].to_numpy(float) for model in models},
        blocks.ngroup().to_numpy(),
        pd.Categorical(named.astype("str"), categories=dimensions).codes.astype("int64"),
        counts,
        synthetic.astype("boolean").fillna(False).astype(bool),
        average,
    )


def _compare(pairing: _Pairing, a: str, b: str, options: dict[str, Any]) -> pd.DataFrame:
    """Compare two models in each dimension, on the cells that both have."""
    import numpy as np
    import pandas as pd

    first, second = pairing.points[a], pairing.points[b]
    shared = ~np.isnan(first) & ~np.isnan(second)
    n_blocks, n_dimensions = len(pairing.block_dimension), len(pairing.dimensions)

    def by_block(values: np.ndarray) -> np.ndarray:
        return np.bincount(pairing.block[shared], values, minlength=n_blocks)

    turns = by_block(np.ones(int(shared.sum())))
    tops = {"mean_a": by_block(first[shared]), "mean_b": by_block(second[shared])}
    present = turns > 0
    group, bottom = pairing.block_dimension[present], turns[present]
    tops = {name: sums[present] for name, sums in tops.items()}
    if pairing.average == "dialog":
        tops, bottom = {name: sums / bottom for name, sums in tops.items()}, np.ones(len(bottom))
    totals = np.bincount(group, bottom, minlength=n_dimensions)
    frame = pd.DataFrame({"dimension": pd.array(pairing.dimensions, dtype="str")})
    with np.errstate(invalid="ignore"):
        for name, sums in tops.items():
            frame[name] = np.bincount(group, sums, minlength=n_dimensions) / totals
    difference = tops["mean_a"] - tops["mean_b"]
    ratios = clustered_ratio(group, difference, bottom, n_dimensions, **options)
    frame["difference"] = ratios["estimate"]
    frame[["se", "low", "high"]] = ratios[["se", "low", "high"]]
    frame["p_value"] = two_sided_p(*(ratios[name].to_numpy() for name in ("estimate", "se", "n_clusters")))
    frame["n_dialogs"] = ratios["n_clusters"].astype("int64")
    frame["n_turns"] = np.bincount(pairing.block_dimension, turns, n_dimensions).astype("int64")
    scored = (pairing.counts.loc[a] + pairing.counts.loc[b]).to_numpy()
    frame["n_unpaired"] = (scored - 2 * frame["n_turns"]).astype("int64")
    frame["test"], frame["note"] = "t", ratios["note"]
    frame["synthetic"] = (pairing.synthetic.loc[a] | pairing.synthetic.loc[b]).to_numpy()
    return _exact_where_few(frame, group, difference)


def _exact_where_few(frame: pd.DataFrame, group: np.ndarray, difference: np.ndarray) -> pd.DataFrame:
    """Replace the t-test by the exact sign-flip test where its standard error means nothing."""
    n_dialogs = frame["n_dialogs"]
    few = n_dialogs.between(2, FEWEST_FOR_T - 1) | ((n_dialogs > 1) & (frame["se"] == 0))
    for number in frame.index[few]:
        frame.loc[number, "p_value"] = sign_flip_p(difference[group == number])
        count, smallest = n_dialogs[number], 2.0 ** (1 - n_dialogs[number])
        reason = f"{count} dialogues" if count < FEWEST_FOR_T else f"the same difference in {count} dialogues"
        frame.loc[number, "note"] = f"{reason}: exact sign-flip test (p at least {smallest:.2g}), no interval"
    frame.loc[few, "test"] = "sign-flip"
    frame.loc[few, ["low", "high"]] = float("nan")
    alone = n_dialogs < 2
    frame.loc[alone, "p_value"] = float("nan")
    frame.loc[n_dialogs == 0, "note"] = NOT_COMPARED
    return frame.astype({"note": "str", "test": "str"})


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
        One row a model, best first: ``model``, ``dimension``, ``mean``, ``se``, ``low``, ``high`` (0-100),
        ``rank``, ``rank_low``, ``rank_high``, ``group`` (models that share a letter are not significantly
        different), ``n_dialogs``, ``n_turns`` (that all models have), ``n_dropped`` (turns that only some have,
        left out), ``note``, ``average``, ``ci``, ``synthetic``.

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
    ``rank_low`` is 1 + the number of models that are significantly better, ``rank_high`` the number of models less
    those that are significantly worse, in paired comparisons corrected by Holm over all pairs. All intervals
    together hold the true ranks with probability `ci` (Mogstad, Romano, Shaikh and Wilhelm 2024, Review of
    Economic Studies 91:1); intervals of each rank by itself don't.
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
    better = _winner(apart).value_counts(), _winner(apart, worse=True).value_counts()
    frame["rank"] = frame["mean"].rank(ascending=False, method="min").astype("int64")
    frame["rank_low"] = 1 + frame["model"].map(better[1]).fillna(0).astype("int64")
    frame["rank_high"] = len(models) - frame["model"].map(better[0]).fillna(0).astype("int64")
    letters = group_letters(models, pairs, 1 - ci)
    frame["group"] = frame["model"].map(letters)
    frame["n_dropped"] = n_dropped
    first = ["model", "dimension", "mean", "se", "low", "high", "rank", "rank_low", "rank_high", "group"]
    return frame[[*first, "n_dialogs", "n_turns", "n_dropped", "note", "average", "ci", "synthetic"]]


def _winner(apart: pd.DataFrame, *, worse: bool = False) -> pd.Series:
    """Return the better (or the worse) model of each significant comparison."""
    return apart["model_a"].where((apart["difference"] > 0) != worse, apart["model_b"])


def _shared_by_all(scores: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Keep the (judge, dialogue, turn) cells that all models have; return them and the number left out."""
    cell = ["judge", "dialog_id", "turn"]
    models = scores["model"].unique()
    known = scores.dropna(subset=["score", "dialog_id", "turn"])
    if len(models) < 2 or known["dialog_id"].nunique() < 2:
        raise DataError(
            f"got {len(models)} models and {known['dialog_id'].nunique()} dialogues, expected two of each to rank"
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
    """Return letters for models: two share one exactly if they are not significantly different.

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
    The algorithm is of Piepho 2004, Journal of Computational and Graphical Statistics 13:2.
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
