"""Scores by properties of their turns: number, images, context, kind of question."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from mmdu_analysis.io.benchmark import Benchmark, load_benchmark
from mmdu_analysis.schema import MMDU, QUESTION_KINDS, CoverageWarning, DataError, Rubric, require_columns
from mmdu_analysis.stats.dataset import BINS, answer_tokens, question_tokens
from mmdu_analysis.stats.given import one_per_turn
from mmdu_analysis.stats.resampling import RESAMPLES, Method, clustered_ratio, two_sided_p
from mmdu_analysis.stats.scores import Average, as_scores, only_dimension, summarize_scores
from mmdu_analysis.stats.tokens import DEFAULT_ENCODING, context_tokens, count_tokens

if TYPE_CHECKING:
    import pandas as pd

    Turns: TypeAlias = pd.DataFrame | Benchmark | str | Path

By = Literal["dimension", "turn", "images", "named_images", "context", "kind"]

_KEYS = ["dialog_id", "turn"]
CONTEXT_BINS = (
    ("<1k", 0, 999),
    ("1-2k", 1_000, 1_999),
    ("2-4k", 2_000, 3_999),
    ("4-8k", 4_000, 7_999),
    (">=8k", 8_000, float("inf")),
)
"""Bins of the context in tokens, both edges included."""
BREAKDOWNS: dict[str, tuple[str, tuple[tuple[str, float, float], ...] | None]] = {
    "turn": ("turn", None),
    "images": ("n_images", BINS["images"]),
    "named_images": (
        "n_referenced",
        (("0", 0, 0), ("1", 1, 1), ("2", 2, 2), ("3", 3, 3), ("4", 4, 4), (">4", 5, float("inf"))),
    ),
    "context": ("context_tokens", CONTEXT_BINS),
    "kind": ("kind", None),
}
"""Breakdown -> its column of `describe_turns`, and its bins."""


def describe_turns(
    benchmark: Benchmark | str | Path,
    answers: pd.DataFrame | None = None,
    *,
    image_model: str = "paper",
    encoding: str = DEFAULT_ENCODING,
) -> pd.DataFrame:
    """Return the properties of each turn that its scores may depend on.

    Parameters
    ----------
    benchmark : Benchmark, path or name
        The dialogues.
    answers : pandas.DataFrame, optional
        From `load_answers`: the context then contains the model's own earlier answers, as in the paper. By
        default, the context contains the references.
    image_model : str, default "paper"
        As in `image_tokens`.
    encoding : str, default "o200k_base"
        As in `count_tokens`.

    Returns
    -------
    pandas.DataFrame
        One row per turn (a model and turn with `answers`): ``dialog_id``, ``turn``, ``n_turns`` and
        ``n_images`` (of the dialogue), ``images_so_far``, ``question_tokens``, ``n_referenced`` (images that
        the question is about), ``kind`` (``no image``, ``single image``, ``multi image``), ``context_tokens``
        (to read before answering, this question included), ``image_model``, ``encoding``, ``synthetic``.
    """
    benchmark = as_benchmark(benchmark)
    turns = question_tokens(benchmark, encoding)
    turns = turns.join(benchmark.dialogs[["n_turns", "n_images"]], on="dialog_id")
    columns = [*_KEYS, "n_turns", "n_images", "images_so_far", "question_tokens", "n_referenced", "kind"]
    synthetic = turns["synthetic"] if "synthetic" in turns else bool(getattr(benchmark, "synthetic", False))
    turns = turns[columns].assign(image_model=image_model, encoding=encoding, synthetic=synthetic)
    if answers is None:
        tokens = answer_tokens(benchmark, encoding).fillna(0).astype("int64")
        histories = benchmark.turns[_KEYS].assign(answer_tokens=tokens)
    else:
        require_columns(answers, ["model", *_KEYS, "answer"], "a frame of answers")
        tokens = count_tokens(answers["answer"], encoding)
        histories = one_per_turn(answers, "answers")[["model", *_KEYS]].assign(answer_tokens=tokens)
    return add_context(turns, histories, benchmark.images, image_model)


def as_benchmark(benchmark: Benchmark | str | Path) -> Benchmark:
    """Return a benchmark, loaded first if a path or a name is given."""
    return benchmark if isinstance(benchmark, Benchmark) else load_benchmark(benchmark)


def kind_of(n_referenced: pd.Series) -> pd.Series:
    """Return the kind of questions by the number of images that they are about."""
    return n_referenced.clip(upper=2).map(dict(enumerate(QUESTION_KINDS))).astype("str")


def add_context(
    turns: pd.DataFrame, histories: pd.DataFrame, images: pd.DataFrame, image_model: str = "paper"
) -> pd.DataFrame:
    """Add ``context_tokens`` to turns: one row per turn and history.

    Parameters
    ----------
    turns : pandas.DataFrame
        With ``dialog_id``, ``turn`` and ``question_tokens``.
    histories : pandas.DataFrame
        ``dialog_id``, ``turn``, ``answer_tokens``; with ``model`` one history per model.
    images : pandas.DataFrame
        As in `context_tokens`.
    image_model : str
        Image-token estimator.

    Returns
    -------
    pandas.DataFrame
        `turns` with ``context_tokens``, and ``model`` if the histories have it.
    """
    import pandas as pd

    if "model" not in histories:
        return turns.merge(context_tokens(turns, histories, images, image_model), on=_KEYS)
    parts = [
        turns.merge(context_tokens(turns, history, images, image_model), on=_KEYS).assign(model=model)
        for model, history in histories.groupby("model", sort=False)
    ]
    return pd.concat(parts, ignore_index=True).astype({"model": "str"})


def join_turns(scores: pd.DataFrame, benchmark: Turns, *, rubric: Rubric = MMDU) -> pd.DataFrame:
    """Join scores with the properties of their turns.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`.
    benchmark : Benchmark, path, name or pandas.DataFrame
        The dialogues; or a frame of `describe_turns`, or any frame with ``dialog_id`` and ``turn`` (and
        ``model``).
    rubric : Rubric, optional
        The rubric of the scores.

    Returns
    -------
    pandas.DataFrame
        The scores whose turn is in the data, with the columns of the turns; ``n_unmatched``, the number of
        other rows (their turn is NA, or isn't in the data), is the same in all rows.

    Raises
    ------
    DataError
        If no row has a turn of the data.

    Warns
    -----
    CoverageWarning
        If rows have no turn of the data.
    """
    import pandas as pd

    turns = benchmark if isinstance(benchmark, pd.DataFrame) else describe_turns(benchmark)
    require_columns(turns, _KEYS, "a frame of turns")
    scores, turns = as_scores(scores, rubric=rubric), one_per_turn(turns, "turns")
    keys = [*(["model"] if "model" in turns else []), *_KEYS]
    marked = turns["synthetic"].fillna(False).astype(bool) if "synthetic" in turns else False
    turns = turns[[*keys, *(column for column in turns if column not in scores)]].assign(_marked=marked)
    joined = scores.merge(turns.astype({"turn": "Int64"}), on=keys, how="left", indicator="_found")
    found = joined.pop("_found") == "both"
    lost = int((~found).sum())
    if lost == len(joined):
        raise DataError(
            f"none of the {lost:,} scores belongs to a turn of the data; they need turn numbers and the benchmark's dialogue ids"
        )
    if lost:
        text = f"{lost:,} of {len(joined):,} scores belong to no turn of the data and are left out"
        warnings.warn(text, CoverageWarning, stacklevel=2)
    result = joined.loc[found].reset_index(drop=True)
    result["synthetic"] |= result.pop("_marked").astype(bool)
    return result.assign(n_unmatched=lost)


def score_breakdown(
    scores: pd.DataFrame,
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
    """Average scores by dimension, or by properties of their turns.

    Parameters
    ----------
    scores : pandas.DataFrame
        From `load_scores`, `join_turns` or labels.
    by : {"dimension", "turn", "images", "named_images", "context", "kind"}, default "turn"
        The dimension; the turn's number; images of the dialogue; images that the question is about; tokens
        to read before answering; whether the question is about no, one or several images.
    benchmark : Benchmark, path, name or pandas.DataFrame, optional
        As in `join_turns`, for columns that the scores don't have.
    dimension : str, optional
        Name or short name; by default the overall score, or the only dimension. Ignored for
        ``by="dimension"``.
    average, ci, method, n_resamples, seed, rubric
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row per model and bin: ``model``, ``bin`` (ordered), the columns of `summarize_scores`, ``by``,
        and ``n_unmatched`` as in `join_turns`.

    Raises
    ------
    DataError
        If `by` is unknown or needs a benchmark that is not given.
    """
    if by == "dimension":
        frame = summarize_scores(
            scores, "model", average, ci, method=method, n_resamples=n_resamples, seed=seed, rubric=rubric
        )
        frame.insert(1, "bin", frame["dimension"])
        return frame.assign(by=by, n_unmatched=0)
    binned = _binned(scores, by, benchmark, dimension, rubric)
    frame = summarize_scores(
        binned,
        ["model", "bin"],
        average,
        ci,
        method=method,
        n_resamples=n_resamples,
        seed=seed,
        rubric=rubric,
    )
    return frame.assign(by=by, n_unmatched=_n_unmatched(binned))


def _n_unmatched(joined: pd.DataFrame) -> int:
    return int(joined["n_unmatched"].iloc[0]) if "n_unmatched" in joined and len(joined) else 0


def turns_behind(
    scores: pd.DataFrame,
    by: By,
    bin: object,
    benchmark: Turns | None = None,
    *,
    model: str | None = None,
    dimension: str | None = None,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Return the turns of a bin of a breakdown, for ``browse(benchmark, where=...)``.

    Parameters
    ----------
    scores, by, benchmark, dimension, rubric
        As in `score_breakdown`.
    bin : str or number
        A bin of the breakdown.
    model : str, optional
        Only this model's turns.

    Returns
    -------
    pandas.DataFrame
        ``model``, ``dialog_id``, ``turn``, ``score`` (on the rubric's scale), ``synthetic``, lowest scores
        first.

    Raises
    ------
    DataError
        If there is no such bin or model.
    """
    binned = _binned(scores, by, benchmark, dimension, rubric)
    selected = binned.loc[binned["bin"].astype("str") == str(bin)]
    if model is not None:
        selected = selected.loc[selected["model"] == model]
    if selected.empty:
        bins = [str(name) for name in binned["bin"].cat.categories]
        raise DataError(f"no turn in bin {str(bin)!r} of {by}, model {model!r}; bins are {', '.join(bins)}")
    ordered = selected.sort_values("score", kind="stable", ignore_index=True)
    return ordered[["model", "dialog_id", "turn", "score", "synthetic"]]


def _binned(
    scores: pd.DataFrame, by: str, benchmark: Turns | None, dimension: str | None, rubric: Rubric
) -> pd.DataFrame:
    """Add the breakdown's bins to scores, as an ordered column ``bin``."""
    import pandas as pd

    if by not in BREAKDOWNS:
        raise DataError(f"no breakdown by {by!r}; expected dimension, {', '.join(BREAKDOWNS)}")
    column, bins = BREAKDOWNS[by]
    joined = only_dimension(_with_column(scores, column, benchmark, rubric), dimension, rubric)
    if bins is None:
        joined = joined.dropna(subset=column)
        order = list(QUESTION_KINDS) if by == "kind" else sorted(joined[column].unique())
        labels = joined[column]
    else:
        order = [label for label, _, _ in bins]
        labels = pd.Series("", index=joined.index, dtype="str")
        for label, low, high in bins:
            labels[joined[column].between(low, high)] = label
    return joined.assign(bin=pd.Categorical(labels, categories=order, ordered=True))


def _with_column(scores: pd.DataFrame, column: str, benchmark: Turns | None, rubric: Rubric) -> pd.DataFrame:
    scores = as_scores(scores, rubric=rubric)
    if column in scores:
        return scores
    if benchmark is None:
        raise DataError(f"the scores have no column {column!r}; pass benchmark=")
    return join_turns(scores, benchmark, rubric=rubric)


def score_trend(
    scores: pd.DataFrame,
    by: Literal["turn", "images", "named_images", "context"] = "turn",
    benchmark: Turns | None = None,
    *,
    dimension: str | None = None,
    ci: float = 0.95,
    method: Method = "jackknife",
    n_resamples: int = RESAMPLES,
    seed: int = 0,
    rubric: Rubric = MMDU,
) -> pd.DataFrame:
    """Estimate the change of a model's score with the turn, the images or the context.

    Parameters
    ----------
    scores, benchmark, dimension
        As in `score_breakdown`.
    by : {"turn", "images", "named_images", "context"}, default "turn"
        As in `score_breakdown`.
    ci, method, n_resamples, seed, rubric
        As in `summarize_scores`.

    Returns
    -------
    pandas.DataFrame
        One row per model: ``model``, ``predictor``, ``slope`` (points on 0-100 for one turn or image more, or
        for 1,000 tokens more), ``se``, ``low``, ``high``, ``p_value``, ``n_dialogs``, ``n_turns``, ``note``,
        ``dimension``, ``ci``, ``synthetic``.

    Notes
    -----
    The slope is within dialogues: the mean over the model's turns of the dialogue is subtracted from each
    score and each predictor, so that long dialogues, the only ones with late turns, don't cause an apparent
    decrease. The number of images belongs to the dialogue, so that slope is between dialogues. Errors are
    clustered by dialogue, as in `summarize_scores`.
    """
    import numpy as np
    import pandas as pd

    if by not in BREAKDOWNS or by == "kind":
        raise DataError(f"no trend along {by!r}; expected turn, images, named_images or context")
    column = BREAKDOWNS[by][0]
    kept = only_dimension(_with_column(scores, column, benchmark, rubric), dimension, rubric)
    kept = kept.dropna(subset=["score", column, "dialog_id"])
    x = kept[column].astype(float) / (1_000 if by == "context" else 1)
    points = kept.assign(_x=x, _y=rubric.to_percent(kept["score"].astype(float)))
    around = ["model"] if by == "images" else ["model", "dialog_id"]
    centred = points[["_x", "_y"]] - points.groupby(around)[["_x", "_y"]].transform("mean")
    products = points[["model", "dialog_id"]].assign(
        top=centred["_x"] * centred["_y"], bottom=centred["_x"] ** 2
    )
    sums = products.groupby(["model", "dialog_id"], sort=False)[["top", "bottom"]].sum().reset_index()
    models = list(kept["model"].unique())
    number = pd.Categorical(sums["model"], categories=models).codes.astype(np.int64)
    ratios = clustered_ratio(
        number, sums["top"].to_numpy(), sums["bottom"].to_numpy(), len(models),
        ci=ci, method=method, n_resamples=n_resamples, seed=seed,
    )  # fmt: skip
    by_model = kept.groupby("model", sort=False)
    frame = pd.DataFrame(
        {"model": pd.array(models, dtype="str"), "predictor": by, "slope": ratios["estimate"]}
    )
    frame[["se", "low", "high"]] = ratios[["se", "low", "high"]]
    frame["p_value"] = two_sided_p(*(ratios[name].to_numpy() for name in ("estimate", "se", "n_clusters")))
    frame["n_dialogs"] = ratios["n_clusters"].astype("int64")
    frame["n_turns"] = by_model.size().reindex(models).to_numpy()
    frame["note"], frame["dimension"], frame["ci"] = ratios["note"], kept["dimension"].iloc[0], ci
    return frame.assign(synthetic=by_model["synthetic"].any().reindex(models).to_numpy())
