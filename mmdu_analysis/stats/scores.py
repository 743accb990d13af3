"""Mean scores with standard errors, intervals and bounds for missing scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mmdu_analysis.schema import LABEL, MMDU, SCORE_COLUMNS, DataError, Rubric, require_columns
from mmdu_analysis.stats.cautions import (
    warn_of_pooling,
    warn_of_thin_cells,
    warn_of_turns,
    warn_of_unknown_turns,
)
from mmdu_analysis.stats.given import check_labels, check_scores, text_keys
from mmdu_analysis.stats.resampling import RESAMPLES, Method, clustered_ratio

if TYPE_CHECKING:
    import pandas as pd

Average = Literal["question", "dialog", "vlmeval_all", "vlmeval_valid"]

AVERAGES: tuple[Average, ...] = ("question", "dialog", "vlmeval_all", "vlmeval_valid")
TURN_KEYS = ["model", "judge", "dialog_id", "turn", "dimension"]


def as_scores(
    scores: pd.DataFrame, *, repeats: bool = False, rubric: Rubric = MMDU, by: Sequence[str] = ()
) -> pd.DataFrame:
    """Return a checked frame of scores; a person's labels become scores.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, or labels (``correct``, 0 or 1) such as ``load_published("correctness")``.
    repeats : bool, default False
        Keep a row for each judgement of a turn. By default a turn that a judge scored several times
        (column ``repeat``) has one row, with their mean, and all reasons.
    rubric : Rubric, optional
        Labels 0 and 1 become its lowest and highest score, in the dimension ``Correct``.
    by : sequence of str, optional
        Columns that distinguish rows of the same turn, such as merged ones.

    Returns
    -------
    pandas.DataFrame
        With at least the columns of `load_scores`, ``dialog_id`` as text and a boolean column ``synthetic``.

    Raises
    ------
    DataError
        If it is neither, or has dimensions that are not in the rubric, scores that are not numbers on its
        scale, turns that are not whole numbers from 1, or several rows for a judgement.
    """
    if "correct" in getattr(scores, "columns", ()) and "score" not in scores.columns:
        require_columns(scores, ["model", "dialog_id", "turn", "correct"], "a frame of labels")
        lowest, highest = rubric.scale
        labels = lowest + (highest - lowest) * check_labels(scores["correct"])
        scores = scores.assign(judge="person", dimension=LABEL, score=labels).drop(columns="correct")
    require_columns(scores, SCORE_COLUMNS, "a frame of scores")
    require_columns(scores, by, "scores to be summarized by them")
    rubric.check(scores["dimension"].unique())
    marked = scores["synthetic"].fillna(False).astype(bool) if "synthetic" in scores else False
    scores = check_scores(text_keys(scores).assign(synthetic=marked), rubric, by)
    return scores if repeats or "repeat" not in scores else _mean_of_repeats(scores)


def _mean_of_repeats(scores: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    keys = TURN_KEYS
    # Rows of unknown turns are distinguished by their order; otherwise they would be read as repeats of one
    # turn.
    order = scores.groupby([*keys, "repeat"], dropna=False, observed=True).cumcount()
    scores = scores.assign(_order=order.where(scores["turn"].isna(), 0))
    keys = [*keys, "_order"]
    how: dict[str, Any] = {name: "first" for name in scores if name not in (*keys, "repeat")}
    how |= {"score": "mean", "synthetic": "any"}
    if "reason" in scores:
        how["reason"] = lambda texts: "\n\n".join(dict.fromkeys(texts.dropna())) or pd.NA
    groups = scores.groupby(keys, sort=False, dropna=False, observed=True)
    frame = groups.agg(how).reset_index()[[c for c in scores if c not in ("repeat", "_order")]]
    return frame.astype({name: scores[name].dtype for name in frame})


def only_dimension(scores: pd.DataFrame, dimension: str | None, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Keep one dimension: the requested one, else the overall score, else the only one.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `as_scores`.
    dimension : str or None
        Name, short name or alias.
    rubric : Rubric, optional
        With the names of dimensions and of the overall score.

    Returns
    -------
    pandas.DataFrame
        The rows of that dimension.

    Raises
    ------
    DataError
        If the scores don't have it, or none is given and the choice is ambiguous.
    """
    have = rubric.order(scores["dimension"].unique())
    if dimension is not None:
        wanted = rubric.full_name(dimension)
    elif rubric.overall in have:
        wanted = str(rubric.overall)
    elif len(have) == 1:
        wanted = have[0]
    else:
        raise DataError(f"got the dimensions {have} and no overall score; pass dimension=")
    if wanted not in have:
        raise DataError(f"no dimension {wanted!r} in the scores; expected one of {have}")
    return scores.loc[scores["dimension"] == wanted]


def summarize_scores(
    scores: pd.DataFrame,
    by: str | Sequence[str] = "model",
    average: Average = "question",
    ci: float = 0.95,
    *,
    method: Method = "jackknife",
    n_resamples: int = RESAMPLES,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Average scores, each mean with its standard error, interval and bounds.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, or labels as in `as_scores`.
    by : str or sequence of str, default "model"
        Any columns of `scores`, including merged ones. Judges are pooled, with a warning, unless ``judge`` is
        among them.
    average : {"question", "dialog", "vlmeval_all", "vlmeval_valid"}, default "question"
        See the notes.
    ci : float, default 0.95
        Width of the interval.
    method : {"jackknife", "bootstrap"}, default "jackknife"
        Method of the interval, see `clustered_ratio`.
    n_resamples, seed : int
        Of the bootstrap over dialogues; without effect on the jackknife.
    rubric : Rubric, optional
        Dimensions and scale of the scores; MMDU's by default.

    Returns
    -------
    pandas.DataFrame
        One row per group and dimension: the columns of `by`, ``dimension``, ``mean``, ``se``, ``low``,
        ``high`` (points on 0-100), ``n_dialogs`` and ``n_turns`` (with a score), ``n_missing`` (turns without
        one); ``bound_low`` and ``bound_high``, the means if all missing scores were the lowest or the
        highest; ``note`` (the reason why there is no interval, or that there are few dialogues), ``average``,
        ``ci``, ``synthetic``. Scores that don't say which dialogue they belong to have a mean only, and
        counts of 0. Where turns were judged several times (column ``repeat``), each turn counts once with the
        mean of its judgements, and there are two more columns: ``n_repeats``, their mean number, and
        ``se_judge``, the part of ``se`` that repeated judgements would remove (see `judge_variance`).

    Raises
    ------
    DataError
        If a column is missing, `average` is unknown, or a dimension is not in the rubric.

    Warns
    -----
    ComparabilityWarning
        Where judges are pooled, or synthetic and real rows stand together.
    CoverageWarning
        Where models have scores of different turns, or groups have few dialogues.

    See Also
    --------
    compare_models : Two models on the turns that both have.
    rank_models : All models on the turns that all have.

    Notes
    -----
    How the averages treat missing scores, and how they differ from the public scripts:

    ========================  ==========================================================================
    average                   definition
    ========================  ==========================================================================
    ``question``              Each scored turn counts once, for each dimension separately. As the authors'
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
    ``vlmeval_valid``         The same over the values that are present.
    ========================  ==========================================================================

    Standard errors are clustered by dialogue. What the intervals assume and how often they cover the true
    value is documented in `docs/definitions.md`.

    Examples
    --------
    >>> from mmdu_analysis import sample_scores
    >>> summarize_scores(sample_scores(), "model").query("dimension == 'Overall Score'")["n_turns"].tolist()
    [1645, 1645, 1645, 1645, 1645]
    """
    names = [by] if isinstance(by, str) else list(by)
    names = [name for name in names if name != "dimension"]
    scores = as_scores(scores, repeats=True, rubric=rubric, by=names)
    warn_of_pooling(scores, names)
    if "model" in names:
        warn_of_turns(scores)
    turns = turn_points(scores, names, average, rubric)
    cells = _dialog_sums(turns, names, average)
    frame = _means(cells, ci=ci, method=method, n_resamples=n_resamples, seed=seed)
    frame = frame.reset_index().astype({"dimension": "str"} | {name: scores[name].dtype for name in names})
    if "repeat" in scores:
        frame = _with_repeats(frame, turns, names, average)
    if "turn" in names:
        warn_of_unknown_turns(scores)
    warn_of_thin_cells(frame["n_dialogs"], scores["dialog_id"].nunique())
    return frame.assign(average=average, ci=ci, synthetic=frame.pop("synthetic"))


def turn_points(scores: pd.DataFrame, names: list[str], average: str, rubric: Rubric) -> pd.DataFrame:
    """Return one row per judged turn: ``points`` (NaN if it doesn't count), ``scored``, and its judgements."""
    import numpy as np
    import pandas as pd

    if average not in AVERAGES:
        raise DataError(f"average {average!r} is unknown; expected one of {', '.join(AVERAGES)}")
    points = rubric.to_percent(scores["score"].astype(float))
    if average.startswith("vlmeval"):
        if rubric != MMDU:
            raise DataError(f"average {average!r} is defined for MMDU's rubric only, got {rubric.name}")
        points = 10.0 * np.trunc(scores["score"].astype(float)).clip(0, 10)
    if average == "vlmeval_all":
        points = points.fillna(0.0)
    keys = list(dict.fromkeys([*names, *TURN_KEYS]))
    turns = scores[[*keys, "synthetic"]].assign(points=points, scored=scores["score"].notna())
    turns["dimension"] = pd.Categorical(turns["dimension"], rubric.order(turns["dimension"].unique()))
    if "repeat" not in scores:
        return turns
    # A turn whose number is unknown is not a repeat of any other.
    turns["_row"] = np.where(turns["turn"].isna(), np.arange(len(turns)), -1)
    judged = turns.groupby([*keys, "_row"], sort=False, dropna=False, observed=True)
    squares = (turns["points"] - judged["points"].transform("mean")) ** 2
    turns = turns.assign(squares=squares, judgements=turns["points"].notna(), repeats=turns["scored"])
    how = {"points": ("points", "mean"), "scored": ("scored", "any"), "synthetic": ("synthetic", "any")}
    sums = {name: (name, "sum") for name in ("squares", "judgements", "repeats")}
    return (
        turns.groupby([*keys, "_row"], sort=False, dropna=False, observed=True)
        .agg(**how, **sums)
        .reset_index()
    )


def _dialog_sums(turns: pd.DataFrame, names: list[str], average: str) -> pd.DataFrame:
    """Return sums of points and numbers of turns, one row per group, dimension and dialogue."""
    turns = turns.assign(_dialog=turns["dialog_id"])  # the dialogue may also be one of the names
    groups = turns.groupby([*names, "dimension", "_dialog"], dropna=False, observed=True)
    cells = groups.agg(
        top=("points", "sum"),
        bottom=("points", "count"),
        scored=("scored", "sum"),
        turns=("scored", "size"),
        synthetic=("synthetic", "any"),
    ).reset_index("_dialog")
    missing = cells["turns"] - cells["scored"]
    # The sum already includes VLMEvalKit's 0 for a missing score.
    cells["least"], cells["most"], cells["rows"] = (
        cells["top"],
        cells["top"] + 100.0 * missing,
        cells["turns"],
    )
    if average == "dialog":
        for sums, count in (("top", "bottom"), ("least", "rows"), ("most", "rows")):
            cells[sums] = (cells[sums] / cells[count]).fillna(0.0)
        cells["bottom"], cells["rows"] = (cells["bottom"] > 0).astype(int), 1
    return cells


def _means(cells: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """Return one row per group and dimension, from the sums of its dialogues."""
    names = list(cells.index.names)
    groups = cells.groupby(names, dropna=False, observed=True)
    frame = groups.agg(
        scored=("scored", "sum"),
        turns=("turns", "sum"),
        least=("least", "sum"),
        most=("most", "sum"),
        rows=("rows", "sum"),
        unknown=("_dialog", lambda ids: bool(ids.isna().any())),
        synthetic=("synthetic", "any"),
    )
    number = groups.ngroup().to_numpy()
    top, bottom = cells["top"].to_numpy(float), cells["bottom"].to_numpy(float)
    ratios = clustered_ratio(number, top, bottom, len(frame), limits=(0.0, 100.0), **options)
    ratios.index = frame.index
    known = ~frame["unknown"]
    if (frame["unknown"] & ratios["n_clusters"].gt(1)).any():
        raise DataError("scores with and without dialogue ids are mixed in a mean; keep only one kind")
    result = ratios[["se", "low", "high"]].where(known)
    result.insert(0, "mean", ratios["estimate"])
    result["n_dialogs"] = ratios["n_clusters"].where(known, 0).astype("int64")
    result["n_turns"] = frame["scored"].where(known, 0).astype("int64")
    result["n_missing"] = (frame["turns"] - frame["scored"]).astype("int64")
    result["bound_low"] = (frame["least"] / frame["rows"]).where(known)
    result["bound_high"] = (frame["most"] / frame["rows"]).where(known)
    result["note"] = ratios["note"].where(known, "the scores have no dialogue ids: no interval")
    result["synthetic"] = frame["synthetic"]
    return result


def _with_repeats(frame: pd.DataFrame, turns: pd.DataFrame, names: list[str], average: str) -> pd.DataFrame:
    """Add ``n_repeats`` and ``se_judge``, the part of the standard error that is due to the variance of judgements."""
    keys = [*names, "dimension"]
    used = turns.loc[turns["judgements"] > 0].copy()
    used["weight"] = 1.0
    if average == "dialog":  # a dialogue counts once, so its weight is divided among its turns
        used["weight"] /= used.groupby([*keys, "dialog_id"], dropna=False, observed=True)["points"].transform(
            "size"
        )
    # The mean of n judgements has 1/n of the variance of one judgement.
    used["variance_factor"] = used["weight"] ** 2 / used["judgements"]
    used["freedom"] = used["judgements"] - 1
    sums = used.groupby(keys, dropna=False, observed=True)[
        ["squares", "freedom", "variance_factor", "weight", "repeats", "scored"]
    ].sum()
    within = sums["squares"] / sums["freedom"].where(sums["freedom"] > 0)
    sums["se_judge"] = (within * sums["variance_factor"]) ** 0.5 / sums["weight"]
    sums["n_repeats"] = sums["repeats"] / sums["scored"]
    added = sums[["n_repeats", "se_judge"]].reset_index().astype({"dimension": "str"})
    return frame.merge(added, on=keys, how="left")


def score_table(
    summary: pd.DataFrame, access: Mapping[str, str] | None = None, *, rubric: Rubric = MMDU
) -> pd.DataFrame:
    """Return a summary in the form of the paper's Table 2: one row per model, one column per dimension.

    Parameters
    ----------
    summary : pandas.DataFrame
        From `summarize_scores` by ``model``, or by ``model`` and ``judge`` for the form of Table 6.
    access : mapping of str to str, optional
        Model -> ``closed``, ``open`` or ``finetuned``; NA for the others.
    rubric : Rubric, optional
        The rubric of the summary.

    Returns
    -------
    pandas.DataFrame
        ``model`` (and ``judge``), ``access``, the dimensions by their short names (0-100), ``low`` and
        ``high`` of the overall score (of the only dimension if there is no overall score), ``ci``,
        ``synthetic``.

    Raises
    ------
    DataError
        If the summary has no dimension of the rubric, or several rows for a model and dimension.
    """
    import pandas as pd

    require_columns(summary, ["model", "dimension", "mean", "low", "high"], "a summary of scores")
    names = rubric.short_names | {LABEL: LABEL}
    short = summary.assign(short=summary["dimension"].map(names)).dropna(subset="short")
    if short.empty:
        have = sorted(map(str, summary["dimension"].unique()))
        raise DataError(f"got the dimensions {have}, expected some of {list(rubric.names)}; pass rubric=")
    keys = [name for name in ("model", "judge") if name in summary]
    if short.duplicated([*keys, "short"]).any():
        raise DataError("the summary has several rows for a model and dimension; summarize by 'model' first")
    table = short.pivot(index=keys, columns="short", values="mean")
    order = [name for name in names.values() if name in table]
    table = table[order].rename_axis(columns=None)
    named = [(access or {}).get(model) for model in table.index.get_level_values("model")]
    table.insert(0, "access", pd.array(named, dtype="str"))
    overall = names.get(str(rubric.overall))
    main = overall if overall in order else order[0]
    if main == overall or len(order) == 1:
        table = table.join(short.loc[short["short"] == main].set_index(keys)[["low", "high"]])
    if "synthetic" in short:
        table["synthetic"] = short.groupby(keys)["synthetic"].any()
    if "ci" in short:
        table["ci"] = short["ci"].iloc[0]
    return table.reset_index()
