"""Who scores what, and how sure that is: averages with intervals, paired comparisons, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mmdu_analysis.schema import DIMENSIONS, SCORE_COLUMNS, SHORT_NAMES, DataError, require_columns
from mmdu_analysis.stats.repeats import judged_turns, pooled_variance, share_of_turn
from mmdu_analysis.stats.resampling import (
    RESAMPLES,
    cluster_ratios,
    interval,
    ratio_draws,
    two_sided_p,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

AVERAGES = ("question", "dialog", "vlmeval_all", "vlmeval_valid")
OVERALL = DIMENSIONS["Avg"]
_SCALE = 10.0  # scores are 0-10 in files and 0-100 in the paper


def as_scores(scores: pd.DataFrame, *, repeats: bool = False) -> pd.DataFrame:
    """Give a frame of scores; a person's labels (``correct``, 0 or 1) become scores 0 and 10.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, or labels such as ``load_published("correctness")``.
    repeats : bool, default False
        Keep a row for each of a turn's judgements. By default a turn that a judge scored several times
        (column ``repeat``) has one row, with their mean, and all reasons.

    Returns
    -------
    pandas.DataFrame
        With at least the columns of `load_scores`.

    Raises
    ------
    DataError
        If it is neither.
    """
    if "correct" in getattr(scores, "columns", ()) and "score" not in scores.columns:
        require_columns(scores, ["model", "dialog_id", "turn", "correct"], "a frame of labels")
        labels = scores.assign(judge="person", dimension="Correct", score=_SCALE * scores["correct"])
        return labels.drop(columns="correct")
    require_columns(scores, SCORE_COLUMNS, "a frame of scores")
    return scores if repeats or "repeat" not in scores else _mean_of_repeats(scores)


def _mean_of_repeats(scores: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    keys = [column for column in scores if column not in ("repeat", "score", "reason")]
    how: dict[str, Any] = {"score": "mean"}
    if "reason" in scores:
        how["reason"] = lambda texts: "\n\n".join(dict.fromkeys(texts.dropna())) or pd.NA
    groups = scores.groupby(keys, sort=False, dropna=False, observed=True)
    frame = groups.agg(how).reset_index()[[column for column in scores if column != "repeat"]]
    frame = frame.astype({name: scores[name].dtype for name in frame})
    frame.attrs = dict(scores.attrs)
    return frame


def only_dimension(scores: pd.DataFrame, dimension: str | None) -> pd.DataFrame:
    """Keep one dimension: the one asked for, else the Overall Score, else the only one there is.

    Raises
    ------
    DataError
        If it isn't there, or none was asked for and it isn't clear which.
    """
    have = list(scores["dimension"].unique())
    if dimension is None:
        dimension = OVERALL if OVERALL in have or len(have) != 1 else have[0]
    dimension = DIMENSIONS.get(dimension, dimension)
    if dimension not in have:
        raise DataError(f"no dimension {dimension!r} in the scores; expected one of {have}")
    return scores.loc[scores["dimension"] == dimension]


def summarize_scores(
    scores: pd.DataFrame,
    by: str | Sequence[str] = "model",
    average: str = "question",
    ci: float = 0.95,
    *,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Average scores, each with its standard error and interval.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores` (0-10), or labels as in `as_scores`.
    by : str or sequence of str, default "model"
        Any columns of `scores`, also those that a merge brought in. Judges are pooled unless named.
    average : {"question", "dialog", "vlmeval_all", "vlmeval_valid"}, default "question"
        See the notes.
    ci : float, default 0.95
        Width of the interval.
    n_resamples, seed : int
        Of the bootstrap over dialogues.

    Returns
    -------
    pandas.DataFrame
        One row a group and dimension: the columns of `by`, ``dimension``, ``mean``, ``se``, ``low``,
        ``high`` (0-100, as the paper prints), ``n_dialogs`` and ``n_turns`` (that have a score),
        ``n_missing`` (turns without one). One dialogue alone gives no ``se`` and no interval: NA. So do
        scores that don't say which dialogue they belong to. Where turns were judged several times (column
        ``repeat``), each counts once, with the mean of its judgements, and there are two more columns:
        ``n_repeats``, their mean number, and ``se_judge``, the part of ``se`` that is the judge's own chance
        (see `judge_variance`).

    Raises
    ------
    DataError
        If a column is missing, or `average` is unknown.

    Notes
    -----
    How the averages treat what is missing, and how they differ from the public scripts:

    ========================  ==========================================================================
    average                   what it does
    ========================  ==========================================================================
    ``question``              Each scored turn counts once, for each dimension by itself. As the authors'
                              ``statistic.py``, which however drops a turn from all dimensions where one
                              of the six is missing, adds such a turn's six values without counting it
                              where only the Overall Score is missing, and counts the file before it
                              again for each file that isn't ``.json``.
    ``dialog``                Mean over a dialogue's scored turns, then over dialogues that have any, as the
                              paper's section 2.3 says.
    ``vlmeval_all``           As VLMEvalKit's row ``all``: each value cut to a whole number by ``int()`` and
                              clipped to 0-10; a missing one counts as 0. A turn that isn't in the
                              file at all is unknown to both. VLMEvalKit clips a score of 12 to 10;
                              `load_scores` reports it and takes it as missing.
    ``vlmeval_valid``         The same over the values that are there.
    ========================  ==========================================================================

    Standard errors are clustered by dialogue and intervals come from a bootstrap over dialogues; see
    `cluster_ratios`.

    Examples
    --------
    >>> from mmdu_analysis import sample_scores
    >>> summarize_scores(sample_scores(), "model").query("dimension == 'Overall Score'")["n_turns"].tolist()
    [1645, 1645, 1645, 1645, 1645]
    """
    import numpy as np
    import pandas as pd

    scores = as_scores(scores, repeats=True)
    names = [by] if isinstance(by, str) else list(by)
    names = [name for name in names if name != "dimension"]
    require_columns(scores, names, "scores to be summarized by them")
    order = dimension_order(scores["dimension"])
    dimension = pd.Categorical(scores["dimension"], categories=order).codes.astype(np.int64)
    groups = scores.groupby(names, sort=True, dropna=False, observed=True) if names else None
    number = groups.ngroup().to_numpy() if groups is not None else np.zeros(len(scores), np.int64)
    keys = pd.DataFrame({**{name: scores[name].to_numpy() for name in names}, "_group": number})
    cells, place = np.unique(number * len(order) + dimension, return_inverse=True)
    cluster = pd.factorize(scores["dialog_id"])[0]
    value, weight = _weighed(scores["score"].to_numpy(float), average)
    turn = judged_turns(scores, place)
    share = share_of_turn(turn, weight > 0)
    terms = _terms(place, cluster, value * share, weight * share, average)
    ratios = cluster_ratios(*terms, len(cells), ci=ci, n_resamples=n_resamples, seed=seed)
    there = scores["score"].notna().to_numpy()
    scored = np.rint(np.bincount(place, share_of_turn(turn, there), len(cells))).astype(np.int64)
    counted = np.rint(np.bincount(place, share_of_turn(turn, np.ones(len(there), bool)), len(cells))).astype(
        np.int64
    )
    frame = keys.drop_duplicates("_group").set_index("_group").loc[cells // len(order)].reset_index(drop=True)
    frame = frame.astype({name: scores[name].dtype for name in names})
    frame["dimension"] = pd.array([order[code] for code in cells % len(order)], dtype="str")
    for column, estimate in {"mean": "estimate", "se": "se", "low": "low", "high": "high"}.items():
        frame[column] = _SCALE * ratios[estimate]
    known = ratios["n_clusters"] >= 0
    frame["n_dialogs"] = ratios["n_clusters"].astype("Int64").where(known)
    frame["n_turns"] = pd.Series(scored, dtype="Int64").where(known)
    frame["n_missing"] = counted - scored
    if "repeat" in scores:
        frame["n_repeats"] = np.bincount(place, there, len(cells)) / scored
        frame["se_judge"] = _SCALE * _judge_se(
            len(cells), place, cluster, turn, value, weight * share, average
        )
    frame.attrs = {"average": average, "ci": ci, "synthetic": bool(scores.attrs.get("synthetic"))}
    return frame


def _judge_se(
    n_groups: int,
    place: np.ndarray,
    cluster: np.ndarray,
    turn: np.ndarray,
    value: np.ndarray,
    weight: np.ndarray,
    average: str,
) -> np.ndarray:
    """Give the standard error that the judge's chance alone puts on each mean."""
    import numpy as np

    used = weight > 0
    place, cluster, turn, value, weight = (x[used] for x in (place, cluster, turn, value, weight))
    if average == "dialog":  # a dialogue counts once, so its turns share its weight
        cells = np.unique(place * (cluster.max(initial=0) + 2) + cluster + 1, return_inverse=True)[1]
        weight = weight / np.bincount(cells, weight)[cells]
    within = pooled_variance(turn, place, value, n_groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(within * np.bincount(place, weight**2, n_groups))
        return spread / np.bincount(place, weight, n_groups)


def dimension_order(dimensions: pd.Series) -> list[str]:
    """Give the dimensions there are: the paper's in its order, then others by name."""
    have = list(dimensions.unique())
    known = [name for name in DIMENSIONS.values() if name in have]
    return known + sorted(set(have) - set(known))


def _weighed(score: np.ndarray, average: str) -> tuple[np.ndarray, np.ndarray]:
    """Give each score's value and weight in an average."""
    import numpy as np

    if average not in AVERAGES:
        raise DataError(f"average {average!r} is unknown; expected one of {', '.join(AVERAGES)}")
    there = ~np.isnan(score)
    value = np.where(there, score, 0.0)
    if average.startswith("vlmeval"):
        value = np.clip(np.trunc(value), 0, 10)
    return value, np.ones(len(score)) if average == "vlmeval_all" else there.astype(float)


def _terms(
    place: np.ndarray, cluster: np.ndarray, value: np.ndarray, weight: np.ndarray, average: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give the terms of `cluster_ratios`; for ``dialog`` a dialogue's scores are their mean, which counts once."""
    import numpy as np

    if average != "dialog":
        return place, cluster, value, weight
    width = cluster.max(initial=0) + 2
    cells, inverse = np.unique(place * width + cluster + 1, return_inverse=True)
    total, count = np.bincount(inverse, value), np.bincount(inverse, weight)
    mean = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    return cells // width, cells % width - 1, mean, (count > 0).astype(float)


def score_table(summary: pd.DataFrame, access: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Lay a summary out as the paper's Table 2: one row a model, one column a dimension.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarize_scores` by ``model``, or by ``model`` and ``judge`` for the form of Table 6.
    access : mapping of str to str, optional
        Model -> ``closed``, ``open`` or ``finetuned``; NA for the others.

    Returns
    -------
    pandas.DataFrame
        ``model`` (and ``judge``), ``access``, the dimensions by their short names (0-100), and ``low`` and ``high`` of the
        Overall Score where there is one.
    """
    import pandas as pd

    require_columns(summary, ["model", "dimension", "mean", "low", "high"], "a summary of scores")
    short = summary.assign(short=summary["dimension"].map(SHORT_NAMES)).dropna(subset="short")
    keys = [name for name in ("model", "judge") if name in summary]
    table = short.pivot(index=keys, columns="short", values="mean")
    table = table[[name for name in DIMENSIONS if name in table]].rename_axis(columns=None)
    named = [(access or {}).get(model) for model in table.index.get_level_values("model")]
    table.insert(0, "access", pd.array(named, dtype="str"))
    overall = short.loc[short["short"] == "Avg"].set_index(keys)
    table = table.join(overall[["low", "high"]]).reset_index()
    table.attrs = {"synthetic": summary.attrs.get("synthetic", False), "ci": summary.attrs.get("ci")}
    return table


def compare_models(
    scores: pd.DataFrame,
    a: str,
    b: str,
    *,
    average: str = "question",
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare two models on the turns that both have.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    a, b : str
        Two of its models.
    average, ci, n_resamples, seed
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row a dimension: ``dimension``, ``mean_a``, ``mean_b`` (over the shared turns, 0-100),
        ``difference`` (a - b), ``se``, ``low``, ``high``, ``p_value``, ``n_dialogs``, ``n_turns``
        (shared), ``n_unpaired`` (scores of either without a partner).

    Raises
    ------
    DataError
        If a model isn't there, or no turn has a score of both.

    Notes
    -----
    A turn is paired by judge, dialogue, turn and dimension; the difference is clustered by dialogue (Miller
    2024, arXiv 2411.00640). The p-value is of Student's t with clustered errors, one degree of freedom
    less than there are dialogues. Scores whose turn is NA can't be paired.
    """
    pairing = _Pairing(scores, average)
    return pairing.compare(a, b, ci=ci, n_resamples=n_resamples, seed=seed)


def compare_all_models(
    scores: pd.DataFrame,
    *,
    average: str = "question",
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare each model with each other.

    Parameters
    ----------
    scores, average, ci, n_resamples, seed
        As in `compare_models`.

    Returns
    -------
    pandas.DataFrame
        One row a pair and dimension: ``model_a``, ``model_b``, the columns of `compare_models`, and ``p_holm``,
        corrected for the number of pairs in the dimension (Holm 1979). A pair without a shared turn has
        NA and takes no part in the correction. ``attrs["order"]``: the models, best first by the sum of
        their differences in the last dimension (the Overall Score).

    Raises
    ------
    DataError
        If there are fewer than two models.
    """
    from itertools import combinations

    import pandas as pd
    from statsmodels.stats.multitest import multipletests

    pairing = _Pairing(scores, average)
    if len(pairing.models) < 2:
        raise DataError(f"got scores of {pairing.models}, expected at least two models to compare")
    parts = []
    for a, b in combinations(pairing.models, 2):
        part = pairing.compare(a, b, ci=ci, n_resamples=n_resamples, seed=seed, strict=False)
        parts.append(part.assign(model_a=a, model_b=b))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame[["model_a", "model_b", *[c for c in frame if not c.startswith("model_")]]]
    frame["p_holm"] = float("nan")
    for _, tested in frame.dropna(subset="p_value").groupby("dimension"):
        frame.loc[tested.index, "p_holm"] = multipletests(tested["p_value"], method="holm")[1]
    last = frame.loc[frame["dimension"] == pairing.order[-1]]
    lead = (
        last.groupby("model_a")["difference"]
        .sum()
        .sub(last.groupby("model_b")["difference"].sum(), fill_value=0)
    )
    frame.attrs = {key: parts[0].attrs[key] for key in ("average", "ci", "synthetic")}
    frame.attrs["order"] = lead.sort_values(ascending=False, kind="stable").index.tolist()
    return frame


class _Pairing:
    """The scores as a matrix with one column a model, made once for all pairs."""

    def __init__(self, scores: pd.DataFrame, average: str) -> None:
        import numpy as np
        import pandas as pd

        scores = as_scores(scores, repeats=True)
        self.average, self.synthetic = average, bool(scores.attrs.get("synthetic"))
        self.models = list(scores["model"].unique())
        self.order = dimension_order(scores["dimension"])
        value, weight = _weighed(scores["score"].to_numpy(float), average)
        keys = ["judge", "dialog_id", "turn", "dimension"]
        counted = scores[["model", *keys]].assign(value=np.where(weight > 0, value, np.nan))
        counts = counted.dropna(subset="value")
        if "repeat" in scores:
            counts = counts.drop_duplicates(["model", *keys])
        counts = counts.groupby(["model", "dimension"]).size()
        self.counts = counts.unstack(fill_value=0).reindex(self.models, columns=self.order, fill_value=0)
        # A turn scored more than once counts with its mean.
        wide = counted.dropna(subset=["dialog_id", "turn"]).pivot_table(
            index=keys, columns="model", values="value", aggfunc="mean", observed=True
        )
        wide = wide.reindex(columns=self.models)
        self.values = {model: wide[model].to_numpy(float) for model in self.models}
        self.dimension = pd.Categorical(wide.index.get_level_values("dimension"), categories=self.order).codes
        self.dimension = self.dimension.astype(np.int64)
        self.cluster = pd.factorize(wide.index.get_level_values("dialog_id"))[0]

    def compare(self, a: str, b: str, *, strict: bool = True, **options: Any) -> pd.DataFrame:
        import numpy as np
        import pandas as pd

        for model in (a, b):
            if model not in self.values:
                raise DataError(f"no scores of model {model!r}; expected one of {self.models}")
        paired = ~np.isnan(self.values[a]) & ~np.isnan(self.values[b])
        if strict and not paired.any():
            raise DataError(
                f"{a!r} and {b!r} share no scored turn; load the scores with benchmark= so that turns are known"
            )
        place, cluster = self.dimension[paired], self.cluster[paired]
        first, second = self.values[a][paired], self.values[b][paired]
        frame = pd.DataFrame({"dimension": pd.array(self.order, dtype="str")})
        for column, value in {"mean_a": first, "mean_b": second, "difference": first - second}.items():
            terms = _terms(place, cluster, value, np.ones(len(value)), self.average)
            with np.errstate(invalid="ignore"):
                sums = [np.bincount(terms[0], term, len(self.order)) for term in terms[2:]]
                frame[column] = _SCALE * sums[0] / sums[1]
        ratios = cluster_ratios(*terms, len(self.order), **options)
        for column in ("se", "low", "high"):
            frame[column] = _SCALE * ratios[column]
        n_dialogs = ratios["n_clusters"].to_numpy()
        frame["p_value"] = two_sided_p(frame["difference"].to_numpy(), frame["se"].to_numpy(), n_dialogs)
        frame["n_dialogs"] = n_dialogs
        frame["n_turns"] = np.bincount(place, minlength=len(self.order))
        unpaired = self.counts.loc[a] + self.counts.loc[b] - 2 * frame.set_index("dimension")["n_turns"]
        frame["n_unpaired"] = unpaired.to_numpy()
        frame.attrs = {
            "average": self.average,
            "ci": options["ci"],
            "synthetic": self.synthetic,
            "a": a,
            "b": b,
        }
        return frame


def rank_models(
    scores: pd.DataFrame,
    *,
    dimension: str | None = None,
    average: str = "question",
    ci: float = 0.95,
    n_resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Rank models, with an interval for each rank and the groups that can't be told apart.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    dimension : str, optional
        Name or short name; by default the Overall Score, or the only dimension there is.
    average, ci, n_resamples, seed
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row a model, best first: ``model``, ``dimension``, ``mean``, ``low``, ``high`` (0-100), ``rank``,
        ``rank_low``, ``rank_high`` (from the same bootstrap as the means: all models on the same
        resampled dialogues), ``group`` (models that share a letter can't be told apart: Holm-corrected
        paired comparisons at level 1 - `ci`), ``n_dialogs``.

    Raises
    ------
    DataError
        If there are fewer than two models or dialogues, or the dimension isn't there.
    """
    import numpy as np
    import pandas as pd
    from scipy.stats import rankdata

    scores = only_dimension(as_scores(scores), dimension)
    scores = scores.dropna(subset="dialog_id")
    options: dict[str, Any] = {"average": average, "ci": ci, "n_resamples": n_resamples, "seed": seed}
    summary = summarize_scores(scores, "model", **options).sort_values("mean", ascending=False, kind="stable")
    models = summary["model"].tolist()
    model = pd.Categorical(scores["model"], categories=models).codes.astype(np.int64)
    cluster, dialogs = pd.factorize(scores["dialog_id"])
    if len(models) < 2 or len(dialogs) < 2:
        raise DataError(
            f"got {len(models)} models and {len(dialogs)} dialogues, expected two of each to rank"
        )
    terms = _terms(model, cluster, *_weighed(scores["score"].to_numpy(float), average), average)
    tops, bottoms = np.zeros((2, len(dialogs), len(models)))
    np.add.at(tops, (terms[1], terms[0]), terms[2])
    np.add.at(bottoms, (terms[1], terms[0]), terms[3])
    draws = rankdata(-ratio_draws(tops, bottoms, n_resamples, seed), axis=1, nan_policy="omit")
    low, high = interval(draws, len(dialogs), ci)
    letters = _letters(models, compare_all_models(scores, **options), 1 - ci)
    frame = summary[["model", "dimension", "mean", "low", "high"]].reset_index(drop=True)
    frame["rank"] = rankdata(-frame["mean"], method="min").astype(int)
    frame["rank_low"], frame["rank_high"] = np.floor(low).astype(int), np.ceil(high).astype(int)
    frame["group"] = [letters[name] for name in models]
    frame["n_dialogs"] = summary["n_dialogs"].to_numpy()
    frame.attrs = dict(summary.attrs)
    return frame


def _letters(models: list[str], pairs: pd.DataFrame, level: float) -> dict[str, str]:
    """Give models letters: two share one exactly if they can't be told apart (Piepho 2004)."""
    apart = pairs.loc[pairs["p_holm"] < level, ["model_a", "model_b"]].itertuples(index=False)
    groups = [set(models)]
    for a, b in apart:
        split = [group - {one} for group in groups if {a, b} <= group for one in (a, b)]
        groups = [group for group in groups if not {a, b} <= group]
        for group in split:
            if not any(group <= other for other in groups):
                groups = [other for other in groups if not other <= group] + [group]
    groups.sort(key=lambda group: sorted(map(models.index, group)))
    names = [_letter(number) for number in range(len(groups))]
    return {
        model: "".join(name for name, group in zip(names, groups, strict=True) if model in group)
        for model in models
    }


def _letter(number: int) -> str:
    return chr(ord("a") + number % 26) + (str(number // 26) if number >= 26 else "")
